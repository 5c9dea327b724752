#!/usr/bin/env bash
# A member starved by io.max with a green health check: the responder finds the limit and lifts it.
source "$(dirname "$0")/lib.sh"

game_day io-starved --set duration=80s
detected EtcdFsyncSlow
never_breached health-check
has_interval TTD
has_interval TTM
[ -z "$(lab exec db-2 -- cat /sys/fs/cgroup/db-2/etcd/io.max)" ] || fail "a limit is left"
"$firedrill" report "$run"
