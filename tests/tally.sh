#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Counts of the checks.
#   tally.sh RESULTS run NAME COMMAND...   run a check; its last `N passed, N failed, N skipped` line is its result
#   tally.sh RESULTS sum NAME...           one line over all of them
# A check that says nothing, or dies, counts as one failure: silence is not success.
set -u
results=$1
verb=$2
shift 2
mkdir -p "$results"

last_tally() {
  grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$1" | tail -n 1
}

run() {
  name=$1
  shift
  log=$results/$name.log
  rm -f "$results/$name.tally"
  { "$@" 2>&1; echo "$?" >"$results/$name.rc"; } | tee "$log" | grep --line-buffered -vE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'
  rc=$(cat "$results/$name.rc")
  line=$(last_tally "$log")
  if [ -z "$line" ]; then
    echo "$name: ended with status $rc and no result"
    line="0 passed, 1 failed, 0 skipped"
  elif [ "$rc" -ne 0 ] && [ "${line#*passed, 0 failed}" != "$line" ]; then
    echo "$name: ended with status $rc although no test failed"
    line=$(echo "$line" | sed 's/ 0 failed/ 1 failed/')
  fi
  echo "$line" >"$results/$name.tally"
  echo "$name: $line"
  case $line in
  *" 0 failed,"*) return 0 ;;
  esac
  return 1
}

sum() {
  for name in "$@"; do
    if [ -f "$results/$name.tally" ]; then
      cat "$results/$name.tally"
      echo "  $name: $(cat "$results/$name.tally")" >&2
    else
      echo "0 passed, 1 failed, 0 skipped"
      echo "  $name: did not run" >&2
    fi
  done | awk '{ p += $1; f += $3; s += $5 }
    END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }'
}

"$verb" "$@"
