/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exec, Attach, Logs: streams never pass through here, only their descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define ARGS_MAX 4096 /* of one exec */
#define COMMAND_SHOWN 200 /* bytes of it in the event */

struct exec_op {
	struct rpc_call *call;
	char exec_id[ID_LEN + 1], machine_id[ID_LEN + 1];
	char *command;
	uint32_t uid;
};

static void exec_gone(struct rpc_call *c, void *arg)
{
	(void)c;
	((struct exec_op *)arg)->call = NULL;
}

static void on_exec(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct exec_op *op = arg;
	struct machine *m = machine_by_id(d, op->machine_id);
	struct error err = r->error;
	json *out;

	(void)data;
	if (!err.code && m) {
		out = json_new_obj();
		json_add_str(out, "command", op->command);
		event_emit(d, "exec", m, op->call, out);
	}
	if (op->call && err.code) {
		if (m)
			err_prefix(&err, "%s", MACHINE_NAME(m));
		rpc_fail(op->call, &err);
	} else if (op->call) {
		out = json_new_obj();
		json_add_str(out, "id", op->exec_id);
		json_add_i64(out, "pid", r->pid);
		rpc_reply(op->call, out);
	}
	free(op->command);
	free(op);
}

struct exec_params {
	struct arena arena;
	struct plan_exec x;
	bool stdio;
};

static int exec_decode(const json *p, struct exec_params *e, struct error *err)
{
	uint32_t rows = 0, cols = 0;

	if (json_get_strv(p, "command", &e->arena, &e->x.argv, err) < 0 ||
	    json_get_strv(p, "env", &e->arena, &e->x.env, err) < 0 ||
	    json_get_str(p, "workdir", &e->x.cwd, err) < 0 || json_get_str(p, "user", &e->x.user, err) < 0 ||
	    json_get_bool(p, "tty", &e->x.tty, err) < 0 || json_get_bool(p, "stdio", &e->stdio, err) < 0 ||
	    json_get_u32(p, "rows", &rows, err) < 0 || json_get_u32(p, "columns", &cols, err) < 0)
		return -EINVAL;
	if (!e->x.argv.n || !*e->x.argv.v[0])
		return err_set_kind(err, -EINVAL, ERR_USAGE, "command: expected a program");
	if (e->x.argv.n > ARGS_MAX || e->x.env.n > ARGS_MAX)
		return err_set_kind(err, -E2BIG, ERR_USAGE, "command, env: at most %d entries", ARGS_MAX);
	if (e->x.tty && e->stdio)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "tty and stdio exclude each other");
	if (e->x.cwd && e->x.cwd[0] != '/')
		return err_set_kind(err, -EINVAL, ERR_USAGE, "workdir: expected an absolute path");
	for (size_t i = 0; i < e->x.env.n; i++) {
		const char *eq = strchr(e->x.env.v[i], '=');

		if (!eq || eq == e->x.env.v[i])
			return err_set_kind(err, -EINVAL, ERR_USAGE, "env[%zu]: expected KEY=VALUE", i);
	}
	e->x.rows = (uint16_t)MIN(rows, 65535u);
	e->x.cols = (uint16_t)MIN(cols, 65535u);
	return 0;
}

/* A folder among a program's streams is a way out of its root. */
static int take_stdio(struct rpc_call *c, int stdio[3], struct error *err)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		stdio[i] = rpc_take_fd(c, (size_t)i + 1);
		if (stdio[i] < 0)
			return err_set_kind(err, -EBADF, ERR_USAGE, "stdio: descriptor %d is missing", i);
		if (fstat(stdio[i], &st) < 0 || S_ISDIR(st.st_mode) || fcntl(stdio[i], F_GETFL) & O_PATH)
			return err_set_kind(err, -EISDIR, ERR_USAGE, "stdio: descriptor %d is no stream", i);
	}
	return 0;
}

