#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-life.sh VIXFS - a day of a mount's life in a minute: others change
# snapshots 10,000 times and we 1,000 times, meanwhile sessions expire again and
# again and the host is restarted three times. Then the mount must be what a
# fresh mount is, no bigger than it was, and the host must be left as tidy.
# VIXFS_LIFE (1) lengthens it.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
life=${VIXFS_LIFE:-1}
rounds=20 others=$((500 * life)) ours=$((50 * life))
fresh=$scratch/fresh
mkdir "$fresh"

# we COUNT SEED: that many changes that succeed, of random kinds, and a line
# for each mkdir. What others did to our snapshots meanwhile, or that the host
# is away, is no failure; anything else is.
we () {
  python3 - "$mnt" "$1" "$2" <<'PYTHON'
import errno, glob, os, random, sys, time
root, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
r, own, n = random.Random(seed), [], 0
places = sorted(glob.glob(root + '/DC*/**/snapshots', recursive=True))
end = time.monotonic() + 240
while n < count:
    if time.monotonic() > end:
        sys.exit(f'only {n} of {count} changes were made')
    k = r.randrange(100)
    new = f'{r.choice(places)}/ours {seed} {r.randrange(10 ** 9)}'
    old = own.pop(r.randrange(len(own))) if own and k >= 40 else None
    said = 'ok'
    try:
        if old is None:
            os.mkdir(new)
            own.append(new)
        elif k < 80:
            os.rmdir(old)
        else:
            new = os.path.join(os.path.dirname(old), os.path.basename(new))
            os.rename(old, new)
            own.append(new)
        n += 1
    except OSError as e:
        said = errno.errorcode[e.errno]
        if e.errno == errno.EHOSTDOWN:
            time.sleep(0.05)
        elif e.errno not in (errno.EBUSY, errno.EMLINK) and not (
                old and e.errno == errno.ENOENT):
            sys.exit(f'{old or "mkdir"} -> {new}: {e}')
    if old is None:
        vm = os.path.basename(os.path.dirname(os.path.dirname(new)))
        print(said, f'{vm}/{os.path.basename(new)}', sep='\t', flush=True)
PYTHON
}

# What mkdir said and what the host did: one snapshot each where it said so,
# none where it failed; where it could not know, not two.
exactly_once () {
  ask a counters >"$scratch/counters.json"
  python3 - "$scratch/made" "$scratch/counters.json" <<'PYTHON'
import json, sys
creates = json.load(open(sys.argv[2]))['creates']
wrong, sure = [], 0
for line in open(sys.argv[1]):
    said, name = line.rstrip('\n').split('\t')
    made = creates.get(name, 0)
    sure += said == 'ok'
    if made > 1 or (made != (said == 'ok') and said != 'EHOSTDOWN'):
        wrong.append((said, name, made))
if wrong or not sure:
    sys.exit(f'{sure} sure, {len(wrong)} wrong: {wrong[:5]}')
PYTHON
}

is_connected () { grep -q $'\tconnected\t' "$mnt/.vixfs/hosts"; }

# Others and we at the same time; each seventh round the host restarts.
a_round () { # NUMBER OTHERS OURS
  local pid status
  we "$3" "$1" >>"$scratch/made" 2>"$scratch/we.err" &
  pid=$!
  order a churn count=$(($2 / 2)) seed="$1" || return 1
  order a session/expire || return 1
  if (($1 % 7 == 5)); then
    order a restart down=200 starting=200 tasks=keep || return 1
  fi
  order a churn count=$(($2 - $2 / 2)) seed="$((1000 + $1))" || return 1
  wait "$pid"
  status=$?
  ((status == 0)) || { cat "$scratch/we.err"; return 1; }
  within 90 is_connected
}

