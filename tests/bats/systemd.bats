#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: systemd
# The units: activation, stop, restart, kill and reload with machines that run, a daemon that was there before, the end.
bats_require_minimum_version 1.5.0
load helpers

# It is the host's main instance, and its systemd, so only ever on the test host.
on_test_host() {
  [[ ${ARNIA_VM:-} == systemd && -d /run/systemd/system ]]
}
setup() {
  on_test_host || skip "systemd is not process 1 of a test host: tested there"
}
setup_file() {
  on_test_host || return 0
  local u
  for u in "$BATS_TEST_DIRNAME"/../../systemd/*; do
    sed "s|@LIBEXECDIR@|$ARNIA_BIN|" "$u" > "/run/systemd/system/${u##*/}"
  done
  systemctl daemon-reload
  unset ARNIA_ROOT
  cut -d' ' -f5 /proc/self/mountinfo | sort > "$BATS_FILE_TMPDIR/mounts"
}
teardown_file() {
  on_test_host || return 0
  arnia host shutdown --kill -y > /dev/null 2>&1 || true
  systemctl stop arnia.socket arnia.service arnia-machines.service
  rm -f /run/systemd/system/arnia*
  systemctl daemon-reload
}
teardown() {
  on_test_host || return 0
  systemctl start arnia.socket
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
}

arnia() {
  timeout 60 "$ARNIA_BIN/arnia" "$@"
}
property() {
  systemctl show -P "$2" "$1"
}
cgroup_of() {
  sed -n 's/^0:://p' "/proc/$1/cgroup"
}
keeper_is() {
  [[ "$(keeper_pid)" == "$1" ]]
}
# A machine that prints, and serves a page on port 8080; and what must be true of it all the time.
web_up() {
  arnia run -d --name web --memory 64M -p 8080:80 busybox sh -c \
    'mkdir /www; echo hello > /www/index.html; httpd -p 80 -h /www; i=0; while :; do echo "tick $i"; i=$((i + 1)); sleep 0.1; done'
  wait_until 50 answers
  WEB=$(pid_of web) LOG=/var/lib/arnia/containers/$(id_of web)/log
}
answers() {
  [[ "$(curl -sf -m 5 http://127.0.0.1:8080/)" == hello ]]
}
grows() {
  local size
  size=$(stat -c %s "$LOG")
  wait_until 30 sh -c "[ \$(stat -c %s $LOG) -gt $size ]"
}
web_goes_on() {
  [[ "$(state_of web)" == running && "$(pid_of web)" == "$WEB" && -d /proc/$WEB ]] || { arnia list; return 1; }
  answers || { echo "its port does not answer"; return 1; }
  grows || { echo "its log does not grow"; return 1; }
  [[ "$(arnia exec web echo in)" == in ]]
}
# No line of its output is missing. A quick host is here before forty lines are written.
log_is_whole() {
  wait_until 100 sh -c '[ "$(arnia logs web | wc -l)" -ge 40 ]'
  diff <(arnia logs web | head -n 40) <(seq 0 39 | sed 's/^/tick /')
  arnia logs -n 40 web | sed 's/tick //' > "$BATS_TEST_TMPDIR/end"
  diff "$BATS_TEST_TMPDIR/end" <(seq "$(head -n 1 "$BATS_TEST_TMPDIR/end")" "$(tail -n 1 "$BATS_TEST_TMPDIR/end")")
}

@test "systemd has nothing to say against the units" {
  run systemd-analyze verify --man=no /run/systemd/system/arnia.socket /run/systemd/system/arnia.service \
    /run/systemd/system/arnia-machines.service
  echo "$output"
  [[ "$status" -eq 0 && "$output" != *arnia* ]]
}

@test "the first command starts the service by the socket" {
  systemctl stop arnia.service
  systemctl start arnia.socket
  [[ "$(property arnia.service ActiveState)" == inactive ]]
  arnia list
  [[ "$(property arnia.service ActiveState)" == active ]]
  arnia image build busybox > /dev/null
  [[ "$(arnia run --rm busybox echo hello)" == hello ]]
  [[ "$(stat -c %a:%U /run/arnia/arnia.sock)" == 600:root ]]
}

