/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define CLEAN_TRIES 2 /* again */

static int kill_all(struct daemon *d, struct machine *m, struct error *err)
{
	auto_fd int cg = machine_cgroup(d, m, err);

	m->killed = true;
	/* the first process alone takes its whole pid namespace along (pid_namespaces(7)); the cgroup also has execs */
	if (cg < 0)
		return pidref_kill(&m->init, SIGKILL);
	return cg_kill(cg, err);
}

static void on_stop_timeout(void *arg)
{
	struct machine *m = arg;
	struct error err = { 0 };

	m->stop_timer = NULL;
	if (kill_all(m->daemon, m, &err) < 0)
		log_error("%s: kill: %s", MACHINE_NAME(m), err.text);
}

static void arm_timer(struct daemon *d, struct machine *m, uint64_t ms)
{
	uint64_t due;

	if (__builtin_add_overflow(time_mono_ms(), ms, &due))
		due = UINT64_MAX;
	/* Of several stops the shortest counts. */
	if (m->stop_timer && m->stop_due <= due)
		return;
	loop_del_timer(m->stop_timer);
	m->stop_timer = loop_add_timer(d->loop, ms, on_stop_timeout, m);
	m->stop_due = due;
}

static int stop_signal(const struct machine *m)
{
	int sig;

	if (m->config.spec.stop_signal && parse_signal(m->config.spec.stop_signal, &sig) == 0)
		return sig;
	return m->config.spec.image_init ? SIGRTMIN + 3 : SIGTERM;
}

static int thaw(struct daemon *d, struct machine *m, struct error *err)
{
	auto_fd int cg = machine_cgroup(d, m, err);

	return cg < 0 ? cg : cg_freeze(cg, false, err);
}

/* Unmounting overlay syncs the whole filesystem of its upper layer, and the last of a machine's processes waits for it. When
 * the layer is deleted anyway, the mount is kept until then, by the worker that deletes it. */
static void hold_root(struct machine *m)
{
	char path[48];

	fd_close(&m->root);
	snprintf(path, sizeof(path), "/proc/%d/root", m->init.pid);
	m->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->root >= 0 && !pidref_alive(&m->init)) /* it may be another's */
		fd_close(&m->root);
}

int machine_stop(struct daemon *d, struct machine *m, uint64_t timeout_ms, int sig, struct error *err)
{
	bool paused = m->state.phase == PHASE_PAUSED, failed = m->state.phase == PHASE_FAILED;
	int r = machine_event(d, m, EVENT_STOP, err);

	if (r < 0)
		return r;
	m->stopping_asked = true;
	(void)fail_at("arniad:after-stop");
	if (failed) {
		machine_clean(d, m);
		return 0;
	}
	if (m->init.pid == 0) /* has ended already, is being cleaned up */
		return 0;
	if (timeout_ms == 0 && m->to_remove)
		hold_root(m);
	if (timeout_ms == 0)
		return kill_all(d, m, err);
	if (paused && (r = thaw(d, m, err)) < 0)
		return r;
	arm_timer(d, m, timeout_ms);
	r = pidref_kill(&m->init, sig ? sig : stop_signal(m));
	return r == -ESRCH ? 0 : r;
}

int machine_kill(struct daemon *d, struct machine *m, int sig, struct error *err)
{
	int r = machine_event(d, m, EVENT_KILL, err);

	if (r < 0)
		return r;
	if (m->state.phase == PHASE_STOPPING && m->init.pid == 0) {
		machine_clean(d, m);
		return 0;
	}
	if (sig == SIGKILL)
		return kill_all(d, m, err);
	r = pidref_kill(&m->init, sig);
	return r < 0 ? err_sys(err, r, "%s: signal %d", MACHINE_NAME(m), sig) : 0;
}

int machine_pause(struct daemon *d, struct machine *m, bool pause, struct error *err)
{
	enum lifecycle_event e = pause ? EVENT_PAUSE : EVENT_RESUME;
	auto_fd int cg = -1;
	enum phase p;
	int r;

	if ((r = lifecycle_next(m->state.phase, e, &p, err)) < 0) {
		err_prefix(err, "%s", MACHINE_NAME(m));
		return r;
	}
	if ((cg = machine_cgroup(d, m, err)) < 0)
		return cg;
	if ((r = cg_freeze(cg, pause, err)) < 0)
		return r;
	(void)fail_at("arniad:after-freeze");
	return machine_event(d, m, e, err);
}

