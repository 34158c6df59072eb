#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci: mounts with their options, the root filesystem, devices, masked and read-only paths, and seccomp.
# Each test runs in a mount namespace of its own where it mounts something itself.
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
  src=$BATS_TEST_TMPDIR/src
  mkdir -p "$src/sub"
  echo data > "$src/file"
}
teardown() {
  oci_down
}

# mount DEST TYPE SOURCE OPTION...: the filter that adds one.
mount_of() {
  local o=
  for w in "${@:4}"; do o+="${o:+,}\"$w\""; done
  echo ".mounts += [{\"destination\":\"$1\",\"type\":\"$2\",\"source\":\"$3\",\"options\":[$o]}]"
}
# flags_of DEST: of the mount, as the inside sees them, propagation behind.
SHOW='show() { awk -v d="$1" "\$5 == d { p = \"\"; for (i = 7; \$i != \"-\"; i++) p = p \" \" \$i; print \$6 p }" /proc/self/mountinfo | sed "s/:[0-9]*//g" | tail -n 1; }; '
# with_mounts SCRIPT: in a mount namespace of its own, as private as can be; $OCI and the like are known.
with_mounts() {
  status=0
  OCI=$OCI ROOT=$ROOT B=$B id=$id src=$src unshare -m --propagation private timeout "$((60 * SLOW))" sh -ec "$1" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(cat "$BATS_TEST_TMPDIR/out") stderr=$(cat "$BATS_TEST_TMPDIR/err")
  printf 'status %s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"
}

# ---- mounts ----

@test "flags of a bind mount and of a filesystem, one by one" {
  local cases="ro:ro nosuid:rw,nosuid nodev:rw,nodev noexec:rw,noexec noatime:rw,noatime nodiratime:rw,nodiratime strictatime:rw nosymfollow:rw,nosymfollow" c filter=. script=$SHOW n=0
  for c in $cases; do
    filter+=" | $(mount_of "/mnt/t$n" tmpfs tmpfs "${c%%:*}") | $(mount_of "/mnt/b$n" bind "$src" bind "${c%%:*}")"
    script+="show /mnt/t$n; show /mnt/b$n; "
    n=$((n + 1))
  done
  inside "$script" ".root.readonly = false | $filter"
  n=1
  for c in $cases; do
    for f in $(tr ',' ' ' <<< "${c#*:}"); do
      [[ ",$(sed -n "${n}p" <<< "$output")," == *",$f,"* ]] || { echo "tmpfs, ${c%%:*}: $(sed -n "${n}p" <<< "$output")"; return 1; }
      [[ ",$(sed -n "$((n + 1))p" <<< "$output")," == *",$f,"* ]] || { echo "bind, ${c%%:*}: $(sed -n "$((n + 1))p" <<< "$output")"; return 1; }
    done
    n=$((n + 2))
  done
}

# bats test_tags=natively
@test "options of a filesystem go to it; opposites: the last one counts" {
  inside "$SHOW"'show /mnt/t; df -k /mnt/t | tail -n 1 | tr -s " " | cut -d" " -f2; stat -c %a /mnt/t; show /mnt/u' \
    ".root.readonly = false | $(mount_of /mnt/t tmpfs tmpfs nosuid ro rw size=64k mode=751 suid nodev) | $(mount_of /mnt/u tmpfs tmpfs rw ro acl defaults)"
  prints $'rw,nodev,relatime\n64\n751\nro,relatime'
  fails "/mnt/x" '"true"' ".root.readonly = false | $(mount_of /mnt/x tmpfs tmpfs nosuchoption)"
  fails "/mnt/x" '"true"' ".root.readonly = false | $(mount_of /mnt/x nosuchfs nosuchfs)"
}

