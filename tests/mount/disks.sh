#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: disks.sh VIXFS - snapshots/NAME/disks: images of the disks as they
# were, judged by qemu-img. What copies and backs them up: backup.sh.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

kinds=(monolithicSparse twoGbMaxExtentSparse monolithicFlat twoGbMaxExtentFlat
  streamOptimized)
depth=6

# The file of disk 0 that the VM has now.
now_disk () { # VM
  sed -n 's/^scsi0:0\.fileName = "\(.*\)"\r\?$/\1/p' "$vms/$1/$1.vmx"
}

# Random writes, some of them zeros, into the VM's present disk. qemu-io does
# not write to split children, but ours are not split.
scribble () { # VM SEED
  local i commands=()
  RANDOM=$2
  for ((i = 0; i < 8; i++)); do
    if ((RANDOM % 4)); then
      commands+=(-c "write -P $((RANDOM % 255 + 1)) $((RANDOM % 900 * 65536 + \
        RANDOM % 100 * 512)) $((RANDOM % 300 * 512 + 512))")
    else
      commands+=(-c "write -P 0 $((RANDOM % 900 * 65536)) 131072")
    fi
  done
  qemu-io -f vmdk "${commands[@]}" "$vms/$1/$(now_disk "$1")" >/dev/null
}

scribble_at () { # VM OFFSET
  qemu-io -f vmdk -c "write -P 5 $2 64k" "$vms/$1/$(now_disk "$1")" >/dev/null
}

# A VM of each kind with $depth snapshots, each after other writes; what the
# chain is goes to $scratch/VM.NUMBER.raw.
make_history () { # KIND
  local vm=$1 i
  make_vm "$vm" "$([[ $1 == streamOptimized ]] || echo "$1")" 64M || return 1
  if [[ $1 == streamOptimized ]]; then
    scribble "$vm" 1 || return 1
    qemu-img convert -q -f vmdk -O vmdk -o subformat=streamOptimized \
      "$vms/$vm/$vm.vmdk" "$scratch/stream.vmdk" || return 1
    mv "$scratch/stream.vmdk" "$vms/$vm/$vm.vmdk"
  fi
}

snapshot_and_keep () { # VM NUMBER
  local disk
  disk=$vms/$1/$(now_disk "$1")
  qemu-img convert -f vmdk -O raw "$disk" "$scratch/$1.$2.raw" || return 1
  mkdir "$mnt/$1/snapshots/s$2"
}

images_equal_the_chain () {
  local vm i
  for vm in "${kinds[@]}"; do
    for ((i = 0; i < depth; i++)); do
      # Nothing writes to what stream-optimized disks are.
      [[ $vm == streamOptimized && $i == 0 ]] || scribble "$vm" "$((i + 7))" \
        || return 1
      snapshot_and_keep "$vm" "$i" || return 1
    done
    for ((i = 0; i < depth; i++)); do
      cmp "$scratch/$vm.$i.raw" "$mnt/$vm/snapshots/s$i/disks/scsi0-0.img" \
        || return 1
    done
  done
}

# What qemu-img calls data must be data here: the ranges, from SEEK_DATA and
# SEEK_HOLE, hold all bytes that are not zero, and add up to st_blocks.
holes_are_holes () {
  python3 - "$scratch/monolithicSparse.$((depth - 1)).raw" \
    "$mnt/monolithicSparse/snapshots/s$((depth - 1))/disks/scsi0-0.img" <<'P'
import errno, os, sys
raw = open(sys.argv[1], "rb").read()
fd = os.open(sys.argv[2], os.O_RDONLY)
size, at, ranges = os.fstat(fd).st_size, 0, []
assert size == len(raw), size
while at < size:
    try:
        data = os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        assert error.errno == errno.ENXIO, error
        break
    assert not any(raw[at:data]), (at, data)
    at = os.lseek(fd, data, os.SEEK_HOLE)
    ranges.append((data, at))
assert not any(raw[ranges[-1][1]:])
held = sum(end - start for start, end in ranges)
assert 0 < held < size / 2, held
assert os.fstat(fd).st_blocks * 512 == held, (os.fstat(fd).st_blocks, held)
assert os.lseek(fd, 0, os.SEEK_HOLE) in [e for _, e in ranges] + [0]
for past in (size, size + 1):
    for whence in (os.SEEK_DATA, os.SEEK_HOLE):
        try:
            os.lseek(fd, past, whence)
            assert False, (past, whence)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
P
}

