#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Replay each target's corpus (and fixed mutations of it) through the plain build of the target.
passed=0 failed=0
for t in "$@"; do
  name=${t##*/fuzz_}
  corpus=tests/fuzz/corpus/$name
  if [ ! -d "$corpus" ]; then
    echo "not ok $name: no corpus in $corpus"
    failed=$((failed + 1))
  elif "$t" "$corpus"/*; then
    echo "ok $name"
    passed=$((passed + 1))
  else
    echo "not ok $name"
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
