#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The simulator and the proxy as the tests use them: real processes, curl and
# plain SOAP. What each behaviour is in detail, the Go tests prove.
# shellcheck disable=SC2154,SC2317 # set and used by way of lib.sh and check
set -u
# shellcheck source=SCRIPTDIR/lib.sh
. "$(dirname "$0")/lib.sh"
host_begin
number=0 failed=0

check () { # NAME COMMAND...
  local name=$1 out
  shift
  number=$((number + 1))
  if out=$("$@" 2>&1); then
    printf 'ok %d - %s\n' "$number" "$name"
  else
    failed=$((failed + 1))
    printf 'not ok %d - %s\n' "$number" "$name"
    printf '%s\n' "$out" | head -c 4000 | sed 's/^/# /'
  fi
}

# says TEXT COMMAND...: its output holds the text.
says () {
  local text=$1 out
  shift
  out=$("$@" 2>&1)
  [[ $out == *"$text"* ]] && return
  printf '"%s" is not in:\n%s\n' "$text" "$out"
  return 1
}

not () {
  ! "$@"
}

# The settings of a started server by name: of a, URL.
of () {
  local variable=$1_$2
  printf '%s' "${!variable}"
}

fetch () { # NAME PATH
  curl -sS --max-time 20 --cacert "$(of "$1" CERT)" \
    "https://127.0.0.1:$(of "$1" PORT)$2"
}

soap () { # NAME METHOD TYPE:VALUE ARGUMENTS
  local kind=${3%%:*} value=${3#*:}
  curl -sS --max-time 20 --cacert "$(of "$1" CERT)" -b "$host_tmp/cookies" \
    -c "$host_tmp/cookies" -H 'SOAPAction: "urn:vim25/8.0.3.0"' \
    -H 'Content-Type: text/xml; charset=utf-8' --data-binary @- \
    "$(of "$1" URL)" <<X
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
<$2 xmlns="urn:vim25"><_this type="$kind">$value</_this>$4</$2>
</e:Body></e:Envelope>
X
}

login () {
  soap "$1" Login SessionManager:ha-sessionmgr \
    "<userName>$a_USER</userName><password>$a_PASSWORD</password>"
}

create () { # NAME SNAPSHOT
  soap "$1" CreateSnapshot_Task VirtualMachine:101 \
    "<name>$2</name><memory>false</memory><quiesce>false</quiesce>"
}

thumbprint () { # NAME DIGEST
  openssl x509 -in "$(of "$1" CERT)" -noout -fingerprint "-$2" | sed 's/.*=//'
}

gone () { # PID
  ! kill -0 "$1" 2>/dev/null
}

host_sim a -kind esx -vms 2 -on || exit 1
host_proxy p "$a_PORT" || exit 1
check "the simulator answers over its own certificate" \
  says '<version>8.0.3.0</version>' fetch a /sdk/vimServiceVersions.xml
check "the proxy has another certificate" \
  not curl -sS --cacert "$a_CERT" "$p_URL"
check "the SHA-1 thumbprint is openssl's" \
  test "$(thumbprint a sha1)" = "$a_SHA1"
check "the SHA-256 thumbprint is openssl's" \
  test "$(thumbprint p sha256)" = "$p_SHA256"
check "login through the proxy" says '<userName>root</userName>' login p
check "a create through the proxy" says 'Response' create p one
check "what it made is counted" says '"vm00000/one":1' \
  host_ctl "$a_CONTROL" counters
host_ctl "$p_CONTROL" rule method=CreateSnapshot_Task action=drop-after \
  > "$host_tmp/out"
check "a lost answer" says 'Empty reply' create p 'two'
check "was a create all the same" says '"vm00000/two":1' \
  host_ctl "$a_CONTROL" counters
host_ctl "$p_CONTROL" rule method=CreateSnapshot_Task action=drop-before \
  > "$host_tmp/out"
check "a request that never went out" not create p three
check "made nothing" not says 'three' host_ctl "$a_CONTROL" vm vm=vm00000
check "names are encoded" says '"name":"a b&c/d"' \
  host_ctl "$a_CONTROL" snapshot/create vm=vm00001 name='a b&c/d'
check "a wrong order is refused and says why" says 'no VM' \
  host_ctl "$a_CONTROL" snapshot/create vm=nobody name=x
host_ctl "$p_CONTROL" down > "$host_tmp/out"
check "the proxy goes down" not fetch p /sdk/vimServiceVersions.xml
host_ctl "$p_CONTROL" up > "$host_tmp/out"
check "and up on the same port" says urn:vim25 \
  fetch p /sdk/vimServiceVersions.xml
host_ctl "$a_CONTROL" restart > "$host_tmp/out"
check "a restart ends the session" says NotAuthenticatedFault create p four

host_sim b -kind vcenter -vms 5 || exit 1
host_sim c -kind esx -plain || exit 1
check "three hosts side by side" \
  test "$(printf '%s\n' "$a_PORT" "$b_PORT" "$c_PORT" | sort -u | wc -l)" = 3
check "govmomi's own simulator" says '<version>6.5</version>' \
  fetch c /sdk/vimServiceVersions.xml

pids=("$a_PID" "$b_PID" "$c_PID" "$p_PID")
for name in a b c p; do
  host_stop "$name"
done
for pid in "${pids[@]}"; do
  check "process $pid ended" gone "$pid"
done
check "nothing is left of the datastores" \
  not compgen -G "$host_tmp/govcsim-*"
check "an unknown option ends the start" \
  says 'did not start' host_sim d -nonsense
check "so does a host of no kind" says 'unknown -kind' host_sim d -kind gsx
printf '1..%d\n' "$number"
exit $((failed > 0))
