# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2120 # functions with arguments that only some tests give
# What the tests on a real mount share. Sourced with the path of vixfs as $1:
# leaves $vms (a directory for VMs), $mnt (an empty mountpoint), $scratch, and
# a trap that unmounts, ends the daemon by its pid, and removes all of it.
set -u
export LC_ALL=C.UTF-8 G_DEBUG=fatal-criticals
[[ -c /dev/fuse ]] || exit 77
command -v qemu-img >/dev/null || exit 77
vixfs=$(realpath "$1")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vixfs-test.XXXXXX")
vms=$scratch/vms
mnt=$scratch/mnt
# Where mounts of network hosts keep what is to outlast them.
export XDG_STATE_HOME=$scratch/state
mkdir "$vms" "$mnt"
number=0 failed=0
declare -A daemons=() # mountpoint -> pid

clean_up () {
  local dir
  for dir in "${!daemons[@]}"; do
    umount -l "$dir" 2>/dev/null || fusermount3 -uz "$dir" 2>/dev/null
    kill "${daemons[$dir]}" 2>/dev/null
  done
  # shellcheck disable=SC2046
  kill $(jobs -p) 2>/dev/null
  wait
  rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: one TAP line; what the command printed, if it failed.
check () {
  local name=$1 out status
  shift
  number=$((number + 1))
  # Not in a subshell: what it starts is our child, what it sets is kept.
  "$@" >"$scratch/check.out" 2>&1
  status=$?
  out=$(<"$scratch/check.out")
  if ((status == 0)); then
    printf 'ok %d - %s\n' "$number" "$name"
  else
    failed=$((failed + 1))
    printf 'not ok %d - %s\n' "$number" "$name"
    printf 'exit status %d\n%s\n' "$status" "$out" | sed 's/^/# /'
    sed 's/^/# vixfs: /' "$scratch"/*.err 2>/dev/null | tail -n 20
  fi
}

finish () {
  printf '1..%d\n' "$number"
  exit $((failed > 0))
}

# fails TEXT COMMAND...: it must fail, and say TEXT.
fails () {
  local text=$1 out
  shift
  if out=$("$@" 2>&1); then
    printf 'succeeded, but "%s" was expected: %s\n' "$text" "$*"
    return 1
  fi
  grep -qF -- "$text" <<<"$out" || {
    printf 'wanted "%s", got: %s\n' "$text" "$out"
    return 1
  }
}

# same WANTED GOT: equal texts
same () {
  [[ $1 == "$2" ]] || {
    printf 'wanted: %q\ngot:    %q\n' "$1" "$2"
    return 1
  }
}

# within SECONDS COMMAND...: true at last by then
within () {
  local end=$((SECONDS + $1 + 1)) out
  shift
  while ! out=$("$@" 2>&1); do
    if ((SECONDS >= end)); then
      printf 'not in time: %s\n%s\n' "$*" "$out"
      return 1
    fi
    sleep 0.05
  done
}

# in_three COMMAND...: one of three attempts is right; for what a machine may
# disturb by itself, as by dropping what its kernel keeps.
in_three () {
  "$@" || "$@" || "$@"
}

# shows COMMAND...: what others did becomes true; after how long is noted.
delays=()
shows () {
  local start=${EPOCHREALTIME/./}
  within 30 "$@" || return 1
  delays+=($(((${EPOCHREALTIME/./} - start) / 1000)))
}

# Half of them at the least: a machine that is busy for a moment is no failure,
# a mount that asks now and then instead of being told is one.
most_shows_within_two_seconds () {
  local sorted
  mapfile -t sorted < <(printf '%s\n' "${delays[@]}" | sort -n)
  printf '%s\n' "${sorted[*]}"
  ((${#sorted[@]} >= 12 && sorted[${#sorted[@]} / 2] <= 2000))
}

# faster MILLISECONDS COMMAND...: it succeeds, and does not take longer. The
# limit is to tell it from what would wait for something, on a machine that is
# ten times as slow: it is no measure of speed.
faster () {
  local limit=$1 start=${EPOCHREALTIME/./} took
  shift
  "$@" || return 1
  took=$(((${EPOCHREALTIME/./} - start) / 1000))
  ((took <= limit)) || {
    printf '%d ms, at most %d wanted: %s\n' "$took" "$limit" "$*"
    return 1
  }
}

# make_vm NAME [SUBFORMAT [SIZE [DISKS]]]: $vms/NAME/NAME.vmx with disks
make_vm () {
  local name=$1 subformat=${2:-monolithicSparse} size=${3:-4M} disks=${4:-1}
  local dir=$vms/$1 stem=${1##*/} i
  mkdir -p "$dir"
  {
    printf '.encoding = "UTF-8"\nconfig.version = "8"\n'
    printf 'virtualHW.version = "19"\ndisplayName = "%s"\n' "$stem"
    printf 'guestOS = "debian12-64"\nmemsize = "512"\nnumvcpus = "2"\n'
    printf 'scsi0.present = "TRUE"\nscsi0.virtualDev = "lsilogic"\n'
    for ((i = 0; i < disks; i++)); do
      printf 'scsi0:%d.present = "TRUE"\n' "$i"
      printf 'scsi0:%d.fileName = "%s"\n' "$i" "$(disk_name "$stem" "$i")"
    done
  } >"$dir/$stem.vmx"
  for ((i = 0; i < disks; i++)); do
    qemu-img create -q -f vmdk -o "subformat=$subformat" \
      "$dir/$(disk_name "$stem" "$i")" "$size" || return 1
  done
}

