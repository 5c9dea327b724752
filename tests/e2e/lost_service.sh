#!/usr/bin/env bash
# Packets are refused by a rule while every table looks right: the rule is found and taken away, the
# users are whole again, and Firedrill's undo finds nothing left to do.
source "$(dirname "$0")/lib.sh"

game_day lost-service --set duration=60s
detected ServiceUnreachable
always route present 1
sampled connect-errors '.error_ratio > 0.5' "connections that fail"
has_interval TTD
has_interval TTM
[ "$(run_json .measures.mitigated_by)" = responders ] ||
  fail "mitigated by $(run_json .measures.mitigated_by)"
"$firedrill" report "$run"
