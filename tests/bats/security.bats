#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# Attacks from inside a container, by its program or by its image, each after a hole that a runtime once had.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
  export VICTIM="$BATS_FILE_TMPDIR/victim" MARKER="$BATS_FILE_TMPDIR/marker" SECRET
  SECRET="of-the-host-$RANDOM$RANDOM"
  mkdir "$VICTIM"
  echo "$SECRET" > "$MARKER"
  chmod 777 "$VICTIM"
  chmod 644 "$MARKER"
  (cd "$ARNIA_BIN" && sha256sum -- *) > "$BATS_FILE_TMPDIR/programs"
  arnia run -d --name box -v "$ARNIA_FAKES:/fakes:ro" busybox sleep 100000
}
teardown_file() {
  instance_down
}
# After each attack: the host's folder is as empty as it was, and our programs are what they were.
teardown() {
  [[ -z "$(ls -A "$VICTIM")" ]] || { echo "in the host's folder: $(ls -lA "$VICTIM")"; return 1; }
  [[ "$(cat "$MARKER")" == "$SECRET" ]]
  (cd "$ARNIA_BIN" && sha256sum -c --quiet "$BATS_FILE_TMPDIR/programs")
}

# Nothing here takes long; an attack that blocks is one that succeeded.
arnia() {
  on_host timeout 30 "$ARNIA_BIN/arnia" "$@"
}
inside() {
  arnia exec box "$@"
}
# Bash's "!" is no failure within a function.
refute() {
  if "$@" > /dev/null 2>&1; then
    echo "should have failed: $*"
    return 1
  fi
}
# image NAME: the root of an image of that name, to be spoilt by the caller
image() {
  local dir="$ARNIA_ROOT/lib/templates/$1"
  mkdir "$dir"
  cp -a "$ARNIA_ROOT/lib/templates/busybox/." "$dir/"
  jq --arg n "$1" '.name = $n' "$ARNIA_ROOT/lib/templates/busybox/template.json" > "$dir/template.json"
  echo "$dir/rootfs"
}
# starts_or_says ARGS...: a run that may be refused, but only with one clean line
starts_or_says() {
  run_arnia run --rm "$@"
  [[ "$status" -eq 0 ]] || one_line_error 125 ""
}

# ---- images ----

@test "an image whose /dev, /proc or /sys is a link: no start, and nothing behind the link" {
  local root what
  for what in dev proc sys; do
    root=$(image "link-$what")
    rm -rf "${root:?}/$what"
    ln -s "$VICTIM" "$root/$what"
    run_arnia run --rm "link-$what" true
    one_line_error 125 "symbolic link"
    # also where the link leads to something inside
    mkdir -p "$root/$VICTIM"
    run_arnia run --rm "link-$what" true
    one_line_error 125 "symbolic link"
    run_arnia run --rm -t "link-$what" true
    [[ "$status" -eq 125 ]]
    [[ -z "$(ls -A "$root/$VICTIM")" ]]
  done
  [[ "$(arnia list -q | wc -l)" -eq 1 ]]
}

@test "an image whose /dev/null, /dev/console, /dev/ptmx and the like are links and files: they are not even seen" {
  local root name
  root=$(image link-nodes)
  rm -rf "${root:?}/dev"
  mkdir -p "$root/dev/pts"
  for name in null zero console ptmx tty fd stdin shm mqueue pts/0 pts/ptmx; do ln -s "$VICTIM/$name" "$root/dev/$name"; done
  run_arnia run --rm -t link-nodes sh -c 'for n in null zero tty console; do [ -c /dev/$n ] || exit 9; done; [ -t 0 ] && tty && cat /proc/kcore /proc/keys | wc -c'
  [[ "$status" -eq 0 && "$output" == *"/dev/"* ]]
  [[ "$(tr -d '\r' <<< "${lines[-1]}")" == 0 ]]
}

