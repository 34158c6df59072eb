#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2034,SC2086,SC2119
# What a process of a container of arnia-oci has, and what it is kept from: capabilities, ids, terminals, system calls, devices, settings.
bats_require_minimum_version 1.5.0
load oci_security

setup_file() {
  attack_file_up
}
teardown_file() {
  attack_file_down
}
setup() {
  attack_up
}
teardown() {
  attack_down
}

caps_of() {
  echo "$output" | sed -n 's/^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):\t0*/\1=/p' | tr '\n' ' '
}

@test "11: run and exec have the capabilities that were asked for, and no others" {
  local sets='.process.capabilities = {bounding:["CAP_KILL","CAP_CHOWN"],effective:["CAP_KILL"],permitted:["CAP_KILL","CAP_CHOWN"]}'
  bundle '"cat","/proc/self/status"' "$sets"
  oci run -b "$B" "$id"
  [[ "$(caps_of)" == "Inh= Prm=21 Eff=21 Bnd=21 Amb= " ]]
  # another user has none
  bundle '"cat","/proc/self/status"' "$sets | .process.user = {uid: 1000, gid: 1000}"
  oci run -b "$B" "$id"
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd=21 Amb= " ]]
  # none at all
  bundle '"cat","/proc/self/status"' '.process.capabilities = {}'
  oci run -b "$B" "$id"
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd= Amb= " ]]
  bundle '"cat","/proc/self/status"' 'del(.process.capabilities)'
  oci run -b "$B" "$id"
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd= Amb= " ]]
  # unknown names, which widen nothing
  bundle '"cat","/proc/self/status"' '.process.capabilities = {bounding:["CAP_NONE","CAP_ALL","ALL","CAP_KILL",""],effective:["CAP_63"],permitted:["CAP_KILL"]}'
  oci run -b "$B" "$id"
  [[ $status -ne 0 || "$(caps_of)" == "Inh= Prm=20 Eff=20 Bnd=20 Amb= " ]]
  bundle '"sleep","100"' "$sets"
  up
  inside cat /proc/self/status
  [[ "$(caps_of)" == "Inh= Prm=21 Eff=21 Bnd=21 Amb= " ]]
  oci exec --user 1000:1000 "$id" cat /proc/self/status
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd=21 Amb= " ]]
  oci exec --cap CAP_EVERYTHING "$id" cat /proc/self/status
  refused
  echo '{"user":{"uid":1000,"gid":1000},"args":["cat","/proc/self/status"],"cwd":"/","env":["PATH=/bin"]}' > "$BATS_TEST_TMPDIR/p"
  oci exec --process "$BATS_TEST_TMPDIR/p" "$id"
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd= Amb= " ]]
}

@test "11: bits for a file's owner do not give back what was dropped" {
  image
  cp "$FAKES/attacker" "$R/as-root"
  chown 0:0 "$R/as-root"
  chmod 6755 "$R/as-root"
  bundle '"/as-root","exec","/bin/cat","/proc/self/status"' '.process.user = {uid: 1000, gid: 1000}'
  oci run -b "$B" "$id"
  [[ "$(caps_of)" == "Inh= Prm= Eff= Bnd=20000420 Amb= " ]]
  bundle '"/as-root","exec","/bin/cat","/proc/self/status"' '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = false'
  oci run -b "$B" "$id"
  # they count then, within the bounds
  [[ "$output" == *Uid:?1000?1000?0?1000* && "$(caps_of)" == "Inh= Prm=20000420 Eff= Bnd=20000420 Amb= " ]]
}

