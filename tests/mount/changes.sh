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

# What every pair of snapshots must show, and .changes of each.
cat >"$scratch/judge.py" <<'P'
import errno, os, sys
GRAIN = 65536
s, disk = sys.argv[1], 'scsi0-0'
names = sorted(n for n in os.listdir(s) if not n.startswith('.'))
data = {n: open(f'{s}/{n}/disks/{disk}.img', 'rb').read() for n in names}

def ranges_of(path):
    fd, at, ranges = os.open(path, os.O_RDONLY), 0, []
    size = os.fstat(fd).st_size
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        ranges.append((start, at - start))
    held = sum(length for _, length in ranges)
    assert os.fstat(fd).st_blocks * 512 == held, (path, held)
    os.close(fd)
    return ranges

def check(older, newer, ranges, what):
    at = 0
    for start, length in ranges + [(len(newer), 0)]:
        assert start > at or at == 0, (what, start)      # ascending, merged
        assert older[at:start] == newer[at:start], (what, at, start)
        at = start + length
    assert at == len(newer), (what, at)

def parse(path):
    text = open(path).read()
    assert os.stat(path).st_size == len(text), path
    return [tuple(map(int, line.split())) for line in text.splitlines()]

for n in names:
    parent = f'{s}/{n}/parent'
    old = os.path.basename(os.readlink(parent)) if os.path.islink(parent) else None
    path = f'{s}/{n}/disks/{disk}.changes'
    ranges = parse(path)
    info, made = os.stat(path), os.stat(f'{s}/{n}')
    assert info.st_mtime_ns == info.st_ctime_ns == made.st_mtime_ns, path
    check(data[old] if old else bytes(len(data[n])), data[n], ranges, path)
    if old is None:
        assert ranges == ranges_of(f'{s}/{n}/disks/{disk}.img'), path
    else:
        assert ranges == ranges_of(f'{s}/{n}/.since/{old}/{disk}.img'), path
        # No more than what was written: six pieces and the grains they touch.
        assert sum(r[1] for r in ranges) <= 6 * (300 * 512 + 2 * GRAIN), path

inodes = set()
for newer in names:
    assert sorted(os.listdir(f'{s}/{newer}/.since')) \
        == [n for n in names if n != newer]
    for older in names:
        if older == newer:
            continue
        folder = f'{s}/{newer}/.since/{older}'
        assert os.listdir(folder) == [disk + '.img'], folder
        path = f'{folder}/{disk}.img'
        ranges, got = ranges_of(path), open(path, 'rb').read()
        assert len(got) == len(data[newer])
        inodes.add(os.stat(path).st_ino)
        inodes.add(os.stat(folder).st_ino)
        check(data[older], data[newer], ranges, path)
        made = bytearray(data[older])
        for start, length in ranges:
            made[start:start + length] = got[start:start + length]
        assert made == data[newer], path
        held = bytearray(len(got))
        for start, length in ranges:
            held[start:start + length] = got[start:start + length]
        assert held == got, path
assert len(inodes) == 2 * len(names) * (len(names) - 1)
P

every_pair_is_right () {
  local vm
  for vm in "${kinds[@]}"; do
    python3 "$scratch/judge.py" "$mnt/$vm/snapshots" || return 1
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
    && python3 "$scratch/judge.py" "$s"
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
