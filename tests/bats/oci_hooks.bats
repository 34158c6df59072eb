#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci: the six kinds of hooks with their order, state, namespaces, and failures; and events, update, pause, resume by option.
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
  seen=$BATS_TEST_TMPDIR/seen
  mkdir -p "$seen"
}
teardown() {
  oci_down
}

KINDS="prestart createRuntime createContainer startContainer poststart poststop"

# hooks: the filter that has one of each kind; each leaves its state, and what it sees, in $seen. That of startContainer runs inside.
hooks() {
  cat > "$BATS_TEST_TMPDIR/hook" << 'EOS'
#!/bin/sh
at=$1 kind=$2
cat > $at/$kind.state
echo $kind >> $at/order
for n in mnt net uts; do readlink /proc/self/ns/$n; done > $at/$kind.ns
pwd > $at/$kind.cwd
env > $at/$kind.env
ls / > $at/$kind.root
EOS
  chmod 755 "$BATS_TEST_TMPDIR/hook"
  cp "$BATS_TEST_TMPDIR/hook" "$BATS_FILE_TMPDIR/rootfs/bin/hook"
  local kind path list=
  for kind in $KINDS; do
    path=$BATS_TEST_TMPDIR/hook
    [[ $kind != startContainer ]] || path=/bin/hook
    list+="${list:+,}\"$kind\":[{\"path\":\"$path\",\"args\":[\"hook\",\"$seen\",\"$kind\"],\"env\":[\"PATH=/bin:/usr/bin\",\"KIND=$kind\"]}]"
  done
  echo ".hooks = {$list} | .annotations = {\"org.example.k\":\"v\"} | .mounts += [{\"destination\":\"$seen\",\"source\":\"$seen\",\"type\":\"bind\",\"options\":[\"bind\",\"rw\"]}]
    | .root.readonly = false"
}
# A tree of its own, in which the folder for that mount may be made.
own_rootfs() {
  cp -a "$BATS_FILE_TMPDIR/rootfs" "$BATS_TEST_TMPDIR/rootfs"
  mkdir -p "$BATS_TEST_TMPDIR/rootfs$seen"
  echo ".root.path = \"$BATS_TEST_TMPDIR/rootfs\""
}
of_state() {
  sed -n "s/.*\"$2\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$seen/$1.state" | head -n 1
}

@test "each kind of hook runs once, in order, and gets the state" {
  local filter pid
  filter=$(hooks)
  bundle '"sleep","1000"' "$filter | $(own_rootfs)"
  oci create -b "$B" "$id"
  ok
  pid=$(pid_of)
  [[ "$(tr '\n' ' ' < "$seen/order")" == "prestart createRuntime createContainer " ]]
  oci start "$id"
  ok
  [[ "$(tr '\n' ' ' < "$seen/order")" == "prestart createRuntime createContainer startContainer poststart " ]]
  oci delete -f "$id"
  ok
  [[ "$(tr '\n' ' ' < "$seen/order")" == "$KINDS " ]]
  for kind in $KINDS; do
    jq -e --arg id "$id" --arg b "$B" '.id == $id and .bundle == $b and .annotations["org.example.k"] == "v" and (.ociVersion | type) == "string"' "$seen/$kind.state" > /dev/null ||
      { echo "$kind: $(cat "$seen/$kind.state")"; return 1; }
  done
  for kind in prestart createRuntime createContainer startContainer poststart; do
    [[ "$(of_state $kind pid)" == "$pid" || $kind == *Container && "$(of_state $kind pid)" -gt 0 ]]
  done
  [[ "$(of_state prestart status)" == creating && "$(of_state createRuntime status)" == creating && "$(of_state createContainer status)" == creating ]]
  [[ "$(of_state startContainer status)" == created && "$(of_state poststart status)" == running && "$(of_state poststop status)" == stopped ]]
}

@test "hooks: the namespaces, the folder, the environment of each kind" {
  local filter own inner
  filter=$(hooks)
  bundle '"sh","-c","for n in mnt net uts; do readlink /proc/self/ns/$n; done"' "$filter | $(own_rootfs)"
  oci run -b "$B" "$id"
  ok
  inner=$output
  own=$(readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/uts)
  for kind in prestart createRuntime poststart poststop; do
    [[ "$(cat "$seen/$kind.ns")" == "$own" ]] || { echo "$kind: not of the runtime's namespaces"; return 1; }
    [[ "$(cat "$seen/$kind.cwd")" == "$B" ]]
  done
  for kind in createContainer startContainer; do
    [[ "$(cat "$seen/$kind.ns")" == "$inner" ]] || { echo "$kind: not of the container's namespaces"; return 1; }
  done
  # Before pivot_root the files are the host's, afterwards the container's.
  grep -qx root "$seen/createContainer.root"
  run ! grep -qx root "$seen/startContainer.root"
  for kind in $KINDS; do
    [[ "$(grep -v -e '^PWD=' -e '^SHLVL=' -e '^_=' -e '^OLDPWD=' "$seen/$kind.env" | sort)" == "KIND=$kind"$'\n'"PATH=/bin:/usr/bin" ]] ||
      { echo "$kind: $(cat "$seen/$kind.env")"; return 1; }
  done
}

