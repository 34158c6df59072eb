# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What run.sh measures, one function a phase. Each adds "NAME VALUE" lines to $metrics.

branch() { arnia host info -f json | jq -r '(.info // .).cgroup'; }
cgroup2() { if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi; }

# Medians and processor times out of lines of `rounds` or `floor`.
take_rounds() {
  awk -F '\t' '{ print $1, $3; print $1 ".cpu", $8; print $1 ".least", $4 }' >> "$metrics"
}

phase_pieces() {
  first "$tools/own" "$ARNIA_BUILD/share/arnia/seccomp-profiles/default.json" >> "$metrics"
  first "$tools/floor" -n "$((rounds * 2))" -t piece. -c "$(cgroup2)" "$work/rootfs" | take_rounds
}

# ---- one at a time ----

c="crun --cgroup-manager=cgroupfs"

# The instance's own time counts as well.
ours() { printf 'case %s\ncgroup /sys/fs/cgroup/%s\n' "$1" "$branch"; }

script_floor() {
  cat << EOF
rounds $rounds
settle 25
socket $ARNIA_ROOT/run/arnia.sock
floor-command $tools/floor -s -c /sys/fs/cgroup $work/rootfs
case floor.nonet
floor user,full,seccomp
case floor.net
floor net,user,full,seccomp
case floor.net.nouser
floor net,full,seccomp
case floor.net.overlay
floor net,user,full,overlay,seccomp
case floor.start.nonet
floor-start user,full,seccomp,told
case floor.start.net
floor-start net,user,full,seccomp,told
EOF
}

script_crun() {
  cat << EOF
case crun.run.nonet
exec $c run -b $work/nonet arniabench1
case crun.run.net
exec $c run -b $work/plain arniabench1
case crun.run.user
exec $c run -b $work/user arniabench1
case crun.create
exec $c create -b $work/idle arniabench2
after $c delete -f arniabench2
case crun.start
before $c create -b $work/idle arniabench2
exec $c start arniabench2
after $c delete -f arniabench2
case crun.exec
exec $c exec arniabench0 /bin/true
case crun.state
exec $c state arniabench0
case crun.kill
before $c run -d -b $work/idle arniabench2
exec $c kill arniabench2 KILL
after $c delete -f arniabench2
case crun.delete
before $c run -d -b $work/idle arniabench2
before $c kill arniabench2 KILL
exec $c delete -f arniabench2
EOF
}

script_ours() {
  ours arnia.run.host
  echo "exec arnia run --rm --network host --read-only busybox /bin/true"
  ours arnia.run.none
  echo "exec arnia run --rm --network none --read-only busybox /bin/true"
  ours arnia.run.routed
  echo "exec arnia run --rm -p 8080:80 busybox /bin/true"
  ours arnia.exec
  echo "exec arnia exec one /bin/true"
  ours arnia.list
  echo "exec arnia list"
  ours arnia.kill
  echo "exec arnia kill -s CONT one"
  ours arnia.remove
  printf '%s\n' "before arnia run -d --name two busybox /bin/sleep 1000000" "exec arnia rm -f two"
  for net in none routed; do
    ours "arnia.start.$net"
    printf '%s\n' "before arnia create --network $net --name two busybox /bin/sleep 1000000" "exec arnia start two" \
      "after arnia rm -f two"
  done
  for net in host none; do
    ours "arnia.call.$net"
    printf '%s\n' "before arnia create --network $net --read-only --name two busybox /bin/sleep 1000000" \
      'call io.arnia.Start {"name":"two"}' "after arnia rm -f two"
  done
}

script_runc() {
  cat << EOF
rounds $slow_rounds
case runc.run
exec runc run -b $work/plain arniabench3
case runc.exec
exec runc exec arniabench4 /bin/true
EOF
}

phase_latency() {
  instance_down
  first nsenter --net="/run/netns/$host_ns" -- timeout 30 "$bin/arnia" list > /dev/null 2>&1
  arnia run -d --name one busybox /bin/sleep 1000000 > /dev/null || return
  local branch
  branch=$(branch)
  { script_floor; script_crun; script_ours; } > "$work/script"
  script_runc > "$work/script-runc"
  peers_view $c run -d -b "$work/idle" arniabench0 < /dev/null > /dev/null 2>&1 || { say "crun does not work here"; return; }
  peers_view runc run -d -b "$work/idle" arniabench4 < /dev/null > /dev/null 2>&1
  first nsenter --net="/run/netns/$host_ns" -- timeout 200 bash -c "$(declare -f peers_view); peers_view \"\$@\"" - \
    "$tools/rounds" "$work/script" | take_rounds
  timeout 60 bash -c "$(declare -f peers_view); peers_view \"\$@\"" - "$tools/rounds" "$work/script-runc" | take_rounds
  instance_down
  crun_down
}

