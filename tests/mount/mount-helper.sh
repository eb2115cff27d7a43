#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: mount-helper.sh VIXFS MOUNT.VIXFS PREFIX/BIN - mount(8), fstab and
# umount(8) with the helper in place.
#
# mount(8) looks for helpers in /sbin only, and the helper for vixfs in BIN.
# The half of this script that tests runs in a PID and a mount namespace in
# which an empty tmpfs with just these two links hides those directories; it
# never sees the real ones and removes nothing. What it needed is removed by
# the other half, when the namespace is gone with all its mounts.
set -u
vixfs=$(realpath "$1") helper=$(realpath "$2") bin=$3

outside () {
  local scratch status
  # Hiding the directory of mount(8) itself would hide too much.
  [[ $EUID == 0 && -d $bin && ! $bin -ef /bin && ! $bin -ef /sbin ]] || exit 77
  unshare -m -p -f --kill-child --mount-proc true 2>/dev/null || exit 77
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/vixfs-helper.XXXXXX") || exit 1
  MOUNT_HELPER_SCRATCH=$scratch unshare -m -p -f --kill-child --mount-proc \
    --propagation private "$BASH" "$0" "$vixfs" "$helper" "$bin"
  status=$?
  rm -rf --one-file-system "$scratch"
  exit $status
}

[[ -n ${MOUNT_HELPER_SCRATCH-} ]] || outside
scratch=$MOUNT_HELPER_SCRATCH
mnt=$scratch/mnt
vms="$scratch/my vms"

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
# shellcheck source=tests/mount/terminal.sh
. "$(dirname "${BASH_SOURCE[0]}")/terminal.sh"

hide_with () { # DIRECTORY NAME PROGRAM
  mount -t tmpfs tmpfs "$1" && ln -s "$3" "$1/$2"
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

unknown_option_is_named () {
  ! mount -t vixfs "$vms" "$mnt" -o frobnicate=3 2>"$scratch/error" \
    && gone && grep -q frobnicate "$scratch/error"
}

missing_source_is_named () {
  ! mount -t vixfs "$scratch/nowhere" "$mnt" 2>"$scratch/error" \
    && gone && grep -q nowhere "$scratch/error"
}

bad_host_is_named () {
  unasked https://h:99999 mount -t vixfs https://root@h:99999 "$mnt" && gone \
    && unasked thumbprint mount -t vixfs https://root@h "$mnt" -o thumbprint=12 \
    && gone
}

fake_mounts_nothing () { mount -f -t vixfs "$vms" "$mnt" && gone; }

mounts_in_another_namespace () {
  local other status
  # It says that it is there, and is there until it is ended.
  exec 5< <(exec unshare -m --propagation private \
    sh -c 'echo there && exec sleep 600')
  other=$!
  read -r status <&5
  mount -N "/proc/$other/ns/mnt" -t vixfs "$vms" "$mnt" && gone \
    && nsenter -t "$other" -m test -e "$mnt/vm/info.json"
  status=$?
  kill "$other"
  exec 5<&-
  return $status
}

mkdir -p "$mnt" "$vms/vm"
printf 'config.version = "8"\nvirtualHW.version = "19"\ndisplayName = "vm"\n' \
  >"$vms/vm/vm.vmx"
hide_with "$(readlink -f /sbin)" mount.vixfs "$helper" || exit 99
hide_with "$bin" vixfs "$vixfs" || exit 99

report mount-runs-the-helper-and-its-options-arrive mounts_with_options
report umount-unmounts unmounts
report a-line-of-fstab-mounts mounts_from_fstab
report umount-unmounts-again unmounts
report an-unknown-option-is-named unknown_option_is_named
report a-missing-source-is-named missing_source_is_named
report a-host-that-cannot-be-is-named-before-a-password bad_host_is_named
report a-fake-mount-mounts-nothing fake_mounts_nothing
report mount-N-mounts-in-that-namespace mounts_in_another_namespace
echo "1..$number"
