#!/usr/bin/env bash
# The first game day: injected, noticed, mitigated by the responder, undone, scored; and the same
# score again from the log.
source "$(dirname "$0")/lib.sh"

wait_quiet
for host in db-1 db-2; do snapshot "$host" >"$work/before-$host"; done
code=0
"$firedrill" run "$root/experiments/silent-nic-drops.json" --json --export "$work/run" \
  >"$work/run.json" 2>"$work/progress" || code=$?
cat "$work/progress"
[ "$code" = 0 ] || fail "verdict $(run_json .card.verdict), exit code $code"

run=$(run_json .measures.run)
events "$run" >"$work/events"
has() { jq -es "any(.[]; $1)" "$work/events" >/dev/null || fail "the log does not show: $2"; }
has '.kind == "injection.active" and .data.values != {}' "a confirmed injection, read back"
has '.kind == "probe.sample" and .data.values.p99_ms > 0' "p99 samples"
has '.kind == "alert.firing"' "an alert fired by Prometheus"
has '.kind == "alert.notified" and .data.status == "firing"' "its delivery by Alertmanager"
has '.kind == "step.done"' "a step that the responder reported"
has '.kind == "step.verified" and .data.value >= 512' "the raised ring, seen by machine"
has '.kind == "injection.cured"' "the cure"
has '.kind == "steady-state.checked" and .data.when == "after" and .data.met' "steady state again"
jq -es '[.[] | select(.kind == "injection.undone")] | length == 2 and all(.data.verified)' \
  "$work/events" >/dev/null || fail "not every injection was undone and verified"
for name in TTI TTD TTM TTR; do
  "$firedrill" report "$run" | grep -q "$name" || fail "the report does not give $name"
done

"$firedrill" report "$run" >"$work/first"
"$firedrill" report "$run" >"$work/second"
cmp "$work/first" "$work/second" || fail "the report differs when it is computed again"
"$firedrill" report "$run" --json >"$work/again.json"
cmp "$work/run/report.json" "$work/again.json" || fail "the score from the log is another"
for file in experiment.json plan.json events.jsonl report.html report.json junit.xml; do
  [ -s "$work/run/$file" ] || fail "$file is not in the exported folder"
done
"$here/report/check_report.sh" "$work/run/report.html"
for host in db-1 db-2; do same_as_before "$host"; done
"$firedrill" report "$run"