@test "an image with links for the files that we write: they stay inside" {
  local root name
  root=$(image link-files)
  mkdir -p "$root/etc"
  for name in hosts hostname resolv.conf; do
    rm -f "$root/etc/$name"
    ln -s "$VICTIM/$name" "$root/etc/$name"
  done
  run_arnia run --rm --hostname inner.example --dns 192.0.2.53 link-files cat /etc/resolv.conf /etc/hostname
  [[ "$status" -eq 0 && "$output" == *192.0.2.53*inner.example* ]]
  rm -f "$root"/etc/resolv.conf
  ln -s ../../../../../../../../..//proc/self/root/../../"$VICTIM/x" "$root/etc/resolv.conf"
  starts_or_says link-files true
  rm -rf "${root:?}/etc"
  ln -s "$VICTIM" "$root/etc"
  starts_or_says link-files true
}

@test "volumes, tmpfs and the working folder below a link of the image stay inside" {
  local root data="$BATS_TEST_TMPDIR/data"
  root=$(image link-targets)
  mkdir "$data"
  ln -s "$VICTIM" "$root/out"
  ln -s ../../../../../../../../../../../../../..//"$VICTIM" "$root/up"
  ln -s /proc/self/root "$root/magic"
  ln -s loop "$root/loop"
  for target in out out/sub up/sub/sub magic/x loop/x out/../x; do
    starts_or_says -v "$data:/$target" link-targets true
    starts_or_says --tmpfs "/$target" link-targets true
    starts_or_says -w "/$target" link-targets true
    [[ -z "$(ls -A "$VICTIM")" ]]
  done
  run_arnia run --rm -v "$data:/out/sub" link-targets sh -c "touch /out/sub/file; ls $VICTIM/sub"
  [[ "$status" -eq 0 && "$output" == file && -e "$data/file" ]]
}

@test "nothing but arnia mounts on /proc, /sys and /dev" {
  local target
  for target in / /proc /proc/self /proc/self/attr /proc/sys /proc/sys/kernel /proc/1 /proc/sysrq-trigger /sys /sys/fs/cgroup /dev /dev/pts /dev/null \
    //proc /proc/ /./proc /proc/../proc /x/../proc relative '' "/p
x"; do
    run_arnia run --rm -v "$BATS_TEST_TMPDIR:$target" busybox true
    [[ "$status" -eq 125 || "$status" -eq 2 ]] || return 1
    run_arnia run --rm --tmpfs "$target" busybox true
    [[ "$status" -eq 125 || "$status" -eq 2 ]] || return 1
  done
  # a folder of the image that leads there by a link
  root=$(image link-to-proc)
  ln -s /proc/self "$root/me"
  ln -s proc "$root/pr"
  for target in /me/attr /pr/sys /pr; do
    run_arnia run --rm -v "$BATS_TEST_TMPDIR:$target" link-to-proc true
    [[ "$status" -eq 125 ]] || return 1
  done
}

@test "device nodes of an image are dead, and stay so for a root with all capabilities" {
  local root
  root=$(image nodes)
  mknod "$root/mem" c 1 1
  mknod "$root/null" c 1 3
  mknod "$root/sda" b 8 0
  chmod 666 "$root/mem" "$root/null" "$root/sda"
  # shellcheck disable=SC2016
  run_arnia run --rm --cap-add ALL --security-opt seccomp=unconfined -v "$ARNIA_FAKES:/fakes:ro" nodes sh -c \
    '/fakes/attacker loosen /; for n in mem null sda; do head -c 1 /$n && echo "read $n"; done; mount -o bind /null /dev/zero && head -c1 /dev/zero && echo bound; true'
  [[ "$status" -eq 0 ]]
  grep -q 'nodev in place EPERM' <<< "$output"
  grep -q 'nodev by remount EPERM' <<< "$output"
  grep -q 'nodev on a clone EPERM' <<< "$output"
  refute grep -q '^read\|^bound' <<< "$output"
}

