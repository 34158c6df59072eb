#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run-built.sh BUILD RUNNER BINARY...: build them, run those that could be built. One that could not counts as failed,
# and hides nothing of the others.
build=$1 runner=$2
log=$build/results/build.log
shift 2
unbuilt=0
"${MAKE:-make}" -k O="$build" "$@" >"$log" 2>&1
for t in "$@"; do
  shift
  # What make -k says of each goal that it gave up; an older binary may lie there all the same.
  if grep -qF "Target '$t' not remade because of errors" "$log" || [ ! -x "$t" ]; then
    echo "$t: does not build"
    unbuilt=$((unbuilt + 1))
  else
    set -- "$@" "$t"
  fi
done
[ "$unbuilt" -eq 0 ] || grep -E 'error|warning|undefined|\*\*\*' "$log" | head -n 40
# The tests get neither make's job pipe nor its settings: some of them count descriptors.
unset MAKEFLAGS MAKELEVEL MAKE MFLAGS
exec 3>&- 4>&- 5>&- 6>&-
sh "tests/$runner" "$@" | awk -v unbuilt="$unbuilt" '
  / passed, / { sub(/[0-9]+ failed/, $3 + unbuilt " failed"); failed = $3 }
  { print }
  END { exit failed > 0 }'
