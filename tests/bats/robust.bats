#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# test-host: plain, if asked for
# Two who want different things of one machine, starts that come to nothing, and what is told of them.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  # The instance is started by somebody with wishes of his own. (Soft limits: others are beyond the host's root in a container.)
  on_host bash -c 'ulimit -S -t 30 -f 4096 -n 256 -l 64 -u 500
    exec nice -n 15 ionice -c idle taskset 1 setarch -R "$0" version' "$ARNIA_BIN/arnia" > /dev/null
  image_ready
}
teardown_file() {
  instance_down
}
teardown() {
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  no_machine_left
}

# in_time SECONDS ARGS...: as run_arnia, and ended when it hangs.
in_time() {
  local s=$(($1 * ${ARNIA_SLOW:-1}))
  shift
  run --separate-stderr on_host timeout -s KILL "$s" "$ARNIA_BIN/arnia" "$@"
  echo "\$ arnia $*"
  echo "status $status"
  printf 'stdout: %s\nstderr: %s\n' "$output" "${stderr:-}"
}
is_in_state() {
  [[ "$(state_of "$1")" == "$2" ]]
}
says_ready() {
  arnia logs "$1" | grep -q ready
}

@test "what the first command's shell was limited to is not what containers have" {
  run_arnia run --rm busybox sh -c 'ulimit -t; ulimit -f; ulimit -Sn; ulimit -c; cut -d" " -f19 /proc/self/stat; cat /proc/self/personality'
  [[ "$(xargs <<< "$output")" == "unlimited unlimited 1024 0 0 00000000" ]]
  [[ "$(arnia run --rm busybox sh -c 'ulimit -Hn')" -gt 1024 ]]
  [[ "$(arnia run --rm busybox grep Cpus_allowed: /proc/self/status)" == "$(grep Cpus_allowed: /proc/self/status)" ]]
  for p in "$(keeper_pid)" "$(daemon_pid)"; do
    grep -Eq '^Max cpu time +unlimited +unlimited' "/proc/$p/limits"
    [[ "$(awk '/^Max open files/ {print ($4 == $5)}' "/proc/$p/limits")" == 1 ]]
    [[ "$(cut -d' ' -f19 "/proc/$p/stat")" == 0 && "$(ionice -p "$p")" != idle ]]
  done
}

# deaf NAME: a machine that ignores its stop signal.
deaf() {
  arnia run -d --name "$1" busybox sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
  wait_until 100 says_ready "$1"
}

@test "a shorter stop shortens one that waits, a longer one does not lengthen it" {
  deaf one
  arnia stop -t 1h one > /dev/null 2>&1 3>&- &
  first=$!
  wait_until 100 is_in_state one stopping
  in_time 30 stop -t 1 one
  [[ "$status" -eq 0 ]]
  wait "$first"
  deaf two
  arnia stop -t 2 two > /dev/null 2>&1 3>&- &
  first=$!
  wait_until 100 is_in_state two stopping
  in_time 30 stop -t 1h two
  [[ "$status" -eq 0 ]]
  wait "$first"
}

@test "rm -f calls off a start that is under way" {
  for step in start:cgroup guest:pivot; do
    arnia create --name slow busybox sleep 100000
    echo "$step:hang" > "$ARNIA_ROOT/fail-at"
    arnia start slow > "$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    starter=$!
    wait_until 100 is_in_state slow starting
    in_time 30 rm -f slow
    rm "$ARNIA_ROOT/fail-at"
    [[ "$status" -eq 0 ]]
    status=0
    wait "$starter" || status=$?
    [[ "$(cat "$BATS_TEST_TMPDIR/out")" == *"slow: it was removed while it was starting"* ]]
    run_arnia info slow
    one_line_error 3 slow
    no_machine_left
  done
}

@test "rm -f, start and stop at once: the removal wins, and nobody hangs" {
  for _ in 1 2 3 4 5 6; do
    arnia create --name all busybox sleep 100000
    in_time 60 start all 3>&- &
    starter=$!
    in_time 60 stop -t 0 all 3>&- &
    stopper=$!
    in_time 60 rm -f all
    [[ "$status" -eq 0 ]]
    wait "$starter" "$stopper"
    run_arnia info all
    one_line_error 3 all
  done
}

# events_of NAME: types, oldest first, in one line.
events_of() {
  arnia events --since 0 -f jsonl "$1" | jq -r .type | xargs
}

