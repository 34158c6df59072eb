#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# Volumes, file systems in memory, and the files that arnia puts in.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
}
teardown_file() {
  instance_down
}

@test "a volume with mounts below it that cannot be idmapped: they are nobody's, the rest has its owners" {
  local vol="$BATS_TEST_TMPDIR/vol" other="$BATS_TEST_TMPDIR/other" before
  mkdir -p "$vol/kernel" "$vol/a disk" "$other/deep"
  echo top > "$vol/file"
  echo inner > "$other/inner"
  chmod 600 "$vol/file" "$other/inner"
  mount -t proc none "$vol/kernel"
  mount --bind "$other" "$vol/a disk"
  mount -t proc none "$vol/a disk/deep"
  before=$(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo)
  run_arnia run --rm -v "$vol:/v" -v "$vol:/ro:ro" busybox sh -c \
    'cat /v/file "/v/a disk/inner"; stat -c %u /v/file "/v/a disk/inner" /v/kernel/version "/v/a disk/deep/version"
     echo new > "/v/a disk/new"; for d in /ro "/ro/a disk"; do touch "$d/x" 2> /dev/null || echo ro; done'
  local after
  after=$(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo)
  umount "$vol/a disk/deep" "$vol/a disk" "$vol/kernel"
  [[ "$status" -eq 0 && "$output" == $'top\ninner\n0\n0\n65534\n65534\nro\nro' ]]
  [[ "$(stat -c %u "$other/new")" -eq 0 && ! -e "$other/x" && ! -e "$vol/x" ]]
  [[ "$before" -eq "$after" ]]
}

@test "the whole host as a volume" {
  run_arnia run --rm -v /:/host:ro busybox sh -c 'stat -c %u /host/etc/passwd; test -e /host/proc/version; echo $?'
  [[ "$status" -eq 0 && "$output" == $'0\n0' ]]
}

@test "a volume whose own file system cannot be idmapped: refused with what to type, which works" {
  local vol="$BATS_TEST_TMPDIR/vol"
  mkdir -p "$vol"
  mount -t proc none "$vol"
  run_arnia run --rm -v "$vol:/v" busybox true
  one_line_error 125 "mount source $vol: its filesystem cannot be idmapped"
  [[ "$stderr" == *"-v $vol:TARGET:noidmap"* ]]
  run_arnia run --rm -v "$vol:/v:noidmap" busybox stat -c %u /v/version
  umount "$vol"
  [[ "$status" -eq 0 && "$output" == 65534 ]]
}
