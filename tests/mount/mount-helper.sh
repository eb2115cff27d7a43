#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: mount-helper.sh VIXFS MOUNT.VIXFS PREFIX/BIN - mount(8), fstab and
# umount(8) with the helper in place. mount(8) looks for it in /sbin only, so
# this runs in a mount namespace that shows it there, and vixfs in BIN.
set -u
if [[ ${1-} != --inside ]]; then
  [[ $EUID == 0 ]] || exit 77
  unshare -m true 2>/dev/null || exit 77
  exec unshare -m --propagation private "$BASH" "$0" --inside "$@"
fi
shift
vixfs=$1 helper=$2 bin=$3
scratch=$(mktemp -d)
mnt=$scratch/mnt
vms="$scratch/my vms"
exit 99
number=0

report () { # NAME COMMAND...
  local name=$1 out
  shift
  number=$((number + 1))
  if out=$("$@" 2>&1); then
    printf 'ok %d - %s\n' "$number" "$name"
  else
    printf 'not ok %d - %s\n' "$number" "$name"
    sed 's/^/# /' <<<"$out"
  fi
}

# Shows directory $1 with PROGRAM in it too, as NAME, in this namespace.
add_program () { # DIRECTORY NAME PROGRAM
  local new
  new=$(mktemp -d "$scratch/bin.XXXX")
  mkdir -p "$1" "$new.old"
  mount --bind "$1" "$new.old"
  find "$new.old" -mindepth 1 -maxdepth 1 -exec ln -s -t "$new" {} +
  ln -sf "$3" "$new/$2"
  mount --bind "$new" "$1"
}

served () { [[ -e $mnt/vm/info.json ]]; }
gone () { ! mountpoint -q "$mnt"; }

mounts_with_options () {
  mount -t vixfs "$vms" "$mnt" \
    -o noauto,_netdev,nofail,x-systemd.automount,comment=mine,ro || return 1
  served || return 1
  grep -F " $mnt fuse.vixfs ro," /proc/self/mounts || return 1
  ! mkdir "$mnt/vm/snapshots/no" 2>"$scratch/error" \
    && grep -qi 'read-only' "$scratch/error"
}

unmounts () { umount "$mnt" && gone; }

mounts_from_fstab () {
  printf '%s %s vixfs noauto,user,uid=1,umask=022,x-gvfs-hide 0 0\n' \
    "${vms// /\\040}" "$mnt" >"$scratch/fstab"
  mount -T "$scratch/fstab" "$mnt" || return 1
  served && [[ $(stat -c %u "$mnt/vm") == 1 ]] \
    && grep -E " $mnt fuse.vixfs [^ ]*nosuid[^ ]*nodev" /proc/self/mounts
}

remount_is_refused () {
  ! mount -o remount,ro "$mnt" 2>"$scratch/error" \
    && grep -q remount "$scratch/error" && served
}

unknown_option_is_named () {
  ! mount -t vixfs "$vms" "$mnt" -o frobnicate=3 2>"$scratch/error" \
    && gone && grep -q frobnicate "$scratch/error"
}

missing_source_is_named () {
  ! mount -t vixfs "$scratch/nowhere" "$mnt" 2>"$scratch/error" \
    && gone && grep -q nowhere "$scratch/error"
}

fake_mounts_nothing () { mount -f -t vixfs "$vms" "$mnt" && gone; }

mounts_in_another_namespace () {
  local other status
  unshare -m --propagation private sleep 60 &
  other=$!
  sleep 0.3
  mount -N "/proc/$other/ns/mnt" -t vixfs "$vms" "$mnt" && gone \
    && nsenter -t "$other" -m test -e "$mnt/vm/info.json"
  status=$?
  nsenter -t "$other" -m umount "$mnt"
  kill "$other"
  wait "$other"
  return $status
}

mkdir -p "$mnt" "$vms/vm"
printf 'config.version = "8"\nvirtualHW.version = "19"\ndisplayName = "vm"\n' \
  >"$vms/vm/vm.vmx"
add_program "$(readlink -f /sbin)" mount.vixfs "$helper"
add_program "$bin" vixfs "$vixfs"

report mount-runs-the-helper-and-its-options-arrive mounts_with_options
report umount-unmounts unmounts
report a-line-of-fstab-mounts mounts_from_fstab
report remount-is-refused remount_is_refused
report umount-unmounts-again unmounts
report an-unknown-option-is-named unknown_option_is_named
report a-missing-source-is-named missing_source_is_named
report a-fake-mount-mounts-nothing fake_mounts_nothing
report mount-N-mounts-in-that-namespace mounts_in_another_namespace
echo "1..$number"
