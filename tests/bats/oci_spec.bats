#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci: what config.json says of the process and its namespaces, each seen from inside.
bats_require_minimum_version 1.5.0
load oci_helpers

setup_file() {
  oci_file_up
}
teardown_file() {
  oci_file_down
}
setup() {
  oci_up
}
teardown() {
  oci_down
}

kinds_of() {
  echo ".linux.namespaces |= map(select(.type == (\"mount\",\"$(sed 's/ /","/g' <<< "$1")\")))"
}
ns_of() {
  readlink "/proc/$1/ns/$2"
}
# hold FLAGS...: a process in namespaces of its own; its pid in $holder.
hold() {
  behind unshare "$@" --fork sleep 1000
  wait_until 50 has_child
  holder=$(cat "/proc/$behind/task/$behind/children")
  holder=${holder%% *}
  mine+=("$holder")
}
has_child() {
  [[ -n "$(cat "/proc/$behind/task/$behind/children" 2> /dev/null)" ]]
}

# ---- namespaces ----

@test "namespaces by type: those that are asked for are new, the others are the caller's" {
  local k
  for want in "pid network ipc uts" "pid" "uts ipc" "cgroup"; do
    bundle '"sleep","1000"' "$(kinds_of "$want") | del(.hostname)"
    oci run -d -b "$B" "$id"
    ok
    for k in pid network ipc uts cgroup; do
      if [[ " $want " == *" $k "* ]]; then
        [[ "$(ns_of "$(pid_of)" "${k/network/net}")" != "$(ns_of self "${k/network/net}")" ]] || { echo "$want: $k is the host's"; return 1; }
      else
        [[ "$(ns_of "$(pid_of)" "${k/network/net}")" == "$(ns_of self "${k/network/net}")" ]] || { echo "$want: $k is another one"; return 1; }
      fi
    done
    oci exec "$id" true
    ok
    oci delete -f "$id"
  done
}

@test "namespaces by path: joined from another container and from another process" {
  local k p file
  bundle '"sleep","1000"'
  oci run -d -b "$B" "$id-a"
  ok
  p=$(pid_of "$id-a")
  for k in network ipc uts pid cgroup; do
    file=${k/network/net}
    bundle '"sleep","1000"' ".linux.namespaces |= map(if .type == \"$k\" then .path = \"/proc/$p/ns/$file\" else . end) | del(.hostname)"
    oci run -d -b "$B" "$id"
    ok
    [[ "$(ns_of "$(pid_of)" "$file")" == "$(ns_of "$p" "$file")" ]] || { echo "$k: not joined"; return 1; }
    oci exec "$id" readlink "/proc/self/ns/$file"
    prints "$(ns_of "$p" "$file")"
    oci delete -f "$id"
    ok
  done
  kill -0 "$p"
  # All of them at once, as in a pod.
  bundle '"sh","-c","hostname; ls /proc | grep -c ^1$"' ".linux.namespaces |= map(if .type | IN(\"network\",\"ipc\",\"uts\",\"pid\") then .path = \"/proc/$p/ns/\" + (if .type == \"network\" then \"net\" else .type end) else . end) | del(.hostname)"
  oci run -b "$B" "$id"
  [[ $output == *$'\n1' ]]
  oci delete -f "$id-a"
}

@test "namespaces by path: of a process that is no container" {
  local k
  hold -n -i -u -p -C
  for k in network ipc uts pid cgroup; do
    bundle_sh "readlink /proc/self/ns/${k/network/net}; hostname; ls /proc | grep -c '^[0-9]'" ".linux.namespaces |= map(if .type == \"$k\" then .path = \"/proc/$holder/ns/${k/network/net}\" else . end) | del(.hostname)"
    oci run -b "$B" "$id"
    ok
    if [[ $k == pid ]]; then
      [[ "$(head -n 1 <<< "$output")" == "$(ns_of "$holder" pid)" && "$(tail -n 1 <<< "$output")" -gt 3 ]]
    else
      [[ "$(head -n 1 <<< "$output")" == "$(ns_of "$holder" "${k/network/net}")" ]] || { echo "$k: not joined"; return 1; }
    fi
  done
  kill -0 "$holder"
}

