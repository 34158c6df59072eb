#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make bench: arnia beside crun and runc (Debian's) and beside the floor, all in one run, in turn, round after round. Prints a table of medians and ratios, writes
# $ARNIA_BUILD/bench/result.json and compares with tests/bench/baseline.json. QUICK=1: fewer rounds. Everything happens in an instance, a network namespace and a
# mount namespace of its own, where the cgroup2 mount lies where the peers look for it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ARNIA_BUILD:=$here/../../build}"
ARNIA_BUILD=$(cd "$ARNIA_BUILD" && pwd)
if [[ ${1:-} != inside ]]; then
  [[ $EUID -eq 0 ]] || { echo "bench: needs root" >&2; exit 5; }
  exec unshare --mount --net -- bash "${BASH_SOURCE[0]}" inside
fi
mount --make-rprivate /
[[ -e /sys/fs/cgroup/cgroup.controllers ]] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
ip link set lo up
out=$ARNIA_BUILD/bench
mkdir -p "$out"
top=$(mktemp -d /tmp/arnia-bench.XXXXXX)
chmod 755 "$top"
export ARNIA_ROOT=$top/arnia
mkdir -m 755 "$ARNIA_ROOT"
bin=$ARNIA_BUILD/release/bin
rounds=${QUICK:+8}
rounds=${rounds:-30}
many=${QUICK:+60}
many=${many:-300}
tidy() {
  timeout 60 "$bin/arnia" host shutdown --kill -y > /dev/null 2>&1 || true
  for c in bx1 bx2; do timeout 20 crun --cgroup-manager=cgroupfs delete -f $c > /dev/null 2>&1 || true; done
  rmdir /sys/fs/cgroup/floor.* 2> /dev/null || true
  rm -rf --one-file-system "$top"
}
trap tidy EXIT

make -s -C "$here/../.." O="$ARNIA_BUILD/release" RELEASE=1 all > "$out/build.log" 2>&1
flags="gcc -O2 -g -std=gnu17 -D_GNU_SOURCE -I$here/../.. -Wall -Wextra -Wno-format-truncation"
$flags -static -o "$out/floor" "$here/floor.c"
lib=$ARNIA_BUILD/release/lib
$flags -o "$out/rounds" "$here/rounds.c" -Wl,--start-group "$lib/librpc.a" "$lib/libbase.a" -Wl,--end-group -ljson-c

arnia() { timeout 60 "$bin/arnia" "$@"; }
arnia image build busybox > /dev/null 2>&1
rootfs=$top/rootfs
cp -a "$ARNIA_ROOT/lib/templates/busybox/rootfs" "$rootfs"
bundle() { # NAME NET USER ARGS-AS-JSON
  mkdir -p "$top/$1"
  jq --arg rootfs "$rootfs" --argjson net "$2" --argjson user "$3" --argjson args "$4" -f "$here/oci.jq" \
    "$here/../../seccomp-profiles/default.json" > "$top/$1/config.json"
}
bundle b-nonet false false '["/bin/true"]'
bundle b-net true false '["/bin/true"]'
bundle b-user false true '["/bin/true"]'
bundle b-sleep true false '["/bin/sleep","100000"]'
arnia run -d --name idle busybox sleep 1000000 > /dev/null
branch=/sys/fs/cgroup/$(arnia host info -f json | jq -r ".info.cgroup // .cgroup")
crun="crun --cgroup-manager=cgroupfs"

