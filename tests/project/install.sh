#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: install.sh BUILD-DIR PREFIX HELPER-DIR CC... - installs into an empty
# directory and uses what is there as a stranger would.
set -u
build=$1 prefix=$2 helper_dir=$3
shift 3
cc=("$@")
dest=$(mktemp -d)
trap 'rm -rf --one-file-system "$dest"' EXIT

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

has () { # PATTERN...
  local pattern
  for pattern; do
    compgen -G "$dest$pattern" >/dev/null \
      || { echo "no $pattern"; find "$dest" -type f; return 1; }
  done
}

exports_only_vix () {
  local library
  library=$(compgen -G "$dest$prefix/lib*/libvixAllProducts.so" \
    || compgen -G "$dest$prefix/lib/*/libvixAllProducts.so") || return 1
  nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' \
    >"$dest/symbols"
  grep -qx VixVM_CreateSnapshot "$dest/symbols" || return 1
  ! grep -vE '^Vix' "$dest/symbols"
}

# Built with nothing but what pkg-config says, run against the library.
client_builds_and_runs () {
  local pc
  pc=$(dirname "$(find "$dest" -name vix.pc)")
  cat >"$dest/client.c" <<'EOF'
#include <stdio.h>
#include "vix.h"

int
main (void)
{
  puts (Vix_GetErrorText (VIX_E_FILE_NOT_FOUND, NULL));
  return 0;
}
EOF
  local flags
  flags=$(PKG_CONFIG_PATH=$pc PKG_CONFIG_SYSROOT_DIR=$dest \
    pkg-config --cflags --libs vix) || return 1
  # shellcheck disable=SC2086 # flags are words
  "${cc[@]}" -Wall -Werror -o "$dest/client" "$dest/client.c" $flags \
    || return 1
  LD_LIBRARY_PATH=$(dirname "$(find "$dest" -name 'libvix.so' | head -n 1)") \
    "$dest/client" | grep -q .
}

helper_finds_the_program () {
  "$dest$helper_dir/mount.vixfs" -fv /vms /mnt -o ro \
    | grep -q "vixfs /vms /mnt -o ro$" || return 1
  # It is there, and it is vixfs that answers.
  "$dest$prefix/bin/vixfs" --version | grep -q '^vixfs '
}

pages_are_well_formed () {
  local page status=0
  while read -r page; do
    case $page in
      *.gz) gzip -dc "$page" | mandoc -T lint -W warning || status=1 ;;
      *) mandoc -T lint -W warning "$page" || status=1 ;;
    esac
  done < <(find "$dest" -path '*/man/*' -type f)
  return $status
}

report installs env DESTDIR="$dest" meson install --no-rebuild -C "$build"
report program-library-headers-helper-and-pages-are-there has \
  "$prefix/bin/vixfs" "$prefix/include/vmware-vix/vix.h" \
  "$prefix/include/vmware-vix/vix-ext.h" \
  "$prefix/include/vmware-vix/vm_basic_types.h" "$helper_dir/mount.vixfs" \
  "$prefix/share/man/man1/vixfs.1*" "$prefix/share/man/man8/mount.vixfs.8*"
report libvixAllProducts-exports-Vix-and-nothing-else exports_only_vix
report a-client-builds-with-pkg-config-and-runs client_builds_and_runs
report mount-helper-finds-the-program helper_finds_the_program
report man-pages-are-well-formed pages_are_well_formed
echo "1..$number"
