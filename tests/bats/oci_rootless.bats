#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci of a plain user: with one mapped id, with newuidmap and newgidmap, without rights on cgroups. Users and their ids are those
# of a mount namespace of each call: this machine's files stay as they are.
bats_require_minimum_version 1.5.0
load oci_helpers

USER_ID=4242

setup_file() {
  oci_file_up
  local etc=$BATS_FILE_TMPDIR/etc
  mkdir -p "$etc" "$BATS_FILE_TMPDIR/bin"
  cp "$OCI" "$BATS_FILE_TMPDIR/bin/"
  cp "$AID" "$BATS_FILE_TMPDIR/bin/"
  { cat /etc/passwd; echo "plain:x:$USER_ID:$USER_ID::/nonexistent:/bin/sh"; } > "$etc/passwd"
  { cat /etc/group; echo "plain:x:$USER_ID:"; } > "$etc/group"
  echo "plain:600000:65536" > "$etc/subuid"
  echo "plain:700000:65536" > "$etc/subgid"
  rm -f "$BATS_FILE_TMPDIR/config.json"
  "$OCI" spec --rootless -b "$BATS_FILE_TMPDIR"
  jq ".process.terminal = false | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" | .linux.uidMappings[0].hostID = $USER_ID | .linux.gidMappings[0].hostID = $USER_ID" \
    "$BATS_FILE_TMPDIR/config.json" > "$BATS_FILE_TMPDIR/base.json"
}
teardown_file() {
  oci_file_down
}
setup() {
  oci_up
  may_make_userns || skip "a plain user may not make user namespaces here"
  run_dir=$BATS_TEST_TMPDIR/run
  ROOT=$run_dir/arnia-oci
  mkdir -p "$run_dir"
  chmod 755 "$BATS_TEST_TMPDIR"
  chown $USER_ID:$USER_ID "$run_dir"
}
teardown() {
  local c
  for c in $(as_user list -q); do as_user delete -f "$c"; done
  oci_down
}

# plain CMD...: as that user, with the files of users that it has.
plain() {
  unshare -m --propagation private sh -ec 'for f in passwd group subuid subgid; do [ ! -e /etc/$f ] || mount --bind "$0/$f" /etc/$f; done
    uid=$1 run=$2; shift 2; exec setpriv --reuid $uid --regid $uid --clear-groups env -i PATH="$PATH" XDG_RUNTIME_DIR="$run" "$@"' \
    "$BATS_FILE_TMPDIR/etc" $USER_ID "$run_dir" "$@"
}
as_user() {
  plain timeout "$((60 * SLOW))" "$BATS_FILE_TMPDIR/bin/arnia-oci" "$@"
}
may_make_userns() {
  setpriv --reuid $USER_ID --regid $USER_ID --clear-groups unshare -Ur true 2> /dev/null
}
# Without --root: the one below XDG_RUNTIME_DIR.
oci() {
  status=0
  as_user "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(< "$BATS_TEST_TMPDIR/out") stderr=$(< "$BATS_TEST_TMPDIR/err")
  printf '$ arnia-oci %s\nstatus %s\nstdout: %s\nstderr: %s\n' "$*" "$status" "$output" "$stderr"
}
status_of() {
  as_user state "$id" | sed -n 's/^ *"status": "\([a-z]*\)".*/\1/p'
}
pid_of() {
  as_user state "$id" | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'
}
# The filter of maps with more than one id.
MANY='.linux.uidMappings += [{"containerID":1,"hostID":600000,"size":65536}] | .linux.gidMappings += [{"containerID":1,"hostID":700000,"size":65536}]'
needs_newuidmap() {
  [[ -u $(command -v newuidmap) ]] || skip "no newuidmap with its rights on this machine"
}