@test "12: exec --user: no spelling becomes root, or another one" {
  local user
  up
  for user in 4294967295 4294967296 4294967297 8589934592 18446744073709551616 -1 -0 +0 0x0 00x 1e0 ' 0' '0 ' $'0\n' '' : :0 0: 0:0:0 0:-1 0:4294967295 0:4294967296 \
    root nobody 1000:root '1000:' '1000: ' '1000,0' '1000.0' $'1000\t' '٠' '0;' '$(id)' '%d'; do
    taken || continue
    oci exec --user="$user" "$id" id -u
    [[ $status -ne 0 && -z "$output" ]] || { echo "user '$user' is $output"; return 1; }
    refused
  done
  for user in -1 4294967295 4294967296 0x0 '' root ' 0'; do
    oci exec --user 1000:1000 --additional-gids="$user" "$id" id -G
    [[ $status -ne 0 && -z "$output" ]] || { echo "group '$user' is $output"; return 1; }
  done
  for user in '"0"' -1 4294967295 4294967296 1.5 null '{}' true 1e30; do
    taken || continue
    echo '{"user":{"uid":'"$user"',"gid":1000},"args":["id","-u"],"cwd":"/","env":["PATH=/bin"]}' > "$BATS_TEST_TMPDIR/p"
    oci exec --process "$BATS_TEST_TMPDIR/p" "$id"
    [[ $status -ne 0 && -z "$output" || $user == null ]] || { echo "uid $user is $output"; return 1; }
    bundle '"id","-u"' ".process.user.uid = $user"
    oci run -b "$B" "$id-x"
    [[ $status -ne 0 && -z "$output" || $user == null ]] || { echo "uid $user is $output"; return 1; }
  done
}

@test "12: the image's passwd file decides nothing, whatever it is" {
  local kind
  image
  for kind in fifo link folder device big names; do
    rm -rf "${R:?}"/etc/{passwd,group}
    case $kind in
      fifo) mkfifo "$R/etc/passwd" "$R/etc/group" ;;
      link) ln -s "$MARKER" "$R/etc/passwd" && ln -s /proc/self/mem "$R/etc/group" ;;
      folder) mkdir "$R/etc/passwd" "$R/etc/group" ;;
      device) ln -s /dev/zero "$R/etc/passwd" ;;
      big) truncate -s 1G "$R/etc/passwd" "$R/etc/group" ;;
      names) printf '1000:x:0:0::/root:/bin/sh\n0:x:1000:1000::/:/bin/sh\n' > "$R/etc/passwd" && printf '1000:x:0:1000\n' > "$R/etc/group" ;;
    esac
    bundle '"grep","-E","^[UG]id|^Groups","/proc/self/status"' '.process.user = {uid: 1000, gid: 1001}'
    bound=15 oci run -b "$B" "$id"
    [[ "$output" == Uid:?1000?1000?1000?1000$'\n'Gid:?1001?1001?1001?1001$'\n'Groups:* && "${output##*:}" =~ ^[[:space:]]*$ ]] ||
      { echo "$kind: $output $stderr"; return 1; }
  done
}

@test "13: no way to the operator's terminal" {
  local how
  bundle '"/fakes/attacker","keys"' "$ALL_CAPS | .process.noNewPrivileges = true"
  sed -i '/CAP_SYS_ADMIN/d' "$B/config.json"
  # a terminal of the caller, which the container has for its streams
  for how in run exec; do
    [[ $how == run ]] || { bundle '"sleep","100"' && up; }
    cmd="'$OCI' --root '$ROOT' run -b '$B' '$id'"
    [[ $how == run ]] || cmd="'$OCI' --root '$ROOT' exec '$id' /fakes/attacker keys"
    as_host script -qefc "$cmd" /dev/null > "$BATS_TEST_TMPDIR/out" 2>&1 < /dev/null 3>&- || :
    cat "$BATS_TEST_TMPDIR/out"
    grep -q "^/dev/tty \(ENXIO\|ENODEV\|ENOENT\)" "$BATS_TEST_TMPDIR/out"
    run ! grep -E "^(TIOCSTI|TIOCLINUX|TIOCSCTTY).* ok" "$BATS_TEST_TMPDIR/out"
  done
}

