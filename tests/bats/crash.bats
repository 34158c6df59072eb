#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# Every step of the programs fails, or its program is killed there: what is said is true, all is undone or finished, nothing leaks.
bats_require_minimum_version 1.5.0
load helpers
load crash

setup_file() {
  crash_up
}
teardown_file() {
  instance_down
}
teardown() {
  fail_no_more
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  nothing_left
}

steps_of() {
  "$ARNIA_BIN/arnia-run" --list-steps | grep "^\(${1//|/\\|}\):"
}

# A start meets the step with a prepared worker or, by itself, without: the network of the host needs none.
start_meets() {
  local net
  for net in routed host; do
    run_arnia run --rm --net "$net" busybox true
    [[ "$status" -eq 0 ]] || return 0
  done
  return 1
}

each_step_of_a_start() {
  local step
  for step in $(steps_of 'start|guest'); do
    fail_at "$step:$1"
    start_meets || { echo "$step is not met"; return 1; }
    one_clear_line
    fail_no_more
    nothing_left || { echo "after $step:$1"; return 1; }
  done
  arnia run --rm busybox true
}

@test "a start that fails at any step says so in one line and leaves nothing" {
  each_step_of_a_start errno:EIO
}

@test "a start whose worker or first process is killed at any step says so and leaves nothing" {
  each_step_of_a_start kill
}

each_step_of_an_exec() {
  local step pid procs
  arnia run -d --name box busybox sleep 100000
  pid=$(pid_of box)
  procs=$BRANCH/c-$(arnia info -f json box | jq -r .id)/cgroup.procs
  for step in $(steps_of 'exec|exec-guest'); do
    fail_at "$step:$1"
    run_arnia exec box true
    one_clear_line
    fail_no_more
    [[ "$(arnia exec box echo works)" == works ]]
    wait_until 20 has_lines "$procs" 2 || { echo "a process is left after $step:$1"; return 1; }
  done
  [[ "$(state_of box)" == running && "$(pid_of box)" == "$pid" ]]
}

@test "an exec that fails at any step says so in one line and leaves its machine as it was" {
  each_step_of_an_exec errno:EIO
}

@test "an exec whose worker or process is killed at any step says so and leaves its machine as it was" {
  each_step_of_an_exec kill
}

each_step_of_a_preparation() {
  local step
  for step in $(steps_of prepare); do
    fail_at "$step:$1"
    for _ in 1 2 3 4 5; do arnia run --rm busybox true; done
    fail_no_more
    arnia run --rm busybox true
    nothing_left || { echo "after $step:$1"; return 1; }
  done
}

@test "machines start though nothing can be prepared for them" {
  each_step_of_a_preparation errno:EIO
  each_step_of_a_preparation kill
}

@test "an end that fails at any step is told, stays known, and is undone by the next try" {
  local step
  for step in $(steps_of destroy); do
    arnia run -d --name end -p 8111:80 busybox sleep 100000
    fail_at "$step:errno:EIO"
    run_arnia rm -f end
    one_clear_line
    [[ "$(state_of end)" == failed ]]
    run_arnia host doctor
    [[ "$output" == *end* ]]
    fail_no_more
    arnia rm -f end
    nothing_left || { echo "after $step"; return 1; }
  done
}

@test "an end whose worker is killed at any step is carried out by another" {
  local step
  for step in $(steps_of destroy); do
    arnia run -d --name end -p 8111:80 busybox sleep 100000
    dies_at "$step" rm -f end
    [[ "$status" -eq 0 ]] || { echo "at $step"; return 1; }
    nothing_left || { echo "after $step"; return 1; }
  done
}

# ---- the daemon ----

# dies_at STEP ARGS...: the command meets it; the daemon dies there once, which the file tells by being gone.
dies_at() {
  fail_at "$1:kill"
  shift
  run_arnia "$@"
  ! [[ -e $ARNIA_ROOT/fail-at ]] || { echo "the step is not met"; return 1; }
}

@test "the daemon is killed at any step of run -d: the machine runs or does not, and that is what is said" {
  local step
  for step in after-config after-plan after-job on-started before-reply; do
    dies_at "arniad:$step" run -d --name web -p 8112:80 busybox sleep 100000
    [[ "$status" -eq 0 ]] || one_clear_line
    truth web || { echo "after $step"; return 1; }
    if is_in_state web running; then
      [[ "$(arnia exec web echo alive)" == alive ]]
    else
      arnia start web
    fi
    arnia rm -f web
    nothing_left || { echo "after $step"; return 1; }
  done
}

