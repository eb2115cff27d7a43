#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: outside.sh VIXFS - what others do at the host shows up within two
# seconds (which most of it must, on the most loaded machine), and the kernel's
# caches are told.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

other=$scratch/other
mkdir "$other"

both_listed () { # the listing in both mounts is $1
  same "$1" "$(ls "$mnt/web/snapshots" | paste -sd' ')" \
    && same "$1" "$(ls "$other/web/snapshots" | paste -sd' ')"
}

another_mount_sees_a_new_snapshot () {
  ls -lR "$mnt" "$other" >/dev/null
  mkdir "$other/web/snapshots/theirs" && shows both_listed theirs \
    && [[ -s $mnt/web/snapshots/theirs/config.vmx ]] \
    && same theirs "$(cat "$mnt/web/current")"
}

another_mount_sees_a_rename () {
  local ino
  ino=$(stat -c %i "$other/web/snapshots/theirs")
  mv "$mnt/web/snapshots/theirs" "$mnt/web/snapshots/ours" \
    && shows both_listed ours \
    && same "$ino" "$(stat -c %i "$other/web/snapshots/ours")" \
    && [[ ! -e $other/web/snapshots/theirs ]]
}

another_mount_sees_a_description () {
  cat "$other/web/snapshots/ours/description" >/dev/null
  printf 'new text' >"$mnt/web/snapshots/ours/description"
  shows describes 'new text'
}
describes () { same "$1" "$(cat "$other/web/snapshots/ours/description")"; }

another_mount_sees_a_removal () {
  rmdir "$other/web/snapshots/ours" && shows both_listed '' \
    && [[ ! -e $mnt/web/snapshots/ours ]] && same '' "$(cat "$mnt/web/current")"
}

a_new_vm_appears () {
  ls "$mnt" >/dev/null
  make_vm group/new && shows [ -d "$mnt/group/new/snapshots" ] \
    && same new "$(ls "$mnt/group")"
}

a_vm_goes () {
  rm -r "$vms/group" && shows [ ! -e "$mnt/group" ] \
    && same web "$(ls "$mnt")"
}

a_vm_moves () {
  mkdir "$vms/folder" && mv "$vms/web" "$vms/folder/web2" \
    && shows [ -d "$mnt/folder/web2/snapshots" ] \
    && [[ ! -e $mnt/web ]] && mv "$vms/folder/web2" "$vms/web" \
    && shows [ -d "$mnt/web/snapshots" ]
}

a_directory_moves_in () {
  mkdir "$scratch/away" && mv "$vms/web" "$scratch/away/" \
    && shows [ ! -e "$mnt/web" ] && mv "$scratch/away/web" "$vms/web" \
    && shows [ -d "$mnt/web/snapshots" ]
}

a_changed_vmx_shows () {
  same 512 "$(memory)" || return 1
  sed -i 's/^memsize = .*/memsize = "1024"/' "$vms/web/web.vmx"
  shows has_memory 1024
}
memory () {
  python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["memory_mib"])' "$mnt/web/info.json"
}
has_memory () { same "$1" "$(memory)"; }

a_new_file_shows () {
  ls "$mnt/web/files" >/dev/null
  echo hello >"$vms/web/notes.txt"
  shows reads_notes hello && echo 'something longer' >"$vms/web/notes.txt" \
    && shows reads_notes 'something longer' && rm "$vms/web/notes.txt" \
    && shows [ ! -e "$mnt/web/files/notes.txt" ]
}
reads_notes () { same "$1" "$(cat "$mnt/web/files/notes.txt")"; }

events_tell_of_others () {
  exec 5<"$mnt/.vixfs/events"
  mkdir "$other/web/snapshots/told" && timeout 60 grep -m 1 '"web".*"told"' <&5 \
    && rmdir "$other/web/snapshots/told"
  local status=$?
  exec 5<&-
  return $status
}

make_vm web && mount_vms && start_vixfs "$vms" "$other" || exit 1
check another-mount-sees-a-new-snapshot another_mount_sees_a_new_snapshot
check another-mount-sees-a-rename another_mount_sees_a_rename
check another-mount-sees-a-description another_mount_sees_a_description
check another-mount-sees-a-removal another_mount_sees_a_removal
check a-new-vm-appears a_new_vm_appears
check a-vm-goes a_vm_goes
check a-vm-moves a_vm_moves
check a-directory-moves-in a_directory_moves_in
check a-changed-vmx-shows a_changed_vmx_shows
check a-new-file-shows a_new_file_shows
check most-shows-within-two-seconds most_shows_within_two_seconds
check events-tell-of-others events_tell_of_others
check the-second-mount-ends-well stop_vixfs "$other"
check the-first-mount-ends-well stop_vixfs
finish
