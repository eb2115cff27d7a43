#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: operations.sh VIXFS - each row of the operations that the tree offers.
# shellcheck disable=SC2010 # what ls itself shows is what is tested
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

s=$mnt/web01/snapshots

mkdir_takes_a_snapshot () {
  mkdir "$s/first" && [[ -d $s/first ]] \
    && same first "$(vmsd_value web01 snapshot0.displayName)" \
    && same 1 "$(vmsd_value web01 snapshot.numSnapshots)" \
    && grep -q 'fileName = "web01-000001.vmdk"' "$vms/web01/web01.vmx" \
    && qemu-img check -q "$vms/web01/web01-000001.vmdk"
}

listing_shows_it () { same first "$(ls "$s")"; }

snapshot_is_what_the_disk_was () {
  local disk=$vms/web01
  qemu-io -f vmdk -c 'write -P 7 0 64k' "$disk/web01-000001.vmdk" >/dev/null \
    && qemu-io -r -f vmdk -c 'read -P 0 0 64k' "$disk/web01.vmdk" \
    | grep -q 'read 65536/65536' \
    && qemu-io -r -f vmdk -c 'read -P 7 0 64k' "$disk/web01-000001.vmdk" \
    | grep -q 'read 65536/65536'
}

existing_name_is_eexist () { fails 'File exists' mkdir "$s/first"; }

description_is_inherited () {
  setfattr -n user.vix.description -v 'before the patch' "$s" \
    && mkdir "$s/second" \
    && same 'before the patch' \
      "$(getfattr --only-values -n user.vix.description "$s/second")" \
    && same 'before the patch' "$(cat "$s/second/description")" \
    && same 'before the patch' "$(vmsd_value web01 snapshot1.description)"
}

inherited_description_ends () {
  setfattr -x user.vix.description "$s" && mkdir "$s/third" \
    && same '' "$(cat "$s/third/description")" \
    && fails 'No such attribute' setfattr -x user.vix.description "$s"
}

description_changes_by_xattr () {
  setfattr -n user.vix.description -v 'by xattr' "$s/second" \
    && same 'by xattr' "$(cat "$s/second/description")" \
    && same 'by xattr' "$(vmsd_value web01 snapshot1.description)"
}

description_changes_by_writing () {
  printf 'line one\nline "two"' >"$s/second/description" \
    && same $'line one\nline "two"' "$(cat "$s/second/description")" \
    && same 'line one|0Aline |22two|22' \
      "$(vmsd_value web01 snapshot1.description)"
}

markers_come_and_go () {
  [[ ! -e $s/.memory ]] && touch "$s/.memory" && [[ -e $s/.memory ]] \
    && ls -A "$s" | grep -qx .memory && touch "$s/.memory" \
    && touch "$s/.quiesce" && mkdir "$s/fourth" \
    && same 0 "$(getfattr --only-values -n user.vix.memory "$s/fourth")" \
    && same 0 "$(getfattr --only-values -n user.vix.quiesced "$s/fourth")" \
    && rm "$s/.memory" "$s/.quiesce" && [[ ! -e $s/.memory ]] \
    && ! ls -A "$s" | grep -q '^\.' \
    && fails 'No such file' rm "$s/.memory"
}

other_files_are_not_made () {
  fails 'not permitted' touch "$s/notes.txt" \
    && fails 'not permitted' touch "$mnt/web01/notes.txt" \
    && fails 'not permitted' mkdir "$mnt/web01/dir" \
    && fails 'not permitted' mkdir "$mnt/new-vm"
}

parents_are_links () {
  same ../first "$(readlink "$s/second/parent")" \
    && same ../third "$(readlink "$s/fourth/parent")" \
    && [[ ! -e $s/first/parent && -d $s/second/parent ]]
}

current_is_the_newest () { same fourth "$(cat "$mnt/web01/current")"; }

