#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154
# test-host: plain
# NOTIFY_SOCKET (sd_notify(3)): the container has one of its own, and that it is ready is passed on, nothing else.
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
  export NOTIFY_SOCKET=$BATS_TEST_TMPDIR/manager
}
teardown() {
  oci_down
}

# manager N: somebody listens for N messages.
manager() {
  behind "$AID" manager "$NOTIFY_SOCKET" "$1"
  listens "$NOTIFY_SOCKET"
}
# heard LINE...: all that came, in this order.
heard() {
  wait_until 50 has_ended "$behind" || { echo "came: $(< "$BATS_TEST_TMPDIR/behind.out")"; return 1; }
  [[ "$(< "$BATS_TEST_TMPDIR/behind.out")" == "$(printf '%s\n' "$@")" ]] || { echo "came: $(< "$BATS_TEST_TMPDIR/behind.out")"; return 1; }
}
has_ended() {
  ! kill -0 "$1" 2> /dev/null
}
# starts CMD...: an act in the background, as one that waits cannot be waited for.
starts() {
  "$OCI" --root "$ROOT" "$@" > "$BATS_TEST_TMPDIR/start.out" 2> "$BATS_TEST_TMPDIR/start.err" < /dev/null 3>&- &
  starting=$!
  mine+=("$starting")
}

@test "start waits until the program says READY=1, and says so with its pid" {
  local pid
  manager 2
  bundle_sh 'mkfifo /tmp/go; read -r _ < /tmp/go; oci_aid ready STATUS=up "X=1
READY=12" "FDNAME=READY=1"; read -r _ < /tmp/go; oci_aid ready "STATUS=up
READY=1"; exec sleep 1000' '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
  oci create -b "$B" "$id"
  ok
  pid=$(pid_of)
  [[ ! -S $ROOT/$id/notify/notify.sock ]]
  starts start "$id"
  becomes running
  # It is not locked meanwhile.
  wait_until 50 test -p "/proc/$pid/root/tmp/go"
  oci exec "$id" sh -c 'echo > /tmp/go'
  ok
  oci exec "$id" sh -c 'echo > /tmp/go'
  ok
  wait "$starting"
  heard "arnia-oci: MAINPID=$pid|READY=1" "arnia-oci: BARRIER=1 +fd"
  # What comes later has nobody to hear it.
  [[ -z "$(ls "$ROOT/$id/notify")" ]]
  oci exec "$id" oci_aid ready STOPPING=1
  [[ $status -eq 1 && $stderr == */run/notify/notify.sock* ]]
  oci delete -f "$id"
  ok
  nothing_left
}

