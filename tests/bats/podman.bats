# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016
# Podman from Debian, with arnia-oci as its runtime.
# test-host: systemd
bats_require_minimum_version 1.5.0
load helpers
load images

setup_file() {
  [[ -n ${ARNIA_VM:-} ]] || return 0
  image_tar "$BATS_FILE_TMPDIR"
  timeout "$((60 * ${ARNIA_SLOW:-1}))" podman import -q "$BATS_FILE_TMPDIR/rootfs.tar" bb > /dev/null
}
setup() {
  # it would change what the machine's Podman has
  [[ -n ${ARNIA_VM:-} ]] || skip "only in the test host"
}
teardown() {
  [[ -z ${service:-} ]] || kill "$service" 2> /dev/null || true
  pm rm -f -a -t 0 > /dev/null 2>&1 || true
}
pm() {
  timeout "$((120 * ${ARNIA_SLOW:-1}))" podman --runtime "$ARNIA_BIN/arnia-oci" "$@"
}

@test "run: output, exit code, input, environment, user, working directory" {
  [[ "$(pm run --rm bb echo hello)" == hello ]]
  run pm run --rm bb sh -c 'exit 42'
  echo "$output"
  [[ "$status" -eq 42 ]]
  [[ "$(echo word | pm run --rm -i bb cat)" == word ]]
  [[ "$(pm run --rm -e A=b -w /tmp -u 1000:1001 bb sh -c 'echo $A $PWD $(id -u):$(id -g)')" == "b /tmp 1000:1001" ]]
}
@test "what cannot be run has podman's exit codes" {
  run pm run --rm bb nosuch
  echo "$output"
  [[ "$status" -eq 127 ]]
  run pm run --rm bb /etc
  echo "$output"
  [[ "$status" -eq 126 ]]
}
@test "-it: a terminal" {
  run script -qec "podman --runtime $ARNIA_BIN/arnia-oci run --rm -it bb sh -c 'tty; test -t 0 && echo terminal'" /dev/null < /dev/null
  echo "$output"
  [[ "$status" -eq 0 && "$output" == *terminal* ]]
}
@test "-d, exec, logs, ps, stats, top, stop, inspect" {
  pm run -d --name web bb sh -c 'trap "exit 3" TERM; echo begun; while :; do sleep 0.1; done'
  [[ "$(pm exec web sh -c 'echo in; exit 0')" == in ]]
  run pm exec web sh -c 'exit 9'
  [[ "$status" -eq 9 ]]
  [[ "$(pm logs web)" == begun ]]
  pm ps --format '{{.Names}} {{.Status}}' | grep -q '^web Up'
  run pm stats --no-stream --format '{{.Name}} {{.PIDs}}' web
  echo "$output"
  [[ "$status" -eq 0 && "$output" == "web "* ]]
  pm top web
  [[ "$(pm inspect -f '{{.OCIRuntime}}' web)" == *arnia-oci* ]]
  pm pause web
  [[ "$(pm inspect -f '{{.State.Status}}' web)" == paused ]]
  pm unpause web
  pm stop -t 5 web
  [[ "$(pm inspect -f '{{.State.ExitCode}}' web)" -eq 3 ]]
}
@test "limits: memory, pids, cpus, and their change" {
  pm run -d --name lim --memory 32m --pids-limit 20 --cpus 0.5 bb sleep 1000
  pm exec lim sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max' > "$BATS_TEST_TMPDIR/o"
  cat "$BATS_TEST_TMPDIR/o"
  diff "$BATS_TEST_TMPDIR/o" <(printf '33554432\n20\n50000 100000\n')
  run pm run --rm --memory 16m --memory-swap 16m bb sh -c 'head -c 64m /dev/zero | tail'
  echo "$status $output"
  [[ "$status" -ne 0 ]]
  if pm update --help > /dev/null 2>&1; then
    pm update --memory 48m lim
    [[ "$(pm exec lim cat /sys/fs/cgroup/memory.max)" -eq $((48 << 20)) ]]
  fi
}
@test "a pod shares its namespaces" {
  pm pod create --infra-image localhost/bb --infra-command 'sleep 1000' --name p
  pm run -d --pod p --name a bb sh -c 'while :; do echo here | nc -l -p 8000; done'
  sleep 1
  [[ "$(pm run --rm --pod p bb sh -c 'nc 127.0.0.1 8000 < /dev/null')" == here ]]
  pm pod rm -f -t 0 p
}
@test "a build" {
  printf 'FROM bb\nRUN echo made > /made && id > /who\nCMD ["cat", "/made"]\n' > "$BATS_TEST_TMPDIR/Containerfile"
  pm build -q -t made "$BATS_TEST_TMPDIR"
  [[ "$(pm run --rm made)" == made ]]
}
@test "a health check" {
  pm run -d --name sick --health-cmd 'test -e /well' --health-interval disable bb sleep 1000
  run pm healthcheck run sick
  [[ "$status" -ne 0 ]]
  pm exec sick touch /well
  pm healthcheck run sick
}
@test "--userns=auto: ids of its own" {
  grep -q '^containers:' /etc/subuid || echo 'containers:2147483647:2147483648' | tee -a /etc/subuid >> /etc/subgid
  [[ "$(pm run --rm --userns=auto bb sh -c 'cat /proc/self/uid_map | wc -l; id -u')" == $'1\n0' ]]
  run pm run --rm --userns=auto bb sh -c 'read a b c < /proc/self/uid_map; test $b -gt 0'
  echo "$output"
  [[ "$status" -eq 0 ]]
}
@test "volumes, tmpfs, read-only, capabilities, devices, sysctls, ulimits, hosts" {
  mkdir -p "$BATS_TEST_TMPDIR/v"
  echo data > "$BATS_TEST_TMPDIR/v/f"
  [[ "$(pm run --rm -v "$BATS_TEST_TMPDIR/v:/v:ro" bb cat /v/f)" == data ]]
  run pm run --rm -v "$BATS_TEST_TMPDIR/v:/v:ro" bb touch /v/g
  [[ "$status" -ne 0 ]]
  pm run --rm --read-only --tmpfs /t bb sh -c 'touch /t/x && ! touch /y'
  [[ "$(pm run --rm --cap-drop all bb grep CapEff /proc/self/status)" == *0000000000000000 ]]
  pm run --rm --privileged bb sh -c 'test -e /dev/vda && mount -t tmpfs x /tmp'
  [[ "$(pm run --rm --sysctl net.ipv4.ip_forward=1 bb cat /proc/sys/net/ipv4/ip_forward)" == 1 ]]
  [[ "$(pm run --rm --ulimit nofile=77:88 bb sh -c 'ulimit -n')" == 77 ]]
  pm run --rm --device /dev/zero:/dev/z bb sh -c 'head -c 4 /dev/z | wc -c'
}
@test "cgroupfs as cgroup manager" {
  [[ "$(pm --cgroup-manager cgroupfs run --rm bb echo hello)" == hello ]]
}
@test "a plain user: ids by newuidmap, exec, no network of its own" {
  local home=/home/pod
  id pod > /dev/null 2>&1 || useradd -m -u 4321 pod
  grep -q '^pod:' /etc/subuid || echo 'pod:200000:65536' | tee -a /etc/subuid >> /etc/subgid
  install -d -m 700 -o pod /run/user/4321
  cp "$BATS_FILE_TMPDIR/rootfs.tar" "$home/rootfs.tar"
  cat > "$home/go" << X
cd $home
export HOME=$home XDG_RUNTIME_DIR=/run/user/4321
p() { timeout $((120 * ${ARNIA_SLOW:-1})) podman --runtime $ARNIA_BIN/arnia-oci --cgroup-manager cgroupfs --events-backend file "\$@"; }
p import -q rootfs.tar bb > /dev/null
p run --rm --network none bb sh -c 'id -u; wc -l < /proc/self/uid_map; touch /x && stat -c %u /x 2> /dev/null || true'
p run -d --network none --name w bb sleep 1000 > /dev/null
p exec w id -u
p rm -f -t 0 w > /dev/null
X
  # it warns of what a session would have
  run --separate-stderr setpriv --reuid 4321 --regid 4321 --init-groups bash "$home/go"
  echo "$output"
  [[ "$status" -eq 0 && "${lines[*]}" == "0 2 "* && "${lines[-1]}" == 0 ]]
}
@test "checkpoint and restore" {
  pm run -d --name cp bb sh -c 'i=0; while :; do echo $i > /count; i=$((i + 1)); sleep 0.1; done'
  sleep 1
  pm container checkpoint cp
  [[ "$(pm inspect -f '{{.State.Running}}' cp)" == false ]]
  pm container restore cp
  [[ "$(pm inspect -f '{{.State.Running}}' cp)" == true ]]
  pm exec cp cat /count
}
# Nomad's podman driver speaks to it so, and knows of no runtime.
@test "the service: a container by its socket, with the runtime of containers.conf" {
  printf '[engine]\nruntime = "arnia-oci"\n[engine.runtimes]\narnia-oci = ["%s"]\n' "$ARNIA_BIN/arnia-oci" > "$BATS_TEST_TMPDIR/containers.conf"
  CONTAINERS_CONF=$BATS_TEST_TMPDIR/containers.conf podman system service -t 0 unix:///run/podman-t.sock > "$BATS_TEST_TMPDIR/service" 2>&1 3>&- &
  service=$!
  wait_until 100 test -S /run/podman-t.sock
  served POST containers/create -H 'Content-Type: application/json' -d '{"name": "svc", "image": "localhost/bb", "command": ["sh", "-c", "echo served; exit 5"],
    "resource_limits": {"memory": {"limit": 33554432}}}'
  served POST containers/svc/start
  [[ "$(served POST containers/svc/wait)" == 5 ]]
  [[ "$(served GET 'containers/svc/logs?stdout=true' | tr -dc a-z)" == served ]]
  [[ "$(served GET containers/svc/json)" == *'"OCIRuntime":"arnia-oci"'* ]]
  served DELETE containers/svc
  kill "$service"
}
# served METHOD PATH [OPTION...]
served() {
  curl -sS --max-time "$((60 * ${ARNIA_SLOW:-1}))" -X "$1" --unix-socket /run/podman-t.sock "http://d/v4.0.0/libpod/$2" "${@:3}"
}
@test "nothing is left" {
  [[ -z "$(oci_left /run/arnia-oci; find /sys/fs/cgroup -name 'libpod-*')" ]]
}
@test "--sdnotify=container: a unit is up when the program inside says so" {
  local unit=arnia-sdnotify-$$
  # It fails, by its timeout, when nobody is told.
  timeout "$((120 * ${ARNIA_SLOW:-1}))" systemd-run -q --unit="$unit" -p Type=notify -p NotifyAccess=all -p TimeoutStartSec=90 \
    podman --runtime "$ARNIA_BIN/arnia-oci" run -d --sdnotify=container --name sdn -v "$ARNIA_FAKES/oci_aid:/aid:ro" bb \
    sh -c 'echo "socket $NOTIFY_SOCKET"; /aid ready STATUS=begun; sleep 1; echo said; /aid ready READY=1; exec sleep 1000'
  [[ "$(systemctl show -P ActiveState "$unit")" == active ]]
  [[ "$(pm logs sdn)" == $'socket /run/notify/notify.sock\nsaid' ]]
  # Podman says who is to be watched: conmon.
  [[ "$(systemctl show -P MainPID "$unit")" == "$(pm inspect -f '{{.State.ConmonPid}}' sdn)" ]]
  pm rm -f -t 0 sdn
  systemctl stop "$unit"
}
