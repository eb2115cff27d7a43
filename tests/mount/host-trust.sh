#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Usage: host-trust.sh VIXFS - whether the host is the one it should be, which
# is settled before it is told a password.
# shellcheck source=tests/mount/host-lib.sh
. "$(dirname "$0")/host-lib.sh"
# shellcheck source=tests/mount/terminal.sh
. "$(dirname "$0")/terminal.sh"

with () { # OPTIONS [NAME]: mounts, shows, logs out
  local name=${2:-a}
  start_vixfs "$(url "$name")" "$mnt" -o "credentials=$(credentials),$1" \
    && [[ -d $mnt/vm00000 ]] && stop_vixfs \
    && same 0 "$(about "$name" sessions 'len(a)')"
}

# never TEXT OPTIONS [NAME]: refused with the text, and no login was tried.
never () {
  local text=$1 name=${3:-a} before
  before=$(calls "$name" Login)
  fails "$text" "$vixfs" "$(url "$name")" "$mnt" \
    -o "credentials=$(credentials)${2:+,$2}" && nobody \
    && same "$before" "$(calls "$name" Login)"
}

other () { # THUMBPRINT: a wrong one of that kind
  tr '0-9A-Fa-f' '1-90B-FAb-fa' <<<"$1"
}

# What it says can be given back as it is: the host's thumbprint, as option.
mismatch_tells_how_to_accept_it () {
  local text option
  text=$("$vixfs" "$(url a)" "$mnt" \
    -o "credentials=$(credentials),thumbprint=$(other "$a_SHA256")" 2>&1) && return 1
  echo "$text"
  option=$(grep -oE 'thumbprint=[0-9A-Fa-f:]+' <<<"$text" | tail -n 1)
  [[ -n $option ]] && same "$a_SHA256" "${option#*=}" && with "$option"
}

unknown_authority_tells_how_to_accept_it () {
  local text
  text=$("$vixfs" "$(url a)" "$mnt" -o "credentials=$(credentials)" 2>&1) && return 1
  echo "$text"
  grep -qF -- "thumbprint=$a_SHA256" <<<"$text" && nobody
}

forms_of_thumbprints () {
  with "thumbprint=$a_SHA256" && with "thumbprint=$a_SHA1" \
    && with "thumbprint=${a_SHA256,,}" && with "thumbprint=${a_SHA1//:/}" \
    && with "thumbprint=${a_SHA256//:/}"
}

bad_thumbprints_are_named () {
  never thumbprint thumbprint=12:34 && never thumbprint thumbprint=nonsense
}

# A pinned certificate is all that is asked; an authority vouches for a name.
a_pin_needs_no_name () {
  never "$b_SHA256" "cacert=$b_CERT" b && with "thumbprint=$b_SHA256" b
}

bad_cacert_is_named () {
  echo nonsense >"$scratch/bad.pem"
  never bad.pem "cacert=$scratch/bad.pem" && never none.pem "cacert=$scratch/none.pem"
}

insecure_says_so () {
  start_vixfs "$(url a)" "$mnt" -o "credentials=$(credentials),insecure" \
    && grep -i insecure "$mnt/.vixfs/log" && stop_vixfs
}

secure_says_nothing () {
  start_vixfs "$(url a)" "$mnt" -o "credentials=$(credentials),cacert=$a_CERT" \
    && ! grep -i insecure "$mnt/.vixfs/log" && stop_vixfs
}

# Somebody else's certificate answers when the link comes back.
another_certificate_later_is_refused () {
  host_proxy p "$a_PORT" || return 1
  local port=$p_PORT logins
  start_vixfs "https://root@127.0.0.1:$port/sdk" "$mnt" \
    -o "credentials=$(credentials),thumbprint=$p_SHA256" \
    && logins=$(calls a Login) && host_stop p || return 1
  host_launch q hostproxy -upstream "127.0.0.1:$a_PORT" -listen "127.0.0.1:$port" \
    && within 60 grep -iE 'reconnecting.*(certificate|thumbprint)' "$mnt/.vixfs/hosts" \
    && same "$logins" "$(calls a Login)" && [[ -d $mnt/vm00000 ]] \
    && same EHOSTDOWN "$(mkdir_errno "$mnt/vm00000/snapshots/no")" && stop_vixfs
}

# Unless somebody says that it does not matter; a thumbprint says that it does.
plain_http_is_refused () {
  host_sim c -kind esx -vms 1 -no-tls || return 1
  never http:// '' c && never http:// "thumbprint=$a_SHA256" c \
    && never http:// "insecure,thumbprint=$a_SHA256" c && with insecure c
}

# What needs no host to be seen as a mistake, nobody types a password for.
mistakes_are_told_before_the_password_is_asked_for () {
  local conf=$scratch/hosts.conf
  unasked 'the port is no number' "$vixfs" https://root@127.0.0.1:99999 "$mnt" \
    && unasked 'path is not /sdk' "$vixfs" https://root@127.0.0.1/ui "$mnt" \
    && unasked '"12:34" is no thumbprint' "$vixfs" "$(url a)" "$mnt" \
      -o thumbprint=12:34 \
    && unasked 'by http://' "$vixfs" "http://root@127.0.0.1:$a_PORT" "$mnt" \
    && unasked none.pem "$vixfs" "$(url a)" "$mnt" -o "cacert=$scratch/none.pem" \
    && printf '[good]\nurl=%s\n\n[bad]\nurl=%s\nthumbprint=12:34\n' "$(url a)" \
      "$(url a)" >"$conf" \
    && unasked "$conf: line 4: [bad]: \"12:34\" is no thumbprint" "$vixfs" "$conf" \
      "$mnt" && printf '[bad]\nurl=https://root@h:99999\n' >"$conf" \
    && unasked "$conf: line 1: [bad]: \"https://h:99999\": the port" "$vixfs" \
      "$conf" "$mnt" && nobody
}

host_sim a -kind esx -vms 1 && host_sim b -kind esx -vms 1 -wrong-name || exit 1
check an-authority-vouches with "cacert=$a_CERT"
check forms-of-thumbprints forms_of_thumbprints
check unknown-authority never "$a_SHA256" ''
check another-authority never "$a_SHA256" "cacert=$b_CERT"
check another-SHA-256 never "$a_SHA256" "thumbprint=$(other "$a_SHA256")"
check another-SHA-1 never thumbprint= "thumbprint=$(other "$a_SHA1")"
check mismatch-tells-how-to-accept-it mismatch_tells_how_to_accept_it
check unknown-authority-tells-how-to-accept-it \
  unknown_authority_tells_how_to_accept_it
check bad-thumbprints-are-named bad_thumbprints_are_named
check mistakes-are-told-before-the-password-is-asked-for \
  mistakes_are_told_before_the_password_is_asked_for
check a-pin-needs-no-name a_pin_needs_no_name
check bad-cacert-is-named bad_cacert_is_named
check insecure-says-so insecure_says_so
check secure-says-nothing secure_says_nothing
check another-certificate-later-is-refused another_certificate_later_is_refused
check plain-HTTP-is-refused plain_http_is_refused
finish