# bats test_tags=natively
@test "namespaces by path: what is not one, or of another kind" {
  for path in /nonexistent /etc/passwd /proc/self/ns/uts /dev/null relative; do
    bundle '"true"' ".linux.namespaces |= map(if .type == \"network\" then .path = \"$path\" else . end)"
    oci run -b "$B" "$id"
    says 1 "amespace"
    nothing_left
  done
  for filter in '.linux.namespaces += [{"type":"pid"}]' '.linux.namespaces += [{"type":"nosuch"}]' '.linux.namespaces |= map(select(.type != "mount"))' \
    '.linux.namespaces |= map(if .type == "mount" then .path = "/proc/self/ns/mnt" else . end)' '.linux.uidMappings = [{"containerID":0,"hostID":1000,"size":1}]'; do
    fails "" '"true"' "$filter"
  done
}

@test "user namespace: mappings, exec in it, and the ids of files seen from outside" {
  local maps='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":1000},{"containerID":5000,"hostID":300000,"size":10}]
    | .linux.gidMappings = [{"containerID":0,"hostID":200000,"size":1000}]'
  bundle '"sh","-c","touch /tmp/f; sleep 1000"' "$maps | .mounts += [{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]"
  oci run -d -b "$B" "$id"
  ok
  [[ "$(tr -s ' ' < "/proc/$(pid_of)/uid_map")" == $' 0 100000 1000\n 5000 300000 10' ]]
  [[ "$(tr -s ' ' < "/proc/$(pid_of)/gid_map")" == " 0 200000 1000" ]]
  wait_until 50 test -e "/proc/$(pid_of)/root/tmp/f"
  [[ "$(stat -c %u:%g "/proc/$(pid_of)/root/tmp/f")" == 100000:200000 ]]
  [[ "$(stat -c %u "/proc/$(pid_of)")" == 100000 ]]
  oci exec --user 5003:7 "$id" sh -c 'id -u; id -g; grep ^Uid /proc/self/status'
  [[ "${output//$'\t'/ }" == $'5003\n7\nUid: 5003 5003 5003 5003' ]]
  oci exec "$id" sh -c 'echo x > /dev/null; head -c 2 /dev/zero | wc -c; [ -c /dev/tty ] && stat -c %u /proc/1; grep -c . /proc/self/setgroups'
  [[ $output == $'2\n0\n1'* ]]
  oci exec --user 2000 "$id" true
  says 255 ""
  oci delete -f "$id"
  fails "linux.uidMappings" '"true"' '.linux.namespaces += [{"type":"user"}]'
  fails "0" '"true"' "$maps | .linux.uidMappings[0].containerID = 1"
  fails "" '"true"' "$maps | .linux.uidMappings[0].size = 0"
}

@test "user namespace: joined by path" {
  bundle '"sleep","1000"' '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":1000}] | .linux.gidMappings = .linux.uidMappings'
  oci run -d -b "$B" "$id-a"
  ok
  local p
  p=$(pid_of "$id-a")
  bundle '"sleep","1000"' ".linux.namespaces += [{\"type\":\"user\",\"path\":\"/proc/$p/ns/user\"}]"
  oci run -d -b "$B" "$id"
  ok
  [[ "$(ns_of "$(pid_of)" user)" == "$(ns_of "$p" user)" && "$(ns_of "$(pid_of)" net)" != "$(ns_of "$p" net)" ]]
  oci exec "$id" id -u
  prints 0
  oci delete -f "$id"
  # In the foreground, where nothing but the container's process is a child of it.
  "$OCI" --root "$ROOT" run -b "$B" "$id" < /dev/null > /dev/null 2>&1 3>&- &
  local runs=$!
  wait_until 100 running
  [[ "$(ps -o pid= --ppid "$runs" | tr -d ' ')" == "$(pid_of)" ]]
  oci kill "$id" KILL
  wait "$runs" || :
  oci delete -f "$id-a"
}

running() {
  [[ "$("$OCI" --root "$ROOT" state "$id" 2> /dev/null | jq -r .status)" == running ]]
}

