# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# test-host: plain, if asked for
# Acts of arnia-oci on one container at the same time, and what is not the container's any more.
bats_require_minimum_version 1.5.0
load helpers
load oci_helpers

setup_file() { oci_file_up; }
teardown_file() { oci_file_down; }
setup() { oci_up; }
teardown() { oci_down; }

# stranger: a process of ours in the container's cgroup; its pid in $other
stranger() {
  sleep 1000 3>&- &
  other=$!
  mine+=("$other")
  mkdir -p "$(cg_top)/$id"
  echo "$other" > "$(cg_top)/$id/cgroup.procs"
}
end_stranger() {
  kill "$other"
  wait "$other" || true
}

@test "while its hooks run a container is being created: nobody enters or starts it" {
  local creator
  bundle '"sleep","1000"' '.hooks = {"createRuntime":[{"path":"/bin/sh","args":["sh","-c","until [ -e '"$BATS_TEST_TMPDIR"'/go ]; do sleep 0.05; done"]}]}'
  "$OCI" --root "$ROOT" create -b "$B" "$id" < /dev/null > "$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  creator=$!
  wait_until 100 is_status creating
  oci exec "$id" ls /
  [[ "$status" -eq 255 && "$stderr" == *"being created"* && -z "$output" ]]
  touch "$BATS_TEST_TMPDIR/go"
  wait "$creator"
  is_status created
  oci exec "$id" ls /bin/oci_aid
  [[ "$status" -eq 0 && "$output" == /bin/oci_aid ]]
  oci start "$id"
  [[ "$status" -eq 0 ]]
  is_status running
}

# What is not to be seen of a process that ends is not what it shares with the host: its exec ran there.
@test "an exec while the container ends is in the container, or says that it is over" {
  local i said=$BATS_TEST_TMPDIR/said seen=$BATS_TEST_TMPDIR/seen
  bundle '"sleep","1000"'
  for ((i = 0; i < 30; i++)); do
    "$OCI" --root "$ROOT" create -b "$B" "$id" < /dev/null > /dev/null 2>&1 3>&-
    "$OCI" --root "$ROOT" start "$id"
    local pids=()
    for _ in 1 2 3; do
      timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" exec "$id" readlink /proc/self/ns/mnt < /dev/null 3>&- >> "$seen" 2>> "$said" &
      pids+=($!)
    done
    sleep "0.00$((i % 10))"
    "$OCI" --root "$ROOT" kill "$id" KILL 2> /dev/null || :
    wait "${pids[@]}" || :
    "$OCI" --root "$ROOT" delete -f "$id"
  done
  run ! grep -F "$(readlink /proc/self/ns/mnt)" "$seen"
  run ! grep -vFx "arnia-oci: cannot exec in a stopped container" "$said"
}

@test "create, delete, kill and exec of one id at once: no container without a record, none entered before it is one" {
  local pids=() p
  bundle '"sleep","1000"'
  for act in 'create -b '"$B" start 'delete -f' 'kill' delete; do
    (
      exec 3>&-
      end=$((SECONDS + 6))
      while [[ $SECONDS -lt $end ]]; do
        # shellcheck disable=SC2086,SC2046
        timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" $act "$id" $([[ $act != kill ]] || echo KILL) < /dev/null > /dev/null 2>&1 || :
      done
    ) &
    pids+=($!)
  done
  (
    exec 3>&-
    end=$((SECONDS + 6))
    while [[ $SECONDS -lt $end ]]; do
      timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" exec "$id" ls -d "$BATS_TEST_TMPDIR" < /dev/null >> "$BATS_TEST_TMPDIR/seen" 2> /dev/null || :
    done
  ) &
  pids+=($!)
  for p in "${pids[@]}"; do wait "$p"; done
  [[ ! -s $BATS_TEST_TMPDIR/seen ]]
  oci delete -f "$id"
  [[ "$status" -eq 0 ]]
  [[ ! -e $(cg_top)/$id ]]
}

@test "strangers in the cgroup of a container that is over are not killed" {
  bundle '"true"'
  oci run --keep -b "$B" "$id"
  [[ "$status" -eq 0 ]]
  stranger
  oci delete "$id"
  [[ "$status" -eq 1 && "$stderr" == *"processes live in it"* ]]
  kill -0 "$other"
  end_stranger
  oci delete "$id"
  [[ "$status" -eq 0 ]]
}

@test "a create whose folder was removed and made anew by others leaves theirs alone" {
  local first
  bundle '"sleep","1000"'
  mkdir -m 700 "$ROOT"
  # It sleeps behind its mkdir.
  strace -f -o /dev/null -e trace=mkdirat -e inject=mkdirat:delay_exit=3000000:when=1 \
    timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" create -b "$B" "$id" < /dev/null > /dev/null 2> "$BATS_TEST_TMPDIR/first" 3>&- &
  first=$!
  wait_until 100 test -d "$ROOT/$id"
  oci delete --force "$id"
  [[ "$status" -eq 0 && ! -e $ROOT/$id ]]
  oci create -b "$B" "$id"
  [[ "$status" -eq 0 ]]
  cp "$ROOT/$id/state.json" "$BATS_TEST_TMPDIR/state"
  ! wait "$first" || return 1
  [[ "$(< "$BATS_TEST_TMPDIR/first")" == "arnia-oci: container with given ID already exists" ]]
  cmp "$ROOT/$id/state.json" "$BATS_TEST_TMPDIR/state"
}

@test "what is ending in the cgroup of a container that is over is given the time to" {
  bundle '"true"'
  oci run --keep -b "$B" "$id"
  [[ "$status" -eq 0 ]]
  mkdir -p "$(cg_top)/$id"
  sleep 0.2 3>&- &
  echo $! > "$(cg_top)/$id/cgroup.procs"
  oci delete "$id"
  [[ "$status" -eq 0 && ! -e $(cg_top)/$id ]]
}

@test "a state of another boot: its cgroup's name is another's by now" {
  bundle '"true"'
  oci run --keep -b "$B" "$id"
  jq '.boot = "00000000-0000-4000-8000-000000000000"' "$ROOT/$id/state.json" > "$BATS_TEST_TMPDIR/s"
  cp "$BATS_TEST_TMPDIR/s" "$ROOT/$id/state.json"
  stranger
  is_status stopped
  oci delete "$id"
  [[ "$status" -eq 0 ]]
  kill -0 "$other"
  end_stranger
  rmdir "$(cg_top)/$id"
}

@test "a container that is killed before it heard of its start has not started" {
  bundle '"sleep","1000"'
  oci create -b "$B" "$id"
  ok
  kill -STOP "$(pid_of)"
  behind timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" start "$id"
  wait_until 50 is_asked
  kill -KILL "$(pid_of)"
  status=0
  wait "$behind" || status=$?
  stderr=$(cat "$BATS_TEST_TMPDIR/behind.err")
  says 1 "cannot start a container that has stopped"
  is_status stopped
  oci delete "$id"
  ok
}
# A connection waits at its start socket.
is_asked() {
  ss -xlH | awk '$3 > 0 { print "socket:[" $6 "]" }' | grep -qxF "$(readlink "/proc/$(pid_of)"/fd/* | grep ^socket)"
}

@test "a pid file takes no device's place" {
  bundle '"sleep","1000"'
  mknod "$BATS_TEST_TMPDIR/null" c 1 3
  oci create -b "$B" --pid-file "$BATS_TEST_TMPDIR/null" "$id"
  [[ "$status" -eq 1 && "$stderr" == *"pid file"* && -c $BATS_TEST_TMPDIR/null && -z "$(records)" ]]
}
