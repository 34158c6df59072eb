#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks on the sockets of the daemon and the keeper: who may ask, what may be asked, and how much of it.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
  arnia run -d --name box busybox sleep 100000
  arnia run --rm busybox true
  # for the last test
  mkfifo "$BATS_FILE_TMPDIR/trickle"
  sleep 14 > "$BATS_FILE_TMPDIR/trickle" 3>&- &
  raw slow 5 < "$BATS_FILE_TMPDIR/trickle" > "$BATS_FILE_TMPDIR/trickled" 3>&- &
  wait_until 20 grep -q connected "$BATS_FILE_TMPDIR/trickled"
  # what the daemon is like when nobody attacks it, after a first answer of each kind
  for n in 1 2 3 4; do echo '{"method":"io.arnia.List"}' | tr '\n' '\0' | raw talk > /dev/null 2>&1; done
  sleep 0.3
  export RSS_BEFORE FDS_BEFORE KEEPER_FDS_BEFORE PID_BEFORE
  PID_BEFORE=$(daemon_pid)
  RSS_BEFORE=$(rss "$PID_BEFORE")
  FDS_BEFORE=$(fds "$PID_BEFORE")
  KEEPER_FDS_BEFORE=$(keeper_fds)
}
teardown_file() {
  instance_down
}
setup() {
  echo 5 > "/proc/$PID_BEFORE/clear_refs" # its peak of memory begins anew (proc_pid_clear_refs(5))
}
# After each attack: the same daemon, which answers at once, has its descriptors back, and never took 64 MB more.
teardown() {
  answers || { echo "the daemon does not answer in a second"; return 1; }
  [[ "$(daemon_pid)" == "$PID_BEFORE" ]] || { echo "the daemon is another one"; return 1; }
  wait_until 30 quiet || {
    echo "descriptors: $FDS_BEFORE and $KEEPER_FDS_BEFORE before, $(fds "$PID_BEFORE") and $(keeper_fds) now"
    return 1
  }
  [[ $(($(peak "$PID_BEFORE") - RSS_BEFORE)) -lt $(limit_kb) ]] || {
    echo "memory: $RSS_BEFORE kB before, $(peak "$PID_BEFORE") kB at most"
    return 1
  }
  refute grep -E 'Sanitizer|runtime error' "$ARNIA_ROOT/run/log/keeper.log"
}

# An attack that blocks is one that succeeded.
arnia() {
  on_host timeout 30 "$ARNIA_BIN/arnia" "$@"
}
# raw [OPTIONS] MODE [ARG...]: the client without manners
raw() {
  local options=()
  while [[ $1 == -* ]]; do
    options+=("$1")
    [[ $1 == -q ]] || { options+=("$2"); shift; }
    shift
  done
  timeout 30 "$ARNIA_FAKES/raw_client" "${options[@]}" "$ARNIA_ROOT/run/arnia.sock" "$@"
}
rss() {
  awk '/^VmRSS/ {print $2}' "/proc/$1/status"
}
peak() {
  awk '/^VmHWM/ {print $2}' "/proc/$1/status"
}
fds() {
  find "/proc/$1/fd" -mindepth 1 | wc -l
}
# A build with the address sanitizer keeps freed memory for a while.
limit_kb() {
  if grep -q asan "/proc/$PID_BEFORE/maps"; then echo 700000; else echo 65536; fi
}
# A worker that was started for a burst stays, with its socket and its pidfd in the keeper.
keeper_fds() {
  local k
  k=$(keeper_pid)
  echo $(($(fds "$k") - 2 * $(pgrep -c -P "$k" arnia-run)))
}
quiet() {
  [[ "$(fds "$PID_BEFORE")" -le "$FDS_BEFORE" && "$(keeper_fds)" -le "$KEEPER_FDS_BEFORE" ]]
}
# Within a second; a sanitized daemon on a busy machine may take longer.
answers() {
  local s=1
  ! grep -q asan "/proc/$PID_BEFORE/maps" || s=5
  timeout "$s" nsenter --net="/run/netns/$HOST_NS" "$ARNIA_BIN/arnia" list -q > /dev/null
}
# Bash's "!" is no failure within a function.
refute() {
  if "$@" > /dev/null 2>&1; then
    echo "should have failed: $*"
    return 1
  fi
}
no_control_bytes() { # on standard input
  refute env LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]'
}
# call METHOD [PARAMETERS]: a request, ended as the protocol wants it
call() {
  printf '{"method":"io.arnia.%s","parameters":%s}\0' "$1" "${2:-{\}}"
}

