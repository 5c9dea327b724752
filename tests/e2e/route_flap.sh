#!/usr/bin/env bash
# A host's route to its users comes and goes while the service and the routers are well: the way back is looked at more
# than once and pinned, users are whole again while it still flaps, and undo puts the route back as it was.
source "$(dirname "$0")/lib.sh"

game_day route-flap --set period=20s --set duration=120s
detected ServiceUnreachable
has '.kind == "step.verified" and .data.step == "pin-way-back"' "the pinned way back, seen by machine"
has '.kind == "injection.paused"' "a period in which the route was there"
sampled connect-errors '.error_ratio > 0.5' "connections that fail"
has_interval TTD
has_interval TTM
lab exec cache-1 -- /usr/bin/ip route show 10.79.0.0/16 | grep -q 'via 10.79.0.1' ||
  fail "the route is not there again"
"$firedrill" report "$run"
