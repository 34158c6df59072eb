/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_CONFIG_H
#define ARNIA_ROOTFS_CONFIG_H
/* What one container's file tree shall be. Plain data, see rootfs.h for the work. */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/idmap.h"
#include "lib/base/mem.h"

enum mount_kind {
	MOUNT_FS, /* a filesystem made in the container: proc, sysfs, tmpfs, devpts, mqueue, cgroup2 */
	MOUNT_BIND, /* a folder or file of the host */
};
struct mount_item {
	enum mount_kind kind;
	const char *fstype; /* MOUNT_FS */
	const char *source; /* host path of MOUNT_BIND, as the host's mount namespace has it; else the name shown */
	const char *target; /* absolute, below the rootfs */
	const char *data; /* filesystem options, or NULL */
	uint64_t flags; /* MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY | MS_REC ... (mount(2)); MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE is
			 * its propagation (binds: private unless given; with MS_REC as deep as the bind); MS_REMOUNT: what is mounted at the target gets
			 * the flags, and for MOUNT_FS the data (needs no fstype) */
	bool idmap; /* MOUNT_BIND: map ids so that host ids 0.. appear as container ids 0.. (MOUNT_ATTR_IDMAP) */
	bool create; /* make the target when it is missing */
	bool optional; /* a failure is skipped (a kernel without mqueue) */
	bool copy_up; /* tmpfs: start with the content of the folder below */
	/* OCI: */
	bool shallow; /* MOUNT_BIND: flags and idmap concern the mount itself, not what is mounted below it */
	uint64_t clear; /* MS_* that the mount shall not have ("rw", "suid", "dev", "exec") */
	uint64_t rec_set, rec_clear; /* MOUNT_ATTR_* for the whole tree ("rro", "rdev"): mount_setattr(2), AT_RECURSIVE */
	ARRAY_OF(struct id_map) uid_maps, gid_maps; /* MOUNT_BIND: idmapped by these instead of the container's */
	bool idmap_tree; /* "ridmap": also what is mounted below it */
};
struct dev_item { /* node of the host, bound into /dev */
	const char *path; /* host path */
	const char *target; /* container path */
	char type; /* 'c' or 'b'; with make also 'p' */
	uint32_t major, minor; /* checked on the bound node: a look-alike is refused */
	bool make; /* mknod(2) in the container's place, with these: mode, owner (container ids); else bind */
	uint32_t mode, uid, gid;
};
struct link_item {
	const char *target; /* text of the link */
	const char *path;
};
struct file_item { /* small file of ours bound over the image's (hosts, resolv.conf, hostname); writable unless the root is read-only */
	const char *path;
	const void *data;
	size_t size;
	uint32_t mode;
};
/* The mount namespace that the tree is made in. */
enum rootfs_place {
	ROOTFS_NEW, /* the container's own, made with it */
	ROOTFS_JOINED, /* one that was there: root and sources are those of its paths, and the pivot changes the root of all in it */
	ROOTFS_HERE, /* none: the caller's. Entered by chroot(2) */
};
struct rootfs_config {
	/* overlay: lower[0] is the topmost. Without upper the root is a read-only (idmapped) bind of lower[0] (one layer) or an overlay without
	 * upper. Absolute host paths. */
	struct strv lower;
	const char *upper, *work; /* made when missing, mode 0755 and 0700, owner = the range's base (on disk: host ids 0.. are stored unshifted) */
	bool readonly; /* remount the root read-only at the end */
	bool throwaway; /* upper goes when the container ends: overlay need not write it to disk for that (else it syncs the whole filesystem of upper when it is unmounted) */
	uint64_t id_base; /* host id of container id 0 */
	uint32_t id_count;
	ARRAY_OF(struct mount_item) mounts; /* in order */
	ARRAY_OF(struct dev_item) devices;
	ARRAY_OF(struct link_item) links; /* /dev/fd, /dev/stdin, /dev/ptmx ... */
	ARRAY_OF(struct file_item) files;
	struct strv masked; /* file -> /dev/null bound, folder -> empty read-only tmpfs */
	struct strv readonly_paths;
	bool console; /* bind the pts of the console at /dev/console */
	/* OCI: */
	bool plain; /* the root is lower[0] as it is, with what is mounted below it: writable, ids not mapped, devices work */
	uint64_t propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, with MS_REC: of / inside at the end; 0 = private */
	bool host_cgroups; /* no cgroup namespace of its own: a cgroup2 mount is a read-only bind of the host's */
	bool no_pivot; /* the host's root is of the initial ramdisk: rootfs_guest_move */
	bool direct; /* the guest has the host's rights, in no user namespace of its own: it clones sources itself */
	enum rootfs_place place;
	uint64_t root_id; /* ROOTFS_HERE: mount id of the root that is attached already (rootfs_clone_root) */
	const char *mount_label; /* SELinux context= for what is mounted; NULL = none */
};

#endif
