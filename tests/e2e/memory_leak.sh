#!/usr/bin/env bash
# A leak is announced before the kernel's kill, and a restart at a chosen moment cures it.
source "$(dirname "$0")/lib.sh"

game_day memory-leak --set duration=80s
detected MemoryExhaustionSoon
has '.kind == "step.verified" and .data.step == "restart"' "the restarted cache, seen by machine"
has '.kind == "injection.cured"' "the cure"
sampled cache-memory '.seconds_to_exhaustion // 0 > 0' "a forecast"
! grep -q MemoryOomKill <(grep '"alert.firing"' "$work/events") || fail "it was killed"
has_interval TTD
has_interval TTM
"$firedrill" report "$run"
