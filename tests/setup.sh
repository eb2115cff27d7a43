# shellcheck shell=bash disable=SC2034,SC2154 # for and from its users
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by demo and run: what they need of the machine, and how they build.
# Expects $top, the top of the source tree.

# What must be there, one a line: how to find it (a program or a pkg-config
# module) and Debian 12's package that has it.
needed_to_build='
  cmd gcc                    gcc
  cmd meson                  meson
  cmd ninja                  ninja-build
  cmd pkg-config             pkg-config
  file /usr/include/stdlib.h libc6-dev
  pc gio-unix-2.0            libglib2.0-dev
  pc fuse3                   libfuse3-dev
  pc zlib                    zlib1g-dev
  pc libcurl                 libcurl4-openssl-dev
  pc libxml-2.0              libxml2-dev
  pc openssl                 libssl-dev
  cmd fusermount3            fuse3
'
needed_for_demo='
  cmd qemu-img               qemu-utils
  cmd qemu-storage-daemon    qemu-system-common
  cmd mcopy                  mtools
  cmd sfdisk                 fdisk
'
needed_for_tests='
  cmd qemu-io                qemu-utils
  cmd g++                    g++
  cmd clang                  clang
  cmd clang-tidy             clang-tidy
  cmd clang-format           clang-format
  cmd cppcheck               cppcheck
  cmd shellcheck             shellcheck
  cmd python3                python3
  cmd getfattr               attr
  cmd rsync                  rsync
  cmd restic                 restic
  cmd borg                   borgbackup
  cmd sfdisk                 fdisk
  cmd strace                 strace
  cmd debugfs                e2fsprogs
  cmd ps                     procps
  cmd mandoc                 mandoc
  cmd mount                  mount
  cmd unshare                util-linux
  cmd curl                   curl
  cmd openssl                openssl
  cmd go                     golang-go
  file /usr/share/gocode/src/github.com/vmware/govmomi/simulator golang-github-vmware-govmomi-dev
'

say () { printf '%s\n' "$*"; }
die () { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

is_there () { # KIND NAME
  case $1 in
    cmd) PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ;;
    file) [[ -e $2 ]] ;;
    pc) pkg-config --exists "$2" 2>/dev/null ;;
  esac
}

missing_packages () { # LIST
  local kind name package
  while read -r kind name package; do
    [[ -z $kind ]] || is_there "$kind" "$name" || printf '%s\n' "$package"
  done <<<"$1" | sort -u
}

# Installs what is missing of the list, or says what to install.
ensure_packages () { # LIST
  local missing
  missing=$(missing_packages "$1" | tr '\n' ' ')
  missing=${missing% }
  [[ -n $missing ]] || return 0
  if ! command -v apt-get >/dev/null; then
    die "please install what Debian 12 has in these packages: $missing"
  elif [[ $EUID != 0 ]]; then
    die "please install these packages first: apt-get install $missing"
  fi
  say "installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  # A mirror may fail once, and others may be installing something.
  local apt=(apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300)
  # shellcheck disable=SC2086 # one word a package
  { "${apt[@]}" update \
      && "${apt[@]}" install -y --no-install-recommends $missing; } \
    >"$scratch/apt.log" 2>&1 </dev/null \
    || { tail -n 20 "$scratch/apt.log" >&2; die "apt-get failed"; }
  missing=$(missing_packages "$1" | tr '\n' ' ')
  [[ -z $missing ]] || die "still missing after the installation: $missing"
}

ensure_fuse () {
  [[ -e /dev/fuse ]] \
    || die "there is no /dev/fuse here: load the kernel's module 'fuse', or" \
           "allow this container the device"
  [[ -r /dev/fuse && -w /dev/fuse ]] || die "/dev/fuse may not be opened"
}

# Configures DIR, anew if it was made for another compiler, place or options.
configure () { # CC DIR OPTION...
  local cc=$1 dir=$2 key="$1 $top ${*:3}"
  [[ ! -f $dir/build.ninja || $(cat "$dir/made-for" 2>/dev/null) != "$key" ]] \
    || return 0
  [[ ! -d $dir/meson-private ]] || rm -rf --one-file-system "$dir"
  CC=$cc meson setup "$dir" "$top" "${@:3}" || return 1
  printf '%s\n' "$key" >"$dir/made-for"
}
