#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# long
# What is left after much: a thousand lives, racing creations, a full disk, files of state that are no longer what was written.
bats_require_minimum_version 1.5.0
load helpers

# All on a disk that is easily filled.
setup_file() {
  mkdir "$BATS_FILE_TMPDIR/arnia"
  mount -t tmpfs -o size=48m,mode=755 small "$BATS_FILE_TMPDIR/arnia"
  instance_up
  image_ready
}
teardown_file() {
  rm -f "$ARNIA_ROOT/filler"
  instance_down
  umount "$BATS_FILE_TMPDIR/arnia"
}
teardown() {
  rm -f "$ARNIA_ROOT/filler"
  arnia list -q | xargs -r "$ARNIA_BIN/arnia" rm -f > /dev/null 2>&1 || true
  no_machine_left
}
arnia() {
  on_host timeout 30 "$ARNIA_BIN/arnia" "$@"
}

# ---- a thousand lives ----

# Memory of its own that a program has written to, in KiB.
dirty() {
  awk '$1 == "Private_Dirty:" {print $2}' "/proc/$1/smaps_rollup"
}
things() {
  echo "mounts $(wc -l < /proc/self/mountinfo) $(wc -l < "/proc/$KEEPER/mountinfo")"
  echo "cgroups $(find "$BRANCH" -type d | wc -l)"
  echo "links $(ip -n "$HOST_NS" -o link | wc -l)"
  echo "nft $(on_host nft -j list ruleset | jq -c '[.nftables[] | (.set // .map // empty) | .elem // [] | length] | add')"
  # shellcheck disable=SC2012
  echo "descriptors $(ls "/proc/$DAEMON/fd" | wc -l) $(ls "/proc/$KEEPER/fd" | wc -l)"
  echo "files $(find "$ARNIA_ROOT" -type f | wc -l)"
  echo "processes $(instance_pids | wc -l)"
}
are_as_before() {
  things > "$BATS_TEST_TMPDIR/after"
  cmp -s "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
lives() {
  local n
  for ((n = 0; n < $1; n++)); do "$ARNIA_BIN/arnia" run --rm busybox true || return 1; done
}

@test "a thousand starts and stops leave mounts, cgroups, links, firewall, descriptors, files and memory where they were" {
  local daemon keeper
  export DAEMON KEEPER BRANCH
  DAEMON=$(daemon_pid) KEEPER=$(keeper_pid) BRANCH=$(branch_dir)
  export -f lives
  on_host bash -c 'lives 100' # warmed up
  sleep 1 # the cells are made anew
  things > "$BATS_TEST_TMPDIR/before"
  daemon=$(dirty "$DAEMON") keeper=$(dirty "$KEEPER")
  on_host bash -c 'lives 1000'
  wait_until 50 are_as_before || diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  echo "daemon $daemon -> $(dirty "$DAEMON") KiB, keeper $keeper -> $(dirty "$KEEPER") KiB"
  [[ $(($(dirty "$DAEMON") - daemon)) -le 64 && $(($(dirty "$KEEPER") - keeper)) -le 64 ]]
  [[ "$(daemon_pid)" == "$DAEMON" && "$(keeper_pid)" == "$KEEPER" ]]
}

@test "two hundred racing creations of twenty names: twenty succeed, the others are told, nothing leaks" {
  one() {
    "$ARNIA_BIN/arnia" create --name "race-$(($1 % 20))" busybox true > "$BATS_TEST_TMPDIR/out-$1" 2>&1
    echo "$?" > "$BATS_TEST_TMPDIR/code-$1"
  }
  export -f one
  export BATS_TEST_TMPDIR
  seq 200 | on_host xargs -P 40 -I {} bash -c 'one {}'
  [[ "$(cat "$BATS_TEST_TMPDIR"/code-* | grep -cx 0)" -eq 20 ]]
  [[ "$(cat "$BATS_TEST_TMPDIR"/code-* | grep -cx 4)" -eq 180 ]]
  [[ "$(cat "$BATS_TEST_TMPDIR"/out-* | grep -c '^arnia: .*race-[0-9]*')" -eq 180 ]]
  [[ "$(arnia list -q | wc -l)" -eq 20 ]]
  [[ "$(find "$ARNIA_ROOT/lib/config" -type f | wc -l)" -eq 20 ]]
  [[ "$(find "$ARNIA_ROOT/lib/containers" -mindepth 1 -maxdepth 1 | wc -l)" -le 20 ]]
}

# ---- a full disk ----

fill() {
  dd if=/dev/zero of="$ARNIA_ROOT/filler" bs=1M 2> /dev/null || true
  dd if=/dev/zero of="$ARNIA_ROOT/filler" bs=4k oflag=append conv=notrunc 2> /dev/null || true
  [[ "$(df --output=avail "$ARNIA_ROOT" | tail -n 1)" -eq 0 ]]
}

@test "a full disk: each attempt says so in one line and leaves nothing; with space again all works" {
  local before
  arnia create --name old busybox sleep 100000
  mkdir -p "$ARNIA_ROOT/lib/templates.d"
  cp -r "$ARNIA_BIN/../share/arnia/templates/busybox" "$ARNIA_ROOT/lib/templates.d/own"
  sed -i 's/"name": *"busybox"/"name": "own"/' "$ARNIA_ROOT/lib/templates.d/own/template.json"
  before=$(find "$ARNIA_ROOT/lib" -type f | sort)
  fill
  run_arnia create --name new busybox true
  one_line_error 1 "No space left"
  run_arnia run --rm busybox true
  one_line_error 125 "No space left"
  run_arnia run -d --name new busybox sleep 100000
  one_line_error 125 "No space left"
  run_arnia image build own
  one_line_error 1 "no space left"
  run_arnia start old
  [[ "$status" -ne 0 ]]
  one_line_error "$status" "No space left"
  [[ "$(state_of old)" == stopped && "$(arnia list -q | wc -l)" -eq 1 ]]
  diff <(echo "$before") <(find "$ARNIA_ROOT/lib" -type f | sort)
  rm "$ARNIA_ROOT/filler"
  arnia start old
  [[ "$(arnia run --rm busybox echo works)" == works ]]
  arnia image build own > /dev/null
  [[ "$(state_of old)" == running ]]
}

@test "a disk that fills while a machine prints: it runs on, what was lost is counted, it can be looked at and stopped" {
  local dir
  arnia run -d --name talk busybox sh -c 'i=0; while :; do echo "line $i"; i=$((i + 1)); sleep 0.01; done'
  arnia run -d --name other busybox sleep 100000
  dir=$ARNIA_ROOT/lib/containers/$(id_of talk)
  wait_until 50 test -s "$dir/log"
  fill
  sleep 0.5
  [[ "$(state_of talk)" == running ]]
  arnia logs -n 1 talk | grep -q '^line'
  run_arnia exec other echo in
  [[ "$status" -eq 0 && "$output" == in ]]
  arnia stop -t 0 other
  [[ "$(state_of other)" == stopped ]]
  rm "$ARNIA_ROOT/filler"
  size=$(stat -c %s "$dir/log")
  wait_until 50 sh -c "[ \$(stat -c %s $dir/log) -gt $size ]"
  arnia logs -n 1 talk | grep -q '^line'
  arnia stop -t 0 talk
}

# ---- files that are not what was written ----

# spoil HOW FILE
spoil() {
  local size
  size=$(stat -c %s "$2")
  case $1 in
  empty) : > "$2" ;;
  torn) truncate -s "$((size / 2))" "$2" ;;
  garbled) printf 'X' | dd of="$2" bs=1 seek="$((size / 2))" conv=notrunc 2> /dev/null ;;
  binary) head -c "$size" /dev/urandom > "$2" ;;
  esac
}
# The next daemon reads what there is.
daemon_again() {
  local old
  old=$(daemon_pid)
  kill -9 "$old"
  arnia list > /dev/null
  [[ "$(daemon_pid)" != "$old" ]]
}
named_by_doctor() {
  run_arnia host doctor
  grep -q "$1" <<< "$output$stderr"
}
others_work() {
  [[ "$(state_of other)" == running ]]
  arnia exec other true
  [[ "$(arnia run --rm busybox echo fine)" == fine ]]
}

