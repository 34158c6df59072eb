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

# bats test_tags=natively
@test "hosts, hostname and resolv.conf are the container's own: they may be written, and each start makes them anew" {
  local sums
  sums=$(md5sum /etc/hosts /etc/resolv.conf /etc/hostname 2> /dev/null) || true
  arnia create --name own --dns 192.0.2.53 busybox -- sh -c \
    'grep -c added /etc/hosts; for f in hosts hostname resolv.conf; do echo added >> /etc/$f; done; cat /etc/resolv.conf'
  arnia start own
  arnia wait own
  [[ "$(arnia logs own)" == $'0\nnameserver 192.0.2.53\nadded' ]]
  arnia start own
  arnia wait own
  [[ "$(arnia logs own | grep -c '^0$')" -eq 2 ]]
  arnia rm own
  [[ "$(md5sum /etc/hosts /etc/resolv.conf /etc/hostname 2> /dev/null)" == "$sums" ]]
  # A user other than root may not, and nobody with --read-only.
  run arnia run --rm -u 1000 busybox sh -c 'echo x >> /etc/hosts'
  [[ "$status" -ne 0 ]]
  run arnia run --rm --read-only busybox sh -c 'echo x >> /etc/hosts'
  [[ "$status" -ne 0 && "$output" == *"Read-only"* ]]
}

# bats test_tags=natively
@test "hosts, hostname and resolv.conf over a file system in memory and over a volume; not over a file of the user's" {
  local etc="$BATS_TEST_TMPDIR/etc"
  run_arnia run --rm --hostname inner --dns 192.0.2.53 --tmpfs /etc busybox cat /etc/hostname /etc/resolv.conf
  [[ "$status" -eq 0 && "$output" == $'inner\nnameserver 192.0.2.53' ]]
  mkdir "$etc"
  echo "of the host" > "$etc/hostname"
  ln -s no-such-folder/file "$etc/resolv.conf"
  for options in "" :ro; do
    run_arnia run --rm --hostname inner -v "$etc:/etc$options" busybox cat /etc/hostname
    [[ "$status" -eq 0 && "$output" == inner ]]
  done
  [[ "$(cat "$etc/hostname")" == "of the host" && "$(readlink "$etc/resolv.conf")" == no-such-folder/file ]]
  run_arnia run --rm --hostname inner -v "$etc/hostname:/etc/hostname" busybox cat /etc/hostname
  [[ "$output" == "of the host" ]]
}