unchanged_disks_keep_their_times () {
  local s=$mnt/two/snapshots
  make_vm two monolithicSparse 16M 2 || return 1
  within 30 test -d "$mnt/two" || return 1
  mkdir "$s/a" || return 1
  sleep 1.1
  qemu-io -f vmdk -c 'write -P 3 1M 64k' "$vms/two/$(now_disk two)" >/dev/null
  mkdir "$s/b" || return 1
  sleep 1.1
  mkdir "$s/c" || return 1
  same "$(stat -c '%.Y %.Z' "$s/a/disks/scsi0-1.img")" \
    "$(stat -c '%.Y %.Z' "$s/c/disks/scsi0-1.img")" \
    && same "$(stat -c '%.Y %.Z' "$s/b/disks/scsi0-0.img")" \
      "$(stat -c '%.Y %.Z' "$s/c/disks/scsi0-0.img")" \
    && ! same "$(stat -c %.Y "$s/a/disks/scsi0-0.img")" \
      "$(stat -c %.Y "$s/b/disks/scsi0-0.img")" >/dev/null
}

enlarge () { # SIZE: the disk of "grown"
  qemu-img create -q -f vmdk -F vmdk -b "$(now_disk grown)" \
    "$vms/grown/to-$1.vmdk" "$1" \
    && sed -i "s/^scsi0:0\.fileName = .*/scsi0:0.fileName = \"to-$1.vmdk\"/" \
      "$vms/grown/grown.vmx"
}

# A disk enlarged between snapshots: the chain's links differ in size. They are
# read, and not merged; and without a write it is another disk already.
enlarged_disks_have_images () {
  local s=$mnt/grown/snapshots
  make_vm grown monolithicSparse 16M && within 30 test -d "$mnt/grown" \
    && scribble_at grown 15M && mkdir "$s/small" && enlarge 40M \
    && scribble_at grown 39M && snapshot_and_keep grown large \
    && enlarge 44M && snapshot_and_keep grown empty || return 1
  same '16777216 41943040 46137344' \
    "$(stat -c %s "$s"/s{mall,large,empty}/disks/*.img | xargs)" \
    && cmp "$scratch/grown.large.raw" "$s/slarge/disks/scsi0-0.img" \
    && cmp "$scratch/grown.empty.raw" "$s/sempty/disks/scsi0-0.img" \
    && cmp -n 16777216 "$scratch/grown.large.raw" "$s/small/disks/scsi0-0.img" \
    && fails 'needs cleaning' rmdir "$s/small" \
    && cmp "$scratch/grown.large.raw" "$s/slarge/disks/scsi0-0.img" \
    && ! same "$(stat -c %.Y "$s/slarge/disks/scsi0-0.img")" \
      "$(stat -c %.Y "$s/sempty/disks/scsi0-0.img")" >/dev/null
}

images_are_read_only () {
  local image=$mnt/monolithicSparse/snapshots/s1/disks/scsi0-0.img
  fails 'Read-only' bash -c "echo >> '$image'" \
    && fails 'Read-only' truncate -s 1 "$image" \
    && fails 'Read-only' rm -f "$image" \
    && fails 'not permitted' touch "${image%/*}/new"
}

