#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: concurrency.sh VIXFS - a slow operation delays nobody, can be
# interrupted, and leaves nothing half done when the mount goes. An operation
# is made slow by holding the lock on the VM's directory.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

s=$mnt/web/snapshots

# hold: from now on, for much longer than anything here takes, in the background
hold () {
  rm -f "$scratch/held"
  flock -F "$vms/web" sh -c ': >"$0" && exec sleep 100' "$scratch/held" &
  holder=$!
  within 30 [ -e "$scratch/held" ]
}
release () {
  kill "$holder"
  wait "$holder" 2>/dev/null
  true
}

listing_is_not_delayed () {
  mkdir "$s/base" && ls -l "$s" "$s/base" >/dev/null && hold || return 1
  local told job
  told=$(names_told)
  mkdir "$s/slow" &
  job=$!
  within 30 stepped_aside "$told" && faster 20000 ls "$s" \
    && faster 20000 ls -l "$s" && faster 20000 ls -lR "$s/base" \
    && faster 20000 cat "$s/base/config.vmx" && faster 20000 cat "$s/.tree" \
    && same base "$(ls "$s")" && underway web && [[ ! -e $s/slow ]]
  local status=$?
  release
  wait "$job" && ((status == 0)) && same 'base slow' "$(ls "$s" | paste -sd' ')" \
    && [[ -s $s/slow/config.vmx ]] && within 30 no_jobs
}

removal_delays_no_listing () {
  hold || return 1
  local told job
  told=$(names_told)
  rmdir "$s/slow" &
  job=$!
  within 30 stepped_aside "$told" && faster 20000 ls "$s" \
    && faster 20000 ls -lR "$s/base" && faster 20000 cat "$mnt/web/info.json"
  local status=$?
  release
  wait "$job" && ((status == 0)) && same base "$(ls "$s")"
}

other_vms_are_not_delayed () {
  hold || return 1
  mkdir "$s/slow" &
  local job=$!
  within 30 underway slow && faster 20000 mkdir "$mnt/db/snapshots/x" \
    && faster 20000 rmdir "$mnt/db/snapshots/x"
  local status=$?
  release
  wait "$job" && ((status == 0)) && rmdir "$s/slow"
}

second_on_the_same_vm_waits () {
  hold || return 1
  local told one two
  told=$(names_told)
  mkdir "$s/one" &
  one=$!
  within 30 stepped_aside "$told"
  mkdir "$s/two" &
  two=$!
  within 30 underway two && [[ ! -e $s/one && ! -e $s/two ]]
  local status=$?
  release
  wait "$one" && wait "$two" && ((status == 0)) \
    && same 'base one two' "$(ls "$s" | paste -sd' ')" \
    && rmdir "$s/one" "$s/two"
}

# Who sits in the directory keeps a working directory.
fast_operations_disturb_no_shell () {
  (cd "$s" && mkdir here && /bin/pwd -P >/dev/null && [[ -d here ]] \
    && rmdir here && /bin/pwd -P)
}

# stoppable_mkdir DIR [JOBS]: says that Ctrl-C ended it; with a child that ends
# once the mkdir is in JOBS. Its process is python's own.
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
    child = subprocess.Popen(["sh", "-c", 'until grep -q "$0" "$1"; '
        "do sleep 0.05; done", os.path.basename(sys.argv[1]), sys.argv[2]])
try:
    os.mkdir(sys.argv[1])
except Stop:
    print("interrupted")
P
}

interrupt_cancels () {
  hold || return 1
  stoppable_mkdir "$s/never" >"$scratch/interrupted" 2>&1 &
  local job=$!
  within 30 underway never && faster 20000 interrupt "$job" \
    && grep -q interrupted "$scratch/interrupted"
  local status=$?
  release
  ((status == 0)) && same base "$(ls "$s")" && within 30 whole web \
    && within 30 no_jobs
}
interrupt () { kill -INT "$1" && wait "$1"; }

# A shell that waits in a write is told that a child of it has ended, which
# is no wish to stop; Ctrl-C after that is one.
ended_child_cancels_nothing () {
  mkdir "$s/other" && hold || return 1
  (
    within 30 underway web &
    echo base >"$mnt/web/current"
  ) 2>"$scratch/told" &
  local job=$!
  within 30 underway web && within 30 childless "$job" && sleep 0.5
  local status=$?
  release
  wait "$job" && ((status == 0)) && same '' "$(<"$scratch/told")" \
    && same base "$(<"$mnt/web/current")" && rmdir "$s/other"
}
childless () { ! pgrep -r D,R,S -P "$1"; }

interrupt_after_an_ended_child_cancels () {
  hold || return 1
  stoppable_mkdir "$s/never" "$mnt/.vixfs/jobs" >"$scratch/interrupted" 2>&1 &
  local job=$!
  within 30 underway never && within 30 childless "$job" && sleep 0.5 \
    && faster 20000 interrupt "$job" \
    && grep -q interrupted "$scratch/interrupted"
  local status=$?
  release
  ((status == 0)) && same base "$(ls "$s")" && within 30 whole web
}

killed_mkdir_makes_nothing () {
  hold || return 1
  mkdir "$s/never" &
  local job=$!
  within 30 underway never
  kill -KILL "$job"
  wait "$job"
  release
  within 30 no_jobs && same base "$(ls "$s")" && within 30 whole web
}

sigterm_during_a_job () {
  hold || return 1
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  within 30 underway late
  kill "${daemons[$mnt]}"
  wait "$job"
  wait "${daemons[$mnt]}" || { cat "$scratch/mnt.err"; return 1; }
  unset "daemons[$mnt]"
  release
  gone && whole web && mount_vms && settled
}
# After an operation was cut off: it has happened, or it has not.
settled () {
  within 30 whole web || return 1
  case $(ls "$s" | paste -sd' ') in
  base) true ;;
  'base late') rmdir "$s/late" ;;
  *) ls "$s"; return 1 ;;
  esac
}

lazy_unmount_during_a_job () {
  hold || return 1
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  within 30 underway late && umount -l "$mnt" || return 1
  release
  wait "$job"
  wait "${daemons[$mnt]}" || { cat "$scratch/mnt.err"; return 1; }
  unset "daemons[$mnt]"
  whole web && mount_vms && settled
}

killed_daemon_is_recovered () {
  hold || return 1
  mkdir "$s/late" 2>/dev/null &
  local job=$!
  within 30 underway late
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
