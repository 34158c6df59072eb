/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is on disk and what the keeper holds, made one: at our start, and whenever the keeper was replaced. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define SPARES 2
#define STOP_AGAIN_MS 10000
#define SETUP_TRIES 3

/* ---- from the keeper ---- */

static void on_hello(void *arg, const struct kp_hello *h)
{
	struct kp_spares n = { SPARES };
	struct daemon *d = arg;

	log_debug("keeper %d", h->pid);
	keeper_send(d->keeper, KP_SPARES, 0, &n, sizeof(n), NULL, 0);
}

static void meet_unknown(struct daemon *d, const struct kp_container *c, int pidfd)
{
	if (store_has_unread(&d->store, c->id)) {
		log_error("machine %s runs, but its configuration is not usable: it is left alone", c->id);
		return;
	}
	log_warn("the keeper holds machine %s, which is unknown here: it is ended", c->id);
	(void)pidref_kill(&(struct pidref){ .pid = c->pid, .fd = pidfd }, SIGKILL);
}

static void on_container(void *arg, const struct kp_container *c, struct frame *f)
{
	static const uint32_t bits[] = { KP_FD_IN, KP_FD_OUT, KP_FD_ERR, KP_FD_MASTER };
	struct daemon *d = arg;
	struct machine *m = c->role == KP_ROLE_CONTAINER ? machine_by_id(d, c->id) : NULL;
	auto_fd int pidfd = frame_take_fd(f, 0);
	size_t at = 1;

	if (!m) {
		if (c->role == KP_ROLE_CONTAINER && pidfd >= 0)
			meet_unknown(d, c, pidfd);
		return;
	}
	machine_drop_fds(m);
	m->init = (struct pidref){ .pid = c->pid, .fd = fd_steal(&pidfd), .start = c->start };
	m->state.pid = c->pid;
	m->state.pid_start = c->start;
	m->told = true;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		int fd = c->fds & bits[i] ? frame_take_fd(f, at++) : -1;

		if (bits[i] == KP_FD_IN) /* a second writer would keep the program from seeing the end of its input */
			fd_close(&fd);
		m->held[i] = fd;
		m->held_bits |= fd >= 0 ? bits[i] : 0;
	}
	output_note(m);
}

static void forget(struct daemon *d, const char *id)
{
	struct kp_ref ref = { 0 };

	(void)str_copy(ref.id, sizeof(ref.id), id);
	keeper_send(d->keeper, KP_FORGET, 0, &ref, sizeof(ref), NULL, 0);
}

static void on_exited(void *arg, const struct kp_exit *x)
{
	struct daemon *d = arg;
	struct machine *m = x->role == KP_ROLE_CONTAINER ? machine_by_id(d, x->id) : NULL;

	if (m && (!d->synced_once || m->orphan_job)) { /* told again while we get in step: taken up in settle */
		m->ended = true;
		m->end = *x;
	} else if (m) {
		machine_exited(d, m, x);
	} else if (!store_has_unread(&d->store, x->id)) {
		forget(d, x->id);
	}
}

static void on_progress(void *arg, uint64_t seq, const char *text)
{
	jobs_progress(arg, seq, text);
}

static void give_held(struct daemon *d, const struct machine *m)
{
	struct kp_container c = { .role = KP_ROLE_CONTAINER, .fds = KP_FD_PIDFD | m->held_bits, .pid = m->init.pid,
				  .tty = m->tty, .start = m->init.start, .log_max = m->config.spec.log_max };
	int fds[5] = { m->init.fd };
	size_t n = 1;

	(void)str_copy(c.id, sizeof(c.id), m->config.id);
	for (size_t i = 0; i < ARRAY_SIZE(m->held); i++) {
		if (m->held[i] >= 0)
			fds[n++] = m->held[i];
	}
	keeper_send(d->keeper, KP_GIVE, 0, &c, sizeof(c), fds, n);
}

/* After the daemon alone was killed, or with the keeper alone, one of them has the descriptors. */
static void give(struct daemon *d, struct machine *m)
{
	if (!m->held_bits)
		output_reopen(m);
	give_held(d, m);
}

