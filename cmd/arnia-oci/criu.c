/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/criu.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/sock.h"

#define ANSWER_MAX 16384
#define LOG_MAX (64u << 20)
#define REPORT_FD 64 /* at least: out of the way of those that criu inherits */
#define GRACE_MS 5000
#define LOOK_MS 1000

/* ---- the process ---- */

static int arrange(struct criu *c, int far, struct error *err)
{
	int fds[1 + CRIU_MAX_FDS] = { far }, r;

	for (size_t i = 0; i < c->n_fds; i++)
		fds[i + 1] = c->fds[i];
	r = fd_arrange(fds, c->n_fds + 1, CRIU_FIRST_FD - 1);
	return r < 0 ? err_sys(err, r, "descriptors of criu") : 0;
}

/* The same folder, by the mount namespace that we are in now. */
static int open_again(int fd, struct error *err)
{
	char link[32], path[4096];
	ssize_t n = readlink(path_proc_fd(fd, link), path, sizeof(path) - 1);
	auto_fd int again = -1;
	struct stat a, b;

	if (n < 0)
		return err_sys(err, -errno, "path of a folder for criu");
	path[n] = '\0';
	again = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again < 0 || fstat(again, &a) < 0 || fstat(fd, &b) < 0)
		return err_sys(err, -errno, "open %s", path);
	if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return err_set(err, -ENOENT, "open %s: it is another folder now", path);
	return fd_steal(&again);
}

/* criu takes the folders from the process that it speaks with, and mounts in the one where it works: that must be
 * of its mount namespace. */
static int give_folders(const struct criu *c, int far, struct error *err)
{
	auto_fd int images = open_again(c->images, err);
	auto_fd int work = images < 0 || c->work < 0 ? -1 : open_again(c->work, err);
	int fds[] = { images, work };
	long n;

	if (images < 0 || (c->work >= 0 && work < 0))
		return -EIO;
	n = sock_send_fds(far, "", 1, fds, c->work >= 0 ? 2 : 1);
	return n < 0 ? err_sys(err, (int)n, "give folders to criu") : 0;
}

static int take_folders(struct criu *c, struct error *err)
{
	int fds[2] = { -1, -1 };
	size_t nfds = 2;
	char byte;
	long n = sock_recv_fds(c->sock, &byte, 1, fds, &nfds, 0);
	auto_fd int images = fds[0], work = fds[1];

	if (n <= 0)
		return err_set(err, -EPROTO, "no folders for criu");
	/* Their numbers are known to criu. */
	if (dup3(images, c->images, O_CLOEXEC) < 0 || (c->work >= 0 && dup3(work, c->work, O_CLOEXEC) < 0))
		return err_sys(err, -errno, "take folders for criu");
	return 0;
}

/* In the child. `report` is closed when criu runs; until then it takes the error. */
static void become_criu(struct criu *c, int far, int report)
{
	const char *program = c->call->g.criu;
	char *const argv[] = { (char *)program, "swrk", "3", NULL };
	int high = fcntl(report, F_DUPFD_CLOEXEC, REPORT_FD);
	struct error e = { 0 };
	int r = c->enter ? c->enter(c->ctx, &e) : 0;

	if (r == 0 && c->enter)
		r = give_folders(c, far, &e);
	if (r == 0)
		r = arrange(c, far, &e);
	/* A lazy one waits for others without end. Any other finds nobody at the socket one day, and takes back what it did: that is
	 * better than to be killed. */
	if (r == 0 && opt_has(c->call, "lazy-pages") && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = err_sys(&e, -errno, "PR_SET_PDEATHSIG");
	if (r == 0) {
		execvp(program, argv);
		err_sys(&e, -errno, "run %s", program);
		if (e.code == -ENOENT)
			err_set_kind(&e, -ENOENT, ERR_UNSUPPORTED, "the program %.200s is not installed", program);
	}
	(void)!write(high, &e, sizeof(e));
	_exit(127);
}

static int hear_of_start(int report, struct error *err)
{
	struct error e;
	long n = fd_read_full(report, &e, sizeof(e));

	if (n == 0)
		return 0;
	if (n != (long)sizeof(e))
		return err_set(err, -ECHILD, "criu did not start");
	err_sanitize(&e);
	if (err)
		*err = e;
	return e.code ? e.code : -ECHILD;
}

int criu_begin(struct criu *c, struct error *err)
{
	auto_fd int sock = -1, far = -1, report = -1, report_far = -1, pidfd = -1;
	struct proc_clone clone = { .exit_signal = SIGCHLD, .cgroup_fd = c->cgroup, .ret_pidfd = &pidfd };
	int s[2], p[2];
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(err, -errno, "make a socket pair");
	sock = s[0];
	far = s[1];
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "make a pipe");
	report = p[0];
	report_far = p[1];
	pid = proc_clone3(&clone);
	if (pid == 0)
		become_criu(c, far, report_far);
	if (pid < 0)
		return err_sys(err, pid, "clone a process");
	fd_close(&report_far);
	c->pid = pid;
	c->pidfd = fd_steal(&pidfd);
	c->sock = fd_steal(&sock);
	r = hear_of_start(report, err);
	return r == 0 && c->enter ? take_folders(c, err) : r;
}

