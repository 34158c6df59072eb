/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_PLAN_INTERNAL_H
#define ARNIA_PLAN_INTERNAL_H
/* What the files of this folder share. */
#include "lib/base/pack.h"
#include "lib/plan/build.h"

#define PLAN_SIZE_MAX (4U << 20)
#define PLAN_ID_COUNT 65536U

/* pack.c: every member, in both directions; the header is io.c's. */
void plan_pack(struct pack *p, struct plan *plan);

/* limits.c: one row per knob of cg_limits that holds a number. */
struct plan_limit {
	const char *file, *controller;
	size_t offset; /* of the uint64_t in struct cg_limits */
	enum cg_knob knob;
	uint32_t bit; /* enum cg_controller */
};
extern const struct plan_limit plan_limits[];
extern const size_t plan_n_limits;
uint64_t *plan_limit_value(struct cg_limits *l, const struct plan_limit *row);

/* Steps of plan_build_start, each filling one part of the plan. */
int plan_add_cgroup(const struct plan_input *in, struct plan *p, struct error *err); /* limits.c */
int plan_add_network(const struct plan_input *in, struct plan *p, struct error *err); /* build.c */
int plan_add_devices(const struct plan_input *in, struct plan *p, struct error *err); /* build_devices.c */
int plan_add_rootfs(const struct plan_input *in, struct plan *p, struct error *err); /* build_rootfs.c */
int plan_add_files(const struct plan_input *in, struct plan *p, struct error *err); /* build_files.c */
int plan_add_sandbox(const struct plan_input *in, struct plan *p, struct error *err); /* build_sandbox.c */
int plan_add_process(const struct plan_input *in, struct plan *p, struct error *err); /* build_process.c */

/* build_sandbox.c: maps of the lease's range; -EINVAL when it does not fit below 2^32 - 1. */
int plan_map_ids(const struct plan_lease *lease, struct plan *p, struct error *err);
/* build_process.c: add "K=V" lines, a later value replacing an earlier one. */
void plan_env_add(struct arena *a, struct strv *env, const struct strv *more);
const char *plan_hostname(struct arena *a, const struct plan_input *in);

/* defaults.c: the standard tree of a container. */
struct plan_tree {
	bool host_net; /* its sysfs is not ours to mount */
	bool image_init; /* writable cgroup folder, /run, sysctls of its own */
};
void plan_rootfs_defaults(struct rootfs_config *r, const struct plan_tree *t, struct arena *a);

#endif
