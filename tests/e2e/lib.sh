# Shared by the end-to-end tests: the real programs against the real lab. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export FIREDRILL_HOME=${FIREDRILL_HOME:-$root/build/lab/home}
firedrill=$root/build/release/bin/firedrill
here=$root/tests/e2e
work=$(mktemp -d)
trap 'status=$?; rm -rf "$work"; exit $status' EXIT

# What else of the lab an experiment's tags ask for, as arguments of scripts/lab, one a line.
lab_groups() {
  jq -r '.tags // [] | .[] | select(startswith("lab:")) | "--with", ltrimstr("lab:")' "$1"
}

lab() { "$root/scripts/lab" "$@"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
note() { printf '%s\n' "$*"; }

# expect_exit CODE COMMAND...: the command's output is in $work/out and $work/err.
expect_exit() {
  local wanted=$1 code=0
  shift
  "$@" >"$work/out" 2>"$work/err" || code=$?
  [ "$code" = "$wanted" ] && return
  cat "$work/out" "$work/err" >&2
  fail "exit code $code, not $wanted: $*"
}

# said TEXT: the last command's output holds it.
said() {
  grep -qF -- "$1" "$work/out" "$work/err" && return
  cat "$work/out" "$work/err" >&2
  fail "did not say: $1"
}

# one_line: a refusal is one clear line.
one_line() {
  [ "$(wc -l <"$work/err")" = 1 ] && return
  cat "$work/err" >&2
  fail "more than one line of error"
}

# game_day EXPERIMENT [RUN-OPTION...]: brings the lab into the state that the experiment asks for,
# waits for quiet and runs it to the verdict "pass". Leaves $work/run.json, $work/events and the
# exported folder $work/run, and sets run.
game_day() {
  local experiment=$root/experiments/$1.json code=0 groups
  shift
  mapfile -t groups < <(lab_groups "$experiment")
  # An emulated guest has no room for what this experiment does not ask for.
  if ((${#groups[@]} == 0)) && lab status --json | jq -e '.hosts[] | select(.name == "rt-1") | .services.bird == "up"' >/dev/null; then
    lab down
  fi
  lab up "${groups[@]}" 2>/dev/null || fail "the lab does not come up"
  wait_quiet
  "$firedrill" run "$experiment" --json --export "$work/run" "$@" \
    >"$work/run.json" 2>"$work/progress" || code=$?
  cat "$work/progress"
  run=$(run_json .measures.run)
  if [ "$code" != 0 ]; then
    "$firedrill" report "$run" >&2
    fail "verdict $(run_json .card.verdict), exit code $code"
  fi
  events "$run" >"$work/events"
  has '.kind == "injection.active" and .data.values != {}' "a confirmed injection, read back"
  has '.kind == "alert.firing"' "an alert fired by Prometheus"
  has '.kind == "alert.notified" and .data.status == "firing"' "its delivery by Alertmanager"
  has '.kind == "step.done"' "a step that the responder reported"
  has '.kind == "steady-state.checked" and .data.when == "after" and .data.met' "steady again"
  jq -es '[.[] | select(.kind == "injection.undone")] | length > 0 and all(.data.verified)' \
    "$work/events" >/dev/null || fail "not every injection was undone and verified"
}

# has CONDITION WORDS: some event of the run meets it.
has() { jq -es "any(.[]; $1)" "$work/events" >/dev/null || fail "the log does not show: $2"; }

# sampled PROBE CONDITION WORDS: some sample of it meets the condition on its values.
sampled() {
  has ".kind == \"probe.sample\" and .data.probe == \"$1\" and (.data.values | $2)" "$1: $3"
}

# always PROBE VALUE NUMBER: every sample that has the value has this one, and there are some.
always() {
  jq -es --arg probe "$1" --arg value "$2" --argjson wanted "$3" '
    [.[] | select(.kind == "probe.sample" and .data.probe == $probe) | .data.values[$value]
     | numbers] | length > 0 and all(. == $wanted)' "$work/events" >/dev/null ||
    fail "$1: $2 was not always $3, or was not measured"
}

# never_breached PROBE: it was sampled, and never out of tolerance twice in a row, which is what a
# health check would act on.
never_breached() {
  run_json ".measures.series[] | select(.probe == \"$1\") | [.samples > 3, .breaches == []] | all" |
    sort -u >"$work/never"
  [ "$(cat "$work/never")" = true ] || fail "$1 was in breach, or was not measured"
}

# has_interval NAME: it was measured, not only looked for.
has_interval() {
  run_json '.measures.intervals[] | select(.value_us != null) | .name' | grep -qx "$1" ||
    fail "no $1 was measured"
}

# detected ALERT: it fired.
detected() { has ".kind == \"alert.firing\" and .data.alertname == \"$1\"" "the alert $1"; }

run_json() { jq -r "$1" "$work/run.json"; }
events() { "$firedrill" report "$1" --format events; }

# Leaves in the guest only what faults act on, until this test ends: for tests that ask nobody's
# monitoring. An emulated guest is quicker without.
without_monitoring() {
  [ -n "$(lab exec guest -- sh -c 'pgrep -x prometheus' || true)" ] || return 0
  # What is firing when a Prometheus stops stays on in Alertmanager: nobody says that it is over.
  wait_quiet
  trap 'status=$?; monitoring start || true; rm -rf "$work"; exit $status' EXIT
  monitoring stop
}

monitoring() {
  lab service "$1" mon-1 prometheus
  for service in load bursts; do lab service "$1" client-1 "$service"; done
}

# What the faults can leave on a host: filters, qdiscs, ifbs, ring sizes, open injections.
snapshot() {
  # shellcheck disable=SC2016
  lab exec "$1" -- sh -c '
    tc qdisc show dev data0; tc filter show dev data0 egress; tc filter show dev data0 ingress
    ip -o link show type ifb | cut -d: -f2; ethtool -g data0; echo'
}

same_as_before() {
  snapshot "$1" >"$work/now"
  diff "$work/before-$1" "$work/now" >&2 || fail "$1 differs from its snapshot"
}

# Nothing pending or firing in Prometheus, nor known to Alertmanager: it keeps what was on when a
# Prometheus stopped for the four minutes after which an alert that nobody repeats is over.
wait_quiet() {
  local i
  for i in $(seq 300); do
    curl -s http://127.0.0.1:19090/api/v1/alerts |
      jq -e '[.data.alerts[] | select(.state == "firing" or .state == "pending")] | length == 0' \
        >/dev/null &&
      curl -s http://127.0.0.1:19093/api/v2/alerts | jq -e 'length == 0' >/dev/null && return
    sleep 1
  done
  fail "alerts do not become quiet after $i s"
}
