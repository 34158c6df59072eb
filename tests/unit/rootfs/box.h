/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEST_BOX_H
#define ARNIA_TEST_BOX_H
/* A container's file tree without the rest of a container: image, worker and guest of one test, and what is
 * left of them on disk. */
#include <stdio.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "lib/base/error.h"
#include "rootfs/rootfs.h"

#define BOX_BASE 1500000u /* host id of container root */
#define BOX_COUNT 65536u

struct box {
	char dir[64]; /* image/ victim/ run/ c1/ */
	int fd;	      /* dir */
	int lower;    /* dir/image */
	struct arena arena;
	struct rootfs_config c;
	bool early_root;       /* root and sources are staged before the clone */
	const char *only_host; /* the worker's namespace lacks this mount; `host` has it */
	bool no_seal, no_pivot;
	bool no_userns;	       /* the guest is root of the host */
	bool rootless;	       /* worker and guest are in one user namespace, with the box's range; needs no_userns */
	bool host_cgroups;     /* no cgroup namespace */
	bool no_openat2;       /* a seccomp filter answers ENOSYS */
	void (*prepare)(struct box *b); /* in the mount namespace that the worker's is a copy of */
	bool console;
	int (*inside)(struct box *b);  /* in the container; 0, or a line number by CHECK */
	void (*beside)(struct box *b); /* process beside it, until it is killed */
	int host;		       /* mount namespace that sources are taken from, -1: the worker's */
	int root, master, slave;       /* for inside() */
	struct error err;	       /* of the step that failed */
	char check[256];	       /* what CHECK did not find */
};
/* cmocka fixture: *state is a struct box with an empty image, an upper layer and no mounts. Skips (only) when
 * not root. */
int box_setup(void **state);
int box_teardown(void **state);
/* The same box, or the test is skipped, with a plain root; the guest is root of the host. */
struct box *box_plain(void **state);
/* Worker and guest become root of one user namespace, which the image belongs to. */
void box_rootless(struct box *b);

/* In the image, or with an absolute path as it is: folders, files, links. */
void box_mkdir(struct box *b, const char *path);
void box_write(struct box *b, const char *path, const char *text, mode_t mode);
void box_link(struct box *b, const char *target, const char *path);
/* Path below the box's folder, as an absolute path of the host. */
const char *box_path(struct box *b, const char *name);
/* Content of a file below the box's folder. */
void box_expect(struct box *b, const char *name, const char *text);
struct stat box_stat(struct box *b, const char *name);
bool box_exists(struct box *b, const char *name);
void box_expect_empty(struct box *b, const char *name); /* folder */

struct mount_item *box_bind(struct box *b, const char *source, const char *target, uint64_t flags);
struct mount_item *box_fs(struct box *b, const char *fstype, const char *target, const char *data,
			  uint64_t flags);

/* Run it: 0, or -1 with err or check set. */
int box_run(struct box *b);
void box_run_ok(struct box *b);
void box_run_fails(struct box *b, const char *part); /* the error's text holds `part` */

/* In inside(). */
#define CHECK(cond)                                                                                          \
	do {                                                                                                 \
		if (!(cond)) {                                                                               \
			snprintf(b->check, sizeof(b->check), "%s:%d: %s (errno %d)", __FILE__, __LINE__,     \
				 #cond, errno);                                                              \
			return __LINE__;                                                                     \
		}                                                                                            \
	} while (0)
bool in_reads(const char *path, const char *text);  /* the file's whole content */
bool in_writes(const char *path, const char *text); /* existing or new file; errno is kept */
int in_mounts_at(const char *path); /* how many mounts of /proc/self/mountinfo lie on it; needs /proc */
bool in_has_flags(const char *path, unsigned long flags); /* ST_* of statvfs(3) */
bool in_is_device(const char *path, unsigned major, unsigned minor);

#endif
