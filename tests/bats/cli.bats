#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line against a stand-in for the daemon (tests/fakes/fake_arniad.c): what each verb asks for, what it prints, its exit codes, and
# that bad input is one line and never reaches the daemon.
bats_require_minimum_version 1.5.0

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}

setup_file() {
  export ARNIA=$ARNIA_BUILD/bin/arnia FAKE=$BATS_FILE_TMPDIR/fake_arniad
  cd "$BATS_TEST_DIRNAME/../.." || return 1
  # With the flags of the build that is tested (sanitizers must agree).
  eval "$(cat "$ARNIA_BUILD/flags") -Wno-missing-prototypes -pie -o '$FAKE' tests/fakes/fake_arniad.c tests/fakes/fake_guest.c tests/fakes/fake_host.c \
    '$ARNIA_BUILD/lib/librpc.a' '$ARNIA_BUILD/lib/libbase.a' -ljson-c"
}

setup() {
  export ARNIA_ROOT=$BATS_TEST_TMPDIR/root
  mkdir -p "$ARNIA_ROOT"
  fake_up
}

teardown() {
  fake_down
}

fake_up() {
  mkfifo "$BATS_TEST_TMPDIR/ready"
  "$FAKE" "$ARNIA_ROOT" "$@" > "$BATS_TEST_TMPDIR/ready" 2> "$BATS_TEST_TMPDIR/fake.err" 3>&- &
  fake_pid=$!
  read -r _ < "$BATS_TEST_TMPDIR/ready"
  rm "$BATS_TEST_TMPDIR/ready"
}

fake_down() {
  [ -z "$fake_pid" ] || kill "$fake_pid" 2> /dev/null || :
  fake_pid=
}

# Without a terminal, and never starting a real daemon.
arnia() {
  timeout 20 "$ARNIA" --no-start "$@" < /dev/null
}

# Like bats' run with --separate-stderr, which warns about 127.
cli() {
  status=0
  arnia "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" || status=$?
  output=$(< "$BATS_TEST_TMPDIR/out")
  stderr=$(< "$BATS_TEST_TMPDIR/err")
  mapfile -t lines <<< "$output"
  echo "\$ arnia $*"
  printf 'status %s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"
}

# one_line CODE TEXT: the last cli failed with this code and one line that has TEXT.
one_line() {
  [ "$status" -eq "$1" ] || { echo "expected exit code $1"; return 1; }
  [ "$(grep -c '' <<< "$stderr")" -eq 1 ] || { echo "expected one line on stderr"; return 1; }
  [[ $stderr == "arnia: "* ]] || { echo "expected the line to begin with 'arnia: '"; return 1; }
  [[ $stderr == *"$2"* ]] || { echo "expected '$2' in it"; return 1; }
  [ -z "$output" ] || { echo "expected nothing on stdout"; return 1; }
}

# asked METHOD JQ: the last request of that method matches.
asked() {
  local params
  params=$(sed -n "s/^$1 //p" "$ARNIA_ROOT/requests" | tail -n 1)
  [ -n "$params" ] || { echo "$1 was not asked"; return 1; }
  jq -e "$2" <<< "$params" > /dev/null || { echo "$1 was asked with $params"; return 1; }
}

asked_nothing() {
  [ ! -s "$ARNIA_ROOT/requests" ] || { cat "$ARNIA_ROOT/requests"; return 1; }
}

verbs() {
  "$ARNIA" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'
}

@test "every verb has help, and help knows every verb" {
  [ "$(verbs | wc -l)" -ge 25 ]
  for v in $(verbs); do
    run -0 "$ARNIA" "$v" --help
    [[ $output == "usage: arnia $v"* ]]
    run -0 "$ARNIA" help "$v"
    [[ $output == "usage: arnia $v"* ]]
  done
  for v in "image list" "image build" "image info" "image rm" "host info" "host doctor" "host shutdown"; do
    # shellcheck disable=SC2086
    run -0 "$ARNIA" $v --help
    [[ $output == "usage: arnia $v"* ]]
  done
  asked_nothing
}

