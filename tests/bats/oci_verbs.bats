#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci: the life of a container through each verb, with a bundle of busybox. What is left afterwards is nothing.
bats_require_minimum_version 1.5.0

load oci_helpers

setup_file() {
  oci_file_up
}
teardown_file() {
  oci_file_down
}
setup() {
  oci_up
  bundle '"sleep","100"'
}
teardown() {
  oci_down
}

@test "run: output, input, exit code, and nothing is left" {
  bundle '"sh","-c","echo out; echo err >&2; exit 42"'
  oci run -b "$B" "$id"
  [[ $status -eq 42 && $output == out && $stderr == err ]]
  nothing_left
  bundle '"cat"'
  [[ "$(echo word | timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" run -b "$B" "$id")" == word ]]
  bundle '"sh","-c","kill -9 $$"' '.linux.namespaces |= map(select(.type != "pid"))'
  oci run -b "$B" "$id"
  [[ $status -eq 137 ]]
}

@test "run: what cannot be run" {
  bundle '"nosuch"'
  oci run -b "$B" "$id"
  says 1 '"nosuch": executable file not found in $PATH'
  bundle '"/nosuch"'
  oci run -b "$B" "$id"
  says 1 'exec: "/nosuch": stat /nosuch: no such file or directory'
  # Engines look for these words.
  bundle '"/etc"'
  oci run -b "$B" "$id"
  says 1 'exec: "/etc": permission denied: it is a directory'
  touch "$BATS_FILE_TMPDIR/rootfs/noexec"
  bundle '"/noexec"'
  oci run -b "$B" "$id"
  says 1 'exec: "/noexec": permission denied'
  oci run -b "$BATS_TEST_TMPDIR/missing" "$id"
  says 1 "missing"
  nothing_left
}

@test "run --detach, --keep, --pid-file, --config" {
  oci run -d -b "$B" --pid-file "$BATS_TEST_TMPDIR/pid" "$id"
  ok
  [[ "$(pid_of)" == "$(cat "$BATS_TEST_TMPDIR/pid")" ]]
  [[ "$(tr '\0' ' ' < "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cmdline")" == "sleep 100 " ]]
  oci run -b "$B" "$id"
  says 1 "container with given ID already exists"
  [[ "$(status_of)" == running ]]
  oci delete -f "$id"
  ok
  bundle '"true"'
  mv "$B/config.json" "$BATS_TEST_TMPDIR/other.json"
  oci run --keep -b "$B" --config "$BATS_TEST_TMPDIR/other.json" "$id"
  ok
  [[ "$(status_of)" == stopped ]]
  oci delete "$id"
  ok
}

@test "create, start, kill, delete" {
  oci create -b "$B" "$id"
  ok
  [[ "$(status_of)" == created ]]
  oci list
  [[ ${output##*$'\n'} == "$id "*" created "*" $B "* ]]
  oci start "$id"
  ok
  [[ "$(status_of)" == running ]]
  oci start "$id"
  says 1 "cannot start an already running container"
  oci delete "$id"
  says 1 "cannot delete container $id that is not stopped: running"
  # The first process of a pid namespace has no handler for it.
  oci kill "$id" TERM
  ok
  [[ "$(status_of)" == running ]]
  oci kill "$id" KILL
  ok
  becomes stopped
  oci start "$id"
  says 1 "stopped"
  oci exec "$id" true
  says 255 "stopped"
  oci kill "$id" KILL
  says 1 "container not running"
  oci kill --all "$id" KILL
  ok
  oci delete "$id"
  ok
  oci state "$id"
  says 1 "container does not exist"
}

@test "a created container ends by a signal, and is deleted without force" {
  oci create -b "$B" "$id"
  ok
  oci kill "$id" WINCH
  ok
  [[ "$(status_of)" == created ]]
  oci kill "$id"
  ok
  becomes stopped
  oci delete "$id"
  ok
  oci create -b "$B" "$id"
  ok
  oci delete "$id"
  ok
  [[ -z "$(cgroups_of)" ]]
}

@test "create that fails leaves nothing" {
  local filter
  for filter in '.process.args = ["nosuch"]' '.mounts += [{"destination":"/x","type":"nosuchfs","source":"x"}]' '.root.path = "/nonexistent"' \
    '.hooks.createRuntime = [{"path":"/bin/false"}]' '.hooks.createContainer = [{"path":"/nonexistent"}]' '.process.cwd = "/bin/busybox/x"' \
    '.linux.namespaces += [{"type":"network","path":"/nonexistent"}]' '.process.user.uid = -1' '.linux.sysctl = {"kernel.nosuch":"1"}'; do
    bundle '"sleep","100"' "$filter"
    oci create -b "$B" "$id"
    says 1 ""
    nothing_left || { echo "by $filter"; return 1; }
  done
}

@test "exec: codes, environment, folder, user, terminal-less streams" {
  oci run -d -b "$B" "$id"
  ok
  oci exec "$id" sh -c 'echo $$ out; exit 7'
  [[ $status -eq 7 && $output == *" out" ]]
  oci exec -e A=b --env C=d --cwd /tmp --user 1000:1001 "$id" sh -c 'echo $A $C $PWD $(id -u):$(id -g)'
  ok
  [[ $output == "b d /tmp 1000:1001" ]]
  # Behind the id all words are the command's.
  oci exec "$id" echo -t --env x
  [[ $output == "-t --env x" ]]
  oci exec "$id" -- echo -t
  [[ $output == "-t" ]]
  oci exec "$id" nosuch
  says 255 '"nosuch": executable file not found in $PATH'
  oci exec "$id"
  says 255 ""
  oci exec nosuch true
  says 255 "container does not exist"
  echo '{"args":["sh","-c","echo $X; id -u"],"cwd":"/","env":["PATH=/bin","X=y"],"user":{"uid":5,"gid":5}}' > "$BATS_TEST_TMPDIR/process"
  oci exec --process "$BATS_TEST_TMPDIR/process" "$id"
  ok
  [[ $output == $'y\n5' ]]
  oci exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 50
  ok
  [[ "$(tr '\0' ' ' < "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cmdline")" == "sleep 50 " ]]
}

# Takes one descriptor on the socket, says what came with it, and kills by it once there is a file of that name with ".go".
take_pidfd() {
  rm -f "$1.go"
  behind "$AID" pidfd "$1" "$1.go"
  listens "$1"
}

@test "--pidfd-socket: the process's pidfd is sent there" {
  local s=$BATS_TEST_TMPDIR/s
  take_pidfd "$s"
  oci create -b "$B" --pidfd-socket "$s" "$id"
  ok
  touch "$s.go"
  wait "$behind"
  [[ "$(cat "$BATS_TEST_TMPDIR/behind.out")" == "standard 1" ]]
  becomes stopped
  oci delete "$id"
  oci run -d -b "$B" "$id"
  take_pidfd "$s"
  (sleep 1; touch "$s.go") 3>&- &
  oci exec --pidfd-socket "$s" "$id" sleep 50
  [[ $status -eq 137 ]]
  wait "$behind"
  [[ "$(cat "$BATS_TEST_TMPDIR/behind.out")" == "setns 1" && "$(status_of)" == running ]]
  oci exec --pidfd-socket "$BATS_TEST_TMPDIR/none" "$id" true
  says 255 "pidfd socket"
}

@test "ps: all processes of the container, and no others" {
  oci run -d -b "$B" "$id"
  oci exec -d "$id" sleep 51
  has_pids 2
  oci ps "$id" -o pid,args
  [[ $output == *"sleep 100"*"sleep 51"* && "$(wc -l <<< "$output")" -eq 3 ]]
}

@test "pause and resume" {
  [[ -d $(cg_top) ]] || skip "no cgroup2 here"
  oci run -d -b "$B" "$id"
  oci pause "$id"
  ok
  [[ "$(status_of)" == paused ]]
  oci exec "$id" true
  says 255 "paused"
  oci start "$id"
  says 1 "cannot start a container in the paused state"
  oci delete "$id"
  says 1 "that is not stopped: paused"
  oci resume "$id"
  ok
  oci exec "$id" true
  ok
  oci pause "$id"
  oci delete --force "$id"
  ok
}

@test "kill --all, also of what outlives the first process" {
  bundle '"sh","-c","sleep 60 & sleep 61; true"' '.linux.namespaces |= map(select(.type != "pid"))'
  oci run -d -b "$B" "$id"
  ok
  wait_until 50 has_pids 3
  local pids
  pids=$(tr -d '[]' <<< "${output//,/ }")
  oci kill "$id" KILL
  becomes stopped
  oci kill --all "$id" KILL
  ok
  for p in $pids; do
    wait_until 50 is_over "$p" || { echo "$p is alive"; return 1; }
  done
}
has_pids() {
  oci ps -f json "$id"
  [[ "$output" =~ ^\[([0-9]+,?)+\]$ && "$(tr ',' '\n' <<< "$output" | wc -l)" -eq $1 ]]
}
is_over() {
  [[ ! -d /proc/$1 ]] || grep -q '^State:.Z' "/proc/$1/status"
}

@test "update and events, as far as this host can limit" {
  local top
  top=$(cg_top)
  oci run -d -b "$B" "$id"
  oci events --stats "$id"
  ok
  [[ "$(jq -r '.type + " " + .id' <<< "$output")" == "stats $id" ]]
  if grep -qw pids "$top/cgroup.controllers"; then
    oci update --pids-limit 33 "$id"
    ok
    [[ "$(cat "$top/$id/pids.max")" == 33 ]]
    echo '{"pids":{"limit":34}}' | timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" update -r - "$id"
    [[ "$(cat "$top/$id/pids.max")" == 34 ]]
  fi
  if grep -qw memory "$top/cgroup.controllers"; then
    oci update --memory 64M "$id"
    ok
    [[ "$(cat "$top/$id/memory.max")" == 67108864 ]]
    # What was given before stays.
    oci update --memory-reservation 32M "$id"
    ok
    [[ "$(cat "$top/$id/memory.max")" == 67108864 ]]
  fi
  oci update --pids-limit many "$id"
  says 1 "pids-limit"
  echo '{"pids":{"limit":"x"}}' > "$BATS_TEST_TMPDIR/resources"
  oci update -r "$BATS_TEST_TMPDIR/resources" "$id"
  says 1 "pids.limit"
  for text in '' '[]' '{' '{"memory":7}'; do
    echo "$text" > "$BATS_TEST_TMPDIR/resources"
    oci update -r "$BATS_TEST_TMPDIR/resources" "$id"
    says 1 ""
  done
}

@test "a cgroup in which processes of others are is left alone" {
  local top other
  top=$(cg_top)
  mkdir "$top/$id" 2> /dev/null || skip "no cgroup may be made here"
  sleep 300 3>&- &
  other=$!
  echo "$other" > "$top/$id/cgroup.procs"
  oci create -b "$B" "$id"
  says 1 "is not empty"
  kill -0 "$other"
  [[ "$(cat "$top/$id/cgroup.procs")" == "$other" && -z "$(ls -A "$ROOT")" ]]
  kill "$other"
  status=0
  wait "$other" || status=$?
  rmdir "$top/$id"
}

@test "two at once: one creates it, the other is told" {
  local i codes=()
  for i in 1 2 3 4; do
    timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" create -b "$B" "$id" > /dev/null 2> "$BATS_TEST_TMPDIR/err$i" < /dev/null 3>&- &
    codes[i]=$!
  done
  local good=0
  for i in 1 2 3 4; do
    if wait "${codes[i]}"; then good=$((good + 1)); else grep -q "already exists" "$BATS_TEST_TMPDIR/err$i"; fi
  done
  [[ $good -eq 1 && "$(status_of)" == created ]]
  # And many that remove it: each is done, or it does not exist.
  for i in 1 2 3 4; do
    timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" delete -f "$id" 2> "$BATS_TEST_TMPDIR/err$i" 3>&- &
    codes[i]=$!
  done
  for i in 1 2 3 4; do wait "${codes[i]}"; done
  nothing_left
}

@test "a create that is killed is removed by delete --force" {
  local n
  # At some moments of it.
  for n in 0.001 0.0012 0.0014 0.0016 0.002 0.003 0.006 0.01 0.02; do
    timeout -s KILL "$n" "$OCI" --root "$ROOT" create -b "$B" "$id" > /dev/null 2>&1 < /dev/null 3>&- || :
    oci delete --force "$id"
    ok
    nothing_left || { echo "after $n"; return 1; }
  done
}
