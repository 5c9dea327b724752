#!/usr/bin/env bash
# The leader's disk is slow and every health check passes: the leadership is moved away, and the
# users of the other members are whole again while the fault is still on.
source "$(dirname "$0")/lib.sh"

game_day slow-disk-gray-failure --set duration=80s
detected EtcdFsyncSlow
has '.kind == "step.verified" and .data.step == "move-leader"' "the new leader, seen by machine"
# Red would be three failures in a row; single answers fail in the instant in which the leadership moves.
never_breached health-check
has_interval TTD
has_interval TTM
[ "$(run_json .measures.mitigated_by)" = responders ] ||
  fail "mitigated by $(run_json .measures.mitigated_by)"
"$firedrill" report "$run"
