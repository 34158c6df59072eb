# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# What a kubelet asks of containerd: its CRI plugin, with arnia-oci as the runtime of a handler, and systemd's cgroups.
# test-host: systemd
bats_require_minimum_version 1.5.0
load helpers
load images
load cri

setup_file() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  local at=$BATS_FILE_TMPDIR
  [[ -e /etc/resolv.conf ]] || : > /etc/resolv.conf # a pod gets a copy
  image_tar "$at"
  image_archive "$at" localhost/bb:latest
  modprobe overlay 2> /dev/null || true
  cat > "$at/config.toml" << T
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/bb:latest"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.arnia]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.arnia.options]
      BinaryName = "$ARNIA_BIN/arnia-oci"
      SystemdCgroup = true
T
  containerd -c "$at/config.toml" --root "$at/root" --state /run/containerd-cri --address "$CRI_SOCKET" > "$at/log" 2>&1 3>&- &
  echo $! > "$at/pid"
  wait_until 300 test -S "$CRI_SOCKET"
  timeout "$((60 * ${ARNIA_SLOW:-1}))" ctr -a "$CRI_SOCKET" -n k8s.io images import "$at/image.tar" > /dev/null
  pod web > "$at/web"
}
teardown_file() {
  [[ ! -e $BATS_FILE_TMPDIR/pid ]] || kill "$(< "$BATS_FILE_TMPDIR/pid")" || true
}
setup() {
  [[ -n ${ARNIA_VM:-} ]] || skip "only in the test host"
  web=$(< "$BATS_FILE_TMPDIR/web")
  slice=/sys/fs/cgroup/kubepods.slice/kubepods-podweb.slice
}
teardown() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  tail -n 5 "$BATS_FILE_TMPDIR/log"
  for c in $(cri ListContainers | sed -n 's/^ *id: "\(.*\)"/\1/p'); do
    cri StopContainer "container_id: '$c'"
    cri RemoveContainer "container_id: '$c'"
  done
}

