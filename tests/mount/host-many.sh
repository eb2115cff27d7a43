#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-many.sh VIXFS - a hosts file: an ESXi host, a vCenter and a local
# directory in one mount, some of them away, slow or locked.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
conf=$scratch/hosts.conf

# group NAME HOST [LINE...]: of a hosts file, with trust and credentials
group () {
  local name=$1 host=$2
  shift 2
  printf '[%s]\nurl=https://root@127.0.0.1:%s/sdk\ncacert=%s\n' "$name" \
    "$(of "$host" PORT)" "$(of "$host" CERT)"
  printf '%s\n' "credentials=$(credentials)" "$@" ''
}

mount_all () { # the usual three
  {
    group esx a
    group center b
    printf '[local]\nurl=%s\n' "$vms"
  } >"$conf"
  start_vixfs "$conf" "$mnt"
}

all_are_there () {
  same 'center esx local' "$(ls "$mnt" | paste -sd' ')" \
    && same 'vm00000 vm00001' "$(ls "$mnt/esx" | paste -sd' ')" \
    && same 'vm00000 vm00001 vm00002' "$(ls "$mnt/center/DC0" | paste -sd' ')" \
    && same web "$(ls "$mnt/local")"
}

each_takes_snapshots () {
  mkdir "$mnt/esx/vm00000/snapshots/one" \
    "$mnt/center/DC0/vm00000/snapshots/two" "$mnt/local/web/snapshots/three" \
    && same one "$(names a vm00000)" && same two "$(names b vm00000)" \
    && same three "$(vmsd_value web snapshot0.displayName)" \
    && same one "$(ls "$mnt/esx/vm00000/snapshots")" \
    && same two "$(ls "$mnt/center/DC0/vm00000/snapshots")" \
    && same three "$(ls "$mnt/local/web/snapshots")"
}

each_has_a_line () {
  same 3 "$(wc -l <"$mnt/.vixfs/hosts")" \
    && grep -E '^esx.*8\.0\.3.*connected.*2 VMs.*1 snapshots' "$mnt/.vixfs/hosts" \
    && grep -E '^center.*8\.0\.3.*connected.*3 VMs' "$mnt/.vixfs/hosts" \
    && grep -E '^local.*connected.*1 VMs' "$mnt/.vixfs/hosts"
}

paths_begin_with_the_host () {
  same esx/vm00000 "$(xattr path "$mnt/esx/vm00000")" \
    && grep -F 'esx/vm00000' "$mnt/.vixfs/log"
}

df_is_each_hosts () {
  order a datastore/set datastore=LocalDS_0 capacity=1099511627776 free=4096000 \
    && order b datastore/set datastore=LocalDS_0 capacity=2199023255552 free=8192000 \
    && within 30 holds "$mnt/esx" 1099511627776 4096000 \
    && within 30 holds "$mnt/center/DC0/vm00001" 2199023255552 8192000 \
    && same "$(space "$vms")" "$(space "$mnt/local")"
}
space () { # DIRECTORY: bytes in all
  local size blocks
  read -r size blocks < <(stat -f -c '%S %b' "$1") && echo $((size * blocks))
}
holds () { # DIRECTORY CAPACITY FREE
  same "$2" "$(space "$1")" && same $(($3 / 4096)) "$(stat -f -c %a "$1")"
}

nothing_is_made_beside_hosts () {
  same EPERM "$(mkdir_errno "$mnt/new")" && same EPERM "$(rmdir_errno "$mnt/esx")" \
    && same EINVAL "$(errno_of "os.rename('$mnt/esx/vm00000/snapshots/one',
'$mnt/center/DC0/vm00000/snapshots/one')")"
}

inodes_are_unique_and_stable () {
  local before
  before=$(inodes)
  same '' "$(find "$mnt" ! -path '*/files/*' -printf '%i\n' | sort | uniq -d)" \
    && stop_vixfs && mount_all && same "$before" "$(inodes)"
}
inodes () { find "$mnt" -printf '%i %P\n' | sort; }

order_of_the_file_changes_no_inode () {
  local before
  before=$(inodes)
  {
    printf '[local]\nurl=%s\n' "$vms"
    group esx a
    group center b
  } >"$conf"
  stop_vixfs && start_vixfs "$conf" "$mnt" && same "$before" "$(inodes)"
}

slow_one_delays_no_other () {
  local told job
  order a set create=600000 || return 1
  told=$(names_told)
  mkdir "$mnt/esx/vm00000/snapshots/slow" &
  job=$!
  # Who looks into that directory in the first moment waits.
  within 30 underway esx/vm00000 && within 30 stepped_aside "$told" \
    && faster 20000 mkdir "$mnt/center/DC0/vm00001/snapshots/n" \
    && faster 20000 mkdir "$mnt/local/web/snapshots/n" \
    && faster 20000 ls -lR "$mnt/esx" "$mnt/center" >"$scratch/list" \
    && kill -0 "$job" && underway esx/vm00000
  local status=$?
  kill "$job"
  within 30 no_jobs && order a set create=0
  wait "$job"
  return $status
}

