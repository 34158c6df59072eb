# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# arnia-oci checkpoint and restore, with the criu that $ARNIA_CRIU names or PATH has.
# test-host: plain
bats_require_minimum_version 1.5.0

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}
export SLOW=${ARNIA_SLOW:-1}

setup_file() {
  export CRIU=${ARNIA_CRIU:-criu} WHY=''
  mkdir -p "$BATS_FILE_TMPDIR/rootfs"/{bin,etc,tmp,proc,sys,dev,root,data}
  cp /bin/busybox "$BATS_FILE_TMPDIR/rootfs/bin/"
  for a in sh cat sleep echo nc mount tty ls; do ln -s busybox "$BATS_FILE_TMPDIR/rootfs/bin/$a"; done
  if [[ $(id -u) -ne 0 ]]; then
    WHY='needs root'
  elif ! command -v "$CRIU" > /dev/null; then
    WHY='no criu in PATH nor in $ARNIA_CRIU'
  elif ! timeout 60 "$CRIU" check > "$BATS_FILE_TMPDIR/check" 2>&1; then
    WHY="$("$CRIU" --version | head -n 1) does not work on this kernel: $(grep -m 1 Error "$BATS_FILE_TMPDIR/check" | cut -c1-150)"
  fi
}

setup() {
  [[ -z $WHY ]] || skip "$WHY"
  cd "$BATS_TEST_TMPDIR" || return
  export OCI=$ARNIA_BUILD/bin/arnia-oci ROOT=$BATS_TEST_TMPDIR/root
  mkdir b
  cp -a "$BATS_FILE_TMPDIR/rootfs" b/rootfs
  export ID=chk$BATS_TEST_NUMBER.$$
  mounts=$(mount_count)
}

teardown() {
  [[ -z ${ID:-} ]] || oci delete --force "$ID" > /dev/null 2>&1 || :
  [[ -z ${helper:-} ]] || kill "$helper" 2> /dev/null || :
}

oci() {
  timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" --criu "$CRIU" "$@"
}

# config SCRIPT [FILTER]: the bundle runs it by sh; FILTER of jq changes the rest.
config() {
  rm -f b/config.json
  touch -d @0 b/rootfs/tmp/n
  chown --reference=b/rootfs/tmp b/rootfs/tmp/n
  oci spec -b b
  jq --arg script "$1" '.process.terminal = false | .process.args = ["sh", "-c", $script] | .root.readonly = false | '"${2:-.}" \
    b/config.json > b/config.new
  mv b/config.new b/config.json
}

# Counts in the time of /tmp/n, and on: whatever is open at the moment of a dump is there and as long as it was at a restore.
COUNTER='i=0; while :; do i=$((i+1)); busybox touch -d @$i /tmp/n; sleep 0.1; done'
count() {
  stat -c %Y b/rootfs/tmp/n
}
counts_past() {
  [[ $(count) -gt $1 ]]
}
mount_count() {
  grep -cF "$BATS_TEST_TMPDIR" /proc/self/mountinfo || :
}

wait_for() {
  local end=$((SECONDS + 20 * SLOW))
  until "$@"; do
    [[ $SECONDS -lt $end ]] || { echo "timed out: $*"; return 1; }
    sleep 0.05
  done
}

status_of() {
  oci state "$ID" 2> /dev/null | jq -r .status
}

