/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Methods that wait: start, run, stop, restart, remove, wait. Each keeps an operation that ends with exactly one final reply or with its client. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define DEFAULT_STOP_MS 10000
#define DOWN (1u << PHASE_STOPPED | 1u << PHASE_FAILED)
#define UP (1u << PHASE_RUNNING | 1u << PHASE_PAUSED)

struct op {
	struct daemon *d;
	struct rpc_call *call; /* NULL once the client is gone */
	char id[ID_LEN + 1]; /* the machine may go before the operation */
	bool more, then_start, then_remove, removes;
	bool only_waits; /* nothing is left to do when the client is gone */
	struct error why; /* a failure that is told when what it left is gone */
};

static void op_gone(struct rpc_call *c, void *arg)
{
	struct op *op = arg;
	struct machine *m = op->only_waits ? machine_by_id(op->d, op->id) : NULL;

	(void)c;
	op->call = NULL;
	if (!op->only_waits)
		return;
	if (m)
		machine_unwait(m, op);
	free(op);
}

static struct op *op_new(struct rpc_call *c, struct daemon *d, const struct machine *m)
{
	struct op *op = mem_alloc(sizeof(*op));

	op->d = d;
	op->call = c;
	(void)str_copy(op->id, sizeof(op->id), m->config.id);
	rpc_on_gone(c, op_gone, op);
	return op;
}

static void op_fail(struct op *op, const struct error *err)
{
	if (op->call)
		rpc_fail(op->call, err);
	free(op);
}

static void op_reply(struct op *op, json *out)
{
	if (op->call)
		rpc_reply(op->call, out);
	else
		json_unref(out);
	free(op);
}

static json *started_reply(const struct machine *m, bool run)
{
	json *out = json_new_obj();

	json_add_str(out, "id", m->config.id);
	if (run) {
		json_add_str(out, "name", MACHINE_NAME(m));
		json_add_str(out, "state", phase_name(m->state.phase));
		json_add(out, "warnings", json_new_arr());
	}
	json_add_i64(out, "pid", m->state.pid);
	return out;
}

static int start_params(struct rpc_call *c, struct start_request *q, struct error *err)
{
	uint32_t rows = 0, cols = 0;

	if (json_get_u32(rpc_params(c), "rows", &rows, err) < 0 ||
	    json_get_u32(rpc_params(c), "columns", &cols, err) < 0)
		return -EINVAL;
	if (rows > 65535 || cols > 65535)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "rows, columns: expected at most 65535");
	q->rows = (uint16_t)rows;
	q->cols = (uint16_t)cols;
	return 0;
}

/* ---- start ---- */

static void on_start_done(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	(void)d;
	if (err)
		op_fail(op, err);
	else
		op_reply(op, started_reply(m, false));
}

static void start_and_reply(struct op *op, struct machine *m, int session, const struct start_request *from)
{
	struct start_request q = *from;
	struct error err = { 0 };

	q.session = session;
	q.done = on_start_done;
	q.arg = op;
	if (machine_start(op->d, m, &q, &err) < 0)
		op_fail(op, &err);
}

void api_start(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	auto_fd int session = m ? rpc_take_fd(c, 0) : -1;
	struct start_request q = { 0 };
	struct error err = { 0 };

	if (!m)
		return;
	if (start_params(c, &q, &err) < 0)
		rpc_fail(c, &err);
	else
		start_and_reply(op_new(c, d, m), m, session, &q);
}

/* ---- run ---- */

static void on_run_end(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;
	json *out = json_new_obj();

	(void)d;
	json_add_str(out, "id", op->id);
	json_add_str(out, "name", MACHINE_NAME(m));
	if (m->state.exit.known)
		json_add(out, "exit", view_exit(&m->state.exit));
	/* it went though it was to stay, or the other way round */
	json_add_str(out, "state", op->removes != (err != NULL) ? "removed" : phase_name(m->state.phase));
	op_reply(op, out);
}

static void on_run_undone(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	(void)d;
	(void)m;
	(void)err;
	op_fail(op, &op->why);
}

