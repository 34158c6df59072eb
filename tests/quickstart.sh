#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main job, end to end, in an instance of its own under a temporary folder: what `make quickstart` runs. Shows each command and what came of it, and
# takes everything away again, also when a step fails.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${ARNIA_BUILD:=$here/../build}"
bin=$(cd "$ARNIA_BUILD/bin" && pwd)
export PATH="$bin:$PATH"
ARNIA_ROOT=$(mktemp -d /tmp/arnia-quickstart.XXXXXX)
export ARNIA_ROOT
chmod 755 "$ARNIA_ROOT"
port=18080
failed=0

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
  printf '  $ %s\n' "$*"
  "$@" 2>&1 | sed 's/^/    /'
  return "${PIPESTATUS[0]}"
}
step() {
  show "$@" || {
    printf '    -> failed with status %s\n' "$?"
    failed=1
  }
}
tidy() {
  arnia host shutdown --kill -y > /dev/null 2>&1
  rm -rf --one-file-system "$ARNIA_ROOT"
}
trap tidy EXIT
[[ $EUID -eq 0 ]] || {
  echo "quickstart: needs root: sudo make quickstart" >&2
  exit 5
}

# Fetch http://ADDR:PORT/ with nothing but bash.
fetch() {
  exec 3<> "/dev/tcp/$1/$2" || return 1
  printf 'GET / HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3
  timeout 5 sed '1,/^\r*$/d' <&3
  exec 3>&-
}

say "1. The template: a static busybox, built here, no download"
step arnia image build busybox

say "2. One command, one container, its output"
step arnia run --rm busybox echo "hello from $(printf '\\033[33m')a cell$(printf '\\033[0m')"

say "3. A web server, published on port $port, with limits"
limits=()
if arnia host info -f json | grep -q '"memory"' && arnia host info -f json | tr -d ' \n' | grep -q '"controllers":\[[^]]*"memory"'; then
  limits=(--mem 64M --cpus 0.5 --pids 50)
else
  echo "    (this host has no cgroup v2 memory controller, so no --mem here: arnia host doctor says why)"
fi
step arnia run -d --name web -p "$port:80" "${limits[@]}" busybox sh -c \
  'mkdir -p /www && echo "<h1>served from $(hostname), pid $$, uid $(id -u)</h1>" > /www/index.html && exec httpd -f -p 80 -h /www'
step arnia list
n=0
until body=$(fetch 127.0.0.1 "$port" 2> /dev/null) && [[ -n $body ]]; do
  ((n++ < 50)) || break
  sleep 0.1
done
printf '  $ GET http://127.0.0.1:%s/\n    %s\n' "$port" "${body:-nothing came back}"
[[ $body == *"served from web"* ]] || failed=1
pid=$(arnia info -f json web | grep -m1 '"pid"' | tr -dc 0-9)
printf '  inside it is root; on the host its first process %s belongs to uid %s\n' "$pid" "$(stat -c %u "/proc/$pid")"

say "4. SIGKILL the daemon: the container does not notice"
daemon=$(arnia version -f json | grep -m1 '"pid"' | tr -dc 0-9)
printf '  $ kill -9 %s   # arniad\n' "$daemon"
kill -9 "$daemon"
step arnia exec web sh -c 'echo "still here, up since boot of the container: $(cat /proc/1/comm)"'
[[ "$(arnia info -f json web | grep -m1 '"pid"' | tr -dc 0-9)" == "$pid" ]] || failed=1
body=$(fetch 127.0.0.1 "$port" 2> /dev/null)
printf '  $ GET http://127.0.0.1:%s/\n    %s\n' "$port" "${body:-nothing came back}"
[[ -n $body ]] || failed=1

say "5. Away again"
step arnia rm -f web
step arnia list
step arnia host shutdown

if ((failed)); then
  say "Something did not work. arnia host doctor may say why; the log was:"
  tail -n 20 "$ARNIA_ROOT"/run/log/*.log 2> /dev/null | sed 's/^/    /'
  exit 1
fi
say "Done; nothing is left behind. To go on:"
cat << T
  sudo $bin/arnia run -it --rm busybox          # a shell in a cell (the host's own instance this time)
  sudo $bin/arnia image build debian-12         # a Debian to live in, from your archive
  sudo $bin/arnia run -it --rm debian-12
  sudo $bin/arnia host doctor                   # what this host can and cannot give
  man -l man/arnia.1                            # all of it
  sudo make check                               # the tests
T