void criu_end(struct criu *c)
{
	siginfo_t si;

	/* It ends with the socket. */
	fd_close(&c->sock);
	if (c->pid > 0)
		while (waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED) < 0 && errno == EINTR)
			;
	fd_close(&c->pidfd);
	c->pid = 0;
}

void criu_done(struct criu *c)
{
	criu_end(c);
	fd_close(&c->images);
	fd_close(&c->work);
	strbuf_done(&c->opts);
}

/* ---- the conversation ---- */

struct answer {
	uint64_t type;
	bool success;
	struct criu_event ev;
	char text[256];
};

static void copy_text(const struct msg_field *f, char *to, size_t size)
{
	size_t n = MIN(f->n, size - 1);

	memcpy(to, f->p, n);
	to[n] = '\0';
}

static void read_notify(const struct msg_field *m, struct criu_event *ret)
{
	struct msg_reader r = { m->p, m->p + m->n };
	struct msg_field f;

	while (msg_next(&r, &f)) {
		if (f.field == 1 && f.p)
			copy_text(&f, ret->script, sizeof(ret->script));
		if (f.field == 2)
			ret->pid = (pid_t)f.num;
	}
}

static void read_answer(const void *p, size_t n, struct answer *ret)
{
	struct msg_reader r = { p, (const uint8_t *)p + n };
	struct msg_field f;

	while (msg_next(&r, &f)) {
		if (f.field == 1)
			ret->type = f.num;
		if (f.field == 2)
			ret->success = f.num;
		if (f.field == 5 && f.p)
			read_notify(&f, &ret->ev);
		if (f.field == 9 && f.p)
			copy_text(&f, ret->text, sizeof(ret->text));
	}
}

static int send_message(struct criu *c, const struct strbuf *m, struct error *err)
{
	long n = sock_send_fds(c->sock, m->s, m->len, NULL, 0);

	/* Of one that is gone its log is told, when its end is heard. */
	if (n == -EPIPE || n == -ECONNRESET)
		return 0;
	return n < 0 ? err_sys(err, (int)n, "speak to criu") : 0;
}

static int send_request(struct criu *c, enum criu_type type, struct error *err)
{
	struct strbuf m = { 0 };
	int r;

	msg_num(&m, 1, type);
	msg_sub(&m, 2, &c->opts);
	r = send_message(c, &m, err);
	strbuf_done(&m);
	return r;
}

static int answer_event(struct criu *c, bool success, struct error *err)
{
	struct strbuf m = { 0 };
	int r;

	msg_num(&m, 1, CRIU_NOTIFY);
	msg_num(&m, 3, success);
	r = send_message(c, &m, err);
	strbuf_done(&m);
	return r;
}

/* Those that tell of an earlier one, and what criu does without. */
static bool says_little(const char *line)
{
	static const char *const words[] = { "FAILED",	 "exited, status=", "killed by signal", "Dump files (pid", "Killing processes",
					     "execvp(", " -V failed",	    "rlimit: ",	      "Unable to open fd=",
					     "cgroupd: recv" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

/* "(00.012) Error (criu/tty.c:12): TEXT" */
static bool last_error(struct criu *c, char *to, size_t size)
{
	auto_free char *text = NULL;
	int dir = c->work >= 0 ? c->work : c->images;
	const char *found = NULL;
	char *save = NULL;

	if (file_read_at(dir, c->log, LOG_MAX, &text, NULL) < 0)
		return false;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *at = strstr(l, "Error (");
		const char *said = at ? strstr(at, "): ") : NULL;

		if (said && !says_little(said))
			found = said + 3;
	}
	if (found)
		snprintf(to, size, "%s", found);
	return found;
}

static int failure(struct criu *c, const struct answer *a, struct error *err)
{
	struct strbuf shown = { 0 };
	char line[256] = "";

	if (!last_error(c, line, sizeof(line)))
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(a->text, "\n"), a->text);
	strbuf_add_escaped(&shown, line, strlen(line));
	err_set(err, -EIO, "criu: %.250s (its log: %.200s/%s)", line[0] ? strbuf_cstr(&shown) : "failed without a word", c->log_dir,
		c->log);
	strbuf_done(&shown);
	return -EIO;
}

