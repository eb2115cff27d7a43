#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: sources.sh SOURCE-ROOT - what holds for every file of the project.
set -u
cd "$1" || exit 99
number=0

# Passes if nothing is found; what is found is what is wrong.
none () { # NAME FOUND
  number=$((number + 1))
  if [[ -z $2 ]]; then
    printf 'ok %d - %s\n' "$number" "$1"
  else
    printf 'not ok %d - %s\n' "$number" "$1"
    sed 's/^/# /' <<<"$2"
  fi
}

code=(fs vix mount-helper tests)
c_files () { find "${code[@]}" -name '*.[ch]' -print0; }

none top-level-holds-what-the-layout-says \
  "$(find . -mindepth 1 -maxdepth 1 ! -name '.*' -printf '%f\n' \
     | grep -vxE 'fs|vix|mount-helper|tests|meson\.build|meson_options\.txt|README\.md|LICENSE|build(-.*)?')"

left=TO''DO\|FIX''ME\|XX''X\|HA''CK
none nothing-is-left-undone \
  "$(grep -rnIE "\\b($left)\\b" "${code[@]}" meson.build README.md)"

none every-source-names-its-licence \
  "$(find "${code[@]}" \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \) \
     -print0 | xargs -0 grep -L 'SPDX-License-Identifier: LGPL-2.1-or-later')"

none no-c-file-over-1000-lines \
  "$(c_files | xargs -0 wc -l | awk '$1 > 1000 && $2 != "total"')"

none no-catch-all-file \
  "$(find "${code[@]}" \( -name 'internal.h' -o -name 'common.[ch]' \
     -o -name 'util.[ch]' -o -name 'utils.[ch]' \))"

# A directory may be left mounted in what is removed.
none scripts-remove-trees-on-one-file-system-only \
  "$(grep -rnE '\brm -[a-zA-Z]*[rR]' tests --include='*.sh' tests/run tests/demo \
     | grep -E 'rm -rf|rm -fr' | grep -v -e '--one-file-system')"

none every-folder-has-a-short-readme \
  "$(find fs vix mount-helper tests -mindepth 0 -type d \
       ! -path 'tests/golden/*' ! -path 'tests/fuzz/*' \
       ! -path 'tests/unit/*' ! -name '.*' | while read -r folder; do
     # A folder without sources of its own is described by its parent's.
     find "$folder" -maxdepth 1 \( -name '*.c' -o -name '*.sh' -o -name '*.py' \) \
       | grep -q . || continue
     if [[ ! -f $folder/README.md ]]; then
       echo "$folder/README.md is missing"
     elif (($(wc -l <"$folder/README.md") > 60)); then
       echo "$folder/README.md is longer than 60 lines"
     fi
   done)"

echo "1..$number"