@test "users and groups files of an image that are none: a fifo, a folder, a link out, a giant" {
  local root
  root=$(image users)
  rm -f "$root/etc/passwd"
  mkfifo "$root/etc/passwd"
  run_arnia run --rm -u daemon users id
  one_line_error 125 "not a regular file"
  run_arnia run --rm -u 5:6 users grep '^[UG]id:' /proc/self/status # needs no file
  [[ "$status" -eq 0 && "$output" == "Uid:	5"*"Gid:	6"* ]]
  rm "$root/etc/passwd"
  mkdir "$root/etc/passwd"
  run_arnia run --rm -u daemon users id
  one_line_error 125 ""
  rmdir "$root/etc/passwd"
  ln -s "$VICTIM/../passwd" "$root/etc/passwd"
  echo "evil:x:0:0::/:/bin/sh" > "$BATS_FILE_TMPDIR/passwd"
  run_arnia run --rm -u evil users id
  [[ "$status" -ne 0 && -z "$output" ]]
  rm "$root/etc/passwd"
  truncate -s 5G "$root/etc/passwd"
  run_arnia run --rm -u daemon users id
  one_line_error 125 ""
  rm "$root/etc/passwd"
  # names that are numbers are numbers
  printf '0:x:1000:1000::/:/bin/sh\n1000:x:0:0::/:/bin/sh\nbig:x:4294967296:0::/:/bin/sh\nneg:x:-1:0::/:/bin/sh\nout:x:70000:0::/:/bin/sh\n' > "$root/etc/passwd"
  [[ "$(arnia run --rm -u 0 users id -u)" == 0 ]]
  [[ "$(arnia run --rm -u 1000 users id -u)" == 1000 ]]
  for u in big neg out; do
    run_arnia run --rm -u $u users id -u
    [[ "$status" -eq 125 ]] || return 1
  done
}

# ---- who the program is ----

@test "no spelling of a user gives root but root's" {
  local u
  for u in 4294967296 4294967295 4294967294 18446744073709551616 65536 -1 +0 -0 00 0x0 0o0 '0 ' ' 0' 0.0 1e0 '0:' ':0' '0:0:0' '1000:-1' '1000:4294967296' \
    $'0\n' $'root\n' 'root ' 'Root' ../root 'root:no-such' '٠' 'no-such' '#0' '*'; do
    run_arnia run --rm -u "$u" busybox id -u
    [[ "$status" -ne 0 && -z "$output" ]] || { echo "run -u '$u'"; return 1; }
    run_arnia exec -u "$u" box id -u
    [[ "$status" -ne 0 && -z "$output" ]] || { echo "exec -u '$u'"; return 1; }
  done
  for u in 0 root 0:0 root:root; do [[ "$(arnia exec -u $u box id -u)" == 0 ]]; done
  [[ "$(arnia exec -u 65535:65535 box id -u)" == 65535 ]]
}

@test "capabilities: exactly those asked for, none inherited or ambient, none for another user, unknown names refused" {
  local who text
  for who in "run --rm -u 1000" "exec -u 1000"; do
    # shellcheck disable=SC2086
    text=$(if [[ $who == run* ]]; then arnia $who --cap-add SYS_ADMIN busybox cat /proc/self/status; else arnia $who box cat /proc/self/status; fi)
    [[ "$(grep -c '^Cap\(Inh\|Prm\|Eff\|Amb\):.0*$' <<< "$text")" -eq 4 ]] || { echo "$text"; return 1; }
  done
  text=$(arnia run --rm --cap-drop ALL --cap-add CHOWN busybox cat /proc/self/status)
  [[ "$(grep -c '^Cap\(Prm\|Eff\|Bnd\):.0*1$' <<< "$text")" -eq 3 ]]
  for c in CAP_OF_ALL 64 -1 CAP_CHOWN,CAP_SYS_ADMIN 'CHOWN ' ''; do
    run_arnia run --rm --cap-add "$c" busybox true
    [[ "$status" -eq 125 || "$status" -eq 2 ]] || return 1
  done
  # what a set-user-id program of the image gives is nothing
  root=$(image setuid)
  cp "$root/bin/busybox" "$root/bin/id-as-root"
  cp "$ARNIA_FAKES/attacker" "$root/bin/as-root"
  chmod 4755 "$root/bin/as-root"
  [[ "$(arnia run --rm -u 1000 setuid as-root exec /bin/busybox id -u)" == 1000 ]]
}