# ---- who ----

@test "the sockets and folders are root's, and the group's when there is one" {
  local gid
  gid=$(awk -F: '$1 == "arnia" {print $3}' /etc/group)
  [[ "$(stat -c %a:%u:%g "$ARNIA_ROOT/run/arnia.sock")" == "$([[ -n $gid ]] && echo "660:0:$gid" || echo 600:0:0)" ]]
  [[ "$(stat -c %a:%u:%g "$ARNIA_ROOT/run/keeper.sock")" == 600:0:0 ]]
  for d in run/config run/state run/plan run/exit run/log lib/config lib/templates lib/cache; do
    [[ "$(stat -c %a:%u "$ARNIA_ROOT/$d")" == 700:0 ]] || { echo "$d"; return 1; }
  done
  [[ -z "$(find "$ARNIA_ROOT/run" "$ARNIA_ROOT/lib" -maxdepth 2 -perm /022 ! -type l ! -type s)" ]]
  [[ "$(stat -c %a:%u:%g "$ARNIA_ROOT/run/service.sock")" == 600:0:0 ]]
  run find "$ARNIA_ROOT/run" -type s
  [[ "${#lines[@]}" -eq 3 ]]
  run raw -u 65534 -g 65534 talk < <(call Version)
  [[ "$status" -eq 4 ]] # cannot connect
}

@test "where the file's mode lets anyone connect, the ids of the peer decide" {
  chmod 666 "$ARNIA_ROOT/run/arnia.sock"
  local m
  for m in List Inspect Explain Create Start Run Stop Restart Kill Pause Resume Remove Wait Rename Exec Attach Logs \
    Events ImageList ImageInfo ImageBuild ImageRemove HostInfo HostDoctor HostShutdown; do
    run raw -u 65534 -g 65534 -m 300 half < <(call $m '{"name":"box"}')
    [[ "$output" == *io.arnia.NotPermitted*"uid 65534"* ]] || { chmod 600 "$ARNIA_ROOT/run/arnia.sock"; return 1; }
  done
  run raw -u 65534 -g 65534 half < <(call Version) # open to all that may connect
  chmod 600 "$ARNIA_ROOT/run/arnia.sock"
  [[ "$output" == *'"version"'* ]]
  [[ "$(grep -c '^method' <<< "$(varlink_text)")" -eq 26 ]] # so the list above is complete
  [[ "$(state_of box)" == running ]]
}
varlink_text() {
  printf '{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.arnia"}}\0' |
    raw -m 300 half 2> /dev/null | jq -r .parameters.description
}

@test "the keeper's socket: nobody but root, and not root either while there is a daemon" {
  local k="$ARNIA_ROOT/run/keeper.sock"
  run timeout 10 "$ARNIA_FAKES/raw_client" -q -u 65534 "$k" talk < /dev/null
  [[ "$status" -eq 4 ]]
  chmod 666 "$k"
  run timeout 10 "$ARNIA_FAKES/raw_client" -q -u 65534 -g 65534 "$k" talk < /dev/null
  chmod 600 "$k"
  [[ "$output" == closed || "$output" == reset ]]
  # KP_SHUTDOWN, as the daemon would send it
  run timeout 10 "$ARNIA_FAKES/raw_client" -q "$k" talk < <(printf '\x01\x6e\x72\x61\x08\0\0\0\0\0\0\0\0\0\0\0')
  [[ "$output" == closed || "$output" == reset ]]
  [[ "$(state_of box)" == running ]]
  [[ "$(arnia exec box echo ok)" == ok ]]
}