static void on_run_started(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	if (err) {
		/* a failed start of a machine made by this call takes it away again; --rm does so by itself */
		op->why = *err;
		if (m->config.spec.remove && err->code != -EPIPE) /* the keeper's end: who knows when it goes */
			machine_wait_asked(m, 0, true, on_run_undone, op);
		else if (machine_remove(d, m, on_run_undone, op, NULL) < 0)
			op_fail(op, &op->why);
		return;
	}
	if (!op->call || !op->more) {
		op_reply(op, started_reply(m, true));
		return;
	}
	rpc_reply_more(op->call, started_reply(m, true));
	op->removes = m->config.spec.remove;
	op->only_waits = true;
	machine_wait(m, DOWN, op->removes, on_run_end, op);
}

void api_run(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	const json *spec = NULL;
	struct machine *m = NULL;
	auto_fd int session = rpc_take_fd(c, 0);
	struct start_request q = { .session = session, .done = on_run_started };
	struct error err = { 0 };
	struct op *op;

	if (json_get_obj(rpc_params(c), "spec", &spec, &err) < 0 || start_params(c, &q, &err) < 0 || !spec) {
		if (!err.code)
			err_set_kind(&err, -EINVAL, ERR_USAGE, "spec: missing");
		rpc_fail(c, &err);
		return;
	}
	if (machine_create(d, spec, true, &m, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	event_emit(d, "create", m, c, NULL);
	op = op_new(c, d, m);
	op->more = rpc_wants_more(c);
	q.arg = op;
	if (machine_start(d, m, &q, &op->why) == 0 || machine_remove(d, m, on_run_undone, op, NULL) == 0)
		return;
	/* without a keeper there is nobody to remove the folder: the next one has it done */
	if (store_remove(&d->store, m->config.id, m->config.spec.remove, NULL) == 0) {
		event_emit(d, "remove", m, NULL, NULL);
		machine_forget(d, m);
	}
	op_fail(op, &op->why);
}

/* ---- stop, restart, remove ---- */

static void on_removed(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	(void)d;
	(void)m;
	if (err)
		op_fail(op, err);
	else
		op_reply(op, NULL);
}

static void remove_now(struct op *op, struct machine *m)
{
	struct error err = { 0 };

	if (m->removing || (m->cleaning && m->config.spec.remove)) { /* --rm does it */
		machine_wait_asked(m, 0, true, on_removed, op);
	} else if (machine_remove(op->d, m, on_removed, op, &err) < 0) {
		m->to_remove = false;
		op_fail(op, &err);
	}
}

static void on_down(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;
	struct start_request q = { 0 };
	json *out;

	(void)d;
	if (err && err->code == -ENOENT && (op->then_remove || (m->config.spec.remove && !op->then_start))) { /* it went by itself */
		op_reply(op, NULL);
		return;
	}
	if (err) {
		op_fail(op, err);
		return;
	}
	if (m->state.phase == PHASE_FAILED) {
		struct error e = { 0 };

		err_set(&e, -EIO, "%s: it is down, but cleaning up failed: %s", MACHINE_NAME(m), m->state.error);
		op_fail(op, &e);
		return;
	}
	if (op->then_start) {
		start_and_reply(op, m, -1, &q);
		return;
	}
	if (op->then_remove) {
		remove_now(op, m);
		return;
	}
	out = json_new_obj();
	json_add_bool(out, "killed", m->killed);
	op_reply(op, out);
}

/* Ask it to stop and go on in on_down. */
static void stop_then(struct op *op, struct machine *m, uint64_t timeout, int sig)
{
	struct error err = { 0 };

	if (jobs_need_keeper(op->d, &err) < 0) {
		err_prefix(&err, "%s", MACHINE_NAME(m));
		op_fail(op, &err);
		return;
	}
	m->to_remove |= op->then_remove;
	if (machine_stop(op->d, m, timeout, sig, &err) < 0) {
		m->to_remove = false;
		op_fail(op, &err);
		return;
	}
	if (DOWN >> m->state.phase & 1)
		on_down(op->d, m, NULL, op);
	else if (op->then_start || op->then_remove)
		machine_wait_to_act(m, DOWN, on_down, op);
	else
		machine_wait_asked(m, DOWN, false, on_down, op);
}

static int stop_params(struct rpc_call *c, const struct machine *m, uint64_t *timeout, int *sig, struct error *err)
{
	const char *name = NULL;

	*timeout = m->config.spec.stop_timeout_ms ? m->config.spec.stop_timeout_ms : DEFAULT_STOP_MS;
	*sig = 0;
	if (json_get_u64(rpc_params(c), "timeout", timeout, err) < 0 ||
	    json_get_str(rpc_params(c), "signal", &name, err) < 0)
		return -EINVAL;
	if (name && parse_signal(name, sig) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "there is no such signal");
	return 0;
}

void api_stop(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct error err = { 0 };
	uint64_t timeout;
	int sig;

	if (!m)
		return;
	if (stop_params(c, m, &timeout, &sig, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	if (m->state.phase == PHASE_RUNNING || m->state.phase == PHASE_PAUSED)
		event_emit(d, "stop", m, c, NULL);
	stop_then(op_new(c, d, m), m, timeout, sig);
}

void api_restart(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct start_request q = { 0 };
	struct error err = { 0 };
	struct op *op;
	uint64_t timeout;
	int sig;

	if (!m)
		return;
	if (stop_params(c, m, &timeout, &sig, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	if (m->state.phase == PHASE_STOPPED || UP >> m->state.phase & 1)
		event_emit(d, "restart", m, c, NULL);
	op = op_new(c, d, m);
	op->then_start = true;
	if (m->state.phase == PHASE_STOPPED)
		start_and_reply(op, m, -1, &q);
	else
		stop_then(op, m, timeout, sig);
}

static void force_remove(struct op *op, struct machine *m);

static void on_start_over(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	(void)d;
	if (!err)
		force_remove(op, m);
	else if (err->code == -ENOENT) /* --rm, or who started it has taken it away */
		op_reply(op, NULL);
	else
		op_fail(op, err);
}

/* A start is called off; one that was just through, or is an earlier daemon's, is waited for. */
static void force_remove(struct op *op, struct machine *m)
{
	if (m->state.phase == PHASE_STARTING) {
		machine_wait_to_act(m, UP | DOWN, on_start_over, op);
		job_cancel(op->d, m->start_job);
	} else if (m->state.phase != PHASE_STOPPED && m->state.phase != PHASE_SUSPENDED) {
		stop_then(op, m, 0, 0);
	} else {
		remove_now(op, m);
	}
}

void api_remove(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct error err = { 0 };
	bool force = false;
	struct op *op;

	if (!m)
		return;
	if (json_get_bool(rpc_params(c), "force", &force, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	op = op_new(c, d, m);
	op->then_remove = true;
	if (force)
		force_remove(op, m);
	else
		remove_now(op, m);
}

/* ---- wait ---- */

static json *wait_reply(const struct machine *m, const char *state)
{
	json *out = json_new_obj();

	if (m && m->state.exit.known)
		json_add(out, "exit", view_exit(&m->state.exit));
	json_add_str(out, "state", state);
	return out;
}

static void on_waited(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct op *op = arg;

	(void)d;
	if (err)
		op_fail(op, err);
	else
		op_reply(op, wait_reply(m, op->removes ? "removed" : phase_name(m->state.phase)));
}

void api_wait(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	const char *cond = "stopped";
	struct error err = { 0 };
	uint32_t phases;
	struct op *op;

	if (!m)
		return;
	if (json_get_str(rpc_params(c), "condition", &cond, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	if (!str_eq(cond, "stopped") && !str_eq(cond, "running") && !str_eq(cond, "removed")) {
		err_set_kind(&err, -EINVAL, ERR_USAGE, "condition: expected stopped, running or removed");
		rpc_fail(c, &err);
		return;
	}
	op = op_new(c, d, m);
	op->removes = str_eq(cond, "removed");
	phases = str_eq(cond, "running") ? UP : DOWN;
	/* with --rm, stopped is told when it is gone, with its exit */
	if (!op->removes && phases == DOWN && m->config.spec.remove)
		op->removes = true;
	op->only_waits = true;
	if (!op->removes && phases >> m->state.phase & 1)
		op_reply(op, wait_reply(m, phase_name(m->state.phase)));
	else if (rpc_is_oneway(c)) /* nobody would hear it */
		op_reply(op, NULL);
	else
		machine_wait(m, phases, op->removes, on_waited, op);
}
