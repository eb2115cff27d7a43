#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-backup.sh VIXFS - backup tools on the disks of a network host's
# snapshots: each gives back the bytes that the chain in the datastore holds,
# and what did not change since last night is not read again.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
# shellcheck source=tests/mount/host-chain.sh
. "$(dirname "$0")/host-chain.sh"
# shellcheck source=tests/mount/tools.sh
. "$(dirname "$0")/tools.sh"
trap 'give_back; clean_up' EXIT
size=$((32 << 20))
# Where the holes of a flat base are no host tells.
most=$((size + (1 << 20)))
vm=vm00000
disks=$mnt/$vm/snapshots/two/disks
dc=ha-datacenter
# Of each disk: what it holds now, and the name of that content. The link that
# is being written is the same of both.
now=("$store/first.raw" "$store/second.raw")
cids=(10000000 20000000)
leaf=0

# A disk with a partition that has a file, and one with scattered writes.
make_disks () {
  local i
  make_partitioned "${now[0]}" "$((size >> 20))" \
    && truncate -s "$size" "${now[1]}" || return 1
  for ((i = 0; i < 6; i++)); do
    dd if=/dev/urandom of="${now[1]}" bs=64k seek="$((i * 77))" count=9 \
      conv=notrunc status=none || return 1
  done
  for i in 0 1; do
    cp "${now[i]}" "$scratch/before.raw" \
      && write_link "$vm" "$i" 0 vmfs "$scratch/before.raw" "${now[i]}" \
        "${cids[i]}" ffffffff || return 1
  done
}

# The guest writes 64 KiB somewhere.
write_disk () { # DISK
  local old=$scratch/before.raw cid
  cid=$(printf %x $((0x${cids[$1]} + 1)))
  cp "${now[$1]}" "$old" \
    && dd if=/dev/urandom of="${now[$1]}" bs=64k seek="$((300 + leaf))" count=1 \
      conv=notrunc status=none \
    && write_link "$vm" "$1" "$leaf" sesparse "$old" "${now[$1]}" "$cid" \
      "${cids[$1]}" || return 1
  cids[$1]=$cid
}

# A snapshot; the guest then writes to new files, which are empty.
night () { # NAME
  local i
  mkdir "$mnt/$vm/snapshots/$1" || return 1
  leaf=$((leaf + 1))
  for i in 0 1; do
    write_link "$vm" "$i" "$leaf" sesparse "${now[i]}" "${now[i]}" \
      "${cids[i]}" "${cids[i]}" || return 1
  done
}

take_snapshots () {
  local i
  night one && write_disk 0 && write_disk 1 && night two \
    && mkdir "$scratch/want" || return 1
  for i in 0 1; do
    cp "${now[i]}" "$scratch/want/scsi0-$i.img" || return 1
  done
}

remount_vms () { stop_vixfs && mount_it "$@"; }

# read_again: an image is read twice; prints how many bytes the host was asked
# for the second time. The kernel is made to forget its pages in between.
read_again () {
  python3 - "$disks/scsi0-0.img" "$(of a CONTROL)/counters" <<'P'
import json, os, sys, urllib.request
def promised():
    return json.load(urllib.request.urlopen(sys.argv[2]))['content']
fd = os.open(sys.argv[1], os.O_RDONLY)
for _ in range(2):
    before = promised()
    os.lseek(fd, 0, os.SEEK_SET)
    while os.read(fd, 1 << 20):
        pass
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
print(promised() - before)
P
}

# What has room in cache= is not fetched again, what has none is; and what the
# kernel keeps is not even read again.
memory_is_as_told () {
  remount_vms && (($(read_again) < size / 8)) \
    && remount_vms -o cache=4M && (($(read_again) >= size - (5 << 20))) \
    && in_three pages_are_kept
}
pages_are_kept () {
  local bytes
  cat "$disks/scsi0-1.img" >/dev/null
  bytes=$(image_bytes)
  cmp "$scratch/want/scsi0-1.img" "$disks/scsi0-1.img" \
    && so_much 0 $(($(image_bytes) - bytes))
}

with_restic () { restic -q -r "$scratch/nightly" "$@"; }
restic_backup () { with_restic backup "$mnt/$vm/latest"; }

# The base disks are no holes: all of them is read once.
restic_reads_what_changed () {
  local images=$mnt/$vm/latest/disks
  with_restic init && reads $((2 * size)) restic_backup \
    && night r1 && reads 0 restic_backup \
    && write_disk 1 && night r2 && reads "$size" restic_backup \
    && with_restic restore latest --target "$scratch/restored" \
    && cmp "${now[0]}" "$scratch/restored$images/scsi0-0.img" \
    && cmp "${now[1]}" "$scratch/restored$images/scsi0-1.img"
}

borg_backup () {
  borg create --sparse "$scratch/borg::$1" "$mnt/$vm/latest"
}

borg_reads_what_changed () {
  reads $((2 * size)) borg_backup first && night b1 && reads 0 borg_backup b1 \
    && write_disk 0 && night b2 && reads "$size" borg_backup b2
}

mount_it () {
  start_vixfs "https://root@127.0.0.1:$a_PORT/sdk" "$mnt" \
    -o "credentials=$(credentials),cacert=$a_CERT" "$@"
}

host_sim a -vms 1 -disks 2 -disk-kb $((size >> 10)) || exit 1
make_disks || exit 1
mount_it || exit 1
check two-snapshots take_snapshots
check_tools
check memory-is-as-told memory_is_as_told
check restic-reads-what-changed restic_reads_what_changed
check borg-reads-what-changed borg_reads_what_changed
check it-unmounts stop_vixfs
finish
