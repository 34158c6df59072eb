#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The tour in README.md, run out of README.md: each line that begins with "$ " is a command, what follows it is what it must print,
# but for numbers, identifiers and the widths of columns.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  unset http_proxy https_proxy all_proxy
}
teardown_file() {
  instance_down
}

# The block behind the mark that names this file.
tour() {
  awk '/<!-- tests\/bats\/readme.bats runs this block -->/ { found = 1; next }
    found && /^```$/ { exit }
    found && !/^```/' "$BATS_TEST_DIRNAME/../../README.md"
}

fetch() {
  if [[ -n "$(type -P curl)" ]]; then on_host curl --noproxy '*' "$@"; else on_host busybox wget -q -O - "${@: -1}"; fi
}
# As the README's, on the test's "host".
curl() {
  local n=50
  # A reader is slower than a web server that has just been started.
  until fetch "$@"; do
    ((n-- > 0)) || return 1
    sleep 0.1
  done
}

alike() {
  sed -E 's/[0-9a-f]{12,16}/ID/g; s/[0-9]+(\.[0-9]+)*/N/g; s/up N[smhd]/up T/; s/[[:space:]]+/ /g; s/^ | $//g'
}

# The id and size of the image, and how many applets there are, depend on the host's busybox.
@test "every command of the tour succeeds and prints what README.md says" {
  local line command="" want="" commands=0
  check() {
    [[ -n "$command" ]] || return 0
    echo "\$ $command"
    got=$(eval "$command" 2>&1) || { echo "status $?: $got"; return 1; }
    diff <(alike <<< "${want%$'\n'}") <(alike <<< "$got") || return 1
    commands=$((commands + 1))
  }
  while IFS= read -r line; do
    if [[ $line == "\$ "* ]]; then
      check
      command=${line#\$ } want=""
    else
      want+=$line$'\n'
    fi
  done < <(tour)
  check
  [[ $commands -ge 10 ]]
}

@test "what README.md says of files, verbs and targets is so" {
  local readme=$BATS_TEST_DIRNAME/../../README.md path verb
  # Links to files of this repository.
  while read -r path; do
    [[ -e $BATS_TEST_DIRNAME/../../$path ]] || { echo "README.md: no $path"; return 1; }
  done < <(grep -oE '\]\([A-Za-z][A-Za-z0-9_./-]*\)' "$readme" | tr -d '()]' | grep -v '^#')
  # Verbs after "arnia" in code.
  while read -r verb; do
    "$ARNIA_BIN/arnia" help "$verb" > /dev/null || { echo "README.md: no verb $verb"; return 1; }
  done < <(grep -oE '(`|\$ |\(|sudo )arnia [a-z]+' "$readme" | awk '{print $NF}' | sort -u)
  # Targets of make.
  while read -r path; do
    grep -qE "^($path |[a-z ]*\b$path\b)" "$BATS_TEST_DIRNAME/../lint/make-help.txt" || { echo "README.md: no target $path"; return 1; }
  done < <(grep -oE '(sudo |`)make [a-z-]+' "$readme" | awk '{print $NF}' | sort -u)
}
