#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the Go tests of one of the programs here as TAP: gotests.sh sim|proxy
# shellcheck disable=SC2154 # set and used by way of lib.sh and check
set -u
# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
host_begin
cd "$host_dir/$1" || exit 1
host_go vet . || exit 1
host_go test -v . > "$host_tmp/log" 2>&1
status=$?
awk '
  /^ *--- (PASS|FAIL)/ {
    printf "%sok %d - %s\n", /FAIL/ ? "not " : "", ++n, $3
    next
  }
  !/^(=== |PASS|FAIL|ok )/ { print "# " substr($0, 1, 500) }
  END { print "1.." n }' "$host_tmp/log"
exit "$status"