@test "the man page has every verb and every option" {
  page=$BATS_TEST_DIRNAME/../../man/arnia.1
  for v in $(verbs); do
    [ "$v" = image ] || [ "$v" = host ] || grep -qE "^\.It Ic $v( |\$)" "$page" || { echo "no $v"; return 1; }
    for o in $("$ARNIA" "$v" --help | sed -n 's/^ *\(-.,\)\{0,1\} *--\([a-z-]*\).*/\2/p'); do
      grep -qE "^\.It .*(Fl|,) -$o( |\$)" "$page" || { echo "no --$o of $v"; return 1; }
    done
  done
  for v in image host; do
    for w in $("$ARNIA" $v --help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
      grep -q "^\.It Ic $v $w" "$page" || { echo "no $v $w"; return 1; }
    done
  done
  for o in $("$ARNIA" help | sed -n 's/^ *\(-.,\)\{0,1\} *--\([a-z-]*\).*/\2/p'); do
    grep -qE "^\.It Fl .*-$o( |\$)" "$page" || { echo "no --$o"; return 1; }
  done
}

@test "no verb, unknown verbs and unknown options: one line, exit code 2, nothing asked" {
  cli
  one_line 2 "a verb is needed"
  cli frobnicate web
  one_line 2 "no such verb: frobnicate"
  cli image frobnicate
  one_line 2 "no such verb"
  cli help frobnicate
  one_line 2 "no such verb"
  cli --frobnicate list
  one_line 2 "no such option: --frobnicate"
  for v in $(verbs); do
    case $v in run | exec | shell) code=125 ;; *) code=2 ;; esac
    cli "$v" --frobnicate x y
    one_line $code "no such option: --frobnicate"
    cli "$v" -Z x
    one_line $code "no such option: -Z"
  done
  cli rnu busybox
  one_line 2 "no such verb: rnu; did you mean run? (hint: arnia help)"
  cli image bild x
  one_line 2 "image: no such verb: bild; did you mean build?"
  cli help imagse
  one_line 2 "did you mean image?"
  cli run --nmae x busybox
  one_line 125 "run: no such option: --nmae; did you mean --name?"
  asked_nothing
}

@test "missing and superfluous arguments" {
  for v in start stop restart kill pause resume rm wait info explain console logs completion "image build" "image info" "image rm"; do
    # shellcheck disable=SC2086
    cli $v
    one_line 2 "arguments are missing"
  done
  for v in run exec shell; do
    cli $v
    one_line 125 "arguments are missing"
  done
  cli launch
  one_line 2 "arguments are missing"
  cli create
  one_line 2 "an image is needed"
  cli exec web
  one_line 125 "a command is needed"
  cli rename web
  one_line 2 "arguments are missing"
  for v in "rename a b c" "explain a b" "logs a b" "console a b" "host info x" "image list x" "version x" "completion bash zsh"; do
    # shellcheck disable=SC2086
    cli $v
    one_line 2 "too many arguments"
  done
  cli completion tcsh
  one_line 2 "no completion"
  asked_nothing
}

@test "names that cannot be are refused by every verb before anything is asked" {
  long=$(printf 'a%.0s' $(seq 5000))
  for name in ../evil a/b . .. "" $'new\nline' /absolute "$long" $'esc\033[2J' '-x y' 'a b' 'semi;colon' '$(id)' '%s'; do
    for v in start stop restart kill pause resume rm wait info explain console logs "rename web" list events; do
      # shellcheck disable=SC2086
      cli $v -- "$name"
      one_line 2 "is not a machine name"
    done
    cli exec -- "$name" true
    one_line 125 "is not a machine name"
    cli shell -- "$name"
    one_line 125 "is not a machine name"
    cli run --name "$name" busybox
    one_line 125 "is not a machine name"
    cli launch busybox --name "$name"
    one_line 2 "is not a machine name"
    cli create --name "$name" busybox
    one_line 2 "is not a machine name"
    cli image build -- "$name"
    one_line 2 "is not an image name"
    cli image rm -y -- "$name"
    one_line 2 "is not an image name"
  done
  cli start $'\xff\xfe'
  one_line 2 "not UTF-8"
  asked_nothing
}