rename_keeps_everything_else () {
  local ino text
  ino=$(stat -c %i "$s/second")
  text=$(cat "$s/second/description")
  mv "$s/second" "$s/renamed" && [[ ! -e $s/second ]] \
    && same "$ino" "$(stat -c %i "$s/renamed")" \
    && same "$text" "$(cat "$s/renamed/description")" \
    && same renamed "$(vmsd_value web01 snapshot1.displayName)" \
    && same ../renamed "$(readlink "$s/third/parent")"
}

# The system call itself: mv has its own words for EINVAL.
rename_to () {
  python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$1" "$2"
}

rename_replaces_nothing () {
  fails 'File exists' rename_to "$s/first" "$s/renamed" && [[ -d $s/first && -d $s/renamed ]]
}

rename_elsewhere_is_einval () {
  fails 'Invalid argument' rename_to "$s/first" "$mnt/web02/snapshots/first" \
    && fails 'Invalid argument' rename_to "$s/first" "$mnt/web01/first" \
    && fails 'cannot move' mv "$s/first" "$mnt/web02/snapshots/" \
    && [[ -d $s/first ]] && same '' "$(ls "$mnt/web02/snapshots")"
}

revert_makes_current () {
  local before
  qemu-io -f vmdk -c 'write -P 9 1M 64k' "$(current_disk)" >/dev/null
  before=$(current_disk)
  echo first >"$mnt/web01/current" \
    && same first "$(cat "$mnt/web01/current")" \
    && [[ $(current_disk) != "$before" && ! -e $before ]] \
    && qemu-io -r -f vmdk -c 'read -P 0 1M 64k' "$(current_disk)" \
    | grep -q 'read 65536'
}

current_disk () {
  sed -n "s,^scsi0:0.fileName = \"\(.*\)\",$vms/web01/\1,p" \
    "$vms/web01/web01.vmx"
}

revert_to_unknown_is_enoent () {
  fails 'No such file' bash -c "echo nobody >'$mnt/web01/current'" \
    && same first "$(cat "$mnt/web01/current")"
}

rmdir_moves_children_up () {
  rmdir "$s/third" && [[ ! -e $s/third ]] \
    && same ../renamed "$(readlink "$s/fourth/parent")" \
    && rmdir "$s/first" && [[ ! -e $s/renamed/parent ]] \
    && same 2 "$(vmsd_value web01 snapshot.numSnapshots)"
}

rmdir_of_what_is_not_there () {
  fails 'No such file' rmdir "$s/first" \
    && fails 'No such file' rmdir "$s/.."/nothing \
    && fails 'not permitted' rmdir "$s" \
    && fails 'not permitted' rmdir "$mnt/web01"
}

rm_r_loses_nothing () {
  fails 'Read-only file system' rm -r "$s/renamed" \
    && [[ -d $s/renamed ]] && same 2 "$(ls "$s" | wc -l)" \
    && [[ -s $s/renamed/config.vmx ]]
}

times_are_the_creation () {
  local high low want
  high=$(vmsd_value web01 snapshot0.createTimeHigh)
  low=$(vmsd_value web01 snapshot0.createTimeLow)
  want=$((((high << 32) | (low & 0xffffffff)) / 1000000))
  same "$want" "$(stat -c %Y "$s/renamed")" \
    && same "$want" "$(stat -c %Z "$s/renamed")"
}

config_is_as_of_the_snapshot () {
  grep -q 'fileName = "web01-00000' "$s/renamed/config.vmx" \
    && grep -q 'displayName = "web01"' "$s/renamed/config.vmx" \
    && [[ $(stat -c %s "$s/renamed/config.vmx") == \
      $(wc -c <"$s/renamed/config.vmx") ]]
}

files_are_the_hosts () {
  local name
  same "$(find "$vms/web01" -maxdepth 1 -type f -printf '%f %s\n' | sort)" \
    "$(find "$mnt/web01/files" -type f -printf '%f %s\n' | sort)" || return 1
  for name in "$mnt/web01/files"/*; do
    cmp "$name" "$vms/web01/${name##*/}" || return 1
    same "$(stat -c '%Y %b' "$vms/web01/${name##*/}")" \
      "$(stat -c '%Y %b' "$name")" || return 1
  done
}