@test "ready is said when it is true" {
  systemctl stop arnia.service
  [[ "$(property arnia.service ActiveState)" == inactive ]]
  systemctl start arnia.service
  [[ "$(property arnia.service StatusText)" == *"process $(keeper_pid)" ]]
  arnia --no-start list
}

@test "who is in which cgroup, and limits hold" {
  local machines=/system.slice/arnia-machines.service/arnia
  web_up
  echo "keeper: $(cgroup_of "$(keeper_pid)"), web: $WEB $(cgroup_of "$WEB")"
  [[ "$(cgroup_of "$(property arnia.service MainPID)")" == /system.slice/arnia.service ]]
  [[ "$(cgroup_of "$(keeper_pid)")" == "$machines/keeper" ]]
  [[ "$(cgroup_of "$(daemon_pid)")" == "$machines/daemon" ]]
  [[ "$(cgroup_of "$WEB")" == "$machines/c-$(id_of web)"* ]]
  [[ "$(cgroup_of "$(property arnia-machines.service MainPID)")" == /system.slice/arnia-machines.service/hold ]]
  [[ -z "$(cat /sys/fs/cgroup/system.slice/arnia-machines.service/cgroup.procs "/sys/fs/cgroup$machines/cgroup.procs")" ]]
  [[ "$(< "/sys/fs/cgroup$machines/c-$(id_of web)/memory.max")" -eq $((64 << 20)) ]]
  run_arnia run --rm --memory 32M --swap 0 busybox tail /dev/zero
  [[ "$status" -eq 137 ]]
  [[ "$(property arnia-machines.service ActiveState)" == active ]]
  web_goes_on
}

@test "restart: machines, output, ports, attached clients and exit codes are kept" {
  local keeper client
  web_up
  arnia run -d --name ends busybox sh -c 'until [ -e /go ]; do sleep 0.1; done; exit 42'
  keeper=$(keeper_pid)
  mkfifo "$BATS_TEST_TMPDIR/in"
  arnia exec -i web sh -c 'read x; echo "got $x"' < "$BATS_TEST_TMPDIR/in" > "$BATS_TEST_TMPDIR/out" 3>&- &
  client=$!
  exec 5> "$BATS_TEST_TMPDIR/in"
  wait_until 50 sh -c "$ARNIA_BIN/arnia exec web ps | grep -q 'read x'"
  for _ in 1 2 3; do
    systemctl restart arnia.service
    web_goes_on
  done
  keeper_is "$keeper"
  echo word >&5
  exec 5>&-
  wait "$client" || true # its daemon is another one; its output came all the same
  [[ "$(< "$BATS_TEST_TMPDIR/out")" == "got word" ]]
  arnia exec ends touch /go
  [[ "$(arnia wait ends)" -eq 42 ]]
  log_is_whole
}

@test "stop: nobody is served, machines go on, and what happened meanwhile is known afterwards" {
  local keeper
  web_up
  arnia run -d --name ends -v "$BATS_TEST_TMPDIR:/sign" busybox sh -c 'until [ -e /sign/go ]; do sleep 0.1; done; echo last words; exit 43'
  pid=$(pid_of ends)
  keeper=$(keeper_pid)
  systemctl stop arnia.socket arnia.service
  [[ ! -e /run/arnia/arnia.sock ]]
  run_arnia --no-start list
  [[ "$status" -ne 0 ]]
  [[ -d /proc/$WEB && -d /proc/$keeper ]]
  answers
  grows
  touch "$BATS_TEST_TMPDIR/go"
  wait_until 50 test ! -e "/proc/$pid"
  systemctl start arnia.service
  [[ "$(arnia wait ends)" -eq 43 ]]
  [[ "$(arnia logs ends)" == "last words" ]]
  keeper_is "$keeper"
  web_goes_on
  log_is_whole
  # without systemd's socket root's next command finds the same keeper, too
  systemctl stop arnia.socket arnia.service
  web_goes_on
  keeper_is "$keeper"
}