@test "bad values of options name the option and what it takes" {
  while IFS='|' read -r args text; do
    # shellcheck disable=SC2086
    cli run $args busybox
    one_line 125 "$text"
  done << 'END'
-m lots|-m: "lots" is not a size
--memory=-5|--memory: "-5" is not a size
--cpus 0|--cpus: "0" is not a number of CPUs
--cpus two|is not a number of CPUs
--pids-limit x|--pids-limit: "x" is not a whole number
--net bridge|--net: "bridge" is not one of: routed none host
--restart always|--restart: "always" is not one of: no
--stop-signal NOPE|is not a signal
--stop-timeout never|is not a duration
--oom-score-adj x|is not a whole number
--rm=maybe|--rm: "maybe" is not yes or no
-p 0|-p: "0": expected a port
-p 70000|-p: "70000": expected a port
-p 1:2:3:4|-p: "1:2:3:4": expected an IPv4 address
-p 80/sctp|expected /tcp or /udp
-p 8000-8005:80|not of one length
-p x:80|expected a port
-v /tmp|expected SOURCE:TARGET
-v /tmp:relative|the target is not an absolute path
-v /tmp:/x:exec|options are ro, rw, noidmap
-v volume:/x|named volumes are unknown
-v /no/such/folder:/x|-v: /no/such/folder: No such file or directory
--tmpfs x|the target is not an absolute path
--tmpfs /x:size=much|options are size=SIZE
--tmpfs /x:size=0|options are size=SIZE (not 0)
--ulimit nofile|expected NAME=SOFT
--ulimit nofile=9:1|the soft limit is above the hard one
-e =x|expected NAME=VALUE
--env-file /no/such/file|--env-file
--sysctl x|--sysctl: "x": expected KEY=VALUE
--security-opt label=x|expected seccomp=FILE or no-new-privileges
--security-opt seccomp=/no/such|--security-opt seccomp
--memory-swap 1G|--memory-swap: needs --memory
--detach-keys ctrl-1|expected keys like ctrl-p,ctrl-q
END
  cli run --name
  one_line 125 "--name: needs a value"
  cli list -f yaml
  one_line 2 'not one of: table json jsonl csv plain'
  cli list --timeout soon
  one_line 2 'is not a duration'
  cli -j x list
  one_line 2 'is not a whole number'
  cli logs --tail x web
  one_line 2 'is not a number of lines'
  cli logs --since yesterday web
  one_line 2 'is not a time'
  cli wait --condition happy web
  one_line 2 'not one of: stopped running removed'
  cli kill -s NOPE web
  one_line 2 'is not a signal'
  asked_nothing
}

@test "each kind of failure has its exit code, and is one line" {
  while read -r name code text; do
    cli stop "$name"
    one_line "$code" "$text"
  done << 'END'
nowhere 3 no such machine (hint: arnia list)
busy 4 it is busy
denied 5 denied: not permitted
full 8 full: no room
old 9 has no such thing
broken 1 Input/output error
crash 6 the daemon closed the connection
END
  [[ $stderr != *$'\033'* ]]
}

@test "exec and shell: 125, 126, 127" {
  cli exec nowhere true
  one_line 125 "no such machine"
  cli exec noexec true
  one_line 126 "cannot be run"
  cli exec nocmd true
  one_line 127 "no such command"
  cli shell nocmd
  one_line 127 "no such command"
  cli shell nowhere
  one_line 125 "no such machine"
}

@test "control bytes of the daemon's texts do not reach the terminal" {
  cli stop broken
  [[ $stderr != *$'\033'* ]]
  cli list
  [[ $output == *'\x1b[2Jimage\x0aline'* && $output != *$'\033'* ]]
  cli list -o name,labels
  [[ $output == *'\u202e'* ]]
  cli list -f json
  [[ $output != *$'\033'* && $output != *$'\u202e'* ]]
  [ "$(jq -r '.machines[2].labels.tier' <<< "$output")" = $'\u202e' ]
  cli explain web
  [[ $output == *'/\x1b[2J proc'* ]]
  cli events --since 0
  [[ $output == *'what=x\x0ay'* ]]
}

@test "--json-errors: one object on stderr with code, kind, text, hint, name" {
  cli --json-errors stop nowhere
  [ "$status" -eq 3 ]
  [ "$(jq -c '[.error.code, .error.kind, .error.name, .error.hint]' <<< "$stderr")" = '[3,"not-found","nowhere","arnia list"]' ]
  cli stop nowhere --json-errors
  jq -e '.error.text' <<< "$stderr"
  cli --json-errors stop --nope
  [ "$(jq -r .error.kind <<< "$stderr")" = usage ]
  cli --json-errors run --nope
  [ "$(jq -r .error.code <<< "$stderr")" = 125 ]
}

@test "no daemon: 6 with a hint; version works all the same" {
  fake_down
  wait
  cli list
  one_line 6 "--no-start: the daemon is not started"
  cli run busybox
  one_line 125 "connect to"
  cli version
  [ "$status" -eq 0 ]
  [[ $output == "client: "* ]]
  cli host shutdown
  one_line 6 "connect to"
  cli --idempotent host shutdown
  [ "$status" -eq 0 ]
}

@test "a daemon that does not read its requests is an error after ten seconds" {
  kill -STOP "$fake_pid"
  cli list
  one_line 6 "the daemon does not answer (hint: see $ARNIA_ROOT/run/log/)"
  timeout 30 "$ARNIA" --no-start host shutdown < /dev/null > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" || status=$?
  kill -CONT "$fake_pid"
  [ "$status" -eq 6 ]
}

