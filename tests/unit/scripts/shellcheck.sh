#!/usr/bin/env bash
# Every script of the tree, as shellcheck reads it.
set -euo pipefail
cd "$(dirname "$0")/../../.."
mapfile -t scripts < <(grep -rlE --exclude-dir=build --exclude-dir=.git \
  '^#!.*(/bash|env bash|/sh|busybox sh)$' .ci scripts experiments tests)
((${#scripts[@]} > 20)) || { echo "FAILED: only ${#scripts[@]} scripts found" && exit 1; }
# SC2154: variables that a sourced file sets, whose path shellcheck cannot follow.
shellcheck -x -S warning -e SC2154 "${scripts[@]}"
echo "${#scripts[@]} scripts"
