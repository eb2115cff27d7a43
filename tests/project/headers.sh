#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: headers.sh SOURCE-ROOT CC... - compiles every header on its own:
# the public ones as the C and C++ of any client, the others as this project.
set -u
root=$1
shift
cc=("$@")
public=$root/vix/include
strict=(-fsyntax-only -Wall -Wextra -Werror -pedantic-errors -Wno-long-long)

# shellcheck source=tests/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

client () { # HEADER LANGUAGE STANDARD COMPILER...
  local header=$1 language=$2 standard=$3
  shift 3
  "$@" -x "$language" -std="$standard" "${strict[@]}" -I"$public" - \
    <<<"#include \"$header\"
int client_of_this_header;"
}

for header in vix.h vm_basic_types.h; do
  for standard in c89 c11; do
    report "$header-alone-as-$standard" \
      client "$header" c "$standard" "${cc[@]}"
  done
  for standard in c++98 c++17; do
    if command -v g++ >/dev/null; then
      report "$header-alone-as-$standard" \
        client "$header" c++ "$standard" g++
    else
      number=$((number + 1))
      echo "ok $number - $header-alone-as-$standard # SKIP no g++ here"
    fi
  done
done
report "vix-ext.h-alone-as-c11" client vix-ext.h c c11 "${cc[@]}"
if command -v g++ >/dev/null; then
  report "vix-ext.h-alone-as-c++17" client vix-ext.h c++ c++17 g++
else
  number=$((number + 1))
  echo "ok $number - vix-ext.h-alone-as-c++17 # SKIP no g++ here"
fi

read -r -a flags <<<"$(pkg-config --cflags gio-unix-2.0 fuse3)"
while read -r header; do
  report "$header-alone" "${cc[@]}" -x c -std=gnu11 -fsyntax-only -Wall -Werror \
    -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DFUSE_USE_VERSION=314 \
    -I"$root/vix" -I"$public" "${flags[@]}" -include "$root/$header" /dev/null
done < <(cd "$root" && find fs vix mount-helper -name '*.h' \
           -not -path 'vix/include/*' | sort)
echo "1..$number"
