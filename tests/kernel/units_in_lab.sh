#!/usr/bin/env bash
# Takes what an owner would install into the lab's guest, and runs units.sh there.
source "$(dirname "$0")/../e2e/lib.sh"

folder=$work/units
mkdir -p "$folder"
cp "$root"/build/release/bin/{firedrill,firedrill-agent,host_snapshot} \
  "$root/agent/systemd/firedrill-agent.service" "$root/controller/systemd/firedrill.service" "$folder/"
lab exec guest -- rm -rf /srv/units
lab copy-in "$folder" /srv/units
lab copy-in "$root/tests/kernel/under_systemd.sh" /run/under_systemd.sh
lab copy-in "$root/tests/kernel/units.sh" /run/units.sh
lab exec guest -- sh /run/under_systemd.sh /run/units.sh /srv/units