@test "a daemon that does not start is an error that says so" {
  [ "$(id -u)" -eq 0 ] || skip "only root starts the daemon"
  fake_down
  wait
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  cp "$ARNIA" "$BATS_TEST_TMPDIR/bin/arnia"
  run --separate-stderr "$BATS_TEST_TMPDIR/bin/arnia" list
  one_line 6 "arnia-keeper: No such file or directory"
  printf '#!/bin/sh\necho "something: went wrong" >&2\nexit 3\n' > "$BATS_TEST_TMPDIR/bin/arnia-keeper"
  chmod +x "$BATS_TEST_TMPDIR/bin/arnia-keeper"
  run --separate-stderr "$BATS_TEST_TMPDIR/bin/arnia" list
  one_line 6 "the daemon did not start: something: went wrong (hint: see $ARNIA_ROOT/run/log/)"
}

@test "root starts the daemon and asks it then" {
  [ "$(id -u)" -eq 0 ] || skip "only root starts the daemon"
  fake_down
  wait
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  cp "$ARNIA" "$BATS_TEST_TMPDIR/bin/arnia"
  # In the keeper's place: the stand-in, whose "ready" goes to the descriptor it was given.
  cat > "$BATS_TEST_TMPDIR/bin/arnia-keeper" << END
#!/bin/sh
[ "\$1" = --ready-fd ] || exit 2
echo \$\$ > "$BATS_TEST_TMPDIR/pid"
eval "exec '$FAKE' '$ARNIA_ROOT' >&\$2"
END
  chmod +x "$BATS_TEST_TMPDIR/bin/arnia-keeper"
  run --separate-stderr "$BATS_TEST_TMPDIR/bin/arnia" list -q
  fake_pid=$(cat "$BATS_TEST_TMPDIR/pid")
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 00c0ffee00c0ffee ]
}

@test "root starts a keeper beside a daemon that lost its own" {
  [ "$(id -u)" -eq 0 ] || skip "only root starts the keeper"
  fake_down
  wait
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  cp "$ARNIA" "$BATS_TEST_TMPDIR/bin/arnia"
  printf '#!/bin/sh\necho started >> "%s"\necho >&3\n' "$BATS_TEST_TMPDIR/started" > "$BATS_TEST_TMPDIR/bin/arnia-keeper"
  chmod +x "$BATS_TEST_TMPDIR/bin/arnia-keeper"
  fake_up orphan
  child=$(pgrep -f "^$FAKE $ARNIA_ROOT orphan\$")
  : > "$ARNIA_ROOT/run/keeper.lock"
  run -0 "$BATS_TEST_TMPDIR/bin/arnia" list -q
  [ "$(cat "$BATS_TEST_TMPDIR/started")" = started ]
  run -0 "$BATS_TEST_TMPDIR/bin/arnia" --no-start list -q
  # One that lives, or is about to, is left alone.
  exec 9<> "$ARNIA_ROOT/run/keeper.lock"
  flock -x 9
  run -0 "$BATS_TEST_TMPDIR/bin/arnia" list -q
  exec 9>&-
  [ "$(cat "$BATS_TEST_TMPDIR/started")" = started ]
  kill "$child"
}

@test "several names: all are tried, the worst code counts, the order stays" {
  cli stop web nowhere busy idle
  [ "$status" -eq 4 ]
  [ "$(grep -c '^Stop ' "$ARNIA_ROOT/requests")" -eq 4 ]
  [ "$(head -n 1 <<< "$stderr")" = "arnia: nowhere: no such machine (hint: arnia list)" ]
  [[ $(tail -n 1 <<< "$stderr") == "arnia: busy: "* ]]
  cli -f json -j 1 stop web nowhere
  [ "$(jq -c '[.schema, .results[0].ok, .results[1].ok, .results[1].error.code]' <<< "$output")" = '[1,true,false,3]' ]
  cli -j 8 start a b c d e f g h i j
  [ "$status" -eq 0 ]
  [ "$(grep -c '^Start ' "$ARNIA_ROOT/requests")" -eq 10 ]
}

@test "globs are expanded, once each; one that matches nothing is an error" {
  cli start 'w*' web '*e*'
  [ "$status" -eq 0 ]
  [ "$(sed -n 's/^Start //p' "$ARNIA_ROOT/requests" | jq -r .name | sort | tr '\n' ' ')" = "evil idle web " ]
  cli start 'zz*'
  one_line 3 'no machine matches "zz*"'
}

@test "--idempotent: success when nothing was left to do, and only then" {
  cli start web2
  one_line 4 "running already"
  cli start --idempotent web2
  [ "$status" -eq 0 ]
  cli --idempotent stop web2
  one_line 4 "running already"
  cli --idempotent rm -f nowhere
  [ "$status" -eq 0 ]
  cli --idempotent start nowhere
  one_line 3 "no such machine"
  cli --idempotent create --name web busybox
  [ "$status" -eq 0 ]
  cli create --name web busybox
  one_line 4 "there is a machine of this name"
}