snapshot_files_are_what_it_owns () {
  ls "$s/renamed/files" | grep -q '\.vmdk$' \
    && ls "$s/renamed/files" | grep -q 'Snapshot.*\.vmsn$' \
    && ! ls "$s/renamed/files" | grep -qx "$(basename "$(current_disk)")"
}

info_is_json () {
  local name
  python3 - "$mnt/web01/info.json" "$s/renamed/info.json" <<'P'
import json, sys
vm, snapshot = (json.load(open(name)) for name in sys.argv[1:])
for key in "name", "id", "uuid", "power_state", "snapshots":
    assert key in vm, (key, vm)
assert vm["name"] == "web01" and vm["snapshots"] == 2, vm
for key in ("name", "id", "description", "created", "power_state", "memory",
            "quiesced", "parent", "children"):
    assert key in snapshot, (key, snapshot)
assert snapshot["name"] == "renamed" and snapshot["parent"] is None, snapshot
P
}

foreign_snapshots_are_told () {
  local helper="$mnt/web02/snapshots/Consolidate Helper- 0"
  mkdir "$helper" || return 1
  same 'VMware consolidation' \
    "$(getfattr --only-values -n user.vix.belongs_to "$helper")" \
    && grep -q '"belongs_to": "VMware consolidation"' "$helper/info.json" \
    && ! grep -q belongs_to "$s/renamed/info.json"
  local status=$?
  rmdir "$helper" && return $status
}

facts_are_xattrs_of_directories () {
  getfattr -d "$mnt/web01" 2>&1 | grep -q '^user\.vix\.name="web01"' \
    && getfattr -d "$s/renamed" 2>&1 | grep -q '^user\.vix\.name="renamed"' \
    && same '' "$(getfattr -d "$mnt/web01/info.json" 2>&1)" \
    && fails 'No such attribute' getfattr -n user.nothing "$mnt/web01" \
    && fails 'not supported' setfattr -n user.mine -v 1 "$mnt/web01"
}

last_error_is_kept () {
  local text
  mkdir "$vms/web02/web02.vmx.lck"
  printf 'nobody 1(vmware-vmx) 1 X 0 lc=1%481s' '' | tr ' ' '\0' >/dev/null
  head -c 512 /dev/zero >"$vms/web02/web02.vmx.lck/M00001.lck"
  fails 'busy' mkdir "$mnt/web02/snapshots/x" || return 1
  text=$(getfattr --only-values -n user.vix.error "$mnt/web02/snapshots")
  rm -r "$vms/web02/web02.vmx.lck"
  grep -q VIX_E_FILE_ALREADY_LOCKED <<<"$text" \
    && grep -q web02.vmx <<<"$text" \
    && grep -q VIX_E_FILE_ALREADY_LOCKED "$mnt/.vixfs/log" \
    && mkdir "$mnt/web02/snapshots/x" && rmdir "$mnt/web02/snapshots/x"
}

# ...also of what was refused before anything was tried.
says () { # WORDS: user.vix.error
  grep -qF -- "$1" <<<"$(getfattr --only-values -n user.vix.error \
    "$mnt/web02/snapshots")" || { getfattr -d "$mnt/web02/snapshots"; return 1; }
}
refusals_are_told () {
  local s=$mnt/web02/snapshots
  # The kernel itself knows that a directory exists, and asks nobody.
  mkdir "$s/told" "$s/more" && fails 'exists' rename_to "$s/more" "$s/told" \
    && says 'there is a snapshot "told" already' && rmdir "$s/more" \
    && fails 'Invalid' mkdir "$s/.hid" && says '".hid"' && says %2E \
    && fails 'Invalid' rename_to "$s/told" "$s/a%2fb" && says '"a%2fb"' \
    && fails 'Invalid' mkdir "$s/"$'a\nb' && says 'control characters' \
    && fails '' bash -c "echo nobody >'$mnt/web02/current'" \
    && says 'no snapshot "nobody"' \
    && fails '' bash -c "echo explode >'$mnt/web02/power'" \
    && says 'none of on, off, suspend' \
    && exec 7<"$s/told/disks/scsi0-0.img" && fails busy rmdir "$s/told" \
    && says 'disks is open'
  local status=$?
  exec 7<&-
  rmdir "$s/told" && return $status
}

