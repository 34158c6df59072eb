# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What every bats file loads. A file gets one private instance (ARNIA_ROOT) inside a network namespace of its own, which stands for the host:
# tests never touch the real host's network. After each file everything is compared with what was there before.

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}
ARNIA_BIN=$(cd "$ARNIA_BUILD/bin" && pwd)
ARNIA_FAKES=$ARNIA_BUILD/tests/fakes
export ARNIA_BIN ARNIA_FAKES

# ---- the instance ----

# instance_up: call in setup_file.
instance_up() {
  export ARNIA_ROOT="$BATS_FILE_TMPDIR/arnia"
  export HOST_NS="arniat$$"
  export HOST_ADDR=198.51.100.1 # of the "host", on the link to the outside
  export PEER_ADDR=198.51.100.2 # somebody outside
  export PEER_NS="arniap$$"
  mkdir -p "$ARNIA_ROOT"
  chmod 755 "$BATS_FILE_TMPDIR" "$ARNIA_ROOT"
  ip netns add "$HOST_NS"
  ip netns add "$PEER_NS"
  ip -n "$HOST_NS" link set lo up
  ip -n "$PEER_NS" link set lo up
  ip -n "$HOST_NS" link add up0 type veth peer name up0 netns "$PEER_NS"
  ip -n "$HOST_NS" addr add "$HOST_ADDR/24" dev up0
  ip -n "$HOST_NS" link set up0 up
  ip -n "$PEER_NS" addr add "$PEER_ADDR/24" dev up0
  ip -n "$PEER_NS" link set up0 up
  leaks_note > "$BATS_FILE_TMPDIR/before"
}

# instance_down: call in teardown_file; fails the file on anything left.
instance_down() {
  local rc=0 branch
  branch=$(branch_dir)
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  arnia host shutdown --kill -y > "$BATS_FILE_TMPDIR/shutdown" 2>&1 || {
    echo "# host shutdown: $(cat "$BATS_FILE_TMPDIR/shutdown")" >&3
    rc=1
  }
  wait_until 50 instance_is_gone || {
    echo "# the keeper or the daemon did not end" >&3
    rc=1
  }
  leaks_check || rc=1
  [[ ! -e $branch ]] || slot_is_of_another "${branch##*-}" || {
    echo "# left: $(find "$branch" -type d | tr "\n" " ")" >&3
    rc=1
  }
  ip netns del "$PEER_NS"
  ip netns del "$HOST_NS"
  return $rc
}

# Instances beside this one take what it has given back.
slot_is_of_another() {
  local owner
  owner=$(readlink "/run/arnia-slots/$(printf %02d "$1")") && [[ "$owner" != "$ARNIA_ROOT" ]]
}

instance_is_gone() {
  [[ -z "$(instance_pids)" ]]
}