@test "--timeout: exit code 7, and the operation goes on" {
  cli --timeout 200ms wait never
  one_line 7 "never: no answer within 200 ms; the operation goes on"
  cli --timeout 200ms -j 3 start never never2 web
  [ "$status" -eq 7 ]
}

@test "list: table, fields, sorting, formats" {
  cli list
  [[ ${lines[0]} =~ ^NAME\ +ID\ +STATE\ +IMAGE\ +ADDRESS\ +PORTS\ +UPTIME/EXIT$ ]]
  [[ ${lines[1]} =~ ^web\ +00c0ffee00c0ffee\ +running\ +debian-12\ +10.209.0.2\ +8080-\>80/tcp\ +up\  ]]
  [[ ${lines[2]} =~ exit\ 3,\ .*\ ago$ ]]
  cli ps -a -o name,image -s name --no-header
  [ "$(awk '{print $1}' <<< "$output" | tr '\n' ' ')" = "evil idle web " ]
  cli ls -f plain -o NAME,state -s -name
  [ "${lines[0]}" = $'web\trunning' ]
  cli list -f csv -o name,labels idle
  [ "${lines[0]}" = name,labels ]
  [ "${lines[1]}" = 'idle,"tier=a,""b"""' ]
  cli list -f jsonl -o name,pid,ports
  [ "$(head -n 1 <<< "$output" | jq -c '[.name, .pid, .ports[0].port]')" = '["web",4242,80]' ]
  cli list -f json -r --label tier --label a=b 'w*'
  [ "$(jq -c '[.schema, (.machines | length)]' <<< "$output")" = '[1,1]' ]
  asked List '.running == true and .labels == ["tier", "a=b"] and .names == ["w*"]'
  cli list -q
  [ "${lines[0]}" = 00c0ffee00c0ffee ]
  cli list 'zz*'
  [ "$status" -eq 0 ]
  [ "$stderr" = "arnia: no machine matches" ]
  cli list -o nope
  one_line 2 'no field "nope" (hint: fields: name id state'
  cli list -s nope
  one_line 2 'no field "nope"'
  cli list --color always
  [[ $output == *$'\033[32mrunning\033[0m'* ]]
}

@test "info, explain, version" {
  cli inspect web
  [ "${lines[0]}" = "name: web" ]
  [[ $output == *$'\n'"ports: 8080->80/tcp"$'\n'* ]]
  cli info -f json web idle
  [ "$(jq -c '[.schema, .name]' <<< "$output" | tr '\n' ' ')" = '[1,"web"] [1,"idle"] ' ]
  cli info nowhere web
  [ "$status" -eq 3 ]
  [[ $output == "name: web"* && $stderr == "arnia: nowhere: no such machine"* ]]
  cli explain web
  [ "${lines[0]}" = "cgroup arnia/c-1" ]
  cli version -f json
  [ "$(jq -c '[.schema, .version]' <<< "$output")" = '[1,"9.9.9"]' ]
  cli --version
  [[ $output == "client: "*$'\n'"daemon: 9.9.9" ]]
}

@test "stop, restart, kill, rm, wait, rename, pause, resume: what is asked" {
  cli stop -t 5 -s INT web
  asked Stop '. == {name: "web", timeout: 5000, signal: "INT"}'
  cli stop stubborn
  [ "$status" -eq 0 ]
  [ "$stderr" = "arnia: stubborn: did not end in time and was killed" ]
  cli poweroff web
  asked Stop '. == {name: "web"}'
  cli restart --time 1m web
  asked Restart '.timeout == 60000'
  cli kill web
  asked Kill '. == {name: "web", signal: "KILL"}'
  cli kill --signal=USR1 web
  asked Kill '.signal == "USR1"'
  cli rm web
  asked Remove '. == {name: "web"}'
  cli delete -f web
  asked Remove '.force == true'
  cli wait idle killed
  [ "$output" = $'3\n143' ]
  cli wait --condition removed idle
  asked Wait '.condition == "removed"'
  cli rename web other
  asked Rename '. == {name: "web", newName: "other"}'
  cli pause web
  asked Pause '.name == "web"'
  cli unpause web
  asked Resume '.name == "web"'
}

@test "run: output, error output and exit code are the guest's" {
  cli run busybox echo hello
  [ "$status" -eq 0 ]
  [ "$output" = hello ]
  cli run --rm busybox fail 42
  [ "$status" -eq 42 ]
  [ "$stderr" = failing ]
  cli run busybox die 9
  [ "$status" -eq 137 ]
  cli run busybox -- echo -n
  [ "$output" = "-n" ]
  asked Run '.spec.command == ["echo", "-n"]'
  asked Run '.spec.tty == false and .spec.openStdin == false'
}

