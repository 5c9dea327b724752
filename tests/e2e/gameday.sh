#!/usr/bin/env bash
# The first game day: injected, noticed, mitigated by the responder, undone, scored; and the same
# score again from the log.
source "$(dirname "$0")/lib.sh"

for host in db-1 db-2; do snapshot "$host" >"$work/before-$host"; done
game_day silent-nic-drops
has '.kind == "probe.sample" and .data.values.p99_ms > 0' "p99 samples"
has '.kind == "step.verified" and .data.value >= 512' "the raised ring, seen by machine"
has '.kind == "injection.cured"' "the cure"
has '.kind == "slo.budget" and .data.total > 0' "the error budget before the run"
has '.kind == "slo.sample" and .data.exercise.total > 0' "what the exercise spent of it"
has '.kind == "operating-mode.changed" and .data.mode == "normal"' "the cluster's own mode"
jq -es '[.[] | select(.kind == "injection.undone")] | length == 2 and all(.data.verified)' \
  "$work/events" >/dev/null || fail "not every injection was undone and verified"
for name in TTI TTD TTM TTR; do
  jq -e --arg name "$name" '.measures.intervals[] | select(.name == $name) | .value_us != null' \
    "$work/run/report.json" >/dev/null || fail "the report does not give $name"
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
