# Shared by the scripts here: where things are, and how they speak. Sourced, never run.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export FIREDRILL_HOME=${FIREDRILL_HOME:-$root/build/lab/home}
export FIREDRILL_BIN_DIR=$root/build/release/bin

# A clone elsewhere finds what another one compiled.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
begin=$(date +%s)
say() { printf '[%4ds] %s\n' "$(($(date +%s) - begin))" "$*" >&2; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 255
}

# lab_groups EXPERIMENT: the arguments by which scripts/lab starts what the experiment's tags ask for, one a line.
lab_groups() { jq -r '.tags // [] | .[] | select(startswith("lab:")) | "--with", ltrimstr("lab:")' "$1"; }

# Runs a command with its output in a log; shows the log's end only when it fails.
quietly() {
  local log=$root/build/logs/$1.log
  shift
  mkdir -p "$root/build/logs"
  "$@" >"$log" 2>&1 && return
  local code=$?
  tail -n 40 "$log" >&2
  die "'$*' failed with $code; all of its output is in $log"
}

# The compiler takes up to 2 GB for one source, so never more jobs than memory has room for.
jobs() {
  local by_memory
  by_memory=$(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) / 2000000))
  local cores
  cores=$(nproc)
  echo $((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))
}

# build PRESET [TARGET...]: configures once, then builds.
build() {
  local preset=$1
  shift
  say "building ($preset)"
  cd "$root" || exit
  quietly "configure-$preset" cmake --preset "$preset"
  quietly "build-$preset" cmake --build "build/$preset" -j "$(jobs)" ${1:+--target "$@"}
}
