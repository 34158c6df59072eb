#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Run the bats files (all, or those whose name contains an argument) with the programs of ARNIA_BUILD first
# in PATH, and count their TAP lines. BATS_JOBS=1: one after the other. "# long" in a file's heading: start it early.
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

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Each file has an instance of its own, so as many run at once as there are processors, the long ones first.
# Into files, not pipes: a daemon that a failed test leaves behind would keep a pipe open for ever.
one() {
  local name=${1##*/}
  bats --tap "$1" >"$out/$name" 2>&1 </dev/null
  echo "$?" >"$out/$name.rc"
  { flock 9 && echo "# $name" && cat "$out/$name"; } 9>"$out/lock"
}
by_length() {
  grep -l '^# long' "$@"
  grep -L '^# long' "$@"
}
mapfile -t files < <(by_length "${files[@]}")
for f in "${files[@]}"; do
  while [ "$(jobs -rp | wc -l)" -ge "${BATS_JOBS:-$(nproc)}" ]; do wait -n; done
  one "$f" &
done
wait

passed=0 failed=0 skipped=0
for f in "${files[@]}"; do
  o=$out/${f##*/}
  planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$o" | head -n 1)
  s=$(grep -Ec '^ok [0-9]+ .*# skip' "$o")
  p=$(($(grep -Ec '^ok [0-9]+ ' "$o") - s))
  n=$(grep -Ec '^not ok [0-9]+ ' "$o")
  # Tests that never reported (bats itself was killed) are failures.
  missing=$((${planned:-1} - p - n - s))
  if [ "$missing" -gt 0 ]; then
    echo "${f##*/}: $missing tests did not report"
    n=$((n + missing))
  elif [ "$(cat "$o.rc")" != 0 ] && [ "$n" -eq 0 ]; then
    n=1
  fi
  passed=$((passed + p)) failed=$((failed + n)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
