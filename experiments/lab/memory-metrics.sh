#!/lab/bin/busybox sh
# shellcheck shell=dash
# Memory of a service for Prometheus, every 2 s: of its process, and of the cgroup that limits it.
# usage: memory-metrics.sh FILE CGROUP     FILE: read by the node exporter's textfile collector

file=$1 cgroup=$2 service=${2##*/}

# Nothing but reading, because every program that is started costs an emulated guest tens of milliseconds.
measure() {
  read -r current <"$cgroup/memory.current"
  read -r max <"$cgroup/memory.max"
  while read -r key value; do [ "$key" = oom_kill ] && kills=$value; done <"$cgroup/memory.events"
  pages=0
  read -r pid <"$cgroup/cgroup.procs" && read -r _ pages _ 2>/dev/null <"/proc/$pid/statm"
}

while sleep 2; do
  measure || continue
  {
    echo "lab_cgroup_memory_bytes{service=\"$service\"} $current"
    [ "$max" = max ] || echo "lab_cgroup_memory_limit_bytes{service=\"$service\"} $max"
    echo "lab_cgroup_oom_kills_total{service=\"$service\"} $kills"
    echo "lab_process_resident_bytes{service=\"$service\"} $((pages * 4096))"
  } >"$file.new" && mv "$file.new" "$file"
done