# all DIRECTORY: everything there is to see, with inode numbers. The times of
# folders are the mount's own.
all () (
  cd "$1" || exit 1
  find . -path '*/vm[0-9]*' -printf '%T@\t' -o -printf '-\t' , \
    -printf '%p\t%i\t%y\t%m\t%n\t%s\t%l\n' | LC_ALL=C sort
  find . -path '*/files' -prune -o -type f ! -name config.vmx -print0 \
    | LC_ALL=C sort -z | xargs -0 tail -v -n +1
  find . -name snapshots -prune -printf '%p/.tree\0' \
    | LC_ALL=C sort -z | xargs -0 tail -v -n +1
)

look () {
  all "$1" >"$2" || return 1
  [[ $(wc -l <"$2") -gt 1000 ]] || { echo 'next to nothing is listed'; return 1; }
}

as_fresh () {
  look "$mnt" "$scratch/all.old" && look "$fresh" "$scratch/all.new" \
    && diff "$scratch/all.old" "$scratch/all.new" | head -n 20 \
    && cmp "$scratch/all.old" "$scratch/all.new"
}

descriptors () { find "/proc/${daemons[$mnt]}/fd" -mindepth 1 | wc -l; }
threads () { find "/proc/${daemons[$mnt]}/task" -mindepth 1 -maxdepth 1 | wc -l; }
handles () { awk '/^vixfs_handles / { print $2 }' "$mnt/.vixfs/stats"; }
# What the host keeps for its clients.
kept () {
  about a counters '[a[x] for x in ("sessions", "collectors", "filters", "views", "waits", "tasksRunning")]'
}

warm_up () {
  local i
  for i in 95 96; do
    a_round "$i" "$others" "$ours" || return 1
  done
  look "$mnt" "$scratch/all.old" && : >"$scratch/made" \
    && order a counters reset=1 && start=(
      "$(memory_kib)" "$(descriptors)" "$(threads)" "$(handles)" "$(kept)")
  printf '%s\n' "${start[@]}" && [[ ${#start[@]} == 5 ]]
}

a_day () {
  local i
  for ((i = 1; i <= rounds; i++)); do
    a_round "$i" "$others" "$ours" || return 1
  done
  about a counters '"# logins %d, restarts %d" % (a["logins"], a["restarts"])' >&3
  same 3 "$(about a counters 'a["restarts"]')" \
    && [[ $(about a counters 'a["logins"]') -gt $((rounds / 2)) ]]
}

fresh_is_the_same () {
  mount_host a "$fresh" && within 120 as_fresh && stop_vixfs "$fresh"
}

at_most () { (($("$1") <= $2)) || { echo "$1: $("$1"), at most $2 wanted"; return 1; }; }

# A sanitizer keeps what is freed.
memory_as_before () {
  local limit=$((start[0] + start[0] / 4 + 8192))
  if grep -q __asan_init "$vixfs" || grep -q __tsan_init "$vixfs"; then
    echo 'not judged with a sanitizer'
  else
    printf '# %d KiB, before %d\n' "$(memory_kib)" "${start[0]}" >&3
    at_most memory_kib "$limit"
  fi
}

# Connections end some time after they were last needed; libfuse keeps up to
# ten threads once they were.
as_tidy_as_before () {
  within 150 at_most descriptors "${start[1]}" \
    && within 60 at_most threads "$((start[2] + 10))" \
    && within 60 at_most handles "${start[3]}"
}
host_keeps () { same "$1" "$(kept)"; }
no_session () { same 0 "$(about a sessions 'len(a)')"; }

exec 3>&1
# What was read stays in memory up to a bound, which is soon reached this way.
host_sim a -kind vcenter -vms 40 -folders 2 -snapshots 3 \
  && mount_host a "$mnt" -o cache=4M || exit 1
check warm-up warm_up
check a-day a_day
check each-mkdir-made-one-snapshot exactly_once
check as-a-fresh-mount fresh_is_the_same
check memory-as-before memory_as_before
check descriptors-threads-handles-as-before as_tidy_as_before
check the-host-keeps-no-more within 30 host_keeps "${start[4]}"
check ends-well stop_vixfs
check no-session-is-left within 30 no_session
finish