unmounting_logs_out_of_all () {
  stop_vixfs && same '0 0' "$(about a sessions 'len(a)') $(about b sessions 'len(a)')"
}

# ---- some are not there ----

is_away () { grep -E "^$1.*reconnecting since [0-9-]+T[0-9:.]+Z?: .*${2-}" "$mnt/.vixfs/hosts"; }
is_here () { grep -E "^$1.*connected.*VMs" "$mnt/.vixfs/hosts"; }

one_is_down_at_mount_time () {
  order p down || return 1
  {
    group esx a
    group later p answer_timeout=300 stall_timeout=300
    printf '[local]\nurl=%s\n' "$vms"
  } >"$conf"
  faster 60000 start_vixfs "$conf" "$mnt" && is_away later && is_here esx \
    && same 'esx local' "$(ls "$mnt" | paste -sd' ')" \
    && mkdir "$mnt/esx/vm00001/snapshots/n" && rmdir "$mnt/esx/vm00001/snapshots/n" \
    && order p up && within 90 [ -d "$mnt/later/DC0/vm00000" ] \
    && is_here later && same 'esx later local' "$(ls "$mnt" | paste -sd' ')" \
    && mkdir "$mnt/later/DC0/vm00002/snapshots/n" \
    && same n "$(names b vm00002)"
}

# More readers than there are threads for them, all of a host that says nothing.
stalled_reads_delay_no_other () {
  local pids=() i status
  order p rule method=folder action=blackhole times=0 || return 1
  for ((i = 0; i < 40; i++)); do
    cat "$mnt/later/DC0/vm00000/files/vm00000.vmx" >/dev/null 2>&1 &
    pids+=($!)
  done
  within 30 was_asked p 1 && faster 20000 grep -q memsize "$mnt/local/web/files/web.vmx" \
    && faster 20000 cat "$mnt/esx/vm00001/files/vm00001.vmx" >"$scratch/list" \
    && faster 20000 mkdir "$mnt/esx/vm00001/snapshots/s" \
    && faster 20000 rmdir "$mnt/esx/vm00001/snapshots/s" \
    && faster 20000 ls -lR "$mnt/esx" "$mnt/local" >"$scratch/list" \
    && faster 20000 df "$mnt/esx" "$mnt/local" >"$scratch/list" && is_here esx \
    && all_wait "${pids[@]}"
  status=$?
  end_by_kill "${pids[@]}" || status=1
  order p clear && cat "$mnt/later/DC0/vm00000/files/vm00000.vmx" >/dev/null \
    && return $status
}
all_wait () {
  local pid
  for pid; do ! ended "$pid" || return 1; done
}

one_goes_and_comes () {
  order p down && order p drop reset=1 && within 30 is_away later \
    && same EHOSTDOWN "$(mkdir_errno "$mnt/later/DC0/vm00000/snapshots/x")" \
    && mkdir "$mnt/esx/vm00000/snapshots/x" && rmdir "$mnt/esx/vm00000/snapshots/x" \
    && same n "$(ls "$mnt/later/DC0/vm00002/snapshots")" && is_here esx \
    && order p up && within 60 is_here later \
    && rmdir "$mnt/later/DC0/vm00002/snapshots/n" && stop_vixfs
}

# It takes the connection and says nothing: the others are there meanwhile.
one_is_silent_at_mount_time () {
  order p connect action=blackhole times=0 || return 1
  faster 60000 start_vixfs "$conf" "$mnt" -o connect_timeout=3 && is_away later \
    && is_here esx && order p clear && within 90 is_here later && stop_vixfs
}

# Accounts lock: it is tried once, until the file says something else.
one_has_a_wrong_password () {
  local before file=$scratch/changing
  before=$(about b counters 'a["badLogins"]')
  (umask 077 && printf '[default]\nuser=root\npassword=wrong\n' >"$file")
  {
    group esx a
    group locked b | sed "s,^credentials=.*,credentials=$file,"
  } >"$conf"
  start_vixfs "$conf" "$mnt" && is_here esx && is_away locked password \
    && [[ ! -e $mnt/locked ]] && sleep 4 \
    && same $((before + 1)) "$(about b counters 'a["badLogins"]')" \
    && printf '[default]\nuser=root\npassword=secret\n' >"$file" \
    && within 90 is_here locked && within 30 test -d "$mnt/locked/DC0" \
    && stop_vixfs
}

# Others leaked sessions until it answers 503: not hammered, and not for good.
one_has_no_session_left () {
  local dir=$scratch/first
  mkdir "$dir"
  order b set max-sessions=1 && mount_host b "$dir" || return 1
  {
    group esx a
    group full b
  } >"$conf"
  local start=$SECONDS
  start_vixfs "$conf" "$mnt" && is_here esx && is_away full 503 && sleep 4 \
    && (($(calls b Login) <= 1 + 3 + (SECONDS - start - 4))) \
    && stop_vixfs "$dir" \
    && within 90 is_here full && stop_vixfs && order b set max-sessions=0
}

all_are_down () {
  order p down || return 1
  group only p >"$conf"
  faster 60000 start_vixfs "$conf" "$mnt" && is_away only \
    && same '' "$(ls "$mnt")" && faster 60000 stop_vixfs && order p up
}

