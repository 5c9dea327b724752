#!/usr/bin/env bash
# The leader's disk is slow and every health check passes: the leadership is moved away, and the users of the other
# members are whole again while the fault is still on.
source "$(dirname "$0")/lib.sh"

game_day slow-disk-gray-failure --set duration=80s
detected EtcdFsyncSlow
has '.kind == "step.verified" and .data.step == "move-leader"' "the moved leadership, seen by machine"
jq -es '[.[] | select(.kind == "probe.sample" and .data.probe == "health-check") | .data.values.error_ratio | numbers] | length > 0 and all(. == 0)' \
  "$work/events" >/dev/null || fail "the health check turned red, or was not asked"
has_interval TTD
has_interval TTM
[ "$(run_json .measures.mitigated_by)" = responders ] || fail "mitigated by $(run_json .measures.mitigated_by)"
"$firedrill" report "$run"