/* Why it ended, in one word for `list`. */
static const char *cause_of(struct daemon *d, const struct machine *m, const struct kp_exit *x)
{
	struct cg_stat st = { .oom_kill = CG_UNSET };
	bool killed = x->code != CLD_EXITED || x->status == 128 + SIGKILL;
	auto_fd int cg = -1;

	if (x->code == 0)
		return "unknown";
	if (killed && d->facts.plan.controllers & CG_CTL_MEMORY)
		cg = machine_cgroup(d, m, NULL);
	/* A system survives the end of one of its processes, and may be killed for another reason later. */
	if (m->config.spec.image_init && m->killed)
		return "stopped";
	if (cg >= 0 && cg_read_stat(cg, &st) == 0 && st.oom_kill != CG_UNSET && st.oom_kill > 0)
		return "oom";
	if (m->stopping_asked || m->killed)
		return "stopped";
	return x->code == CLD_EXITED ? "exited" : "signal";
}

void machine_exited(struct daemon *d, struct machine *m, const struct kp_exit *x)
{
	struct exit_record *e = &m->state.exit;

	if (m->state.phase == PHASE_STARTING) { /* the worker's result decides what this means */
		m->exited = true;
		*e = (struct exit_record){ .code = x->code, .status = x->status, .time_ns = x->time_ns };
		return;
	}
	(void)fail_at("arniad:on-exit");
	if (!m->not_run) {
		*e = (struct exit_record){ .known = true, .code = x->code, .status = x->status,
					   .time_ns = x->time_ns ? x->time_ns : time_real_ns() };
		(void)str_copy(e->cause, sizeof(e->cause), cause_of(d, m, x));
	}
	loop_del_timer(m->stop_timer);
	m->stop_timer = NULL;
	machine_drop_fds(m);
	m->state.pid = 0;
	watch_check(d, m); /* what came with the end */
	watch_stop(d, m);
	if (m->state.phase == PHASE_FAILED) /* what lived on is gone: now the rest may go too */
		(void)machine_event(d, m, EVENT_STOP, NULL);
	if (m->state.phase == PHASE_STOPPED && m->not_run) /* undone already */
		return;
	if (machine_event(d, m, EVENT_EXITED, NULL) < 0) {
		log_warn("%s: exit while %s", MACHINE_NAME(m), phase_name(m->state.phase));
		return;
	}
	(void)fail_at("arniad:after-exit");
	if (!m->not_run)
		event_emit(d, "exit", m, NULL, view_exit(e));
	machine_clean(d, m);
}

static void forget_keeper_record(struct daemon *d, const struct machine *m)
{
	struct kp_ref ref = { 0 };

	(void)str_copy(ref.id, sizeof(ref.id), m->config.id);
	keeper_send(d->keeper, KP_FORGET, 0, &ref, sizeof(ref), NULL, 0);
	store_drop_exit(&d->store, m->config.id);
}

/* Removed with --rm: nothing waits for the result but those who asked to be told. */
static void removed_quietly(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	(void)d;
	(void)arg;
	if (m && err)
		log_error("%s: remove: %s", MACHINE_NAME(m), err->text);
}

static void cleaned(struct daemon *d, struct machine *m)
{
	struct error err = { 0 };

	lease_give_back(d->leases, &m->lease);
	m->clean_tries = 0;
	store_drop_plan(&d->store, m->config.id);
	(void)fail_at("arniad:after-drop-plan");
	forget_keeper_record(d, m);
	m->state.pid = 0;
	machine_state_done(&m->state);
	machine_event(d, m, EVENT_CLEANED, NULL);
	(void)fail_at("arniad:after-cleaned");
	if (m->state.phase != PHASE_STOPPED || m->removing || !(m->config.spec.remove || m->to_remove))
		return;
	if (machine_remove(d, m, removed_quietly, NULL, &err) < 0) {
		log_error("%s: remove: %s", MACHINE_NAME(m), err.text);
		machine_not_removed(d, m, &err);
	}
}

