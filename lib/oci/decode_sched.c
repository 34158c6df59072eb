/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When and where a process runs: scheduler, ioPriority, execCPUAffinity. */
#include <linux/ioprio.h>
#include <linux/sched.h>
#include "lib/oci/oci_internal.h"

#define NICE_MIN (-20)
#define NICE_MAX 19
#define POLICY_ISO 4 /* reserved in linux/sched.h, and named by the specification */

static const struct oci_word policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL },
	{ "SCHED_FIFO", SCHED_FIFO },
	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },
	{ "SCHED_ISO", POLICY_ISO },
	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE },
	{ NULL, 0 },
};

static const struct oci_word sched_flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 },
};

static const struct oci_word io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
	{ NULL, 0 },
};

static int check_sched(const struct sandbox_sched *s, struct error *err)
{
	if (s->priority && s->policy != SCHED_FIFO && s->policy != SCHED_RR)
		return oci_bad(err, "priority: for SCHED_FIFO and SCHED_RR only");
	if (s->policy != SCHED_DEADLINE && (s->runtime || s->deadline || s->period))
		return oci_bad(err, "%s: for SCHED_DEADLINE only",
			       s->runtime    ? "runtime"
			       : s->deadline ? "deadline"
					     : "period");
	return 0;
}

static int decode_sched_members(const json *o, struct sandbox_sched *ret, struct error *err)
{
	struct sandbox_sched s = { .set = true };
	int64_t nice = 0, priority = 0;
	uint64_t policy = 0;
	int r = oci_get_word(o, "policy", policies, &policy, err);

	if (r < 0)
		return r;
	if (!r)
		return oci_bad(err, "policy: missing");
	if ((r = oci_get_range(o, "nice", NICE_MIN, NICE_MAX, &nice, err)) < 0 ||
	    (r = oci_get_range(o, "priority", 0, INT32_MAX, &priority, err)) < 0 ||
	    (r = oci_get_flags(o, "flags", sched_flags, &s.flags, err)) < 0 ||
	    (r = json_get_u64(o, "runtime", &s.runtime, err)) < 0 ||
	    (r = json_get_u64(o, "deadline", &s.deadline, err)) < 0 ||
	    (r = json_get_u64(o, "period", &s.period, err)) < 0)
		return r;
	s.policy = (uint32_t)policy;
	s.nice = (int32_t)nice;
	s.priority = (uint32_t)priority;
	r = check_sched(&s, err);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}

static int decode_sched(const json *process, struct arena *a unused, struct sandbox_config *s,
			struct error *err)
{
	const json *o = NULL;
	int r = json_get_obj(process, "scheduler", &o, err);

	if (r <= 0)
		return r;
	r = decode_sched_members(o, &s->sched, err);
	return r < 0 ? oci_within(err, "scheduler.") : 0;
}

static int decode_ioprio(const json *process, struct arena *a unused, struct sandbox_config *s,
			 struct error *err)
{
	const json *o = NULL;
	uint64_t class = 0;
	int64_t priority = 0;
	int r = json_get_obj(process, "ioPriority", &o, err);

	if (r <= 0)
		return r;
	r = oci_get_word(o, "class", io_classes, &class, err);
	if (r == 0)
		r = oci_bad(err, "class: missing");
	if (r > 0)
		r = oci_get_range(o, "priority", 0, IOPRIO_NR_LEVELS - 1, &priority, err);
	if (r < 0)
		return oci_within(err, "ioPriority.");
	s->ioprio = (uint32_t) class << IOPRIO_CLASS_SHIFT | (uint32_t)priority;
	return 0;
}

static int decode_affinity(const json *process, struct arena *a, struct sandbox_config *s, struct error *err)
{
	const json *o = NULL;
	int r = json_get_obj(process, "execCPUAffinity", &o, err);

	if (r <= 0)
		return r;
	if ((r = oci_get_list(o, "initial", a, &s->cpus_initial, err)) < 0 ||
	    (r = oci_get_list(o, "final", a, &s->cpus_final, err)) < 0)
		return oci_within(err, "execCPUAffinity.");
	return 0;
}

int oci_sched_decode(const json *process, struct arena *a, struct sandbox_config *s, struct error *err)
{
	int r;

	if ((r = decode_sched(process, a, s, err)) < 0 || (r = decode_ioprio(process, a, s, err)) < 0 ||
	    (r = decode_affinity(process, a, s, err)) < 0)
		return r;
	return 0;
}
