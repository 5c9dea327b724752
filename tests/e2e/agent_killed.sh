#!/usr/bin/env bash
# kill -9 of the agent at a random instant of the fault: the host equals its snapshot soon after,
# and the run never passes. FIREDRILL_KILLS says how often (default 10).
source "$(dirname "$0")/lib.sh"

kills=${FIREDRILL_KILLS:-10}
times=()
lab copy-in "$root/build/release/bin/host_snapshot" /run/host_snapshot
snapshot db-1 >"$work/before-db-1"
lab exec db-1 -- sh -c '/run/host_snapshot >/run/before'
printf '%4s  %-10s  %-10s  %-10s  %s\n' kill "after" "dead in" "clean in" verdict
for kill in $(seq "$kills"); do
  rm -f "$work/progress"
  "$firedrill" run "$here/short.json" --json --set duration=15s >"$work/run.json" \
    2>"$work/progress" &
  controller=$!
  until grep -qs 'INJECTED nic-ring' "$work/progress"; do
    kill -0 "$controller" 2>/dev/null || { cat "$work/progress" && fail "the run ended early"; }
    sleep 0.1
  done
  delay=$(awk -v seed="$RANDOM" 'BEGIN {srand(seed); printf "%.2f", rand() * 5}')
  sleep "$delay"
  # shellcheck disable=SC2016
  took=$(lab exec db-1 -- sh -c '
    exec /run/host_snapshot /run/before "$(pgrep -f "firedrill-agent run" | head -n 1)" 5000' 2>"$work/dead") ||
    { cat "$work/dead" && fail "no time until the host was clean"; }
  code=0
  wait "$controller" || code=$?
  verdict=$(run_json .card.verdict)
  dead=$(sed -n 's/^dead after \([0-9]*\) ms$/\1/p' "$work/dead")
  printf '%4d  %7s s   %7s ms  %7s ms  %s\n' "$kill" "$delay" "$dead" "$took" "$verdict"
  [ "$code" = 3 ] || [ "$code" = 255 ] || { cat "$work/progress" && fail "exit code $code"; }
  same_as_before db-1
  # The promise is 200 ms. How well an emulated guest keeps it is printed, not judged: it depends on what else the
  # machine does. Beyond a second something else than the agent's death was waited for.
  [ "$took" -le 1000 ] || fail "$took ms until the host was clean: nobody noticed the death at once"
  times+=("$took")
done
printf '%s\n' "${times[@]}" | sort -n | awk '{took[NR] = $1; kept += $1 <= 200}
  END {printf "clean after %d to %d ms, half of them within %d; %d of %d within the promised 200\n", took[1], took[NR], took[int((NR + 1) / 2)], kept, NR}'
