#!/bin/sh
# Makes the host in which it runs the one that the examples of all faults speak of (and takes that back): an
# interface eth0 with rings, a route, a disk, a cgroup, a process called etcd and a BIRD. What a new fault's example needs
# beyond that belongs here. Runs in db-1 of the lab, whose disk is db-1-data.
# usage: world.sh up|down BIRD BIRD_CONF
set -eu
cgroup=/sys/fs/cgroup/db-1/etcd
place=/run/firedrill-world

rename() {
  ip link set "$1" down
  ip link set "$1" name "$2"
  ip link set "$2" up
}

up() {
  if pgrep -r S,R,D -x etcd >/dev/null; then
    echo "world.sh: etcd runs on this host; stop it first: scripts/lab service stop db-1 etcd" >&2
    exit 1
  fi
  mkdir -p "$place" /run/bird
  ! ip link show data0 >/dev/null 2>&1 || rename data0 eth0
  ip route replace 10.77.2.0/24 via 10.77.0.12 dev eth0
  # Its sectors are allocated and on the disk before dm-delay asks where they are.
  dd if=/dev/zero of=/srv/db-1/one-file bs=64k count=1 conv=fsync status=none
  mkdir -p "$cgroup"
  cp /usr/bin/sleep "$place/etcd"
  setsid "$place/etcd" infinity </dev/null >/dev/null 2>&1 &
  echo $! >"$place/etcd.pid"
  echo $! >"$cgroup/cgroup.procs"
  setsid "$1" -f -c "$2" -s /run/bird/bird.ctl </dev/null >"$place/bird.log" 2>&1 &
  echo $! >"$place/bird.pid"
  tries=0
  # Until an address has been tried out, routes to it come and go.
  until [ -S /run/bird/bird.ctl ] && [ -n "$(ip -6 address show dev eth0 scope link -tentative)" ]; do
    tries=$((tries + 1))
    [ $tries -le 200 ] || { echo "world.sh: no BIRD, or no addresses, within 20 s" >&2; cat "$place/bird.log" >&2; exit 1; }
    sleep 0.1
  done
}

down() {
  for name in etcd bird; do
    [ ! -s "$place/$name.pid" ] || kill -KILL "$(cat "$place/$name.pid")" 2>/dev/null || true
  done
  rm -rf "$place" /run/bird/bird.ctl /srv/db-1/one-file
  ip route del 10.77.2.0/24 2>/dev/null || true
  ! ip link show eth0 >/dev/null 2>&1 || rename eth0 data0
}

case $1 in
  up)
    down
    up "$2" "$3"
    ;;
  down) down ;;
esac
