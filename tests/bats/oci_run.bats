#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# run: exit codes, signals, --keep, --detach, --pid-file.
bats_require_minimum_version 1.5.0
load ocibundle

setup() {
  bundle_up
}
teardown() {
  oci delete --force box > /dev/null 2>&1 || true
  cgroups_gone
}
program() {
  configure ".process.args = [\"sh\", \"-c\", \"$1\"]"
}

@test "run ends with the program's status, 128 and the signal when it was killed" {
  program 'exit 42'
  run -42 oci run --bundle "$BUNDLE" box < /dev/null
  nothing_of_it
  program 'sleep 1000 & kill -9 $!; wait $!; exit $?'
  run -137 oci run --bundle "$BUNDLE" box < /dev/null
  nothing_of_it
}

@test "run passes a signal on" {
  program 'trap \"exit 7\" USR1; echo ready; while :; do sleep 0.1; done'
  "$OCI" --root "$ROOT" run --no-subreaper --bundle "$BUNDLE" box > "$BATS_TEST_TMPDIR/out" 2>&1 3>&- < /dev/null &
  pid=$!
  for ((i = 0; i < 100 * SLOW; i++)); do
    ! grep -q ready "$BATS_TEST_TMPDIR/out" || break
    sleep 0.05
  done
  kill -USR1 "$pid"
  status=0
  wait "$pid" || status=$?
  [[ $status -eq 7 ]]
  nothing_of_it
}

@test "run --keep leaves a stopped container" {
  program 'exit 3'
  run -3 oci run --keep --bundle "$BUNDLE" box < /dev/null
  [[ "$(status_of)" == stopped ]]
  oci delete box
  nothing_of_it
}

@test "run --detach writes the pid and ends at once; standard input may be closed" {
  oci run --detach --pid-file "$BATS_TEST_TMPDIR/pid" --bundle "$BUNDLE" box > /dev/null 2>&1 <&-
  [[ "$(status_of)" == running ]]
  [[ "$(pid_of)" == "$(< "$BATS_TEST_TMPDIR/pid")" ]]
  oci delete --force box
  nothing_of_it
}
