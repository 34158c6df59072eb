/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "lib/worker/worker.h"
#include "lib/base/failat.h"
#include "lib/base/mem.h"

const char *step_plain_name(const struct step *s)
{
	const char *colon = strchr(s->name, ':');

	return colon ? colon + 1 : s->name;
}

int step_enter(const struct step *s, struct error *err)
{
	int r = fail_at(s->name);

	return r < 0 ? err_sys(err, r, "step %s", step_plain_name(s)) : 0;
}

int steps_run(struct steps l, void *ctx, size_t *ret_at, struct error *err)
{
	for (size_t i = 0; i < l.n; i++) {
		int r = step_enter(&l.v[i], err);

		*ret_at = i + 1;
		if (r == 0)
			r = l.v[i].run(ctx, err);
		if (r < 0) {
			if (l.v[i].what)
				err_prefix(err, "%s", l.v[i].what);
			return r;
		}
	}
	return 0;
}

void steps_undo(struct steps l, void *ctx, size_t at)
{
	while (at-- > 0)
		if (l.v[at].undo)
			l.v[at].undo(ctx);
}
