#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-names.sh VIXFS - names as hosts keep them and as the tree shows
# them, both ways; VMs that are not simply there.
# shellcheck disable=SC2010 # what ls itself shows is what is tested
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
dc=$mnt/DC0
vm=$dc/vm00000
s=$vm/snapshots

# makes NAME WIRE SHOWN: mkdir SHOWN makes a snapshot NAME, which goes over the
# wire as WIRE; what another client makes so is shown so; and it can be renamed
# and removed by that name.
makes () {
  mkdir "$s/$3" && [[ -d $s/$3 ]] && ls "$s" | grep -qxF -- "$3" \
    && same "$1|$2" "$(about a vm vm=vm00000 \
      '"|".join(a["snapshots"][0][k] for k in ("name", "wire"))')" \
    && same "$1" "$(xattr name "$s/$3")" \
    && mv "$s/$3" "$s/between" && mv "$s/between" "$s/$3" \
    && same "$2" "$(about a vm vm=vm00000 'a["snapshots"][0]["wire"]')" \
    && rmdir "$s/$3" && order a snapshot/create vm=vm00000 name="$1" \
    && within 30 [ -d "$s/$3" ] && echo "$3" >"$vm/current" \
    && same "$3" "$(cat "$vm/current")" && rmdir "$s/$3" \
    && same '' "$(names a vm00000)"
}

# A snapshot "8/23/2023" that reads as "8%2f23%2f2023" is what other tools
# lose, or encode once more.
slash () { makes '8/23/2026' '8%2f23%2f2026' '8%2F23%2F2026'; }
percent () { makes '100% done' '100%25 done' '100% done'; }
percent_hex () { makes '100%41' '100%2541' '100%2541'; }
twice_encoded () { makes 'a%252fb' 'a%25252fb' 'a%25252fb'; }
what_looks_encoded () { makes 'a%2fb' 'a%252fb' 'a%252fb'; }
backslash () { makes 'a\b' 'a%5cb' 'a\b'; }
leading_dot () { makes '.hidden' '.hidden' '%2Ehidden' && makes '..' '..' '%2E.'; }
markup () { makes 'a<b>&"c'"'"']]>' 'a<b>&"c'"'"']]>' 'a<b>&"c'"'"']]>'; }
unicode () { makes 'größer “q” 🐧 漢字' 'größer “q” 🐧 漢字' 'größer “q” 🐧 漢字'; }
spaces () { makes ' two  words ' ' two  words ' ' two  words '; }

invalid_ones_are_not_sent () {
  unchanging a invalid_ones && same '' "$(ls -A "$s")"
}
invalid_ones () {
  same EINVAL "$(mkdir_errno "$s/.hidden")" && xattr error "$s" | grep -F %2E \
    && same EINVAL "$(mkdir_errno "$s/a%2fb")" \
    && same EINVAL "$(mkdir_errno "$s/a%41b")" \
    && same EILSEQ "$(mkdir_errno "$s/a\\nb")" \
    && fails 'Invalid or incomplete' mkdir "$s/"$'a\xff'
}

# 80 characters, however many bytes.
eighty_characters () {
  local name wide
  name=$(printf 'x%.0s' {1..80})
  wide=$(printf 'ü%.0s' {1..80})
  mkdir "$s/$name" && rmdir "$s/$name" && mkdir "$s/$wide" && rmdir "$s/$wide" \
    && unchanging a gives ENAMETOOLONG mkdir_errno "$s/${name}x" \
    && unchanging a gives ENAMETOOLONG mkdir_errno "$s/${wide}x" \
    && mkdir "$s/short" \
    && unchanging a gives ENAMETOOLONG \
      errno_of "os.rename('$s/short', '$s/${name}x')" && rmdir "$s/short"
}

# Escapes of the host count for nothing: 80 slashes are 80 characters.
eighty_slashes () {
  local name
  name=$(printf '%%2F%.0s' {1..80})
  mkdir "$s/$name" && knows a vm00000 'len(a["snapshots"][0]["name"])' 80 \
    && rmdir "$s/$name"
}

listed () { same "$1" "$(ls "${2:-$s}" | LC_ALL=C sort | paste -sd,)"; }