static void clean_failed(struct daemon *d, struct machine *m, const struct error *why)
{
	struct error err = *why;

	m->to_remove = false;
	(void)str_copy(m->state.error, sizeof(m->state.error), why->text);
	log_error("%s: clean up: %s", MACHINE_NAME(m), why->text);
	machine_event(d, m, EVENT_CLEAN_FAILED, NULL);
	err_prefix(&err, "%s: it is down, but cleaning up failed", MACHINE_NAME(m));
	if (m->config.spec.remove)
		machine_not_removed(d, m, &err);
}

/* A job that undoes or removes a machine. It is told twice: when the machine's folder is out of the way, and when its
 * files are deleted, which nobody waits for. */
struct parting {
	struct machine *m; /* not to be touched once told */
	char id[ID_LEN + 1];
	bool told;
	struct remove_op *op; /* else it is a clean-up */
};

static void remove_end(struct daemon *d, struct remove_op *op, const struct error *why);
static void clean_end(struct daemon *d, struct machine *m, const struct error *why);

static void parting_tell(struct daemon *d, struct parting *p, const struct error *why)
{
	p->told = true;
	if (p->op)
		remove_end(d, p->op, why);
	else
		clean_end(d, p->m, why);
}

static void on_parting_line(struct daemon *d, const char *text, void *arg)
{
	struct parting *p = arg;

	if (p->told || !str_eq(text, PLAN_DISCARDED))
		return;
	d->discarding++;
	parting_tell(d, p, &(struct error){ 0 });
}

static void on_parted(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	auto_free struct parting *p = arg;

	(void)data;
	if (!p->told) {
		parting_tell(d, p, &r->error);
		return;
	}
	if (r->error.code) /* the next daemon takes it up */
		log_warn("%s: its files are not all deleted: %s", p->id, r->error.text);
	if (--d->discarding == 0 && d->shutting_down)
		shutdown_go_on(d);
}

static int parting_submit(struct daemon *d, struct machine *m, struct plan *plan, struct remove_op *op, struct error *err)
{
	struct job_request j = JOB_NONE;
	struct parting *p = mem_alloc(sizeof(*p));
	int r;

	p->m = m;
	p->op = op;
	memcpy(p->id, m->config.id, sizeof(p->id));
	j.kind = plan->kind;
	j.plan = plan;
	j.id = m->config.id;
	j.target = m->leaves ? m->root : -1;
	j.done = on_parted;
	j.line = on_parting_line;
	j.arg = p;
	r = job_submit(d, &j, NULL, err);
	if (r < 0)
		free(p);
	return r;
}

static void clean_end(struct daemon *d, struct machine *m, const struct error *why)
{
	m->cleaning = false;
	m->folder_gone = !why->code && m->leaves;
	m->leaves = false;
	(void)fail_at("arniad:on-cleaned");
	/* A worker that was killed, or a keeper short of descriptors, which has some in reserve, says nothing about the
	 * machine, and all steps can be done again. */
	if ((why->code == -ECHILD || why->code == -EMFILE) && m->clean_tries++ < CLEAN_TRIES) {
		machine_clean(d, m);
		return;
	}
	if (why->code) {
		/* the keeper going away is no verdict on the machine: reconcile tries again */
		if (why->code != -EPIPE)
			clean_failed(d, m, why);
		return;
	}
	cleaned(d, m);
}

int machine_plan(struct daemon *d, struct machine *m, enum plan_kind kind, struct plan **ret_start, struct arena *a,
		 struct plan *ret, struct error *err)
{
	int r = store_load_plan(&d->store, m->config.id, ret_start, err);

	if (r == 0) {
		plan_rekind(*ret_start, kind, ret);
		return 0;
	}
	if (r != -EBADMSG && (r != -ENOENT || !m->lease.id_base))
		return r;
	log_error("%s: its plan is lost: what is known of it is used", MACHINE_NAME(m));
	err_clear(err);
	remains_plan(d, m, a, ret);
	ret->kind = kind;
	return 0;
}

