#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: library.sh BUILD-DIR SOURCE-ROOT CC... - the installed library as
# programs for VIX find it: names, symbols, and one program end to end.
set -u
build=$1 source=$2
shift 2
cc=("$@")
dest=$(mktemp -d)
trap 'rm -rf --one-file-system "$dest"' EXIT

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tap.sh"

exports () { # LIBRARY
  nm -D --defined-only "$1" | awk '{ print $NF }' | sort
}

# What the two public headers declare, and no version appended to any.
declared () {
  "${cc[@]}" -fpreprocessed -dD -E -P "$source/vix/include/vix.h" \
    "$source/vix/include/vix-ext.h" 2>/dev/null \
    | tr '\n' ' ' | grep -oE '\bVix[A-Za-z]*_[A-Za-z0-9]+ \(' \
    | tr -d ' (' | sort -u
}

declares_73_functions () {
  declared | grep -vc '^VixExt_' | grep -qx 73
}

exports_what_is_declared () { # LIBRARY
  diff <(declared) <(exports "$1")
}

has_soname () { # LIBRARY SONAME
  readelf -d "$1" | grep -F "Library soname: [$2]"
}

links_lead_to_it () {
  [ "$(readlink -f "$lib/libvmware-vix.so")" = "$lib/libvixAllProducts.so" ] \
    && [ -L "$lib/libvix.so" ] && [ -e "$lib/libvix.so" ] || return 1
  case $lib in
    */lib/*) [ -e "${lib%/*}/libvixAllProducts.so" ] ;;
  esac
}

compiles () { # NAME FLAG... ; the program unmodified
  local name=$1
  shift
  "${cc[@]}" -Wall -Werror -o "$dest/$name" \
    "$source/tests/unit/api/seed-program.c" "$@"
}

pkg_flags () {
  PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest \
    pkg-config --cflags --libs vix
}

compiles_with_pkg_config () {
  local flags
  flags=$(pkg_flags) || return 1
  # shellcheck disable=SC2086 # flags are words
  compiles seed $flags
}

# As the build scripts of old programs have it.
compiles_the_old_way () {
  compiles seed-old "-I$headers" "-L$lib" -lvixAllProducts -ldl -lpthread \
    && readelf -d "$dest/seed-old" | grep -F '[libvixAllProducts.so]'
}

# No thread, file or socket comes from loading alone.
loads_without_a_trace () {
  cat >"$dest/load.c" <<'EOF'
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>

static int
count (const char *path)
{
  DIR *dir = opendir (path);
  int n = 0;

  while (readdir (dir) != NULL)
    n++;
  closedir (dir);
  return n;
}

int
main (int argc, char **argv)
{
  int threads = count ("/proc/self/task"), files = count ("/proc/self/fd");
  void *library = dlopen (argv[1], RTLD_NOW);

  if (library == NULL || dlsym (library, "VixHost_Connect") == NULL) {
    puts (dlerror ());
    return 1;
  }
  printf ("threads %d %d, files %d %d\n", threads, count ("/proc/self/task"),
          files, count ("/proc/self/fd"));
  return threads != count ("/proc/self/task")
         || files != count ("/proc/self/fd");
}
EOF
  "${cc[@]}" -o "$dest/load" "$dest/load.c" -ldl \
    && "$dest/load" "$lib/libvixAllProducts.so"
}

make_vm () { # DIRECTORY
  mkdir -p "$1" && qemu-img create -q -f vmdk "$1/disk.vmdk" 16M \
    && cat >"$1/seed.vmx" <<'EOF'
.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "14"
displayName = "seed"
scsi0.present = "TRUE"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "disk.vmdk"
EOF
}

# Power functions of local VMs come to an end without VMware's library; the
# snapshot is made all the same.
runs () { # PROGRAM
  local out
  make_vm "$dest/vms/$1" || return 1
  out=$(HOME=$dest/home LD_LIBRARY_PATH=$lib "$dest/$1" \
    "$dest/vms/$1/seed.vmx") || { echo "$out"; return 1; }
  grep -q '^power on: 6 ' <<<"$out" && grep -q '^end: 0 ' <<<"$out" \
    && grep -q 'displayName = "seed"' "$dest/vms/$1/seed.vmsd"
}

DESTDIR=$dest meson install --no-rebuild --quiet -C "$build" >/dev/null \
  || exit 1
lib=$(dirname "$(find "$dest" -name libvix.so)")
headers=$(dirname "$(find "$dest" -name vix.h)")

report headers-declare-73-functions declares_73_functions
report libvix-exports-what-is-declared \
  exports_what_is_declared "$lib/libvix.so"
report libvixAllProducts-exports-the-same \
  exports_what_is_declared "$lib/libvixAllProducts.so"
report libvix-has-a-versioned-soname has_soname "$lib/libvix.so" libvix.so.0
report libvixAllProducts-has-the-bare-soname \
  has_soname "$lib/libvixAllProducts.so" libvixAllProducts.so
report old-names-lead-to-it links_lead_to_it
report headers-lie-in-vmware-vix test "${headers##*/}" = vmware-vix
report loading-starts-nothing loads_without_a_trace
report seed-program-compiles-with-pkg-config compiles_with_pkg_config
report seed-program-compiles-the-old-way compiles_the_old_way
report seed-program-makes-a-snapshot runs seed
report seed-program-makes-a-snapshot-the-old-way runs seed-old
echo "1..$number"
