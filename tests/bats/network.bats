#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# test-host: plain
# The routed network: addresses, NAT, published ports, walls. The "host" and the "outside" are namespaces of this file's own.
bats_require_minimum_version 1.5.0
load helpers

setup_file() {
  instance_up
  image_ready
  arnia run -d --name web -v "$ARNIA_FAKES:/fakes:ro" -p 8080:80 -p 127.0.0.1:8081:80 -p 5353:53/udp busybox sh -c \
    'mkdir /www; echo hello > /www/index.html; /fakes/netecho udp 53 & exec httpd -f -p 80 -h /www'
  arnia run -d --name client busybox sleep 100000
  wait_until 50 on_host curl -sf -o /dev/null "http://$(address web)/"
}
teardown_file() {
  instance_down
}
address() {
  arnia info -f json "$1" | jq -r '.addresses[0]'
}
# from CONTAINER ADDR PORT: the page, fetched inside (wget of Debian 12's busybox-static crashes)
from() {
  arnia exec "$1" sh -c "printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 3 $2 $3 | tail -n 1"
}

@test "an address of its own, a default route, the host as gateway" {
  run arnia exec client ip route
  grep -q '^default via 169.254.1.1 dev eth0' <<< "$output"
  arnia exec client ping -c 1 -W 2 169.254.1.1
  on_host ping -c 1 -W 2 "$(address client)"
}

