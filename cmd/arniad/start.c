/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "rootfs/template.h"

#define RESOLV_MAX 65536
#define RUNNING_OR_END (1u << PHASE_STOPPED | 1u << PHASE_FAILED)

struct start_op {
	struct machine *m;
	op_done done;
	void *arg;
	struct error why;
	struct strbuf told; /* by the worker: an answer too long for one frame */
};

/* The description of the machine's image merged below its spec, and where its rootfs lies. */
static int image_apply(struct daemon *d, struct spec *s, char rootfs[4096], struct error *err)
{
	const struct template_desc *t;
	struct spec_image image;
	int r = image_get(d, s->image, &t, err);

	if (r < 0)
		return r;
	image = (struct spec_image){ .cmd = t->cmd, .env = t->env, .workdir = t->workdir, .user = t->user,
				     .stop_signal = t->stop_signal, .init = t->init };
	spec_merge(s, &image);
	if (rootfs) {
		auto_free char *path = str_fmt("%s/templates/%s/rootfs", d->in.state, s->image);

		(void)str_copy(rootfs, 4096, path);
	}
	return 0;
}

/* Copy of the spec in `ret`, so that the image's defaults are merged for this start and not kept. */
static int spec_copy(const struct spec *s, struct spec *ret, struct error *err)
{
	auto_json json *j = spec_encode(s);

	return spec_decode(j, ret, err);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int plan_make(struct daemon *d, struct machine *m, const struct start_request *q, bool cell, struct plan **ret,
		     struct error *err)
{
	struct spec spec = { 0 };
	char rootfs[4096], ifname[16];
	auto_free char *resolv = NULL;
	struct plan_lease lease = { .id_base = m->lease.id_base, .addr = m->lease.addr, .cell = cell,
				    .plain = m->config.spec.net != NET_ROUTED };
	struct plan_input in = { .id = m->config.id, .name = MACHINE_NAME(m), .run = d->in.run, .state = d->in.state,
				 .share = d->in.share, .rootfs = rootfs, .table = d->ids.nft_table,
				 .ifgroup = d->ids.ifgroup, .spec = &spec, .facts = &d->facts.plan, .lease = &lease, .rows = q->rows, .cols = q->cols,
				 .now_boot_ns = clock_ns(CLOCK_BOOTTIME), .now_mono_ns = clock_ns(CLOCK_MONOTONIC) };
	struct plan_node *nodes = NULL;
	struct arena arena = { 0 };
	int r;

	if ((r = spec_copy(&m->config.spec, &spec, err)) < 0)
		return r;
	in.gateway.s_addr = htonl(0xa9fe0101); /* 169.254.1.1 */
	in.pool.s_addr = htonl(d->ids.pool);
	in.pool_prefix = POOL_PREFIX;
	cell_names(d, &m->lease, ifname, &lease.ifindex);
	lease.ifname = ifname;
	if (file_read_at(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &resolv, NULL) >= 0)
		in.host_resolv = resolv;
	r = image_apply(d, &spec, rootfs, err);
	if (r == 0)
		r = plan_probe_nodes(&spec, &arena, &nodes, &in.n_nodes, err);
	in.nodes = nodes;
	if (r == 0)
		r = profile_get(d, spec.seccomp, plan_caps(&spec, d->facts.plan.caps), &in.seccomp, &in.seccomp_size, err);
	if (r == 0)
		r = plan_build_start(&in, ret, err);
	arena_done(&arena);
	spec_done(&spec);
	return r;
}

static void start_op_end(struct daemon *d, struct start_op *op, const struct error *err)
{
	(void)fail_at("arniad:before-reply");
	op->done(d, op->m, err, op->arg);
	strbuf_done(&op->told);
	free(op);
}

static void on_start_line(struct daemon *d, const char *text, void *arg)
{
	struct start_op *op = arg;

	(void)d;
	strbuf_add(&op->told, text);
}

/* The half-made start has been undone: now its caller hears why it failed. */
static void on_undone(struct daemon *d, struct machine *m, const struct error *err, void *arg)
{
	struct start_op *op = arg;

	(void)m;
	(void)err;
	start_op_end(d, op, &op->why);
}

void machine_note_failed_start(struct daemon *d, struct machine *m, const char *why)
{
	json *data = json_new_obj();

	m->exited = false;
	m->not_run = true;
	m->state.exit = (struct exit_record){ 0 };
	(void)str_copy(m->state.error, sizeof(m->state.error), why);
	json_add_str(data, "error", why);
	event_emit(d, "start-failed", m, NULL, data);
}

static void start_failed(struct daemon *d, struct start_op *op, const struct error *why)
{
	struct machine *m = op->m;

	op->why = *why;
	err_prefix(&op->why, "%s", MACHINE_NAME(m));
	machine_note_failed_start(d, m, why->text);
	if (machine_event(d, m, EVENT_START_FAILED, NULL) < 0) {
		start_op_end(d, op, &op->why);
		return;
	}
	machine_wait_to_act(m, RUNNING_OR_END, on_undone, op);
	machine_clean(d, m);
}

static void on_started(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct start_op *op = arg;
	struct machine *m = op->m;
	bool exited = m->exited;

	(void)fail_at("arniad:on-started");
	strbuf_add(&op->told, data);
	if (strstr(strbuf_cstr(&op->told), PLAN_TABLE_MADE))
		publish_all(d);
	if (r->error.code == -ECANCELED) {
		struct error why = { 0 };

		err_set_kind(&why, -ECANCELED, ERR_STATE, "it was removed while it was starting");
		start_failed(d, op, &why);
		return;
	}
	if (r->error.code) {
		start_failed(d, op, &r->error);
		return;
	}
	m->exited = false;
	m->state.started_ns = time_real_ns();
	m->state.error[0] = '\0';
	machine_note_ports(m, strbuf_cstr(&op->told));
	if (machine_event(d, m, EVENT_STARTED, NULL) < 0)
		log_error("%s: started while %s", MACHINE_NAME(m), phase_name(m->state.phase));
	event_emit(d, "start", m, NULL, NULL);
	start_op_end(d, op, NULL);
	watch_start(d, m);
	if (m->publish_due)
		publish_go_on(d);
	if (exited) { /* it ended before the worker's word came */
		struct kp_exit x = { .pid = m->state.pid, .code = m->state.exit.code, .status = m->state.exit.status,
				     .time_ns = m->state.exit.time_ns };

		machine_exited(d, m, &x);
	}
}

/* Of a start that came to nothing before its job was sent. */
static void return_lease(struct daemon *d, struct machine *m, const struct cell *cell)
{
	if (!cell) {
		lease_give_back(d->leases, &m->lease);
		return;
	}
	cell_put_back(d, cell);
	m->lease = (struct lease){ 0 };
}

/* Everything that can be refused without leaving a trace. */
static int start_prepare(struct daemon *d, struct machine *m, struct cell *cell, bool *ret_cell, struct error *err)
{
	bool routed = m->config.spec.net == NET_ROUTED;
	enum phase p;
	int r;

	if ((r = lifecycle_next(m->state.phase, EVENT_START, &p, err)) < 0)
		return r;
	if (m->orphan_job)
		return err_set_kind(err, -EBUSY, ERR_STATE, "cannot start: what the daemon before began is not over");
	if (m->removing || m->cleaning || m->to_remove)
		return err_set_kind(err, -EBUSY, ERR_STATE, "cannot start: it is being %s",
				    m->removing || m->to_remove ? "removed" : "cleaned up");
	if (d->shutting_down)
		return err_set_kind(err, -ESHUTDOWN, ERR_STATE, "cannot start: the host is being shut down");
	if ((r = jobs_have_room(d, err)) < 0)
		return r;
	if ((r = jobs_need_keeper(d, err)) < 0)
		return r;
	if (routed && d->facts.net_error[0]) {
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "no network: %s", d->facts.net_error);
		err_hint(err, "arnia host doctor; or use --net none");
		return -EOPNOTSUPP;
	}
	*ret_cell = m->config.spec.net != NET_HOST && cell_take(d, routed, cell);
	if (*ret_cell)
		m->lease = cell->lease;
	else if ((r = lease_take(d->leases, routed, &m->lease, err)) < 0)
		return r;
	m->folder_gone = false;
	if (mkdirat(d->store.containers, m->config.id, 0700) && errno != EEXIST) {
		r = err_sys(err, -errno, "make the machine's folder");
		return_lease(d, m, *ret_cell ? cell : NULL);
		return r;
	}
	return 0;
}

