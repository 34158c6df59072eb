#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2030,SC2031
# linux.netDevices of arnia-oci, in a network namespace that stands for the host.
bats_require_minimum_version 1.5.0
load ocibundle

setup() {
  bundle_up
  HOST_NS=arniatd$$
  ip netns add "$HOST_NS"
  on_host ip link add d0 type veth peer name p0
  on_host ip link set p0 up
  on_host ip addr add 192.0.2.7/24 brd 192.0.2.255 dev d0
  on_host ip addr add 2001:db8::7/64 dev d0 nodad
  on_host ip addr add 192.0.2.9/24 valid_lft 5000 preferred_lft 5000 dev d0
  on_host ip addr add 198.51.100.8/24 scope link dev d0
  on_host ip link set d0 up mtu 1400
}
teardown() {
  on_host "$OCI" --root "$ROOT" delete --force box 3>&- || true
  ip netns del "$HOST_NS"
  cgroups_gone
}

on_host() {
  nsenter --net="/run/netns/$HOST_NS" -- "$@"
}
create() {
  on_host timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" create --bundle "$BUNDLE" box > "$BATS_TEST_TMPDIR/out" 2>&1 < /dev/null 3>&-
}
# fails TEXT: create does, in one line with TEXT.
fails() {
  run ! create
  [[ "$(< "$BATS_TEST_TMPDIR/out")" == "arnia-oci: "*"$1"* && "$(wc -l < "$BATS_TEST_TMPDIR/out")" -eq 1 ]] ||
    { cat "$BATS_TEST_TMPDIR/out"; return 1; }
  nothing_of_it
}
inside() {
  nsenter --net="/proc/$(pid_of)/ns/net" -- "$@"
}
# all_at_home: d0 is as setup made it, but for addresses that a move does not take along.
all_at_home() {
  on_host ip addr show d0 > "$BATS_TEST_TMPDIR/d0"
  grep -q '[<,]UP[,>].* mtu 1400' "$BATS_TEST_TMPDIR/d0"
  grep -q 'inet 192.0.2.7/24 brd 192.0.2.255 ' "$BATS_TEST_TMPDIR/d0"
  grep -q 'inet6 2001:db8::7/64 ' "$BATS_TEST_TMPDIR/d0"
}

@test "a device moves with its permanent global addresses, and is up" {
  configure '.linux.netDevices = {"d0": {}}'
  create || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
  run ! on_host ip link show d0
  inside ip addr show d0 > "$BATS_TEST_TMPDIR/in"
  cat "$BATS_TEST_TMPDIR/in"
  grep -q '[<,]UP[,>].* mtu 1400' "$BATS_TEST_TMPDIR/in"
  grep -q 'inet 192.0.2.7/24 brd 192.0.2.255 scope global d0' "$BATS_TEST_TMPDIR/in"
  grep -q 'inet6 2001:db8::7/64 ' "$BATS_TEST_TMPDIR/in"
  run ! grep -qE '(192.0.2.9|198.51.100.8)/' "$BATS_TEST_TMPDIR/in"
}

@test "a device is named anew, by a template too" {
  on_host ip link add d1 type veth peer name d2
  configure '.linux.netDevices = {"d0": {"name": "eth0"}, "d1": {"name": "eth%d"}, "d2": {"name": "d0"}}'
  create || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
  for n in eth0 eth1 d0; do
    inside ip link show "$n" | grep -q '[<,]UP[,>]'
  done
  inside ip addr show eth0 | grep -q 192.0.2.7/24
  [[ "$(on_host ip -o link | wc -l)" -eq 2 ]]
}

@test "what cannot be moved is refused, and all others are where they were" {
  configure '.linux.netDevices = {"d0": {"name": "a0"}, "nosuch": {}}'
  fails "linux.netDevices.nosuch: no such network device"
  all_at_home
  configure '.linux.netDevices = {"d0": {"name": "a0"}, "lo": {"name": "lo1"}}'
  fails "linux.netDevices.lo: the loopback device stays in its namespace"
  all_at_home
  configure '.linux.netDevices = {"d0": {"name": "lo"}}'
  fails "linux.netDevices.d0: the container's network namespace has a device lo"
  all_at_home
  configure '.linux.netDevices = {"d0": {"name": "a%s"}}'
  fails 'linux.netDevices.d0: "a%s" is no name of a network device'
  configure '.linux.netDevices = {"d0": {}} | .linux.namespaces |= map(if .type == "network" then .path = "/run/netns/'"$HOST_NS"'" else . end)'
  fails "linux.netDevices: the network namespace is the one that the device is in"
  all_at_home
}

@test "a create that fails later gives a virtual device back as it was" {
  configure '.linux.netDevices = {"d0": {"name": "a0"}} | .process.args = ["nosuch"]'
  fails nosuch
  all_at_home
}

@test "a device moves into a network namespace that belongs to a user namespace" {
  configure '.linux.netDevices = {"d0": {}} | .linux.namespaces += [{"type": "user"}]
    | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'
  chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE" "$BUNDLE/rootfs"
  create || { cat "$BATS_TEST_TMPDIR/out"; return 1; }
  inside ip addr show d0 | grep -q 192.0.2.7/24
}