# ---- arnia-oci, with the bundles and the command line of the others ----

# script_oci NAME RUNTIME IDLE: each act of it; IDLE is the id of one that runs.
script_oci() {
  cat << EOF
case $1.run.nonet
exec $2 run -b $work/nonet arniabench1
case $1.run.net
exec $2 run -b $work/plain arniabench1
case $1.run.user
exec $2 run -b $work/user arniabench1
case $1.run.mounts
exec $2 run -b $work/mounts arniabench1
case $1.create
exec $2 create -b $work/idle arniabench2
after $2 delete -f arniabench2
case $1.start
before $2 create -b $work/idle arniabench2
exec $2 start arniabench2
after $2 delete -f arniabench2
case $1.exec
exec $2 exec $3 /bin/true
case $1.state
exec $2 state $3
case $1.kill
before $2 run -d -b $work/idle arniabench2
exec $2 kill arniabench2 KILL
after $2 delete -f arniabench2
case $1.delete
before $2 run -d -b $work/idle arniabench2
before $2 kill arniabench2 KILL
exec $2 delete -f arniabench2
EOF
}

# The most that a run has resident at a time.
peak() { # NAME RUNTIME...
  metric "$1.peak" "$(peers_view busybox time -v "${@:2}" run -b "$work/plain" arniabench1 2>&1 | sed -n 's/.*Maximum resident set size (kbytes): //p')"
}

phase_oci() {
  local w0 w1
  mkdir "$work/mounts"
  jq '.mounts += [range(300) | {destination: "/tmp/m\(.)", type: "bind", source: "/etc", options: ["rbind", "ro"]}]' \
    "$work/nonet/config.json" > "$work/mounts/config.json"
  peers_view $c run -d -b "$work/idle" arniabench5 < /dev/null > /dev/null 2>&1 || { say "crun does not work here"; return; }
  peers_view $oci run -d -b "$work/idle" arniabench6 < /dev/null > /dev/null 2>&1
  { echo "rounds $rounds"; script_oci pcrun "$c" arniabench5; script_oci oci "$oci" arniabench6; } > "$work/script"
  first timeout 300 bash -c "$(declare -f peers_view); peers_view \"\$@\"" - "$tools/rounds" "$work/script" | take_rounds
  { echo "rounds $slow_rounds"; script_oci prunc runc none | sed -n '1,/^case prunc.run.user/p' | sed '$d'; } > "$work/script-runc"
  timeout 60 bash -c "$(declare -f peers_view); peers_view \"\$@\"" - "$tools/rounds" "$work/script-runc" | take_rounds
  peak oci $oci
  peak pcrun $c
  peak prunc runc
  # one among many
  read -r _ _ w0 w1 _ _ <<< "$(peers_view "$tools/many" -n "$many" -c /sys/fs/cgroup $oci run -d -b "$work/idle" 'arniabench-{}')"
  metric oci.grow.first "$w0"
  metric oci.grow.last "$w1"
  crun_down
}

# ---- what idle ones hold ----

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] + 0 }'; }
kernel_kib() { awk '/^(Slab|Percpu|KernelStack|PageTables):/ { n += $2 } END { print n }' /proc/meminfo; }
pss() { # of the pids on stdin, one a line
  local p
  while read -r p; do cat "/proc/$p/smaps_rollup" 2> /dev/null; done | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}
