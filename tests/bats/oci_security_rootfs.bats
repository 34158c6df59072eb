#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain, if asked for
# shellcheck disable=SC2154,SC2016,SC2030,SC2031,SC2034,SC2086,SC2119
# Attacks on arnia-oci by what an image holds, by what changes in it meanwhile, and by what a configuration mounts.
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

# flip A B: exchange two names without end
start_flip() {
  mkfifo "$BATS_TEST_TMPDIR/go"
  "$FAKES/attacker" flip "$1" "$2" < "$BATS_TEST_TMPDIR/go" > "$BATS_TEST_TMPDIR/flips" 3>&- &
  background+=($!)
  exec 7> "$BATS_TEST_TMPDIR/go"
}
finish_flip() {
  local n
  exec 7>&-
  wait "${background[0]}"
  background=()
  read -r _ n < "$BATS_TEST_TMPDIR/flips"
  echo "flips: $n"
  ((n > 100))
}
# mount_of TYPE SOURCE TARGET [OPTION...]: a filter that adds one
mount_of() {
  local type=$1 source=$2 target=$3
  shift 3
  jq -nc --arg t "$type" --arg s "$source" --arg d "$target" '{destination:$d,type:$t,source:$s,options:$ARGS.positional}' --args "$@" |
    sed 's/^/.mounts += [/; s/$/]/'
}

@test "4: a folder of a mount target is exchanged with a link to a folder of the host, again and again" {
  local kind filters
  image
  mkdir -p "$R/vol/dir/sub" "$BATS_TEST_TMPDIR/data"
  ln -s "$VICTIM" "$R/vol/link"
  start_flip "$R/vol/dir" "$R/vol/link"
  filters=(
    "$(mount_of bind "$BATS_TEST_TMPDIR/data" /vol/dir/sub/new rbind)"
    "$(mount_of bind "$MARKER" /vol/dir/file bind)"
    "$(mount_of tmpfs tmpfs /vol/dir/tmp)"
    "$(mount_of tmpfs tmpfs /vol/dir/sub tmpcopyup)"
    "$(mount_of mqueue mqueue /vol/dir/queue)"
    '.process.cwd = "/vol/dir/made/deep"'
    '.linux.devices = [{"path":"/vol/dir/node","type":"c","major":1,"minor":3,"fileMode":438}]'
    '.linux.maskedPaths = ["/vol/dir/sub","/vol/dir"] | .linux.readonlyPaths = ["/vol/dir"]'
  )
  for _ in $(rounds 12); do
    for kind in "${filters[@]}"; do
      bundle '"true"' "$kind"
      oci run -b "$B" "$id"
      goes_or_is_refused
      [[ -z "$(ls -A "$VICTIM")" ]]
    done
  done
  finish_flip
}

@test "4: the same with a volume that two containers share" {
  mkdir -p "$BATS_TEST_TMPDIR/vol/dir/sub" "$BATS_TEST_TMPDIR/data"
  ln -s "../../../../../../../../../..$VICTIM" "$BATS_TEST_TMPDIR/vol/link"
  start_flip "$BATS_TEST_TMPDIR/vol/dir" "$BATS_TEST_TMPDIR/vol/link"
  for _ in $(rounds 30); do
    bundle '"true"' "$(mount_of bind "$BATS_TEST_TMPDIR/vol" /vol rbind) | $(mount_of bind "$BATS_TEST_TMPDIR/data" /vol/dir/a rbind) |
      $(mount_of tmpfs tmpfs /vol/dir/b) | .process.cwd = \"/vol/dir/c\""
    oci run -b "$B" "$id"
    goes_or_is_refused
    [[ -z "$(ls -A "$VICTIM")" ]]
  done
  finish_flip
}

