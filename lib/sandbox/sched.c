/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When and where a process runs. */
#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/sandbox/list.h"
#include "lib/sandbox/sandbox.h"

/* sched_setattr(2), first version; glibc declares it from 2.41 on. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

int sched_apply(const struct sandbox_config *c, struct error *err)
{
	const struct sandbox_sched *s = &c->sched;
	struct attr a = {
		.size = sizeof(a),
		.policy = s->policy,
		.flags = s->flags,
		.nice = s->nice,
		.priority = s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period,
	};

	if (s->set && syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return err_sys(err, -errno, "set the scheduling policy (sched_setattr)");
	return 0;
}

int ioprio_apply(const struct sandbox_config *c, struct error *err)
{
	if (c->ioprio && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, c->ioprio) < 0)
		return err_sys(err, -errno, "set the I/O priority %u/%u", IOPRIO_PRIO_CLASS(c->ioprio),
			       c->ioprio & ((1u << IOPRIO_CLASS_SHIFT) - 1));
	return 0;
}

int personality_apply(const struct sandbox_config *c, struct error *err)
{
	if (c->set_personality && personality(c->personality) < 0)
		return err_sys(err, -errno, "set the personality %#llx", (unsigned long long)c->personality);
	return 0;
}

int affinity_check(const char *cpus, struct error *err)
{
	struct list l;
	int r = cpus ? list_parse(cpus, &l) : 0;

	return r < 0 ? err_set_kind(err, r, ERR_USAGE, "CPUs \"%.64s\": expected a list as 0-3,7", cpus) : 0;
}

int affinity_apply(const char *cpus, struct error *err)
{
	struct list l;
	int r = affinity_check(cpus, err);

	if (r < 0 || !cpus)
		return r;
	(void)list_parse(cpus, &l);
	if (syscall(SYS_sched_setaffinity, 0, sizeof(l.bits), l.bits) == 0)
		return 0;
	if (errno == EINVAL)
		return err_set(err, -EINVAL, "CPUs %.64s: none of them is online and in the cgroup's cpuset", cpus);
	return err_sys(err, -errno, "CPUs %.64s", cpus);
}
