# Shared by the end-to-end tests: the real programs against the real lab. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export FIREDRILL_HOME=${FIREDRILL_HOME:-$root/build/lab/home}
firedrill=$root/build/release/bin/firedrill
here=$root/tests/e2e
work=$(mktemp -d)
trap 'status=$?; rm -rf "$work"; exit $status' EXIT

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

run_json() { jq -r "$1" "$work/run.json"; }
events() { "$firedrill" report "$1" --format events; }

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

wait_quiet() {
  local i
  for i in $(seq 60); do
    curl -s http://127.0.0.1:19090/api/v1/alerts |
      jq -e '[.data.alerts[] | select(.state == "firing" or .state == "pending")] | length == 0' \
        >/dev/null && return
    sleep 1
  done
  fail "alerts do not become quiet after $i s"
}
