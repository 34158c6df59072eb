/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/rlimits.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

#define VALUE_SIZE 24

static const char *shown(uint64_t value, char buf[VALUE_SIZE])
{
	if (value == RLIM_INFINITY)
		return "unlimited";
	snprintf(buf, VALUE_SIZE, "%" PRIu64, value);
	return buf;
}

/* No process, whatever its rights, has more open files than this. */
static uint64_t kernel_max(uint32_t resource)
{
	auto_free char *text = NULL;
	uint64_t v;

	if (resource != RLIMIT_NOFILE || file_read_at(AT_FDCWD, "/proc/sys/fs/nr_open", 64, &text, NULL) < 0)
		return RLIM_INFINITY;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, &v) < 0 ? RLIM_INFINITY : v;
}

int rlimit_refused(const struct sandbox_rlimit *l, int error, struct error *err)
{
	char soft[VALUE_SIZE], hard[VALUE_SIZE];
	uint64_t max = kernel_max(l->resource);
	struct rlimit own;

	err_sys(err, error, "resource limit %s=%s:%s", rlimit_name(l->resource) ?: "unknown", shown(l->soft, soft),
		shown(l->hard, hard));
	if (l->hard > max)
		err_hint(err, "at most %s, which is fs.nr_open of the host", shown(max, hard));
	else if (error == -EPERM && getrlimit((int)l->resource, &own) == 0 && l->hard > own.rlim_max)
		err_hint(err, "at most %s, since arnia may not raise its own limit here", shown(own.rlim_max, hard));
	return error;
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
			return rlimit_refused(l, -errno, err);
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
