/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/base/parse.h"
#include "lib/base/rlimits.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

static const char *shown(uint32_t resource)
{
	const char *name = rlimit_name(resource);

	return name ? name : "unknown";
}

/* A hard limit over the process's own needs CAP_SYS_RESOURCE of the host, which a nested host may lack. */
static void cut_to_own(const struct sandbox_rlimit *l, struct rlimit *v)
{
	struct rlimit own;

	if (!l->best_effort || getrlimit((int)l->resource, &own) < 0)
		return;
	v->rlim_max = MIN(v->rlim_max, own.rlim_max);
	v->rlim_cur = MIN(v->rlim_cur, own.rlim_max);
}

int rlimit_apply(const struct sandbox_config *c, struct error *err)
{
	for (size_t i = 0; i < c->rlimits.n; i++) {
		const struct sandbox_rlimit *l = &c->rlimits.v[i];
		struct rlimit v = { .rlim_cur = l->soft, .rlim_max = l->hard };

		cut_to_own(l, &v);
		if (setrlimit((int)l->resource, &v) < 0)
			return err_sys(err, -errno, "limit %s to %" PRIu64 ":%" PRIu64, shown(l->resource),
				       l->soft, l->hard);
	}
	return 0;
}

static int parse_value(const char *s, uint64_t *ret)
{
	if (str_eq(s, "unlimited") || str_eq(s, "-1")) {
		*ret = RLIM_INFINITY;
		return 0;
	}
	return parse_u64(s, ret) < 0 ? -EINVAL : 0;
}

static int parse_name(const char *s, size_t n, uint32_t *ret)
{
	auto_free char *name = str_dup_n(s, n);

	return rlimit_number(name, ret) < 0 ? -EINVAL : 0;
}

int rlimit_parse(const char *s, struct sandbox_rlimit *ret)
{
	const char *eq = strchr(s, '='), *colon = eq ? strchr(eq, ':') : NULL;
	struct sandbox_rlimit l = { 0 };
	auto_free char *soft = NULL;

	if (!eq || parse_name(s, (size_t)(eq - s), &l.resource) < 0)
		return -EINVAL;
	soft = colon ? str_dup_n(eq + 1, (size_t)(colon - eq - 1)) : str_dup(eq + 1);
	if (parse_value(soft, &l.soft) < 0 || parse_value(colon ? colon + 1 : soft, &l.hard) < 0 ||
	    l.soft > l.hard)
		return -EINVAL;
	*ret = l;
	return 0;
}
