#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of slow-disk-gray-failure. Everything says that
# it is well; the leader's sync times say otherwise, and the leadership is moved away.
source "$(dirname "$0")/lib.sh"

answer_page

# check-health: all green, which is the trap.
# shellcheck disable=SC2016 # expanded in the guest
health=$(on client-1 sh -c 'for host in db-1 db-2 db-3; do echo "$host $(curl -s -m 5 http://$host:2379/health)"; done')
say "$health"
done_step check-health --note "$(grep -c '"true"' <<<"$health" || true) of 3 say that they are well"

# find-leader
leading=$(leader)
waiting=$(sync_times)
slowest=$(head -n 1 <<<"$waiting" | cut -d' ' -f1)
say "$leading leads; sync times, in seconds: $(tr '\n' ' ' <<<"$waiting")"
done_step find-leader --note "$leading leads, $(head -n 1 <<<"$waiting") s a sync is the longest"
[[ $leading == "$slowest" ]] || { say "the slow member does not lead: moving the leadership would not help" && exit 1; }

# move-leader: Firedrill sees this by itself; the word is for people.
new=$(move_leadership "$leading")
say "$new leads now"
done_step move-leader --note "from $leading to $new"

# confirm-users: what commits cost the members themselves.
sleep 5
commits=$(measured 'histogram_quantile(0.5, sum by (instance, le) (rate(grpc_server_handling_seconds_bucket{grpc_method="Put"}[5s])))')
say "median write through each member, in seconds: $(tr '\n' ' ' <<<"$commits")"
done_step confirm-users --note "median write: $(tr '\n' ' ' <<<"$commits"); $leading serves its own users slowly"
done_step plan-disk --note "$leading: disk to be replaced; it must not lead again before"
