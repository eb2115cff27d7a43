#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: walk.sh VIXFS - the tools that walk trees end well on ours.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

inodes () { find "$mnt" -printf '%i %P\n' | sort; }

# An object has one inode number; two objects have two. (A file in a
# snapshot's files/ is the same object as in the VM's.)
inodes_are_unique () {
  same '' "$(find "$mnt" ! -path '*/files/*' -printf '%i\n' | sort | uniq -d)"
}

inodes_are_stable () {
  local before
  before=$(inodes)
  remount_vms && same "$before" "$(inodes)"
}

listing_and_stat_agree () {
  # d_ino of readdir, st_ino of stat
  find "$mnt" -mindepth 1 -printf '%i %p\n' | while read -r ino path; do
    same "$(stat -c %i "$path")" "$ino" || exit 1
  done
}

tar_copies () {
  tar -C "$mnt" -cf "$scratch/all.tar" . \
    && tar -C "$mnt" -df "$scratch/all.tar"
}

cp_copies () { cp -a "$mnt" "$scratch/cp" && diff -r "$mnt" "$scratch/cp"; }

rsync_copies () {
  rsync -a "$mnt/" "$scratch/rsync/" \
    && same '' "$(rsync -ain "$mnt/" "$scratch/rsync/")"
}

xattrs_can_be_dumped () {
  local out
  out=$(getfattr -dR "$mnt" 2>&1) || return 1
  grep -q 'user.vix.name="before"' <<<"$out"
}

walks () { "$@" >/dev/null; }

# No request reaches the daemon on a second walk. (In latest/disks a name may
# come to mean something else: the kernel asks each time.)
warm_walk_asks_nothing () {
  local before after
  find "$mnt" -printf '%s\n' >/dev/null
  before=$(requests)
  find "$mnt" >/dev/null
  find "$mnt" ! -path '*/latest/disks/*' -printf '%s\n' >/dev/null
  after=$(requests)
  # Reading the counters is itself a lookup or two, an open and some reads.
  ((after - before <= 12)) || { echo "$((after - before)) requests"; return 1; }
}
requests () {
  awk '/^vixfs_requests_total/ { n += $2 } END { print n }' \
    "$mnt/.vixfs/stats"
}

set_age () { # VM INDEX DAYS
  local us=$((($(date +%s) - $3 * 86400) * 1000000)) low
  low=$((us & 0xffffffff))
  ((low < 0x80000000)) || low=$((low - 0x100000000))
  sed "s/^snapshot$2.createTimeHigh = .*/snapshot$2.createTimeHigh = \"$((us >> 32))\"/
s/^snapshot$2.createTimeLow = .*/snapshot$2.createTimeLow = \"$low\"/" \
    "$vms/$1/$1.vmsd" >"$scratch/new"
  mv "$scratch/new" "$vms/$1/$1.vmsd"
}

old_ones_are_shown_old () {
  same 2 "$(find "$mnt" -path '*/snapshots/*' -prune -mtime +3 | wc -l)"
}

find_removes_the_old_only () {
  set_age web 0 10
  set_age db 0 5
  set_age db 1 2
  within 30 old_ones_are_shown_old || return 1
  find "$mnt" -path '*/snapshots/*' -prune -mtime +3 -exec rmdir {} + \
    && same after "$(ls "$mnt/web/snapshots")" \
    && same after "$(ls "$mnt/db/snapshots")" \
    && same 'after before' "$(ls "$mnt/flat/snapshots" | paste -sd' ')"
}

broken_vms_break_no_listing () {
  mkdir "$vms/broken" "$vms/locked"
  printf '\0\1\2' >"$vms/broken/broken.vmx"
  make_vm dangling
  rm "$vms/dangling/dangling.vmdk"
  make_vm badsnap
  printf 'snapshot.numSnapshots = "99999999"\nsnapshot0.uid = "x"\n' \
    >"$vms/badsnap/badsnap.vmsd"
  within 30 [ -e "$mnt/badsnap/info.json" ] || return 1
  ls -lR "$mnt" >/dev/null && tar -C "$mnt" -cf /dev/null . \
    && fails '' mkdir "$mnt/dangling/snapshots/x" \
    && fails '' mkdir "$mnt/badsnap/snapshots/x" \
    && getfattr --only-values -n user.vix.error "$mnt/dangling/snapshots" \
    | grep -q dangling.vmdk \
    && getfattr --only-values -n user.vix.error "$mnt/badsnap/snapshots" \
    | grep -q badsnap.vmsd
}

make_vm web && make_vm db twoGbMaxExtentSparse 4M 2 \
  && make_vm flat monolithicFlat && mount_vms || exit 1
for vm in web db flat; do
  mkdir "$mnt/$vm/snapshots/before" "$mnt/$vm/snapshots/after" || exit 1
done
check find-ends-well walks find "$mnt"
check ls-lR-ends-well walks ls -lR "$mnt"
check ls-lAR-ends-well walks ls -lAR "$mnt"
check tar-copies tar_copies
check cp-a-copies cp_copies
check rsync-a-copies rsync_copies
check getfattr-dR-ends-well xattrs_can_be_dumped
check inode-numbers-are-unique inodes_are_unique
check inode-numbers-are-stable inodes_are_stable
check listing-and-stat-agree listing_and_stat_agree
check a-warm-walk-asks-nothing in_three warm_walk_asks_nothing
check find-removes-the-old-only find_removes_the_old_only
check broken-vms-break-no-listing broken_vms_break_no_listing
check it-unmounts stop_vixfs
finish
