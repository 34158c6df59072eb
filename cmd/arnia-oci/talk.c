/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the worker tells while it carries a plan out, and what it asks for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/kproto.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

static int go_on(const struct act *a, struct error *err)
{
	int r = frame_send(a->work.sock, KP_MAGIC, KW_GO, 0, NULL, 0, NULL, 0);

	return r < 0 ? err_sys(err, r, "answer the worker") : 0;
}

static int adopt_cgroup(void *a, struct error *err)
{
	return cgroup_place(a, err);
}

static int adopt_devices(void *a, struct error *err)
{
	return netdevs_move(a, err);
}

static int adopt_rdt(void *a, struct error *err)
{
	return rdt_place(a, err);
}

static int adopt_record(void *a, struct error *err)
{
	return store_save(&((struct act *)a)->record, err);
}

static int adopt_record_rdt(void *ctx, struct error *err)
{
	struct act *a = ctx;

	return a->record.rdt_made ? store_save(&a->record, err) : 0;
}

static int adopt_pidfd(void *ctx, struct error *err)
{
	struct act *a = ctx;
	const char *path = opt_get(a->call, "pidfd-socket");

	return path ? pidfd_send(path, a->plan.kind == PLAN_START, a->init.fd, err) : 0;
}

static int adopt_go(void *a, struct error *err)
{
	return go_on(a, err);
}

static const struct step adopt_list[] = {
	{ "adopt:cgroup", NULL, adopt_cgroup, NULL }, { "adopt:record", NULL, adopt_record, NULL },
	{ "adopt:devices", NULL, adopt_devices, NULL }, { "adopt:rdt", NULL, adopt_rdt, NULL },
	{ "adopt:record-rdt", NULL, adopt_record_rdt, NULL }, { "adopt:pidfd", NULL, adopt_pidfd, NULL },
	{ "adopt:go", NULL, adopt_go, NULL },
};
const struct steps adopt_steps = STEPS(adopt_list);

/* From here on there is something to end, should we be killed: it goes on record. */
static int take_process(struct act *a, struct frame *f, struct error *err)
{
	const struct kp_container *k = frame_body(f, sizeof(*k));
	size_t at = 0;

	if (!k || f->nfds < 1)
		return err_set(err, -EPROTO, "a process without its descriptor");
	a->init = (struct pidref){ .pid = k->pid, .fd = frame_take_fd(f, 0), .start = k->start };
	if (a->plan.kind == PLAN_START) {
		a->record.pid = k->pid;
		a->record.start = k->start;
		return steps_run(adopt_steps, a, &at, err);
	}
	return adopt_pidfd(a, err) < 0 ? err->code : go_on(a, err);
}

static int take_master(struct act *a, struct frame *f, struct error *err)
{
	const char *path = opt_get(a->call, "console-socket");

	a->master = frame_take_fd(f, 0);
	if (a->master < 0)
		return err_set(err, -EPROTO, "a terminal without its descriptor");
	if (path)
		return console_send(path, a->master, err);
	/* Now: the program asks for it as soon as it runs. */
	console_fit(a->master);
	return 0;
}

static int run_hooks(struct act *a, struct error *err)
{
	static const enum oci_hook kinds[] = { OCI_PRESTART, OCI_CREATE_RUNTIME };
	int r = 0;

	a->hooked = true;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
		r = hooks_run_of(a->call, &a->record, &a->config, kinds[i], OCI_CREATING, a->init.pid, err);
	return r < 0 ? r : go_on(a, err);
}

/* The container process state (runtime-spec config-linux.md "Containerprocessstate"). */
static json *listener_state(const struct act *a)
{
	bool first = a->plan.kind == PLAN_START;
	json *o = json_new_obj(), *fds = json_new_arr();

	json_push(fds, json_new_str("seccompFd"));
	json_add_str(o, "ociVersion", a->config.version);
	json_add(o, "fds", fds);
	json_add_i64(o, "pid", a->init.pid);
	json_add_str(o, "metadata", a->config.seccomp_metadata);
	json_add(o, "state", oci_state(a->record.id, first ? OCI_CREATING : OCI_RUNNING, first ? a->init.pid : a->record.pid, &a->config));
	return o;
}

static int take_listener(struct act *a, struct frame *f, struct error *err)
{
	auto_fd int fd = frame_take_fd(f, 0), s = -1;
	auto_json json *state = listener_state(a);
	auto_free char *text = json_text(state, false);
	long sent;

	if (fd < 0)
		return err_set(err, -EPROTO, "a seccomp listener without its descriptor");
	s = sock_connect(a->config.seccomp_listener, SOCK_STREAM, err);
	if (s < 0)
		return err_prefix(err, "linux.seccomp.listenerPath"), s;
	sent = sock_send_fds(s, text, strlen(text), &fd, 1);
	if (sent < 0)
		return err_sys(err, (int)sent, "linux.seccomp.listenerPath: send the listener");
	return go_on(a, err);
}

/* In runc's words, which engines look for to tell 126 and 127 apart. Of a directory older ones (Docker 20.10) know the one part, newer ones
 * the other. */
static void say_as_runc(const struct act *a, struct error *err)
{
	const char *name = a->plan.process.argv.n ? a->plan.process.argv.v[0] : "";
	int code = err->code;

	if (err->kind == ERR_CANNOT_RUN && (code == -EACCES || code == -EISDIR))
		err_set_kind(err, code, ERR_CANNOT_RUN, "exec: \"%.300s\": %s", name,
			     code == -EACCES ? "permission denied" : "permission denied: it is a directory");
	if (err->kind != ERR_NO_COMMAND)
		return;
	if (strchr(name, '/'))
		err_set_kind(err, code, ERR_NO_COMMAND, "exec: \"%.200s\": stat %.200s: no such file or directory", name, name);
	else
		err_set_kind(err, code, ERR_NO_COMMAND, "exec: \"%.300s\": executable file not found in $PATH", name);
}

static int take_result(const struct act *a, struct frame *f, struct error *err)
{
	const struct kp_result *res = frame_body(f, sizeof(*res));

	if (!res)
		return err_set(err, -EPROTO, "a result without its body");
	if (res->error.code == 0)
		return 1;
	*err = res->error;
	err_sanitize(err);
	say_as_runc(a, err);
	return err->code;
}

/* 0: go on; 1: the worker is done. */
static int take_frame(struct act *a, struct frame *f, struct error *err)
{
	switch (f->head.type) {
	case KW_ADOPT:
		return take_process(a, f, err);
	case KW_MASTER:
		return take_master(a, f, err);
	case KW_HOOKS:
		return run_hooks(a, err);
	case KW_LISTENER:
		return take_listener(a, f, err);
	case KW_RESULT:
		return take_result(a, f, err);
	}
	return err_set(err, -EPROTO, "a frame of type %u from the worker", f->head.type);
}

int act_talk(struct act *a, struct error *err)
{
	int r = 0;

	while (r == 0) {
		struct frame f;

		r = frame_recv(a->work.sock, KP_MAGIC, &f, 0);
		if (r == 0 || r == -ECONNRESET)
			return err_set(err, -ECHILD, "the worker ended before its time");
		if (r < 0)
			return err_sys(err, r, "hear from the worker");
		r = take_frame(a, &f, err);
		frame_done(&f);
	}
	return r < 0 ? r : 0;
}
