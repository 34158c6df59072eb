/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_INTERNAL_H
#define ARNIA_ROOTFS_INTERNAL_H
/* Shared by the files of rootfs/ only. Functions without `struct error *` return 0 or a descriptor, or a
 * negative errno. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include "lib/base/error.h"
#include "rootfs/rootfs_config.h"

#define STAGE_ROOT "root"   /* the root mount below the stage */
#define STAGE_FILES "files" /* place for the tmpfs of struct file_item */
#define STAGE_NAME_SIZE 24
/* Name below the stage of source i: binds in the order of mounts[], then devices[]. */
const char *stage_source_name(size_t i, char buf[STAGE_NAME_SIZE]);
/* The standard devices are staged with the stage, before a job is known: which of them `d` is, or -1. */
int stage_standard_device(const struct dev_item *d);
const char *stage_device_name(int standard, char buf[STAGE_NAME_SIZE]);
extern const struct dev_item standard_devices[]; /* defaults.c */
extern const size_t n_standard_devices;
/* Clone of a device of the current mount namespace, checked. (sources.c) */
int stage_clone_device(const struct dev_item *d, struct error *err);
/* Attach a clone below the stage, at a place of its own type. (sources.c) */
int stage_attach(int stage, const char *name, int clone);

/* mnt.c: the calls of the mount API (mount_setattr(2), open_tree(2), move_mount(2)) with CLOEXEC and -errno.
 */
int mnt_clone(int dirfd, const char *path, bool recursive); /* detached clone; path "" clones dirfd itself */
int mnt_attach(int mount, int dirfd, const char *path);	    /* path "" attaches on dirfd itself */
/* Attributes of a mount given by descriptor; propagation 0 leaves it, userns -1 leaves the id map. */
int mnt_set(int mount, bool recursive, uint64_t attr_set, uint64_t propagation, int userns);
/* Attributes set and taken off, nothing else; an access time mode in either of them replaces the one that was. */
int mnt_change(int mount, bool recursive, uint64_t attr_set, uint64_t attr_clr);
int mnt_propagate(int mount, uint64_t ms_flags); /* MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, MS_REC; none of them: nothing */
uint64_t mnt_attrs(uint64_t ms_flags); /* MS_* of mount(2) -> MOUNT_ATTR_* */
/* What of an item is a source at the stage: binds, but not their "remount". */
bool mnt_is_source(const struct mount_item *m);
/* mount(2) on a descriptor, so that the target cannot be another than the one that was looked at. */
int mnt_make(const char *source, int target, const char *fstype, unsigned long flags, const char *data);
/* A new detached tmpfs with these options ("mode=755"). */
int mnt_tmpfs(const char *const *options, uint64_t attrs);

/* mapped.c: a user namespace that only holds these maps, for MOUNT_ATTR_IDMAP. Its descriptor. */
int mapped_userns(const struct mount_item *m, struct error *err);

/* place.c: a detached clone of the folder `path` and all that is mounted below it, private. */
int plain_root(const char *path, struct error *err);
/* The root in a mount namespace that was there before: attached, or found. *ret_id as in struct rootfs_guest. */
int place_root(const struct rootfs_config *c, volatile uint64_t *ret_id, struct error *err);

/* label.c: filesystem options `data` (or NULL) with the SELinux label of what is mounted; free(3) it. NULL when there is
 * nothing to say. */
char *label_options(const struct rootfs_config *c, const char *fstype, const char *data);

/* submounts.c: a bind with mounts below it that cannot be idmapped. Cloned one by one in the host's mount namespace,
 * joined again in the worker's. */
struct mnt_look {
	uint64_t attrs, propagation;
	int userns;
};
struct submount {
	const char *at; /* below the bind */
	int fd;		/* detached clone */
};
struct submounts {
	struct submount *v;
	size_t n;
	struct arena arena;
};
bool mnt_not_idmappable(int r); /* of mnt_set with a user namespace */
/* Clone of the source alone, and in *ret (unless NULL) of all mounts below it, parents first. */
int submounts_clone(const char *source, const struct mnt_look *look, struct submounts *ret, struct error *err);
/* The detached tree of them; `top` stays the caller's. The volume may be no peer of another mount. */
int submounts_join(int stage, int top, const struct submounts *s, struct error *err);
void submounts_done(struct submounts *s);

/* target.c: targets of mounts, nodes, links and files below the root. `path` is normalized. */
struct target_want {
	const char *path;
	bool dir, create;
	bool nolink; /* no part of the path may be a link */
};
int target_open(int root, const struct target_want *w); /* O_PATH descriptor */
/* Parent folder of `path`, made when missing, and the last part of it. Below /dev no part may be a link: what
 * lies in /dev of an image must not lead elsewhere. */
int target_parent(int root, const char *path, const char **ret_name);
/* Regular file (or what is there, when it is no folder and no link) at `path`; a link in its place is
 * removed. */
int target_node(int root, const char *path);
/* The rules for mounts that would hide or replace procfs (CVE-2019-16884, CVE-2023-27561, CVE-2025-52881). `source` is
 * the clone that a bind will attach, or -1. */
int target_check_proc(const struct mount_item *m, const char *path, int fd, int source, struct error *err);

/* The steps of rootfs_guest_mount, each in the file of its name. */
struct guest {
	const struct rootfs_config *c;
	int stage, root; /* stage: -1 where there is none (ROOTFS_JOINED, ROOTFS_HERE) */
	size_t n_binds; /* sources of mounts[] before those of devices[] */
};
/* Detached clone of the staged source i; 0 leaves its propagation. */
int guest_source(const struct guest *g, size_t i, uint64_t propagation);
/* Detached clone of the source of m by the guest itself, with all that it asks for. (sources.c) */
int guest_clone_bind(const struct rootfs_config *c, const struct mount_item *m, struct error *err);
/* Whose source comes by the stage: of a less privileged guest all. Else those that are to be peers or slaves of the host's mount, which those of the new
 * namespace are not any more, and those with id maps. (sources.c) */
bool stage_has_source(const struct rootfs_config *c, const struct mount_item *m);
/* The stage as this namespace has it; hint as in struct rootfs_guest. (private.c) */
int guest_open_stage(int hint);
/* What is shared on the stage leaves its peers: the old root is taken off with all that is below it, and where that is shared, what is
 * mounted below the clones inside would go, too (mount_namespaces(7), "umount propagation"). */
int guest_part(const struct guest *g, struct error *err);
int guest_mounts(const struct guest *g, struct error *err);
/* guestfs.c: mount m, which is no bind, at a place that was looked up; then what mount(2) cannot say at once. */
struct guest_place {
	const char *path; /* normalized */
	int fd;
	uint32_t mode; /* of the folder that was there; 0: it was made for this */
};
int guest_mount_fs(const struct guest *g, const struct mount_item *m, const struct guest_place *at);
/* m is made read-only at the end, when everything in it is made. */
bool guest_readonly_late(const struct rootfs_config *c, const struct mount_item *m);
int guest_devices(const struct guest *g, struct error *err);
int guest_links(const struct guest *g, struct error *err);
int guest_files(const struct guest *g, struct error *err);

/* copyup.c: copy the content of folder `from` into folder `to`, with owners, modes, times and extended
 * attributes; other filesystems, devices and sockets are left out. */
int copyup_tree(int from, int to);

#endif
