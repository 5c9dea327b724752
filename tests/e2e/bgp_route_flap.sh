#!/usr/bin/env bash
# A route flaps below a session that stays up: it is recognised, pinned and escalated, and the users are whole again
# while the route still flaps. Their latency has two modes meanwhile: at once, or after a retransmission.
source "$(dirname "$0")/lib.sh"

game_day bgp-route-flap --set period=10s --set duration=80s
detected RouteFlapping
has '.kind == "step.verified" and .data.step == "pin-route"' "the pinned route, seen by machine"
has '.kind == "step.done" and .data.step == "escalate-network"' "the escalation"
samples() { jq -s "[.[] | select(.kind == \"probe.sample\" and .data.probe == \"connect-p99\") | .data.values.$1 | numbers]" "$work/events"; }
samples max_ms | jq -e 'any(. > 900)' >/dev/null || fail "no slow mode"
samples p50_ms | jq -e 'any(. < 300)' >/dev/null || fail "no quick mode"
has '.kind == "probe.sample" and .data.probe == "connect-errors" and .data.values.error_ratio > 0.5' "failing connections"
has '.kind == "probe.sample" and .data.probe == "connect-errors" and .data.values.error_ratio == 0' "working connections"
has_interval TTD
has_interval TTM
lab exec rt-2 -- birdc show protocols services | grep -q ' up ' || fail "BIRD's protocol is not up again"
"$firedrill" report "$run"
