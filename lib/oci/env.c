/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "lib/oci/oci.h"

struct variable {
	const char *text;
	size_t name, at; /* length of its name; where it stands */
};

static int by_name(const void *a, const void *b)
{
	const struct variable *x = a, *y = b;
	int r = memcmp(x->text, y->text, MIN(x->name, y->name));

	if (r == 0)
		r = (x->name > y->name) - (x->name < y->name);
	return r ?: (x->at > y->at) - (x->at < y->at);
}

static bool is_same(const struct variable *a, const struct variable *b)
{
	return a->name == b->name && memcmp(a->text, b->text, a->name) == 0;
}

void oci_env_last(struct arena *a, struct strv *env)
{
	auto_free struct variable *sorted = mem_alloc_n(env->n + 1, sizeof(*sorted));
	auto_free bool *said_again = mem_alloc_n(env->n + 1, sizeof(*said_again));
	struct strv last = { 0 };

	for (size_t i = 0; i < env->n; i++)
		sorted[i] = (struct variable){ env->v[i], strcspn(env->v[i], "="), i };
	qsort(sorted, env->n, sizeof(*sorted), by_name);
	for (size_t i = 0; i + 1 < env->n; i++)
		said_again[sorted[i].at] = is_same(&sorted[i], &sorted[i + 1]);
	for (size_t i = 0; i < env->n; i++)
		if (!said_again[i])
			*arena_push(a, &last) = env->v[i];
	*env = last;
}
