/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <sys/resource.h>
#include <sys/socket.h>
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/sock.h"

#define MAGIC 0x41524e31

struct pair {
	int a, b;
	int fds_before;
};

static struct pair ends;

static int setup(void **state)
{
	int s[2];

	(void)state;
	ends.fds_before = unit_count_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	ends.a = s[0];
	ends.b = s[1];
	return 0;
}

/* Every descriptor that arrived was closed or taken. */
static int teardown(void **state)
{
	(void)state;
	fd_close(&ends.a);
	fd_close(&ends.b);
	assert_int_equal(unit_count_fds(), ends.fds_before);
	return 0;
}

static void test_round_trip(void **state)
{
	struct frame f;
	uint64_t body = 0x1122334455667788;
	const uint64_t *got;

	(void)state;
	assert_int_equal(frame_send(ends.a, MAGIC, 7, 99, &body, sizeof(body), NULL, 0), 0);
	assert_int_equal(frame_send(ends.a, MAGIC, 8, 100, NULL, 0, NULL, 0), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 1);
	assert_true(f.head.type == 7 && f.head.seq == 99 && f.len == 8 && f.nfds == 0);
	got = frame_body(&f, sizeof(body));
	assert_non_null(got);
	assert_true(*got == body);
	assert_null(frame_body(&f, 9));
	assert_int_equal(frame_take_fd(&f, 0), -1);
	frame_done(&f);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 1);
	assert_int_equal(f.len, 0);
	assert_null(frame_body(&f, 1));
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, MSG_DONTWAIT), -EAGAIN);
	fd_close(&ends.a);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 0);
}

static void test_sizes(void **state)
{
	static char body[FRAME_MAX];
	size_t most = FRAME_MAX - sizeof(struct frame_head);
	struct frame f;

	(void)state;
	memset(body, 'x', sizeof(body));
	assert_int_equal(frame_send(ends.a, MAGIC, 1, 1, body, most + 1, NULL, 0), -EMSGSIZE);
	assert_int_equal(frame_send(ends.a, MAGIC, 1, 1, body, most, NULL, 0), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 1);
	assert_int_equal(f.len, most);
	assert_memory_equal(f.body, body, most);
	/* Too long, and too short for a head. */
	assert_int_equal(send(ends.a, body, sizeof(body), 0), (long)sizeof(body));
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EPROTO);
	for (size_t n = 1; n < sizeof(struct frame_head); n++) {
		struct frame_head head = { .magic = MAGIC };

		assert_int_equal(send(ends.a, &head, n, 0), (long)n);
		assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EPROTO);
	}
	fd_close(&ends.b);
	assert_int_equal(frame_send(ends.a, MAGIC, 1, 1, body, 4, NULL, 0), -EPIPE);
}

static void test_too_long_with_fds(void **state)
{
	static char body[FRAME_MAX + 1];
	struct frame f;
	int fds[2] = { 0, 1 };

	(void)state;
	assert_int_equal(sock_send_fds(ends.a, body, sizeof(body), fds, 2), (long)sizeof(body));
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EPROTO);
	assert_int_equal(f.nfds, 0);
}

static void test_fds(void **state)
{
	int fds[16], taken;
	struct frame f;
	struct stat a, b;

	(void)state;
	for (int i = 0; i < 16; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(frame_send(ends.a, MAGIC, 1, 1, "x", 1, fds, 16), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 1);
	assert_int_equal(f.nfds, 16);
	taken = frame_take_fd(&f, 15);
	assert_true(taken >= 0);
	assert_int_equal(frame_take_fd(&f, 15), -1);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(taken, &a), 0);
	assert_int_equal(fstat(fds[15], &b), 0);
	assert_true(a.st_rdev == b.st_rdev);
	close(taken);
	frame_done(&f);
	frame_done(&f);
	for (int i = 0; i < 16; i++)
		close(fds[i]);
}

/* Who may open no more files still hears what was said. */
static void test_no_more_files(void **state)
{
	struct rlimit old, low;
	struct frame f;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), twice[2] = { fd, fd };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)fd + 2; /* one more, not two */
	assert_int_equal(frame_send(ends.a, MAGIC, 7, 8, "text", 5, twice, 2), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EMFILE);
	assert_int_equal(f.nfds, 0);
	assert_int_equal(f.head.type, 7);
	assert_int_equal(f.head.seq, 8);
	assert_int_equal(f.len, 5);
	assert_string_equal((char *)f.body, "text");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(frame_send(ends.a, MAGIC, 7, 8, "text", 5, twice, 2), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), 1);
	assert_int_equal(f.nfds, 2);
	assert_int_equal(f.fds[0], fd + 1); /* those of the first have not stayed */
	frame_done(&f);
	close(fd);
}

static void test_wrong_magic(void **state)
{
	struct frame f;
	int fd = 0;

	(void)state;
	assert_int_equal(frame_send(ends.a, MAGIC + 1, 1, 1, NULL, 0, &fd, 1), 0);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EPROTO);
	assert_int_equal(f.nfds, 0);
}

/* More descriptors than there is room for: none is kept. */
static void test_room(void **state)
{
	int fds[3] = { 0, 1, 2 }, got[2];
	size_t n = 2;
	char c;

	(void)state;
	assert_int_equal(sock_send_fds(ends.a, "x", 1, fds, 3), 1);
	assert_int_equal(sock_recv_fds(ends.b, &c, 1, got, &n, 0), -EPROTO);
	assert_true(got[0] == -1 && got[1] == -1);
	assert_int_equal(sock_send_fds(ends.a, "x", 1, fds, 1), 1);
	assert_int_equal(sock_recv_fds(ends.b, &c, 1, NULL, NULL, 0), -EPROTO);
	assert_int_equal(sock_send_fds(ends.a, "x", 1, fds, 1), 1);
	assert_int_equal(sock_recv_fds(ends.b, &c, 1, got, &n, 0), 1);
	assert_int_equal(n, 1);
	assert_int_equal(got[1], -1);
	close(got[0]);
	assert_int_equal(sock_send_fds(ends.a, "x", 1, fds, SOCK_MAX_FDS + 1), -EINVAL);
}

/* A stranger's message with far more descriptors than the protocol knows. */
static void test_flood(void **state)
{
	int many[100];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(many))];
	} control;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct frame f;

	(void)state;
	memset(many, 0, sizeof(many));
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(many)), .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), many, sizeof(many));
	assert_int_equal(sendmsg(ends.a, &m, 0), 1);
	assert_int_equal(frame_recv(ends.b, MAGIC, &f, 0), -EPROTO);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip),  T(test_sizes), T(test_too_long_with_fds), T(test_fds),
		T(test_no_more_files),
		T(test_wrong_magic), T(test_room),  T(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
