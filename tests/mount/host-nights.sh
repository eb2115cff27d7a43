#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-nights.sh VIXFS esx|vcenter - nights of a backup on a network
# host, each in a mount of its own: a disk that nobody wrote to stays the same
# to whoever looks at latest/, whichever snapshots are removed by whomever.
# MAKE_DELTA names the program that writes what qemu-img cannot.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
# shellcheck source=tests/mount/host-chain.sh
. "$(dirname "$0")/host-chain.sh"
size=$((2 << 20))
web=vm00000
by_kind "${2:-esx}"
dc=$([[ $kind == esx ]] && echo ha-datacenter || echo DC0)
kept=$XDG_STATE_HOME/vixfs
leaf=0

# Both disks; of the first $store/rawN is what the guest has there after N.
make_disks () {
  local i
  for ((i = 0; i <= 6; i++)); do
    head -c "$size" /dev/urandom >"$store/raw$i" || return 1
  done
  write_link "$web" 0 0 vmfs "$store/raw0" "$store/raw0" 22220000 ffffffff \
    && write_link "$web" 1 0 vmfs "$store/raw0" "$store/raw0" 11110000 ffffffff
}

# night: a snapshot; then the guest writes to its first disk.
night () {
  mkdir "$s/nightly-$((leaf + 1))" || return 1
  leaf=$((leaf + 1))
  write_link "$web" 0 "$leaf" sesparse "$store/raw$((leaf - 1))" \
    "$store/raw$leaf" "2222000$leaf" "2222000$((leaf - 1))" \
    && write_link "$web" 1 "$leaf" sesparse "$store/raw0" "$store/raw0" \
      11110000 11110000
}

# The host merges what is above the base with it, of whose files these are the
# new ones. By the name of the snapshot after the one that goes.
stage () {
  "$MAKE_DELTA" vmfs "$store/$web.vmdk" "2222000$1" ffffffff "$web.vmdk" \
    "$store/raw$1" "$store/raw$1" \
    && put "$web.vmdk" --data-urlencode staged=1 \
    && put "$web-flat.vmdk" --data-urlencode staged=1
}

identity () { stat -c '%i %s %.Y %.Z' "$vm/latest/disks/scsi0-$1.img"; }
differs () { [[ $1 != "$2" ]] || { printf 'the same: %s\n' "$1"; return 1; }; }
content_is () { # NIGHT
  cmp "$store/raw$(($1 - 1))" "$vm/latest/disks/scsi0-0.img" \
    && cmp "$store/raw0" "$vm/latest/disks/scsi0-1.img"
}

# as_told NIGHT: the disk that nobody wrote to is what it was in the first one,
# the other is not what it was the last time.
as_told () {
  same "nightly-$1" "$(getfattr --only-values -n user.vix.name "$vm/latest")" \
    && content_is "$1" && same "$still" "$(identity 1)" \
    && differs "$moving" "$(identity 0)" && moving=$(identity 0)
}

remount () { stop_vixfs && mount_host a "$mnt" "$@"; }

first_night () {
  night && content_is 1 && still=$(identity 1) && moving=$(identity 0) \
    && [[ ! -e $kept ]]
}

removed_by_us () {
  remount && night && as_told 2 && stage 1 && rmdir "$s/nightly-1" \
    && within 20 test ! -e "$s/nightly-1" && remount && night && as_told 3
}

# No mount with `ro` changes anything on the host; it notes all the same, and
# what is noted is there when the program is killed.
removed_by_others () {
  remount -o ro && same "$still" "$(identity 1)" && stage 2 \
    && order a snapshot/remove vm="$web" snapshot=nightly-2 \
    && within 20 test ! -e "$s/nightly-2" && same "$still" "$(identity 1)" \
    && within 20 noted nightly-3 && killed && mount_host a \
    && same "$still" "$(identity 1)" && same "$moving" "$(identity 0)" \
    && content_is 3
}

noted () { # SNAPSHOT
  grep -q "^[0-9a-f]* $(info "$s/$1/info.json" 'a["id"]') " "$kept"/times-*
}

killed () {
  end_by_kill "${daemons[$mnt]}"
  wait "${daemons[$mnt]}" 2>/dev/null
  unset "daemons[$mnt]"
  fusermount3 -uz "$mnt" || umount -l "$mnt"
}

# Nobody has looked at the new snapshot when the old one goes.
removed_unseen () {
  remount && night && stage 3 && rmdir "$s/nightly-3" \
    && within 20 test ! -e "$s/nightly-3" && remount && as_told 4
}

# Of two mounts of one host each goes on from what the other noted.
two_mounts_agree () {
  mkdir -p "$scratch/second" && mount_host a "$scratch/second" && night \
    && within 20 test -e "${s/"$mnt"/"$scratch/second"}/nightly-5" \
    && as_told 5 \
    && same "$still" "$(stat -c '%i %s %.Y %.Z' \
      "${vm/"$mnt"/"$scratch/second"}/latest/disks/scsi0-1.img")" \
    && stop_vixfs "$scratch/second" && stage 4 && rmdir "$s/nightly-4" \
    && within 20 test ! -e "$s/nightly-4" && remount \
    && same "$still" "$(identity 1)"
}

# Only of what is there: the file does not grow night after night.
file_is_as_told () {
  same 700 "$(stat -c %a "$kept")" && same 600 "$(stat -c %a "$kept"/*)" \
    && within 20 lines_are 1 && noted nightly-5 && ! grep "$web" "$kept"/* \
    && same 1 "$(find "$kept" -type f | wc -l)"
}
lines_are () { same "$1" "$(cat "$kept"/times-* | wc -l)"; }

# A line that is torn is told of, and costs no other.
damage_is_told () {
  stop_vixfs && printf '123 4 5' >>"$(echo "$kept"/times-*)" && mount_host a \
    && same "$still" "$(identity 1)" \
    && grep 'times-.*: line 2 is damaged' "$scratch/mnt.err" \
    && grep 'times-.*: line 2 is damaged' "$mnt/.vixfs/log" \
    && within 20 lines_are 1
}

# Without the file the time is that of the oldest snapshot left.
without_a_file () {
  remount -o state=none && content_is 5 && differs "$still" "$(identity 1)" \
    && remount -o state= && differs "$still" "$(identity 1)" \
    && [[ ! -s $scratch/mnt.err ]]
}

# A mount works all the same where there is no place for it.
nowhere_to_write () {
  remount -o "state=$scratch/order.out/state" && night && as_told_but_once \
    && rmdir "$s/nightly-6" && within 20 test ! -e "$s/nightly-6" \
    && same 1 "$(grep -c 'will not outlast this mount' "$scratch/mnt.err")" \
    && same 1 "$(grep -c 'will not outlast this mount' "$mnt/.vixfs/log")"
}
as_told_but_once () { content_is 6 && differs "$still" "$(identity 1)"; }

host_sim a -kind "$kind" -vms 1 -disks 2 -disk-kb $((size >> 10)) || exit 1
make_disks || exit 1
mount_host a || exit 1
check first-night first_night
check removed-by-us removed_by_us
check removed-by-others removed_by_others
check removed-unseen removed_unseen
check two-mounts-agree two_mounts_agree
check file-is-as-told file_is_as_told
check damage-is-told damage_is_told
check without-a-file without_a_file
check nowhere-to-write nowhere_to_write
check it-unmounts stop_vixfs
finish
