#!/usr/bin/env bash
# Runs the kernel tests in the lab's guest: netem in namespaces of their own, nic-ring on a real
# card of mon-1, units beside a systemd of their own. A test that skips itself there is a failure: this kernel suits them all.
# usage: tests/kernel/in_lab.sh KERNEL_TESTS
set -euo pipefail
source "$(dirname "$0")/../e2e/lib.sh"

program=$1
lab copy-in "$program" /run/kernel_tests
run() {
  "$@" 2>&1 | tee "$work/out"
  if grep -q SKIPPED "$work/out"; then fail "a test skipped itself"; fi
}
lab copy-in "$(dirname "$0")/under_systemd.sh" /run/under_systemd.sh
run lab exec guest -- /run/kernel_tests '--gtest_filter=-*NicRing*:*UnitKernel*'
run lab exec mon-1 -- env FIREDRILL_TEST_NIC=data0 /run/kernel_tests '--gtest_filter=*NicRing*'
run lab exec guest -- sh /run/under_systemd.sh /run/kernel_tests '--gtest_filter=*UnitKernel*'