# ---- what ----

@test "garbage, other protocols, NUL bytes, bad UTF-8, keys that come twice: an answer, and the next client is served" {
  local text
  for text in 'GET / HTTP/1.1\r\n\r\n\0' '\0' '\0\0\0\0\0\0' '[]\0' '1\0' '"x"\0' 'null\0' '{\0' '{"method"\0' '\xff\xfe{}\0' \
    '{"method":"io.arnia.List\xc0\x80"}\0' '{"method":"io.arnia.\\u0000List"}\0' '{"method":"io.arnia.List","method":"io.arnia.HostShutdown"}\0' \
    '{"method":1}\0' '{"method":"io.arnia.List","parameters":[]}\0' '{"method":"io.arnia.List","more":"yes"}\0' \
    '{"method":"io.arnia.List","parameters":{"names":"box"}}\0' '{"method":"io.arnia.List","parameters":{"names":[1]}}\0' \
    '{"method":"io.arnia.Stop","parameters":{"name":"box","timeout":-1}}\0' '{"method":"io.arnia.Stop","parameters":{"name":"box","timeout":1e99}}\0' \
    '{"method":"io.arnia.Stop","parameters":{"name":"box","timeout":18446744073709551616}}\0' \
    '{"method":"io.arnia.Stop","parameters":{"name":"box","signal":"KILL;reboot"}}\0' '{"method":"io.arnia.Kill","parameters":{"name":"box","signal":"0"}}\0' \
    '{"method":"io.arnia.Start","parameters":{"name":"box","rows":4294967297}}\0' '{"method":"io.arnia.Nothing"}\0' '{"method":"List"}\0' \
    '{"method":"org.example.List"}\0' '{"method":"io.arnia.List","upgrade":true}\0' '{"method":"io.arnia.Events"}\0' \
    '{"method":"io.arnia.Events","more":true,"parameters":{"since":"yesterday?"}}\0' \
    '{"method":"io.arnia.Wait","parameters":{"name":"box","condition":"rich"}}\0' \
    '{"method":"io.arnia.Exec","parameters":{"name":"box","command":[]}}\0' '{"method":"io.arnia.Exec","parameters":{"name":"box","command":[""]}}\0' \
    '{"method":"io.arnia.Exec","parameters":{"name":"box","command":["true"],"stdio":true}}\0' \
    '{"method":"io.arnia.Exec","parameters":{"name":"box","command":["true"],"env":["=x"]}}\0' \
    '{"method":"io.arnia.Exec","parameters":{"name":"box","command":["true"],"workdir":"tmp"}}\0' \
    '{"method":"io.arnia.Attach","parameters":{"name":"box"}}\0' '{"method":"io.arnia.Create"}\0' '{"method":"io.arnia.Create","parameters":{"spec":null}}\0'; do
    # shellcheck disable=SC2059
    run raw -m 200 half < <(printf "$text")
    [[ "$output" == *'"error"'* ]] || { echo "$text: $output"; return 1; }
    [[ "$(grep -c '"parameters"' <<< "$output")" -eq "$(grep -c '"error"' <<< "$output")" ]] || { echo "$text: $output"; return 1; }
  done
  [[ "$(state_of box)" == running ]]
}

@test "a million levels, and a megabyte of brackets" {
  run raw -m 1000 deep 1000
  [[ "$output" == *'"error"'* ]]
  run raw -m 1000 deep 1000000
  [[ "$output" == *'"error"'* || "$output" == *closed* ]]
  # small in the text, large in memory
  run raw -m 3000 half < <(printf '{"method":"io.arnia.List","parameters":{"names":['; yes '{},' | head -n 250000 | tr -d '\n'; printf '{}]}}\0')
  [[ "$output" == *'"error"'* ]]
  run raw -m 3000 half < <(printf '{"method":"io.arnia.List","parameters":{"names":['; yes '0,' | head -n 500000 | tr -d '\n'; printf '0]}}\0')
  [[ "$output" == *'"error"'* ]]
}

