# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# Docker's engine from Debian, as its unit starts it, with arnia-oci as a runtime of daemon.json. Nomad's docker driver drives this engine.
# test-host: systemd
bats_require_minimum_version 1.5.0
load helpers
load images

setup_file() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  image_tar "$BATS_FILE_TMPDIR"
  # It forwards, and sets up a firewall of its own.
  nft list ruleset > "$BATS_FILE_TMPDIR/nft"
  cat /proc/sys/net/ipv4/ip_forward > "$BATS_FILE_TMPDIR/forward"
  mkdir -p /etc/docker
  echo '{ "runtimes": { "arnia": { "path": "'"$ARNIA_BIN/arnia-oci"'" } } }' > /etc/docker/daemon.json
  systemctl start docker || { journalctl -u docker --no-pager | tail -n 20 >&3; return 1; }
  docker import "$BATS_FILE_TMPDIR/rootfs.tar" bb > /dev/null
  # One container for what is done to one that runs: each start takes seconds on the test host.
  drun -d --name web --memory 32m --pids-limit 20 --cpus 0.5 --cpuset-cpus 0 --cpu-shares 512 --ipc shareable \
    --health-cmd 'test -e /well' --health-interval 1s --health-retries 1 \
    bb sh -c 'trap "exit 3" TERM; trap "echo hup" HUP; echo begun; echo bad >&2; while :; do sleep 0.1; done' > /dev/null
}
teardown_file() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  # shellcheck disable=SC2046
  docker rm -f $(docker ps -aq) > /dev/null 2>&1 || true
  systemctl stop docker docker.socket containerd
  ip link del docker0 2> /dev/null || true
  { echo 'flush ruleset'; cat "$BATS_FILE_TMPDIR/nft"; } | nft -f -
  cat "$BATS_FILE_TMPDIR/forward" > /proc/sys/net/ipv4/ip_forward
  rm -f /etc/docker/daemon.json
}
setup() {
  [[ -n ${ARNIA_VM:-} ]] || skip "only in the test host: it has Docker, whose engine changes firewall and links"
}
dk() {
  timeout "$((60 * ${ARNIA_SLOW:-1}))" docker "$@"
}
drun() {
  dk run --runtime arnia "$@"
}
# Asked by its socket: the client takes a second to start on the test host.
inspect() {
  curl -s --unix-socket /run/docker.sock "http://docker/containers/$1/json"
}
# is NAME TEXT: its state has the text, as JSON.
is() {
  [[ "$(inspect "$1")" == *"\"State\":{"*"$2"* ]]
}
pid_of() {
  inspect "$1" | sed 's/.*"Pid":\([0-9]*\),.*/\1/'
}
# cgroup_of NAME: the folder of a running container's limits.
cgroup_of() {
  echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$1")/cgroup")"
}
logged() {
  [[ "$(dk logs web 2> /dev/null)" == *"$1"* ]]
}
terminal() {
  timeout "$((60 * ${ARNIA_SLOW:-1}))" script -qec "$1" /dev/null < /dev/null
}

