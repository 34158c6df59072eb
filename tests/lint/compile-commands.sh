#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The compile lines of `make -n V=1` (stdin) as a compilation database (stdout).
dir=$(pwd)
awk -v dir="$dir" '
  function quote(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
  / -c -o / && !seen[$NF]++ {
    printf "%s  { \"directory\": %s, \"file\": %s, \"command\": %s }", sep, quote(dir), quote($NF), quote($0)
    sep = ",\n"
  }
  BEGIN { print "[" }
  END { print "\n]" }'
