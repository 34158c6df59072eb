/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "lib/worker/hooks.h"
#include "lib/worker/worker.h"
#include "rootfs/rootfs.h"


void act_done(struct act *a)
{
	netdevs_done(a);
	work_end(&a->work);
	pidref_done(&a->init);
	fd_close(&a->cgroup);
	fd_close(&a->start);
	fd_close(&a->master);
	oci_config_done(&a->config);
	record_done(&a->record);
}

int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int pid_file_write(const char *path, pid_t pid, struct error *err)
{
	auto_free char *dir = str_dup(path);
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char text[16], *slash = strrchr(dir, '/');
	auto_fd int fd = -1;
	struct stat st;
	int r;

	if (slash)
		*slash = '\0';
	fd = open(!slash ? "." : *dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, -errno, "pid file %s", path);
	/* It is replaced, and a device (/dev/null) is not to be. */
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "pid file %s: there is something that is not a file", path);
	snprintf(text, sizeof(text), "%d", pid);
	r = file_write_atomic_at(fd, name, text, strlen(text), 0644, false, err);
	return r < 0 ? (err_prefix(err, "pid file"), r) : 0;
}

int hooks_run_of(struct call *c, const struct record *r, const struct oci_config *config, enum oci_hook kind, enum oci_status status,
		 pid_t pid, struct error *err)
{
	static const char *const names[] = { "prestart",	 "createRuntime", "createContainer",
					     "startContainer", "poststart",	   "poststop" };
	auto_json json *state = NULL;
	auto_free char *text = NULL;

	if (!config->hooks[kind].n)
		return 0;
	state = oci_state(r->id, status, pid, config);
	text = json_text(state, false);
	/* Of what is over nothing can be stopped any more: a failure is told, and the next one runs. */
	for (size_t i = 0; i < config->hooks[kind].n; i++) {
		struct error e = { 0 };
		int x = hook_run(&config->hooks[kind].v[i], text, &e);

		if (x < 0)
			err_prefix(&e, "%s hook #%zu", names[kind], i);
		if (x < 0 && kind == OCI_POSTSTOP)
			report(&c->g, REPORT_WARN, "%s", e.text);
		if (x < 0 && kind != OCI_POSTSTOP) {
			*err = e;
			return x;
		}
	}
	return 0;
}

int hooks_run_poststop(struct call *c, struct record *r, struct error *err)
{
	struct oci_config config = { 0 };
	int x = config_of_record(c, r, &config, err);

	if (x == 0)
		x = hooks_run_of(c, r, &config, OCI_POSTSTOP, OCI_STOPPED, 0, err);
	rdt_remove(r, &config);
	oci_config_done(&config);
	return x;
}

/* ---- create ---- */

static int check_terminal(struct call *c, const struct oci_config *config, bool relays, struct error *err)
{
	bool given = opt_get(c, "console-socket") != NULL;

	if (!config->has_process)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "process property must not be empty");
	if (config->terminal && !given && !relays)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "cannot allocate tty if arnia-oci will detach without setting console socket");
	if (!config->terminal && given)
		return err_set_kind(err, -EINVAL, ERR_USAGE,
				    "cannot use console socket if arnia-oci will not detach or allocate tty");
	return 0;
}

static int listen_for_start(struct act *a, struct error *err)
{
	auto_free char *path = str_fmt("%s/%s/" STORE_CREATING, a->call->g.root, a->record.id);

	a->start = sock_listen(path, SOCK_SEQPACKET, 0600, err);
	if (a->start < 0)
		return a->start;
	return fd_nonblock(a->start, false);
}

static const char *user_name(struct arena *m)
{
	return geteuid() == 0 ? "root" : arena_fmt(m, "%u", geteuid());
}

static void fill_record(struct act *a, char *text)
{
	struct record *r = &a->record;
	char boot[37] = "", now[64];

	proc_boot_id(boot);
	time_rfc3339(time_real_ns(), now);
	r->boot = arena_str(&r->arena, boot);
	r->created = arena_str(&r->arena, now);
	r->bundle = arena_str(&r->arena, a->config.bundle);
	r->config = arena_str(&r->arena, text);
	r->rootfs = a->config.rootfs.lower.n ? arena_str(&r->arena, a->config.rootfs.lower.v[0]) : NULL;
	r->owner = user_name(&r->arena);
	r->uid = geteuid();
	r->rootless = caller_is_plain(a->call);
	if (!a->config.terminal)
		record_streams(getpid(), &r->arena, &r->streams);
}

static struct work_start how_to_work(const struct act *a)
{
	const struct sandbox_config *s = &a->config.sandbox;
	enum work_how how = a->plain_user			   ? WORK_USERNS
			    : s->namespaces & CLONE_NEWUSER && !s->joins.n ? WORK_FORK
									   : WORK_SEALED;

	return (struct work_start){ .how = how, .sandbox = s, .target = -1, .preserve_fds = a->plan.process.preserve_fds };
}

static int carry_out(struct act *a, struct error *err)
{
	const struct work_start how = how_to_work(a);
	int r = work_begin(&how, &a->work, err);

	if (r == 0)
		r = work_send(&a->work, &a->plan, -1, a->start, a->cgroup, err);
	if (r == 0)
		r = act_talk(a, err);
	/* One that is done takes its mounts down; nothing waits for that but our own end. */
	if (r < 0)
		work_end(&a->work);
	return r;
}

static void warn_of(struct call *c, const struct oci_config *config)
{
	for (size_t i = 0; i < config->warnings.n; i++)
		report(&c->g, REPORT_WARN, "%s", config->warnings.v[i]);
}

static void root_undo(struct act *a)
{
	if (a->record.root_id)
		rootfs_detach_root(a->record.rootfs, a->record.root_id, NULL);
}

