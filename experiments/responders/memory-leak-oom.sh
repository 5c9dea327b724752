#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of memory-leak-oom, after the kernel's kill.
# Nothing is mended here: the supervisor does that. What was lost is found out, and told.
source "$(dirname "$0")/lib.sh"

kills_so_far() { on cache-1 sed -n 's/^oom_kill //p' /sys/fs/cgroup/cache-1/redis/memory.events; }

answer_page
before=$(kills_so_far) # of earlier incidents, unless the page itself is about a kill
if [[ $(jq -r '.labels.alertname // empty' <<<"$alert") == MemoryOomKill ]]; then before=$((before - 1)); fi

# confirm-kill: a page about the trend comes before it, so wait for what cannot be prevented any more.
for _ in $(seq 30); do
  kills=$(($(kills_so_far) - before))
  ((kills > 0)) && break
  sleep 1
done
((kills > 0)) || { say "the kernel has killed nothing: a person must look" && exit 1; }
say "the kernel killed $kills process(es) of the cache at its limit"
done_step confirm-kill --note "oom_kill grew by $kills in the cgroup's memory.events"

# confirm-back: it answers, and says for how long it has been there.
for _ in $(seq 20); do
  uptime=$(on client-1 redis-cli -h cache-1 info server 2>/dev/null | tr -d '\r' | sed -n 's/^uptime_in_seconds://p' || true)
  [[ -n $uptime ]] && break
  sleep 1
done
[[ -n $uptime ]] || { say "the cache does not come back: a person must look" && exit 1; }
say "the cache answers again; it is $uptime s old"
done_step confirm-back --note "answers, $uptime s old"

# check-loss: the steady users have written their key again already; everything else is gone.
keys=$(on client-1 redis-cli -h cache-1 dbsize | tr -d '\r')
done_step check-loss --note "$keys key(s) now; nothing was kept over the kill, as configured"
done_step escalate-leak --note "growth curve and the kernel's report handed over"
