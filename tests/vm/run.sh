#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test host: a QEMU machine (software emulation, so that it runs everywhere) with Debian's kernel, unified cgroup
# v2 and all controllers. Runs bats files inside with the built tree and brings the results back, a line each.
#   run.sh [FILTER...]              both ways: without systemd, then with systemd as PID 1
#   run.sh --shell [plain|systemd]  a shell on the serial console
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ARNIA_BUILD:=$here/../../build}"
vm=$ARNIA_BUILD/vm
mkdir -p "$vm"
bash "$here/image.sh" "$vm" || {
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}

# Which files run how: the heading comment "# test-host: plain systemd" of a bats file says so; "plain, if asked for": only when it is named,
# for what has little to do with the host and takes long here; so with single tests, "# bats test_tags=natively".
files_for() {
  local mode=$1 f name want
  shift
  for f in "$here"/../bats/*.bats; do
    grep -q "^# test-host:.*\b$mode\b" "$f" || continue
    name=${f##*/}
    [[ $# -gt 0 ]] || grep -q "^# test-host:.*if asked for" "$f" || echo "$name"
    for want in "$@"; do
      [[ $name == *"$want"* ]] && echo "$name"
    done
  done
}

# The second disk: programs, data and tests.
job_disk() {
  local stage=$vm/stage.$$ mode=$1
  shift
  mkdir -p "$stage/build" "$stage/tests/vm"
  cp -r "$ARNIA_BUILD/bin" "$ARNIA_BUILD/share" "$stage/build/"
  [[ -d $ARNIA_BUILD/tests/fakes ]] && mkdir -p "$stage/build/tests" && cp -r "$ARNIA_BUILD/tests/fakes" "$stage/build/tests/"
  cp -r "$here/../bats" "$stage/tests/"
  cp -r "$here/../../systemd" "$here/../../man" "$stage/"
  cp "$here/guest-job" "$stage/tests/vm/"
  files_for "$mode" "$@" > "$stage/tests/vm/files"
  : > "$stage/tests/vm/only"
  [[ $# -gt 0 ]] || printf '%s\n' --filter-tags '!natively' > "$stage/tests/vm/only"
  find "$stage/build/bin" -type f -exec strip --strip-debug {} + 2> /dev/null
  mke2fs -q -t ext4 -O ^has_journal -d "$stage" "$vm/job-$mode.img" "$(($(du -sm "$stage" | cut -f1) + 24))M" > /dev/null
  wc -l < "$stage/tests/vm/files"
  rm -rf "$stage"
}

# -snapshot: the disks are never written. No network card: nothing leaves.
# Emulated code is translated once for each address it appears at, so nothing moves: no randomisation, and room for
# all of it. What only slows the emulation down is left out of the processor. One of them, by one thread: more would have to translate atomic
# operations as such, and there are no more processors than guests where this runs.
boot() {
  local mode=$1 append="console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps"
  shift
  [[ $mode == systemd ]] && append+=" arnia.init=systemd systemd.show_status=0 systemd.unified_cgroup_hierarchy=1"
  # It ends with this script, whatever ends that.
  exec setpriv --pdeathsig TERM timeout 1800 qemu-system-x86_64 -machine q35 -accel tcg,thread=single,tb-size=1024 \
    -cpu max,-erms,-fsrm,-la57,-smap,-smep -smp 1 -m 3072 -nographic -no-reboot \
    -snapshot -nic none -kernel "$vm/vmlinuz" -initrd "$vm/initrd" -append "$append $*" \
    -drive "file=$vm/root.img,if=virtio,format=raw" -drive "file=$vm/job-$mode.img,if=virtio,format=raw" \
    "${serial[@]}"
}

if [[ ${1:-} == --shell ]]; then
  mode=${2:-plain}
  job_disk "$mode" > /dev/null
  serial=(-serial mon:stdio -serial null)
  echo "test host, $mode: the tests are in /arnia/tests/bats; exit switches it off, ctrl-a x too"
  boot "$mode" arnia.shell
fi

# One guest's results, counted: appended to what the caller adds up.
report() {
  local mode=$1 out=$vm/results-$1.tap p f s planned missing
  sed -i 's/\r$//' "$out"
  echo "# test host, $mode:"
  sed -n '/^== begin ==$/,/^== end /p' "$out" | sed "s/^\(not \)\?ok \([0-9]*\)/& [$mode]/"
  s=$(grep -Ec '^ok [0-9]+ .*# skip' "$out")
  p=$(($(grep -Ec '^ok [0-9]+ ' "$out") - s))
  f=$(grep -Ec '^not ok [0-9]+ ' "$out")
  planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | head -n 1)
  missing=$((${planned:-1} - p - f - s))
  if [[ $missing -gt 0 ]] || ! grep -q '^== end ' "$out"; then
    echo "# $mode: $missing tests did not report; the console's last lines:"
    tail -n 5 "$vm/console-$mode.log" | sed 's/^/# /'
    f=$((f + (missing > 0 ? missing : 1)))
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# Both guests at once: each has one processor busy most of the time.
passed=0 failed=0 skipped=0 guests=()
for mode in plain systemd; do
  count=$(job_disk "$mode" "$@")
  [[ $count -gt 0 ]] || continue
  : > "$vm/results-$mode.tap"
  serial=(-serial "file:$vm/console-$mode.log" -serial "file:$vm/results-$mode.tap" -monitor none)
  boot "$mode" < /dev/null > "$vm/qemu-$mode.log" 2>&1 &
  guests+=("$mode")
done
wait
for mode in "${guests[@]}"; do
  report "$mode"
done
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 && $passed -gt 0 ]]
