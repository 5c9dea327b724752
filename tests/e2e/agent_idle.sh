#!/usr/bin/env bash
# An agent with nothing to do: small in memory, and no use of the processor that top would show;
# but every thread of it would get one ahead of the host's load.
source "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016
lab exec client-1 -- sh -c '
  pid=$(pgrep -f "firedrill-agent run" | head -n 1)
  ticks() { cut -d" " -f14,15 "/proc/$pid/stat" | tr " " "+"; }
  before=$(($(ticks))); sleep 10; after=$(($(ticks)))
  echo "$(awk "/VmRSS/ {print \$2}" "/proc/$pid/status") $((after - before))"' >"$work/out"
read -r kib ticks <"$work/out"
note "resident: $kib KiB; processor: $ticks ms of every second"
[ "$kib" -le 10240 ] || fail "$kib KiB resident; the promise is 10 MiB"

# shellcheck disable=SC2016
lab exec client-1 -- sh -c '
  pid=$(pgrep -f "firedrill-agent run" | head -n 1)
  for thread in /proc/"$pid"/task/*; do sed "s/.*) //" "$thread/stat" | cut -d" " -f17; done' >"$work/nice"
[ "$(sort -u "$work/nice")" = -10 ] || fail "not every thread has a nice value of -10: $(tr '\n' ' ' <"$work/nice")"
