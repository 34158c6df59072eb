#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2034,SC2086,SC2119
# arnia-oci for a plain user, whose root inside is himself; and on a kernel without openat2(2).
bats_require_minimum_version 1.5.0
load oci_security

setup_file() {
  attack_file_up
}
teardown_file() {
  attack_file_down
}
setup() {
  attack_up
}
teardown() {
  attack_down
}

PLAIN='.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":54321,"size":1}] | .linux.gidMappings = .linux.uidMappings |
  .mounts |= (map(select(.type != "cgroup")) | map(.options |= map(select(startswith("gid=") | not))? // .)) | del(.linux.resources)'
# plain_root: the test's folder as that of the plain user, with a program of his own
plain_root() {
  P=$BATS_TEST_TMPDIR/plain
  mkdir -p "$P/bin" "$P/root"
  cp "$OCI" "$P/bin/arnia-oci"
  cp -a "$BASE" "$P/rootfs"
  R=$P/rootfs
  chown -R 54321:54321 "$P"
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR"
}
# plain ARG...: as oci, by that user and his program
plain() {
  status=0
  chown -R 54321:54321 "$B"
  as_host setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps=-all "$P/bin/arnia-oci" --root "$P/root" "$@" \
    > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
  output=$(cat "$BATS_TEST_TMPDIR/out") stderr=$(cat "$BATS_TEST_TMPDIR/err")
  no_signal
}

@test "a plain user's container: ids, and no right outside" {
  plain_root
  bundle '"sh","-c","id -u; echo x > '"$MARKER"'; ls '"$VICTIM"'; mknod /tmp/sda b 8 0 && echo MADE; true"' "$PLAIN"
  plain run -b "$B" "$id"
  ok
  [[ "$output" == 0 ]]
  bundle '"true"' '.process.terminal = false'
  plain run -b "$B" "$id"
  refused "user namespaces"
  bundle '"true"' '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":0,"size":1}] | .linux.gidMappings = .linux.uidMappings'
  plain run -b "$B" "$id"
  refused
}

@test "1: a plain user's own program is not overwritten by his container" {
  local sum n
  plain_root
  sum=$(sha256sum < "$P/bin/arnia-oci")
  cat > "$R/atk" << 'EOF'
while :; do
  for p in /proc/[0-9]*; do
    case $(readlink $p/exe 2> /dev/null) in
      /bin/busybox | "") ;;
      *) exec 9< $p/exe || continue
        n=0
        while [ $n -lt 300 ]; do
          n=$((n + 1))
          chmod 777 /proc/self/fd/9 2> /dev/null
          (echo x >> /proc/self/fd/9) 2> /dev/null && exit
        done ;;
    esac
  done
done
EOF
  bundle '"sh","/atk"' "$PLAIN"
  plain run -d -b "$B" "$id"
  ok
  for n in 1 2 3 4 5 6; do plain exec "$id" /proc/self/exe list || :; done
  sleep 1
  plain delete -f "$id"
  [[ "$(sha256sum < "$P/bin/arnia-oci")" == "$sum" ]]
}

@test "19: a plain user's state leads his own acts nowhere else" {
  plain_root
  bundle '"sleep","100"' "$PLAIN"
  mkdir "$P/root/$id"
  # a process of root, and a cgroup of others
  sleep 300 3>&- &
  background+=($!)
  start=$(sed 's/.*) //' "/proc/$!/stat" | cut -d' ' -f20)
  cat > "$P/root/$id/state.json" << EOF
{"version":1,"id":"$id","bundle":"$B","rootfs":"$R","pid":$!,"start":$start,"boot":"$(cat /proc/sys/kernel/random/boot_id)",
 "created":"2026-11-30T00:00:00.5Z","owner":"root","uid":0,"cgroup":"../../..","ownCgroup":true}
EOF
  chown -R 54321 "$P/root"
  for verb in kill start delete "delete -f" ps pause; do
    # shellcheck disable=SC2086
    plain $verb "$id"
  done
  kill -0 "${background[0]}"
  rm -rf "$P/root/$id"
  # what root does with a folder that a user could write to: links are not followed
  ln -s "$VICTIM" "$P/root/$id"
  ROOT=$P/root oci delete -f "$id"
  ROOT=$P/root oci run -b "$B" "$id"
  refused
  rm "$P/root/$id"
}

@test "the basic acts on a kernel without openat2" {
  local without="$FAKES/refusing 437" target
  oci_without() {
    status=0
    # shellcheck disable=SC2086
    as_host $without "$OCI" --root "$ROOT" "$@" > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" < /dev/null 3>&- || status=$?
    output=$(cat "$BATS_TEST_TMPDIR/out") stderr=$(cat "$BATS_TEST_TMPDIR/err")
  }
  oci_without create -b "$B" "$id"
  ok
  oci_without start "$id"
  ok
  oci_without exec "$id" sh -c 'pwd; echo word'
  [[ "$output" == $'/\nword' ]]
  for n in $(seq 3 12); do
    oci_without exec --cwd "/proc/self/fd/$n" "$id" sh -c "cat ../../../../../../../..$MARKER"
    [[ $status -ne 0 && "$output" != *"$SECRET"* ]]
  done
  oci_without kill "$id" KILL
  ok
  sleep 0.3
  oci_without delete "$id"
  ok
  # the links of an image lead nowhere there either
  image
  ln -s "$VICTIM" "$R/out"
  ln -s "../../../../../../../../../../..$VICTIM" "$R/up"
  ln -s /proc/self/root "$R/magic"
  mkdir "$BATS_TEST_TMPDIR/data"
  for target in out out/sub up/sub/sub magic/x; do
    bundle '"true"' ".mounts += [{\"destination\":\"/$target\",\"type\":\"bind\",\"source\":\"$BATS_TEST_TMPDIR/data\",\"options\":[\"rbind\"]}] | .process.cwd = \"/$target\""
    oci_without run -b "$B" "$id"
    goes_or_is_refused
    [[ -z "$(ls -A "$VICTIM")" ]]
  done
}
