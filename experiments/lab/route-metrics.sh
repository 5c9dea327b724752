#!/lab/bin/busybox sh
# shellcheck shell=dash
# How stable the routes of a router are, for Prometheus: every change of a watched prefix in the kernel's main table is
# counted as the kernel tells it, so that no flap is too short to be seen.
# usage: route-metrics.sh FILE PREFIX     FILE: read by the node exporter's textfile collector

file=$1 prefix=$2 present=0 changes=0

# In one piece, because the exporter may read at any time.
publish() {
  printf 'lab_route_present{prefix="%s"} %s\nlab_route_changes_total{prefix="%s"} %s\n' \
    "$prefix" "$present" "$prefix" "$changes" >"$file.new" && mv "$file.new" "$file"
}

[ -n "$(/usr/bin/ip -4 route show exact "$prefix")" ] && present=1
publish
/usr/bin/ip -4 monitor route | while read -r line; do
  case $line in
    "Deleted $prefix "*) present=0 ;;
    "$prefix "*) present=1 ;;
    *) continue ;;
  esac
  changes=$((changes + 1))
  publish
done
