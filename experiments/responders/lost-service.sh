#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of lost-service. The tables look right; what the
# kernel answers when it is asked about one packet does not.
source "$(dirname "$0")/lib.sh"

answer_page

# check-service: on its own host it is well.
pong=$(on cache-1 redis-cli ping || true)
say "the service says: $pong"
done_step check-service --note "on its own host it answers ${pong:-nothing}"

# check-route and ask-kernel look at one host: one call. A refusal is an answer.
found=$(on rt-1 sh -c '
  birdc show protocols upstream | tail -n 1
  /usr/bin/ip route show 10.79.0.0/24
  /usr/bin/ip route get 10.79.0.10 from 10.79.1.21 iif edge0 2>&1
  /usr/bin/ip rule show | grep "10.79.0.0/24"
' || true)
say "$found"
done_step check-route --note "$(sed -n 1,2p <<<"$found" | tr '\n' ';')"
rule=$(grep -E '^[0-9]+:' <<<"$found" | head -n 1)
[[ -n $rule ]] || { say "no rule refuses it: look elsewhere" && exit 1; }
done_step ask-kernel --note "the kernel refuses it, by the rule $rule"

# remove-rule
on rt-1 ip rule del priority "${rule%%:*}"
done_step remove-rule --note "deleted: $rule"
done_step find-owner --note "a rule of priority ${rule%%:*} is in nobody's configuration"