# bats test_tags=natively
@test "a hook that fails before the program: no container, nothing is left, its words are told" {
  printf '#!/bin/sh\necho "because of this" >&2\nexit 3\n' > "$BATS_TEST_TMPDIR/bad"
  printf '#!/bin/sh\ncat > /dev/null\necho ran > %s/poststop\n' "$seen" > "$BATS_TEST_TMPDIR/stop"
  chmod 755 "$BATS_TEST_TMPDIR/bad" "$BATS_TEST_TMPDIR/stop"
  for kind in prestart createRuntime createContainer; do
    rm -f "$seen/poststop"
    bundle '"true"' ".hooks = {\"$kind\":[{\"path\":\"$BATS_TEST_TMPDIR/bad\"}],\"poststop\":[{\"path\":\"$BATS_TEST_TMPDIR/stop\"}]}"
    oci create -b "$B" "$id"
    says 1 "because of this"
    [[ $stderr == *"$kind hook #0"*"exit status 3"* ]]
    nothing_left
    [[ -e $seen/poststop ]] || { echo "$kind: no poststop"; return 1; }
  done
  for bad in /nonexistent /etc "$B/config.json"; do
    bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$bad\"}]}"
    oci create -b "$B" "$id"
    says 1 "createRuntime hook #0"
    nothing_left
  done
}

# bats test_tags=natively
@test "startContainer that fails: start fails, and the container is over" {
  bundle '"sleep","1000"' '.hooks = {"startContainer":[{"path":"/bin/false"}]}'
  oci create -b "$B" "$id"
  ok
  oci start "$id"
  says 1 "startContainer hook #0"
  becomes stopped
  oci delete "$id"
  ok
  oci run -b "$B" "$id"
  says 1 "startContainer hook #0"
  nothing_left
}

@test "poststart that fails: start fails, and the container is stopped" {
  bundle '"sleep","1000"' '.hooks = {"poststart":[{"path":"/bin/true"},{"path":"/bin/false"}]}'
  oci create -b "$B" "$id"
  ok
  oci start "$id"
  says 1 "poststart hook #1"
  becomes stopped
  oci delete "$id"
  ok
  for how in "" --detach; do
    # shellcheck disable=SC2086
    oci run $how -b "$B" "$id"
    says 1 "poststart hook #1"
    nothing_left
  done
}

# bats test_tags=natively
@test "poststop that fails is told, and changes nothing" {
  bundle '"sleep","1000"' '.hooks = {"poststop":[{"path":"/bin/false"},{"path":"/nonexistent"}]}'
  oci run -d -b "$B" "$id"
  ok
  oci delete -f "$id"
  [[ $status -eq 0 && "$(grep -c poststop <<< "$stderr")" -eq 2 ]]
  nothing_left
}

# bats test_tags=natively
@test "a hook has its timeout, and what it started ends with it" {
  printf '#!/bin/sh\nsleep 1234 &\necho $! > %s/child\nsleep 1234\n' "$seen" > "$BATS_TEST_TMPDIR/slow"
  chmod 755 "$BATS_TEST_TMPDIR/slow"
  bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/slow\",\"timeout\":1}]}"
  oci create -b "$B" "$id"
  says 1 "not done within 1 s"
  nothing_left
  wait_until 50 is_gone "$(cat "$seen/child")"
  for bad in 0 -1; do
    bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"/bin/true\",\"timeout\":$bad}]}"
    oci create -b "$B" "$id"
    says 1 "timeout"
  done
  bundle '"true"' '.hooks = {"createRuntime":[{"path":"relative"}]}'
  oci create -b "$B" "$id"
  says 1 "hooks.createRuntime[0].path"
}

