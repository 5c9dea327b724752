#!/usr/bin/env bash
# Kills agents in the lab, on db-1 made the host that the faults' examples speak of.
# usage: tests/crash/in_lab.sh explore|random [OPTION...]
#   FIREDRILL_CRASH_SHARD  K/N: every N-th point only, from the K-th on (0/1: all)
#   FIREDRILL_KILLS        random kills (50)
#   FIREDRILL_SEED         what the dice show (1)
set -euo pipefail
source "$(dirname "$0")/../e2e/lib.sh"

part=$1
shift
here=$root/tests/crash
binaries=${FIREDRILL_BIN_DIR:-$root/build/release/bin}
place=/run/firedrill-crash-programs
bird=/lab/cache/root/usr/sbin/bird
on_host() { lab exec db-1 -- "$@"; }

# What runs on that host would move while it is compared; it is stopped, and started again at the end.
stopped=()
pause_services() {
  mapfile -t stopped < <(lab status --json | jq -r '.hosts[] | select(.name == "db-1")
    | .services | to_entries[] | select(.value == "up") | .key')
  for service in "${stopped[@]}"; do
    if [ "$service" = agent ]; then lab agents stop db-1; else lab service stop db-1 "$service"; fi
  done
}
# shellcheck disable=SC2317,SC2329 # by the trap
restore() {
  on_host sh "$place/world.sh" down || true
  for service in "${stopped[@]}"; do
    if [ "$service" = agent ]; then lab agents start db-1; else lab service start db-1 "$service"; fi
  done
  rm -rf "$work"
}

lab up --bare
lab exec guest -- mkdir -p "$place"
for file in "$binaries"/{crash_explorer,firedrill-agent} "$here"/{cases.json,world.sh,bird.conf}; do
  lab copy-in "$file" "$place/$(basename "$file")"
done
trap 'status=$?; restore; exit $status' EXIT
pause_services
on_host sh "$place/world.sh" up "$bird" "$place/bird.conf"
case $part in
  explore) set -- --shard "${FIREDRILL_CRASH_SHARD:-0/1}" "$@" ;;
  random) set -- --kills "${FIREDRILL_KILLS:-50}" --seed "${FIREDRILL_SEED:-1}" "$@" ;;
esac
on_host "$place/crash_explorer" "$part" --agent "$place/firedrill-agent" \
  --cases "$place/cases.json" "$@"
