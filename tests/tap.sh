# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# One TAP line a case, for shell tests; they end with: echo "1..$number"
number=0

report () { # NAME COMMAND...: what it printed is shown only if it fails
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