@test "time namespace: offsets of both clocks, made and joined" {
  [[ -e /proc/self/ns/time ]] || skip "no time namespaces in this kernel"
  bundle '"sleep","1000"' '.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"monotonic":{"secs":1000,"nanosecs":5},"boottime":{"secs":864000}}'
  oci run -d -b "$B" "$id-a"
  ok
  [[ "$(tr -s ' ' < "/proc/$(pid_of "$id-a")/timens_offsets")" == $'monotonic 1000 5\nboottime 864000 0' ]]
  oci exec "$id-a" sh -c 'cut -d. -f1 /proc/uptime'
  [[ "$output" -ge 864000 ]]
  bundle '"sh","-c","cut -d. -f1 /proc/uptime"' ".linux.namespaces += [{\"type\":\"time\",\"path\":\"/proc/$(pid_of "$id-a")/ns/time\"}]"
  oci run -b "$B" "$id"
  ok
  [[ "$output" -ge 864000 ]]
  oci delete -f "$id-a"
  fails timeOffsets '"true"' '.linux.timeOffsets = {"boottime":{"secs":5}}'
}

@test "hostname and domainname; neither without a namespace of its own" {
  inside 'hostname; cat /proc/sys/kernel/domainname' '.hostname = "one.example" | .domainname = "dom.example"'
  prints $'one.example\ndom.example'
  [[ "$(hostname)" != one.example ]]
  fails "" '"true"' '.hostname = "x" | .linux.namespaces |= map(select(.type != "uts"))'
  fails "" '"true"' 'del(.hostname) | .domainname = "x" | .linux.namespaces |= map(select(.type != "uts"))'
  bundle '"true"' ".hostname = \"$(printf %065d 0)\""
  oci run -b "$B" "$id"
  says 1 hostname
}

# ---- the process ----

@test "user, additionalGids, umask, environment, cwd" {
  inside 'id -u; id -g; grep ^Groups /proc/self/status; umask; pwd; echo $A' \
    '.process.user = {"uid":7,"gid":8,"umask":18,"additionalGids":[100,5]} | .process.cwd = "/tmp" | .process.env += ["A=b c"]'
  [[ "$(tr '\t' ' ' <<< "$output")" == $'7\n8\nGroups: 5 8 100 \n0022\n/tmp\nb c' || "$(tr '\t' ' ' <<< "$output")" == $'7\n8\nGroups: 5 100 \n0022\n/tmp\nb c' ]]
  inside 'umask' '.'
  prints 0022
  inside 'echo $HOME' '.process.env = ["PATH=/bin"]'
  prints /root
  inside 'echo $HOME' '.process.env = ["PATH=/bin"] | .process.user.uid = 4711'
  prints /
  inside 'env | grep -c "^D="; echo $D' '.process.env += ["D=1","D=2"]'
  prints $'1\n2'
  fails "process.user.uid" '"true"' '.process.user.uid = -1'
  fails "process.env[1]" '"true"' '.process.env = ["A=","novalue"]'
  fails "process.env[0]" '"true"' '.process.env = ["=x"]'
}

@test "capabilities: each set, ambient and inheritable, unknown ones" {
  inside 'grep ^Cap /proc/self/status' '.process.capabilities = {"bounding":["CAP_KILL","CAP_CHOWN","CAP_NET_RAW"],"permitted":["CAP_KILL","CAP_CHOWN"],
    "effective":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]} | .process.user.uid = 1000'
  [[ "$(tr '\n\t' '  ' <<< "$output")" == "CapInh: 0000000000000020 CapPrm: 0000000000000020 CapEff: 0000000000000020 CapBnd: 0000000000002021 CapAmb: 0000000000000020 " ]]
  inside 'grep ^Cap /proc/self/status' '.process.capabilities = {"bounding":["CAP_KILL","CAP_CHOWN"],"permitted":["CAP_KILL"],"effective":["CAP_KILL"]} | .process.noNewPrivileges = false'
  [[ "$(tr '\n\t' '  ' <<< "$output")" == "CapInh: 0000000000000000 CapPrm: 0000000000000021 CapEff: 0000000000000021 CapBnd: 0000000000000021 CapAmb: 0000000000000000 " ]]
  inside 'grep -e CapPrm -e CapBnd /proc/self/status' 'del(.process.capabilities)'
  [[ "$(tr '\n\t' '  ' <<< "$output")" == "CapPrm: 0000000000000000 CapBnd: 0000000000000000 " ]]
  bundle_sh 'grep CapBnd /proc/self/status' '.process.capabilities.bounding = ["CAP_KILL","CAP_NOSUCH"]'
  oci run -b "$B" "$id"
  [[ $status -eq 0 && $stderr == *CAP_NOSUCH* && $output == *0000000000000020 ]]
}

