#!/bin/sh
# Runs a program beside a systemd of its own: first process of new namespaces, in a cgroup of its own, with a bus and
# one unit that sleeps. Runs in the lab's guest, where nothing else is managed by systemd.
# usage: under_systemd.sh PROGRAM [ARG...]
set -eu
# A new one each time: where a systemd was before, its controllers are still passed on, and no process may enter.
cgroup=/sys/fs/cgroup/under-systemd-$$
units=/run/systemd/system

if [ "${1:-}" = --inside ]; then
  mount -t tmpfs -o mode=755 tmpfs /run
  umount /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # A cgroup that still holds others, seen from here as 0, cannot pass its controllers on.
  while grep -qx 0 /sys/fs/cgroup/cgroup.procs; do sleep 0.1; done
  mkdir -p $units
  cat >$units/test.target <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=dbus.service firedrill-test.service
After=dbus.service firedrill-test.service
AllowIsolate=yes
UNIT
  cat >$units/dbus.socket <<'UNIT'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
UNIT
  cat >$units/dbus.service <<'UNIT'
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
[Service]
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --systemd-activation
UNIT
  cat >$units/firedrill-test.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sleep infinity
UNIT
  exec env container=lab /lib/systemd/systemd --system --unit=test.target --log-target=console --log-level=warning
fi

mkdir -p $cgroup
(
  echo 0 >$cgroup/cgroup.procs
  exec unshare --pid --mount --cgroup --ipc --fork --mount-proc sh "$0" --inside
) &
outer=$!
finish() {
  kill -9 $outer 2>/dev/null || true
  echo 1 >$cgroup/cgroup.kill
  wait
  find $cgroup -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap finish EXIT
while ! pgrep -P $outer >/dev/null; do
  kill -0 $outer 2>/dev/null || exit 1
  sleep 0.1
done
echo $outer >/sys/fs/cgroup/cgroup.procs
tries=0
while true; do
  first=$(pgrep -P $outer || true)
  [ -n "$first" ] && nsenter -t "$first" -m -p -C systemctl is-active --quiet test.target 2>/dev/null && break
  tries=$((tries + 1))
  [ $tries -gt 120 ] && echo "systemd did not come up within 60 s" >&2 && exit 1
  sleep 0.5
done
mkdir -p /srv/under-systemd
cp "$1" /srv/under-systemd/program
shift
nsenter -t "$first" -m -p -C env FIREDRILL_TEST_UNIT=firedrill-test.service /srv/under-systemd/program "$@"
