#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-errors.sh VIXFS esx|vcenter - what a host refuses, Ctrl-C, slow
# operations, read-only mounts, and how little the host is asked.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
by_kind "$2"

# refuses FAULT ERRNO CODE WORDS [KEY=VALUE...]: mkdir ends with the errno;
# user.vix.error has the VIX code and the host's own sentence. Once the call
# is refused, once the task fails.
refuses () {
  local fault=$1 errno=$2 code=$3 words=$4 when text
  shift 4
  for when in call task; do
    order a fail method=CreateSnapshot_Task fault="$fault" when=$when \
      message="Host says: $fault" "$@" \
      && same "$errno" "$(mkdir_errno "$s/refused")" || return 1
    text=$(xattr error "$s")
    [[ $text == *"$code ("*"Host says: $fault"*"$words"* ]] \
      && same "$text" "$(xattr error "$vm")" \
      && tail -n 2 "$mnt/.vixfs/log" | grep "Host says: $fault" \
      && [[ ! -e $s/refused ]] && same '' "$(names a vm00000)" \
      || { printf '%s: %s\n' "$when" "$text"; return 1; }
  done
}

free_licence_is_eperm () {
  order a set licence=1 || return 1
  same EPERM "$(mkdir_errno "$s/no")" && xattr error "$s" | grep -i licence
  local status=$?
  order a set licence=0 && return $status
}

# Found out at mount, not by the first change that fails. A vCenter has none.
free_licence_is_told () {
  local dir=$scratch/free
  mkdir "$dir"
  host_sim f -kind "$kind" -vms 1 -licence && mount_host f "$dir" \
    && grep -i 'free licence' "$dir/.vixfs/hosts" && stop_vixfs "$dir" \
    && ! grep -i 'free licence' "$mnt/.vixfs/hosts" && host_stop f
}

missing_privilege_is_named () {
  order a set deny=VirtualMachine.State.CreateSnapshot || return 1
  same EACCES "$(mkdir_errno "$s/no")" \
    && xattr error "$s" | grep VirtualMachine.State.CreateSnapshot
  local status=$?
  order a set deny= && return $status
}

busy_with_another_task_is_ebusy () {
  order a vm/set vm=vm00000 busy=600000 \
    && same EBUSY "$(mkdir_errno "$s/no")" && xattr error "$s" \
    | grep 'VIX_E_OBJECT_IS_BUSY' && order a vm/set vm=vm00000 busy=0
}

too_deep_is_emlink () {
  order a set levels=2 && mkdir "$s/1" "$s/2" \
    && same EMLINK "$(mkdir_errno "$s/3")" \
    && xattr error "$s" | grep VIX_E_SNAPSHOT_HIERARCHY_TOODEEP \
    && order a set levels=32 && rmdir "$s/1" "$s/2"
}

template_is_refused () {
  order a vm/set vm=vm00003 template=1 && within 30 is_template \
    && [[ $(write_errno on "$top/vm00003/power") =~ ^E(OPNOTSUPP|PERM)$ ]] \
    && order a vm/set vm=vm00003 template=0
}
is_template () { same True "$(info "$top/vm00003/info.json" 'a["template"]')"; }

cancelled_by_others_is_eintr () {
  order a fail method=CreateSnapshot_Task fault=RequestCanceled when=task \
    && same EINTR "$(mkdir_errno "$s/no")" && same '' "$(names a vm00000)"
}

gone_meanwhile_is_enoent () {
  order a fail method=CreateSnapshot_Task fault=ManagedObjectNotFound \
    && same ENOENT "$(mkdir_errno "$s/no")"
}

# ---- slow operations ----

slow_mkdir_delays_nobody () {
  local status told job
  mkdir "$s/base" && ls -l "$s" >/dev/null && order a set create=40000 || return 1
  told=$(names_told)
  mkdir "$s/slow" &
  job=$!
  within 30 stepped_aside "$told" \
    && faster 15000 ls -l "$s" && faster 15000 ls -lR "$s/base" \
    && faster 15000 cat "$vm/info.json" "$s/.tree" && same base "$(ls "$s")" \
    && within 30 running a && order a set create=0 \
    && faster 15000 mkdir "$top/vm00001/snapshots/n" \
    && within 30 grep -E 'vm00000.*[0-9]+%' "$mnt/.vixfs/jobs" && [[ ! -e $s/slow ]]
  status=$?
  order a set create=0
  order a tasks/finish
  wait "$job" && ((status == 0)) && same 'base slow' "$(ls "$s" | paste -sd' ')" \
    && within 30 no_jobs
}

