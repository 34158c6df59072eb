#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154
# test-host: plain, if asked for
# arnia-oci seen by strace: a file of procfs or of a cgroup is written only after the kernel has said, of that very descriptor, that it is
# one; and a program's rights go in an order in which none comes back.
bats_require_minimum_version 1.5.0
load oci_helpers

setup_file() {
  oci_file_up
}
teardown_file() {
  oci_file_down
}
setup() {
  [[ -x "$(command -v strace)" ]] || skip "no strace on this machine"
  oci_up
  mkdir "$BATS_TEST_TMPDIR/traces"
  n=0
}
teardown() {
  oci_down
}

CALLS=open,openat,openat2,creat,fstatfs,write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,copy_file_range,close,dup2,dup3,execve,execveat

# traced CMD...: a file for each of its processes, in which no call is cut in two by another's.
traced() {
  n=$((n + 1))
  status=0
  timeout "$((120 * SLOW))" strace -ff -y -s 200 -e trace="$CALLS" -e signal=none -o "$BATS_TEST_TMPDIR/traces/$n" "$@" \
    > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(cat "$BATS_TEST_TMPDIR/out") stderr=$(cat "$BATS_TEST_TMPDIR/err")
  echo "$*: status $status: $stderr"
}
oci_traced() {
  traced "$OCI" --root "$ROOT" "$@"
  ok
}

