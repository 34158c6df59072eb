#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: systemd
# arnia-oci, verb by verb and option by option: the states of a container, what is refused in which, hooks, and the exit codes of runc.
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

started() {
  bundle '"sleep","1000"' "${1:-.}"
  oci run -d -b "$B" "$id"
  ok
}

# ---- the states, and what each refuses ----

# bats test_tags=natively
@test "exit codes and output of each verb in each state are those of runc" {
  needs_runc
  bundle '"sleep","1000"'
  for f in table json; do same list -f $f; done
  same list -q
  for v in start delete state ps pause resume kill; do same "$v" "$id"; done
  same exec "$id" true
  same delete -f "$id"
  same create -b "$B" "$id"
  same create -b "$B" "$id"
  same exec "$id" echo in a created one
  same resume "$id"
  same start "$id"
  same start "$id"
  same delete "$id"
  same resume "$id"
  same exec "$id" sh -c 'exit 9'
  same exec "$id" sh -c 'kill -9 $$'
  same exec "$id" nosuch
  same exec "$id" /etc
  same exec --cwd relative "$id" true
  same kill "$id" NOSUCH
  same kill "$id" 0
  same kill "$id" KILL
  becomes stopped
  sleep 0.2
  for v in start pause resume ps; do same "$v" "$id"; done
  same exec "$id" true
  same kill "$id" TERM
  same kill --all "$id" TERM
  same delete "$id"
  same delete "$id"
}

# bats test_tags=natively
@test "the same of a paused container" {
  needs_runc
  started
  timeout 60 runc --root "$ROOT.runc" run -d -b "$B" "${id}r" > /dev/null 2>&1 < /dev/null 3>&-
  same pause "$id"
  same pause "$id"
  for v in start delete; do same "$v" "$id"; done
  same exec "$id" true
  same resume "$id"
  same pause "$id"
  same delete -f "$id"
}

# bats test_tags=natively
@test "what run gives back is what runc gives back" {
  needs_runc
  bundle_sh 'echo out; echo err >&2; exit 42'
  same run -b "$B" "$id"
  bundle_sh 'kill -9 $$' '.linux.namespaces |= map(select(.type != "pid"))'
  same run -b "$B" "$id"
  bundle '"nosuch"'
  same run -b "$B" "$id"
  bundle '"/etc"'
  same run -b "$B" "$id"
  bundle '"true"' 'del(.process.args)'
  same run -b "$B" "$id"
  bundle '"true"' 'del(.process.cwd)'
  same run -b "$B" "$id"
  bundle '"true"' '.process.cwd = "relative"'
  same run -b "$B" "$id"
  bundle '"true"' 'del(.root)'
  same run -b "$B" "$id"
  bundle '"true"' '.root.path = "missing"'
  same run -b "$B" "$id"
  bundle '"true"' 'del(.linux)'
  same run -b "$B" "$id"
  bundle '"pwd"' '.process.cwd = "/mnt/new/deep" | .root.readonly = false'
  same run -b "$B" "$id"
  for bad in '' '[]' '{' '{}'; do
    echo "$bad" > "$B/config.json"
    same run -b "$B" "$id"
  done
  rm "$B/config.json"
  same run -b "$B" "$id"
  for bad in "" . .. a/b 'a b' $'a\nb' "$(printf %01025d 0)"; do same create -b "$B" "$bad"; done
}

@test "words of runc for what a state refuses" {
  started
  oci start "$id"
  says 1 "cannot start an already running container"
  oci create -b "$B" "$id"
  says 1 "container with given ID already exists"
  oci resume "$id"
  says 1 "not paused"
  oci delete "$id"
  says 1 "cannot delete container $id that is not stopped: running"
  oci kill "$id" NOSUCH
  says 1 "unknown signal \"NOSUCH\""
  oci kill "$id" 9
  becomes stopped
  oci start "$id"
  says 1 "cannot start a container that has stopped"
  oci exec "$id" true
  says 255 "cannot exec in a stopped container"
  oci pause "$id"
  says 1 ""
  oci update --pids-limit 5 "$id"
  says 1 ""
  oci kill "$id"
  says 1 "container not running"
  oci delete "$id"
  for v in state start kill delete pause resume ps events; do
    oci "$v" "$id"
    says 1 "container does not exist"
  done
}

# ---- create, run ----

