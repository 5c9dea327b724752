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

# The owner's policy: read rule by rule, and asked before anything is injected.
cat >"$work/agent.json" <<'END'
{
  "policy": {
    "limits": {"netem": {"loss": {"max": "20%"}}},
    "protected-paths": ["/srv/data"],
    "required-tags": ["approved"],
    "hours": [{"days": "mon-fri", "from": "09:00", "to": "17:00"}]
  }
}
END
policy() { "$root/build/release/bin/firedrill-agent" policy check "$@"; }
ask() { policy "$work/agent.json" netem device=eth0 --at "$at" "$@"; }
at=2026-03-02T10:00
expect_exit 0 policy "$work/agent.json"
said "line    3  netem: 'loss' must be at most 20%."
said "line    6  Faults may run mon-fri 09:00-17:00"
expect_exit 0 ask loss=20% --tag approved --duration 5m
expect_exit 1 ask loss=21% --tag approved --duration 5m
said "line 3 (/policy/limits/netem/loss/max)"
expect_exit 1 ask loss=20% --duration 5m
said "'approved'"
at=2026-03-02T17:00
expect_exit 1 ask loss=20% --tag approved --duration 5m
said "it is Mon 17:00"
sed -i 's/"hours"/"hour"/' "$work/agent.json"
expect_exit 2 policy "$work/agent.json"
said "line 6"
said "'hours'"
one_line

# The same on a host: what the names lead to is protected, however it is asked for.
lab exec db-2 -- sh -c 'cat >/run/owner.json' <<'END'
{"policy": {"protected-paths": ["/srv/data"], "protected-processes": ["etcd"]},
 "state-directory": "/run/owner-test"}
END
owner() {
  local code=0
  lab exec db-2 -- firedrill-agent inject --config /run/owner.json "$@" --duration 5s \
    >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = 1 ] || { cat "$work/out" "$work/err" >&2 && fail "exit code $code: inject $*"; }
  one_line
  grep -qE "owner protects|protected by this host" "$work/err" || fail "not by the owner: $*"
  note "ok: $(cat "$work/err")"
}
owner dm-delay device=/dev/mapper/db-2-data write=100ms
owner io-throttle cgroup=/db-2/etcd device=/dev/mapper/db-2-data write-iops=20
pid=$(lab exec db-2 -- pidof etcd | tr -d '\r')
owner memory-leak "pid=$pid" rate=1MiB limit=16MiB
owner memory-leak where=cgroup cgroup=/db-2/etcd rate=1MiB limit=16MiB
