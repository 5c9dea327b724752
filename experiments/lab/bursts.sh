#!/lab/bin/busybox sh
# shellcheck shell=dash
# Replication-like traffic, on client-1: bursts of small UDP packets into each database host's data0.
# A burst is what fills a receive ring: the default ring takes it whole, a ring shrunk to its smallest does not.

packets=100 # in one burst, back to back
size=100    # bytes a packet
seconds=2   # from one burst to the next: every packet passes five emulated cards, which is what bursts cost

# Sends bursts to one host, for ever; iperf3 keeps the average rate, so bursts of this length come this often.
# The pacing timer (in microseconds) is iperf3's, which would otherwise wake up a thousand times a second.
replicate() {
  while :; do
    iperf3 --client "$1" --udp --length $size --bitrate $((packets * size * 8 / seconds))/$packets \
      --pacing-timer 100000 --window 512K --time 600 --interval 0 --connect-timeout 2000
    sleep 1
  done
}

for host in db-1 db-2 db-3; do replicate $host & done
wait