@test "13: a terminal of its own is another one than the operator's" {
  bundle '"sh","-c","tty; readlink /proc/self/fd/0"' '.process.terminal = true'
  as_host script -qefc "'$OCI' --root '$ROOT' run -b '$B' '$id'" /dev/null > "$BATS_TEST_TMPDIR/out" 2>&1 < /dev/null 3>&-
  tr -d '\r' < "$BATS_TEST_TMPDIR/out" | grep -o "/dev/.*" | sort -u > "$BATS_TEST_TMPDIR/ttys"
  [[ "$(cat "$BATS_TEST_TMPDIR/ttys")" == /dev/pts/0 || "$(cat "$BATS_TEST_TMPDIR/ttys")" == $'/dev/console\n/dev/pts/0' ]]
}

@test "14: filters hold for the other call tables" {
  [[ "$(uname -m)" == x86_64 ]] || skip "the numbers are those of x86-64"
  local archs got filter='.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",architectures:$archs,syscalls:[{names:["getpid","mkdir"],action:"SCMP_ACT_ERRNO",errnoRet:99}]}'
  for archs in '["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"]' '["SCMP_ARCH_X86_64"]' '[]'; do
    bundle '"/fakes/syscall_probe"' "$archs as \$archs | $filter"
    oci run -b "$B" "$id"
    ok
    got=$(grep -E "^(getpid|mkdir|getuid|int80:getpid|x32:getpid) " <<< "$output" | tr '\n' ';')
    echo "$got"
    [[ "$got" == *"mkdir 83 EADDRNOTAVAIL;"*"getpid 39 EADDRNOTAVAIL;"* || "$got" == *"getpid 39 EADDRNOTAVAIL;"*"mkdir 83 EADDRNOTAVAIL;"* ]]
    [[ "$got" == *"getuid 102 ok;"* && "$got" =~ int80:getpid\ 20\ (EADDRNOTAVAIL|signal) && "$got" =~ x32:getpid\ [0-9]+\ (EADDRNOTAVAIL|signal|ENOSYS) ]]
  done
}

@test "14: a filter is there before the program, with and without no_new_privs, in run and exec" {
  local nnp filter='.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir","mkdirat"],action:"SCMP_ACT_ERRNO",errnoRet:99}]}'
  for nnp in true false; do
    bundle '"sh","-c","mkdir /tmp/x; grep -E \"^(Seccomp|NoNew)\" /proc/self/status; exec sleep 100"' "$filter | .process.noNewPrivileges = $nnp"
    oci run -d -b "$B" "$id"
    ok
    sleep 0.3
    grep -q "^Seccomp:.2" "$BATS_TEST_TMPDIR/out"
    [[ ! -e "$BASE/tmp/x" ]]
    inside sh -c 'mkdir /tmp/x; grep -E "^(Seccomp|NoNew)" /proc/self/status'
    [[ "$output" == *Seccomp:?2* && ! -e "$BASE/tmp/x" ]]
    oci delete -f "$id"
  done
}

@test "15: notifications: without a listener no start, with a dead one no hang" {
  local notify='.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",listenerPath:$ENV.LISTENER,syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}'
  export LISTENER=$BATS_TEST_TMPDIR/listener
  bundle '"mkdir","/tmp/x"' "$notify"
  oci run -b "$B" "$id"
  refused listenerPath
  : > "$LISTENER"
  oci run -b "$B" "$id"
  refused listenerPath
  rm "$LISTENER"
  # takes the connection and the descriptor, and ends
  "$FAKES/oci_aid" fds "$LISTENER" > "$BATS_TEST_TMPDIR/fds" 3>&- &
  background+=($!)
  for _ in $(seq $((100 * SLOW))); do [[ ! -S "$LISTENER" ]] || break; sleep 0.1; done
  bound=20 oci run -b "$B" "$id"
  [[ $status -ne 0 && "$stderr" == *"mkdir:"*"Function not"* && ! -e "$BASE/tmp/x" ]]
  [[ "$(grep -c "^fd " "$BATS_TEST_TMPDIR/fds")" == 1 ]]
  # the write that tells of it, and the filter's own load, cannot be what is asked about
  for name in write seccomp sendmsg exit_group; do
    bundle '"true"' "$notify | .linux.seccomp.syscalls[0].names = [\"$name\"]"
    bound=20 oci run -b "$B" "$id"
    [[ $status -ne 124 ]]
    oci delete -f "$id"
  done
}

