#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# arnia-oci: the life of a container through each verb, with a bundle of busybox. What is left afterwards is nothing.
bats_require_minimum_version 1.5.0

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}

setup_file() {
  local root=$BATS_FILE_TMPDIR/rootfs a
  mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev}
  cp /bin/busybox "$root/bin/"
  for a in sh ls cat id ps sleep true false echo env pwd kill touch; do ln -s busybox "$root/bin/$a"; done
}

teardown_file() {
  [[ -z "$(mounts_of)" ]] || { echo "# mounted: $(mounts_of)" >&3; return 1; }
  [[ -z "$(cgroups_of)" ]] || { echo "# left: $(cgroups_of)" >&3; return 1; }
}

setup() {
  export OCI=$ARNIA_BUILD/bin/arnia-oci ROOT=$BATS_TEST_TMPDIR/root
  id=aoci-$BATS_ROOT_PID-$BATS_TEST_NUMBER # also the name of its cgroup
  bundle '"sleep","100"'
}

teardown() {
  local c
  for c in $("$OCI" --root "$ROOT" list -q 2> /dev/null); do "$OCI" --root "$ROOT" delete -f "$c" || :; done
  [[ -z "$(ls -A "$ROOT" 2> /dev/null)" ]]
}

mounts_of() {
  cut -d' ' -f5 /proc/self/mountinfo | grep "^${BATS_RUN_TMPDIR:?}" | sort || :
}
cgroups_of() {
  find "$(findmnt -nt cgroup2 -o TARGET | head -n 1)" -maxdepth 1 -name "aoci-$BATS_ROOT_PID-*"
}

# bundle ARGS [FILTER]: a bundle whose program has ARGS (JSON), changed by a filter of jq.
bundle() {
  B=$BATS_TEST_TMPDIR/bundle
  rm -rf "$B"
  mkdir -p "$B"
  "$OCI" spec -b "$B"
  jq ".process.terminal = false | .process.args = [$1] | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" | ${2:-.}" "$B/config.json" > "$B/new"
  mv "$B/new" "$B/config.json"
}

# oci ARG...: within a bound; its streams are files, as a container that is created keeps them.
oci() {
  status=0
  timeout 60 "$OCI" --root "$ROOT" "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(cat "$BATS_TEST_TMPDIR/out") stderr=$(cat "$BATS_TEST_TMPDIR/err")
}

ok() {
  [[ $status -eq 0 ]] || { echo "status $status: $stderr"; return 1; }
}
says() {
  [[ $status -eq $1 && $stderr == "arnia-oci: "*"$2"* && $stderr != *$'\n'* ]] || { echo "status $status: $stderr"; return 1; }
}

status_of() {
  "$OCI" --root "$ROOT" state "$1" | jq -r .status
}

# becomes STATUS: bounded.
becomes() {
  local i
  for i in $(seq 100); do
    [[ "$(status_of "$id")" != "$1" ]] || return 0
    sleep 0.1
  done
  return 1
}

@test "run: output, input, exit code, and nothing is left" {
  bundle '"sh","-c","echo out; echo err >&2; exit 42"'
  oci run -b "$B" "$id"
  [[ $status -eq 42 && $output == out && $stderr == err ]]
  [[ -z "$(ls "$ROOT")" && -z "$(cgroups_of)" ]]
  bundle '"cat"'
  [[ "$(echo word | timeout 60 "$OCI" --root "$ROOT" run -b "$B" "$id")" == word ]]
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
  [[ -z "$(ls -A "$ROOT" 2> /dev/null)" && -z "$(cgroups_of)" ]]
}

@test "run --detach, --keep, --pid-file, --config" {
  oci run -d -b "$B" --pid-file "$BATS_TEST_TMPDIR/pid" "$id"
  ok
  [[ "$("$OCI" --root "$ROOT" state "$id" | jq .pid)" == "$(cat "$BATS_TEST_TMPDIR/pid")" ]]
  [[ "$(tr '\0' ' ' < "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cmdline")" == "sleep 100 " ]]
  oci run -b "$B" "$id"
  says 1 "container with given ID already exists"
  [[ "$(status_of "$id")" == running ]]
  oci delete -f "$id"
  ok
  bundle '"true"'
  mv "$B/config.json" "$BATS_TEST_TMPDIR/other.json"
  oci run --keep -b "$B" --config "$BATS_TEST_TMPDIR/other.json" "$id"
  ok
  [[ "$(status_of "$id")" == stopped ]]
  oci delete "$id"
  ok
}

