#!/usr/bin/env bash
# Bad input and bad days: one clear line, the right exit code, nothing left on any host.
source "$(dirname "$0")/lib.sh"

snapshot db-1 >"$work/before-db-1"
edit() { jq "$1" "$here/short.json" >"$work/edited.json"; }
refused() {
  expect_exit 255 "$firedrill" run "$work/edited.json" --agent-wait 10 -q
  one_line
  for text in "$@"; do said "$text"; done
  note "ok: $(cat "$work/err")"
}

expect_exit 254 "$firedrill" rnu
expect_exit 254 "$firedrill" run
edit '.titel = "x"'
refused "/titel" "'title'"
edit '.method[0].provider.arguments.loss = "5"'
refused "/method/0/provider/arguments/loss"
edit '.method[0].provider.arguments.los = "5%"'
refused "/method/0/provider/arguments/los" "'loss'"
edit '.method[0].duration = "20"'
refused "/method/0/duration"
edit 'del(.method[0].duration)'
refused "duration"
edit '.targets.victim.hosts = ["db-9"]'
refused "db-9"
edit '.targets.victim = {"tags": {"role": "nothing"}}'
refused "victim"
edit '.method[1].provider.arguments.device = "mgmt0"'
expect_exit 255 "$firedrill" run "$work/edited.json" --json
said "mgmt0"
edit '.method[0].provider.fault = "netm"'
refused "'netem'"
edit '.detectors = {"p": {"type": "prometheus", "url": "http://127.0.0.1:9"}}'
expect_exit 2 "$firedrill" run "$work/edited.json"
said "127.0.0.1:9"
note "ok: no Prometheus"

# The store's disk is full: refused before anything is touched.
mkdir "$work/small"
mount -t tmpfs -o size=2m tmpfs "$work/small"
cp -r "$FIREDRILL_HOME/pki" "$work/small/pki"
dd if=/dev/zero of="$work/small/fill" bs=4k status=none 2>/dev/null || true
code=0
FIREDRILL_HOME=$work/small "$firedrill" run "$here/short.json" -q 2>"$work/err" >"$work/out" || code=$?
umount "$work/small"
[ "$code" = 255 ] || { cat "$work/err" && fail "exit code $code with a full disk"; }
note "ok: $(tail -n 1 "$work/err")"

# The port belongs to somebody else.
"$firedrill" agents --listen 127.0.0.1 --port 7999 --wait 6 >/dev/null &
holder=$!
sleep 1
expect_exit 255 "$firedrill" run "$here/short.json" --listen 127.0.0.1 --port 7999 -q
said "7999"
one_line
note "ok: $(cat "$work/err")"
wait "$holder"

# An agent that vanishes: stopped before the run, its host is named.
lab agents stop db-1
expect_exit 255 "$firedrill" run "$here/short.json" --agent-wait 6 -q
said "db-1"
lab agents start db-1
for _ in $(seq 20); do
  "$firedrill" agents --wait 5 --json | jq -e '[.agents[] | select(.connected)] | length >= 5' \
    >/dev/null && break
done
same_as_before db-1
