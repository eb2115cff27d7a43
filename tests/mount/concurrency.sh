#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: concurrency.sh VIXFS - a slow operation delays nobody, can be
# interrupted, and leaves nothing half done when the mount goes. An operation
# is made slow by holding the lock on the VM's directory.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

s=$mnt/web/snapshots

# hold SECONDS: from now on, in the background
hold () {
  flock "$vms/web" sleep "$1" &
  holder=$!
  sleep 0.1
}
release () {
  pkill -P "$holder" 2>/dev/null
  wait "$holder" 2>/dev/null
  true
}

listing_is_not_delayed () {
  mkdir "$s/base" && ls -l "$s" "$s/base" >/dev/null || return 1
  hold 4
  mkdir "$s/slow" &
  local job=$!
  sleep 0.3
  faster 500 ls "$s" && faster 500 ls -l "$s" && faster 500 ls -lR "$s/base" \
    && faster 500 cat "$s/base/config.vmx" && faster 500 cat "$s/.tree" \
    && same base "$(ls "$s")" \
    && grep -q web "$mnt/.vixfs/jobs" && [[ ! -e $s/slow ]]
  local status=$?
  release
  wait "$job" && ((status == 0)) && same 'base slow' "$(ls "$s" | paste -sd' ')" \
    && [[ -s $s/slow/config.vmx ]] && same '' "$(cat "$mnt/.vixfs/jobs")"
}

removal_delays_no_listing () {
  hold 4
  rmdir "$s/slow" &
  local job=$!
  sleep 0.3
  faster 500 ls "$s" && faster 500 ls -lR "$s/base" \
    && faster 500 cat "$mnt/web/info.json"
  local status=$?
  release
  wait "$job" && ((status == 0)) && same base "$(ls "$s")"
}

other_vms_are_not_delayed () {
  hold 4
  mkdir "$s/slow" &
  local job=$!
  sleep 0.2
  faster 1000 mkdir "$mnt/db/snapshots/x" && faster 1000 rmdir "$mnt/db/snapshots/x"
  local status=$?
  release
  wait "$job" && ((status == 0)) && rmdir "$s/slow"
}

second_on_the_same_vm_waits () {
  hold 2
  mkdir "$s/one" &
  local job=$!
  sleep 0.3
  mkdir "$s/two" && wait "$job" && release \
    && same 'base one two' "$(ls "$s" | paste -sd' ')" \
    && rmdir "$s/one" "$s/two"
}

# Who sits in the directory keeps a working directory.
fast_operations_disturb_no_shell () {
  (cd "$s" && mkdir here && /bin/pwd -P >/dev/null && [[ -d here ]] \
    && rmdir here && /bin/pwd -P)
}

# stoppable_mkdir DIR [child]: says that it is on its way, and that Ctrl-C
# ended it; with a child that ends meanwhile. Its process is python's own.
stoppable_mkdir () {
  exec python3 - "$@" <<'P'
import os, signal, subprocess, sys
class Stop(Exception):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGINT, stop)
if len(sys.argv) > 2:
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = subprocess.Popen(["sleep", "0.3"])
print("ready", flush=True)
try:
    os.mkdir(sys.argv[1])
except Stop:
    print("interrupted")
P
}

interrupt_cancels () {
  local err=$scratch/interrupted
  hold 10
  stoppable_mkdir "$s/never" >"$err" 2>&1 &
  local job=$!
  within 5 grep -q ready "$err" && sleep 0.3 \
    && faster 2000 interrupt "$job" && grep -q interrupted "$err"
  local status=$?
  release
  ((status == 0)) && same base "$(ls "$s")" && within 2 whole web \
    && same '' "$(cat "$mnt/.vixfs/jobs")"
}
interrupt () { kill -INT "$1" && wait "$1"; }

# A shell that waits in a write is told that a child of it has ended, which
# is no wish to stop; Ctrl-C after that is one.
ended_child_cancels_nothing () {
  mkdir "$s/other" || return 1
  hold 6
  (
    sleep 0.3 &
    echo base >"$mnt/web/current"
  ) 2>"$scratch/told" &
  local job=$!
  sleep 1
  release
  wait "$job" && same '' "$(<"$scratch/told")" \
    && same base "$(<"$mnt/web/current")" && rmdir "$s/other"
}

interrupt_after_an_ended_child_cancels () {
  hold 10
  : >"$scratch/interrupted"
  stoppable_mkdir "$s/never" child >"$scratch/interrupted" 2>&1 &
  local job=$!
  within 5 grep -q ready "$scratch/interrupted" && sleep 1 \
    && faster 2500 interrupt "$job" \
    && grep -q interrupted "$scratch/interrupted"
  local status=$?
  release
  ((status == 0)) && same base "$(ls "$s")" && within 2 whole web
}

killed_mkdir_makes_nothing () {
  hold 6
  mkdir "$s/never" &
  local job=$!
  sleep 0.4
  kill -KILL "$job"
  wait "$job"
  release
  sleep 0.3
  same base "$(ls "$s")" && within 2 whole web
}

sigterm_during_a_job () {
  hold 3
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  sleep 0.4
  kill "${daemons[$mnt]}"
  wait "$job"
  wait "${daemons[$mnt]}" || { cat "$scratch/mnt.err"; return 1; }
  unset "daemons[$mnt]"
  release
  gone && whole web && mount_vms && settled
}
# After an operation was cut off: it has happened, or it has not.
settled () {
  within 2 whole web || return 1
  case $(ls "$s" | paste -sd' ') in
  base) true ;;
  'base late') rmdir "$s/late" ;;
  *) ls "$s"; return 1 ;;
  esac
}

lazy_unmount_during_a_job () {
  hold 3
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  sleep 0.4
  umount -l "$mnt" || return 1
  wait "$job"
  wait "${daemons[$mnt]}" || { cat "$scratch/mnt.err"; return 1; }
  unset "daemons[$mnt]"
  release
  whole web && mount_vms && settled
}

killed_daemon_is_recovered () {
  hold 3
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  sleep 0.4
  kill -KILL "${daemons[$mnt]}"
  wait "${daemons[$mnt]}" "$job" 2>/dev/null
  umount -l "$mnt" 2>/dev/null
  unset "daemons[$mnt]"
  release
  mount_vms && settled
}

make_vm web && make_vm db && mount_vms || exit 1
check listing-is-not-delayed listing_is_not_delayed
check removal-delays-no-listing removal_delays_no_listing
check other-vms-are-not-delayed other_vms_are_not_delayed
check second-on-the-same-vm-waits second_on_the_same_vm_waits
check fast-operations-disturb-no-shell fast_operations_disturb_no_shell
check interrupt-cancels interrupt_cancels
check ended-child-cancels-nothing ended_child_cancels_nothing
check interrupt-after-an-ended-child-cancels \
  interrupt_after_an_ended_child_cancels
check killed-mkdir-makes-nothing killed_mkdir_makes_nothing
check sigterm-during-a-job sigterm_during_a_job
check lazy-unmount-during-a-job lazy_unmount_during_a_job
check killed-daemon-is-recovered killed_daemon_is_recovered
check it-unmounts stop_vixfs
finish
