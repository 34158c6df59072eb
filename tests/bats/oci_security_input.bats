#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2034,SC2086,SC2119
# Attacks on arnia-oci by what it is given: names, paths, configurations, hooks, and what it kept itself.
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

@test "19: an id is a name and never a path, for every verb" {
  local verb bad more
  mkdir -p "$ROOT/keep" "$BATS_TEST_TMPDIR/evil/deep"
  touch "$BATS_TEST_TMPDIR/evil/deep/file" "$ROOT/keep/file"
  for bad in ../evil ../evil/deep a/b . .. '' $'a\nb' $'a\e[31m' /etc "$BATS_TEST_TMPDIR/evil" keep/.. ./keep 'a b' 'a*' $'\xff' @seccomp "$(printf 'x%.0s' $(seq 5000))"; do
    for verb in create run start exec state kill delete "delete -f" ps pause resume update events checkpoint restore; do
      taken || continue
      more=()
      [[ $verb != create && $verb != run ]] || more=(-b "$B")
      # shellcheck disable=SC2086
      if [[ $verb == exec ]]; then oci exec "$bad" true; elif [[ $verb == events ]]; then oci events --stats "$bad"; else oci $verb "${more[@]}" "$bad"; fi
      [[ $status -ne 0 && $status -lt 256 ]] || { echo "$verb takes '$bad'"; return 1; }
      [[ "$stderr" == "arnia-oci: "* && "$stderr" != *$'\n'* && "$stderr" != *$'\e'* ]]
    done
  done
  [[ -e "$BATS_TEST_TMPDIR/evil/deep/file" && -e "$ROOT/keep/file" ]]
  oci delete -f .. || :
  [[ -e "$ROOT/keep/file" ]]
  rm -r "$ROOT/keep"
}

@test "19: what stands under --root in another's way: links, fifos, files" {
  local kind
  mkdir -p "$ROOT" "$VICTIM"
  echo precious > "$BATS_TEST_TMPDIR/file"
  # the folder is a link to another one
  mkdir "$BATS_TEST_TMPDIR/other"
  echo '{}' > "$BATS_TEST_TMPDIR/other/state.json"
  ln -s "$BATS_TEST_TMPDIR/other" "$ROOT/$id"
  for verb in state kill delete "delete -f" start ps; do
    # shellcheck disable=SC2086
    oci $verb "$id"
    [[ -e "$BATS_TEST_TMPDIR/other/state.json" ]]
  done
  oci run -b "$B" "$id"
  refused
  rm -f "$ROOT/$id"
  # files of the record
  for kind in link fifo folder zero full device; do
    mkdir "$ROOT/$id"
    for f in state.json config.json lock start; do
      case $kind in
        link) ln -s "$BATS_TEST_TMPDIR/file" "$ROOT/$id/$f" ;;
        fifo) mkfifo "$ROOT/$id/$f" ;;
        folder) mkdir "$ROOT/$id/$f" ;;
        zero) ln -s /dev/zero "$ROOT/$id/$f" ;;
        full) truncate -s 64M "$ROOT/$id/$f" ;;
        device) mknod "$ROOT/$id/$f" c 1 5 ;;
      esac
    done
    for verb in state kill start ps pause "exec" "events --stats" delete; do
      taken || continue
      # shellcheck disable=SC2086
      if [[ $verb == exec ]]; then bound=10 oci exec "$id" true; else bound=10 oci $verb "$id"; fi
    done
    bound=10 oci list
    bound=10 oci delete -f "$id"
    rm -rf "${ROOT:?}/$id"
    [[ "$(cat "$BATS_TEST_TMPDIR/file")" == precious ]]
  done
}

