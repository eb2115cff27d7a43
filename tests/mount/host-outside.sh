#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-outside.sh VIXFS esx|vcenter - what another client does on the host
# shows up within two seconds (which most of it must, on the most loaded
# machine), while others list without a break.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
kind=$2
dc=$mnt/DC0 home=DC0
[[ $kind == vcenter ]] || dc=$mnt home=ha-datacenter
vm=$dc/vm00000
s=$vm/snapshots

listed () { same "$1" "$(ls "$2" | paste -sd' ')"; } # WANTED DIRECTORY

a_new_snapshot () {
  ls -lR "$s" >/dev/null
  order a snapshot/create vm=vm00000 name=theirs description=text \
    && shows listed theirs "$s" && within 30 reads text "$s/theirs/description" \
    && within 30 reads theirs "$vm/current" \
    && within 30 gives 1 info "$vm/info.json" 'a["snapshots"]'
}

a_backups_snapshot () {
  order a snapshot/create vm=vm00003 name=_VCB-BACKUP_ \
    && shows [ -d "$dc/vm00003/snapshots/_VCB-BACKUP_" ] \
    && same 'VMware Consolidated Backup' \
      "$(xattr belongs_to "$dc/vm00003/snapshots/_VCB-BACKUP_")" \
    && order a snapshot/clear vm=vm00003
}

a_child () {
  order a snapshot/create vm=vm00000 name=child && shows [ -d "$s/child" ] \
    && same ../theirs "$(readlink "$s/child/parent")"
}

a_new_name () {
  local ino
  ino=$(stat -c %i "$s/theirs")
  order a snapshot/rename vm=vm00000 snapshot=theirs name=ours \
    && shows listed 'child ours' "$s" && same "$ino" "$(stat -c %i "$s/ours")" \
    && [[ ! -e $s/theirs ]] && same ../ours "$(readlink "$s/child/parent")"
}

a_new_description () {
  cat "$s/ours/description" >/dev/null
  order a snapshot/rename vm=vm00000 snapshot=ours description='new text' \
    && shows reads 'new text' "$s/ours/description"
}
reads () { same "$1" "$(cat "$2")"; }

a_revert () {
  within 30 reads child "$vm/current" \
    && order a snapshot/revert vm=vm00000 snapshot=ours \
    && shows reads ours "$vm/current"
}

a_removal () {
  order a snapshot/remove vm=vm00000 snapshot=ours \
    && shows listed child "$s" && [[ ! -e $s/ours && ! -e $s/child/parent ]]
}

all_removed () {
  order a snapshot/clear vm=vm00000 && shows listed '' "$s" \
    && within 30 reads '' "$vm/current"
}

power () {
  reads off "$vm/power" && order a power vm=vm00000 state=on \
    && shows reads on "$vm/power"
}

new_files () {
  ls "$vm/files" >/dev/null
  order a power vm=vm00000 state=suspended \
    && shows [ -e "$vm/files/vm00000.vmss" ]
}

a_new_vm () {
  order a vm/create name=new folder="$home" && shows [ -d "$dc/new/snapshots" ] \
    && mkdir "$dc/new/snapshots/n" && same n "$(names a new)"
}

a_vm_renamed () {
  local ino
  ino=$(stat -c %i "$dc/new")
  order a vm/rename vm=new name=other && shows [ -d "$dc/other" ] \
    && [[ ! -e $dc/new ]] && same "$ino" "$(stat -c %i "$dc/other")" \
    && [[ -d $dc/other/snapshots/n ]]
}

a_vm_moved () {
  local ino
  ino=$(stat -c %i "$dc/other")
  order a folder/create folder=DC0/group && order a vm/move vm=other folder=DC0/group \
    && shows [ -d "$dc/group/other/snapshots/n" ] && [[ ! -e $dc/other ]] \
    && same "$ino" "$(stat -c %i "$dc/group/other")"
}

