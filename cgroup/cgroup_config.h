/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CGROUP_CONFIG_H
#define ARNIA_CGROUP_CONFIG_H
/* What one cgroup v2 folder shall be. Plain data, see cgroup.h for the work. */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/mem.h"

#define CG_UNSET UINT64_MAX /* not set: the kernel's default stays */
#define CG_MAX (UINT64_MAX - 1) /* written as "max" */

/* One knob of the limits table (limits.c); values as in cgroup-v2.rst. */
struct cg_limits {
	uint64_t cpu_quota_us; /* cpu.max, per cpu_period_us */
	uint64_t cpu_period_us; /* 1000..1000000; 100000 when unset */
	uint64_t cpu_weight; /* cpu.weight 1..10000 */
	uint64_t memory_max; /* bytes */
	uint64_t memory_high;
	uint64_t memory_low;
	uint64_t swap_max; /* memory.swap.max, bytes; unset beside a memory_max: 0 at creation, so that it cannot be evaded */
	uint64_t pids_max;
	uint64_t io_weight; /* io.weight 1..10000 */
	bool oom_group; /* memory.oom.group */
	/* Which of the above the user asked for by name (bit per table row, CG_ASKED(field)). An asked limit the host cannot
	 * give is an error naming the controller; a default one is skipped. */
	uint32_t asked;
};
enum cg_knob { CG_CPU_MAX, CG_CPU_WEIGHT, CG_MEMORY_MAX, CG_MEMORY_HIGH, CG_MEMORY_LOW, CG_SWAP_MAX, CG_PIDS_MAX,
	       CG_IO_WEIGHT, CG_OOM_GROUP, CG_KNOBS };
#define CG_ASKED(knob) (1u << (knob))
/* Bits of a controller set. Here, not in cgroup.h, so that a plan can be built for what a host has. */
enum cg_controller { CG_CTL_CPU = 1, CG_CTL_MEMORY = 2, CG_CTL_PIDS = 4, CG_CTL_IO = 8, CG_CTL_CPUSET = 16,
		     CG_CTL_HUGETLB = 32, CG_CTL_RDMA = 64, CG_CTL_MISC = 128 };
#define CG_LIMITS_NONE                                                                                          \
	((struct cg_limits){ .cpu_quota_us = CG_UNSET, .cpu_period_us = CG_UNSET, .cpu_weight = CG_UNSET,       \
			     .memory_max = CG_UNSET, .memory_high = CG_UNSET, .memory_low = CG_UNSET,           \
			     .swap_max = CG_UNSET, .pids_max = CG_UNSET, .io_weight = CG_UNSET })

/* Device policy, as the OCI list: later entries win; the base is "deny all". */
struct cg_device {
	bool allow;
	char type; /* 'b', 'c' or 'a' */
	int64_t major, minor; /* -1 = any */
	uint8_t access; /* 1 read, 2 write, 4 mknod */
};

/* Any other control file, as OCI's linux.resources asks for it. Written in order, after the limits. */
struct cg_write {
	const char *file; /* "io.max"; no slash */
	const char *value; /* several lines: one write(2) each */
	bool optional; /* a default, or harmless where it is missing: skipped when the file is not there */
	bool instead; /* only when the one before it was skipped */
};
struct cg_config {
	const char *path; /* below the cgroup2 mount, no leading slash: "arnia/c-0123456789abcdef" */
	struct cg_limits limits;
	ARRAY_OF(struct cg_device) devices; /* empty: no device program */
	ARRAY_OF(struct cg_write) writes;
	bool reuse; /* the cgroup may be there already: it is taken as it is, and not removed when the rest fails */
	bool delegate; /* give the folder's delegatable files to owner_uid/gid */
	uint32_t owner_uid, owner_gid;
};

/* What the control files of a cgroup say: those that are there. */
struct cg_file_text {
	const char *name, *text;
};
struct cg_stat_text {
	ARRAY_OF(struct cg_file_text) files;
};

/* Parse "c 1:3 rwm", "b *:* m", "a" into a device rule. 0 or -EINVAL. */
int cg_device_parse(const char *s, struct cg_device *ret);

#endif