@test "run -i passes standard input on, and its end" {
  run -0 bash -c "seq 20000 | timeout 20 '$ARNIA' --no-start run -i busybox cat | md5sum"
  [ "$output" = "$(seq 20000 | md5sum)" ]
}

@test "run: the session is lost, the exit code comes from the daemon" {
  cli run --name lost busybox gone
  [ "$status" -eq 6 ]
  [ "$stderr" = "arnia: lost: detached: the keeper was replaced" ]
}

@test "run: the daemon goes away, the guest's exit code is still ours, and nothing hangs" {
  cli run --name orphan busybox crash
  [ "$status" -eq 0 ]
  [[ $stderr == "arnia: orphan: "* ]]
}

@test "run without a terminal forwards signals, and leaves when it cannot" {
  # The guest never ends by itself; the stand-in takes the signal and does nothing with it.
  timeout 20 "$ARNIA" --no-start run --name deaf busybox hang < /dev/null &
  pid=$!
  for _ in $(seq 50); do
    grep -q '^Run ' "$ARNIA_ROOT/requests" 2> /dev/null && break
    sleep 0.1
  done
  child=$(pgrep -P "$pid")
  kill -INT "$child"
  for _ in $(seq 50); do
    grep -q '^Kill ' "$ARNIA_ROOT/requests" && break
    sleep 0.1
  done
  asked Kill '. == {name: "00c0ffee00c0ffee", signal: "INT"}'
  kill -0 "$child"
  fake_down
  kill -TERM "$child"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 143 ]
}

@test "run: an image that is shipped and not built is built first; another is an error" {
  cli run unbuilt echo built
  [ "$status" -eq 0 ]
  [ "$output" = built ]
  asked ImageBuild '.name == "unbuilt"'
  [ "$(grep -c '^Run ' "$ARNIA_ROOT/requests")" -eq 2 ]
  cli run missing true
  one_line 125 "image: no such image (hint: arnia image build NAME)"
}

@test "run -d, launch and create print the id, and warnings on stderr" {
  cli run -d --name warned busybox sleep 1
  [ "$output" = 00c0ffee00c0ffee ]
  [ "$stderr" = "arnia: warned: warning: no limit of memory here" ]
  cli -f json run -d busybox
  [ "$(jq -c '[.schema, .id, .name]' <<< "$output")" = '[1,"00c0ffee00c0ffee","calm-otter"]' ]
  cli launch busybox box -p 8080:80 --mem 512M --cpus 1.5 -- sleep 9
  asked Run '.spec.name == "box" and .spec.memory == 536870912 and .spec.cpus == 1.5 and .spec.command == ["sleep", "9"]'
  asked Run '.spec.ports == [{protocol: "tcp", hostPort: 8080, port: 80}]'
  cli create 101 -t busybox --hostname a.example
  asked Create '.spec.name == "101" and .spec.image == "busybox" and .spec.hostname == "a.example"'
  cli create --name keep busybox sleep 100
  asked Create '.spec.name == "keep" and .spec.image == "busybox" and .spec.command == ["sleep", "100"]'
  cli run -dit busybox
  asked Run '.spec.tty == true and .spec.openStdin == true'
}

@test "a volume that other users of the host can get to is warned of" {
  local open closed
  open=$(mktemp -d /var/tmp/arnia-open.XXXXXX) closed=$(mktemp -d /var/tmp/arnia-closed.XXXXXX)
  mkdir -m 700 "$open/data"
  mkdir -m 777 "$closed/data"
  chmod 755 "$open"
  # its own mode is the machine's root's to change
  cli create --name x -v "$open/data:/data" busybox
  [[ $status -eq 0 && $stderr == "arnia: warning: -v $open/data: "*setuid* ]]
  cli create --name x -v "$closed/data:/data" -v "$open/data:/ro:ro" -v "$open/data:/no:noidmap" --tmpfs /tmp busybox
  [[ $status -eq 0 && $stderr != *setuid* ]]
  cli --json-errors create --name x -v "$open/data:/data" busybox
  [[ $status -eq 0 ]]
  jq -e . <<< "$stderr"
  rm -rf "$open" "$closed"
}

