#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-away.sh VIXFS esx|vcenter - the host goes away and comes back,
# sessions end, the password changes. p is a proxy in front of the host a.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
kind=$2
top=$mnt home=ha-datacenter
[[ $kind == esx ]] || { top=$mnt/DC0 home=DC0; }
vm=$top/vm00000
s=$vm/snapshots

mount_p () {
  mount_host p "$mnt" -o connect_timeout=60,answer_timeout=60,settle_timeout=60
}

is_connected () { grep -q $'\tconnected\t' "$mnt/.vixfs/hosts"; }
is_away () { # [WHY]
  grep -E "reconnecting since [0-9-]+T[0-9:.]+Z?: .*${1-}" "$mnt/.vixfs/hosts"
}

# While it is away: what is known is there at once, changes fail at once.
serves_what_is_known () {
  faster 20000 find "$mnt" -path '*/files' -prune -o -printf '%s %T@\n' >/dev/null \
    && faster 20000 cat "$vm/info.json" "$s/.tree" "$s/base/description" \
    && same base "$(ls "$s")" && same base "$(cat "$vm/current")" \
    && faster 20000 df "$mnt" && getfattr -d "$s/base" >/dev/null
}
changes_fail_at_once () {
  faster 20000 gives EHOSTDOWN mkdir_errno "$s/no" \
    && faster 20000 gives EHOSTDOWN rmdir_errno "$s/base" \
    && faster 20000 gives EHOSTDOWN errno_of "os.rename('$s/base', '$s/no')" \
    && faster 20000 gives EHOSTDOWN write_errno base "$vm/current" \
    && faster 20000 gives EHOSTDOWN write_errno on "$vm/power" \
    && faster 20000 gives EHOSTDOWN write_errno x "$s/base/description" \
    && xattr error "$s" | grep . && same base "$(ls "$s")"
}

inodes () { find "$mnt" -path '*/files' -prune -o -printf '%i %P\n' | sort; }

# comes_back INODES: by itself, with all that was unchanged as it was
comes_back () {
  within 90 is_connected && same "$1" "$(inodes)" && mkdir "$s/back" \
    && rmdir "$s/back" && same base "$(names a vm00000)"
}

link_cut () {
  local before
  before=$(inodes)
  exec 5<"$mnt/.vixfs/events"
  order p down && order p drop reset=1 && within 30 is_away \
    && serves_what_is_known && changes_fail_at_once || return 1
  # What others do meanwhile is there afterwards.
  order a snapshot/create vm=vm00001 name=meanwhile \
    && [[ ! -e $top/vm00001/snapshots/meanwhile ]] && order p up \
    && within 90 is_connected \
    && within 30 [ -d "$top/vm00001/snapshots/meanwhile" ] \
    && order a snapshot/clear vm=vm00001 \
    && within 30 [ ! -e "$top/vm00001/snapshots/meanwhile" ] \
    && comes_back "$before" \
    && timeout 10 grep -m 1 -E 'reconnecting|lost' <&5 \
    && grep -E 'reconnecting|lost' "$mnt/.vixfs/log"
  local status=$?
  exec 5<&-
  order p up
  return $status
}

host_restarts () {
  local before
  before=$(inodes)
  ask a restart down=1500 starting=3000 >"$scratch/restart.out" &
  local job=$!
  # It may be back before all is looked at.
  within 30 is_away && order p down && order p drop && within 60 is_away \
    && serves_what_is_known && changes_fail_at_once
  local status=$?
  order p up && wait "$job" && ((status == 0)) && comes_back "$before" \
    && within 30 has_session
}

# Others changed everything while it was down.
restart_with_changes () {
  local ino
  ino=$(stat -c %i "$vm")
  order p down && order p drop && within 30 is_away \
    && order a snapshot/create vm=vm00000 name=theirs \
    && order a vm/rename vm=vm00001 name=renamed \
    && order a vm/create name=new folder="$home" \
    && ask a restart >"$scratch/restart.out" && order p up \
    && within 90 is_connected && within 30 [ -d "$s/theirs" ] \
    && within 30 [ -d "$top/renamed" ] && within 30 [ -d "$top/new" ] \
    && [[ ! -e $top/vm00001 ]] \
    && same "$ino" "$(stat -c %i "$vm")" && order a vm/destroy vm=new \
    && order a snapshot/remove vm=vm00000 snapshot=theirs \
    && order a vm/rename vm=renamed name=vm00001 \
    && within 30 [ -d "$top/vm00001" ] && within 30 is_tidy
}

is_tidy () { same base "$(ls "$s")"; }

# Not even a sign of it is to be seen.
session_expired () {
  local logins i
  logins=$(about a counters 'a["logins"]')
  for i in 1 2 3; do
    order a session/expire "key=$(about a sessions 'a[0]["key"]')" \
      && mkdir "$s/x$i" && rmdir "$s/x$i" && within 30 has_session || return 1
  done
  order a session/expire && within 30 has_session && mkdir "$s/x" && rmdir "$s/x" \
    && is_connected && (($(about a counters 'a["logins"]') > logins))
}
has_session () { same 1 "$(about a sessions 'len(a)')"; }

# Accounts lock: a password that was refused is not sent again and again.
password_changed () {
  local before
  before=$(about a counters 'a["badLogins"]')
  order a set password=changed && order a session/expire \
    && within 30 is_away && serves_what_is_known && changes_fail_at_once \
    && is_away password && sleep 3 \
    && same $((before + 1)) "$(about a counters 'a["badLogins"]')"
}

new_password_is_taken () {
  stop_vixfs && credentials root changed >/dev/null \
    && start_vixfs "$(url p)" "$mnt" \
      -o "credentials=$scratch/root.default.credentials,cacert=$p_CERT" \
    && is_connected && mkdir "$s/again" && rmdir "$s/again" && stop_vixfs \
    && same 0 "$(about a sessions 'len(a)')"
}

# Nobody is left waiting when the mount ends while the host is away.
unmount_while_away () {
  order a set password=secret && mount_host p "$mnt" -o connect_timeout=3 \
    && order p connect action=blackhole times=0 \
    && order p drop && within 30 is_away && faster 30000 stop_vixfs \
    && order p clear
}

exec 3>&1
host_sim a -kind "$kind" -vms 3 && host_proxy p "$a_PORT" && mount_p \
  && mkdir "$s/base" || exit 1
check link-cut-and-back link_cut
check host-restarts host_restarts
check restart-with-changes restart_with_changes
check session-expired session_expired
# What does not differ is tried once.
[[ $kind == esx ]] || { check it-unmounts stop_vixfs && finish; }
check password-changed password_changed
check a-new-password-is-taken new_password_is_taken
check unmount-while-away unmount_while_away
finish
