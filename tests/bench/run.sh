#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make bench: arnia against the floor (floor/), crun and runc, in one run: rounds in which each does its turn, then many
# at once. Prints a table and writes result.json into $BENCH_OUT; what was before is in baseline.json here. Programs under
# a busy machine are compared by ratios to the floor and the peers of the same run, never by microseconds.
#   QUICK=1          a minute, fewer rounds and machines
#   BENCH_SAVE=1     the result becomes the baseline
#   BENCH_PHASES=... only these of: pieces latency oci idle many crowd network inside
#   BENCH_FIRST=...  nice, rt or no: how what takes little time is put before all else (nice on a quiet machine, else rt)
# Everything happens in a mount namespace and network namespaces of its own, with an instance of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
: "${ARNIA_BUILD:=$(cd "$here/../.." && pwd)/build}"
if [ "${BENCH_INSIDE:-}" != 1 ]; then
  [ "$(id -u)" = 0 ] || { echo "make bench needs root" >&2; exit 1; }
  BENCH_INSIDE=1 exec unshare -m --propagation slave bash "$0" "$@"
fi
source "$here/phases.sh"

bin=$ARNIA_BUILD/bin tools=$ARNIA_BUILD/tests/bench out=${BENCH_OUT:-$ARNIA_BUILD/bench}
PATH=$bin:$PATH
work=$(mktemp -d /tmp/arnia-bench.XXXXXX)
metrics=$work/metrics
oci="$bin/arnia-oci --root $work/oci"
host_ns=arniabench$$ peer_ns=arniabenchp$$ bridge_ns=arniabenchb$$ bridged_ns=arniabenchc$$
export ARNIA_ROOT=$work/arnia
if [ -n "${QUICK:-}" ]; then
  rounds=6 slow_rounds=2 idle=100 idle_times=1 many=100 seconds=0.2
else
  rounds=25 slow_rounds=6 idle=300 idle_times=3 many=1000 seconds=1
fi

# A busy machine disturbs a realtime process least, which is woken on the other processor though, always: five times the
# price of a wake-up (20 us, 120 us), paid by whoever consists of several processes. So only there.
quiet() {
  local a b
  read -r -a a < /proc/stat
  sleep 2
  read -r -a b < /proc/stat
  # of all time (user nice system idle iowait irq softirq) nine tenths idle
  ((10 * (b[4] - a[4]) > 9 * (b[1] + b[2] + b[3] + b[4] + b[5] + b[6] + b[7] - a[1] - a[2] - a[3] - a[4] - a[5] - a[6] - a[7])))
}
priority=()
case ${BENCH_FIRST:-$(quiet && echo nice || echo rt)} in
  rt) if chrt -r 1 true 2> /dev/null; then priority=(chrt -r 1); fi ;;
  nice) priority=(nice -n -20) ;;
esac
first() { "${priority[@]}" "$@"; }
on_host() { nsenter --net="/run/netns/$host_ns" -- "$@"; }
arnia() { on_host timeout 60 "$bin/arnia" "$@"; }
# What crun 1.8 and runc want to see: a pure cgroup v2. In a mount namespace of their own.
peers_view() {
  unshare -m bash -c '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup; exec "$@"' - "$@"
}
say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
metric() { echo "$1 $2" >> "$metrics"; }

set_up() {
  ip netns add "$host_ns" && ip netns add "$peer_ns" || exit 1
  ip -n "$host_ns" link set lo up
  ip -n "$peer_ns" link set lo up
  ip -n "$host_ns" link add up0 type veth peer name up0 netns "$peer_ns"
  ip -n "$host_ns" addr add 198.51.100.1/24 dev up0
  ip -n "$peer_ns" addr add 198.51.100.2/24 dev up0
  ip -n "$host_ns" link set up0 up
  ip -n "$peer_ns" link set up0 up
  chmod 755 "$work"
  mkdir -p "$ARNIA_ROOT/run" "$out"
  # run is a tmpfs on every real host
  mount -t tmpfs -o mode=755,size=200m arnia-bench "$ARNIA_ROOT/run"
  arnia image build busybox > /dev/null 2>&1 || { echo "cannot build the image busybox" >&2; exit 1; }
  # the rootfs of the others, with the same ids as the files have
  cp -a "$ARNIA_ROOT/lib/templates/busybox/rootfs" "$work/rootfs"
  bundle plain true false '["/bin/true"]'
  bundle nonet false false '["/bin/true"]'
  bundle user true true '["/bin/true"]'
  bundle idle true false '["/bin/sleep", "1000000"]'
}

bundle() {
  mkdir "$work/$1"
  jq -f "$here/oci.jq" --argjson net "$2" --argjson user "$3" --argjson args "$4" --arg rootfs "$work/rootfs" \
    "$ARNIA_BUILD/share/arnia/seccomp-profiles/default.json" > "$work/$1/config.json"
}

instance_down() {
  arnia list -q 2> /dev/null | xargs -r -n 100 nsenter --net="/run/netns/$host_ns" -- timeout 120 "$bin/arnia" rm -f > /dev/null 2>&1
  arnia host shutdown --kill -y > /dev/null 2>&1
}
crun_down() {
  peers_view sh -c 'crun list -q | grep "^arniabench" | xargs -r -n 1 timeout 20 crun --cgroup-manager=cgroupfs delete -f' 2> /dev/null
  peers_view "$bin/arnia-oci" --root "$work/oci" list -q | xargs -r -n 1 timeout 20 "$bin/arnia-oci" --root "$work/oci" delete -f
  peers_view sh -c 'runc list -q | grep "^arniabench" | xargs -r -n 1 timeout 20 runc delete -f' 2> /dev/null
}
tear_down() {
  trap - EXIT
  instance_down
  crun_down
  for p in "${started[@]:-}"; do
    [ -z "$p" ] || kill "$p" 2> /dev/null
  done
  for p in "$bridged_ns" "$bridge_ns" "$peer_ns" "$host_ns"; do ip netns del "$p" 2> /dev/null; done
  umount -l "$ARNIA_ROOT/run" 2> /dev/null
  rm -rf "$work"
}

say "scheduled as: ${priority[*]:-others}"
started=()
trap tear_down EXIT
trap 'exit 1' INT TERM
set_up
for phase in ${BENCH_PHASES:-pieces latency oci idle many crowd network inside}; do
  say "$phase"
  "phase_$phase"
done
cp "$metrics" "$out/metrics"
"$tools/report" "$metrics" "$here/rows.txt" "$here/baseline.json" "$out/result.json" || exit 1
if [ "${BENCH_SAVE:-}" = 1 ]; then cp "$out/result.json" "$here/baseline.json"; fi
say "all figures: $out/result.json"