# On a host over the network nobody waits for an operation to turn out slow.
# Whoever is in the directory before the kernel was told is late, all the same:
# one of three is in time.
readers_of_the_first_moment () {
  local i passed=1
  order a set create=600000 || return 1
  for i in 1 2 3; do
    in_the_first_moment "first$i" && passed=0
    rmdir "$s/first$i" || return 1
    ((passed == 1)) || break
  done
  order a set create=0
  return $passed
}
in_the_first_moment () { # NAME
  local job reader n
  ls -l "$s" >/dev/null
  mkdir "$s/$1" &
  job=$!
  for ((n = 0; n < 20000; n++)); do
    underway "$1" && break
  done
  ls -l "$s" >/dev/null &
  reader=$!
  within 5 ended "$reader" && underway "$1"
  local status=$?
  within 30 running a && order a tasks/finish
  wait "$reader" "$job"
  return $status
}

progress_is_an_event () {
  exec 5<"$mnt/.vixfs/events"
  order a set remove=20000 || return 1
  rmdir "$s/slow" &
  local job=$!
  timeout 60 grep -m 1 '"progress".*"percent": *[1-9]' <&5
  local status=$?
  exec 5<&-
  order a tasks/finish && order a set remove=0 && wait "$job" && return $status
}

# Replaces this process with a call that SIGINT interrupts.
interruptible () { # METHOD PATH
  exec python3 -c '
import os, signal, sys
class Stop(Exception):
    pass
def stop(*_):
    raise Stop
signal.signal(signal.SIGINT, stop)
try:
    getattr(os, sys.argv[1])(sys.argv[2])
    print("done")
except Stop:
    print("interrupted")' "$@"
}

# interrupt METHOD PATH: Ctrl-C while the host works on it
interrupt () {
  local job
  interruptible "$@" >"$scratch/interrupted" 2>&1 &
  job=$!
  within 30 grep -q vm00000 "$mnt/.vixfs/jobs" \
    && within 30 running a && kill -INT "$job" && wait "$job" \
    && same interrupted "$(cat "$scratch/interrupted")"
}

interrupt_cancels_the_task () {
  order a set create=600000 cancelable=1 || return 1
  faster 60000 interrupt mkdir "$s/never" && within 30 no_jobs \
    && same 1 "$(calls a CancelTask)" && same base "$(names a vm00000)" \
    && same base "$(ls "$s")" && within 30 idle a
  local status=$?
  order a set create=0 && return $status
}

# A merge cannot be undone: the caller is let go, the work goes on.
interrupt_leaves_what_cannot_be_cancelled () {
  order a set remove=600000 cancelable=0 || return 1
  faster 60000 interrupt rmdir "$s/base" && underway vm00000
  local status=$?
  order a set remove=0 && order a tasks/finish && within 60 no_jobs \
    && [[ ! -e $s/base ]] && same '' "$(names a vm00000)" && return $status
}

two_on_one_vm_both_happen () {
  order a set create=500 || return 1
  mkdir "$s/one" &
  local job=$!
  mkdir "$s/two" && wait "$job" && same 'one two' "$(names a vm00000)" \
    && order a set create=0 && rmdir "$s/one" "$s/two"
}

many_vms_at_once () {
  local i jobs=()
  order a set create=1000 || return 1
  for i in 0 1 2 3; do
    mkdir "$top/vm0000$i/snapshots/together" &
    jobs+=($!)
  done
  for i in "${jobs[@]}"; do
    wait "$i" || return 1
  done
  order a set create=0 && for i in 0 1 2 3; do
    rmdir "$top/vm0000$i/snapshots/together" || return 1
  done
}

# ---- asking little ----

mount_and_walk_ask_a_constant () {
  stop_vixfs && order a counters reset=1 && mount_host a || return 1
  find "$mnt" -printf '%s %T@\n' >/dev/null && getfattr -dR "$mnt" >/dev/null 2>&1
  local walked
  walked=$(about a counters 'a["soapTotal"]')
  echo "# $kind: mount and walk of 4 VMs: $walked requests" >&3
  ((walked <= 10)) || { ask a counters; return 1; }
}

another_walk_asks_nothing () {
  local before
  before=$(about a counters 'a["soapTotal"]')
  find "$mnt" -printf '%s %T@\n' >/dev/null && ls -lAR "$mnt" >/dev/null \
    && find "$mnt" -name info.json -exec cat {} + >/dev/null \
    && df "$mnt" >/dev/null && getfattr -dR "$mnt" >/dev/null 2>&1
  same "$before" "$(about a counters 'a["soapTotal"]')"
}

# The wait is held open, for a minute each: nothing is polled, on one connection.
stays_silent () {
  local before
  before=$(about a counters 'a["soapTotal"]')
  sleep 5
  same "$before" "$(about a counters 'a["soapTotal"]')" \
    && same '1 1' "$(about a counters '"%(waits)d %(sessions)d" % a')"
}

# ---- read-only ----

