/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child of a clone on its way to the container's program: how it runs its steps and reports, and the
 * steps that start and exec share. Undumpable, and in the worker's memory: they run in turns (child_clone), nothing here
 * changes what is the worker's, and what is allocated for execve is the worker's to free.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "rootfs/rootfs.h"

/* By write(2), which every seccomp profile allows, while sendmsg(2) may be refused. */
void guest_report(const struct guest *g, enum guest_frame type, const struct error *err)
{
	struct {
		struct frame_head head;
		struct error error;
	} m = { .head = { GUEST_MAGIC, type, 0 } };
	size_t n = sizeof(m.head);

	if (err) {
		m.error = *err;
		n = sizeof(m);
	}
	/* A worker that is gone has nobody to tell: the keeper ends what it left. */
	if (write(g->report, &m, n) < 0)
		_exit(ERR_FAILED);
}

int guest_run(void *guest)
{
	struct guest *g = guest;
	struct error err = { 0 };
	int r = 0;

	if (g->far_report >= 0)
		close(g->far_report);
	for (uint32_t i = 0; r == 0 && i < g->steps.n; i++) {
		const struct step *s = &g->steps.v[i];

		g->w->board->step = i;
		r = step_enter(s, &err);
		if (r == 0)
			r = s->run(g, &err);
		if (r < 0 && s->what)
			err_prefix(&err, "%s", s->what);
	}
	guest_report(g, GUEST_ERROR, &err);
	_exit(ERR_FAILED);
}

void guest_done(struct guest *g)
{
	free(g->home);
	free(g->env);
	free(g->argv);
	g->home = NULL;
	g->env = g->argv = NULL;
}

#define N_OWN 9
/* Its own descriptors; what the caller preserves is beside. */
static void list_own(const struct guest *g, int own[N_OWN])
{
	const int fds[] = { g->report, g->io[0], g->io[1], g->io[2], g->target, g->start, g->w->init, g->w->mntns, g->root };

	_Static_assert(ARRAY_SIZE(fds) == N_OWN, "all of them");
	memcpy(own, fds, sizeof(fds));
}

static bool is_kept(const struct guest *g, const int own[N_OWN], int fd)
{
	for (size_t i = 0; i < N_OWN; i++)
		if (own[i] == fd)
			return true;
	return fd < 3 + (int)g->plan->process.preserve_fds;
}

/* Before anything of the container is near: no descriptor of the host may be found in this process
 * (CVE-2016-9962), whoever opened it. The worker is at work meanwhile, so system calls are all that is done until the GO. */
int guest_forget(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int own[N_OWN], top = 2;

	list_own(g, own);
	for (size_t i = 0; i < N_OWN; i++)
		top = MAX(top, own[i]);
	for (int fd = 3; fd <= top; fd++)
		if (!is_kept(g, own, fd))
			close(fd);
	top = MAX(top, 2 + (int)g->plan->process.preserve_fds);
	return close_range((unsigned)top + 1, ~0U, 0) < 0 ? err_sys(err, -errno, "close all descriptors of the host") : 0;
}

int guest_go(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	struct frame f;
	int r = frame_recv(g->report, GUEST_MAGIC, &f, 0);

	/* The worker is gone or gave up: nobody listens to an error. */
	if (r == 0)
		_exit(ERR_FAILED);
	if (r < 0)
		return err_sys(err, r, "hear from the worker");
	frame_done(&f);
	return f.head.type == GUEST_GO
		       ? 0
		       : err_set(err, -EPROTO, "a frame of type %u where GO was expected", f.head.type);
}

/* EPERM: a user namespace whose maker had no right to change groups (user_namespaces(7), /proc/PID/setgroups). */
int guest_ids(void *ctx, struct error *err)
{
	(void)ctx;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, -errno, "leave the groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, -errno, "become root of the container");
	return worker_undumpable(err);
}

int guest_console(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	const struct process_config *p = &g->plan->process;
	struct rootfs_config c = g->plan->rootfs;
	auto_fd int master = -1;
	int r;

	if (g->plan->stdio != PLAN_STDIO_TTY)
		return 0;
	/* /dev/console is that of the first process. */
	if (g->plan->kind == PLAN_EXEC)
		c.console = false;
	master = rootfs_guest_console(&c, g->root, p->rows, p->cols, &g->slave, err);
	if (master < 0)
		return master;
	r = frame_send(g->report, GUEST_MAGIC, GUEST_MASTER, 0, NULL, 0, &master, 1);
	if (r < 0)
		return err_sys(err, r, "give the console away");
	/* Nobody answers before it is born (inside.c). */
	return g->early ? 0 : guest_go(g, err);
}

