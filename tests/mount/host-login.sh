#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-login.sh VIXFS - where the password comes from, what happens
# when it is none, and that it shows up nowhere.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
secret=Hu7-geheim+Wort
trust=cacert=
file=$scratch/credentials

give () { # LINE...: the lines of the credentials file
  rm -f "$file"
  (umask 077 && printf '%s\n' "$@" >"$file")
}

mounts () { # ARGUMENT...
  start_vixfs "$(url a)" "$mnt" -o "$trust" "$@" && [[ -d $mnt/vm00000 ]] \
    && stop_vixfs && same 0 "$(about a sessions 'len(a)')"
}

# refused TEXT ARGUMENT...: says so without asking the host, and is gone.
refused () {
  local text=$1 before
  before=$(logins)
  shift
  fails "$text" setsid -w "$vixfs" "$(url a)" "$mnt" -o "$trust" "$@" </dev/null \
    && same "$before" "$(logins)" && nobody
}
logins () { about a counters '"%(logins)d %(badLogins)d" % a'; }

default_group () {
  give '[default]' user=root "password=$secret" && mounts -o "credentials=$file"
}

own_group_is_preferred () {
  give '[default]' user=root password=wrong '[127.0.0.1]' user=root \
    "password=$secret" && mounts -o "credentials=$file"
}

user_of_the_url_will_do () {
  give '[default]' "password=$secret" && mounts -o "credentials=$file"
}

odd_passwords_arrive () {
  local odd=$'a b"c\\d%e;f#g<&>\xc3\xbc'
  order a set password="$odd" && give '[default]' user=root \
    "password=${odd//\\/\\\\}" && mounts -o "credentials=$file"
  local status=$?
  order a set password="$secret" && return $status
}

open_mode_is_refused () {
  give '[default]' user=root "password=$secret" && chmod 640 "$file" \
    && refused "$file" -o "credentials=$file" && chmod 604 "$file" \
    && refused "chmod 600" -o "credentials=$file"
}

wrong_group_is_refused () {
  give '[other]' user=root "password=$secret" \
    && refused '[default]' -o "credentials=$file"
}

missing_password_is_refused () {
  give '[default]' user=root && refused 'password=' -o "credentials=$file" \
    && give '[default]' user=root password= \
    && refused 'password=' -o "credentials=$file"
}

other_user_is_refused () {
  give '[default]' user=somebody "password=$secret" \
    && refused somebody -o "credentials=$file"
}

no_key_file_is_refused () {
  give "$secret" && refused "$file" -o "credentials=$file" || return 1
  # What is in it is not repeated.
  ! "$vixfs" "$(url a)" "$mnt" -o "$trust,credentials=$file" 2>&1 \
    | grep -F -- "$secret"
}

missing_file_is_refused () {
  refused "$scratch/none" -o "credentials=$scratch/none" \
    && refused "$scratch" -o "credentials=$scratch"
}

no_password_at_all_is_refused () { refused 'credentials=FILE'; }

environment () {
  local status
  export VIXFS_USER=root VIXFS_PASSWORD=$secret
  start_vixfs "https://127.0.0.1:$a_PORT/sdk" "$mnt" -o "$trust"
  status=$?
  unset VIXFS_USER VIXFS_PASSWORD
  # The daemon's own environment does not show it any more.
  ((status == 0)) && ! grep -qaF -- "$secret" "/proc/${daemons[$mnt]}/environ" \
    && stop_vixfs
}

systemd_credentials () {
  mkdir "$scratch/service" && give '[default]' user=root "password=$secret" \
    && mv "$file" "$scratch/service/vixfs" || return 1
  export CREDENTIALS_DIRECTORY=$scratch/service
  mounts
  local status=$?
  unset CREDENTIALS_DIRECTORY
  return $status
}

# A person at a terminal: asked for user and password, nothing is echoed; the
# daemon goes to the background and outlives the terminal.
prompt='
import os, pty, select, sys
url, mnt, trust, vixfs, user, secret = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(vixfs, [vixfs, url, mnt, "-o", trust])
seen = b""
for question, answer in ((b"User for ", user), (b"Password for ", secret)):
    if question == b"User for " and "@" in url:
        continue
    while question not in seen or not seen.endswith(b": "):
        assert select.select([fd], [], [], 60)[0], seen
        seen += os.read(fd, 1000)
    if answer == "^C":
        os.write(fd, b"\x03")
    else:
        os.write(fd, answer.encode() + b"\n")
try:
    while True:
        more = os.read(fd, 1000)
        if not more:
            break
        seen += more
except OSError:
    pass