@test "a pod and a container: states, log, exec, stop, remove" {
  local c
  cri PodSandboxStatus "pod_sandbox_id: '$web'" | grep 'runtime_handler: "arnia"'
  "$ARNIA_BIN/arnia-oci" --root "$RUNC_ROOT" state "$web" | grep '"status": "running"'
  c=$(made web one 'trap "exit 7" TERM; echo out; echo err >&2; while :; do sleep 0.1; done')
  [[ -z "$(state_of "$c")" && ! -e $RUNC_ROOT/$c ]]
  cri StartContainer "container_id: '$c'"
  [[ "$(state_of "$c")" == CONTAINER_RUNNING ]]
  "$ARNIA_BIN/arnia-oci" --root "$RUNC_ROOT" state "$c" | grep '"status": "running"'
  wait_until 50 grep ' stderr F err$' "$BATS_FILE_TMPDIR/pod-web/one.log"
  grep ' stdout F out$' "$BATS_FILE_TMPDIR/pod-web/one.log"
  [[ "$(in_it "$c" hostname)" == "$(hostname)" ]] # the network is the host's, so is its name
  run in_it "$c" sh -c 'exit 9'
  [[ "$status" -eq 9 ]]
  cri StopContainer "container_id: '$c' timeout: 100"
  cri ContainerStatus "container_id: '$c'" | grep 'exit_code: 7'
  cri RemoveContainer "container_id: '$c'"
  run cri ContainerStatus "container_id: '$c'"
  [[ "$status" -ne 0 && ! -e $RUNC_ROOT/$c ]]
}
@test "a probe that takes too long is killed" {
  local c
  c=$(started web probe 'sleep 1000')
  run cri ExecSync "container_id: '$c' cmd: ['sleep', '4321'] timeout: 1"
  echo "$output"
  [[ "$status" -ne 0 && "$output" == *"timeout 1s exceeded"* ]]
  run in_it "$c" ps
  echo "$output"
  [[ "$output" == *"sleep 1000"* && "$output" != *"sleep 4321"* ]]
}
@test "a container that ends is made again in its pod" {
  local c d
  c=$(started web again 'exit 3')
  wait_until 50 ended "$c"
  cri ContainerStatus "container_id: '$c'" | grep 'exit_code: 3'
  d=$(ATTEMPT=1 started web again 'sleep 1000')
  [[ "$(state_of "$d")" == CONTAINER_RUNNING && "$c" != "$d" ]]
}
@test "limits below the pod's slice, changed while it runs, and what is used" {
  local c at
  c=$(RESOURCES='cpu_period: 100000 cpu_quota: 20000 cpu_shares: 512 memory_limit_in_bytes: 33554432 oom_score_adj: 900' \
    started web limits 'sleep 1000')
  at=$slice/cri-containerd-$c.scope
  [[ "$(< "$at/memory.max")" == 33554432 && "$(< "$at/cpu.max")" == "20000 100000" ]]
  [[ "$(in_it "$c" cat /proc/1/oom_score_adj)" == 900 ]]
  cri UpdateContainerResources "container_id: '$c' linux { cpu_period: 100000 cpu_quota: 30000 memory_limit_in_bytes: 67108864 }"
  [[ "$(< "$at/memory.max")" == 67108864 && "$(< "$at/cpu.max")" == "30000 100000" ]]
  [[ "$(systemctl show -P MemoryMax "cri-containerd-$c.scope")" == 67108864 ]]
  run cri ContainerStats "container_id: '$c'"
  echo "$output"
  [[ "$output" == *usage_core_nano_seconds*value:\ [1-9]*working_set_bytes*value:\ [1-9]* ]]
}
@test "too much memory: the process is killed, and why is known" {
  local c
  # containerd hears of it while the container runs; of one that is over at once, not always
  c=$(RESOURCES='memory_limit_in_bytes: 33554432' started web oom 'sleep 2; dd if=/dev/zero of=/dev/null bs=200M count=9; sleep 10')
  wait_until 100 ended "$c"
  cri ContainerStatus "container_id: '$c'" | grep 'reason: "OOMKilled"'
}
@test "security: user, group, read-only root, capabilities, system calls, privileges" {
  local c
  c=$(SECURITY='run_as_user { value: 1000 } run_as_group { value: 2000 } readonly_rootfs: true no_new_privs: true
    capabilities { drop_capabilities: "ALL" } seccomp { profile_type: RuntimeDefault }' started web safe 'sleep 1000')
  run in_it "$c" id
  [[ "$output" == "uid=1000 gid=2000"* ]]
  run in_it "$c" grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/1/status
  echo "$output"
  [[ "$output" == *CapBnd:*0000000000000000*NoNewPrivs:*1*Seccomp:*2* ]]
  run in_it "$c" touch /tmp/x
  echo "$output"
  [[ "$status" -ne 0 ]]
}
@test "volumes: what is mounted on the host later comes in, or stays out" {
  local c v=$BATS_TEST_TMPDIR/volume
  mkdir -p "$v/late"
  # as the kubelet's folder is on a host of systemd's
  mount --bind "$v" "$v"
  mount --make-shared "$v"
  c=$(MOUNTS="mounts { container_path: '/private' host_path: '$v' }
    mounts { container_path: '/slave' host_path: '$v' propagation: PROPAGATION_HOST_TO_CONTAINER }
    mounts { container_path: '/shared' host_path: '$v' propagation: PROPAGATION_BIDIRECTIONAL }
    mounts { container_path: '/ro' host_path: '$v' readonly: true }" started web volume 'sleep 1000')
  mount -t tmpfs tmpfs "$v/late"
  touch "$v/late/file"
  run in_it "$c" ls /private/late /shared/late /slave/late
  umount "$v/late"
  umount "$v"
  echo "$output"
  [[ "$output" == $'/private/late:\n\n/shared/late:\nfile\n\n/slave/late:\nfile' ]]
  in_it "$c" touch /slave/inside
  [[ -e $v/inside ]]
  run in_it "$c" touch /ro/inside
  [[ "$status" -ne 0 ]]
}
@test "processes of a pod see each other" {
  local id c
  id=$(PID=POD pod shared)
  c=$(PID=POD started shared one 'sleep 1234')
  run in_it "$c" ps
  echo "$output"
  [[ "$output" == *"sleep 1000000"*"sleep 1234"* ]]
  # the pod with all that is in it
  cri StopPodSandbox "pod_sandbox_id: '$id'"
  [[ "$(state_of "$c")" == CONTAINER_EXITED ]]
  cri RemovePodSandbox "pod_sandbox_id: '$id'"
  [[ ! -e $RUNC_ROOT/$id && ! -e $RUNC_ROOT/$c ]]
}
@test "what cannot be run is said" {
  local c
  c=$(made web wrong '["nosuch"]')
  run cri StartContainer "container_id: '$c'"
  echo "$output"
  [[ "$status" -ne 0 && "$output" == *'"nosuch": executable file not found in $PATH'* ]]
  [[ "$(state_of "$c")" == CONTAINER_EXITED && ! -e $RUNC_ROOT/$c ]]
}
@test "nothing is left" {
  cri StopPodSandbox "pod_sandbox_id: '$web'"
  cri RemovePodSandbox "pod_sandbox_id: '$web'"
  [[ -z "$(cri ListPodSandbox)" && -z "$(oci_left "$RUNC_ROOT")" ]]
  [[ -z "$(systemctl list-units --plain --no-legend 'cri-containerd-*')" ]]
  [[ -z "$(find /sys/fs/cgroup -name '*cri-containerd*')" ]]
  ! grep -E "$BATS_FILE_TMPDIR|/run/containerd-cri" /proc/self/mountinfo
}
