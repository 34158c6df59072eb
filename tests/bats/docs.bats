#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the documents say of the tree is so.
bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || return 1
  ARNIA_BUILD=${ARNIA_BUILD:-$PWD/build}
}

# Rows of the table whose first title is $1, as "first|second|...", without markup.
table() {
  awk -F'|' -v title="$1" '
    /^\|/ { gsub(/^\| *| *\|$/, ""); gsub(/ *\| */, "|"); gsub(/`/, "") }
    !/\|/ { inside = 0 }
    inside && !/^[-|]*$/ { print }
    $1 == title { inside = 1 }' "$2"
}

@test "ARCHITECTURE.md: programs, and what each is linked with" {
  local name libs
  [[ "$(table program ARCHITECTURE.md | cut -d'|' -f1 | sort)" == "$(ls cmd | sort)" ]]
  while IFS='|' read -r name libs _; do
    [[ $libs != "nothing, not even libc" ]] || libs=
    diff <(for lib in $libs; do echo "$lib"; done) <(
      for lib in $(sed -n "s/^uses_$name := *//p" Makefile); do
        [[ ! -d $(sed -n "s/^dir_$lib := *//p" Makefile) ]] || echo "$lib"
      done
    ) || { echo "$name"; return 1; }
  done < <(table program ARCHITECTURE.md)
}

@test "ARCHITECTURE.md: layers are those that make check-layers holds the code against" {
  local folder
  diff <(table folder ARCHITECTURE.md | awk -F'|' '{ gsub(/,/, "", $2); sub(/\*_config.h/, "config", $2); print $1, $2 }' | sed 's/ *$//') <(
    sed -n '/^lib\|^cgroup\|^netns\|^rootfs/p' tests/lint/layers.txt | tr -s ' ' | sed 's/ *$//' | while read -r folder rest; do
      [[ ! -d $folder ]] || echo "$folder${rest:+ $rest}"
    done
  )
}

@test "ARCHITECTURE.md: the steps of a start, in order" {
  for side in start guest; do
    diff <("$ARNIA_BUILD/bin/arnia-run" --list-steps | sed -n "s/^$side://p") \
      <(awk -v side=" $side:" 'index($0, side) { sub(".*" side, ""); on = 1 } on && /arnia-run|the container/ && !NR { on = 0 }
          on { if ($0 ~ /^ *(arnia-run|the container)/) exit; print } ' ARCHITECTURE.md | tr -s ' ' '\n' | grep -v '^$')
  done
}

@test "files, folders, man pages and make targets that the documents name exist" {
  local doc word
  for doc in *.md; do
    while read -r word; do
      [[ -e $word ]] || { echo "$doc: no $word"; return 1; }
    done < <(
      grep -oE '\]\([A-Za-z][A-Za-z0-9_./-]*\)' "$doc" | tr -d '()]'
      grep -oE '`(cmd|lib|cgroup|netns|rootfs|tests|man|docs|templates|seccomp-profiles|systemd)/[A-Za-z0-9_./-]*`' "$doc" | tr -d '`'
    )
    while read -r word; do
      grep -qw -- "$word" tests/lint/make-help.txt || { echo "$doc: no target $word"; return 1; }
    done < <(grep -oE '(^|`|sudo )make [a-z][a-z_.-]*' "$doc" | awk '{print $NF}' | sort -u)
  done
  while read -r word; do
    [[ -e man/$word ]] || { echo "man pages refer to $word"; return 1; }
  done < <(sed -n 's/^\.Xr \(arnia[a-z-]*\) \([1-8]\).*/\1.\2/p' man/*.[1-8] | sort -u)
}

@test "SECURITY.md: every test that is named exists" {
  local file name n=0
  while IFS=$'\t' read -r file name; do
    grep -qF "$name" "tests/$file" || { echo "tests/$file has no \"$name\""; return 1; }
    n=$((n + 1))
  done < <(grep -oE '`(bats|unit|vm)/[a-z0-9_/.-]+`: "[^"]+"' SECURITY.md | sed -E 's/`([^`]+)`: "([^"]+)"/\1\t\2/')
  [[ $n -ge 15 ]]
}

@test "docs/oci-security.md: a row for each of 27 classes, and every test that is named exists" {
  local file name n=0
  diff <(sed -nE 's/^\| ([0-9]+) \|.*`: "[^"]+" \|$/\1/p' docs/oci-security.md) <(seq 27)
  while IFS=$'\t' read -r file name; do
    case $file in
      *.bats) grep -qxF "@test \"$name\" {" "tests/$file" ;;
      *) grep -q "\b$name(" "tests/$file" ;;
    esac || { echo "tests/$file has no \"$name\""; return 1; }
    n=$((n + 1))
  done < <(grep -oE '`(bats|unit|fuzz|vm)/[a-z0-9_/.-]+`: "[^"]+"' docs/oci-security.md | sed -E 's/`([^`]+)`: "([^"]+)"/\1\t\2/')
  [[ $n -ge 60 ]]
  # and those whose names begin with a number are named there
  while read -r name; do
    grep -qF "\"$name\"" docs/oci-security.md || [[ $name == *"judge of the traces"* ]] || { echo "\"$name\" is not in docs/oci-security.md"; return 1; }
  done < <(sed -nE 's/^@test "([0-9]+: .*)" \{$/\1/p' tests/bats/oci_security_*.bats)
}

@test "CHANGELOG.md has the version that the programs have" {
  grep -qF "## $("$ARNIA_BUILD/bin/arniad" --version | awk '{print $2}')" CHANGELOG.md
}

@test "decisions say context or why, choice, cost, and when to revisit" {
  for f in docs/decisions/*.md; do
    head -n 1 "$f" | grep -q '^# ' || { echo "$f: no title"; return 1; }
    for part in Context Choice Cost Revisit; do
      grep -qiE "(^## |\*\*)(When to )?$part" "$f" || { echo "$f: no $part"; return 1; }
    done
  done
}

@test "man pages: one for each program, without a remark from mandoc" {
  local program
  for program in cmd/*; do
    program=${program#cmd/}
    compgen -G "man/$program.[1-8]" > /dev/null || { echo "no page for $program"; return 1; }
  done
  if command -v mandoc > /dev/null; then mandoc -T lint -W warning man/*.[1-8]; fi
}