# bats test_tags=natively
@test "create: --bundle, --config, --pid-file; options before and behind the id" {
  bundle '"sleep","1000"'
  oci create "$id" --bundle "$B" --pid-file "$BATS_TEST_TMPDIR/pid"
  ok
  [[ "$(cat "$BATS_TEST_TMPDIR/pid")" == "$(pid_of)" && "$(stat -c %a "$BATS_TEST_TMPDIR/pid")" == 644 ]]
  [[ "$(wc -l < "$BATS_TEST_TMPDIR/pid")" -eq 0 ]]
  oci delete "$id" --force
  ok
  mv "$B/config.json" "$BATS_TEST_TMPDIR/other.json"
  cd "$B"
  oci create --config "$BATS_TEST_TMPDIR/other.json" "$id"
  ok
  [[ "$("$OCI" --root "$ROOT" state "$id" | sed -n 's/^ *"bundle": "\(.*\)",/\1/p')" == "$B" ]]
  oci delete "$id"
  ok
  oci create --config "$BATS_TEST_TMPDIR/other.json" --pid-file /nonexistent/pid "$id"
  says 1 "/nonexistent/pid"
  nothing_left
  oci create --bundle "$B" "$id"
  says 1 "config.json"
  nothing_left
}

# bats test_tags=natively
@test "run --config, --keep, --detach" {
  bundle '"sh","-c","exit 3"'
  mv "$B/config.json" "$BATS_TEST_TMPDIR/c.json"
  oci run --keep --bundle "$B" --config "$BATS_TEST_TMPDIR/c.json" "$id"
  [[ $status -eq 3 && "$(status_of)" == stopped ]]
  oci run --bundle "$B" --config "$BATS_TEST_TMPDIR/c.json" "$id"
  says 1 "container with given ID already exists"
  oci delete "$id"
  ok
  oci run "$id" --detach -b "$B" -f "$BATS_TEST_TMPDIR/c.json"
  ok
  becomes stopped
  oci delete "$id"
  ok
}

# bats test_tags=natively
@test "the configuration of a container is the one it was made of" {
  bundle_sh 'echo first' '.annotations = {"org.example.a":"1"}'
  oci create -b "$B" "$id"
  ok
  bundle_sh 'echo second' '.annotations = {"org.example.a":"2"}'
  : > "$BATS_TEST_TMPDIR/out"
  oci state "$id"
  [[ $output == *'"org.example.a": "1"'* ]]
  rm -rf "$B"
  oci start "$id"
  ok
  becomes stopped
  oci delete "$id"
  ok
}

# bats test_tags=natively
@test "--preserve-fds and LISTEN_FDS: descriptors arrive at their numbers, and no others" {
  bundle_sh 'ls /proc/self/fd | tr "\n" " "; cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID'
  echo three > "$BATS_TEST_TMPDIR/3"
  echo four > "$BATS_TEST_TMPDIR/4"
  run timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" run --preserve-fds 2 -b "$B" "$id" 3< "$BATS_TEST_TMPDIR/3" 4< "$BATS_TEST_TMPDIR/4" 5< /etc/passwd
  [[ $status -eq 0 && $output == "0 1 2 3 4 5 "*$'three\nfour'* ]]
  LISTEN_FDS=1 run timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" run --preserve-fds 1 -b "$B" "$id" 3< "$BATS_TEST_TMPDIR/3" 4< "$BATS_TEST_TMPDIR/4"
  [[ $status -eq 0 && $output == *$'three\nfour\n1 1' ]]
  oci run --preserve-fds 50 -b "$B" "$id"
  says 1 "is not open"
  # What we have open ourselves is none of the caller's.
  run timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" run --preserve-fds 1 -b "$B" "$id" 3>&-
  [[ $status -eq 1 && $output == "arnia-oci: preserve-fds: descriptor 3 is not open" ]]
  oci run --preserve-fds -1 -b "$B" "$id"
  says 1 "preserve-fds"
  bundle_sh 'ls /proc/self/fd | tr "\n" " "'
  run timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" run -b "$B" "$id" 5< /etc/passwd 17< /etc/passwd
  [[ $output == "0 1 2 3 " ]]
  started
  run timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" exec --preserve-fds 1 "$id" sh -c 'cat <&3' 3< "$BATS_TEST_TMPDIR/3"
  [[ $status -eq 0 && $output == three ]]
}

# bats test_tags=natively
@test "--no-new-keyring: the session keyring is the caller's" {
  local own
  own=$("$AID" look | sed -n 's/^keyring //p')
  [[ "$own" -gt 0 ]] || skip "no session keyring here"
  bundle '"oci_aid","look"'
  oci run -b "$B" "$id"
  ok
  [[ "$(sed -n 's/^keyring //p' <<< "$output")" != "$own" ]]
  oci run --no-new-keyring -b "$B" "$id"
  ok
  [[ "$(sed -n 's/^keyring //p' <<< "$output")" == "$own" ]]
}

