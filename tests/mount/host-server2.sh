#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-server2.sh VIXFS - VMware Server 2: API 2.5, and one snapshot a
# VM, which a second mkdir must not cost.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
s=$mnt/vm00000/snapshots

it_is_told_in_hosts () {
  grep -E '[[:space:]]2\.5[^0-9].*connected.*3 VMs' "$mnt/.vixfs/hosts"
}

one_snapshot_is_taken () {
  mkdir "$s/only" && same only "$(names a vm00000)" && same only "$(ls "$s")"
}

# The first one is not overwritten, and the error tells what to do.
second_is_emlink () {
  same EMLINK "$(mkdir_errno "$s/second")" && same only "$(names a vm00000)" \
    && same only "$(ls "$s")" \
    && xattr error "$s" | grep 'VIX_E_SNAPSHOT_MAXSNAPSHOTS.*remove it first'
}

it_reverts_renames_and_describes () {
  echo only >"$mnt/vm00000/current" && mv "$s/only" "$s/renamed" \
    && printf text >"$s/renamed/description" \
    && knows a vm00000 's["renamed"]["description"]' text
}

a_new_one_follows_a_removed_one () {
  rmdir "$s/renamed" && mkdir "$s/next" && same next "$(names a vm00000)"
}

others_show () {
  order a snapshot/create vm=vm00001 name=theirs \
    && within 30 [ -d "$mnt/vm00001/snapshots/theirs" ] \
    && order a vm/rename vm=vm00002 name=other && within 30 [ -d "$mnt/other" ]
}

power_changes () {
  echo on >"$mnt/vm00001/power" && same on "$(cat "$mnt/vm00001/power")" \
    && same EINVAL "$(write_errno on "$mnt/vm00001/power")"
}

host_sim a -kind server2 -vms 3 && mount_host a || exit 1
check it-is-told-in-hosts it_is_told_in_hosts
check one-snapshot-is-taken one_snapshot_is_taken
check a-second-is-EMLINK second_is_emlink
check it-reverts-renames-and-describes it_reverts_renames_and_describes
check a-new-one-follows-a-removed-one a_new_one_follows_a_removed_one
check others-show others_show
check power-changes power_changes
check it-unmounts stop_vixfs
finish
