#!/bin/sh
# The systemd units, started as an owner starts them: the agent joins the controller, every fault comes and goes inside the
# agent's sandbox, and whatever ends its unit leaves nothing. Runs in the lab's guest, beside the systemd of under_systemd.sh.
# usage: units.sh FOLDER   (which holds firedrill, firedrill-agent, host_snapshot and both units)
set -eu
folder=$1
unit=firedrill-agent.service
home=/var/lib/firedrill-controller
fail() {
  echo "FAILED: $*" >&2
  systemctl status --no-pager firedrill.service "$unit" >&2 || true
  exit 1
}
agent() { /usr/bin/firedrill-agent "$@"; }
controller() { runuser -u firedrill -- /usr/bin/firedrill --home $home "$@"; }
main_pid() { systemctl show --value -p MainPID "$unit"; }

# within WORDS COMMAND...: true at some time in ten seconds.
within() {
  words=$1 tries=0
  shift
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || fail "$words"
    sleep 0.1
  done
}

# What faults change, as text; of the process that leaks, every mapping.
state() {
  cat "/proc/$leaking/maps"
  "$folder/host_snapshot"
  ip rule
  ip route show table all | sed 's, expires [0-9]*sec,,' | sort
  systemctl show -p IOReadBandwidthMax,IOWriteIOPSMax,ActiveState firedrill-test.service
}
clean() { state >/run/now 2>&1 && cmp -s /run/before /run/now; }
on() { ! clean; }
# Without its socket a command would do the work itself, beside the unit.
answers() { [ -S /var/lib/firedrill/agent.sock ] && agent list >/dev/null 2>&1; }
new_main() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && answers; }
# The dead leave their socket behind.
forget() { rm -f /var/lib/firedrill/agent.sock; }

prepare() {
  id firedrill >/dev/null 2>&1 || useradd --system --home-dir $home firedrill
  cp "$folder/firedrill" "$folder/firedrill-agent" /usr/bin/
  cp "$folder/firedrill.service" "$folder/$unit" /run/systemd/system/
  rm -rf $home /var/lib/firedrill /etc/firedrill
  mkdir -p /srv/unit-disk
  truncate -s 64M "$folder/disk.img"
  loop=$(/usr/sbin/losetup --find --show "$folder/disk.img")
  echo "0 131072 linear $loop 0" | /usr/sbin/dmsetup create --noudevsync --noudevrules unit-disk
  /usr/sbin/dmsetup mknodes unit-disk
  /usr/sbin/mkfs.ext4 -q /dev/mapper/unit-disk
  mount /dev/mapper/unit-disk /srv/unit-disk
  ip link add unit0 type dummy
  ip addr add 10.250.0.1/24 dev unit0
  ip link set unit0 up
  ip route add 10.251.0.0/24 via 10.250.0.2
  sleep 600 &
  leaking=$!
}

tidy() {
  systemctl stop "$unit" || true
  kill "$leaking" || true
  ip link del unit0 || true
  umount /srv/unit-disk || true
  # Other units see the mount until they end.
  /usr/sbin/dmsetup remove --deferred --noudevsync --noudevrules unit-disk || true
  /usr/sbin/losetup --detach "$loop" || true
  systemctl stop firedrill.service || true
}

listens() { ss -Hltn "sport = :7443" | grep . >/dev/null; }
connected() { controller agents --json | grep '"unit-1"' >/dev/null; }

# Each fault, inside the sandbox: it changes the host, and its undo leaves no letter of that.
faults() {
  while read -r fault; do
    # shellcheck disable=SC2086
    agent inject $fault --duration 60s --detach >/run/said 2>&1 || fail "inject $fault: $(cat /run/said)"
    on || fail "changed nothing: $fault"
    agent undo --all >/run/said 2>&1 || fail "undo $fault: $(cat /run/said)"
    clean || fail "left behind by $fault: $(diff /run/before /run/now)"
    echo "in the sandbox: ${fault%% *} came and went"
  done <<FAULTS
netem device=unit0 delay=50ms direction=both
dm-delay device=/srv/unit-disk flush=50ms
io-throttle device=/srv/unit-disk unit=firedrill-test.service write-iops=10
memory-leak pid=$leaking rate=1MiB limit=4MiB
route-flap prefix=10.251.0.0/24 period=30s
route-blackhole prefix=10.252.0.0/24
FAULTS
}

inject_some() {
  for fault in "netem device=unit0 loss=50%" "dm-delay device=/srv/unit-disk flush=50ms" "route-blackhole prefix=10.252.0.0/24"; do
    # shellcheck disable=SC2086
    agent inject $fault --duration 300s --detach >/run/said 2>&1 || fail "inject $fault: $(cat /run/said)"
  done
  on || fail "nothing was changed by three faults"
}

prepare
trap tidy EXIT
within "the process that is to leak does not sleep" grep -qs nanosleep "/proc/$leaking/wchan" # before, it is still loaded
state >/run/before
systemctl daemon-reload
systemctl start firedrill.service || fail "the controller's unit does not start"
within "the controller does not listen" listens
controller pki token --host unit-1 | agent join wss://127.0.0.1:7443 - >/run/said 2>&1 || fail "join: $(cat /run/said)"
systemctl start "$unit" || fail "the unit does not start"
within "the agent does not answer" answers
within "the agent is not connected" connected
echo "the agent joined the controller"
faults

inject_some
old=$(main_pid)
forget
systemctl kill --kill-who=main -s KILL "$unit"
within "the agent was killed, and something stayed: $(diff /run/before /run/now)" clean
within "the agent was killed, and did not come back" new_main "$old"
echo "agent killed: clean, and back as a new process"

inject_some
old=$(main_pid)
forget
pkill -KILL -f '^/usr/bin/firedrill-agent'
within "agent and guardian were killed, and something stayed" clean
within "agent and guardian were killed, and the agent did not come back" new_main "$old"
echo "agent and guardian killed: clean, and back as a new process"

inject_some
systemctl restart "$unit"
clean || fail "a restart left something behind: $(diff /run/before /run/now)"
within "the agent does not answer after a restart" answers
echo "unit restarted: clean before the new agent answers"

inject_some
systemctl stop "$unit"
clean || fail "stopping left something behind: $(diff /run/before /run/now)"
[ "$(systemctl list-units --no-legend 'firedrill-guardian-*' | wc -l)" = 0 ] || fail "a guardian outlived the unit"
echo "unit stopped: clean, no guardian left"
systemd-analyze security --no-pager "$unit" firedrill.service | grep Overall