void machine_clean(struct daemon *d, struct machine *m)
{
	struct plan *start = NULL, undo;
	struct arena a = { 0 };
	struct error err = { 0 };
	int r;

	/* A second one could come after the next start and undo that one. */
	if (m->cleaning)
		return;
	m->clean_due = m->publishing; /* else that job could publish what has just been taken back */
	if (m->publishing)
		return;
	r = machine_plan(d, m, PLAN_DESTROY, &start, &a, &undo, &err);
	if (r == -ENOENT) { /* nothing was begun */
		cleaned(d, m);
		return;
	}
	if (r == 0) {
		/* Not again in a job of its own. */
		m->leaves = m->config.spec.remove || m->to_remove;
		if (m->to_remove && !m->config.spec.remove)
			*arena_push(&a, &undo.undo) = PLAN_UNDO_LAYERS;
		r = parting_submit(d, m, &undo, NULL, &err);
		m->cleaning = r == 0;
		fd_close(&m->root);
		plan_free(start);
		arena_done(&a);
		(void)fail_at("arniad:after-clean-job");
	}
	if (r < 0 && r != -ENOTCONN)
		clean_failed(d, m, &err);
}

struct remove_op {
	struct machine *m;
	op_done done;
	void *arg;
};

static void remove_end(struct daemon *d, struct remove_op *op, const struct error *why)
{
	struct machine *m = op->m;
	struct error err = *why;
	char id[ID_LEN + 1];

	(void)fail_at("arniad:on-removed");
	m->removing = m->to_remove = false;
	(void)str_copy(id, sizeof(id), m->config.id);
	if (!err.code)
		store_remove(&d->store, id, m->config.spec.remove, &err);
	(void)fail_at("arniad:after-remove");
	if (err.code) {
		machine_save_state(d, m);
		err_prefix(&err, "%s", MACHINE_NAME(m));
		op->done(d, m, &err, op->arg);
		machine_not_removed(d, m, &err);
	} else {
		event_emit(d, "remove", m, NULL, NULL);
		machine_forget(d, m);
		op->done(d, NULL, NULL, op->arg);
	}
	free(op);
}

static void on_folder_gone(void *arg)
{
	struct remove_op *op = arg;

	remove_end(op->m->daemon, op, &(struct error){ 0 });
}

int machine_remove(struct daemon *d, struct machine *m, op_done done, void *arg, struct error *err)
{
	struct plan p = { .kind = PLAN_REMOVE, .id = m->config.id, .name = MACHINE_NAME(m), .run = d->in.run,
			  .state = d->in.state, .share = d->in.share };
	auto_free char *dir = str_fmt("%s/containers/%s", d->in.state, m->config.id);
	struct remove_op *op;
	enum phase ph;
	int r;

	if (m->removing || m->cleaning)
		return err_set_kind(err, -EBUSY, ERR_STATE, "%s: it is being %s", MACHINE_NAME(m),
				    m->removing ? "removed" : "cleaned up");
	if ((r = lifecycle_next(m->state.phase, EVENT_REMOVE, &ph, err)) < 0) {
		err_prefix(err, "%s", MACHINE_NAME(m));
		return r;
	}
	if (m->orphan_job)
		return err_set_kind(err, -EBUSY, ERR_STATE, "%s: what the daemon before began is not over", MACHINE_NAME(m));
	op = mem_alloc(sizeof(*op));
	*op = (struct remove_op){ .m = m, .done = done, .arg = arg };
	m->removing = true;
	/* A machine half removed would be one without its data: whoever comes after us finishes it. */
	if (!m->config.spec.remove && !m->state.removing)
		machine_save_state(d, m);
	if (m->folder_gone) {
		loop_defer(d->loop, on_folder_gone, op);
		return 0;
	}
	p.layers_dir = dir;
	if ((r = parting_submit(d, m, &p, op, err)) < 0) {
		m->removing = false;
		machine_save_state(d, m);
		free(op);
	}
	(void)fail_at("arniad:after-remove-job");
	return r;
}