@test "set-user-id files of images and machines are out of reach of the host's users" {
  local root id
  root=$(image setuid-host)
  cp /bin/busybox "$root/bin/suid"
  chmod 4755 "$root/bin/suid"
  id=$(arnia run -d --name suid-maker busybox sh -c 'cp /bin/busybox /bin/suid; chmod 4755 /bin/suid; sleep 100000')
  wait_until 50 test -u "$ARNIA_ROOT/lib/containers/$id/upper/bin/suid"
  cd "$ARNIA_ROOT/lib" # what is above may be closed to them by itself
  nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
  nobody test -d containers
  for file in ./templates/setuid-host/rootfs/bin/suid "./containers/$id/upper/bin/suid" "/proc/$(pid_of suid-maker)/root/bin/suid"; do
    test -u "$file"
    refute nobody test -e "$file"
    refute nobody "$file" true
  done
  arnia rm -f suid-maker
}

@test "volumes: no device, no set-user-id program, read-only with all that is mounted below" {
  local vol="$BATS_TEST_TMPDIR/vol"
  mkdir -p "$vol/sub" "$vol-other"
  # before Linux 6.3 a tmpfs cannot be idmapped
  if [[ -n ${ARNIA_VM:-} ]]; then mount --bind "$vol-other" "$vol/sub"; else mount -t tmpfs -o mode=755 t "$vol/sub"; fi
  for d in "$vol" "$vol/sub"; do
    mknod "$d/null" c 1 3
    cp "$ARNIA_FAKES/attacker" "$d/as-root"
    chmod 4755 "$d/as-root"
    chmod 666 "$d/null"
  done
  # shellcheck disable=SC2016
  run_arnia run --rm -u 1000 --security-opt no-new-privileges=no -v "$vol:/vol" busybox sh -c \
    'for d in /vol /vol/sub; do $d/as-root exec /bin/busybox id -u; head -c1 $d/null && echo "read $d"; done; grep " /vol" /proc/self/mounts'
  mounts=$(arnia run --rm --cap-add ALL --security-opt seccomp=unconfined -v "$vol:/vol:ro" -v "$ARNIA_FAKES:/fakes:ro" busybox sh -c \
    'touch /vol/x /vol/sub/x; for d in /vol /vol/sub; do /fakes/attacker loosen $d; done; touch /vol/x /vol/sub/x; umount /vol/sub; ls /vol/sub | wc -l' 2> /dev/null) || true
  umount "$vol/sub"
  [[ "$(grep -c '^1000$' <<< "$output")" -eq 2 && "$(grep -c '^0$' <<< "$output")" -eq 0 ]]
  refute grep -q '^read' <<< "$output"
  [[ "$(grep -c 'nosuid,nodev' <<< "$output")" -eq 2 ]]
  [[ "$(grep -c '^\(ro\|nosuid\|nodev\) .* EPERM$' <<< "$mounts")" -eq 18 ]]
  [[ "$(tail -n 1 <<< "$mounts")" -eq 2 ]] # what is mounted below cannot be taken off to see what is under it
  [[ ! -e "$vol/x" ]]
}

# ---- what leaks in ----

@test "no descriptor of the caller, whatever it holds" {
  local out how
  exec 7< / 8< "$BATS_FILE_TMPDIR" 9< "$MARKER"
  for how in run exec exec-t; do
    # shellcheck disable=SC2012
    case $how in
      run) out=$(LISTEN_FDS=3 LISTEN_PID=$$ arnia run --rm busybox sh -c 'ls -l /proc/self/fd; ls -l /proc/1/fd; env') ;;
      exec) out=$(LISTEN_FDS=3 arnia exec box sh -c 'ls -l /proc/self/fd; env') ;;
      exec-t) out=$(LISTEN_FDS=3 arnia exec -t box sh -c 'ls -l /proc/self/fd; env') ;;
    esac
    [[ "$out" != *"$BATS_FILE_TMPDIR"* && "$out" != *LISTEN_* && "$out" != *ARNIA_* && "$out" != *"socket:"* ]] || { echo "$how: $out"; return 1; }
    refute grep -q ' [3-9] -> [^/p]' <<< "$out"
    refute grep -q ' -> /$' <<< "$out"
  done
  exec 7<&- 8<&- 9<&-
}

