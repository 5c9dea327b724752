#!/lab/bin/busybox sh
# shellcheck shell=dash
# Whether the cache answers, seen from the clients' network, every 2 s; for Prometheus.
# usage: cache-check.sh FILE     FILE: read by the node exporter's textfile collector

file=$1
while sleep 2; do
  up=0
  case $(printf 'PING\r\nQUIT\r\n' | nc -w 1 cache-1 6379 2>/dev/null) in *PONG*) up=1 ;; esac
  echo "lab_service_up{service=\"redis\"} $up" >"$file.new" && mv "$file.new" "$file"
done
