# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced, not run, after host-lib.sh: disks as hosts keep them, put into the
# datastore of host `a`. MAKE_DELTA names the program that writes what qemu-img
# cannot; $dc is the datacenter.
# shellcheck disable=SC2154 # scratch: of lib.sh; dc: the caller's
store=$scratch/store
mkdir "$store"

# VM DISK: a name's beginning
stem () { printf '%s%s' "$1" "$([[ $2 == 0 ]] || echo "_$2")"; }

# put_at PATH FILE [OPTION...]: a file of $store to "[datastore] dir/file"
put_at () {
  curl -sS --fail-with-body -o "$scratch/put.out" -X PUT --data-binary '' \
    --get --data-urlencode "path=$1" --data-urlencode "dc=$dc" \
    --data-urlencode "local=$store/$2" "${@:3}" "$(of a CONTROL)/file"
}

# put FILE [OPTION...]: into the VM's directory
put () {
  local vm=${1%%[_.-]*} path
  path=$(about a vm vm="$vm" 'a["vmx"]') && put_at "${path%/*}/$1" "$@"
}

# write_link VM DISK N KIND OLD NEW CID PARENT_CID: link N of the chain, the
# file that holds what differs between two raw disks.
write_link () {
  local name before file
  name=$(stem "$1" "$2")
  before=$name
  (($3 > 1)) && before=$(printf '%s-%06d' "$name" "$(($3 - 1))")
  (($3 > 0)) && name=$(printf '%s-%06d' "$name" "$3")
  "$MAKE_DELTA" "$4" "$store/$name.vmdk" "$7" "$8" "$before.vmdk" "$5" "$6" \
    && put "$name.vmdk" || return 1
  for file in "$store/$name"-{flat,delta,sesparse}.vmdk; do
    [[ ! -e $file ]] || put "${file##*/}" || return 1
  done
}