@test "options of run become the spec" {
  cd "$BATS_TEST_TMPDIR"
  mkdir -p data
  printf '# comment\nA=1\n\nB=two words\nNOWHERE_SET\n' > vars
  printf '{"defaultAction":"SCMP_ACT_ALLOW"}' > profile.json
  export FROM_US=ours
  cli run -n -e X=y -e FROM_US --env-file vars -w /srv -u 1000:1000 -m 1G --memory-swap 3G --cpus=150% --pids 100 --restart=no \
    -l role=web -l tier --read-only --tmpfs /scratch:size=1M,mode=700 -v ./data:/data:ro,noidmap --cap-add NET_ADMIN --cap-drop ALL \
    --security-opt no-new-privileges=no --security-opt seccomp=profile.json --ulimit nofile=1024:2048 --ulimit core=unlimited \
    --sysctl net.ipv4.ip_unprivileged_port_start=0 --device /dev/fuse --dns 192.0.2.1 --net none --no-init --stop-signal INT --stop-timeout 30 \
    -p 127.0.0.1:8000-8001:80-81/udp -p 9 --entrypoint /bin/sh --oom-score-adj -5 --log-max 1M --time-ns busybox -c id
  [ "$status" -eq 0 ]
  asked_nothing
  jq -e '.env == ["A=1", "B=two words", "X=y", "FROM_US=ours"]' <<< "$output"
  jq -e '.workdir == "/srv" and .user == "1000:1000" and .memory == 1073741824 and .swap == 2147483648' <<< "$output"
  jq -e '.cpus == 1.5 and .pids == 100 and .restart == "no" and .labels == {role: "web", tier: ""}' <<< "$output"
  jq -e --arg d "$(realpath data)" '.mounts == [
    {type: "bind", source: $d, target: "/data", readOnly: true, idmap: false},
    {type: "tmpfs", target: "/scratch", size: 1048576, mode: 448}]' <<< "$output"
  jq -e '.capAdd == ["NET_ADMIN"] and .capDrop == ["ALL"] and .noNewPrivs == false' <<< "$output"
  jq -e '.seccomp == "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"' <<< "$output"
  jq -e '.rlimits == [{name: "nofile", soft: 1024, hard: 2048}, {name: "core", soft: -1, hard: -1}]' <<< "$output"
  jq -e '.sysctls == {"net.ipv4.ip_unprivileged_port_start": "0"} and .devices == ["/dev/fuse"] and .dns == ["192.0.2.1"]' <<< "$output"
  jq -e '.network == "none" and .noInit == true and .stopSignal == "INT" and .stopTimeout == 30000' <<< "$output"
  jq -e '.ports == [{protocol: "udp", hostAddress: "127.0.0.1", hostPort: 8000, port: 80},
    {protocol: "udp", hostAddress: "127.0.0.1", hostPort: 8001, port: 81}, {protocol: "tcp", port: 9}]' <<< "$output"
  jq -e '.command == ["/bin/sh", "-c", "id"] and .oomScoreAdj == -5 and .logMax == 1048576 and .timeNamespace == true' <<< "$output"
}

@test "exec: the program has our own descriptors, and its exit code is ours" {
  cli exec web hello
  [ "$output" = "out: hello tty 0" ]
  [ "$stderr" = "err: hello" ]
  asked Exec '.command == ["hello"] and .stdio == true and .tty == false'
  cli exec web fail
  [ "$status" -eq 9 ]
  cli exec web die
  [ "$status" -eq 137 ]
  run -0 bash -c "seq 50000 | timeout 20 '$ARNIA' --no-start exec web cat | md5sum"
  [ "$output" = "$(seq 50000 | md5sum)" ]
  cli exec -e A=b -w /tmp -u root web -- id -u
  asked Exec '.command == ["id", "-u"] and .env == ["A=b"] and .workdir == "/tmp" and .user == "root"'
  cli exec -d web sleep 9
  [ "$status" -eq 0 ]
  asked Exec '.stdio == false and .tty == false'
}

@test "exec -t: what the terminal shows is printed" {
  cli exec -t web hello
  [ "$status" -eq 0 ]
  [ "$output" = "on a terminal: hello" ]
}

@test "shell runs the login shell, also of another user" {
  cli enter web
  asked Exec '.command[0:2] == ["/bin/sh", "-c"] and .user == null'
  cli shell www@web
  asked Exec '.user == "www" and .name == "web"'
}

@test "console: output and the exit code of the machine" {
  cli attach web
  [ "$output" = "from the console" ]
  [ "$status" -eq 4 ]
  asked Attach '.input == true'
  cli console --no-input web
  asked Attach '.input == false'
  cli console nowhere
  one_line 3 "no such machine"
}