@test "run: output, exit code, input, environment, user, working directory, no network" {
  run -42 drun --rm -i --network none -e A=b -w /tmp -u 1000:1001 bb sh -c 'cat; echo $A $PWD $(id -u):$(id -g); ls /sys/class/net; exit 42' <<< word
  echo "$output"
  [[ "$output" == $'word\nb /tmp 1000:1001\nlo' ]]
}
@test "what cannot be run has docker's exit codes" {
  run -127 drun --rm --network none bb nosuch
  echo "$output"
  [[ "$output" == *"executable file not found"* ]]
  run -126 dk exec web /etc
}
@test "-it: a terminal, by run and by exec" {
  run -7 terminal "docker run --runtime arnia --rm -it --network none bb sh -c 'tty; test -t 0 && echo terminal; exit 7'"
  echo "$output"
  [[ "$output" == *terminal* ]]
  run -0 terminal "docker exec -it web sh -c 'test -t 1 && tty'"
  echo "$output"
  [[ "$output" == *"/dev/pts/"* ]]
}
@test "exec, logs, ps, top, stats, pause" {
  [[ "$(inspect web)" == *'"Runtime":"arnia"'* ]]
  run -9 dk exec -e X=y -u 5:6 -w /etc web sh -c 'echo $X $PWD $(id -u):$(id -g); exit 9'
  [[ "$output" == "y /etc 5:6" ]]
  run -0 dk exec --privileged web grep CapEff /proc/self/status
  [[ "$output" == *3fffffffff || "$output" == *1ffffffffff ]]
  [[ "$(dk ps --format '{{.Names}} {{.Status}}')" == "web Up"* ]]
  [[ "$(dk top web -o pid,args)" == *"trap"* ]]
  run -0 dk stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemUsage}}' web
  echo "$output"
  [[ "$output" =~ ^web\ [1-9] && "$output" != *" 0B /"* ]]
  dk pause web
  is web '"Status":"paused"'
  dk unpause web
  is web '"Status":"running"'
  dk kill -s HUP web
  wait_until 50 logged hup
  [[ "$(dk logs web 2>&1 > /dev/null)" == bad ]]
}
@test "limits: memory, pids, processors, and their change; killed for memory" {
  local at
  at=$(cgroup_of web)
  [[ "$at" == */system.slice/docker-*.scope ]]
  head "$at"/{memory.max,pids.max,cpu.max,cpuset.cpus,cpu.weight}
  [[ "$(< "$at/memory.max")" == 33554432 && "$(< "$at/pids.max")" == 20 && "$(< "$at/cpu.max")" == "50000 100000" ]]
  [[ "$(< "$at/cpuset.cpus")" == 0 && "$(< "$at/cpu.weight")" == 59 ]]
  # the same inside
  [[ "$(dk exec web cat /sys/fs/cgroup/memory.max)" == 33554432 ]]
  dk update --memory 48m --memory-swap 64m --cpus 0.25 --pids-limit 30 web
  head "$at"/{memory.max,memory.swap.max,pids.max,cpu.max}
  [[ "$(< "$at/memory.max")" == $((48 << 20)) && "$(< "$at/memory.swap.max")" == $((16 << 20)) ]]
  [[ "$(< "$at/cpu.max")" == "25000 100000" && "$(< "$at/pids.max")" == 30 ]]
  run drun --name oom --network none --memory 16m --memory-swap 16m bb sh -c 'head -c 64m /dev/zero | tail'
  echo "$status $output"
  [[ "$status" -ne 0 ]]
  wait_until 50 is oom '"OOMKilled":true'
}
@test "a health check" {
  wait_until 100 is web '"Health":{"Status":"unhealthy"'
  dk exec web touch /well
  wait_until 100 is web '"Health":{"Status":"healthy"'
}
@test "read-only, tmpfs, volumes, capabilities, seccomp, AppArmor, devices, ulimits, sysctls, hosts" {
  mkdir -p "$BATS_TEST_TMPDIR/v"
  echo data > "$BATS_TEST_TMPDIR/v/f"
  echo '{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": ["mkdir"], "action": "SCMP_ACT_ERRNO" } ] }' > "$BATS_TEST_TMPDIR/seccomp.json"
  run -0 drun --rm --read-only --tmpfs /t:size=1m,mode=1777 -v "$BATS_TEST_TMPDIR/v:/v:ro" -v kept:/kept \
    --mount type=bind,source="$BATS_TEST_TMPDIR/v",target=/w --cap-drop all --cap-add net_raw \
    --security-opt no-new-privileges --security-opt seccomp="$BATS_TEST_TMPDIR/seccomp.json" --init --shm-size 2m \
    --device /dev/vda:/dev/z:r --ulimit nofile=77:88 --sysctl net.ipv4.ip_default_ttl=33 --hostname h --add-host there:192.0.2.7 \
    bb sh -c '
      touch /t/x && ! touch /y 2> /dev/null && echo tmpfs
      cat /v/f; ! touch /v/g 2> /dev/null && touch /w/g && touch /kept/k && echo volumes
      grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/self/status
      mkdir /t/d 2> /dev/null || echo no mkdir
      cat /proc/self/attr/current; cat /proc/1/comm
      head -c 4 /dev/z | wc -c; (: > /dev/z) 2> /dev/null || echo no writing
      ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl; hostname; grep -c there /etc/hosts; grep -c "^shm /dev/shm .*size=2048k" /proc/mounts'
  echo "$output"
  [[ "$output" == $'tmpfs\ndata\nvolumes\nCapEff:\t0000000000002000\nCapBnd:\t0000000000002000\nNoNewPrivs:\t1\nSeccomp:\t2\nno mkdir\n'* ]]
  [[ "$output" == *$'\ndocker-default (enforce)\ndocker-init\n4\nno writing\n77\n33\nh\n1\n1' ]]
  [[ -e $BATS_TEST_TMPDIR/v/g && -e /var/lib/docker/volumes/kept/_data/k ]]
}
@test "namespaces: another container's, the host's; --privileged" {
  local ns
  ns=/proc/$(pid_of web)/ns
  run -0 drun --rm --network container:web --ipc container:web --pid container:web bb \
    sh -c 'for n in net ipc pid mnt uts; do readlink /proc/self/ns/$n; done'
  echo "$output"
  [[ "${lines[0]}" == "$(readlink "$ns/net")" && "${lines[1]}" == "$(readlink "$ns/ipc")" && "${lines[2]}" == "$(readlink "$ns/pid")" ]]
  [[ "${lines[3]}" != "$(readlink "$ns/mnt")" && "${lines[4]}" != "$(readlink "$ns/uts")" ]]
  run -0 drun --rm --network host --ipc host --pid host --uts host --cgroupns host --privileged bb \
    sh -c 'for n in net ipc pid uts cgroup; do readlink /proc/self/ns/$n; done; test -e /dev/vda && mount -t tmpfs x /tmp && echo mounted'
  echo "$output"
  [[ "$output" == "$(readlink /proc/1/ns/{net,ipc,pid,uts,cgroup}; echo mounted)" ]]
}
@test "a network with a bridge, and a published port" {
  drun -d --name srv -p 127.0.0.1:8099:8000 bb sh -c 'while :; do echo here | nc -l -p 8000; done' > /dev/null
  wait_until 50 answers
  dk rm -f srv > /dev/null
}
answers() {
  [[ "$(timeout 10 nc -w 5 127.0.0.1 8099 < /dev/null)" == here ]]
}
@test "restart, kill, wait" {
  dk restart -t 5 web
  is web '"Running":true'
  [[ "$(dk logs web 2> /dev/null | grep -c begun)" -eq 2 ]]
  dk kill web
  [[ "$(dk wait web)" -eq 137 ]]
}
@test "a build, with the runtime as the default; a restart of the engine leaves containers alone" {
  local pid
  echo '{ "default-runtime": "arnia", "live-restore": true, "runtimes": { "arnia": { "path": "'"$ARNIA_BIN/arnia-oci"'" } } }' > /etc/docker/daemon.json
  systemctl reload docker
  wait_until 50 default_is_ours
  printf 'FROM bb\nRUN echo made > /made\n' > "$BATS_TEST_TMPDIR/Dockerfile"
  dk build -q -t made "$BATS_TEST_TMPDIR"
  dk run -d --name live --network none made sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'
  pid=$(pid_of live)
  [[ "$pid" -gt 0 && "$(cat "/proc/$pid/root/made")" == made ]]
  systemctl restart docker
  [[ "$(pid_of live)" -eq "$pid" ]]
  dk stop -t 5 live
  is live '"ExitCode":4,'
}
default_is_ours() {
  [[ "$(curl -s --unix-socket /run/docker.sock http://docker/info)" == *'"DefaultRuntime":"arnia"'* ]]
}
@test "nothing is left" {
  # shellcheck disable=SC2046
  dk rm -f $(dk ps -aq) > /dev/null
  [[ -z "$(dk ps -aq)" ]]
  [[ -z "$(oci_left /run/docker/runtime-runc/moby; ls /run/containerd/io.containerd.runtime.v2.task/moby)" ]]
  [[ -z "$(find /sys/fs/cgroup -name 'docker-*.scope'; systemctl list-units --all --plain --no-legend 'docker-*.scope')" ]]
  [[ -z "$(pgrep -fl "$ARNIA_BIN/arnia-oci")" ]]
}