@test "19: pid files, logs and console sockets through links write nothing elsewhere" {
  local link=$BATS_TEST_TMPDIR/link
  echo precious > "$BATS_TEST_TMPDIR/file"
  ln -s "$BATS_TEST_TMPDIR/file" "$link"
  oci run -d -b "$B" --pid-file "$link" "$id"
  ok
  [[ "$(cat "$BATS_TEST_TMPDIR/file")" == precious && ! -L "$link" && "$(cat "$link")" == "$(init_pid)" ]]
  ln -sf "$BATS_TEST_TMPDIR/file" "$link"
  oci exec --pid-file "$link" "$id" true
  ok
  [[ "$(cat "$BATS_TEST_TMPDIR/file")" == precious ]]
  ln -sf "$BATS_TEST_TMPDIR/file" "$link"
  status=0
  as_host "$OCI" --root "$ROOT" --log "$link" state none > "$BATS_TEST_TMPDIR/out" 2>&1 || status=$?
  [[ $status -ne 0 && "$(cat "$BATS_TEST_TMPDIR/file")" == precious ]]
  # a socket with a name too long for an address, and what is no socket
  long=$BATS_TEST_TMPDIR/$(printf 'l%.0s' $(seq 120))
  bundle '"true"' '.process.terminal = true'
  oci run -d -b "$B" --console-socket "$long" "$id-x"
  refused
  oci run -d -b "$B" --console-socket "$BATS_TEST_TMPDIR/file" "$id-x"
  refused
  oci run -d -b "$B" --console-socket "$BATS_TEST_TMPDIR" "$id-x"
  refused
  # a pid file that cannot be: nothing runs on
  bundle '"sleep","100"'
  oci run -d -b "$B" --pid-file "$BATS_TEST_TMPDIR/none/pid" "$id-x"
  refused "pid file"
  [[ ! -e "$ROOT/$id-x" ]]
}

@test "19: folders longer than a socket's name are no hindrance" {
  local deep
  deep=$BATS_TEST_TMPDIR/$(printf 'd%.0s' $(seq 90))/$(printf 'e%.0s' $(seq 90))
  mkdir -p "$deep"
  ROOT=$deep/root
  oci create -b "$B" "$id"
  ok
  oci start "$id"
  ok
  [[ "$("$OCI" --root "$ROOT" state "$id" | jq -r .status)" == running ]]
  oci delete -f "$id"
  bundle '"sleep","100"' '.process.terminal = true'
  (cd "$deep" && exec "$FAKES/oci_aid" fds ./s > "$BATS_TEST_TMPDIR/fds" 2>&1 3>&-) &
  background+=($!)
  for _ in $(seq 50); do [[ ! -S $deep/s ]] || break; sleep 0.1; done
  oci run -d -b "$B" --console-socket "$deep/s" "$id"
  ok
  for _ in $(seq 50); do ! grep -q "^fd " "$BATS_TEST_TMPDIR/fds" || break; sleep 0.1; done
  grep -x "text /dev/ptmx" "$BATS_TEST_TMPDIR/fds"
}

@test "20: a cgroup's path leads to no place outside, for run and for exec" {
  local top bad
  top=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
  for bad in /../../asec-x ../asec-x /asec/../../../asec-x .. / /. ./ // $'/asec\nx' $'/asec\e' "/$(printf 'c%.0s' $(seq 300))" "$(printf '/c%.0s' $(seq 3000))"; do
    taken || continue
    bundle '"true"' ".linux.cgroupsPath = $(jq -n --arg p "$bad" '$p')"
    oci run -b "$B" "$id"
    refused
  done
  [[ ! -e "${top%/*}/asec-x" && ! -e /asec-x && ! -e "$top/asec-x" ]]
  bundle '"sleep","100"'
  up
  for bad in .. ../.. ../../.. ../ /.. a/../.. "../$id/.." $'\n' ./.. "$(printf '../%.0s' $(seq 40))etc"; do
    taken || continue
    oci exec --cgroup "$bad" "$id" cat /proc/self/cgroup
    [[ $status -ne 0 ]] || { echo "--cgroup $bad: $output"; return 1; }
  done
  oci exec --cgroup / "$id" cat /proc/self/cgroup
  [[ "$output" == *"0::/" ]]
}

