#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mount namespaces that are not made with the container: one joined by path, and none at all, which is the caller's.
# test-host: plain
bats_require_minimum_version 1.5.0
load ocibundle

setup() {
  bundle_up
  AFTER=""
}
teardown() {
  oci delete --force box || true
  [[ -z "$AFTER" ]] || kill "$AFTER" 2> /dev/null || true
  cgroups_gone
}

UNMASKED='.linux.maskedPaths = [] | .linux.readonlyPaths = []'
# none [FILTER]: no mount namespace in the configuration.
none() {
  configure ".linux.namespaces |= map(select(.type != \"mount\")) | $UNMASKED | ${1:-.}"
}
# joined PATH [FILTER]
joined() {
  configure ".linux.namespaces |= map(if .type == \"mount\" then .path = \"$1\" else . end) | ${2:-.}"
}
# other [OPTION...]: a mount namespace, THERE, with a process in it, AFTER, and a tmpfs that nobody else has. The script in MORE is run there.
other() {
  local i
  mkdir -p "$BATS_TEST_TMPDIR/only"
  unshare "$@" --mount --propagation private sh -c '
    mount -t tmpfs only "$1" && echo there > "$1/file" && eval "$2" && touch "$1/ready" && exec sleep 300' sh "$BATS_TEST_TMPDIR/only" "${MORE:-true}" 3>&- > /dev/null 2>&1 &
  AFTER=$! THERE=/proc/$!/ns/mnt
  for ((i = 0; i < 100; i++)); do
    [[ ! -e /proc/$AFTER/root/$BATS_TEST_TMPDIR/only/ready ]] || return 0
    sleep 0.1
  done
  return 1
}
# What is left alive when the step's process is killed would keep a pipe open.
failing() {
  ARNIA_FAIL_AT=$1 timeout 60 "$OCI" --root "$ROOT" create --bundle "$BUNDLE" box > /dev/null 2>&1 3>&- < /dev/null
}
box_args() {
  configure ".process.args = [\"sh\", \"-c\", \"$1\"]"
}

@test "none: the program is in the caller's mount namespace, in its own root, and the mounts end with it" {
  none
  box_args 'readlink /proc/self/ns/mnt; ls / | tr \"\\n\" \" \"; cat /proc/1/cmdline | tr \"\\0\" \" \"; cut -d\" \" -f5 /proc/self/mountinfo | tr \"\\n\" \" \"; exit 7'
  run -7 oci run --bundle "$BUNDLE" box < /dev/null
  [[ "${lines[0]}" == "$(readlink /proc/self/ns/mnt)" ]]
  [[ "$output" == *"bin dev etc proc sys tmp sh -c "* ]]
  [[ "$output" == *" / /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup"* ]]
  nothing_of_it
}

@test "none: create, start, exec, kill and delete; an exec is in the container's root" {
  none
  oci create --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  grep -qF " $BUNDLE/rootfs " /proc/self/mountinfo
  oci start box
  [[ "$(oci exec box ls / | tr '\n' ' ')" == "bin dev etc proc sys tmp " ]]
  [[ "$(oci exec --cwd /tmp box sh -c 'pwd; ls -d ../../../../etc; ls /proc/self/root/')" == $'/tmp\n../../../../etc\nbin\ndev\netc\nproc\nsys\ntmp' ]]
  [[ "$(oci exec --user 5:6 box id -u)" == 5 ]]
  [[ "$(oci exec box cat /proc/1/comm)" == sleep ]]
  oci kill box KILL
  for ((i = 0; i < 50; i++)); do
    [[ "$(oci state box | jq -r .status)" != stopped ]] || break
    sleep 0.1
  done
  run ! oci exec box true
  oci delete box
  nothing_of_it
}

@test "none: mounts of every kind: read-only, id maps of their own, copied up, shared" {
  mkdir "$BATS_TEST_TMPDIR/src" "$BATS_TEST_TMPDIR/src/sub"
  echo data > "$BATS_TEST_TMPDIR/src/file"
  chown 1000:1000 "$BATS_TEST_TMPDIR/src/file"
  echo old > "$BUNDLE/rootfs/tmp/below"
  none '.root.readonly = true | .mounts += [
    {"destination": "/ro", "source": "'"$BATS_TEST_TMPDIR"'/src", "options": ["rbind", "ro", "nosuid"]},
    {"destination": "/mapped", "source": "'"$BATS_TEST_TMPDIR"'/src", "options": ["bind"],
     "uidMappings": [{"containerID": 1000, "hostID": 2000, "size": 10}], "gidMappings": [{"containerID": 1000, "hostID": 2000, "size": 10}]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]'
  mkdir "$BUNDLE/rootfs/ro" "$BUNDLE/rootfs/mapped"
  box_args 'cat /ro/file /tmp/below; touch /ro/x || touch /x || stat -c %u:%g /mapped/file; exit 0'
  run --separate-stderr oci run --bundle "$BUNDLE" box < /dev/null
  [[ "$output" == $'data\nold\n2000:2000' ]] || { echo "$output, $stderr"; return 1; }
  [[ "$stderr" == *"/ro/x: Read-only"*"/x: Read-only"* ]]
  # The rest of the caller's mounts is as it was.
  touch "$BATS_TEST_TMPDIR/src/new" "$BUNDLE/rootfs/new"
  nothing_of_it
}

