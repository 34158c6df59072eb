/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "lib/base/fd.h"
#include "lib/base/sock.h"

struct place {
	char path[64];
	int dir;
	char sock[128];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	p->dir = unit_tmp(p->path);
	snprintf(p->sock, sizeof(p->sock), "%s/s", p->path);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unit_tmp_done(p->dir, p->path);
	free(p);
	return 0;
}

static void talk(const char *path, int listener, int type)
{
	auto_fd int c = sock_connect(path, type, NULL), s = -1;
	char buf[8];

	assert_true(c >= 0);
	assert_false(fcntl(c, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(c, F_GETFD) & FD_CLOEXEC);
	s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s >= 0);
	assert_int_equal(sock_send_fds(c, "hello", 5, NULL, 0), 5);
	assert_int_equal(sock_recv_fds(s, buf, sizeof(buf), NULL, NULL, 0), 5);
	assert_memory_equal(buf, "hello", 5);
}

static void test_listen(void **state)
{
	struct place *p = *state;
	int before = unit_count_fds();
	mode_t mask = umask(077);
	auto_fd int l = sock_listen(p->sock, SOCK_STREAM, 0660, NULL);
	struct error err;
	struct stat st;

	umask(mask);
	assert_true(l >= 0);
	assert_int_equal(unit_count_fds(), before + 1);
	assert_true(fcntl(l, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(l, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stat(p->sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	talk(p->sock, l, SOCK_STREAM);
	/* Somebody lives there, also for another type. */
	assert_int_equal(sock_listen(p->sock, SOCK_STREAM, 0660, &err), -EADDRINUSE);
	assert_int_equal(sock_listen(p->sock, SOCK_SEQPACKET, 0660, &err), -EADDRINUSE);
	/* The question was a connection. */
	fd_close(&(int){ accept4(l, NULL, NULL, SOCK_CLOEXEC) });
	talk(p->sock, l, SOCK_STREAM);
	/* Nobody any more: replaced. */
	fd_close(&l);
	l = sock_listen(p->sock, SOCK_SEQPACKET, 0600, &err);
	assert_true(l >= 0);
	talk(p->sock, l, SOCK_SEQPACKET);
	assert_int_equal(faccessat(p->dir, ".s.new", F_OK, 0), -1);
}

static void test_listen_refuses(void **state)
{
	struct place *p = *state;
	char path[512];

	unit_put(p->dir, "s", "kept");
	assert_int_equal(sock_listen(p->sock, SOCK_STREAM, 0600, NULL), -EEXIST);
	unit_expect(p->dir, "s", "kept");
	snprintf(path, sizeof(path), "%s/none/s", p->path);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600, NULL), -ENOENT);
	snprintf(path, sizeof(path), "%s/%0200d", p->path, 0);
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600, NULL), -ENAMETOOLONG);
}

/* Far over the 107 bytes of sun_path. */
static void test_long_path(void **state)
{
	struct place *p = *state;
	char path[512], part[81];
	auto_fd int l = -1;

	memset(part, 'd', 80);
	part[80] = '\0';
	snprintf(path, sizeof(path), "%s/%s", p->path, part);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/%s", p->path, part, part);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/%s/arnia.sock", p->path, part, part);
	l = sock_listen(path, SOCK_STREAM, 0600, NULL);
	assert_true(l >= 0);
	talk(path, l, SOCK_STREAM);
}

static void test_connect_errors(void **state)
{
	struct place *p = *state;
	struct error err;

	assert_int_equal(sock_connect(p->sock, SOCK_STREAM, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	fd_close(&(int){ sock_listen(p->sock, SOCK_STREAM, 0600, NULL) });
	assert_int_equal(sock_connect(p->sock, SOCK_STREAM, &err), -ECONNREFUSED);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
}

static void test_peer(void **state)
{
	struct sock_peer peer;
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(sock_peer(s[0], &peer), 0);
	assert_true(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
	assert_true(sock_peer_in_group(s[0], getegid()));
	assert_false(sock_peer_in_group(s[0], 54321));
	close(s[0]);
	close(s[1]);
	assert_true(sock_peer(s[0], &peer) < 0);
	assert_false(sock_peer_in_group(s[0], 0));
}

/* Supplementary groups, as they were when the peer connected. Needs root. */
static void test_peer_groups(void **state)
{
	struct place *p = *state;
	auto_fd int l = sock_listen(p->sock, SOCK_STREAM, 0666, NULL), s = -1;
	gid_t groups[] = { 1111, 2222 };
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_true(l >= 0);
	pid = fork();
	if (pid == 0) {
		char c;
		int fd;

		if (setgroups(2, groups) < 0 || (fd = sock_connect(p->sock, SOCK_STREAM, NULL)) < 0)
			_exit(1);
		_exit(read(fd, &c, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(fd_nonblock(l, false), 0);
	s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s >= 0);
	assert_true(sock_peer_in_group(s, 1111));
	assert_true(sock_peer_in_group(s, 2222));
	assert_false(sock_peer_in_group(s, 3333));
	fd_close(&s);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_all_that_was_sent_comes(void **state)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
	char buf[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		int s[2];

		assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, s), 0);
		assert_int_equal(sock_send_fds(s[0], "unread", 6, NULL, 0), 6);
		assert_int_equal(sock_send_fds(s[1], "last", 4, NULL, 0), 4);
		close(s[1]);
		assert_int_equal(sock_recv_fds(s[0], buf, sizeof(buf), NULL, NULL, 0), 4);
		assert_memory_equal(buf, "last", 4);
		assert_int_equal(sock_recv_fds(s[0], buf, sizeof(buf), NULL, NULL, 0), 0);
		close(s[0]);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_all_that_was_sent_comes), T(test_listen),	 T(test_listen_refuses), T(test_long_path), T(test_connect_errors),
		T(test_peer),	 T(test_peer_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
