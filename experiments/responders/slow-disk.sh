#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of slow-disk. Names the slow disk by testing
# each one, and moves the member that lives on it to a healthy disk.
source "$(dirname "$0")/lib.sh"

answer_page

# compare-syncs: who waits longest for his log is the first suspect.
waiting=$(sync_times)
say "sync times, in seconds: $(tr '\n' ' ' <<<"$waiting")"
done_step compare-syncs --note "$(head -n 1 <<<"$waiting") s a sync; the others: $(tail -n +2 <<<"$waiting" | tr '\n' ' ')"

# test-disks: by themselves, all at once, so that the test of a slow one keeps nobody waiting.
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for host in db-1 db-2 db-3; do test_disk "$host" >"$results/$host" & done
wait
sick=$(for host in db-1 db-2 db-3; do echo "$host $(<"$results/$host")"; done | sort -rgk 2 | head -n 1)
read -r sick cost <<<"$sick"
say "a synced write costs: $(for host in db-1 db-2 db-3; do printf '%s %s ms  ' "$host" "$(<"$results/$host")"; done)"
done_step test-disks --note "$(for host in db-1 db-2 db-3; do printf '%s %s ms; ' "$host" "$(<"$results/$host")"; done)"

# name-disk, and check-kernel-log beside it, in one call.
found=$(on "$sick" sh -c 'findmnt -no SOURCE /srv/data; dmesg | grep -ciE "(I/O|medium|critical) error.*dm-|EXT4-fs error" || true') # grep fails when it counts none
disk=$(head -n 1 <<<"$found") errors=$(tail -n 1 <<<"$found")
say "$sick: $disk is slow, $cost ms a synced write; $errors errors in the kernel's log"
done_step name-disk --note "$sick, $disk: $cost ms a synced write"
done_step check-kernel-log --note "$errors disk errors: slow, not broken"

# drain
if [[ $(leader) == "$sick" ]]; then
  new=$(move_leadership "$sick")
  done_step drain --note "$sick led; now $new does"
else
  done_step drain --note "$sick does not lead"
fi

# migrate
lab exec guest -- /lab/etc/move-etcd.sh "$sick" spare </dev/null
say "$sick: the member's data is on the spare disk"
done_step migrate --note "$sick: member moved to the spare disk"

done_step decide-unsafe --note "not needed: the member is on a healthy disk and syncs as it should"
