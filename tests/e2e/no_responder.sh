#!/usr/bin/env bash
# Without a responder nobody mitigates: no TTM, and the report says that our own undo healed it.
source "$(dirname "$0")/lib.sh"

wait_quiet
code=0
"$firedrill" run "$root/experiments/silent-nic-drops.json" --no-responder --json \
  --set duration=30s >"$work/run.json" 2>"$work/progress" || code=$?
[ "$code" = 1 ] || { cat "$work/progress" && fail "exit code $code, not 1 (fail)"; }
[ "$(run_json '[.measures.intervals[] | select(.name == "TTM" and .value_us != null)] | length')" = 0 ] ||
  fail "a TTM although nobody mitigated"
run=$(run_json .measures.run)
events "$run" >"$work/events"
! grep -q injection.cured "$work/events" || fail "cured by nobody"
grep -q alert.firing "$work/events" || fail "no alert fired"
"$firedrill" report "$run"
