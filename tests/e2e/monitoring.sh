#!/usr/bin/env bash
# Bad days of the monitoring itself, with a real Prometheus and Alertmanager on this machine: each run gets the verdict
# that an honest person would give, and says why. And a rule whose `for` was raised is named by compare.
#   FIREDRILL_FOR_BEFORE, FIREDRILL_FOR_AFTER   the rule's `for` in seconds, before and after (1, 6)
source "$(dirname "$0")/lib.sh"
source "$here/native.sh"

grown() { [ "$(awk '{print int($2)}' "$work/metrics/victim.prom")" -gt 20000000 ]; }
small() { ! grown; }
# during_the_fault COMMAND CODE [JQ-EDIT [RUN-OPTION...]]: a run, and the command as soon as the process has grown.
during_the_fault() {
  local command=$1 running
  shift
  eventually small
  (leak_run "$@") &
  running=$!
  eventually grown
  "$command"
  wait "$running" || fail "the run, see above"
}
reasons() { run_json '.card.reasons | join("; ")'; }
gives_reason() { reasons | grep -qE -- "$1" || fail "the verdict's reasons do not say '$1': $(reasons)"; }
fresh() { eventually quiet_alerts; }

start_agent
start_monitoring
start_victim
eventually grep -q . "$work/metrics/victim.prom"
fresh

note "a good day"
leak_run 0 . --set duration=12s
detected VictimBig

note "the expected alert is there already"
leak_run 2 '."expected-detections"[0].match.alertname = "AlwaysOn"' --set duration=6s
gives_reason "AlwaysOn: is firing already"

note "a rule without data"
fresh
leak_run 1 '."expected-detections"[0].match.alertname = "VictimSwaps"' --set duration=6s
gives_reason "no series matched victim_swapped_bytes"

note "the detector goes away and stays away"
fresh
prometheus_dies() { kill -9 "${pids[prometheus]}" && stop prometheus; }
during_the_fault prometheus_dies 2 . --set duration=10s
gives_reason "detector .prometheus. was not reachable"
start_prometheus
eventually answers prometheus

note "Prometheus is restarted during the fault"
fresh
prometheus_restarts() { prometheus_dies && start_prometheus && eventually answers prometheus; }
during_the_fault prometheus_restarts 0 . --set duration=25s
detected VictimBig
run_json '.measures.detections[0].why' | grep -Eq 'started anew|not be read' || fail "the restart is not told: $(run_json .measures.detections)"

note "webhooks that come twice, late and in the wrong order"
fresh
post_grafana() {
  jq -n --arg status "$1" --arg start "$began" --arg over "${2:-0001-01-01T00:00:00Z}" '{alerts: [{status: $status,
    labels: {alertname: "Fabricated", severity: "page"}, startsAt: $start, endsAt: $over, fingerprint: "f1"}]}' |
    curl -sf --cacert "$FIREDRILL_HOME/pki/ca.pem" --resolve "firedrill-controller:$FIREDRILL_PORT:127.0.0.1" \
      -H "Authorization: Bearer $(cat "$FIREDRILL_HOME/pki/webhook.token")" --data-binary @- \
      "https://firedrill-controller:$FIREDRILL_PORT/api/v1/webhooks/grafana" >/dev/null
}
instant() { date -u +%FT%T.%3NZ; }
twice_and_late() {
  began=$(instant)
  post_grafana firing && post_grafana firing && sleep 1
  post_grafana resolved "$(instant)" && sleep 1
  post_grafana firing
}
during_the_fault twice_and_late 0 '.detectors.grafana = {type: "grafana"} | ."expected-detections"[0] |=
  (.source = "grafana" | .match.alertname = "Fabricated")' --set duration=10s
[ "$(run_json '[.measures.alerts[] | select(.alertname == "Fabricated")] | length')" = 1 ] ||
  fail "one alert, told three times, is not one alert"

note "a rule's for is raised"
raised() {
  export rule_for=$1s
  fill rules.yml
  curl -sf -X POST "$(url prometheus)/-/reload"
  fresh
  leak_run 0 '."expected-detections"[0].within = "3m" | .objectives.ttd = "3m"' --set duration="$(($1 + 12))s" --tag "$2"
}
raised "${FIREDRILL_FOR_BEFORE:-1}" before
raised "${FIREDRILL_FOR_AFTER:-6}" after
expect_exit 1 "$firedrill" compare after --baseline before --fail-on ttd:+20%
said "the rule's \`for\`"
cat "$work/out"
