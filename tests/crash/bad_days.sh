#!/usr/bin/env bash
# Bad days of a host under fault: its agent dead or hung, the guardian dead, both dead, the controller dead, the network
# cut, the disk full, the clock stepped, the power gone. After each the host is compared with its snapshot: any residue
# fails the test. Ends with a table of the times until the host was clean.
# usage: tests/crash/bad_days.sh [DAY...]   (all of them, in the order below)
#   FIREDRILL_BAD_DAYS  how often the agent dies (20)
# The clock and the power end this guest's life: the test has a fresh one at the end, without services.
source "$(dirname "$0")/../e2e/lib.sh"

all_days=(dead-agent hung-agent dead-guardian both-dead dead-controller short-lease network-cut disk-full clock clock-ahead power)
days=("$@")
((${#days[@]} > 0)) || days=("${all_days[@]}")
experiment=$root/tests/crash/bad_days.json
share=${FIREDRILL_LAB_DIR:-$root/build/lab}/share
table=$work/table
late=()

on() { lab exec "$@"; }
db1() { on db-1 -- "$@"; }
millis() { date +%s%3N; }

# row DAY LIMIT-IN-MS TIMES...: a limit of 0 is none, of the form ~N a goal, which an emulated guest on a busy machine may
# miss; beyond any other the test fails at its end.
row() {
  local day=$1 limit=$2 sorted p99 word
  shift 2
  mapfile -t sorted < <(printf '%s\n' "$@" | sort -n)
  local n=${#sorted[@]}
  p99=${sorted[(n * 99 + 99) / 100 - 1]}
  case $limit in
    0) word="-" ;;
    ~*) word="goal ${limit#\~}: $( ((p99 <= ${limit#\~})) && echo met || echo missed)" ;;
    *) word="limit $limit: $( ((p99 <= limit)) && echo kept || echo BROKEN)" ;;
  esac
  [[ $word != *BROKEN ]] || late+=("$day")
  printf '%s\t%d\t%d\t%d\t%d\t%s\n' "$day" "$n" "${sorted[n / 2]}" "$p99" "${sorted[n - 1]}" "$word" >>"$table"
  note "ok: $day: $n times, the longest ${sorted[n - 1]} ms"
}

# What is on db-1 that a fault could have changed; more than host_snapshot times.
whole_state() {
  # shellcheck disable=SC2016
  db1 sh -c '/run/host_snapshot
    ip -o link show 2>/dev/null | cut -d: -f2; ip rule; ip route show table all | sort
    cat /sys/fs/cgroup/db-1/*/io.max; ls -d /sys/fs/cgroup/db-1/* | grep -v firedrill-guardian # is there for as long as its agent
    /lab/agent/firedrill-agent list'
}
no_residue() {
  whole_state >"$work/whole-now"
  diff "$work/whole-before" "$work/whole-now" >&2 || fail "$1 left something behind"
}

pid_of() { db1 pgrep -of "$1" || true; }
agent_pid() { pid_of 'firedrill-agent run'; }
guardian_pid() { pid_of 'firedrill-agent guardian'; }

# The brackets keep a pattern from finding the shell that it stands in.
# Waits until an agent answers: its predecessor's socket was removed by forget_agent.
await_agent() {
  local i
  for i in $(seq 60); do
    db1 sh -c '[ -S /var/lib/firedrill/agent.sock ] && pgrep -f "[f]iredrill-agent run"' >/dev/null && return
    sleep 0.3
  done
  fail "no agent came back within $i tries"
}
forget_agent() { db1 rm -f /var/lib/firedrill/agent.sock; }

# inject [OPTION...]: both network faults, by the agent that runs.
inject() {
  await_agent
  db1 sh -c '/lab/agent/firedrill-agent inject netem device=data0 delay=20ms loss=5% --detach "$@" >/dev/null &&
    /lab/agent/firedrill-agent inject nic-ring device=data0 rx=64 --detach "$@" >/dev/null' sh --duration "${1:-300s}" ||
    fail "cannot inject"
}
# strike PIDS LIMIT [STOP]: prints the milliseconds until the host is clean.
strike() {
  db1 /run/host_snapshot /run/before "$@" 2>"$work/strike" || { cat "$work/strike" >&2 && return 1; }
}

start_run() {
  rm -f "$work/progress"
  "$firedrill" run "$experiment" --json "$@" >"$work/run.json" 2>"$work/progress" &
  controller=$!
  until grep -qs 'INJECTED shrink-ring\|INJECTED nic-ring' "$work/progress"; do
    kill -0 "$controller" 2>/dev/null || { cat "$work/progress" && fail "the run ended early"; }
    sleep 0.1
  done
}
end_run() {
  wait "$controller" || true
}

bring_up() {
  lab up --bare 2>/dev/null || fail "the lab does not come up"
  lab agents restart db-1
  lab copy-in "$root/build/release/bin/host_snapshot" /run/host_snapshot
  await_agent
  db1 sh -c '/run/host_snapshot >/run/before'
  whole_state >"$work/whole-before"
}

day_dead-agent() {
  local times=() i
  for i in $(seq "${FIREDRILL_BAD_DAYS:-20}"); do
    inject
    times+=("$(strike "$(agent_pid)" 5000)")
    forget_agent
    no_residue "a dead agent ($i)"
  done
  row dead-agent ~100 "${times[@]}"
}

day_hung-agent() {
  local times=() i
  for i in 1 2 3; do
    inject
    times+=("$(strike "$(agent_pid)" 15000 STOP)")
    forget_agent
    no_residue "a hung agent ($i)"
  done
  row hung-agent 11000 "${times[@]}"
}

# Not undone: replaced at once, and the new one does its duty.
day_dead-guardian() {
  local old begin replaced=() times=() i
  for i in 1 2 3; do
    inject
    old=$(guardian_pid)
    # shellcheck disable=SC2016
    replaced+=("$(db1 sh -c 'begin=$(date +%s%3N); kill -9 "$1"
      until new=$(pgrep -f "[f]iredrill-agent guardian" | grep -vx "$1"); do
        [ $(($(date +%s%3N) - begin)) -gt 5000 ] && echo "no new guardian" >&2 && exit 1; done
      echo $(($(date +%s%3N) - begin))' sh "$old")")
    [ "$(db1 firedrill-agent list --json | jq 'map(select(.state == "active")) | length')" = 2 ] ||
      fail "a dead guardian ended an injection"
    # Started is not yet watching.
    sleep 1
    times+=("$(strike "$(agent_pid)" 5000)")
    forget_agent
    no_residue "a dead guardian ($i)"
  done
  row "dead-guardian (replaced after)" ~1000 "${replaced[@]}"
  row "dead-guardian, then dead agent" ~100 "${times[@]}"
}

# Nobody is left but the service manager, which starts the agent again after 2 s.
day_both-dead() {
  local times=() i
  for i in 1 2 3; do
    inject
    times+=("$(strike "$(guardian_pid),$(agent_pid)" 15000)")
    no_residue "agent and guardian dead ($i)"
    forget_agent
    lab agents restart db-1
  done
  row both-dead 0 "${times[@]}"
}

# From the kill to the host's word that it is clean, both on this machine's clock.
controller_dies() {
  local day=$1 lease_ms=$2 begin
  await_agent
  start_run --set "lease=$((lease_ms / 1000))s"
  begin=$(millis)
  kill -KILL "$controller"
  strike - $((lease_ms + 10000)) >/dev/null
  row "$day" $((lease_ms + 1000)) $(($(millis) - begin))
  end_run
  no_residue "$day"
}
day_dead-controller() { controller_dies dead-controller 10000; }
day_short-lease() { controller_dies short-lease 3000; }

day_network-cut() {
  local begin
  await_agent
  start_run
  begin=$(millis)
  on guest -- ip link set vm-db-1 down
  strike - 20000 >/dev/null
  row network-cut 11000 $(($(millis) - begin))
  on guest -- ip link set vm-db-1 up
  end_run
  [ "$(run_json .card.verdict)" != pass ] || fail "a run without its host passed"
  no_residue "a cut network"
}

# An agent of its own, whose state directory is a small disk without a free byte.
day_disk-full() {
  local times=() i
  db1 sh -c 'truncate -s 8M /tmp/disk && mkfs.ext4 -q /tmp/disk && mkdir -p /run/full &&
    mount -o loop /tmp/disk /run/full && mkdir -m 700 /run/full/state'
  for i in 1 2 3; do
    db1 firedrill-agent inject netem device=data0 loss=5% --duration 300s --detach \
      --state-directory /run/full/state >/dev/null
    db1 sh -c 'dd if=/dev/zero of=/run/full/fill bs=4k status=none 2>/dev/null; sync
      ! echo more >/run/full/more 2>/dev/null || ! test -s /run/full/more' || fail "the disk is not full"
    times+=("$(strike "$(pid_of 'firedrill-agent inject')" 5000)")
    sleep 0.5
    db1 firedrill-agent list --state-directory /run/full/state >"$work/out"
    said "nothing is injected"
  done
  row disk-full ~100 "${times[@]}"
  db1 sh -c 'umount /run/full && rm -f /tmp/disk && rmdir /run/full'
  no_residue "a full disk"
}

# The fault ends when its 8 s are over, whatever the clock says; and a commit at an instant still finds it.
day_clock() {
  local step begin took
  for step in '+1 hour' '-1 hour' '-1 hour' '+1 hour'; do
    inject 8s
    begin=$(millis)
    on guest -- date -s "$step" >/dev/null
    sleep 3
    [ "$(db1 firedrill-agent list --json | jq 'map(select(.state == "active")) | length')" = 2 ] ||
      fail "a step of $step ended an injection"
    strike - 20000 >/dev/null
    took=$(($(millis) - begin))
    ((took > 5500)) || fail "a step of $step: clean after $took ms of 8000"
    row "clock $step (fault of 8 s)" 9500 "$took"
    no_residue "a clock stepped by $step"
  done
}

# A commit at an instant finds an agent whose clock is an hour ahead of its controller's.
day_clock-ahead() {
  on guest -- date -s '+1 hour' >/dev/null
  await_agent
  start_run --set duration=3s
  wait "$controller" || true
  events "$(run_json .measures.run)" >"$work/events"
  [ "$(jq -s 'map(select(.kind == "injection.undone" and .data.cause == "time-up")) | length' "$work/events")" = 2 ] ||
    { cat "$work/progress" && fail "a run with an agent an hour ahead: the faults did not end by their time"; }
  on guest -- date -s '-1 hour' >/dev/null
  note "ok: a run with an agent that is an hour ahead: $(run_json .card.verdict)"
  no_residue "a run with an agent an hour ahead"
}

# The journal on a disk that outlives the guest, which is cut off with every kind of fault on.
power_faults() {
  # shellcheck disable=SC2016
  db1 sh -c 'set -e
    cp /usr/bin/sleep /run/leaky
    setsid /run/leaky 1000 >/dev/null 2>&1 &
    ip route add 198.51.100.0/24 dev data0
    inject() { /lab/agent/firedrill-agent inject "$@" --duration 600s --detach --state-directory /run/state/s >/dev/null; }
    inject netem device=data0 delay=20ms loss=5%
    inject nic-ring device=data0 rx=64
    inject dm-delay device=/srv/data write=20ms
    inject io-throttle device=/srv/data cgroup=db-1/etcd write-iops=50
    inject memory-leak process=leaky rate=4MiB limit=8MiB
    inject route-flap prefix=198.51.100.0/24
    inject route-blackhole prefix=203.0.113.0/24' || fail "cannot inject everything"
  on rt-1 -- sh -c '/lab/agent/firedrill-agent inject bgp-flap protocol=upstream socket=/run/bird/bird.ctl --duration 600s \
    --detach --state-directory /run/state/s >/dev/null' || fail "cannot take the session down"
}
power_disk() {
  local host
  for host in db-1 rt-1; do
    on "$host" -- sh -c "mkdir -p /run/state && mount -o loop /mnt/share/$host.img /run/state"
  done
}
power_active() {
  { db1 firedrill-agent list --state-directory /run/state/s --json &&
    on rt-1 -- firedrill-agent list --state-directory /run/state/s --json; } | jq -s 'add | length'
}
day_power() {
  local host begin count
  for host in db-1 rt-1; do
    rm -f "$share/$host.img"
    truncate -s 8M "$share/$host.img"
    on "$host" -- mkfs.ext4 -q "/mnt/share/$host.img"
  done
  power_disk
  on db-1 -- mkdir -p /sys/fs/cgroup/db-1/etcd
  lab service start rt-1 bird
  lab service start rt-2 bird
  sleep 8
  power_faults
  count=$(power_active)
  [ "$count" = 8 ] || fail "$count of 8 faults are on"
  kill -KILL "$(<"${share%/share}/run/qemu.pid")"
  bring_up
  power_disk
  [ "$(power_active)" = 8 ] || fail "the journals forgot something over the reboot"
  begin=$(millis)
  for host in db-1 rt-1; do
    on "$host" -- firedrill-agent recover --state-directory /run/state/s 2>"$work/err" ||
      { cat "$work/err" && fail "$host is not clean after a reboot"; }
    cat "$work/err"
  done
  row "power, until recovered" 0 $(($(millis) - begin))
  [ "$(power_active)" = 0 ] || fail "something is still open"
  [ "$(db1 grep -ao '"rebooted":true' /run/state/s/journal | wc -l)" = 7 ] ||
    fail "the journal does not say that the reboot undid it"
  on db-1 -- umount /run/state
  on rt-1 -- umount /run/state
  rm -f "$share"/{db-1,rt-1}.img
  no_residue "a reboot"
}

bring_up
for day in "${days[@]}"; do "day_$day"; done
if [[ " ${days[*]} " == *" clock"* && " ${days[*]} " != *" power "* ]]; then
  lab down 2>/dev/null
  lab up --bare 2>/dev/null
fi
{ printf 'bad day\ttimes\tp50 ms\tp99 ms\tmax ms\tpromise\n' && cat "$table"; } | column -t -s $'\t'
((${#late[@]} == 0)) || fail "later than promised: ${late[*]}"