@test "no working folder by a descriptor, in a run, an exec, or behind a link of the image" {
  local n root
  root=$(image cwd)
  local all="3 4 5 6 7 8 9 10 12 15 20 23"
  [[ -z ${ARNIA_VM:-} ]] || all="3 7 8 15"
  for n in $all; do
    ln -s "/proc/self/fd/$n" "$root/wd$n"
  done
  exec 7< / 8< "$BATS_FILE_TMPDIR"
  arnia run -d --name cwd cwd sleep 100000
  for n in $all; do
    for d in "/proc/self/fd/$n" "/wd$n" "/proc/self/fd/$n/../.."; do
      run_arnia exec -w "$d" cwd cat "../../../../../..$MARKER" ".$MARKER"
      [[ "$output" != *"$SECRET"* ]]
      [[ "$status" -eq 125 ]] || return 1
    done
    run_arnia run --rm --network none -w "/wd$n" cwd cat "../../../../../..$MARKER"
    [[ "$output" != *"$SECRET"* && "$status" -eq 125 ]] || return 1
  done
  exec 7<&- 8<&-
  for d in /proc/self/root /proc/1/cwd /proc/1/root /proc/self/cwd relative ../.. ''; do
    run_arnia exec -w "$d" cwd cat "../../../../../..$MARKER"
    [[ "$output" != *"$SECRET"* ]]
  done
  arnia rm -f cwd
}

@test "a hundred programs on their way in, watched by a root with all capabilities: nothing of the host is seen" {
  arnia run -d --name watcher --cap-add ALL --security-opt seccomp=unconfined -v "$ARNIA_FAKES:/fakes:ro" busybox sleep 100000
  mkfifo "$BATS_TEST_TMPDIR/go"
  arnia exec watcher /fakes/attacker scan "$MARKER" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/seen" &
  local pid=$! i
  exec 5> "$BATS_TEST_TMPDIR/go"
  for i in $(seq $((100 / ${ARNIA_SLOW:-1}))); do arnia exec watcher true > /dev/null 2>&1; done
  arnia exec -t watcher true > /dev/null 2>&1
  exec 5>&-
  wait "$pid"
  tail -n 5 "$BATS_TEST_TMPDIR/seen"
  refute grep LEAK "$BATS_TEST_TMPDIR/seen"
  # it was there at the right time
  [[ "$(sed -n 's/^looks .* entering //p' "$BATS_TEST_TMPDIR/seen")" -ge $((10 / ${ARNIA_SLOW:-1})) ]]
  arnia rm -f watcher
}

@test "the first process is our init, from memory that cannot be written" {
  arnia run -d --name first --cap-add ALL --security-opt seccomp=unconfined -v "$ARNIA_FAKES:/fakes:ro" busybox sleep 100000
  [[ "$(arnia exec first sha256sum /proc/1/exe | cut -d' ' -f1)" == "$(sha256sum < "$ARNIA_BIN/arnia-init" | cut -d' ' -f1)" ]]
  run arnia exec first /fakes/attacker overwrite /proc/1/exe
  [[ "$(grep -c '^[a-z ]* E[A-Z]*$' <<< "$output")" -ge 4 ]]
  refute grep -q '\(write\|truncate\) ok' <<< "$output"
  [[ "$(arnia exec first sha256sum /proc/1/exe | cut -d' ' -f1)" == "$(sha256sum < "$ARNIA_BIN/arnia-init" | cut -d' ' -f1)" ]]
  arnia rm -f first
}

@test "the keeper, its sockets and other machines are neither seen nor reached" {
  local pid
  arnia run -d --name other busybox sh -c 'echo of-the-other > /secret; exec sleep 100000'
  arnia run -d --name mighty --cap-add ALL --security-opt seccomp=unconfined -v "$ARNIA_ROOT/run:/run-of-host" -v "$ARNIA_FAKES:/fakes:ro" busybox sleep 100000
  run arnia exec mighty sh -c 'cat /proc/*/comm; cat /proc/mounts /proc/self/mountinfo /proc/self/cgroup; cat /proc/sched_debug /proc/keys; dmesg'
  [[ "$output" != *keeper* && "$output" != *"$(arnia info -f json other | jq -r .id)"* && "$output" != *"$BATS_FILE_TMPDIR/arnia/lib"* ]]
  grep -qx '0::/' <<< "$output"
  for pid in "$(pid_of other)" "$(keeper_pid)" "$(daemon_pid)" $$; do
    run arnia exec mighty sh -c "kill -9 $pid; ls /proc/$pid/root/"
    [[ "$output" == *"No such process"* && "$output" == *"No such file"* ]]
  done
  [[ "$(state_of other)" == running ]]
  # even where the administrator puts the sockets inside: root there is nobody here
  run arnia exec mighty /fakes/raw_client -m 500 /run-of-host/arnia.sock half <<< '{"method":"io.arnia.List"}'
  [[ "$output" != *parameters*machines* ]]
  run bash -c "printf '{\"method\":\"io.arnia.List\"}\0' | nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia exec mighty /fakes/raw_client -m 500 /run-of-host/arnia.sock half"
  [[ "$output" == *NotPermitted* ]]
  run bash -c "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia exec mighty /fakes/raw_client -q -m 500 /run-of-host/keeper.sock talk < /dev/null"
  [[ "$output" == closed || "$output" == reset ]]
  arnia rm -f other mighty
}

