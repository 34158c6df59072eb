/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs that wait for a worker, and the word that one is over. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

void job_tell(struct keeper *k, uint64_t seq, const char *id, uint32_t worker,
	      const struct error *err)
{
	struct kp_result r = { .worker = worker, .error = *err };

	str_copy(r.id, sizeof(r.id), id);
	daemon_tell(k, KP_RESULT, seq, &r, sizeof(r));
}

void job_free(struct job *j)
{
	for (size_t i = 0; i < j->nfds; i++)
		fd_close(&j->fds[i]);
	fd_close(&j->session);
	free(j);
}

void job_fail(struct keeper *k, struct job *j, int code, const char *text)
{
	struct error err = { 0 };

	if (code == -EMFILE)
		room_explain(&err);
	else
		err_set(&err, code, "%s", text);
	job_tell(k, j->seq, j->body.id, 0, &err);
	job_free(j);
}

struct job *job_pop(struct keeper *k)
{
	struct job *j = k->jobs;

	k->jobs = j->next;
	if (!k->jobs)
		k->jobs_end = &k->jobs;
	k->njobs--;
	return j;
}

void job_fail_all(struct keeper *k, int code)
{
	auto_free char *text = str_fmt("a worker cannot be started: %s", strerror(-code));

	while (k->jobs)
		job_fail(k, job_pop(k), code, text);
}

void job_cut(struct keeper *k, const struct frame *f)
{
	const struct kp_job *body = frame_body(f, sizeof(*body));
	struct job *j = mem_alloc(sizeof(*j));

	*j = (struct job){ .seq = f->head.seq, .body = *body, .session = -1 };
	j->body.id[sizeof(j->body.id) - 1] = '\0';
	job_fail(k, j, -EMFILE, NULL);
}
