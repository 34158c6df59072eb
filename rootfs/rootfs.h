/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_H
#define ARNIA_ROOTFS_H
/*
 * The container's file tree. Host half (worker, root on the host, in a small mount namespace of its own) and guest half (child in its own
 * user and mount namespaces, after it became container root).
 */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "rootfs/rootfs_config.h"

/*
 * The two halves meet in the stage, a small tmpfs of the worker's mount namespace: the worker attaches the root and the sources of binds and devices below
 * it, and they reach the child by mount propagation (or by the copy that clone(2) makes, when they were there before). No mount descriptor is sent. The
 * reason: a mount that arrives by descriptor and move_mount(2) has no locked flags, so a container root with CAP_SYS_ADMIN could clear NODEV of the root or make a
 * read-only volume writable; a mount that crosses into a less privileged user namespace by propagation or copy has them locked (mount_namespaces(7)).
 */

/* ---- host half; single-threaded; the caller is in a mount namespace of its own, recursively slave ---- */

/* Mount the staging tmpfs at `run`/stage (the empty folder stays for all workers) and make it the working directory, so that a child with a copy of the
 * namespace finds its own copy as ".", even where it may not walk the path any more. Returns its O_PATH fd. Before the child is cloned. */
int rootfs_stage(const char *run, struct error *err);
/* The same without the standard devices: for a worker that carries out one plan, which may make its own. */
int rootfs_stage_bare(const char *run, struct error *err);
/* Build the root and attach it below `stage`. A plain one is a clone of lower[0] with all that is mounted below it. Else: idmapped clones of the layers (open_tree + mount_setattr with the user namespace `userns`; -1 = not idmapped), overlay
 * created with fsuid/fsgid at the range's base, MOUNT_ATTR_NODEV always, writability checked afterwards. Makes upper and work when missing, in one folder (0700). Returns an
 * O_PATH fd of the root, for the caller's own use. Before or after the clone, but before the child leaves for rootfs_guest_mount. */
int rootfs_mount_root(const struct rootfs_config *c, int stage, int userns, struct error *err);
/* For ROOTFS_JOINED and ROOTFS_HERE the root is a clone of lower[0] over itself. Detached, private; its descriptor, that of the folder in *ret_under, and in
 * *ret_id the mount id that it will have (statx(2), STATX_MNT_ID). */
int rootfs_clone_root(const char *path, int *ret_under, uint64_t *ret_id, struct error *err);
int rootfs_attach_root(int root, int under, const char *path, struct error *err); /* path: for the error */
/* Take it off with all that is mounted below it, if what lies at `path` in this mount namespace has that id. When another mount is over it, -EBUSY; when
 * it is not there any more, nothing. Undo and rm. */
int rootfs_detach_root(const char *path, uint64_t id, struct error *err);
/* Clone the source of each MOUNT_BIND and each device (open_tree(2)) in the host's mount namespace `host_mntns` (-1 = the caller's) and attach them below `stage`.
 * Those that the guest clones itself (c->direct) are left out. Flags are set here, recursively; idmapped where asked; a device's type and number are checked on the clone; a bind source may be file or folder. The working
 * directory is kept. An error on the way back from host_mntns leaves the process in the wrong namespace: exit. */
int rootfs_stage_sources(const struct rootfs_config *c, int stage, int host_mntns, int userns, struct error *err);
/* Remove upper and work of the folder `dir` (the parent of upper; it stays). Nothing there is success. Undo and rm. */
int rootfs_remove_layers(const char *dir, struct error *err);

/* ---- guest half; the process is root of its own user namespace, single-threaded; `/` must not be shared ---- */
struct rootfs_guest {
	int stage; /* of this mount namespace; -1, or one inherited from the worker: the working directory is taken */
	volatile uint64_t *attached; /* ROOTFS_JOINED: gets the root's mount id before it is attached, for whoever has to undo it; may be NULL */
	int root_mount; /* set by rootfs_guest_mount: the root, attached in this namespace; closed by the caller */
};
/* Let nothing that is mounted here reach another namespace, nor the other way round, but for the sources of binds that are asked to be shared or
 * slaves. When the worker's mounts have arrived. */
int rootfs_guest_private(const struct rootfs_config *c, struct error *err);
/* Attach the root, do mounts, devices, links, files in order. Paths inside only by path_*_in. A target that is /proc or /sys (or /dev) may not be a link in the image;
 * nothing but a whole procfs goes over /proc, and into it only the files that lxcfs gives. */
int rootfs_guest_mount(const struct rootfs_config *c, struct rootfs_guest *g, struct error *err);
/* Move the root from the stage over lower[0], where hooks look for the container's files, and mount more. One that this process may not
 * walk to is left alone. Before the pivot. */
int rootfs_guest_show(const struct rootfs_config *c, int root, struct error *err);
/* New pty in the container's own /dev/pts; bind its slave on /dev/console when c->console. Returns the master; slave fd in *ret_slave. Before the pivot or after
 * (root = fd of the new root). rows = 0: the size is left. */
int rootfs_guest_console(const struct rootfs_config *c, int root, uint16_t rows, uint16_t cols, int *ret_slave, struct error *err);
/* pivot_root(".", "."), detach the old root (pivot_root(2) NOTES). */
int rootfs_guest_pivot(int root, struct error *err);
/* Instead of the pivot for ROOTFS_HERE: chroot(2), which a container with CAP_SYS_CHROOT can leave. */
int rootfs_guest_chroot(int root, struct error *err);
/* Instead of the pivot (c->no_pivot): the root is moved to / and entered by chroot(2). The old one stays below it, without its procfs and
 * sysfs. Weaker than a pivot: with CAP_SYS_CHROOT or CAP_SYS_ADMIN a container can come to the old root, or, in a user namespace, to a
 * procfs without masked paths. */
int rootfs_guest_move(int root, struct error *err);
/* Masked and read-only paths, the read-only root, then the propagation of `/`. After the pivot. */
int rootfs_guest_seal(const struct rootfs_config *c, struct error *err);

/* The standard lists (runtime-spec "Default Filesystems", and Docker's and Podman's masked paths) put into a config: proc, sysfs ro, /dev tmpfs, devpts, shm, mqueue,
 * cgroup2, nodes null zero full random urandom tty, links, masked and read-only paths. */
void rootfs_config_defaults(struct rootfs_config *c, struct arena *a);

#endif