# "Which of the two?": each has a name of its own here, and is what is meant.
duplicates_get_their_id () {
  local i
  for i in twin other twin twin; do
    order a snapshot/create vm=vm00000 name=$i || return 1
  done
  # ids go on from what was
  local first
  first=$(about a vm vm=vm00000 'a["snapshots"][0]["id"]')
  within 30 listed "other,twin,twin~$((first + 2)),twin~$((first + 3))" \
    && unchanging a gives EEXIST mkdir_errno "$s/twin" \
    && unchanging a gives EEXIST mkdir_errno "$s/twin~$((first + 2))" \
    && rmdir "$s/twin~$((first + 2))" \
    && knows a vm00000 'sorted(x["id"] for x in a["snapshots"])' \
      "[$first, $((first + 1)), $((first + 3))]" \
    && printf mine >"$s/twin~$((first + 3))/description" \
    && knows a vm00000 '[x["description"] for x in a["snapshots"]]' \
      "['', '', 'mine']" \
    && order a snapshot/remove vm=vm00000 id="$first" \
    && within 30 listed "other,twin~$((first + 3))" \
    && stop_vixfs && mount_host a && listed other,twin \
    && order a snapshot/clear vm=vm00000 && within 30 listed ''
}

vms_of_one_name () {
  local id
  order a vm/create name=pair folder=DC0 && within 30 [ -d "$dc/pair" ] \
    && order a vm/create name=pair folder=DC0 || return 1
  id=$(about a vms 'sorted((x["moref"] for x in a if x["name"] == "pair"))[1]')
  within 30 [ -d "$dc/pair~$id" ] \
    && same "$id" "$(xattr id "$dc/pair~$id")" \
    && mkdir "$dc/pair~$id/snapshots/n" \
    && same n "$(about a vm vm="$id" 'a["snapshots"][0]["name"]')" \
    && same '' "$(ls "$dc/pair/snapshots")" \
    && order a vm/rename vm="$id" name=single \
    && within 30 [ -d "$dc/single/snapshots/n" ] && [[ ! -e $dc/pair~$id ]]
}

vms_of_odd_names () {
  local name shown
  while read -r name shown; do
    order a vm/create name="$name" folder=DC0 \
      && within 30 [ -d "$dc/$shown/snapshots" ] \
      && mkdir "$dc/$shown/snapshots/n" && same n "$(names a "$name")" \
      && rmdir "$dc/$shown/snapshots/n" && order a vm/destroy vm="$name" \
      && within 30 [ ! -e "$dc/$shown" ] || { echo "$name"; return 1; }
  done <<'N'
a/b a%2Fb
.dot %2Edot
100% 100%
größe-🐧 größe-🐧
a\b a\b
$(x);&'"* $(x);&'"*
N
}

# The way down is not the way up twice: folders are escaped, too.
folders_of_odd_names () {
  order a folder/create 'folder=DC0/x' \
    && order a folder/rename folder=DC0/x name='f/.g%41' \
    && order a vm/create name=inner 'folder=DC0/f%2f.g%2541' \
    && within 30 [ -d "$dc/f%2F.g%2541/inner/snapshots" ] \
    && same 'DC0/f%2F.g%2541/inner' "$(xattr path "$dc/f%2F.g%2541/inner")"
}

# A folder and a VM may have one name.
a_folder_named_as_a_vm () {
  order a folder/create folder=DC0/vm00004 \
    && order a vm/create name=below folder=DC0/vm00004 || return 1
  within 30 found_below && [[ -d $dc/vm00004 ]] \
    && same 2 "$(find "$dc" -mindepth 1 -maxdepth 1 -name 'vm00004*' | wc -l)"
}
found_below () { [[ -n $(find "$dc" -maxdepth 2 -name below) ]]; }

