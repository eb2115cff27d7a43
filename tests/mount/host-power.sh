#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-power.sh VIXFS esx|vcenter - the power file, and what a VM that
# is on changes for its snapshots: memory, quiescing.
# shellcheck disable=SC2010 # what ls itself shows is what is tested
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
by_kind "$2"

power_is () { # STATE [VM]: here and there
  local there=powered${1^}
  [[ $1 != suspended ]] || there=suspended
  same "$1" "$(cat "$top/${2:-vm00000}/power")" \
    && knows a "${2:-vm00000}" 'a["power"]' "$there"
}

power_is_read () {
  power_is on && same on "$(xattr power_state "$vm")" \
    && same on "$(info "$vm/info.json" 'a["power_state"]')"
}

# WORD STATE: writing it returns when that state is reached, however long.
writing () {
  order a set power=700 || return 1
  echo "$1" >"$vm/power" && power_is "$2"
  local status=$?
  order a set power=0 && return $status
}

reset_resets () {
  local before
  before=$(calls a ResetVM_Task)
  echo reset >"$vm/power" && power_is on \
    && same $((before + 1)) "$(calls a ResetVM_Task)"
}

shutdown_asks_the_guest () {
  order a set power=1000 || return 1
  echo shutdown >"$vm/power" && power_is off \
    && same 1 "$(calls a ShutdownGuest)" && same 0 "$(calls a PowerOffVM_Task)"
  local status=$?
  order a set power=0 && return $status
}

# The error is in user.vix.error, with the host's own sentence.
wrong_state_is_einval () {
  local word
  for word in suspend reset shutdown off; do
    same EINVAL "$(write_errno "$word" "$vm/power")" \
      || { echo "$word, VM off"; return 1; }
  done
  grep -q 'VIX_E_VM_NOT_RUNNING' <<<"$(xattr error "$vm")" \
    && echo on >"$vm/power" && same EINVAL "$(write_errno on "$vm/power")" \
    && grep -q 'VIX_E_VM_IS_RUNNING' <<<"$(xattr error "$vm")" && power_is on
}

other_words_are_einval () {
  unchanging a gives EINVAL write_errno explode "$vm/power" \
    && unchanging a gives EINVAL write_errno '' "$vm/power" \
    && unchanging a gives EINVAL write_errno onoff "$vm/power" && power_is on
}

shutdown_without_tools_says_so () {
  order a vm/set vm=vm00000 tools=none || return 1
  fails '' bash -c "echo shutdown >'$vm/power'" \
    && xattr error "$vm" | grep -q Tools && power_is on
  local status=$?
  order a vm/set vm=vm00000 tools=ok && return $status
}

snapshot_without_markers_has_no_memory () {
  mkdir "$s/plain" && same '0 0' "$(xattr memory "$s/plain") $(xattr quiesced "$s/plain")" \
    && same off "$(info "$s/plain/info.json" 'a["power_state"]')" \
    && knows a vm00000 's["plain"]["memory"]' False
}

memory_marker_includes_memory () {
  unchanging a touch "$s/.memory" && mkdir "$s/with" \
    && same '1 0' "$(xattr memory "$s/with") $(xattr quiesced "$s/with")" \
    && same on "$(info "$s/with/info.json" 'a["power_state"]')" \
    && knows a vm00000 's["with"]["memory"]' True \
    && [[ -e $s/with/files/vm00000-Snapshot$(xattr id "$s/with").vmem ]]
}

# There is no memory to keep: no error, and the snapshot tells.
memory_marker_on_a_vm_that_is_off () {
  local off=$top/vm00001
  echo off >"$off/power" && touch "$off/snapshots/.memory" \
    && mkdir "$off/snapshots/n" && same 0 "$(xattr memory "$off/snapshots/n")" \
    && knows a vm00001 's["n"]["memory"]' False \
    && grep -q 'vm00001.*without memory' "$mnt/.vixfs/log"
}

