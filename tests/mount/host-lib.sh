# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2120 # functions with arguments that only some tests give
# What the tests on mounts of ESXi and vCenter share: lib.sh and the simulator
# of tests/host in one directory, under one trap. A host that host_sim started
# is called by its name in all that follows.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/host/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../host/lib.sh"
host_begin "$scratch/hosts"
# What host_sim and host_proxy set, of the names used here.
# shellcheck disable=SC2034
a_PORT='' a_CERT='' a_SHA1='' a_SHA256='' b_PORT='' b_CERT='' b_SHA256='' \
  p_PORT='' p_CERT='' p_SHA256=''

# of NAME WORD: what host_sim found out: URL, PORT, CERT, SHA256, PID...
of () {
  local variable=$1_$2
  printf '%s' "${!variable}"
}

# ask NAME PATH KEY=VALUE...: an order to the host; prints what it answers.
ask () {
  local name=$1
  shift
  host_ctl "$(of "$name" CONTROL)" "$@"
}

# order NAME PATH KEY=VALUE...: the same without the answer.
order () { ask "$@" >"$scratch/order.out" || { cat "$scratch/order.out"; return 1; }; }

# about NAME PATH KEY=VALUE... EXPRESSION: in Python, of the answer `a`; where
# that is a VM, `s` are its snapshots by name.
about () {
  local expression=${*: -1}
  ask "${@:1:$#-1}" | python3 -c '
import json, sys
a = json.load(sys.stdin)
s = a.get("snapshots") if isinstance(a, dict) else None
s = {x["name"]: x for x in s} if isinstance(s, list) else {}
print(eval(sys.argv[1]))' "$expression"
}

# knows NAME VM EXPRESSION WANTED: what the host itself knows of its VM.
knows () { same "$4" "$(about "$1" vm vm="$2" "$3")"; }

# names NAME VM: its snapshots by name, as the host has them
names () { about "$1" vm vm="$2" '" ".join(sorted(s))'; }

# calls NAME METHOD...: how many of these the host has been sent.
calls () {
  about "$1" counters "sum(a['soap'].get(m, 0) for m in '${*:2}'.split())"
}

# running NAME, idle NAME: a task runs at the host, or none.
running () { same 1 "$(about "$1" counters 'a["tasksRunning"]')"; }
idle () { same 0 "$(about "$1" counters 'a["tasksRunning"]')"; }

# was_asked PROXY NUMBER: its rules met so many requests.
was_asked () { (($(about "$1" rules 'sum(r["hits"] for r in a)') >= $2)); }

# end_by_kill PID...: each of them ends.
end_by_kill () {
  local pid status=0
  kill -KILL "$@"
  for pid; do
    within 30 ended "$pid" || status=1
  done
  return $status
}

# changes NAME: how many calls that were not just reading.
changes () {
  about "$1" counters 'sum(n for m, n in a["soap"].items() if m not in """
    RetrieveServiceContent Login Logout CurrentTime CreateContainerView
    DestroyView CreatePropertyCollector DestroyPropertyCollector CreateFilter
    DestroyPropertyFilter WaitForUpdates WaitForUpdatesEx CheckForUpdates
    CancelWaitForUpdates RetrieveProperties RetrievePropertiesEx
    ContinueRetrievePropertiesEx CancelRetrievePropertiesEx SessionIsActive
    HasPrivilegeOnEntity HasPrivilegeOnEntities""".split())'
}

# unchanging NAME COMMAND...: it succeeds and sends the host no change.
unchanging () {
  local name=$1 before
  before=$(changes "$name")
  shift
  "$@" && same "$before" "$(changes "$name")"
}

# credentials [USER [PASSWORD [GROUP]]]: prints the name of a file with them.
credentials () {
  local file=$scratch/${1:-root}.${3:-default}.credentials
  (umask 077
   printf '[%s]\nuser=%s\npassword=%s\n' "${3:-default}" "${1:-root}" \
     "${2:-secret}" >"$file")
  printf '%s' "$file"
}

# url NAME: with the user
url () {
  local url
  url=$(of "$1" URL)
  printf '%s' "${url/:\/\//:\/\/root@}"
}

# mount_host NAME [MOUNTPOINT [ARGUMENT...]]: with trust and credentials.
mount_host () {
  local name=$1 dir=${2:-$mnt}
  shift $(($# < 2 ? $# : 2))
  start_vixfs "$(url "$name")" "$dir" \
    -o "credentials=$(credentials),cacert=$(of "$name" CERT)" "$@"
}

# nobody: no daemon stayed, and nothing is mounted. The half of it that went to
# the background may end after the one that told what is wrong.
nobody () { within 30 nobody_is_left; }
nobody_is_left () {
  gone && same '' "$(grep -lzxF -f <(printf '%s' "$mnt") /proc/[0-9]*/cmdline \
    2>/dev/null)"
}

# errno_of PYTHON: the name of the error that the call ends with, or "ok"
errno_of () {
  python3 -c '
import errno, os, sys
try:
    exec(sys.argv[1])
    print("ok")
except OSError as e:
    print(errno.errorcode[e.errno].replace("ENOTSUP", "EOPNOTSUPP"))' "$1"
}
# gives WANTED COMMAND...: it prints that
gives () { same "$1" "$("${@:2}")"; }

mkdir_errno () { errno_of "os.mkdir('$1')"; }
rmdir_errno () { errno_of "os.rmdir('$1')"; }
write_errno () { # TEXT FILE
  errno_of "f = os.open('$2', os.O_WRONLY | os.O_TRUNC)
os.write(f, b'$1\\n')"
}

xattr () { getfattr --only-values -n "user.vix.$1" "$2"; }
info () { # FILE EXPRESSION: of a
  python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# by_kind esx|vcenter: where the VMs of a host of that kind are.
# shellcheck disable=SC2034 # for those who call it
by_kind () {
  kind=$1 top=$mnt
  [[ $kind == esx ]] || top=$mnt/DC0
  vm=$top/vm00000
  s=$vm/snapshots
}
