/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "lib/plan/internal.h"

#define CPU_PERIOD_US 100000
#define PIDS_DEFAULT 4096

#define ROW(file, name, field, knob, bit)                                                                    \
	{                                                                                                    \
		file, name, offsetof(struct cg_limits, field), knob, bit                                     \
	}
const struct plan_limit plan_limits[] = {
	ROW("cpu.max", "cpu", cpu_quota_us, CG_CPU_MAX, CG_CTL_CPU),
	ROW("cpu.weight", "cpu", cpu_weight, CG_CPU_WEIGHT, CG_CTL_CPU),
	ROW("memory.max", "memory", memory_max, CG_MEMORY_MAX, CG_CTL_MEMORY),
	ROW("memory.high", "memory", memory_high, CG_MEMORY_HIGH, CG_CTL_MEMORY),
	ROW("memory.low", "memory", memory_low, CG_MEMORY_LOW, CG_CTL_MEMORY),
	ROW("memory.swap.max", "memory", swap_max, CG_SWAP_MAX, CG_CTL_MEMORY),
	ROW("pids.max", "pids", pids_max, CG_PIDS_MAX, CG_CTL_PIDS),
	ROW("io.weight", "io", io_weight, CG_IO_WEIGHT, CG_CTL_IO),
};
const size_t plan_n_limits = ARRAY_SIZE(plan_limits);

uint64_t *plan_limit_value(struct cg_limits *l, const struct plan_limit *row)
{
	return (uint64_t *)((char *)l + row->offset);
}

/* A limit of the user's own. "No limit" is what there is without a controller, so it asks for nothing. */
static void ask(struct cg_limits *l, enum cg_knob knob, uint64_t *field, uint64_t value)
{
	*field = value;
	if (value != CG_MAX)
		l->asked |= CG_ASKED(knob);
}

static struct cg_limits limits_of(const struct spec *s)
{
	struct cg_limits l = CG_LIMITS_NONE;

	if (s->cpus_milli) {
		l.cpu_period_us = CPU_PERIOD_US;
		ask(&l, CG_CPU_MAX, &l.cpu_quota_us, (uint64_t)s->cpus_milli * CPU_PERIOD_US / 1000);
	}
	if (s->memory != CG_UNSET)
		ask(&l, CG_MEMORY_MAX, &l.memory_max, s->memory);
	/* As Docker does: memory and swap together twice the memory. */
	if (s->swap != CG_UNSET)
		ask(&l, CG_SWAP_MAX, &l.swap_max, s->swap);
	else
		l.swap_max = s->memory;
	if (s->pids != CG_UNSET)
		ask(&l, CG_PIDS_MAX, &l.pids_max, s->pids);
	else
		l.pids_max = PIDS_DEFAULT;
	/* Of an application half is no use; a system goes on without the process that was killed. */
	l.oom_group = !s->image_init;
	return l;
}

static int refuse(const struct plan_facts *f, const struct plan_limit *row, struct error *err)
{
	err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
		     "limit %s: this host has no \"%s\" controller in cgroup \"%s\"", row->file,
		     row->controller, f->cgroup_branch);
	if (f->hybrid)
		err_hint(err, "cgroup v1 has them: boot with systemd.unified_cgroup_hierarchy=1; see arnia host doctor");
	else
		err_hint(err, "arnia host doctor says what is in the way");
	return -EOPNOTSUPP;
}

/* Leave out what the host cannot give and nobody asked for. */
static int fit_limits(const struct plan_facts *f, struct cg_limits *l, struct error *err)
{
	for (size_t i = 0; i < plan_n_limits; i++) {
		const struct plan_limit *row = &plan_limits[i];
		uint64_t *value = plan_limit_value(l, row);

		if (*value == CG_UNSET || f->controllers & row->bit)
			continue;
		if (l->asked & CG_ASKED(row->knob))
			return refuse(f, row, err);
		*value = CG_UNSET;
	}
	if (!(f->controllers & CG_CTL_MEMORY))
		l->oom_group = false;
	return 0;
}

int plan_check_limits(const struct spec *s, const struct plan_facts *f, struct error *err)
{
	struct cg_limits l = limits_of(s);

	return fit_limits(f, &l, err);
}

int plan_add_cgroup(const struct plan_input *in, struct plan *p, struct error *err)
{
	struct cg_config *c = &p->cgroup;

	c->path = arena_fmt(&p->arena, "%s/c-%s", in->facts->cgroup_branch, in->id);
	c->limits = limits_of(in->spec);
	/* The image's own init makes cgroups; nobody else needs to. */
	c->delegate = in->spec->image_init;
	c->owner_uid = c->owner_gid = (uint32_t)in->lease->id_base;
	return fit_limits(in->facts, &c->limits, err);
}