sys.stdout.write(seen.decode())
assert secret == "^C" or secret.encode() not in seen, "echoed"
os.close(fd)
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 99)'

at_terminal () { # URL PASSWORD
  python3 -c "$prompt" "$1" "$mnt" "$trust" "$vixfs" root "$2"
}

asks_at_a_terminal () {
  at_terminal "https://127.0.0.1:$a_PORT" "$secret" \
    && [[ -d $mnt/vm00000 ]] && umount "$mnt" && within 30 no_session \
    && within 30 nobody
}
no_session () { same 0 "$(about a sessions 'len(a)')"; }

asks_for_the_password_only () {
  at_terminal "$(url a)" "$secret" && [[ -d $mnt/vm00000 ]] && umount "$mnt" \
    && within 30 no_session && within 30 nobody
}

# Not tried again by itself: accounts lock.
wrong_password_is_clear () {
  local before
  before=$(about a counters 'a["badLogins"]')
  give '[default]' user=root password=wrong \
    && fails "(user \"root\", password from $file, [default])" \
      "$vixfs" "$(url a)" "$mnt" -o "$trust,credentials=$file" && nobody \
    && same $((before + 1)) "$(about a counters 'a["badLogins"]')" \
    && ! at_terminal "$(url a)" wrong-one && nobody
}

ctrl_c_at_the_question () { ! at_terminal "$(url a)" ^C && nobody; }

password_in_the_url_is_refused () {
  local out
  out=$("$vixfs" "https://root:$secret@127.0.0.1:$a_PORT/sdk" "$mnt" \
    -o "$trust" 2>&1) && return 1
  [[ $out == *credentials* && $out != *"$secret"* ]] || { echo "$out"; return 1; }
  nobody
}

password_as_an_option_is_refused () {
  local out
  out=$("$vixfs" "$(url a)" "$mnt" -o "$trust,password=$secret" 2>&1) && return 1
  [[ $out == *credentials* && $out != *"$secret"* ]] || { echo "$out"; return 1; }
  nobody
}

# Everything that can be read of a mount, with all it says of its work.
secret_is_nowhere () {
  local pid
  give '[default]' user=root "password=$secret"
  start_vixfs "$(url a)" "$mnt" -d -o "$trust,credentials=$file" \
    >"$scratch/debug" || return 1
  pid=${daemons[$mnt]}
  exec 6<"$mnt/.vixfs/events"
  mkdir "$mnt/vm00000/snapshots/one" && rmdir "$mnt/vm00000/snapshots/one" \
    && order a session/expire && mkdir "$mnt/vm00000/snapshots/two" \
    && order a fail method=CreateSnapshot_Task fault=NoPermission \
    && ! mkdir "$mnt/vm00000/snapshots/three" && order a set password=changed \
    && order a session/expire && within 30 grep reconnecting "$mnt/.vixfs/hosts" \
    || return 1
  timeout 2 cat <&6 >"$scratch/events"
  exec 6<&-
  grep -q 'Login' "$scratch/debug" && [[ -s $scratch/events ]] || return 1
  ! grep -raF -- "$secret" "$scratch/debug" "$scratch/mnt.err" "$scratch/events" "$mnt/.vixfs/log" \
    "$mnt/.vixfs/hosts" "$mnt/.vixfs/stats" "$mnt/.vixfs/jobs" \
    "/proc/$pid/cmdline" "/proc/$pid/environ" || return 1
  xattr error "$mnt/vm00000" | grep -F -- "$secret" && return 1
  ! grep -ai 'vmware_soap_session=' "$scratch/debug" \
    && order a set password="$secret" && stop_vixfs
}

# What a debugger would take along of it, as root: the pages that are written
# and are not left out of dumps ("dd"). A piece of the password is enough; its
# beginning is what frees overwrite.
in_memory='
import re, sys
pid, words = sys.argv[1], [w.encode() for w in sys.argv[2:]]
found = kept = 0
with open("/proc/%s/mem" % pid, "rb", 0) as mem:
    for line in open("/proc/%s/smaps" % pid):
        at = re.match("([0-9a-f]+)-([0-9a-f]+) (....)", line)
        if at:
            start, end, mode = int(at[1], 16), int(at[2], 16), at[3]
        elif line.startswith("VmFlags:") and mode.startswith("rw"):
            # sanitizers reserve terabytes, of which next to nothing is there
            if end - start > 1 << 30:
                continue
            mem.seek(start)
            bytes = mem.read(end - start)
            n = sum(bytes.count(w) for w in words)
            found += 0 if " dd" in line else n
            kept += n if " dd" in line else 0
