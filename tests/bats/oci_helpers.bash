# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# What the files share that test arnia-oci with bundles of busybox: one root filesystem a file, one bundle and one state folder a test.

ARNIA_BUILD=$(cd "${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
OCI=$ARNIA_BUILD/bin/arnia-oci
AID=$ARNIA_BUILD/tests/fakes/oci_aid
load slow

# In setup_file. The template of a bundle is made once: jq takes seconds on the test host.
oci_file_up() {
  local root=$BATS_FILE_TMPDIR/rootfs
  # Another user has to get to it in the tests that need one.
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/file 2> /dev/null || :
  chmod 755 "$BATS_FILE_TMPDIR"
  mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,mnt,usr/bin}
  cp /bin/busybox "$root/bin/"
  cp "$AID" "$root/bin/oci_aid"
  # All in one process: each costs a tenth of a second on the test host.
  busybox --list | perl -lne 'BEGIN { chdir pop } symlink "busybox", $_' "$root/bin"
  echo "root:x:0:0:root:/root:/bin/sh" > "$root/etc/passwd"
  "$OCI" spec -b "$BATS_FILE_TMPDIR"
  jq ".process.terminal = false | .root.path = \"$root\"" "$BATS_FILE_TMPDIR/config.json" > "$BATS_FILE_TMPDIR/base.json"
}

# In teardown_file: nothing is left.
oci_file_down() {
  local left
  left=$(mounts_of)
  [[ -z "$left" ]] || { echo "# mounted: $left" >&3; return 1; }
  left=$(cgroups_of)
  [[ -z "$left" ]] || { echo "# left: $left" >&3; return 1; }
}

oci_up() {
  ROOT=$BATS_TEST_TMPDIR/root
  B=$BATS_TEST_TMPDIR/bundle
  id=aoci-$BATS_ROOT_PID-${BATS_TEST_FILENAME##*/}
  id=${id%.bats}-$BATS_TEST_NUMBER # also the name of its cgroup
  mine=()
}

oci_down() {
  local c p
  for c in $("$OCI" --root "$ROOT" list -q 2> /dev/null); do "$OCI" --root "$ROOT" delete -f "$c" || :; done
  if [[ -d $ROOT.runc ]]; then
    for c in $(runc --root "$ROOT.runc" list -q 2> /dev/null); do runc --root "$ROOT.runc" delete -f "$c" || :; done
    # Of a run that failed it leaves empty cgroups of v1.
    find /sys/fs/cgroup -maxdepth 2 -type d -name "${id}r" -exec rmdir {} + 2> /dev/null || :
  fi
  for p in "${mine[@]}"; do kill -KILL "$p" 2> /dev/null || :; done
  [[ -z "$(records)" ]] || { echo "left in the state folder: $(records)"; return 1; }
}

# What is kept of containers; the store of compiled filters stays.
records() {
  find "$ROOT" -mindepth 1 -maxdepth 1 ! -name @seccomp 2> /dev/null || :
}
cg_top() {
  findmnt -nt cgroup2 -o TARGET | head -n 1
}
mounts_of() {
  cut -d' ' -f5 /proc/self/mountinfo | grep "^${BATS_FILE_TMPDIR:?}" | sort || :
}
cgroups_of() {
  local name=${BATS_TEST_FILENAME##*/}
  find "$(cg_top)" -maxdepth 3 -name "aoci-$BATS_ROOT_PID-${name%.bats}-*" 2> /dev/null || :
}

# bundle ARGS [FILTER]: a bundle whose program has ARGS (JSON), changed by a filter of jq.
bundle() {
  rm -rf "$B"
  mkdir -p "$B"
  jq ".process.args = [$1] | ${2:-.}" "$BATS_FILE_TMPDIR/base.json" > "$B/config.json"
}
# bundle_sh SCRIPT [FILTER]: one that runs a shell script.
bundle_sh() {
  rm -rf "$B"
  mkdir -p "$B"
  jq --arg s "$1" ".process.args = [\"sh\",\"-c\",\$s] | ${2:-.}" "$BATS_FILE_TMPDIR/base.json" > "$B/config.json"
}

# oci ARG...: within a bound; its streams are files, as a container that is created keeps them.
oci() {
  status=0
  timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(< "$BATS_TEST_TMPDIR/out") stderr=$(< "$BATS_TEST_TMPDIR/err")
  echo "\$ arnia-oci $*"
  echo "status $status"
  printf 'stdout: %s\nstderr: %s\n' "$output" "$stderr"
}
# inside SCRIPT [FILTER]: what a container with it prints.
inside() {
  bundle_sh "$@"
  oci run -b "$B" "$id"
  ok
}
# fails TEXT ARGS [FILTER]: no container comes of it, nothing is left, and the error has TEXT.
fails() {
  bundle "$2" "${3:-.}"
  oci run -b "$B" "$id"
  says 1 "$1"
  nothing_left
}

ok() {
  [[ $status -eq 0 ]] || { echo "status $status: $stderr"; return 1; }
}
# says STATUS TEXT: it failed with one line that has TEXT.
says() {
  [[ $status -eq $1 && $stderr == "arnia-oci: "*"$2"* && $stderr != *$'\n'* ]] || { echo "expected status $1 and: $2"; return 1; }
}
prints() {
  [[ $output == "$1" ]] || { echo "expected: $1"; return 1; }
}
nothing_left() {
  [[ -z "$(records)$(cgroups_of)" ]] || { echo "left: $(records) $(cgroups_of)"; return 1; }
}

status_of() {
  "$OCI" --root "$ROOT" state "$id" | sed -n 's/^ *"status": "\([a-z]*\)".*/\1/p'
}
pid_of() {
  "$OCI" --root "$ROOT" state "${1:-$id}" | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'
}
# wait_until TENTHS CMD...: bounded.
wait_until() {
  local n=$(($1 * SLOW))
  shift
  while ! "$@"; do
    ((n-- > 0)) || return 1
    sleep 0.1
  done
}
becomes() {
  wait_until 100 is_status "$1"
}
is_status() {
  [[ "$(status_of)" == "$1" ]]
}
# behind CMD...: in the background, ended with the test; its pid in $behind.
behind() {
  "$@" > "$BATS_TEST_TMPDIR/behind.out" 2> "$BATS_TEST_TMPDIR/behind.err" < /dev/null 3>&- &
  behind=$!
  mine+=("$behind")
}
# listens SOCKET
listens() {
  wait_until 50 test -S "$1"
}

# same ARG...: runc does the same act on the same bundle with a container of its own: same exit code, same output.
same() {
  local code=0 out words=("${@//$id/${id}r}")
  oci "$@"
  timeout "$((60 * SLOW))" runc --root "$ROOT.runc" "${words[@]}" > "$BATS_TEST_TMPDIR/runc.out" 2> "$BATS_TEST_TMPDIR/runc.err" < /dev/null 3>&- || code=$?
  out=$(sed "s/${id}r/$id/g" "$BATS_TEST_TMPDIR/runc.out")
  [[ $code -eq $status && $out == "$output" ]] || {
    echo "runc: status $code, stdout: $out, stderr: $(cat "$BATS_TEST_TMPDIR/runc.err")"
    return 1
  }
}
needs_runc() {
  [[ -x "$(command -v runc)" ]] || skip "no runc on this machine"
}
# has CONTROLLER...: of cgroup v2.
has() {
  local c
  for c in "$@"; do
    grep -qw "$c" "$(cg_top)/cgroup.controllers" || skip "this host's cgroup v2 has no $c controller: tested on the test host"
  done
}