# agent VERB ARG...: a listener of seccomp notifications, at $LISTENER
agent() {
  export LISTENER=$BATS_TEST_TMPDIR/listener
  "$FAKES/oci_aid" "$1" "$LISTENER" "${@:2}" > "$BATS_TEST_TMPDIR/agent" 2>&1 < /dev/null 3>&- &
  agent=$!
  background+=("$agent")
  for _ in $(seq 100); do [[ ! -S "$LISTENER" ]] || return 0; sleep 0.1; done
  return 1
}
NOTIFY='.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",listenerPath:$ENV.LISTENER,syscalls:[{names:$names,action:"SCMP_ACT_NOTIFY"}]}'
# holders: of processes of ours, of the container and of the agent, those that have a listener open
holders() {
  local p
  for p in $("$OCI" --root "$ROOT" ps -f json "$id" | tr -d '[]\n' | tr , ' ') $(pgrep -f -- "--root $ROOT") "$agent"; do
    ! find "/proc/$p/fd" -lname 'anon_inode:seccomp notify' 2> /dev/null | grep -q . || echo "$p"
  done
}

@test "15: the listener is in nobody's hands but its own" {
  local how
  agent notify 0
  bundle '"sleep","100"' "[\"mkdir\"] as \$names | $NOTIFY"
  # the one who waits for it in the foreground has it neither
  as_host "$OCI" --root "$ROOT" run -b "$B" "$id" > /dev/null 2>&1 < /dev/null 3>&- &
  background+=($!)
  for _ in $(seq 100); do [[ "$("$OCI" --root "$ROOT" state "$id" | jq -r .status)" != running ]] || break; sleep 0.1; done
  [[ -n "$(pgrep -f -- "--root $ROOT")" && "$(holders)" == "$agent" ]]
  oci delete -f "$id"
  for how in create "run -d"; do
    agent notify 0
    oci $how -b "$B" "$id"
    ok
    [[ "$(holders)" == "$agent" ]]
    oci delete -f "$id"
  done
}

@test "15: a listener puts a descriptor in the answer's place, in one act" {
  echo "of the agent" > "$BATS_TEST_TMPDIR/given"
  agent addfd /etc/asked "$BATS_TEST_TMPDIR/given"
  bundle '"cat","/etc/asked"' "[\"openat\"] as \$names | $NOTIFY"
  oci run -b "$B" "$id"
  ok
  [[ "$output" == "of the agent" ]]
  grep -x "valid, descriptor [0-9]*" "$BATS_TEST_TMPDIR/agent"
  grep -x "afterwards ENOENT" "$BATS_TEST_TMPDIR/agent" # answered with it, so nobody else can
}

@test "15: a listener that dies with a call unanswered: ENOSYS, then and later, in run and exec" {
  agent drop
  bundle '"sh","-c","mkdir /tmp/x; mkdir /tmp/y; exec sleep 100"' "[\"mkdir\"] as \$names | $NOTIFY"
  bound=20 oci run -d -b "$B" "$id"
  ok
  for _ in $(seq 100); do [[ "$(grep -c "Function not" "$BATS_TEST_TMPDIR/err")" != 2 ]] || break; sleep 0.1; done
  [[ "$(grep -c "Function not" "$BATS_TEST_TMPDIR/err")" == 2 ]]
  run -1 kill -0 "$agent"
  # an exec asks for a listener of its own
  bound=20 oci exec "$id" true
  refused listenerPath
  agent drop
  bound=20 oci exec "$id" mkdir /tmp/x
  [[ $status -eq 1 && "$stderr" == *"Function not"* && ! -e "$BASE/tmp/x" ]]
}

