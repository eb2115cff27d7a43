#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-lost.sh VIXFS - requests and answers get lost, sessions end and
# hosts restart while a task runs: a change is made once or not at all, and its
# result says which. p is a proxy in front of the host a. The whole matrix of
# faults is in tests/host/test-faults.c.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
vm=$mnt/vm00000
s=$vm/snapshots

mount_p () {
  mount_host p "$mnt" -o connect_timeout=3,answer_timeout=4,stall_timeout=4,settle_timeout=4
}

is_connected () { grep -q $'\tconnected\t' "$mnt/.vixfs/hosts"; }
session_expires_during_a_task () {
  order a set create=600000 || return 1
  mkdir "$s/long" &
  local job=$!
  within 30 running a && order a session/expire && order a set create=0 \
    && within 60 is_back
  local status=$?
  order a tasks/finish
  wait "$job" && ((status == 0)) && same 'base long' "$(names a vm00000)" && rmdir "$s/long"
}
# Logged in, and waiting for news.
is_back () { is_connected && same 1 "$(about a counters 'a["waits"]')"; }

# The task goes on without us: what it made is found again.
link_cut_during_a_task () {
  order a set create=600000 || return 1
  mkdir "$s/long" &
  local job=$!
  within 30 running a && order p drop reset=1 && order a set create=0 \
    && within 60 is_back
  local status=$?
  order a tasks/finish
  wait "$job" && ((status == 0)) && same 'base long' "$(names a vm00000)" && rmdir "$s/long"
}

restart_during_a_task () { # keep|forget|fail
  local status result=0 before
  before=$(calls a CreateSnapshot_Task)
  order a set create=600000 || return 1
  mkdir "$s/long" 2>"$scratch/long" &
  local job=$!
  within 30 running a && ask a restart tasks="$1" >"$scratch/restart.out"
  status=$?
  order a set create=0
  order a tasks/finish
  wait "$job" || result=1
  cat "$scratch/long"
  printf '# create, restart with tasks=%s: %s\n' "$1" \
    "$( ((result)) && xattr error "$s" || echo made)" >&3
  ((status == 0)) && within 60 is_back && within 30 agrees long $result \
    && same $((before + 1)) "$(calls a CreateSnapshot_Task)" && tidy
}

# agrees NAME RESULT: one snapshot if mkdir succeeded, none if it failed, on
# the host and here.
agrees () {
  knows a vm00000 "sum(x['name'] == '$1' for x in a['snapshots'])" \
    $((1 - $2)) && { (($2)) && [[ ! -e $s/$1 ]] || [[ -d $s/$1 ]]; }
}

# Back to just "base", by another client.
tidy () {
  local id
  for id in $(about a vm vm=vm00000 \
    '" ".join(str(x["id"]) for x in a["snapshots"] if x["name"] != "base")'); do
    order a snapshot/remove vm=vm00000 id="$id" || return 1
  done
  within 30 is_tidy && within 30 knows a vm00000 'a["busy"]' False
}
is_tidy () { same base "$(ls "$s")"; }

# cell RESULT ACTION [KEY=VALUE...]: one mkdir whose request or answer is
# spoilt once; RESULT ok, fails, or either. Then another mkdir of it: exists
# now, or is made now.
cell () {
  local want=$1 action=$2 got=0 name=cell$number
  shift 2
  order p rule method=CreateSnapshot_Task action="$action" times=1 "$@" || return 1
  mkdir "$s/$name" 2>"$scratch/cell" || got=1
  order p clear
  printf '# create, %s: %s\n' "$action $*" \
    "$( ((got)) && xattr error "$s" || echo made)" >&3
  case $want$got in ok1 | fails0) cat "$scratch/cell"; return 1 ;; esac
  within 60 is_back && within 30 agrees "$name" $got || return 1
  if ((got)); then
    mkdir "$s/$name"
  else
    same EEXIST "$(mkdir_errno "$s/$name")"
  fi && agrees "$name" 0 \
    && same 1 "$(about a counters "a['creates'].get('vm00000/$name', 0)")" && tidy
}

# The same for the other changes: done once, with the right result.
lost_answer () { # METHOD COMMAND...
  local method=$1 before
  shift
  before=$(calls a "$method")
  order p rule method="$method" action=drop-after times=1 && "$@" \
    && same $((before + 1)) "$(calls a "$method")" && within 60 is_back
}
rename_there_and_back () {
  lost_answer RenameSnapshot mv "$s/base" "$s/other" \
    && same other "$(names a vm00000)" \
    && lost_answer RenameSnapshot mv "$s/other" "$s/base" \
    && same base "$(names a vm00000)"
}
description_once () {
  lost_answer RenameSnapshot setfattr -n user.vix.description -v new "$s/base" \
    && knows a vm00000 's["base"]["description"]' new
}
removal_once () {
  mkdir "$s/gone" && lost_answer RemoveSnapshot_Task rmdir "$s/gone" \
    && same base "$(names a vm00000)" && is_tidy
}
revert_once () {
  mkdir "$s/gone" && lost_answer RevertToSnapshot_Task reverts base \
    && knows a vm00000 's["base"]["current"]' True && rmdir "$s/gone"
}
reverts () { echo "$1" >"$vm/current"; }
power_once () {
  lost_answer PowerOnVM_Task powers on && knows a vm00000 'a["power"]' poweredOn \
    && powers off
}
powers () { echo "$1" >"$vm/power"; }

exec 3>&1
host_sim a -kind esx -vms 3 && host_proxy p "$a_PORT" && mount_p \
  && mkdir "$s/base" || exit 1
check session-expires-during-a-task session_expires_during_a_task
check link-cut-during-a-task link_cut_during_a_task
check restart-during-a-task-that-is-kept restart_during_a_task keep
check restart-during-a-task-that-is-forgotten restart_during_a_task forget
check restart-during-a-task-that-fails restart_during_a_task fail
check create-drop-before cell either drop-before
check create-drop-after cell ok drop-after
check create-drop-after-RST cell ok drop-after reset=1
check create-drop-middle cell ok drop-middle
check create-drop-late cell either drop-late ms=1500
check create-503 cell either status code=503
check create-503-after cell ok status-after code=503
check create-blackhole cell either blackhole
check create-stall cell ok stall
check create-garbage cell either garbage what=bytes
check create-NotAuthenticated cell ok fault fault=NotAuthenticated
check rename-once rename_there_and_back
check description-once description_once
check removal-once removal_once
check revert-once revert_once
check power-once power_once
check it-unmounts stop_vixfs
finish
