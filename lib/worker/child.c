/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cloned process as the worker sees it. It is the keeper's child, so it cannot be waited for here: its
 * life is followed by its report socket, its pidfd and its cgroup. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "lib/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/frame.h"
#include "lib/base/proc.h"
#include "lib/base/time.h"

#define END_MS 10000  /* for killed processes to be gone; longer means that one hangs in the kernel */
#define DYING_MS 1000 /* between the closing of a dying process's descriptors and its end */

int child_report_open(struct child *c, struct error *err)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(err, -errno, "make a socket pair");
	c->report = s[0];
	c->guest_report = s[1];
	return 0;
}

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/*
 * The clocks of a time namespace come with memory of one's own only (time_namespaces(7): single-threaded, which the
 * kernel takes for "alone in its memory"). And whoever joins a container that runs may be killed there by its root in the
 * midst of an allocation, so what it leaves behind must not be ours. The same holds for one that is born into namespaces of others.
 */
static uint64_t memory_of(const struct plan *p)
{
	return p->kind == PLAN_EXEC || p->sandbox.joins.n || p->sandbox.namespaces & CLONE_NEWTIME ? 0 : CLONE_VM;
}

struct enter {
	struct guest *g;
	struct proc_clone args;
	bool net;
};
static const char *const enter_calls[] = { "enter the prepared user namespace", "enter the prepared network namespace",
					   "clone a process" };

static int enter_failed(volatile struct board *b, int32_t call, int code)
{
	b->failed = call;
	b->error = code;
	return 1;
}

/* On the way into a cell, in a process of its own: what enters a user namespace has no right outside any more, and the
 * new namespaces of the guest have to belong to the cell's. The worker waits meanwhile; descriptors are shared with it. */
static int enter_and_clone(void *arg)
{
	struct enter *e = arg;
	struct worker *w = e->g->w;
	pid_t pid;
	int fd = -1;

	if (setns(w->userns, CLONE_NEWUSER) < 0)
		return enter_failed(w->board, 0, -errno);
	if (e->net && setns(w->netns, CLONE_NEWNET) < 0)
		return enter_failed(w->board, 1, -errno);
	e->args.ret_pidfd = &fd;
	pid = proc_spawn(&e->args, &w->guest_stack, guest_run, e->g);
	if (pid < 0)
		return enter_failed(w->board, 2, pid);
	w->board->pidfd = fd;
	w->board->pid = pid;
	return 0;
}

static int clone_in_cell(struct child *c, const struct proc_clone *args, struct guest *g, struct error *err)
{
	struct worker *w = g->w;
	struct enter e = { .g = g, .args = *args, .net = w->netns >= 0 && g->plan->net.mode != NET_HOST };
	/* Up to Linux 6.2 nobody may share memory who has unshared the clocks (time_namespaces(7)). */
	const struct proc_clone way = { .flags = CLONE_PARENT | CLONE_VFORK | CLONE_FILES | memory_of(g->plan), .cgroup_fd = -1 };
	pid_t pid;

	w->board->pid = w->board->error = 0;
	pid = proc_spawn(&way, &w->enter_stack, enter_and_clone, &e);
	if (pid < 0)
		return err_sys(err, pid, "clone a process");
	if (w->board->error)
		return err_sys(err, w->board->error, "%s", enter_calls[w->board->failed]);
	if (!w->board->pid)
		return err_set(err, -ECHILD, "the way into the prepared namespaces was cut off");
	c->pidfd = w->board->pidfd;
	c->pid = w->board->pid;
	return 0;
}

int child_clone(struct child *c, uint64_t namespaces, bool cell, struct guest *g, struct error *err)
{
	struct proc_clone args = {
		.flags = namespaces | CLONE_PARENT | memory_of(g->plan),
		.cgroup_fd = c->cgroup,
		.ret_pidfd = &c->pidfd,
	};
	pid_t pid;
	int r;

	g->report = c->guest_report;
	g->far_report = c->report;
	g->w->board->step = g->w->board->last_act = 0;
	if (cell) {
		r = clone_in_cell(c, &args, g, err);
		if (r < 0)
			return r;
	} else {
		pid = proc_spawn(&args, &g->w->guest_stack, guest_run, g);
		if (pid < 0)
			return err_sys(err, pid, "clone a process");
		c->pid = pid;
	}
	g->w->board->guest_pid = c->pid;
	fd_close(&c->guest_report);
	return 0;
}

int child_adopt(const struct job *j, const struct child *c, const struct stdio *io, enum kp_role role,
		struct error *err)
{
	static const uint32_t bits[] = { KP_FD_IN, KP_FD_OUT, KP_FD_ERR };
	const struct plan *p = j->plan;
	struct kp_container k = {
		.role = role,
		.fds = KP_FD_PIDFD,
		.pid = c->pid,
		.tty = p->stdio == PLAN_STDIO_TTY,
		.log_max = role == KP_ROLE_CONTAINER ? p->log_max : 0,
	};
	int fds[4] = { c->pidfd };
	size_t n = 1;
	int r = proc_start_time(c->pid, &k.start);

