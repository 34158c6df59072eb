#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# test-host: plain
# fs.suid_dumpable is 1 or 2 on the host: a process that changes its ids becomes dumpable by that (proc(5)). What is on its way into a
# container must stay closed to it, and leave no core. It is a setting of the whole machine, so only the test host is asked.
bats_require_minimum_version 1.5.0
load oci_helpers

setup_file() {
  [[ -n "${ARNIA_VM:-}" ]] || return 0
  oci_file_up
  cp "$ARNIA_BUILD/tests/fakes/attacker" "$BATS_FILE_TMPDIR/rootfs/bin/"
  cp /proc/sys/fs/suid_dumpable "$BATS_FILE_TMPDIR/was"
  cp /proc/sys/kernel/core_pattern "$BATS_FILE_TMPDIR/pattern"
  mkdir "$BATS_FILE_TMPDIR/cores"
  # By a program, not a file: a file's path is below the root of who dies (core(5)).
  printf '#!/bin/sh\ncat > /dev/null\necho "$1" > %q"/$2"\n' "$BATS_FILE_TMPDIR/cores" > "$BATS_FILE_TMPDIR/catch"
  chmod 755 "$BATS_FILE_TMPDIR/catch"
  echo "|$BATS_FILE_TMPDIR/catch %e %P" > /proc/sys/kernel/core_pattern
  echo "of the host" > "$BATS_FILE_TMPDIR/marker"
}
teardown_file() {
  [[ -n "${ARNIA_VM:-}" ]] || return 0
  cat "$BATS_FILE_TMPDIR/was" > /proc/sys/fs/suid_dumpable
  cat "$BATS_FILE_TMPDIR/pattern" > /proc/sys/kernel/core_pattern
  oci_file_down
}
setup() {
  [[ -n "${ARNIA_VM:-}" ]] || skip "a setting of the whole machine: tested on the test host"
  oci_up
}
teardown() {
  [[ -z "${ARNIA_VM:-}" ]] || oci_down
}

CORES='.process.rlimits = [{"type":"RLIMIT_CORE","soft":1000000000,"hard":1000000000}]'
MAPS='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":200000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
NO_PTRACE='.process.capabilities |= map_values(. - ["CAP_SYS_PTRACE"])'
PTRACE='.process.capabilities |= map_values(. + ["CAP_SYS_PTRACE","CAP_DAC_OVERRIDE","CAP_SETUID","CAP_SETGID"] | unique)'

core_of() {
  [[ -s "$BATS_FILE_TMPDIR/cores/$1" ]]
}
no_cores() {
  sleep 0.5
  [[ -z "$(ls "$BATS_FILE_TMPDIR/cores")" ]] || { echo "cores:"; grep -H . "$BATS_FILE_TMPDIR"/cores/*; rm -f "$BATS_FILE_TMPDIR"/cores/*; return 1; }
}

@test "what waits to be started cannot be read" {
  local value how
  chown 200000:200000 "$BATS_FILE_TMPDIR/rootfs"
  for value in 1 2; do
    echo $value > /proc/sys/fs/suid_dumpable
    for how in "$NO_PTRACE" "$MAPS | $PTRACE" "$NO_PTRACE | .process.user = {uid: 1000, gid: 1000}"; do
      bundle '"sleep","1000"' "$how | .process.env += [\"TOKEN=of-the-container\"]"
      oci create -b "$B" "$id"
      ok
      oci exec --user 0:0 "$id" sh -c '(cat /proc/1/environ /proc/1/maps /proc/1/mem; readlink /proc/1/exe /proc/1/fd/* /proc/1/cwd /proc/1/root; ls /proc/1/map_files) 2> /dev/null; true'
      ok
      prints "" || { echo "suid_dumpable $value, $how"; return 1; }
      oci delete -f "$id"
      ok
    done
  done
}

# Without a pid namespace: the first of one only dies of a signal from outside that cannot be caught (pid_namespaces(7)).
@test "what waits to be started leaves no core, the program that was started does" {
  local value how pid
  for value in 1 2; do
    echo $value > /proc/sys/fs/suid_dumpable
    for how in . '.process.user = {uid: 1000, gid: 1000}'; do
      bundle '"sleep","1000"' "$CORES | del(.linux.namespaces[] | select(.type == \"pid\")) | $how"
      oci create -b "$B" "$id"
      ok
      kill -SEGV "$(pid_of)"
      becomes stopped
      no_cores || { echo "suid_dumpable $value, $how"; return 1; }
      oci delete "$id"
      ok
    done
    oci run -d -b "$B" "$id"
    ok
    pid=$(pid_of)
    kill -SEGV "$pid"
    becomes stopped
    wait_until 50 core_of "$pid"
    rm "$BATS_FILE_TMPDIR/cores/$pid"
    oci delete "$id"
    ok
  done
}

@test "what enters cannot be read, nor traced, by root with CAP_SYS_PTRACE of a user namespace" {
  local value scanner
  mkfifo "$BATS_TEST_TMPDIR/go"
  for value in 1 2; do
    echo $value > /proc/sys/fs/suid_dumpable
    bundle '"sleep","1000"' "$CORES | $MAPS | $PTRACE"
    oci run -d -b "$B" "$id"
    ok
    timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" exec "$id" attacker scan "$BATS_FILE_TMPDIR/marker" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/seen" 2>&1 3>&- &
    scanner=$!
    exec 7> "$BATS_TEST_TMPDIR/go"
    for _ in $(seq 10); do
      oci exec --user 1000:1000 "$id" true > /dev/null
      [[ $status -eq 0 ]]
    done
    exec 7>&-
    wait "$scanner"
    cat "$BATS_TEST_TMPDIR/seen"
    grep -E '^looks [0-9]+ seen [0-9]+ entering [1-9]' "$BATS_TEST_TMPDIR/seen"
    run ! grep -E "LEAK (memory|program|marker)" "$BATS_TEST_TMPDIR/seen"
    no_cores
    oci delete -f "$id"
    ok
  done
}

# What the scan above sees only when it looks at the right moment.
@test "what an exec changes ids with is not the process that is seen inside" {
  local program
  echo 1 > /proc/sys/fs/suid_dumpable
  bundle '"sleep","1000"' "$MAPS | $PTRACE"
  oci run -d -b "$B" "$id"
  ok
  timeout "$((60 * SLOW))" strace -f -q -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,setresuid,setresgid,setgroups,capset,setns \
    "$OCI" --root "$ROOT" exec --user 1000:1000 "$id" /bin/true < /dev/null
  program=$(sed -n 's/^\([0-9]*\) *execve("\/bin\/true".* = 0$/\1/p' "$BATS_TEST_TMPDIR/trace")
  [[ -n "$program" ]]
  grep -E '^[0-9]+ +setresuid\(1000, 1000, 1000\) += 0' "$BATS_TEST_TMPDIR/trace"
  run ! grep -E "^$program +(setres|setgroups|capset|setns)" "$BATS_TEST_TMPDIR/trace"
}
