#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2034,SC2086,SC2119
# Attacks on arnia-oci's own processes: its program, its descriptors, and what waits to be started.
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

# start_scan [MODE]: root of the container looks into every process that comes by, until finish_scan
start_scan() {
  mkfifo "$BATS_TEST_TMPDIR/go"
  as_host "$OCI" --root "$ROOT" exec "$id" /fakes/attacker "${1:-scan}" "$MARKER" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/seen" 2>&1 3>&- &
  scanner=$!
  exec 7> "$BATS_TEST_TMPDIR/go"
  sleep 0.3
}
finish_scan() {
  exec 7>&-
  wait "$scanner"
  # the streams that the caller gave
  grep -v "LEAK descriptor [012] of" "$BATS_TEST_TMPDIR/seen" | sort | uniq -c | sort -nr | head -n 30 | tee "$BATS_TEST_TMPDIR/leaks"
}

@test "1: root of the container looks into all that enters: no program, no descriptor, no memory, no folder of the host" {
  up
  start_scan
  for _ in $(rounds 100); do
    inside true
    ok
  done
  finish_scan
  run ! grep LEAK "$BATS_TEST_TMPDIR/leaks"
}

@test "1: with CAP_SYS_PTRACE it sees a sealed program, and nothing of the host" {
  bundle '"sleep","100"' "$ALL_CAPS"
  up
  start_scan
  for _ in $(rounds 150); do
    inside true
    ok
  done
  finish_scan
  run ! grep -E "LEAK (marker|program of .* for writing)" "$BATS_TEST_TMPDIR/leaks"
  run ! sh -c "grep 'LEAK descriptor' $BATS_TEST_TMPDIR/leaks | grep -vE 'socket:|: /$|anon_inode:.pidfd'"
}

@test "1: what enters has no rights of which root with CAP_SYS_PTRACE could make use" {
  local how filter
  # as engines have it by default: a filter that is loaded with CAP_SYS_ADMIN, and has no clone3
  filter='.process.noNewPrivileges = false | .linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["clone3"],action:"SCMP_ACT_ERRNO",errnoRet:38},
    {names:["keyctl","setns","mount","unshare","bpf","set_mempolicy"],action:"SCMP_ACT_ERRNO"}]}'
  for how in . "$filter"; do
    bundle '"sleep","100"' "$how"' | .process.capabilities |= map_values(["CAP_SYS_PTRACE"])'
    up
    rm -f "$BATS_TEST_TMPDIR/go"
    start_scan rights
    for _ in $(seq 40); do
      inside true
      ok
    done
    as_host script -qefc "'$OCI' --root '$ROOT' exec -t '$id' tty" /dev/null < /dev/null > "$BATS_TEST_TMPDIR/tty" 3>&-
    grep -q /dev/pts/0 "$BATS_TEST_TMPDIR/tty"
    finish_scan
    run ! grep LEAK "$BATS_TEST_TMPDIR/leaks"
    grep -E '^ *[0-9]+ looks [1-9]' "$BATS_TEST_TMPDIR/leaks"
    oci delete -f "$id"
  done
}

@test "1: an exec gets to its program under filters that let no process be born" {
  local name
  for name in clone exit_group setsid fcntl; do
    bundle '"sleep","100"' '.process.noNewPrivileges = false | .linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["'$name'"],action:"SCMP_ACT_ERRNO"}]}'
    up
    inside true
    [[ $status -eq 0 || $name == exit_group ]]
    [[ $name == exit_group ]] || ok
    oci delete -f "$id"
  done
  # nor a folder that only the born one has
  bundle '"sleep","100"'
  up
  oci exec --cwd /proc/self "$id" sh -c '[ "$(cat status)" != "" ] && [ "$(readlink cwd)" = "$(pwd -P)" ]'
  ok
}