@test "binds of a folder, of a file, of a relative source; what is missing" {
  inside 'cat /mnt/d/file; cat /mnt/f; echo more >> /mnt/f; touch /mnt/r/x 2>&1 | grep -o "Read-only file system"' \
    ".root.readonly = false | $(mount_of /mnt/d none "$src" rbind ro) | $(mount_of /mnt/f bind "$src/file" bind) | $(mount_of /mnt/r "" "$src" bind ro)"
  prints $'data\ndata\nRead-only file system'
  [[ "$(cat "$src/file")" == $'data\nmore' ]]
  bundle '"cat","/mnt/rel/here"' ".root.readonly = false | $(mount_of /mnt/rel bind below bind)"
  mkdir "$B/below"
  echo relative > "$B/below/here"
  oci run -b "$B" "$id"
  prints relative
  fails "nosuchsource" '"true"' ".root.readonly = false | $(mount_of /mnt/x bind "$src/nosuchsource" bind)"
  fails "destination" '"true"' "$(mount_of "" tmpfs tmpfs)"
  fails "" '"true"' '.mounts += [{"type":"tmpfs"}]'
}

@test "missing targets are made, also below a relative destination; links stay below the root" {
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$BATS_TEST_TMPDIR/rootfs"
  ln -s /../../../../../../tmp "$BATS_TEST_TMPDIR/rootfs/out"
  ln -s ../../../../../../../../../etc/made "$BATS_TEST_TMPDIR/rootfs/outfile"
  inside 'ls -d /deep/er/d /deep/f /rel; cat /deep/f; ls /tmp/in' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\" | $(mount_of /deep/er/d tmpfs tmpfs) | $(mount_of /deep/f bind "$src/file" bind)
    | $(mount_of rel tmpfs tmpfs) | $(mount_of /out/in bind "$src" bind)"
  prints $'/deep/er/d\n/deep/f\n/rel\ndata\nfile\nsub'
  [[ ! -e /tmp/in && -d $BATS_TEST_TMPDIR/rootfs/tmp/in && -f $BATS_TEST_TMPDIR/rootfs/deep/f ]]
  bundle '"true"' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\" | $(mount_of /outfile bind "$src/file" bind)"
  oci run -b "$B" "$id"
  [[ ! -e /etc/made ]]
  fails "destination" '"true"' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\" | $(mount_of /../../x tmpfs tmpfs)"
}

@test "rbind takes what is mounted below, bind does not; recursive options reach it" {
  bundle_sh "$SHOW"'ls /mnt/b/sub; echo -; ls /mnt/r/sub; show /mnt/r/sub; show /mnt/rro/sub; show /mnt/rn/sub; touch /mnt/ro/sub/x && echo written' ".root.readonly = false
    | $(mount_of /mnt/b bind "$src" bind) | $(mount_of /mnt/r bind "$src" rbind) | $(mount_of /mnt/rro bind "$src" rbind rro) | $(mount_of /mnt/rn bind "$src" rbind rnosuid rnoexec)
    | $(mount_of /mnt/ro bind "$src" rbind ro)"
  with_mounts 'mount -t tmpfs t "$src/sub"; touch "$src/sub/below"; "$OCI" --root "$ROOT" run -b "$B" "$id"'
  prints $'-\nbelow\nrw,relatime\nro,relatime\nrw,nosuid,noexec,relatime\nwritten'
}

@test "propagation of a mount, and of the root, as seen from both sides" {
  local o
  for o in private slave shared rprivate rslave rshared unbindable; do
    bundle_sh "$SHOW"'show /mnt/p; echo ready > /mnt/p/state; while [ ! -e /mnt/p/go ]; do sleep 0.05; done; ls /mnt/p/sub' ".root.readonly = false | $(mount_of /mnt/p bind "$src" rbind $o) | $(mount_of /mnt/q tmpfs tmpfs)
      $([[ $o != *shared ]] || echo '| .linux.rootfsPropagation = "shared"')"
    rm -f "$src/state" "$src/go"
    with_mounts 'mount --bind "$src" "$src"; mount --make-shared "$src"
      "$OCI" --root "$ROOT" run -b "$B" "$id" & n=0
      while [ ! -e "$src/state" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done
      mount -t tmpfs t "$src/sub"; touch "$src/sub/arrived" "$src/go"; wait $!; umount "$src/sub"'
    ok
    case $o in
      *private) prints "rw,relatime" ;;
      unbindable) prints "rw,relatime unbindable" ;;
      *slave) [[ $output == "rw,relatime master"$'\n'arrived ]] ;;
      *shared) [[ $output == "rw,relatime shared"$'\n'arrived ]] ;;
    esac || { echo "$o"; return 1; }
  done
}

