#!/usr/bin/env bash
# Gives the leadership of the lab's etcd cluster to one member; nothing to do if it leads already.
# usage: etcd-lead.sh HOST
set -euo pipefail

wanted=${1:?a host is needed, such as db-1}

# One call into the guest, because each takes a second there. A line of the status says: address, id, version, size,
# leader or not, …; only the leader itself takes the order to hand over. FIREDRILL_BIN means another thing to scripts/lab.
# shellcheck disable=SC2016 # expanded in the guest
env -u FIREDRILL_BIN "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lab" exec client-1 -- sh -c '
  members=http://db-1:2379,http://db-2:2379,http://db-3:2379
  status=$(etcdctl --command-timeout=10s --endpoints "$members" endpoint status) || exit 1
  id=$(echo "$status" | awk -F ", " -v host="/$1:" "index(\$1, host) {print \$2}")
  leader=$(echo "$status" | awk -F ", " "\$5 == \"true\" {print \$1}")
  case $leader in *"/$1:"*) echo "$1 leads already" && exit 0 ;; esac
  [ -n "$id" ] && [ -n "$leader" ] || { echo "etcd-lead: no leader, or no member $1: $status" >&2 && exit 1; }
  etcdctl --command-timeout=10s --endpoints "$leader" move-leader "$id"
' sh "$wanted" </dev/null