ours_pss() { arnia version -f json | jq -r '.keeper, .pid' | pss; }
workers() {
  local f p
  grep -lx $'Name:\tarnia-run' /proc/[0-9]*/status 2> /dev/null | while read -r f; do
    p=${f#/proc/} p=${p%/status}
    grep -qzx "ARNIA_ROOT=$ARNIA_ROOT" "/proc/$p/environ" 2> /dev/null && echo "$p"
  done
}
per() { awk -v a="$1" -v b="$2" -v n="$3" 'BEGIN { printf "%.1f\n", (b - a) / n }'; }

# What is held, without what is only kept: caches are dropped, and what ends in the background (network namespaces,
# grace periods) has ended when two readings are alike.
settled_kib() {
  local now before=0
  for _ in 1 2 3 4 5 6 7 8; do
    { sync -f "$work" && echo 2 > /proc/sys/vm/drop_caches; } 2> /dev/null
    sleep 0.5
    now=$(kernel_kib)
    [ $((now - before)) -lt -128 ] || [ $((now - before)) -gt 128 ] || break
    before=$now
  done
  echo "$now"
}

# idle_once NAME OPTIONS...: $idle machines; kernel and first process by /proc, keeper and daemon by PSS.
idle_once() {
  local name=$1 k0 k1 u0 u1 inside
  shift
  k0=$(settled_kib) u0=$(ours_pss)
  on_host "$tools/many" -n "$idle" "$bin/arnia" run -d --name 'i{}' "$@" busybox /bin/sleep 1000000 > /dev/null || return
  k1=$(settled_kib) u1=$(ours_pss)
  inside=$(cat "$(cgroup2)/$(branch)"/c-*/cgroup.procs | pss)
  per "$k0" "$k1" "$idle" >> "$work/$name.kernel"
  per "$u0" "$u1" "$idle" >> "$work/$name.user"
  per 0 "$inside" "$idle" >> "$work/$name.inside"
  arnia list -q | xargs -r -n 100 nsenter --net="/run/netns/$host_ns" -- "$bin/arnia" rm -f > /dev/null 2>&1
}

# idle_measure NAME OPTIONS...: the median of $idle_times. The first machine of all brings what later ones share.
idle_measure() {
  local name=$1 part i
  arnia run -d --name warm "${@:2}" busybox /bin/sleep 1000000 > /dev/null && arnia rm -f warm > /dev/null
  for ((i = 0; i < idle_times; i++)); do idle_once "$@" || return; done
  for part in kernel user inside; do metric "$name.$part" "$(median < "$work/$name.$part")"; done
  metric "$name" "$(awk -v n="$name." 'index($1, n) == 1 { s += $2 } END { print s }' "$metrics")"
}

phase_idle() {
  instance_down
  arnia list > /dev/null 2>&1
  sleep 1
  metric idle.base "$(ours_pss)"
  metric idle.workers "$(workers | pss)"
  idle_measure idle.total --no-init
  idle_measure idle.init
  idle_measure idle.host --network host --no-init
  metric idle.user "$(awk '$1 == "idle.total.user" { print $2 }' "$metrics")"
  metric idle.floor "$("$tools/floor" -d "$idle" -k net,user,full,seccomp,veth -c "$(cgroup2)" "$work/rootfs" | cut -d ' ' -f 1)"
  instance_down
}

# ---- many ----

phase_many() {
  local half=$((many / 2)) t
  arnia list > /dev/null 2>&1
  arnia run -d --network none --name warm busybox /bin/sleep 1000000 > /dev/null
  sleep 0.5
  read -r t _ <<< "$(on_host "$tools/many" -n "$half" "$bin/arnia" run -d --network none --name 'n{}' busybox /bin/sleep 1000000)"
  metric many.none "$t"
  instance_down
  arnia list > /dev/null 2>&1
  sleep 0.5
  read -r t _ <<< "$(peers_view "$tools/many" -n "$half" $c run -d -b "$work/idle" 'arniabench-{}')"
  metric many.crun "$t"
  crun_down
  for j in 1 2; do
    sleep 0.5
    read -r t _ <<< "$(on_host "$tools/many" -n $((many / 5)) -j $j "$bin/arnia" run -d --name "j$j-{}" busybox /bin/sleep 1000000)"
    metric "many.$([ $j = 1 ] && echo single || echo double)" "$t"
  done
  instance_down
}

# The crowd: as many as there will be, with network; growth, list, restart.
phase_crowd() {
  local half w0 w1 c0 c1 b e pid
  arnia run -d --name warm busybox /bin/sleep 1000000 > /dev/null
  sleep 0.5
  read -r _ half w0 w1 c0 c1 <<< "$(on_host "$tools/many" -n "$many" -c "$(cgroup2)/$(branch)" "$bin/arnia" run -d --name 'm{}' busybox /bin/sleep 1000000)"
  metric many.routed "$half"
  metric grow.wall.first "$w0"
  metric grow.wall.last "$w1"
  metric grow.cpu.first "$c0"
  metric grow.cpu.last "$c1"
  sleep 1
  printf '%s\n' "rounds 10" "case list.many" "exec arnia list" > "$work/script"
  on_host "$tools/rounds" "$work/script" | take_rounds
  pid=$(arnia version -f json | jq -r .pid)
  b=$(date +%s%N)
  kill -9 "$pid"
  arnia list -q > /dev/null
  e=$(date +%s%N)
  metric restart.many "$(((e - b) / 1000))"
  instance_down
}

# ---- network ----

# What others do, as plainly as it can be had: a bridge with a veth on it, masquerade.
bridge_up() {
  ip netns add "$bridge_ns" && ip netns add "$bridged_ns" || return 1
  ip -n "$bridge_ns" link set lo up
  ip -n "$bridge_ns" link add up1 type veth peer name up1 netns "$peer_ns"
  ip -n "$bridge_ns" addr add 203.0.113.1/24 dev up1
  ip -n "$peer_ns" addr add 203.0.113.2/24 dev up1
  ip -n "$bridge_ns" link set up1 up
  ip -n "$peer_ns" link set up1 up
  ip -n "$bridge_ns" link add br0 type bridge
  ip -n "$bridge_ns" addr add 192.0.2.1/24 dev br0
  ip -n "$bridge_ns" link set br0 up
  ip -n "$bridge_ns" link add b0 type veth peer name eth0 netns "$bridged_ns"
  ip -n "$bridge_ns" link set b0 master br0 up
  ip -n "$bridged_ns" addr add 192.0.2.2/24 dev eth0
  ip -n "$bridged_ns" link set eth0 up
  ip -n "$bridged_ns" route add default via 192.0.2.1
  nsenter --net="/run/netns/$bridge_ns" -- sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  printf '%s\n' 'table ip nat {' 'chain post {' 'type nat hook postrouting priority srcnat; policy accept;' \
    'oifname "up1" masquerade' '}' '}' | nsenter --net="/run/netns/$bridge_ns" -- nft -f -
}

# Sender and receiver get a processor each. Where the scheduler puts them decides more than the path between them does:
# on the same one, loopback with its segments of 64 KiB keeps its window in the cache, and is two to five times as fast as
# any link. The sender is in the container's network namespace, as the bridge's is in its own.
phase_network() {
  local ms load=$tools/load ns inside cpus from name
  ms=$(awk -v s="$seconds" 'BEGIN { print s * 1000 }')
  cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
  from=${cpus%%[-,]*}
  bridge_up || { say "cannot make a bridge to compare with"; return; }
  for ns in "$host_ns" "$peer_ns" "$bridge_ns"; do
    "${priority[@]}" taskset -c "${cpus##*[-,]}" nsenter --net="/run/netns/$ns" -- "$load" sink 5001 > /dev/null 2>&1 &
    started+=($!)
  done
  arnia run -d --name net1 busybox /bin/sleep 1000000 > /dev/null
  inside=/proc/$(arnia info -f json net1 | jq -r .pid)/ns/net
  sleep 0.3
  send() { first taskset -c "$from" nsenter --net="$2" -- "$load" send "$3" 5001 "$ms" >> "$work/$1"; }
  for _ in 1 2 3 4 5 6 7; do
    send net.loopback "/run/netns/$host_ns" 127.0.0.1
    send net.host "$inside" 198.51.100.1
    send net.bridge.host "/run/netns/$bridged_ns" 192.0.2.1
    send net.nat "$inside" 198.51.100.2
    send net.bridge.nat "/run/netns/$bridged_ns" 203.0.113.2
  done
  for name in net.loopback net.host net.nat net.bridge.host net.bridge.nat; do
    metric "$name" "$(median < "$work/$name")"
  done
  arnia rm -f net1 > /dev/null
}

# ---- what it costs to be inside ----

phase_inside() {
  local name=in1 i
  cp "$tools/load" "$work/load" && chmod 755 "$work/load"
  mkdir -p "$work/tmp" && mount -t tmpfs arnia-bench "$work/tmp"
  arnia run -d --name "$name" --tmpfs /tmp -v "$work/load:/load:ro" busybox /bin/sleep 1000000 > /dev/null
  for _ in 1 2 3; do
    for i in getppid compute memory file; do
      arnia exec -w /tmp "$name" /load "$i" >> "$work/in.$i"
      (cd "$work/tmp" && "$tools/load" "$i" >> "$work/out.$i")
    done
  done
  for i in getppid compute memory file; do
    metric "in.$i" "$(sort -n "$work/in.$i" | head -n 1)"
    metric "out.$i" "$(sort -n "$work/out.$i" | head -n 1)"
  done
  arnia rm -f "$name" > /dev/null
  umount "$work/tmp"
}
