/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

void api_version(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	json *j = json_new_obj();

	json_add_str(j, "version", ARNIA_VERSION);
	json_add_i64(j, "pid", getpid());
	json_add_i64(j, "keeper", keeper_pid(d->keeper));
	json_add_str(j, "since", d->version_since);
	json_add_str(j, "root", d->in.root);
	json_add_u64(j, "machines", d->n_machines);
	rpc_reply(c, j);
}

void api_host_info(struct rpc_call *c, void *arg)
{
	json *j = json_new_obj();

	json_add(j, "info", facts_json(arg));
	rpc_reply(c, j);
}

struct doctor {
	struct rpc_call *call; /* NULL: gone */
	struct strbuf text;
};

static void doctor_line(struct daemon *d, const char *text, void *arg)
{
	(void)d;
	strbuf_add(&((struct doctor *)arg)->text, text); /* pieces, put together */
}

static void doctor_gone(struct rpc_call *c, void *arg)
{
	(void)c;
	((struct doctor *)arg)->call = NULL;
}

static void doctor_tell(struct daemon *d, struct rpc_call *c, const char *net)
{
	json *j = json_new_obj();

	json_add(j, "checks", doctor_checks(d, net));
	rpc_reply(c, j);
}

static void on_looked(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct doctor *x = arg;

	strbuf_add(&x->text, data);
	if (r->error.code)
		log_warn("look at the network: %s", r->error.text);
	if (x->call)
		doctor_tell(d, x->call, r->error.code ? NULL : strbuf_cstr(&x->text));
	strbuf_done(&x->text);
	free(x);
}

void api_host_doctor(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct plan p = host_plan(d, PLAN_HOST_CHECK);
	struct job_request j = JOB_NONE;
	struct doctor *x;

	if (jobs_have_room(d, NULL) < 0) {
		doctor_tell(d, c, NULL);
		return;
	}
	x = mem_alloc(sizeof(*x));
	x->call = c;
	j.kind = PLAN_HOST_CHECK;
	j.plan = &p;
	j.done = on_looked;
	j.line = doctor_line;
	j.arg = x;
	if (job_submit(d, &j, NULL, NULL) < 0) {
		doctor_tell(d, c, NULL);
		free(x);
	} else {
		rpc_on_gone(c, doctor_gone, x);
	}
}

/* ---- shutdown: all machines down, then the host as it was, then the keeper, then us ---- */

static void end_now(void *arg)
{
	loop_stop(((struct daemon *)arg)->loop, 0);
}

static void tear_down(struct daemon *d);

static void on_torn_down(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	(void)arg;
	(void)data;
	if (r->error.code == -EMFILE && !d->torn_again) { /* the keeper has some in reserve */
		d->torn_again = true;
		tear_down(d);
		return;
	}
	if (r->error.code)
		log_error("shutdown: %s", r->error.text);
	if (d->shutdown_call && r->error.code)
		rpc_fail(d->shutdown_call, &r->error);
	else if (d->shutdown_call)
		rpc_reply(d->shutdown_call, NULL);
	d->shutdown_call = NULL;
	keeper_send(d->keeper, KP_SHUTDOWN, 0, NULL, 0, NULL, 0);
	d->keeper_told_to_end = true;
	/* the reply and the word to the keeper leave first */
	loop_add_timer(d->loop, 20, end_now, d);
}

static void tear_down(struct daemon *d)
{
	struct plan p = host_plan(d, PLAN_HOST_TEARDOWN);
	struct job_request j = JOB_NONE;
	struct kp_result failed = { 0 };

	d->tearing_down = true;
	cells_forget(d);
	j.kind = PLAN_HOST_TEARDOWN;
	j.plan = &p;
	j.done = on_torn_down;
	if (job_submit(d, &j, NULL, &failed.error) < 0)
		on_torn_down(d, &failed, "", NULL);
}

#define AT_REST (1u << PHASE_STOPPED | 1u << PHASE_FAILED | 1u << PHASE_SUSPENDED)
#define UP (1u << PHASE_RUNNING | 1u << PHASE_PAUSED)

static bool is_busy(const struct machine *m)
{
	return !(AT_REST >> m->state.phase & 1) || m->removing || m->cleaning;
}

static void shutdown_wait(struct daemon *d, struct machine *m);

/* Whatever one machine came to: the last one ends it all. After the round, since a --rm machine at rest is only
 * then on its way out. */
static void shutdown_check(void *arg)
{
	struct daemon *d = arg;
	size_t busy = 0;

	for (struct machine *m = d->machines; m; m = m->next)
		busy += is_busy(m);
	if (!busy && !d->discarding && !d->tearing_down)
		tear_down(d);
}

void shutdown_go_on(struct daemon *d)
{
	loop_defer(d->loop, shutdown_check, d);
}

static void shutdown_step(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	(void)err;
	(void)arg;
	if (UP >> m->state.phase & 1) /* it was just starting */
		shutdown_wait(d, m);
	else
		loop_defer(d->loop, shutdown_check, d);
}

static void shutdown_wait(struct daemon *d, struct machine *m)
{
	struct error err = { 0 };
	bool starting = m->state.phase == PHASE_STARTING;

	machine_wait(m, AT_REST | (starting ? UP : 0), false, shutdown_step, NULL);
	machine_wait(m, 0, true, shutdown_step, NULL);
	if (!starting && !(AT_REST >> m->state.phase & 1) && machine_stop(d, m, 0, 0, &err) < 0)
		log_error("shutdown: %s", err.text);
}

static void shutdown_gone(struct rpc_call *c, void *arg)
{
	(void)c;
	((struct daemon *)arg)->shutdown_call = NULL;
}

void api_host_shutdown(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct error err = { 0 };
	bool kill = false;
	size_t up = 0, busy = 0;

	if (json_get_bool(rpc_params(c), "kill", &kill, &err) < 0 || d->shutting_down) {
		if (!err.code)
			err_set_kind(&err, -EALREADY, ERR_STATE, "it is being shut down");
		rpc_fail(c, &err);
		return;
	}
	for (struct machine *m = d->machines; m; m = m->next) {
		up += !(AT_REST >> m->state.phase & 1);
		busy += is_busy(m);
	}
	if (up && !kill) {
		err_set_kind(&err, -EBUSY, ERR_STATE, "%zu machines are running", up);
		err_hint(&err, "stop them first, or: arnia host shutdown --kill");
		rpc_fail(c, &err);
		return;
	}
	d->shutting_down = true;
	d->shutdown_call = c;
	rpc_on_gone(c, shutdown_gone, d);
	if (!busy && !d->discarding) {
		tear_down(d);
		return;
	}
	for (struct machine *m = d->machines, *next; m; m = next) {
		next = m->next;
		if (is_busy(m))
			shutdown_wait(d, m);
	}
}
