/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "lib/base/fd.h"
#include "lib/base/notify.h"
#include "lib/base/sock.h"

static int teardown(void **state)
{
	(void)state;
	return unsetenv("NOTIFY_SOCKET");
}

static void test_names(void **state)
{
	static const struct {
		const char *value;
		int code;
	} cases[] = { { NULL, -ENOENT },	 { "", -ENOENT },	      { "relative", -EAFNOSUPPORT },
		      { "vsock:2:1", -EAFNOSUPPORT }, { "/", -EINVAL },	      { "@", -EINVAL },
		      { "/no/such/socket", -ENOENT }, { "@arnia-none", -ECONNREFUSED } };
	int before = unit_count_fds();
	char too_long[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].value)
			setenv("NOTIFY_SOCKET", cases[i].value, 1);
		else
			unsetenv("NOTIFY_SOCKET");
		assert_int_equal(notify_connect(), cases[i].code);
	}
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	too_long[sizeof(too_long) - 1] = '\0';
	setenv("NOTIFY_SOCKET", too_long, 1);
	assert_int_equal(notify_connect(), -EINVAL);
	assert_int_equal(unit_count_fds(), before);
}

static void test_path(void **state)
{
	char dir[64], path[128], buf[16];
	int d = unit_tmp(dir);

	(void)state;
	snprintf(path, sizeof(path), "%s/n", dir);
	setenv("NOTIFY_SOCKET", path, 1);
	{
		auto_fd int l = sock_listen(path, SOCK_DGRAM, 0600, NULL), s = notify_connect();

		assert_true(l >= 0 && s >= 0);
		assert_true(fcntl(s, F_GETFD) & FD_CLOEXEC);
		/* It lives: its name is not to be taken. */
		assert_int_equal(sock_listen(path, SOCK_DGRAM, 0600, NULL), -EADDRINUSE);
		assert_int_equal(notify_send(s, "READY=1"), 0);
		assert_int_equal(recv(l, buf, sizeof(buf), 0), 7);
		assert_memory_equal(buf, "READY=1", 7);
	}
	assert_int_equal(notify_connect(), -ECONNREFUSED);
	unit_tmp_done(d, dir);
}

static void test_abstract(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_fd int l = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), s = -1;
	char name[64], buf[16];
	int n = snprintf(name, sizeof(name), "@arnia-unit-%d", (int)getpid());

	(void)state;
	memcpy(a.sun_path + 1, name + 1, (size_t)n - 1);
	assert_int_equal(bind(l, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	s = notify_connect();
	assert_true(s >= 0);
	assert_int_equal(notify_send(s, "x"), 0);
	assert_int_equal(recv(l, buf, sizeof(buf), 0), 1);
}

static void *take_two(void *arg)
{
	int *s = arg, fd = -1;
	size_t n = 1;
	char buf[32];

	if (recv(*s, buf, sizeof(buf), 0) == 7 && sock_recv_fds(*s, buf, sizeof(buf), &fd, &n, 0) == 9 && n == 1 && !memcmp(buf, "BARRIER=1", 9))
		return close(fd) == 0 ? arg : NULL;
	return NULL;
}

static void test_barrier(void **state)
{
	int s[2], before = unit_count_fds();
	pthread_t thread;
	void *seen;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(notify_send(s[0], "READY=1"), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_two, &s[1]), 0);
	assert_int_equal(notify_barrier(s[0]), 0);
	assert_int_equal(pthread_join(thread, &seen), 0);
	assert_ptr_equal(seen, &s[1]);
	close(s[1]);
	assert_true(notify_send(s[0], "x") < 0);
	assert_true(notify_barrier(s[0]) < 0);
	close(s[0]);
	assert_int_equal(unit_count_fds(), before);
}

/* Nobody takes anything: both give up, also where the message before took the last room. Takes ten seconds. */
static void test_full(void **state)
{
	char dir[64], path[128], buf[16];
	int d = unit_tmp(dir);
	auto_fd int l = -1, s = -1;

	(void)state;
	snprintf(path, sizeof(path), "%s/n", dir);
	setenv("NOTIFY_SOCKET", path, 1);
	l = sock_listen(path, SOCK_DGRAM, 0600, NULL);
	s = notify_connect();
	assert_true(l >= 0 && s >= 0);
	while (send(s, "x", 1, 0) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(notify_send(s, "READY=1"), -ETIMEDOUT);
	assert_int_equal(recv(l, buf, sizeof(buf), 0), 1);
	assert_int_equal(notify_send(s, "READY=1"), 0);
	assert_int_equal(notify_barrier(s), -ETIMEDOUT);
	unit_tmp_done(d, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_names, teardown),
		cmocka_unit_test_teardown(test_path, teardown),
		cmocka_unit_test_teardown(test_abstract, teardown),
		cmocka_unit_test(test_barrier),
		cmocka_unit_test_teardown(test_full, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
