#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-operations.sh VIXFS esx|vcenter - each row of the operations
# that the tree offers, on a host: what the mount shows and what the host has.
# shellcheck disable=SC2010 # what ls itself shows is what is tested
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
by_kind "$2"

inventory_is_shown () {
  same 'vm00000 vm00001 vm00002 vm00003' "$(ls "$top" | paste -sd' ')" \
    && { [[ $kind == esx ]] || same DC0 "$(ls "$mnt")"; }
}

mkdir_takes_a_snapshot () {
  mkdir "$s/first" && [[ -d $s/first ]] && same first "$(ls "$s")" \
    && same first "$(names a vm00000)" && same first "$(cat "$vm/current")" \
    && same 1 "$(calls a CreateSnapshot_Task CreateSnapshotEx_Task)"
}

existing_name_is_eexist () {
  unchanging a gives EEXIST mkdir_errno "$s/first"
}

description_is_inherited () {
  unchanging a setfattr -n user.vix.description -v 'before the patch' "$s" \
    && mkdir "$s/second" \
    && same 'before the patch' "$(xattr description "$s/second")" \
    && same 'before the patch' "$(cat "$s/second/description")" \
    && knows a vm00000 's["second"]["description"]' 'before the patch'
}

inherited_description_ends () {
  setfattr -x user.vix.description "$s" && mkdir "$s/third" \
    && same '' "$(cat "$s/third/description")" \
    && knows a vm00000 's["third"]["description"]' ''
}

description_changes_by_xattr () {
  setfattr -n user.vix.description -v 'by xattr' "$s/second" \
    && same 'by xattr' "$(cat "$s/second/description")" \
    && knows a vm00000 's["second"]["description"]' 'by xattr' \
    && knows a vm00000 's["second"]["name"]' second
}

description_changes_by_writing () {
  local text=$'line one\nline <two> & "three"\ttab'
  printf '%s' "$text" >"$s/second/description" \
    && same "$text" "$(cat "$s/second/description")" \
    && knows a vm00000 's["second"]["description"]' "$text"
}

parents_are_links () {
  mkdir "$s/fourth" && same ../first "$(readlink "$s/second/parent")" \
    && same ../third "$(readlink "$s/fourth/parent")" \
    && [[ ! -e $s/first/parent && -d $s/second/parent ]]
}

# A host wipes the description if a rename sends an empty one.
rename_keeps_everything_else () {
  local ino text id
  ino=$(stat -c %i "$s/second")
  text=$(cat "$s/second/description")
  id=$(xattr id "$s/second")
  mv "$s/second" "$s/renamed" && [[ ! -e $s/second ]] \
    && same "$ino" "$(stat -c %i "$s/renamed")" \
    && same "$text" "$(cat "$s/renamed/description")" \
    && knows a vm00000 's["renamed"]["description"]' "$text" \
    && knows a vm00000 's["renamed"]["id"]' "$id" \
    && same ../renamed "$(readlink "$s/third/parent")"
}

rename_to () { errno_of "os.rename('$1', '$2')"; }

rename_replaces_nothing () {
  unchanging a gives EEXIST rename_to "$s/first" "$s/renamed" \
    && [[ -d $s/first && -d $s/renamed ]]
}

rename_elsewhere_is_einval () {
  local other=$top/vm00001/snapshots
  unchanging a gives EINVAL rename_to "$s/first" "$other/first" \
    && same EINVAL "$(rename_to "$s/first" "$vm/first")" \
    && unchanging a fails 'cannot move' mv "$s/first" "$other/" \
    && [[ -d $s/first ]] && same '' "$(ls "$other")"
}

revert_makes_current () {
  same fourth "$(cat "$vm/current")" && echo first >"$vm/current" \
    && same first "$(cat "$vm/current")" \
    && knows a vm00000 's["first"]["current"]' True \
    && mkdir "$s/branch" && same ../first "$(readlink "$s/branch/parent")" \
    && knows a vm00000 's["branch"]["parent"] == s["first"]["id"]' True
}

revert_to_unknown_is_enoent () {
  unchanging a gives ENOENT write_errno nobody "$vm/current" \
    && same branch "$(cat "$vm/current")"
}

