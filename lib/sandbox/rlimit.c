/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

static const struct {
	const char *name;
	int resource;
} resources[] = {
	{ "as", RLIMIT_AS },	       { "core", RLIMIT_CORE },		{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },       { "fsize", RLIMIT_FSIZE },	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK }, { "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },   { "nproc", RLIMIT_NPROC },	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },   { "rttime", RLIMIT_RTTIME },	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

static const char *name_of(uint32_t resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if ((uint32_t)resources[i].resource == resource)
			return resources[i].name;
	return "unknown";
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
			return err_sys(err, -errno, "limit %s to %" PRIu64 ":%" PRIu64, name_of(l->resource),
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

/* "nofile", "NOFILE" and the C name "RLIMIT_NOFILE" of the OCI schema. */
static int parse_name(const char *s, size_t n, uint32_t *ret)
{
	if (n > 7 && strncasecmp(s, "rlimit_", 7) == 0) {
		s += 7;
		n -= 7;
	}
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (strlen(resources[i].name) == n && strncasecmp(s, resources[i].name, n) == 0) {
			*ret = (uint32_t)resources[i].resource;
			return 0;
		}
	return -EINVAL;
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
