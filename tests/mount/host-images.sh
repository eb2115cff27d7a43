#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-images.sh VIXFS - disks of a network host that are not as usual:
# independent ones, linked clones, hosts that tell less, files that the host
# does not give. MAKE_DELTA names the program that writes what qemu-img cannot.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
# shellcheck source=tests/mount/host-chain.sh
. "$(dirname "$0")/host-chain.sh"
size=$((8 << 20))
dc=ha-datacenter
vm=vm00000
golden='[LocalDS_1] golden'
snaps=$mnt/$vm/snapshots

# Two snapshots; between them the guest wrote on disk 0 only.
make_history () {
  local i n
  head -c "$size" /dev/urandom >"$store/raw0" && cp "$store/raw0" "$store/raw1" \
    && dd if=/dev/urandom of="$store/raw1" bs=64k seek=20 count=2 \
      conv=notrunc status=none || return 1
  for i in 0 1; do
    write_link "$vm" "$i" 0 vmfs "$store/raw0" "$store/raw0" 11110000 ffffffff \
      || return 1
  done
  for n in 0 1; do
    order a snapshot/create vm="$vm" name="s$n" \
      && write_link "$vm" 1 "$((n + 1))" sesparse "$store/raw0" \
        "$store/raw0" 11110000 11110000 || return 1
  done
  write_link "$vm" 0 1 sesparse "$store/raw0" "$store/raw1" 11110001 11110000 \
    && write_link "$vm" 0 2 sesparse "$store/raw1" "$store/raw1" 11110001 \
      11110001
}

image () { printf '%s/s%s/disks/scsi0-%s.img' "$snaps" "$1" "${2:-0}"; }

images_are_right () {
  cmp "$store/raw0" "$(image 0)" && cmp "$store/raw1" "$(image 1)" \
    && cmp "$store/raw0" "$(image 1 1)"
}

# The base of both disks is where other clones have it, too: on another
# datastore. What the parents' descriptors hint at is not looked at.
linked_clones_are_read () {
  local i file
  order a vm/set vm="$vm" base="$golden" || return 1
  for i in 0 1; do
    for file in "$(stem "$vm" "$i")"{,-flat}.vmdk; do
      put_at "$golden/$file" "$file" \
        && put "$file" --data-urlencode status=404 || return 1
    done
  done
  remount && images_are_right \
    && grep -q . "$snaps/s1/disks/scsi0-0.changes" \
    && cmp "$store/raw0" "$mnt/$vm/files/$vm-flat.vmdk"
}

# Without the host's names for contents the tables tell what changed.
nameless_contents_are_compared () {
  order a vm/set vm="$vm" content=none && remount && images_are_right \
    && same "$(stat -c '%.Y %.Z' "$(image 0 1)")" \
      "$(stat -c '%.Y %.Z' "$(image 1 1)")" \
    && ! same "$(stat -c %.Y "$(image 0)")" "$(stat -c %.Y "$(image 1)")" \
      >/dev/null
}

# They are no part of snapshots: neither an image nor its absence is an error.
independent_disks_are_left_out () {
  order a vm/set vm="$vm" independent=1 && remount \
    && same $'scsi0-0.changes\nscsi0-0.img' "$(ls "$snaps/s1/disks")" \
    && cmp "$store/raw1" "$(image 1)" \
    && order a vm/set vm="$vm" independent=none
}

# refused ERRNO TEXT: the image cannot be opened, which user.vix.error and the
# log explain, the log once however often it is tried.
refused () {
  local i
  remount || return 1
  ls -l "$snaps/s1/disks" >/dev/null || return 1
  for i in 1 2 3; do
    gives "$1" errno_of "open('$(image 1)').read(1)" \
      && gives "$1" errno_of "open('${snaps}/s1/disks/scsi0-0.changes').read(1)" \
      || return 1
  done
  xattr error "$snaps" | grep -F -- "$2" \
    && same 1 "$(grep -c 'scsi0:0 cannot be read' "$scratch/mnt.err")" \
    && grep -F 'cannot be read' "$scratch/mnt.err" | grep -F -- "$2" \
    && same 1 "$(grep -cF "$vm: snapshot \"s1\": scsi0:0 cannot be read: VIX_E_" \
      "$mnt/.vixfs/log")" \
    && cmp "$store/raw0" "$(image 1 1)"
}

