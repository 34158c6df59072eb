#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# test-host: plain, if asked for
# Every step of arnia-oci's create and run fails, or its process is killed there: nothing of the container is left, at once or when it is deleted.
bats_require_minimum_version 1.5.0
load ocibundle

setup() {
  bundle_up
}
teardown() {
  oci delete --force box > /dev/null 2>&1 || true
  nothing_of_it
  cgroups_gone
}

# The steps whose names begin so. On the test host, which is slow, each test takes every fourth, and each of them others.
steps() {
  local of=$((SLOW > 1 ? 4 : 1))
  "$OCI" --list-steps | grep "^\(${1//|/\\|}\):" | sed -n "$((BATS_TEST_NUMBER % of + 1))~${of}p"
}
# met STEP:WHAT VERB [ARG...]: create or run meets it.
met() {
  local at=$1
  shift
  status=0
  # Files, since what is left alive would keep a pipe open.
  ARNIA_FAIL_AT="$at" timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" "$@" --bundle "$BUNDLE" box > /dev/null 2> "$BATS_TEST_TMPDIR/err" 3>&- < /dev/null ||
    status=$?
  stderr=$(< "$BATS_TEST_TMPDIR/err")
}
after() {
  echo "after $1: status $status: $stderr"
  return 1
}
fine() {
  oci run --bundle "$BUNDLE" box < /dev/null
  nothing_of_it
}

# The guest's last steps are those of start.
late='guest:\(late-hooks\|seccomp\|exec\)$'

@test "a create that fails at any step says so in one line and leaves nothing" {
  for step in $(steps 'create|adopt|oci|guest' | grep -v "$late"); do
    met "$step:errno:EIO" create
    one_line "Input/output error" && nothing_of_it || after "$step"
  done
  configure '.process.args = ["true"]'
  fine
}

@test "a create whose worker or first process is killed at any step says so and leaves nothing" {
  for step in $(steps 'oci|guest' | grep -v "$late"); do
    met "$step:kill" create
    one_line "" && nothing_of_it || after "$step"
  done
}

@test "a create that is killed itself at any step leaves what delete --force takes away" {
  for step in $(steps 'create|adopt'); do
    met "$step:kill" create
    [[ $status -eq 137 ]] || after "$step"
    run --separate-stderr oci delete --force box
    [[ $status -eq 0 && -z $stderr ]] && nothing_of_it || after "$step"
  done
}

@test "what a killed create left does not keep the id, once it is deleted, nor others from being listed" {
  for step in create:record create:cgroup adopt:record adopt:go create:pid-file; do
    met "$step:kill" create
    # One that never came to have a state is warned of.
    oci list -q > /dev/null 2>&1 || after "$step"
    oci delete --force box
    oci create --bundle "$BUNDLE" box > /dev/null 2>&1 < /dev/null
    oci delete --force box
    nothing_of_it || after "$step"
  done
}

@test "a create is killed while its first process is at any step: delete --force takes all away" {
  local pid i
  for step in $(steps guest | grep -v "$late"); do
    ARNIA_FAIL_AT=$step:hang timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" create --bundle "$BUNDLE" box 3>&- < /dev/null > /dev/null 2>&1 &
    pid=$!
    for ((i = 0; i < 100 * SLOW; i++)); do
      ! grep -q '"pid": *[1-9]' "$ROOT/box/state.json" 2> /dev/null || break
      sleep 0.02
    done
    pkill_child "$pid"
    wait "$pid" || true
    run --separate-stderr oci delete --force box
    [[ $status -eq 0 && -z $stderr ]] && nothing_of_it || after "$step"
  done
}
# SIGKILL to the arnia-oci that this timeout(1) runs.
pkill_child() {
  kill -KILL "$(cat "/proc/$1/task/$1/children")"
}

@test "a run that fails at any step says so in one line and leaves nothing" {
  for step in $(steps 'create|adopt|oci|guest'); do
    met "$step:errno:EIO" run
    one_line "Input/output error" && nothing_of_it || after "$step"
  done
}

@test "a run whose worker or first process is killed at any step leaves nothing" {
  for step in $(steps 'oci|guest'); do
    met "$step:kill" run
    [[ $status -ne 0 ]] && nothing_of_it || after "$step"
  done
}

@test "an exec that fails or is killed at any step says so in one line, leaves nothing, and its container goes on" {
  local step how tty procs=$CGROUP2/$CGROUPS/box/cgroup.procs
  oci run --detach --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  for step in $(steps 'exec|exec-inside'); do
    for how in errno:EIO kill; do
      for tty in "" -t; do
        status=0
        ARNIA_FAIL_AT="$step:$how" timeout 60 "$OCI" --root "$ROOT" exec $tty box true > /dev/null 2> "$BATS_TEST_TMPDIR/err" 3>&- < /dev/null || status=$?
        stderr=$(< "$BATS_TEST_TMPDIR/err")
        one_line "" || after "$step:$how $tty"
        [[ $how == kill || $stderr == *"Input/output error"* ]] || after "$step:$how $tty"
      done
    done
  done
  for _ in $(seq 50); do [[ $(wc -l < "$procs") -ne 1 ]] || break; sleep 0.1; done
  [[ $(wc -l < "$procs") -eq 1 ]]
  oci exec box true < /dev/null
}

@test "a cgroup with processes of others is neither taken nor emptied" {
  local cg=$CGROUP2/$CGROUPS/box other
  mkdir -p "$cg"
  sleep 100 > /dev/null 2>&1 3>&- &
  other=$!
  echo "$other" > "$cg/cgroup.procs"
  run --separate-stderr oci create --bundle "$BUNDLE" box < /dev/null
  one_line "is not empty"
  kill -0 "$other"
  [[ ! -e $ROOT/box ]]
  met create:record-cgroup:kill create
  met create:cgroup:kill create
  oci delete --force box
  kill "$other"
  [[ -d $cg ]]
  wait "$other" || true
  rmdir "$cg"
}