@test "17: devices that were not given are neither made nor opened" {
  local nodes='mknod /tmp/sda b 8 0; mknod /tmp/loop b 7 0; mknod /tmp/mem c 1 1; for n in sda loop mem; do head -c 1 /tmp/$n && echo READ; done; rm -f /tmp/sda /tmp/loop /tmp/mem; true'
  bundle '"sh","-c",$ENV.NODES' "$ALL_CAPS | .linux.resources.devices = [{allow:false,access:\"rwm\"}]"
  NODES=$nodes bundle '"sh","-c",$ENV.NODES' "$ALL_CAPS | .linux.resources.devices = [{allow:false,access:\"rwm\"}]"
  oci run -b "$B" "$id"
  [[ "$output" != *READ* ]]
  # nothing said of devices: the same
  NODES=$nodes bundle '"sh","-c",$ENV.NODES' "$ALL_CAPS | .linux.resources = {}"
  oci run -b "$B" "$id"
  [[ "$output" != *READ* ]]
  NODES=$nodes bundle '"sleep","100"' "$ALL_CAPS"
  up
  inside sh -c "$nodes"
  [[ "$output" != *READ* ]]
  # the usual ones go on
  inside sh -c 'head -c 1 /dev/zero | wc -c; echo x > /dev/null && echo null'
  [[ "$output" == $'1\nnull' ]]
}