@test "5: links of the image below a mount target stay inside" {
  local target
  image
  mkdir "$BATS_TEST_TMPDIR/data"
  ln -s "$VICTIM" "$R/out"
  ln -s "../../../../../../../../../../..$VICTIM" "$R/up"
  ln -s /proc/self/root "$R/magic"
  ln -s /proc/1/root "$R/one"
  ln -s loop "$R/loop"
  for target in out out/sub up up/sub/sub magic/x one/x loop/x out/../x; do
    taken || continue
    bundle '"true"' "$(mount_of bind "$BATS_TEST_TMPDIR/data" "/$target" rbind)"
    oci run -b "$B" "$id"
    goes_or_is_refused
    bundle '"true"' "$(mount_of bind "$MARKER" "/$target" bind)"
    oci run -b "$B" "$id"
    goes_or_is_refused
    bundle '"true"' "$(mount_of tmpfs tmpfs "/$target" tmpcopyup) | .process.cwd = \"/$target\""
    oci run -b "$B" "$id"
    goes_or_is_refused
    [[ -z "$(ls -A "$VICTIM")" ]]
  done
  bundle '"sh","-c","touch /out/sub/file; ls $0/sub","'"$VICTIM"'"' "$(mount_of bind "$BATS_TEST_TMPDIR/data" /out/sub rbind)"
  oci run -b "$B" "$id"
  [[ "$output" == file && -e "$BATS_TEST_TMPDIR/data/file" ]]
}

@test "6: what is masked is hidden, whatever the image has for /dev/null" {
  local null dev
  image
  echo hidden-word > "$R/secret"
  mkdir -p "$R/hidden/sub"
  echo hidden-word > "$R/hidden/file"
  for null in /secret "$MARKER" /proc/self/exe nothing; do
    for dev in '.mounts |= map(select(.destination | startswith("/dev") | not))' .; do
      rm -rf "${R:?}/dev/null"
      ln -s "$null" "$R/dev/null"
      bundle '"sh","-c","cat /secret /hidden/file; ls /hidden; echo ran"' \
        "$dev"' | .linux.maskedPaths = ["/secret","/hidden","/missing","/hidden/file"] | .process.env += ["X=1"]'
      oci run -b "$B" "$id"
      [[ "$output" != *hidden-word* && "$output" != *file* && "$output" != *"$SECRET"* ]]
      [[ $dev != . || "$output" == ran ]]
    done
  done
}

@test "6: it stays hidden while the image's /dev is exchanged" {
  image
  echo hidden-word > "$R/secret"
  mkdir -p "$R/dev" "$R/dev2"
  ln -s /secret "$R/dev2/null"
  : > "$R/dev/null"
  start_flip "$R/dev" "$R/dev2"
  for _ in $(rounds 40); do
    bundle '"cat","/secret"' '.mounts |= map(select(.destination | startswith("/dev") | not)) | .linux.maskedPaths = ["/secret"]'
    oci run -b "$B" "$id"
    [[ "$output" != *hidden-word* ]]
  done
  finish_flip
}

@test "6: it stays hidden, a folder as well, while two containers share a /dev that is exchanged" {
  local vol=$BATS_TEST_TMPDIR/vol n
  image
  echo hidden-word > "$R/secret"
  mkdir -p "$R/hidden" "$vol/dev" "$vol/dev2"
  echo hidden-word > "$R/hidden/file"
  for n in dev dev2; do mknod -m 666 "$vol/$n/null" c 1 3; done
  ln -sf /secret "$vol/dev2/null"
  ln -s /hidden "$vol/dev2/tmpfs"
  bundle '"sleep","100"' "$(mount_of bind "$vol" /vol rbind)"
  oci run -d -b "$B" "$id-other"
  ok
  start_flip "$vol/dev" "$vol/dev2"
  for _ in $(seq 30); do
    bundle '"sh","-c","cat /secret /hidden/file; ls /hidden; echo ran"' \
      ".mounts |= map(select(.destination | startswith(\"/dev\") | not)) | $(mount_of bind "$vol/dev" /dev rbind) | .linux.maskedPaths = [\"/secret\",\"/hidden\"]"
    oci run -b "$B" "$id"
    goes_or_is_refused
    [[ "$output" != *hidden-word* && "$output" != *file* ]]
  done
  finish_flip
}

@test "7: /dev/console, /dev/pts and /dev/ptmx of the image as links: nothing is mounted behind them" {
  local name dev
  for name in console ptmx pts pts/0 tty; do
    image
    mkdir -p "$R/dev" "$VICTIM/there"
    [[ $name != pts/0 ]] || mkdir "$R/dev/pts"
    ln -s "$VICTIM/there" "$R/dev/$name"
    for dev in '.mounts |= map(select(.destination | startswith("/dev") | not))' .; do
      bundle '"sh","-c","[ -t 0 ] && echo terminal; ls -l /dev/; cat /proc/mounts"' "$dev | .process.terminal = true"
      status=0
      as_host script -qefc "'$OCI' --root '$ROOT' run -b '$B' '$id'" /dev/null > "$BATS_TEST_TMPDIR/out" 2>&1 < /dev/null 3>&- || status=$?
      no_signal
      run ! grep -F "$VICTIM" "/proc/$NS_HOLDER/mountinfo"
      [[ -d "$VICTIM/there" && -z "$(ls -A "$VICTIM/there")" ]]
      oci delete -f "$id"
    done
    rmdir "$VICTIM/there"
  done
}

