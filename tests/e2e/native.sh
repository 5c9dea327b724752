# Shared by end-to-end tests that need no lab: an agent, a process to hurt, and a real Prometheus with Alertmanager, all on
# this machine's loopback. Sourced after lib.sh, never run.
# shellcheck shell=bash
export FIREDRILL_HOME=$work/home FIREDRILL_PORT=$((20000 + RANDOM % 20000))
agent=$root/build/release/bin/firedrill-agent
programs=${FIREDRILL_LAB_DIR:-$root/build/lab}/cache/root/usr/bin
declare -A pids=() ports=()
for name in prometheus alertmanager exporter; do ports[$name]=$((FIREDRILL_PORT + ${#ports[@]} + 1)); done

stop() {
  local name
  for name in "$@"; do
    [ -n "${pids[$name]:-}" ] || continue
    kill "${pids[$name]}" 2>/dev/null || true
    wait "${pids[$name]}" 2>/dev/null || true
    unset "pids[$name]"
  done
}
trap 'status=$?; stop "${!pids[@]}"; rm -rf "$work"; exit $status' EXIT

# eventually COMMAND...: it succeeds within thirty seconds.
eventually() {
  local i
  for i in $(seq 150); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  tail -n 5 "$work"/*.log >&2
  fail "not after $i tries: $*"
}
fill() {
  sed "s#@CONTROLLER@#$FIREDRILL_PORT#g; s#@ALERTMANAGER@#${ports[alertmanager]}#g; s#@EXPORTER@#${ports[exporter]}#g
    s#@HOME@#$FIREDRILL_HOME#g; s#@RULES@#$work/rules.yml#g; s#@FOR@#${rule_for:-2s}#g" "$here/monitoring/$1" >"$work/$1"
}
url() { echo "http://127.0.0.1:${ports[$1]}"; }
answers() { curl -sf "$(url "$1")/-/ready"; }

start_prometheus() {
  fill rules.yml
  "$programs/prometheus" --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
    --web.listen-address="127.0.0.1:${ports[prometheus]}" --web.enable-lifecycle --log.level=warn 2>"$work/prometheus.log" &
  pids[prometheus]=$!
}
start_monitoring() {
  [ -x "$programs/prometheus-alertmanager" ] || lab fetch
  local name
  for name in prometheus.yml alertmanager.yml; do fill "$name"; done
  mkdir -p "$work/metrics"
  "$programs/prometheus-node-exporter" --collector.disable-defaults --collector.textfile --log.level=error \
    --collector.textfile.directory="$work/metrics" --web.listen-address="127.0.0.1:${ports[exporter]}" 2>"$work/exporter.log" &
  pids[exporter]=$!
  # Debian's Alertmanager wants its templates where the package would have put them.
  # shellcheck disable=SC2016
  unshare --mount sh -c 'mount --bind "$0" /usr/share && exec "$@"' "${programs%/bin}/share" \
    "$programs/prometheus-alertmanager" --config.file="$work/alertmanager.yml" --storage.path="$work/alertmanager" \
    --cluster.listen-address= --web.listen-address="127.0.0.1:${ports[alertmanager]}" 2>"$work/alertmanager.log" &
  pids[alertmanager]=$!
  start_prometheus
  eventually answers alertmanager
  eventually answers prometheus
}

start_victim() {
  cp "$(command -v sleep)" "$work/fd-victim"
  "$work/fd-victim" infinity &
  pids[victim]=$!
  while sleep 0.2; do
    awk '/VmRSS/ {print "victim_rss_bytes " $2 * 1024}' "/proc/${pids[victim]}/status" >"$work/metrics/victim.new"
    mv "$work/metrics/victim.new" "$work/metrics/victim.prom"
  done &
  pids[meter]=$!
}
start_agent() {
  "$firedrill" pki init >/dev/null
  "$firedrill" pki issue h1 --out "$work/h1" >/dev/null
  jq -n --arg dir "$work/h1" --arg controller "wss://127.0.0.1:$FIREDRILL_PORT" '{name: "h1", controller: $controller,
    tls: {ca: "\($dir)/ca.pem", certificate: "\($dir)/agent.pem", key: "\($dir)/agent.key"},
    "state-directory": "\($dir)/state"}' >"$work/h1/agent.json"
  "$agent" run --config "$work/h1/agent.json" 2>"$work/agent.log" &
  pids[agent]=$!
}

quiet_alerts() { curl -sf "$(url prometheus)/api/v1/alerts" | jq -e '[.data.alerts[] | select(.labels.alertname == "VictimBig")] == []'; }

# leak_run CODE [JQ-EDIT [RUN-OPTION...]]: the experiment, edited, to this exit code. Leaves $work/run.json and $work/events.
leak_run() {
  local wanted=$1 edit=${2:-.} code=0
  shift $(($# < 2 ? $# : 2))
  jq "$edit" "$here/monitoring/leak.json" >"$work/leak.json"
  "$firedrill" --listen 127.0.0.1 run "$work/leak.json" --json --set prometheus="$(url prometheus)" \
    --set alertmanager="$(url alertmanager)" "$@" >"$work/run.json" 2>"$work/progress" || code=$?
  run=$(run_json ".measures.run // empty" 2>/dev/null || true)
  [ -z "$run" ] || events "$run" >"$work/events"
  [ "$code" = "$wanted" ] && return
  cat "$work/progress" >&2
  [ -z "$run" ] || "$firedrill" report "$run" >&2
  fail "exit code $code, not $wanted"
}
