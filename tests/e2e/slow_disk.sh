#!/usr/bin/env bash
# A slow disk is noticed, named by the responder, and its member moved to a healthy one: the users are whole again while
# the disk is still slow, and the kernel's log stays clean.
source "$(dirname "$0")/lib.sh"

game_day slow-disk --set duration=80s
detected EtcdFsyncSlow
detected HostDiskSlow
victim=$(jq -rs 'first(.[] | select(.kind == "injection.active")) | .host' "$work/events")
has ".kind == \"step.done\" and .data.step == \"name-disk\" and (.data.note | startswith(\"$victim,\"))" "the right disk, named"
has '.kind == "probe.sample" and .data.probe == "victim-fsync" and .data.values.p99_ms >= 100' "syncs of 100 ms and more"
jq -es '[.[] | select(.kind == "probe.sample" and .data.probe == "kernel-log") | .data.values.errors] | length > 0 and all(. == 0)' \
  "$work/events" >/dev/null || fail "the kernel's log has errors, or was not read"
has_interval TTD
has_interval TTM
lab exec guest -- dmsetup table "$victim-data" | grep -q '^0 1048576 linear ' || fail "the disk's table is not the old one"
lab up 2>/dev/null
lab exec "$victim" -- test -d /srv/data/etcd || fail "the member did not come home"
"$firedrill" report "$run"