@test "noNewPrivileges, oomScoreAdj, rlimits" {
  inside 'grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; ulimit -c' \
    '.process.noNewPrivileges = true | .process.oomScoreAdj = 321 | .process.rlimits = [{"type":"RLIMIT_NOFILE","soft":55,"hard":66},{"type":"RLIMIT_CORE","soft":0,"hard":0}]'
  prints "NoNewPrivs:"$'\t1\n321\n55\n66\n0'
  inside 'grep NoNewPrivs /proc/self/status' '.process.noNewPrivileges = false'
  prints "NoNewPrivs:"$'\t0'
  # RLIM_INFINITY is more than jq can write.
  bundle_sh 'grep "file locks" /proc/self/limits | tr -s " "' '.process.rlimits = [{"type":"RLIMIT_LOCKS","soft":-77,"hard":-77}]'
  sed -i 's/-77/18446744073709551615/' "$B/config.json"
  oci run -b "$B" "$id"
  prints "Max file locks unlimited unlimited locks "
  # 0 is a value: not what the caller has.
  for score in 0 null; do
    bundle_sh 'cat /proc/self/oom_score_adj' ".process.oomScoreAdj = $score"
    [[ $score == 0 ]] || bundle_sh 'cat /proc/self/oom_score_adj' 'del(.process.oomScoreAdj)'
    run sh -c "echo 300 > /proc/self/oom_score_adj; exec timeout $((60 * SLOW)) '$OCI' --root '$ROOT' run -b '$B' '$id'"
    [[ $output == $([[ $score == 0 ]] && echo 0 || echo 300) ]]
  done
  fails "process.rlimits[0].type" '"true"' '.process.rlimits = [{"type":"RLIMIT_NOSUCH","soft":1,"hard":1}]'
  fails "process.rlimits" '"true"' '.process.rlimits = [{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_CORE","soft":1,"hard":1}]'
  fails "" '"true"' '.process.rlimits = [{"type":"RLIMIT_NOFILE","soft":9,"hard":1}]'
  fails "process.oomScoreAdj" '"true"' '.process.oomScoreAdj = 1001'
}

@test "sysctls: of the container's namespaces only" {
  inside 'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/fs/mqueue/msg_max' \
    '.linux.sysctl = {"kernel.msgmax":"4444","net.ipv4.ip_forward":"1","fs.mqueue.msg_max":"11"}'
  prints $'4444\n1\n11'
  for s in kernel.panic vm.swappiness fs.file-max kernel.nosuch net/../kernel/panic; do
    fails "sysctl" '"true"' ".linux.sysctl = {\"$s\":\"1\"}"
  done
  fails "sysctl" '"true"' '.linux.sysctl = {"net.ipv4.ip_forward":"1"} | .linux.namespaces |= map(select(.type != "network"))'
  fails "sysctl" '"true"' '.linux.sysctl = {"kernel.msgmax":"1"} | .linux.namespaces |= map(select(.type != "ipc"))'
}

