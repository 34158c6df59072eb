/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_H
#define ARNIA_ROOTFS_H
/*
 * The container's file tree. Host half (worker, root on the host, in a small mount namespace of its own) and guest half (child in its own
 * user and mount namespaces, after it became container root).
 */
#include <stdbool.h>
#include "lib/base/error.h"
#include "rootfs/rootfs_config.h"

/* ---- host half ---- */

/* Worker's staging tmpfs (mode 755) mounted at a folder it makes below `run` ("run/w.PID" is not needed: any private place); returns its O_PATH
 * fd. The caller is already in a mount namespace of its own, recursively slave. */
int rootfs_stage(const char *run, struct error *err);
/* Build the root mount: idmapped clones of the layers (open_tree + mount_setattr with the user namespace `userns`), attached below `stage` while overlay
 * is created, fsuid/fsgid at the range's base at that moment, MOUNT_ATTR_NODEV always, writability checked afterwards. Returns the detached mount's fd. */
int rootfs_mount_root(const struct rootfs_config *c, int stage, int userns, struct error *err);
/* Open the source of each MOUNT_BIND and each device as detached mount clones (open_tree(2)), in the host's mount namespace `host_mntns`; a device's type and
 * number are checked, a bind source may be file or folder. Idmapped where asked. Fills fds[0..n_binds + n_devices), closed by the caller. */
int rootfs_open_sources(const struct rootfs_config *c, int host_mntns, int userns, int *fds, struct error *err);
/* Remove the container's own upper and work folders (parent of upper). Undo and rm. */
int rootfs_remove_layers(const char *dir, struct error *err);

/* ---- guest half; the process is root of its own user namespace, single-threaded ---- */
struct rootfs_guest {
	int root_mount; /* from rootfs_mount_root */
	const int *sources; /* from rootfs_open_sources: binds in order of mounts[], then devices[] */
	size_t n_sources;
	int stage; /* folder to attach on */
};
/* Attach the root, do mounts, devices, links, files in order. Paths inside only by path_*_in. */
int rootfs_guest_mount(const struct rootfs_config *c, const struct rootfs_guest *g, struct error *err);
/* New pty in the container's own /dev/pts; bind its slave on /dev/console when c->console. Returns the master; slave fd in *ret_slave. Before the pivot or after
 * (root = fd of the new root). */
int rootfs_guest_console(const struct rootfs_config *c, int root, uint16_t rows, uint16_t cols, int *ret_slave, struct error *err);
/* pivot_root(".", "."), detach the old root (pivot_root(2) NOTES). */
int rootfs_guest_pivot(int root, struct error *err);
/* Masked and read-only paths, then the read-only root. After the pivot. */
int rootfs_guest_seal(const struct rootfs_config *c, struct error *err);

/* The standard lists (runtime-spec "Default Filesystems", and Docker's and Podman's masked paths) put into a config: proc, sysfs ro, /dev tmpfs, devpts, shm, mqueue,
 * cgroup2, nodes null zero full random urandom tty, links, masked and read-only paths. */
void rootfs_config_defaults(struct rootfs_config *c, struct arena *a);

#endif
