#!/lab/bin/busybox sh
# shellcheck shell=dash
# The lab's users, on client-1: 3 writes a second and half as many reads, spread over the three members:
# more would leave an emulated guest no room for faults.
# Each member has a writer and a reader of its own over a connection that is kept open, so that one sick member does
# not slow down the others. The query strings are ignored by etcd; they only make curl repeat the request.
# The log has a line a request: kind, member, status (000: no answer within 2 s), seconds.

write='{"key":"ZmlyZWRyaWxsL29yZGVy","value":"QSB2YWx1ZSBvZiB0aGUgc2l6ZSBvZiBhIHNtYWxsIG9yZGVyLCBhYm91dCBvbmUgaHVuZHJlZCBieXRlcyBsb25nLCBpcyB3cml0dGVuLg=="}'
read='{"key":"ZmlyZWRyaWxsL29yZGVy"}'

# Sends one kind of request to one member, for ever.
# usage: client KIND MEMBER RATE PATH BODY
client() {
  while :; do
    curl --silent --output /dev/null --rate "$3/m" --connect-timeout 1 --max-time 2 --data "$5" \
      --write-out "$1 $2 %{http_code} %{time_total}\n" "http://$2:2379/v3/kv/$4?[1-100000]"
  done
}

for member in db-1 db-2 db-3; do
  client write $member 60 put "$write" &
  client read $member 30 range "$read" &
done
wait