# judge TRACE...: "unchecked FILE" for what is written to a descriptor of which nothing is known, "checked FILE" for what fstatfs(2) called
# procfs or a cgroup, or was opened by openat2(2) from such a folder without leaving its mount. The state folder, sockets and the like need none.
judge() {
  awk -v root="$ROOT/" '
    function place(s) { sub(/^[^<]*</, "", s); sub(/>[^>]*$/, "", s); return s }
    FNR == 1 { split("", good); other = 0 }
    { call = $0; sub(/\(.*/, "", call); first = $0; sub(/^[^(]*\(/, "", first); result = $0; sub(/.* = /, "", result) }
    call ~ /^exec/ && result == 0 { other = !/arnia-oci", \[|\["arnia-oci"/; split("", good) } # the runtime again, or the program
    other || result ~ /^-1/ { next }
    call ~ /^(open|creat)/ {
      good[int(result)] = call == "openat2" && good[int(first)] && /RESOLVE_NO_XDEV/ && /RESOLVE_NO_MAGICLINKS/ && /RESOLVE_BENEATH/
    }
    call == "fstatfs" && /f_type=(PROC_SUPER|CGROUP2?_SUPER)_MAGIC/ { good[int(first)] = 1 }
    call == "close" { delete good[int(first)] }
    call ~ /^dup/ { good[int(result)] = good[int(first)] }
    call ~ /write|sendfile/ || call == "splice" || call == "copy_file_range" {
      if (call == "splice" || call == "copy_file_range") { sub(/^[^,]*, [^,]*, /, first) }
      fd = int(first); file = place(substr(first, 1, index(first, ">")))
      if (fd <= 2 || index(file, root) == 1 || file ~ /^(socket|pipe|anon_inode):|^\/memfd:|^\/dev\/(null|ptmx|pts\/[0-9]+)$/) next
      print (good[fd] ? "checked " : "unchecked ") file
    }' "$@" | sed 's,/proc/[0-9]*/,/proc/N/,' | sort | uniq -c
}
# all_checked NAME...: nothing was written unchecked, and files of these names were written.
all_checked() {
  local name
  judge "$BATS_TEST_TMPDIR"/traces/* > "$BATS_TEST_TMPDIR/judged"
  cat "$BATS_TEST_TMPDIR/judged"
  run ! grep -w unchecked "$BATS_TEST_TMPDIR/judged"
  for name in "$@"; do
    grep -q " checked .*/$name\$" "$BATS_TEST_TMPDIR/judged" || { echo "$name was not written"; return 1; }
  done
}

@test "9: the judge of the traces finds what is not checked" {
  local known=$BATS_TEST_TMPDIR/known
  ROOT=/r
  cat > "$known" << 'T'
openat(AT_FDCWD</>, "/proc/self/attr/exec", O_WRONLY) = 5</proc/9/attr/exec>
write(5</proc/9/attr/exec>, "x", 1) = 1
fstatfs(5</proc/9/attr/exec>, {f_type=PROC_SUPER_MAGIC, f_bsize=4096}) = 0
write(5</proc/9/attr/exec>, "x", 1) = 1
close(5</proc/9/attr/exec>) = 0
openat2(4</proc>, "self/uid_map", {flags=O_WRONLY, resolve=RESOLVE_NO_XDEV|RESOLVE_NO_MAGICLINKS|RESOLVE_BENEATH}, 24) = 5</proc/9/uid_map>
write(5</proc/9/uid_map>, "x", 1) = 1
fstatfs(4</proc>, {f_type=TMPFS_MAGIC, f_bsize=4096}) = 0
openat2(4</proc>, "self/gid_map", {flags=O_WRONLY, resolve=RESOLVE_NO_XDEV|RESOLVE_NO_MAGICLINKS|RESOLVE_BENEATH}, 24) = 5</proc/9/gid_map>
write(5</proc/9/gid_map>, "x", 1) = 1
fstatfs(4</proc>, {f_type=PROC_SUPER_MAGIC, f_bsize=4096}) = 0
openat2(4</proc>, "self/setgroups", {flags=O_WRONLY, resolve=RESOLVE_NO_XDEV|RESOLVE_NO_MAGICLINKS|RESOLVE_BENEATH}, 24) = 5</proc/9/setgroups>
write(5</proc/9/setgroups>, "x", 1) = 1
openat2(4</proc>, "self/loginuid", {flags=O_WRONLY, resolve=RESOLVE_BENEATH}, 24) = 5</proc/9/loginuid>
write(5</proc/9/loginuid>, "x", 1) = 1
openat(4</r/c>, "state.json", O_WRONLY) = 6</r/c/state.json>
write(6</r/c/state.json>, "x", 1) = 1
T
  diff <(judge "$known" | awk '{print $2, $3}') - << 'T'
checked /proc/N/attr/exec
checked /proc/N/setgroups
unchecked /proc/N/attr/exec
unchecked /proc/N/gid_map
unchecked /proc/N/loginuid
unchecked /proc/N/uid_map
T
}

@test "9: all that run and exec write to procfs and cgroups is checked to be there" {
  bundle '"true"' '.process.oomScoreAdj = 300 | .linux.sysctl = {"net.ipv4.ip_forward":"1","kernel.msgmax":"9000"}'
  oci_traced run -b "$B" "$id"
  bundle '"sleep","1000"' '.process.oomScoreAdj = 300'
  oci run -d -b "$B" "$id"
  ok
  oci_traced exec "$id" true
  oci_traced exec --user 1000:1000 --cwd /tmp "$id" true
  all_checked oom_score_adj ip_forward msgmax
}

@test "9: so it is with namespaces of users and clocks" {
  local maps='.linux.namespaces += [{"type":"user"},{"type":"time"}] | .linux.uidMappings = [{"containerID":0,"hostID":200000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
  chown 200000:200000 "$BATS_FILE_TMPDIR/rootfs"
  bundle '"true"' "$maps | .linux.timeOffsets = {monotonic:{secs:100}} | .process.oomScoreAdj = 300 | .linux.sysctl = {\"net.ipv4.ip_forward\":\"1\"}"
  oci_traced run -b "$B" "$id"
  bundle '"sleep","1000"' "$maps | .process.oomScoreAdj = 300"
  oci run -d -b "$B" "$id"
  ok
  oci_traced exec "$id" true
  all_checked oom_score_adj ip_forward uid_map gid_map timens_offsets
}

@test "9: so it is with the maps of an idmapped mount" {
  mkdir "$BATS_TEST_TMPDIR/volume"
  bundle '"true"' ".mounts += [{\"destination\":\"/mnt\",\"type\":\"bind\",\"source\":\"$BATS_TEST_TMPDIR/volume\",\"options\":[\"bind\"],
    \"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":10}]}]"
  oci_traced run -b "$B" "$id"
  all_checked uid_map gid_map
}

