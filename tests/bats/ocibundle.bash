# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# Bundles for arnia-oci, and what a container of it must not leave behind.

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}
OCI=$(cd "$ARNIA_BUILD/bin" && pwd)/arnia-oci
load slow
CGROUPS=arniat-oci-$BATS_ROOT_PID # below the cgroup2 mount, removed by cgroups_gone
CGROUP2=/sys/fs/cgroup
[[ "$(stat -f -c %T "$CGROUP2")" == cgroup2fs ]] || CGROUP2=/sys/fs/cgroup/unified

# bundle_up: a bundle whose program sleeps, a copy of the file's; call in setup.
bundle_up() {
  local a
  ROOT=$BATS_TEST_TMPDIR/root
  BUNDLE=$BATS_FILE_TMPDIR/b
  if [[ ! -e $BUNDLE/config.json ]]; then
    mkdir -p "$BUNDLE"/rootfs/{bin,etc,proc,sys,dev,tmp}
    cp /bin/busybox "$BUNDLE/rootfs/bin/"
    for a in sh sleep cat ls ip mount id kill echo true false stat readlink; do
      ln -s busybox "$BUNDLE/rootfs/bin/$a"
    done
    "$OCI" spec -b "$BUNDLE"
    configure '.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.cgroupsPath = "/'"$CGROUPS"'/box"'
  fi
  cp -a "$BUNDLE" "$BATS_TEST_TMPDIR/b"
  BUNDLE=$BATS_TEST_TMPDIR/b
}

# configure FILTER: change config.json by jq.
configure() {
  jq "$1" "$BUNDLE/config.json" > "$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"
}

# oci ARG...: within a bound. Descriptor 3 is of bats, which would wait for who holds it.
oci() {
  timeout "$((60 * SLOW))" "$OCI" --root "$ROOT" "$@" 3>&-
}

# Without jq, which takes seconds to start on the test host.
status_of() {
  oci state box | sed -n 's/^ *"status": "\([a-z]*\)".*/\1/p'
}
pid_of() {
  oci state box | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'
}

# one_line TEXT: what `run --separate-stderr` has of a failure is one line of ours that has TEXT.
one_line() {
  [[ $status -ne 0 && $stderr == "arnia-oci: "*"$1"* && $stderr != *$'\n'* ]] || { echo "status $status, \"$stderr\", not \"$1\""; return 1; }
}

# Of the bundle's programs, wherever they run, and of ours that are told of it.
left_processes() {
  find /proc/[0-9]*/root /proc/[0-9]*/exe -maxdepth 0 -lname "$BATS_TEST_TMPDIR/*" 2> /dev/null || :
  grep -lsF -- "$ROOT" /proc/[0-9]*/cmdline || :
}

# nothing_of_it [CONTAINER]: no process, cgroup, mount or folder of the container is there. Processes that were killed take their moment.
nothing_of_it() {
  local i left
  for ((i = 0; i < 50 * SLOW; i++)); do
    left=$(left_processes)
    [[ -n "$left" ]] || break
    sleep 0.1
  done
  [[ -z "$left" ]] || { echo "processes: $left"; return 1; }
  [[ ! -e $CGROUP2/$CGROUPS/box ]] || { echo "its cgroup is left"; return 1; }
  [[ "$(< /proc/self/mountinfo)" != *"$BATS_TEST_TMPDIR"* ]] || { echo "mounts are left"; return 1; }
  [[ ! -e $ROOT/${1:-box} ]] || { echo "left below the root: $(find "$ROOT/${1:-box}" | tr '\n' ' ')"; return 1; }
}

cgroups_gone() {
  [[ ! -d $CGROUP2/$CGROUPS ]] || find "$CGROUP2/$CGROUPS" -depth -type d -exec rmdir {} \;
}
