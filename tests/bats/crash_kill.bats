#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# SIGKILL from outside and upgrades in place: machines live on, with their output, their terminals and their published ports.
bats_require_minimum_version 1.5.0
load helpers
load crash

setup_file() {
  crash_up
}
teardown_file() {
  instance_down
}
teardown() {
  tmux -L "c$$" kill-server 2> /dev/null || true
  fail_no_more
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  nothing_left
}

# Numbered lines without end, and a clean end when asked.
COUNT='trap "exit 7" TERM; i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.02; done'
# The numbers in its log have no gap and no double (the log may have been rotated: from any number on).
log_is_whole() {
  arnia logs "$1" | awk '{ if (n && $2 != n + 1) exit 1; n = $2 } END { exit !n }'
}
logs_go_on() {
  local a
  a=$(arnia logs -n 1 "$1")
  wait_until 50 logs_differ "$1" "$a"
}
logs_differ() {
  [[ "$(arnia logs -n 1 "$1")" != "$2" ]]
}
serve() {
  arnia run -d --name "$1" -p "$2:80" busybox sh -c 'echo served > /index.html; httpd -f -h /'
  wait_until 50 is_served "$2"
}
is_served() {
  [[ "$(outside timeout 2 busybox wget -qO- "http://$HOST_ADDR:$1/" 2> /dev/null)" == served ]]
}

@test "kill -9 of the daemon: pids, logs, ports, an exec and a wait go on; the next daemon lists the same" {
  local before
  arnia run -d --name counts busybox sh -c "$COUNT"
  serve web 8121
  arnia exec counts sh -c 'sleep 1; exit 8' 3>&- &
  exec_pid=$!
  arnia wait counts > "$BATS_TEST_TMPDIR/waited" 3>&- &
  wait_pid=$!
  arnia events --follow counts > "$BATS_TEST_TMPDIR/events" 3>&- &
  events_pid=$!
  sleep 0.3
  before=$(arnia list -f json | jq -c '[.machines[] | {id, name, state, pid, addresses}] | sort_by(.id)')
  for _ in 1 2 3; do
    kill -9 "$(daemon_pid)"
    wait_until 50 arnia version > /dev/null
    [[ "$(arnia list -f json | jq -c '[.machines[] | {id, name, state, pid, addresses}] | sort_by(.id)')" == "$before" ]]
    is_served 8121
  done
  status=0
  wait "$exec_pid" || status=$?
  [[ "$status" -eq 8 ]]
  logs_go_on counts
  log_is_whole counts
  arnia pause counts
  arnia resume counts
  arnia stop -t 5 counts
  wait "$wait_pid"
  [[ "$(cat "$BATS_TEST_TMPDIR/waited")" == 7 ]]
  wait_until 50 grep -q ' exit ' "$BATS_TEST_TMPDIR/events"
  kill "$events_pid"
  [[ "$(cut -d' ' -f2 "$BATS_TEST_TMPDIR/events" | grep -v exec | tr '\n' ' ')" == 'pause resume stop exit ' ]]
}

@test "kill -9 of the keeper: machines, logs and ports go on; the next command gives what is held to another" {
  local pid
  arnia run -d --name counts busybox sh -c "$COUNT"
  serve web 8122
  pid=$(pid_of counts)
  for _ in 1 2 3; do
    kill -9 "$(keeper_pid)"
    [[ -d /proc/$pid ]] && is_served 8122
    [[ "$(state_of counts)" == running && "$(pid_of counts)" == "$pid" ]]
    wait_until 50 arnia exec counts true
    logs_go_on counts
    log_is_whole counts
  done
  arnia stop -t 5 counts
  # how it ended is known where the kernel tells it to who is not its parent (Linux 6.15)
  [[ "$(arnia info -f json counts | jq -c '[.exit.code, .exit.cause]')" =~ ^(\[7,\"stopped\"\]|\[null,\"unknown\"\])$ ]]
}

@test "kill -9 of keeper and daemon: machines live on, the next command finds them with their output" {
  local pid
  arnia run -d --name counts busybox sh -c "$COUNT"
  arnia run -d --name ends busybox sh -c 'sleep 0.5; exit 3'
  serve web 8123
  pid=$(pid_of counts)
  kill -9 "$(keeper_pid)" "$(daemon_pid)"
  sleep 1 # it writes to nobody meanwhile
  [[ -d /proc/$pid ]] && is_served 8123
  [[ "$(state_of counts)" == running && "$(pid_of counts)" == "$pid" ]]
  wait_until 50 arnia exec counts true
  logs_go_on counts
  log_is_whole counts
  wait_until 50 is_in_state ends stopped
  # its status is known if nobody else has reaped it before
  [[ "$(arnia info -f json ends | jq -c '[.exit.code, .exit.cause]')" =~ ^(\[3,\"exited\"\]|\[null,\"unknown\"\])$ ]]
  arnia stop -t 5 counts
  truth counts
}

@test "a daemon whose place another has taken ends by itself" {
  local old
  old=$(daemon_pid)
  mv "$ARNIA_ROOT/run/arniad.lock" "$BATS_TEST_TMPDIR/"
  kill -9 "$(keeper_pid)"
  wait_until 100 process_is_gone "$old"
  [[ "$(arnia run --rm busybox echo works)" == works && "$(daemon_pid)" -ne "$old" ]]
}
process_is_gone() {
  [[ ! -d /proc/$1 || "$(sed -n 's/^State:.\(.\).*/\1/p' "/proc/$1/status" 2> /dev/null)" == Z ]]
}

@test "a machine that ends while nobody holds it, or that writes more than a pipe takes" {
  arnia run -d --name full busybox sh -c 'sleep 0.5; head -c 300000 /dev/zero | tr "\0" x; echo; echo end; sleep 100000'
  kill -9 "$(keeper_pid)" "$(daemon_pid)"
  sleep 1
  [[ "$(state_of full)" == running ]]
  wait_until 100 log_ends_with full end
  [[ "$(arnia logs full | wc -c)" -eq 300005 ]]
}
log_ends_with() {
  [[ "$(arnia logs -n 1 "$1")" == "$2" ]]
}

# ---- terminals ----

terminal() {
  tmux -L "c$$" new-session -d -x 90 -y 30 "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia $*; echo ended-\$?; sleep 1000"
}
types() {
  tmux -L "c$$" send-keys "$1" Enter
}
shows() {
  tmux -L "c$$" capture-pane -p | grep -q -- "$1"
}
reexec_keeper() {
  local k before
  k=$(keeper_pid)
  before=$(grep -c resumed "$ARNIA_ROOT/run/log/keeper.log" || true)
  kill -HUP "$k"
  wait_until 100 resumed "$before"
  [[ "$(keeper_pid)" -eq "$k" ]]
}
resumed() {
  [[ "$(grep -c resumed "$ARNIA_ROOT/run/log/keeper.log")" -gt "$1" ]]
}

@test "the daemon is killed, and the keeper replaced in place, under an attached terminal: it goes on, its exit code arrives" {
  terminal run -it --rm --name term busybox
  wait_until 100 shows '/ #'
  types 'echo one-$((40+2))'
  wait_until 50 shows one-42
  kill -9 "$(daemon_pid)"
  types 'echo two-$((40+2))'
  wait_until 50 shows two-42
  reexec_keeper
  types 'echo three-$((40+2))'
  wait_until 50 shows three-42
  wait_until 50 arnia version > /dev/null
  reexec_keeper
  kill -9 "$(daemon_pid)"
  types 'exit 11'
  wait_until 100 shows ended-11
  wait_until 50 is_gone term
}

@test "the keeper is replaced in place twenty times under logs, an exec and published ports: nothing is missing" {
  local fds
  arnia run -d --name counts busybox sh -c "$COUNT"
  serve web 8124
  arnia exec counts sh -c 'sleep 2; exit 9' 3>&- &
  exec_pid=$!
  reexec_keeper
  at_rest_with 2
  fds=$(ls "/proc/$(keeper_pid)/fd" | wc -l)
  for _ in $(seq 20); do reexec_keeper; done
  status=0
  wait "$exec_pid" || status=$?
  [[ "$status" -eq 9 ]]
  logs_go_on counts
  log_is_whole counts
  is_served 8124
  wait_until 50 fds_are "$(keeper_pid)" "$((fds - 1))" # but for the exec's
  arnia stop -t 5 counts
  [[ "$(arnia info -f json counts | jq -r .exit.code)" == 7 ]]
}
at_rest_with() {
  wait_until 100 has_rest_with "$1"
}
has_rest_with() {
  [[ "$(count_links)" -eq $((3 + $1)) ]] && [[ "$(count_lines "$BRANCH/keeper/cgroup.procs")" -eq 6 ]]
}
fds_are() {
  [[ "$(ls "/proc/$1/fd" | wc -l)" -le "$2" ]]
}

# ---- under load ----

# Somebody is killed every now and then while machines are run; what each run says must be true of it.
load_with_kills() {
  local whom=$1 i seed=$2 victim w
  local -a pids=()
  RANDOM=$seed
  rm -rf "$BATS_TEST_TMPDIR/load"
  mkdir "$BATS_TEST_TMPDIR/load"
  for w in 1 2 3 4; do
    (
      for i in $(seq 12); do
        rc=0
        arnia run --rm --name "load-$w-$i" busybox sh -c "echo said-$w-$i; exit $((w + 20))" > "$BATS_TEST_TMPDIR/load/$w-$i.out" \
          2> "$BATS_TEST_TMPDIR/load/$w-$i.err" || rc=$?
        echo "$rc" > "$BATS_TEST_TMPDIR/load/$w-$i.rc"
      done
    ) 3>&- &
    pids+=($!)
  done
  for i in $(seq 6); do
    sleep "0.$((RANDOM % 4 + 1))$((RANDOM % 10))"
    case $whom in
      daemon) victim=$(pgrep -x arniad -P "$(keeper_of_instance)" | head -1) ;;
      keeper) victim=$(keeper_of_instance) ;;
      worker) victim=$(pgrep -x arnia-run -P "$(keeper_of_instance)" | shuf -n 1 --random-source=<(yes "$seed$i")) ;;
    esac
    [[ -z "$victim" ]] || kill -9 "$victim" 2> /dev/null || true
  done
  wait "${pids[@]}" || true
}
# Without asking anybody: the one who holds the lock.
keeper_of_instance() {
  local p
  for p in $(cat "$BRANCH/keeper/cgroup.procs"); do
    [[ "$(cat "/proc/$p/comm" 2> /dev/null)" == arnia-keeper ]] && echo "$p" && return
  done
}
load_was_told_truly() {
  local f w rc bad=0
  for f in "$BATS_TEST_TMPDIR"/load/*.rc; do
    w=${f##*/}
    w=${w%%-*}
    rc=$(cat "$f")
    if [[ "$rc" -eq $((w + 20)) ]]; then
      [[ -n "$1" || "$(cat "${f%.rc}.out")" == "said-$(basename "${f%.rc}")" ]] || { echo "${f##*/}: its output is missing"; bad=1; }
    else
      [[ "$rc" =~ ^(1|6|125|137)$ && "$(grep -c . "${f%.rc}.err")" -ge 1 ]] || { echo "${f##*/}: code $rc, '$(cat "${f%.rc}.err")'"; bad=1; }
    fi
  done
  return $bad
}

@test "the daemon is killed at random under load: all is told truly, nothing is left" {
  load_with_kills daemon 4711
  load_was_told_truly ''
  [[ "$(grep -lx '2[1-4]' "$BATS_TEST_TMPDIR"/load/*.rc | wc -l)" -ge 12 ]]
  nothing_left
}

@test "workers are killed at random under load: all is told truly, nothing is left" {
  load_with_kills worker 4712
  load_was_told_truly ''
  [[ "$(grep -lx '2[1-4]' "$BATS_TEST_TMPDIR"/load/*.rc | wc -l)" -ge 24 ]]
  arnia run --rm busybox true # what could not be prepared is tried again with the next start
  nothing_left
}

@test "the keeper is killed at random under load: all is told truly, nothing is left" {
  load_with_kills keeper 4713
  load_was_told_truly may-be-lost
  arnia list > /dev/null
  wait_until 100 no_machines
  nothing_left
}
no_machines() {
  [[ -z "$(arnia list -q)" ]]
}
