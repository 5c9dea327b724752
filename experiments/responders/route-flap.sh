#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of route-flap. The way to the service is sound;
# the way back is what comes and goes, and only looking at it more than once shows that.
source "$(dirname "$0")/lib.sh"

answer_page

# check-service: on its own host it is well.
pong=$(on cache-1 redis-cli ping || true)
say "the service says: $pong"
done_step check-service --note "on its own host it answers ${pong:-nothing}"

# check-way-there
there=$(on rt-1 sh -c '
  birdc show protocols upstream | tail -n 1
  /usr/bin/ip route show 10.79.0.0/24
')
say "$there"
done_step check-way-there --note "$(tr '\n' ';' <<<"$there")"

# check-way-back: what the kernel says of an answer to a user, once a second for longer than a period. A refusal is an
# answer, and the lines that differ are the flap.
seen=$(on cache-1 sh -c '
  for i in $(seq 25); do
    /usr/bin/ip -o route get 10.79.1.21 2>&1 | sed "s/ uid .*//"
    sleep 1
  done
' | sort | uniq -c | sort -rn)
say "$seen"
[[ $(grep -c . <<<"$seen") -gt 1 ]] || { say "the way back stays: look elsewhere" && exit 1; }
done_step check-way-back --note "of 25 looks: $(tr -s ' \n' ' ;' <<<"$seen")"

# pin-way-back: Firedrill sees this by itself; the word is for people.
on cache-1 /usr/bin/ip route replace 10.79.1.0/24 via 10.79.0.1
done_step pin-way-back --note "10.79.1.0/24 via 10.79.0.1, beside the route that comes and goes"

done_step find-owner --note "nothing on cache-1 is configured to manage that route; pinned until its owner is found"