/* Has its first process become the container's program? While it is still the worker's child the start is not done. */
static bool has_execed(const struct daemon *d, const struct machine *m)
{
	auto_free char *worker = str_fmt("%s/arnia-run", d->in.lib), *gone = str_fmt("%s (deleted)", worker);
	char path[64], exe[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", m->init.pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	return !str_eq(exe, worker) && !str_eq(exe, gone);
}

/* Frozen or thawed just before the daemon ended, and that not on record. */
static void settle_frozen(struct daemon *d, struct machine *m)
{
	auto_fd int cg = machine_cgroup(d, m, NULL);
	struct cg_events ev;

	if (cg < 0 || cg_read_events(cg, &ev) < 0)
		return;
	if (ev.frozen && m->state.phase == PHASE_RUNNING)
		(void)machine_event(d, m, EVENT_PAUSE, NULL);
	else if (!ev.frozen && m->state.phase == PHASE_PAUSED)
		(void)machine_event(d, m, EVENT_RESUME, NULL);
}

static void take_end(struct daemon *d, struct machine *m)
{
	struct kp_exit x = m->end;

	m->ended = false;
	machine_exited(d, m, &x);
}

/* Whoever started it is gone, and with him the answer: what there is decides. */
static void settle_starting(struct daemon *d, struct machine *m)
{
	bool up = m->init.pid && pidref_alive(&m->init) && has_execed(d, m);

	m->state.phase = PHASE_STARTING;
	if (up || m->ended) { /* an end is told only of what had started */
		machine_event(d, m, EVENT_STARTED, NULL);
		if (!m->state_lost)
			event_emit(d, "start", m, NULL, NULL);
	}
	if (m->ended) {
		take_end(d, m);
	} else if (up) {
		log_info("%s: found running", MACHINE_NAME(m));
		settle_frozen(d, m);
		watch_start(d, m);
	} else {
		machine_note_failed_start(d, m, m->state_lost ? "its state file was not usable"
							      : "the daemon ended during its start");
		machine_drop_fds(m);
		machine_event(d, m, EVENT_START_FAILED, NULL);
		machine_clean(d, m);
	}
}

/* It ran when this was last written. */
static void settle_up(struct daemon *d, struct machine *m)
{
	struct kp_exit unknown = { .pid = m->state.pid };

	if (m->ended) {
		take_end(d, m);
		return;
	}
	if (!m->init.pid && m->state.pid && m->state.pid_start &&
	    pidref_open(m->state.pid, m->state.pid_start, &m->init) < 0)
		m->init = PIDREF_NONE;
	if (!m->init.pid) {
		machine_exited(d, m, &unknown);
		return;
	}
	if (!m->told) /* dead or alive: the keeper can tell how it ended */
		give(d, m);
	if (!pidref_alive(&m->init))
		return;
	settle_frozen(d, m);
	watch_start(d, m);
	if (m->state.phase == PHASE_STOPPING) /* whoever asked is gone with the last daemon */
		(void)machine_stop(d, m, STOP_AGAIN_MS, 0, NULL);
}

static void settle_stopping(struct daemon *d, struct machine *m)
{
	bool over = m->state.exit.known || m->state.error[0]; /* its end was taken up, or its start has failed */

	if (!over && (m->ended || m->init.pid || m->state.pid)) {
		settle_up(d, m);
		return;
	}
	m->ended = false;
	machine_drop_fds(m);
	machine_clean(d, m);
}

/* With --rm, or half removed. One that was only created waits for its start. */
static bool is_leaving(const struct machine *m)
{
	const struct machine_state *s = &m->state;

	return s->removing ||
	       (m->config.spec.remove && (m->config.by_run || s->started_ns || s->exit.known || s->error[0]));
}

static void settle_stopped(struct daemon *d, struct machine *m)
{
	if (m->had_plan || m->init.pid) { /* the start was not on record yet */
		settle_starting(d, m);
		return;
	}
	if (m->ended)
		forget(d, m->config.id);
	m->ended = false;
	if (is_leaving(m) && !m->removing)
		machine_clean(d, m);
}

static void settle(struct daemon *d, struct machine *m)
{
	if (m->orphan_job) /* its end comes here again */
		return;
	switch (m->state.phase) {
	case PHASE_STARTING:
		settle_starting(d, m);
		break;
	case PHASE_RUNNING:
	case PHASE_PAUSED:
		settle_up(d, m);
		break;
	case PHASE_STOPPING:
		settle_stopping(d, m);
		break;
	case PHASE_STOPPED:
		settle_stopped(d, m);
		break;
	default:
		break;
	}
	m->had_plan = false;
}

static void settle_all(struct daemon *d)
{
	for (struct machine *m = d->machines, *next; m; m = next) {
		next = m->next;
		settle(d, m);
	}
}

/* ---- what an earlier arniad began and a worker is still at ---- */

static void on_job(void *arg, uint64_t seq, const struct kp_job *j)
{
	struct daemon *d = arg;
	struct machine *m = machine_by_id(d, j->id);

	if (m && (j->kind == PLAN_START || j->kind == PLAN_DESTROY || j->kind == PLAN_REMOVE || j->kind == PLAN_PUBLISH))
		m->orphan_job = seq;
	log_info("a job of an earlier daemon goes on: kind %u, machine %s", j->kind, j->id);
}

static bool orphan_over(struct daemon *d, uint64_t seq, const char *told)
{
	struct machine *m = d->machines;

	while (m && m->orphan_job != seq)
		m = m->next;
	if (!m)
		return false;
	m->orphan_job = 0;
	machine_note_ports(m, told);
	if (d->synced_once) {
		settle(d, m);
		publish_go_on(d);
	}
	return true;
}

static void on_result(void *arg, uint64_t seq, const struct kp_result *r, const char *data)
{
	if (!jobs_result(arg, seq, r, data) && !orphan_over(arg, seq, data))
		cells_died(arg, seq);
}

/* Whose group the socket is open to, and so is everything behind it. */
static gid_t client_group(const struct daemon *d)
{
	auto_free char *path = str_fmt("%s/arnia.sock", d->in.run);
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_mode & S_IWGRP ? st.st_gid : 0;
}

static void set_up_host(struct daemon *d);

static void on_setup(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct rpc_limits limits = { .group = client_group(d) };

	(void)arg;
	if (r->error.code == -EPIPE) /* the next keeper will do it */
		return;
	if (r->error.code)
		log_error("set up the host: %s", r->error.text);
	if (r->error.code && d->setup_tries++ < SETUP_TRIES) {
		set_up_host(d);
		return;
	}
	facts_from_setup(d, data);
	if (r->error.code)
		(void)str_copy(d->facts.net_error, sizeof(d->facts.net_error), r->error.text);
	cells_refill(d);
	if (d->rpc) {
		publish_all(d);
		/* of machines that came to nothing while there was no keeper to remove them */
		remains_sweep_folders(d);
		return;
	}
	settle_all(d);
	publish_all(d);
	remains_sweep(d);
	d->synced_once = true;
	d->rpc = rpc_server_new(d->loop, d->listen_fd, api_methods, api_methods_n, rpc_interface_text, &limits, d);
}

static void set_up_host(struct daemon *d)
{
	struct plan p = host_plan(d, PLAN_HOST_SETUP);
	struct job_request j = JOB_NONE;
	struct error err = { 0 };

	j.kind = PLAN_HOST_SETUP;
	j.plan = &p;
	j.done = on_setup;
	if (job_submit(d, &j, NULL, &err) < 0)
		log_error("set up the host: %s", err.text);
}

static void on_synced(void *arg)
{
	struct daemon *d = arg;

	d->setup_tries = 0;
	if (d->synced_once)
		settle_all(d);
	set_up_host(d);
}

/* The folder was taken away and made again while nobody held us: another daemon has its lock. */
static bool is_displaced(const struct daemon *d)
{
	auto_free char *path = str_fmt("%s/arniad.lock", d->in.run);
	struct stat own, now;

	return fstat(d->lock_fd, &own) == 0 && (lstat(path, &now) < 0 || now.st_ino != own.st_ino || now.st_dev != own.st_dev);
}

static void on_lost(void *arg)
{
	struct daemon *d = arg;
	struct error why = { 0 };

	if (d->keeper_told_to_end)
		return;
	if (is_displaced(d)) {
		log_warn("%s is another daemon's now", d->in.run);
		loop_stop(d->loop, 0);
		return;
	}
	err_set_kind(&why, -EPIPE, ERR_FAILED, "the keeper ended while the work was going on");
	err_hint(&why, "what was begun goes on with the next one, which any arnia command as root starts");
	log_warn("the keeper is gone; waiting for the next one");
	for (struct machine *m = d->machines; m; m = m->next) {
		m->told = false;
		m->orphan_job = 0;
	}
	cells_forget(d);
	jobs_fail_all(d, &why);
	for (struct machine *m = d->machines; m; m = m->next)
		machine_keeper_lost(d, m, &why);
}

const struct keeper_ops reconcile_ops = {
	.hello = on_hello,
	.container = on_container,
	.exited = on_exited,
	.result = on_result,
	.progress = on_progress,
	.job = on_job,
	.synced = on_synced,
	.lost = on_lost,
};
