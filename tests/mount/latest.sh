#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: latest.sh VIXFS - VM/latest: the newest snapshot under one path, and
# backup programs that know by it what did not change.
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/mount/tools.sh
. "$(dirname "$0")/tools.sh"

size=$((16 << 20))
quiet=0 # nights in which nothing was written

now_disk () { # NUMBER
  sed -n "s/^scsi0:$1\.fileName = \"\(.*\)\"\r\?$/\1/p" "$vms/web/web.vmx"
}

write_disk () { # NUMBER VALUE: 64 KiB of it somewhere
  qemu-io -f vmdk -c "write -P $2 $(($2 * 65536)) 64k" \
    "$vms/web/$(now_disk "$1")" >/dev/null
}

# A night later: another snapshot, and the clock has gone on.
night () { # NAME
  sleep 0.05
  mkdir "$mnt/web/snapshots/$1"
}

identity () { # FILE...: by what programs know that a file did not change
  stat -c '%i %s %b %.9Y %.9Z' "$@"
}

it_comes_with_the_first () {
  local without=$'current\nfiles\ninfo.json\npower\nsnapshots'
  local with=$'current\nfiles\ninfo.json\nlatest\npower\nsnapshots'
  fails 'No such file' ls "$mnt/web/latest" \
    && same "$without" "$(ls "$mnt/web")" && night first && [[ -d $mnt/web/latest ]] \
    && same "$with" "$(ls "$mnt/web")" \
    && same "$(ls "$mnt/web/snapshots/first")" "$(ls "$mnt/web/latest")" \
    && rmdir "$mnt/web/snapshots/first" \
    && fails 'No such file' ls "$mnt/web/latest" \
    && same "$without" "$(ls "$mnt/web")"
}

it_is_the_newest () {
  write_disk 0 1 && night one && write_disk 0 2 && night two || return 1
  diff -r "$mnt/web/snapshots/two/disks" "$mnt/web/latest/disks" \
    && diff -r "$mnt/web/snapshots/two/files" "$mnt/web/latest/files" \
    && cmp "$mnt/web/snapshots/two/config.vmx" "$mnt/web/latest/config.vmx" \
    && grep -q '"name": "two"' "$mnt/web/latest/info.json" \
    && same '../snapshots/one' "$(readlink "$mnt/web/latest/parent")" \
    && grep -q '"name": "one"' "$mnt/web/latest/parent/info.json" \
    && same '"two"' "$(getfattr -n user.vix.name "$mnt/web/latest" 2>/dev/null \
      | sed -n 's/^user.vix.name=//p')"
}

# Reverting moves the current snapshot; the newest stays the newest.
reverting_changes_nothing () {
  echo one >"$mnt/web/current" \
    && grep -q '"name": "two"' "$mnt/web/latest/info.json" \
    && echo two >"$mnt/web/current"
}

# Whoever made a snapshot finds it there at once, whatever was asked before.
it_changes_at_once () {
  python3 - "$mnt/web" <<'P'
import json, os, sys
vm = sys.argv[1]
for i in range(30):
    name = f'quick-{i}'
    os.mkdir(f'{vm}/snapshots/{name}')
    got = json.load(open(f'{vm}/latest/info.json'))['name']
    assert got == name, (got, name)
    assert os.listdir(f'{vm}/latest/disks')
for i in reversed(range(30)):
    os.rmdir(f'{vm}/snapshots/quick-{i}')
    got = json.load(open(f'{vm}/latest/info.json'))['name']
    assert got == (f'quick-{i - 1}' if i else 'two'), (got, i)
P
}

inodes () { find "$mnt/web/latest" ! -path '*/files/*' -printf '%i %P\n' | sort; }

inodes_never_change () {
  local before after
  before=$(inodes)
  write_disk 0 3 && night three && after=$(inodes) && same "$before" "$after" \
    && remount_vms && same "$before" "$(inodes)"
}

# Disk 1 has not been written to since the first night.
unchanged_disks_stay_the_same () {
  local disks=$mnt/web/latest/disks one two bytes
  one=$(identity "$disks/scsi0-1.img") two=$(identity "$disks/scsi0-0.img")
  # Not even asked for: the kernel still has their pages.
  in_three pages_outlast_a_night "$disks" \
    && same "$one" "$(identity "$disks/scsi0-1.img")" \
    && same "$two" "$(identity "$disks/scsi0-0.img")" || return 1
  write_disk 0 5 && night five && same "$one" "$(identity "$disks/scsi0-1.img")" \
    && ! same "$two" "$(identity "$disks/scsi0-0.img")" >/dev/null || return 1
  same "${two%% *}" "$(stat -c %i "$disks/scsi0-0.img")" || return 1
  bytes=$(image_bytes)
  cat "$disks/scsi0-0.img" >/dev/null
  so_much "$size" $(($(image_bytes) - bytes)) \
    && cmp "$disks/scsi0-0.img" "$mnt/web/snapshots/five/disks/scsi0-0.img"
}
pages_outlast_a_night () { # DIRECTORY
  local bytes
  cat "$1"/*.img >/dev/null
  bytes=$(image_bytes)
  night "four-$((quiet += 1))" && cat "$1"/*.img >/dev/null \
    && so_much 0 $(($(image_bytes) - bytes))
}

# Nightly snapshots are kept for a while: with the oldest goes the one that an
# unchanged disk has its time from, but not the time.
times_outlast_their_snapshots () {
  local s=$mnt/web/snapshots image=$mnt/web/latest/disks/scsi0-1.img before name
  before=$(identity "$image")
  for name in one two three; do
    rmdir "$s/$name" && same "$before" "$(identity "$image")" \
      && night "after-$name" && same "$before" "$(identity "$image")" \
      && same "${before#* }" \
        "$(identity "$s/after-$name/disks/scsi0-1.img" | cut -d' ' -f2-)" \
      || return 1
  done
}

# The next mount knows it, too: who removed it left the time with its children.
# A disk that was written to is another all the same.
times_outlast_the_mount () {
  local s=$mnt/web/snapshots image=$mnt/web/latest/disks/scsi0-1.img before name
  before=$(identity "$image")
  for name in after-one after-two; do
    rmdir "$s/$name" && remount_vms && same "$before" "$(identity "$image")" \
      && night "later-$name" && remount_vms \
      && same "$before" "$(identity "$image")" || return 1
  done
  for name in after-three later-after-one; do
    rmdir "$s/$name" && remount_vms && same "$before" "$(identity "$image")" \
      || return 1
  done
  write_disk 1 7 && night later && ! same "$before" "$(identity "$image")" \
    >/dev/null && same "${before%% *}" "$(stat -c %i "$image")" \
    && before=$(identity "$image") && rmdir "$s/later-after-two" && remount_vms \
    && same "$before" "$(identity "$image")" \
    && notes_are_of_what_is_there
}
notes_are_of_what_is_there () {
  local uid n=0
  while read -r uid; do
    n=$((n + 1))
    grep -q "^snapshot[0-9]*\.uid = \"$uid\"" "$vms/web/web.vmsd" || return 1
  done < <(sed -n 's/^vixfs\.\([0-9]*\)\..*/\1/p' "$vms/web/web.vmsd")
  ((n > 0))
}

