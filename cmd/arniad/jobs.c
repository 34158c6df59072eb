/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* Each holds descriptors of its client here and in the keeper; what a machine's end needs is not refused. */
#define JOBS_ASKED_MAX 512

struct job {
	struct job *next;
	uint64_t seq;
	job_fn done;
	job_line_fn line;
	void *arg;
};

/* What ends, or must be there before anything is. */
static bool is_for_less(enum plan_kind kind)
{
	return kind == PLAN_DESTROY || kind == PLAN_REMOVE || kind == PLAN_TEMPLATE_REMOVE ||
	       kind == PLAN_HOST_SETUP || kind == PLAN_HOST_TEARDOWN;
}

int job_submit(struct daemon *d, const struct job_request *q, uint64_t *ret_seq, struct error *err)
{
	struct keeper_job kj = KEEPER_JOB_NONE;
	auto_fd int plan = -1;
	struct job *j;
	int r;

	if (q->bytes)
		plan = fd_memfd_sealed("plan", q->bytes, q->size);
	else
		plan = plan_write(q->plan, err);
	if (plan < 0)
		return q->bytes ? err_sys(err, plan, "make the plan's memory file") : plan;
	kj.seq = ++d->next_seq;
	kj.kind = q->kind;
	kj.worker = q->worker;
	kj.flags = q->flags | (is_for_less(q->kind) ? KP_JOB_LESS : 0);
	kj.id = q->id ? q->id : "";
	kj.plan = plan;
	kj.session = q->session;
	memcpy(kj.stdio, q->stdio, sizeof(kj.stdio));
	kj.target = q->target;
	if ((r = keeper_send_job(d->keeper, &kj, err)) < 0)
		return r;
	j = mem_alloc(sizeof(*j));
	*j = (struct job){ .next = d->jobs, .seq = kj.seq, .done = q->done, .line = q->line, .arg = q->arg };
	d->jobs = j;
	d->n_jobs++;
	if (ret_seq)
		*ret_seq = kj.seq;
	return 0;
}

int jobs_have_room(const struct daemon *d, struct error *err)
{
	if (d->n_jobs < JOBS_ASKED_MAX)
		return 0;
	err_set_kind(err, -EBUSY, ERR_REFUSED, "%zu pieces of work are going on", d->n_jobs);
	err_hint(err, "try again later");
	return -EBUSY;
}

static struct job **job_find(struct daemon *d, uint64_t seq)
{
	struct job **pp = &d->jobs;

	while (*pp && (*pp)->seq != seq)
		pp = &(*pp)->next;
	return pp;
}

void job_cancel(struct daemon *d, uint64_t seq)
{
	if (*job_find(d, seq))
		keeper_send(d->keeper, KP_CANCEL, seq, NULL, 0, NULL, 0);
}

/* False: no job of ours. An earlier arniad's (its machine was reconciled from disk), or a prepared worker that ended. */
bool jobs_result(struct daemon *d, uint64_t seq, const struct kp_result *r, const char *data)
{
	struct job **pp = job_find(d, seq), *j = *pp;

	if (!j)
		return false;
	*pp = j->next;
	d->n_jobs--;
	j->done(d, r, data, j->arg);
	free(j);
	return true;
}

void jobs_progress(struct daemon *d, uint64_t seq, const char *text)
{
	struct job *j = *job_find(d, seq);

	if (j && j->line)
		j->line(d, text, j->arg);
}

int jobs_need_keeper(const struct daemon *d, struct error *err)
{
	if (keeper_connected(d->keeper))
		return 0;
	err_set_kind(err, -ENOTCONN, ERR_UNREACHABLE, "the keeper is not running");
	err_hint(err, "any arnia command as root starts it");
	return -ENOTCONN;
}

void jobs_fail_all(struct daemon *d, const struct error *why)
{
	struct kp_result r = { .error = *why };
	struct job *j;

	while ((j = d->jobs)) {
		d->jobs = j->next;
		d->n_jobs--;
		j->done(d, &r, "", j->arg);
		free(j);
	}
}
