#!/usr/bin/env bash
# Halt, Ctrl-C and a killed controller, each mid-fault: everything is undone and the run is aborted.
source "$(dirname "$0")/lib.sh"

snapshot db-1 >"$work/before-db-1"
start_run() {
  rm -f "$work/progress"
  "$firedrill" run "$here/short.json" --json --set duration=60s >"$work/run.json" \
    2>"$work/progress" &
  controller=$!
  until grep -qs 'INJECTED nic-ring' "$work/progress"; do
    kill -0 "$controller" 2>/dev/null || { cat "$work/progress" && fail "the run ended early"; }
    sleep 0.1
  done
}
aborted() {
  local code=0
  wait "$controller" || code=$?
  [ "$code" = 3 ] || { cat "$work/progress" && fail "exit code $code after $1, not 3"; }
  [ "$(run_json .card.verdict)" = aborted ] || fail "verdict $(run_json .card.verdict) after $1"
  same_as_before db-1
}

start_run
expect_exit 255 "$firedrill" run "$here/short.json"
said "goes on here already"
one_line
expect_exit 0 "$firedrill" halt --reason "end-to-end test"
said "db-1: clean after"
aborted halt

start_run
kill -INT "$controller"
aborted Ctrl-C

start_run
kill -KILL "$controller"
wait "$controller" || true
for _ in $(seq 30); do
  sleep 1
  snapshot db-1 >"$work/now"
  if cmp -s "$work/before-db-1" "$work/now"; then break; fi
done
same_as_before db-1
expect_exit 0 "$firedrill" agents --wait 10
"$firedrill" runs --json | jq -e '.[0].state == "running" or .[0].verdict == "error"' >/dev/null ||
  fail "a run without a controller must not look finished well"
