#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of io-starved. The disk is fast and the health
# check is green; the service's own cgroup says what is wrong.
source "$(dirname "$0")/lib.sh"

answer_page
sick=$(sync_times | head -n 1 | cut -d' ' -f1)
sick=${sick:-$suspect}

# check-health
health=$(on client-1 curl -s -m 5 "http://$sick:2379/health")
say "$sick says: $health"
done_step check-health --note "$sick says $health"

# test-disk: from a shell, which is not in the service's cgroup.
cost=$(test_disk "$sick")
say "$sick: a synced write from outside the service costs $cost ms"
done_step test-disk --note "$cost ms a synced write: the disk is well"

# check-pressure
cgroup=/sys/fs/cgroup/$sick/etcd
found=$(on "$sick" sh -c "sed -n 's/^full //p' $cgroup/io.pressure; cat $cgroup/io.max")
say "$found"
limit=$(tail -n +2 <<<"$found" | head -n 1)
done_step check-pressure --note "pressure $(head -n 1 <<<"$found"); limit ${limit:-none}"
[[ -n $limit ]] || { say "there is no limit on $sick's service: a person must look" && exit 1; }

# lift-limit
on "$sick" sh -c "echo '${limit%% *} rbps=max wbps=max riops=max wiops=max' >$cgroup/io.max"
say "$sick: limit lifted"
done_step lift-limit --note "$sick: '$limit' lifted"
done_step find-origin --note "who set it: to be found in the configuration's history"