open_image_pins_its_snapshot () {
  local s=$mnt/twoGbMaxExtentSparse/snapshots status pid
  exec 7<"$s/s2/disks/scsi0-0.img"
  fails 'busy' rmdir "$s/s2" && mv "$s/s2" "$s/renamed" \
    && fails 'busy' rmdir "$s/renamed" && mv "$s/renamed" "$s/s2"
  status=$?
  # Each command that inherited it has closed it: that it is closed for good
  # the kernel tells later, and a removal waits for that.
  rmdir "$s/s2" 7<&- &
  pid=$!
  within 5 grep -q remove "$mnt/.vixfs/jobs" || status=1
  exec 7<&-
  wait "$pid" && ((status == 0)) && [[ ! -e $s/s2 ]] \
    && cmp "$scratch/twoGbMaxExtentSparse.3.raw" "$s/s3/disks/scsi0-0.img" \
    && cmp "$scratch/twoGbMaxExtentSparse.1.raw" "$s/s1/disks/scsi0-0.img"
}

# Read in a loop while the same VM gets, loses and reverts to others.
reads_are_right_while_others_change () {
  local s=$mnt/monolithicSparse/snapshots reader i
  (
    for ((i = 0; i < 12; i++)); do
      cmp "$scratch/monolithicSparse.2.raw" "$s/s2/disks/scsi0-0.img" || exit 1
    done
  ) &
  reader=$!
  for ((i = 0; i < 6; i++)); do
    mkdir "$s/extra" && echo s1 >"${s%/*}/current" && rmdir "$s/extra" \
      && echo s4 >"${s%/*}/current" || return 1
  done
  rmdir "$s/s3" && rmdir "$s/s1" || return 1
  wait "$reader" \
    && cmp "$scratch/monolithicSparse.4.raw" "$s/s4/disks/scsi0-0.img" \
    && cmp "$scratch/monolithicSparse.0.raw" "$s/s0/disks/scsi0-0.img"
}

# A chain that is not whole: its image has a name, so that a backup does not
# miss it unseen, and every use of it fails; the log of warnings says why.
broken_chains_are_told () {
  local s=$mnt/twoGbMaxExtentFlat/snapshots name
  sed -i 's/^CID=.*/CID=12345678/' \
    "$vms/twoGbMaxExtentFlat/twoGbMaxExtentFlat.vmdk"
  remount_vms || return 1
  for name in s5/disks/scsi0-0.img s5/disks/scsi0-0.changes \
    s5/.since/s4/scsi0-0.img ../latest/disks/scsi0-0.img; do
    fails 'needs cleaning' stat "$s/$name" \
      && fails 'needs cleaning' cat "$s/$name" || return 1
  done
  same $'scsi0-0.changes\nscsi0-0.img' "$(ls "$s/s0/disks")" \
    && same $'scsi0-0.changes\nscsi0-0.img' "$(cd "$s/s5/disks" \
      && printf '%s\n' *)" \
    && fails 'needs cleaning' tar -cf /dev/null -C "$s/s5" disks \
    && grep -q 'cannot be read: .*made on content' "$scratch/mnt.err" \
    && cat "$s/s0/disks/scsi0-0.img" >/dev/null
}

# As root only; a container may not have the kernel's file.
readahead_is_raised () {
  local file
  file=/sys/class/bdi/$(mountpoint -d "$mnt")/read_ahead_kb
  [[ ! -w $file ]] || same 4096 "$(<"$file")"
}