# ---- the file ----

paths_are_relative_to_the_file () {
  mkdir "$scratch/etc" && cp "$a_CERT" "$scratch/etc/a.pem" \
    && cp "$(credentials)" "$scratch/etc/secret" && mkdir "$scratch/etc/vms" \
    && printf '%s\n' '[one]' "url=https://127.0.0.1:$a_PORT" cacert=a.pem \
      credentials=secret '[two]' url=./vms >"$scratch/etc/some.conf" \
    && start_vixfs "$scratch/etc/some.conf" "$mnt" \
    && [[ -d $mnt/one/vm00000 && -d $mnt/two ]] && stop_vixfs
}

options_are_for_all () {
  printf '[%s]\nurl=https://root@127.0.0.1:%s\ncacert=%s\n' one "$a_PORT" \
    "$a_CERT" two "$b_PORT" "$b_CERT" >"$conf"
  start_vixfs "$conf" "$mnt" -o "credentials=$(credentials)" \
    && [[ -d $mnt/one/vm00000 && -d $mnt/two/DC0 ]] && stop_vixfs
}

# bad TEXT... -- LINE...: not mounted; the error names the file and each text.
bad () {
  local out text wanted=()
  while [[ $1 != -- ]]; do
    wanted+=("$1")
    shift
  done
  shift
  printf '%s\n' "$@" >"$conf"
  if out=$(setsid -w "$vixfs" "$conf" "$mnt" 2>&1 </dev/null); then
    umount "$mnt"
    echo 'it was mounted'
    return 1
  fi
  for text in "$conf" "${wanted[@]}"; do
    [[ $out == *"$text"* ]] || { printf 'no "%s": %s\n' "$text" "$out"; return 1; }
  done
  nobody
}

no_secret_in_the_file () {
  bad web password credentials -- '[web]' url=https://h password=Hu7-geheim \
    && ! "$vixfs" "$conf" "$mnt" 2>&1 | grep Hu7-geheim \
    && bad web credentials -- '[web]' url=https://root:Hu7-geheim@h \
    && ! "$vixfs" "$conf" "$mnt" 2>&1 | grep Hu7-geheim
}

missing_file_is_named () {
  fails none.conf "$vixfs" "$scratch/none.conf" "$mnt" && nobody
}

make_vm web && host_sim a -kind esx -vms 2 && host_sim b -kind vcenter -vms 3 \
  && host_proxy p "$b_PORT" && mount_all || exit 1
check all-are-there all_are_there
check each-takes-snapshots each_takes_snapshots
check each-has-a-line each_has_a_line
check paths-begin-with-the-host paths_begin_with_the_host
check df-is-each-hosts df_is_each_hosts
check nothing-is-made-beside-hosts nothing_is_made_beside_hosts
check inodes-are-unique-and-stable inodes_are_unique_and_stable
check order-of-the-file-changes-no-inode order_of_the_file_changes_no_inode
check a-slow-one-delays-no-other slow_one_delays_no_other
check unmounting-logs-out-of-all unmounting_logs_out_of_all
check one-is-down-at-mount-time one_is_down_at_mount_time
check stalled-reads-delay-no-other stalled_reads_delay_no_other
check one-goes-and-comes one_goes_and_comes
check one-is-silent-at-mount-time one_is_silent_at_mount_time
check one-has-a-wrong-password one_has_a_wrong_password
order b counters reset=1
check one-has-no-session-left one_has_no_session_left
check all-are-down all_are_down
check paths-are-relative-to-the-file paths_are_relative_to_the_file
check options-are-for-all options_are_for_all
check bad-unknown-key bad 'line 3: [web] colour' -- '[web]' url=https://h colour=red
check bad-missing-url bad web url -- '[web]' insecure=true
check bad-name bad a/b -- '[a/b]' url=https://h
check bad-hidden-name bad .web -- '[.web]' url=https://h
check bad-twice-one-name bad 'line 3: [web]' twice -- '[web]' url=https://h '[web]' url=https://g
check bad-value bad web answer_timeout -- '[web]' url=https://h answer_timeout=soon
check bad-text bad 'line 2:' -- '[web]' nonsense
check bad-thumbprint bad 'line 1: [web]' '"zz"' SHA-256 -- '[web]' url=https://h \
  thumbprint=zz "credentials=$(credentials)"
check bad-address bad 'line 2: [ftp]' ftp://h https:// -- '' '[ftp]' url=ftp://h \
  "credentials=$(credentials)"
check bad-cacert bad 'line 2: [web] url' none.pem -- '[web]' url=https://h \
  cacert=none.pem
check bad-credentials bad 'line 1: [web]' none.secret -- '[web]' url=https://h \
  credentials=none.secret
check no-credentials bad 'line 1: [web]' credentials= -- '[web]' url=https://root@h
check bad-empty bad host --
check bad-directory bad web nowhere -- '[web]' "url=$scratch/nowhere"
check no-secret-in-the-file no_secret_in_the_file
check missing-file-is-named missing_file_is_named
finish
