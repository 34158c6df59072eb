/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/rpc/wire.h"
#include "tests/unit/rpc/rpc_test.h"

static void pair(int s[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s), 0);
}

static void pair_close(int s[2])
{
	close(s[0]);
	close(s[1]);
}

static void expect_msg(struct wire_in *in, const char *text, size_t nfds)
{
	struct wire_msg m;

	assert_int_equal(wire_next(in, &m), 1);
	assert_int_equal(m.len, strlen(text));
	assert_memory_equal(m.text, text, m.len + 1);
	assert_int_equal(m.nfds, nfds);
	wire_msg_close_fds(&m);
}

static void splits_and_joins(void **state)
{
	struct wire_in in = { 0 };
	struct wire_msg m;
	int s[2];

	(void)state;
	pair(s);
	assert_int_equal(write(s[0], "one\0two\0thr", 11), 11);
	assert_int_equal(wire_read(&in, s[1], 100), 11);
	expect_msg(&in, "one", 0);
	expect_msg(&in, "two", 0);
	assert_int_equal(wire_next(&in, &m), 0);
	assert_true(wire_has_partial(&in));
	assert_int_equal(wire_read(&in, s[1], 100), -EAGAIN);
	for (size_t i = 0; i < sizeof("ee"); i++) {
		assert_int_equal(wire_next(&in, &m), 0);
		assert_int_equal(write(s[0], &"ee"[i], 1), 1);
		assert_int_equal(wire_read(&in, s[1], 100), 1);
	}
	expect_msg(&in, "three", 0);
	assert_false(wire_has_partial(&in));
	wire_trim(&in);
	assert_null(in.buf);
	close(s[0]);
	assert_int_equal(wire_read(&in, s[1], 100), 0);
	close(s[1]);
	wire_in_done(&in);
}

static void refuses_long(void **state)
{
	struct wire_in in = { 0 };
	char text[300];
	int s[2];

	(void)state;
	pair(s);
	memset(text, 'x', sizeof(text));
	/* Many short ones may be longer together. */
	for (size_t i = 49; i < sizeof(text); i += 50)
		text[i] = '\0';
	assert_int_equal(write(s[0], text, sizeof(text)), (ssize_t)sizeof(text));
	assert_int_equal(wire_read(&in, s[1], 100), (long)sizeof(text));
	for (size_t i = 0; i < sizeof(text); i += 50)
		expect_msg(&in, text + i, 0);
	memset(text, 'x', sizeof(text));
	assert_int_equal(write(s[0], text, 100), 100);
	assert_int_equal(wire_read(&in, s[1], 100), 100);
	assert_int_equal(write(s[0], text, 1), 1);
	assert_int_equal(wire_read(&in, s[1], 100), -EMSGSIZE);
	wire_in_done(&in);
	pair_close(s);
}

static char *text_of(size_t n)
{
	char *t = mem_alloc(n + 1);

	memset(t, 'a', n);
	return t;
}

/* Descriptors stay with the message they were sent with, whatever is read in one go. */
static void descriptors_stay_with_their_message(void **state)
{
	struct wire_out out = { 0 };
	struct wire_in in = { 0 };
	int s[2],
		fd[2] = { open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/null", O_RDONLY | O_CLOEXEC) };
	size_t before;

	(void)state;
	pair(s);
	before = count_fds();
	assert_int_equal(wire_put(&out, s[0], str_dup("a"), NULL, 0), 0);
	assert_int_equal(wire_put(&out, s[0], str_dup("b"), fd, 2), 0);
	assert_int_equal(wire_put(&out, s[0], str_dup("c"), NULL, 0), 0);
	assert_int_equal(wire_put(&out, s[0], str_dup("d"), fd, 1), 0);
	/* a and b come in one read, c and d in the next. */
	assert_true(wire_read(&in, s[1], 100) > 0);
	expect_msg(&in, "a", 0);
	expect_msg(&in, "b", 2);
	assert_true(wire_read(&in, s[1], 100) > 0);
	expect_msg(&in, "c", 0);
	expect_msg(&in, "d", 1);
	assert_int_equal(count_fds(), before);
	pair_close(s);
	close(fd[0]);
	close(fd[1]);
	wire_in_done(&in);
	wire_out_done(&out);
}

static void too_many_descriptors(void **state)
{
	struct wire_in in = { 0 };
	int s[2], many[SOCK_MAX_FDS * 2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(many))];
	} control = { 0 };
	struct iovec iov = { "x", 2 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	size_t before;

	(void)state;
	pair(s);
	before = count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = fd;
	control.head = (struct cmsghdr){ CMSG_LEN(sizeof(many)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), many, sizeof(many));
	assert_int_equal(sendmsg(s[0], &m, 0), 2);
	assert_int_equal(wire_read(&in, s[1], 100), -EPROTO);
	assert_int_equal(count_fds(), before);
	assert_int_equal(wire_put(&(struct wire_out){ 0 }, s[0], str_dup("x"), many, ARRAY_SIZE(many)),
			 -EINVAL);
	wire_in_done(&in);
	pair_close(s);
	close(fd);
}

static void queues_what_does_not_fit(void **state)
{
	struct wire_out out = { 0 };
	struct wire_in in = { 0 };
	int s[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC), turns = 0, got = 0, r;
	size_t size = 1 << 20, before;

	(void)state;
	pair(s);
	before = count_fds();
	for (int i = 0; i < 3; i++)
		assert_int_equal(wire_put(&out, s[0], text_of(size), &fd, 1), 0);
	assert_true(out.queued > size);
	/* Two wait with a duplicate each; the first has its descriptor on the way. */
	assert_int_equal(count_fds(), before + 2);
	do {
		struct wire_msg m;

		r = wire_flush(&out, s[0]);
		assert_true(r >= 0);
		while (wire_read(&in, s[1], size) > 0)
			while (wire_next(&in, &m) > 0) {
				assert_int_equal(m.len, size);
				assert_int_equal(m.nfds, 1);
				wire_msg_close_fds(&m);
				got++;
			}
	} while (r == 0 && ++turns < 1000);
	assert_int_equal(got, 3);
	assert_int_equal(out.queued, 0);
	assert_int_equal(count_fds(), before);
	close(s[1]);
	assert_int_equal(wire_put(&out, s[0], text_of(1), NULL, 0), -EPIPE);
	close(s[0]);
	close(fd);
	wire_in_done(&in);
	wire_out_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_and_joins),
		cmocka_unit_test(refuses_long),
		cmocka_unit_test(descriptors_stay_with_their_message),
		cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(queues_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
