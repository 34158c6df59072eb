#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# Limits and what else the cgroup does: cpu, memory, processes, devices, the end of everything in it, and a host that
# cannot give a limit. What needs controllers runs on the test host.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
}
teardown_file() {
  instance_down
}
teardown() {
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  no_machine_left
}

# The folder of a machine's cgroup.
cg_of() {
  echo "$(cgroup2_mount)/$(arnia info "$1" | sed -n 's/^cgroup: //p')"
}
# How many of the three.
controllers() {
  arnia host info | sed -n 's/^controllers: //p' | tr -d ' ' | tr ',' '\n' | grep -cx 'cpu\|memory\|pids'
}
needs_controllers() {
  [[ "$(controllers)" -eq 3 ]] ||
    skip "this host's cgroup v2 has no cpu, memory and pids controllers: tested on the test host"
}
needs_their_absence() {
  [[ "$(controllers)" -eq 0 ]] ||
    skip "this host has the controllers: tested where cgroup v1 holds them"
}
# limit MACHINE FILE: as info says; the kernel and explain must say the same.
limit() {
  local info value
  info=$(arnia info "$1")
  value=$(sed -n "s/^  $2: //p" <<< "$info")
  [[ "$(< "$(cgroup2_mount)/$(sed -n 's/^cgroup: //p' <<< "$info")/$2")" == "$value" ]] || return 1
  arnia explain "$1" | grep -qx "$2 $value" || return 1
  echo "$value"
}
events_of() {
  arnia events --since 0 -f json | sed -n "/\"name\":\"$1\"/s/.*\"type\":\"\([a-z]*\)\".*/\1/p"
}

@test "limits asked for are what the kernel has, and what info and explain show" {
  needs_controllers
  arnia run -d --name lim --cpus 0.5 --memory 64M --pids 100 busybox sleep 100000
  [[ "$(limit lim cpu.max)" == "50000 100000" ]]
  [[ "$(limit lim memory.max)" == $((64 << 20)) ]]
  [[ "$(limit lim memory.swap.max)" == $((64 << 20)) ]] # twice the memory, together
  [[ "$(limit lim pids.max)" == 100 ]]
  arnia run -d --name more --cpus 150% --memory 64M --memory-swap 96M busybox sleep 100000
  [[ "$(limit more cpu.max)" == "150000 100000" ]]
  [[ "$(limit more memory.swap.max)" == $((32 << 20)) ]]
  arnia run -d --name none --memory 64M --swap 0 --pids -1 busybox sleep 100000
  [[ "$(limit none memory.swap.max)" == 0 ]]
  [[ "$(limit none pids.max)" == max ]]
}

@test "without options: a limit on processes and nothing else" {
  needs_controllers
  arnia run -d --name plain busybox sleep 100000
  [[ "$(limit plain pids.max)" == 4096 ]]
  [[ "$(limit plain cpu.max)" == "max 100000" ]]
  [[ "$(limit plain memory.max)" == max ]]
  [[ "$(limit plain memory.swap.max)" == max ]]
  [[ "$(< "$(cg_of plain)/pids.current")" -eq 2 ]] # the program and the init above it
}

@test "limits hold again after stop and start" {
  needs_controllers
  arnia create --name again --pids 33 busybox sleep 100000
  arnia start again
  arnia restart -t 0 again
  [[ "$(limit again pids.max)" == 33 ]]
}

@test "too much memory: 137, cause oom, one event, nobody else is touched" {
  needs_controllers
  local daemon keeper sibling
  arnia run -d --name sibling --memory 32M busybox sleep 100000
  daemon=$(daemon_pid) keeper=$(keeper_pid) sibling=$(pid_of sibling)
  run_arnia run --name hog --memory 32M --swap 0 busybox sh -c 'tail /dev/zero; echo survived'
  [[ "$status" -eq 137 && "$output" == "" ]]
  [[ "$(arnia info -f json hog | jq -c '[.state, .exit.code, .exit.cause]')" == '["stopped",137,"oom"]' ]]
  arnia list | grep -q 'hog .*out of memory'
  [[ "$(events_of hog | tr '\n' ' ')" == "create start oom exit " ]]
  [[ "$(daemon_pid)" -eq "$daemon" && "$(keeper_pid)" -eq "$keeper" && "$(pid_of sibling)" -eq "$sibling" ]]
  [[ "$(events_of sibling | tr '\n' ' ')" == "create start " ]]
  arnia exec sibling true
}

@test "an exec that takes too much memory takes its machine along, and the daemon's restart tells it once" {
  needs_controllers
  arnia run -d --name mem --memory 32M --swap 0 busybox sleep 100000
  kill -9 "$(daemon_pid)"
  run_arnia exec mem tail /dev/zero
  [[ "$status" -eq 137 ]]
  [[ "$(arnia wait mem)" -eq 137 ]]
  [[ "$(events_of mem | tr '\n' ' ')" == "create start exec oom exit " ]]
}

