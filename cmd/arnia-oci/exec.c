/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A further process in a container: the configuration's, changed by flags, or one of its own (--process). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

#define PROCESS_MAX (4u << 20)
#define ENDING_MS 100

static int process_from_file(struct act *a, const char *path, struct error *err)
{
	struct oci_config *k = &a->config;
	struct sandbox_config sandbox = k->sandbox;
	auto_free char *text = NULL;
	auto_json json *j = NULL;
	struct strv warnings = { 0 };
	long n = file_read_named(path, PROCESS_MAX, &text, err);
	int r;

	if (n < 0)
		return (int)n;
	j = json_parse_bounded(text, (size_t)n, OCI_NESTED_MAX, err);
	r = j ? oci_process_decode(j, &k->arena, &k->process, &sandbox, &k->terminal, &warnings, err) : -EINVAL;
	if (r < 0)
		return err_prefix(err, "%s", path), r;
	k->sandbox = sandbox;
	for (size_t i = 0; i < warnings.n; i++)
		report(&a->call->g, REPORT_WARN, "%s", warnings.v[i]);
	return 0;
}

/* UID[:GID], both plain numbers: a name would be the image's to say who that is. */
static int take_user(struct act *a, const char *text, struct error *err)
{
	struct arena *m = &a->config.arena;
	const char *colon = strchr(text, ':');
	auto_free char *user = colon ? str_dup_n(text, (size_t)(colon - text)) : str_dup(text);
	uint32_t uid, gid = 0;

	if (parse_u32(user, &uid) < 0 || uid == UINT32_MAX ||
	    (colon && (parse_u32(colon + 1, &gid) < 0 || gid == UINT32_MAX)))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "user %.64s: expected UID or UID:GID, plain numbers below 4294967295",
				    text);
	a->config.process.user = arena_fmt(m, "%u:%u", uid, gid);
	a->config.process.groups = (struct strv){ 0 };
	return 0;
}

static int take_caps(struct act *a, const struct strv *names, struct error *err)
{
	struct sandbox_config *s = &a->config.sandbox;

	for (size_t i = 0; i < names->n; i++) {
		uint64_t bits;

		if (caps_parse(names->v[i], &bits) < 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "unknown capability %.64s", names->v[i]);
		s->cap_bounding |= bits;
		s->cap_effective |= bits;
		s->cap_permitted |= bits;
		/* As runc: to keep it over the change of ids, ambient where inheritable already has it. */
		if (s->cap_inheritable)
			s->cap_inheritable |= bits;
		if (s->cap_ambient)
			s->cap_ambient |= bits;
	}
	return 0;
}

static int take_groups(struct act *a, const struct strv *v, struct error *err)
{
	for (size_t i = 0; i < v->n; i++) {
		uint32_t gid;

		if (parse_u32(v->v[i], &gid) < 0 || gid == UINT32_MAX)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "additional group %.64s: expected a number", v->v[i]);
		strv_push(&a->config.arena, &a->config.process.groups, v->v[i]);
	}
	return 0;
}

static int take_env(struct act *a, const struct strv *v, struct error *err)
{
	for (size_t i = 0; i < v->n; i++) {
		if (!strchr(v->v[i], '=') || v->v[i][0] == '=')
			return err_set_kind(err, -EINVAL, ERR_USAGE, "environment variable %.64s: expected NAME=VALUE", v->v[i]);
		strv_push(&a->config.arena, &a->config.process.env, v->v[i]);
	}
	return 0;
}

static int process_from_flags(struct act *a, struct error *err)
{
	struct call *c = a->call;
	struct process_config *p = &a->config.process;
	struct strv caps = opt_list(c, "cap"), env = opt_list(c, "env"), groups = opt_list(c, "additional-gids");
	const char *user = opt_get(c, "user"), *cwd = opt_get(c, "cwd");
	int r;

	if (!c->args.n)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "process args cannot be empty");
	p->argv = c->args;
	a->config.terminal = opt_has(c, "tty");
	p->rows = p->cols = 0;
	if (cwd)
		p->cwd = cwd;
	if (opt_has(c, "no-new-privs"))
		a->config.sandbox.no_new_privs = true;
	if (opt_get(c, "apparmor"))
		a->config.sandbox.apparmor = opt_get(c, "apparmor");
	if (opt_get(c, "process-label"))
		a->config.sandbox.selinux = opt_get(c, "process-label");
	r = user ? take_user(a, user, err) : 0;
	if (r == 0)
		r = take_groups(a, &groups, err);
	if (r == 0)
		r = take_caps(a, &caps, err);
	return r == 0 ? take_env(a, &env, err) : r;
}