power_is_told () {
  local power=$mnt/web02/power
  same off "$(cat "$power")" \
    && fails 'not supported' bash -c "echo on > '$power'" \
    && fails 'Invalid argument' bash -c "echo sideways > '$power'" \
    && fails 'Invalid argument' bash -c "echo > '$power'" \
    && same off "$(cat "$power")"
}

df_is_the_datastores () {
  same "$(df --output=size "$vms" | tail -1)" \
    "$(df --output=size "$mnt" | tail -1)"
}

du_is_what_it_occupies () {
  local want got
  want=$(du -s --block-size=1 "$vms/web01" | cut -f1)
  got=$(du -s --block-size=1 "$mnt/web01/files" | cut -f1)
  # The source counts its directory, too.
  ((got <= want && got >= want - 65536)) || { echo "$want $got"; return 1; }
}

control_files_are_there () {
  ! ls -A "$mnt" | grep -q vixfs && same 'events
hosts
jobs
log
stats
version' "$(ls "$mnt/.vixfs")" \
    && [[ -n $(cat "$mnt/.vixfs/version") ]] \
    && grep -q connected "$mnt/.vixfs/hosts" \
    && same '' "$(cat "$mnt/.vixfs/jobs")" \
    && grep -q '^vixfs_requests_total{op="lookup"} [0-9]' "$mnt/.vixfs/stats"
}

events_stream_tells () {
  local line
  exec 5<"$mnt/.vixfs/events"
  mkdir "$s/eventful" && line=$(timeout 60 grep -m 1 eventful <&5) \
    && python3 -c 'import json, sys; json.loads(sys.argv[1])' "$line" \
    && rmdir "$s/eventful"
  local status=$?
  exec 5<&-
  return $status
}

modes_are_private () {
  same '700 700 400 600' "$(stat -c %a "$mnt/web01" "$s" \
    "$mnt/web01/info.json" "$mnt/web01/current" | paste -sd' ')" \
    && same "$(id -u) $(id -g)" "$(stat -c '%u %g' "$mnt/web01")"
}

read_only_refuses () {
  local before
  stop_vixfs && mount_vms -o ro || return 1
  before=$(find "$vms" -type f -exec md5sum {} + | sort)
  fails 'Read-only' mkdir "$s/no" && fails 'Read-only' rmdir "$s/renamed" \
    && fails 'Read-only' mv "$s/renamed" "$s/no" \
    && fails 'Read-only' touch "$s/.memory" \
    && fails 'Read-only' bash -c "echo renamed >'$mnt/web01/current'" \
    && fails 'Read-only' bash -c "echo x >'$s/renamed/description'" \
    && fails 'Read-only' setfattr -n user.vix.description -v x "$s/renamed" \
    && same "$before" "$(find "$vms" -type f -exec md5sum {} + | sort)" \
    && remount_vms
}

owner_and_umask_are_options () {
  stop_vixfs && mount_vms -o uid=12,gid=34,umask=027,allow_other \
    && same '12 34 750' "$(stat -c '%u %g %a' "$mnt/web01")" \
    && same '640' "$(stat -c %a "$mnt/web01/current")" \
    && same '440' "$(stat -c %a "$mnt/web01/info.json")" && remount_vms
}

daemon_returns_when_it_serves () {
  local dir=$scratch/second
  mkdir "$dir"
  faster 20000 "$vixfs" "$vms" "$dir" && [[ -d $dir/web01/snapshots ]] \
    && umount "$dir" && rmdir "$dir"
}

