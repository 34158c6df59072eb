/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

void wait_readable(int fd)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&pf, 1, WAIT_MS), 1);
}

char *read_text(const char *path)
{
	char *ret = NULL;

	if (file_read_at(AT_FDCWD, path, 1 << 20, &ret, NULL) < 0)
		fail_msg("%s cannot be read", path);
	return ret;
}

char *proc_text(pid_t pid, const char *name)
{
	auto_free char *path = str_fmt("/proc/%d/%s", pid, name);

	return read_text(path);
}

bool process_lives(pid_t pid)
{
	char path[32], state[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(state, sizeof(state), f))
		state[0] = '\0';
	fclose(f);
	return state[0] && !strstr(state, ") Z");
}

unsigned long cpu_ticks(pid_t pid)
{
	auto_free char *path = str_fmt("/proc/%d/stat", pid);
	auto_free char *text = NULL;
	unsigned long user = 0, system = 0;

	assert_true(file_read_at(AT_FDCWD, path, 4096, &text, NULL) > 0);
	assert_int_equal(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				&user, &system),
			 2);
	return user + system;
}

void wait_gone(pid_t pid)
{
	int fd = proc_pidfd_open(pid);

	if (fd < 0)
		return;
	wait_readable(fd);
	close(fd);
	waitpid(pid, NULL, WNOHANG);
}

