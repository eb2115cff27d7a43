#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: seed.sh BUILD-DIR SOURCE-ROOT CC... - the program of tests/unit/api
# for local VMs, changed only in its connect call, against hosts of the network.
# shellcheck disable=SC2154 # set by way of lib.sh
set -u
build=$1 source=$2
shift 2
cc=("$@")
# shellcheck source=SCRIPTDIR/../tap.sh
. "$source/tests/tap.sh"
# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
host_begin

# The call's arguments after the API version, up to the options.
compile () { # NAME URL
  python3 - "$source/tests/unit/api/seed-program.c" \
    "VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, \"$2\", 0, \"$a_USER\", \"$a_PASSWORD\"" \
    > "$host_tmp/$1.c" <<'PY' || return 1
import re, sys
text = open(sys.argv[1]).read()
changed, n = re.subn(r'VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,\s*NULL, 0, NULL, NULL',
                     lambda match: sys.argv[2], text)
assert n == 1, "the connect call is not there"
print(changed, end="")
PY
  "${cc[@]}" -Wall -Werror -o "$host_tmp/$1" "$host_tmp/$1.c" \
    -I"$source/vix/include" -L"$build/vix" -lvixAllProducts -ldl -lpthread
}

# Exactly one snapshot more, with memory, as the program made it; and it leaves
# no session behind.
makes_a_snapshot () { # NAME URL VM
  local out state
  compile "$1" "$2" || return 1
  out=$(LD_LIBRARY_PATH=$build/vix timeout 60 "$host_tmp/$1" "$3")
  echo "$out"
  grep -q '^power on: 0 ' <<< "$out" && grep -q '^end: 0 ' <<< "$out" \
    || return 1
  state=$(host_ctl "$a_CONTROL" vm vm=vm00000)
  echo "$state"
  [ "$(grep -o '"name":"seed"' <<< "$state" | wc -l)" -eq 1 ] \
    && grep -q '"memory":true' <<< "$state" \
    && grep -q 'poweredOn' <<< "$state" || return 1
  state=$(host_ctl "$a_CONTROL" counters)
  echo "$state"
  grep -q '"Login":1\b' <<< "$state" && grep -q '"Logout":1\b' <<< "$state"
}

on () { # NAME KIND VM FORM
  local status url
  host_sim a -kind "$2" -vms 1 || return 1
  url=$a_URL
  [ "$4" = bare ] && url=127.0.0.1:$a_PORT
  makes_a_snapshot "$1" "$url" "$3"
  status=$?
  host_stop a
  return $status
}

report seed-program-on-esxi \
  on esxi esx "[ha-datacenter/LocalDS_0] vm00000/vm00000.vmx" url
report seed-program-on-vcenter on vcenter vcenter \
  "[LocalDS_0] vm00000/vm00000.vmx" bare
report seed-program-on-server-2 on server2 server2 \
  "[LocalDS_0] vm00000/vm00000.vmx" url
echo "1..$number"
