#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# create and run --no-pivot.
bats_require_minimum_version 1.5.0
load ocibundle

setup() {
  bundle_up
}
teardown() {
  oci delete --force box || true
  cgroups_gone
}

with_userns() {
  configure '.linux.namespaces += [{"type": "user"}]
    | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
  chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BUNDLE/rootfs"
}
# The root is the bundle's, /proc the container's, and nothing of the host is to be seen.
looks_right() {
  configure '.process.args = ["sh", "-c", "ls /; readlink /proc/1/exe; cat /proc/self/mountinfo; ls /proc/1/root/"]'
  oci run --no-pivot --bundle "$BUNDLE" box > "$BATS_TEST_TMPDIR/out" < /dev/null
  cat "$BATS_TEST_TMPDIR/out"
  grep -qx /bin/busybox "$BATS_TEST_TMPDIR/out"
  [[ "$(sort "$BATS_TEST_TMPDIR/out" | grep -cxE 'bin|etc|proc|sys|dev|tmp')" -eq 12 ]]
  [[ "$(grep -c ' - proc ' "$BATS_TEST_TMPDIR/out")" -ge 1 ]]
  run ! grep -qE '^(boot|home|root|usr|var)$' "$BATS_TEST_TMPDIR/out"
  nothing_of_it
}

@test "run --no-pivot: the root is moved to /" {
  looks_right
}

@test "run --no-pivot with a user namespace" {
  with_userns
  looks_right
}

@test "a container without the pivot is entered, and ends" {
  oci create --no-pivot --bundle "$BUNDLE" box < /dev/null > /dev/null 2>&1
  oci start box
  [[ "$(oci exec box cat /proc/1/cmdline | tr '\0' ' ')" == "sleep 1000 " ]]
  [[ "$(oci exec box ls / | sort | tr '\n' ' ')" == "bin dev etc proc sys tmp " ]]
  oci delete --force box
  nothing_of_it
}

@test "a private root is refused without the pivot" {
  configure '.linux.rootfsPropagation = "rprivate"'
  run --separate-stderr oci create --no-pivot --bundle "$BUNDLE" box
  one_line "linux.rootfsPropagation: a private root is not safe without pivot_root"
  nothing_of_it
}