@test "none: what others see of a shared mount goes with it" {
  none
  run unshare -m --propagation private sh -ec '
    mount --bind "$1" "$1" && mount --make-shared "$1"
    unshare -m --propagation unchanged sleep 300 & peer=$!
    sleep 0.5
    "$2" --root "$3" create --bundle "$1" box < /dev/null > /dev/null
    grep -c "$1/rootfs" /proc/$peer/mountinfo
    "$2" --root "$3" delete --force box
    grep -c "$1/rootfs" /proc/$peer/mountinfo || true
    kill $peer' sh "$BUNDLE" "$OCI" "$ROOT" 3>&-
  [[ "${lines[0]}" -ge 1 && "${lines[1]}" == 0 ]] || { echo "$output"; return 1; }
}

# bats test_tags=natively
@test "none: a root that another mount is over is not forgotten; / is refused" {
  none '.mounts = []'
  oci create --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  mount -t tmpfs none "$BUNDLE/rootfs"
  run oci delete --force box
  [[ "$status" -eq 1 && "$output" == "arnia-oci: detach root $BUNDLE/rootfs: another mount is over it" ]] || { echo "$output"; return 1; }
  umount "$BUNDLE/rootfs"
  oci delete box
  nothing_of_it
  none '.root.path = "/" | .mounts = []'
  run oci create --bundle "$BUNDLE" box < /dev/null
  [[ "$status" -eq 1 && "$output" == "arnia-oci: root.path: / needs "* ]] || { echo "$output"; return 1; }
  nothing_of_it
}

# bats test_tags=natively
@test "none: a root that is a link is refused, with nothing left" {
  none '.mounts = []'
  mv "$BUNDLE/rootfs" "$BUNDLE/real"
  ln -s real "$BUNDLE/rootfs"
  run oci create --bundle "$BUNDLE" box < /dev/null
  [[ "$status" -eq 1 && "$output" == "arnia-oci: root $BUNDLE/rootfs: Not a directory" ]] || { echo "$output"; return 1; }
  nothing_of_it
  run ! grep -qF " $BUNDLE/real " /proc/self/mountinfo
}

@test "none: whatever step fails or is killed, no mount is left" {
  none
  for step in create:root create:cgroup create:worker oci:clone oci:wait guest:mntns guest:mounts guest:hooks guest:pivot guest:seal guest:halt create:done; do
    if failing "$step:errno:EIO"; then return 1; fi
    nothing_of_it || { echo "$step failed"; return 1; }
    if failing "$step:kill"; then return 1; fi
    oci delete --force box
    nothing_of_it || { echo "$step killed"; return 1; }
  done
}

# bats test_tags=natively
@test "none: what others have mounted over the root stays when it is not ours" {
  none
  oci create --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  umount -l "$BUNDLE/rootfs"
  mount -t tmpfs strange "$BUNDLE/rootfs"
  oci delete --force box
  grep -qF " $BUNDLE/rootfs " /proc/self/mountinfo
  umount "$BUNDLE/rootfs"
  nothing_of_it
}

# bats test_tags=natively
@test "none: --no-pivot does not move the caller's root" {
  none
  local before
  before=$(stat -c %i:%d / "$BUNDLE")
  oci create --no-pivot --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  [[ "$(stat -c %i:%d / "$BUNDLE")" == "$before" ]]
  oci delete --force box
  nothing_of_it
}

# bats test_tags=natively
@test "the caller's own by path is as none" {
  joined /proc/self/ns/mnt "$UNMASKED"
  local before
  before=$(stat -c %i:%d / "$BUNDLE")
  box_args 'readlink /proc/self/ns/mnt'
  [[ "$(oci run --bundle "$BUNDLE" box < /dev/null)" == "$(readlink /proc/self/ns/mnt)" ]]
  [[ "$(stat -c %i:%d / "$BUNDLE")" == "$before" ]]
  nothing_of_it
}