start() {
  oci run -d -b b "$ID" < /dev/null > out 2>&1 3>&-
}
start_counting() {
  config "$COUNTER" "$@"
  start
  wait_for counts_past 3
}
# ARG...; what went wrong is shown by bats.
checkpoint() {
  oci checkpoint --image-path img "$@" "$ID" || { grep Error img/dump.log work/dump.log; return 1; }
}
restore() {
  oci restore -d -b b --image-path img "$@" "$ID" < /dev/null >> out 2>&1 3>&- || { cat out; grep -h Error img/*.log work/*.log; return 1; }
}

# Nothing of it: no process, cgroup, mount, folder.
nothing_left() {
  [[ ! -e $ROOT/$ID ]]
  [[ $(mount_count) -eq $mounts ]]
  [[ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -name "*$ID*" 2> /dev/null)" ]]
}

@test "features: says whether there is a criu" {
  run oci features
  [[ $output == *'"org.opencontainers.runc.checkpoint.enabled": "true"'* ]]
}

@test "a counter goes on where it was" {
  config "$COUNTER"
  start
  wait_for counts_past 3
  checkpoint
  [[ -z $(status_of) ]] # as with runc, it is gone
  nothing_left
  [[ -s img/inventory.img && -s img/descriptors.json ]]
  before=$(count)
  sleep 0.3
  [[ $(count) -eq $before ]]
  restore --pid-file pid
  [[ $(status_of) == running ]]
  [[ $(oci state "$ID" | jq .pid) -eq $(< pid) ]]
  [[ $(ps -o args= "$(< pid)") == "sh -c i=0"* ]]
  wait_for counts_past "$before"
  [[ $(count) -lt $((before + 1000)) ]]
  [[ $(mount_count) -eq $mounts ]]
  [[ $(oci exec "$ID" echo inside) == inside ]]
  # It is a container as any other: stopped, counted and ended with its cgroup.
  oci pause "$ID"
  [[ $(status_of) == paused ]]
  oci resume "$ID"
  oci kill "$ID" KILL
  wait_for eval '[[ $(status_of) == stopped ]]'
  oci delete "$ID"
  nothing_left
}

@test "a second time, of what was restored; and of a paused one" {
  start_counting
  checkpoint
  restore
  wait_for counts_past "$(count)"
  oci pause "$ID"
  rm -rf img
  checkpoint --work-path work
  [[ -e work/dump.log && ! -e img/dump.log ]]
  before=$(count)
  restore --work-path work
  [[ -e work/restore.log ]]
  wait_for counts_past "$before"
}

@test "--leave-running: it goes on, and what was kept can be restored later" {
  start_counting
  pid=$(oci state "$ID" | jq .pid)
  checkpoint --leave-running
  [[ $(status_of) == running && $(oci state "$ID" | jq .pid) -eq $pid ]]
  at=$(count)
  wait_for counts_past "$((at + 5))"
  oci delete --force "$ID"
  nothing_left
  restore
  wait_for eval '[[ $(count) -lt $((at + 5)) ]]' # behind again
}

@test "--pre-dump and --parent-path" {
  "$CRIU" check --feature mem_dirty_track > /dev/null 2>&1 || skip "this kernel does not track memory"
  start_counting
  oci checkpoint --pre-dump --image-path parent "$ID"
  [[ $(status_of) == running ]]
  [[ -e parent/pages-1.img && ! -e parent/descriptors.json ]]
  run -1 oci checkpoint --parent-path "$PWD/parent" --image-path img "$ID"
  [[ $output == *"--parent-path must be relative"* ]]
  run -1 oci checkpoint --parent-path ../nowhere --image-path img "$ID"
  checkpoint --parent-path ../parent
  before=$(count)
  [[ -L img/parent ]]
  restore
  wait_for counts_past "$before"
}

@test "pipes of its standard streams are connected again; in the foreground its exit code is the exit code" {
  config 'i=0; while :; do i=$((i+1)); echo $i; [ $i -lt 40 ] || exit 7; sleep 0.1; done'
  { oci run -d -b b "$ID" < /dev/null 2>&1 3>&- | cat > seen; } 3>&- &
  wait_for grep -qsx 5 seen
  checkpoint
  wait # its end of the pipe is closed
  [[ $(< img/descriptors.json) == '["/dev/null","pipe:'*'","pipe:'* ]]
  last=$(tail -n 1 seen)
  run -7 eval 'oci restore -b b --image-path img "$ID" < /dev/null 2>&1 | cat > seen2; exit ${PIPESTATUS[0]}'
  [[ $(head -n 1 seen2) -eq $((last + 1)) && $(tail -n 1 seen2) -eq 40 ]]
  nothing_left
}

@test "streams that are files of the host" {
  config 'read -r first; echo "$first"; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
  echo word > in
  oci run -d -b b "$ID" < in > log 2>&1 3>&-
  wait_for grep -qx 5 log
  checkpoint
  last=$(tail -n 1 log)
  run -1 eval 'oci restore -d -b b --image-path img "$ID" < in 2>&1 > other 3>&-'
  [[ $output == *"File fd/1 has bad size 0"* ]]
  oci restore -d -b b --image-path img "$ID" < in >> log 2>&1 3>&-
  wait_for grep -qx "$((last + 3))" log
  [[ $(head -n 1 log) == word ]]
  diff <(seq "$((last + 3))") <(head -n "$((last + 4))" log | tail -n +2)
}

@test "bind mounts come from the host again, also through links and into one another" {
  mkdir -p src/inner src2
  echo one > src/f
  echo two > src2/g
  ln -s tmp b/rootfs/link
  start_counting ".mounts += [
    {destination: \"/data\", type: \"bind\", source: \"$PWD/src\", options: [\"bind\", \"ro\"]},
    {destination: \"/data/inner\", type: \"bind\", source: \"$PWD/src2\", options: [\"rbind\"]},
    {destination: \"/link/deep\", type: \"bind\", source: \"$PWD/src\", options: [\"rbind\"]},
    {destination: \"/etc/hosts\", type: \"bind\", source: \"/etc/hostname\", options: [\"bind\"]}]"
  checkpoint
  before=$(count)
  echo new > src/f
  restore
  wait_for counts_past "$before"
  [[ $(oci exec "$ID" cat /data/f /data/inner/g /tmp/deep/f) == $'new\ntwo\nnew' ]]
  [[ $(oci exec "$ID" cat /etc/hosts) == "$(cat /etc/hostname)" ]]
  run ! oci exec "$ID" sh -c 'echo x > /data/f'
  [[ $(oci exec "$ID" sh -c 'cat /proc/keys /proc/timer_list | busybox wc -c') -eq 0 ]] # masked
}

@test "what is mounted below a source comes along with an rbind" {
  mkdir -p src/sub src2
  echo two > src2/g
  unshare -m bash -euc '
    mount --bind src2 src/sub
    '"$(declare -f oci config start count counts_past wait_for start_counting checkpoint restore)"'
    COUNTER='"$(printf %q "$COUNTER")"'
    start_counting ".mounts += [{destination: \"/data\", type: \"bind\", source: \"$PWD/src\", options: [\"rbind\"]},
      {destination: \"/data/sub/t\", type: \"tmpfs\", source: \"tmpfs\"}]"
    oci exec "$ID" sh -c "echo kept > /data/sub/t/f"
    checkpoint
    before=$(count)
    restore
    wait_for counts_past "$before"
    [[ $(oci exec "$ID" cat /data/sub/g /data/sub/t/f) == $(printf "two\nkept") ]]
    oci delete --force "$ID"
  '
}

@test "another bundle may have them elsewhere" {
  mkdir src other
  echo one > src/f
  echo other > other/f
  start_counting ".mounts += [{destination: \"/data\", type: \"bind\", source: \"$PWD/src\", options: [\"bind\"]}]"
  checkpoint
  sed -i "s|$PWD/src|$PWD/other|" b/config.json
  restore
  [[ $(oci exec "$ID" cat /data/f) == other ]]
}

@test "the folder of its NOTIFY_SOCKET is there again, whether the variable is set or not" {
  local mount='/run/notify ro,'
  config "$COUNTER"
  NOTIFY_SOCKET=$PWD/manager oci create -b b "$ID" < /dev/null > out 2>&1 3>&-
  oci start "$ID"
  wait_for counts_past 3
  checkpoint
  before=$(count)
  restore
  wait_for counts_past "$before"
  [[ $(oci exec "$ID" cat /proc/self/mountinfo | cut -d' ' -f5,6) == *"$mount"* ]]
  rm -rf img
  checkpoint
  before=$(count)
  NOTIFY_SOCKET=$PWD/manager restore
  wait_for counts_past "$before"
  [[ $(oci exec "$ID" cat /proc/self/mountinfo | cut -d' ' -f5,6) == *"$mount"* ]]
}

@test "a network namespace that was joined is joined again" {
  touch net
  unshare -m -n bash -euc '
    ip link set lo up
    mount --bind /proc/self/ns/net net
    '"$(declare -f oci config start count counts_past wait_for start_counting checkpoint restore status_of)"'
    COUNTER='"$(printf %q "$COUNTER")"'
    start_counting "(.linux.namespaces[] | select(.type == \"network\")) += {path: \"$PWD/net\"}"
    checkpoint
    before=$(count)
    restore
    wait_for counts_past "$before"
    [[ $(oci exec "$ID" busybox readlink /proc/1/ns/net) == "$(readlink /proc/self/ns/net)" ]]
    oci delete --force "$ID"
  ' net "$ID"
}

@test "a user namespace is made again" {
  chown -R 100000:100000 b/rootfs
  chmod 755 . "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" 2> /dev/null || :
  config "$COUNTER" '.linux.namespaces += [{type: "user"}] |
    .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
  oci run -d -b b "$ID" < /dev/null > /dev/null 2>&1 3>&-
  wait_for counts_past 3
  checkpoint
  before=$(count)
  owner=$(stat -c %u:%g:%a img)
  oci restore -d -b b --image-path img "$ID" < /dev/null > /dev/null 3>&-
  wait_for counts_past "$before"
  [[ $(oci exec "$ID" cat /proc/1/uid_map) == *0*100000*65536 ]]
  [[ $(stat -c %u:%g:%a img) == "$owner" ]]
}

@test "hooks: prestart and createRuntime with the new process, poststop at the end" {
  cat > hook << EOF
#!/bin/sh
jq -r '"'"\$1"' \(.status) \(.pid)"' >> $PWD/hooks
EOF
  chmod +x hook
  start_counting ".hooks = {createRuntime: [{path: \"$PWD/hook\", args: [\"hook\", \"createRuntime\"]}],
    poststop: [{path: \"$PWD/hook\", args: [\"hook\", \"poststop\"]}]}"
  checkpoint
  [[ $(sed 's/ [^ ]*$//' hooks) == $'createRuntime creating\npoststop stopped' ]]
  rm hooks
  restore
  [[ $(< hooks) == "createRuntime creating $(oci state "$ID" | jq .pid)" ]]
}

@test "--tcp-established: a connection of its own goes on" {
  config 'busybox ifconfig lo up; sleep 1000 | nc -l -p 4000 > /tmp/n & sleep 0.5
    (i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done) | nc 127.0.0.1 4000' \
    '.process.capabilities[] += ["CAP_NET_ADMIN"]'
  lines() { [[ $(wc -l < b/rootfs/tmp/n) -gt $1 ]]; }
  start
  wait_for lines 3
  run -1 oci checkpoint --image-path img "$ID"
  echo "$output"
  [[ $output == *"tcp-established"* && ${#lines[@]} -eq 1 ]]
  [[ $(status_of) == running ]]
  checkpoint --tcp-established
  before=$(wc -l < b/rootfs/tmp/n)
  restore --tcp-established
  wait_for lines "$((before + 3))"
  # None is lost and none comes twice.
  diff <(head -n "$((before + 3))" b/rootfs/tmp/n) <(seq "$((before + 3))")
}

@test "--ext-unix-sk: a socket connected to one outside" {
  [[ -x "$(command -v socat)" ]] || skip "no socat on this machine"
  mkdir sockets
  ldd "$(command -v socat)" | grep -o '/[^ ]*' | xargs cp -L --parents -t b/rootfs "$(command -v socat)"
  socat -u "UNIX-RECV:$PWD/sockets/s" - > got 3>&- &
  helper=$!
  got() { [[ $(tail -n 1 got) -gt $1 ]]; }
  # criu finds it in the network namespace of the process only.
  config "(i=0; while :; do i=\$((i+1)); echo \$i; sleep 0.1; done) | $(command -v socat) -u - UNIX-CONNECT:$PWD/sockets/s,type=2" \
    "del(.linux.namespaces[] | select(.type == \"network\")) |
    .mounts += [{destination: \"$PWD/sockets\", type: \"bind\", source: \"$PWD/sockets\", options: [\"bind\"]}]"
  start
  wait_for got 3
  run -1 oci checkpoint --image-path img "$ID"
  echo "$output"
  [[ $output == "arnia-oci: criu: "* && ${#lines[@]} -eq 1 ]]
  checkpoint --ext-unix-sk
  last=$(tail -n 1 got)
  restore --ext-unix-sk
  wait_for got "$((last + 3))"
  diff <(head -n "$((last + 3))" got) <(seq "$((last + 3))")
}

@test "a terminal: --shell-job of outside, one of its own without" {
  config 'i=0; while :; do i=$((i+1)); busybox touch -d @$i /tmp/n; echo at $i; sleep 0.1; done' '.process.terminal = true'
  script -qfc "$OCI --root $ROOT run -b b $ID" /dev/null < /dev/null > seen 2>&1 3>&- &
  wait_for counts_past 3
  checkpoint
  before=$(count)
  wait
  script -qfc "$OCI --root $ROOT --criu $CRIU restore -b b --image-path img $ID" /dev/null < /dev/null > seen 2>&1 3>&- &
  wait_for counts_past "$before"
  wait_for grep -q "at $((before + 2))" seen
  oci kill "$ID" KILL
  wait
  nothing_left
}

@test "what cannot be is one line, and leaves nothing" {
  run -1 --separate-stderr oci checkpoint --image-path img nosuch
  [[ $stderr == "arnia-oci: container does not exist" && ! -e img ]]
  run -1 --separate-stderr oci restore -d -b b --image-path img "$ID"
  [[ $stderr == "arnia-oci: --image-path: open img: No such file or directory" ]]
  start_counting
  run -1 --separate-stderr oci --criu /nosuch/criu checkpoint --image-path img "$ID"
  [[ $stderr == *"/nosuch/criu is not installed" && ! -e img ]]
  run -1 --separate-stderr oci checkpoint --manage-cgroups-mode odd --image-path img "$ID"
  [[ $stderr == *"manage-cgroups-mode"* && ! -e img ]]
  run -1 --separate-stderr oci checkpoint --page-server odd --image-path img "$ID"
  [[ $stderr == *"page-server"* && ! -e img ]]
  [[ $(status_of) == running ]]
  checkpoint
  nothing_left
  # Images that are not whole.
  truncate -s 10 img/core-1.img
  run -1 --separate-stderr oci restore -d -b b --image-path img "$ID"
  echo "$stderr"
  [[ $stderr == "arnia-oci: criu: "*"(its log: img/restore.log)" && $stderr != *$'\n'* ]]
  nothing_left
  mkdir empty
  run -1 --separate-stderr oci restore -d -b b --image-path empty "$ID"
  nothing_left
  run -1 --separate-stderr oci checkpoint --image-path img "$ID"
  config "$COUNTER"
  oci create -b b "$ID" < /dev/null > /dev/null 2>&1 3>&-
  run -1 --separate-stderr oci checkpoint --image-path img "$ID"
  [[ $stderr == *"cannot be checkpointed in created state" ]]
}

@test "a failed dump: it goes on, only the log stays" {
  # An open file of the host, which it has no name for.
  config "$COUNTER"
  oci run -d -b b --preserve-fds 1 "$ID" < /dev/null > out 2>&1 3< /etc/hostname
  wait_for counts_past 3
  run -1 --separate-stderr oci checkpoint --image-path img "$ID"
  echo "$stderr"
  [[ $stderr == "arnia-oci: criu: "*"(its log: img/dump.log)" && $stderr != *$'\n'* ]]
  [[ $(ls -A img) == dump.log ]]
  run -1 --separate-stderr oci checkpoint --image-path img2 --work-path work "$ID"
  [[ ! -e img2 && $(ls -A work) == dump.log ]]
  [[ $(status_of) == running ]]
  at=$(count)
  wait_for counts_past "$((at + 3))"
}

@test "--lazy-pages: a dump whose reader never comes is interrupted, or ends with its caller; then it goes on" {
  start_counting
  mkfifo ready
  for sig in TERM KILL; do
    "$OCI" --root "$ROOT" --criu "$CRIU" checkpoint --image-path img --lazy-pages --page-server "127.0.0.1:$((20000 + RANDOM % 10000))" \
      --status-fd 9 "$ID" > said 2>&1 9> ready 3>&- &
    helper=$!
    timeout "$((20 * SLOW))" head -c 1 ready > /dev/null
    criu=$(cat "/proc/$helper/task/$helper/children")
    kill -$sig "$helper"
    wait "$helper" || echo "$? $(< said)"
    [[ $sig == KILL || "$(< said)" == "arnia-oci: interrupted by SIGTERM" ]]
    wait_for ended "${criu% }"
    [[ $(status_of) == running ]]
    at=$(count)
    wait_for counts_past "$((at + 3))"
  done
}
@test "--lazy-pages: a restore that fails when all is made ends, and leaves nothing" {
  # The first process cannot end before the other is reaped, by criu.
  config 'sleep 1000 & exec sleep 1000'
  start
  checkpoint
  # It takes number and descriptor of both, 4 and 1 bytes each, and goes.
  perl -MIO::Socket::UNIX -e 'my $l = IO::Socket::UNIX->new(Local => "img/lazy-pages.socket", Listen => 1) or die $!;
    my $s = $l->accept; for (my $n = 0; $n < 10; $n += length $b) { sysread($s, $b, 10 - $n) or die $!; }' 3>&- &
  helper=$!
  wait_for test -S img/lazy-pages.socket
  run -1 --separate-stderr bash -c 'timeout $((60 * SLOW)) "$OCI" --root "$ROOT" --criu "$CRIU" restore -d -b b --image-path img --lazy-pages "$ID" < /dev/null >> out 3>&-'
  echo "$stderr"
  [[ $stderr == "arnia-oci: criu: "*"(its log: img/restore.log)" && $stderr != *$'\n'* ]]
  nothing_left
}
ended() {
  [[ -n $1 && ! -d /proc/$1 ]]
}

@test "runc can restore its images" {
  [[ -n ${ARNIA_VM:-} && -x "$(command -v runc)" ]] || skip "runc, on the test host"
  mkdir src
  echo one > src/f
  # Streams that are files runc does not know.
  config "$COUNTER" ".mounts += [{destination: \"/data\", type: \"bind\", source: \"$PWD/src\", options: [\"bind\"]}]"
  oci run -d -b b "$ID" < /dev/null > /dev/null 2>&1 3>&-
  wait_for counts_past 3
  checkpoint
  before=$(count)
  r() { timeout "$((60 * SLOW))" runc --root "$PWD/runc" "$@"; }
  r restore -d -b b --image-path "$PWD/img" "r$ID" < /dev/null > /dev/null 3>&- || { grep Error img/*.log; false; }
  wait_for counts_past "$before"
  [[ $(r exec "r$ID" cat /data/f) == one ]]
  r delete --force "r$ID"
}

@test "podman: a terminal, a volume, a dump before the dump" {
  [[ ${ARNIA_VM:-} == systemd && -x "$(command -v podman)" ]] || skip "podman with systemd, on the test host"
  pm() { timeout 1200 podman --runtime "$OCI" "$@"; }
  tar -C b/rootfs -c . | pm import -q - chk > /dev/null
  mkdir vol
  pm run -dt --name chk -v "$PWD/vol:/vol" --memory 64m chk sh -c 'i=0; while :; do i=$((i+1)); echo $i; echo $i > /vol/n; sleep 0.2; done'
  on() { [[ $(cat vol/n 2> /dev/null) -gt $1 ]]; }
  wait_for on 3
  pm container checkpoint --pre-checkpoint --export pre.tar chk
  pm container checkpoint --with-previous --export chk.tar chk
  last=$(< vol/n)
  pm container restore --import chk.tar --import-previous pre.tar --name other ||
    { cat /var/lib/containers/storage/overlay-containers/*/userdata/restore.log | grep Error; false; }
  wait_for on "$last"
  [[ $(pm exec other sh -c 'test -t 0; cat /vol/n') -gt $last ]]
  [[ $(pm logs other | tr -d '\r' | tail -n 1) -gt $last ]]
  pm rm -f -t 0 other chk
  pm rmi -f chk
}

@test "podman container checkpoint and restore" {
  [[ ${ARNIA_VM:-} == systemd && -x "$(command -v podman)" ]] || skip "podman with systemd, on the test host"
  pm() { timeout 1200 podman --runtime "$OCI" "$@"; }
  tar -C b/rootfs -c . | pm import -q - chk > /dev/null
  pm run -d --name chk chk sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'
  said() { [[ $(pm logs --tail 1 chk) -gt $1 ]]; }
  wait_for said 3
  pm container checkpoint --leave-running chk
  pm container checkpoint chk
  last=$(pm logs --tail 1 chk)
  pm container restore chk
  wait_for said "$last"
  [[ $(pm exec chk echo inside) == inside ]]
  pm container checkpoint --export chk.tar chk
  pm rm -f chk
  pm container restore --import chk.tar
  wait_for said 1
  pm rm -f -t 0 chk
  pm rmi -f chk
}
