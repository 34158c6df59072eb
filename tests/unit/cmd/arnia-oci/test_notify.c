/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"

struct ends {
	int program, manager;
	struct notify n;
};

static int setup(void **state)
{
	struct ends *e = calloc(1, sizeof(*e));
	int a[2], b[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, a) < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, b) < 0)
		return -1;
	e->program = a[0];
	e->manager = b[0];
	e->n = (struct notify){ .from = a[1], .to = b[1], .pid = 42 };
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct ends *e = *state;

	notify_done(&e->n);
	close(e->program);
	close(e->manager);
	free(e);
	return 0;
}

static ssize_t told(struct ends *e, char *buf, size_t n)
{
	return recv(e->manager, buf, n, MSG_DONTWAIT);
}

static void test_what_is_not_ready(void **state)
{
	static const char *const texts[] = { "", "\n", "READY=", "READY=10", "XREADY=1", "STATUS=READY=1", "READY=1 ", "STATUS=a\nREADY=12\n", "RELOADING=1" };
	struct ends *e = *state;
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(send(e->program, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		notify_take(&e->n);
		assert_int_equal(told(e, buf, sizeof(buf)), -1);
		assert_true(e->n.from >= 0);
		assert_false(e->n.told);
	}
}

static void test_ready(void **state)
{
	static const char *const texts[] = { "READY=1", "READY=1\n", "STATUS=x\nREADY=1", "MAINPID=1\nREADY=1\nBUSERROR=x" };
	struct ends *e = *state;
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		teardown(state);
		assert_int_equal(setup(state), 0);
		e = *state;
		assert_int_equal(send(e->program, "STATUS=y", 8, 0), 8);
		assert_int_equal(send(e->program, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		notify_take(&e->n);
		assert_int_equal(told(e, buf, sizeof(buf)), 18);
		assert_memory_equal(buf, "MAINPID=42\nREADY=1", 18);
		assert_int_equal(e->n.from, -1);
		assert_true(e->n.told);
		/* Once. */
		notify_take(&e->n);
		assert_int_equal(told(e, buf, sizeof(buf)), -1);
	}
}

/* NULs end a message; one longer than is looked at is cut. */
static void test_bytes(void **state)
{
	static const char nul[] = "STATUS=\0\nREADY=1";
	struct ends *e = *state;
	char *big = malloc(8192), buf[64];

	assert_int_equal(send(e->program, nul, sizeof(nul) - 1, 0), sizeof(nul) - 1);
	memset(big, 'x', 8192);
	memcpy(big + 8000, "\nREADY=1\n", 9);
	assert_int_equal(send(e->program, big, 8192, 0), 8192);
	notify_take(&e->n);
	assert_int_equal(told(e, buf, sizeof(buf)), -1);
	memcpy(big + 4000, "\nREADY=1\n", 9);
	assert_int_equal(send(e->program, big, 8192, 0), 8192);
	notify_take(&e->n);
	assert_int_equal(told(e, buf, sizeof(buf)), 18);
	free(big);
}

/* What comes along is gone: a barrier of the program's is let through. */
static void test_descriptors(void **state)
{
	struct ends *e = *state;
	int p[2];
	char byte;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec v = { "BARRIER=1", 9 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	memcpy(CMSG_DATA(&control.head), &p[1], sizeof(int));
	assert_int_equal(sendmsg(e->program, &m, 0), 9);
	close(p[1]);
	notify_take(&e->n);
	assert_int_equal(read(p[0], &byte, 1), 0);
	close(p[0]);
}

static void check_added(const char *text, bool added, const char *want)
{
	struct call c = { .g = { .root = "/r" }, .id = "x" };
	auto_json json *j = json_parse(text, strlen(text), NULL);
	auto_free char *got = NULL;

	assert_non_null(j);
	assert_int_equal(notify_add(&c, j), added);
	got = json_text(j, false);
	assert_string_equal(got, want);
}

#define MOUNT                                                                                                                    \
	"{\"destination\":\"/run/notify\",\"type\":\"bind\",\"source\":\"/r/x/notify\",\"options\":[\"bind\",\"nosuid\",\"nodev\",\"noexec\",\"ro\"]}"
#define ENV "\"NOTIFY_SOCKET=/run/notify/notify.sock\""

static void test_configuration(void **state)
{
	(void)state;
	setenv("NOTIFY_SOCKET", "/n", 1);
	check_added("{\"process\":{\"env\":[\"A=1\"]},\"mounts\":[1]}", true, "{\"process\":{\"env\":[\"A=1\"," ENV "]},\"mounts\":[1," MOUNT "]}");
	check_added("{\"process\":{}}", true, "{\"process\":{\"env\":[" ENV "]},\"mounts\":[" MOUNT "]}");
	check_added("{}", false, "{}");
	check_added("[1]", false, "[1]");
	check_added("{\"process\":1}", false, "{\"process\":1}");
	check_added("{\"process\":{},\"mounts\":1}", false, "{\"process\":{\"env\":[]},\"mounts\":1}");
	check_added("{\"process\":{\"env\":{}}}", false, "{\"process\":{\"env\":{}},\"mounts\":[]}");
	setenv("NOTIFY_SOCKET", "", 1);
	check_added("{\"process\":{}}", false, "{\"process\":{}}");
	unsetenv("NOTIFY_SOCKET");
	check_added("{\"process\":{}}", false, "{\"process\":{}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
		cmocka_unit_test(test_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
