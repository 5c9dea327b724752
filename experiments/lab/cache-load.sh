#!/lab/bin/busybox sh
# shellcheck shell=dash disable=SC2154 # lab_programs is set by guest-env
# The cache's users, on client-1: 2 writes and 2 reads a second, each kind over a connection that is kept open.

value='a value of the size of a small order, about one hundred bytes long, is written to the cache again and again'

# Sends one command for ever, and begins again when the cache is gone.
repeat() {
  while :; do
    "$lab_programs/redis-cli" -h cache-1 -r -1 -i 0.5 "$@" >/dev/null
    sleep 1
  done
}

# shellcheck source=/dev/null
. /lab/etc/settings
# shellcheck source=/dev/null
. /lab/bin/guest-env

repeat set order "$value" &
repeat get order &
wait
