# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A small image of busybox for engines that bring their own images.

# image_tar DIR: DIR/rootfs.tar
image_tar() {
  local root=$1/rootfs
  mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,root,var,home}
  cp /bin/busybox "$root/bin/"
  for a in sh ls cat id ps sleep true false echo hostname env touch rm mkdir grep wc head tail stty nc ip tty test dd kill mount readlink seq cut; do
    ln -s busybox "$root/bin/$a"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
  echo 'root:x:0:' > "$root/etc/group"
  tar -C "$root" -cf "$1/rootfs.tar" .
}

# oci_left ROOT: the containers that a root of arnia-oci has, if any.
oci_left() {
  [[ ! -d $1 ]] || find "$1" -mindepth 1 -maxdepth 1 ! -name '@*'
}

# image_archive DIR NAME: DIR/image.tar, which containerd imports; DIR has rootfs.tar. It sleeps when it is told nothing.
image_archive() {
  local sum
  mkdir -p "$1/archive"
  mv "$1/rootfs.tar" "$1/archive/layer.tar"
  sum=$(sha256sum "$1/archive/layer.tar")
  cat > "$1/archive/config.json" << J
{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["sleep","1000000"]},
 "rootfs":{"type":"layers","diff_ids":["sha256:${sum%% *}"]}}
J
  echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"$2\"],\"Layers\":[\"layer.tar\"]}]" > "$1/archive/manifest.json"
  tar -C "$1/archive" -cf "$1/image.tar" manifest.json config.json layer.tar
}
