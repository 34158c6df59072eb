# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154
# A client of the Container Runtime Interface: gRPC is HTTP/2, which curl speaks, and a message is five bytes ahead of what
# protoc makes of its text form and back.
CRI_SOCKET=/run/cri-t.sock
RUNC_ROOT=/run/containerd/runc/k8s.io # where containerd's shim has its runtimes keep what they know

# cri METHOD [REQUEST]: the answer; or the error, and 1.
cri() {
  local at=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/cri n
  protoc -I "$BATS_TEST_DIRNAME/data" --encode="runtime.v1.$1Request" cri.proto <<< "${2:-}" > "$at.message" || return 1
  n=$(stat -c %s "$at.message")
  {
    printf '\0%b' "$(printf '\\x%02x' $((n >> 24)) $((n >> 16 & 255)) $((n >> 8 & 255)) $((n & 255)))"
    cat "$at.message"
  } > "$at.frame"
  : > "$at.answer"
  curl -sS --max-time "$((60 * ${ARNIA_SLOW:-1}))" --http2-prior-knowledge --unix-socket "$CRI_SOCKET" \
    -H 'content-type: application/grpc' -H 'te: trailers' --data-binary "@$at.frame" -D "$at.head" -o "$at.answer" \
    "http://cri/runtime.v1.RuntimeService/$1" || return 1
  if ! grep -q $'^grpc-status: 0\r$' "$at.head"; then
    sed -n 's/^grpc-message: \(.*\)\r$/\1/p' "$at.head"
    return 1
  fi
  tail -c +6 "$at.answer" | protoc -I "$BATS_TEST_DIRNAME/data" --decode="runtime.v1.$1Response" cri.proto
}
# field NAME: of an answer on stdin, without quotes.
field() {
  sed -n "s/^ *$1: \"\?\([^\"]*\)\"\?\$/\1/p" | head -n 1
}

# pod NAME: a pod on the host's network, its identifier. What its processes see of each other: PID.
pod() {
  local config at=$BATS_FILE_TMPDIR/pod-$1
  config="metadata { name: '$1' uid: '$1-uid' namespace: 'default' } log_directory: '$at'
    linux { cgroup_parent: 'kubepods-pod$1.slice'
      security_context { namespace_options { network: NODE pid: ${PID:-CONTAINER} } } }"
  mkdir "$at"
  echo "$config" > "$at/config"
  cri RunPodSandbox "config { $config } runtime_handler: 'arnia'" > "$at/answer" || { cat "$at/answer" >&2; return 1; }
  field pod_sandbox_id < "$at/answer"
}
# made POD NAME SCRIPT: a container that is created in a pod, its identifier. A SCRIPT that begins with [ is the program
# with its arguments. More in PID, RESOURCES, SECURITY, MOUNTS; ATTEMPT is how often it was there before.
made() {
  local at=$BATS_FILE_TMPDIR/pod-$1 answer command="['sh', '-c', '$3']"
  [[ "$3" != '['* ]] || command=$3
  answer=$(cri CreateContainer "$(< "$at/answer") sandbox_config { $(< "$at/config") }
    config {
      metadata { name: '$2' attempt: ${ATTEMPT:-0} } image { image: 'localhost/bb:latest' } command: $command log_path: '$2.log'
      ${MOUNTS:-} linux { resources { ${RESOURCES:-} }
        security_context { namespace_options { network: NODE pid: ${PID:-CONTAINER} } ${SECURITY:-} } } }") ||
    { echo "$answer" >&2; return 1; }
  field container_id <<< "$answer"
}
# started ...: as made, and it runs.
started() {
  local id
  id=$(made "$@")
  cri StartContainer "container_id: '$id'" >&2
  echo "$id"
}
# in_it ID PROGRAM ARGUMENT...: what it writes; its exit code is the exit code.
in_it() {
  local id=$1 cmd answer code
  shift
  cmd=$(printf ", '%s'" "$@")
  answer=$(cri ExecSync "container_id: '$id' cmd: [${cmd#, }] timeout: $((20 * ${ARNIA_SLOW:-1}))") || { echo "$answer" >&2; return 255; }
  printf '%b' "$(field stdout <<< "$answer")"
  code=$(field exit_code <<< "$answer")
  return "${code:-0}"
}
# state_of ID: the first of an enumeration, CONTAINER_CREATED, is not sent, so it is empty.
state_of() {
  cri ContainerStatus "container_id: '$1'" | field state
}
ended() {
  [[ "$(state_of "$1")" == CONTAINER_EXITED ]]
}
