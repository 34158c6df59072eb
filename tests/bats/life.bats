#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# test-host: systemd
# run, create, start, stop, restart, kill, pause, resume, rm, wait, rename, list, info, logs, events.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
}
teardown_file() {
  instance_down
}
teardown() {
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  no_machine_left
}

@test "run prints what the program prints, on both streams, and passes its exit code on" {
  run_arnia run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
  [[ "$status" -eq 7 && "$output" == out && "$stderr" == err ]]
}

@test "exit codes: 126, 127, 128+n, 125" {
  run_arnia run --rm busybox /etc/passwd
  [[ "$status" -eq 126 ]]
  run_arnia run --rm busybox no-such-program
  [[ "$status" -eq 127 ]]
  run_arnia run --rm busybox sh -c 'kill -9 $$'
  [[ "$status" -eq 137 ]]
  run_arnia run --rm no-such-image true
  one_line_error 125 no-such-image
}

# bats test_tags=natively
@test "a program that cannot be executed fails the start: 127, 126, with and without an init, detached, as JSON" {
  local dir="$BATS_TEST_TMPDIR/bin" how
  mkdir "$dir"
  printf '#!/no/such/interpreter\n' > "$dir/no-interpreter"
  printf 'echo no first line\n' > "$dir/no-first-line"
  printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\377\377' > "$dir/other-machine"
  head -c 4096 "$ARNIA_BIN/arnia-init" | sed 's,ELF,FLE,' > "$dir/damaged"
  chmod 755 "$dir"/*
  echo data > "$dir/data"
  while IFS='|' read -r program code text; do
    for how in --init --no-init; do
      run_arnia run --rm $how -v "$dir:/x" busybox "$program"
      one_line_error "$code" "$text"
      run_arnia run -d --rm $how -v "$dir:/x" busybox "$program"
      one_line_error "$code" "$text"
    done
    run_arnia --json-errors run --rm -v "$dir:/x" busybox "$program"
    [[ "$status" -eq "$code" && -z "$output" && "$(jq -r .error <<< "$stderr")" == *"$text"* ]]
  done << 'EOF'
/x/no-interpreter|127|run /x/no-interpreter: No such file or directory
/x/no-first-line|126|run /x/no-first-line: Exec format error
/x/other-machine|126|run /x/other-machine: Exec format error
/x/damaged|126|run /x/damaged: Exec format error
/x/data|126|/x/data: cannot be run: Permission denied
/x|126|/x: cannot be run: Is a directory
/x/absent|127|/x/absent: command not found
EOF
  # What the kernel alone can judge and does take.
  cp "$(command -v busybox)" "$dir/sh"
  printf '#!/x/one\n' > "$dir/two"
  # The init keeps the far end of the program's start until it has heard of it, a moment longer.
  cat > "$dir/one" << 'EOF'
#!/x/sh
echo "run by $0"
n=0
while [ "$(cd /proc/1/fd && echo *)" != '0 1 2' ] && [ $n -lt 50 ]; do
  n=$((n + 1))
  usleep 100000
done
echo /proc/1/fd/*
EOF
  chmod 755 "$dir/one" "$dir/two"
  chmod 711 "$dir/sh"
  run_arnia run --rm -v "$dir:/x" busybox /x/two
  [[ "$status" -eq 0 && "$output" == $'run by /x/one\n/proc/1/fd/0 /proc/1/fd/1 /proc/1/fd/2' ]]
  run_arnia run --rm -u 1000 -v "$dir:/x" busybox /x/sh -c 'echo unreadable; exit 3'
  [[ "$status" -eq 3 && "$output" == unreadable ]]
}

# bats test_tags=natively
@test "run -i passes standard input and its end" {
  run bash -c "echo 'through' | nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia run -i --rm busybox cat"
  [[ "$status" -eq 0 && "$output" == through ]]
}

# bats test_tags=natively
@test "a megabyte of output arrives whole" {
  [[ "$(arnia run --rm busybox sh -c 'head -c 1000000 /dev/zero | tr "\0" x' | wc -c)" -eq 1000000 ]]
}

# bats test_tags=natively
@test "run -d gives an id that all verbs take, also its beginning" {
  id=$(arnia run -d --name web busybox sleep 100000)
  [[ "$id" =~ ^[0-9a-f]{16}$ ]]
  [[ "$(state_of "$id")" == running ]]
  [[ "$(state_of "${id:0:8}")" == running ]]
  [[ "$(state_of web)" == running ]]
}

@test "create, start, stop, start again, rm: files stay over a stop" {
  arnia create --name keep busybox sleep 100000
  [[ "$(state_of keep)" == stopped ]]
  arnia start keep
  [[ "$(state_of keep)" == running ]]
  arnia exec keep sh -c 'echo mine > /root/file'
  arnia stop -t 5 keep
  [[ "$(state_of keep)" == stopped ]]
  arnia start keep
  [[ "$(arnia exec keep cat /root/file)" == mine ]]
  run_arnia rm keep
  one_line_error 4 running
  arnia rm -f keep
  run_arnia info keep
  one_line_error 3 keep
}

@test "stop is graceful, then a kill" {
  arnia run -d --name polite busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done'
  arnia stop -t 10 polite
  [[ "$(arnia info -f json polite | jq -c '[.exit.code, .exit.cause]')" == '[0,"stopped"]' ]]
  arnia run -d --name stubborn busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
  arnia stop -t 1 stubborn
  [[ "$(arnia info -f json stubborn | jq -r .exit.signal)" == KILL ]]
}

# bats test_tags=natively
@test "restart gives a new process" {
  arnia run -d --name again busybox sleep 100000
  a=$(pid_of again)
  arnia restart -t 1 again
  b=$(pid_of again)
  [[ "$a" != "$b" && "$(state_of again)" == running ]]
}

@test "pause stops every process, resume lets them go on" {
  arnia run -d --name ice busybox sh -c 'while :; do echo x >> /tick; done'
  up=$ARNIA_ROOT/lib/containers/$(arnia info -f json ice | jq -r .id)/upper/tick
  wait_until 50 test -s "$up"
  arnia pause ice
  [[ "$(state_of ice)" == paused ]]
  sleep 0.2
  a=$(stat -c %s "$up")
  sleep 0.3
  [[ "$(stat -c %s "$up")" -eq "$a" ]]
  run_arnia exec ice true
  one_line_error 125 paused
  arnia resume ice
  wait_until 30 sh -c "[ \$(stat -c %s $up) -gt $a ]"
  arnia pause ice
  arnia kill ice # also a frozen one
  arnia wait ice || true
  [[ "$(state_of ice)" == stopped ]]
}

# bats test_tags=natively
@test "wait prints the exit code; --condition" {
  arnia run -d --name w busybox sh -c 'sleep 0.3; exit 5'
  run arnia wait w
  [[ "$output" == 5 ]]
  arnia create --name later busybox sleep 100000
  (sleep 0.3; arnia start later) &
  arnia wait --condition running later
  wait
}

# bats test_tags=natively
@test "rename" {
  arnia run -d --name old busybox sleep 100000
  arnia rename old new
  [[ "$(state_of new)" == running ]]
  run_arnia info old
  one_line_error 3 old
  arnia create --name other busybox true
  run_arnia rename other new
  one_line_error 4 new
}

# bats test_tags=natively
@test "a name is taken once; concurrent creations of it: one wins, nothing leaks" {
  arnia create --name one busybox true
  run_arnia create --name one busybox true
  one_line_error 4 one
  for i in 1 2 3 4 5 6 7 8; do arnia run -d --name race busybox sleep 100000 > "$BATS_TEST_TMPDIR/$i" 2>&1 & done
  wait
  [[ "$(grep -l '^[0-9a-f]\{16\}$' "$BATS_TEST_TMPDIR"/[1-8] | wc -l)" -eq 1 ]]
}

# bats test_tags=natively
@test "several names and globs; the worst exit code" {
  for i in a b c; do arnia create --name "g-$i" busybox sleep 100000; done
  arnia start 'g-*'
  [[ "$(arnia list -r -q | wc -l)" -eq 3 ]]
  run_arnia stop -t 1 g-a no-such g-b
  [[ "$status" -eq 3 ]]
  [[ "$(state_of g-a)" == stopped && "$(state_of g-b)" == stopped && "$(state_of g-c)" == running ]]
}

# bats test_tags=natively
@test "wrong states are said, with exit code 4" {
  arnia create --name idle busybox true
  for verb in stop pause resume kill restart-not; do
    [[ $verb == restart-not ]] && continue
    run_arnia "$verb" idle
    one_line_error 4 stopped
  done
  arnia run -d --name busy busybox sleep 100000
  run_arnia start busy
  one_line_error 4 running
}

# bats test_tags=natively
@test "list: table, json, fields, filters" {
  arnia run -d --name l1 --label role=web --label tier busybox sleep 100000
  arnia create --name l2 --label role=db busybox true
  run_arnia list
  grep -q 'l1 .*running' <<< "$output"
  grep -q 'l2 .*stopped' <<< "$output"
  [[ "$(arnia list -f json | jq -r '.schema')" == 1 ]]
  [[ "$(arnia list --label role=web -q | wc -l)" -eq 1 ]]
  [[ "$(arnia list --label tier -f json | jq -r '.machines[0].name')" == l1 ]]
  [[ "$(arnia list -r --no-header -o name)" == l1 ]]
}

# bats test_tags=natively
@test "logs: both streams, -n, --since, -f to the end" {
  arnia run -d --name talk busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; echo bad >&2; sleep 0.5; echo last'
  run_arnia logs -f talk
  [[ "${output##*$'\n'}" == last && "$stderr" == bad ]]
  [[ "$(arnia logs -n 1 talk 2> /dev/null)" == last ]]
  [[ "$(arnia logs talk 2> /dev/null | wc -l)" -eq 6 ]]
  run arnia logs --since 1h talk
  [[ "$output" == *"line 1"* ]]
}

# bats test_tags=natively
@test "logs are bounded: 64 MB of output leave at most the limit" {
  arnia run --rm=false --name flood --log-max 1M busybox sh -c "yes 0123456789abcdef | head -c $((17 * (3764706 / ${ARNIA_SLOW:-1})))" > /dev/null
  dir=$ARNIA_ROOT/lib/containers/$(arnia info -f json flood | jq -r .id)
  [[ "$(du -sb "$dir/log" "$dir/log.1" | awk '{s += $1} END {print s}')" -le 1100000 ]]
  [[ "$(arnia logs -n 1 flood)" == 0123456789abcdef* ]]
}

@test "events: numbered without gaps, in order, over a daemon restart" {
  arnia run -d --name ev busybox sleep 100000
  kill -9 "$(daemon_pid)"
  arnia rm -f ev
  types=$(arnia events --since 0 -f json 2> /dev/null | jq -r 'select(.name == "ev") | .type' | tr '\n' ' ')
  [[ "$types" == "create start "*"exit remove " ]]
  arnia events --since 0 -f json | jq -r .sequence > "$BATS_TEST_TMPDIR/seq"
  diff "$BATS_TEST_TMPDIR/seq" <(seq 1 "$(wc -l < "$BATS_TEST_TMPDIR/seq")")
}

# bats test_tags=natively
@test "explain shows the plan and what the kernel has" {
  arnia run -d --name ex -p 8123:80 busybox sleep 100000
  run arnia explain ex
  grep -q 'mount proc /proc' <<< "$output"
  grep -q '8123' <<< "$output"
  grep -q "uid_map\|uid-map" <<< "$output"
}

@test "exec: exit code, env, workdir, user, stdin, both streams" {
  arnia run -d --name x -e BASE=1 busybox sleep 100000
  run_arnia exec x sh -c 'echo o; echo e >&2; exit 9'
  [[ "$status" -eq 9 && "$output" == o && "$stderr" == e ]]
  run_arnia exec -e MORE=2 -w /tmp -u 1234 x sh -c 'echo $BASE$MORE; pwd; id -u'
  [[ "$output" == $'12\n/tmp\n1234' ]]
  [[ "$(echo in | arnia exec x cat)" == in ]]
  run_arnia exec x no-such
  [[ "$status" -eq 127 ]]
  run_arnia exec x /etc/passwd
  [[ "$status" -eq 126 ]]
  run_arnia exec x sh -c 'kill -15 $$'
  [[ "$status" -eq 143 ]]
  run_arnia exec -w /no/such x true
  one_line_error 125 /no/such
}

# bats test_tags=natively
@test "exec ends with its container" {
  arnia run -d --name gone busybox sleep 100000
  arnia exec gone sleep 100000 &
  pid=$!
  wait_until 50 sh -c "$ARNIA_BIN/arnia exec gone ps | grep -q 'sleep 100000' "
  arnia rm -f gone
  status=0
  wait "$pid" || status=$?
  [[ "$status" -ne 0 ]]
}

@test "a terminal: run -it and exec -it, window size, detach keys" {
  tmux -L "t$$" new-session -d -x 90 -y 33 "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia run -it --name term busybox"
  wait_until 50 sh -c "tmux -L t$$ capture-pane -p | grep -q '/ #'"
  tmux -L "t$$" send-keys 'stty size; tty; echo ok-$((40+2))' Enter
  wait_until 50 sh -c "tmux -L t$$ capture-pane -p | grep -q ok-42"
  tmux -L "t$$" capture-pane -p | grep -q '33 90'
  tmux -L "t$$" capture-pane -p | grep -Eq '/dev/(pts/0|console)'
  tmux -L "t$$" send-keys C-] C-] C-]
  wait_until 50 sh -c "! tmux -L t$$ has-session 2> /dev/null"
  [[ "$(state_of term)" == running ]]
  tmux -L "t$$" new-session -d -x 80 -y 24 "nsenter --net=/run/netns/$HOST_NS $ARNIA_BIN/arnia exec -it term sh; echo ended-\$?; sleep 5"
  wait_until 50 sh -c "tmux -L t$$ capture-pane -p | grep -q '/ #'"
  tmux -L "t$$" send-keys 'exit 3' Enter
  wait_until 50 sh -c "tmux -L t$$ capture-pane -p | grep -q ended-3"
  tmux -L "t$$" kill-server
}

# bats test_tags=natively
@test "--rm takes everything away by itself" {
  arnia run -d --rm --name brief busybox sh -c 'sleep 0.2'
  wait_until 50 sh -c "! $ARNIA_BIN/arnia info brief > /dev/null 2>&1"
  [[ -z "$(ls -A "$ARNIA_ROOT/lib/containers")" ]]
}

# bats test_tags=natively
@test "a hundred starts and stops leave descriptors, mounts, cgroups and links where they were" {
  count() {
    echo "$(ls /proc/"$(daemon_pid)"/fd | wc -l) $(ls /proc/"$(keeper_pid)"/fd | wc -l) $(wc -l < /proc/"$(keeper_pid)"/mountinfo)"
    find "$(branch_dir)" -type d | wc -l
  }
  arnia run --rm busybox true
  sleep 0.5
  before=$(count)
  for _ in $(seq $((100 / ${ARNIA_SLOW:-1}))); do arnia run --rm busybox true; done
  settled() { [[ "$(count)" == "$before" ]]; }
  wait_until 50 settled || { echo "before: $before"; echo "after: $(count)"; return 1; }
}
