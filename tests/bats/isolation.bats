#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# What a program sees of the world from inside, and what the host sees of it.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
  arnia run -d --name box busybox sleep 100000
}
teardown_file() {
  instance_down
}
inside() {
  arnia exec box "$@"
}

@test "its own pid, mount, net, uts, ipc, user and cgroup namespaces" {
  local pid ns
  pid=$(pid_of box)
  for ns in pid mnt net uts ipc user cgroup; do
    [[ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink "/proc/1/ns/$ns")" ]] || { echo "shares $ns"; return 1; }
  done
}

@test "the first process is pid 1 and sees no other of the host" {
  run inside sh -c 'echo /proc/[0-9]*'
  [[ "$output" == "/proc/1 "* ]]
  [[ "$(wc -w <<< "$output")" -le 4 ]]
}

@test "root inside is an unprivileged id outside, 65536 of them" {
  local pid
  pid=$(pid_of box)
  run inside cat /proc/self/uid_map
  read -r in out count <<< "$output"
  [[ $in -eq 0 && $out -ge 65536 && $count -eq 65536 ]]
  [[ "$(stat -c %u "/proc/$pid")" -eq $out ]]
}

@test "two containers have disjoint id ranges, outside those of /etc/subuid" {
  arnia run -d --name other busybox sleep 100000
  a=$(inside cat /proc/self/uid_map | awk '{print $2}')
  b=$(arnia exec other cat /proc/self/uid_map | awk '{print $2}')
  [[ $((a > b ? a - b : b - a)) -ge 65536 ]]
  while IFS=: read -r _ from n; do
    [[ $((a + 65536)) -le $from || $a -ge $((from + n)) ]]
  done < /etc/subuid
  arnia rm -f other
}

@test "files of the template are not chowned, files made inside are stored unshifted" {
  inside sh -c 'echo x > /root/made; chown 1000:1000 /root/made'
  local up
  up=$ARNIA_ROOT/lib/containers/$(arnia info -f json box | jq -r .id)/upper/root/made
  [[ "$(stat -c %u:%g "$up")" == 1000:1000 ]]
  [[ "$(stat -c %u "$ARNIA_ROOT/lib/templates/busybox/rootfs/bin/busybox")" == 0 ]]
  run inside stat -c %u:%g /root/made
  [[ "$output" == 1000:1000 ]]
}

@test "what is made setuid inside is in folders that no user of the host can enter" {
  local up tree
  inside sh -c 'cp /bin/busybox /root/suid; chmod 4755 /root/suid; chmod 755 /root'
  up=containers/$(arnia info -f json box | jq -r .id)/upper/root/suid
  [[ "$(stat -c %u:%a "$ARNIA_ROOT/lib/$up")" == 0:4755 ]]
  # Above the instance of a test all is closed: as seen from where nothing is.
  for tree in "$up" templates/busybox/rootfs/bin/busybox; do
    [[ -e "$ARNIA_ROOT/lib/$tree" ]]
    run ! unshare -m --propagation private sh -ec 'mount --bind "$0" /mnt; ls "/mnt/$1" > /dev/null; setpriv --reuid 65534 --regid 65534 --clear-groups stat "/mnt/$1"' \
      "$ARNIA_ROOT/lib" "$tree"
    echo "$output"
    [[ $output == *"Permission denied"* ]]
  done
}

@test "the root filesystem is an overlay without devices, /proc and /sys as they should be" {
  run inside cat /proc/mounts
  grep -Eq '^overlay / overlay rw,nodev' <<< "$output"
  grep -Eq '^proc /proc proc rw,nosuid,nodev,noexec' <<< "$output"
  grep -Eq '^sysfs /sys sysfs ro,nosuid,nodev,noexec' <<< "$output"
  grep -Eq '^cgroup2? /sys/fs/cgroup cgroup2 ro' <<< "$output"
  grep -Eq '^[^ ]+ /dev/shm tmpfs rw,nosuid,nodev,noexec' <<< "$output"
  grep -Eq '^mqueue /dev/mqueue mqueue' <<< "$output"
  grep -Eq '^devpts /dev/pts devpts' <<< "$output"
  ! grep -q "$ARNIA_ROOT" <<< "$output" # no path of the host shows
}

@test "the usual nodes are there, work, and no others can be made" {
  inside sh -c 'for n in null zero full random urandom tty; do [ -c /dev/$n ] || exit 1; done'
  inside sh -c 'head -c 4 /dev/urandom | wc -c | grep -qx 4 && echo x > /dev/null'
  run inside sh -c 'ls -l /dev/fd /dev/stdin /dev/ptmx'
  [[ "$status" -eq 0 ]]
  run inside mknod /tmp/sda b 8 0
  [[ "$status" -ne 0 ]]
  run inside mknod /tmp/mem c 1 1
  [[ "$status" -ne 0 ]]
  [[ ! -e /dev/arnia-never ]]
}

@test "masked and read-only paths" {
  run inside sh -c 'cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c'
  [[ "$output" -eq 0 ]]
  run inside sh -c 'ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v : | grep -c .'
  [[ "$output" -eq 0 ]]
  run inside sh -c 'echo 0 > /proc/sys/kernel/core_pattern'
  [[ "$status" -ne 0 ]]
  run inside sh -c 'echo h > /proc/sysrq-trigger'
  [[ "$status" -ne 0 ]]
}

@test "the application set of capabilities, no_new_privs and a seccomp filter, for the first process and for an exec" {
  local pid
  pid=$(pid_of box)
  for status_file in "/proc/$pid/status" inside; do
    if [[ $status_file == inside ]]; then text=$(inside cat /proc/self/status); else text=$(cat "$status_file"); fi
    grep -Eq '^CapInh:\s0{16}$' <<< "$text"
    grep -Eq '^CapAmb:\s0{16}$' <<< "$text"
    grep -Eq '^CapBnd:\s00000000a80425fb$' <<< "$text"
    grep -Eq '^CapEff:\s00000000a80425fb$' <<< "$text"
    grep -Eq '^NoNewPrivs:\s1$' <<< "$text"
    grep -Eq '^Seccomp:\s2$' <<< "$text"
  done
}

# bats test_tags=natively
@test "--cap-add and --cap-drop, by any spelling" {
  run arnia run --rm --cap-drop ALL --cap-add CAP_NET_ADMIN --cap-add kill busybox grep CapBnd /proc/self/status
  [[ "$output" == *0000000000001020 ]]
}

@test "a user other than root has no capabilities in effect" {
  run arnia run --rm -u 1000:1000 busybox sh -c 'id -u; id -g; grep -E "Cap(Eff|Prm|Amb)" /proc/self/status'
  [[ "${lines[0]}" == 1000 && "${lines[1]}" == 1000 ]]
  [[ "$(grep -c '0000000000000000$' <<< "$output")" -eq 3 ]]
}

@test "no descriptor of ours or of the caller leaks in" {
  run arnia run --rm busybox sh -c 'ls /proc/self/fd'
  [[ "$(sort -n <<< "$output" | head -n 3 | tr '\n' ' ')" == "0 1 2 " ]]
  [[ "$(wc -l <<< "$output")" -le 4 ]] # the fourth is ls reading the folder
  exec 7< /etc/shadow
  run arnia exec box sh -c 'ls -l /proc/self/fd'
  exec 7<&-
  [[ "$output" != *shadow* ]]
}

# bats test_tags=natively
@test "hostname, hosts, resolv.conf" {
  run arnia run --rm --name calm --hostname inner.example busybox sh -c 'hostname; cat /etc/hosts; cat /etc/hostname'
  [[ "${lines[0]}" == inner.example ]]
  grep -q "127.0.0.1.*localhost" <<< "$output"
  grep -q "inner.example" <<< "$(tail -n 1 <<< "$output")"
  run arnia run --rm --dns 192.0.2.53 busybox cat /etc/resolv.conf
  grep -q "nameserver 192.0.2.53" <<< "$output"
}

# bats test_tags=natively
@test "-e, -w, -u, --read-only, --tmpfs, -v with ro" {
  mkdir -p "$BATS_TEST_TMPDIR/data"
  echo host > "$BATS_TEST_TMPDIR/data/file"
  run arnia run --rm -e A=1 -e B="two words" -w /usr --read-only --tmpfs /scratch -v "$BATS_TEST_TMPDIR/data:/data:ro" busybox sh -c \
    'echo "$A/$B"; pwd; touch /x 2>/dev/null || echo ro; touch /scratch/y && echo tmp; cat /data/file; touch /data/z 2>/dev/null || echo ro'
  [[ "$output" == $'1/two words\n/usr\nro\ntmp\nhost\nro' ]]
  run arnia run --rm -v "$BATS_TEST_TMPDIR/data:/data" busybox sh -c 'echo new > /data/made; stat -c %u /data/file'
  [[ "$output" == 0 ]]
  [[ "$(stat -c %u "$BATS_TEST_TMPDIR/data/made")" -eq 0 ]] # the bind is idmapped
}

@test "rlimits and oom_score_adj" {
  run arnia run --rm --ulimit nofile=123:456 busybox sh -c 'ulimit -Sn; ulimit -Hn'
  [[ "$output" == $'123\n456' ]]
}

# bats test_tags=natively
@test "a resource limit that cannot be: by its name, with what it can be at most" {
  local value
  for value in -1 unlimited 99999999999; do
    run_arnia run --rm --ulimit "nofile=100:$value" busybox true
    one_line_error 125 "resource limit nofile=100:${value/-1/unlimited}"
    [[ "$stderr" == *"at most $(cat /proc/sys/fs/nr_open)"* ]]
  done
  run arnia run --rm --ulimit cpu=unlimited --ulimit core=0:-1 busybox sh -c 'ulimit -Ht; ulimit -Sc; ulimit -Hc'
  [[ "$output" == $'unlimited\n0\nunlimited' ]]
}

@test "a time namespace by option: the container's uptime begins at its start" {
  run arnia run --rm --time-ns busybox sh -c 'cut -d. -f1 /proc/uptime'
  [[ "$output" -lt 30 ]]
}

@test "the init process reaps orphans and forwards signals" {
  arnia run -d --name reap busybox sh -c 'trap "exit 7" TERM; (sleep 0.1 & exit 0); while :; do sleep 0.1; done'
  wait_until 30 sh -c "! $ARNIA_BIN/arnia exec reap ps 2>/dev/null | grep -q '\[sleep\]'"
  arnia kill -s TERM reap
  run arnia wait reap
  [[ "$output" == 7 ]]
  arnia rm reap
}