@test "9: so it is with limits, in create, update, pause, kill and delete" {
  has memory pids cpu
  bundle '"sleep","1000"' '.linux.resources += {memory:{limit:100000000},pids:{limit:50},cpu:{shares:512}}'
  # what sleeps would be traced for ever
  timeout "$((120 * SLOW))" strace -ff -y -s 200 -e trace=$CALLS -o "$BATS_TEST_TMPDIR/traces/run" "$OCI" --root "$ROOT" run -b "$B" "$id" \
    > /dev/null 2>&1 < /dev/null 3>&- &
  mine+=($!)
  wait_until 300 is_status running
  oci_traced update --memory 200000000 --pids-limit 60 "$id"
  oci_traced pause "$id"
  oci_traced resume "$id"
  oci_traced exec "$id" true
  oci_traced delete -f "$id"
  wait "${mine[-1]}" || :
  all_checked memory.max pids.max cpu.weight cgroup.freeze cgroup.kill cgroup.subtree_control
}

@test "9: so it is with the maps that a plain user writes" {
  local base=$BATS_FILE_TMPDIR/plain user=4242
  setpriv --reuid $user --regid $user --clear-groups unshare -Ur true 2> /dev/null || skip "a plain user may not make user namespaces here"
  mkdir -p "$base" "$BATS_TEST_TMPDIR/run"
  chmod 755 "$BATS_TEST_TMPDIR"
  cp "$OCI" "$base/arnia-oci"
  chown $user:$user "$BATS_TEST_TMPDIR/run"
  chown -R $user:$user "$BATS_TEST_TMPDIR/traces"
  B=$BATS_TEST_TMPDIR/bundle
  mkdir -p "$B"
  "$OCI" spec --rootless -b "$B"
  jq ".process.terminal = false | .process.args = [\"true\"] | .process.oomScoreAdj = 300 | .root.path = \"$BATS_FILE_TMPDIR/rootfs\" |
    .linux.uidMappings[0].hostID = $user | .linux.gidMappings[0].hostID = $user" "$B/config.json" > "$B/new"
  mv "$B/new" "$B/config.json"
  ROOT=$BATS_TEST_TMPDIR/run/arnia-oci
  traced setpriv --reuid $user --regid $user --clear-groups env -i PATH="$PATH" XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" "$base/arnia-oci" run -b "$B" "$id"
  ok
  all_checked uid_map gid_map setgroups oom_score_adj
}

# order: what the process did that became true(1), and before it the one that went its way for it; in short, repeats once
order() {
  local of
  mapfile -t of < <(cd "$BATS_TEST_TMPDIR/traces" && grep -l '^setresuid(1000,' ./* && grep -l '^execve("/bin/true"' ./*)
  [[ ${of[0]} != "${of[1]}" ]] || unset "of[1]"
  sed -n 's/.*PR_CAPBSET_DROP.*/bounds/p; s/^setgroups(0, \[\]).*/groups/p; s/^setresgid(1001,.*/gid/p; s/^setresuid(1000,.*/uid/p; s/^capset(.*/caps/p
    s/.*SUID_DUMP_DISABLE) = 0/undumpable/p; s/.*PR_SET_NO_NEW_PRIVS, 1.*/nnp/p; s/^seccomp(SECCOMP_SET_MODE_FILTER.*/filter/p
    s/^close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC) *= 0/closed/p; s/^getcwd("\/.*/cwd/p; s/^execve("\/bin\/true".*/program/p' "${of[@]/#/$BATS_TEST_TMPDIR/traces/}" | uniq | xargs
}

@test "11: bounds, groups, ids, capabilities, no_new_privs, filter; every descriptor closed and the folder looked at before the program" {
  local filter='.linux.seccomp = {defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["getppid"],action:"SCMP_ACT_ERRNO"}]}' nnp want how
  CALLS=prctl,setgroups,setresgid,setresuid,capset,seccomp,close_range,execve,getcwd
  for nnp in true false; do
    want="cwd bounds groups gid uid undumpable caps nnp closed filter program"
    # it takes a capability that is dropped then
    [[ $nnp == true ]] || want="cwd filter bounds groups gid uid undumpable caps closed program"
    for how in run exec; do
      rm -f "$BATS_TEST_TMPDIR"/traces/*
      bundle "$([[ $how == run ]] && echo '"true"' || echo '"sleep","1000"')" "$filter | .process.noNewPrivileges = $nnp | .process.user = {uid: 1000, gid: 1001}"
      if [[ $how == run ]]; then
        oci_traced run -b "$B" "$id"
      else
        oci run -d -b "$B" "$id"
        oci_traced exec --cwd /tmp "$id" true
        oci delete -f "$id"
      fi
      [[ "$(order)" == "undumpable $want" ]] || { echo "$how, no_new_privs $nnp: $(order)"; return 1; }
    done
  done
}
