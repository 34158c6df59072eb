#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# arnia-oci without its engine: the command line, its log, and the verbs that look at what is kept, with states made by hand.
bats_require_minimum_version 1.5.0

load slow

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}

setup() {
  export OCI=$ARNIA_BUILD/bin/arnia-oci ROOT=$BATS_TEST_TMPDIR/root LOG=$BATS_TEST_TMPDIR/log
  unset XDG_RUNTIME_DIR
}

teardown() {
  [[ -z ${sleeper:-} ]] || kill "$sleeper" 2> /dev/null || :
  [[ -z ${cgroup:-} || ! -d $cgroup ]] || { echo 1 > "$cgroup/cgroup.kill"; sleep "0.$((1 + SLOW / 2))"; rmdir "$cgroup"; }
}

# oci ARG...: within a bound, below a root of our own.
oci() {
  run --separate-stderr timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" "$@"
}

# says STATUS TEXT: it failed with one line that has TEXT.
says() {
  [[ $status -eq $1 ]] || { echo "status $status, not $1: $stderr"; return 1; }
  [[ $stderr == "arnia-oci: "*"$2"* && $stderr != *$'\n'* ]] || { echo "not \"$2\": $stderr"; return 1; }
  [[ -z $output ]] || { echo "output: $output"; return 1; }
}

# state ID [PID [MORE]]: a container as create leaves it; MORE: further members.
state() {
  local start=0 pid=${2:-0}
  [[ $pid == 0 ]] || start=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)
  mkdir -p "$ROOT/$1"
  echo '{"ociVersion":"1.0.2","annotations":{"org.example.a":"b"}}' > "$ROOT/$1/config.json"
  cat > "$ROOT/$1/state.json" << EOF
{"version":1,"id":"$1","bundle":"/bundle","rootfs":"/bundle/rootfs","pid":$pid,"start":$start,
 "boot":"$(cat /proc/sys/kernel/random/boot_id)","created":"2026-11-30T00:00:00.5Z","owner":"root"${3:-}}
EOF
}

# A process that is not ours to wait for, as a container's is.
start_sleeper() {
  sleep 300 3>&- &
  sleeper=$!
}

VERBS_WITH_ID="create start run exec state kill delete ps pause resume update events checkpoint restore"

@test "help: all verbs, and the options of each" {
  run -0 --separate-stderr "$OCI"
  [[ -z $stderr ]]
  for v in $VERBS_WITH_ID list features spec completion; do
    taken || continue
    [[ $output == *$'\n'"  $v "* ]]
    run -0 "$OCI" "$v" --help
    [[ ${lines[0]} == "usage: arnia-oci [OPTION...] $v [OPTION...]"* ]]
    for o in -h -? --usage; do
      run -0 "$OCI" "$v" "$o"
      [[ ${lines[0]} == "usage: arnia-oci [OPTION...] $v [OPTION...]"* ]]
    done
    run -0 "$OCI" help "$v"
    [[ ${lines[0]} == "usage: arnia-oci [OPTION...] $v "* ]]
    run -0 "$OCI" --help
  done
  for o in --help -h -? --usage; do
    run -0 "$OCI" "$o"
    [[ ${lines[0]} == "usage: arnia-oci [OPTION...] VERB "* ]]
  done
  run -0 "$OCI" exec --help
  for o in process cwd env user additional-gids tty detach cap no-new-privs apparmor process-label cgroup ignore-paused console-socket pidfd-socket \
    pid-file preserve-fds; do
    [[ $output == *"--$o"* ]]
  done
}