@test "one mapped id: run, with its own namespaces and the network of the host" {
  inside 'id -u; id -g; cat /proc/self/uid_map | tr -s " "; hostname; readlink /proc/self/ns/net; ls -d /sys/class; touch /sys/x 2>&1 | grep -o Read-only'
  prints $'0\n0\n 0 4242 1\n'"$(jq -r .hostname "$B/config.json")"$'\n'"$(readlink /proc/self/ns/net)"$'\n/sys/class\nRead-only'
  nothing_left
}

@test "its life: create, start, exec, ps, kill, delete; the state is the user's own" {
  bundle '"sleep","1000"'
  oci create -b "$B" --pid-file "$run_dir/pid" "$id"
  ok
  [[ "$(status_of)" == created && "$(cat "$run_dir/pid")" == "$(pid_of)" ]]
  [[ "$(stat -c '%u %a' "$ROOT")" == "$USER_ID 700" && "$(stat -c %u "/proc/$(pid_of)")" == "$USER_ID" ]]
  oci start "$id"
  ok
  oci exec "$id" sh -c 'echo $(id -u) $$; readlink /proc/self/ns/user'
  ok
  [[ "$(tail -n 1 <<< "$output")" == "$(readlink "/proc/$(pid_of)/ns/user")" ]]
  oci exec -e A=b --cwd /tmp "$id" sh -c 'echo $A $PWD; exit 7'
  [[ $status -eq 7 && $output == "b /tmp" ]]
  oci exec "$id" nosuch
  says 255 "executable file not found"
  oci list -q
  prints "$id"
  oci kill "$id" KILL
  ok
  becomes stopped
  oci delete "$id"
  ok
  nothing_left
}

@test "devices are there, bound from the host; no node can be made" {
  inside 'echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c; [ -c /dev/full ] && ls /dev/pts/ptmx; mknod /dev/x c 1 3 2>&1 | grep -o "not permitted"'
  prints $'3\n2\n/dev/pts/ptmx\nnot permitted'
}

# bats test_tags=natively
@test "a terminal" {
  bundle_sh 'tty; stty size; test -t 0 && echo yes; echo > /dev/console' '.process.terminal = true'
  run script -qec "stty rows 30 cols 70; $(declare -p BATS_FILE_TMPDIR USER_ID run_dir SLOW | sed 's/^declare -[-a-z]* //' | tr '\n' ';') $(declare -f plain as_user); as_user run -b '$B' '$id'" /dev/null
  echo "$output"
  [[ $status -eq 0 && $output == */dev/pts/0*"30 70"*yes* ]]
}

# bats test_tags=natively
@test "--console-socket, and exec with a terminal" {
  bundle '"sleep","1000"'
  oci run -d -b "$B" "$id"
  ok
  behind plain "$BATS_FILE_TMPDIR/bin/oci_aid" tty "$run_dir/tty" $'word\n'
  listens "$run_dir/tty"
  oci exec -t -d --console-socket "$run_dir/tty" "$id" sh -c 'read x; echo "got $x"'
  ok
  wait_until 50 grep -q "got word" "$BATS_TEST_TMPDIR/behind.out"
}

@test "no rights on cgroups: without limits it goes without, with limits it is an error" {
  bundle '"cat","/proc/self/cgroup"' '.linux.namespaces |= map(select(.type != "cgroup"))'
  oci run -b "$B" "$id"
  ok
  [[ "$(grep ^0:: <<< "$output")" == "$(grep ^0:: /proc/self/cgroup)" ]]
  fails "" '"true"' '.linux.resources = {"pids":{"limit":10}}'
  bundle '"sleep","1000"'
  oci run -d -b "$B" "$id"
  oci pause "$id"
  says 1 "cgroup"
  [[ "$(status_of)" == running ]]
  oci update --pids-limit 5 "$id"
  says 1 "cgroup"
  oci ps -f json "$id"
  ok
  [[ $output == *"$(pid_of)"* ]]
  oci kill --all "$id" KILL
  ok
  becomes stopped
}