/* Plan to disk, then the job, then the state: whatever dies in between, a plan says that something was begun, and what to undo. */
static int start_send(struct daemon *d, struct machine *m, const struct start_request *q, const struct cell *cell,
		      struct start_op *op, struct error *err)
{
	struct job_request j = JOB_NONE;
	auto_free void *bytes = NULL;
	struct plan *plan = NULL;
	int r = plan_make(d, m, q, cell != NULL, &plan, err);

	if (r < 0)
		return r;
	m->tty = plan->process.tty;
	r = plan_encode(plan, &bytes, &j.size);
	plan_free(plan);
	if (r < 0)
		return err_sys(err, r, "encode the plan");
	if ((r = store_save_plan(&d->store, m->config.id, bytes, j.size, err)) < 0)
		return r;
	(void)fail_at("arniad:after-plan");
	store_drop_exit(&d->store, m->config.id);
	m->state.exit = (struct exit_record){ 0 };
	m->stopping_asked = m->killed = m->exited = m->not_run = false;
	m->state.ooms = 0;
	machine_state_done(&m->state);
	j.kind = PLAN_START;
	j.bytes = bytes;
	j.id = m->config.id;
	j.worker = cell ? cell->worker : 0;
	j.flags = m->config.spec.open_stdin ? KP_JOB_STDIN : 0;
	j.session = q->session;
	j.done = on_started;
	j.line = on_start_line;
	j.arg = op;
	if ((r = job_submit(d, &j, &m->start_job, err)) < 0) {
		store_drop_plan(&d->store, m->config.id);
		return r;
	}
	(void)fail_at("arniad:after-job");
	return machine_event(d, m, EVENT_START, err);
}

int machine_start(struct daemon *d, struct machine *m, const struct start_request *q, struct error *err)
{
	struct start_op *op;
	struct cell cell = { 0 };
	bool has_cell = false;
	int r = start_prepare(d, m, &cell, &has_cell, err);

	if (r < 0) {
		err_prefix(err, "%s", MACHINE_NAME(m));
		return r;
	}
	op = mem_alloc(sizeof(*op));
	*op = (struct start_op){ .m = m, .done = q->done, .arg = q->arg };
	r = start_send(d, m, q, has_cell ? &cell : NULL, op, err);
	if (r < 0) {
		return_lease(d, m, has_cell ? &cell : NULL);
		free(op);
		err_prefix(err, "%s", MACHINE_NAME(m));
	}
	cells_refill(d);
	return r;
}
