#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-disks.sh VIXFS esx|vcenter - disks, files and config.vmx of the
# snapshots of a network host: a chain as hosts keep it lies in the simulator's
# datastore, qemu-img judges what is read of it, and meanwhile everything that
# can happen to a host and its snapshots happens. MAKE_DELTA names the program
# that writes what qemu-img cannot.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
# shellcheck source=tests/mount/host-chain.sh
. "$(dirname "$0")/host-chain.sh"
kind=${2:-esx}
size=$((24 << 20))

# What the guest's disk held, N after N: it wrote here and there.
make_raw () {
  python3 - "$store" "$size" <<'P'
import random, sys
store, size = sys.argv[1], int(sys.argv[2])
r = random.Random(5)
data = bytearray(size)
for n in range(4):
    for _ in range(12):
        n_bytes = r.randrange(1, 300) * 512
        at = r.randrange((size - n_bytes) // 512) * 512
        data[at:at + n_bytes] = r.randbytes(n_bytes)
    open(f'{store}/raw{n}', 'wb').write(data)
P
}

# link VM DISK N KIND: what was written from N - 1 to N.
link () {
  write_link "$@" "$store/raw$(($3 - 1))" "$store/raw$3" \
    "$(printf %x $((0x11110000 + $3)))" "$(printf %x $((0x11110000 + $3 - 1)))"
}

# A chain of three snapshots on disk 0, while disk 1 gets nothing after its
# base: as a host has it after a night.
make_history () {
  local i
  make_raw || return 1
  cp "$store/raw0" "$store/raw-1"
  link "$vm" 0 0 vmfs && link "$vm" 1 0 vmfs || return 1
  for ((i = 0; i < 3; i++)); do
    order a snapshot/create vm="$vm" name="s$i" || return 1
    link "$vm" 0 "$((i + 1))" "$([[ $i == 1 ]] && echo cowd || echo sesparse)" \
      || return 1
    # Nothing was written: the same content, by the same name.
    write_link "$vm" 1 "$((i + 1))" sesparse "$store/raw0" "$store/raw0" \
      11110000 11110000 || return 1
  done
}

image () { printf '%s/s%s/disks/scsi0-%s.img' "$snaps" "$1" "${2:-0}"; }

images_equal_the_chain () {
  local i name
  for ((i = 0; i < 3; i++)); do
    name=$vm$( ((i)) && printf -- '-%06d' "$i").vmdk
    qemu-img convert -O raw "$store/$name" "$scratch/judge.raw" \
      && cmp "$store/raw$i" "$scratch/judge.raw" \
      && cmp "$store/raw$i" "$(image "$i")" \
      && cmp "$store/raw0" "$(image "$i" 1)" || return 1
  done
}

tools_copy_it () {
  local out=$scratch/out want=$store/raw2
  mkdir "$out"
  same "$(sha256sum <"$want")" "$(sha256sum <"$(image 2)")" \
    && cp --sparse=always "$(image 2)" "$out/cp" && cmp "$want" "$out/cp" \
    && rsync -S "$(image 2)" "$out/rsync" && cmp "$want" "$out/rsync" \
    && tar -C "$snaps/s2/disks" -cSf "$out/tar" scsi0-0.img \
    && tar -C "$out" -xSf "$out/tar" && cmp "$want" "$out/scsi0-0.img" \
    && qemu-img compare -q -f raw -F raw "$want" "$(image 2)"
  local status=$?
  rm -rf --one-file-system "$out"
  return $status
}

facts_are_true () {
  local i
  for i in 0 1 2; do
    holes_are_zeros "$(image "$i")" || return 1
  done
  same "$size" "$(stat -c %s "$(image 0)")" \
    && (($(stat -c %b "$(image 2)") * 512 <= size)) \
    && same scsi0-0.img,scsi0-1.img \
      "$(cd "$snaps/s1/disks" && printf '%s\n' *.img | paste -sd,)" \
    && fails 'Read-only' truncate -s 1 "$(image 0)"
}

# What is a hole reads as zeros, and no more is data than st_blocks tells.
holes_are_zeros () {
  python3 - "$1" <<'P'
import os, sys
fd, at, held = os.open(sys.argv[1], os.O_RDONLY), 0, 0
size, blocks = os.fstat(fd).st_size, os.fstat(fd).st_blocks
while at < size:
    data = at if os.lseek(fd, at, os.SEEK_HOLE) > at \
        else os.lseek(fd, at, os.SEEK_DATA)
    assert not any(os.pread(fd, data - at, at)), at
    at = os.lseek(fd, data, os.SEEK_HOLE)
    held += at - data
assert 0 < held <= blocks * 512, (held, blocks)
P
}

unchanged_disks_keep_their_times () {
  same "$(stat -c '%.Y %.Z' "$(image 0 1)")" "$(stat -c '%.Y %.Z' \
    "$(image 2 1)")" && ! same "$(stat -c %.Y "$(image 1)")" \
    "$(stat -c %.Y "$(image 2)")" >/dev/null
}

# The ranges that a delta's own tables tell; of nothing written, none.
changes_are_exact () {
  python3 - "$store/raw1" "$store/raw2" "$snaps/s2/disks/scsi0-0.changes" <<'P' \
    && same '' "$(cat "$snaps/s2/disks/scsi0-1.changes")"
import sys
old, new = (bytearray(open(f, 'rb').read()) for f in sys.argv[1:3])
lines = [tuple(map(int, l.split())) for l in open(sys.argv[3])]
assert lines and sum(n for _, n in lines) < len(new) // 2, lines
for at, n in lines:
    old[at:at + n] = new[at:at + n]
assert old == new
P
}

walking_again_asks_nothing () {
  local before
  find "$mnt" -type f -printf '%s\n' >"$scratch/walk1"
  before=$(calls a RetrievePropertiesEx RetrieveProperties)
  find "$mnt" -type f -printf '%s\n' >"$scratch/walk2"
  cmp "$scratch/walk1" "$scratch/walk2" \
    && same "$before" "$(calls a RetrievePropertiesEx RetrieveProperties)"
}

# Of each pair; a write may touch one grain more than it fills.
differences_are_right () {
  python3 "$(dirname "$0")/judge-changes.py" "$snaps" \
    $((12 * (300 * 512 + 8192)))
}

latest_is_the_newest () {
  cmp "$store/raw2" "$top/latest/disks/scsi0-0.img" \
    && cmp "$store/raw0" "$top/latest/disks/scsi0-1.img" \
    && same "$(stat -c '%s %.Y' "$(image 0 1)")" \
      "$(stat -c '%s %.Y' "$top/latest/disks/scsi0-1.img")"
}

files_are_read () {
  cmp "$store/$vm.vmdk" "$top/files/$vm.vmdk" \
    && cmp "$store/raw0" "$snaps/s0/files/$vm-flat.vmdk" \
    && grep -q '^displayName' "$top/files/$vm.vmx"
}

config_is_of_the_snapshot () {
  local file=$snaps/s1/config.vmx
  same "$(stat -c %s "$file")" "$(wc -c <"$file")" \
    && grep -qx "displayName = \"$vm\"" "$file" \
    && grep -qx "scsi0:0.fileName = \"$vm-000001.vmdk\"" "$file" \
    && grep -qx 'scsi0.virtualDev = "pvscsi"' "$file" \
    && grep -q '^memSize = ' "$file"
}

what_a_running_vm_holds_is_busy () {
  order a power vm="$vm" state=on || return 1
  within 30 test -e "$top/files/$vm.vswp" \
    && gives EBUSY errno_of "open('$top/files/$vm-000003-sesparse.vmdk').read()" \
    && gives EBUSY errno_of "open('$top/files/$vm.vswp').read()" \
    && cmp "$store/raw2" "$(image 2)" \
    && cmp "$store/$vm-000001-sesparse.vmdk" "$top/files/$vm-000001-sesparse.vmdk"
  local status=$?
  order a power vm="$vm" state=off
  return $status
}

# Nothing is known then, and no page cached.
fresh_mount () { stop_vixfs && mount_again; }

# in_the_middle COMMAND...: of a copy it happens; the copy is right.
in_the_middle () {
  local pid status
  fresh_mount || return 1
  slow_copy "$(image 2)" "$scratch/copy" &
  pid=$!
  within 30 begun "$pid" && "$@"
  status=$?
  ((status == 0)) || kill "$pid"
  wait "$pid" && ((status == 0)) && cmp "$store/raw2" "$scratch/copy"
  status=$?
  rm -f "$scratch/copy"
  return $status
}

# The same of cp itself, which the host lets wait with halves of answers.
cp_in_the_middle () {
  local pid status
  fresh_mount && tail -c 4096 "$(image 2)" >/dev/null \
    && order p rule method=folder skip=1 times=0 action=stall || return 1
  cp --sparse=always "$(image 2)" "$scratch/copy" &
  pid=$!
  within 30 was_asked p 1 && kill -0 "$pid" && "$@"
  status=$?
  order p clear
  wait "$pid" && ((status == 0)) && cmp "$store/raw2" "$scratch/copy"
  status=$?
  rm -f "$scratch/copy" "$scratch/happened"
  return $status
}

begun () { ! kill -0 "$1" 2>/dev/null || test -s "$scratch/copy"; }

# Piece by piece for as long as the test does not say that it happened.
slow_copy () {
  python3 - "$1" "$2" "$scratch/happened" <<'P'
import os, sys, time
source, target, happened = sys.argv[1:]
with open(source, 'rb', buffering=0) as a, open(target, 'wb') as b:
    os.posix_fadvise(a.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
    while True:
        data = a.read(1 << 18)
        if not data:
            break
        b.write(data)
        b.flush()
        end = time.monotonic() + 60
        while b.tell() == 1 << 20 and not os.path.exists(happened) \
                and time.monotonic() < end:
            time.sleep(0.02)
os.unlink(happened)
P
}

it_happened () { touch "$scratch/happened"; }
expired () { order a session/expire && it_happened; }
restarted () { order a restart down=1500 starting=500 && it_happened; }
cut_off () {
  host_ctl "$(of p CONTROL)" down >/dev/null || return 1
  it_happened
  sleep 10
  host_ctl "$(of p CONTROL)" up >/dev/null
}
# Another client takes snapshots away below and above, and makes new ones.
others_changed () {
  order a snapshot/create vm="$vm" name=other \
    && order a snapshot/remove vm="$vm" snapshot=other \
    && gives EBUSY rmdir_errno "$snaps/s2" \
    && order a snapshot/revert vm="$vm" snapshot=s2 \
    && it_happened
}
# The host merges s1's file with s2's and calls the result as s1's was.
merged_below () {
  cp "$store/$vm-000002.vmdk" "$store/saved.vmdk"
  "$MAKE_DELTA" sesparse "$store/$vm-000001.vmdk" 11110002 11110000 \
    "$vm.vmdk" "$store/raw0" "$store/raw2" \
    && put "$vm-000001.vmdk" --data-urlencode staged=1 \
    && put "$vm-000001-sesparse.vmdk" --data-urlencode staged=1 \
    && order a snapshot/remove vm="$vm" snapshot=s1 && it_happened
}

# The host's news of what it does come late: files that do not fit what is known
# are met before.
with_late_news () {
  host_ctl "$(of p CONTROL)" rule method=WaitForUpdatesEx action=delay-answer \
    ms=1500 times=0 >"$scratch/rule" || return 1
  "$@"
  local status=$?
  host_ctl "$(of p CONTROL)" clear >/dev/null
  within 30 test ! -e "$snaps/s1" && return $status
}

# A branch beside what is left of the others, of whose middle one was removed:
# what differs goes through the ancestor of both.
branches_are_compared () {
  local i old name before
  python3 - "$store" "$size" <<'P' || return 1
import random, sys
store, size = sys.argv[1], int(sys.argv[2])
r = random.Random(7)
data = bytearray(open(f'{store}/raw0', 'rb').read())
for _ in range(12):
    n_bytes = r.randrange(1, 300) * 512
    at = r.randrange((size - n_bytes) // 512) * 512
    data[at:at + n_bytes] = r.randbytes(n_bytes)
open(f'{store}/rawb', 'wb').write(data)
P
  before=$(newest_link "$vm")
  order a snapshot/revert vm="$vm" snapshot=s0 && within 30 is_newer "$before" \
    || return 1
  for i in 0 1; do
    old=$(stem "$vm" "$i")
    name=$(newest_link "$old")
    "$MAKE_DELTA" sesparse "$store/$name" "2222000$i" 11110000 "$old.vmdk" \
      "$store/raw0" "$store/raw$( ((i)) && echo 0 || echo b)" \
      && put "$name" && put "${name%.vmdk}-sesparse.vmdk" || return 1
  done
  order a snapshot/create vm="$vm" name=branch \
    && within 30 test -e "$snaps/branch" \
    && cmp "$store/rawb" "$snaps/branch/disks/scsi0-0.img" \
    && same 's0 s2' "$(cd "$snaps" && printf '%s\n' s? | paste -sd' ')" \
    && python3 "$(dirname "$0")/judge-changes.py" "$snaps" \
      $((2 * 12 * (300 * 512 + 8192)))
}
is_newer () { [[ $(newest_link "$vm") > $1 ]]; }
newest_link () { # STEM
  python3 -c 'import os, re, sys
print(max(n for n in os.listdir(sys.argv[1])
          if re.fullmatch(sys.argv[2] + r"-\d{6}\.vmdk", n)))' "$top/files" "$1"
}

removed_by_others_ends_it () {
  fresh_mount || return 1
  exec 7<"$(image 2)"
  head -c 4096 <&7 >/dev/null
  order a snapshot/remove vm="$vm" snapshot=s2
  within 30 test ! -e "$snaps/s2"
  gives ESTALE errno_of 'os.pread(7, 4096, 20 << 20)'
  local status=$?
  exec 7<&-
  return $status
}

# A host that does not answer any more: only who reads of it waits, and ends
# when killed.
stalled_reads_delay_nobody () {
  local pids=() i
  fresh_mount || return 1
  host_ctl "$(of p CONTROL)" rule method=folder action=blackhole times=0 \
    >"$scratch/rule" || return 1
  for ((i = 0; i < 24; i++)); do
    cat "$(image 0)" >/dev/null 2>&1 &
    pids+=($!)
  done
  within 30 was_asked p 1 && faster 20000 ls -l "$top" "$top/files" "$snaps" \
    "$(dirname "$top")/$other/snapshots/first" >/dev/null \
    && faster 20000 df "$mnt" >/dev/null \
    && faster 20000 grep -q "$vm" "$top/info.json"
  local status=$?
  end_by_kill "${pids[@]}" || status=1
  host_ctl "$(of p CONTROL)" clear >/dev/null
  ((status == 0)) && cmp "$store/raw0" "$(image 0)"
}

hosts_that_are_away_say_so () {
  fresh_mount && ls "$snaps"/s*/disks || return 1
  host_ctl "$(of p CONTROL)" down >/dev/null
  within 60 grep -q reconnecting "$mnt/.vixfs/hosts" \
    && same "$size" "$(stat -c %s "$(image 0)")" \
    && same "$size" "$(stat -c %s "$(image 2)")" \
    && gives EHOSTDOWN errno_of \
      "os.listdir('$(dirname "$top")/$other/snapshots/first/disks')"
  local status=$?
  host_ctl "$(of p CONTROL)" up >/dev/null
  return $status
}

mount_again () {
  start_vixfs "https://root@127.0.0.1:$p_PORT/sdk" "$mnt" \
    -o "credentials=$(credentials),cacert=$p_CERT"
}

host_sim a -kind "$kind" -vms 3 -disks 2 -disk-kb $((size >> 10)) || exit 1
host_proxy p "$a_PORT" || exit 1
vm=$(ask a vms | python3 -c 'import json, sys
print(sorted(v["name"] for v in json.load(sys.stdin))[0])')
other=${vm%0}1
dc=$([[ $kind == esx ]] && echo ha-datacenter || echo DC0)
order a snapshot/create vm="$other" name=first || exit 1
make_history || exit 1
mount_again || exit 1
top=$(find "$mnt" -type d -name "$vm") snaps=$top/snapshots
check images-equal-the-chain images_equal_the_chain
check tools-copy-it tools_copy_it
check facts-are-true facts_are_true
check unchanged-disks-keep-their-times unchanged_disks_keep_their_times
check changes-are-exact changes_are_exact
check differences-are-right differences_are_right
check latest-is-the-newest latest_is_the_newest
check files-are-read files_are_read
check config-is-of-the-snapshot config_is_of_the_snapshot
check walking-again-asks-nothing in_three walking_again_asks_nothing
check what-a-running-vm-holds-is-busy what_a_running_vm_holds_is_busy
check session-expires-in-the-middle in_the_middle expired
check host-restarts-in-the-middle-of-cp cp_in_the_middle restarted
check link-is-cut-in-the-middle in_the_middle cut_off
check others-change-snapshots-in-the-middle in_the_middle others_changed
check others-merge-in-the-middle with_late_news in_the_middle merged_below
check branches-are-compared branches_are_compared
check stalled-reads-delay-nobody stalled_reads_delay_nobody
check hosts-that-are-away-say-so hosts_that_are_away_say_so
check removed-by-others-ends-it removed_by_others_ends_it
check it-unmounts stop_vixfs
finish
