#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, end to end, in an instance of its own below /tmp: what `make quickstart` runs. Shows each command and
# what came of it, and takes everything away again, also when a step fails.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ARNIA_BUILD:=$here/../build}"
bin=$(cd "$ARNIA_BUILD/bin" && pwd) || exit 1
export PATH="$bin:$PATH"
[[ $EUID -eq 0 ]] || {
  echo "quickstart: needs root: sudo make quickstart" >&2
  exit 5
}
ARNIA_ROOT=$(mktemp -d /tmp/arnia-quickstart.XXXXXX)
export ARNIA_ROOT
chmod 755 "$ARNIA_ROOT"
forwarding=$(< /proc/sys/net/ipv4/ip_forward)
failed=0
bold='' plain=''
[[ -t 1 ]] && bold=$'\033[1m' plain=$'\033[0m'

say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# As one would type it.
typed() {
  local word line=""
  for word in "$@"; do
    [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word="'${word//\'/\'\\\'\'}'"
    line+=" $word"
  done
  echo "${line# }"
}
show() { printf '  $ %s\n' "$(typed "$@")"; }
step() {
  local out code=0
  show "$@"
  out=$("$@" 2>&1) || code=$?
  [[ -z $out ]] || sed 's/^/    /' <<< "$out"
  ((code == 0)) || fail "it ended with status $code"
}
fail() {
  echo "    -> $*"
  failed=1
}
value_of() { arnia "${@:2}" -f json | tr -d ' \n' | sed -n "s/.*\"$1\":\"\\{0,1\\}\\([^\",]*\\).*/\\1/p"; }
our_processes() {
  local p
  for p in /proc/[0-9]*; do
    tr '\0' '\n' < "$p/environ" 2> /dev/null | grep -qx "ARNIA_ROOT=$ARNIA_ROOT" && [[ "$(readlink "$p/exe")" == "$bin"/* ]] &&
      [[ "${p#/proc/}" != "$$" ]] && echo "${p#/proc/}"
  done 2> /dev/null
}
tidy() {
  arnia host shutdown --kill -y > /dev/null 2>&1
  rm -rf --one-file-system "$ARNIA_ROOT"
  # arnia switches it on and leaves that to the host, which may have others who need it.
  [[ "$(< /proc/sys/net/ipv4/ip_forward)" == "$forwarding" ]] || echo "$forwarding" > /proc/sys/net/ipv4/ip_forward
}
trap tidy EXIT

# GET http://ADDR:PORT/ with nothing but bash.
fetch() {
  exec 3<> "/dev/tcp/$1/$2" || return 1
  printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3
  timeout 5 sed '1,/^\r*$/d' <&3
  exec 3>&-
}
get() {
  local body="" tries=0
  until body=$(fetch 127.0.0.1 "$port" 2> /dev/null) && [[ -n $body ]]; do
    ((tries++ < 50)) || break
    sleep 0.1
  done
  printf '  $ curl http://127.0.0.1:%s/\n    %s\n' "$port" "$body"
  [[ $body == *"from web"* ]] || fail "not what the web server in the container says"
}
port=18080
while (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done

say "1. An image: a static busybox, made here, nothing is downloaded"
step arnia image build busybox

say "2. One command, one container, its output; gone afterwards"
step arnia run --rm busybox echo "hello from a container"

limits=(--mem 64M --cpus 0.5 --pids 50)
say "3. A web server, published on port $port, with limits"
if [[ "$(arnia host info -f json | tr -d ' \n')" != *'"controllers":['*'"memory"'*']'* ]]; then
  limits=()
  echo "  (without limits: this host has no cgroup v2 controllers for them, arnia host doctor says why)"
fi
step arnia run -d --name web -p "$port:80" "${limits[@]}" busybox \
  sh -c 'echo "hello from $(hostname), as uid $(id -u)" > /index.html; exec httpd -f -p 80'
step arnia list
get
pid=$(value_of pid info web)
echo "  Inside it is root. On the host its first process, $pid, is uid $(stat -c %u "/proc/$pid"), which owns nothing."

say "4. Kill the daemon: the container does not notice"
daemon=$(value_of pid version)
step kill -9 "$daemon"
get
step arnia exec web sh -c 'echo "process 1 is still $(cat /proc/1/comm)"'
[[ "$(value_of pid info web)" == "$pid" ]] || fail "the container's process is another one"
[[ "$(value_of pid version)" != "$daemon" ]] || fail "the daemon is the same"

say "5. Away again"
step arnia rm -f web
cgroup=$(value_of cgroup host info) table=$(value_of nftTable host info)
step arnia host shutdown
[[ -z "$(our_processes)" ]] || fail "processes are left: $(our_processes | tr '\n' ' ')"
for top in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  [[ -z $cgroup || ! -e $top/$cgroup ]] || fail "left: $top/$cgroup"
done
[[ -z $(find /run/arnia-slots -lname "$ARNIA_ROOT" 2> /dev/null) ]] || fail "left: the instance's slot"
if command -v nft > /dev/null && nft list tables | grep -qx "table inet $table"; then fail "left: firewall table $table"; fi

if ((failed)); then
  say "Something did not work. The log said last:"
  tail -n 20 "$ARNIA_ROOT"/run/log/*.log 2> /dev/null | sed 's/^/  /'
  exit 1
fi
say "Done: built, ran, and took everything away again. To go on:"
short=${bin#"$PWD"/}
cat << T
  sudo $short/arnia run -it --rm busybox      a shell in a container, now in the host's own instance
  sudo $short/arnia run -it --rm debian-12    a Debian to try things in; the first time it is built, from your archives
  sudo $short/arnia host doctor               what this host cannot give, and the remedy
  sudo $short/arnia host shutdown             end the daemon again
  sudo make install                          to /usr/local; README.md has the rest
  man -l man/arnia.1                         all of the command
  sudo make check                            the tests
T
