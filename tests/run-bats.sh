#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run the bats files (all, or those whose name contains an argument) with the programs of ARNIA_BUILD first
# in PATH, and count their TAP lines.
shopt -s nullglob
here=$(cd "$(dirname "$0")" && pwd)
: "${ARNIA_BUILD:=$(cd "$here/.." && pwd)/build}"
export ARNIA_BUILD PATH="$ARNIA_BUILD/bin:$PATH"

files=()
for f in "$here"/bats/*.bats; do
  if [ $# -eq 0 ]; then
    files+=("$f")
    continue
  fi
  for want in "$@"; do
    if [[ ${f##*/} == *"$want"* ]]; then
      files+=("$f")
      break
    fi
  done
done
if [ ${#files[@]} -eq 0 ]; then
  echo "no bats file matches: $*"
  exit 1
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
# Into a file, not a pipe: a daemon that a failed test leaves behind would keep a pipe open for ever.
bats --tap "${files[@]}" >"$out" 2>&1 </dev/null &
runner=$!
tail -n +1 -f --pid="$runner" "$out"
wait "$runner"
rc=$?
planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | head -n 1)
skipped=$(grep -Ec '^ok [0-9]+ .*# skip' "$out")
passed=$(($(grep -Ec '^ok [0-9]+ ' "$out") - skipped))
failed=$(grep -Ec '^not ok [0-9]+ ' "$out")
# Tests that never reported (bats itself was killed) are failures.
missing=$((${planned:-0} - passed - failed - skipped))
if [ "$missing" -gt 0 ]; then
  echo "$missing tests did not report"
  failed=$((failed + missing))
elif [ "$rc" -ne 0 ] && [ "$failed" -eq 0 ]; then
  failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
