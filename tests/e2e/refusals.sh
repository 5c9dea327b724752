#!/usr/bin/env bash
# Faults that must not be: each refused before anything is touched, in one line that names the cause
# and the remedy.
source "$(dirname "$0")/lib.sh"

# refused TEXT... -- FAULT PARAMETER...: db-1's agent refuses it and says all the texts.
refused() {
  local texts=() code=0
  while [ "$1" != -- ]; do texts+=("$1") && shift; done
  shift
  lab exec db-1 -- firedrill-agent inject "$@" --duration 10s >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = 1 ] || { cat "$work/out" "$work/err" >&2 && fail "exit code $code: inject $*"; }
  one_line
  for text in "${texts[@]}"; do said "$text"; done
  note "ok: $(cat "$work/err")"
}

snapshot db-1 >"$work/before-db-1"
lab exec guest -- dmsetup table >"$work/tables"
refused "no device-mapper device" "use io-throttle" -- dm-delay device=/dev/loop0 write=100ms
refused "is no device" -- dm-delay device=/dev/nosuch write=100ms
refused "on no block device" -- dm-delay device=/var/lib/firedrill write=100ms
refused "no cgroup '/nosuch'" -- io-throttle cgroup=/nosuch device=/srv/data write-iops=20
refused "firedrill-agent" "choose a cgroup" -- \
  io-throttle cgroup=/db-1/agent device=/srv/data write-iops=20
refused "init process" "name a service" -- memory-leak pid=1 rate=1MiB limit=16MiB
refused "'nosuch'" "is the service running?" -- memory-leak process=nosuch rate=1MiB limit=16MiB
refused "would not fit" "'allow-oom'" -- memory-leak process=etcd rate=16MiB limit=64GiB
refused "table main has no route to 203.0.113.0/24" "nearest" -- route-flap prefix=203.0.113.0/24
refused "no control socket" "start BIRD" -- bgp-flap protocol=edge
same_as_before db-1
lab exec guest -- dmsetup table | diff "$work/tables" - || fail "a device-mapper table changed"
