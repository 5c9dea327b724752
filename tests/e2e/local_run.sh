#!/usr/bin/env bash
# `firedrill run --local`: this machine's own agent for one run, and nothing left of it, however it
# ends. Native: a leak inside a process of this test; the lab has no part in it.
source "$(dirname "$0")/lib.sh"

export FIREDRILL_HOME=$work/home TMPDIR=$work/tmp
agent=$root/build/release/bin/firedrill-agent
unset GITHUB_STEP_SUMMARY FIREDRILL_PORT
victim=fdlocal$$
pids=()
trap 'status=$?; ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null; rm -rf "$work"; exit $status' EXIT
mkdir "$TMPDIR"

cp "$(command -v sleep)" "$work/$victim"
"$work/$victim" 600 &
service=$!
pids+=("$service")
jq -n --arg state "$work/state" '{name: "ci-host", "state-directory": $state}' >"$work/agent.json"
experiment=$root/experiments/ci/service-leaks.json
run=("$firedrill" run "$experiment" --local --agent-config "$work/agent.json"
  --set "process=$victim" --set within=30s)

# eventually COMMAND...: it succeeds within twenty seconds.
eventually() {
  local i
  for i in $(seq 200); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  cat "$work"/*.log >&2
  fail "not after $i tries: $*"
}
rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/$service/status"; }
has_grown() { [ "$(rss_kib)" -gt 20000 ]; }
no_process() { ! pgrep -f -- "(firedrill|firedrill-agent) .*$work" >/dev/null; }
no_file() { [ -z "$(ls -A "$TMPDIR")" ]; }
all_undone() {
  "$agent" list --config "$work/agent.json" --json |
    jq -e 'all(.[]; .state == "undone")' >/dev/null
}
nothing_left() {
  eventually no_process
  eventually no_file
  [ "$(rss_kib)" -lt 20000 ] || fail "$1: the service is still $(rss_kib) KiB"
  all_undone || fail "$1: something is open in the journal"
}

# 1. To its end: verdict, exit code, summary, and the run is in the home's store.
expect_exit 0 "${run[@]}" --fail-under safety=100 --fail-under detection=100 \
  --summary "$work/summary.md" --export "$work/export"
said "this machine is 'ci-host' for this run, with tags role=service"
grep -q '^## Firedrill: PASS' "$work/summary.md" || fail "no summary"
jq -e '.measures.injections[0].verified' "$work/export/report.json" >/dev/null || fail "not verified"
nothing_left "after a run"
expect_exit 0 "$firedrill" report last
said "PASS"
expect_exit 0 "$firedrill" review last --faults-per-year 6 --user-share 30%
said "## Five whys"

# 2. A floor that is not reached fails the stage, and the summary comes by the environment.
code=0
GITHUB_STEP_SUMMARY=$work/hosted.md "${run[@]}" --set within=1ms --fail-under detection=100 \
  --json >"$work/out" 2>"$work/err" || code=$?
[ "$code" = 1 ] || { cat "$work/err" >&2; fail "a missed detection: exit code $code, not 1"; }
said "--fail-under: detection is 50.0, below 100 by 50.0"
jq -e '.floors.verdict == "fail"' "$work/out" >/dev/null || fail "no floors in the JSON"
grep -qF -- '- **detection is 50.0' "$work/hosted.md" || fail "no line in the hosted summary"
nothing_left "after a floor"

# 3. What cannot be told stays 2, whatever the floor.
expect_exit 2 "${run[@]}" --sham --fail-under 100
nothing_left "after a sham run"

# 4. Refusals are one line, before anything is begun.
expect_exit 254 "${run[@]}" --fail-under detecton=80
said "Did you mean 'detection'?"
expect_exit 255 "${run[@]}" --tags role=other --agent-wait 2
said "target 'service' (role=service) fits none"
nothing_left "after a refusal"

# begin NAME: a long run in the background, until the service has grown. Sets controller.
begin() {
  "${run[@]}" --set duration=120s >"$work/$1.out" 2>"$work/$1.log" &
  controller=$!
  pids+=("$controller")
  eventually has_grown
}

# 5. Ctrl-C: undone, told, aborted.
begin interrupted
kill -INT "$controller"
code=0
wait "$controller" || code=$?
[ "$code" = 3 ] || { cat "$work/interrupted.log" >&2; fail "Ctrl-C: exit code $code, not 3"; }
nothing_left "after Ctrl-C"

# 6. The controller is killed: its agent sees that and does the same.
begin killed
kill -KILL "$controller"
wait "$controller" 2>/dev/null || true
nothing_left "after SIGKILL of the controller"

# 7. Controller and agent are killed: the guardian undoes, and the next run clears their folder.
begin both
own_agent=$(pgrep -f -- "firedrill-agent run --local $TMPDIR")
kill -KILL "$controller" "$own_agent"
wait "$controller" 2>/dev/null || true
eventually all_undone
eventually no_process
[ "$(rss_kib)" -lt 20000 ] || fail "both killed: the service is still $(rss_kib) KiB"
no_file && fail "the folder was expected to stay"
expect_exit 0 "$agent" recover --config "$work/agent.json"
expect_exit 2 "${run[@]}" --sham
nothing_left "after both were killed, and another run"

# 8. A bad sample that stands alone at the end of the baseline is a blip and no breach: every other
# sample is bad here, once the odd and once the even ones, so that one of the two runs ends on one.
cat >"$work/blips" <<'TEXT'
#!/bin/sh
number=$(($(cat "$1.number" 2>/dev/null || echo 0) + 1))
echo "$number" >"$1.number"
[ "$number" -gt 10 ] || [ $((number % 2)) = "$2" ]
TEXT
chmod +x "$work/blips"
for odd in 0 1; do
  jq --arg path "$work/blips" --arg at "$work/$odd" --arg odd "$odd" '
    ."steady-state-hypothesis".probes += [{type: "probe", name: "blips", interval: "700ms", tolerance: 0,
      provider: {type: "process", path: $path, arguments: [$at, $odd]}}]' "$experiment" >"$work/blips.json"
  expect_exit 0 "$firedrill" run "$work/blips.json" --local --agent-config "$work/agent.json" \
    --set "process=$victim" --set within=30s
done
nothing_left "after blips"

# 9. A steady state that comes late is waited for, where the experiment says so, and not otherwise.
cat >"$work/late" <<'TEXT'
#!/bin/sh
echo x >>"$1"
[ "$(wc -l <"$1")" -gt 12 ]
TEXT
chmod +x "$work/late"
late() {
  rm -f "$work/late.count"
  jq --arg path "$work/late" --arg at "$work/late.count" --arg within "$1" '
    .phases."baseline-within" = $within | ."steady-state-hypothesis".probes += [{type: "probe", name: "late",
      interval: "300ms", tolerance: 0, provider: {type: "process", path: $path, arguments: [$at]}}]' \
    "$experiment" >"$work/late.json"
}
late 30s
expect_exit 0 "$firedrill" run "$work/late.json" --local --agent-config "$work/agent.json" \
  --set "process=$victim" --set within=30s
said "before the fault: not yet (late); waiting for up to "
late 2s
expect_exit 2 "$firedrill" run "$work/late.json" --local --agent-config "$work/agent.json" \
  --set "process=$victim" --set within=30s
said "out of tolerance"
nothing_left "after a late steady state"
note "to its end, below a floor, sham, refused, interrupted, killed: nothing left; a blip stops no run, a late steady state is waited for"
