/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Workers (arnia-run): some wait pre-started, so that their own start is off the path of a job. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

#define WORKERS_MAX 64 /* prepared ones not counted */
#define STARTING_MAX 4
#define SPAWN_TRIES 6 /* then those who wait are told */
#define REFILL_MS 30 /* after the last job: it has the processors to itself first, and its worker may be back by then */
#define REFILL_MAX_MS 5000
#define TRIM_MS 250 /* after the last job; another rush would need them again */
#define ORPHAN_BIT (1ull << 63)

static void worker_free(struct worker *w)
{
	struct worker **at = &w->k->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	loop_del_io(w->io);
	fd_close(&w->r.fd);
	fd_close(&w->r.pidfd);
	fd_close(&w->r.session);
	free(w);
}

static void worker_kill(struct worker *w)
{
	const struct pidref p = { .pid = w->r.pid, .fd = w->r.pidfd };

	w->r.dying = true;
	pidref_kill(&p, SIGKILL);
}

/* ---- what a worker says ---- */

static void job_over(struct worker *w, bool ok)
{
	struct held *child = w->child;

	w->child = NULL;
	fd_close(&w->r.session);
	if (child)
		held_started(child, ok);
}

static void on_ready(struct worker *w, struct frame *f)
{
	(void)f;
	if (w->r.state == WORKER_STARTING || w->r.state == WORKER_ENDING)
		w->r.state = WORKER_IDLE;
	w->k->worker_failures = 0;
}

static void on_adopt(struct worker *w, struct frame *f)
{
	struct keeper *k = w->k;
	struct held *h;
	bool input = w->r.flags & KP_JOB_STDIN;

	if (w->r.state != WORKER_BUSY || w->child)
		return;
	h = fail_at("keeper-adopt") < 0 ? NULL : held_take(k, f, false);
	if (!h) {
		/* Its process would run with nobody to hear its end: the job fails, and what it made is undone. */
		log_error("worker %d: adoption makes no sense", w->r.pid);
		worker_kill(w);
		return;
	}
	h->starting = true;
	w->child = h;
	if (!input)
		stream_close(h, PORT_IN);
	session_attach(h, fd_steal(&w->r.session), input);
	daemon_tell_held(k, h);
	stream_watch(h);
	if (!pidref_alive(&(struct pidref){ .fd = h->pidfd }))
		keeper_ended_early(h);
}

/* An exec's console is pumped by its client; a container's stays here. */
static void on_master(struct worker *w, struct frame *f)
{
	struct held *h = w->child;
	int fd = frame_take_fd(f, 0);
	char type = SESSION_MASTER;

	if (!h || !h->c.tty || fd < 0) {
		fd_close(&fd);
	} else if (h->c.role == KP_ROLE_EXEC && h->sessions) {
		(void)sock_send_fds(h->sessions->fd, &type, 1, &fd, 1);
		fd_close(&fd);
	} else {
		stream_open(h, PORT_OUT, fd);
		stream_watch(h);
		daemon_tell_held(w->k, h);
	}
}

static void on_progress(struct worker *w, struct frame *f)
{
	daemon_tell(w->k, KP_PROGRESS, w->r.seq, f->body, f->len);
}

static void on_result(struct worker *w, struct frame *f)
{
	struct kp_result *r = (struct kp_result *)f->body;
	bool ok, keep, again;

	if (f->len < sizeof(*r) || w->r.state != WORKER_BUSY)
		return;
	err_sanitize(&r->error);
	ok = r->error.code == 0;
	again = r->again;
	keep = ok && w->r.flags & KP_JOB_KEEP;
	r->worker = keep ? w->r.number : 0;
	memcpy(r->id, w->r.id, sizeof(r->id));
	(void)fail_at("keeper-result");
	daemon_tell(w->k, KP_RESULT, w->r.seq, r, f->len);
	w->r.state = keep ? WORKER_KEPT : again ? WORKER_IDLE : WORKER_ENDING;
	job_over(w, ok);
}