script() {
  echo "rounds $rounds"
  echo "settle 20"
  echo "socket $ARNIA_ROOT/run/arnia.sock"
  echo "floor-command $out/floor -s -c /sys/fs/cgroup $rootfs"
  printf 'case %s\nfloor %s\n' floor.nonet seccomp,user floor.net net,user,seccomp floor.net.overlay net,user,overlay,seccomp
  printf 'case %s\nexec %s\n' crun.run.nonet "$crun run -b $top/b-nonet bx1" crun.run.net "$crun run -b $top/b-net bx1"
  printf 'case %s\nexec %s\n' runc.run.net "runc run -b $top/b-net bx1"
  arnia_case arnia.run.nonet "exec $bin/arnia run --rm --net none --read-only busybox /bin/true"
  arnia_case arnia.run.nonet.overlay "exec $bin/arnia run --rm --net none busybox /bin/true"
  arnia_case arnia.run.net "exec $bin/arnia run --rm -p 8080:80 busybox /bin/true"
  peer crun.exec "$crun exec bx2 /bin/true"
  arnia_case arnia.exec "exec $bin/arnia exec idle /bin/true"
  peer crun.state "$crun state bx2"
  arnia_case arnia.list "exec $bin/arnia list"
  peer crun.kill "$crun kill bx2 CONT"
  arnia_case arnia.kill "exec $bin/arnia kill -s CONT idle"
  printf 'case %s\nbefore %s\nexec %s\n' crun.delete "$crun run -d -b $top/b-sleep bx2" "$crun delete -f bx2"
  arnia_case arnia.rm "before $bin/arnia run -d --name k1 busybox /bin/sleep 100000" "exec $bin/arnia rm -f k1"
  printf 'case %s\nexec %s\nafter %s\n' crun.create "$crun create -b $top/b-sleep bx2" "$crun delete -f bx2"
  printf 'case %s\nbefore %s\nexec %s\nafter %s\n' crun.start "$crun create -b $top/b-sleep bx2" "$crun start bx2" "$crun delete -f bx2"
  arnia_case arnia.start.nonet "before $bin/arnia create --net none --name k2 busybox /bin/sleep 1000000" "exec $bin/arnia start k2" "after $bin/arnia rm -f k2"
  arnia_case arnia.start.net "before $bin/arnia create --name k2 busybox /bin/sleep 1000000" "exec $bin/arnia start k2" "after $bin/arnia rm -f k2"
  arnia_case arnia.daemon.start.nonet "before $bin/arnia create --net none --read-only --name k2 busybox /bin/sleep 1000000" \
    'call io.arnia.Start {"name":"k2"}' "after $bin/arnia rm -f k2"
}
arnia_case() {
  printf 'case %s\ncgroup %s\n' "$1" "$branch"
  shift
  printf '%s\n' "$@"
}
peer() {
  printf 'case %s\nbefore %s\nexec %s\nafter %s\n' "$1" "$crun run -d -b $top/b-sleep bx2" "$2" "$crun delete -f bx2"
}
script > "$top/script"
timeout 500 "$out/rounds" "$top/script" > "$out/rounds.tsv"

# ---- memory, many ----
pss() { # KiB of the keeper and the daemon
  awk '/^Pss:/ {s += $2} END {print s}' "/proc/$(arnia version -f json | jq -r .pid)/smaps_rollup" \
    "/proc/$(arnia version -f json | jq -r .keeper)/smaps_rollup"
}
start_many() { # COUNT PREFIX OPTIONS...: milliseconds in all
  local n=$1 p=$2 t
  shift 2
  t=$(date +%s%N)
  for ((i = 1; i <= n; i++)); do "$bin/arnia" run -d --name "$p$i" "$@" busybox sleep 1000000 > /dev/null; done
  echo $((($(date +%s%N) - t) / 1000))
}
idle_pss=$(pss)
first=$(start_many 30 a --net none)
bulk=$(start_many $((many - 60)) b --net none)
last=$(start_many 30 c --net none)
many_pss=$(pss)
t=$(date +%s%N)
arnia list > /dev/null
list_us=$((($(date +%s%N) - t) / 1000))
kill -9 "$(arnia version -f json | jq -r .pid)"
t=$(date +%s%N)
arnia list > /dev/null
restart_us=$((($(date +%s%N) - t) / 1000))
arnia rm -f 'a*' 'b*' 'c*' > /dev/null

jq -Rn --argjson idle "$idle_pss" --argjson full "$many_pss" --argjson n "$many" --argjson first "$first" --argjson last "$last" --argjson bulk "$bulk" \
  --argjson list "$list_us" --argjson restart "$restart_us" -f "$here/result.jq" < "$out/rounds.tsv" > "$out/result.json"
base=$here/baseline.json
[[ -f $base ]] || base=/dev/null
jq -r --slurpfile base "$base" -f "$here/table.jq" "$out/result.json" | column -t -s $'\t'
echo "result: $out/result.json (keep it as tests/bench/baseline.json to compare with it)"
