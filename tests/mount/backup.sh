#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: backup.sh VIXFS - backup tools on a snapshot's disks, and back: each
# restores the bytes that qemu-img says the disks had; a partition mounted from
# an image; the README's recipe for rebuilding a VM, as it is written there.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"
for tool in restic borg mke2fs sfdisk losetup partx; do
  command -v "$tool" >/dev/null || exit 77
done
readme=$(dirname "$0")/../../README.md
disks=$mnt/web01/snapshots/v2/disks
copy=$scratch/out
loop=

give_back () {
  mountpoint -q "$scratch/part" && umount "$scratch/part"
  [[ -z $loop ]] || { partx -d "$loop" 2>/dev/null; losetup -d "$loop"; }
  loop=
}
trap 'give_back; clean_up' EXIT

# A disk with a partition that has a file, and one with scattered writes.
make_disks () {
  local raw=$scratch/first.raw dir=$vms/web01 i commands=()
  mkdir "$scratch/files" && head -c 300000 /dev/urandom >"$scratch/files/notes" \
    && truncate -s 48M "$raw" && sfdisk -q "$raw" <<<'start=2048, type=83' \
    && mke2fs -q -t ext4 -d "$scratch/files" -E offset=1048576 "$raw" 40M \
    && make_vm web01 monolithicSparse 48M 2 \
    && qemu-img convert -q -f raw -O vmdk -o adapter_type=lsilogic "$raw" \
      "$dir/$(disk_name web01 0)" || return 1
  RANDOM=11
  for ((i = 0; i < 30; i++)); do
    commands+=(-c "write -P $((RANDOM % 255 + 1)) $((RANDOM % 90000 * 512)) \
      $((RANDOM % 200 * 512 + 512))")
  done
  qemu-io -f vmdk "${commands[@]}" "$dir/$(disk_name web01 1)" >/dev/null
}

# Two snapshots with a write between; what the second froze, as raw files and
# as their checksums.
take_snapshots () {
  local snapshots=$mnt/web01/snapshots i file
  mkdir "$snapshots/v1" "$scratch/want" || return 1
  for i in 0 1; do
    file=$vms/web01/$(sed -n "s/^scsi0:$i\.fileName = \"\(.*\)\"$/\1/p" \
      "$vms/web01/web01.vmx")
    qemu-io -f vmdk -c "write -P 77 $((44 + i))M 256k" -c 'write -P 0 45M 1M' \
      "$file" >/dev/null \
      && qemu-img convert -f vmdk -O raw "$file" "$scratch/want/scsi0-$i.img" \
      || return 1
  done
  mkdir "$snapshots/v2"
}

equal () { # DIRECTORY
  local i
  for i in 0 1; do
    cmp "$scratch/want/scsi0-$i.img" "$1/scsi0-$i.img" || return 1
  done
  rm -rf --one-file-system "$copy"
}

checksums_are_equal () {
  same "$(cd "$scratch/want" && sha256sum -- *)" \
    "$(cd "$disks" && sha256sum -- *.img)" \
    && qemu-img compare -q -f raw -F raw "$scratch/want/scsi0-1.img" \
      "$disks/scsi0-1.img"
}

is_sparse () { # FILE
  (($(stat -c %b "$1") * 512 < 24 << 20)) || {
    printf '%s takes %d blocks\n' "$1" "$(stat -c %b "$1")"
    return 1
  }
}

cp_and_back () {
  mkdir "$copy" && cp --sparse=always "$disks"/* "$copy" \
    && is_sparse "$copy/scsi0-1.img" && equal "$copy"
}

rsync_and_back () {
  rsync -aS "$disks/" "$copy" && is_sparse "$copy/scsi0-1.img" && equal "$copy"
}

tar_and_back () {
  mkdir "$copy" && tar -C "${disks%/*}" -cSf "$scratch/tar" disks \
    && (($(stat -c %s "$scratch/tar") < 24 << 20)) \
    && tar -C "$copy" -xSf "$scratch/tar" && is_sparse "$copy/disks/scsi0-1.img" \
    && equal "$copy/disks"
}

restic_and_back () {
  export RESTIC_PASSWORD=only-a-test RESTIC_REPOSITORY=$scratch/restic
  restic -q --no-cache init && restic -q --no-cache backup "$disks" \
    && restic -q --no-cache restore latest --target "$copy" \
    && equal "$copy$disks"
}

borg_and_back () {
  export BORG_BASE_DIR=$scratch/borg-home
  export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
  borg init -e none "$scratch/borg" \
    && (cd "$disks" && borg create --sparse "$scratch/borg::one" .) \
    && mkdir "$copy" \
    && (cd "$copy" && borg extract --sparse "$scratch/borg::one") \
    && is_sparse "$copy/scsi0-1.img" && equal "$copy"
}

# The file of a partition, read through the kernel's own file system. A kernel
# that knows no partition tables is told by partx.
partition_is_mounted () {
  local status
  mkdir "$scratch/part" && loop=$(losetup -rP --show -f "$disks/scsi0-0.img") \
    || return 1
  [[ -b ${loop}p1 ]] || partx -a "$loop" || return 1
  within 10 test -b "${loop}p1" && mount -o ro "${loop}p1" "$scratch/part" \
    && cmp "$scratch/files/notes" "$scratch/part/notes" \
    && fails 'Read-only' touch "$scratch/part/new"
  status=$?
  give_back
  return "$status"
}

# The commands below the recipe's name in the README, its places being ours.
recipe () { # NAME
  awk -v name="$1" '
    index ($0, "**" name) == 1 { found = 1 }
    found && /^    / { print; told = 1; next }
    told && NF > 0 { exit }' "$readme" \
    | sed "s,/mnt/,$mnt/,g; s,/srv/,$scratch/,g"
}

vm_is_rebuilt () {
  local again=$scratch/again i
  recipe 'Rebuilding a VM' >"$scratch/recipe" && grep -q . "$scratch/recipe" \
    && bash -eu "$scratch/recipe" && mkdir "$again" \
    && start_vixfs "$scratch/restored" "$again" \
    && mkdir "$again/web01/snapshots/first" || return 1
  for i in 0 1; do
    same "$(sha256sum <"$disks/scsi0-$i.img")" \
      "$(sha256sum <"$again/web01/snapshots/first/disks/scsi0-$i.img")" \
      || return 1
  done
  same "$(grep -c fileName "$again/web01/snapshots/first/config.vmx")" 2 \
    && stop_vixfs "$again" && whole_restored
}

whole_restored () {
  local disk
  for disk in "$scratch"/restored/web01/*.vmdk; do
    qemu-img check -q "$disk" || return 1
  done
}

make_disks || exit 1
mount_vms || exit 1
check two-snapshots take_snapshots
check checksums-are-equal checksums_are_equal
check cp-and-back cp_and_back
check rsync-and-back rsync_and_back
check tar-and-back tar_and_back
check restic-and-back restic_and_back
check borg-and-back borg_and_back
if [[ $EUID == 0 && -b /dev/loop0 ]]; then
  check partition-is-mounted partition_is_mounted
else
  number=$((number + 1))
  echo "ok $number - partition-is-mounted # SKIP not root, or no loop devices"
fi
check vm-is-rebuilt vm_is_rebuilt
check it-unmounts stop_vixfs
finish
