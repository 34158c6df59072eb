#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# arnia-oci: what a container and its hooks find as with other runtimes, where config.json says nothing of it.
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

# In a user namespace of its own, on a tree that it may read.
OWN_IDS='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":300000,"size":65536}]
  | .linux.gidMappings = .linux.uidMappings'

@test "the loopback device of a network namespace of its own is up, before the hooks run" {
  inside 'ip -o addr show lo'
  [[ "$output" == *"127.0.0.1/8"* && "$output" == *"::1/128"* ]]
  inside 'cat /sys/class/net/lo/flags' "$OWN_IDS"
  prints 0x9
  printf '#!/bin/sh\nnsenter -t "$(jq .pid)" -n ip -o link show lo > %s\n' "$BATS_TEST_TMPDIR/seen" > "$BATS_TEST_TMPDIR/look"
  chmod 755 "$BATS_TEST_TMPDIR/look"
  bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/look\",\"env\":[\"PATH=$PATH\"]}]}"
  oci run -b "$B" "$id"
  ok
  grep -q LOOPBACK,UP "$BATS_TEST_TMPDIR/seen"
}

@test "of a variable that is there twice the last one counts, in a start and in an exec" {
  inside 'env | grep -c ^TWICE; echo $TWICE' '.process.env += ["TWICE=1", "TWICE=2"]'
  prints $'1\n2'
  bundle '"sleep","1000"' '.process.env += ["TWICE=1"]'
  oci run -d -b "$B" "$id"
  ok
  oci exec --env TWICE=2 --env TWICE=3 "$id" env
  ok
  [[ "$(grep ^TWICE <<< "$output")" == TWICE=3 ]]
  oci delete -f "$id"
  ok
}

@test "a working folder that is missing is made, also below a root that is read-only then" {
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$BATS_TEST_TMPDIR/rootfs"
  inside 'pwd; touch here 2>&1' ".root.path = \"$BATS_TEST_TMPDIR/rootfs\" | .process.cwd = \"/made/for/it\"" || :
  [[ $status -eq 1 && "$output" == "/made/for/it"*"Read-only file system" ]]
}
