# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# For the tests that kill and break: faults by name, and everything an instance has, as text to compare.

# fail_at STEP:kill|errno:NAME: what the programs of the instance meet from now on (lib/base/failat.h).
fail_at() {
  echo "$1" > "$ARNIA_ROOT/fail-at.new"
  mv "$ARNIA_ROOT/fail-at.new" "$ARNIA_ROOT/fail-at"
}
fail_no_more() {
  rm -f "$ARNIA_ROOT/fail-at"
}

# crash_up: instance, image, and what it looks like at rest.
crash_up() {
  instance_up
  image_ready
  BRANCH=$(branch_dir)
  export BRANCH
  arnia run --rm busybox true
  at_rest
  everything > "$BATS_FILE_TMPDIR/at-rest"
}

# Prepared workers and their links come and go by themselves: complete, or not at all.
at_rest() {
  wait_until 100 has_rest
}
has_rest() {
  [[ "$(arnia host info -f json | jq -r .info.cellsReady)" -eq 3 ]] && [[ "$(count_links)" -eq 3 ]] &&
    [[ "$(count_lines "$BRANCH/keeper/cgroup.procs")" -eq 6 ]] # itself, two spare workers, three prepared ones
}
count_links() {
  ip -n "$HOST_NS" -o link 2> /dev/null | grep -c ' an[0-9a-f]*@' || true
}
count_lines() {
  local -a lines=()
  [[ -e $1 ]] && mapfile -t lines < "$1"
  echo "${#lines[@]}"
}

has_lines() {
  [[ "$(count_lines "$1")" -eq "$2" ]]
}

# What belongs to machines, and must be as before when they are gone.
everything() {
  local k
  shopt -s nullglob
  local -a files=("$ARNIA_ROOT"/run/{plan,state,exit,config}/* "$ARNIA_ROOT"/run/{plan,state,exit,config}/.[!.]* "$ARNIA_ROOT"/lib/{config,containers}/*)
  local -a cgroups=("$BRANCH"/*/ "$BRANCH"/*/*/)
  shopt -u nullglob
  k=$(keeper_pid)
  echo "machines: $(arnia list -q | tr '\n' ' ')"
  echo "files: ${files[*]#"$ARNIA_ROOT"/}"
  echo "cgroups: ${cgroups[*]#"$BRANCH"/}"
  echo "links: $(count_links)"
  echo "elements: $(on_host nft -j list ruleset | jq '[.. | objects | .elem? // empty | length] | add')"
  echo "processes: $(count_lines "$BRANCH/keeper/cgroup.procs") $(count_lines "$BRANCH/daemon/cgroup.procs")"
  echo "mounts of the keeper: $(count_lines "/proc/$k/mountinfo")"
  echo "mounts of the host: $(grep -c "$ARNIA_ROOT" /proc/self/mountinfo || true)"
}
is_as_before() {
  everything > "$BATS_FILE_TMPDIR/now"
  cmp -s "$BATS_FILE_TMPDIR/at-rest" "$BATS_FILE_TMPDIR/now"
}
# Links and prepared workers take a moment to go, or to be made again.
nothing_left() {
  wait_until 100 is_as_before && return 0
  diff "$BATS_FILE_TMPDIR/at-rest" "$BATS_FILE_TMPDIR/now"
  return 1
}

# Whatever a machine is said to be, its cgroup says the same.
is_true() {
  local state populated=0
  state=$(state_of "$1")
  grep -qs 'populated 1' "$BRANCH/c-$(arnia info -f json "$1" | jq -r .id)/cgroup.events" && populated=1
  case $state in
    running | paused) [[ $populated -eq 1 ]] ;;
    stopped) [[ $populated -eq 0 ]] ;;
    *) return 1 ;; # starting, stopping: not for long
  esac
}
truth() {
  wait_until 150 is_true "$1" || {
    echo "$1 is said to be $(state_of "$1")"
    return 1
  }
}
is_gone() {
  ! arnia info "$1" > /dev/null 2>&1
}
is_in_state() {
  [[ "$(state_of "$1")" == "$2" ]]
}
# one_clear_line: the last run_arnia failed, and says so in one line.
one_clear_line() {
  [[ "$status" -ne 0 ]] || { echo "it did not fail"; return 1; }
  one_line_error "$status" "${1:-}"
}
