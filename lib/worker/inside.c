/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exec into a container without a user namespace of its own. Its root may look into every process that it sees, and with CAP_SYS_PTRACE write
 * to its memory, whatever that process says of itself (ptrace(2), "Ptrace access mode checking"). So what it sees should have no right that
 * the program will not have: a process of the host's pid namespace, which nobody inside sees, goes all the way to those rights, and
 * the program's is born of it. One with a user namespace of its own is joined in this way where a change of ids opens a process to that root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/sandbox/procfs.h"
#include "lib/worker/worker.h"
#include "rootfs/rootfs.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif
#ifdef SYS_dup2
#define DUP2 SYS_dup2
#else
#define DUP2 SYS_dup3
#endif

/* What is done between a filter that is loaded early and the program, beside what changes rights and what every start of one does. */
static bool lets_be_born(const struct sandbox_config *c, bool tty)
{
	return filter_lets(c, SYS_clone, SIGCHLD, 0) && filter_lets(c, SYS_exit_group, 0, 0) && filter_lets(c, SYS_recvmsg, 0, 0) &&
	       filter_lets(c, SYS_setsid, 0, 0) && filter_lets(c, SYS_close, 0, 0) && filter_lets(c, SYS_fcntl, 0, F_GETFD) &&
	       (!tty || (filter_lets(c, SYS_ioctl, 0, TIOCSCTTY) && filter_lets(c, SYS_fcntl, 0, F_SETFD) && filter_lets(c, SYS_dup3, 0, 1) &&
			 filter_lets(c, DUP2, 0, 1)));
}

/* A filter that takes CAP_SYS_ADMIN to load is loaded before capabilities go, and may not let a process be born afterwards, or not without
 * its listener. And not every way of scheduling is inherited (sched(7), "The reset-on-fork flag"). */
bool exec_is_early(const struct plan *p)
{
	const struct sandbox_config *c = &p->sandbox;

	/* What is not in the container's pid namespace is not in its /proc. */
	if (str_starts(p->process.cwd, "/proc"))
		return false;
	if (c->seccomp && !c->no_new_privs && (c->seccomp_listener || !lets_be_born(c, p->stdio == PLAN_STDIO_TTY)))
		return false;
	return !c->sched.set || (c->sched.policy != SCHED_DEADLINE && !(c->sched.flags & SCHED_FLAG_RESET_ON_FORK));
}

bool ids_make_dumpable(void)
{
	auto_fd int proc = procfs_open(NULL);
	char text[8];

	return proc >= 0 && procfs_read(proc, "sys/fs/suid_dumpable", text, sizeof(text)) > 0 && *text == '1';
}

/* ---- the way, without the rights: born where it belongs, with nothing of the host but its report socket and streams ---- */

enum { CALL_ENTER, CALL_CLONE };
static const char *const calls[] = { "enter the container's namespaces", "clone a process" };

static int way_failed(volatile struct board *b, int32_t call, int code)
{
	b->failed = call;
	b->error = code;
	return 1;
}

static int join_and_clone(void *arg)
{
	struct guest *g = arg;
	const struct proc_clone args = { .exit_signal = SIGCHLD, .cgroup_fd = -1 };
	int flags = (int)(g->plan->sandbox.namespaces & ~(uint64_t)CLONE_NEWCGROUP);
	pid_t pid;
	int r;

	if (guest_forget(g, NULL) < 0 || (flags && setns(g->target, flags) < 0))
		return way_failed(g->w->board, CALL_ENTER, -errno);
	/* Without a mount namespace of its own. */
	r = g->root >= 0 ? rootfs_guest_chroot(g->root, NULL) : 0;
	if (r < 0)
		return way_failed(g->w->board, CALL_ENTER, r);
	g->joined = true;
	pid = proc_spawn(&args, &g->w->guest_stack, guest_run, g);
	if (pid < 0)
		return way_failed(g->w->board, CALL_CLONE, pid);
	g->w->board->pid = pid;
	return 0;
}

/* ---- the way, with the rights ---- */

/* Born in the caller's session, it could be made to open the caller's terminal. Its own one it takes itself. */
static int early_stdio(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	if (g->slave < 0)
		return guest_stdio(g, err);
	if (setsid() < 0)
		return err_sys(err, -errno, "make a session");
	for (int fd = 0; fd <= 2; fd++) {
		int r = fd == g->slave ? fd_cloexec(fd, false) : dup2(g->slave, fd) < 0 ? -errno : 0;

		if (r < 0)
			return err_sys(err, r, "put the terminal on descriptor %d", fd);
	}
	return 0;
}

static int inside_birth(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	/* clone3(2) is ENOSYS by the profiles of many engines. */
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	(void)err;
	if (pid == 0)
		return 0;
	if (pid < 0)
		_exit(way_failed(g->w->board, CALL_CLONE, -errno));
	g->w->board->pid = pid;
	_exit(0);
}

