#!/lab/bin/busybox sh
# shellcheck shell=dash disable=SC2154 # names are set by guest-lib
# Moves the data of one etcd member to the host's spare disk, or home again. Runs in the guest itself; the member is
# down meanwhile, for a few seconds. `scripts/lab up` brings all of them home.
# usage: scripts/lab exec guest -- /lab/etc/move-etcd.sh HOST spare|home

# shellcheck source=/dev/null
. /lab/bin/guest-lib
host=${1:?a host is needed} where=${2:?spare or home is needed}

home=/srv/$host/etcd
spare=$STATE/$host/spare/etcd # in memory: as healthy as a disk can be
case $where in
  spare) from=$home to=$spare ;;
  home) from=$spare to=$home ;;
  *) echo "move-etcd: \"$where\" is neither spare nor home" >&2 && exit 2 ;;
esac
[ -d "$from" ] || { echo "move-etcd: $host has no data in $from" >&2 && exit 1; }

stop_service "$host" etcd
# A member must never start from data that is older than what it has promised to others: the old copy goes.
rm -rf "$to" && mkdir -p "${to%/*}" && /usr/bin/cp -a --sparse=always "$from" "$to" && rm -rf "$from" || exit 1
if [ "$where" = spare ]; then echo "$spare" >"$STATE/$host/etcd.directory"; else rm -f "$STATE/$host/etcd.directory"; fi
start_service "$host" etcd
