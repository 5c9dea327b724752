#!/usr/bin/env bash
# With 100 % loss on every interface of a host, both ways: nothing gets through but the controller's
# commands and SSH, wherever the SSH server listens, and for longer than the lease.
source "$(dirname "$0")/lib.sh"

wait_quiet
snapshot db-1 >"$work/before-db-1"
lab exec db-1 -- sh -c '/usr/sbin/dropbear -R -E -p 22 -p 2222 -P /run/dropbear-test.pid 2>/dev/null'
# shellcheck disable=SC2016
stop_ssh() { lab exec db-1 -- sh -c 'kill "$(cat /run/dropbear-test.pid)"' 2>/dev/null || true; }
trap 'status=$?; stop_ssh; rm -rf "$work"; exit $status' EXIT

# ssh_answers FROM ADDRESS PORT: the server says who it is.
ssh_answers() {
  lab exec "$1" -- timeout 20 bash -c \
    "exec 3<>/dev/tcp/$2/$3 && IFS= read -r -t 15 line <&3 && [[ \$line == SSH-2.0-* ]]"
}
answers_everywhere() {
  for port in 22 2222; do
    ssh_answers guest 10.78.0.11 "$port" || fail "no SSH on mgmt0, port $port ($1)"
    ssh_answers client-1 10.77.0.11 "$port" || fail "no SSH on data0, port $port ($1)"
  done
}
answers_everywhere before

"$firedrill" run "$here/total-loss.json" --json >"$work/run.json" 2>"$work/progress" &
controller=$!
until [ "$(grep -cs INJECTED "$work/progress")" = 2 ]; do
  kill -0 "$controller" 2>/dev/null || { cat "$work/progress" && fail "the run ended early"; }
  sleep 0.2
done
for probe in "guest 10.78.0.11" "client-1 10.77.0.11"; do
  read -r from address <<<"$probe"
  ! lab exec "$from" -- ping -c 2 -W 2 "$address" >/dev/null || fail "$address still answers pings"
done
answers_everywhere during
# Longer than the lease: a controller that was not heard would have ended it.
sleep 12
! lab exec client-1 -- ping -c 1 -W 2 10.77.0.11 >/dev/null || fail "the fault ended by itself"
answers_everywhere "after the lease"
expect_exit 0 "$firedrill" halt --reason "end-to-end test"
said "db-1: clean after"
code=0
wait "$controller" || code=$?
[ "$code" = 3 ] || { cat "$work/progress" && fail "exit code $code, not 3"; }
run=$(run_json .measures.run)
events "$run" >"$work/events"
has '.kind == "injection.undone" and .data.verified and .data.cause == "halted"' "an undo by command"
same_as_before db-1
lab exec client-1 -- ping -c 2 -W 5 10.77.0.11 >/dev/null || fail "db-1 does not answer afterwards"

# The command is in the log with whom the controller saw, and the log is as it was written.
"$firedrill" audit "$run" --json >"$work/audit"
jq -e 'any(.[]; .command == "halt: end-to-end test" and .who != "(not recorded)" and .from != "")' \
  "$work/audit" >/dev/null || { cat "$work/audit" && fail "the audit does not know who halted"; }
expect_exit 0 "$firedrill" audit verify "$run"
said "ok"
sed '3s/uncertainty_us":[0-9]*/uncertainty_us":99/' "$work/events" \
  >"$work/changed.jsonl"
expect_exit 0 "$firedrill" audit verify "$work/events"
expect_exit 1 "$firedrill" audit verify "$work/changed.jsonl"
said "at event 3"