/* The second GO is the answer to the console. */
static int inside_go(void *ctx, struct error *err)
{
	struct guest *g = ctx;
	int r = guest_go(g, err);

	return r == 0 && g->plan->stdio == PLAN_STDIO_TTY ? guest_go(g, err) : r;
}

static int inside_session(void *ctx, struct error *err)
{
	struct guest *g = ctx;

	if (g->plan->stdio == PLAN_STDIO_TTY)
		return pty_take(0, err);
	return setsid() < 0 ? err_sys(err, -errno, "make a session") : 0;
}

static const struct step inside_list[] = {
	{ "exec-inside:forget", NULL, guest_forget, NULL },
	{ "exec-inside:join", NULL, guest_join, NULL },
	{ "exec-inside:ids", NULL, guest_ids, NULL },
	{ "exec-inside:console", "console", guest_console, NULL },
	{ "exec-inside:stdio", "standard streams", early_stdio, NULL },
	{ "exec-inside:keyring", NULL, guest_keyring, NULL },
	{ "exec-inside:sched", NULL, guest_sched, NULL },
	{ "exec-inside:user", NULL, guest_user, NULL },
	{ "exec-inside:cwd", NULL, guest_cwd, NULL },
	{ "exec-inside:seccomp-early", "seccomp", guest_seccomp_early, NULL },
	{ "exec-inside:caps", NULL, guest_caps, NULL },
	{ "exec-inside:birth", NULL, inside_birth, NULL },
	{ "exec-inside:go", NULL, inside_go, NULL },
	{ "exec-inside:session", "standard streams", inside_session, NULL },
	{ "exec-inside:program", NULL, guest_program, NULL },
	{ "exec-inside:rlimits", NULL, guest_rlimits, NULL },
	{ "exec-inside:no-new-privs", NULL, guest_no_new_privs, NULL },
	{ "exec-inside:label", NULL, guest_label, NULL },
	{ "exec-inside:close", NULL, guest_close, NULL },
	{ "exec-inside:listener", "seccomp", guest_seccomp_listener, NULL },
	{ "exec-inside:seccomp", "seccomp", guest_seccomp, NULL },
	{ "exec-inside:exec", NULL, guest_exec, NULL },
};
const struct steps exec_inside_steps = STEPS(inside_list);

/* ---- the worker ---- */

/* Stopped by its cgroup, it would keep us waiting. */
static int wait_for_way(int pidfd, struct error *err)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r = poll(&p, 1, EXEC_MS);
	siginfo_t si;

	if (r == 0) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		err_set(err, -ETIMEDOUT, "the way into the container takes longer than %d s", EXEC_MS / 1000);
	}
	while (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED) < 0 && errno == EINTR)
		;
	return r == 0 ? -ETIMEDOUT : 0;
}

/* Nobody was born: of what the way has sent only an error matters. The next one begins with an empty socket. */
static int words_of_way(int report, const struct guest *g, struct error *err)
{
	struct pollfd p = { .fd = report, .events = POLLIN };
	uint32_t at = g->w->board->step;
	bool told = false;
	struct frame f;

	while (poll(&p, 1, 0) > 0 && p.revents & POLLIN && frame_recv(report, GUEST_MAGIC, &f, 0) > 0) {
		told = f.head.type == GUEST_ERROR;
		if (told)
			guest_take_error(&f, err);
		frame_done(&f);
	}
	if (g->w->board->error)
		return err_sys(err, g->w->board->error, "%s", calls[g->w->board->failed]);
	if (told)
		return -ECANCELED;
	err_set(err, -ECHILD, "the way into the container was cut off%s%s", g->early ? " in step " : "",
		g->early && at < g->steps.n ? step_plain_name(&g->steps.v[at]) : "");
	return -ECHILD;
}

int child_clone_inside(struct child *c, struct guest *g, struct error *err)
{
	volatile struct board *b = g->w->board;
	auto_fd int way = -1;
	const struct proc_clone args = { .exit_signal = SIGCHLD, .cgroup_fd = c->cgroup, .ret_pidfd = &way };
	pid_t pid;
	int r;

	g->report = c->guest_report;
	g->far_report = -1;
	b->step = b->last_act = 0;
	b->pid = b->error = 0;
	pid = g->early ? proc_spawn(&args, &g->w->guest_stack, guest_run, g) : proc_spawn(&args, &g->w->enter_stack, join_and_clone, g);
	if (pid < 0)
		return err_sys(err, pid, "clone a process");
	r = wait_for_way(way, err);
	if (r < 0)
		return r;
	if (!b->pid)
		return words_of_way(c->report, g, err);
	/* It is the subreaper's now, who does not wait for it yet. */
	c->pid = b->pid;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0)
		return err_set(err, -ECHILD, "the way into the container was cut off");
	b->guest_pid = c->pid;
	fd_close(&c->guest_report);
	return 0;
}