# Pids of our programs that serve this instance.
instance_pids() {
  local p
  for p in /proc/[0-9]*; do
    [[ "$(readlink "$p/exe" 2> /dev/null)" == "$ARNIA_BIN"/* ]] || continue
    tr '\0' '\n' < "$p/environ" 2> /dev/null | grep -qx "ARNIA_ROOT=$ARNIA_ROOT" || continue
    echo "${p#/proc/}"
  done
}

# on_host CMD...: run on the test's "host".
on_host() {
  nsenter --net="/run/netns/$HOST_NS" -- "$@"
}
# outside CMD...: run where only the uplink leads.
outside() {
  nsenter --net="/run/netns/$PEER_NS" -- "$@"
}
arnia() {
  on_host "$ARNIA_BIN/arnia" "$@"
}
# Have the image: built once in a bats run, then copied.
image_ready() {
  local kept=$BATS_RUN_TMPDIR/image-busybox at=$ARNIA_ROOT/lib/templates/busybox
  arnia version > /dev/null # makes the folders
  if [[ -d $kept ]]; then
    install -d -m 700 "${at%/*}"
    cp -a "$kept" "$at"
  elif arnia image build busybox > /dev/null; then
    cp -a "$at" "$kept"
  fi
  arnia image info busybox > /dev/null
}

# The plain form is read: jq takes seconds to start on the test host.
daemon_pid() {
  arnia version | sed -n 's/^pid: //p'
}
keeper_pid() {
  arnia version | sed -n 's/^keeper: //p'
}
pid_of() {
  arnia info "$1" | sed -n 's/^pid: //p'
}
state_of() {
  arnia info "$1" 2> /dev/null | sed -n 's/^state: //p'
}
id_of() {
  arnia info "$1" | sed -n 's/^id: //p'
}

# ---- waiting for events that have no descriptor: bounded ----

# On the emulated test host everything takes ten times as long (ARNIA_SLOW, tests/vm/guest-job).
# wait_until TENTHS CMD...
wait_until() {
  local n=$(($1 * ${ARNIA_SLOW:-1}))
  shift
  while ! "$@"; do
    ((n-- > 0)) || return 1
    sleep 0.1
  done
}

# ---- what a test looks at ----

# run_arnia ARGS...: like bats' run, stdout in $output, stderr in $stderr; logs all three for a failing test.
run_arnia() {
  run --separate-stderr arnia "$@"
  echo "\$ arnia $*"
  echo "status $status"
  printf 'stdout: %s\nstderr: %s\n' "$output" "${stderr:-}"
}
# one_line_error CODE TEXT: the last run_arnia failed with this code and one line on stderr that has TEXT.
one_line_error() {
  [[ "$status" -eq "$1" ]] || { echo "expected exit code $1, got $status"; return 1; }
  [[ "$(grep -c . <<< "$stderr")" -eq 1 ]] || { echo "expected one line on stderr"; return 1; }
  [[ "$stderr" == "arnia: "* ]] || { echo "expected the line to begin with 'arnia: '"; return 1; }
  [[ "$stderr" == *"$2"* ]] || { echo "expected '$2' in it"; return 1; }
}

# ---- leaks ----

cgroup2_mount() {
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

leaks_note() {
  echo "mounts: $(sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo | grep -F "$ARNIA_ROOT" | sort)" # others make and undo theirs meanwhile
  echo "links: $(ip -n "$HOST_NS" -o link | awk -F': ' '{print $2}' | sort | tr '\n' ' ')"
  echo "nft: $(on_host nft list ruleset | md5sum)"
  echo "routes: $(ip -n "$HOST_NS" route | sort | md5sum)"
  echo "addresses: $(ip -n "$HOST_NS" -o addr show lo | awk '{print $4}' | sort | tr '\n' ' ')"
  echo "slots: $(find /run/arnia-slots -type l -lname "$ARNIA_ROOT" 2> /dev/null | tr '\n' ' ')"
}
leaks_check() {
  leaks_note > "$BATS_FILE_TMPDIR/after"
  diff "$BATS_FILE_TMPDIR/before" "$BATS_FILE_TMPDIR/after" >&3 || return 1
  [[ -z "$(ls -A "$ARNIA_ROOT/lib/containers" 2> /dev/null)" ]] || {
    echo "# left in containers: $(ls -A "$ARNIA_ROOT/lib/containers")" >&3
    return 1
  }
}
# quiet_check: between tests, with machines removed: nothing of theirs is left on the running instance.
no_machine_left() {
  [[ "$(arnia list -q | wc -l)" -eq 0 ]] && [[ -z "$(ls -A "$ARNIA_ROOT/run/plan")" ]] &&
    [[ -z "$(find "$(branch_dir)" -maxdepth 1 -type d -name 'c-*' | head -1)" ]]
}
# The folder of this instance's cgroups: others run beside it.
branch_dir() {
  echo "$(cgroup2_mount)/$(arnia host info | sed -n 's/^ *cgroup: //p')"
}
