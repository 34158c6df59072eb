#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Hold every include line against tests/lint/layers.txt; report file:line.
set -u
files=$(find cmd lib cgroup netns rootfs tests -name '*.[ch]' 2>/dev/null | sort)
[ -n "$files" ] || exit 1
# shellcheck disable=SC2086
awk '
  FNR == NR {
    if ($1 == "fence")
      fence[$2] = $3
    else if ($1 !~ /^#/ && NF) {
      known[$1] = 1
      for (i = 2; i <= NF; i++)
        may[$1, $i] = 1
    }
    next
  }
  FNR == 1 {
    nfiles++
    folder = FILENAME
    sub(/\/[^\/]*$/, "", folder)
    test = FILENAME ~ /^tests\//
    if (!test && !known[folder])
      complain("folder " folder " is not in the layer table")
  }
  function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    if (!bad[FILENAME]++)
      nbad++
  }
  function check_own(name,   dir, base) {
    dir = name
    base = name
    sub(/\/[^\/]*$/, "", dir)
    sub(/.*\//, "", base)
    if (dir == name || name ~ /\.\./)
      complain("\"" name "\" is not written from the root of the tree")
    else if ((getline line < name) < 0)
      complain("\"" name "\" does not exist")
    close(name)
    if (test || dir == folder)
      return
    if (base ~ /internal\.h$/)
      complain("\"" name "\" belongs to " dir " alone")
    else if (dir != "lib/base" && !may[folder, dir] && !may[folder, name] &&
             !(base ~ /_config\.h$/ && may[folder, "config"]))
      complain(folder " must not include \"" name "\"")
  }
  function check_system(name,   prefix) {
    if (name ~ /^(lib|cmd|cgroup|netns|rootfs)\//)
      complain("<" name ">: own headers are in quotes")
    for (prefix in fence)
      if (index(name, prefix) == 1 && index(FILENAME, fence[prefix]) != 1)
        complain("<" name "> only in " fence[prefix])
  }
  /^[ \t]*#[ \t]*include[ \t]*"/ { split($0, part, "\""); check_own(part[2]) }
  /^[ \t]*#[ \t]*include[ \t]*</ { split($0, part, /[<>]/); check_system(part[2]) }
  END {
    printf "%d passed, %d failed, 0 skipped\n", nfiles - nbad, nbad
    exit nbad > 0
  }' tests/lint/layers.txt $files