static void worker_handle(struct worker *w, struct frame *f)
{
	static const struct {
		uint32_t type;
		void (*fn)(struct worker *w, struct frame *f);
	} table[] = {
		{ KW_READY, on_ready },	      { KW_ADOPT, on_adopt },	{ KW_MASTER, on_master },
		{ KW_PROGRESS, on_progress }, { KW_RESULT, on_result },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].type == f->head.type)
			table[i].fn(w, f);
	frame_done(f);
}

static void dispatch(struct keeper *k);

/* Read all there is. */
static void worker_drain(struct worker *w)
{
	while (w->r.fd >= 0) {
		struct frame f;
		int r = frame_recv(w->r.fd, KP_MAGIC, &f, MSG_DONTWAIT);

		if (r == -EAGAIN)
			return;
		if (r > 0) {
			worker_handle(w, &f);
			continue;
		}
		w->no_room = r == -EMFILE;
		(void)room_made(w->k, r);
		/* Its end is told by wait; one that only closed its socket is of no more use. */
		loop_del_io(w->io);
		w->io = NULL;
		fd_close(&w->r.fd);
		worker_kill(w);
	}
}

void worker_drain_all(struct keeper *k)
{
	for (struct worker *w = k->workers; w; w = w->next)
		if (w->r.state == WORKER_BUSY)
			worker_drain(w);
}

static void worker_ready(void *arg, uint32_t events)
{
	struct worker *w = arg;

	(void)events;
	worker_drain(w);
	dispatch(w->k);
}

void worker_ended(struct worker *w, const siginfo_t *si)
{
	struct keeper *k = w->k;
	struct error err = { 0 };
	bool starting, told;

	worker_drain(w);
	starting = w->r.state == WORKER_STARTING;
	told = w->r.state == WORKER_BUSY || w->r.state == WORKER_KEPT;
	if (w->r.cancelled)
		err_set(&err, -ECANCELED, "cancelled");
	else if (w->no_room)
		room_explain(&err);
	else if (si->si_code == CLD_EXITED)
		err_set(&err, -ECHILD, "worker ended with status %d before its result", si->si_status);
	else
		err_set(&err, -ECHILD, "worker killed by signal %d", si->si_status);
	if (told)
		job_tell(k, w->r.seq, w->r.id, w->r.state == WORKER_KEPT ? w->r.number : 0, &err);
	job_over(w, false);
	worker_free(w);
	keeper_check_closed(k);
	if (starting && k->worker_failures++ == 0)
		log_error("arnia-run: %s", err.text);
	/* One that cannot even start must not leave its callers waiting. */
	if (starting && k->jobs)
		job_fail(k, job_pop(k), -ECHILD, "arnia-run ended before it was ready");
	dispatch(k);
}

struct worker *worker_by_pid(struct keeper *k, pid_t pid)
{
	struct worker *w = k->workers;

	while (w && w->r.pid != pid)
		w = w->next;
	return w;
}

struct worker *worker_add(struct keeper *k, const struct worker_rec *r)
{
	struct worker *w = mem_alloc(sizeof(*w));

	*w = (struct worker){ .r = *r, .next = k->workers, .k = k };
	k->workers = w;
	w->io = loop_add_io(k->loop, w->r.fd, EPOLLIN, worker_ready, w);
	return w;
}

static int try_spawn(struct keeper *k)
{
	struct worker_rec r = { .state = WORKER_STARTING, .fd = -1, .pidfd = -1, .session = -1 };
	int pair[2], fds[3];
	const struct spawn s = { .program = "arnia-run", .fds = fds, .nfds = 3, .cgroup = -1, .follow = true };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fds[KW_FD_KEEPER - 3] = pair[1];
	fds[KW_FD_HOSTNS - 3] = k->fd.hostns;
	fds[KW_FD_INIT - 3] = k->fd.init;
	r.pid = spawn(k, &s, &r.pidfd);
	fd_close(&pair[1]);
	if (r.pid < 0) {
		fd_close(&pair[0]);
		return r.pid;
	}
	fd_nonblock(pair[0], true);
	r.fd = pair[0];
	r.number = ++k->next_worker;
	worker_add(k, &r);
	return 0;
}

