# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# containerd from Debian, by its ctr, with arnia-oci as the runtime of its shim.
# test-host: plain
bats_require_minimum_version 1.5.0
load helpers
load images

setup_file() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  # ctr binds it where the network is the host's
  [[ -e /etc/resolv.conf ]] || : > /etc/resolv.conf
  image_tar "$BATS_FILE_TMPDIR"
  image_archive "$BATS_FILE_TMPDIR" localhost/bb:latest
  modprobe overlay 2> /dev/null || true
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' > "$BATS_FILE_TMPDIR/config.toml"
  containerd -c "$BATS_FILE_TMPDIR/config.toml" --root "$BATS_FILE_TMPDIR/root" --state /run/containerd-t \
    --address /run/ctd.sock > "$BATS_FILE_TMPDIR/log" 2>&1 3>&- &
  echo $! > "$BATS_FILE_TMPDIR/pid"
  wait_until 300 test -S /run/ctd.sock
  ct image import --snapshotter native "$BATS_FILE_TMPDIR/image.tar" > /dev/null
}
teardown_file() {
  [[ ! -e $BATS_FILE_TMPDIR/pid ]] || kill "$(< "$BATS_FILE_TMPDIR/pid")" || true
}
setup() {
  [[ -n ${ARNIA_VM:-} ]] || skip "only in the test host"
}
teardown() {
  [[ -e $BATS_FILE_TMPDIR/pid ]] || return 0
  for c in $(ct c ls -q); do
    ct t kill -s KILL "$c" 2> /dev/null || true
    wait_until 50 ended "$c" || true
    ct t rm -f "$c" > /dev/null 2>&1 || true
    ct c rm "$c" || true
  done
}
ct() {
  timeout "$((60 * ${ARNIA_SLOW:-1}))" ctr -a /run/ctd.sock "$@"
}
# run ARGUMENTS of ctr run
ctrun() {
  ct run --snapshotter native --runc-binary "$ARNIA_BIN/arnia-oci" --runc-root /run/ctd-oci "$@"
}
status_of() {
  ct t ls | awk -v c="$1" '$1 == c { print $3 }'
}
ended() {
  [[ "$(status_of "$1")" != RUNNING ]]
}

@test "run: output and exit code" {
  [[ "$(ctrun --rm localhost/bb:latest one echo hello)" == hello ]]
  run ctrun --rm localhost/bb:latest two sh -c 'exit 42'
  echo "$output"
  [[ "$status" -eq 42 ]]
}
@test "tasks: list, exec, ps, pause, resume, metrics, kill, delete" {
  ctrun -d localhost/bb:latest t sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
  [[ "$(status_of t)" == RUNNING ]]
  [[ "$(ct t exec --exec-id e1 t echo in)" == in ]]
  run ct t exec --exec-id e2 t sh -c 'exit 9'
  [[ "$status" -eq 9 ]]
  ct t ps t
  ct t pause t
  [[ "$(status_of t)" == PAUSED ]]
  ct t resume t
  [[ "$(status_of t)" == RUNNING ]]
  ct t metrics t
  ls /run/ctd-oci/default/t
  ct t kill -s TERM t
  wait_until 50 ended t
  run ct t rm t
  echo "$status $output"
  [[ ! -e /run/ctd-oci/default/t ]]
}
@test "a terminal" {
  # ctr sets the terminal up, which is for its foreground
  run timeout "$((60 * ${ARNIA_SLOW:-1}))" script -qec "ctr -a /run/ctd.sock run --rm -t --snapshotter native --runc-binary $ARNIA_BIN/arnia-oci --runc-root /run/ctd-oci localhost/bb:latest tt sh -c 'tty; test -t 0 && echo terminal'" /dev/null < /dev/null
  echo "$output"
  [[ "$output" == *terminal* ]]
}
@test "limits, read-only root, host's network, privileges" {
  ctrun -d --memory-limit 33554432 localhost/bb:latest m sleep 1000
  [[ "$(< /sys/fs/cgroup/default/m/memory.max)" == 33554432 ]]
  run ctrun --rm --read-only localhost/bb:latest ro touch /x
  [[ "$status" -ne 0 ]]
  [[ "$(ctrun --rm --net-host localhost/bb:latest n readlink /proc/self/ns/net)" == "$(readlink /proc/self/ns/net)" ]]
  ctrun --rm --privileged localhost/bb:latest p mount -t tmpfs x /tmp
}
@test "what cannot be run is said" {
  run ctrun --rm localhost/bb:latest n1 nosuch
  echo "$output"
  [[ "$status" -ne 0 && "$output" == *'executable file not found in $PATH'* ]]
  [[ -z "$(oci_left /run/ctd-oci/default)" ]]
}
@test "checkpoint and restore" {
  ctrun -d localhost/bb:latest c sh -c 'i=0; while :; do echo $i > /tmp/count; i=$((i + 1)); sleep 0.1; done'
  sleep 1
  ct t checkpoint --image-path "$BATS_TEST_TMPDIR/cp" --work-path "$BATS_TEST_TMPDIR/work" c
  ls "$BATS_TEST_TMPDIR/cp"
}
@test "nothing is left" {
  [[ -z "$(oci_left /run/ctd-oci/default)" ]]
}
