#!/usr/bin/env bash
# On a machine whose dpkg has never heard of most packages, dpkg-query names those it knows and fails.
# scripts/setup must then count the others as missing, not believe that nothing is.
set -euo pipefail
setup=$(dirname "$0")/../../../scripts/setup
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#!/bin/sh\nprintf "ii \\tgit\\nun \\tmold\\n"\nexit 1\n' >"$work/dpkg-query"
chmod +x "$work/dpkg-query"

missing=$(PATH=$work:$PATH "$setup" --list)
for package in clang-19 mold qemu-system-x86; do
  grep -qxF "$package" <<<"$missing" || { echo "FAILED: $package does not count as missing" && exit 1; }
done
if grep -qxF git <<<"$missing"; then echo "FAILED: git is installed and counts as missing" && exit 1; fi