disk_name () { # STEM INDEX
  if (($2 == 0)); then echo "$1.vmdk"; else echo "$1-disk$2.vmdk"; fi
}

# start_vixfs SOURCE MOUNTPOINT [ARGUMENT...]: in the foreground, as a child
# whose exit status stop_vixfs sees; returns when it serves.
start_vixfs () {
  local source=$1 dir=$2 err=$scratch/${2##*/}.err
  shift 2
  "$vixfs" -f "$source" "$dir" "$@" 2>"$err" &
  daemons[$dir]=$!
  within 120 served_or_ended "$dir" && serves "$dir" || { cat "$err"; return 1; }
}

serves () { [[ -e $1/.vixfs/version ]]; }
served_or_ended () { serves "$1" || ended "${daemons[$1]}"; }
ended () { ! kill -0 "$1" 2>/dev/null; }

# An operation is under way on the VM or snapshot of that name, or none.
underway () { grep -q -- "$1" "$mnt/.vixfs/jobs"; }
no_jobs () { same '' "$(cat "$mnt/.vixfs/jobs")"; }

# stepped_aside NAMES: since the kernel was told of so many names it was told of
# more, as when an operation under way leaves `snapshots` to others.
names_told () {
  awk '/^vixfs_invalidated_names_total / { print $2 }' "$mnt/.vixfs/stats"
}
stepped_aside () { (($(names_told) > $1)); }

# Unmounts, and the daemon must end well: with sanitizers that means without
# a leak or an error.
stop_vixfs () { # [MOUNTPOINT]
  local dir=${1:-$mnt} status
  # Not at once where the kernel still puts a loop device away.
  within 30 unmounts "$dir" || return 1
  wait "${daemons[$dir]}"
  status=$?
  unset "daemons[$dir]"
  ((status == 0)) || {
    printf 'vixfs ended with %d\n' "$status"
    cat "$scratch/${dir##*/}.err"
    return 1
  }
}

unmounts () { umount "$1" 2>/dev/null || fusermount3 -u "$1"; }

mount_vms () { start_vixfs "$vms" "$mnt" "$@"; }
remount_vms () { stop_vixfs && mount_vms "$@"; }

# The mounting shell must not be asked by the test for its own children only:
# a marker that the mount is gone from the kernel's table.
gone () { ! mountpoint -q "${1:-$mnt}"; }

# vmsd_value NAME KEY: value of a key in the VM's .vmsd
vmsd_value () {
  sed -n "s/^$2 = \"\(.*\)\"\r\?$/\1/p" "$vms/$1/${1##*/}.vmsd"
}

# Is the VM whole: no journal, lock or temporary file left, each disk clean?
whole () { # NAME
  local dir=$vms/$1 left disk
  left=$(find "$dir" \( -name '*journal*' -o -name '*.lck' -o -name '*tmp*' \
    -o -name '*~' -o -name '.*' -mindepth 1 \))
  [[ -z $left ]] || { printf 'left over: %s\n' "$left"; return 1; }
  while read -r disk; do
    qemu-img check -q "$dir/$disk" || return 1
  done < <(sed -n 's/^[a-z]*[0-9]*:[0-9]*\.fileName = "\(.*\.vmdk\)"$/\1/p' \
    "$dir/${1##*/}.vmx")
}

# What the daemon of $mnt has in memory.
memory_kib () {
  awk '/^VmRSS/ { print $2 }' "/proc/${daemons[$mnt]}/status"
}

# Of any host with snapshots first to fourth in $s.
# shellcheck disable=SC2154,SC2010 # what ls itself shows is what is tested
tree_is_drawn () {
  local line tree
  tree=$(cat "$s/.tree")
  for line in first second third fourth; do
    grep -q "$line" <<<"$tree" || { echo "$tree"; return 1; }
  done
  ! ls -A "$s" | grep -q tree
}
