#!/usr/bin/env bash
# A slow disk is noticed, named by the responder, and its member moved to a healthy one: users are
# whole again while the disk is still slow, and the kernel's log stays clean.
source "$(dirname "$0")/lib.sh"

game_day slow-disk --set duration=80s
detected EtcdFsyncSlow
detected HostDiskSlow
victim=$(jq -rs 'first(.[] | select(.kind == "injection.active")) | .data.host' "$work/events")
has ".data.step? == \"name-disk\" and (.data.note? // \"\" | startswith(\"$victim,\"))" \
  "the right disk, named"
sampled victim-fsync '.p99_ms >= 100' "syncs of 100 ms and more"
always kernel-log errors 0
has_interval TTD
has_interval TTM
lab exec guest -- dmsetup table "$victim-data" | grep -q '^0 1048576 linear ' ||
  fail "the disk's table is not the old one"
lab up 2>/dev/null
lab exec "$victim" -- test -d /srv/data/etcd || fail "the member did not come home"
"$firedrill" report "$run"