bad_calls_are_clear () {
  fails frobnicate "$vixfs" "$vms" "$scratch" -o frobnicate \
    && fails nowhere "$vixfs" "$scratch/nowhere" "$mnt" \
    && fails nodir "$vixfs" "$vms" "$scratch/nodir" \
    && fails web01.vmx "$vixfs" "$vms/web01/web01.vmx" "$scratch" \
    && fails 'no such hosts file' "$vixfs" "nowhere.conf" "$scratch" \
    && mkdir "$scratch/free" \
    && fails 'no directory of that name' setsid -w "$vixfs" nowhere "$scratch/free" \
    && fails umask "$vixfs" "$vms" "$mnt" -o umask=9
}

# Of a mount whose program was killed the kernel goes on showing what it knows.
places_that_are_taken_are_told () {
  local dir=$scratch/taken
  mkdir "$dir" && start_vixfs "$vms" "$dir" -o ro && ls -R "$dir" >/dev/null \
    && fails 'mounted here already' "$vixfs" "$vms" "$dir" \
    && kill -9 "${daemons[$dir]}" || return 1
  wait "${daemons[$dir]}" 2>/dev/null
  fails 'fusermount3 -u' "$vixfs" "$vms" "$dir" && umount "$dir" \
    && start_vixfs "$vms" "$dir" -o ro && stop_vixfs "$dir"
}

sigterm_unmounts () {
  kill "${daemons[$mnt]}"
  wait "${daemons[$mnt]}" || return 1
  gone
}

make_vm web01 && make_vm web02 && mount_vms || exit 1
check mkdir-takes-a-snapshot mkdir_takes_a_snapshot
check listing-shows-it listing_shows_it
check snapshot-is-what-the-disk-was snapshot_is_what_the_disk_was
check existing-name-is-eexist existing_name_is_eexist
check description-is-inherited description_is_inherited
check inherited-description-ends inherited_description_ends
check description-changes-by-xattr description_changes_by_xattr
check description-changes-by-writing description_changes_by_writing
check markers-come-and-go markers_come_and_go
check other-files-are-not-made other_files_are_not_made
check parents-are-links parents_are_links
check tree-is-drawn tree_is_drawn
check current-is-the-newest current_is_the_newest
check rename-keeps-everything-else rename_keeps_everything_else
check rename-replaces-nothing rename_replaces_nothing
check rename-elsewhere-is-einval rename_elsewhere_is_einval
check revert-makes-current revert_makes_current
check revert-to-unknown-is-enoent revert_to_unknown_is_enoent
check rmdir-moves-children-up rmdir_moves_children_up
check rmdir-of-what-is-not-there rmdir_of_what_is_not_there
check rm-r-loses-nothing rm_r_loses_nothing
check times-are-the-creation times_are_the_creation
check config-is-as-of-the-snapshot config_is_as_of_the_snapshot
check files-are-the-hosts files_are_the_hosts
check snapshot-files-are-what-it-owns snapshot_files_are_what_it_owns
check info-is-json info_is_json
check foreign-snapshots-are-told foreign_snapshots_are_told
check facts-are-xattrs-of-directories facts_are_xattrs_of_directories
check last-error-is-kept last_error_is_kept
check refusals-are-told refusals_are_told
check power-is-told power_is_told
check df-is-the-datastores df_is_the_datastores
check du-is-what-it-occupies du_is_what_it_occupies
check control-files-are-there control_files_are_there
check events-stream-tells events_stream_tells
check modes-are-private modes_are_private
check read-only-refuses read_only_refuses
check owner-and-umask-are-options owner_and_umask_are_options
check daemon-returns-when-it-serves daemon_returns_when_it_serves
check bad-calls-are-clear bad_calls_are_clear
check places-that-are-taken-are-told places_that_are_taken_are_told
check nothing-is-left-behind whole web01
check sigterm-unmounts sigterm_unmounts
finish