a_folder_renamed () {
  order a folder/rename folder=DC0/group name=renamed \
    && shows [ -d "$dc/renamed/other/snapshots/n" ] && [[ ! -e $dc/group ]]
}

a_vm_destroyed () { # DIRECTORY
  [[ -d $1/other ]] && order a vm/destroy vm=other && shows [ ! -e "$1/other" ]
}

a_vm_unregistered_and_back () {
  order a vm/unregister vm=vm00003 && shows [ ! -e "$dc/vm00003" ] \
    && order a vm/register folder="$home" name=vm00003 \
      'path=[LocalDS_0] vm00003/vm00003.vmx' && shows [ -d "$dc/vm00003" ]
}

# The kernel asks anew of what changed, and of nothing else.
listings () { # of directories, that the kernel asked for so far
  awk '/op="readdirplus"/ { print $2 }' "$mnt/.vixfs/stats"
}
walked () { # DIRECTORY: how many of them a walk takes
  local before
  before=$(listings)
  find "$1" >/dev/null && echo $(($(listings) - before))
}
# A host may tell of one snapshot in several updates.
nothing_is_read () { same '0 0' "$(walked "$vm") $(walked "$1")"; }
caches_of_others_stay () {
  local other=$dc/vm00001 i status
  order a snapshot/create vm=vm00001 name=still \
    && within 30 [ -d "$other/snapshots/still" ] || return 1
  # The kernel may have dropped what it kept by itself: one of three will do.
  for i in 1 2 3; do
    others_stay "first$i" "second$i" && break
  done
  status=$?
  order a snapshot/clear vm=vm00000 && order a snapshot/clear vm=vm00001 \
    && within 30 listed '' "$s" && return $status
}

others_stay () { # FIRST SECOND
  order a snapshot/create vm=vm00000 name="$1" && within 30 [ -d "$s/$1" ] \
    && within 30 nothing_is_read "$other" \
    && order a snapshot/create vm=vm00000 name="$2" \
    && within 30 [ -d "$s/$2" ] && same 0 "$(walked "$other")" \
    && (($(walked "$vm") > 0)) && within 30 nothing_is_read "$other"
}

events_tell () {
  local line
  exec 5<"$mnt/.vixfs/events"
  order a snapshot/create vm=vm00001 name=told \
    && line=$(timeout 60 grep -m 1 vm00001 <&5) && printf '%s\n' "$line" \
    | python3 -c 'import json, sys; json.loads(sys.stdin.readline())'
  local status=$?
  exec 5<&-
  return $status
}

# Somebody sits in it while it goes: no hang, and the shell lives.
an_open_directory_that_goes () {
  order a vm/create name=brief folder="$home" && within 30 [ -d "$dc/brief" ] \
    && (cd "$dc/brief/snapshots" && order a vm/destroy vm=brief \
      && within 30 [ ! -e "$dc/brief" ] && { ls . >/dev/null 2>&1 || true; }) \
    && ls "$dc" >/dev/null
}

# ---- no listing is ever torn ----

# In each listing while others change: what was there all along, once; no
# error; never nothing.
lister='
import os, sys
vms, kept, ready, stop = sys.argv[1:]
kept = kept.split()
n = 0
while not os.path.exists(stop):
    for vm in "vm00000", "vm00001", "vm00002":
        names = os.listdir(vms + "/" + vm + "/snapshots")
        assert len(set(names)) == len(names), ("twice", names)
        lost = [k for k in kept if k not in names]
        assert not lost, ("lost", lost, names)
        for k in kept:
            os.stat(vms + "/" + vm + "/snapshots/" + k + "/info.json")
    names = os.listdir(vms)
    assert "vm00000" in names and "vm00003" in names, names
    assert len(set(names)) == len(names), ("twice", names)
    n += 1
    if n == 3:
        open(ready, "w").close()
print(n, "rounds")'