@test "the socket is at /run/notify, for every user inside, and nothing else of the host is" {
  manager 2
  bundle_sh 'echo "$NOTIFY_SOCKET"; ls -A /run/notify; touch /run/notify/x; rm -f /run/notify/notify.sock; oci_aid ready READY=1; exec sleep 1000' \
    '.process.user = {uid: 1000, gid: 1000} | .process.env += ["NOTIFY_SOCKET=/of/the/image"] | .linux.namespaces += [{type: "user"}]
     | .linux.uidMappings = [{containerID: 0, hostID: 200000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
  (umask 077 && oci run -d -b "$B" "$id" && ok)
  heard "arnia-oci: MAINPID=$(pid_of)|READY=1" "arnia-oci: BARRIER=1 +fd"
  [[ "$(< "$BATS_TEST_TMPDIR/out")" == $'/run/notify/notify.sock\nnotify.sock' ]]
  [[ "$(< "$BATS_TEST_TMPDIR/err")" == *"/run/notify/x: Read-only file system"*"can't remove '/run/notify/notify.sock': Read-only file system"* ]]
}

@test "run in the foreground, and with a terminal, goes on" {
  manager 1
  bundle_sh 'oci_aid ready READY=1 STATUS=more; sleep 0.3; echo on; exit 7'
  oci run -b "$B" "$id"
  [[ $status -eq 7 && $output == on ]]
  # It has the exit code, so it is the one to watch.
  wait_until 50 has_ended "$behind"
  [[ "$(< "$BATS_TEST_TMPDIR/behind.out")" =~ ^"arnia-oci: MAINPID="[0-9]+"|READY=1"$ ]]
  manager 1
  bundle_sh 'oci_aid ready READY=1; cat /dev/null; exit 7'
  starts run -b "$B" "$id"
  heard "arnia-oci: MAINPID=$starting|READY=1"
  wait "$starting" && return 1
  manager 1
  bundle_sh 'oci_aid ready READY=1; test -t 1 && exit 8' '.process.terminal = true'
  oci run -b "$B" "$id"
  [[ $status -eq 8 ]]
  wait_until 50 has_ended "$behind"
  nothing_left
}

@test "a container that ends without a word ends the waiting" {
  manager 1
  bundle '"sleep","0.3"'
  oci run -d -b "$B" "$id"
  ok
  becomes stopped
  kill "$behind"
  wait "$behind" || :
  [[ ! -s "$BATS_TEST_TMPDIR/behind.out" ]]
}

@test "what cannot be told is a warning, and the container runs" {
  manager 3
  bundle '"sleep","1000"'
  NOTIFY_SOCKET='' oci create -b "$B" "$id"
  ok
  [[ ! -e $ROOT/$id/notify ]]
  oci start "$id"
  ok
  [[ $stderr == "arnia-oci: warning: NOTIFY_SOCKET $NOTIFY_SOCKET: it was not set when the container was created: that container $id is ready is not told" ]]
  oci delete -f "$id"
  for socket in "$BATS_TEST_TMPDIR/nobody" vsock:2:1234 @arnia-nobody; do
    NOTIFY_SOCKET=$socket oci run -d -b "$B" "$id"
    ok
    [[ $stderr == "arnia-oci: warning: NOTIFY_SOCKET $socket: "*": that container $id is ready is not told" && $stderr != *$'\n'* ]]
    [[ "$(status_of)" == running ]]
    oci delete -f "$id"
    ok
  done
  # One that ends before it is told.
  bundle_sh 'read -r _; oci_aid ready READY=1; exec sleep 1000'
  mkfifo "$BATS_TEST_TMPDIR/go"
  "$OCI" --root "$ROOT" run -d -b "$B" "$id" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/start.out" 2> "$BATS_TEST_TMPDIR/start.err" 3>&- &
  starting=$!
  mine+=("$starting")
  exec 7> "$BATS_TEST_TMPDIR/go"
  wait_until 50 test -S "$ROOT/$id/notify/notify.sock"
  kill -KILL "$behind"
  wait "$behind" || :
  echo go >&7
  exec 7>&-
  wait "$starting"
  [[ "$(< "$BATS_TEST_TMPDIR/start.err")" == "arnia-oci: warning: NOTIFY_SOCKET $NOTIFY_SOCKET: "*": that container $id is ready is not told" ]]
}

@test "who waits is not in the way of a delete, nor of a new container of that name" {
  manager 2
  bundle '"sleep","1000"'
  starts run -d -b "$B" "$id"
  wait_until 50 test -S "$ROOT/$id/notify/notify.sock"
  kill -STOP "$starting"
  oci delete -f "$id"
  ok
  bundle_sh 'mkfifo /tmp/go; read -r _ < /tmp/go; oci_aid ready READY=1; exec sleep 1000' '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
  oci create -b "$B" "$id"
  ok
  local pid first=$starting
  pid=$(pid_of)
  starts start "$id"
  wait_until 50 test -S "$ROOT/$id/notify/notify.sock"
  kill -CONT "$first"
  wait "$first"
  [[ -S $ROOT/$id/notify/notify.sock ]]
  wait_until 50 test -p "/proc/$pid/root/tmp/go"
  oci exec "$id" sh -c 'echo > /tmp/go'
  ok
  wait "$starting"
  heard "arnia-oci: MAINPID=$pid|READY=1" "arnia-oci: BARRIER=1 +fd"
}