/* Who waits for one is told when that takes long. */
static int worker_spawn(struct keeper *k)
{
	int r = try_spawn(k);

	if (r < 0 && room_made(k, r))
		r = try_spawn(k);
	if (r < 0 && ++k->worker_failures >= SPAWN_TRIES)
		job_fail_all(k, r);
	return r;
}

static void count(const struct keeper *k, uint32_t *ret_total, uint32_t *ret_starting, uint32_t *ret_idle)
{
	*ret_total = *ret_starting = *ret_idle = 0;
	for (const struct worker *w = k->workers; w; w = w->next) {
		*ret_total += w->r.state != WORKER_KEPT;
		*ret_starting += w->r.state == WORKER_STARTING;
		*ret_idle += w->r.state == WORKER_IDLE && !w->r.dying;
	}
}

static uint32_t wanted(const struct keeper *k)
{
	return MAX(k->spares, MIN(k->njobs, 1));
}

static void refill_now(void *arg)
{
	struct keeper *k = arg;
	uint32_t total, starting, idle;

	k->refill = NULL;
	/* One that was at work may be back. */
	count(k, &total, &starting, &idle);
	if (idle + starting < wanted(k))
		(void)worker_spawn(k);
	worker_refill(k);
}

static struct worker *find_idle(struct keeper *k)
{
	struct worker *w = k->workers;

	while (w && (w->r.state != WORKER_IDLE || w->r.dying))
		w = w->next;
	return w;
}

/* What a rush needed goes when it is over. */
static void trim_now(void *arg)
{
	struct keeper *k = arg;
	uint32_t total, starting, idle;

	k->trim = NULL;
	count(k, &total, &starting, &idle);
	if (idle > wanted(k))
		worker_kill(find_idle(k));
	worker_refill(k);
}

/* At once when a job waits for one, else a little later, one at a time; slower when they fail. */
void worker_refill(struct keeper *k)
{
	uint32_t total, starting, idle;
	uint64_t ms = MIN(REFILL_MS << MIN(k->worker_failures, 9u), REFILL_MAX_MS);

	count(k, &total, &starting, &idle);
	while (!k->closing && !k->worker_failures && starting < MIN(k->njobs, STARTING_MAX) &&
	       total < WORKERS_MAX) {
		if (worker_spawn(k) < 0)
			break;
		starting++;
		total++;
	}
	if (!k->closing && !k->refill && total < WORKERS_MAX && idle + starting < wanted(k))
		k->refill = loop_add_timer(k->loop, ms, refill_now, k);
	if (!k->closing && !k->trim && idle > wanted(k))
		k->trim = loop_add_timer(k->loop, TRIM_MS, trim_now, k);
}

/* ---- jobs ---- */

static void start_job(struct worker *w, struct job *j)
{
	struct keeper *k = w->k;
	struct kp_job body = j->body;

	body.fds &= ~(uint32_t)KP_FD_SESSION;
	if (frame_send(w->r.fd, KP_MAGIC, KW_JOB, j->seq, &body, sizeof(body), j->fds, j->nfds) < 0) {
		worker_kill(w);
		job_fail(k, j, -ECHILD, "worker does not take the job");
		return;
	}
	w->r.state = WORKER_BUSY;
	w->r.seq = j->seq;
	w->r.kind = body.kind;
	w->r.flags = body.flags;
	w->r.session = fd_steal(&j->session);
	memcpy(w->r.id, body.id, sizeof(w->r.id));
	job_free(j);
}

static void dispatch(struct keeper *k)
{
	struct worker *w;

	while (k->jobs && (w = find_idle(k)))
		start_job(w, job_pop(k));
	worker_refill(k);
	reexec_try(k);
}