# Hosts have snapshots and no current one, after failed backups.
no_current_is_an_empty_line () {
  order a vm/set vm=vm00000 current=none \
    && within 30 current_is '' && same 5 "$(ls "$s" | wc -l)" \
    && cat "$s/.tree" >/dev/null && echo branch >"$vm/current" \
    && current_is branch
}
current_is () { same "$1" "$(cat "$vm/current")"; }

rmdir_moves_children_up () {
  rmdir "$s/third" && [[ ! -e $s/third ]] \
    && same ../renamed "$(readlink "$s/fourth/parent")" \
    && rmdir "$s/first" && [[ ! -e $s/renamed/parent && ! -e $s/branch/parent ]] \
    && same 'branch fourth renamed' "$(names a vm00000)" \
    && knows a vm00000 's["renamed"]["parent"]' 0
}

rmdir_of_what_is_not_there () {
  unchanging a gives ENOENT rmdir_errno "$s/first" \
    && same EPERM "$(rmdir_errno "$s")" && same EPERM "$(rmdir_errno "$vm")" \
    && same EPERM "$(mkdir_errno "$top/new-vm")"
}

rm_r_loses_nothing () {
  unchanging a fails 'Read-only file system' rm -r "$s/renamed" \
    && [[ -d $s/renamed ]] && same 'branch fourth renamed' "$(names a vm00000)"
}

times_are_the_creation () {
  local want
  want=$(date -d "$(about a vm vm=vm00000 's["renamed"]["created"]')" +%s)
  same "$want $want" "$(stat -c '%Y %Z' "$s/renamed")" \
    && same 0 "$(find "$s" -mindepth 1 -maxdepth 1 -mmin +60 | wc -l)"
}

# Names and sizes are those of the datastore.
files_are_the_hosts () {
  local name size n=0
  for name in "$vm/files"/* "$s/renamed/files"/*; do
    size=$(about a file "path=[LocalDS_0] vm00000/${name##*/}" 'a["size"]')
    same "$size ${name##*/}" "$(stat -c %s "$name") ${name##*/}" || return 1
    n=$((n + 1))
  done
  # .vmx, .nvram, .vmsd, .log, and two of each link of the chain
  ((n >= 10)) || ls -R "$vm/files" "$s/renamed/files"
}

snapshot_files_are_what_it_owns () {
  local id
  id=$(xattr id "$s/renamed")
  ls "$s/renamed/files" | grep -qx "vm00000-Snapshot$id.vmsn" \
    && ls "$s/renamed/files" | grep -q '\.vmdk$' \
    && ! ls "$s/renamed/files" | grep -q '\.vmx$' \
    && (($(du -s --block-size=1 --apparent-size "$s/renamed" | cut -f1) > 28672))
}

info_tells_facts () {
  local id path
  id=$(about a vm vm=vm00000 'a["moref"]') path=${vm#"$mnt"/}
  same "vm00000 $id off 3 $path" "$(info "$vm/info.json" \
    '"%(name)s %(id)s %(power_state)s %(snapshots)d %(path)s" % a')" \
    && same True "$(info "$vm/info.json" \
      'a["vmx"].endswith("LocalDS_0] vm00000/vm00000.vmx")')" \
    && same "fourth None renamed ['fourth'] True" \
      "$(info "$s/fourth/info.json" 'a["name"]') $(info "$s/renamed/info.json" \
        '"%(parent)s %(name)s %(children)s" % a') $(info "$s/branch/info.json" \
        'a["current"]')" \
    && same "$(about a vm vm=vm00000 's["fourth"]["id"]')" \
      "$(info "$s/fourth/info.json" 'a["id"]')"
}

facts_are_xattrs_of_directories () {
  getfattr -d "$vm" 2>&1 | grep -q '^user\.vix\.name="vm00000"' \
    && getfattr -d "$s/renamed" 2>&1 | grep -q '^user\.vix\.name="renamed"' \
    && same '' "$(getfattr -d "$vm/info.json" 2>&1)" \
    && same renamed "$(xattr name "$s/renamed")" && same off "$(xattr power_state "$vm")"
}

