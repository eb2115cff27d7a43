# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# lib.sh: builds, starts and stops the simulator and the fault proxy for the
# tests that source it. README.md has an example. Needs bash, curl and Go.

host_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
host_govmomi=/usr/share/gocode/src/github.com/vmware/govmomi/simulator
host_names=()

# host_go ARG...: the Go command, offline, with Debian's packages.
host_go () {
  GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOPROXY=off \
    CGO_ENABLED=0 GOCACHE=${GOCACHE:-$host_bin/gocache} go "$@"
}

# host_build: makes $host_bin/hostsim and hostproxy unless they are newer than
# their sources. VIXFS_HOST_BIN, or else HOST_BIN, names a directory to keep
# them in between runs.
host_build () {
  host_bin=${VIXFS_HOST_BIN:-${HOST_BIN:-$host_tmp/bin}}
  mkdir -p "$host_bin"
  local part out
  for part in sim proxy; do
    out=$host_bin/host$part
    if [ -x "$out" ] && [ -z "$(find "$host_dir/$part" "$host_dir/serve" -name '*.go' -newer "$out")" ]; then
      continue
    fi
    # The lock lets tests that run side by side share one build.
    (
      flock 9
      cd "$host_dir/$part" || exit 1
      host_go build -o "$out.part" . && mv "$out.part" "$out"
    ) 9> "$host_bin/lock" || return 1
  done
}

# host_begin [DIRECTORY]: call once. Ends the test with 77 where Go is not
# installed. With a DIRECTORY, which is made: everything goes there, and the
# caller, who has a trap of its own, ends the servers and removes it.
host_begin () {
  if ! command -v go > /dev/null || [ ! -d "$host_govmomi" ]; then
    echo "skipped: needs golang-go and golang-github-vmware-govmomi-dev"
    exit 77
  fi
  if [ $# -gt 0 ]; then
    host_tmp=$1
    mkdir "$host_tmp" || exit 1
  else
    host_tmp=$(mktemp -d "${TMPDIR:-/tmp}/host-XXXXXX") || exit 1
    trap host_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  host_build || { echo "the simulator does not build"; exit 1; }
}

# host_end: stops what was started and removes the temporary directory.
host_end () {
  local status=$? name
  for name in "${host_names[@]}"; do
    host_stop "$name"
  done
  [ -n "${host_tmp:-}" ] && rm -rf --one-file-system "$host_tmp"
  return "$status"
}

# host_launch NAME PROGRAM ARG...: starts it, waits for its ready file and
# sets NAME_URL and so on from it.
host_launch () {
  local name=$1 program=$2 ready=$host_tmp/$1.ready word tries=0
  shift 2
  rm -f "$ready"
  TMPDIR=$host_tmp "$host_bin/$program" -ready "$ready" \
    -cert "$host_tmp/$name.pem" "$@" > "$host_tmp/$name.log" 2>&1 &
  printf -v "${name}_PID" '%s' "$!"
  host_names+=("$name")
  while [ ! -e "$ready" ]; do
    if ! kill -0 "$!" 2> /dev/null || [ "$((tries += 1))" -gt 1200 ]; then
      echo "$program did not start:" >&2
      cat "$host_tmp/$name.log" >&2
      return 1
    fi
    sleep 0.05
  done
  while IFS='=' read -r word value; do
    value=${value#\'}
    printf -v "${name}_${word#HOST_}" '%s' "${value%\'}"
  done < "$ready"
}

# host_sim NAME OPTION...: starts a simulator.
host_sim () {
  local name=$1
  shift
  host_launch "$name" hostsim "$@"
}

# host_proxy NAME PORT OPTION...: starts a proxy in front of that port.
host_proxy () {
  local name=$1 port=$2
  shift 2
  host_launch "$name" hostproxy -upstream "127.0.0.1:$port" "$@"
}

# host_stop NAME: ends it and waits. Only processes started here are touched.
host_stop () {
  local variable=$1_PID pid tries=0
  pid=${!variable:-}
  [ -n "$pid" ] || return 0
  printf -v "$variable" '%s' ''
  kill -TERM "$pid" 2> /dev/null
  while kill -0 "$pid" 2> /dev/null; do
    if [ "$((tries += 1))" -gt 200 ]; then
      echo "process $pid ($1) does not end, killed" >&2
      kill -KILL "$pid" 2> /dev/null
      break
    fi
    sleep 0.05
  done
  wait "$pid" 2> /dev/null
  return 0
}

# host_ctl CONTROL PATH KEY=VALUE...: one call of a control endpoint.
host_ctl () {
  local control=$1 path=$2 arguments=() word
  shift 2
  for word in "$@"; do
    arguments+=(--data-urlencode "$word")
  done
  curl -sS --fail-with-body --get "${arguments[@]}" "$control/$path"
}
