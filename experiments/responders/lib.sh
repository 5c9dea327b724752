# What the lab's scripted on-call engineers share. Sourced, never run.
# A responder takes the alert as JSON on standard input and, in the environment, FIREDRILL_BIN (the program) and
# FIREDRILL_RUN. It looks at the hosts and their monitoring and at nothing of Firedrill's. Its working directory is the
# experiments folder.
# shellcheck shell=bash
set -euo pipefail

firedrill=${FIREDRILL_BIN:?set by firedrill when it starts this script}
prometheus=http://127.0.0.1:${FIREDRILL_LAB_PROMETHEUS_PORT:-19090}
lab() { env -u FIREDRILL_BIN ../scripts/lab "$@"; } # scripts/lab means another thing by that name
on() { lab exec "$1" -- "${@:2}" </dev/null; }
say() { printf '%s\n' "$*"; }
done_step() { "$firedrill" step "done" "$@" --who responder; }

# Reads the page and says that somebody is there. Sets alert and suspect (the host that it names, or nothing).
answer_page() {
  local name
  alert=$(cat)
  name=$(jq -r '.labels.alertname // .alertname // "an alert"' <<<"$alert")
  # shellcheck disable=SC2034 # for those who source this
  suspect=$(jq -r '.labels.instance // empty' <<<"$alert")
  say "paged: $name${suspect:+ on $suspect}"
  "$firedrill" ack --who responder
}

# Lines "INSTANCE VALUE" of a question to the monitoring, the largest value first.
measured() {
  curl --silent --max-time 5 --get "$prometheus/api/v1/query" --data-urlencode "query=$1" |
    jq -r '.data.result[] | select(.value[1] != "NaN") | "\(.metric.instance) \(.value[1])"' | sort -rgk 2
}

# Milliseconds, from seconds.
in_ms() { awk -v seconds="$1" 'BEGIN {printf "%.0f", seconds * 1000}'; }

# How long each member waits for a sync of its log, on average of the last 10 s; the slowest first.
sync_times() {
  measured 'rate(etcd_disk_wal_fsync_duration_seconds_sum[10s]) / rate(etcd_disk_wal_fsync_duration_seconds_count[10s])'
}

# All members' addresses; asked from the clients' host, because the sick one may be slow in everything.
members=http://10.77.0.11:2379,http://10.77.0.12:2379,http://10.77.0.13:2379
cluster() { on client-1 etcdctl --endpoints "$members" --command-timeout 10s "$@"; }

# The host that leads the cluster now.
leader() { measured 'etcd_server_is_leader == 1' | head -n 1 | cut -d' ' -f1; }

# move_leadership FROM: to the first other member, through the leader itself, as etcd wants it. Prints the new leader.
move_leadership() {
  local to
  for to in db-1 db-2 db-3; do [ "$to" != "$1" ] && break; done
  ../experiments/actions/etcd-lead.sh "$to" >&2
  say "$to"
}

# What a synced write costs on a host's disk, in milliseconds: five of them, one after another.
test_disk() {
  local seconds
  seconds=$(on "$1" sh -c 'dd if=/dev/zero of=/srv/data/.test bs=4k count=5 oflag=dsync; rm /srv/data/.test' 2>&1 |
    sed -n 's/.*copied, \([0-9.e-]*\) s.*/\1/p')
  awk -v seconds="${seconds:-0}" 'BEGIN {printf "%.0f", seconds * 1000 / 5}'
}
