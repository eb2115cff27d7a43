#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: changes.sh VIXFS - disks/*.changes and .since/OLDER: what differs
# between snapshots, compared byte by byte.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

kinds=(monolithicSparse monolithicFlat)

now_disk () { # VM
  sed -n 's/^scsi0:0\.fileName = "\(.*\)"\r\?$/\1/p' "$vms/$1/$1.vmx"
}

write_disk () { # VM COMMAND...: of qemu-io, into what the VM has now
  local vm=$1 commands=()
  shift
  for command in "$@"; do commands+=(-c "$command"); done
  qemu-io -f vmdk "${commands[@]}" "$vms/$vm/$(now_disk "$vm")" >/dev/null
}

scribble () { # VM SEED
  local i commands=()
  RANDOM=$2
  for ((i = 0; i < 6; i++)); do
    commands+=("write -P $((RANDOM % 4 * (RANDOM % 255 + 1) % 256)) \
      $((RANDOM % 180 * 65536 + RANDOM % 100 * 512)) \
      $((RANDOM % 300 * 512 + 512))")
  done
  write_disk "$1" "${commands[@]}"
}

# s0 - s1 - s2 - s3, and b1 - b2 beside s2 and s3.
make_history () { # VM
  local s=$mnt/$1/snapshots i
  for i in 0 1 2 3; do
    scribble "$1" "$i" && mkdir "$s/s$i" || return 1
  done
  echo s1 >"$mnt/$1/current" || return 1
  for i in 1 2; do
    scribble "$1" "$((i + 10))" && mkdir "$s/b$i" || return 1
  done
}

# Six pieces of up to 300 sectors, and the grains that they touch.
judge () { # VM
  python3 "$(dirname "$0")/judge-changes.py" "$mnt/$1/snapshots" \
    $((6 * (300 * 512 + 2 * 65536)))
}

every_pair_is_right () {
  local vm
  for vm in "${kinds[@]}"; do
    judge "$vm" || return 1
  done
}

known_writes_are_listed () {
  local s=$mnt/known/snapshots disks
  write_disk known 'write -P 1 0 1M' && mkdir "$s/a" || return 1
  write_disk known 'write -P 2 65536 512' 'write -P 3 131072 65536' \
    'write -P 0 524288 65536' 'write -P 4 8387584 1024' \
    && mkdir "$s/b" && mkdir "$s/c" || return 1
  disks=$s/b/disks
  same $'65536 131072\n524288 65536\n8323072 65536' \
    "$(<"$disks/scsi0-0.changes")" \
    && same '0 1048576' "$(<"$s/a/disks/scsi0-0.changes")" \
    && same '' "$(<"$s/c/disks/scsi0-0.changes")" \
    && same 512 "$(stat -c %b "$s/c/.since/a/scsi0-0.img")" \
    && same 0 "$(stat -c %b "$s/c/.since/b/scsi0-0.img")"
}

# Not in listings, and always there.
since_is_hidden () {
  local s=$mnt/known/snapshots
  same '' "$(find "$s/b" -name '.since')" && [[ -d $s/b/.since ]] \
    && same $'a\nc' "$(ls "$s/b/.since")" \
    && fails 'No such file' ls "$s/b/.since/b" \
    && fails 'No such file' ls "$s/b/.since/other" \
    && fails 'Read-only' rm -f "$s/b/.since/a/scsi0-0.img" \
    && fails 'Read-only' rmdir "$s/b/.since/a" \
    && fails 'Read-only' bash -c "echo >> '$s/b/disks/scsi0-0.changes'"
}

odd_names_are_found () {
  local s=$mnt/known/snapshots
  mv "$s/a" "$s/a%2Fb c" && [[ -f $s/b/.since/a%2Fb\ c/scsi0-0.img ]] \
    && fails 'No such file' ls "$s/b/.since/a" && mv "$s/a%2Fb c" "$s/a" \
    && [[ -f $s/b/.since/a/scsi0-0.img ]]
}

inodes_are_stable () {
  local before
  before=$(since_inodes) && remount_vms && same "$before" "$(since_inodes)"
}
since_inodes () {
  find "$mnt"/*/snapshots/*/.since "$mnt"/*/snapshots/*/disks \
    -printf '%i %s %b %T@ %P\n' | sort
}

both_are_pinned () {
  local s=$mnt/known/snapshots status
  exec 7<"$s/c/.since/a/scsi0-0.img"
  fails busy rmdir "$s/a" && fails busy rmdir "$s/c"
  status=$?
  exec 7<&-
  return $status
}

# The difference, brought onto a copy of the older image, is the newer one.
copies_are_brought_up_to_date () {
  local s=$mnt/monolithicSparse/snapshots copy=$scratch/copy name at length
  cp "$s/s0/disks/scsi0-0.img" "$copy" || return 1
  for name in s1 s2 s3; do
    while read -r at length; do
      dd if="$s/$name/disks/scsi0-0.img" of="$copy" bs=1M status=none \
        conv=notrunc iflag=skip_bytes,count_bytes oflag=seek_bytes \
        skip="$at" seek="$at" count="$length" || return 1
    done <"$s/$name/disks/scsi0-0.changes"
    cmp "$copy" "$s/$name/disks/scsi0-0.img" || return 1
  done
}

# tar keeps what a difference holds and nothing else.
differences_are_small () {
  local s=$mnt/known/snapshots
  cp --sparse=always "$s/b/.since/a/scsi0-0.img" "$scratch/difference" \
    && cmp "$s/b/.since/a/scsi0-0.img" "$scratch/difference" \
    && (($(stat -c %b "$scratch/difference") * 512 <= 300000)) \
    && tar -C "$s/b/.since/a" -cSf "$scratch/difference.tar" scsi0-0.img \
    && (($(stat -c %s "$scratch/difference.tar") < 400000))
}

# Once its parent is gone, a snapshot's changes are since the one before.
changes_follow_the_parent () {
  local s=$mnt/monolithicSparse/snapshots
  stat "$s/s3/disks/scsi0-0.changes" >/dev/null && rmdir "$s/s2" \
    && same ../s1 "$(readlink "$s/s3/parent")" \
    && fails 'No such file' ls "$s/s3/.since/s2" \
    && judge monolithicSparse
}

for kind in "${kinds[@]}"; do
  make_vm "$kind" "$kind" 16M || exit 1
done
make_vm known monolithicSparse 8M && mount_vms || exit 1
for kind in "${kinds[@]}"; do
  make_history "$kind" || exit 1
done
check every-pair-is-right every_pair_is_right
check known-writes-are-listed known_writes_are_listed
check since-is-hidden since_is_hidden
check odd-names-are-found odd_names_are_found
check inodes-are-stable inodes_are_stable
check both-are-pinned both_are_pinned
check copies-are-brought-up-to-date copies_are_brought_up_to_date
check differences-are-small differences_are_small
check changes-follow-the-parent changes_follow_the_parent
check it-unmounts stop_vixfs
finish