markers_are_each_directorys_own () {
  [[ -e $s/.memory && ! -e $top/vm00002/snapshots/.memory ]] \
    && ls -A "$s" | grep -qx .memory && rm "$s/.memory" \
    && [[ ! -e $s/.memory ]] && fails 'No such file' rm "$s/.memory"
}

quiesce_marker_quiesces () {
  unchanging a touch "$s/.quiesce" && mkdir "$s/quiet" \
    && same '0 1' "$(xattr memory "$s/quiet") $(xattr quiesced "$s/quiet")" \
    && knows a vm00000 's["quiet"]["quiesced"]' True
}

# The host ignores the wish: the snapshot is made, and tells.
quiesce_without_tools_tells () {
  local other=$top/vm00002/snapshots
  order a vm/set vm=vm00002 tools=none && touch "$other/.quiesce" \
    && mkdir "$other/n" && same 0 "$(xattr quiesced "$other/n")" \
    && knows a vm00002 's["n"]["quiesced"]' False \
    && grep -q 'vm00002.*without quiescing' "$mnt/.vixfs/log"
}

# The host tries and fails: no snapshot that only looks quiesced.
failed_quiesce_fails () {
  order a vm/set vm=vm00000 tools=bad || return 1
  fails '' mkdir "$s/never" && [[ ! -e $s/never ]] \
    && same 'plain quiet with' "$(names a vm00000)" \
    && xattr error "$s" | grep -i quiesc
  local status=$?
  order a vm/set vm=vm00000 tools=ok && rm "$s/.quiesce" && return $status
}

revert_restores_the_power_state () {
  power_is on && echo plain >"$vm/current" && power_is off \
    && echo with >"$vm/current" && power_is on && same with "$(cat "$vm/current")"
}

suspended_twice_is_ebusy () {
  echo suspend >"$vm/power" && power_is suspended && mkdir "$s/asleep" \
    && same 1 "$(xattr memory "$s/asleep")" \
    && same EBUSY "$(mkdir_errno "$s/again")" && [[ ! -e $s/again ]] \
    && xattr error "$s" | grep VIX_E_SNAPSHOT_NOCHANGE \
    && echo on >"$vm/power" && power_is on
}

power_of_others_shows () {
  order a power vm=vm00003 state=suspended && within 30 power_is suspended vm00003 \
    && order a power vm=vm00003 state=on && within 30 power_is on vm00003
}

a_question_is_shown () {
  order a vm/set vm=vm00003 question='Did you move it or copy it?' || return 1
  mkdir "$top/vm00003/snapshots/asked" &
  local job=$!
  within 30 asks_here
  local status=$?
  order a vm/set vm=vm00003 question= && wait "$job" && return $status
}
asks_here () {
  xattr problem "$top/vm00003" | grep -q 'Did you move it or copy it?'
}

host_sim a -kind "$kind" -vms 4 -on && mount_host a || exit 1
check power-is-read power_is_read
check suspend-suspends writing suspend suspended
check on-resumes writing on on
check off-powers-off writing off off
check on-powers-on writing on on
check reset-resets reset_resets
order a counters reset=1
check shutdown-asks-the-guest shutdown_asks_the_guest
check wrong-state-is-EINVAL wrong_state_is_einval
check other-words-are-EINVAL other_words_are_einval
check shutdown-without-tools-says-so shutdown_without_tools_says_so
check snapshot-without-markers-has-no-memory \
  snapshot_without_markers_has_no_memory
check memory-marker-includes-memory memory_marker_includes_memory
check memory-marker-on-a-vm-that-is-off memory_marker_on_a_vm_that_is_off
check markers-are-each-directorys-own markers_are_each_directorys_own
check quiesce-marker-quiesces quiesce_marker_quiesces
check quiesce-without-tools-tells quiesce_without_tools_tells
check failed-quiesce-fails failed_quiesce_fails
check revert-restores-the-power-state revert_restores_the_power_state
check suspended-twice-is-EBUSY suspended_twice_is_ebusy
check power-of-others-shows power_of_others_shows
check a-question-is-shown a_question_is_shown
check it-unmounts stop_vixfs
finish