@test "configurations torn, emptied, garbled: put aside and named, the rest is served" {
  local how id
  arnia run -d --name other busybox sleep 100000
  for how in empty torn garbled binary; do
    arnia create --name lost busybox sleep 100000
    id=$(id_of lost)
    spoil "$how" "$ARNIA_ROOT/lib/config/$id.json"
    daemon_again
    named_by_doctor "$id" || { echo "$how: not named"; return 1; }
    run_arnia info lost
    one_line_error 3 lost
    others_work
    rm -f "$ARNIA_ROOT"/lib/config/bad-*
    rm -rf "$ARNIA_ROOT/lib/containers/$id"
  done
}

@test "states and plans of running machines torn, emptied, garbled: the machines run on, and can be removed without a trace" {
  local how what id pid
  arnia run -d --name other busybox sleep 100000
  for what in state plan; do
    for how in empty torn garbled binary; do
      arnia run -d --name hurt -p 8123:80 busybox sleep 100000
      id=$(id_of hurt) pid=$(pid_of hurt)
      if [[ $what == state ]]; then spoil "$how" "$ARNIA_ROOT/run/state/$id.json"; else spoil "$how" "$ARNIA_ROOT/run/plan/$id"; fi
      daemon_again
      named_by_doctor "$id" || { echo "$what $how: not named"; return 1; }
      [[ "$(state_of hurt)" == running && "$(pid_of hurt)" == "$pid" ]] || { echo "$what $how: $(arnia list)"; return 1; }
      others_work
      arnia rm -f hurt
      rm -f "$ARNIA_ROOT"/run/{state,plan}/bad-*
      [[ ! -e /proc/$pid ]]
    done
  done
  arnia rm -f other
}

@test "an exit record garbled: the end is known, how it ended is not" {
  local id pid
  arnia run -d --name gone -v "$BATS_TEST_TMPDIR:/sign" busybox sh -c 'until [ -e /sign/go ]; do sleep 0.05; done; exit 7'
  arnia run -d --name other busybox sleep 100000
  id=$(id_of gone) pid=$(pid_of gone)
  # the daemon and then the keeper away, so that only the file tells
  kill -STOP "$(daemon_pid)"
  touch "$BATS_TEST_TMPDIR/go"
  wait_until 50 test -s "$ARNIA_ROOT/run/exit/$id"
  spoil garbled "$ARNIA_ROOT/run/exit/$id"
  # a worker may have ended by itself since they were listed
  instance_pids | xargs kill -9 || true
  wait_until 50 instance_is_gone
  arnia list > /dev/null
  [[ "$(state_of gone)" == stopped ]]
  others_work
}