vms_of_vapps_are_there () {
  local name shown
  name=$(about a vms '[x["name"] for x in a if "vapp" in x][0]')
  shown=$(find "$mnt" -name snapshots -prune -o -name "$name" -print)
  same 1 "$(grep -c . <<<"$shown")" && [[ $shown == *APP0/* ]] \
    && mkdir "$shown/snapshots/n" && same n "$(names a "$name")"
}

templates_are_marked () {
  within 30 gives True info "$dc/vm00005/info.json" 'a["template"]' \
    || { find "$mnt" -name 'vm0000?'; return 1; }
}

# A VM that the host cannot reach breaks no listing and says what it is.
inaccessible_vms_are_shown () {
  local state
  for state in inaccessible orphaned disconnected invalid; do
    order a vm/set vm=vm00002 connection=$state \
      && within 30 says_problem $state && ls -lR "$dc/vm00002" >/dev/null \
      && tar -C "$mnt" -cf - --exclude=files . >/dev/null \
      || { echo $state; return 1; }
  done
  order a vm/set vm=vm00002 connection=connected \
    && within 30 no_problem && mkdir "$dc/vm00002/snapshots/n"
}
says_problem () { xattr problem "$dc/vm00002" | grep -q "$1"; }
no_problem () { ! xattr problem "$dc/vm00002" 2>/dev/null | grep .; }

needs_consolidation_is_shown () {
  order a vm/set vm=vm00002 consolidation=1 \
    && within 30 says_problem consolidate \
    && order a vm/set vm=vm00002 consolidation=0 && within 30 no_problem
}

# Each listing has it in one of the two places, or, just then, in none; never
# anything else missing, no error but that this one is not here any more.
moved_while_listed () {
  local i lister
  order a folder/create folder=DC0/left && order a folder/create folder=DC0/right \
    && order a vm/create name=stays1 folder=DC0/left \
    && order a vm/create name=stays2 folder=DC0/right \
    && order a vm/create name=nomad folder=DC0/left \
    && within 30 [ -d "$dc/left/nomad" ] && within 30 [ -d "$dc/right/stays2" ] \
    || return 1
  python3 -c '
import errno, os, sys
top, stop = sys.argv[1:]
n = 0
while not os.path.exists(stop):
    left, right = os.listdir(top + "/left"), os.listdir(top + "/right")
    assert "stays1" in left and "stays2" in right, (left, right)
    for side, names in ("left", left), ("right", right):
        for name in names:
            try:
                os.listdir("%s/%s/%s" % (top, side, name))
            except OSError as e:
                assert name == "nomad", name
                assert e.errno in (errno.ENOENT, errno.ESTALE), e
    n += 1
print(n)' "$dc" "$scratch/stop" >"$scratch/lister" 2>&1 &
  lister=$!
  for ((i = 0; i < 20; i++)); do
    order a vm/move vm=nomad folder=DC0/right \
      && order a vm/move vm=nomad folder=DC0/left || break
  done
  sleep 0.5
  touch "$scratch/stop"
  wait "$lister" && ((i == 20)) && within 30 [ -d "$dc/left/nomad" ] \
    && [[ ! -e $dc/right/nomad ]] || { cat "$scratch/lister"; return 1; }
}

host_sim a -kind vcenter -vms 6 -vapps 1 -hosts 1 -templates 1 || exit 1
# All but those in the vApp right below the datacenter.
for i in 0 2 5; do
  order a vm/move vm=vm0000$i folder=DC0 || exit 1
done
mount_host a || exit 1
check a-slash slash
check a-percent percent
check a-percent-before-hex percent_hex
check twice-encoded twice_encoded
check what-looks-encoded what_looks_encoded
check a-backslash backslash
check a-leading-dot leading_dot
check markup markup
check unicode unicode
check spaces spaces
check invalid-ones-are-not-sent invalid_ones_are_not_sent
check eighty-characters eighty_characters
check eighty-slashes eighty_slashes
check duplicates-get-their-id duplicates_get_their_id
check vms-of-one-name vms_of_one_name
check vms-of-odd-names vms_of_odd_names
check folders-of-odd-names folders_of_odd_names
check a-folder-named-as-a-vm a_folder_named_as_a_vm
check vms-of-vapps-are-there vms_of_vapps_are_there
check templates-are-marked templates_are_marked
check inaccessible-vms-are-shown inaccessible_vms_are_shown
check needs-consolidation-is-shown needs_consolidation_is_shown
check moved-while-listed moved_while_listed
check it-unmounts stop_vixfs
finish
