#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of bgp-route-flap. The session is up whenever
# one looks; the route over time is what tells, and a pinned route is what helps.
source "$(dirname "$0")/lib.sh"

answer_page

# check-session, check-stability and check-log look at one host: one call.
found=$(on rt-1 sh -c '
  birdc show protocols upstream | tail -n 1
  grep "upstream.ipv4 > .* 10.79.0.0/24" /var/lab/log/rt-1/bird.log | tail -n 6
')
session=$(head -n 1 <<<"$found") log=$(tail -n +2 <<<"$found")
say "session: $session"
done_step check-session --note "$session"

# One withdrawal may be an outage or somebody's work; only the third change makes it a flap.
for _ in $(seq 120); do
  changes=$(measured 'increase(lab_route_changes_total{instance="rt-1"}[1m])' | head -n 1 | cut -d' ' -f2)
  awk -v n="${changes:-0}" 'BEGIN {exit !(n > 2.5)}' && break
  sleep 1
done
say "the route changed $(awk -v n="${changes:-0}" 'BEGIN {printf "%.1f", n}') times in the last minute"
done_step check-stability --note "$(awk -v n="${changes:-0}" 'BEGIN {printf "%.1f", n}') changes in the last minute, the session up all the while"

say "$log"
done_step check-log --note "rt-2 withdraws and announces it: $(grep -c removed <<<"$log" || true) of the last $(grep -c . <<<"$log" || true) entries are removals"

# pin-route: Firedrill sees this by itself; the word is for people.
pinned=$(on rt-1 birdc enable pinned)
say "$pinned"
done_step pin-route --note "10.79.0.0/24 via 10.79.2.2, fixed"

done_step escalate-network --note "rt-2 flaps 10.79.0.0/24; pinned on rt-1 until the network team has looked"
