/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/cmd/arnia-run/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/frame.h"
#include "lib/base/mem.h"

/* The forked process becomes the worker as main() of arnia-run does. */
static void be_worker(int sock, const char *fail_at)
{
	int fds[] = { sock, world.hostns, world.init };
	struct run_worker w;
	struct error err = { 0 };
	int status = 1;

	if (fail_at)
		setenv("ARNIA_FAIL_AT", fail_at, 1);
	if (fd_arrange(fds, world.init >= 0 ? 3 : 2, KW_FD_KEEPER) < 0)
		_exit(1);
	if (world.init < 0)
		close(KW_FD_INIT);
	if (run_worker_prestart(&w, &err) == 0)
		status = worker_serve(&w.w);
	else
		fprintf(stderr, "prestart: %s\n", err.text);
	run_worker_done(&w);
	_exit(status);
}

static void take_frame(struct fake_worker *w, struct frame *f, int want)
{
	assert_int_equal(frame_recv(w->sock, KP_MAGIC, f, 0), 1);
	assert_int_equal(f->head.type, want);
	frame_done(f);
}

void worker_start(struct fake_worker *w, const char *fail_at)
{
	struct frame f;
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	fflush(NULL);
	*w = (struct fake_worker){ .pid = fork(), .sock = s[0] };
	assert_true(w->pid >= 0);
	if (w->pid == 0) {
		close(s[0]);
		be_worker(s[1], fail_at);
	}
	close(s[1]);
	take_frame(w, &f, KW_READY);
}

int worker_end(struct fake_worker *w)
{
	int status = -1;

	close(w->sock);
	while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void add_text(struct answer *a, const char *text)
{
	char *joined = str_fmt("%s%s", a->text, text);

	free(a->text);
	a->text = joined;
}

static void take_adopt(struct answer *a, struct frame *f)
{
	const struct kp_container *c = frame_body(f, sizeof(*c));
	const struct {
		uint32_t bit;
		int *to;
	} places[] = { { KP_FD_PIDFD, &a->pidfd },
		       { KP_FD_IN, &a->in },
		       { KP_FD_OUT, &a->out },
		       { KP_FD_ERR, &a->err } };
	size_t at = 0;

	assert_non_null(c);
	assert_false(a->adopted);
	a->adopted = true;
	a->c = *c;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (c->fds & places[i].bit)
			*places[i].to = frame_take_fd(f, at++);
	assert_int_equal(at, f->nfds);
	assert_true(a->pidfd >= 0);
}

static bool take_answer(struct answer *a, struct frame *f)
{
	const struct kp_result *res;

	switch (f->head.type) {
	case KW_ADOPT:
		take_adopt(a, f);
		return false;
	case KW_MASTER:
		assert_true(a->adopted);
		a->master = frame_take_fd(f, 0);
		return false;
	case KW_PROGRESS:
		add_text(a, (const char *)f->body);
		return false;
	case KW_RESULT:
		res = frame_body(f, sizeof(*res));
		assert_non_null(res);
		a->res = *res;
		if (res->data_len)
			add_text(a, (const char *)(res + 1));
		return true;
	}
	fail_msg("a frame of type %u", f->head.type);
	return true;
}

void job_raw(struct fake_worker *w, const struct kp_job *head, const int *fds, size_t nfds,
	     struct answer *ret)
{
	bool done = false;

	*ret = (struct answer){
		.text = str_dup(""), .pidfd = -1, .in = -1, .out = -1, .err = -1, .master = -1
	};
	assert_int_equal(frame_send(w->sock, KP_MAGIC, KW_JOB, ++w->seq, head, sizeof(*head), fds, nfds), 0);
	while (!done) {
		struct frame f;
		int r = frame_recv(w->sock, KP_MAGIC, &f, 0);

		if (r == 0 || r == -ECONNRESET) {
			ret->died = true;
			return;
		}
		assert_int_equal(r, 1);
		assert_int_equal(f.head.seq, w->seq);
		done = take_answer(ret, &f);
		frame_done(&f);
	}
}

void job_do(struct fake_worker *w, struct plan *p, const struct give *g, struct answer *ret)
{
	static const uint32_t stdio_bits[] = { KP_FD_STDIN, KP_FD_STDOUT, KP_FD_STDERR };
	struct kp_job head = { .kind = p->kind, .fds = KP_FD_PLAN };
	struct error err = { 0 };
	int fds[5], plan = plan_write(p, &err);
	size_t n = 0;

	if (plan < 0)
		fail_msg("plan_write: %s", err.text);
	snprintf(head.id, sizeof(head.id), "%s", p->kind == PLAN_EXEC ? p->exec_id : p->id ?: "");
	fds[n++] = plan;
	for (size_t i = 0; g && i < 3; i++)
		if (g->stdio[i] >= 0) {
			head.fds |= stdio_bits[i];
			fds[n++] = g->stdio[i];
		}
	if (g && g->target >= 0) {
		head.fds |= KP_FD_TARGET;
		fds[n++] = g->target;
	}
	job_raw(w, &head, fds, n, ret);
	close(plan);
}

void answer_done(struct answer *a)
{
	fd_close(&a->pidfd);
	fd_close(&a->in);
	fd_close(&a->out);
	fd_close(&a->err);
	fd_close(&a->master);
	free(a->text);
	a->text = NULL;
}

char *read_all(int fd)
{
	char *text = mem_alloc(65536);
	size_t n = 0;

	while (n < 65535) {
		ssize_t got = read(fd, text + n, 65535 - n);

		/* A pty ends with EIO. */
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return text;
}

int adopted_wait(struct answer *a)
{
	siginfo_t si = { 0 };

	/* exit_signal 0 makes it a "clone" child (wait(2), __WALL). */
	assert_int_equal(waitid(P_PIDFD, (id_t)a->pidfd, &si, WEXITED | __WALL), 0);
	return si.si_code == CLD_EXITED ? si.si_status << 8 : si.si_status;
}

size_t count_mounts(pid_t pid)
{
	char path[64];
	char *text;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	assert_true(file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) >= 0);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		n++;
	free(text);
	return n;
}

size_t count_fds(pid_t pid)
{
	char path[64];
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void assert_settles(size_t (*count)(pid_t), pid_t pid, size_t want)
{
	for (int i = 0; i < 400 && count(pid) != want; i++)
		poll(NULL, 0, 5);
	assert_int_equal(count(pid), want);
}