/* The container's own node, checked: an image may have put anything there when /dev is not ours. */
static int open_null(void)
{
	auto_fd int fd = open("/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return -ENXIO;
	return fd_nonblock(fd, false) < 0 ? -EIO : fd_steal(&fd);
}

/* The host's: criu finds no way to it from inside, so the container's own takes its place, if there is one. */
static bool is_hosts_null(const struct guest *g, int fd)
{
	struct stat st;

	return g->w->asks && fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int guest_stdio(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	auto_fd int null = -1;

	if (g->slave >= 0)
		return pty_take(g->slave, err);
	if (setsid() < 0 && errno != EPERM)
		return err_sys(err, -errno, "make a session");
	for (int i = 0; i < 3; i++) {
		bool hosts = is_hosts_null(g, g->io[i]), needed = g->io[i] < 0;

		if ((hosts || needed) && null < 0)
			null = open_null();
		if (needed && null < 0)
			return err_sys(err, null, "open /dev/null of the container");
		if (dup2(needed || (hosts && null >= 0) ? null : g->io[i], i) < 0)
			return err_sys(err, -errno, "place descriptor %d", i);
	}
	return 0;
}

int guest_keyring(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return keyring_apply(&g->plan->sandbox, err);
}

/* So that the program can open /dev/stdout again. Only what was made for it, never a client's own
 * descriptors. */
static int own_streams(const struct guest *g, struct error *err)
{
	struct stat st;

	if (g->user.uid == 0 || (!g->w->asks && g->plan->stdio == PLAN_STDIO_FDS) || g->plan->stdio == PLAN_STDIO_NULL)
		return 0;
	for (int i = 0; i < 3; i++) {
		if (fstat(i, &st) < 0)
			return err_sys(err, -errno, "look at descriptor %d", i);
		if (st.st_uid == g->user.uid || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			continue;
		/* The group of a terminal stays. What a caller of arnia-oci gave may be of another user, or a socket. */
		if (fchown(i, g->user.uid, (gid_t)-1) < 0 && g->plan->stdio != PLAN_STDIO_FDS)
			return err_sys(err, -errno, "give descriptor %d to user %u", i, g->user.uid);
	}
	return 0;
}

/* As execve(2) wants it. */
static void make_env(struct guest *g)
{
	const struct strv *env = &g->plan->process.env;

	g->env = mem_alloc_n(env->n + 2, sizeof(*g->env));
	if (env->n)
		memcpy(g->env, env->v, env->n * sizeof(*g->env));
	if (!env_get(env, "HOME"))
		g->env[env->n] = g->home = str_fmt("HOME=%s", g->user.home);
}

int guest_user(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	uint32_t count = g->plan->sandbox.any_ids ? UINT32_MAX : g->plan->rootfs.id_count;
	int r = user_resolve(g->root, &g->plan->process, count, &g->user, err);

	if (r < 0)
		return r;
	make_env(g);
	umask(g->plan->process.umask);
	return own_streams(g, err);
}

/* As root of the container, as others do it: the folder may be closed to the user. Only a start makes a
 * missing one. */
int guest_cwd(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return cwd_apply(g->plan->process.cwd, g->plan->kind == PLAN_START, err);
}

/* The worker takes the descriptor by its number: a filter may ask its listener about everything but the few calls that this
 * takes. */
static int load_with_listener(const struct guest *g, struct error *err)
{
	struct {
		struct frame_head head;
		int32_t number;
	} m = { .head = { GUEST_MAGIC, GUEST_LISTENER, 0 } };
	auto_fd int fd = -1;
	int r = filter_load_listener(&g->plan->sandbox, &fd, err);

	if (r < 0)
		return r;
	m.number = fd;
	if (write(g->report, &m, sizeof(m)) < 0)
		return err_sys(err, -errno, "tell of the filter's listener");
	return guest_go((void *)g, err);
}

static int load_filter(const struct guest *g, struct error *err)
{
	const struct sandbox_config *c = &g->plan->sandbox;

	return c->seccomp && c->seccomp_listener ? load_with_listener(g, err) : filter_load(c, err);
}

/* Without no_new_privs a filter needs CAP_SYS_ADMIN (seccomp(2)), so it comes before the capabilities go. */
int guest_seccomp_early(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return g->plan->sandbox.no_new_privs ? 0 : load_filter(g, err);
}

/* One with a listener is loaded while the worker is there to pass that on. */
int guest_seccomp_listener(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	const struct sandbox_config *c = &g->plan->sandbox;

	return c->no_new_privs && c->seccomp_listener ? load_filter(g, err) : 0;
}

int guest_caps(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	const struct sandbox_config *c = &g->plan->sandbox;
	int r = caps_bound(c, err);

	if (r == 0)
		r = caps_keep(err);
	if (r == 0)
		r = user_apply(&g->user, err);
	if (r == 0)
		r = worker_undumpable(err);
	return r == 0 ? caps_apply(c, g->user.uid == 0, err) : r;
}

int guest_program(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int r = env_find_program(&g->plan->process, g->program, err);

	if (r == 0 && g->plan->process.init)
		g->plain = program_is_plain(g->program);
	return r;
}

/* While the rights for it are there (sched(7): what is better than the default needs CAP_SYS_NICE). */
int guest_sched(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	const struct sandbox_config *c = &g->plan->sandbox;
	int r = affinity_apply(c->cpus_initial, err);

	if (r == 0)
		r = mempolicy_apply(c, err);
	if (r == 0)
		r = sched_apply(c, err);
	if (r == 0)
		r = ioprio_apply(c, err);
	return r == 0 ? personality_apply(c, err) : r;
}

int guest_label(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int r = affinity_apply(g->plan->sandbox.cpus_final, err);

	return r == 0 ? lsm_apply(&g->plan->sandbox, err) : r;
}

int guest_rlimits(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return rlimit_apply(&g->plan->sandbox, err);
}

int guest_no_new_privs(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return no_new_privs_apply(&g->plan->sandbox, err);
}

int guest_close(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	fd_close(&g->root);
	for (int fd = 3; fd < 3 + (int)g->plan->process.preserve_fds; fd++)
		if (fd_cloexec(fd, false) < 0)
			return err_sys(err, -errno, "keep descriptor %d", fd);
	return close_range(3 + g->plan->process.preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0
		       ? err_sys(err, -errno, "close all descriptors")
		       : 0;
}

int guest_seccomp(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	return g->plan->sandbox.no_new_privs && !g->plan->sandbox.seccomp_listener ? load_filter(g, err) : 0;
}

/* head (n strings), then v from its element `skip` on, as execve(2) wants them. */
static void make_argv(struct guest *g, const char *const *head, size_t n, size_t skip)
{
	const struct strv *v = &g->plan->process.argv;

	g->argv = mem_alloc_n(n + v->n - skip + 1, sizeof(*g->argv));
	if (n)
		memcpy(g->argv, head, n * sizeof(*g->argv));
	memcpy(g->argv + n, v->v + skip, (v->n - skip) * sizeof(*g->argv));
}

int guest_exec_failed(const char *program, int error, struct error *err)
{
	err_set_kind(err, error, error == -ENOENT ? ERR_NO_COMMAND : ERR_CANNOT_RUN, "run %s: %s", program,
		     strerrordesc_np(-error) ?: "unknown error");
	if (error == -ENOENT)
		err_hint(err, "the file is there, but the interpreter or loader that it names is not");
	else if (error == -ENOEXEC)
		err_hint(err, "it is not for this kind of machine, or a script that does not begin with #!");
	return error;
}

/* From the sealed memfd, which nothing inside can overwrite (CVE-2019-5736). It is given the program as
 * found, since it does not search PATH. */
static void exec_init(struct guest *g)
{
	char fd[16], path[32];
	const char *told[] = { "arnia-init", "-e", fd, "--", g->program }, *plain[] = { "arnia-init", "--", g->program };

	snprintf(fd, sizeof(fd), "%d", g->report);
	/* It goes on with our socket, and closes it. */
	if (!g->plain && fd_cloexec(g->report, false) == 0)
		make_argv(g, told, ARRAY_SIZE(told), 1);
	else
		make_argv(g, plain, ARRAY_SIZE(plain), 1);
	execveat(g->w->init, "", g->argv, g->env, AT_EMPTY_PATH);
	/* A profile without execveat(2). */
	if (errno != EPERM && errno != ENOSYS)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", g->w->init);
	execve(path, g->argv, g->env);
}

int guest_exec(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int e;

	g->w->board->last_act = 1;
	if (g->plan->process.init) {
		exec_init(g);
	} else {
		make_argv(g, NULL, 0, 0);
		execve(g->program, g->argv, g->env);
	}
	e = errno;
	g->w->board->last_act = 0;
	return guest_exec_failed(g->plan->process.init ? "arnia-init" : g->program, -e, err);
}
