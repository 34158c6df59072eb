#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: systemd
# Scopes of systemd for OCI containers: the program that makes them, and with them the runtime's --systemd-cgroup.
bats_require_minimum_version 1.5.0
load helpers

on_test_host() {
  [[ ${ARNIA_VM:-} == systemd && -d /run/systemd/system ]]
}
setup() {
  on_test_host || skip "systemd is not process 1 of a test host: tested there"
  sleepers=()
}
teardown() {
  on_test_host || return 0
  kill -KILL "${sleepers[@]}" 2> /dev/null || true
  [[ ! -d $BATS_TEST_TMPDIR/oci/try ]] || oci delete -f try || true
  systemctl stop arnia-try.scope arnia-user.service 2> /dev/null || true
}

scope() {
  timeout 60 "$ARNIA_BIN/arnia-oci-scope" "$@"
}
property() {
  systemctl show -P "$2" "$1"
}
sleeper() {
  sleep 1000 3>&- &
  sleepers+=($!)
  pid=$!
}
cgroup_of() {
  sed -n 's/^0:://p' "/proc/$1/cgroup"
}

has_failed() {
  [[ "$(property arnia-try.scope ActiveState)" == failed ]]
}

@test "a scope is made with its process, its slice and its properties, changed, and stopped" {
  sleeper
  run -0 scope start arnia-try.scope arnia-tests.slice "$pid" --property MemoryMax=t:67108864 --property TasksMax=t:50 \
    --property CPUWeight=t:33 --property AllowedCPUs=ay:01 --property CPUQuotaPeriodUSec=t:50000 \
    --property CPUQuotaPerSecUSec=t:500000 --property Description=s:"a try"
  [[ "$output" == /arnia.slice/arnia-tests.slice/arnia-try.scope ]]
  [[ "$(cgroup_of "$pid")" == "$output" ]]
  at=/sys/fs/cgroup$output
  [[ "$(< "$at/memory.max")" == 67108864 ]]
  [[ "$(< "$at/pids.max")" == 50 ]]
  [[ "$(< "$at/cpu.weight")" == 33 ]]
  [[ "$(< "$at/cpuset.cpus")" == 0 ]]
  [[ "$(< "$at/cpu.max")" == "25000 50000" ]]
  [[ "$(property arnia-try.scope Delegate)" == yes ]]
  [[ "$(property arnia-try.scope Description)" == "a try" ]]
  [[ "$(property arnia-try.scope CollectMode)" == inactive-or-failed ]]
  [[ "$(property arnia-try.scope DevicePolicy)" == auto ]]

  scope set arnia-try.scope --property MemoryMax=t:33554432 --property TasksMax=t:18446744073709551615 --property OOMPolicy=s:kill
  [[ "$(< "$at/memory.max")" == 33554432 ]]
  [[ "$(< "$at/pids.max")" == max ]]

  scope stop arnia-try.scope
  [[ ! -e $at ]]
  run ! kill -0 "$pid"
  [[ "$(property arnia-try.scope LoadState)" == not-found ]]
  scope stop arnia-try.scope
}

@test "our control files and device program outlive what systemd does to the scope" {
  sleeper
  run -0 scope start arnia-try.scope system.slice "$pid" --property MemoryMax=t:67108864
  at=/sys/fs/cgroup$output
  echo 12345 > "$at/cgroup.max.descendants"
  systemctl daemon-reload
  scope set arnia-try.scope --property MemoryMax=t:134217728
  [[ "$(< "$at/cgroup.max.descendants")" == 12345 ]]
  # systemd has no device program there: nothing stands beside, or takes the place of, ours.
  if command -v bpftool > /dev/null; then
    bpftool cgroup show "$at" > "$BATS_TEST_TMPDIR/programs"
    run ! grep device "$BATS_TEST_TMPDIR/programs"
  fi
}