# answering STATUS FILE COMMAND...: that is the host's answer to who asks for it
answering () {
  put "$2" --data-urlencode "status=$1" && "${@:3}"
  local status=$?
  put "$2" --data-urlencode status=200
  return $status
}

no_privilege_is_told () {
  order a set deny=Datastore.Browse || return 1
  remount && gives EACCES errno_of "open('$(image 1)').read(1)" \
    && xattr error "$mnt/$vm" | grep -F Datastore.Browse \
    && grep -F 'Datastore.Browse' "$scratch/mnt.err"
  local status=$?
  order a set deny=
  return $status
}

# The session lives, and files are refused as if it did not: it is renewed once
# for who asks, who is then told what to do.
refused_sessions_are_told () {
  local before
  put "$vm-000001-sesparse.vmdk" --data-urlencode status=401 && remount \
    && ls -l "$snaps/s1/disks" >/dev/null || return 1
  before=$(calls a Login)
  gives EACCES errno_of "open('$(image 1)').read(1)" \
    && same "$((before + 1))" "$(calls a Login)" \
    && xattr error "$snaps" | grep -F 'Datastore.Browse' \
    && grep 'scsi0:0 cannot be read.*HTTP status 401' "$scratch/mnt.err" \
    && cmp "$store/raw0" "$(image 1 1)" \
    && grep -q 'connected' "$mnt/.vixfs/hosts"
  local status=$?
  put "$vm-000001-sesparse.vmdk" --data-urlencode status=200
  ((status == 0)) && cmp "$store/raw1" "$(image 1)"
}

# Which files a VM has is not told: its disks are in what its snapshots'
# configurations say, and a walk is told why files/ is empty.
files_may_be_withheld () {
  order a set hide=layoutEx || return 1
  remount && images_are_right \
    && same $'scsi0-0.changes\nscsi0-0.img\nscsi0-1.changes\nscsi0-1.img' \
      "$(ls "$mnt/$vm/latest/disks")" \
    && same "$size" "$(($(stat -c '%b * 512' "$(image 0)")))" \
    && same "$(stat -c '%.Y %.Z' "$(image 0 1)")" \
      "$(stat -c '%.Y %.Z' "$(image 1 1)")" \
    && grep -q . "$snaps/s1/disks/scsi0-0.changes" \
    && cmp /dev/null "$snaps/s1/disks/scsi0-1.changes" \
    && [[ ! -s $scratch/mnt.err ]] \
    && same '' "$(find "$mnt/$vm/files" "$snaps/s1/files" -type f)" \
    && gives EACCES errno_of "open('$mnt/$vm/files/$vm.vmx').read(1)" \
    && xattr error "$mnt/$vm" | grep -F 'no layoutEx' \
    && same 1 "$(grep -c 'files cannot be read' "$scratch/mnt.err")" \
    && ! info "$snaps/s1/info.json" 'a["disks"]' 2>/dev/null
  local status=$?
  order a set hide=
  return $status
}

# Nor more than the newest file of each disk: the files' own hints lead on, to
# any datastore of the datacenter and no further.
heads_may_be_all_that_is_told () {
  order a vm/set vm="$vm" chain=head || return 1
  remount && images_are_right && hints_lead /vmfs/volumes/LocalDS_0/"$vm" \
    && hints_lead "../$vm" && hints_lead "../x/../$vm/." \
    && ! hints_lead "../../LocalDS_1/$vm" 2>/dev/null \
    && ! hints_lead /vmfs/volumes/LocalDS_7/"$vm" 2>/dev/null \
    && grep 'LocalDS_7/.* is on no datastore' "$scratch/mnt.err" \
    && ! hints_lead "/etc" 2>/dev/null && ! hints_lead '[LocalDS_0] x' 2>/dev/null
  local status=$?
  cp "$store/unhinted" "$store/$vm-000001.vmdk"
  order a vm/set vm="$vm" chain=all && return $status
}
hints_lead () { # DIRECTORY
  [[ -e $store/unhinted ]] || cp "$store/$vm-000001.vmdk" "$store/unhinted"
  sed "s|^parentFileNameHint=.*|parentFileNameHint=\"$1/$vm.vmdk\"|" \
    "$store/unhinted" >"$store/$vm-000001.vmdk"
  remount && cmp "$store/raw1" "$(image 1)"
}

