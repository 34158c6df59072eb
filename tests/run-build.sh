#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The programs with every warning an error, by both compilers, each in a folder of its own: run-build.sh OUT
set -u
passed=0 failed=0
for cc in gcc clang; do
  if "${MAKE:-make}" -s -j2 O="$1/werror-$cc" CC=$cc WERROR=1 progs >"$1/werror-$cc.log" 2>&1; then
    echo "ok all programs with $cc -Werror"
    passed=$((passed + 1))
  else
    echo "not ok all programs with $cc -Werror"
    grep -E 'error|warning' "$1/werror-$cc.log" | head -n 20
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