# bats test_tags=natively
@test "--console-socket: the master arrives there, with its name" {
  bundle_sh 'tty; stty size; echo done' '.process.terminal = true | .process.consoleSize = {"height": 33, "width": 111}'
  oci create -b "$B" "$id"
  says 1 "console socket"
  oci run -d -b "$B" "$id"
  says 1 "console socket"
  behind "$AID" tty "$BATS_TEST_TMPDIR/tty"
  listens "$BATS_TEST_TMPDIR/tty"
  oci create --console-socket "$BATS_TEST_TMPDIR/tty" -b "$B" "$id"
  ok
  oci start "$id"
  ok
  wait_until 50 grep -q "done" "$BATS_TEST_TMPDIR/behind.out"
  [[ "$(tr -d '\r' < "$BATS_TEST_TMPDIR/behind.out")" == *$'/dev/pts/0\n33 111\ndone' ]]
  becomes stopped
  oci delete "$id"
  oci create --console-socket "$BATS_TEST_TMPDIR/nobody" -b "$B" "$id"
  says 1 "nobody"
  nothing_left
  bundle '"true"'
  oci create --console-socket "$BATS_TEST_TMPDIR/nobody" -b "$B" "$id"
  says 1 "cannot use console socket"
}

# bats test_tags=natively
@test "--pidfd-socket: a pidfd of the process arrives there" {
  bundle '"sleep","1000"'
  behind "$AID" fds "$BATS_TEST_TMPDIR/pidfd"
  listens "$BATS_TEST_TMPDIR/pidfd"
  oci run -d --pidfd-socket "$BATS_TEST_TMPDIR/pidfd" -b "$B" "$id"
  ok
  wait_until 50 grep -q '^fd .*pidfd' "$BATS_TEST_TMPDIR/behind.out"
  grep -qx 'text standard' "$BATS_TEST_TMPDIR/behind.out"
  behind "$AID" fds "$BATS_TEST_TMPDIR/pidfd"
  listens "$BATS_TEST_TMPDIR/pidfd"
  oci exec --pidfd-socket "$BATS_TEST_TMPDIR/pidfd" "$id" true
  ok
  wait_until 50 grep -q '^fd .*pidfd' "$BATS_TEST_TMPDIR/behind.out"
  grep -qx 'text setns' "$BATS_TEST_TMPDIR/behind.out"
  oci exec --pidfd-socket "$BATS_TEST_TMPDIR/nobody" "$id" true
  says 255 "nobody"
}

@test "run in the foreground passes signals on, and ends with the program's code" {
  bundle_sh 'trap "echo hup; exit 5" HUP; echo ready; while :; do sleep 0.1; done'
  behind "$OCI" --root "$ROOT" run -b "$B" "$id"
  wait_until 100 grep -q ready "$BATS_TEST_TMPDIR/behind.out"
  kill -HUP "$behind"
  status=0
  wait "$behind" || status=$?
  wait_until 50 grep -q hup "$BATS_TEST_TMPDIR/behind.out"
  wait_until 50 nothing_left
}

# ---- exec ----

@test "exec: a created container has one, too; a paused one only with --ignore-paused" {
  bundle '"sleep","1000"'
  oci create -b "$B" "$id"
  ok
  oci exec "$id" echo created
  ok
  prints created
  oci start "$id"
  oci pause "$id"
  ok
  oci exec "$id" true
  says 255 "cannot exec in a paused container (use --ignore-paused to override)"
  behind "$OCI" --root "$ROOT" exec --ignore-paused "$id" echo late
  sleep 0.5
  [[ ! -s $BATS_TEST_TMPDIR/behind.out ]]
  oci resume "$id"
  wait_until 50 grep -qx late "$BATS_TEST_TMPDIR/behind.out"
}