@test "logs: streams, tail, times, time stamps, damage" {
  cli logs web
  [ "$output" = $'one\ntwo\nthree\nfour' ]
  [ "$stderr" = bad ]
  cli logs -n 2 web
  [ "$output" = $'three\nfour' ]
  [ -z "$stderr" ]
  cli logs --tail=3 web
  [ "$output" = $'three\nfour' ]
  [ "$stderr" = bad ]
  cli logs -n 0 web
  [ -z "$output$stderr" ]
  cli logs --since @1002 web
  [ "$output" = $'three\nfour' ]
  cli logs --until @1001 web
  [ "$output" = $'one\ntwo' ]
  cli logs -t web
  [ "${lines[0]}" = "1970-01-01T00:16:40.000000000Z one" ]
  [ "${lines[1]}" = "1970-01-01T00:16:40.000000000Z two" ]
  cli logs torn
  [ "$status" -eq 1 ]
  [ "$stderr" = $'bad\narnia: torn: the log is damaged at byte 46' ]
  [ "$output" = $'one\ntwo\nthree\nfour' ]
  cli logs -f web
  [ "$status" -eq 0 ]
  [ "$output" = $'one\ntwo\nthree\nfour' ]
  cli logs nowhere
  one_line 3 "no such machine"
}

@test "events: lines, JSON lines, what is asked" {
  cli events --since 0 -f json
  [ "$(jq -r .type <<< "$output" | tr '\n' ' ')" = "create start exit " ]
  asked Events '. == {since: "0", follow: false}'
  cli events web
  [ "${lines[0]}" = '2026-01-31T12:00:00Z create web what=x\x0ay' ]
  asked Events '. == {names: ["web"], follow: true}'
  cli events --follow --since 1h
  asked Events '.follow == true'
}

@test "image: list, build, info, rm" {
  cli image
  [[ ${lines[1]} =~ ^busybox\ +yes\ +1.5K\ +an\ image$ ]]
  cli images ls -q
  [ "$output" = $'busybox\nunbuilt' ]
  cli image build unbuilt
  [ "$status" -eq 0 ]
  [ "$stderr" = unpacking ]
  cli image build -f json unbuilt
  [ "$(jq -r .image.name <<< "$output")" = unbuilt ]
  cli image info busybox
  [[ $output == "name: busybox"* ]]
  cli image rm busybox nowhere
  [ "$status" -eq 3 ]
  cli image info nowhere
  one_line 3 "no such machine"
}

@test "host: info, doctor, shutdown" {
  cli host info
  [ "$output" = $'kernel: 6.1\ncontrollers: cpu, memory' ]
  cli host doctor
  [ "$status" -eq 0 ]
  [[ $output == *"warning  cgroup  no memory controller"* ]]
  [ "$stderr" = "arnia: cgroup: boot with cgroup v2" ]
  arnia image build unbuilt
  cli host doctor
  [ "$status" -eq 1 ]
  cli host shutdown --kill -y
  asked HostShutdown '.kill == true'
}

@test "completion scripts: the shells take them, and they offer verbs, options and names" {
  for shell in bash zsh fish; do
    run -0 "$ARNIA" completion $shell
    for v in $(verbs); do [[ $output =~ [\ \'\"]${v}[\ \'\"] ]] || { echo "$shell: no $v"; return 1; }; done
  done
  "$ARNIA" completion bash > "$BATS_TEST_TMPDIR/completion"
  run -0 env PATH="$(dirname "$ARNIA"):$PATH" bash -c ". '$BATS_TEST_TMPDIR/completion'
    try() { COMP_WORDS=(\"\$@\") COMP_CWORD=\$((\$# - 1)); _arnia; echo \"\${COMPREPLY[*]}\"; }
    try arnia re; try arnia stop w; try arnia image b; try arnia run --memory-; try arnia -q rm --fo; try arnia completion f; try arnia run b
    try arnia --timeout 5 resta; try arnia -f json image bu; try arnia run --network b; try arnia run --network none b"
  [ "${lines[0]}" = "restart resume rename" ]
  [ "${lines[1]}" = "web" ]
  [ "${lines[2]}" = "build" ]
  [ "${lines[3]}" = "--memory-swap" ]
  [ "${lines[4]}" = "--force --format" ]
  [ "${lines[5]}" = "fish" ]
  [ "${lines[6]}" = "busybox" ]
  # values of options are no verbs, and are not offered what the verb takes
  [ "${lines[7]}" = "restart" ]
  [ "${lines[8]}" = "build" ]
  [ "${lines[9]}" = "busybox" ]
  [ "${#lines[@]}" -eq 10 ]
  if command -v zsh > /dev/null; then
    "$ARNIA" completion zsh > "$BATS_TEST_TMPDIR/completion"
    run -0 env PATH="$(dirname "$ARNIA"):$PATH" zsh -fc "compdef() { : }; compadd() { shift; print -r -- \$@ }
      . '$BATS_TEST_TMPDIR/completion'; try() { words=(\"\$@\") CURRENT=\$#; _arnia }
      try arnia stop w; try arnia image b; try arnia completion f"
    [[ ${lines[0]} == *web* && ${lines[1]} == "list build info rm" && ${lines[2]} == "bash zsh fish" ]]
  fi
  if command -v fish > /dev/null; then "$ARNIA" completion fish | fish -n; fi
}
