#!/usr/bin/env bash
# The on-call engineer of the lab, as a script: carries out the runbook of silent-nic-drops.
# Finds the sick host from the cards' own counters, as a person would.
source "$(dirname "$0")/lib.sh"

device=data0
wanted_slots=1024

# What a person types first, in one call, because a call to a sick host is slow: counters and ring.
look() { on "$1" sh -c "ethtool -S $device; ethtool -g $device"; }

# All that a card says it dropped while receiving: vmxnet3 counts per queue, others have one counter.
drops() {
  awk -F: '
    tolower($1) ~ /(drv dropped rx|pkts rx oob|rx_dropped|rx_missed|rx_no_buffer|rx_fifo|rx buf alloc)/ { sum += $2 }
    END { print sum + 0 }' <<<"$1"
}

# `ethtool -g` gives the maximum first, then the current size.
slots_of() { sed -n 's/^RX:[[:space:]]*\([0-9][0-9]*\).*/\1/p' <<<"$1"; }
largest_slots() { slots_of "$1" | head -n 1; }
current_slots() { slots_of "$1" | tail -n 1; }

answer_page

# check-drops: the alert says who is slow, which need not be who drops. Ask every database host.
mapfile -t hosts < <(lab status --json | jq -r '.hosts[] | select(.etcd) | .name')
((${#hosts[@]})) || { say "the lab does not say which hosts there are" && exit 1; }
declare -A before seen slots
for host in "${hosts[@]}"; do before[$host]=$(drops "$(look "$host")"); done
sleep 1
worst=-1 sick=
for host in "${hosts[@]}"; do
  seen[$host]=$(look "$host")
  more=$(($(drops "${seen[$host]}") - before[$host]))
  slots[$host]=$(current_slots "${seen[$host]}")
  say "$host: $more packets dropped meanwhile, $device has ${slots[$host]:-no} receive slots"
  # Of two that drop alike, the smaller ring is the better guess.
  if ((more > worst || (more == worst && ${slots[$host]:-99999} < ${slots[${sick:-none}]:-99999}))); then
    worst=$more sick=$host
  fi
done
done_step check-drops --note "$sick drops most: $worst packets while we looked"

# check-ring
largest=$(largest_slots "${seen[$sick]}")
say "$sick: ${slots[$sick]} receive slots of at most $largest"
done_step check-ring --note "$sick: ${slots[$sick]} of at most $largest slots"

# check-irq
interrupts=$(on "$sick" cat /proc/interrupts | grep -c "$device" || true)
say "$sick: $interrupts interrupt lines of $device"
done_step check-irq --note "$interrupts interrupt lines of $device"

# raise-ring: Firedrill sees this by itself; the word is for people.
((largest < wanted_slots)) && wanted_slots=$largest
if ((${slots[$sick]} < wanted_slots)); then
  on "$sick" ethtool -G "$device" rx "$wanted_slots"
  say "$sick: receive ring raised to $wanted_slots"
  done_step raise-ring --note "$sick: $wanted_slots slots"
else
  say "$sick: the ring is large already; a person must look"
  exit 1
fi

# escalate-drain
sleep 4
after=$(drops "$(look "$sick")")
sleep 2
more=$(($(drops "$(look "$sick")") - after))
say "$sick: $more packets dropped in the last 2 s"
if ((more > worst / 2 && more > 10)); then
  done_step escalate-drain --note "$sick still drops: drain it"
else
  done_step escalate-drain --note "not needed: $more packets dropped in 2 s"
fi
