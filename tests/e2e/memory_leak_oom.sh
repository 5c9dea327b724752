#!/usr/bin/env bash
# The leak reaches the cgroup's limit: the kernel kills the cache, the supervisor brings it back,
# and the users' time without it is measured.
source "$(dirname "$0")/lib.sh"

game_day memory-leak-oom
detected MemoryExhaustionSoon
detected MemoryOomKill
has '.kind == "step.done" and .data.step == "confirm-back"' "the cache that is back"
has_interval TTI
has_interval TTR
"$firedrill" report "$run"
