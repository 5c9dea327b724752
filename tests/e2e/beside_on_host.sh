#!/usr/bin/env bash
# The part of beside.sh that runs inside a host of the lab.
# usage: beside_on_host.sh PAIR|"" FAULT-WITH-ARGUMENTS...
set -euo pipefail
export PATH=/lab/agent:$PATH
pairs=$1
shift
work=$(mktemp -d /run/beside.XXXXXX)
trap 'firedrill-agent undo --all >/dev/null 2>&1; ip route flush exact 198.51.100.0/24; rm -rf "$work"' EXIT
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  firedrill-agent list >&2
  exit 1
}

# A route of the test's own, with attributes that a flap must keep.
nic=$(ip -o link show 2>/dev/null | grep -om1 'data0' || echo mgmt0)
via=$(ip -o -4 addr show "$nic" 2>/dev/null | awk '{print $4}' | cut -d/ -f1 | awk -F. '{print $1"."$2"."$3".250"}')
ip route replace 198.51.100.0/24 via "$via" dev "$nic" metric 77 mtu 1400

# All that a fault can leave: interfaces, filters, rings, disks; routes and rules; limits of cgroups;
# sessions of BIRD (without their changing times); what the journal has open.
state() {
  /run/host_snapshot
  ip route show table all | grep -v ' proto bird ' | sort
  ip -6 route show table all | grep -v ' proto bird ' | sort
  ip rule show
  ip nexthop show
  find /sys/fs/cgroup -name io.max -exec grep -H . {} + || true
  # The guardian's own is there for as long as its agent.
  find /sys/fs/cgroup -type d | grep -i firedrill | grep -v /firedrill-guardian | sort || true
  [ ! -S /run/bird/bird.ctl ] || birdc show protocols | awk '$4 != "" {print $1, $2, $4}'
  firedrill-agent list
}

# open_is ID STATE: the injection is in this state by the journal.
open_is() {
  firedrill-agent list >"$work/list"
  grep -E "^$1 .* $2( |$)" "$work/list" >/dev/null || fail "$1 is not $2"
}

# BIRD takes seconds to bring a session back after an undo: that is its business, not a leftover.
same_as_before() {
  local i
  for i in $(seq 40); do
    state >"$work/now"
    cmp -s "$work/before" "$work/now" && return
    sleep 0.25
  done
  diff "$work/before" "$work/now" >&2
  fail "the host differs from its snapshot after $1 ($i looks)"
}

state >"$work/before"
tried=0
for first in "$@"; do
  after=no
  for second in "$@"; do
    a=${first%% *} b=${second%% *}
    [ "$a" != "$b" ] || { after=yes && continue; }
    # Each pair once, unless one is named.
    if [ -n "$pairs" ]; then [ "$pairs" = "$a,$b" ] || continue; else [ $after = yes ] || continue; fi
    # shellcheck disable=SC2086
    firedrill-agent inject $first --duration 120s --id first --detach >"$work/out" 2>&1 ||
      fail "$a alone: $(cat "$work/out")"
    # shellcheck disable=SC2086
    firedrill-agent inject $second --duration 120s --id second --detach >"$work/out" 2>&1 ||
      fail "$b beside $a: $(cat "$work/out")"
    open_is first active
    open_is second active
    firedrill-agent undo first >"$work/out" 2>&1 || fail "undo of $a beside $b: $(cat "$work/out")"
    open_is second active
    firedrill-agent undo second >"$work/out" 2>&1 || fail "undo of $b after $a: $(cat "$work/out")"
    same_as_before "$a and $b"
    tried=$((tried + 1))
    printf 'ok: %-16s beside %-16s both on, each undone by itself\n' "$b" "$a"
  done
done
if [ -z "$pairs" ]; then
  for fault in "$@"; do
    # shellcheck disable=SC2086
    firedrill-agent inject $fault --duration 120s --id "${fault%% *}" --detach >"$work/out" 2>&1 ||
      fail "${fault%% *} beside all before it: $(cat "$work/out")"
  done
  for fault in "$@"; do open_is "${fault%% *}" active; done
  firedrill-agent undo --all >"$work/out" 2>&1 || fail "undo of all: $(cat "$work/out")"
  same_as_before "all at once"
  printf 'ok: all %s at once\n' "$#"
fi
[ "$tried" -gt 0 ] || [ -n "$pairs" ] || fail "no pair was tried"
printf '%s: %s pairs, no difference\n' "$(hostname)" "$tried"
