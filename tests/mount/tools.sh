#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced, not run, after lib.sh or host-lib.sh: backup tools that copy the two
# images of $disks and give back what they copied, which has to be what is in
# $scratch/want; copies take at most $most bytes each. And what the README says to
# do with them, as it is written there. Exit status 77 where one of the tools is
# missing.
# shellcheck disable=SC2154 # scratch, mnt: of lib.sh; disks, most: the caller's
for tool in restic borg mke2fs debugfs sfdisk losetup partx; do
  command -v "$tool" >/dev/null || exit 77
done
readme=$(dirname "${BASH_SOURCE[0]}")/../../README.md
copy=$scratch/out
loop=
export RESTIC_PASSWORD=only-a-test RESTIC_CACHE_DIR=$scratch/restic-cache
export BORG_BASE_DIR=$scratch/borg-home
export BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes

give_back () {
  mountpoint -q "$scratch/part" && umount "$scratch/part"
  [[ -z $loop ]] || { partx -d "$loop" 2>/dev/null; losetup -d "$loop"; }
  loop=
}

# A raw disk with a partition that has the file notes.
make_partitioned () { # FILE MIB
  mkdir "$scratch/files" && head -c 300000 /dev/urandom >"$scratch/files/notes" \
    && truncate -s "$2M" "$1" && sfdisk -q "$1" <<<'start=2048, type=83' \
    && mke2fs -q -t ext4 -d "$scratch/files" -E offset=1048576 "$1" "$(($2 - 8))M"
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
  (($(stat -c %b "$1") * 512 <= most)) || {
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
    && (($(stat -c %s "$scratch/tar") <= 2 * most)) \
    && tar -C "$copy" -xSf "$scratch/tar" && is_sparse "$copy/disks/scsi0-1.img" \
    && equal "$copy/disks"
}

restic_and_back () {
  restic -q -r "$scratch/restic" init \
    && restic -q -r "$scratch/restic" backup "$disks" \
    && restic -q -r "$scratch/restic" restore latest --target "$copy" \
    && equal "$copy$disks"
}

borg_and_back () {
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
  within 30 test -b "${loop}p1" && mount -o ro "${loop}p1" "$scratch/part" \
    && cmp "$scratch/files/notes" "$scratch/part/notes" \
    && fails 'Read-only' touch "$scratch/part/new"
  status=$?
  give_back
  return "$status"
}

# Where nothing can be mounted: the same file by a program's own reading.
partition_is_read () {
  debugfs -R 'cat notes' "$disks/scsi0-0.img?offset=1048576" 2>/dev/null \
    | cmp "$scratch/files/notes" -
}

# The commands below the recipe's name in the README, its places being ours.
recipe () { # NAME
  awk -v name="$1" '
    index ($0, "**" name) == 1 { found = 1 }
    found && /^    / { print; told = 1; next }
    told && NF > 0 { exit }' "$readme" \
    | sed "s,/mnt/web01/snapshots/\(v2\|tuesday\),${disks%/disks},
        s,/srv/,$scratch/,g; s,/backup/,$scratch/backup/,g"
}

# A copy of the parent's image becomes one of this snapshot's.
difference_is_copied () {
  mkdir "$scratch/backup" \
    && cp --sparse=always "${disks%/disks}/parent/disks/scsi0-0.img" \
      "$scratch/backup" \
    && ! cmp -s "$scratch/want/scsi0-0.img" "$scratch/backup/scsi0-0.img" \
    && recipe 'Only the difference' >"$scratch/recipe" \
    && bash -eu "$scratch/recipe" \
    && cmp "$scratch/want/scsi0-0.img" "$scratch/backup/scsi0-0.img"
}

vm_is_rebuilt () {
  local again=$scratch/again i
  recipe 'Rebuilding a VM' >"$scratch/recipe" && grep -q . "$scratch/recipe" \
    && bash -eu "$scratch/recipe" && mkdir "$again" \
    && start_vixfs "$scratch/restored" "$again" \
    && mkdir "$again/web01/snapshots/first" || return 1
  for i in 0 1; do
    same "$(sha256sum <"$scratch/want/scsi0-$i.img")" \
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

check_tools () {
  check checksums-are-equal checksums_are_equal
  check cp-and-back cp_and_back
  check rsync-and-back rsync_and_back
  check tar-and-back tar_and_back
  check restic-and-back restic_and_back
  check borg-and-back borg_and_back
  if [[ $EUID == 0 && -b /dev/loop0 ]]; then
    check partition-is-mounted partition_is_mounted
  else
    check partition-is-read partition_is_read
  fi
  check difference-is-copied difference_is_copied
  check vm-is-rebuilt vm_is_rebuilt
}

# ---- what is read of latest/ ----

image_bytes () {
  sed -n 's/^vixfs_image_bytes_read_total //p' "$mnt/.vixfs/stats"
}

# so_much WANTED GOT: bytes; the kernel may have dropped a page and asked again.
so_much () {
  (($2 >= $1 && $2 < $1 + ($1 ? $1 / 4 : 1))) || same "$1" "$2"
}

# reads BYTES COMMAND...: of images, on a mount that has read nothing yet
reads () {
  local bytes=$1
  shift
  remount_vms || return 1
  "$@" || return 1
  so_much "$bytes" "$(image_bytes)"
}