@test "1: the program is not overwritten through /proc/self/exe as the program to be run" {
  local how
  # What reads /proc/PID/exe of it keeps a descriptor, and writes when it has ended.
  cat > "$BATS_TEST_TMPDIR/atk" << 'EOF'
while :; do
  for p in /proc/[0-9]*; do
    case $(readlink $p/exe 2> /dev/null) in
      /bin/busybox | /fakes/* | "") ;;
      *) exec 9< $p/exe || continue
        chmod 777 /proc/self/fd/9
        n=0
        while [ $n -lt 300 ]; do
          n=$((n + 1))
          (echo x >> /proc/self/fd/9) 2> /dev/null && { echo WROTE; exit; }
        done
        echo FAILED
        mount -o remount,rw,bind /proc/self/fd/9 && echo REMOUNTED
        mount -o bind /proc/self/fd/9 /tmp/self && echo BOUND && echo x >> /tmp/self && echo WROTE
        exit ;;
    esac
  done
done
EOF
  for how in "$ALL_CAPS" "$ALL_CAPS | $HOST_USERNS"; do
    image
    cp "$BATS_TEST_TMPDIR/atk" "$R/atk"
    touch "$R/tmp/self"
    printf '#!/proc/self/exe\n' > "$R/bin/shebang"
    chmod 755 "$R/bin/shebang"
    bundle '"sh","/atk"' "$how"
    oci create -b "$B" "$id"
    ok
    cp "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/said"
    oci start "$id"
    ok
    for _ in $(rounds 8); do
      oci exec "$id" /proc/self/exe list || :
      oci exec "$id" shebang || :
      [[ "$(sha256sum < "$OCI")" == "$SUM" ]]
    done
    sleep 1
    oci delete -f "$id"
    ok
  done
}

@test "1: what was run as /proc/self/exe is on a mount that cannot be loosened" {
  bundle '"sh","-c","exec /fakes/attacker overwrite /proc/1/exe"' "$ALL_CAPS"
  for args in '"/proc/self/exe"' '"/proc/self/exe","list"'; do
    bundle "$args" "$ALL_CAPS | $HOST_USERNS"
    oci run -b "$B" "$id"
    [[ "$(sha256sum < "$OCI")" == "$SUM" ]]
  done
}

@test "1: while it waits to be started there is nothing in it for root of the container" {
  bundle '"sleep","100"' "$ALL_CAPS"
  oci create -b "$B" "$id"
  ok
  # no folder of the host, though CAP_SYS_PTRACE lets it look
  inside sh -c 'for f in /proc/1/fd/*; do readlink $f; cat $f/../../../../../../../../../..'"$MARKER"' && echo LEAK; done; for w in root cwd; do cat /proc/1/$w/..'"$MARKER"' && echo LEAK; done; true' 2> /dev/null
  [[ "$output" != *LEAK* && "$output" != */sys/fs/cgroup* ]]
  run ! sh -c "ls -l /proc/$(init_pid)/fd | grep -E -- '-> /.*(cgroup|$ROOT)'"
  oci delete -f "$id"
  # without that capability nothing at all
  bundle '"sleep","100"' '.process.env += ["TOKEN=of-the-container"]'
  oci create -b "$B" "$id"
  ok
  inside sh -c 'cat /proc/1/environ /proc/1/maps /proc/1/mem; readlink /proc/1/exe /proc/1/fd/* /proc/1/cwd /proc/1/root; ls /proc/1/map_files; true'
  [[ -z "$output" ]]
  # signals of its own pid namespace do not end it
  inside kill -9 1 || :
  inside kill -TERM 1 || :
  [[ "$(status_of)" == created ]]
  # only its maker comes near the socket
  [[ "$(stat -c %a "$ROOT/$id/start")" == 600 && "$(stat -c %a "$ROOT")" == 700 ]]
  run ! setpriv --reuid 65534 --regid 65534 --clear-groups "$OCI" --root "$ROOT" start "$id"
  oci start "$id"
  ok
}

@test "1: a connection to the start socket that says nothing, or rubbish, starts nothing" {
  oci create -b "$B" "$id"
  ok
  for text in "" x "$(head -c 3000 /dev/zero | tr '\0' y)"; do
    as_host "$FAKES/oci_aid" say "$ROOT/$id/start" "$text"
    [[ "$(status_of)" == created ]]
  done
  oci start "$id"
  ok
}

@test "2: a working folder over a descriptor leads nowhere" {
  local n way
  image
  for n in $(seq 3 23); do ln -s "/proc/self/fd/$n" "$R/link$n"; done
  ln -s /proc/self/root "$R/magic"
  for n in $(seq 3 23); do
    for way in "/proc/self/fd/$n" "/link$n" "/proc/1/fd/$n" "/proc/self/fd/$n/.."; do
      taken || continue
      bundle '"sh","-c","cat ../../../../../../../../..$1","x",$ENV.MARKER' ".process.cwd = \"$way\""
      # held open by the caller, as another's leak would be
      oci run -b "$B" "$id" 8< "$BATS_FILE_TMPDIR" 9< /
      [[ $status -ne 0 && "$output" != *"$SECRET"* ]]
    done
  done
  bundle '"sleep","100"'
  up
  for n in $(seq 3 23); do
    for way in "/proc/self/fd/$n" "/link$n" "/magic/proc/self/fd/$n"; do
      taken || continue
      oci exec --cwd "$way" "$id" sh -c "cat ../../../../../../../../..$MARKER"
      [[ $status -ne 0 && "$output" != *"$SECRET"* ]]
    done
  done
}

@test "3: no descriptor of the caller leaks in, but those to be preserved" {
  local open='"sh","-c","ls /proc/self/fd | wc -l; cat /proc/self/fd/*/marker"'
  bundle "$open"
  exec 5< "$BATS_FILE_TMPDIR" 6< "$BATS_FILE_TMPDIR" 8< "$MARKER"
  oci run -b "$B" "$id"
  [[ "$output" == 4 ]] # 0, 1, 2 and that of ls
  bundle '"sleep","100"'
  up
  inside sh -c 'ls /proc/self/fd | wc -l'
  [[ "$output" == 4 ]]
  exec 5>&- 6>&- 8>&-
  # exactly as many as were asked for
  n=$(as_host "$OCI" --root "$ROOT" exec --preserve-fds 2 "$id" sh -c 'ls /proc/self/fd' 3< "$VICTIM" 4< "$VICTIM" 5< "$VICTIM" < /dev/null | tr '\n' ' ')
  [[ "$n" == "0 1 2 3 4 5 " ]] # the last is that of ls
  n=$(LISTEN_FDS=1 as_host "$OCI" --root "$ROOT" exec "$id" sh -c 'ls /proc/self/fd' 3< "$VICTIM" 4< "$VICTIM" < /dev/null | tr '\n' ' ')
  [[ "$n" == "0 1 2 3 " || "$n" == "0 1 2 3 4 " ]]
  # more than there are
  oci exec --preserve-fds 90 "$id" true || :
  refused
  oci exec --preserve-fds 4294967295 "$id" true || :
  refused
}