	if (r < 0)
		return err_sys(err, r, "read the start time of process %d", c->pid);
	memcpy(k.id, j->id, sizeof(k.id));
	if (role == KP_ROLE_EXEC)
		str_copy(k.container, sizeof(k.container), p->id);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (io->far[i] >= 0) {
			k.fds |= bits[i];
			fds[n++] = io->far[i];
		}
	r = job_send(j, KW_ADOPT, &k, sizeof(k), fds, n);
	if (r < 0)
		return err_sys(err, r, "tell the keeper");
	return j->w->asks ? job_await_go(j, err) : 0;
}

static int send_go(const struct child *c, struct error *err)
{
	int r = frame_send(c->report, GUEST_MAGIC, GUEST_GO, 0, NULL, 0, NULL, 0);

	/* EPIPE: it died before; why is told by child_wait. */
	return r < 0 && r != -EPIPE ? err_sys(err, r, "let the new process go") : 0;
}

/* Wait status of a process that is dead; 0 when nobody can tell. Before its program runs a guest never ends with 0. */
static int read_status(const struct child *c)
{
	const struct pidref guest = { .pid = c->pid, .fd = c->pidfd };
	int status;

	return pidref_wait_status(&guest, &status) == 0 ? status : 0;
}

/* Only of a fresh cgroup: in a running container it may have happened at any time. */
static bool ran_out_of_memory(const struct job *j, const struct child *c)
{
	struct cg_stat st;

	return j->plan->kind == PLAN_START && cg_read_stat(c->cgroup, &st) == 0 && st.oom_kill != CG_UNSET &&
	       st.oom_kill > 0;
}

static int tell_death(const struct job *j, const struct child *c, struct steps guest, struct error *err)
{
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };
	uint32_t at = j->w->board->step;
	const char *step = at < guest.n ? step_plain_name(&guest.v[at]) : "?";
	int status;

	poll(&p, 1, DYING_MS);
	status = read_status(c);
	if (WIFSIGNALED(status))
		err_set(err, -ECHILD, "the new process was killed by signal %d (%s) in step %s",
			WTERMSIG(status), sigdescr_np(WTERMSIG(status)) ?: "unknown", step);
	else if (status != 0)
		err_set(err, -ECHILD, "the new process ended with status %d in step %s", WEXITSTATUS(status),
			step);
	else
		err_set(err, -ECHILD, "the new process was killed in step %s", step);
	if (ran_out_of_memory(j, c))
		err_hint(err, "its cgroup ran out of memory: give it a higher memory limit");
	return -ECHILD;
}

static int pass_master(const struct job *j, struct frame *f, struct error *err)
{
	auto_fd int master = frame_take_fd(f, 0);
	struct kp_ref ref = { 0 };
	int r;

	if (master < 0)
		return err_set(err, -EPROTO, "a console without its descriptor");
	memcpy(ref.id, j->id, sizeof(ref.id));
	r = job_send(j, KW_MASTER, &ref, sizeof(ref), &master, 1);
	return r < 0 ? err_sys(err, r, "give the console to the keeper") : 0;
}

/* By its number: the filter that is loaded may not let the guest send a descriptor. */
static int pass_listener(const struct job *j, const struct child *c, const struct frame *f, struct error *err)
{
	const int32_t *number = frame_body(f, sizeof(*number));
	auto_fd int fd = number ? (int)syscall(SYS_pidfd_getfd, c->pidfd, *number, 0) : -1;
	int r;

	if (fd < 0)
		return err_sys(err, -errno, "take the listener of the seccomp filter");
	r = job_send(j, KW_LISTENER, NULL, 0, &fd, 1);
	return r < 0 ? err_sys(err, r, "pass the listener on") : job_await_go(j, err);
}

static int ask_for_hooks(const struct job *j, struct error *err)
{
	int r = job_send(j, KW_HOOKS, NULL, 0, NULL, 0);

	return r < 0 ? err_sys(err, r, "ask for the hooks") : job_await_go(j, err);
}

int guest_take_error(const struct frame *f, struct error *err)
{
	const struct error *told = frame_body(f, sizeof(*told));
	struct error copy;

	if (!told || told->code >= 0)
		return err_set(err, -EPROTO, "an error without a text");
	copy = *told;
	err_sanitize(&copy);
	*err = copy;
	return copy.code;
}

/* From arnia-init: a program that only execve(2) could judge. */
static int take_no_exec(const struct job *j, const struct frame *f, struct error *err)
{
	const int32_t *error = frame_body(f, sizeof(*error));

	if (!error || *error >= 0 || *error < -4095)
		return err_set(err, -EPROTO, "a failed execution without its error");
	return guest_exec_failed(j->plan->process.argv.v[0], *error, err);
}

/* A guest that fails before it has read GO resets the socket, which is told once and before the frames that
 * it sent. Nothing is done between a GO and this: the guest runs in our memory. */