# ---- what a program may do ----

@test "system calls: what the profiles refuse, and nothing else" {
  [[ "$(uname -m)" == x86_64 ]] || skip "the numbers are those of x86-64"
  local p plain="$BATS_TEST_TMPDIR/plain"
  probe() { arnia run --rm --network none -v "$ARNIA_FAKES:/fakes:ro" "$@" busybox /fakes/syscall_probe; }
  probe --security-opt seccomp=unconfined > "$plain" &
  probe > "$BATS_TEST_TMPDIR/default" &
  probe --security-opt seccomp=strict > "$BATS_TEST_TMPDIR/strict" &
  inside /fakes/syscall_probe > "$BATS_TEST_TMPDIR/exec" &
  wait
  [[ "$(wc -l < "$plain")" -gt 400 ]]
  for p in default strict exec; do
    # refused ones as the table has it, others as without a filter; how long a sync takes is not our business
    awk -v table="$BATS_TEST_DIRNAME/data/syscalls-${p/exec/default}.txt" '
      BEGIN { while ((getline l < table) > 0) if (l !~ /^#/) { n = split(l, f, " "); want[f[1] " " f[2]] = substr(l, length(f[1] f[2]) + 3) } }
      FILENAME == ARGV[1] { plain[$1 " " $2] = substr($0, length($1 $2) + 3); next }
      $1 == "sync" || $1 == "uretprobe" || $1 == "uprobe" { delete want[$1 " " $2]; next }
      { k = $1 " " $2; got = substr($0, length($1 $2) + 3); w = k in want ? want[k] : plain[k]; delete want[k] }
      $1 ~ /^int80:/ && plain[k] == "signal 11" { w = plain[k] } # no such entry on this machine: the filter is not asked
      got != w { print k ": " got " instead of " w; bad = 1 }
      END { for (k in want) { print k " was not tried"; bad = 1 } exit bad }' "$plain" "$BATS_TEST_TMPDIR/$p" || { echo "profile: $p"; return 1; }
  done
}

@test "root of a container kills whoever enters it: no worker is harmed" {
  local i
  # shellcheck disable=SC2016
  arnia run -d --name killer busybox sh -c 'while :; do for p in /proc/[0-9]*; do n=${p#/proc/}; [ $n -le 2 ] || [ $n = $$ ] || kill -9 $n; done; done 2> /dev/null'
  for i in $(seq 20); do
    run_arnia exec killer sleep 0.2
    [[ "$status" -eq 137 || "$stderr" == *"the new process was killed by signal 9"* ]] || { echo "$status: $stderr"; return 1; }
  done
  refute grep -E 'malloc|worker killed|corrupt' "$ARNIA_ROOT/run/log/keeper.log"
  arnia rm -f killer
}

@test "no key pushed into a terminal, and no terminal but one's own" {
  local line
  run inside /fakes/attacker keys
  grep -qx '/dev/tty ENXIO' <<< "$output"
  refute grep -q ' ok$' <<< "$output"
  for line in "exec -t box" "run --rm -t -v $ARNIA_FAKES:/fakes:ro busybox"; do
    # shellcheck disable=SC2086
    output=$(arnia $line /fakes/attacker keys < /dev/null | tr -d '\r')
    grep -qx '/dev/tty ok' <<< "$output"
    [[ "$(grep -c '^TIOC\(STI\|LINUX\).* EPERM$' <<< "$output")" -eq 4 ]] || { echo "$output"; return 1; }
  done
  # a terminal of the caller is never handed on, not even for a program without one
  command -v script > /dev/null || skip "script(1) is not installed"
  script -qec "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia exec -T box sh -c 'ls -l /proc/self/fd'" /dev/null < /dev/null | tee "$BATS_TEST_TMPDIR/fds"
  refute grep -q '/dev/pts\|/dev/tty' "$BATS_TEST_TMPDIR/fds"
  [[ "$(grep -c 'pipe:' "$BATS_TEST_TMPDIR/fds")" -ge 2 ]]
}

@test "no namespace, no mount, no device, no kernel parameter" {
  run inside /fakes/attacker spaces
  [[ "$(grep -c ' EPERM$' <<< "$output")" -eq 8 ]] || { echo "$output"; return 1; }
  grep -qx 'clone3 ENOSYS' <<< "$output"
  # shellcheck disable=SC2016
  run_arnia run --rm --cap-add ALL --security-opt seccomp=unconfined busybox sh -c '
    for n in "b 8 0" "b 7 0" "b 254 0" "c 1 1" "c 1 3" "c 10 200" "c 10 232"; do mknod /tmp/n $n && head -c 1 /tmp/n && echo "node $n"; rm -f /tmp/n; done
    for f in core_pattern modprobe hotplug poweroff_cmd sysrq kptr_restrict randomize_va_space; do echo 1 > /proc/sys/kernel/$f && echo "wrote $f"; done
    for f in /proc/sys/vm/overcommit_memory /proc/sysrq-trigger /sys/kernel/uevent_helper /proc/sys/fs/binfmt_misc/register /sys/module/*/parameters/* /proc/irq/default_smp_affinity \
      /sys/kernel/mm/ksm/run /proc/sys/kernel/ns_last_pid; do [ -e $f ] && echo 1 > $f && echo "wrote $f"; done
    mount -o remount,rw /proc/sys && echo 1 > /proc/sys/kernel/core_pattern && echo "wrote by remount"
    umount /proc/sys; echo x > /proc/sys/kernel/core_pattern && echo "wrote below the mount"
    mount -t cgroup -o release_agent=/x,memory c /mnt && echo "cgroup v1 mounted"
    find /sys/fs/cgroup -name release_agent | grep . && echo "release agent"
    echo 1 > /sys/fs/cgroup/cgroup.procs && echo "cgroup written"
    mkdir /sys/fs/cgroup/new && echo "cgroup made"
    true'
  refute grep -q '^wrote\|^node\|^cgroup\|^release' <<< "$output"
  [[ "$(arnia run --rm busybox sh -c 'cat /proc/kcore /proc/timer_list /proc/keys /proc/sched_debug /proc/latency_stats /proc/interrupts 2> /dev/null | wc -c')" -eq 0 ]]
}

# ---- races ----

@test "mount targets in a volume whose folders another machine keeps exchanging for links" {
  local vol="$BATS_TEST_TMPDIR/vol" data="$BATS_TEST_TMPDIR/data" i pid ok=0
  mkdir -p "$vol/dir" "$data"
  ln -s "$VICTIM" "$vol/link"
  arnia run -d --name flipper -v "$vol:/vol" -v "$ARNIA_FAKES:/fakes:ro" busybox sleep 100000
  mkfifo "$BATS_TEST_TMPDIR/go"
  arnia exec flipper /fakes/attacker flip /vol/dir /vol/link < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/flips" &
  pid=$!
  exec 5> "$BATS_TEST_TMPDIR/go"
  for i in $(seq 25); do
    run arnia run --rm --network none -v "$vol:/vol" -v "$data:/vol/dir/target$i" --tmpfs "/vol/dir/t$i/u" -w "/vol/dir/w$i" busybox true
    [[ "$status" -eq 0 ]] && ok=$((ok + 1))
    [[ -z "$(ls -A "$VICTIM")" ]] || { echo "round $i"; break; }
  done
  exec 5>&-
  wait "$pid"
  [[ -z "$(ls -A "$VICTIM")" ]]
  [[ "$(sed -n 's/flips //p' "$BATS_TEST_TMPDIR/flips")" -gt 1000 ]]
  echo "$ok of 25 started"
  [[ "$ok" -gt 0 ]]
  arnia rm -f flipper
}

# become PID: leaves $stranger, a process of ours with this number
become() {
  local n=0
  stranger=
  while ((n++ < 500)); do
    echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid || return 1
    sleep 1000 3>&- &
    stranger=$!
    [[ "$stranger" -ne "$1" ]] || return 0
    kill "$stranger"
  done
  return 1
}

@test "a process that took over the number of a dead machine's is not touched" {
  local pid daemon verb
  [[ -w /proc/sys/kernel/ns_last_pid ]] || skip "numbers of processes cannot be chosen here"
  arnia run -d --name dead --network none busybox sleep 100000
  pid=$(pid_of dead)
  daemon=$(daemon_pid)
  kill -STOP "$daemon" # it shall learn of nothing
  kill -9 "$pid"
  gone() { [[ ! -e /proc/$1 ]]; }
  wait_until 50 gone "$pid" # the keeper has taken note
  become "$pid" || { kill -CONT "$daemon"; skip "the number was not to be had"; }
  kill -9 "$daemon"
  wait_until 50 arnia info dead
  [[ "$(state_of dead)" == stopped ]]
  for verb in kill stop pause "exec dead true #"; do
    # shellcheck disable=SC2086
    run_arnia ${verb%%#*} ${verb:+$([[ $verb == exec* ]] || echo dead)}
    [[ "$status" -eq 4 || "$status" -eq 125 ]] || return 1
  done
  arnia rm -f dead
  [[ "$(cat "/proc/$stranger/comm")" == sleep ]]
  kill "$stranger"
}

# ---- what an administrator may get wrong ----

@test "a description of an image with options, paths and commands where words belong is refused" {
  local dir="$ARNIA_ROOT/lib/templates.d/evil" text
  mkdir -p "$dir"
  for text in '"suite":"--setup-hook=touch '"$VICTIM"'/x"' '"suite":"../../etc"' '"suite":"stable;id"' '"mirror":"http://h/ x"' \
    '"mirror":"http://h/\n[trusted=yes]"' '"variant":"-x"' '"packages":["-oAPT::Foo=bar"]' \
    '"packages":["a b"]' '"packages":["?essential","../x"]' '"packages":["$(id)"]' '"name":"../../evil"' '"env":["A\nB=c"]' \
    '"workdir":"../x"' '"cmd":[""]' '"hook":"id"' '"user":"a\nb"'; do
    jq -n "{description:\"x\",source:\"debootstrap\",suite:\"bookworm\"} + {$text}" > "$dir/template.json"
    run_arnia image build evil
    one_line_error 2 "" || one_line_error 125 "" || return 1
    [[ ! -e "$ARNIA_ROOT/lib/templates/evil" && -z "$(find "$ARNIA_ROOT/lib/templates" -maxdepth 1 -name '.evil*')" ]]
  done
  rm -r "$dir"
  for text in -x --help ../busybox a/b 'a b' '' $'a\nb' .hidden; do
    run_arnia image build -- "$text"
    [[ "$status" -eq 2 || "$status" -eq 3 ]] || return 1
  done
}

@test "the group that the socket belongs to may ask, by its main and by its other members, and no other" {
  local s="$ARNIA_ROOT/run/arnia.sock" was
  ask() { # UID GID OTHER-GROUP
    printf '{"method":"io.arnia.List"}\0' | timeout 10 "$ARNIA_FAKES/raw_client" -u "$1" -g "$2" -G "$3" -m 1000 "$s" half 2>&1
  }
  was=$(stat -c '%g %a' "$s")
  chgrp 65530 "$s"
  chmod 666 "$s"
  kill -9 "$(daemon_pid)" # the next one looks again
  wait_until 50 arnia info box
  run ask 65534 65530 65531
  [[ "$output" == *'"machines"'* ]]
  run ask 65534 65531 65530
  [[ "$output" == *'"machines"'* ]]
  run ask 65534 65531 65532
  [[ "$output" == *NotPermitted* ]]
  chgrp "${was% *}" "$s"
  chmod "${was#* }" "$s"
  kill -9 "$(daemon_pid)"
  wait_until 50 arnia info box
}
