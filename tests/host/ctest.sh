#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a test program in C that starts simulators: ctest.sh PROGRAM ARG...
set -u
# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
host_begin
# ThreadSanitizer cannot see the locks of GLib's slices.
export HOST_BIN=$host_bin TMPDIR=$host_tmp G_SLICE=always-malloc
"$@"