listing_never_flaps () {
  local i vm listers=() status=0
  for vm in vm00000 vm00001 vm00002; do
    order a snapshot/clear vm=$vm && for i in 1 2 3; do
      order a snapshot/create vm=$vm name="kept$i" || return 1
    done
  done
  within 30 listed 'kept1 kept2 kept3' "$dc/vm00002/snapshots" || return 1
  for i in 1 2; do
    python3 -c "$lister" "$dc" 'kept1 kept2 kept3' "$scratch/ready$i" \
      "$scratch/stop" >"$scratch/lister$i" 2>&1 &
    listers+=($!)
  done
  within 60 [ -e "$scratch/ready1" ] && within 60 [ -e "$scratch/ready2" ]
  for ((i = 0; i < 40; i++)); do
    vm=vm0000$((i % 3))
    order a snapshot/create vm=$vm name="brief$i" \
      && order a snapshot/rename vm=$vm snapshot="brief$i" name="changed$i" \
      && order a snapshot/remove vm=$vm snapshot="changed$i" \
      && order a power vm=$vm state="$( ((i % 2)) && echo on || echo off)" \
      && order a vm/create name="brief$i" folder="$home" \
      && order a vm/destroy vm="brief$i" || status=1
    ((i % 5)) || mkdir "$dc/$vm/snapshots/mine$i" && rmdir "$dc/$vm/snapshots/mine$i" 2>/dev/null
  done
  touch "$scratch/stop"
  for i in 1 2; do
    wait "${listers[i - 1]}" || status=1
    cat "$scratch/lister$i"
    sed 's/^/# lister: /' "$scratch/lister$i" >&3
  done
  return $status
}

mount_equals_the_host () {
  order a churn count=300 seed=7 && within 120 equal
}
equal () {
  local vm
  for vm in vm00000 vm00001 vm00002 vm00003; do
    same "$(ask a vm vm=$vm | python3 -c '
import json, sys
print("\n".join(sorted("%(id)s" % x for x in json.load(sys.stdin)["snapshots"])))')" \
      "$(for d in "$dc/$vm/snapshots"/*/; do [[ ! -d $d ]] || xattr id "$d"; echo; done \
        | sed '/^$/d' | LC_ALL=C sort)" || return 1
  done
}

fresh_mount_equals_it () {
  local other=$scratch/other
  mkdir "$other"
  mount_host a "$other" && within 120 as_here "$other" && stop_vixfs "$other"
}
as_here () { same "$(inventory "$1")" "$(inventory "$mnt")"; }
inventory () {
  find "$1" ! -name info.json -printf '%i %y %s %l %P\n' | sort -k 5
}

exec 3>&1
host_sim a -kind "$kind" -vms 4 && mount_host a || exit 1
check a-new-snapshot-shows a_new_snapshot
check a-backups-snapshot-is-told a_backups_snapshot
check a-child-shows a_child
check a-new-name-shows a_new_name
check a-new-description-shows a_new_description
check a-revert-shows a_revert
check a-removal-shows a_removal
check the-removal-of-all-shows all_removed
check power-shows power
check new-files-show new_files
check a-new-vm-shows a_new_vm
check a-renamed-vm-shows a_vm_renamed
if [[ $kind == vcenter ]]; then # ESXi has no folders
  check a-moved-vm-shows a_vm_moved
  check a-renamed-folder-shows a_folder_renamed
  dir=$dc/renamed
else
  dir=$dc
fi
check a-destroyed-vm-goes a_vm_destroyed "$dir"
check an-unregistered-vm-goes-and-comes a_vm_unregistered_and_back
check most-shows-within-two-seconds most_shows_within_two_seconds
check caches-of-others-stay caches_of_others_stay
check events-tell-of-others events_tell
check an-open-directory-goes an_open_directory_that_goes
check listing-never-flaps listing_never_flaps
check the-mount-equals-the-host mount_equals_the_host
check a-fresh-mount-equals-it fresh_mount_equals_it
check it-unmounts stop_vixfs
finish