static int hear(const struct child *c, struct frame *f)
{
	int r = frame_recv(c->report, GUEST_MAGIC, f, 0);

	return r == -ECONNRESET ? frame_recv(c->report, GUEST_MAGIC, f, 0) : r;
}

/* What has joined a container can be stopped there by its root, and is not to keep a worker for ever. */
static int held_up(const struct job *j, const struct child *c, struct error *err)
{
	struct pollfd p = { .fd = c->report, .events = POLLIN };

	if (j->plan->kind != PLAN_EXEC || poll(&p, 1, EXEC_MS) != 0)
		return 0;
	err_set(err, -ETIMEDOUT, "the new process did not get to its program within %d s", EXEC_MS / 1000);
	err_hint(err, "something in the machine may have stopped it");
	return -ETIMEDOUT;
}

static int take_word(const struct job *j, const struct child *c, struct frame *f, struct error *err)
{
	switch (f->head.type) {
	case GUEST_MASTER:
		return pass_master(j, f, err);
	case GUEST_HOOKS:
		return ask_for_hooks(j, err);
	case GUEST_LISTENER:
		return pass_listener(j, c, f, err);
	case GUEST_ERROR:
		return guest_take_error(f, err);
	case GUEST_NO_EXEC:
		if (j->w->board->last_act)
			return take_no_exec(j, f, err);
	}
	return err_set(err, -EPROTO, "a frame of type %u from the new process", f->head.type);
}

int child_go_and_wait(const struct job *j, const struct child *c, struct steps guest, struct error *err)
{
	int r = send_go(c, err);

	while (r >= 0) {
		struct frame f;

		if ((r = held_up(j, c, err)) < 0)
			return r;
		r = hear(c, &f);
		if (r == 0)
			return j->w->board->last_act ? 0 : tell_death(j, c, guest, err);
		if (r < 0)
			return err_sys(err, r, "hear from the new process");
		if (f.head.type == GUEST_HALTED && j->plan->halt) {
			frame_done(&f);
			return 0;
		}
		r = take_word(j, c, &f, err);
		frame_done(&f);
		if (r >= 0)
			r = send_go(c, err);
	}
	return r;
}

#define PF_EXITING 4 /* include/linux/sched.h; proc_pid_stat(5) field 9 */

/* On its way out: its descriptors close after its namespaces are gone. */
static bool is_ending(const struct child *c)
{
	auto_free char *text = NULL;
	char path[32];
	const char *at;
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", c->pid);
	if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return true;
	at = strrchr(text, ')');
	return at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 && flags & PF_EXITING;
}

void child_last_words(const struct job *j, const struct child *c, struct steps guest, struct error *err)
{
	struct pollfd p = { .fd = c->report, .events = POLLIN };
	struct frame f;
	int r;

	if (c->pid <= 0 || poll(&p, 1, is_ending(c) ? DYING_MS : 0) <= 0)
		return;
	r = hear(c, &f);
	if (r == 0)
		tell_death(j, c, guest, err);
	if (r <= 0)
		return;
	if (f.head.type == GUEST_ERROR)
		guest_take_error(&f, err);
	frame_done(&f);
}

int cgroup_wait_empty(int cg, unsigned ms, struct error *err)
{
	uint64_t end = time_mono_ms() + ms;
	auto_fd int watch = -1;

	for (;;) {
		char events[4096] __attribute__((aligned(8)));
		struct cg_events ev;
		struct pollfd p;
		uint64_t now;
		int r = cg_read_events(cg, &ev);

		if (r < 0 || !ev.populated)
			return r == 0 || r == -ENOENT || r == -ENODEV ? 0
								      : err_sys(err, r, "read cgroup.events");
		/* Watched before it is read again, so that no change is missed. */
		if (watch < 0) {
			watch = cg_watch(cg, err);
			if (watch < 0)
				return watch;
			continue;
		}
		now = time_mono_ms();
		p = (struct pollfd){ .fd = watch, .events = POLLIN };
		r = now < end ? poll(&p, 1, (int)(end - now)) : 0;
		if (r == 0)
			return err_set(err, -ETIMEDOUT, "processes do not end within %u s of being killed",
				       ms / 1000);
		if ((r < 0 || read(watch, events, sizeof(events)) < 0) && errno != EINTR && errno != EAGAIN)
			return err_sys(err, -errno, "watch cgroup.events");
	}
}

void child_end(struct child *c, bool all)
{
	struct pidref p = { .pid = c->pid, .fd = c->pidfd };

	if (c->pid == 0)
		return;
	/* The first process of a pid namespace takes the others along. */
	pidref_kill(&p, SIGKILL);
	if (all && c->cgroup >= 0) {
		cg_kill(c->cgroup, NULL);
		cgroup_wait_empty(c->cgroup, END_MS, NULL);
	} else {
		struct pollfd pf = { .fd = c->pidfd, .events = POLLIN };

		poll(&pf, 1, END_MS);
	}
	c->pid = 0;
}

void child_done(struct child *c)
{
	fd_close(&c->pidfd);
	fd_close(&c->report);
	fd_close(&c->guest_report);
	*c = CHILD_NONE;
}
