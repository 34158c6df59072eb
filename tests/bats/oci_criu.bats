#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# arnia-oci checkpoint and restore with a program in criu's place that hangs, or dies. With criu itself: oci_checkpoint.bats.
# shellcheck disable=SC2034
bats_require_minimum_version 1.5.0
load oci_helpers

setup_file() {
  [[ $EUID -eq 0 ]] || return 0
  oci_file_up
}
teardown_file() {
  [[ $EUID -eq 0 ]] || return 0
  oci_file_down
}
setup() {
  [[ $EUID -eq 0 ]] || skip "needs root"
  oci_up
  cd "$BATS_TEST_TMPDIR" || return
}
teardown() {
  [[ $EUID -eq 0 ]] || return 0
  oci_down
}

# criu_that SCRIPT: it has told its process number before it does that.
criu_that() {
  printf '#!/bin/sh\necho $$ > %s/criu.pid\n%s\n' "$PWD" "$1" > criu
  chmod 755 criu
  rm -f criu.pid
}
runs() {
  [[ -s criu.pid ]]
}
is_gone() {
  [[ ! -d /proc/$1 ]]
}
# act ARG...: in the background, until the criu of ours runs.
act() {
  rm -f criu.pid
  behind "$OCI" --root "$ROOT" --criu "$PWD/criu" "$@"
  wait_until 100 runs
}
# ended SIGNAL: by the signal; one line, and criu is gone.
ended() {
  status=0
  kill "-$1" "$behind"
  wait "$behind" || status=$?
  stderr=$(cat behind.err)
  wait_until 100 is_gone "$(< criu.pid)"
}

@test "checkpoint: a criu that hangs is ended with it, and the container goes on" {
  bundle '"sleep","1000"'
  oci run -d -b "$B" "$id"
  ok
  criu_that 'exec sleep 1000'
  for sig in TERM HUP; do
    act checkpoint --lazy-pages --image-path img "$id"
    ended $sig
    says 1 "interrupted by SIG$sig"
    [[ "$(status_of)" == running && ! -e img ]]
  done
  # It has a moment to take back what it did.
  act checkpoint --image-path img "$id"
  ended TERM
  says 1 "interrupted by SIGTERM"
  [[ "$(status_of)" == running && ! -e img ]]
  act checkpoint --lazy-pages --image-path img "$id"
  ended KILL
  [[ $status -eq 137 && "$(status_of)" == running ]]
}

@test "restore: a criu that hangs is ended with it, and nothing is left" {
  bundle '"sleep","1000"'
  mkdir img
  echo '[]' > img/descriptors.json
  criu_that 'exec sleep 1000'
  for how in "" --detach; do
    act restore $how --lazy-pages -b "$B" --image-path img "$id"
    ended TERM
    says 1 "interrupted by SIGTERM"
    nothing_left
  done
}

@test "a criu that dies is one line" {
  bundle '"sleep","1000"'
  mkdir img
  echo '[]' > img/descriptors.json
  for how in 'exit 3' 'kill -KILL $$'; do
    criu_that "$how"
    oci --criu "$PWD/criu" restore -b "$B" --image-path img "$id"
    says 1 "criu: failed without a word (its log: img/restore.log)"
    nothing_left
  done
  oci run -d -b "$B" "$id"
  oci --criu "$PWD/criu" checkpoint --image-path new "$id"
  says 1 "criu: failed without a word (its log: new/dump.log)"
  [[ "$(status_of)" == running && ! -e new ]]
}
