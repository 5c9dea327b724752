#!/usr/bin/env bash
# A host joins with one command; its token is good once; a command borrows the port and gives it
# back; a revoked agent is out within moments. On this machine's loopback: the lab has no part in it.
source "$(dirname "$0")/lib.sh"

export FIREDRILL_HOME=$work/home FIREDRILL_PORT=$((20000 + RANDOM % 20000))
agent=$root/build/release/bin/firedrill-agent
controller=wss://127.0.0.1:$FIREDRILL_PORT
pids=()
trap 'status=$?; ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work"; exit $status' EXIT

# eventually COMMAND...: it succeeds within twenty seconds.
eventually() {
  local i
  for i in $(seq 100); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  cat "$work"/*.log >&2
  fail "not after $i tries: $*"
}
link_is() { "$firedrill" --listen 127.0.0.1 agents --json | jq -e ".agents[] | select(.host == \"h1\") | .connected == $1"; }
served_twice() { [ "$(grep -c serving "$work/serve.log")" = 2 ]; }
serving() { "$firedrill" --listen 127.0.0.1 agents --json --wait 0 && grep -q serving "$work/serve.log"; }

expect_exit 255 "$firedrill" report last
said "no runs are kept in '$FIREDRILL_HOME'"
"$firedrill" pki init >/dev/null
"$firedrill" --listen 127.0.0.1 serve 2>"$work/serve.log" &
pids+=($!)
eventually serving

token=$("$firedrill" pki token --tags role=db 2>/dev/null)
join=("$agent" join "$controller" "$token" --name h1 --state-directory "$work/state")
expect_exit 0 "${join[@]}" --directory "$work/h1"
said "joined as 'h1'"
expect_exit 1 "${join[@]}" --directory "$work/h2"
said "used already"
grep -q "refused 127.0.0.1: join: this join token was used already" "$work/serve.log" || fail "not logged"
[ "$(stat -c %a "$work/h1/agent.key")" = 600 ] || fail "the key is not its owner's alone"
jq -e '.name == "h1" and .tags.role == "db"' "$work/h1/agent.json" >/dev/null || fail "agent.json"

"$agent" run --config "$work/h1/agent.json" 2>"$work/agent.log" &
pids+=($!)
eventually link_is true

# A run needs the port and gets it: planning finds the agent, and that the target is not there.
jq '.targets |= map_values({tags: {role: "none"}}) | del(.responder)' "$root/experiments/silent-nic-drops.json" >"$work/x.json"
expect_exit 255 "$firedrill" --listen 127.0.0.1 run "$work/x.json" --no-responder --agent-wait 10
grep -q "giving the port" "$work/serve.log" || { cat "$work"/*.log "$work/err" >&2; fail "serve kept the port"; }
eventually served_twice
eventually link_is true

expect_exit 0 "$firedrill" pki revoke h1 --reason 'disk sold'
eventually grep -q "its certificate was revoked" "$work/serve.log"
eventually grep -q "certificate revoked ('h1'" "$work/serve.log"
link_is true && fail "it is connected still"
expect_exit 0 "$firedrill" pki list
said "disk sold"
note "joined, lent the port, revoked"
