#!/usr/bin/env bash
# The lab's alert rules, by Prometheus's own tool and without a guest: what they must notice, and
# what they must leave alone.
source "$(dirname "$0")/lib.sh"

promtool=${FIREDRILL_LAB_DIR:-$root/build/lab}/cache/root/usr/bin/promtool
lab fetch
"$promtool" test rules "$root/experiments/lab/alerts.test.yml" || fail "a rule breaks its word"
