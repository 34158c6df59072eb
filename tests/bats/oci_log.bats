#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# --log of arnia-oci to the journal and to syslog: the sockets are ours, in a mount namespace of its own. The true journal: oci_systemd.bats.
bats_require_minimum_version 1.5.0

ARNIA_BUILD=${ARNIA_BUILD:-$BATS_TEST_DIRNAME/../../build}

setup() {
  [[ $EUID -eq 0 ]] || skip "needs root, for a mount namespace"
  export OCI=$ARNIA_BUILD/bin/arnia-oci AT=$BATS_TEST_TMPDIR NL=$'\n'
}

# among KINDS SCRIPT: run where /dev/log ("dgram" or "stream") and the journal's socket ("journal") are files that are written to $AT; "deaf": nobody
# reads what is sent to either. What the script prints is $output, $stderr.
among() {
  run --separate-stderr timeout 100 unshare -mn --propagation private bash -euc '
    mkdir -p "$AT/dev"
    mount -t tmpfs none "$AT/dev"
    touch "$AT/dev/null"
    mount --bind /dev/null "$AT/dev/null"
    mount --rbind "$AT/dev" /dev
    mount -t tmpfs none /run
    mkdir -p /run/systemd/journal
    oci() { timeout 20 "$OCI" --root "$AT/root" "$@"; }
    listen() {
      socat -u "$1" CREATE:"$2" &
      mine+=($!)
      for ((i = 0; i < 100; i++)); do [[ ! -S $3 ]] || return 0; sleep 0.1; done
    }
    has() { for ((i = 0; i < 100; i++)); do ! grep -qs -e "$2" "$AT/$1" || return 0; sleep 0.1; done; cat "$AT/$1"; return 1; }
    mine=()
    trap "for p in \${mine[@]}; do kill -KILL \$p; done" EXIT
    case $1 in *deaf*) echo 1 > /proc/sys/net/unix/max_dgram_qlen ;; esac
    case $1 in *dgram* | *deaf*) listen UNIX-RECV:/dev/log "$AT/syslog" /dev/log ;; esac
    case $1 in *stream*) listen UNIX-LISTEN:/dev/log,fork "$AT/syslog" /dev/log ;; esac
    case $1 in *journal* | *deaf*) listen UNIX-RECV:/run/systemd/journal/socket "$AT/journal" /run/systemd/journal/socket ;; esac
    case $1 in *deaf*) kill -STOP "${mine[@]}" ;; esac
    eval "$2"' x "$@" 3>&-
  printf 'status %s\nstdout: %s\nstderr: %s\n' "$status" "$output" "$stderr"
}

@test "the journal: message, priority and identifier, and standard error as well" {
  among journal 'oci --log journald:who state nope || echo $?; has journal "^SYSLOG_IDENTIFIER=who$"'
  [[ $status -eq 0 && $output == 1 && $stderr == "arnia-oci: container does not exist" ]]
  diff "$AT/journal" <(printf 'MESSAGE=container does not exist\nPRIORITY=3\nSYSLOG_IDENTIFIER=who\n')
  among journal 'oci --log journald: --debug list; has journal "^MESSAGE=list : done"'
  [[ $status -eq 0 && -z $stderr && "$(grep -c '^PRIORITY=7$' "$AT/journal")" -eq 2 ]]
  grep -qx SYSLOG_IDENTIFIER=arnia-oci "$AT/journal"
  among journal 'oci --log journald:who --log-format json state nope || has journal ^SYSLOG'
  [[ $status -eq 0 && "$(sed -n 's/^MESSAGE=//p' "$AT/journal" | jq -r '.level + " " + .msg')" == "error container does not exist" ]]
}

@test "syslog: message, priority and identifier, by datagrams and by a stream" {
  for kind in dgram stream; do
    rm -f "$AT/syslog"
    among $kind 'oci --log syslog:who state nope || echo $?; has syslog exist'
    [[ $status -eq 0 && $output == 1 && $stderr == "arnia-oci: container does not exist" ]]
    [[ "$(tr -d '\0' < "$AT/syslog")" == "<11>"*" who: container does not exist" ]]
  done
  rm "$AT/syslog"
  among dgram 'oci --log syslog: --debug --log-format json list; has syslog done'
  [[ $status -eq 0 && -z $stderr ]]
  tr '\0' '\n' < "$AT/syslog" | grep -q '^<15>.* arnia-oci: {"level":"debug","msg":"list : done'
}

@test "what was given forges no field and no line, and is bounded" {
  among journal,dgram 'for to in journald syslog; do
      oci --log "$to:a${NL}PRIORITY=0" state "nope${NL}PRIORITY=1" || :
      oci --log "$to:$(printf %0100000d 7)" state nope || :
    done; has journal IFIER=0; has syslog 000'
  [[ $status -eq 0 ]]
  run ! grep -q '^PRIORITY=[^3]' "$AT/journal"
  grep -qF 'SYSLOG_IDENTIFIER=a\x0aPRIORITY=0' "$AT/journal"
  [[ "$(wc -c < "$AT/journal")" -lt 2000 && "$(wc -c < "$AT/syslog")" -lt 2000 ]]
}

@test "nobody there is an error, as a file that cannot be opened; one who does not read is not waited for" {
  among none 'oci --log journald:who list'
  [[ $status -eq 1 && $stderr == "arnia-oci: --log: the journal: connect to /run/systemd/journal/socket: No such file or directory" ]]
  among none 'oci --log syslog:who list'
  [[ $status -eq 1 && $stderr == "arnia-oci: --log: syslog: connect to /dev/log: No such file or directory" ]]
  among deaf 'for i in 1 2 3; do for to in journald syslog; do oci --log "$to:who" state nope || echo $?; done; done'
  [[ $status -eq 0 && $output == $'1\n1\n1\n1\n1\n1' ]]
}