# An entry of a grain table that leads out of the file: that grain is an error,
# the rest of the disk is read.
damage_is_an_error_where_it_is () {
  local file=$vms/hurt/hurt.vmdk image=$mnt/hurt/snapshots/s0/disks/scsi0-0.img
  make_vm hurt monolithicSparse 8M && within 30 test -d "$mnt/hurt" \
    && scribble_at hurt 0 && scribble_at hurt 1M || return 1
  snapshot_and_keep hurt 0 || return 1
  remount_vms || return 1
  python3 - "$file" "$image" "$scratch/hurt.0.raw" <<'P'
import errno, os, struct, sys
with open(sys.argv[1], "r+b") as disk:
    disk.seek(48)
    for directory in struct.unpack("<QQ", disk.read(16)):
        disk.seek(directory * 512)
        table = struct.unpack("<I", disk.read(4))[0]
        disk.seek(table * 512)
        disk.write(struct.pack("<I", 0x7fffffff))
raw = open(sys.argv[3], "rb").read()
fd = os.open(sys.argv[2], os.O_RDONLY)
try:
    os.pread(fd, 512, 0)
    assert False, "read"
except OSError as error:
    assert error.errno == errno.EUCLEAN, error
assert os.pread(fd, 4 << 20, 1 << 20) == raw[1 << 20:5 << 20]
P
}

# However often a walk comes by, the log says it once; user.vix.error has it.
# When the file is back, so is the image.
missing_files_are_told_once () {
  local file=$vms/hurt/hurt-000001.vmdk s=$mnt/hurt/snapshots i
  scribble_at hurt 5M && mkdir "$s/s1" && mv "$file" "$file.away" \
    && remount_vms || return 1
  for ((i = 0; i < 5; i++)); do
    fails 'needs cleaning' stat "$s/s1/disks/scsi0-0.img" \
      && fails 'needs cleaning' stat "$s/s1/disks/scsi0-0.changes" \
      && fails 'needs cleaning' cat "$s/s1/disks/scsi0-0.img" || return 1
  done
  same 1 "$(grep -c 'snapshot "s1": scsi0:0 cannot be read' "$scratch/mnt.err")" \
    && getfattr --only-values -n user.vix.error "$s" | grep -F "${file##*/}" \
    && mv "$file.away" "$file" && within 30 stat "$s/s1/disks/scsi0-0.img" \
    && cat "$s/s1/disks/scsi0-0.changes" >/dev/null
}

# In a directory that nothing of the VM is in, it takes no remount either.
parents_in_other_directories_come_back () {
  local s=$mnt/lent/snapshots store=$vms/store
  mkdir "$store" && make_vm lent monolithicSparse 8M \
    && mv "$vms/lent/lent.vmdk" "$store" \
    && (cd "$vms/lent" && qemu-img create -q -f vmdk -F vmdk \
      -b ../store/lent.vmdk lent.vmdk) \
    && within 30 test -d "$mnt/lent" && scribble_at lent 1M \
    && snapshot_and_keep lent 0 && mv "$store/lent.vmdk" "$store/away" \
    && remount_vms || return 1
  fails 'needs cleaning' stat "$s/s0/disks/scsi0-0.img" \
    && getfattr --only-values -n user.vix.error "$s" \
    | grep -F 'VIX_E_DISK_OPENPARENT' | grep -F '../store/lent.vmdk' \
    | grep -F 'put it back' && mv "$store/away" "$store/lent.vmdk" \
    && within 30 stat "$s/s0/disks/scsi0-0.img" \
    && cmp "$scratch/lent.0.raw" "$s/s0/disks/scsi0-0.img"
}

for kind in "${kinds[@]}"; do
  make_history "$kind" || exit 1
done
mount_vms || exit 1
check images-equal-the-chain images_equal_the_chain
check readahead-is-raised readahead_is_raised
check holes-are-holes holes_are_holes
check unchanged-disks-keep-their-times unchanged_disks_keep_their_times
check enlarged-disks-have-images enlarged_disks_have_images
check images-are-read-only images_are_read_only
check open-image-pins-its-snapshot open_image_pins_its_snapshot
check reads-are-right-while-others-change reads_are_right_while_others_change
check damage-is-an-error-where-it-is damage_is_an_error_where_it_is
check missing-files-are-told-once missing_files_are_told_once
check parents-in-other-directories-come-back \
  parents_in_other_directories_come_back
check broken-chains-are-told broken_chains_are_told
check it-unmounts stop_vixfs
finish
