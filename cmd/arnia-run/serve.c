/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The job loop: one frame in, one result out. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

static const struct {
	enum plan_kind kind;
	int (*run)(struct job *j, struct error *err);
} kinds[] = {
	{ PLAN_START, start_run },
	{ PLAN_EXEC, exec_run },
	{ PLAN_DESTROY, destroy_run },
	{ PLAN_PREPARE, prepare_run },
	{ PLAN_HOST_SETUP, host_setup_run },
	{ PLAN_HOST_TEARDOWN, host_teardown_run },
	{ PLAN_TEMPLATE_BUILD, template_build_run },
	{ PLAN_TEMPLATE_REMOVE, template_remove_run },
	{ PLAN_EXPLAIN, explain_run },
	{ PLAN_REMOVE, remove_run },
	{ PLAN_PUBLISH, publish_run },
	{ PLAN_HOST_CHECK, host_check_run },
};

#define BODY_MAX (FRAME_MAX - sizeof(struct frame_head))
#define REST_MS 5 /* without a job: the worker puts itself in order */
#define LINGER_MS 20 /* before one that can take no other job ends */

void job_progress(void *job, const char *line)
{
	struct job *j = job;
	char text[BODY_MAX];

	/* A line that does not fit is cut; a keeper that is gone is noticed by the next receive. */
	str_copy(text, sizeof(text), line);
	job_send(j, KW_PROGRESS, text, strlen(text) + 1, NULL, 0);
}

static void send_in_pieces(struct job *j)
{
	const char *at = strbuf_cstr(&j->text), *end = at + j->text.len;

	while (at < end) {
		char piece[BODY_MAX];
		size_t n = MIN((size_t)(end - at), sizeof(piece) - 1);

		memcpy(piece, at, n);
		piece[n] = '\0';
		if (job_send(j, KW_PROGRESS, piece, n + 1, NULL, 0) < 0)
			return;
		at += n;
	}
}

static int send_result(struct job *j, const struct error *err)
{
	_Alignas(struct kp_result) uint8_t body[BODY_MAX];
	struct kp_result res = { .pid = j->pid, .again = !j->w->spent, .error = *err, .left = j->left };
	size_t len = j->text.len ? j->text.len + 1 : 0;

	if (len > sizeof(body) - sizeof(res)) {
		send_in_pieces(j);
		len = 0;
	}
	memcpy(res.id, j->id, sizeof(res.id));
	res.data_len = (uint32_t)len;
	memcpy(body, &res, sizeof(res));
	if (len)
		memcpy(body + sizeof(res), j->text.s, len);
	return job_send(j, KW_RESULT, body, sizeof(res) + len, NULL, 0);
}

/* Descriptors travel in the order of the bits; the session stays in the keeper. */
static int take_descriptors(struct job *j, struct frame *f, uint32_t bits, int *ret_plan, struct error *err)
{
	const struct {
		uint32_t bit;
		int *to;
	} places[] = {
		{ KP_FD_PLAN, ret_plan },	{ KP_FD_STDIN, &j->stdio[0] }, { KP_FD_STDOUT, &j->stdio[1] },
		{ KP_FD_STDERR, &j->stdio[2] }, { KP_FD_TARGET, &j->target },
	};
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (bits & places[i].bit)
			*places[i].to = frame_take_fd(f, at++);
	if (at != f->nfds || *ret_plan < 0)
		return err_set(err, -EPROTO, "a job with %zu descriptors where %zu are announced", f->nfds,
			       at);
	return 0;
}

static int read_job(struct job *j, struct frame *f, struct error *err)
{
	const struct kp_job *head = frame_body(f, sizeof(*head));
	auto_fd int plan = -1;
	int r;

	j->seq = f->head.seq;
	if (f->head.type != KW_JOB || !head)
		return err_set(err, -EPROTO, "frame of type %u where a job was expected", f->head.type);
	memcpy(j->id, head->id, sizeof(j->id) - 1);
	r = take_descriptors(j, f, head->fds & ~KP_FD_SESSION, &plan, err);
	if (r < 0)
		return r;
	r = plan_read(plan, &j->plan, err);
	if (r < 0)
		return err_prefix(err, "plan"), r;
	if (j->plan->kind != head->kind)
		return err_set(err, -EPROTO, "a job of kind %u with a plan of kind %u", head->kind,
			       j->plan->kind);
	return 0;
}

static int run_job(struct job *j, struct error *err)
{
	int r = j->plan->kind == PLAN_START && j->w->staged ? worker_restage(j->w, err) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == j->plan->kind)
			return kinds[i].run(j, err);
	return err_set(err, -EPROTO, "a plan of unknown kind %u", j->plan->kind);
}

static void job_done(struct job *j)
{
	for (size_t i = 0; i < ARRAY_SIZE(j->stdio); i++)
		fd_close(&j->stdio[i]);
	fd_close(&j->target);
	strbuf_done(&j->text);
	plan_free(j->plan);
}

/* The answer goes out before anything is cleaned up: the next job waits in the socket meanwhile. */
static int serve_one(struct worker *w, struct frame *f)
{
	cleanup(job_done) struct job j = { .w = w, .stdio = { -1, -1, -1 }, .target = -1, .start = -1, .cgroup = -1 };
	struct error err = { 0 };
	int r = read_job(&j, f, &err);

	fail_at_carry();
	frame_done(f);
	if (r == 0)
		r = run_job(&j, &err);
	/* Half-way between two namespaces. */
	if (r == -ENOTRECOVERABLE)
		w->spent = true;
	if (r >= 0)
		err_clear(&err);
	return send_result(&j, &err);
}

static bool wait_for_job(struct worker *w, int ms)
{
	struct pollfd p = { .fd = w->keeper, .events = POLLIN };

	return poll(&p, 1, ms) != 0;
}

/* The mounts of the last job go when there is nothing else to do: taking them down costs as much as a third of a start,
 * and the container that was just started is at work then. */
static int rest(struct worker *w)
{
	struct error err = { 0 };
	int r;

	if (!w->staged || wait_for_job(w, REST_MS))
		return 0;
	r = worker_restage(w, &err);
	if (r < 0)
		log_error("%s", err.text);
	return r;
}

int worker_serve(struct worker *w)
{
	struct job hello = { .w = w };
	int r = job_send(&hello, KW_READY, NULL, 0, NULL, 0);

	while (r == 0 && !w->spent) {
		struct frame f;

		r = rest(w);
		if (r == 0)
			r = frame_recv(w->keeper, KP_MAGIC, &f, 0);
		if (r <= 0)
			break;
		r = serve_one(w, &f);
	}
	/* An end costs as much as rest() does, and an overlay that is let go of waits for a grace period. */
	if (r == 0 && w->spent)
		wait_for_job(w, LINGER_MS);
	return r < 0 && r != -EPIPE && r != -ECONNRESET ? ERR_FAILED : 0;
}