@test "names and ids that are none, for every method: an error each, and nothing happens" {
  local methods names n out
  methods=$(varlink_text | sed -n 's/^method \([A-Za-z]*\)(\([^)]*\).*/\1/p' |
    grep -v -x -e Version -e HostInfo -e HostDoctor -e HostShutdown -e ImageList -e List -e Events -e Create -e Run)
  [[ "$(wc -w <<< "$methods")" -eq 17 ]]
  names='"", ".", "..", "../evil", "../../../../etc/passwd", "a/b", "/etc", "-rf", "a b", "a\nb", "\u001b[31mred", "\u202ebox", "box\u0007",
    "%s%n", "$(id)", "`id`", ";id", "a\\b", "*", "box ", " box", "x" * 64, "x" * 5000, "0" * 16, "f" * 17, "nobody-of-this-name"'
  run bash -c "jq -n -j --arg methods '$methods' '[$names] as \$names | (\$methods | split(\"\\n\")[]) as \$m | \$names[] |
    ({method: (\"io.arnia.\" + \$m), parameters: ({name: .} +
      if \$m == \"Exec\" then {command: [\"true\"]} elif \$m == \"Rename\" then {newName: \"new\"} else {} end)} | tojson), \"\\u0000\"' > $BATS_TEST_TMPDIR/requests"
  [[ "$status" -eq 0 ]]
  n=$(tr '\0' '\n' < "$BATS_TEST_TMPDIR/requests" | wc -l)
  [[ "$n" -eq $((17 * 26)) ]]
  raw -m 1000 half < "$BATS_TEST_TMPDIR/requests" > "$BATS_TEST_TMPDIR/answers"
  out="$BATS_TEST_TMPDIR/answers"
  [[ "$(wc -l < "$out")" -eq "$n" ]]
  [[ "$(grep -c '"error":"io.arnia.\(Usage\|NotFound\)"' "$out")" -eq "$n" ]] || { grep -v '"error":"io.arnia.\(Usage\|NotFound\)"' "$out"; return 1; }
  no_control_bytes < "$out"
  # a name that is fine, and a new one that is not
  for n in '""' '".."' '"a/b"' '"a\nb"' '"\u001b"' '"0123456789abcdef"' '"-x"' null 1 '[]'; do
    run raw -m 300 half < <(call Rename "{\"name\":\"box\",\"newName\":$n}")
    [[ "$output" == *io.arnia.Usage* ]] || { echo "$n: $output"; return 1; }
    run raw -m 300 half < <(call Create "{\"spec\":{\"image\":\"busybox\",\"name\":$n}}")
    [[ "$n" == null || "$output" == *io.arnia.Usage* ]] || { echo "$n: $output"; return 1; }
    run raw -m 300 half < <(call Run "{\"spec\":{\"image\":$n}}")
    [[ "$output" == *io.arnia.Usage* || "$output" == *io.arnia.NotFound* ]] || { echo "$n: $output"; return 1; }
  done
  arnia list -q | grep -v -x "$(arnia info -f json box | jq -r .id)" | xargs -r "$ARNIA_BIN/arnia" rm > /dev/null # the one without a name
  [[ "$(arnia list --no-header -o name)" == box ]]
}

@test "the same from the command line, whose errors are one clean line" {
  local verb name
  for verb in info explain start stop restart kill pause resume rm wait logs attach "exec:true" "rename:new" "image info" "image rm"; do
    for name in '' ../evil $'a\n\e[31mred' "$(printf 'x%.0s' {1..5000})"; do
      # shellcheck disable=SC2086
      run_arnia ${verb%:*} "$name" ${verb#"${verb%:*}"}
      [[ "$status" -eq 2 || "$status" -eq 3 || "$status" -eq 125 ]] || return 1
      [[ -z "$output" && "$(wc -l <<< "$stderr")" -le 2 ]]
      no_control_bytes <<< "$stderr"
    done
  done
}

@test "lists and members beyond all bounds in a spec: one error each, nothing is made" {
  local s
  for s in '"rlimits":[range(100000)|{name:"NOFILE",soft:1,hard:1}]' '"mounts":[range(10000)|{type:"bind",source:"/etc",target:"/m\(.)"}]' \
    '"ports":[range(20000)|{protocol:"tcp",port:80,hostPort:1000}]' '"devices":[range(20000)|"/dev/null\(.)"]' '"labels":([range(10000)|{key:"k\(.)",value:"v"}]|from_entries)' \
    '"hostname":("h"*2000000)' '"command":["x"*500000]' '"seccomp":("[" * 500000)' '"seccomp":"../../../../etc/passwd"' \
    '"cpus":1e300' '"memory":-2' '"pids":0' '"sysctls":{"kernel.core_pattern":"|/tmp/x"}' '"sysctls":{"net/../kernel/core_pattern":"|/x"}' '"sysctls":{"net.ipv4.ip_forward/../../../kernel/core_pattern":"x"}' \
    '"sysctls":{"vm.overcommit_memory":"1"}' '"sysctls":{"kernel.msgmax":"1\n2"}' '"unknown":1' '"user":"4294967296"' '"workdir":"../.."' '"dns":["1.1.1.1\nsearch evil"]' \
    '"hostname":"a\nb"' '"hostname":"$(id)"' '"capAdd":["CAP_OF_GREATNESS"]' '"stopSignal":"99"' '"network":"host;id"' '"labels":{"a\u001bb":"c"}' '"labels":{"a":"c\u001b[0m"}' \
    '"image":"../busybox"' '"image":"busybox/../busybox"' '"env":["A"]' '"env":["A\nB=c"]' '"mounts":[{type:"bind",source:"/etc/../etc",target:"/x"}]' \
    '"mounts":[{type:"bind",source:"/etc",target:"/proc/self"}]' '"mounts":[{type:"tmpfs",target:"/x",mode:65535}]'; do
    jq -n -c "{method:\"io.arnia.Create\",parameters:{spec:({image:\"busybox\"} + {$s})}}" | tr '\n' '\0' > "$BATS_TEST_TMPDIR/request"
    run raw -m 2000 half < "$BATS_TEST_TMPDIR/request"
    [[ "$output" == *'"error":"io.arnia.'* || "$output" == *'"error":"org.varlink.service.InvalidParameter"'* || "$output" == closed || "$output" == reset ]] || { echo "$s: ${output:0:300}"; return 1; }
    [[ "$output" != *$'\e'* ]]
  done
  [[ "$(arnia list -q | wc -l)" -eq 1 ]]
  [[ "$(find "$ARNIA_ROOT/lib/config" "$ARNIA_ROOT/run/config" -type f | wc -l)" -eq 1 ]]
}

# ---- how much ----

@test "200 connections that trickle, 300 that say nothing: others are served, the trickling ones are dropped in time" {
  mkfifo "$BATS_TEST_TMPDIR/slow" "$BATS_TEST_TMPDIR/idle"
  raw slow 200 < "$BATS_TEST_TMPDIR/slow" > "$BATS_TEST_TMPDIR/slow.out" &
  exec 5> "$BATS_TEST_TMPDIR/slow"
  wait_until 30 grep -q connected "$BATS_TEST_TMPDIR/slow.out"
  answers
  raw idle 300 < "$BATS_TEST_TMPDIR/idle" > "$BATS_TEST_TMPDIR/idle.out" &
  exec 6> "$BATS_TEST_TMPDIR/idle"
  wait_until 30 grep -q connected "$BATS_TEST_TMPDIR/idle.out"
  answers
  [[ "$(fds "$PID_BEFORE")" -lt $((FDS_BEFORE + 300)) ]] # bounded, however many come
  sleep 1
  answers
  exec 5>&- 6>&-
  wait
  # the oldest had to go
  [[ "$(sed -n 's/ open.*//p' "$BATS_TEST_TMPDIR/slow.out" "$BATS_TEST_TMPDIR/idle.out" | awk '{n += $1} END {print n}')" -le 256 ]]
}

@test "10000 connections, one after another" {
  run raw connects 10000
  [[ "$output" == "10000 connected" ]]
}

@test "a line of a gigabyte is not read to its end" {
  run raw endless 1073741824
  [[ "$output" == "sent "*", "* && "$output" != *", all" ]]
  [[ "$(sed 's/sent \([0-9]*\),.*/\1/' <<< "$output")" -lt 32000000 ]]
}

@test "10000 requests at once, then gone; 300 that go in the middle of the answer" {
  yes '{"method":"io.arnia.Version"}' | head -n 10000 | tr '\n' '\0' > "$BATS_TEST_TMPDIR/many"
  run raw half < "$BATS_TEST_TMPDIR/many"
  [[ "$(grep -c '"version"' <<< "$output")" -eq 10000 ]] # all are answered, in turn
  run raw reset 20 < "$BATS_TEST_TMPDIR/many"
  [[ "$output" == "20 left" ]]
  for _ in $(seq 20); do call List; call Inspect '{"name":"box"}'; call HostDoctor; done > "$BATS_TEST_TMPDIR/some"
  run raw leave 300 < "$BATS_TEST_TMPDIR/some"
  [[ "$output" == "300 left" ]]
}

@test "clients that vanish in every waiting call leave nothing" {
  arnia create --name idle busybox true
  call Wait '{"name":"box"}' > "$BATS_TEST_TMPDIR/r"
  run raw reset 2000 < "$BATS_TEST_TMPDIR/r"
  # with a large request that must not be kept while it waits
  { printf '{"method":"io.arnia.Wait","parameters":{"name":"box","x":"'; head -c 900000 /dev/zero | tr '\0' x; printf '"}}\0'; } > "$BATS_TEST_TMPDIR/r"
  mkfifo "$BATS_TEST_TMPDIR/go"
  raw deaf 100 3< "$BATS_TEST_TMPDIR/go" < "$BATS_TEST_TMPDIR/r" > "$BATS_TEST_TMPDIR/out" &
  exec 5> "$BATS_TEST_TMPDIR/go"
  wait_until 50 grep -q connected "$BATS_TEST_TMPDIR/out"
  answers
  exec 5>&-
  wait
  printf '{"method":"io.arnia.Wait","oneway":true,"parameters":{"name":"box"}}\0' > "$BATS_TEST_TMPDIR/r"
  run raw reset 2000 < "$BATS_TEST_TMPDIR/r"
  call Wait '{"name":"idle","condition":"running"}' > "$BATS_TEST_TMPDIR/r"
  run raw reset 50 < "$BATS_TEST_TMPDIR/r"
  arnia rm idle # tells those that wait
  for m in Exec Explain; do
    call $m '{"name":"box","command":["true"]}' > "$BATS_TEST_TMPDIR/r"
    run raw reset 50 < "$BATS_TEST_TMPDIR/r"
    [[ "$output" == "50 left" ]]
  done
  printf '{"method":"io.arnia.Run","more":true,"parameters":{"spec":{"image":"busybox","remove":true,"network":"none","command":["true"]}}}\0' > "$BATS_TEST_TMPDIR/r"
  run raw reset 20 < "$BATS_TEST_TMPDIR/r"
  printf '{"method":"io.arnia.ImageBuild","more":true,"parameters":{"name":"busybox"}}\0' > "$BATS_TEST_TMPDIR/r"
  run raw reset 10 < "$BATS_TEST_TMPDIR/r"
  only_box() { [[ "$(arnia list --no-header -o name)" == box ]]; }
  wait_until 100 only_box
  image_ready
}

@test "a hundred readers of all events, who never read, hold up nobody" {
  arnia run -d --rm --name one --network none busybox sleep 100000 # its names are not synced to disk
  yes '{"method":"io.arnia.Rename","parameters":{"name":"one","newName":"two"}} {"method":"io.arnia.Rename","parameters":{"name":"two","newName":"one"}}' |
    head -n 3000 | sed 's/} {/}\n{/' | tr '\n' '\0' > "$BATS_TEST_TMPDIR/renames"
  raw half < "$BATS_TEST_TMPDIR/renames" > "$BATS_TEST_TMPDIR/renamed"
  [[ "$(grep -c '"parameters":{}' "$BATS_TEST_TMPDIR/renamed")" -eq 6000 ]]
  mkfifo "$BATS_TEST_TMPDIR/go"
  printf '{"method":"io.arnia.Events","more":true,"parameters":{"since":"0","follow":true}}\0' > "$BATS_TEST_TMPDIR/r"
  raw deaf 100 3< "$BATS_TEST_TMPDIR/go" < "$BATS_TEST_TMPDIR/r" > "$BATS_TEST_TMPDIR/out" &
  exec 5> "$BATS_TEST_TMPDIR/go"
  wait_until 50 grep -q connected "$BATS_TEST_TMPDIR/out"
  answers
  head -c 50000 "$BATS_TEST_TMPDIR/renames" | raw -m 5000 half > "$BATS_TEST_TMPDIR/renamed"
  answers
  exec 5>&-
  wait
  # all of them, in order, for who reads
  arnia events --since 0 -f json | jq -r .sequence > "$BATS_TEST_TMPDIR/sequence"
  [[ "$(wc -l < "$BATS_TEST_TMPDIR/sequence")" -gt 6000 ]]
  sort -n -u "$BATS_TEST_TMPDIR/sequence" | diff - "$BATS_TEST_TMPDIR/sequence"
  arnia rm -f one two 2> /dev/null || true
}

@test "an output that nobody reads holds up its own container for ten seconds at most, and nobody else" {
  mkfifo "$BATS_TEST_TMPDIR/never"
  arnia run -d --name loud busybox sh -c 'yes | head -c 3000000; echo done > /done; sleep 100000'
  arnia exec box yes > "$BATS_TEST_TMPDIR/never" &
  local pid=$!
  exec 5< "$BATS_TEST_TMPDIR/never"
  answers
  [[ "$(arnia exec box echo ok)" == ok ]]
  wait_until 30 arnia exec loud test -e /done
  exec 5<&-
  wait "$pid" || true
  arnia rm -f loud
}

@test "descriptors sent along: none stays, too many end the connection" {
  call List > "$BATS_TEST_TMPDIR/r"
  run raw fds 200 16 < "$BATS_TEST_TMPDIR/r"
  [[ "$output" == "0 of 200 refused" ]]
  run raw fds 200 253 < "$BATS_TEST_TMPDIR/r"
  [[ "$output" == "200 of 200 refused" ]]
  # with a request that never ends
  printf 'x' > "$BATS_TEST_TMPDIR/r"
  for _ in 1 2 3; do timeout 1 "$ARNIA_FAKES/raw_client" "$ARNIA_ROOT/run/arnia.sock" fds 3 16 < "$BATS_TEST_TMPDIR/r" > /dev/null & done
  sleep 0.5
  answers
  wait || true
}

@test "a folder is no standard stream for an exec" {
  run bash -c "nsenter --net=/run/netns/$HOST_NS timeout 10 $ARNIA_BIN/arnia exec box cat < /"
  [[ "$status" -ne 0 && "$output" == *"no stream"* ]]
}

# ---- at the same time ----

@test "kill, stop, start, restart, remove of one machine by many at once: no crash, and all is told" {
  local i
  for _ in 1 2 3; do
    arnia run -d --rm --name hunted busybox sleep 100000 > /dev/null
    for i in 1 2 3 4 5 6; do
      call Kill '{"name":"hunted"}' | raw -m 3000 half > /dev/null 2>&1 &
      call Stop '{"name":"hunted","timeout":0}' | raw -m 3000 half > /dev/null 2>&1 &
      call Wait '{"name":"hunted"}' | raw -m 3000 half > "$BATS_TEST_TMPDIR/w$i" 2>&1 &
      call Remove '{"name":"hunted","force":true}' | raw -m 3000 half > /dev/null 2>&1 &
    done
    wait
    refute arnia info hunted
    arnia create --name tossed --network none busybox sleep 100000 > /dev/null
    for i in 1 2 3 4; do
      for m in Start Kill Restart Stop; do call $m '{"name":"tossed","timeout":0}'; done | raw -m 5000 half > /dev/null 2>&1 &
      { call Kill '{"name":"tossed"}'; call Kill '{"name":"tossed"}'; call Start '{"name":"tossed"}'; } | raw -m 5000 half > /dev/null 2>&1 &
    done
    wait
    call Remove '{"name":"tossed","force":true}' > "$BATS_TEST_TMPDIR/rm"
    call Start '{"name":"tossed"}' > "$BATS_TEST_TMPDIR/start"
    for i in 1 2 3; do
      raw half < "$BATS_TEST_TMPDIR/rm" > /dev/null 2>&1 &
      raw half < "$BATS_TEST_TMPDIR/start" > /dev/null 2>&1 &
    done
    wait
    arnia rm -f tossed > /dev/null 2>&1 || true
    refute arnia info tossed
  done
  [[ "$(arnia list -q | wc -l)" -eq 1 ]]
  [[ "$(arnia host info -f json | jq '.idsLent - .cellsReady')" -le 2 ]] # box, and a cell in the making
}

@test "who waits for a stop hears of it though another one restarts the machine" {
  arnia run -d --name phoenix --network none busybox sleep 100000
  local i
  for i in 1 2 3 4; do call Wait '{"name":"phoenix"}' | raw -m 4000 half > "$BATS_TEST_TMPDIR/$i" 2>&1 & done
  sleep 0.3
  call Restart '{"name":"phoenix","timeout":0}' | raw -m 4000 half | grep -q '"pid"'
  wait
  for i in 1 2 3 4; do grep -q '"exit":{.*"state":"stopped"' "$BATS_TEST_TMPDIR/$i" || { cat "$BATS_TEST_TMPDIR/$i"; return 1; }; done
  arnia rm -f phoenix
}

@test "control bytes in commands, labels and arguments do not reach a terminal or the log, and forge no line" {
  arnia run -d --name esc --network none -e "LF=a
b" busybox sh -c $'sleep 100000 # \e]0;title\a \n forged: line \x7f' $'arg\e[2J'
  local v
  for v in "list -a" "info esc" "list -f json" "info -f json esc" "explain esc" "events --since 0" "events --since 0 -f json"; do
    # shellcheck disable=SC2086
    run_arnia $v
    [[ "$status" -eq 0 || "$v" == "list -a" ]] || return 1
    no_control_bytes <<< "$output$stderr" || { echo "in: $v"; return 1; }
  done
  arnia exec esc true $'\e[31m' $'\n"sequence":1'
  arnia events --since 0 -f json | jq -e -s 'all(.[]; .sequence > 0)' > /dev/null
  [[ "$(arnia events --since 0 -f json | wc -l)" -eq "$(arnia events --since 0 -f json | jq -r .sequence | sort -un | wc -l)" ]]
  no_control_bytes < "$ARNIA_ROOT/run/log/keeper.log"
  # a command as long as they come does not burst the file of events
  { printf '{"method":"io.arnia.Exec","parameters":{"name":"esc","command":["'; head -c 100000 /dev/zero | tr '\0' '\1' | sed 's/\x01/\\u001b/g'; printf '"]}}\0'; } > "$BATS_TEST_TMPDIR/r"
  raw half < "$BATS_TEST_TMPDIR/r" > /dev/null
  [[ "$(tail -n 1 "$ARNIA_ROOT/run/events.jsonl" | wc -c)" -lt 4000 ]]
  arnia rm -f esc
}

@test "what the daemon may call of the kernel: no exec, no mount, no fork" {
  grep -Eq '^Seccomp:\s2$' "/proc/$PID_BEFORE/status"
  grep -Eq '^NoNewPrivs:\s1$' "/proc/$PID_BEFORE/status"
}

@test "a request that is begun must be finished in ten seconds" {
  wait_until 150 grep -q open "$BATS_FILE_TMPDIR/trickled"
  grep -q '^0 open, 5 closed' "$BATS_FILE_TMPDIR/trickled"
}
