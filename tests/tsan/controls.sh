#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: controls.sh CORRECT RACY - the two programs that prove glib-sync.h.
set -u
export TSAN_OPTIONS=exitcode=66
echo 1..2

if out=$("$1" 2>&1) && [[ $out == 'correct: done' ]]; then
  echo 'ok 1 - correct use of GLib locks is silent'
else
  echo 'not ok 1 - correct use of GLib locks is silent'
  sed 's/^/# /' <<<"$out"
fi

out=$("$2" 2>&1)
status=$?
if [[ $status == 66 && $out == *'ThreadSanitizer: data race'* ]]; then
  echo 'ok 2 - a race under two different locks is caught'
else
  echo "not ok 2 - a race under two different locks is caught (exit $status)"
  sed 's/^/# /' <<<"$out"
fi