@test "17: rules with wildcards, and very many of them" {
  local rules
  bundle '"sh","-c","mknod /tmp/full c 1 7; (echo > /tmp/full) 2>&1; mknod /tmp/mem c 1 1; head -c 1 /tmp/mem && echo READ; true"' \
    "$ALL_CAPS | .linux.resources.devices = [{allow:false,access:\"rwm\"},{allow:true,type:\"c\",major:1,access:\"m\"}]"
  oci run -b "$B" "$id"
  ok
  rm -f "$BASE"/tmp/*
  [[ "$output" != *READ* ]]
  rules=$(jq -nc '[{allow:false,access:"rwm"}] + [range(1000; 1300) | {allow:true,type:"c",major:.,minor:5,access:"rw"}] + [{allow:true,type:"b",major:-1,minor:-1,access:"m"}]')
  bundle '"true"' ".linux.resources.devices = $rules"
  oci run -b "$B" "$id"
  ok
  # one that allows everything is the administrator's word
  bundle '"sh","-c","mknod /tmp/kmsg c 1 11 && head -c 0 /tmp/kmsg && echo opened"' "$ALL_CAPS | .linux.resources.devices = [{allow:true,type:\"a\",access:\"rwm\"}]"
  oci run -b "$B" "$id"
  rm -f "$BASE"/tmp/*
  [[ "$output" == opened ]]
  bundle '"true"' '.linux.resources.devices = [{allow:true,type:"x",access:"rwm"}]'
  oci run -b "$B" "$id"
  refused devices
  bundle '"true"' '.linux.resources.devices = [{allow:true,type:"c",access:"rwx"}]'
  oci run -b "$B" "$id"
  refused devices
}

@test "18: user namespaces: real ids outside, maps that cannot be are refused" {
  local maps
  bundle '"sleep","100"' "$USERNS"
  up
  [[ "$(stat -c %u "/proc/$(init_pid)")" == 200000 ]]
  inside sh -c 'id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user'
  [[ "$output" == *"200000"* && "$output" == *"$(readlink "/proc/$(init_pid)/ns/user")" ]]
  oci delete -f "$id"
  for maps in '[{"containerID":0,"hostID":200000,"size":0}]' '[{"containerID":0,"hostID":4294967290,"size":100}]' '[{"containerID":4294967290,"hostID":0,"size":100}]' \
    '[{"containerID":0,"hostID":200000,"size":10},{"containerID":5,"hostID":300000,"size":10}]' '[{"containerID":0,"hostID":200000,"size":10},{"containerID":50,"hostID":200005,"size":10}]' \
    '[{"containerID":-1,"hostID":200000,"size":10}]' '[{"containerID":0,"hostID":4294967296,"size":10}]' '[]'; do
    taken || continue
    bundle '"true"' '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = '"$maps"' | .linux.gidMappings = .linux.uidMappings'
    oci run -b "$B" "$id"
    refused
  done
  # maps without the namespace
  bundle '"true"' '.linux.uidMappings = [{"containerID":0,"hostID":200000,"size":10}] | .linux.gidMappings = .linux.uidMappings'
  oci run -b "$B" "$id"
  goes_or_is_refused
}

@test "25: sysctls of the host are not to be set" {
  local name
  for name in kernel.core_pattern kernel.modprobe vm.overcommit_memory fs.suid_dumpable kernel.panic kernel.hostname net.../../kernel.panic net/../kernel/panic ../x \
    net.ipv4/../../../kernel/panic /proc/sys/kernel/panic kernel.msgmax/../panic '' . / net. 'net.ipv4.ip_forward ' $'net.ipv4.ip_forward\n' fs.mqueue/../../kernel/panic user.max_user_namespaces; do
    taken || continue
    bundle '"true"' ".linux.sysctl = $(jq -n --arg n "$name" '{($n):"1"}')"
    oci run -b "$B" "$id"
    refused
  done
  # those of a namespace that is the host's
  for name in net:net.ipv4.ip_forward ipc:kernel.msgmax uts:kernel.domainname ipc:kernel.shm_rmid_forced ipc:fs.mqueue.msg_max; do
    bundle '"true"' ".linux.namespaces |= map(select(.type != \"${name%%:*}\" and (\"${name%%:*}\" != \"net\" or .type != \"network\"))) | .linux.sysctl = {\"${name#*:}\":\"1\"}"
    oci run -b "$B" "$id"
    refused
  done
}

@test "26: labels that the host has not are refused, not forgotten" {
  [[ -e /sys/kernel/security/apparmor ]] || {
    bundle '"true"' '.process.apparmorProfile = "arnia-none"'
    oci run -b "$B" "$id"
    refused
  }
  [[ -e /sys/fs/selinux/enforce ]] || {
    bundle '"true"' '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
    oci run -b "$B" "$id"
    refused
    bundle '"true"' '.linux.mountLabel = "system_u:object_r:container_file_t:s0"'
    oci run -b "$B" "$id"
    goes_or_is_refused
  }
  bundle '"sleep","100"'
  up
  [[ -e /sys/kernel/security/apparmor ]] || { oci exec --apparmor none-such "$id" true; refused; }
  [[ -e /sys/fs/selinux/enforce ]] || { oci exec --process-label none:such:label:s0 "$id" true; refused; }
}

# The word to start comes by a call that the filter, loaded long before, refuses.
@test "a filter that refuses what the start needs is told, and nothing is said to run" {
  bundle '"true"' '.process.noNewPrivileges = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["recvmsg"],"action":"SCMP_ACT_ERRNO"}]}'
  oci create -b "$B" "$id"
  [[ $status -eq 0 ]]
  oci start "$id"
  refused "hear that it is to start: Operation not permitted"
  oci delete -f "$id"
  # So it is when it has ended before the word is sent.
  [[ -x "$(command -v strace)" ]] || return 0
  oci create -b "$B" "$id"
  [[ $status -eq 0 ]]
  status=0
  timeout "$((60 * SLOW))" strace -q -o /dev/null -e trace=sendmsg -e inject=sendmsg:delay_enter=500000:when=1 \
    "$OCI" --root "$ROOT" start "$id" < /dev/null > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" || status=$?
  stderr=$(< "$BATS_TEST_TMPDIR/err")
  refused "hear that it is to start: Operation not permitted"
  oci delete -f "$id"
}
