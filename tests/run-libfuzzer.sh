#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run-libfuzzer.sh BUILD SECONDS NAME...: the clang build of each target, new inputs to BUILD/corpus/NAME.
set -u
build=$1 seconds=$2
shift 2
failed=0
for name in "$@"; do
  mkdir -p "$build/corpus/$name" "$build/findings"
  echo "== $name"
  "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" "tests/fuzz/corpus/$name" || failed=1
done
exit $failed