print(found, kept)'
long=Wort-mit-vielen-Zeichen-0123456789-abcdefghijklmnopqrstuvwxyz-ENDE

dump_has_no_secret () { # by which way it got in: a file or the environment
  local status
  order a set password=$long || return 1
  if [[ $1 == file ]]; then
    give '[other]' user=x password=y '[default]' user=root "password=$long"
    start_vixfs "$(url a)" "$mnt" -o "$trust,credentials=$file"
  else
    VIXFS_PASSWORD=$long start_vixfs "$(url a)" "$mnt" -o "$trust"
  fi && mkdir "$mnt/vm00000/snapshots/dump" && rmdir "$mnt/vm00000/snapshots/dump" \
    && order a session/expire && mkdir "$mnt/vm00000/snapshots/dump" \
    && rmdir "$mnt/vm00000/snapshots/dump" \
    && within 30 only_in_what_is_kept
  status=$?
  stop_vixfs && order a set password="$secret" && return $status
}

# Who logs in just now has it in a request, too.
only_in_what_is_kept () {
  local found
  found=$(python3 -c "$in_memory" "${daemons[$mnt]}" 0123456789-abcdef \
    uvwxyz-ENDE) && echo "found $found" && [[ $found == 0\ * && $found != *\ 0 ]]
}

# Killed in a way that would leave a core, where it may.
core_has_no_secret () {
  give '[default]' user=root "password=$secret"
  mkdir -p "$scratch/core" && cd "$scratch/core" || return 1
  ulimit -c unlimited
  # Are there any cores here?
  python3 -c 'import os; os.kill(os.getpid(), 11)'
  [[ -n $(find . -type f) ]] || echo '# no core is left here, by nobody' >&3
  rm -f ./*
  start_vixfs "$(url a)" "$mnt" -o "$trust,credentials=$file"
  local status=$?
  ulimit -c 0
  cd - >/dev/null || return 1
  ((status == 0)) || return 1
  kill -SEGV "${daemons[$mnt]}"
  wait "${daemons[$mnt]}" 2>/dev/null
  status=$?
  umount -l "$mnt"
  unset "daemons[$mnt]"
  # 139 (a sanitizer has its own way): it was not a normal end.
  ((status != 0)) && [[ -z $(find "$scratch/core" -type f) ]] \
    && order a session/expire
}

sigterm_logs_out () {
  give '[default]' user=root "password=$secret"
  start_vixfs "$(url a)" "$mnt" -o "$trust,credentials=$file" \
    && same 1 "$(about a sessions 'len(a)')" && kill "${daemons[$mnt]}" || return 1
  wait "${daemons[$mnt]}" || return 1
  unset "daemons[$mnt]"
  gone && no_session
}

background_daemon_logs_out () {
  faster 60000 "$vixfs" "$(url a)" "$mnt" -o "$trust,credentials=$file" \
    && [[ -d $mnt/vm00000 ]] && same 1 "$(about a sessions 'len(a)')" \
    && umount "$mnt" && within 30 no_session && within 30 nobody
}

exec 3>&1
host_sim a -kind esx -vms 1 -password "$secret" || exit 1
trust=cacert=$a_CERT
check default-group default_group
check own-group-is-preferred own_group_is_preferred
check user-of-the-url-will-do user_of_the_url_will_do
check odd-passwords-arrive odd_passwords_arrive
check open-mode-is-refused open_mode_is_refused
check wrong-group-is-refused wrong_group_is_refused
check missing-password-is-refused missing_password_is_refused
check other-user-is-refused other_user_is_refused
check no-key-file-is-refused no_key_file_is_refused
check missing-file-is-refused missing_file_is_refused
check no-password-at-all-is-refused no_password_at_all_is_refused
check environment environment
check systemd-credentials systemd_credentials
check asks-at-a-terminal asks_at_a_terminal
check asks-for-the-password-only asks_for_the_password_only
check wrong-password-is-clear wrong_password_is_clear
check ctrl-c-at-the-question ctrl_c_at_the_question
check password-in-the-url-is-refused password_in_the_url_is_refused
check password-as-an-option-is-refused password_as_an_option_is_refused
check secret-is-nowhere secret_is_nowhere
# Sanitizers keep what was freed.
if ! grep -q __asan_init "$vixfs" && ! grep -q __tsan_init "$vixfs"; then
  check dump-has-no-secret-of-a-file dump_has_no_secret file
  check dump-has-no-secret-of-the-environment dump_has_no_secret environment
fi
check core-has-no-secret core_has_no_secret
check sigterm-logs-out sigterm_logs_out
check background-daemon-logs-out background_daemon_logs_out
finish