# Nor the configurations: then nothing names the disks.
configurations_may_be_withheld () {
  order a set hide=layoutEx,config || return 1
  remount && fails '' ls "$snaps/s1/disks" \
    && xattr error "$snaps" | grep -F System.Read \
    && same 1 "$(grep -c 'disks cannot be read' "$scratch/mnt.err")"
  local status=$?
  order a set hide=
  return $status
}

# Their disks are objects: no file to be had, by whatever name.
object_stores_are_told () { # TYPE NAME
  order a datastore/set datastore=LocalDS_0 type="$1" \
    && answering 404 "$vm-000001-sesparse.vmdk" refused EOPNOTSUPP "a $2 datastore"
  local status=$?
  order a datastore/set datastore=LocalDS_0 type=VMFS
  return $status
}

# What a host lists is what files take on the datastore: of a thin disk less
# than it is long, of a small file on VMFS nothing.
thin_files_are_whole () {
  local files=$mnt/$vm/files flat=$vm-flat.vmdk other=${vm}_1-flat.vmdk
  put "$flat" --data-urlencode takes=65536 \
    && put "$other" --data-urlencode takes=4096 \
    && put "$vm.vmdk" --data-urlencode takes=0 && remount || return 1
  same "$size 128" "$(stat -c '%s %b' "$(image 0)")" \
    && cmp "$store/raw0" "$(image 0)" \
    && same '65536 128' "$(stat -c '%s %b' "$files/$flat")" \
    && cmp "$store/raw0" "$files/$flat" \
    && same "$size 128" "$(stat -c '%s %b' "$files/$flat")" \
    && cp --sparse=always "$files/$other" "$scratch/thin" \
    && cmp "$store/raw0" "$scratch/thin" \
    && same '0 0' "$(stat -c '%s %b' "$files/$vm.vmdk")" \
    && same "$(<"$store/$vm.vmdk")" "$(cat "$files/$vm.vmdk")" \
    && cmp "$store/$vm.vmdk" "$files/$vm.vmdk"
  local status=$?
  put "$flat" && put "$other" && put "$vm.vmdk" && return $status
}

# Where it can be read again, nothing is left of it.
all_is_well_again () {
  remount && images_are_right && [[ ! -s $scratch/mnt.err ]]
}

remount () { stop_vixfs && mount_host a; }

host_sim a -vms 1 -disks 2 -datastores 2 -disk-kb $((size >> 10)) || exit 1
make_history || exit 1
mount_host a || exit 1
check images-are-right images_are_right
check independent-disks-are-left-out independent_disks_are_left_out
check nameless-contents-are-compared nameless_contents_are_compared
check locked-files-are-busy answering 500 "$vm-000001-sesparse.vmdk" \
  refused EBUSY FILE_ALREADY_LOCKED
check missing-files-are-told answering 404 "$vm-000001-sesparse.vmdk" \
  refused EUCLEAN 'no such file'
check no-privilege-is-told no_privilege_is_told
check refused-sessions-are-told refused_sessions_are_told
check files-may-be-withheld files_may_be_withheld
check heads-may-be-all-that-is-told heads_may_be_all_that_is_told
check configurations-may-be-withheld configurations_may_be_withheld
check vsan-is-told object_stores_are_told vsan vSAN
check vvol-is-told object_stores_are_told VVOL vVol
check thin-files-are-whole thin_files_are_whole
check all-is-well-again all_is_well_again
check linked-clones-are-read linked_clones_are_read
check it-unmounts stop_vixfs
finish