@test "the daemon and the keeper are hard to kill, machines are not" {
  sh -c 'echo -900 > /proc/self/oom_score_adj' 2> /dev/null ||
    skip "root may not lower oom_score_adj here (no CAP_SYS_RESOURCE): tested on the test host"
  arnia run -d --name soft busybox sleep 100000
  [[ "$(cat "/proc/$(keeper_pid)/oom_score_adj")" -eq -900 ]]
  [[ "$(cat "/proc/$(daemon_pid)/oom_score_adj")" -eq -900 ]]
  [[ "$(cat "/proc/$(pid_of soft)/oom_score_adj")" -eq 0 ]]
  [[ "$(arnia exec soft cat /proc/self/oom_score_adj)" -eq 0 ]]
}

@test "a fork bomb stays within its limit; exec, stop and rm still work" {
  needs_controllers
  arnia run -d --name bomb --pids 60 busybox sh -c 'b() { b | b & }; b; exec sleep 100000'
  full() { grep -q '^max [1-9]' "$folder/pids.events"; }
  local folder
  folder=$(cg_of bomb)
  wait_until 100 full
  [[ "$(< "$folder/pids.current")" -le 61 ]]
  [[ "$(timeout "$((5 * ${ARNIA_SLOW:-1}))" "$ARNIA_BIN/arnia" exec bomb echo in)" == in ]]
  timeout "$((5 * ${ARNIA_SLOW:-1}))" "$ARNIA_BIN/arnia" stop -t 1 bomb
  [[ ! -e $folder ]]
  timeout "$((5 * ${ARNIA_SLOW:-1}))" "$ARNIA_BIN/arnia" rm bomb
}

@test "stop ends every process, also those that forked away, and while they fork" {
  arnia run -d --name bomb busybox sh -c 'trap "" TERM; i=0; while [ $i -lt 20 ]; do
    (trap "" TERM HUP; while :; do (:); done) & i=$((i + 1)); done; setsid sleep 100000 & wait'
  many() { [[ "$(wc -l < "$cg/cgroup.procs")" -ge 15 ]]; }
  local cg
  cg=$(cg_of bomb)
  wait_until 50 many
  arnia pause bomb
  grep -qx 'frozen 1' "$cg/cgroup.events"
  arnia resume bomb
  grep -qx 'frozen 0' "$cg/cgroup.events"
  arnia stop -t 1 bomb
  [[ ! -e $cg ]]
}

@test "a limit on cpu time holds" {
  needs_controllers
  arnia run -d --name busy --cpus 0.2 busybox sh -c '(while :; do :; done) & while :; do :; done'
  local cg used start
  cg=$(cg_of busy)
  used() { awk '$1 == "usage_usec" {print $2}' "$cg/cpu.stat"; }
  now() { awk '{print int($1 * 1000000)}' /proc/uptime; }
  sleep 0.5
  used=$(used) start=$(now)
  sleep 3
  used=$(($(used) - used)) start=$(($(now) - start))
  echo "$used of $start us"
  ((used * 100 < start * 30))
  ((used * 100 > start * 5))
  [[ "$(awk '$1 == "nr_throttled" {print $2}' "$cg/cpu.stat")" -gt 0 ]]
}

one_of_ours() {
  "$ARNIA_FAKES/cgprogs" "$(cg_of "$1")" > "$BATS_TEST_TMPDIR/programs"
  [[ "$(< "$BATS_TEST_TMPDIR/programs")" == arn_* && $(wc -l < "$BATS_TEST_TMPDIR/programs") -eq 1 ]]
}

@test "devices: one program of ours on the machine's cgroup, after a restart of the daemon too" {
  arnia run -d --name dev busybox sleep 100000
  one_of_ours dev
  kill -9 "$(daemon_pid)"
  arnia exec dev true
  one_of_ours dev
  arnia restart -t 0 dev
  one_of_ours dev
}

# in_cgroup MACHINE CMD...: the host's root, all its rights, but in the machine's cgroup: only the policy is in the way.
in_cgroup() {
  local cg
  cg=$(cg_of "$1")
  shift
  sh -c 'echo $$ > "$0/cgroup.procs" && exec "$@"' "$cg" "$@"
}

@test "devices: even the host's root cannot open others from within the cgroup" {
  arnia run -d --name dev busybox sleep 100000
  in_cgroup dev head -c 1 /dev/zero
  in_cgroup dev head -c 1 /dev/urandom
  in_cgroup dev sh -c ': > /dev/null'
  run in_cgroup dev sh -c 'exec 3< /dev/kmsg'
  [[ "$status" -ne 0 && "$output" == *"not permitted"* ]]
  mknod "$BATS_TEST_TMPDIR/zram" b 252 9 # nobody's: the policy answers before the driver
  run in_cgroup dev sh -c "exec 3< '$BATS_TEST_TMPDIR/zram'"
  [[ "$status" -ne 0 && "$output" == *"not permitted"* ]]
}

