#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# arnia-oci: linux.resources as the kernel has them, what update changes, events, and where the cgroup is. Limits need the controllers of
# cgroup v2: on a host with those of v1 only the places and the refusals are tested.
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
  at=$(cg_top)/$id
}
teardown() {
  oci_down
}

# limited RESOURCES: a container that sleeps, with them.
limited() {
  bundle '"sleep","1000"' ".linux.resources += $1"
  oci run -d -b "$B" "$id"
  ok
}
# file NAME VALUE: a control file has it.
file() {
  [[ "$(cat "$at/$1")" == "$2" ]] || { echo "$1: $(cat "$at/$1"), expected $2"; return 1; }
}
update() {
  oci update "$@" "$id"
  ok
}
cgroup_of() {
  sed -n 's/^0:://p' "/proc/$1/cgroup"
}

# ---- where it is ----

@test "cgroupsPath: none, absolute, relative, deep; init and exec are in it" {
  local path want
  for path in "" "/$id/sub/deep" "$id-rel" "/$id-abs"; do
    want=${path:-/$id}
    bundle '"sleep","1000"' "$([[ -z $path ]] && echo . || echo ".linux.cgroupsPath = \"$path\"")"
    oci run -d -b "$B" "$id"
    ok
    [[ "$(cgroup_of "$(pid_of)")" == "/${want#/}" ]]
    oci exec -d --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000
    ok
    [[ "$(cgroup_of "$(cat "$BATS_TEST_TMPDIR/pid")")" == "/${want#/}" ]]
    oci delete -f "$id"
    ok
    [[ ! -d $(cg_top)/${want#/} ]]
  done
  rmdir "$(cg_top)/$id/sub" "$(cg_top)/$id" 2> /dev/null || :
  for path in "/../x" "a/../../x" / ; do
    bundle '"true"' ".linux.cgroupsPath = \"$path\""
    oci run -b "$B" "$id"
    says 1 cgroupsPath
  done
}

@test "a cgroup that is there and empty is used, and gone afterwards; --cgroup-manager disabled makes none" {
  mkdir "$at"
  limited '{}'
  [[ "$(cgroup_of "$(pid_of)")" == "/$id" ]]
  oci delete -f "$id"
  [[ ! -e $at ]]
  bundle '"cat","/proc/self/cgroup"' '.linux.namespaces |= map(select(.type != "cgroup"))'
  oci --cgroup-manager disabled run -b "$B" "$id"
  ok
  [[ "$(grep ^0:: <<< "$output")" == "$(grep ^0:: /proc/self/cgroup)" ]]
}

@test "exec --cgroup: below the container's, never outside" {
  limited '{}'
  mkdir "$at/below"
  oci exec --cgroup below "$id" true
  ok
  oci exec -d --cgroup /below --pid-file "$BATS_TEST_TMPDIR/pid" "$id" sleep 1000
  ok
  [[ "$(cgroup_of "$(cat "$BATS_TEST_TMPDIR/pid")")" == "/$id/below" ]]
  for bad in nosuch .. ../x /../../ below/../..; do
    oci exec --cgroup "$bad" "$id" true
    says 255 ""
  done
  # It is killed and removed with the rest.
  oci delete -f "$id"
  ok
  [[ ! -e $at ]]
}

@test "the container's own cgroups are below its cgroup, and go with it" {
  bundle_sh 'mkdir /sys/fs/cgroup/a /sys/fs/cgroup/a/b && sleep 1000 & sleep 0.2; echo $! > /sys/fs/cgroup/a/b/cgroup.procs; sleep 1000' \
    '.mounts |= map(if .type == "cgroup" then .options = ["rw"] else . end)'
  oci run -d -b "$B" "$id"
  ok
  wait_until 50 test -d "$at/a/b"
  oci delete -f "$id"
  ok
  [[ ! -e $at ]]
}

@test "a cgroup of a container with a user namespace is delegated to its root" {
  local maps='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
  bundle_sh 'mkdir /sys/fs/cgroup/x && echo $$ > /sys/fs/cgroup/x/cgroup.procs && echo made; sleep 1000' "$maps | .mounts |= map(if .type == \"cgroup\" then .options = [\"rw\"] else . end)"
  timeout 60 "$OCI" --root "$ROOT" run -d -b "$B" "$id" > "$BATS_TEST_TMPDIR/log" 2>&1 < /dev/null 3>&-
  wait_until 50 grep -q made "$BATS_TEST_TMPDIR/log"
  [[ "$(stat -c %u "$at")" == 100000 && "$(stat -c %u "$at/cgroup.procs")" == 100000 && "$(stat -c %u "$at/cgroup.freeze")" == 0 ]]
  oci delete -f "$id"
  [[ ! -e $at ]]
}

# ---- what cannot be ----

@test "a limit that the host cannot give is an error that names it, and nothing is left" {
  grep -qw memory "$(cg_top)/cgroup.controllers" && skip "this host has the controllers"
  fails "memory" '"true"' '.linux.resources.memory = {"limit":100000000}'
  fails "pids" '"true"' '.linux.resources.pids = {"limit":100}'
  fails "cpu" '"true"' '.linux.resources.cpu = {"quota":50000,"period":100000}'
  fails "nosuch" '"true"' '.linux.resources.unified = {"nosuch.file":"1"}'
  # What engines write without being asked is none.
  inside 'echo fine' '.linux.resources += {"cpu":{"shares":1024},"memory":{"swappiness":60,"disableOOMKiller":false},"network":{"classID":5}}'
  prints fine
}

# bats test_tags=natively
@test "resources that are wrong" {
  local r
  for r in '{"memory":{"limit":-2}}' '{"memory":{"limit":"x"}}' '{"memory":{"limit":1000000,"swap":5}}' '{"cpu":{"idle":2}}' '{"cpu":{"shares":-1}}' '{"pids":{"limit":-2}}' '{"pids":7}' \
    '{"hugepageLimits":[{"pageSize":"2XB","limit":1}]}' '{"unified":{"../memory.max":"1"}}' '{"unified":{"memory.max":1}}' '{"blockIO":{"weight":5}}' '{"devices":[{"allow":true,"access":""}]}'; do
    fails "linux.resources" '"true"' ".linux.resources += $r"
  done
}

# ---- limits ----

@test "memory: limit, reservation, swap; update of each" {
  has memory
  limited '{"memory":{"limit":67108864,"reservation":33554432,"swap":100663296}}'
  file memory.max 67108864
  file memory.low 33554432
  [[ ! -e $at/memory.swap.max ]] || file memory.swap.max 33554432
  update --memory 128M --memory-swap 256M
  file memory.max 134217728
  [[ ! -e $at/memory.swap.max ]] || file memory.swap.max 134217728
  file memory.low 33554432
  update --memory-reservation 16777216
  file memory.low 16777216
  update --memory-swap -1
  [[ ! -e $at/memory.swap.max ]] || file memory.swap.max max
  update --memory -1
  file memory.max max
  oci update --memory 64M --memory-swap 32M "$id"
  says 1 "swap"
  file memory.max max
  echo '{"memory":{"limit":1,"checkBeforeUpdate":true}}' > "$BATS_TEST_TMPDIR/r"
  oci update -r "$BATS_TEST_TMPDIR/r" "$id"
  says 1 ""
  file memory.max max
}

@test "memory is enforced: what goes over it is killed, and events tells" {
  has memory
  bundle_sh 'while [ ! -e /dev/shm/go ]; do sleep 0.1; done; head -c 200000000 /dev/zero | tail > /dev/null; echo $?; sleep 1000' '.linux.resources += {"memory":{"limit":33554432,"swap":33554432}}'
  oci run -d -b "$B" "$id"
  ok
  behind "$OCI" --root "$ROOT" events --interval 1s "$id"
  wait_until 50 test -s "$BATS_TEST_TMPDIR/behind.out"
  oci exec "$id" touch /dev/shm/go
  wait_until 300 grep -q '"type":"oom"' "$BATS_TEST_TMPDIR/behind.out"
  grep -q '^oom_kill [1-9]' "$at/memory.events"
  [[ "$(status_of)" == running ]]
}

@test "cpu: shares, quota and period, burst, idle, cpuset; update of each" {
  has cpu
  limited '{"cpu":{"shares":2048,"quota":50000,"period":200000}}'
  file cpu.max "50000 200000"
  [[ "$(cat "$at/cpu.weight")" -gt 100 && "$(cat "$at/cpu.weight")" -lt 400 ]]
  update --cpu-quota 25000 --cpu-period 100000
  file cpu.max "25000 100000"
  update --cpu-share 2
  file cpu.weight 1
  update --cpu-share 262144
  file cpu.weight 10000
  update --cpu-quota -1
  file cpu.max "max 100000"
  if [[ -e $at/cpu.max.burst ]]; then
    update --cpu-quota 50000 --cpu-burst 10000
    file cpu.max.burst 10000
  fi
  if [[ -e $at/cpu.idle ]]; then
    update --cpu-idle 1
    file cpu.idle 1
    update --cpu-idle 0
    file cpu.idle 0
    file cpu.weight 10000
  fi
  grep -qw cpuset "$(cg_top)/cgroup.controllers" || return 0
  update --cpuset-cpus 0 --cpuset-mems 0
  file cpuset.cpus 0
  file cpuset.mems 0
  oci update --cpuset-cpus 4000 "$id"
  says 1 "cpuset.cpus"
}

@test "the default of cpu.shares is the default weight" {
  has cpu
  limited '{"cpu":{"shares":1024}}'
  file cpu.weight 100
}

@test "pids: the limit holds; update" {
  has pids
  limited '{"pids":{"limit":8}}'
  file pids.max 8
  oci exec "$id" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait'
  [[ $stderr == *fork* ]]
  update --pids-limit 50
  file pids.max 50
  update --pids-limit -1
  file pids.max max
  bundle '"true"' '.linux.resources.pids = {"limit":-1}'
  oci delete -f "$id"
  oci run -b "$B" "$id"
  ok
}

@test "io: weight and throttles of a device" {
  has io
  local dev
  dev=$(lsblk -dno MAJ:MIN -e 7,1,11 2> /dev/null | head -n 1 | tr -d ' ')
  [[ -n $dev ]] || skip "no block device here"
  limited "{\"blockIO\":{\"weight\":500,\"throttleReadBpsDevice\":[{\"major\":${dev%:*},\"minor\":${dev#*:},\"rate\":1048576}],\"throttleWriteIOPSDevice\":[{\"major\":${dev%:*},\"minor\":${dev#*:},\"rate\":99}]}}"
  file io.max "$dev rbps=1048576 wbps=max riops=max wiops=99"
  if [[ -e $at/io.bfq.weight ]]; then file io.bfq.weight "default 500"; elif [[ -e $at/io.weight ]]; then file io.weight "default 4950"; fi
  update --blkio-weight 100
  if [[ -e $at/io.bfq.weight ]]; then file io.bfq.weight "default 100"; elif [[ -e $at/io.weight ]]; then file io.weight "default 910"; fi
}

@test "hugetlb" {
  has hugetlb
  [[ -e /sys/kernel/mm/hugepages/hugepages-2048kB ]] || skip "no pages of 2 MB here"
  limited '{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}'
  file hugetlb.2MB.max 4194304
  [[ ! -e $at/hugetlb.2MB.rsvd.max ]] || file hugetlb.2MB.rsvd.max 4194304
}

@test "unified: written as it stands, after the rest; a file that is not there is an error" {
  has memory pids
  limited '{"pids":{"limit":5},"unified":{"memory.high":"50000000","pids.max":"66","cgroup.max.depth":"3"}}'
  file memory.high 49999872
  file pids.max 66
  file cgroup.max.depth 3
  echo '{"unified":{"memory.high":"max"}}' > "$BATS_TEST_TMPDIR/r"
  update -r "$BATS_TEST_TMPDIR/r"
  file memory.high max
  file pids.max 66
  oci delete -f "$id"
  fails "memory.nosuch" '"true"' '.linux.resources.unified = {"memory.nosuch":"1"}'
}

@test "update by a file changes what is in it, and keeps the rest" {
  has memory pids
  limited '{"memory":{"limit":67108864},"pids":{"limit":10}}'
  echo '{"pids":{"limit":20}}' > "$BATS_TEST_TMPDIR/r"
  update -r "$BATS_TEST_TMPDIR/r" --pids-limit 5
  file pids.max 20
  file memory.max 67108864
  timeout 60 "$OCI" --root "$ROOT" update --resources - "$id" <<< '{"memory":{"limit":134217728}}'
  file memory.max 134217728
  file pids.max 20
  oci pause "$id"
  update --pids-limit 21
  file pids.max 21
}

@test "update of the device rules" {
  bundle '"sleep","1000"' '.linux.devices = [{"path":"/dev/k","type":"c","major":1,"minor":12,"fileMode":438}]'
  oci run -d -b "$B" "$id"
  ok
  oci exec "$id" oci_aid open /dev/k r
  prints EPERM
  echo '{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":12,"access":"r"}]}' > "$BATS_TEST_TMPDIR/r"
  update -r "$BATS_TEST_TMPDIR/r"
  oci exec "$id" oci_aid open /dev/k r
  prints ENXIO
  oci exec "$id" oci_aid open /dev/k w
  prints EPERM
  oci exec "$id" oci_aid open /dev/null w
  prints ok
}

# one_program CGROUP: of bpftool's tree, or of our own look where there is no bpftool
one_program() {
  if [[ -x "$(command -v bpftool)" ]]; then
    bpftool cgroup tree "$1" > "$BATS_TEST_TMPDIR/tree"
    [[ $(grep -cE '^ *[0-9]+ +(cgroup_)?device ' "$BATS_TEST_TMPDIR/tree") -eq 1 ]] || { cat "$BATS_TEST_TMPDIR/tree"; return 1; }
  fi
  [[ $("$ARNIA_BUILD/tests/fakes/cgprogs" "$1" | wc -l) -eq 1 ]]
}

@test "one device program stands on the container's cgroup, whatever is done" {
  local n
  bundle '"sleep","1000"' '.linux.devices = [{"path":"/dev/k","type":"c","major":1,"minor":12,"fileMode":438}]'
  oci create -b "$B" "$id"
  ok
  one_program "$at"
  oci start "$id"
  one_program "$at"
  for n in r w rw; do
    echo '{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":12,"access":"'$n'"}]}' > "$BATS_TEST_TMPDIR/r"
    update -r "$BATS_TEST_TMPDIR/r"
    one_program "$at"
    oci exec "$id" oci_aid open /dev/k r
    prints "$([[ $n == w ]] && echo EPERM || echo ENXIO)" # the last one counts, and no other
    one_program "$at"
  done
  if grep -qw pids "$(cg_top)/cgroup.controllers"; then update --pids-limit 40; fi
  oci pause "$id"
  oci resume "$id"
  one_program "$at"
  # more rules than a program of the kernel's examples has, the last of which matters
  jq -n '{devices: ([{allow:false,access:"rwm"}] + [range(300; 600) | {allow:true,type:"c",major:.,minor:5,access:"rw"}] + [{allow:true,type:"c",major:1,minor:12,access:"w"}])}' > "$BATS_TEST_TMPDIR/r"
  update -r "$BATS_TEST_TMPDIR/r"
  one_program "$at"
  oci exec "$id" oci_aid open /dev/k w
  prints ENXIO
  oci exec "$id" oci_aid open /dev/k r
  prints EPERM
}

@test "a cgroup that the container makes has no more devices than the container, not by a program of its own either" {
  cp "$ARNIA_BUILD/tests/fakes/cgprogs" "$BATS_FILE_TMPDIR/rootfs/bin/"
  bundle '"sleep","1000"' '.linux.devices = [{"path":"/dev/k","type":"c","major":1,"minor":12,"fileMode":438}] | .linux.resources.devices = [{"allow":false,"access":"rwm"}]
    | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)
    | .process.capabilities |= map_values(["CAP_SYS_ADMIN","CAP_BPF","CAP_NET_ADMIN","CAP_PERFMON","CAP_MKNOD"])'
  oci run -d -b "$B" "$id"
  ok
  oci exec "$id" sh -c 'mkdir /sys/fs/cgroup/wider && echo 0 > /sys/fs/cgroup/wider/cgroup.procs && cgprogs -a /sys/fs/cgroup/wider; oci_aid open /dev/k r; oci_aid open /dev/k w; rmdir /sys/fs/cgroup/wider; true'
  # a program of its own may stand there (CAP_BPF is the host's here), but all on the way up have to agree
  [[ $output == "load "*$'\nEPERM\nEPERM' ]]
  if [[ $output == "load ok"* ]]; then [[ $output == *" ok"*" ok"* ]]; fi
  # what it does to its own top takes nothing away
  oci exec "$id" sh -c 'cgprogs -a /sys/fs/cgroup; oci_aid open /dev/k r; true'
  [[ $output == *$'\nEPERM' ]]
}

@test "a block device of the host that is bound into a container without a rule stays closed, CAP_MKNOD or not" {
  local node major minor
  node=$(cat /sys/class/block/*/dev 2> /dev/null | head -n 1)
  major=${node%:*} minor=${node#*:}
  [[ -n "$node" ]] || major=7 minor=0
  mknod "$BATS_TEST_TMPDIR/disk" b "$major" "$minor"
  local bound=".mounts += [{\"destination\":\"/disk\",\"type\":\"bind\",\"source\":\"$BATS_TEST_TMPDIR/disk\",\"options\":[\"bind\"]}]"
  local caps='.process.capabilities |= map_values(. + ["CAP_MKNOD","CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"])'
  local try="oci_aid open /disk r; oci_aid open /disk w; mknod /dev/disk b $major $minor && oci_aid open /dev/disk r; mount -o remount,dev /disk 2> /dev/null; oci_aid open /disk r; true"
  inside "$try" "$bound | $caps"
  prints $'EPERM\nEPERM\nEPERM\nEPERM'
  inside "$try" "$bound"
  prints $'EPERM\nEPERM\nEPERM' # no node of its own
  # with a rule the kernel is asked
  inside 'oci_aid open /disk r; true' "$bound | .linux.resources.devices = [{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"b\",\"major\":$major,\"minor\":$minor,\"access\":\"r\"}]"
  [[ $output != EPERM ]]
}

@test "events --stats: numbers of the kernel" {
  has memory pids cpu
  limited '{"memory":{"limit":67108864},"pids":{"limit":10}}'
  oci events --stats "$id"
  ok
  jq -e '.data | .memory.usage.limit == 67108864 and .memory.usage.usage > 0 and .pids.limit == 10 and .pids.current == 1 and (.cpu.usage.total > 0)' <<< "$output"
}

@test "the control files are what runc writes" {
  needs_runc
  has memory pids cpu
  local f n=0
  bundle '"sleep","1000"' '.linux.resources += {"memory":{"limit":67108864,"reservation":33554432,"swap":100663296},"cpu":{"quota":50000,"period":100000,"cpus":"0","mems":"0"},"pids":{"limit":44},
    "blockIO":{"weight":300},"unified":{"memory.high":"60000000","cgroup.max.depth":"7"}}'
  same run -d -b "$B" "$id"
  for f in memory.max memory.low memory.high memory.swap.max memory.min memory.oom.group cpu.max cpu.weight cpuset.cpus cpuset.mems pids.max io.weight io.bfq.weight cgroup.max.depth cgroup.type; do
    [[ -e $at/$f ]] || continue
    [[ "$(cat "$at/$f")" == "$(cat "$(cg_top)/${id}r/$f")" ]] || { echo "$f: $(cat "$at/$f"), runc: $(cat "$(cg_top)/${id}r/$f")"; return 1; }
    n=$((n + 1))
  done
  [[ $n -ge 8 ]]
}