static int exec_submit(struct daemon *d, struct machine *m, struct rpc_call *c, struct exec_params *e, struct error *err)
{
	auto_fd int session = rpc_take_fd(c, 0);
	int stdio[3] = { -1, -1, -1 };
	struct job_request j = JOB_NONE;
	struct plan *start = NULL, *plan = NULL;
	struct exec_op *op = mem_alloc(sizeof(*op));
	int r = e->stdio ? take_stdio(c, stdio, err) : 0;

	id_make(op->exec_id);
	(void)str_copy(op->machine_id, sizeof(op->machine_id), m->config.id);
	op->command = str_dup_n(e->x.argv.v[0], strnlen(e->x.argv.v[0], COMMAND_SHOWN));
	e->x.exec_id = op->exec_id;
	e->x.null_stdio = !e->x.tty && !e->stdio;
	if (r == 0)
		r = store_load_plan(&d->store, m->config.id, &start, err);
	if (r == -ENOENT)
		err_set(err, r, "its plan is missing");
	if (r == 0)
		r = plan_build_exec(start, &e->x, &plan, err);
	if (r == 0) {
		j.kind = PLAN_EXEC;
		j.plan = plan;
		j.id = op->exec_id;
		j.session = session;
		memcpy(j.stdio, stdio, sizeof(stdio));
		j.target = m->init.fd;
		j.done = on_exec;
		j.arg = op;
		r = job_submit(d, &j, NULL, err);
	}
	if (plan)
		plan_free(plan);
	if (start)
		plan_free(start);
	for (int i = 0; i < 3; i++)
		fd_close(&stdio[i]);
	if (r < 0) {
		free(op->command);
		free(op);
		return r;
	}
	op->call = c;
	rpc_on_gone(c, exec_gone, op);
	return 0;
}

void api_exec(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	struct exec_params e = { 0 };
	struct error err = { 0 };
	enum phase p;
	int r;

	if (!m)
		return;
	r = exec_decode(rpc_params(c), &e, &err);
	if (r == 0)
		r = lifecycle_next(m->state.phase, EVENT_EXEC, &p, &err);
	if (r == 0)
		r = jobs_have_room(d, &err);
	if (r == 0)
		r = exec_submit(d, m, c, &e, &err);
	if (r < 0) {
		err_prefix(&err, "%s", MACHINE_NAME(m));
		rpc_fail(c, &err);
	}
	arena_done(&e.arena);
}

void api_attach(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	auto_fd int session = m ? rpc_take_fd(c, 0) : -1;
	struct kp_attach a = { 0 };
	struct error err = { 0 };
	uint32_t rows = 0, cols = 0;
	bool input = false;
	json *out;
	int r;

	if (!m)
		return;
	if (json_get_bool(rpc_params(c), "input", &input, &err) < 0 ||
	    json_get_u32(rpc_params(c), "rows", &rows, &err) < 0 ||
	    json_get_u32(rpc_params(c), "columns", &cols, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	if (session < 0 || !m->state.pid) {
		if (session < 0)
			err_set_kind(&err, -EINVAL, ERR_USAGE, "Attach: a session socket is missing");
		else
			err_set_kind(&err, -EINVAL, ERR_STATE, "%s: cannot attach: it is %s", MACHINE_NAME(m),
				     phase_name(m->state.phase));
		err_hint(&err, "start it first: arnia start %s", MACHINE_NAME(m));
		rpc_fail(c, &err);
		return;
	}
	(void)str_copy(a.id, sizeof(a.id), m->config.id);
	a.want_stdin = input;
	a.rows = (uint16_t)MIN(rows, 65535u);
	a.cols = (uint16_t)MIN(cols, 65535u);
	r = keeper_send(d->keeper, KP_ATTACH, 0, &a, sizeof(a), &session, 1);
	if (r < 0) {
		err_set_kind(&err, r, ERR_UNREACHABLE, "the keeper is not running");
		rpc_fail(c, &err);
		return;
	}
	out = json_new_obj();
	json_add_bool(out, "tty", m->tty);
	json_add_str(out, "state", phase_name(m->state.phase));
	rpc_reply(c, out);
}

void api_logs(struct rpc_call *c, void *arg)
{
	static const char *const names[] = { "log.1", "log" };
	struct daemon *d = arg;
	struct machine *m = api_machine(c, d);
	auto_fd int dir = -1;
	json *out, *present;
	int fds[2];
	size_t n = 0;

	if (!m)
		return;
	out = json_new_obj();
	present = json_new_arr();
	dir = openat(d->store.containers, m->config.id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(names); i++) {
		int fd = openat(dir, names[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			continue;
		fds[n++] = fd;
		json_push(present, json_new_str(names[i]));
	}
	json_add(out, "present", present);
	json_add_bool(out, "tty", m->config.spec.tty);
	json_add_str(out, "state", phase_name(m->state.phase));
	rpc_reply_fds(c, out, fds, n);
	while (n)
		close(fds[--n]);
}
