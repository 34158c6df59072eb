/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_DESTROY: undo what a start made, however far it came. Every step finds its things missing without
 * complaint, so it can be done again. */
#include <errno.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

#define END_MS 10000

struct destroy {
	struct job *job;
	const struct plan *plan;
	struct worker *w;
	int cgroup; /* -1 when it is not there */
};

static int destroy_kill(void *ctx, struct error *err)
{
	struct destroy *d = ctx;
	struct cg_events ev;
	int r;

	d->cgroup = cg_open(d->w->cgroup, d->plan->cgroup.path, err);
	if (d->cgroup < 0)
		return d->cgroup == -ENOENT ? 0 : d->cgroup;
	if (cg_read_events(d->cgroup, &ev) == 0 && !ev.populated)
		return 0;
	r = cg_kill(d->cgroup, err);
	/* A frozen process dies of cgroup.kill too, but what is forked at that moment may be frozen alive. */
	return r == 0 && ev.frozen ? cg_freeze(d->cgroup, false, err) : r;
}

static int destroy_wait(void *ctx, struct error *err)
{
	struct destroy *d = ctx;

	return d->cgroup < 0 ? 0 : cgroup_wait_empty(d->cgroup, END_MS, err);
}

static int destroy_publish(void *ctx, struct error *err)
{
	struct destroy *d = ctx;

	return d->plan->net.mode == NET_ROUTED ? net_unpublish(worker_net(d->w), &d->plan->net, err) : 0;
}

static int destroy_layers(void *ctx, struct error *err)
{
	struct destroy *d = ctx;

	return folder_discard(d->job, err);
}

static int destroy_cgroup(void *ctx, struct error *err)
{
	struct destroy *d = ctx;

	return cg_remove(d->w->cgroup, d->plan->cgroup.path, err);
}

enum { KILL, WAIT, PUBLISH, LAYERS, CGROUP, NOTHING };
static const struct step list[] = {
	[KILL] = { "destroy:kill", NULL, destroy_kill, NULL },
	[WAIT] = { "destroy:wait", NULL, destroy_wait, NULL },
	[PUBLISH] = { "destroy:publish", "network", destroy_publish, NULL },
	[LAYERS] = { "destroy:layers", "rootfs", destroy_layers, NULL },
	[CGROUP] = { "destroy:cgroup", NULL, destroy_cgroup, NULL },
};
const struct steps destroy_steps = STEPS(list);

/* A link goes with its namespace, in the background; deleting it here would cost some 20 ms. One that
 * outlives its namespace's processes is deleted by the next start that wants its name (network_attach). */
static const struct {
	enum plan_undo what;
	int step;
} undo_table[] = {
	{ PLAN_UNDO_CGROUP, CGROUP },
	{ PLAN_UNDO_LAYERS, LAYERS },
	{ PLAN_UNDO_PUBLISH, PUBLISH },
	{ PLAN_UNDO_LINK, NOTHING },
};

static int undo_one(struct destroy *d, uint32_t what, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(undo_table); i++) {
		int step = undo_table[i].step;
		size_t at;

		if (undo_table[i].what == what)
			return step == NOTHING ? 0 : steps_run((struct steps){ &list[step], 1 }, d, &at, err);
	}
	return err_set(err, -EPROTO, "unknown undo %u", what);
}

/* All of it, also when one fails; the first error is told. The files last: the answer need not wait for them. */
static int walk_back(struct destroy *d, struct error *err)
{
	bool layers = false;
	int first = 0;

	for (size_t i = d->plan->undo.n; i-- > 0;) {
		uint32_t what = d->plan->undo.v[i];
		struct error e = { 0 };
		int r;

		layers |= what == PLAN_UNDO_LAYERS;
		r = what == PLAN_UNDO_LAYERS ? 0 : undo_one(d, what, &e);
		if (r < 0 && first == 0) {
			*err = e;
			first = r;
		}
	}
	return first == 0 && layers ? undo_one(d, PLAN_UNDO_LAYERS, err) : first;
}

int destroy_run(struct job *j, struct error *err)
{
	struct destroy d = { .job = j, .plan = j->plan, .w = j->w, .cgroup = -1 };
	size_t at = 0;
	/* What still lives uses the rest: then nothing is taken away. */
	int r = steps_run((struct steps){ list, WAIT + 1 }, &d, &at, err);

	if (r == 0)
		r = walk_back(&d, err);
	fd_close(&d.cgroup);
	/* Unmounting what it holds may take long: before the answer, after which the next job is due. */
	fd_close(&j->target);
	return r;
}