@test "the daemon is killed at any step of run --rm: the machine goes in the end, its output is not lost" {
  local step
  for step in after-config after-plan after-job on-started before-reply on-exit after-exit after-clean-job on-cleaned after-drop-plan \
    after-cleaned on-removed after-remove; do
    dies_at "arniad:$step" run --rm --name brief busybox sh -c 'echo said; exit 5'
    [[ "$status" -eq 5 || "$(grep -c . <<< "$stderr")" -eq 1 ]] || { echo "after $step"; return 1; }
    case $step in *exit* | *clean* | *remove* | *drop*) [[ "$output" == said && $status -eq 5 ]] ;; esac
    wait_until 100 is_gone brief
    nothing_left || { echo "after $step"; return 1; }
  done
}

@test "the daemon is killed at any step of stop: the machine is stopped in the end, with its exit" {
  local step
  for step in after-stop on-exit after-exit after-clean-job on-cleaned after-drop-plan after-cleaned; do
    arnia run -d --name halt busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
    dies_at "arniad:$step" stop -t 5 halt
    wait_until 150 is_in_state halt stopped || { echo "after $step: $(state_of halt)"; return 1; }
    [[ "$(arnia info -f json halt | jq -c '[.exit.code, .exit.cause]')" == '[3,"stopped"]' ]] || { echo "after $step"; return 1; }
    arnia rm halt
    nothing_left || { echo "after $step"; return 1; }
  done
}

@test "the daemon is killed at any step of rm and rm -f: the machine is gone in the end" {
  local step
  for step in after-remove-job on-removed after-remove; do
    arnia create --name idle busybox true
    dies_at "arniad:$step" rm idle
    wait_until 100 is_gone idle || { echo "after $step"; return 1; }
    nothing_left || { echo "after $step"; return 1; }
  done
  for step in after-stop on-exit after-exit after-clean-job on-cleaned after-drop-plan after-cleaned on-removed after-remove; do
    arnia run -d --name busy busybox sleep 100000
    dies_at "arniad:$step" rm -f busy
    wait_until 100 is_gone busy || { echo "after $step: $(state_of busy)"; return 1; }
    nothing_left || { echo "after $step"; return 1; }
  done
}

@test "the daemon is killed between freezing and saying so: the state is what the machine is" {
  arnia run -d --name ice busybox sleep 100000
  dies_at arniad:after-freeze pause ice
  wait_until 50 is_in_state ice paused
  dies_at arniad:after-freeze resume ice
  wait_until 50 is_in_state ice running
}

# ---- the keeper ----

@test "the keeper is killed at any step: the next command starts another, machines live on, all is told" {
  local step pid
  arnia run -d --name lives busybox sh -c 'trap "exit 4" TERM; while :; do echo tick; sleep 0.05; done'
  pid=$(pid_of lives)
  for step in keeper-spawn keeper-adopt keeper-result keeper-exit keeper-log keeper-forget keeper-hello keeper-give; do
    fail_at "$step:kill"
    case $step in
      # a worker serves again and again: another is made when one is gone
      keeper-spawn) pgrep -x -P "$(keeper_pid)" arnia-run | xargs kill -9 ;;
      keeper-hello) kill -9 "$(daemon_pid)" ;;
      keeper-give) kill -9 "$(keeper_pid)" ;;
    esac
    run_arnia run --rm busybox sh -c 'exit 6'
    [[ "$status" -eq 6 ]] || one_clear_line || { echo "at $step"; return 1; }
    # the next line of output may be due only after a quick command
    wait_until 50 test ! -e "$ARNIA_ROOT/fail-at" || { echo "$step is not met"; return 1; }
    wait_until 50 arnia list > /dev/null
    [[ "$(state_of lives)" == running && "$(pid_of lives)" == "$pid" && -d /proc/$pid ]] || { echo "after $step"; return 1; }
    wait_until 100 arnia exec lives true || { echo "after $step"; return 1; }
    [[ "$(arnia run --rm busybox echo works)" == works ]]
  done
  arnia stop -t 5 lives
  [[ "$(arnia info -f json lives | jq -r .exit.code)" =~ ^(4|null)$ ]]
}
