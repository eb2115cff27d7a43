#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-plain.sh VIXFS esx|vcenter - another judge: govmomi's simulator
# with nothing of ours in it. It lacks much (no renaming of snapshots, no
# running tasks) and answers its own way.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"

vms_are_shown () {
  vm=$(dirname "$(find "$mnt" -name info.json -path '*VM0/*' | head -n 1)")
  [[ -n $vm && -d $vm/snapshots ]] && s=$vm/snapshots && ls -lR "$mnt" >/dev/null \
    && grep connected "$mnt/.vixfs/hosts"
}

snapshots_are_taken () {
  setfattr -n user.vix.description -v text "$s" && mkdir "$s/one" "$s/two" \
    && same 'one two' "$(ls "$s" | paste -sd' ')" && same two "$(cat "$vm/current")" \
    && same ../one "$(readlink "$s/two/parent")" \
    && same text "$(cat "$s/one/description")" \
    && same EEXIST "$(mkdir_errno "$s/one")"
}

slashes_are_one_name () {
  mkdir "$s/8%2F23" && same 8/23 "$(xattr name "$s/8%2F23")" && rmdir "$s/8%2F23"
}

power_changes () {
  local word
  for word in $([[ $(cat "$vm/power") == on ]] || echo on) off on suspend on; do
    echo $word >"$vm/power" || { echo "$word"; return 1; }
  done
  same on "$(cat "$vm/power")" && same EINVAL "$(write_errno on "$vm/power")"
}

it_reverts () { echo one >"$vm/current" && same one "$(cat "$vm/current")"; }

# With the current one it dies in the middle of the call, which is told.
children_move_up () {
  echo two >"$vm/current" && rmdir "$s/one" && same two "$(ls "$s")" && [[ ! -e $s/two/parent ]]
}

# It knows no renaming: that is an error and changes nothing.
renaming_is_refused () {
  same EOPNOTSUPP "$(errno_of "os.rename('$s/two', '$s/three')")" \
    && same two "$(ls "$s")"
}

# It does not say that files come and go, which is how a mount that was there
# knows of disks, too.
a_new_mount_shows_the_same () {
  local before
  before=$(inodes)
  stop_vixfs && mount_host c && same "$before" "$(inodes)"
}
inodes () {
  find "$mnt" -regex '.*/\(files\|disks\)/?.*' -prune -o -printf '%i %P\n' \
    | sort
}

host_sim c -kind "$2" -plain && mount_host c || exit 1
check vms-are-shown vms_are_shown
check snapshots-are-taken snapshots_are_taken
check slashes-are-one-name slashes_are_one_name
check power-changes power_changes
check it-reverts it_reverts
check children-move-up children_move_up
check renaming-is-refused renaming_is_refused
check a-new-mount-shows-the-same a_new_mount_shows_the_same
check it-unmounts stop_vixfs
finish