@test "what is mounted below a source comes along, whatever the propagation" {
  local o
  for o in rprivate rslave rshared; do
    bundle_sh 'ls /mnt/p/sub' ".root.readonly = false | $(mount_of /mnt/p bind "$src" rbind $o)"
    with_mounts 'mount --bind "$src" "$src"; mount --make-shared "$src"; mount -t tmpfs t "$src/sub"; touch "$src/sub/before"
      "$OCI" --root "$ROOT" run -b "$B" "$id"; [ -e "$src/sub/before" ]'
    ok
    prints before || { echo "$o"; return 1; }
  done
}

@test "a shared mount of the container is seen outside" {
  bundle '"sh","-c","mount -t tmpfs t /mnt/p/sub && touch /mnt/p/sub/from-inside; sleep 1000"' ".root.readonly = false | $(mount_of /mnt/p bind "$src" rbind rshared)
    | .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"]) | .linux.rootfsPropagation = \"shared\""
  with_mounts 'mount --bind "$src" "$src"; mount --make-shared "$src"; "$OCI" --root "$ROOT" run -d -b "$B" "$id"
    n=0; while [ ! -e "$src/sub/from-inside" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
    ls "$src/sub"; "$OCI" --root "$ROOT" delete -f "$id"; umount "$src/sub"'
  ok
  prints from-inside
}

@test "rootfsPropagation" {
  local p
  for p in private slave unbindable; do
    inside "$SHOW show /" ".linux.rootfsPropagation = \"$p\""
    case $p in
      private) [[ $output != *shared* && $output != *master* ]] ;;
      unbindable) [[ $output == *unbindable* ]] ;;
      *) true ;;
    esac || { echo "$p: $output"; return 1; }
  done
  fails "rootfsPropagation" '"true"' '.linux.rootfsPropagation = "nosuch"'
}

@test "tmpcopyup: what was below is in the tmpfs" {
  inside 'ls /etc; cat /etc/passwd | wc -l; stat -c %a /etc; touch /etc/new; ls /etc' "$(mount_of /etc tmpfs tmpfs tmpcopyup)"
  prints $'passwd\n1\n755\nnew\npasswd'
  [[ ! -e $BATS_FILE_TMPDIR/rootfs/etc/new ]]
}

@test "idmap: a bind with mappings, with those of the container, without" {
  local maps='"uidMappings":[{"containerID":0,"hostID":100000,"size":10}],"gidMappings":[{"containerID":0,"hostID":200000,"size":10}]'
  chown 0:0 "$src/file"
  bundle '"stat","-c","%u:%g","/mnt/i/file","/mnt/p/file"' ".root.readonly = false | $(mount_of /mnt/i bind "$src" bind idmap) | .mounts[-1] += {$maps} | $(mount_of /mnt/p bind "$src" bind)"
  oci run -b "$B" "$id"
  [[ $status -eq 0 || $stderr != *"/mnt/i"*"Invalid argument"* ]] || skip "the filesystem of the tests cannot be idmapped"
  prints $'100000:200000\n0:0'
  bundle '"stat","-c","%u:%g","/mnt/i/file","/mnt/p/file"' ".root.readonly = false | .linux.namespaces += [{\"type\":\"user\"}] | .linux.uidMappings = [{\"containerID\":0,\"hostID\":100000,\"size\":65536}]
    | .linux.gidMappings = .linux.uidMappings | $(mount_of /mnt/i bind "$src" bind idmap) | $(mount_of /mnt/p bind "$src" bind)"
  oci run -b "$B" "$id"
  prints $'0:0\n65534:65534'
  fails "" '"true"' ".root.readonly = false | $(mount_of /mnt/i bind "$src" bind) | .mounts[-1] += {\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}"
}