static int check_status(struct act *a, struct pidref *ret, struct error *err)
{
	enum oci_status status;
	int r = record_status(&a->record, &status, ret, err);

	if (r < 0)
		return r;
	/* Its first process may still be in the host's root. */
	if (status == OCI_CREATING)
		return err_set_kind(err, -EBUSY, ERR_STATE, "cannot exec in a container that is being created");
	if (status == OCI_STOPPED)
		return has_stopped(err);
	if (status == OCI_PAUSED && !opt_has(a->call, "ignore-paused"))
		return err_set_kind(err, -EBUSY, ERR_STATE, "cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

/* The container's, or one below it by --cgroup. */
static int open_cgroup(struct act *a, struct error *err)
{
	struct strv below = opt_list(a->call, "cgroup");
	auto_fd int root = -1;
	const char *path = a->record.cgroup;

	if (!path)
		return below.n ? err_set_kind(err, -EINVAL, ERR_USAGE, "cgroup: the container has none") : 0;
	for (size_t i = 0; i < below.n; i++) {
		const char *at = below.v[i];

		while (*at == '/')
			at++;
		path = arena_fmt(&a->config.arena, "%s%s%s", a->record.cgroup, *at ? "/" : "", at);
	}
	root = cg_open_root(err);
	if (root < 0)
		return root;
	a->cgroup = cg_open(root, path, err);
	return a->cgroup < 0 ? a->cgroup : 0;
}

static int exec_prepare(struct act *a, struct pidref *init, struct error *err)
{
	const char *file = opt_get(a->call, "process");
	int r = store_load(a->call->g.root, a->call->id, false, &a->record, err);

	if (r == 0)
		r = check_status(a, init, err);
	if (r == 0)
		r = config_of_record(a->call, &a->record, &a->config, err);
	if (r == 0)
		r = file ? process_from_file(a, file, err) : process_from_flags(a, err);
	if (r == 0)
		r = preserved_fds(a->call, &a->config.process, err);
	if (r == 0)
		r = open_cgroup(a, err);
	return r == 0 ? plan_exec(a, init, err) : r;
}

static int check_console(const struct act *a, struct error *err)
{
	bool given = opt_get(a->call, "console-socket") != NULL;

	if (a->config.terminal && opt_has(a->call, "detach") && !given)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "cannot allocate tty if arnia-oci will detach without setting console socket");
	if (!a->config.terminal && given)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "cannot use console socket if arnia-oci will not detach or allocate tty");
	return 0;
}

/* An own user namespace protects by itself; what else runs in one that is shared is not known here. */
static int carry_out(struct act *a, const struct pidref *init, struct error *err)
{
	const struct work_start how = { .how = a->plain_user				       ? WORK_JOIN
					       : a->plan.sandbox.namespaces & CLONE_NEWUSER ? WORK_FORK
											    : WORK_SEALED,
					.sandbox = &a->plan.sandbox,
					.target = init->fd,
					.preserve_fds = a->plan.process.preserve_fds };
	int r;

	/* The new process may be another's child on its way to us (child_clone_inside). */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = work_begin(&how, &a->work, err);
	if (r == 0)
		r = work_send(&a->work, &a->plan, init->fd, -1, a->cgroup, err);
	if (r == 0)
		r = act_talk(a, err);
	if (r < 0)
		work_end(&a->work);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	return r;
}

static int end_of(struct act *a, struct error *err)
{
	int status = 0, r;

	if (opt_has(a->call, "detach"))
		return 0;
	if (a->master >= 0 && !opt_get(a->call, "console-socket"))
		r = console_relay(a->master, &a->init, NULL, &status, err);
	else
		r = foreground_wait(&a->init, NULL, &status, err);
	if (r == 0)
		a->call->exit_code = exit_code_of(status);
	return r;
}

/* The new process was killed, or nobody is there to join: if that is because the container ends, it is said so. The first process of a pid
 * namespace ends when all that it takes along are gone, ours too. */
static int after_end(const struct pidref *init, int r, struct error *err)
{
	struct pollfd p = { .fd = init->fd, .events = POLLIN };

	if (r != -ECHILD && r != -ESRCH)
		return r;
	return init->fd >= 0 && poll(&p, 1, ENDING_MS) > 0 ? has_stopped(err) : r;
}

int cmd_exec(struct call *c, struct error *err)
{
	struct act a = ACT_NONE;
	cleanup(pidref_done) struct pidref init = PIDREF_NONE;
	const char *pid_file = opt_get(c, "pid-file");
	int r;

	a.call = c;
	r = exec_prepare(&a, &init, err);
	if (r == 0)
		r = check_console(&a, err);
	if (r == 0)
		r = carry_out(&a, &init, err);
	if (r == 0 && pid_file)
		r = pid_file_write(pid_file, a.init.pid, err);
	if (r == 0) {
		work_end(&a.work);
		r = end_of(&a, err);
	} else if (a.init.pid > 0) {
		pidref_kill(&a.init, SIGKILL);
		while (waitpid(a.init.pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	r = after_end(&init, r, err);
	act_done(&a);
	/* runc: what could not be run is 255, whatever it was. */
	if (r < 0 && !c->exit_code)
		c->exit_code = 255;
	return r;
}
