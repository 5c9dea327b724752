#!/usr/bin/env bash
# One fuzzer as a test: its seeds, then fuzzing for FIREDRILL_FUZZ_SECONDS (default 30).
# usage: tests/fuzz/run.sh FUZZER FOUND_CORPUS SEEDS
set -euo pipefail
mkdir -p "$2"
exec "$1" -max_total_time="${FIREDRILL_FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 \
  -artifact_prefix="$2-finding-" "$2" "$3"
