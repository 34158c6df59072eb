/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits: one table row per knob. A new knob is a field, an enum value and a row here. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define PERIOD_DEFAULT 100000

struct knob {
	const char *file, *controller;
	uint32_t bit;
	/* The value as text for the file; false when the knob is not set. */
	bool (*format)(const struct cg_limits *l, size_t field, char *buf, size_t size);
	size_t field;
};

static uint64_t field_of(const struct cg_limits *l, size_t field)
{
	return *(const uint64_t *)((const char *)l + field);
}

static bool format_number(const struct cg_limits *l, size_t field, char *buf, size_t size)
{
	uint64_t v = field_of(l, field);

	if (v == CG_MAX)
		snprintf(buf, size, "max");
	else
		snprintf(buf, size, "%" PRIu64, v);
	return v != CG_UNSET;
}

/* "QUOTA PERIOD". A period alone keeps the quota: the kernel reads "max", so it is only given together. */
static bool format_cpu_max(const struct cg_limits *l, size_t field, char *buf, size_t size)
{
	char quota[24];
	uint64_t period = l->cpu_period_us == CG_UNSET ? PERIOD_DEFAULT : l->cpu_period_us;
	bool set = format_number(l, field, quota, sizeof(quota));

	snprintf(buf, size, "%s %" PRIu64, quota, period);
	return set;
}

static bool format_io_weight(const struct cg_limits *l, size_t field, char *buf, size_t size)
{
	snprintf(buf, size, "default %" PRIu64, field_of(l, field));
	return field_of(l, field) != CG_UNSET;
}

static bool format_oom_group(const struct cg_limits *l, size_t field, char *buf, size_t size)
{
	bool on = *(const bool *)((const char *)l + field);

	snprintf(buf, size, "%d", on);
	return on || l->asked & CG_ASKED(CG_OOM_GROUP);
}

#define FIELD(name) offsetof(struct cg_limits, name)
static const struct knob knobs[CG_KNOBS] = {
	[CG_CPU_MAX] = { "cpu.max", "cpu", CG_CTL_CPU, format_cpu_max, FIELD(cpu_quota_us) },
	[CG_CPU_WEIGHT] = { "cpu.weight", "cpu", CG_CTL_CPU, format_number, FIELD(cpu_weight) },
	[CG_MEMORY_MAX] = { "memory.max", "memory", CG_CTL_MEMORY, format_number, FIELD(memory_max) },
	[CG_MEMORY_HIGH] = { "memory.high", "memory", CG_CTL_MEMORY, format_number, FIELD(memory_high) },
	[CG_MEMORY_LOW] = { "memory.low", "memory", CG_CTL_MEMORY, format_number, FIELD(memory_low) },
	[CG_SWAP_MAX] = { "memory.swap.max", "memory", CG_CTL_MEMORY, format_number, FIELD(swap_max) },
	[CG_PIDS_MAX] = { "pids.max", "pids", CG_CTL_PIDS, format_number, FIELD(pids_max) },
	[CG_IO_WEIGHT] = { "io.weight", "io", CG_CTL_IO, format_io_weight, FIELD(io_weight) },
	[CG_OOM_GROUP] = { "memory.oom.group", "memory", CG_CTL_MEMORY, format_oom_group, FIELD(oom_group) },
};

bool cg_knob_text(const struct cg_limits *l, enum cg_knob k, char *buf, size_t size)
{
	return knobs[k].format(l, knobs[k].field, buf, size);
}

const char *cg_knob_file(enum cg_knob k)
{
	return knobs[k].file;
}

const char *cg_knob_controller(enum cg_knob k)
{
	return knobs[k].controller;
}

uint32_t cg_limits_missing(const struct cg_limits *l, uint32_t have)
{
	uint32_t missing = 0;

	for (size_t i = 0; i < CG_KNOBS; i++)
		if (l->asked & CG_ASKED(i) && !(have & knobs[i].bit))
			missing |= CG_ASKED(i);
	return missing;
}

int cg_limits_try(int cg, const struct cg_limits *l, uint32_t *ret_missing, struct error *err)
{
	uint32_t missing = 0;

	for (size_t i = 0; i < CG_KNOBS; i++) {
		struct error e;
		char text[64];
		int r;

		if (!cg_knob_text(l, i, text, sizeof(text)))
			continue;
		r = cg_write(cg, knobs[i].file, text, &e);
		if (r == -ENOENT) {
			missing |= CG_ASKED(i);
		} else if (r < 0) {
			if (err)
				*err = e;
			return r;
		}
	}
	*ret_missing = missing;
	return 0;
}

uint32_t cg_knobs_controllers(uint32_t knob_bits)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < CG_KNOBS; i++)
		if (knob_bits & CG_ASKED(i))
			bits |= knobs[i].bit;
	return bits;
}

int cg_limits_refuse(int cg, const struct cg_limits *l, uint32_t missing, const char *why, struct error *err)
{
	uint32_t present = 0, refused = missing & l->asked;
	size_t i = 0;

	if (!refused)
		return 0;
	while (!(refused & CG_ASKED(i)))
		i++;
	cg_read_controllers(cg, "cgroup.controllers", &present);
	if (present & knobs[i].bit)
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
			     "limit %s: this kernel's %s controller does not have it", knobs[i].file,
			     knobs[i].controller);
	else
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
			     "limit %s: this host does not give the cgroup v2 controller \"%s\"%s%s",
			     knobs[i].file, knobs[i].controller, str_is_empty(why) ? "" : ": ",
			     str_is_empty(why) ? "" : why);
	err_hint(err, "%s", CG_HINT_DOCTOR);
	return -EOPNOTSUPP;
}

int cg_write_limits(int cg, const struct cg_limits *l, struct error *err)
{
	uint32_t missing = 0;
	int r = cg_limits_try(cg, l, &missing, err);

	return r < 0 ? r : cg_limits_refuse(cg, l, missing, NULL, err);
}

void cg_print(int cg, struct strbuf *out)
{
	for (size_t i = 0; i < CG_KNOBS; i++) {
		char text[256];

		if (cg_read(cg, knobs[i].file, text, sizeof(text)) <= 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		strbuf_addf(out, "%s %s\n", knobs[i].file, text);
	}
}