@test "20: names of systemd's scopes" {
  local bad
  for bad in 'system.slice:a:../../x' $'system.slice:a:x\ny' '../x.slice:a:b' 'a.slice:b' 'a.slice:b:c:d' 'system.slice::' '-.slice:a/b:c' 'x.service:a:b' \
    'system.slice:a:x.slice/..' "system.slice:a:$(printf 'x%.0s' $(seq 300))"; do
    taken || continue
    bundle '"true"' ".linux.cgroupsPath = $(jq -n --arg p "$bad" '$p')"
    status=0
    as_host "$OCI" --root "$ROOT" --systemd-cgroup run -b "$B" "$id" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
    stderr=$(cat "$BATS_TEST_TMPDIR/err")
    refused
  done
}

@test "21: configurations that are none: one line, no signal, soon" {
  local good bytes n
  bundle '"true"'
  good=$(cat "$B/config.json")
  bytes=${#good}
  hostile() {
    bound=15 oci run -b "$B" "$id"
    refused
    [[ ! -e "$ROOT/$id" ]]
  }
  : > "$B/config.json" && hostile
  for n in 1 10 100 $((bytes / 2)) $((bytes - 2)); do
    printf '%s' "${good:0:n}" > "$B/config.json"
    hostile
  done
  printf '%s' "$good" | tr '{' '\0' > "$B/config.json" && hostile
  head -c 200000 /dev/zero | tr '\0' '[' > "$B/config.json" && hostile
  { head -c 200000 /dev/zero | tr '\0' '[' && head -c 200000 /dev/zero | tr '\0' ']'; } > "$B/config.json" && hostile
  { printf '{"a":%.0s' $(seq 50000) && echo 1 && printf '}%.0s' $(seq 50000); } > "$B/config.json" && hostile
  head -c 3000000 /dev/urandom > "$B/config.json" && hostile
  truncate -s 1G "$B/config.json" && hostile
  rm "$B/config.json" && mkfifo "$B/config.json" && hostile
  rm "$B/config.json" && ln -s /dev/zero "$B/config.json" && hostile
  rm "$B/config.json" && mkdir "$B/config.json" && hostile
  rmdir "$B/config.json" && ln -s /proc/self/mem "$B/config.json" && hostile
  rm "$B/config.json" && mkdir "$B/config.json"
  rmdir "$B/config.json" && hostile
}

@test "21: members of other types, numbers that are none, and strings that end early" {
  local filter
  for filter in '.process = 1' '.process = []' '.process.args = "sh"' '.process.args = [1]' '.process.args = []' '.process.args = [null]' '.process.args = ["true\u0000x"]' \
    '.process.env = "x"' '.process.env = ["A\u0000B=1"]' '.process.cwd = 7' '.process.cwd = "relative"' '.process.cwd = "/\u0000x"' '.process.cwd = ""' '.process.user = "root"' \
    '.process.rlimits = {}' '.process.rlimits = [{"type":"RLIMIT_NOFILE","hard":1e23,"soft":1}]' '.process.rlimits = [{"type":"RLIMIT_NOFILE","hard":-5,"soft":1}]' \
    '.process.rlimits = [{"type":"RLIMIT_X","hard":1,"soft":1}]' '.process.rlimits = [{"type":"RLIMIT_NOFILE","hard":1,"soft":2}]' '.process.oomScoreAdj = 5000' '.process.oomScoreAdj = 1e23' \
    '.process.oomScoreAdj = "1"' '.root = 5' '.root.path = 5' '.root.path = ""' '.root.path = "/nonexistent\u0000"' '.root.path = "/dev/null"' '.hostname = 5' '.hostname = "a\u0000b"' \
    '.hostname = ("x" * 2000000)' '.mounts = 1' '.mounts = [1]' '.mounts = [null]' '.mounts = [{}]' '.mounts += [{"destination":""}]' '.mounts += [{"destination":"/x","type":"nosuchfs","source":"x"}]' \
    '.mounts += [{"destination":"/x\u0000y","type":"tmpfs","source":"x"}]' '.mounts += [{"destination":"/x","type":"bind","source":"/nonexistent/x"}]' \
    '.mounts += [{"destination":"/x","type":"tmpfs","source":"x","options":[1]}]' '.mounts += [{"destination":"/x","type":"tmpfs","source":"x","options":["nosuchoption=1"]}]' \
    '.linux = 1' '.linux.namespaces = {}' '.linux.namespaces += [{"type":"nosuch"}]' '.linux.namespaces += [{"type":"pid"}]' '.linux.namespaces += [{"type":"pid","path":"/dev/null"}]' \
    '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/pid" else . end)' '.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)' \
    '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/../../../etc" else . end)' '.linux.resources = 1' '.linux.resources = {"memory":{"limit":"x"}}' '.linux.resources = {"memory":{"limit":1e30}}' \
    '.linux.resources = {"pids":{"limit":{}}}' '.linux.resources = {"unified":{"../x":"1"}}' '.linux.resources = {"unified":{"a/../../cgroup.procs":"1"}}' '.linux.resources = {"unified":{"cgroup.procs":"1"}}' \
    '.linux.seccomp = 1' '.linux.seccomp = {"defaultAction":"SCMP_ACT_WHAT"}' '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":1,"action":"SCMP_ACT_ERRNO"}]}' \
    '.linux.maskedPaths = 1' '.linux.maskedPaths = [1]' '.linux.readonlyPaths = [null]' '.linux.maskedPaths = ["relative"]' '.linux.devices = [1]' '.linux.devices = [{"path":"relative","type":"c","major":1,"minor":3}]' \
    '.linux.devices = [{"path":"/dev/x","type":"q","major":1,"minor":3}]' '.linux.devices = [{"path":"/dev/x","type":"c","major":-1,"minor":99999999999}]' '.linux.rootfsPropagation = "x"' '.linux.personality = {"domain":"X"}' \
    '.hooks = 1' '.hooks = {"prestart":1}' '.hooks = {"prestart":[{"path":"relative"}]}' '.hooks = {"prestart":[{"path":""}]}' '.hooks = {"prestart":[{"path":"/bin/true","timeout":-1}]}' \
    '.hooks = {"prestart":[{"path":"/bin/true","timeout":1e23}]}' '.hooks = {"poststop":[{}]}' '.ociVersion = 1' '.ociVersion = "2.0.0"' '.ociVersion = "x"' 'del(.ociVersion)' '.annotations = 1' '.annotations = {"a":1}'; do
    taken || continue
    bundle '"true"' "$filter"
    bound=15 oci run -b "$B" "$id"
    [[ $status -ne 0 ]] || { echo "taken: $filter"; return 1; }
    refused
    [[ ! -e "$ROOT/$id" ]] || { echo "left by: $filter; $stderr"; return 1; }
  done
}

@test "21: null members, duplicate ones and unknown ones do no harm" {
  local m
  for m in .process.env .process.rlimits .process.capabilities .process.user .mounts .linux.namespaces .linux.resources .linux.maskedPaths .linux.seccomp .hooks .annotations .hostname .linux .root .process; do
    taken || continue
    bundle '"true"' "$m = null"
    bound=15 oci run -b "$B" "$id"
    goes_or_is_refused
  done
  bundle '"true"' '.unknown = {"a":[1,2,{"b":null}]} | .process.unknown = 1 | .linux.unknown = []'
  oci run -b "$B" "$id"
  ok
  bundle '"true"'
  sed -i 's/^{/{"hostname":"first","process":{"args":["false"],"cwd":"\/"},/' "$B/config.json"
  oci run -b "$B" "$id"
  goes_or_is_refused
}

@test "22: the number of a process that is gone is nobody's" {
  local pid
  bundle '"sleep","0.2"'
  up
  pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$ROOT/$id/state.json") # that of what may be over by now
  sleep "$((SLOW / 2)).6"
  [[ "$(status_of)" == stopped ]]
  # another process with that number, started later
  sleep 300 3>&- &
  background+=($!)
  sed -i "s/\"pid\": *$pid/\"pid\": $!/" "$ROOT/$id/state.json"
  grep -q "$!" "$ROOT/$id/state.json"
  [[ "$(status_of)" == stopped ]]
  oci kill "$id" KILL
  refused
  oci kill --all "$id" KILL
  oci exec "$id" true
  refused
  oci start "$id"
  refused
  oci delete -f "$id"
  ok
  kill -0 "${background[0]}"
}

@test "22: the number itself given to another process" {
  local pid
  bundle '"true"'
  up
  sleep 0.4
  pid=$(jq .pid "$ROOT/$id/state.json")
  # the kernel's next number, in a pid namespace of the test
  run unshare --pid --fork --mount-proc bash -c '
    root=$1 id=$2 pid=$3 oci=$4
    echo $((pid - 1)) > /proc/sys/kernel/ns_last_pid || exit 9
    sleep 100 &
    [[ $! -eq $pid ]] || exit 8
    "$oci" --root "$root" kill "$id" KILL && exit 7
    "$oci" --root "$root" delete -f "$id" || exit 6
    kill -0 $!' x "$ROOT" "$id" "$pid" "$OCI"
  echo "$output"
  [[ $status -eq 0 || $status -eq 9 || $status -eq 8 ]]
}

@test "23: what fails leaves nothing, and logs cannot be forged" {
  local bad=$'x\n{"level":"error","msg":"forged"}\ntime="now" level=error msg=forged\e[2J\r'
  for format in text json; do
    bundle "$(jq -nc --arg a "$bad" '$a')"
    status=0
    as_host "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format $format run -b "$B" "$id" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
    [[ $status -ne 0 && ! -e "$ROOT/$id" && -z "$(cgroups_of)" ]]
    as_host "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format $format delete "$bad" 2>> "$BATS_TEST_TMPDIR/err" || :
    as_host "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format $format "$bad" 2>> "$BATS_TEST_TMPDIR/err" || :
    as_host "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format $format run -b "$bad" "$id" 2>> "$BATS_TEST_TMPDIR/err" || :
    as_host "$OCI" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format $format run "--$bad" "$id" 2>> "$BATS_TEST_TMPDIR/err" || :
    [[ "$(wc -l < "$BATS_TEST_TMPDIR/log")" -eq 5 && "$(wc -l < "$BATS_TEST_TMPDIR/err")" -le 5 ]]
    run ! grep -qE '^\{"level":"error","msg":"forged"|^time="now"' "$BATS_TEST_TMPDIR/log" "$BATS_TEST_TMPDIR/err"
    run ! grep -q $'[\e\r]' "$BATS_TEST_TMPDIR/log"
    run ! grep -q $'[\e\r]' "$BATS_TEST_TMPDIR/err"
    [[ $format == text ]] || [[ "$(jq -r .level "$BATS_TEST_TMPDIR/log" | sort -u)" == error ]]
    rm "$BATS_TEST_TMPDIR/log"
  done
}

@test "24: hooks: the state, no environment, an end, and what they started ends with them" {
  local hook=$BATS_TEST_TMPDIR/hook
  printf '#!/bin/bash\ncat > %s/state; /usr/bin/env > %s/env; ls /proc/self/fd > %s/fds\n' "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR" > "$hook"
  chmod 755 "$hook"
  export SECRET_OF_CALLER=1
  bundle '"true"' ".hooks = {createRuntime:[{path:\"$hook\"}]}"
  oci run -b "$B" "$id" 5< "$MARKER"
  ok
  jq -e '.pid > 0 and .status == "creating" and .bundle' "$BATS_TEST_TMPDIR/state"
  run ! grep -vE "^(PWD|SHLVL|_|OLDPWD)=" "$BATS_TEST_TMPDIR/env"
  [[ "$(tr '\n' ' ' < "$BATS_TEST_TMPDIR/fds")" == "0 1 2 3 " || "$(tr '\n' ' ' < "$BATS_TEST_TMPDIR/fds")" == "0 1 2 255 3 " ]]
  for kind in prestart createRuntime createContainer; do
    printf '#!/bin/bash\nsleep 1234.%s & sleep 1234.%s\n' "$BATS_ROOT_PID" "$BATS_ROOT_PID" > "$hook"
    bundle '"true"' ".hooks = {$kind:[{path:\"$hook\",timeout:1}]}"
    bound=20 oci run -b "$B" "$id"
    refused "not done within 1 s"
    [[ ! -e "$ROOT/$id" && -z "$(cgroups_of)" ]]
    run ! pgrep -fx "sleep 1234.$BATS_ROOT_PID"
    printf '#!/bin/bash\nprintf "%%s\\n" forged $'"'"'\\e[31mred'"'"'; exit 3\n' > "$hook"
    bundle '"true"' ".hooks = {$kind:[{path:\"$hook\"}]}"
    oci run -b "$B" "$id"
    refused
    [[ "$stderr" != *$'\e'* && ! -e "$ROOT/$id" ]]
  done
  # one of the container, in place of one of the host
  printf '#!/bin/sh\necho > %s/x\n' "$VICTIM" > "$BASE/tmp/hook"
  chmod 755 "$BASE/tmp/hook"
  bundle '"true"' '.hooks = {createRuntime:[{path:"/tmp/hook-of-nobody"}],poststop:[{path:"/tmp/hook-of-nobody"}]}'
  oci run -b "$B" "$id"
  [[ $status -eq 1 && "$stderr" == *"createRuntime hook #0"* ]]
  # what is only said in annotations is never run
  bundle '"true"' ".annotations = {\"org.opencontainers.hook\":\"$hook\",\"run.oci.hooks.stdout\":\"$VICTIM/x\",\"org.criu.config\":\"$VICTIM/x\",\"run.oci.handler\":\"$hook\"}"
  oci run -b "$B" "$id"
  ok
}

@test "27: very long lists end soon, one way or the other" {
  local what
  for what in '.process.rlimits = [range(100000) | {type:"RLIMIT_NOFILE",hard:1024,soft:1024}]' '.process.env = [range(100000) | "V\(.)=x"]' \
    '.mounts += [range(100000) | {destination:"/vol/m\(.)",type:"nosuchfs",source:"x"}]' '.linux.maskedPaths = [range(100000) | "/missing/\(.)"]' \
    '.linux.readonlyPaths = [range(100000) | "/missing/\(.)"]' '.linux.sysctl = ([range(100000) | {key:"net.x\(.)",value:"1"}] | from_entries)' \
    '.process.user.additionalGids = [range(100000)]' '.linux.resources.devices = [range(100000) | {allow:true,type:"c",major:.,minor:1,access:"rw"}]' \
    '.linux.devices = [range(100000) | {path:"/dev/n\(.)",type:"x",major:1,minor:3}]' '.annotations = ([range(100000) | {key:"a\(.)",value:"1"}] | from_entries)' \
    '.hooks = {poststop:[range(100000) | {path:"relative"}]}' '.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",syscalls:[range(100000) | {names:["getppid"],action:"SCMP_ACT_ERRNO"}]}' \
    '.process.args = [range(100000) | "true"]' '.process.capabilities.bounding = [range(100000) | "CAP_X\(.)"]' \
    '.linux.namespaces += [{type:"user"}] | .linux.uidMappings = [range(100000) | {containerID:.,hostID:(. + 200000),size:1}] | .linux.gidMappings = .linux.uidMappings' \
    '.linux.resources.unified = ([range(100000) | {key:"x.y\(.)",value:"1"}] | from_entries)' '.linux.memoryPolicy = {mode:"MPOL_BIND",nodes:"0-4000000000"}' \
    '.linux.personality = {domain:"LINUX",flags:[range(100000) | "x"]}' '.process.ioPriority = {class:"IOPRIO_CLASS_BE",priority:1e9}' '.process.scheduler = {policy:"SCHED_OTHER",flags:[range(100000) | "x"]}'; do
    bundle '"true"' "${what//100000/$((100000 / SLOW))}"
    bound=40 oci run -b "$B" "$id"
    goes_or_is_refused || { echo "$what"; return 1; }
  done 2>&1 | tail -n 20
  [[ "${PIPESTATUS[0]}" -eq 0 ]]
}