@test "exec: --cwd --env --user --additional-gids --cap --no-new-privs" {
  started '.process.env += ["KEPT=1","A=old"] | .process.user = {"uid":7,"gid":8,"additionalGids":[9]}'
  oci exec "$id" sh -c 'echo $(id -u):$(id -g):$(id -G) $KEPT $A $PWD'
  ok
  prints "7:8:8 9 1 old /"
  oci exec --env A=b -e C= --cwd /tmp --user 1000 "$id" sh -c 'echo $A,$C,$PWD,$(id -u):$(id -g)'
  prints "b,,/tmp,1000:0"
  oci exec -u 1000:1001 -g 20 --additional-gids 30 "$id" id -G
  prints "1001 20 30"
  for o in "--user x" "--user 1:x" "--user -1" "--user 4294967295" "--additional-gids x" "--env novalue" "--env =x" "--cap CAP_NOSUCH" "--cap x"; do
    # shellcheck disable=SC2086
    oci exec $o "$id" true
    says 255 ""
  done
  oci exec --cwd /nonexistent "$id" true
  says 255 "/nonexistent"
  oci exec --user 0:0 --cap CAP_NET_ADMIN "$id" grep CapEff /proc/self/status
  prints "CapEff:"$'\t'"0000000020001420"
  oci exec --user 0:0 "$id" grep CapEff /proc/self/status
  prints "CapEff:"$'\t'"0000000020000420"
  oci exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status
  prints "NoNewPrivs:"$'\t'1
}

# bats test_tags=natively
@test "exec: no_new_privs is the configuration's without the option" {
  started '.process.noNewPrivileges = false'
  oci exec "$id" grep NoNewPrivs /proc/self/status
  prints "NoNewPrivs:"$'\t'0
  oci exec --no-new-privs "$id" grep NoNewPrivs /proc/self/status
  prints "NoNewPrivs:"$'\t'1
}

# bats test_tags=natively
@test "exec --process: a process of its own; nothing else is taken" {
  started
  local p=$BATS_TEST_TMPDIR/process
  echo '{"args":["sh","-c","echo $X $(id -u) $(umask); grep -e CapEff -e open /proc/self/status /proc/self/limits"],"cwd":"/tmp","env":["PATH=/bin","X=y"],
    "user":{"uid":5,"gid":6,"umask":63},"capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]},
    "rlimits":[{"type":"RLIMIT_NOFILE","soft":77,"hard":88}]}' > "$p"
  oci exec --process "$p" "$id"
  ok
  [[ $output == "y 5 0077"* && $output == *"CapEff:"$'\t'"0000000000000020"* && $output == *"Max open files"*77*88* ]]
  for bad in '' '[]' '{' '{}' '{"args":[]}' '{"args":["true"]}' '{"args":["true"],"cwd":"rel"}' '{"args":"true","cwd":"/"}' '{"args":[7],"cwd":"/"}'; do
    echo "$bad" > "$p"
    oci exec --process "$p" "$id"
    says 255 ""
  done
  oci exec --process /nonexistent "$id"
  says 255 /nonexistent
}

# bats test_tags=natively
@test "exec --detach, --pid-file, --tty with --console-socket" {
  started
  oci exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 900
  ok
  oci ps --format json "$id"
  [[ $output == *"$(cat "$BATS_TEST_TMPDIR/pid")"* ]]
  [[ "$(readlink "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/ns/pid")" == "$(readlink "/proc/$(pid_of)/ns/pid")" ]]
  oci exec -t -d "$id" true
  says 255 "console socket"
  oci exec --console-socket /nonexistent "$id" true
  says 255 "cannot use console socket"
  behind "$AID" tty "$BATS_TEST_TMPDIR/tty" $'word\n'
  listens "$BATS_TEST_TMPDIR/tty"
  oci exec -t -d --console-socket "$BATS_TEST_TMPDIR/tty" "$id" sh -c 'read x; echo "got $x"'
  ok
  wait_until 50 grep -q "got word" "$BATS_TEST_TMPDIR/behind.out"
}

# bats test_tags=natively
@test "exec --process with a terminal of its own size" {
  started
  echo '{"args":["sh","-c","stty size; echo end"],"cwd":"/","env":["PATH=/bin"],"terminal":true,"consoleSize":{"height":21,"width":54},"user":{"uid":1000,"gid":1000}}' > "$BATS_TEST_TMPDIR/process"
  behind "$AID" tty "$BATS_TEST_TMPDIR/tty"
  listens "$BATS_TEST_TMPDIR/tty"
  oci exec -d --process "$BATS_TEST_TMPDIR/process" --console-socket "$BATS_TEST_TMPDIR/tty" "$id"
  ok
  wait_until 50 grep -q "end" "$BATS_TEST_TMPDIR/behind.out"
  grep -q "21 54" "$BATS_TEST_TMPDIR/behind.out"
}