read_only_sends_nothing () {
  mkdir "$s/kept" && stop_vixfs && mount_host a "$mnt" -o ro || return 1
  unchanging a only_erofs && same 'kept' "$(names a vm00000)" \
    && same kept "$(ls "$s")"
}
only_erofs () {
  same EROFS "$(mkdir_errno "$s/no")" && same EROFS "$(rmdir_errno "$s/kept")" \
    && same EROFS "$(errno_of "os.rename('$s/kept', '$s/no')")" \
    && same EROFS "$(write_errno kept "$vm/current")" \
    && same EROFS "$(write_errno on "$vm/power")" \
    && same EROFS "$(write_errno x "$s/kept/description")" \
    && fails 'Read-only' touch "$s/.memory" \
    && fails 'Read-only' setfattr -n user.vix.description -v x "$s/kept" \
    && fails 'Read-only' setfattr -n user.vix.description -v x "$s"
}

sigterm_during_a_slow_mkdir () {
  stop_vixfs && mount_host a && order a set create=600000 || return 1
  mkdir "$s/late" 2>"$scratch/late" &
  local job=$!
  within 30 running a && kill "${daemons[$mnt]}"
  order a tasks/finish
  wait "$job"
  wait "${daemons[$mnt]}" || { cat "$scratch/mnt.err"; return 1; }
  unset "daemons[$mnt]"
  gone && order a set create=0 && within 30 idle a \
    && [[ $(names a vm00000) =~ ^(kept|kept late)$ ]] \
    && same 0 "$(about a sessions 'len(a)')"
}

exec 3>&1
host_sim a -kind "$kind" -vms 4 && mount_host a || exit 1
check NoPermission refuses NoPermission EACCES VIX_E_HOST_USER_PERMISSIONS \
  VirtualMachine.State field.privilegeId=VirtualMachine.State.CreateSnapshot
check RestrictedVersion refuses RestrictedVersion EPERM VIX_E_LICENSE licence
check TaskInProgress refuses TaskInProgress EBUSY VIX_E_OBJECT_IS_BUSY ''
check InvalidPowerState refuses InvalidPowerState EBUSY VIX_E_VM_IS_RUNNING '' \
  field.existingState=poweredOn
check NoDiskSpace refuses NoDiskSpace ENOSPC VIX_E_DISK_FULL ds1 \
  field.datastore=ds1
check TooManySnapshotLevels refuses TooManySnapshotLevels EMLINK \
  VIX_E_SNAPSHOT_HIERARCHY_TOODEEP ''
check NotSupported refuses NotSupported EOPNOTSUPP VIX_E_NOT_SUPPORTED ''
check FileLocked refuses FileLocked EBUSY VIX_E_FILE_ALREADY_LOCKED \
  web.vmdk 'field.file=[ds1] web/web.vmdk'
check InvalidArgument refuses InvalidArgument EINVAL VIX_E_INVALID_ARG '' \
  field.invalidProperty=name
check DuplicateName refuses DuplicateName EEXIST VIX_E_DUPLICATE_NAME '' \
  field.name=refused
check FileNotFound refuses FileNotFound ENOENT VIX_E_FILE_NOT_FOUND gone.vmdk \
  'field.file=[ds1] web/gone.vmdk'
check cancelled-by-others-is-EINTR cancelled_by_others_is_eintr
check Timedout refuses Timedout ETIMEDOUT VIX_E_NET_HTTP_OPERATION_TIMEDOUT ''
check HostNotConnected refuses HostNotConnected EHOSTDOWN \
  VIX_E_VM_HOST_DISCONNECTED ''
check InvalidSnapshotFormat refuses InvalidSnapshotFormat EUCLEAN \
  VIX_E_SNAPSHOT_CONFIG ''
check SystemError refuses SystemError EIO VIX_E_FAIL ''
check a-free-licence-is-EPERM free_licence_is_eperm
[[ $kind != esx ]] || check a-free-licence-is-told free_licence_is_told
check a-missing-privilege-is-named missing_privilege_is_named
check busy-with-another-task-is-EBUSY busy_with_another_task_is_ebusy
check too-deep-is-EMLINK too_deep_is_emlink
check a-template-does-not-power-on template_is_refused
check gone-meanwhile-is-ENOENT gone_meanwhile_is_enoent
check slow-mkdir-delays-nobody slow_mkdir_delays_nobody
check readers-of-the-first-moment readers_of_the_first_moment
check progress-is-an-event progress_is_an_event
check interrupt-cancels-the-task interrupt_cancels_the_task
check interrupt-leaves-what-cannot-be-cancelled \
  interrupt_leaves_what_cannot_be_cancelled
check two-on-one-vm-both-happen two_on_one_vm_both_happen
check many-vms-at-once many_vms_at_once
check mount-and-walk-ask-a-constant mount_and_walk_ask_a_constant
check second-walk-asks-nothing in_three another_walk_asks_nothing
check an-idle-mount-is-silent in_three stays_silent
check read-only-sends-nothing read_only_sends_nothing
check sigterm-during-a-slow-mkdir sigterm_during_a_slow_mkdir
finish
