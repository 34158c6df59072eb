#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run cmocka binaries, count their TAP lines. A binary that dies, or does not end in five minutes, counts as one failure more.
passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for t in "$@"; do
  CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 300 "$t" >"$out" 2>&1
  rc=$?
  p=$(grep -c '^ok ' "$out")
  s=$(grep -Eci '^(not )?ok .*# *skip' "$out")
  f=$(grep -E '^not ok ' "$out" | grep -Evci '# *skip')
  p=$((p - $(grep -Eci '^ok .*# *skip' "$out")))
  if [ "$rc" -ne 0 ] && [ "$f" -eq 0 ]; then
    echo "$t: ended with status $rc"
    f=1
  fi
  if [ $((p + f + s)) -eq 0 ]; then
    echo "$t: ran no test"
    f=1
  fi
  if [ "$f" -ne 0 ]; then
    echo "--- $t"
    cat "$out"
  else
    echo "ok $t ($p)"
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