void container_undo(struct act *a)
{
	struct error e = { 0 };

	/* Virtual ones are destroyed with the container's namespace. */
	netdevs_return(a);
	if (a->init.fd >= 0)
		pidref_kill(&a->init, SIGKILL);
	work_end(&a->work);
	if (a->init.pid > 0)
		while (waitpid(a->init.pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (a->hooked)
		hooks_run_of(a->call, &a->record, &a->config, OCI_POSTSTOP, OCI_STOPPED, 0, &e);
	root_undo(a);
	cgroup_undo(a);
	rdt_remove(&a->record, &a->config);
	store_remove(a->call->g.root, &a->record, &e);
}

static int create_plan(void *a, struct error *err)
{
	return plan_create(a, err);
}

/* Without a mount namespace of its own: the record knows the mount before it is there. */
static int create_root(void *ctx, struct error *err)
{
	struct act *a = ctx;
	auto_fd int root = -1, under = -1;
	int r;

	if (a->plan.rootfs.place != ROOTFS_HERE)
		return 0;
	root = rootfs_clone_root(a->record.rootfs, &under, &a->record.root_id, err);
	if (root < 0)
		return root;
	a->plan.rootfs.root_id = a->record.root_id;
	r = store_save(&a->record, err);
	return r == 0 ? rootfs_attach_root(root, under, a->record.rootfs, err) : r;
}

static int create_listen(void *a, struct error *err)
{
	return listen_for_start(a, err);
}

static int create_record(void *a, struct error *err)
{
	struct act *x = a;

	return x->record.config_kept ? 0 : store_save(&x->record, err);
}

static int create_cgroup(void *a, struct error *err)
{
	return cgroup_prepare(a, err);
}

static int create_worker(void *a, struct error *err)
{
	return carry_out(a, err);
}

static int create_pid_file(void *ctx, struct error *err)
{
	struct act *a = ctx;

	return a->pid_file ? pid_file_write(a->pid_file, a->init.pid, err) : 0;
}

/* From here on it is created: until now it was neither to be started nor entered. */
static int create_done(void *ctx, struct error *err)
{
	struct act *a = ctx;

	return renameat(a->record.dir, STORE_CREATING, a->record.dir, STORE_START) < 0
		       ? err_sys(err, -errno, "say that the container is created")
		       : 0;
}

static const struct step create_list[] = {
	{ "create:plan", NULL, create_plan, NULL },
	{ "create:listen", NULL, create_listen, NULL },
	{ "create:root", NULL, create_root, NULL },
	{ "create:cgroup", NULL, create_cgroup, NULL },
	{ "create:record", NULL, create_record, NULL },
	{ "create:worker", NULL, create_worker, NULL },
	{ "create:pid-file", NULL, create_pid_file, NULL },
	{ "create:done", NULL, create_done, NULL },
};
const struct steps create_steps = STEPS(create_list);

/* As seen from where the caller is, before the bundle is entered. */
static const char *from_here(struct arena *m, const char *path)
{
	auto_free char *here = path && path[0] != '/' ? realpath(".", NULL) : NULL;

	return here ? arena_fmt(m, "%s/%s", here, path) : path;
}

int container_begin(struct call *c, struct act *a, struct error *err)
{
	const char *given = opt_get(c, "bundle");
	auto_free char *bundle = realpath(str_is_empty(given) ? "." : given, NULL), *text = NULL;
	bool relays = !str_eq(c->verb->name, "create") && !opt_has(c, "detach");
	int r;

	a->call = c;
	r = oci_id_check(c->id, err);
	if (r < 0)
		return r;
	if (!bundle)
		return err_sys(err, -errno, "bundle %s", given ? given : ".");
	r = config_load(c, bundle, &a->config, &text, err);
	if (r == 0)
		r = check_terminal(c, &a->config, relays, err);
	if (r < 0)
		return r;
	warn_of(c, &a->config);
	a->pid_file = from_here(&c->arena, opt_get(c, "pid-file"));
	/* Hooks and relative paths of the bundle. */
	if (chdir(bundle) < 0)
		return err_sys(err, -errno, "enter bundle %s", bundle);
	r = store_create(c->g.root, c->id, &a->record, err);
	if (r < 0)
		return r;
	fill_record(a, text);
	r = notify_make(&a->record, false, err);
	if (r < 0)
		store_remove(c->g.root, &a->record, NULL);
	return r;
}

int container_create(struct call *c, struct act *a, struct error *err)
{
	int r = container_begin(c, a, err);
	size_t at = 0;

	if (r < 0)
		return r;
	r = steps_run(create_steps, a, &at, err);
	if (r < 0)
		container_undo(a);
	/* What stays open would keep the container's network namespace. */
	netdevs_done(a);
	return r;
}

/* ---- start ---- */

static void stop(const struct record *r)
{
	cleanup(pidref_done) struct pidref init = PIDREF_NONE;
	enum oci_status status;

	if (record_status(r, &status, &init, NULL) == 0 && init.fd >= 0)
		pidref_kill(&init, SIGKILL);
	record_signal_all(r, SIGKILL, NULL);
}

int container_start(struct call *c, struct record *r, const struct oci_config *config, struct error *err)
{
	int x = guest_release(r->dir, STORE_START, err);

	if (x == -ECONNREFUSED || x == -ECONNRESET)
		return err_set_kind(err, -ESRCH, ERR_STATE, "cannot start a container that has stopped");
	if (x < 0)
		return x;
	if (unlinkat(r->dir, STORE_START, 0) < 0 && errno != ENOENT)
		return err_sys(err, -errno, "remove the start socket");
	x = hooks_run_of(c, r, config, OCI_POSTSTART, OCI_RUNNING, r->pid, err);
	if (x < 0)
		stop(r);
	return x;
}