# bats test_tags=natively
@test "a hook has no signal blocked, whoever runs it" {
  # dash would unblock them itself
  printf '#!/bin/bash\nread -r -d "" text < /proc/self/status\ngrep "^SigBlk" <<< "$text" >> %s/signals\n' "$seen" > "$BATS_TEST_TMPDIR/hook"
  chmod 755 "$BATS_TEST_TMPDIR/hook"
  bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/hook\"}],\"poststop\":[{\"path\":\"$BATS_TEST_TMPDIR/hook\"}]}"
  oci run -b "$B" "$id"
  ok
  cat "$seen/signals"
  [[ "$(wc -l < "$seen/signals")" -eq 2 ]]
  run ! grep -v '[[:space:]]0000000000000000$' "$seen/signals"
}
is_gone() {
  [[ ! -d /proc/$1 || "$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status")" == Z ]]
}

# bats test_tags=natively
@test "several hooks of a kind run in their order, up to the first that fails" {
  for n in 1 2 4; do
    printf '#!/bin/sh\ncat > /dev/null\necho %s >> %s/order\n' "$n" "$seen" > "$BATS_TEST_TMPDIR/h$n"
    chmod 755 "$BATS_TEST_TMPDIR/h$n"
  done
  bundle '"true"' ".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/h1\"},{\"path\":\"$BATS_TEST_TMPDIR/h2\"},{\"path\":\"/bin/false\"},{\"path\":\"$BATS_TEST_TMPDIR/h4\"}]}"
  oci create -b "$B" "$id"
  says 1 "createRuntime hook #2"
  [[ "$(tr '\n' ' ' < "$seen/order")" == "1 2 " ]]
  nothing_left
}

@test "a hook sees the container's mounts from outside, and can change its network" {
  printf '#!/bin/sh\npid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/")\nnsenter -t $pid -n ip link set lo up\nnsenter -t $pid -n ip link add hooked type veth peer name other\n' > "$BATS_TEST_TMPDIR/net"
  chmod 755 "$BATS_TEST_TMPDIR/net"
  bundle '"ls","/sys/class/net"' ".hooks = {\"prestart\":[{\"path\":\"$BATS_TEST_TMPDIR/net\",\"env\":[\"PATH=$PATH\"]}]}"
  oci run -b "$B" "$id"
  ok
  grep -qx hooked <<< "$output"
}

@test "hooks find the container's tree at root.path of its mount namespace, and mount into it" {
  local tree=$BATS_FILE_TMPDIR/rootfs
  cat > "$BATS_TEST_TMPDIR/outside" << EOS
#!/bin/sh
pid=\$(jq .pid)
ls "/proc/\$pid/root$tree/proc/1/status" > $seen/outside
exec nsenter -t "\$pid" -m mount -t tmpfs -o size=4k hooked $tree/mnt
EOS
  cat > "$BATS_TEST_TMPDIR/within" << EOS
#!/bin/sh
{ pwd; ls -d $tree/dev/null; } > $seen/within
exec mount -t tmpfs -o size=8k hooked $tree/tmp
EOS
  chmod 755 "$BATS_TEST_TMPDIR"/{outside,within}
  hooked=".hooks = {\"createRuntime\":[{\"path\":\"$BATS_TEST_TMPDIR/outside\",\"env\":[\"PATH=$PATH\"]}],
    \"createContainer\":[{\"path\":\"$BATS_TEST_TMPDIR/within\",\"env\":[\"PATH=$PATH\"]}]}"
  inside 'grep hooked /proc/mounts | cut -d" " -f2' "$hooked"
  prints "/mnt"$'\n'"/tmp"
  [[ "$(< "$seen/within")" == "$tree"$'\n'"$tree/dev/null" && -s $seen/outside ]]
  run ! grep hooked /proc/mounts
  chmod 777 "$seen"
  rm "$seen"/*
  inside 'grep -c hooked /proc/mounts' "$hooked | del(.hooks.createRuntime) | .linux.namespaces += [{\"type\":\"user\"}]
    | .linux.uidMappings = [{\"containerID\":0,\"hostID\":300000,\"size\":65536}] | .linux.gidMappings = .linux.uidMappings"
  prints 1
}

# ---- pause, resume, update, events ----

@test "pause stops all processes at once, resume lets them go on" {
  bundle_sh 'i=0; while :; do i=$((i+1)); echo $i > /tmp/n; done' '.mounts += [{"destination":"/tmp","type":"tmpfs","source":"tmpfs"}]'
  oci run -d -b "$B" "$id"
  ok
  oci exec -d "$id" sh -c 'while :; do echo x > /tmp/m; done'
  oci pause "$id"
  ok
  [[ "$(status_of)" == paused ]]
  local n
  n=$(cat "/proc/$(pid_of)/root/tmp/n")
  sleep 0.5
  [[ "$(cat "/proc/$(pid_of)/root/tmp/n")" == "$n" ]]
  oci kill "$id" KILL
  oci resume "$id"
  becomes stopped
}

@test "events --stats, --interval; update refuses what is wrong" {
  bundle '"sleep","1000"'
  oci run -d -b "$B" "$id"
  oci events --stats "$id"
  ok
  jq -e --arg id "$id" '.type == "stats" and .id == $id and (.data | has("cpu") and has("memory") and has("pids"))' <<< "$output"
  behind "$OCI" --root "$ROOT" events --interval 200ms "$id"
  wait_until 50 has_lines 3
  jq -e .type "$BATS_TEST_TMPDIR/behind.out" > /dev/null
  for bad in 0 -1s x; do
    oci events --interval "$bad" "$id"
    says 1 "interval"
  done
  for o in "--memory x" "--memory -2" "--cpu-share x" "--cpu-quota x" "--blkio-weight 5" "--pids-limit x" "--cpu-idle 2" "--cpuset-cpus x-" "--memory-swap 1M"; do
    # shellcheck disable=SC2086
    oci update $o "$id"
    says 1 ""
  done
  oci update -r /nonexistent "$id"
  says 1 /nonexistent
  oci delete -f "$id"
  wait_until 50 is_gone "$behind"
}
has_lines() {
  [[ "$(wc -l < "$BATS_TEST_TMPDIR/behind.out")" -ge $1 ]]
}
