#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: shells.sh VIXFS - a hundred shells make and remove snapshots on twenty
# VMs at once, for VIXFS_SHELLS_SECONDS (20): no error but the documented ones,
# nothing lost or torn, nothing leaked.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

seconds=${VIXFS_SHELLS_SECONDS:-20}
shells=100 n_vms=20

# One shell: its own names, and names that five shells fight over. What it is
# told goes to a file of its own: programs write a message in several pieces.
one_shell () { # NUMBER
  local s=$mnt/vm$(($1 % n_vms))/snapshots i=0 end=$((SECONDS + seconds)) name
  local errors=$scratch/errors.$1
  while ((SECONDS < end)); do
    i=$((i + 1))
    name=own-$1
    ((RANDOM % 3)) || name=shared-$((RANDOM % 2))
    if mkdir "$s/$name" 2>>"$errors"; then
      [[ -d $s/$name/files || $name != own-* ]] \
        || echo "made but not there: $s/$name" >>"$scratch/broken"
      ((RANDOM % 4)) || ls -l "$s" >/dev/null 2>&1
      rmdir "$s/$name" 2>>"$errors" || [[ $name != own-* ]] \
        || echo "not removed: $s/$name" >>"$scratch/broken"
    elif [[ $name == own-* ]]; then
      echo "not made: $s/$name" >>"$scratch/broken"
    fi
  done
  echo "$i" >>"$scratch/rounds"
}

descriptors () { find "/proc/${daemons[$mnt]}/fd" | wc -l; }
handles () { awk '/^vixfs_handles / { print $2 }' "$mnt/.vixfs/stats"; }

all_at_once () {
  local i pids=()
  rm -f "$scratch"/errors.*
  : >"$scratch/broken"
  for ((i = 0; i < shells; i++)); do
    one_shell "$i" &
    pids+=($!)
  done
  wait "${pids[@]}"
  cat "$scratch"/errors.* >"$scratch/errors"
  [[ $(wc -l <"$scratch/rounds") == "$shells" ]] || return 1
  awk '{ n += $1 } END { print "# " n " rounds" }' "$scratch/rounds"
  [[ ! -s $scratch/broken ]] || { sort "$scratch/broken" | uniq -c | head; return 1; }
}

only_documented_errors () {
  # Fights over a name: EEXIST for the second, ENOENT for the late remover.
  same '' "$(grep -v -e 'shared-.*File exists' \
    -e 'shared-.*No such file or directory' "$scratch/errors" | head)"
}

nothing_is_torn () {
  local i left
  for ((i = 0; i < n_vms; i++)); do
    for left in "$mnt/vm$i/snapshots"/*; do
      [[ ! -d $left ]] || rmdir "$left" || return 1
    done
    same '' "$(ls "$mnt/vm$i/snapshots")" && within 30 whole "vm$i" || return 1
    # One disk, its base, is all that is left, and empty as at the start.
    same "vm$i.vmdk" "$(cd "$vms/vm$i" && ls -- *.vmdk)" || return 1
    qemu-img compare -q -f vmdk -F raw "$vms/vm$i/vm$i.vmdk" \
      "$scratch/zero.img" || return 1
  done
}

no_more_descriptors () {
  local now
  now=$(descriptors)
  ((now <= descriptors_before)) \
    || { echo "$descriptors_before descriptors, now $now"; return 1; }
}
as_many_handles () { same "$handles_before" "$(handles)"; }

nothing_is_leaked () {
  # The kernel's caches and malloc's arenas settle; descriptors do not leak.
  local now
  within 30 no_more_descriptors && within 30 as_many_handles || return 1
  now=$(memory_kib)
  # Sanitizers keep what was freed in quarantine.
  grep -qz ASAN <(printenv -0) || ldd "$vixfs" | grep -q 'asan\|tsan' \
    || ((now <= memory_before + 24576)) \
    || { echo "$memory_before KiB, now $now"; return 1; }
}

for ((v = 0; v < n_vms; v++)); do
  make_vm "vm$v" monolithicSparse 1M || exit 1
done
truncate -s 1M "$scratch/zero.img"
mount_vms || exit 1
# What a hundred at once need, threads above all, is no leak: they come once
# before anything is measured.
full=$seconds
seconds=6
all_at_once >/dev/null
seconds=$full
rm -f "$scratch/rounds"
ls -lR "$mnt" >/dev/null
within 30 no_jobs || exit 1
descriptors_before=$(descriptors) memory_before=$(memory_kib)
handles_before=$(handles)
check a-hundred-shells-at-once all_at_once
check only-documented-errors only_documented_errors
check nothing-is-torn nothing_is_torn
check nothing-is-leaked nothing_is_leaked
check it-unmounts stop_vixfs
finish