# bats test_tags=natively
@test "what a plain user cannot have is said" {
  fails "rootless container requires user namespaces" '"true"' '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
  fails "" '"true"' '.linux.uidMappings[0].hostID = 0'
  fails "" '"true"' '.process.user.uid = 5'
  fails "" '"true"' '.process.user.additionalGids = [5]'
  fails "" '"true"' '.mounts += [{"destination":"/mnt","type":"ext4","source":"/dev/vda"}]'
  fails "oom_score_adj" '"true"' '.process.oomScoreAdj = -500'
  fails "" '"true"' '.linux.namespaces += [{"type":"network","path":"/proc/1/ns/net"}]'
}

@test "oomScoreAdj: up, of the program and of what exec runs" {
  bundle '"sleep","1000"' '.process.oomScoreAdj = 500'
  oci run -d -b "$B" "$id"
  ok
  [[ "$(cat "/proc/$(pid_of)/oom_score_adj")" == 500 ]]
  oci exec "$id" cat /proc/self/oom_score_adj
  prints 500
  [[ "$(cat /proc/self/oom_score_adj)" != 500 ]]
}

@test "a network namespace of its own, with no more than lo; sysctls in it" {
  inside 'ls /sys/class/net; cat /proc/sys/net/ipv4/ip_forward' '.linux.namespaces += [{"type":"network"}] | .linux.sysctl = {"net.ipv4.ip_forward":"1"} | .mounts |= map(if .destination == "/sys" then .type = "sysfs" | .source = "sysfs" | .options = ["nosuid","noexec","nodev","ro"] else . end)'
  prints $'lo\n1'
}

@test "many ids by newuidmap and newgidmap: users inside, files outside, exec, delete" {
  needs_newuidmap
  bundle_sh 'touch /tmp/r /tmp/u; chown 33:44 /tmp/u; sleep 1000' "$MANY | .process.capabilities |= map_values(. + [\"CAP_CHOWN\"]) | .mounts += [{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]"
  oci run -d -b "$B" "$id"
  ok
  [[ "$(tr -s ' ' < "/proc/$(pid_of)/uid_map")" == $' 0 4242 1\n 1 600000 65536' ]]
  wait_until 50 owned 600032:700043
  [[ "$(stat -c %u:%g "/proc/$(pid_of)/root/tmp/r")" == 4242:4242 ]]
  oci exec --user 1000:1001 --additional-gids 5 "$id" sh -c 'id -u; id -g; id -G; cat /proc/self/setgroups'
  prints $'1000\n1001\n1001 5\nallow'
  oci delete -f "$id"
  ok
  inside 'id -u; id -G' "$MANY | .process.user = {\"uid\":7,\"gid\":8,\"additionalGids\":[9]}"
  prints $'7\n8 9'
}
owned() {
  [[ "$(stat -c %u:%g "/proc/$(pid_of)/root/tmp/u" 2> /dev/null)" == "$1" ]]
}