# bats test_tags=natively
@test "procfs is not hidden: only as a whole by another one, or file by file as lxcfs does" {
  inside 'cat /proc/1/comm' '.linux.namespaces |= map(select(.type != "pid")) | .mounts |= map(if .destination == "/proc" then .type = "bind" | .source = "/proc" | .options = ["rbind","nosuid"] else . end)'
  prints "$(cat /proc/1/comm)"
  inside 'cat /proc/uptime' "$(mount_of /proc/uptime bind "$src/file" bind)"
  prints data
  for to in /proc /proc/self /proc/sys /proc/1/attr /proc/sysrq-trigger; do
    fails "/proc" '"true"' "$(mount_of "$to" bind "$src" bind)"
    fails "/proc" '"true"' "$(mount_of "$to" tmpfs tmpfs)"
  done
  # Also by a link of the image.
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$BATS_TEST_TMPDIR/rootfs"
  ln -s /proc/self "$BATS_TEST_TMPDIR/rootfs/link"
  fails "" '"true"' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\" | $(mount_of /link/attr tmpfs tmpfs)"
  # And an image whose /proc leads elsewhere.
  rmdir "$BATS_TEST_TMPDIR/rootfs/proc"
  ln -s tmp "$BATS_TEST_TMPDIR/rootfs/proc"
  bundle '"true"' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\""
  oci run -b "$B" "$id"
  [[ $status -ne 0 ]]
}

@test "the cgroup mount: the container's own one, read-only unless said" {
  inside "$SHOW"'show /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.procs | wc -l; cat /proc/self/cgroup | grep ^0; mkdir /sys/fs/cgroup/x 2>&1 | grep -o "Read-only file system"'
  [[ $output == "ro,nosuid,nodev,noexec,relatime"*$'\n'[1-9]*$'\n0::/\nRead-only file system' ]]
  inside 'mkdir /sys/fs/cgroup/x && cat /sys/fs/cgroup/x/cgroup.procs | wc -l' '.mounts |= map(if .type == "cgroup" then .options = ["rw"] else . end)'
  prints 0
}

# ---- root ----

# bats test_tags=natively
@test "root: read-only or not, relative, missing, a link" {
  inside 'touch /x 2>&1 | grep -o "Read-only file system"; touch /tmp/x 2>&1 | grep -o "Read-only file system"; touch /dev/x && echo dev'
  prints $'Read-only file system\nRead-only file system\ndev'
  mkdir "$B/rootfs" && cp -a "$BATS_FILE_TMPDIR/rootfs/." "$B/rootfs"
  sed -i "s|\"path\": \"$BATS_FILE_TMPDIR/rootfs\"|\"path\": \"rootfs\"|; s/\"readonly\": true/\"readonly\": false/" "$B/config.json"
  jq '.process.args = ["touch","/made"]' "$B/config.json" > "$B/c" && mv "$B/c" "$B/config.json"
  oci run -b "$B" "$id"
  ok
  [[ -e $B/rootfs/made ]]
  fails "" '"true"' '.root.path = "/nonexistent/root"'
  fails "" '"true"' '.root.path = "/etc/passwd"'
  fails "" '"true"' '.root.path = ""'
}

@test "masked and read-only paths" {
  inside 'cat /etc/passwd; ls /bin/.. > /dev/null; ls /usr; touch /tmp/x 2>&1 | grep -o "Read-only file system"; echo a > /proc/sys/kernel/hostname; cat /proc/kcore | head -c 1 | wc -c' \
    ".root.readonly = false | .linux.maskedPaths += [\"/etc/passwd\",\"/usr\",\"/nonexistent\",\"/bin/nosuch\"] | .linux.readonlyPaths += [\"/tmp\",\"/nothere\"]"
  prints $'Read-only file system\n0'
  [[ $stderr == *"Read-only file system"* ]]
  inside 'echo b > /proc/sys/kernel/hostname && hostname' '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
  prints b
  fails "maskedPaths" '"true"' '.linux.maskedPaths = ["relative"]'
}

# ---- devices ----

