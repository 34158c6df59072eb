#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test host's disk, kernel and initial RAM disk, made once and kept in $ARNIA_BUILD/vm; made anew when this file,
# guest-init or initrd-init changes.
#   image.sh DIR   -> DIR/{vmlinuz,initrd,root.img}
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$1
mkdir -p "$dir"

packages=(systemd systemd-sysv dbus linux-image-cloud-amd64 bats gojq nftables iproute2 iputils-ping procps util-linux
  busybox-static kmod socat netcat-openbsd curl strace e2fsprogs tmux bpftool
  libmnl0 libnftnl11 libseccomp2 libcap2 libjson-c5 libarchive13 libsystemd0
  podman conmon crun netavark aardvark-dns uidmap slirp4netns iptables dbus-user-session containerd runc criu docker.io apparmor
  protobuf-compiler)
modules=(virtio_pci virtio_blk virtio_console ext4 overlay)

is_made() {
  [[ -f $dir/recipe && $(< "$dir/recipe") == "$recipe" && -f $dir/root.img ]]
}
recipe=$(cat "$here"/image.sh "$here"/initrd-init "$here"/guest-init | sha256sum | cut -d' ' -f1)
! is_made || exit 0
exec 9> "$dir/lock"
flock 9
! is_made || exit 0
rm -f "$dir/recipe"

work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
echo "test host: installing Debian into $work (once)"
list=$(IFS=,; echo "${packages[*]}")
if ! setpriv --pdeathsig TERM mmdebstrap --quiet --variant=minbase --include="$list" --dpkgopt=path-exclude=/usr/share/man/* \
  --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/locale/* \
  --aptopt='Apt::Install-Recommends "false"' bookworm "$work/root" > "$dir/mmdebstrap.log" 2>&1; then
  tail -n 20 "$dir/mmdebstrap.log"
  exit 1
fi
root=$work/root

# ---- the guest's own settings ----
install -m 755 "$here/guest-init" "$root/sbin/arnia-guest"
cat > "$root/etc/systemd/system/arnia-guest.service" << 'U'
[Unit]
Description=tests of arnia
After=basic.target dbus.service
[Service]
Type=oneshot
ExecStart=/sbin/arnia-guest systemd
StandardOutput=null
StandardError=null
TimeoutStartSec=infinity
Delegate=yes
[Install]
WantedBy=multi-user.target
U
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../arnia-guest.service "$root/etc/systemd/system/multi-user.target.wants/arnia-guest.service"
for unit in systemd-timesyncd.service systemd-resolved.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer getty.target systemd-networkd.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Engines are started by the tests that want them.
rm -f "$root"/etc/systemd/system/*.wants/{containerd,docker,apparmor}.service "$root"/etc/systemd/system/sockets.target.wants/docker.socket
# jq itself compiles its library at each start, which takes a second here.
ln -s gojq "$root/usr/bin/jq"
echo testhost > "$root/etc/hostname"
printf '127.0.0.1 localhost testhost\n' > "$root/etc/hosts"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/etc/resolv.conf "$root"/usr/share/doc "$root"/usr/share/man
: > "$root/etc/machine-id"
passwd -R "$root" -d root > /dev/null 2>&1 || true

# ---- kernel and a small initial RAM disk: busybox, the modules that reach the disk, switch_root ----
kernels=("$root"/lib/modules/*-cloud-amd64)
kernel=${kernels[0]##*/}
cp "$root/boot/vmlinuz-$kernel" "$work/vmlinuz"
rm -rf "${root:?}"/boot/*
ram=$work/ram
mkdir -p "$ram"/{bin,dev,proc,sys,root,modules}
cp "$root/bin/busybox" "$ram/bin/busybox"
install -m 755 "$here/initrd-init" "$ram/init"
depmod -b "$root" "$kernel"
for m in "${modules[@]}"; do
  modprobe -d "$root" -S "$kernel" --show-depends "$m" 2> /dev/null | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' > "$work/list"
n=0
while read -r file; do
  n=$((n + 1))
  cp "$file" "$ram/modules/$(printf %02d $n)-$(basename "$file")"
done < "$work/list"
(cd "$ram" && find . | cpio --quiet -o -H newc) | gzip -1 > "$work/initrd"

size=$(($(du -sm "$root" | cut -f1) + 1200))
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$work/root.img" "${size}M"
mv "$work/vmlinuz" "$work/initrd" "$work/root.img" "$dir/"
echo "$recipe" > "$dir/recipe"