@test "joined: sources are those of its paths, the root is pivoted to, masked and read-only paths are there" {
  other
  joined "$THERE" '.mounts += [{"destination": "/tmp", "source": "'"$BATS_TEST_TMPDIR"'/only", "options": ["bind", "ro"]}]'
  box_args 'readlink /proc/self/ns/mnt; cat /tmp/file; ls / | tr \"\\n\" \" \"; wc -c < /proc/keys; echo x > /proc/sys/vm/swappiness; cut -d\" \" -f4 /proc/self/mountinfo | head -n 1'
  run --separate-stderr oci run --bundle "$BUNDLE" box < /dev/null
  [[ "${lines[0]}" != "$(readlink /proc/self/ns/mnt)" && "${lines[0]}" == "$(readlink "$THERE")" ]]
  [[ "${lines[1]}" == there && "${lines[2]}" == "bin dev etc proc sys tmp "* && "$output" == *"$BUNDLE/rootfs" ]] || { echo "$output; $stderr"; return 1; }
  [[ "$stderr" == *"Read-only file system"* ]]
  # It is the root of all in that namespace, as with other runtimes.
  [[ "$(cd "/proc/$AFTER/root" && echo *)" == "bin dev etc proc sys tmp" ]]
  nothing_of_it
}

@test "joined: create, start, exec and delete" {
  other
  joined "$THERE"
  oci create --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  oci start box
  [[ "$(oci exec box sh -c 'readlink /proc/self/ns/mnt; cat /proc/1/comm; ls /')" == "$(readlink "$THERE")"$'\nsleep\nbin\ndev\netc\nproc\nsys\ntmp' ]]
  oci delete --force box
  nothing_of_it
}

@test "joined: a root that is only there" {
  mv "$BUNDLE/rootfs" "$BUNDLE/tree"
  mkdir "$BUNDLE/rootfs"
  MORE="mount --bind $BUNDLE/tree $BUNDLE/rootfs" other
  joined "$THERE"
  box_args 'ls / | tr \"\\n\" \" \"'
  [[ "$(oci run --bundle "$BUNDLE" box < /dev/null)" == "bin dev etc proc sys tmp " ]]
}

# bats test_tags=natively
@test "joined: whatever fails before the pivot, its mounts are as they were" {
  other
  joined "$THERE"
  local before
  before=$(cut -d' ' -f3- "/proc/$AFTER/mountinfo")
  for step in oci:join oci:clone oci:adopt guest:forget guest:mntns guest:private guest:mounts guest:hooks guest:pivot; do
    if failing "$step:errno:EIO"; then return 1; fi
    [[ "$(cut -d' ' -f3- "/proc/$AFTER/mountinfo")" == "$before" ]] || { echo "$step failed"; return 1; }
    if failing "$step:kill"; then return 1; fi
    [[ "$(cut -d' ' -f3- "/proc/$AFTER/mountinfo")" == "$before" || $step == oci:* ]] || { echo "$step killed"; return 1; }
    oci delete --force box
    nothing_of_it
  done
}

@test "joined together with the user namespace that owns it" {
  chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BUNDLE/rootfs"
  other --map-root-user --user
  joined "$THERE" ".linux.namespaces += [{\"type\": \"user\", \"path\": \"/proc/$AFTER/ns/user\"}] | $UNMASKED
    | .linux.namespaces |= map(select(.type != \"network\" and .type != \"ipc\"))
    | .mounts |= map(select(.type == \"proc\" or .type == \"tmpfs\"))"
  box_args 'readlink /proc/self/ns/mnt; readlink /proc/self/ns/user; ls /'
  run --separate-stderr oci run --bundle "$BUNDLE" box < /dev/null
  [[ "$output" == "$(readlink "$THERE")"$'\n'"$(readlink "/proc/$AFTER/ns/user")"$'\nbin\ndev\netc\nproc\nsys\ntmp' ]] || { echo "$output; $stderr"; return 1; }
}

# bats test_tags=natively
@test "what cannot be is refused with the reason" {
  none '.linux.maskedPaths = ["/proc/keys"]'
  run --separate-stderr oci create --bundle "$BUNDLE" box
  one_line "linux.maskedPaths: the container has no mount namespace"
  joined /proc/self/ns/mnt
  configure '.linux.namespaces += [{"type": "mount", "path": "/proc/self/ns/mnt"}] | .linux.maskedPaths = [] | .linux.readonlyPaths = ["/proc/sys"]'
  run --separate-stderr oci create --bundle "$BUNDLE" box
  one_line "linux.readonlyPaths: the mount namespace that is joined is the caller's own"
  configure "$UNMASKED"' | .linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
  run --separate-stderr oci create --bundle "$BUNDLE" box
  one_line "linux.namespaces: a new user namespace needs a new mount namespace"
  configure '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)
    | .linux.namespaces |= map(if .type == "mount" then .path = "/proc/self/ns/net" else . end)'
  run --separate-stderr oci create --bundle "$BUNDLE" box
  one_line "namespace /proc/self/ns/net: of another kind than asked for"
  nothing_of_it
}

@test "none: it cannot be checkpointed, and goes on" {
  none
  oci create --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  oci start box
  run --separate-stderr oci checkpoint --image-path "$BATS_TEST_TMPDIR/images" box
  one_line "a container without a mount namespace of its own cannot be checkpointed"
  oci exec box true
}