@test "published: on the host's address from outside, from the host, on 127.0.0.1" {
  [[ "$(outside curl -sf -m 5 "http://$HOST_ADDR:8080/")" == hello ]]
  [[ "$(on_host curl -sf -m 5 "http://$HOST_ADDR:8080/")" == hello ]]
  [[ "$(on_host curl -sf -m 5 http://127.0.0.1:8080/)" == hello ]]
}

@test "published: to the container itself and to a sibling" {
  [[ "$(from web "$HOST_ADDR" 8080)" == hello ]]
  [[ "$(from client "$HOST_ADDR" 8080)" == hello ]]
}

@test "published on 127.0.0.1 only: not from outside" {
  [[ "$(on_host curl -sf -m 5 http://127.0.0.1:8081/)" == hello ]]
  run outside curl -sf -m 2 "http://$HOST_ADDR:8081/"
  [[ "$status" -ne 0 ]]
}

@test "a foreign packet for 127.0.0.1 is dropped" {
  ip -n "$PEER_NS" route add 127.0.0.5/32 via "$HOST_ADDR" 2> /dev/null || skip "this kernel routes no 127/8"
  run outside curl -sf -m 2 http://127.0.0.5:8081/
  [[ "$status" -ne 0 ]]
}

@test "the client's own address arrives at a published port" {
  arnia run -d --name log -p 8090:80 -v "$ARNIA_FAKES:/fakes:ro" busybox /fakes/netecho tcp 80
  answered() { # once it listens
    outside sh -c "echo | nc -w 2 $HOST_ADDR 8090" > "$BATS_TEST_TMPDIR/out" && grep -q "from $PEER_ADDR" "$BATS_TEST_TMPDIR/out"
  }
  wait_until 50 answered
  arnia rm -f log
}

@test "containers do not reach each other's addresses, nor the outside theirs" {
  run arnia exec client ping -c 1 -W 1 "$(address web)"
  [[ "$status" -ne 0 ]]
  [[ "$(from client "$(address web)" 80)" != hello ]]
  ip -n "$PEER_NS" route add "$(address web)/32" via "$HOST_ADDR"
  run outside curl -sf -m 2 "http://$(address web)/"
  [[ "$status" -ne 0 ]]
  ip -n "$PEER_NS" route del "$(address web)/32"
}

@test "out through NAT: the outside sees the host's address" {
  outside timeout 20 nc -l -p 9000 > "$BATS_TEST_TMPDIR/got" 3>&- &
  local pid=$!
  outside timeout 20 socat -u TCP-LISTEN:9001,reuseaddr,fork SYSTEM:'echo $SOCAT_PEERADDR >> '"$BATS_TEST_TMPDIR/peer" 3>&- &
  local pid2=$!
  wait_until 50 sh -c "nsenter --net=/run/netns/$PEER_NS ss -ltn | grep -q :9001"
  arnia exec client sh -c "echo hi | nc -w 2 $PEER_ADDR 9000"
  arnia exec client sh -c "echo hi | nc -w 2 $PEER_ADDR 9001"
  wait_until 50 test -s "$BATS_TEST_TMPDIR/peer"
  kill "$pid" "$pid2" 2> /dev/null || true
  [[ "$(head -n 1 "$BATS_TEST_TMPDIR/peer")" == "$HOST_ADDR" ]]
}

@test "a spoofed source address goes nowhere" {
  arnia run -d --name evil --cap-add NET_ADMIN busybox sleep 100000
  arnia exec evil ip addr add 10.99.99.99/32 dev eth0
  run arnia exec evil ping -c 1 -W 1 -I 10.99.99.99 169.254.1.1
  [[ "$status" -ne 0 ]]
  arnia exec evil ping -c 1 -W 2 169.254.1.1 # its own still does
  arnia rm -f evil
}

@test "udp" {
  run on_host sh -c "echo ping | nc -u -w 2 127.0.0.1 5353"
  [[ "$output" == ping ]]
}

# bats test_tags=natively
@test "udp: to the container itself and to a sibling" {
  for name in web client; do
    run nsenter --net="/proc/$(pid_of "$name")/ns/net" -- sh -c "echo ping | nc -u -w 2 $HOST_ADDR 5353"
    [[ "$output" == ping ]]
  done
}

# bats test_tags=natively
@test "published on one address of the host: not on another" {
  ip -n "$HOST_NS" addr add 198.51.100.9/24 dev up0
  arnia run -d --name single -p 198.51.100.9:8085:80 busybox sh -c 'echo hello > /index.html; exec httpd -f -p 80 -h /'
  wait_until 50 on_host curl -sf -o /dev/null "http://$(address single)/"
  [[ "$(outside curl -sf -m 5 http://198.51.100.9:8085/)" == hello ]]
  [[ "$(on_host curl -sf -m 5 http://198.51.100.9:8085/)" == hello ]]
  [[ "$(from client 198.51.100.9 8085)" == hello ]]
  run outside curl -sf -m 2 "http://$HOST_ADDR:8085/"
  [[ "$status" -ne 0 ]]
  run on_host curl -sf -m 2 http://127.0.0.1:8085/
  [[ "$status" -ne 0 ]]
  arnia rm -f single
  ip -n "$HOST_NS" addr del 198.51.100.9/24 dev up0
}

@test "a firewall of the host that lets nothing in does not close published ports" {
  on_host nft -f - <<< 'table inet walls { chain input { type filter hook input priority 0; policy drop; }; }'
  run outside curl -sf -m 5 "http://$HOST_ADDR:8080/"
  on_host nft delete table inet walls
  [[ "$output" == hello ]]
}

# bats test_tags=natively
@test "a host port that was chosen: explain has it, and it goes with the container" {
  local elements port
  ports_any() { on_host nft -j list ruleset | jq '[.nftables[].map | select(.name == "ports_any") | .elem // [] | length] | add'; }
  elements=$(ports_any)
  arnia run -d --name free -p 80 busybox sh -c 'echo hello > /index.html; exec httpd -f -p 80 -h /'
  [[ "$(ports_any)" -eq $((elements + 1)) ]]
  port=$(arnia explain free | sed -n 's/^port 0.0.0.0:\([1-9][0-9]*\).tcp -> 80: published$/\1/p')
  wait_until 50 on_host curl -sf -o /dev/null "http://$(address free)/"
  [[ "$(outside curl -sf -m 5 "http://$HOST_ADDR:$port/")" == hello ]]
  arnia rm -f free
  wait_until 30 sh -c "[ \"\$(nsenter --net=/run/netns/$HOST_NS nft -j list ruleset | jq '[.nftables[].map | select(.name == \"ports_any\") | .elem // [] | length] | add')\" -eq $elements ]"
}

# bats test_tags=natively
@test "a host port that was chosen: list and info show it, also after a restart of the daemon" {
  local port old
  arnia run -d --name open -p 80 -p 53/udp -p 8094:81 busybox sleep 100000
  port=$(arnia info -f json open | jq -r '.ports[0].hostPort')
  [[ "$port" -ge 32768 && "$port" -le 60999 ]]
  [[ "$(arnia info -f json open | jq -r '.ports[1].hostPort')" -ge 32768 ]]
  [[ "$(arnia info -f json open | jq -r '.ports[2].hostPort')" -eq 8094 ]]
  [[ "$(arnia explain open)" == *"port 0.0.0.0:$port/tcp -> 80: published"* ]]
  [[ "$(arnia list)" == *"$port->80/tcp,"* ]]
  [[ "$(arnia info open)" == *"$port->80/tcp,"* ]]
  old=$(daemon_pid)
  kill -9 "$old"
  wait_until 100 daemon_is_another "$old"
  [[ "$(arnia info -f json open | jq -r '.ports[0].hostPort')" -eq "$port" ]]
  arnia stop -t 0 open
  [[ "$(arnia info -f json open | jq -r '.ports[0].hostPort')" -eq 0 ]]
  arnia rm -f open
}
daemon_is_another() {
  local now
  now=$(daemon_pid) && [[ -n "$now" && "$now" != "$1" ]]
}

# bats test_tags=natively
@test "more chosen host ports than one answer holds" {
  arnia run -d --name many -p 1000-1899 busybox sleep 100000
  run arnia info -f json many
  [[ "$(jq '[.ports[] | select(.hostPort >= 32768)] | length' <<< "$output")" -eq 900 ]]
  [[ "$(jq '[.ports[].hostPort] | unique | length' <<< "$output")" -eq 900 ]]
  arnia rm -f many
}

web_answers() {
  [[ "$(on_host curl -sf -m 2 "http://$HOST_ADDR:8080/")" == hello ]] && [[ "$(outside curl -sf -m 2 "http://$HOST_ADDR:8080/")" == hello ]]
}
doctor_is_content() {
  arnia host doctor > /dev/null
}

# bats test_tags=natively
@test "a foreign chain drops what is forwarded: the doctor names it, and its remedy is one" {
  on_host nft -f - <<< 'table inet walls { chain transit { type filter hook forward priority 0; policy drop; ct state established accept; }; }'
  run ! outside curl -sf -m 1 "http://$HOST_ADDR:8080/"
  run_arnia host doctor
  [[ "$status" -eq 0 ]]
  [[ "$output" == *"chain transit of the nft table inet walls drops what is forwarded"* ]]
  [[ "$stderr" == *"nft insert rule inet walls transit iifgroup "*"oifgroup "* ]]
  on_host sh -ec "$(grep -o 'nft insert.*' <<< "$stderr")"
  run_arnia host doctor
  [[ "$output" != *"drops what is forwarded"* ]]
  outside curl -sf -m 5 "http://$HOST_ADDR:8080/"
  arnia exec client ping -c 1 -W 2 "$PEER_ADDR"
  on_host nft delete table inet walls
}

# bats test_tags=natively
@test "the forward policy of Docker and of ufw: the doctor knows what to type" {
  local prefix
  on_host nft -f - <<< 'table ip filter { chain DOCKER-USER { }; chain FORWARD { type filter hook forward priority 0; policy drop; jump DOCKER-USER; }; }
    table ip6 filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'
  run_arnia host doctor
  [[ "$(grep -c 'drops what is forwarded' <<< "$output")" -eq 1 ]]
  [[ "$output" == *"chain FORWARD of the nft table ip filter drops"* ]]
  [[ "$stderr" == *"iptables -I DOCKER-USER -i an"*"+ -j ACCEPT; iptables -I DOCKER-USER -o an"* ]]
  prefix=$(sed -n 's/.* -i \(an[0-9a-z]*\)+ .*/\1/p' <<< "$stderr")
  on_host nft add chain ip filter ufw-user-forward
  run_arnia host doctor
  [[ "$stderr" == *"ufw route allow from 10."*".0.0/16; ufw route allow to 10."*".0.0/16"* ]]
  on_host nft add rule ip filter ufw-user-forward ip saddr "$(sed -n 's/.*allow from \([0-9./]*\);.*/\1/p' <<< "$stderr")" accept
  run_arnia host doctor
  [[ "$output" != *"drops what is forwarded"* ]]
  on_host nft flush chain ip filter ufw-user-forward
  # as iptables writes it
  on_host nft insert rule ip filter DOCKER-USER iifname "$prefix*" accept
  run_arnia host doctor
  [[ "$output" != *"drops what is forwarded"* ]]
  on_host nft delete table ip filter
  on_host nft delete table ip6 filter
}

@test "the ruleset is flushed: the doctor tells, the next start puts back what all had" {
  local port
  arnia run -d --name open -p 80 busybox sleep 100000
  port=$(arnia info -f json open | jq -r '.ports[0].hostPort')
  doctor_is_content
  on_host nft flush ruleset
  run ! web_answers
  run_arnia host doctor
  [[ "$status" -eq 1 ]]
  [[ "$output" == *"the nft table inet "*" is gone"* ]]
  [[ "$output" == *"web: 4 of its elements in the nft table are missing"* ]]
  [[ "$stderr" == *"the next start of a machine puts it back"* ]]
  arnia run --rm busybox true
  wait_until 50 web_answers
  wait_until 50 doctor_is_content
  arnia exec client ping -c 1 -W 2 "$HOST_ADDR"
  [[ "$(arnia explain open)" == *"port 0.0.0.0:$port/tcp -> 80: published"* ]]
  arnia rm -f open
}

# bats test_tags=natively
@test "the ruleset is flushed: the next daemon puts back what all had, with the same numbers" {
  local port old
  arnia run -d --name open -p 80 busybox sleep 100000
  port=$(arnia info -f json open | jq -r '.ports[0].hostPort')
  on_host nft flush ruleset
  run ! web_answers
  old=$(daemon_pid)
  kill -9 "$old"
  wait_until 100 daemon_is_another "$old"
  wait_until 50 web_answers
  wait_until 50 doctor_is_content
  [[ "$(arnia explain open)" == *"port 0.0.0.0:$port/tcp -> 80: published"* ]]
  arnia rm -f open
}

# bats test_tags=natively
@test "single elements are gone: the doctor tells, the next daemon puts them back" {
  local table old
  table=$(arnia host info -f json | jq -r .info.nftTable)
  on_host nft flush map inet "$table" ports_any
  run_arnia host doctor
  [[ "$status" -eq 1 ]]
  [[ "$output" == *"web: 2 of its elements in the nft table are missing"* ]]
  [[ "$output" != *"client: "* ]]
  old=$(daemon_pid)
  kill -9 "$old"
  wait_until 100 daemon_is_another "$old"
  wait_until 50 web_answers
  wait_until 50 doctor_is_content
}

@test "--net none has only lo, --net host is the host's" {
  run arnia run --rm --net none busybox ip -o link
  [[ "$(wc -l <<< "$output")" -eq 1 ]]
  [[ "$output" == *"lo:"*UP* ]]
  run arnia run --rm --net host busybox ip -o addr
  [[ "$output" == *"$HOST_ADDR"* ]]
}

# bats test_tags=natively
@test "a taken port is refused with one line, and nothing is left of the attempt" {
  run_arnia run -d --name again -p 8080:80 busybox sleep 1
  one_line_error 125 8080
  run arnia info again
  [[ "$status" -eq 3 ]]
  on_host timeout 5 nc -l -p 8099 > /dev/null 3>&- &
  local pid=$!
  wait_until 50 sh -c "nsenter --net=/run/netns/$HOST_NS ss -ltn | grep -q :8099"
  run_arnia run -d --name again -p 8099:80 busybox sleep 1
  kill "$pid" 2> /dev/null || true
  one_line_error 125 8099
}

# bats test_tags=natively
@test "overlapping addresses, twice in one request, no address of the host: one line each" {
  run_arnia run -d --name again -p 127.0.0.1:8080:80 busybox sleep 1
  one_line_error 125 127.0.0.1:8080
  run_arnia run -d --name again -p 8081:80 busybox sleep 1
  one_line_error 125 8081
  run_arnia run -d --name again -p 8095:80 -p 8095:81 busybox sleep 1
  one_line_error 125 8095
  run_arnia run -d --name again -p 203.0.113.7:8096:80 busybox sleep 1
  one_line_error 125 "no such address"
  for net in none host; do
    run_arnia run -d --name again --net "$net" -p 8097:80 busybox sleep 1
    one_line_error 125 "$net"
  done
  run arnia info again
  [[ "$status" -eq 3 ]]
}

@test "the number of nft rules does not grow, the elements go with the container" {
  local rules elements
  rules=$(on_host nft -a list ruleset | grep -c 'handle')
  elements=$(on_host nft -j list ruleset | jq '[.nftables[] | (.set // .map // empty) | .elem // [] | length] | add')
  for i in 1 2 3; do arnia run -d --name "n$i" -p "809$i:80" busybox sleep 100000; done
  [[ "$(on_host nft -a list ruleset | grep -c 'handle')" -eq "$rules" ]]
  arnia rm -f n1 n2 n3
  # the cells kept ready differ by a few while they are refilled
  wait_until 30 sh -c "[ \$(nsenter --net=/run/netns/$HOST_NS nft -j list ruleset | jq '[.nftables[] | (.set // .map // empty) | .elem // [] | length] | add') -le $elements ]"
}

@test "links go with their containers" {
  arnia run -d --name short busybox sleep 100000
  local link
  link=$(arnia explain short | awk '$1 == "link" {print $2}')
  ip -n "$HOST_NS" link show "$link"
  arnia rm -f short
  wait_until 50 sh -c "! ip -n $HOST_NS link show $link > /dev/null 2>&1"
}