@test "NOTIFY_SOCKET: what a container with CAP_SYS_ADMIN puts into its folder goes with it" {
  needs_newuidmap
  local how
  export NOTIFY_SOCKET=$run_dir/manager
  mkdir -p "$BATS_FILE_TMPDIR/rootfs/run/notify"
  for how in . "$MANY"; do
    behind "$AID" manager "$NOTIFY_SOCKET" 2
    listens "$NOTIFY_SOCKET"
    chmod 666 "$NOTIFY_SOCKET"
    bundle_sh 'oci_aid ready READY=1; mount -o remount,bind,rw,nosuid,nodev,noexec /run/notify && mkdir -p /run/notify/a/b && touch /run/notify/a/b/c
      chown -R 1000:1000 /run/notify/a 2> /dev/null; chmod 0 /run/notify/a/b /run/notify/a /run/notify && exec sleep 1000' \
      ".process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\",\"CAP_CHOWN\"]) | $how"
    notifying run -d -b "$B" "$id"
    ok
    wait_until 50 test -e "$ROOT/$id/notify/a"
    wait_until 50 is_closed "$ROOT/$id/notify"
    [[ $how == . || "$(stat -c %u "$ROOT/$id/notify/a/b/c")" == 600999 ]]
    if [[ $how == "$MANY" ]]; then
      # Without those ids it cannot be, which is said, and the container is still there to be deleted.
      : > "$BATS_FILE_TMPDIR/etc/subuid"
      notifying delete -f "$id"
      echo "plain:600000:65536" > "$BATS_FILE_TMPDIR/etc/subuid"
      says 1 "remove the folder of the container's NOTIFY_SOCKET: user namespace: "
      [[ "$(status_of)" == stopped ]]
    fi
    notifying delete -f "$id"
    ok
    [[ ! -e $ROOT/$id ]]
    wait "$behind"
    grep READY=1 "$BATS_TEST_TMPDIR/behind.out"
  done
}
is_closed() {
  [[ "$(stat -c %a "$1")" == 0 ]]
}
notifying() {
  status=0
  plain env NOTIFY_SOCKET="$NOTIFY_SOCKET" timeout "$((60 * SLOW))" "$BATS_FILE_TMPDIR/bin/arnia-oci" "$@" > "$BATS_TEST_TMPDIR/out" \
    2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(< "$BATS_TEST_TMPDIR/out") stderr=$(< "$BATS_TEST_TMPDIR/err")
  echo "$status $output $stderr"
}

# bats test_tags=natively
@test "ids that are not the user's: newuidmap refuses, and it is told" {
  needs_newuidmap
  fails "newuidmap" '"true"' '.linux.uidMappings += [{"containerID":1,"hostID":100,"size":10}]'
  fails "newgidmap" '"true"' "$MANY | .linux.gidMappings[1].hostID = 900000"
}

@test "the containers of root are out of reach" {
  bundle '"sleep","1000"'
  mkdir -m 700 "$BATS_TEST_TMPDIR/roots"
  oci --root "$BATS_TEST_TMPDIR/roots" create -b "$B" "$id"
  says 1 "ermission denied"
  oci --root "$BATS_TEST_TMPDIR/roots" list
  says 1 "ermission denied"
}

@test "hooks of a plain user run as that user" {
  printf '#!/bin/sh\ncat > /dev/null\nid -u > %s/hook-$1\n' "$run_dir" > "$BATS_TEST_TMPDIR/hook"
  chmod 755 "$BATS_TEST_TMPDIR/hook"
  bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/hook\",\"args\":[\"hook\",\"a\"],\"env\":[\"PATH=/usr/bin:/bin\"]}],\"poststop\":[{\"path\":\"$BATS_TEST_TMPDIR/hook\",\"args\":[\"hook\",\"z\"],\"env\":[\"PATH=/usr/bin:/bin\"]}]}"
  oci run -b "$B" "$id"
  ok
  [[ "$(cat "$run_dir/hook-a")" == "$USER_ID" && "$(cat "$run_dir/hook-z")" == "$USER_ID" ]]
}

# bats test_tags=natively
@test "the same by runc: exit codes and output" {
  needs_runc
  local script
  for script in 'echo out; exit 5' 'id -u; grep ^Groups /proc/self/status; cat /proc/self/gid_map' 'ls /dev | grep -v core; ls /sys | head -n 3' 'kill -9 $$; echo no' 'grep ^Cap /proc/self/status'; do
    bundle_sh "$script"
    oci run -b "$B" "$id"
    local code=0 out
    out=$(plain timeout "$((60 * SLOW))" runc --root "$run_dir/runc" run -b "$B" "${id}r" 2> "$BATS_TEST_TMPDIR/runc.err" < /dev/null 3>&-) || code=$?
    [[ $code -eq $status && $out == "$output" ]] || { echo "runc: status $code, $out, $(cat "$BATS_TEST_TMPDIR/runc.err")"; return 1; }
  done
}
