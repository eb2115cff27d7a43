# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash

# unasked TEXT COMMAND...: on a terminal at which nobody sits it fails with the
# text, and asks for no user or password.
unasked () {
  local text=$1 out status
  shift
  out=$(timeout 60 python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@" </dev/null)
  status=$?
  printf '%s\n' "$out"
  ((status != 0 && status != 124)) && grep -qF -- "$text" <<<"$out" \
    && ! grep -E '(User|Password) for' <<<"$out"
}