@test "8: /dev, /proc or /sys of the image is a link: nothing appears behind it" {
  local what where dev
  for what in dev proc sys; do
    for where in "$VICTIM" "../../../../../../../../../../..$VICTIM" /proc/self/root; do
      taken || continue
      image
      rm -rf "${R:?}/$what"
      ln -s "$where" "$R/$what"
      mkdir -p "$R/$VICTIM"
      for dev in '.mounts |= map(select(.destination | startswith("/dev") | not))' .; do
        bundle '"true"' "$dev"
        oci run -b "$B" "$id"
        goes_or_is_refused
        [[ -z "$(ls -A "$VICTIM")" ]]
      done
    done
  done
}

@test "8: /dev of the image is exchanged with a link to the host" {
  image
  ln -s "$VICTIM" "$R/link"
  start_flip "$R/dev" "$R/link"
  for _ in $(rounds 60); do
    bundle '"true"' '.mounts |= map(select(.destination | startswith("/dev") | not))'
    oci run -b "$B" "$id"
    goes_or_is_refused
    [[ -z "$(ls -A "$VICTIM")" ]]
  done
  finish_flip
}

@test "9: what is written to procfs goes to procfs: folders, links and other files in its place are refused" {
  local fake=$BATS_TEST_TMPDIR/fake at
  mkdir -p "$fake/self/attr" "$fake/sys/net/ipv4" "$fake/thread-self/attr" "$fake/1/attr"
  for at in self/oom_score_adj self/attr/exec self/attr/current self/uid_map self/gid_map self/setgroups self/loginuid self/timens_offsets \
    thread-self/attr/exec sys/net/ipv4/ip_forward; do : > "$fake/$at"; done
  for at in /proc /proc/self /proc/self/attr /proc/sys /proc/sys/net /proc/thread-self; do
    taken || continue
    bundle '"true"' "$(mount_of bind "$fake" "$at" rbind) | .process.oomScoreAdj = 500 | .linux.sysctl = {\"net.ipv4.ip_forward\":\"1\"}"
    oci run -b "$B" "$id"
    refused
    bundle '"true"' "$(mount_of tmpfs tmpfs "$at") | .process.oomScoreAdj = 500"
    oci run -b "$B" "$id"
    refused
  done
  # an image's files in place of procfs, when none is mounted
  image
  cp -a "$fake/." "$R/proc/"
  bundle '"true"' '.mounts |= map(select(.destination != "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | .process.oomScoreAdj = 500'
  oci run -b "$B" "$id"
  goes_or_is_refused
  [[ -z "$(cat "$R/proc/self/oom_score_adj" "$R/proc/self/attr/exec" "$R/proc/sys/net/ipv4/ip_forward")" ]]
  # the kernel's answer is what counts
  bundle '"cat","/proc/self/oom_score_adj","/proc/sys/net/ipv4/ip_forward"' '.process.oomScoreAdj = 500 | .linux.sysctl = {"net.ipv4.ip_forward":"1"}'
  oci run -b "$B" "$id"
  [[ "$output" == $'500\n1' ]]
}

@test "9: a second container exchanges what the first one has for /proc/self/attr in a shared volume" {
  local fake=$BATS_TEST_TMPDIR/vol
  mkdir -p "$fake/a" "$fake/b"
  : > "$fake/a/x"
  ln -s /proc/sysrq-trigger "$fake/b/x"
  start_flip "$fake/a" "$fake/b"
  for _ in $(rounds 25); do
    bundle '"cat","/proc/self/oom_score_adj"' "$(mount_of bind "$fake" /vol rbind) | $(mount_of bind "$fake/a" /proc/self/attr rbind) | .process.oomScoreAdj = 300"
    oci run -b "$B" "$id"
    refused
    bundle '"cat","/proc/self/oom_score_adj"' "$(mount_of bind "$fake" /vol rbind) | $(mount_of bind "$BATS_TEST_TMPDIR" /vol/a/y rbind) | .process.oomScoreAdj = 300"
    oci run -b "$B" "$id"
    [[ $status -ne 0 || "$output" == 300 ]]
  done
  finish_flip
}

