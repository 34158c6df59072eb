#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# What surrounds the commands is odd: streams, limits, files, other instances. Each was met in use.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
}
teardown_file() {
  instance_down
}
teardown() {
  tmux -L "r$$" kill-server 2> /dev/null || true
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  no_machine_left
}

# ---- output ----

@test "logs -f of one who writes faster than it is read: the last line comes, and it is said that some are missing" {
  local i
  for i in 1 2; do
    arnia run -d --name fast --log-max 128K busybox sh -c 'sleep 0.2; seq 100000; echo LAST' > /dev/null
    run_arnia logs -f fast
    [[ "$status" -eq 0 && "${output##*$'\n'}" == LAST ]]
    # all of it, or a remark
    [[ "$(wc -l <<< "$output")" -eq 100001 || "$stderr" == *"some output may be missing"* ]]
    arnia rm fast
  done
}

@test "logs -f over slow rotations: every line, once" {
  arnia run -d --name slow --log-max 128K busybox sh -c 'for i in $(seq 1 3000); do echo "$i ------------------------------------------------------------------------------"; [ $((i % 200)) -ne 0 ] || sleep 0.1; done'
  arnia logs -f slow | cut -d' ' -f1 > "$BATS_TEST_TMPDIR/got"
  diff "$BATS_TEST_TMPDIR/got" <(seq 3000)
}

# nonblocking CMD...: standard output is a pipe with O_NONBLOCK whose reader is slow.
nonblocking() {
  perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK) or die; exec @ARGV or die' "$@" | { sleep 0.5; cat; }
}

@test "standard output set to O_NONBLOCK by somebody: nothing twice, nothing lost" {
  local here=(nsenter --net="/run/netns/$HOST_NS" -- "$ARNIA_BIN/arnia")
  nonblocking "${here[@]}" run --name nb --rm=false busybox seq 100000 > "$BATS_TEST_TMPDIR/run"
  cmp "$BATS_TEST_TMPDIR/run" <(seq 100000)
  nonblocking "${here[@]}" logs nb > "$BATS_TEST_TMPDIR/logs"
  cmp "$BATS_TEST_TMPDIR/logs" <(seq 100000)
  arnia start nb
  run_arnia logs nb > /dev/null
  run bash -c "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia logs nb 2>&1 > /dev/full"
  [[ "$status" -eq 1 && "$output" == *"No space left on device"* ]]
}

@test "clients that are killed while their input waits leave no descriptors" {
  local before i
  arnia run -d -i --name stuck busybox sleep 100000
  before=$(ls "/proc/$(keeper_pid)/fd" | wc -l)
  for i in $(seq 20); do
    yes 2> /dev/null | on_host timeout -s KILL 0.2 "$ARNIA_BIN/arnia" console stuck > /dev/null 2>&1 || true
  done
  few() { [[ "$(ls "/proc/$(keeper_pid)/fd" | wc -l)" -le $((before + 3)) ]]; }
  wait_until 50 few
}

@test "keys that leave an exec say that its terminal hangs up" {
  arnia run -d --name box busybox sleep 100000
  tmux -L "r$$" new-session -d -x 90 -y 24 "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia exec -it box cat; echo ended-\$?; sleep 1000"
  tmux -L "r$$" send-keys 'typed' Enter
  wait_until 50 shows typed
  tmux -L "r$$" send-keys C-] C-] C-]
  wait_until 50 shows ended-129
  shows 'hangs up'
}
shows() {
  tmux -L "r$$" capture-pane -p | grep -q -- "$1"
}

# ---- input ----

