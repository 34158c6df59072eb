/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only root of the host can give a process: done to the worker itself before it clones. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include "lib/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NS_PER_S 1000000000

/* Only the hard limits, and only upwards: the guest sets the exact values at its end, when it needs no more
 * room itself. */
static int raise_hard(const struct sandbox_rlimit *l, struct allowance *a, struct error *err)
{
	struct rlimit lim;

	if (l->resource >= ARRAY_SIZE(a->hard) || getrlimit((int)l->resource, &lim) < 0)
		return err_set(err, -EINVAL, "unknown resource limit %u", l->resource);
	if (l->hard <= lim.rlim_max)
		return 0;
	if (!(a->raised & 1u << l->resource))
		a->hard[l->resource] = lim.rlim_max;
	a->raised |= 1u << l->resource;
	lim.rlim_max = l->hard;
	if (setrlimit((int)l->resource, &lim) == 0 || l->best_effort)
		return 0;
	return rlimit_refused(l, -errno, err);
}

/* A guest in the worker's memory has the worker's score: set by one it holds for both. */
static int set_oom_score(const struct sandbox_config *c, struct allowance *a, struct error *err)
{
	if (c->oom_score_adj == INT32_MIN)
		return 0;
	a->oom_score = c->oom_score_adj != 0;
	return oom_score_apply(c, err);
}

static int write_clocks(const struct sandbox_config *c, struct error *err)
{
	const int64_t v[] = { c->time_mono_ns, c->time_boot_ns };
	int64_t s[2], ns[2];
	char text[128];

	/* The kernel wants nanoseconds in [0, 1e9), also with negative seconds (time_namespaces(7)). */
	for (int i = 0; i < 2; i++) {
		s[i] = v[i] / NS_PER_S - (v[i] % NS_PER_S < 0);
		ns[i] = v[i] - s[i] * NS_PER_S;
	}
	snprintf(text, sizeof(text), "monotonic %" PRId64 " %" PRId64 "\nboottime %" PRId64 " %" PRId64 "\n",
		 s[0], ns[0], s[1], ns[1]);
	return file_write_ctl_at(AT_FDCWD, "/proc/self/timens_offsets", PROC_SUPER_MAGIC, text, err);
}

/*
 * A time namespace can only be set while no process is in it. With clone3(CLONE_NEWTIME) the child is in it
 * at once; unshare(CLONE_NEWTIME) concerns the children to come, which leaves the moment to write the
 * offsets. (That execve(2) enters it too is true from Linux 6.3 on only.) The namespace belongs to the host's
 * user namespace: nothing inside needs it otherwise.
 */
static int leave_clocks(const struct sandbox_config *c, struct allowance *a, struct error *err)
{
	if (!(c->namespaces & CLONE_NEWTIME))
		return 0;
	a->time_home = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
	if (a->time_home < 0 || unshare(CLONE_NEWTIME) < 0)
		return err_set_kind(err, -errno, ERR_UNSUPPORTED, "the kernel has no time namespaces");
	return write_clocks(c, err);
}

int allowance_take(const struct plan *p, struct allowance *ret, struct error *err)
{
	const struct sandbox_config *c = &p->sandbox;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->rlimits.n; i++)
		r = raise_hard(&c->rlimits.v[i], ret, err);
	if (r == 0)
		r = set_oom_score(c, ret, err);
	return r == 0 && p->kind == PLAN_START ? leave_clocks(c, ret, err) : r;
}

void allowance_return(struct allowance *a)
{
	for (unsigned i = 0; i < ARRAY_SIZE(a->hard); i++) {
		struct rlimit lim;

		if (!(a->raised & 1u << i) || getrlimit((int)i, &lim) < 0)
			continue;
		lim.rlim_max = a->hard[i];
		setrlimit((int)i, &lim);
	}
	if (a->oom_score)
		file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, "0", NULL);
	if (a->time_home >= 0)
		setns(a->time_home, CLONE_NEWTIME);
	fd_close(&a->time_home);
	*a = ALLOWANCE_NONE;
}