@test "10: nothing but proc and the few files of lxcfs is mounted on /proc" {
  local at
  mkdir "$BATS_TEST_TMPDIR/dir"
  echo 1.0 > "$BATS_TEST_TMPDIR/file"
  for at in /proc /proc/ //proc /./proc /x/../proc /proc/self /proc/sys/kernel /proc/1/attr /proc/sysrq-trigger /proc/kcore /proc/self/exe /proc/nothing; do
    taken || continue
    bundle '"true"' "$(mount_of bind "$BATS_TEST_TMPDIR/dir" "$at" rbind)"
    oci run -b "$B" "$id"
    refused
    bundle '"true"' "$(mount_of bind "$BATS_TEST_TMPDIR/file" "$at" bind)"
    oci run -b "$B" "$id"
    refused
  done
  for at in cpuinfo meminfo uptime stat loadavg diskstats swaps slabinfo sys/kernel/ns_last_pid; do
    [[ -e "/proc/$at" ]] || continue # as the kernel was built
    taken || continue
    bundle '"cat","/proc/'$at'"' "$(mount_of bind "$BATS_TEST_TMPDIR/file" "/proc/$at" bind ro)"
    oci run -b "$B" "$id"
    [[ "$output" == 1.0 ]]
  done
  # by a link of the image
  image
  ln -s /proc/self "$R/me"
  ln -s proc "$R/pr"
  for at in /me/attr /pr/sys /pr; do
    bundle '"true"' "$(mount_of bind "$BATS_TEST_TMPDIR/dir" "$at" rbind)"
    oci run -b "$B" "$id"
    refused
  done
}

@test "16: the helpers of the kernel are not to be written, and no cgroup is made to tell them" {
  local f
  for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug /proc/sysrq-trigger /sys/kernel/uevent_helper \
    /proc/sys/fs/binfmt_misc/register /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/release_agent /proc/sys/vm/panic_on_oom; do
    taken || continue
    bundle '"sh","-c","(echo x > '$f') 2>/dev/null && echo WROTE; true"'
    oci run -b "$B" "$id"
    ok
    [[ -z "$output" ]]
  done
  bundle '"sh","-c","cat /proc/self/cgroup; mkdir /tmp/c; mount -t cgroup -o rdma c /tmp/c && echo MOUNTED; mount -t cgroup2 c /tmp/c && echo MOUNTED; unshare -Urm true && mount -t cgroup2 c /tmp/c && echo MOUNTED; true"'
  oci run -b "$B" "$id"
  [[ "$output" == *"0::/"* && "$output" != *MOUNTED* ]]
  # root of a user namespace may mount, but not that
  chown 200000:200000 "$BASE"
  bundle '"sh","-c","mkdir /tmp/u; mount -t cgroup -o rdma c /tmp/u && echo MOUNTED v1; unshare -UrmC sh -c \"mount -t cgroup -o memory c /tmp/u\" && echo MOUNTED v1;
    for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger; do (echo x > $f) 2> /dev/null && echo WROTE $f; done; cat /proc/self/cgroup"' \
    "$USERNS | .process.capabilities |= map_values(. + [\"CAP_SYS_ADMIN\"])"
  oci run -b "$B" "$id"
  chown 0:0 "$BASE"
  [[ "$output" == "0::/"* || "$output" == *$'\n0::/'* ]]
  [[ "$output" != *MOUNTED* && "$output" != *WROTE* ]]
}

@test "27: the cgroup tree is not writable without a cgroup namespace" {
  bundle '"sh","-c","grep cgroup /proc/mounts; touch /sys/fs/cgroup/x && echo WROTE; mkdir /sys/fs/cgroup/*/x && echo WROTE; true"' \
    '.linux.namespaces |= map(select(.type != "cgroup")) | .mounts += [{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["rw"]}]'
  oci run -b "$B" "$id"
  [[ "$output" != *WROTE* ]]
  bundle '"sh","-c","mkdir /sys/fs/cgroup/x && echo WROTE; true"'
  oci run -b "$B" "$id"
  [[ "$output" != *WROTE* ]]
}