@test "kill and restart are events, kill with its signal" {
  arnia run -d --name told busybox sh -c 'trap : USR1; echo ready; while :; do sleep 0.05; done'
  wait_until 100 says_ready told
  arnia kill -s USR1 told
  arnia restart -t 0 told
  arnia kill told
  wait_until 100 is_in_state told stopped
  [[ "$(events_of told)" == "create start kill restart exit start kill exit" ]]
  [[ "$(arnia events --since 0 -f jsonl told | jq -r 'select(.type == "kill").data.signal' | xargs)" == "USR1 KILL" ]]
  [[ "$(arnia events --since 0 -f jsonl told | jq 'select(.type == "kill" or .type == "restart").uid' | xargs)" == "0 0 0" ]]
}

@test "a start that fails is told with its reason, and not as an exit" {
  run_arnia run -d --name gone busybox no-such-program
  [[ "$status" -eq 127 ]]
  [[ "$(events_of gone)" == "create start-failed remove" ]]
  arnia create --name stays busybox no-such-program
  run_arnia start stays
  [[ "$stderr" == *no-such-program* ]]
  why=$(arnia events --since 0 -f jsonl stays | jq -r 'select(.type == "start-failed").data.error')
  [[ "$why" == *no-such-program* ]]
  [[ "$(events_of stays)" == "create start-failed" ]]
  arnia info -f json stays | jq -e --arg why "$why" '.error == $why and (has("exit") | not)'
  [[ "$(arnia list -f csv -o status stays)" == *"$why"* ]]
  # what was killed on the way is none either
  echo guest:pivot:kill > "$ARNIA_ROOT/fail-at"
  run_arnia start stays
  [[ "$status" -ne 0 ]]
  rm -f "$ARNIA_ROOT/fail-at"
  [[ "$(events_of stays)" == "create start-failed start-failed" ]]
}

@test "a start that the daemon did not live to see is told as failed, or as begun" {
  arnia create --name cut busybox sleep 100000
  echo arniad:after-job:kill > "$ARNIA_ROOT/fail-at"
  run_arnia start cut
  [[ "$status" -ne 0 ]]
  rm -f "$ARNIA_ROOT/fail-at"
  is_settled() { [[ "$(state_of cut)" == stopped || "$(state_of cut)" == running ]]; }
  wait_until 100 is_settled
  case "$(state_of cut)" in
    running) [[ "$(events_of cut)" == "create start" ]] ;;
    *) [[ "$(events_of cut)" == "create start-failed" ]] ;;
  esac
}

# files_left N: the keeper may open N more files than it has open now.
files_left() {
  local k
  k=$(keeper_pid)
  prlimit --pid "$k" --nofile="$(($(find "/proc/$k/fd" -mindepth 1 | wc -l) + $1)):"
}
files_unlimited() {
  local k
  k=$(keeper_pid)
  prlimit --pid "$k" --nofile="$(awk '/^Max open files/ {print $5}' "/proc/$k/limits"):"
}
# fill_up [NAME]: run machines until there is no room for another.
fill_up() {
  for i in {1..30}; do
    # shellcheck disable=SC2086
    in_time 60 run -d ${1:+--name $1$i} busybox sleep 100000
    [[ "$status" -eq 0 ]] || return 0
  done
  echo "all of 30 started"
  return 1
}

@test "a keeper out of descriptors: one line, no hang, and what is there can be removed" {
  arnia run -d --name first busybox sleep 100000
  for left in 0 1 2 3 5 8 13; do
    files_left "$left"
    fill_up m
    one_line_error 125 "the keeper may have no more than"
    # a worker that has ended meanwhile leaves room
    fill_up
    one_line_error 125 "the keeper may have no more than"
    in_time 60 exec first true
    one_line_error 125 "the keeper may have no more than"
    in_time 60 list
    [[ "$status" -eq 0 ]]
    in_time 60 logs first
    [[ "$status" -eq 0 ]]
    in_time 60 stop -t 0 first
    [[ "$status" -eq 0 && "$(state_of first)" == stopped ]]
    in_time 60 start first
    [[ "$status" -eq 0 ]] || one_line_error 8 "the keeper may have no more than"
    arnia list -q | grep -v "$(id_of first)" | xargs -r timeout 60 nsenter "--net=/run/netns/$HOST_NS" "$ARNIA_BIN/arnia" rm -f
    files_unlimited
    in_time 60 run --rm busybox echo again
    [[ "$output" == again ]]
    [[ "$(state_of first)" == running ]] || arnia start first
  done
  kill -0 "$(keeper_pid)"
}

@test "an instance whose keeper is out of descriptors can be shut down" {
  arnia run -d --name last busybox sleep 100000
  files_left 4
  fill_up
  in_time 60 host shutdown --kill -y
  [[ "$status" -eq 0 ]]
  wait_until 100 instance_is_gone
  [[ "$(arnia list -q | wc -l)" -gt 0 ]] # the next instance starts
}
