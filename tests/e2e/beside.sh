#!/usr/bin/env bash
# Every fault beside every other that its host can have: both are on, the first is undone while the
# second stays as it was, then the second; the host equals its snapshot each time.
# FIREDRILL_PAIRS=A,B (two names) tries only these two, A first.
source "$(dirname "$0")/lib.sh"

pairs=${FIREDRILL_PAIRS:-}
lab up --bare 2>/dev/null || fail "the lab does not come up"
lab copy-in "$root/build/release/bin/host_snapshot" /run/host_snapshot
lab copy-in "$here/beside_on_host.sh" /run/beside_on_host.sh
without_monitoring
lab service start db-1 etcd
for router in rt-1 rt-2; do lab service start "$router" bird; done
for host in db-1 rt-1; do lab agents start "$host"; done

# A database host has them all but BGP; a router has BGP, no disk and no emulated card.
lab exec db-1 -- firedrill-agent faults --json | jq -r '.[] | select(.supported) | .name' \
  >"$work/supported"
for name in netem nic-ring dm-delay io-throttle memory-leak route-flap route-blackhole; do
  grep -qx "$name" "$work/supported" || fail "db-1 does not support $name"
done
lab exec db-1 -- bash /run/beside_on_host.sh "$pairs" \
  "netem device=data0 direction=both delay=20ms loss=1%" \
  "nic-ring device=data0 rx=128" \
  "dm-delay device=/srv/data write=20ms flush=20ms" \
  "io-throttle cgroup=/db-1/etcd device=/srv/data write-iops=200" \
  "memory-leak process=etcd rate=2MiB limit=16MiB every=200ms" \
  "route-flap prefix=198.51.100.0/24 period=2s down-share=50%" \
  "route-blackhole prefix=203.0.113.0/24"
lab exec rt-1 -- bash /run/beside_on_host.sh "$pairs" \
  "bgp-flap socket=/run/bird/bird.ctl protocol=upstream period=4s down-share=50%" \
  "netem device=mgmt0 delay=20ms" \
  "io-throttle cgroup=/rt-1/bird device=/dev/loop0 write-iops=200" \
  "memory-leak where=cgroup cgroup=rt-1/bird rate=2MiB limit=16MiB every=200ms" \
  "route-flap prefix=198.51.100.0/24 period=2s down-share=50%" \
  "route-blackhole prefix=203.0.113.0/24"