@test "create, start, kill, delete" {
  oci create -b "$B" "$id"
  ok
  [[ "$(status_of "$id")" == created ]]
  oci list
  [[ ${output##*$'\n'} == "$id "*" created "*" $B "* ]]
  oci start "$id"
  ok
  [[ "$(status_of "$id")" == running ]]
  oci start "$id"
  says 1 "cannot start an already running container"
  oci delete "$id"
  says 1 "cannot delete container $id that is not stopped: running"
  # The first process of a pid namespace has no handler for it.
  oci kill "$id" TERM
  ok
  [[ "$(status_of "$id")" == running ]]
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
  [[ "$(status_of "$id")" == created ]]
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
    '.hooks.createRuntime = [{"path":"/bin/false"}]' '.hooks.createContainer = [{"path":"/nonexistent"}]' '.process.cwd = "/etc/passwd/x"' \
    '.linux.namespaces += [{"type":"network","path":"/nonexistent"}]' '.process.user.uid = -1' '.linux.sysctl = {"kernel.nosuch":"1"}'; do
    bundle '"sleep","100"' "$filter"
    oci create -b "$B" "$id"
    says 1 ""
    [[ -z "$(ls -A "$ROOT" 2> /dev/null)" && -z "$(cgroups_of)" ]] || { echo "left by $filter"; return 1; }
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

# Takes one descriptor on a socket, says what came with it, and kills by it once there is a file of that name with ".go".
pidfd_taker() {
  python3 -c 'import os, socket, signal, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); print("ready", flush=True)
c, _ = s.accept(); data, fds, _, _ = socket.recv_fds(c, 64, 4); print(data.decode(), len(fds), flush=True)
while not os.path.exists(sys.argv[1] + ".go"): time.sleep(0.05)
signal.pidfd_send_signal(fds[0], signal.SIGKILL)' "$1"
}

@test "--pidfd-socket: the process's pidfd is sent there" {
  command -v python3 > /dev/null || skip "no python3 here"
  local s=$BATS_TEST_TMPDIR/s taker
  pidfd_taker "$s" > "$BATS_TEST_TMPDIR/taken" 3>&- &
  taker=$!
  for _ in $(seq 100); do [[ ! -s $BATS_TEST_TMPDIR/taken ]] || break; sleep 0.1; done
  oci create -b "$B" --pidfd-socket "$s" "$id"
  ok
  touch "$s.go"
  wait "$taker"
  [[ "$(tail -n 1 "$BATS_TEST_TMPDIR/taken")" == "standard 1" ]]
  becomes stopped
  oci delete "$id"
  oci run -d -b "$B" "$id"
  rm "$s" "$s.go"
  pidfd_taker "$s" > "$BATS_TEST_TMPDIR/taken" 3>&- &
  taker=$!
  for _ in $(seq 100); do [[ "$(cat "$BATS_TEST_TMPDIR/taken")" != ready ]] || break; sleep 0.1; done
  (sleep 1; touch "$s.go") 3>&- &
  oci exec --pidfd-socket "$s" "$id" sleep 50
  [[ $status -eq 137 ]]
  wait "$taker"
  [[ "$(tail -n 1 "$BATS_TEST_TMPDIR/taken")" == "setns 1" && "$(status_of "$id")" == running ]]
  oci exec --pidfd-socket "$BATS_TEST_TMPDIR/none" "$id" true
  says 255 "pidfd socket"
}

@test "ps: all processes of the container, and no others" {
  oci run -d -b "$B" "$id"
  oci exec -d "$id" sleep 51
  oci ps -f json "$id"
  ok
  [[ "$(jq length <<< "$output")" -eq 2 ]]
  oci ps "$id" -o pid,args
  [[ $output == *"sleep 100"*"sleep 51"* && "$(wc -l <<< "$output")" -eq 3 ]]
}

@test "pause and resume" {
  [[ -d $(findmnt -nt cgroup2 -o TARGET | head -n 1) ]] || skip "no cgroup2 here"
  oci run -d -b "$B" "$id"
  oci pause "$id"
  ok
  [[ "$(status_of "$id")" == paused ]]
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
  for _ in $(seq 50); do
    oci ps -f json "$id"
    [[ "$(jq length <<< "$output")" -lt 3 ]] || break
    sleep 0.1
  done
  [[ "$(jq length <<< "$output")" -eq 3 ]]
  local pids
  pids=$(jq -r 'map(tostring) | join(" ")' <<< "$output")
  oci kill "$id" KILL
  becomes stopped
  oci kill --all "$id" KILL
  ok
  for p in $pids; do
    for _ in $(seq 50); do [[ -d /proc/$p ]] && ! grep -q '^State:.Z' "/proc/$p/status" || continue 2; sleep 0.1; done
    echo "$p is alive"
    return 1
  done
}

@test "update and events, as far as this host can limit" {
  local top
  top=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
  oci run -d -b "$B" "$id"
  oci events --stats "$id"
  ok
  [[ "$(jq -r '.type + " " + .id' <<< "$output")" == "stats $id" ]]
  if grep -qw pids "$top/cgroup.controllers"; then
    oci update --pids-limit 33 "$id"
    ok
    [[ "$(cat "$top/$id/pids.max")" == 33 ]]
    echo '{"pids":{"limit":34}}' | timeout 20 "$OCI" --root "$ROOT" update -r - "$id"
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
  top=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
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
    timeout 60 "$OCI" --root "$ROOT" create -b "$B" "$id" > /dev/null 2> "$BATS_TEST_TMPDIR/err$i" < /dev/null 3>&- &
    codes[i]=$!
  done
  local good=0
  for i in 1 2 3 4; do
    if wait "${codes[i]}"; then good=$((good + 1)); else grep -q "already exists" "$BATS_TEST_TMPDIR/err$i"; fi
  done
  [[ $good -eq 1 && "$(status_of "$id")" == created ]]
  # And many that remove it: each is done, or it does not exist.
  for i in 1 2 3 4; do
    timeout 60 "$OCI" --root "$ROOT" delete -f "$id" 2> "$BATS_TEST_TMPDIR/err$i" 3>&- &
    codes[i]=$!
  done
  for i in 1 2 3 4; do wait "${codes[i]}"; done
  [[ -z "$(ls "$ROOT")" && -z "$(cgroups_of)" ]]
}

@test "a create that is killed is removed by delete --force" {
  local n
  # At some moments of it.
  for n in 0.001 0.0012 0.0014 0.0016 0.002 0.003 0.006 0.01 0.02; do
    timeout -s KILL "$n" "$OCI" --root "$ROOT" create -b "$B" "$id" > /dev/null 2>&1 < /dev/null 3>&- || :
    oci delete --force "$id"
    ok
    [[ -z "$(ls -A "$ROOT" 2> /dev/null)" ]]
    [[ -z "$(cgroups_of)" ]] || { echo "cgroup left after $n"; return 1; }
  done
}
