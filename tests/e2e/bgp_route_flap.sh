#!/usr/bin/env bash
# A route flaps below a session that stays up: it is recognised, pinned and escalated, and users are
# whole again while it still flaps. Their latency has two modes: at once, or after a retransmission.
source "$(dirname "$0")/lib.sh"

game_day bgp-route-flap --set period=10s --set duration=80s
detected RouteFlapping
has '.kind == "step.verified" and .data.step == "pin-route"' "the pinned route, seen by machine"
has '.kind == "step.done" and .data.step == "escalate-network"' "the escalation"
sampled connect-p99 '.max_ms // 0 > 900' "the slow mode"
sampled connect-p99 '.p50_ms // 1000 < 300' "the quick mode"
sampled connect-errors '.error_ratio > 0.5' "connections that fail"
sampled connect-errors '.error_ratio == 0' "connections that work"
has_interval TTD
has_interval TTM
lab exec rt-2 -- birdc show protocols services | grep -q ' up ' ||
  fail "BIRD's protocol is not up again"
"$firedrill" report "$run"
