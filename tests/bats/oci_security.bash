# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2034,SC2120,SC2119,SC2018
# For the oci_security_*.bats files: attacks on arnia-oci, each after a hole that a runtime once had. All of it runs in a mount namespace of
# the file's own, so that what would be mounted on the host by a hole is mounted on nothing. ATTACKED=PROGRAM: another runtime, to see
# which of the tests tell it apart.

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}
load slow

attack_file_up() {
  export OCI=${ATTACKED:-$ARNIA_BUILD/bin/arnia-oci} FAKES=$ARNIA_BUILD/tests/fakes BASE=$BATS_FILE_TMPDIR/base VICTIM=$BATS_FILE_TMPDIR/victim
  export MARKER=$BATS_FILE_TMPDIR/marker SECRET="of-the-host-$RANDOM$RANDOM" NS_HOLDER SUM
  chmod 755 "$BATS_FILE_TMPDIR" # /bundles of plain users
  mkdir -p "$BASE"/{bin,etc,tmp,proc,sys,dev,fakes,vol} "$VICTIM"
  chmod 777 "$VICTIM" "$BASE/tmp"
  cp /bin/busybox "$BASE/bin/"
  busybox --list | perl -lne 'BEGIN { chdir pop } symlink "busybox", $_' "$BASE/bin"
  cp "$FAKES/attacker" "$FAKES/syscall_probe" "$BASE/fakes/"
  echo "$SECRET" > "$MARKER"
  SUM=$(sha256sum < "$OCI")
  "$OCI" spec -b "$BATS_FILE_TMPDIR"
  unshare --mount --propagation private sleep 100000 > /dev/null 2>&1 < /dev/null 3>&- &
  NS_HOLDER=$!
  sleep 0.3
  mounts_inside > "$BATS_FILE_TMPDIR/mounts"
}
attack_file_down() {
  local rc=0
  mounts_inside | diff "$BATS_FILE_TMPDIR/mounts" - >&3 || rc=1
  kill "$NS_HOLDER"
  [[ -z "$(cgroups_of)" ]] || { echo "# left: $(cgroups_of)" >&3; rc=1; }
  return $rc
}
mounts_inside() {
  cut -d' ' -f5 "/proc/$NS_HOLDER/mountinfo" | grep -F "$BATS_RUN_TMPDIR" | sort || : # others make and undo theirs meanwhile
}
cgroups_of() {
  find "$(findmnt -nt cgroup2 -o TARGET | head -n 1)" -maxdepth 2 -name "asec-$BATS_ROOT_PID-*"
}

attack_up() {
  export ROOT=$BATS_TEST_TMPDIR/root
  R=$BASE background=()
  id=asec-$BATS_ROOT_PID-$(basename "$BATS_TEST_FILENAME" .bats | tr -dc a-z | tail -c 6)$BATS_TEST_NUMBER
  bundle '"sleep","100"'
}
# After each attack: the host's folder is as empty as it was, the program what it was, and nothing is left.
attack_down() {
  local c rc=0
  [[ -z "${background[*]}" ]] || kill -KILL "${background[@]}" 2> /dev/null || :
  for c in $("$OCI" --root "$ROOT" list -q 2> /dev/null); do oci delete -f "$c"; done
  [[ -z "$(ls -A "$VICTIM")" ]] || { echo "in the host's folder: $(ls -lA "$VICTIM")"; rm -rf "${VICTIM:?}"/*; rc=1; }
  [[ "$(cat "$MARKER")" == "$SECRET" ]] || { echo "the marker is another"; rc=1; }
  [[ "$(sha256sum < "$OCI")" == "$SUM" ]] || { echo "the program was overwritten"; rc=1; }
  [[ -z "$(find "$ROOT" -mindepth 1 -maxdepth 1 ! -name "@*" 2> /dev/null)" ]] || { echo "left: $(ls -A "$ROOT")"; rc=1; }
  return $rc
}

# image: a root of this test alone, to be spoilt
image() {
  R=$BATS_TEST_TMPDIR/image
  rm -rf "$R"
  cp -a "$BASE" "$R"
}
# bundle ARGS [FILTER]: a bundle whose program has ARGS (JSON), changed by a filter of jq. Its root ($R) is writable.
bundle() {
  B=$BATS_TEST_TMPDIR/bundle
  mkdir -p "$B"
  rm -f "$B/config.json"
  jq --arg root "$R" --arg victim "$VICTIM" ".process.terminal = false | .process.args = [$1] | .root.path = \$root | .root.readonly = false | ${2:-.}" \
    "$BATS_FILE_TMPDIR/config.json" > "$B/config.json"
}
# A filter of bundle: every capability that there is to give, in every set but the inheritable and the ambient one.
all_caps() {
  local names=(CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN
    NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ) i have
  have=0x$(sed -n 's/^CapPrm:\t//p' /proc/self/status)
  for i in "${!names[@]}"; do ((have >> i & 1)) || unset "names[i]"; done
  echo "(\"${names[*]}\" | split(\" \") | map(\"CAP_\" + .)) as \$all | .process.capabilities = {bounding: \$all, effective: \$all, permitted: \$all}"
}
ALL_CAPS=$(all_caps)
HOST_USERNS='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":0,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
USERNS='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":200000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'

# as_host CMD...: in the file's mount namespace, within a bound
as_host() {
  nsenter --mount="/proc/$NS_HOLDER/ns/mnt" --wd="$PWD" -- timeout -k 3 "$((${bound:-60} * SLOW))" "$@"
}
# oci ARG...: its streams are files, as a container that is created keeps them.
oci() {
  status=0
  as_host "$OCI" --root "$ROOT" "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(tr -d '\0' < "$BATS_TEST_TMPDIR/out") stderr=$(tr -d '\0' < "$BATS_TEST_TMPDIR/err")
  no_signal
}
no_signal() {
  [[ $status -lt 124 || $status -ge 255 ]] || [[ $status -eq 126 || $status -eq 127 ]] || { echo "status $status: ended by a signal, or too late: $stderr"; return 1; }
}
ok() {
  [[ $status -eq 0 ]] || { echo "status $status: $stderr"; return 1; }
}
# says STATUS TEXT: it failed with one line that has TEXT.
says() {
  [[ $status -eq $1 && $stderr == "arnia-oci: "*"$2"* && $stderr != *$'\n'* ]] || { echo "status $status, not \"$2\": $stderr"; return 1; }
}
# refused TEXT...: it failed with one line of ours, whatever the status.
refused() {
  [[ $status -ne 0 && $stderr == "arnia-oci: "*"${1:-}"* && $stderr != *$'\n'* ]] || { echo "status $status, not refused: $stderr $output"; return 1; }
}
# goes_or_is_refused: a run that may fail, but only with one clean line
goes_or_is_refused() {
  [[ $status -eq 0 ]] || refused
}
# up: the container of the bundle, started
up() {
  oci run -d -b "$B" "$id"
  ok
}
inside() {
  oci exec "$id" "$@"
}
init_pid() {
  "$OCI" --root "$ROOT" state "$id" | sed -n 's/^ *"pid": \([0-9]*\).*/\1/p'
}
status_of() {
  "$OCI" --root "$ROOT" state "$id" | sed -n 's/^ *"status": "\([a-z]*\)".*/\1/p'
}