/* criu would go on without us when a signal ends us, and a lazy dump waits for its reader without end. */
static int take_signals(struct criu *c, sigset_t *ret_before, struct error *err)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGHUP);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGQUIT);
	sigaddset(&ends, SIGTERM);
	c->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (c->signals < 0 || sigprocmask(SIG_BLOCK, &ends, ret_before) < 0)
		return err_sys(err, -errno, "make a signalfd");
	return 0;
}

static int took_signal(const struct criu *c)
{
	struct signalfd_siginfo si;

	return read(c->signals, &si, sizeof(si)) == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}

/* Without the other end of the socket criu takes back what it did, as soon as it has something to say. Once it waits for others it has
 * not, and is killed: processes go on when their tracer is gone. */
static int interrupted(struct criu *c, int sig, struct error *err)
{
	struct pidref criu = { .pid = c->pid, .fd = c->pidfd };
	struct pollfd p = { .fd = c->pidfd, .events = POLLIN };

	fd_close(&c->sock);
	while (!opt_has(c->call, "lazy-pages") && poll(&p, 1, GRACE_MS) < 0 && errno == EINTR)
		;
	pidref_kill(&criu, SIGKILL);
	return err_set(err, -EINTR, "interrupted by SIG%s", sigabbrev_np(sig));
}

/* A restore that fails late kills what it made and waits for the first process, which waits for the others; these wait for criu, their
 * tracer. Without it they all end. */
static void release_stuck(const struct criu *c, int *ms)
{
	const struct pidref criu = { .pid = c->pid, .fd = c->pidfd };

	*ms = c->root && proc_is_ending(c->root) ? *ms + LOOK_MS : 0;
	if (*ms > GRACE_MS)
		pidref_kill(&criu, SIGKILL);
}

/* Till criu says something, or ends. */
static int wait_word(struct criu *c, struct error *err)
{
	struct pollfd p[] = { { .fd = c->sock, .events = POLLIN }, { .fd = c->signals, .events = POLLIN } };
	int sig, r, ms = 0;
	char byte;

	while ((r = poll(p, 2, c->root ? LOOK_MS : -1)) <= 0) {
		if (r < 0 && errno != EINTR)
			return err_sys(err, -errno, "wait for criu");
		if (r == 0)
			release_stuck(c, &ms);
	}
	/* What it said comes first; but a signal to all of us ends it, too. */
	if (!p[1].revents || recv(c->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		return 0;
	sig = took_signal(c);
	return sig ? interrupted(c, sig, err) : 0;
}

static int hear(struct criu *c, struct answer *ret, int *ret_fd, struct error *err)
{
	uint8_t buf[ANSWER_MAX];
	size_t nfds = 1;
	long n;
	int r = wait_word(c, err);

	if (r < 0)
		return r;
	n = sock_recv_fds(c->sock, buf, sizeof(buf), ret_fd, &nfds, 0);
	if (n < 0 && n != -ECONNRESET)
		return err_sys(err, (int)n, "hear from criu");
	if (n <= 0)
		return failure(c, ret, err);
	read_answer(buf, (size_t)n, ret);
	return 0;
}

static int converse(struct criu *c, enum criu_type type, struct error *err)
{
	struct error first = { 0 };
	int r = send_request(c, type, err);

	while (r == 0) {
		struct answer a = { 0 };
		auto_fd int fd = -1;

		r = hear(c, &a, &fd, err);
		if (r == 0 && !a.success)
			r = failure(c, &a, err);
		if (r < 0 || a.type != CRIU_NOTIFY)
			break;
		a.ev.fd = &fd;
		if (type == CRIU_RESTORE && a.ev.pid)
			c->root = a.ev.pid;
		if (!first.code && c->event)
			c->event(c->ctx, &a.ev, &first);
		/* It takes back what it did. */
		r = answer_event(c, !first.code, err);
	}
	if (!first.code)
		return r;
	if (err)
		*err = first;
	return first.code;
}

int criu_talk(struct criu *c, enum criu_type type, struct error *err)
{
	sigset_t before;
	int r = take_signals(c, &before, err);

	if (r == 0)
		r = converse(c, type, err);
	/* What failed is undone first. One that comes too late is as if it had come later still. */
	if (r == 0) {
		(void)took_signal(c);
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	fd_close(&c->signals);
	return r;
}