@test "stop without machines ends everything" {
  local keeper
  arnia list
  keeper=$(keeper_pid)
  systemctl stop arnia.socket arnia.service
  wait_until 50 test ! -e "/proc/$keeper"
  [[ ! -e /run/arnia/arnia.sock && ! -e /run/arnia/service.sock ]]
  [[ ! -e /sys/fs/cgroup/system.slice/arnia-machines.service/arnia/keeper ]]
  [[ "$(property arnia.service Result)" == success ]]
}

@test "kill: of the service, of the keeper, of the daemon" {
  local keeper
  web_up
  keeper=$(keeper_pid)
  systemctl kill -s KILL arnia.service
  wait_until 50 sh -c '[ "$(systemctl show -P ActiveState arnia.service)" = active ]'
  web_goes_on
  keeper_is "$keeper"
  kill -9 "$(daemon_pid)"
  web_goes_on
  keeper_is "$keeper"
  kill -9 "$keeper"
  another() { [[ -n "$(keeper_pid)" && "$(keeper_pid)" != "$keeper" && "$(property arnia.service ActiveState)" == active ]]; }
  wait_until 100 another
  web_goes_on
  [[ "$(cgroup_of "$(keeper_pid)")" == /system.slice/arnia-machines.service/arnia/keeper ]]
  log_is_whole
}

@test "reload replaces the keeper's program in place" {
  local keeper
  web_up
  keeper=$(keeper_pid)
  systemctl reload arnia.service
  resumed() { journalctl -b -o cat -t arnia-keeper | grep -q resumed || grep -q resumed /run/arnia/log/keeper.log; }
  wait_until 50 resumed
  web_goes_on
  keeper_is "$keeper"
  [[ "$(property arnia.service ActiveState)" == active ]]
}

@test "one that a command started is taken over by the service, with all that it runs" {
  local keeper
  arnia host shutdown -y
  systemctl stop arnia.socket arnia.service
  arnia list # on demand
  [[ "$(property arnia.service ActiveState)" == inactive ]]
  web_up
  keeper=$(keeper_pid)
  [[ "$(cgroup_of "$WEB")" == /arnia/c-* ]]
  systemctl start arnia.socket
  web_goes_on
  [[ "$(property arnia.service ActiveState)" == active ]]
  [[ "$(property arnia.service StatusText)" == *"process $keeper" ]]
  systemctl restart arnia.service
  web_goes_on
  keeper_is "$keeper"
  kill -9 "$keeper"
  another() { [[ -n "$(keeper_pid)" && "$(keeper_pid)" != "$keeper" && "$(property arnia.service ActiveState)" == active ]]; }
  wait_until 100 another
  web_goes_on # what runs does not move
  [[ "$(cgroup_of "$WEB")" == /arnia/c-* ]]
  arnia restart -t 0 web
  [[ "$(cgroup_of "$(pid_of web)")" == /arnia/c-* ]]
  # and when all is over the next one lives where the units say
  arnia rm -f web
  arnia host shutdown -y
  wait_until 50 sh -c '[ "$(systemctl show -P ActiveState arnia.service)" = inactive ]'
  [[ ! -e /sys/fs/cgroup/arnia ]]
  arnia list
  [[ "$(cgroup_of "$(keeper_pid)")" == /system.slice/arnia-machines.service/arnia/keeper ]]
}

@test "host shutdown ends the service, the socket starts it again" {
  arnia run --rm busybox true
  arnia host shutdown -y
  wait_until 50 sh -c '[ "$(systemctl show -P ActiveState arnia.service)" = inactive ]'
  [[ "$(property arnia.service Result)" == success ]]
  [[ ! -e /sys/fs/cgroup/system.slice/arnia-machines.service/arnia ]]
  [[ "$(property arnia.socket ActiveState)" == active ]]
  diff "$BATS_FILE_TMPDIR/mounts" <(cut -d' ' -f5 /proc/self/mountinfo | sort)
  [[ "$(arnia run --rm busybox echo again)" == again ]]
}

@test "the unit of the machines ends them all" {
  web_up
  systemctl stop arnia-machines.service
  [[ "$(property arnia.service ActiveState)" == inactive ]]
  [[ ! -e /proc/$WEB ]]
  stopped() { [[ "$(state_of web)" == stopped ]]; }
  wait_until 50 stopped # by the next service, which finds it dead
}
