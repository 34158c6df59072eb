#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the compiler does not check. Each check prints what it found and counts as one result.
set -u
passed=0 failed=0 skipped=0
mapfile -t c_files < <(find cmd lib cgroup netns rootfs tests -name '*.[ch]' 2>/dev/null | sort)
mapfile -t prod_files < <(printf '%s\n' "${c_files[@]}" | grep -v '^tests/')
mapfile -t scripts < <(find tests .ci templates -type f \( -name '*.sh' -o -name '*.bash' -o -name '*.bats' \
  -o -path '.ci/run' \) 2>/dev/null | sort)
mapfile -t man_pages < <(find man -name '*.[1-8]' 2>/dev/null | sort)
mapfile -t all_files < <(find . \( -path ./.git -o -path ./build -o -path '*/vm/work.*' -o -path '*/corpus' -o -name compile_commands.json \) -prune -o -type f -print |
  sed 's|^\./||' | sort)

# check NAME COMMAND...: passes when the command prints nothing and succeeds.
check() {
  local name=$1 out
  shift
  if out=$("$@" 2>&1) && [ -z "$out" ]; then
    echo "ok $name"
    passed=$((passed + 1))
  else
    echo "not ok $name"
    printf '%s\n' "$out" | sed 's/^/  /'
    failed=$((failed + 1))
  fi
}

skip() {
  echo "ok $1 # skip $2"
  skipped=$((skipped + 1))
}

licence_lines() {
  local f
  for f in "${c_files[@]}" "${scripts[@]}" Makefile; do
    head -n 2 "$f" | grep -q 'SPDX-License-Identifier: [A-Z]' || echo "$f:1: no SPDX line"
  done
}

# A function starts with '{' in the first column and ends with '}' there.
lengths() {
  awk -v max_file=520 '
    # Tests hold their tables of cases in the function.
    FNR == 1 { start = 0; max_function = FILENAME ~ /^tests\// ? 100 : 62 }
    FNR == max_file + 1 { printf "%s: longer than %d lines\n", FILENAME, max_file }
    /^\{/ { start = FNR }
    /^\}/ && start {
      if (FNR - start - 1 > max_function)
        printf "%s:%d: function of %d lines, at most %d\n", FILENAME, start, FNR - start - 1, max_function
      start = 0
    }' "${c_files[@]}"
}

whitespace() {
  local f
  for f in "${all_files[@]}"; do
    grep -qI . "$f" || continue
    grep -nHE '[[:blank:]]+$|'$'\r' "$f" | sed 's/\(:[0-9]*\):.*/\1: trailing white space/'
    [ -z "$(tail -c 1 "$f")" ] || echo "$f: no newline at the end"
  done
}

# Words that say "not finished", and paths of one machine. The list itself is the only file that may hold them.
forbidden_words() {
  grep -nHIE '\b(TODO|FIXME|XXX|HACK)\b|(^|[^[:alnum:]_.{}"-])/work/|[Nn]ot (yet )?implemented' "${all_files[@]}" |
    grep -v '^tests/lint/lint\.sh:' || :
}

# Calls with a safer sibling here, and those that go through a shell.
forbidden_calls() {
  grep -nHE '(^|[^[:alnum:]_.>"])(system|popen|strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|tmpnam|mktemp|alloca|usleep|sleep)\(' \
    "${prod_files[@]}" | grep -vE ':[[:blank:]]*(/?\*|//)' || :
}

# Every descriptor is CLOEXEC from birth. A statement that must not says so: "no CLOEXEC" in a comment on it.
cloexec() {
  awk '
    { text = $0; gsub(/\/\*[^*]*\*\//, "", text); sub(/^[ \t]*(\/\*|\*).*/, "", text) }
    !open && text ~ /(^|[^a-zA-Z0-9_>.])(open|openat|socket|socketpair|pipe2|accept4|epoll_create1|memfd_create|signalfd|eventfd|inotify_init1|timerfd_create)\(/ && text !~ /^[a-z].*\)$/ {
      open = 1; first = FNR; all = ""
    }
    open { all = all $0 }
    open && (/;/ || /\{$/) {
      if (all !~ /CLOEXEC|flags/)
        printf "%s:%d: descriptor without CLOEXEC\n", FILENAME, first
      open = 0
    }
    text ~ /(^|[^a-zA-Z0-9_>.])(accept|pipe|dup|creat|epoll_create)\(/ { printf "%s:%d: use the form with CLOEXEC\n", FILENAME, FNR }
    text ~ /[^a-zA-Z_]fopen\(/ && text !~ /e"\)/ { printf "%s:%d: fopen without \"e\"\n", FILENAME, FNR }
  ' "${prod_files[@]}"
}

run_cppcheck() {
  cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppressions-list=tests/lint/cppcheck.txt --template='{file}:{line}: {id}: {message}' \
    -I. -D_GNU_SOURCE -D__x86_64__=1 -DARNIA_TEST_HOOKS=1 cmd lib cgroup netns rootfs 2>&1
}

check 'licence lines' licence_lines
check 'function and file lengths' lengths
check 'white space' whitespace
check 'forbidden words' forbidden_words
check 'forbidden calls' forbidden_calls
check 'descriptors close on exec' cloexec
if command -v cppcheck >/dev/null; then
  check cppcheck run_cppcheck
else
  skip cppcheck 'not installed'
fi
if command -v shellcheck >/dev/null; then
  check shellcheck shellcheck -x -P SCRIPTDIR -S warning -e SC2154 "${scripts[@]}"
else
  skip shellcheck 'not installed'
fi
if [ ${#man_pages[@]} -eq 0 ]; then
  skip 'man pages' 'none'
elif command -v mandoc >/dev/null; then
  check 'man pages' mandoc -T lint -W warning "${man_pages[@]}"
else
  skip 'man pages' 'mandoc is not installed'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