@test "exec --tty: a terminal is relayed, with size and exit code" {
  started
  run script -qec "stty rows 40 cols 99; '$OCI' --root '$ROOT' exec -t '$id' sh -c 'tty; stty size; exit 6'" /dev/null
  echo "$output"
  [[ $status -eq 6 && $output == */dev/pts/*"40 99"* ]]
}

# ---- kill, delete, list, ps, state ----

@test "kill: signals by name and number, and --all" {
  bundle_sh 'for s in HUP INT USR1 USR2 TERM; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.05; done'
  timeout 60 "$OCI" --root "$ROOT" run -d -b "$B" "$id" > "$BATS_TEST_TMPDIR/log" 2>&1 < /dev/null 3>&-
  wait_until 50 grep -q ready "$BATS_TEST_TMPDIR/log"
  for s in HUP SIGINT 10 sigusr2; do
    oci kill "$id" "$s"
    ok
    sleep 0.2
  done
  oci kill "$id"
  ok
  wait_until 50 grep -q TERM "$BATS_TEST_TMPDIR/log"
  [[ "$(tr '\n' ' ' < "$BATS_TEST_TMPDIR/log")" == "ready HUP INT USR1 USR2 TERM " ]]
  for s in 0x9 999 -9 9x; do
    oci kill "$id" -- "$s"
    says 1 "unknown signal"
  done
  oci exec -d "$id" sleep 800
  oci kill --all "$id" KILL
  ok
  becomes stopped
  oci kill -a "$id" KILL
  ok
}

@test "delete --force, also of many; --regex" {
  bundle '"sleep","1000"'
  for n in 1 2 3; do oci run -d -b "$B" "$id-$n"; done
  oci delete --force "$id-1"
  ok
  oci delete --force "$id-1"
  ok
  oci delete --force --regex "^$id-[23]\$"
  ok
  nothing_left
}

@test "list: --format and --quiet; ps: --format and options of ps" {
  oci list
  ok
  [[ $output == "ID "*PID*STATUS*BUNDLE*CREATED*OWNER* ]]
  oci list -f json
  [[ "$(tr -d ' \n' <<< "$output")" == "[]" || "$output" == null ]]
  started
  oci list --format json
  [[ "$(jq -r '.[0] | "\(.id) \(.pid) \(.status) \(.bundle) \(.owner)"' <<< "$output")" == "$id $(pid_of) running $B root" ]]
  oci list --quiet
  prints "$id"
  oci list --format xml
  says 1 "invalid format option"
  oci ps "$id"
  [[ $output == "UID "*"sleep 1000" ]]
  oci ps "$id" -o pid=,args=
  [[ "$(xargs <<< "$output")" == "$(pid_of) sleep 1000" ]] || says 1 PID
  oci ps -f json "$id"
  [[ "$(jq -c . <<< "$output")" == "[$(pid_of)]" ]]
  oci ps -f xml "$id"
  says 1 "invalid format option"
}

@test "state has what the specification wants of it" {
  started '.annotations = {"org.example.a":"b \"quoted\" \u00e9","empty":""}'
  oci state "$id"
  ok
  [[ "$(jq -c '[.id, .status, .bundle, (.annotations | to_entries | sort_by(.key) | map(.key, .value)), (.pid | type), (.ociVersion | type), (.created | type)]' <<< "$output")" == \
    "[\"$id\",\"running\",\"$B\",[\"empty\",\"\",\"org.example.a\",\"b \\\"quoted\\\" é\"],\"number\",\"string\",\"string\"]" ]]
  oci kill "$id" KILL
  becomes stopped
  oci state "$id"
  [[ "$(jq -c '[.pid, .status]' <<< "$output")" == '[0,"stopped"]' ]]
}

@test "features and spec" {
  needs_runc
  oci features
  ok
  [[ "$(jq -c '[.ociVersionMin, (.hooks | sort), (.linux.namespaces | index("user") != null), .linux.cgroup.v2]' <<< "$output")" == \
    '["1.0.0",["createContainer","createRuntime","poststart","poststop","prestart","startContainer"],true,true]' ]]
  # Each mount option of runc is one of ours.
  runc features > "$BATS_TEST_TMPDIR/runc.json" || skip "this runc has no features"
  [[ "$(jq -c --slurpfile r "$BATS_TEST_TMPDIR/runc.json" '$r[0].mountOptions - .mountOptions' <<< "$output")" == "[]" ]]
  [[ "$(jq -c --slurpfile r "$BATS_TEST_TMPDIR/runc.json" '$r[0].linux.capabilities - .linux.capabilities' <<< "$output")" == "[]" ]]
  mkdir "$BATS_TEST_TMPDIR/s" && cd "$BATS_TEST_TMPDIR/s"
  oci spec
  ok
  oci spec
  says 1 "config.json"
  oci spec --rootless -f other.json
  ok
  [[ "$(jq -r '[.linux.namespaces[].type] | index("user") != null' other.json)" == true ]]
}