@test "devices: --device opens one, for what was said" {
  arnia run -d --name dev --device /dev/kmsg:/dev/kmsg:r busybox sleep 100000
  in_cgroup dev sh -c 'exec 3< /dev/kmsg'
  run in_cgroup dev sh -c 'exec 3> /dev/kmsg'
  [[ "$status" -ne 0 && "$output" == *"not permitted"* ]]
}

@test "devices: a node that comes in by a bind is dead" {
  mkdir "$BATS_TEST_TMPDIR/nodes"
  mknod -m 666 "$BATS_TEST_TMPDIR/nodes/kmsg" c 1 11
  mknod -m 666 "$BATS_TEST_TMPDIR/nodes/zero" c 1 5
  run_arnia run --rm -v "$BATS_TEST_TMPDIR/nodes:/nodes" busybox sh -c 'head -c 1 /nodes/kmsg || head -c 1 /nodes/zero'
  [[ "$status" -eq 1 && -z "$output" && "$(grep -c 'Permission denied' <<< "$stderr")" -eq 2 ]]
}

@test "devices: one that only the host's root may open is the machine's root's when it is given" {
  local node=/dev/arnia-test-$$
  mknod -m 600 "$node" c 1 5
  run_arnia run --rm --device "$node:/dev/mine" busybox sh -c \
    'head -c 3 /dev/mine | wc -c; echo x > /dev/mine; stat -c %a:%u:%g:%t:%T /dev/mine'
  rm "$node"
  [[ "$status" -eq 0 && "$output" == $'3\n600:0:0:1:5' ]]
}

@test "the cgroup namespace: / is its own, nothing can be changed or left" {
  arnia run -d --name ns busybox sleep 100000
  [[ "$(arnia exec ns cat /proc/self/cgroup | grep ^0::)" == 0::/ ]]
  [[ "$(arnia exec ns cat /proc/1/cgroup | grep ^0::)" == 0::/ ]]
  run arnia exec ns grep ' /sys/fs/cgroup ' /proc/mounts
  [[ "$output" == "cgroup /sys/fs/cgroup cgroup2 ro,"* ]]
  arnia exec ns grep -q 'populated 1' /sys/fs/cgroup/cgroup.events
  for act in 'mkdir /sys/fs/cgroup/sub' 'echo 0 > /sys/fs/cgroup/cgroup.procs' 'echo 0 > /sys/fs/cgroup/../cgroup.procs' \
    'echo 1 > /sys/fs/cgroup/cgroup.kill' 'mount -o remount,rw /sys/fs/cgroup' 'echo max > /sys/fs/cgroup/pids.max'; do
    run arnia exec ns sh -c "$act"
    [[ "$status" -ne 0 ]] || { echo "not refused: $act"; return 1; }
  done
  [[ "$(state_of ns)" == running ]]
}

@test "a limit this host cannot give: create says 9, run 125, with the controller and what to do" {
  needs_their_absence
  local option controller
  while read -r option controller; do
    # shellcheck disable=SC2086 # an option and its value
    run_arnia create --name asked $option busybox true
    one_line_error 9 "\"$controller\""
    [[ "$stderr" == *"hint: "*"host doctor"* ]]
    # shellcheck disable=SC2086
    run_arnia run --name asked $option busybox true
    one_line_error 125 "\"$controller\""
  done <<< $'--memory=64M memory\n--cpus=1 cpu\n--pids=10 pids\n--swap=0 memory'
  run_arnia info asked
  [[ "$status" -eq 3 ]]
}

@test "a default this host cannot give is left out, and the doctor tells" {
  needs_their_absence
  arnia run -d --name defaults busybox sleep 100000
  [[ "$(state_of defaults)" == running ]]
  [[ ! -e "$(cg_of defaults)/pids.max" ]]
  arnia create --name unlimited --pids -1 --memory -1 busybox true # asks for nothing
  run_arnia host doctor
  for controller in cpu memory pids; do
    grep -q "^warning .*$controller: not available" <<< "$output"
  done
  grep -q 'pids .*default' <<< "$output"
  grep -q 'cgroup v1' <<< "$stderr" # what to do
}

@test "the doctor is content with a host that has the controllers" {
  needs_controllers
  run_arnia host doctor
  for controller in cpu memory pids; do
    grep -q "^ok .*$controller: available" <<< "$output"
  done
  ! grep -q '^problem' <<< "$output"
}