@test "personality, scheduler, ioPriority, memoryPolicy, execCPUAffinity" {
  inside 'cat /proc/self/personality; uname -m' '.linux.personality = {"domain":"LINUX32"}'
  [[ $output == $'00000008\ni686' ]]
  fails "personality" '"true"' '.linux.personality = {"domain":"BSD"}'
  inside 'oci_aid look' '.process.scheduler = {"policy":"SCHED_BATCH","nice":7} | .process.ioPriority = {"class":"IOPRIO_CLASS_IDLE","priority":4}'
  [[ $output == *"sched policy 3 nice 7 priority 0"* && $output == *"ioprio class 3 priority 4"* ]]
  inside 'oci_aid look' '.process.scheduler = {"policy":"SCHED_IDLE"} | .process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":6}'
  [[ $output == *"sched policy 5 "* && $output == *"ioprio class 2 priority 6"* ]]
  if chrt -f 5 true 2> /dev/null; then
    inside 'oci_aid look' '.process.scheduler = {"policy":"SCHED_FIFO","priority":5,"flags":["SCHED_FLAG_RESET_ON_FORK"]} | .process.ioPriority = {"class":"IOPRIO_CLASS_RT","priority":2}'
    [[ $output == *"sched policy 1 nice 0 priority 5"* || $output == *"sched policy 0 "* ]]
    [[ $output == *"ioprio class 1 priority 2"* ]]
    bundle '"oci_aid","look"' '.process.scheduler = {"policy":"SCHED_RR","priority":7}'
    oci run -b "$B" "$id"
    [[ $output == *"sched policy 2 nice 0 priority 7 flags 0"* ]]
    bundle '"oci_aid","look"' '.process.scheduler = {"policy":"SCHED_DEADLINE","runtime":10000000,"deadline":100000000,"period":100000000}'
    oci run -b "$B" "$id"
    [[ $output == *"sched policy 6 "* || $stderr == *sched* ]]
  fi
  for s in '{"policy":"SCHED_NOSUCH"}' '{}' '{"policy":"SCHED_OTHER","nice":20}' '{"policy":"SCHED_OTHER","priority":3}' '{"policy":"SCHED_OTHER","flags":["SCHED_FLAG_NOSUCH"]}'; do
    fails "process.scheduler" '"true"' ".process.scheduler = $s"
  done
  fails "process.ioPriority" '"true"' '.process.ioPriority = {"class":"IOPRIO_CLASS_NOSUCH","priority":1}'
  fails "process.ioPriority" '"true"' '.process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":8}'
  bundle '"sleep","1000"' '.process.execCPUAffinity = {"initial":"0","final":"1"}'
  if [[ "$(nproc)" -ge 2 ]]; then
    oci run -d -b "$B" "$id"
    ok
    oci exec "$id" grep Cpus_allowed_list /proc/self/status
    prints "Cpus_allowed_list:"$'\t'1
    oci delete -f "$id"
  fi
  fails "execCPUAffinity" '"true"' '.process.execCPUAffinity = {"initial":"x"}'
}

@test "memoryPolicy" {
  inside 'oci_aid look' '.linux.memoryPolicy = {"mode":"MPOL_BIND","nodes":"0"}'
  [[ $output == *"mempolicy mode 2 nodes 1"* ]] || { [[ $output == *"mempolicy Function not"* ]] && skip "no memory policies in this kernel"; }
  fails "memoryPolicy" '"true"' '.linux.memoryPolicy = {"mode":"MPOL_NOSUCH","nodes":"0"}'
}

@test "a terminal with consoleSize in the foreground; its user owns it" {
  bundle_sh 'tty; ls -ln $(tty) | cut -d" " -f1; stat -c %u $(tty); echo > /dev/console' '.process.terminal = true | .process.user.uid = 1000'
  run script -qec "stty rows 44 cols 88; '$OCI' --root '$ROOT' run -b '$B' '$id'" /dev/null
  echo "$output"
  [[ $status -eq 0 && $output == */dev/pts/0*"crw--w----"*1000* ]]
}

# bats test_tags=natively
@test "AppArmor and SELinux asked for where there is none: said, and no container" {
  [[ ! -d /sys/kernel/security/apparmor ]] || skip "this host has AppArmor"
  fails "AppArmor" '"true"' '.process.apparmorProfile = "some"'
  [[ ! -d /sys/fs/selinux ]] || skip "this host has SELinux"
  fails "SELinux" '"true"' '.process.selinuxLabel = "system_u:system_r:some_t:s0"'
  fails "SELinux" '"true"' '.linux.mountLabel = "system_u:object_r:some_t:s0"'
}

# bats test_tags=natively
@test "intelRdt and netDevices on a host without: said" {
  [[ -d /sys/fs/resctrl/info ]] || fails "" '"true"' '.linux.intelRdt = {"closID":"x","l3CacheSchema":"L3:0=f"}'
  fails "nosuch0" '"true"' '.linux.netDevices = {"nosuch0":{}}'
}

# bats test_tags=natively
@test "unknown members are ignored; versions that are not 1.x are not" {
  inside 'echo fine' '.future = {"a":1} | .linux.future = [] | .process.future = 5'
  prints fine
  inside 'echo fine' '.ociVersion = "1.0.0-rc5" '
  for v in 2.0.0 0.9.0 x ""; do
    fails "ociVersion" '"true"' ".ociVersion = \"$v\""
  done
  fails "ociVersion" '"true"' 'del(.ociVersion)'
}
