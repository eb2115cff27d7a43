#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: backup.sh VIXFS - backup tools on a snapshot's disks, and back: each
# restores the bytes that qemu-img says the disks had; a partition mounted from
# an image; the README's recipes.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/mount/tools.sh
. "$(dirname "$0")/tools.sh"
disks=$mnt/web01/snapshots/v2/disks
most=$((24 << 20))
trap 'give_back; clean_up' EXIT

# A disk with a partition that has a file, and one with scattered writes.
make_disks () {
  local raw=$scratch/first.raw dir=$vms/web01 i commands=()
  make_partitioned "$raw" 48 \
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

make_disks || exit 1
mount_vms || exit 1
check two-snapshots take_snapshots
check_tools
check it-unmounts stop_vixfs
finish