int wait_status(pid_t pid)
{
	int status = -1, fd = proc_pidfd_open(pid);

	if (fd >= 0) {
		wait_readable(fd);
		close(fd);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

void copy_file(const char *from, const char *to)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t n;

	if (in < 0)
		fail_msg("%s: %s", from, strerror(errno));
	assert_true(out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(fd_write_all(out, buf, (size_t)n), 0);
	close(in);
	close(out);
}

/* The test lies in $O/tests/unit/keeper. */
void built_dir(char *buf, size_t size)
{
	char self[3072];

	assert_int_equal(proc_self_dir(self, sizeof(self)), 0);
	snprintf(buf, size, "%s/../../..", self);
}

static void place_programs(const struct rig *r)
{
	static const char *const names[][2] = {
		{ "bin/arnia-keeper", "arnia-keeper" },
		{ "bin/arnia-init", "arnia-init" },
		{ "tests/fakes/fake_worker", "arnia-run" },
	};
	char from[4096], to[256], built[3200];

	built_dir(built, sizeof(built));
	snprintf(to, sizeof(to), "%s/bin", r->root);
	assert_int_equal(mkdir(to, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(from, sizeof(from), "%s/%s", built, names[i][0]);
		snprintf(to, sizeof(to), "%s/bin/%s", r->root, names[i][1]);
		copy_file(from, to);
	}
}

struct rig *rig_new(void)
{
	struct rig *r = mem_alloc(sizeof(*r));

	/* Orphans of a killed keeper come to us, so that they are reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	*r = (struct rig){ .lock = -1, .s = -1 };
	strcpy(r->root, "/tmp/arnia-keeper-XXXXXX");
	assert_non_null(mkdtemp(r->root));
	place_programs(r);
	setenv("ARNIA_ROOT", r->root, 1);
	assert_int_equal(instance_load(&r->in, NULL), 0);
	assert_int_equal(instance_prepare(&r->in, NULL), 0);
	return r;
}

void rig_lock(struct rig *r)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/arniad.lock", r->in.run);
	r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(r->lock, LOCK_EX | LOCK_NB), 0);
}

void rig_start(struct rig *r)
{
	char path[128], byte = 0;
	int ready[2];

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	snprintf(path, sizeof(path), "%s/bin/arnia-keeper", r->root);
	r->keeper = fork();
	assert_true(r->keeper >= 0);
	if (r->keeper == 0) {
		dup2(ready[1], 200);
		execl(path, path, "--foreground", "--ready-fd", "200", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	wait_readable(ready[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, '1');
	close(ready[0]);
}

void rig_kill_keeper(struct rig *r)
{
	kill(r->keeper, SIGKILL);
	assert_int_equal(waitpid(r->keeper, NULL, 0), r->keeper);
	r->keeper = 0;
}

void rig_send(struct rig *r, uint32_t type, uint64_t seq, const void *body, size_t n, const int *fds,
	      size_t nfds)
{
	assert_int_equal(frame_send(r->s, KP_MAGIC, type, seq, body, n, fds, nfds), 0);
}

void rig_next(struct rig *r, struct frame *f)
{
	wait_readable(r->s);
	assert_int_equal(frame_recv(r->s, KP_MAGIC, f, MSG_DONTWAIT), 1);
}

void rig_expect(struct rig *r, uint32_t type, struct frame *f)
{
	for (rig_next(r, f); f->head.type != type; rig_next(r, f))
		frame_done(f);
}

static void note_sync(struct rig_sync *y, struct frame *f)
{
	switch (f->head.type) {
	case KP_CONTAINER:
		y->containers++;
		memcpy(&y->last_container, f->body, sizeof(y->last_container));
		for (size_t i = 0; i < 5; i++) {
			fd_close(&y->last_fds[i]);
			y->last_fds[i] = frame_take_fd(f, i);
		}
		break;
	case KP_EXIT:
		y->exits++;
		memcpy(&y->last_exit, f->body, sizeof(y->last_exit));
		break;
	case KP_JOB:
		y->jobs++;
		y->last_job = f->head.seq;
		break;
	default:
		fail_msg("frame of type %u before KP_SYNCED", f->head.type);
	}
}

void rig_connect(struct rig *r, struct rig_sync *ret)
{
	struct kp_hello hello = { .version = 1, .pid = getpid() };
	struct rig_sync y = { .last_fds = { -1, -1, -1, -1, -1 } };
	struct frame f;
	char path[4200];

	snprintf(path, sizeof(path), "%s/keeper.sock", r->in.run);
	r->s = sock_connect(path, SOCK_SEQPACKET, NULL);
	assert_true(r->s >= 0);
	rig_send(r, KP_HELLO, 77, &hello, sizeof(hello), NULL, 0);
	rig_next(r, &f);
	assert_int_equal(f.head.type, KP_HELLO);
	assert_int_equal(f.head.seq, 77);
	assert_int_equal(((struct kp_hello *)f.body)->pid, r->keeper);
	for (rig_next(r, &f); f.head.type != KP_SYNCED; rig_next(r, &f)) {
		note_sync(&y, &f);
		frame_done(&f);
	}
	if (ret)
		*ret = y;
	else
		for (int i = 0; i < 5; i++)
			fd_close(&y.last_fds[i]);
}

void rig_disconnect(struct rig *r)
{
	fd_close(&r->s);
}

uint64_t rig_job(struct rig *r, const struct rig_job *j)
{
	struct kp_job body = { .kind = 1, .fds = KP_FD_PLAN, .worker = j->worker, .flags = j->flags };
	int fds[5];
	size_t n = 0;

	str_copy(body.id, sizeof(body.id), j->id);
	fds[n++] = fd_memfd_sealed("plan", j->plan, strlen(j->plan));
	if (j->session >= 0) {
		body.fds |= KP_FD_SESSION;
		fds[n++] = j->session;
	}
	if (j->stdio) {
		body.fds |= KP_FD_STDIN | KP_FD_STDOUT | KP_FD_STDERR;
		for (int i = 0; i < 3; i++)
			fds[n++] = j->stdio[i];
	}
	rig_send(r, KP_JOB, ++r->seq, &body, sizeof(body), fds, n);
	close(fds[0]);
	if (j->session >= 0)
		close(j->session);
	return r->seq;
}

void rig_attach(struct rig *r, const char *id, int session, bool input)
{
	struct kp_attach a = { .want_stdin = input };

	str_copy(a.id, sizeof(a.id), id);
	rig_send(r, KP_ATTACH, 0, &a, sizeof(a), &session, 1);
	close(session);
}

void rig_forget(struct rig *r, const char *id)
{
	struct kp_ref ref;

	memset(&ref, 0, sizeof(ref));
	str_copy(ref.id, sizeof(ref.id), id);
	rig_send(r, KP_FORGET, 0, &ref, sizeof(ref), NULL, 0);
}

int rig_result(struct rig *r, uint64_t seq, struct kp_result *ret)
{
	struct frame f;
	struct kp_result res;

	do {
		rig_expect(r, KP_RESULT, &f);
		memcpy(&res, f.body, sizeof(res));
		frame_done(&f);
	} while (f.head.seq != seq);
	if (ret)
		*ret = res;
	return res.error.code;
}

struct kp_exit rig_exit(struct rig *r, const char *id)
{
	struct frame f;
	struct kp_exit x;

	do {
		rig_expect(r, KP_EXIT, &f);
		memcpy(&x, f.body, sizeof(x));
		frame_done(&f);
	} while (!str_eq(x.id, id));
	return x;
}

pid_t rig_run(struct rig *r, const char *id, const char *plan, int session, uint32_t flags)
{
	struct kp_result res;
	uint64_t seq =
		rig_job(r, &(struct rig_job){ .id = id, .plan = plan, .session = session, .flags = flags });

	assert_int_equal(rig_result(r, seq, &res), 0);
	assert_string_equal(res.id, id);
	assert_true(res.pid > 0);
	return res.pid;
}

int session_pair(int *ret_keeper_end)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*ret_keeper_end = pair[1];
	return pair[0];
}

char session_next(int s, char *text, size_t size, size_t *len)
{
	static char buf[1 + SESSION_DATA];
	ssize_t n;

	wait_readable(s);
	n = recv(s, buf, sizeof(buf), 0);
	assert_true(n >= 0);
	*len = n > 0 ? (size_t)n - 1 : 0;
	assert_true(*len < size);
	memcpy(text, buf + 1, *len);
	text[*len] = '\0';
	return n > 0 ? buf[0] : '\0';
}

struct session_exit session_collect(int s, char *out, size_t size, size_t *len)
{
	struct session_exit x;
	size_t n;
	char type;

	*len = 0;
	out[0] = '\0';
	while ((type = session_next(s, out + *len, size - *len, &n)) == SESSION_OUT || type == SESSION_ERR)
		*len += n;
	assert_int_equal(type, SESSION_EXIT);
	assert_int_equal(n, sizeof(x));
	memcpy(&x, out + *len, sizeof(x));
	out[*len] = '\0';
	return x;
}

void session_say(int s, char type, const void *p, size_t n)
{
	char buf[1 + SESSION_DATA];

	buf[0] = type;
	if (n)
		memcpy(buf + 1, p, n);
	assert_int_equal(send(s, buf, n + 1, MSG_NOSIGNAL), (ssize_t)n + 1);
}

int rig_setup_bare(void **state)
{
	*state = rig_new();
	return 0;
}

int rig_setup(void **state)
{
	struct rig *r = rig_new();

	*state = r;
	rig_lock(r);
	rig_start(r);
	rig_connect(r, NULL);
	return 0;
}

/* Everything that came to us as an orphan. */
static void reap_all(void)
{
	siginfo_t si = { 0 };

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid) {
		waitpid(si.si_pid, NULL, 0);
		si.si_pid = 0;
	}
}

/* Only our own: another instance may have been given the slot, and with it the cgroup. */
static void kill_own(const struct rig *r, const char *cgroup)
{
	auto_free char *procs = str_fmt("%s/cgroup.procs", cgroup);
	auto_free char *want = str_fmt("ARNIA_ROOT=%s", r->root);
	auto_free char *pids = NULL;

	if (file_read_at(AT_FDCWD, procs, 1 << 20, &pids, NULL) < 0)
		return;
	for (char *at = pids, *end; *at; at = end + (*end == '\n')) {
		pid_t pid = (pid_t)strtol(at, &end, 10);
		auto_free char *path = str_fmt("/proc/%d/environ", pid);
		auto_free char *env = NULL;
		long n = file_read_at(AT_FDCWD, path, 1 << 20, &env, NULL);

		if (end == at)
			return;
		if (n > 0 && memmem(env, (size_t)n, want, strlen(want) + 1))
			kill(pid, SIGKILL);
	}
}

char *rig_cgroup(const struct rig *r, const char *below)
{
	struct instance_ids ids;
	const char *top = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup"
									   : "/sys/fs/cgroup/unified";

	instance_ids(&r->in, &ids);
	return str_fmt("%s/%s%s", top, ids.cgroup, below);
}

/* Containers of fake workers live in the keeper's own cgroup. */
static void remove_cgroup(const struct rig *r)
{
	static const char *const leaves[] = { "/daemon", "/keeper", "" };

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		auto_free char *path = rig_cgroup(r, leaves[i]);

		for (int tries = 0; rmdir(path) < 0 && errno == EBUSY && tries < 50; tries++) {
			kill_own(r, path);
			usleep(20000);
			reap_all();
		}
	}
}

void rig_free(struct rig *r)
{
	fd_close(&r->s);
	fd_close(&r->lock);
	if (r->keeper > 0) {
		kill(r->keeper, SIGKILL);
		waitpid(r->keeper, NULL, 0);
	}
	remove_cgroup(r);
	reap_all();
	instance_release(&r->in);
	path_rmtree_at(AT_FDCWD, r->root);
	free(r);
}

int rig_teardown(void **state)
{
	rig_free(*state);
	return 0;
}