/* The prepared worker a job names, or no such. */
static void start_on(struct keeper *k, struct job *j)
{
	struct worker *w = k->workers;

	while (w && (w->r.number != j->body.worker || w->r.state != WORKER_KEPT || w->r.dying))
		w = w->next;
	if (w)
		start_job(w, j);
	else
		job_fail(k, j, -ESRCH, "the prepared worker is gone");
}

/* A new job does not wait out the pause that earlier failures to start a worker have led to. */
static void try_soon(struct keeper *k)
{
	if (k->worker_failures < SPAWN_TRIES)
		return;
	k->worker_failures = SPAWN_TRIES - 1;
	loop_del_timer(k->refill);
	k->refill = NULL;
}

void worker_job(struct keeper *k, struct frame *f)
{
	const struct kp_job *body = frame_body(f, sizeof(*body));
	struct job *j = mem_alloc(sizeof(*j));
	size_t at = 0;

	*j = (struct job){ .seq = f->head.seq, .body = *body, .session = -1 };
	j->body.id[sizeof(j->body.id) - 1] = '\0';
	for (uint32_t bit = KP_FD_PLAN; bit <= KP_FD_TARGET; bit <<= 1) {
		int fd = j->body.fds & bit ? frame_take_fd(f, at++) : -1;

		if (bit == KP_FD_SESSION)
			j->session = fd;
		else if (fd >= 0)
			j->fds[j->nfds++] = fd;
	}
	if (k->closing) {
		job_fail(k, j, -ESHUTDOWN, "the keeper is ending");
	} else if (!(j->body.fds & KP_FD_PLAN) || (size_t)__builtin_popcount(j->body.fds) != f->nfds) {
		job_fail(k, j, -EINVAL, "job without its descriptors");
	} else if (!(j->body.flags & KP_JOB_LESS) && !room_for_more(k)) {
		job_fail(k, j, -EMFILE, NULL);
	} else if (j->body.worker) {
		start_on(k, j);
	} else {
		*k->jobs_end = j;
		k->jobs_end = &j->next;
		k->njobs++;
		try_soon(k);
	}
	dispatch(k);
}

void worker_cancel(struct keeper *k, uint64_t seq)
{
	for (struct job **at = &k->jobs; *at; at = &(*at)->next) {
		struct job *j = *at;

		if (j->seq != seq)
			continue;
		*at = j->next;
		if (!j->next)
			k->jobs_end = at;
		k->njobs--;
		job_fail(k, j, -ECANCELED, "cancelled");
		return;
	}
	for (struct worker *w = k->workers; w; w = w->next)
		if (w->r.seq == seq && (w->r.state == WORKER_BUSY || w->r.state == WORKER_KEPT)) {
			w->r.cancelled = true;
			worker_kill(w);
		}
}

void worker_orphan_all(struct keeper *k)
{
	while (k->jobs)
		job_free(job_pop(k));
	for (struct worker *w = k->workers; w; w = w->next) {
		if (w->r.state != WORKER_BUSY && w->r.state != WORKER_KEPT)
			continue;
		w->r.seq = ORPHAN_BIT | ++k->orphans;
		if (w->r.flags & KP_JOB_KEEP)
			worker_kill(w);
	}
}

void worker_tell_orphans(struct keeper *k)
{
	for (struct worker *w = k->workers; w; w = w->next) {
		struct kp_job body = { .kind = w->r.kind, .flags = w->r.flags };

		if (w->r.state != WORKER_BUSY || !(w->r.seq & ORPHAN_BIT))
			continue;
		memcpy(body.id, w->r.id, sizeof(body.id));
		daemon_tell(k, KP_JOB, w->r.seq, &body, sizeof(body));
	}
}

void worker_kill_all(struct keeper *k)
{
	while (k->jobs)
		job_free(job_pop(k));
	for (struct worker *w = k->workers; w; w = w->next)
		worker_kill(w);
	loop_del_timer(k->refill);
	loop_del_timer(k->trim);
	k->refill = k->trim = NULL;
}

void worker_free_all(struct keeper *k)
{
	while (k->workers)
		worker_free(k->workers);
}