@test "files that the user names may be links and pipes" {
  echo A=1 > "$BATS_TEST_TMPDIR/env"
  ln -s env "$BATS_TEST_TMPDIR/link"
  [[ "$(arnia run --rm --env-file "$BATS_TEST_TMPDIR/link" busybox sh -c 'echo $A')" == 1 ]]
  [[ "$(on_host bash -c "$ARNIA_BIN/arnia run --rm --env-file <(echo A=2) busybox sh -c 'echo \$A'")" == 2 ]]
  ln -s "$ARNIA_BUILD/share/arnia/seccomp-profiles/strict.json" "$BATS_TEST_TMPDIR/profile"
  arnia run --rm --security-opt "seccomp=$BATS_TEST_TMPDIR/profile" busybox true
  run_arnia run --rm --env-file "$BATS_TEST_TMPDIR" busybox true
  one_line_error 125 'Is a directory'
}

@test "large environments: up to the limit, and then in words" {
  local i big
  local -a args=()
  big=$(head -c 100000 /dev/zero | tr '\0' x)
  for i in 1 2 3 4 5 6 7 8 9; do args+=(-e "V$i=$big"); done
  [[ "$(arnia run --rm "${args[@]}" busybox sh -c 'echo ${#V9}')" -eq 100000 ]]
  for i in a b c; do args+=(-e "V$i=$big"); done
  run_arnia run --rm "${args[@]}" busybox true
  one_line_error 125 'longer than 1048576 bytes'
}

@test "text that is not UTF-8: refused, by run and exec with 125" {
  run_arnia run --rm -e $'A=\xff' busybox true
  one_line_error 125 'not UTF-8'
  run_arnia info $'\xff'
  one_line_error 2 'not UTF-8'
}

@test "options that would have no effect are refused" {
  arnia create --name one busybox true
  for v in "info one -f csv" "version -f csv" "host info -o name" "info one -s name"; do
    # shellcheck disable=SC2086
    run_arnia $v
    one_line_error 2 'for lists'
  done
  arnia list -f csv -o name -s name | grep -qx one
  arnia image list -f csv > /dev/null
}

# ---- people ----

@test "who may not use the socket is told so, with exit code 5" {
  run --separate-stderr on_host setpriv --reuid 65534 --regid 65534 --clear-groups "$ARNIA_BIN/arnia" list
  one_line_error 5 'Permission denied'
}

@test "the list tells why a machine ended" {
  arnia run -d --name a busybox sleep 100000
  arnia run -d --name b busybox sleep 100000
  arnia run -d --name c busybox sh -c 'exit 3'
  arnia stop -t 0 a
  kill -9 "$(pid_of b)"
  wait_until 50 sh -c "$ARNIA_BIN/arnia list --no-header c | grep -q 'exit 3, '"
  wait_until 50 sh -c "$ARNIA_BIN/arnia list --no-header b | grep -q 'signal KILL, '"
  arnia list --no-header a | grep -q ' stopped, '
}

# ---- other instances ----

@test "a folder removed under what runs: no other instance takes its place" {
  local a="$BATS_FILE_TMPDIR/a" b="$BATS_FILE_TMPDIR/b" branch keeper pid
  mkdir -m 755 "$a" "$b"
  ARNIA_ROOT=$a arnia image build busybox > /dev/null 2>&1
  ARNIA_ROOT=$a arnia run -d --name lives busybox sleep 100000
  pid=$(ARNIA_ROOT=$a arnia info -f json lives | jq .pid)
  keeper=$(ARNIA_ROOT=$a arnia version -f json | jq .keeper)
  branch=$(ARNIA_ROOT=$a branch_dir)
  mv "$a" "$a.away"
  ARNIA_ROOT=$b arnia list
  [[ -d /proc/$pid && "$(ARNIA_ROOT=$b branch_dir)" != "$branch" ]]
  ARNIA_ROOT=$b arnia host shutdown --kill -y
  mv "$a.away" "$a"
  [[ "$(ARNIA_ROOT=$a arnia version -f json | jq .keeper)" -eq "$keeper" ]]
  ARNIA_ROOT=$a arnia rm -f lives
  ARNIA_ROOT=$a arnia host shutdown --kill -y
}
