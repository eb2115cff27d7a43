#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: names.sh VIXFS - free text on the host, file names here, both ways.
# shellcheck disable=SC2010 # what ls itself shows is what is tested
# shellcheck source=tests/mount/lib.sh
. "$(dirname "$0")/lib.sh"

s=$mnt/vm/snapshots

# NAME-ON-DISK DIRECTORY: mkdir of the second makes the first
makes () {
  mkdir "$s/$2" && [[ -d $s/$2 ]] && ls "$s" | grep -qxF -- "$2" \
    && grep -qF "displayName = \"$1\"" "$vms/vm/vm.vmsd" && rmdir "$s/$2"
}

slash_is_2F () { makes '8/23/2026' '8%2F23%2F2026'; }
percent_before_hex_is_25 () { makes '100%41' '100%2541'; }
percent_alone_stays () { makes '100% done' '100% done'; }
leading_dot_is_2E () { makes '.hidden' '%2Ehidden' && makes '..' '%2E.'; }
anything_else_stays () {
  makes 'größer “quoted” 🐧' 'größer “quoted” 🐧' \
    && makes ' leading and trailing ' ' leading and trailing ' \
    && makes 'a|22b|7Cc' 'a"b|c'
}

other_forms_are_einval () {
  fails 'Invalid argument' mkdir "$s/.hidden" \
    && fails 'Invalid argument' mkdir "$s/a%2fb" \
    && fails 'Invalid argument' mkdir "$s/a%41b" \
    && fails 'Invalid argument' mkdir "$s/a%2Eb" && same '' "$(ls -A "$s")"
}

bad_text_is_eilseq () {
  fails 'Invalid or incomplete' mkdir "$s/"$'a\xff' \
    && fails 'Invalid or incomplete' mkdir "$s/"$'a\nb' \
    && fails 'Invalid or incomplete' mkdir "$s/"$'a\x7f' \
    && same '' "$(ls -A "$s")"
}

too_long_is_enametoolong () {
  local name
  name=$(printf 'x%.0s' {1..256})
  fails 'too long' mkdir "$s/$name" && mkdir "$s/${name:1}" \
    && rmdir "$s/${name:1}"
}

# Names as another program writes them.
give_names () { # NAME...
  local i=0 name
  {
    printf '.encoding = "UTF-8"\nsnapshot.lastUID = "%d"\n' $#
    printf 'snapshot.current = "%d"\nsnapshot.numSnapshots = "%d"\n' $# $#
    for name; do
      printf 'snapshot%d.uid = "%d"\n' "$i" $((i + 1))
      ((i == 0)) || printf 'snapshot%d.parent = "%d"\n' "$i" "$i"
      printf 'snapshot%d.displayName = "%s"\n' "$i" "$name"
      printf 'snapshot%d.filename = "vm-Snapshot%d.vmsn"\n' "$i" $((i + 1))
      printf 'snapshot%d.createTimeHigh = "412679"\n' "$i"
      printf 'snapshot%d.createTimeLow = "98504016"\n' "$i"
      printf 'snapshot%d.numDisks = "0"\n' "$i"
      i=$((i + 1))
    done
  } >"$vms/vm/new"
  mv "$vms/vm/new" "$vms/vm/vm.vmsd"
}

listed () { same "$1" "$(ls "$s" | sort | paste -sd,)"; }

duplicates_get_their_id () {
  give_names twin twin other twin
  within 30 listed 'other,twin,twin~2,twin~4' \
    && same 2 "$(getfattr --only-values -n user.vix.id "$s/twin~2")" \
    && fails 'File exists' mkdir "$s/twin"
}

shown_names_do_not_change () {
  # The plain one goes, the others keep what they were shown as.
  give_names gone twin other twin
  within 30 listed 'gone,other,twin~2,twin~4'
}

a_new_mount_shows_the_oldest_plain () {
  remount_vms && listed 'gone,other,twin,twin~4'
}

odd_host_names_are_shown () {
  give_names '.' '..' '' 'a/b' 'tab|09end' 'line|0Aend'
  within 30 six_shown || return 1
  [[ -d $s/%2E && -d $s/%2E. && -d $s/a%2Fb ]] \
    && find "$s" -maxdepth 1 >/dev/null
}
six_shown () { same 6 "$(find "$s" -mindepth 1 -maxdepth 1 -printf x | wc -c)"; }

long_names_are_cut () {
  local long
  long=$(printf 'ü%.0s' {1..200})
  give_names "$long" "$long"
  within 30 long_shown
}
long_shown () {
  local name n=0
  for name in "$s"/*; do
    name=${name##*/}
    [[ $name == ü*~[12] ]] && (($(printf %s "$name" | wc -c) <= 255)) \
      && printf %s "$name" | iconv -f UTF-8 -t UTF-8 >/dev/null && n=$((n + 1))
  done
  same 2 "$n"
}

vms_of_odd_names_work () {
  local name
  for name in "it's a vm" 'größe %41' 'a;b & $c' '~#!'; do
    make_vm "$name" || return 1
  done
  within 30 [ -d "$mnt/~#!/snapshots" ] || return 1
  for name in "$mnt"/*; do
    mkdir "$name/snapshots/n" && rmdir "$name/snapshots/n" \
      || { echo "$name"; return 1; }
  done
}

two_vms_in_one_directory () {
  make_vm pair/a && make_vm pair/b || return 1
  mv "$vms/pair/a/"* "$vms/pair/b/"* "$vms/pair/"
  rmdir "$vms/pair/a" "$vms/pair/b"
  # Until the move is seen, pair/a is the VM that was in pair/a/.
  within 30 is_of pair/a pair/a.vmx && within 30 is_of pair/b pair/b.vmx \
    && mkdir "$mnt/pair/a/snapshots/x" && same '' "$(ls "$mnt/pair/b/snapshots")"
}

is_of () { # VM .VMX
  same "$vms/$2" "$(getfattr --only-values -n user.vix.vmx "$mnt/$1")"
}

vms_nest_in_folders () {
  make_vm 'deep/er/vm9'
  within 30 [ -d "$mnt/deep/er/vm9/snapshots" ] \
    && mkdir "$mnt/deep/er/vm9/snapshots/x"
}

make_vm vm && mount_vms || exit 1
check slash-is-2F slash_is_2F
check percent-before-hex-is-25 percent_before_hex_is_25
check percent-alone-stays percent_alone_stays
check leading-dot-is-2E leading_dot_is_2E
check anything-else-stays anything_else_stays
check other-forms-are-einval other_forms_are_einval
check bad-text-is-eilseq bad_text_is_eilseq
check too-long-is-enametoolong too_long_is_enametoolong
check duplicates-get-their-id duplicates_get_their_id
check shown-names-do-not-change shown_names_do_not_change
check a-new-mount-shows-the-oldest-plain a_new_mount_shows_the_oldest_plain
check odd-host-names-are-shown odd_host_names_are_shown
check long-names-are-cut long_names_are_cut
rm "$vms/vm/vm.vmsd"
check vms-of-odd-names-work vms_of_odd_names_work
check two-vms-in-one-directory two_vms_in_one_directory
check vms-nest-in-folders vms_nest_in_folders
check it-unmounts stop_vixfs
finish