@test "a unit that is there is not taken over; one that failed is" {
  sleeper
  first=$pid
  scope start arnia-try.scope system.slice "$first"
  sleeper
  run -1 scope start arnia-try.scope system.slice "$pid"
  [[ "$output" == "arnia-oci-scope: start arnia-try.scope: "*"arnia-try.scope"* ]]
  [[ "$(cgroup_of "$first")" == /system.slice/arnia-try.scope ]]
  scope stop arnia-try.scope

  sleeper
  scope start arnia-try.scope system.slice "$pid" --property RuntimeMaxUSec=t:100000 --property CollectMode=s:inactive
  wait_until 100 has_failed
  sleeper
  run -0 scope start arnia-try.scope system.slice "$pid"
  [[ "$output" == "$(cgroup_of "$pid")" ]]
  scope stop arnia-try.scope
}

@test "one line says what systemd did not like" {
  sleeper
  run -1 scope start arnia-try.scope system.slice "$pid" --property NoSuchThing=t:1
  [[ ${#lines[@]} -eq 1 && "$output" == *NoSuchThing* ]]
  run -1 scope start arnia-try.scope system.slice "$pid" --property MemoryMax=t:lots
  [[ ${#lines[@]} -eq 1 && "$output" == *MemoryMax* ]]
  run -1 scope start arnia-try.scope system.slice 4194303
  [[ ${#lines[@]} -eq 1 ]]
  run -1 scope start "no unit" system.slice "$pid"
  [[ ${#lines[@]} -eq 1 ]]
  run -1 scope set arnia-try.scope --property MemoryMax=t:1
  [[ ${#lines[@]} -eq 1 ]]
  scope stop never-there.scope
}

# A systemd of the user "daemon", as there is one for each who is logged in; no message bus.
user_systemd() {
  export XDG_RUNTIME_DIR=/run/arnia-user
  unset DBUS_SESSION_BUS_ADDRESS
  install -d -m 700 -o daemon "$XDG_RUNTIME_DIR"
  systemd-run -q --unit=arnia-user -p User=daemon -p Delegate=yes -E "XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR" /lib/systemd/systemd --user
  wait_until 100 test -S "$XDG_RUNTIME_DIR/systemd/private"
}
as_user() {
  timeout 60 setpriv --reuid daemon --regid daemon --clear-groups "$@"
}
user_sleeper() {
  setpriv --reuid daemon --regid daemon --clear-groups sleep 1000 3>&- &
  pid=$!
  sleepers+=("$pid")
  wait_until 10 is_daemons "$pid"
}
is_daemons() {
  [[ "$(ps -o euser=,comm= -p "$1" | tr -s ' ')" == "daemon sleep"* ]]
}

@test "a scope of a user's systemd, by the user and by root of the user's namespace" {
  user_systemd
  for how in "" "unshare -Ur"; do
    # The first process of a scope must be where the user may take it from.
    user_sleeper
    echo "$pid" > /sys/fs/cgroup/system.slice/arnia-user.service/init.scope/cgroup.procs
    # shellcheck disable=SC2086
    run -0 as_user $how "$ARNIA_BIN/arnia-oci-scope" start arnia-try.scope user.slice "$pid" --user --property TasksMax=t:50
    [[ "$output" == */arnia-user.service/user.slice/arnia-try.scope && "$output" == "$(cgroup_of "$pid")" ]]
    [[ "$(< "/sys/fs/cgroup$output/pids.max")" == 50 ]]
    # shellcheck disable=SC2086
    as_user $how "$ARNIA_BIN/arnia-oci-scope" set arnia-try.scope --user --property TasksMax=t:60
    [[ "$(< "/sys/fs/cgroup$output/pids.max")" == 60 ]]
    # shellcheck disable=SC2086
    as_user $how "$ARNIA_BIN/arnia-oci-scope" stop arnia-try.scope --user
    run ! kill -0 "$pid"
  done
  systemctl stop arnia-user.service
}

# ---- the runtime ----

oci() {
  timeout 60 "$ARNIA_BIN/arnia-oci" --root "$BATS_TEST_TMPDIR/oci" --systemd-cgroup "$@"
}
# A bundle that sleeps; "$1": what jq makes of its config.
bundle() {
  local at=$BATS_TEST_TMPDIR/bundle
  mkdir -p "$at"/rootfs/{bin,dev,proc,sys,tmp}
  cp "$(command -v busybox)" "$at/rootfs/bin/busybox"
  ln -sf busybox "$at/rootfs/bin/sh"
  (cd "$at" && oci spec)
  jq ".process.terminal = false | .root.readonly = false | .process.args = [\"busybox\", \"sleep\", \"1000\"] | .linux.cgroupsPath = \"arnia-tests.slice:arnia:try\"
    | $1" "$at/config.json" > "$at/new"
  mv "$at/new" "$at/config.json"
  cd "$at" || return
}
only_reading() {
  oci exec try busybox sh -c ': < /tmp/console && : > /dev/null'
  run oci exec try busybox sh -c ': > /tmp/console'
  [[ $status -ne 0 && "$output" == *"Operation not permitted"* ]]
}
needs_runtime() {
  [[ -x $ARNIA_BIN/arnia-oci ]] || skip "no runtime in this build"
}

@test "a container in a scope: systemd knows its limits, and keeps them" {
  needs_runtime
  bundle '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 50}, cpu: {shares: 2000}}
    | .annotations = {"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.Description": "'"'a container'"'"}'
  oci run -d try < /dev/null > /dev/null 2>&1 3>&-
  pid=$(oci state try | jq .pid)
  [[ "$(cgroup_of "$pid")" == /arnia.slice/arnia-tests.slice/arnia-try.scope ]]
  at=/sys/fs/cgroup$(cgroup_of "$pid")
  [[ "$(property arnia-try.scope MemoryMax)" == 67108864 && "$(< "$at/memory.max")" == 67108864 ]]
  [[ "$(property arnia-try.scope TasksMax)" == 50 && "$(property arnia-try.scope CPUWeight)" == 170 ]]
  [[ "$(property arnia-try.scope Description)" == "a container" ]]
  [[ "$(property arnia-try.scope TimeoutStopUSec)" == 7s ]]
  oci update --memory 32M try
  systemctl daemon-reload
  systemctl set-property --runtime arnia-try.scope TasksMax=60
  [[ "$(property arnia-try.scope MemoryMax)" == 33554432 && "$(< "$at/memory.max")" == 33554432 ]]
  oci delete -f try
  [[ ! -e $at ]]
  [[ "$(property arnia-try.scope LoadState)" == not-found ]]
}

@test "device rules of a container hold whatever systemd does to its scope" {
  needs_runtime
  bundle '.linux.resources = {devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 5, minor: 1, access: "r"}]}
    | .process.capabilities = {bounding: ["CAP_MKNOD"], effective: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"]}'
  oci run -d try < /dev/null > /dev/null 2>&1 3>&-
  oci exec try busybox mknod /tmp/console c 5 1
  only_reading
  systemctl daemon-reload
  systemctl set-property --runtime arnia-try.scope TasksMax=60
  only_reading
  oci update --pids-limit 40 try
  only_reading
  oci delete -f try
}

@test "--log to the journal and to syslog: it has the entries" {
  needs_runtime
  run -1 oci --log journald:arnia-told --debug state nope
  run -1 oci --log syslog:arnia-told --log-format json state nope
  journalctl --sync
  run -0 journalctl -t arnia-told -o json
  jq -r '.PRIORITY + " " + ._TRANSPORT + " " + .MESSAGE' <<< "$output" > "$BATS_TEST_TMPDIR/entries"
  cat "$BATS_TEST_TMPDIR/entries"
  grep -q '^7 journal state nope below ' "$BATS_TEST_TMPDIR/entries"
  grep -qx '3 journal container does not exist' "$BATS_TEST_TMPDIR/entries"
  grep -q '^3 syslog {"level":"error","msg":"container does not exist","time":' "$BATS_TEST_TMPDIR/entries"
}