df_is_the_datastores () {
  order a datastore/set datastore=LocalDS_0 capacity=8796093022208 \
    free=1099511627776 && within 30 df_is 8796093022208 1099511627776
}
df_is () {
  same "$1 $2" "$(df -B1 --output=size,avail "$mnt" | tail -1 | tr -s ' ' \
    | sed 's/^ //')"
}

control_files_are_there () {
  ! ls -A "$mnt" | grep -q vixfs && [[ -n $(cat "$mnt/.vixfs/version") ]] \
    && same '' "$(cat "$mnt/.vixfs/jobs")" \
    && grep -E "127\.0\.0\.1.*8\.0\.3.*connected.*4 VMs.*3 snapshots" \
      "$mnt/.vixfs/hosts" \
    && same 1 "$(wc -l <"$mnt/.vixfs/hosts")"
}

events_stream_tells () {
  local ended
  exec 5<"$mnt/.vixfs/events"
  mkdir "$s/eventful" && rmdir "$s/eventful" \
    && ended=$(timeout 60 grep -m 1 '"ended".*"eventful"' <&5) \
    && python3 -c 'import json, sys; json.loads(sys.argv[1])' "$ended"
  local status=$?
  exec 5<&-
  return $status
}

modes_are_private () {
  same '700 700 400 600 600' "$(stat -c %a "$vm" "$s" "$vm/info.json" \
    "$vm/current" "$vm/power" | paste -sd' ')" \
    && same "$(id -u) $(id -g)" "$(stat -c '%u %g' "$vm")"
}

walkers_end_well () {
  find "$mnt" -printf '%i %s %P\n' >/dev/null && ls -lAR "$mnt" >/dev/null \
    && getfattr -dR "$mnt" >/dev/null 2>&1 \
    && same '' "$(find "$mnt" ! -path '*/files/*' -printf '%i\n' | sort | uniq -d)"
}

inodes_are_stable () {
  local before
  before=$(inodes)
  stop_vixfs && mount_host a && same "$before" "$(inodes)"
}
inodes () { find "$mnt" -printf '%i %P\n' | sort; }

unmounting_logs_out () {
  stop_vixfs && same '0 0 0 0' "$(about a counters \
    '"%(sessions)d %(views)d %(filters)d %(tasksRunning)d" % a')" \
    && same "$(about a counters 'a["logins"]')" \
      "$(about a counters 'a["logouts"]')"
}

host_sim a -kind "$kind" -vms 4 && mount_host a || exit 1
check inventory-is-shown inventory_is_shown
check mkdir-takes-a-snapshot mkdir_takes_a_snapshot
check existing-name-is-eexist existing_name_is_eexist
check description-is-inherited description_is_inherited
check inherited-description-ends inherited_description_ends
check description-changes-by-xattr description_changes_by_xattr
check description-changes-by-writing description_changes_by_writing
check parents-are-links parents_are_links
check tree-is-drawn tree_is_drawn
check rename-keeps-everything-else rename_keeps_everything_else
check rename-replaces-nothing rename_replaces_nothing
check rename-elsewhere-is-einval rename_elsewhere_is_einval
check revert-makes-current revert_makes_current
check revert-to-unknown-is-enoent revert_to_unknown_is_enoent
check no-current-is-an-empty-line no_current_is_an_empty_line
check rmdir-moves-children-up rmdir_moves_children_up
check rmdir-of-what-is-not-there rmdir_of_what_is_not_there
check rm-r-loses-nothing rm_r_loses_nothing
check times-are-the-creation times_are_the_creation
check files-are-the-hosts files_are_the_hosts
check snapshot-files-are-what-it-owns snapshot_files_are_what_it_owns
check info-tells-facts info_tells_facts
check facts-are-xattrs-of-directories facts_are_xattrs_of_directories
check df-is-the-datastores df_is_the_datastores
check control-files-are-there control_files_are_there
check events-stream-tells events_stream_tells
check modes-are-private modes_are_private
check walkers-end-well walkers_end_well
check inodes-are-stable inodes_are_stable
check unmounting-logs-out unmounting_logs_out
finish