@test "version: in the form of runc, which engines read" {
  for v in --version -v -V; do
    run -0 "$OCI" $v
    [[ ${lines[0]} =~ ^arnia-oci\ version\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [[ ${lines[1]} =~ ^commit:\ [^\ ]+$ ]]
    [[ ${lines[2]} =~ ^spec:\ 1\.[0-9]+\.[0-9]+$ ]]
    [[ ${lines[3]} =~ ^libseccomp:\ [0-9.]+$ ]]
  done
}

@test "what cannot be is refused in one line" {
  oci frobnicate
  says 3 'unknown command "frobnicate"'
  run --separate-stderr "$OCI" --frobnicate list
  says 1 "flag provided but not defined: --frobnicate"
  run --separate-stderr "$OCI" --root
  says 1 "flag needs an argument: --root"
  run --separate-stderr "$OCI" --root / list
  says 1 "option --root argument should not be set to /"
  run --separate-stderr "$OCI" --root "" list
  says 1 "--root"
  oci --log-format xml list
  says 1 "invalid log-format: xml"
  oci --cgroup-manager nope list
  says 1 "invalid cgroup-manager: nope"
  oci --rootless perhaps list
  says 1 "invalid rootless: perhaps"
  for v in $VERBS_WITH_ID list features spec; do
    taken || continue
    oci "$v" --frobnicate x
    says 1 "flag provided but not defined: --frobnicate"
  done
  for v in $VERBS_WITH_ID; do
    taken || continue
    oci "$v"
    says 1 "\"$v\" requires "
  done
  for v in create start run state delete pause resume update events checkpoint restore; do
    taken || continue
    oci "$v" a b
    says 1 "\"$v\" requires exactly 1 argument"
    oci "$v" a --frobnicate
    says 1 "flag provided but not defined: --frobnicate"
  done
  oci list x
  says 1 "\"list\" requires exactly 0 arguments"
  oci kill a TERM x
  says 1 "\"kill\" requires a maximum of 2 arguments"
}

@test "an empty --bundle is as none" {
  cd "$BATS_TEST_TMPDIR"
  oci create --bundle "" new
  says 1 "read $BATS_TEST_TMPDIR/config.json"
}

@test "global options of runc and crun are taken" {
  for o in --debug --systemd-cgroup --cgroup-manager=cgroupfs --cgroup-manager=systemd --cgroup-manager=disabled --rootless=auto --rootless=true \
    --rootless=false "--rootless false" --log-format=text --log-level=error "--criu /bin/criu" -debug "-log-format json"; do
    # shellcheck disable=SC2086
    run -0 --separate-stderr "$OCI" $o --root "$ROOT" list -q
    [[ -z $output ]]
  done
}

@test "options before and behind the id" {
  state one
  for args in "-f json" "--format json" "--format=json" "-fjson"; do
    # shellcheck disable=SC2086
    oci list $args
    [[ $status -eq 0 && $output == '[{'* ]]
    # shellcheck disable=SC2086
    oci ps $args one
    [[ $status -eq 0 && $output == null ]]
    # Behind the id of ps the words are ps's own.
    # shellcheck disable=SC2086
    oci ps one $args
    [[ $output != null ]]
  done
  oci kill --all one 9
  [[ $status -eq 0 ]]
  oci kill one --all 9
  [[ $status -eq 0 ]]
  oci kill one 9 -a
  [[ $status -eq 0 ]]
  oci kill --all=false one
  says 1 "container not running"
  oci state -- one
  [[ $status -eq 0 ]]
  oci delete one --force
  [[ $status -eq 0 && ! -e $ROOT/one ]]
}

@test "ids that cannot be are refused by every verb, and nothing is touched" {
  local long id v
  long=$(printf 'a%.0s' $(seq 5000))
  mkdir -p "$ROOT" "$BATS_TEST_TMPDIR/evil"
  touch "$BATS_TEST_TMPDIR/evil/mark"
  for id in ../evil a/b . .. "" $'new\nline' /absolute "$long" $'esc\033[2J' 'a b' 'semi;colon' '$(id)' '%s' 'é' 'a:b' 'a\b'; do
    for v in $VERBS_WITH_ID; do
      taken || continue
      oci "$v" -- "$id"
      if [[ $v == exec ]]; then says 255 "invalid container ID format"; else says 1 "invalid container ID format"; fi
    done
    oci delete --force -- "$id"
    says 1 "invalid container ID format"
  done
  oci --root "$ROOT/state" delete -f ..
  says 1 "invalid container ID format"
  [[ -e $BATS_TEST_TMPDIR/evil/mark && -d $ROOT && -z "$(ls "$ROOT")" ]]
}

@test "ids that can be" {
  for id in a 0 _x -- A.b_c-d+e ..a x,y; do
    [[ $id == -- ]] || oci state "$id"
    [[ $id == -- ]] || says 1 "container does not exist"
  done
  oci state -- -x
  says 1 "container does not exist"
  oci state "$(printf 'a%.0s' $(seq 300))"
  says 1 "container does not exist"
}

@test "log: JSON lines and text, appended, and standard error as well" {
  oci --log "$LOG" --log-format json state nope
  says 1 "container does not exist"
  oci --log="$LOG" --log-format=json kill nope
  [[ $(wc -l < "$LOG") -eq 2 ]]
  [[ "$(head -n 1 "$LOG")" == '{"level":"error","msg":"container does not exist","time":"'* ]]
  run -0 jq -r '.level + " " + .msg' "$LOG"
  [[ ${lines[1]} == "error container does not exist" ]]
  run -0 jq -r .time "$LOG"
  [[ ${lines[0]} =~ ^20[0-9-]{8}T[0-9:]{8}Z$ ]]
  rm "$LOG"
  oci --log "file:$LOG" state nope
  [[ "$(cat "$LOG")" == 'time="20'*'" level=error msg="container does not exist"' ]]
  # No file: standard error has the line.
  oci --log-format json state nope
  [[ $status -eq 1 && "$(jq -r .msg <<< "$stderr")" == "container does not exist" ]]
  oci --log /dev/stderr state nope
  says 1 "container does not exist"
  # Also for what is wrong with the words before the verb.
  rm "$LOG"
  run -1 "$OCI" --log "$LOG" --frobnicate
  [[ "$(cat "$LOG")" == *"flag provided but not defined: --frobnicate"* ]]
}

@test "log: what is done, with --debug" {
  state one
  oci --debug --log "$LOG" --log-format json state one
  [[ $status -eq 0 && -z $stderr ]]
  run -0 jq -r '.level + " " + .msg' "$LOG"
  [[ ${lines[0]} == "debug state one below $ROOT" && ${lines[1]} == "debug state one: done, exit code 0" ]]
  oci --debug state one
  [[ $status -eq 0 && $stderr == "arnia-oci: debug: state one below $ROOT"* ]]
  rm "$LOG"
  oci --log "$LOG" state one
  [[ ! -s $LOG ]]
}

@test "log: a name cannot forge a line, and a link is not followed" {
  local id=$'x"}\n{"level":"error","msg":"forged","time":"t"}\033[2J'
  oci --log "$LOG" --log-format json state "$id"
  [[ $status -eq 1 && $(wc -l < "$LOG") -eq 1 ]]
  run -0 jq -r .msg "$LOG"
  [[ ${#lines[@]} -eq 1 && ${lines[0]} == "invalid container ID format"* ]]
  run ! grep -q $'\033' "$LOG"
  rm "$LOG"
  oci --log "$LOG" state "$id"
  [[ $(wc -l < "$LOG") -eq 1 ]]
  run ! grep -q $'\033' "$LOG"
  ln -sf "$BATS_TEST_TMPDIR/elsewhere" "$BATS_TEST_TMPDIR/link"
  oci --log "$BATS_TEST_TMPDIR/link" list
  says 1 "--log: open"
  [[ ! -e $BATS_TEST_TMPDIR/elsewhere ]]
  oci --log "$BATS_TEST_TMPDIR/no/such" list
  says 1 "--log: open"
}

@test "the root: relative, a link, missing, not a folder" {
  cd "$BATS_TEST_TMPDIR"
  state one
  ln -s root link
  for r in root ./root ../"${BATS_TEST_TMPDIR##*/}"/root link "$BATS_TEST_TMPDIR/link/"; do
    run -0 "$OCI" --root "$r" list -q
    [[ $output == one ]]
  done
  run -0 --separate-stderr "$OCI" --root missing list
  [[ $output == "ID          PID         STATUS      BUNDLE      CREATED     OWNER" && -z $stderr && ! -e missing ]]
  touch file
  run -1 "$OCI" --root file list
  run -1 "$OCI" --root file/x list
}

@test "state: the members that runc has" {
  start_sleeper
  state one "$sleeper"
  oci state one
  [[ $status -eq 0 ]]
  run -0 jq -c 'to_entries | sort_by(.key) | from_entries' <<< "$output"
  [[ $output == '{"annotations":{"org.example.a":"b"},"bundle":"/bundle","created":"2026-11-30T00:00:00.5Z","id":"one","ociVersion":"1.0.2","owner":"root","pid":'"$sleeper"',"rootfs":"/bundle/rootfs","status":"running"}' ]]
  touch "$ROOT/one/start"
  oci state one
  [[ "$(jq -r .status <<< "$output")" == created ]]
  # Its process has ended: no pid, and its number says nothing.
  kill "$sleeper"
  wait "$sleeper" || :
  sleeper=
  oci state one
  [[ "$(jq -r '.status, .pid' <<< "$output" | xargs)" == "stopped 0" ]]
  # The pid is another process's now; the boot is another one.
  state one $$
  sed -i 's/"start":[0-9]*/"start":1/' "$ROOT/one/state.json"
  oci state one
  [[ "$(jq -r .status <<< "$output")" == stopped ]]
  oci kill one
  says 1 "container not running"
  state one $$
  sed -i 's/"boot":"[^"]*"/"boot":"00000000-0000-0000-0000-000000000000"/' "$ROOT/one/state.json"
  oci state one
  [[ "$(jq -r .status <<< "$output")" == stopped ]]
}

@test "list: a table, JSON, ids; what is damaged is told and the others are shown" {
  oci list -f json
  [[ $status -eq 0 && $output == null ]]
  start_sleeper
  state b "$sleeper"
  state a
  mkdir "$ROOT/half"
  mkdir "$ROOT/damaged"
  printf '{"version":1,\0' > "$ROOT/damaged/state.json"
  touch "$ROOT/file"
  ln -s a "$ROOT/link"
  oci list
  [[ $status -eq 0 ]]
  [[ ${lines[0]} == "ID          PID         STATUS      BUNDLE      CREATED                  OWNER" ]]
  [[ ${lines[1]} == "a           0           stopped     /bundle     2026-11-30T00:00:00.5Z   root" ]]
  [[ ${lines[2]} == "b           $sleeper"*"running     /bundle "* && ${#lines[@]} -eq 3 ]]
  [[ $stderr == *"load container damaged: state of container damaged is damaged"* && $stderr == *"load container half: container does not exist"* ]]
  oci list -q
  [[ $output == $'a\nb' ]]
  oci list --format json
  [[ "$(jq -r '.[] | .id + .status' <<< "$output" | xargs)" == "astopped brunning" ]]
  oci list --format xml
  says 1 "invalid format option"
  # What a name or a path holds does not drive a terminal.
  sed -i 's|"/bundle"|"/b\\u001b[2J\\n/c"|' "$ROOT/a/state.json"
  oci list
  [[ ${#lines[@]} -eq 3 && $output != *$'\033'* ]]
}

@test "kill: by name and number, to a process that is the same" {
  start_sleeper
  state one "$sleeper"
  for s in 0 CONT SIGCONT sigcont cont 18; do
    oci kill one "$s"
    [[ $status -eq 0 ]]
  done
  for s in FOO SIGFOO 65 1000 9x "" -1; do
    oci kill -- one "$s"
    says 1 "unknown signal"
  done
  kill -0 "$sleeper"
  oci kill one
  [[ $status -eq 0 ]]
  status=0
  wait "$sleeper" || status=$?
  sleeper=
  oci kill one
  says 1 "container not running"
  oci kill nope
  says 1 "container does not exist"
  # Engines kill all of what is gone, and mean no error.
  oci kill --all one KILL
  [[ $status -eq 0 ]]
}

@test "delete: what is stopped, what is created, what runs with --force" {
  start_sleeper
  state one "$sleeper"
  oci delete one
  says 1 "cannot delete container one that is not stopped: running"
  kill -0 "$sleeper"
  oci delete --force one
  [[ $status -eq 0 && ! -e $ROOT/one ]]
  status=0
  wait "$sleeper" || status=$?
  [[ ! -d /proc/$sleeper ]]
  start_sleeper
  state one "$sleeper"
  touch "$ROOT/one/start"
  oci delete one
  [[ $status -eq 0 && ! -e $ROOT/one ]]
  sleeper=
  state one
  oci delete one
  [[ $status -eq 0 && ! -e $ROOT/one ]]
  oci delete one
  says 1 "container does not exist"
  oci delete --force one
  [[ $status -eq 0 && -z $stderr ]]
}

@test "delete: what an interrupted creation or a damaged file leaves" {
  mkdir -p "$ROOT/half" "$BATS_TEST_TMPDIR/outside"
  touch "$BATS_TEST_TMPDIR/outside/mark"
  ln -s "$BATS_TEST_TMPDIR/outside" "$ROOT/half/link"
  oci delete --force half
  [[ $status -eq 0 && ! -e $ROOT/half && -e $BATS_TEST_TMPDIR/outside/mark ]]
  for text in "" "{" "[]" '{"id":"one","bundle":"/b","boot":"x","created":"c","pid":1,"cgroup":"../../x"}'; do
    state one
    printf '%s' "$text" > "$ROOT/one/state.json"
    oci delete one
    says 1 "state of container one is damaged"
    oci delete --force one
    [[ $status -eq 0 && ! -e $ROOT/one ]]
  done
  # Without its configuration it can still be killed.
  start_sleeper
  state one "$sleeper"
  rm "$ROOT/one/config.json"
  oci state one
  [[ "$(jq -r .status <<< "$output")" == running ]]
  oci delete -f one
  [[ $status -eq 0 && ! -e $ROOT/one ]]
  status=0
  wait "$sleeper" || status=$?
  [[ ! -d /proc/$sleeper ]]
  sleeper=
  # A container's folder is never a link.
  ln -s "$BATS_TEST_TMPDIR/outside" "$ROOT/link"
  oci delete -f link
  [[ -e $BATS_TEST_TMPDIR/outside/mark && -L $ROOT/link ]]
}

@test "kill and delete --regex: all that match" {
  for i in web-1 web-2 db; do state $i; done
  oci kill --regex 'web-.*' TERM
  [[ $status -eq 1 && $stderr == *"container not running"* ]]
  oci delete --regex '^web-[0-9]$'
  [[ $status -eq 0 && "$(ls "$ROOT")" == db ]]
  oci delete --regex 'nothing'
  [[ $status -eq 0 ]]
  oci delete --regex '['
  says 1 "invalid regular expression"
  [[ -e $ROOT/db ]]
}

@test "ps: pids as JSON, the table of ps with its own options" {
  start_sleeper
  state one "$sleeper"
  oci ps -f json one
  [[ $status -eq 0 && $output == "[$sleeper]" ]]
  oci ps one
  [[ $status -eq 0 && ${#lines[@]} -eq 2 && ${lines[0]} == UID*PID* && ${lines[1]} == *" $sleeper "*"sleep 300" ]]
  oci ps one -o pid,args
  [[ ${#lines[@]} -eq 2 && ${lines[1]} == *"$sleeper sleep 300" ]]
  oci ps one -- -o pid,args
  [[ ${#lines[@]} -eq 2 ]]
  oci ps one -o args
  says 1 "no column PID"
  state two
  oci ps two
  [[ $status -eq 0 && ${#lines[@]} -eq 1 && ${lines[0]} == UID*PID* ]]
  oci ps -f xml one
  says 1 "invalid format option"
  PATH=/nonexistent run -1 /usr/bin/timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" ps one
}

@test "without a cgroup: pause, resume, update and events say so" {
  start_sleeper
  state one "$sleeper"
  oci pause one
  says 1 "container one has no cgroup"
  oci update --pids-limit 10 one
  says 1 "container one has no cgroup"
  oci events --stats one
  says 1 "container one has no cgroup"
  oci resume one
  says 1 "container not paused"
  oci events --interval 0 one
  says 1 "duration interval must be greater than 0"
  oci events --interval soon one
  says 1 "--interval"
  state two
  for v in pause update events; do
    oci $v two
    says 1 "not running"
  done
  oci update --l3-cache-schema x one
  says 1 "Intel RDT"
}

# A cgroup of the test's own; not where nothing may be made.
make_cgroup() {
  local top
  top=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
  [[ -n $top ]] || skip "no cgroup2 here"
  group=arnia-oci-cli-$$
  cgroup=$top/$group
  mkdir "$cgroup" 2> /dev/null || skip "no cgroup may be made here"
}

@test "with a cgroup: pause, resume, kill --all, events, delete" {
  make_cgroup
  start_sleeper
  echo "$sleeper" > "$cgroup/cgroup.procs"
  sleep 301 3>&- &
  local other=$!
  echo "$other" > "$cgroup/cgroup.procs"
  state one "$sleeper" ",\"cgroup\":\"$group\",\"ownCgroup\":true"
  oci ps -f json one
  [[ $output == "[$sleeper,$other]" ]]
  oci pause one
  [[ $status -eq 0 ]]
  grep -q "frozen 1" "$cgroup/cgroup.events"
  oci pause one
  says 1 "container not running, but paused"
  oci state one
  [[ "$(jq -r .status <<< "$output")" == paused ]]
  oci delete one
  says 1 "that is not stopped: paused"
  oci resume one
  [[ $status -eq 0 ]]
  grep -q "frozen 0" "$cgroup/cgroup.events"
  oci events --stats one
  [[ "$(jq -r '.type + .id' <<< "$output")" == statsone ]]
  run -0 jq -e '.data.cpu.usage.total >= 0 and (.data.memory.usage | has("limit")) and (.data | has("pids"))' <<< "$output"
  oci kill --all one CONT
  [[ $status -eq 0 ]]
  kill -0 "$sleeper" && kill -0 "$other"
  # Frozen ones die as well.
  oci pause one
  oci delete --force one
  [[ $status -eq 0 && ! -e $ROOT/one && ! -d $cgroup ]]
  status=0
  wait "$sleeper" "$other" || status=$?
  sleeper=
}

@test "events: until the last process ends" {
  make_cgroup
  start_sleeper
  echo "$sleeper" > "$cgroup/cgroup.procs"
  state one "$sleeper" ",\"cgroup\":\"$group\",\"ownCgroup\":true"
  timeout "$((20 * SLOW))" "$OCI" --root "$ROOT" events --interval 100ms one > "$BATS_TEST_TMPDIR/events" 3>&- &
  local events=$! i
  for i in $(seq $((100 * SLOW))); do
    [[ $(wc -l < "$BATS_TEST_TMPDIR/events") -lt 2 ]] || break
    sleep 0.1
  done
  oci kill one KILL
  wait "$events"
  [[ $(wc -l < "$BATS_TEST_TMPDIR/events") -ge 2 ]]
  run -0 jq -r .type "$BATS_TEST_TMPDIR/events"
  [[ ${lines[0]} == stats ]]
  oci delete one
  [[ $status -eq 0 && ! -d $cgroup ]]
  sleeper=
}

@test "spec: writes config.json once, and nothing through a link" {
  mkdir "$BATS_TEST_TMPDIR/b"
  oci spec --bundle "$BATS_TEST_TMPDIR/b"
  [[ $status -eq 0 && -z $output ]]
  run -0 jq -r '.ociVersion, .process.args[0], .root.path' "$BATS_TEST_TMPDIR/b/config.json"
  [[ ${lines[0]} == 1.* && ${lines[1]} == sh && ${lines[2]} == rootfs ]]
  oci spec -b "$BATS_TEST_TMPDIR/b"
  says 1 "File config.json exists. Remove it first"
  oci spec -b "$BATS_TEST_TMPDIR/b" --rootless -f other.json
  [[ $status -eq 0 ]]
  run -0 jq -e '[.linux.namespaces[].type] | index("user")' "$BATS_TEST_TMPDIR/b/other.json"
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$BATS_TEST_TMPDIR/b/link.json"
  oci spec -b "$BATS_TEST_TMPDIR/b" -f link.json
  says 1 "exists"
  [[ ! -e $BATS_TEST_TMPDIR/elsewhere ]]
  oci spec -b "$BATS_TEST_TMPDIR/missing"
  says 1 "bundle"
}

@test "features: JSON that says what there is" {
  oci features
  [[ $status -eq 0 ]]
  run -0 jq -e '(.ociVersionMin | startswith("1.")) and (.ociVersionMax | startswith("1.")) and (.hooks | index("poststop") >= 0)
    and (.linux.capabilities | index("CAP_CHOWN") >= 0) and .linux.seccomp.enabled' <<< "$output"
}

@test "the manual has every verb and every option" {
  local page=$BATS_TEST_DIRNAME/../../man/arnia-oci.8 v o
  for v in "" $VERBS_WITH_ID list features spec completion; do
    [[ -z $v ]] || grep -q "^\.Ss $v\( Ar\|$\)" "$page"
    # shellcheck disable=SC2086
    for o in $("$OCI" $v --help | grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'); do
      taken || continue
      [[ $v && $o == --help ]] || grep -qE "^\.It Fl (. , )?-${o#--}( |$)" "$page" || { echo "$v $o"; return 1; }
    done
  done
}

@test "a full or closed output is an error" {
  state one
  run -1 bash -c "'$OCI' --root '$ROOT' state one > /dev/full"
  run -1 bash -c "'$OCI' --root '$ROOT' list -q > /dev/full"
  run -1 bash -c "'$OCI' --help > /dev/full"
  run bash -c "'$OCI' --root '$ROOT' state one >&- 2>&- <&-"
  [[ $status -lt 2 ]]
}

@test "completion scripts: the shells take them, and they offer verbs, options and ids" {
  state web
  for shell in bash zsh fish; do run -0 "$OCI" completion $shell; done
  oci completion tcsh
  says 1 "no completion for"
  "$OCI" completion bash > "$BATS_TEST_TMPDIR/completion"
  run -0 env PATH="$(dirname "$OCI"):$PATH" bash -c ". '$BATS_TEST_TMPDIR/completion'
    try() { COMP_WORDS=(\"\$@\") COMP_CWORD=\$((\$# - 1)); _arnia_oci; echo \"\${COMPREPLY[*]}\"; }
    try arnia-oci re; try arnia-oci --root '$ROOT' state w; try arnia-oci --root='$ROOT' kill --a; try arnia-oci exec --pro; try arnia-oci --lo
    try arnia-oci completion f; try arnia-oci --root x sta; try arnia-oci --root '$ROOT' create w; try arnia-oci run --bundle w"
  [[ ${lines[0]} == "resume restore" ]]
  [[ ${lines[1]} == web ]]
  [[ ${lines[2]} == --all ]]
  [[ ${lines[3]} == "--process --process-label" ]]
  [[ ${lines[4]} == "--log --log-format --log-level" ]]
  [[ ${lines[5]} == fish ]]
  [[ ${lines[6]} == "start state" ]]
  [[ ${#lines[@]} -eq 7 ]]
  if command -v zsh > /dev/null; then
    "$OCI" completion zsh > "$BATS_TEST_TMPDIR/completion"
    run -0 env PATH="$(dirname "$OCI"):$PATH" zsh -fc "compdef() { : }; compadd() { shift; print -r -- \$@ }
      . '$BATS_TEST_TMPDIR/completion'; try() { words=(\"\$@\") CURRENT=\$#; _arnia_oci }
      try arnia-oci --root '$ROOT' state w; try arnia-oci completion f"
    [[ ${lines[0]} == web && ${lines[1]} == "bash zsh fish" ]]
  fi
  if command -v fish > /dev/null; then "$OCI" completion fish | fish -n; fi
}