@test "the default devices and links are there" {
  inside 'for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo no $d; done; for l in fd stdin stdout stderr ptmx; do [ -L /dev/$l ] || echo no $l; done
    echo x > /dev/null; head -c 2 /dev/zero | wc -c; stat -c "%a %t:%T" /dev/null; readlink /dev/ptmx'
  prints $'2\n666 1:3\npts/ptmx'
}

@test "linux.devices: character, block, fifo, with mode and owner; what is wrong" {
  inside 'stat -c "%F %a %u:%g %t:%T" /dev/c /dev/d/b /dev/p' '.linux.devices = [
    {"path":"/dev/c","type":"c","major":1,"minor":5,"fileMode":384,"uid":7,"gid":8},{"path":"/dev/d/b","type":"b","major":7,"minor":0,"fileMode":432},{"path":"/dev/p","type":"p","fileMode":420,"uid":1}]'
  [[ $output == $'character special file 600 7:8 1:5\nblock special file 660 0:0 7:0\nfifo 644 1:0 '* ]]
  inside 'stat -c "%a %t:%T" /dev/null /dev/u' '.linux.devices = [{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":438},{"path":"/dev/u","type":"u","major":1,"minor":9}]'
  prints $'666 1:3\n666 1:9'
  fails "linux.devices[0]" '"true"' '.linux.devices = [{"path":"/dev/x","type":"z","major":1,"minor":5}]'
  fails "linux.devices[0]" '"true"' '.linux.devices = [{"path":"relative","type":"c","major":1,"minor":5}]'
}

@test "device rules: what none allows cannot be opened, whatever its name is" {
  # 1:12 is no device: an open that the rules let through says ENXIO.
  local caps='.process.capabilities |= map_values(. + ["CAP_MKNOD"])' dev='.linux.devices = [{"path":"/dev/k","type":"c","major":1,"minor":12,"fileMode":438}]' rules
  local both='oci_aid open /dev/k w; oci_aid open /dev/k r; true'
  inside 'oci_aid open /dev/null w; mknod /dev/again c 1 12; mknod /dev/b b 7 0; oci_aid open /dev/again r; oci_aid open /dev/b r; true' "$caps"
  prints $'ok\nEPERM\nEPERM'
  inside "$both" "$caps | $dev"
  prints $'EPERM\nEPERM'
  for rules in '[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":12,"access":"r"}]' '[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"access":"r"}]' \
    '[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","minor":12,"access":"r"}]' '[{"allow":true,"type":"a","access":"rwm"},{"allow":false,"type":"c","major":1,"minor":12,"access":"w"}]' \
    '[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","access":"rw"},{"allow":false,"type":"c","major":1,"minor":12,"access":"w"}]'; do
    inside "$both" "$dev | .linux.resources.devices = $rules"
    prints $'EPERM\nENXIO' || { echo "rules: $rules"; return 1; }
  done
  inside "$both" "$dev | .linux.resources.devices = [{\"allow\":true,\"access\":\"rwm\"}]"
  prints $'ENXIO\nENXIO'
  fails "devices" '"true"' '.linux.resources.devices = [{"allow":true,"type":"z","access":"rwm"}]'
  fails "devices" '"true"' '.linux.resources.devices = [{"allow":true,"type":"c","access":"q"}]'
}

# ---- seccomp ----

seccomp() {
  echo ".linux.seccomp = {\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],$1}]$2}"
}

