#!/usr/bin/env bash
# The same run with nothing injected gives no detection, and a verdict that says so.
source "$(dirname "$0")/lib.sh"

wait_quiet
expect_exit 2 "$firedrill" run "$root/experiments/silent-nic-drops.json" --sham --json \
  --set duration=20s
cp "$work/out" "$work/run.json"
[ "$(run_json .card.verdict)" = inconclusive ] || fail "verdict $(run_json .card.verdict)"
run=$(run_json .measures.run)
events "$run" >"$work/events"
! grep -q '"kind":"injection' "$work/events" || fail "a sham run injected something"
! grep -q '"kind":"alert.firing"' "$work/events" || fail "an alert fired without a fault"
has '.kind == "run.phase" and .data.outcome == "completed"' "a run that went to its end"
expect_exit 0 "$firedrill" report "$run"
said "nothing was injected, and monitoring stayed quiet"