# What is open stays what it was, beside who opens it anew.
open_files_stay () {
  local s=$mnt/web/snapshots status
  exec 7<"$mnt/web/latest/disks/scsi0-0.img"
  head -c 1M <&7 >"$scratch/old"
  write_disk 0 6 && night six && cmp "$s/six/disks/scsi0-0.img" \
    "$mnt/web/latest/disks/scsi0-0.img" && cat <&7 >>"$scratch/old" \
    && cmp "$scratch/old" "$s/five/disks/scsi0-0.img" \
    && cmp "$s/six/disks/scsi0-0.img" "$mnt/web/latest/disks/scsi0-0.img" \
    && fails busy rmdir "$s/five"
  status=$?
  exec 7<&-
  return $status
}

# Who is inside has the newest there, too.
working_directories_follow () (
  cd "$mnt/web/latest" || exit 1
  cat config.vmx >/dev/null && night seven \
    && grep -q '"name": "seven"' info.json \
    && same '../snapshots/six' "$(readlink parent)" \
    && cmp "$mnt/web/snapshots/seven/config.vmx" config.vmx \
    && same "$(stat -c '%s %.9Y' "$mnt/web/snapshots/seven/config.vmx")" \
      "$(stat -c '%s %.9Y' config.vmx)" \
    && cmp "$mnt/web/snapshots/seven/disks/scsi0-0.img" disks/scsi0-0.img
)

it_is_read_only () {
  local latest=$mnt/web/latest
  fails 'Read-only' bash -c "echo x >'$latest/description'" \
    && fails '' setfattr -n user.vix.description -v x "$latest" \
    && fails 'Read-only' rmdir "$latest/disks" \
    && fails 'Read-only' rm -f "$latest/info.json" \
    && fails 'not permitted' rmdir "$latest" \
    && fails 'not permitted' mkdir "$latest/new"
}

others_snapshots_show () {
  cp "$vms/web/web.vmsd" "$scratch/vmsd"
  sed -i 's/displayName = "seven"/displayName = "elsewhere"/' "$vms/web/web.vmsd"
  within 30 grep -q '"name": "elsewhere"' "$mnt/web/latest/info.json"
  local status=$?
  cp "$scratch/vmsd" "$vms/web/web.vmsd"
  within 30 grep -q '"name": "seven"' "$mnt/web/latest/info.json" && return $status
}

with_restic () { restic -q -r "$scratch/restic" "$@"; }
restic_backup () { with_restic backup "$mnt/web/latest"; }

restic_reads_what_changed () {
  with_restic init && reads $((2 * size)) restic_backup \
    && night r1 && reads 0 restic_backup \
    && write_disk 1 9 && night r2 && reads "$size" restic_backup \
    && with_restic restore latest --target "$scratch/restored" \
    && diff -r "$mnt/web/latest/disks" "$scratch/restored/$mnt/web/latest/disks"
}

borg_backup () {
  borg create --sparse "$scratch/borg::$1" "$mnt/web/latest"
}

borg_reads_what_changed () {
  borg init -e none "$scratch/borg" && reads $((2 * size)) borg_backup one \
    && night b1 && reads 0 borg_backup two \
    && write_disk 0 11 && night b2 && reads "$size" borg_backup three
}

make_vm web monolithicSparse 16M 2 && mount_vms || exit 1
check it-comes-with-the-first it_comes_with_the_first
check it-is-the-newest it_is_the_newest
check reverting-changes-nothing reverting_changes_nothing
check it-changes-at-once it_changes_at_once
check inodes-never-change inodes_never_change
check unchanged-disks-stay-the-same unchanged_disks_stay_the_same
check times-outlast-their-snapshots times_outlast_their_snapshots
check times-outlast-the-mount times_outlast_the_mount
check open-files-stay open_files_stay
check working-directories-follow working_directories_follow
check it-is-read-only it_is_read_only
check others-snapshots-show others_snapshots_show
check restic-reads-what-changed restic_reads_what_changed
check borg-reads-what-changed borg_reads_what_changed
check it-unmounts stop_vixfs
finish