@test "seccomp: errno with and without a value, kill, log, arguments" {
  inside 'mkdir /dev/shm/x 2>&1 || true' "$(seccomp '"action":"SCMP_ACT_ERRNO"')"
  [[ $output == *"Operation not permitted"* ]]
  bundle_sh 'mkdir /tmp/x' "$(seccomp '"action":"SCMP_ACT_ERRNO","errnoRet":18')"
  oci run -b "$B" "$id"
  [[ $stderr == *"link"* ]]
  for a in KILL KILL_PROCESS KILL_THREAD TRAP; do
    bundle_sh 'mkdir /tmp/x; echo $?' "$(seccomp "\"action\":\"SCMP_ACT_$a\"")"
    oci run -b "$B" "$id"
    ok
    prints 159
  done
  inside 'mkdir /dev/shm/x; echo $?' "$(seccomp '"action":"SCMP_ACT_LOG"')"
  prints 0
  # openat(2) with O_WRONLY | O_NONBLOCK: its third argument, under a mask.
  inside 'oci_aid open /etc/passwd r; oci_aid open /etc/passwd w; true' '.root.readonly = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["openat"],"action":"SCMP_ACT_ERRNO","errnoRet":73,"args":[{"index":2,"value":3,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}]}]}'
  prints $'ok\nEDOTDOT'
  bundle_sh 'mkdir /tmp/x; echo $?' "$(seccomp '"action":"SCMP_ACT_TRACE","errnoRet":1')"
  oci run -b "$B" "$id"
  [[ $stderr == *"Function not"* ]]
  # A default that refuses, with a list that allows, and a value of its own.
  bundle_sh 'mkdir /tmp/x' "$(seccomp '"action":"SCMP_ACT_ALLOW"' | sed 's/"defaultAction":"SCMP_ACT_ALLOW"/"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38/')"
  oci run -b "$B" "$id"
  [[ $status -ne 0 ]]
  nothing_left
}

# bats test_tags=natively
@test "seccomp: what is wrong with it" {
  fails "seccomp" '"true"' "$(seccomp '"action":"SCMP_ACT_NOSUCH"')"
  fails "seccomp" '"true"' "$(seccomp '"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]')"
  fails "seccomp" '"true"' "$(seccomp '"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"SCMP_CMP_NOSUCH"}]')"
  fails "seccomp" '"true"' '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_NOSUCH"]}'
  fails "seccomp" '"true"' '.linux.seccomp = {"defaultAction":"SCMP_ACT_NOTIFY"}'
  fails "listenerPath" '"true"' "$(seccomp '"action":"SCMP_ACT_NOTIFY"')"
  fails "nobody" '"true"' "$(seccomp '"action":"SCMP_ACT_NOTIFY"' ",\"listenerPath\":\"$BATS_TEST_TMPDIR/nobody\"")"
  # A call that this kernel does not know is left out.
  inside 'echo fine' '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["nosuchcall"],"action":"SCMP_ACT_ERRNO"}]}'
  prints fine
}

@test "seccomp: notify gives the listener away with the state, and is answered" {
  local n
  for n in 18 0; do
    behind "$AID" notify "$BATS_TEST_TMPDIR/agent" $n
    listens "$BATS_TEST_TMPDIR/agent"
    bundle_sh 'mkdir /dev/shm/x 2> /dev/null; echo $?' "$(seccomp '"action":"SCMP_ACT_NOTIFY"' ",\"listenerPath\":\"$BATS_TEST_TMPDIR/agent\",\"listenerMetadata\":\"meta data\"")"
    oci run -b "$B" "$id"
    prints $((n ? 1 : 0))
    grep -q '^call' "$BATS_TEST_TMPDIR/behind.out"
    head -n 1 "$BATS_TEST_TMPDIR/behind.out" | jq -e --arg id "$id" '.fds == ["seccompFd"] and .metadata == "meta data" and .state.id == $id and .state.status == "creating" and .pid > 0 and .pid == .state.pid and (.ociVersion | type) == "string"'
  done
  # Of an exec it is a filter of its own.
  behind "$AID" notify "$BATS_TEST_TMPDIR/agent" 0
  listens "$BATS_TEST_TMPDIR/agent"
  bundle '"sleep","1000"' "$(seccomp '"action":"SCMP_ACT_NOTIFY"' ",\"listenerPath\":\"$BATS_TEST_TMPDIR/agent\"")"
  oci run -d -b "$B" "$id"
  ok
  wait_until 50 test -s "$BATS_TEST_TMPDIR/behind.out"
  behind "$AID" notify "$BATS_TEST_TMPDIR/agent" 1
  listens "$BATS_TEST_TMPDIR/agent"
  oci exec "$id" mkdir /dev/shm/y
  [[ $status -eq 1 && $stderr == *"Operation not permitted"* ]]
  head -n 1 "$BATS_TEST_TMPDIR/behind.out" | jq -e '.state.status == "running" and .pid != .state.pid'
}
