#!/usr/bin/env bash
# The agent by itself, without any controller: catalogue, inject, list, undo.
source "$(dirname "$0")/lib.sh"

agent() { lab exec db-2 -- firedrill-agent "$@"; }
snapshot db-2 >"$work/before-db-2"
agent faults --json >"$work/faults"
jq -e '.. | objects | select(.name? == "netem" and .supported)' "$work/faults" >/dev/null ||
  fail "netem is not supported in the lab"
jq -e '.. | objects | select(.name? == "nic-ring" and .supported)' "$work/faults" >/dev/null ||
  fail "nic-ring is not supported in the lab"
expect_exit 0 agent inject netem device=data0 loss=10% --duration 60s --detach
expect_exit 0 agent inject nic-ring device=data0 rx=128 --duration 60s --detach
lab exec db-2 -- ethtool -g data0 | grep -q '128' || fail "the ring was not shrunk"
expect_exit 0 agent list
said "netem"
said "active"
expect_exit 0 agent undo --all
said "undone"
expect_exit 0 agent undo --all
said "nothing to undo"
same_as_before db-2
code=0
agent inject netem device=data0 los=10% --duration 1s >"$work/out" 2>"$work/err" || code=$?
[ "$code" != 0 ] || fail "an unknown parameter was accepted"
said "'loss'"
