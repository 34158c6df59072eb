/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients may do to a server, and what it costs them. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "tests/unit/rpc/rpc_test.h"

static void closes_on_garbage(void **state)
{
	static const char *const garbage[] = {
		"", "hello", "[]", "7", "{\"method\":\"t.Echo\"", "{\"a\":1,\"a\":2}", "\xff\xfe", "null"
	};
	auto_free char *deep = mem_alloc(1000001);
	struct rig g;
	bool eof;

	(void)state;
	rig_up(&g, NULL);
	memset(deep, '[', 1000000);
	for (size_t i = 0; i <= ARRAY_SIZE(garbage); i++) {
		int s = rig_connect(&g);

		/* The deep one does not fit in the socket at once. */
		fd_nonblock(s, i < ARRAY_SIZE(garbage));
		if (i < ARRAY_SIZE(garbage)) {
			rig_say(s, garbage[i]);
		} else {
			pid_t pid = fork();

			if (pid == 0)
				_exit(write(s, deep, 1000001) == 1000001 ? 0 : 1);
			rig_turn(&g, 300);
			assert_int_equal(waitpid(pid, NULL, 0), pid);
			fd_nonblock(s, true);
		}
		rig_turn(&g, 5);
		assert_string_equal(rig_hear(s, &eof), "{\"error\":\"org.varlink.service.InvalidParameter\","
						       "\"parameters\":{\"parameter\":\"\"}}\n");
		assert_true(eof);
		close(s);
	}
	assert_int_equal(g.n_calls, 0);
	rig_down(&g);
}

static void too_long(void **state)
{
	struct rpc_limits limits = { .max_request = 1000 };
	char text[1200];
	struct rig g;
	bool eof;
	int s;

	(void)state;
	memset(text, ' ', sizeof(text));
	rig_up(&g, &limits);
	s = rig_connect(&g);
	/* Exactly the limit is fine. */
	memcpy(text + 1000 - 19, "{\"method\":\"t.Echo\"}", 20);
	assert_string_equal(rig_ask(&g, s, text), "{\"parameters\":{}}\n");
	assert_int_equal(send(s, text, 1001 - 20, MSG_NOSIGNAL), 1001 - 20);
	assert_int_equal(send(s, "                    ", 20, MSG_NOSIGNAL), 20);
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(s, &eof), "");
	assert_true(eof);
	close(s);
	rig_down(&g);
}

/* A byte now and then does not keep a connection; others are served all the while. */
static void slow_senders(void **state)
{
	struct rpc_limits limits = { .request_ms = 60 };
	struct rig g;
	bool eof;
	int slow[40], s;

	(void)state;
	rig_up(&g, &limits);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		slow[i] = rig_connect(&g);
	for (int turn = 0; turn < 4; turn++) {
		for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
			(void)send(slow[i], "{", 1, MSG_NOSIGNAL);
		rig_turn(&g, 10);
	}
	s = rig_connect(&g);
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\"}"), "{\"parameters\":{}}\n");
	rig_turn(&g, 40);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		rig_hear(slow[i], &eof);
		assert_true(eof);
		close(slow[i]);
	}
	/* An idle connection is no slow one. */
	rig_turn(&g, 80);
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\"}"), "{\"parameters\":{}}\n");
	close(s);
	rig_down(&g);
}

static void never_reads(void **state)
{
	struct rpc_limits limits = { .max_queued = 100000 };
	auto_free char *big = mem_alloc(10001);
	struct rig g;
	int s, i;

	(void)state;
	memset(big, 'x', 10000);
	rig_up(&g, &limits);
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\",\"more\":true}");
	rig_turn(&g, 5);
	for (i = 0; i < 1000 && !g.n_gone; i++) {
		json *o = json_new_obj();

		json_add_str(o, "text", big);
		rpc_reply_more(g.held[0], o);
		/* The owner is told from the loop, never inside its own call. */
		assert_int_equal(g.n_gone, 0);
		rig_turn(&g, 1);
	}
	assert_int_equal(g.n_gone, 1);
	assert_in_range(i, 5, 500);
	close(s);
	rig_down(&g);
}

/* Answers that are not read stop the requests, not the server. */
static void floods_without_reading(void **state)
{
	enum { N = 10000 };
	static const char ask[] = "{\"method\":\"t.Echo\",\"parameters\":{\"text\":"
				  "\"0123456789012345678901234567890123456789\"}}";
	struct rig g;
	int s, other, sent = 0;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	for (int tries = 0; sent < N && tries < 200; tries++) {
		while (sent < N && send(s, ask, sizeof(ask), MSG_NOSIGNAL) == (ssize_t)sizeof(ask))
			sent++;
		rig_turn(&g, 1);
	}
	assert_true(g.n_calls < N);
	other = rig_connect(&g);
	assert_string_equal(rig_ask(&g, other, "{\"method\":\"t.Echo\"}"), "{\"parameters\":{}}\n");
	close(s);
	rig_turn(&g, 20);
	close(other);
	rig_down(&g);
}

static void pipelined_then_closed(void **state)
{
	enum { N = 10000 };
	static const char ask[] = "{\"method\":\"t.Echo\",\"oneway\":true}";
	size_t before = count_fds();
	struct rig g;
	int s, sent = 0;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	while (sent < N) {
		if (send(s, ask, sizeof(ask), MSG_NOSIGNAL) == (ssize_t)sizeof(ask))
			sent++;
		else
			rig_turn(&g, 1);
	}
	close(s);
	rig_turn(&g, 50);
	assert_int_equal(g.n_calls, N);
	rig_down(&g);
	assert_int_equal(count_fds(), before);
}

static void too_many_connections(void **state)
{
	struct rpc_limits limits = { .max_connections = 8 };
	struct rig g;
	bool eof;
	int busy, s[40];
	size_t before;

	(void)state;
	rig_up(&g, &limits);
	busy = rig_connect(&g);
	rig_say(busy, "{\"method\":\"t.Hold\"}");
	rig_turn(&g, 5);
	before = count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = rig_connect(&g);
		/* Each newcomer is served, the oldest idle one made room. */
		assert_string_equal(rig_ask(&g, s[i], "{\"method\":\"t.Echo\"}"), "{\"parameters\":{}}\n");
	}
	assert_int_equal(count_fds(), before + ARRAY_SIZE(s) + 7);
	rig_hear(s[0], &eof);
	assert_true(eof);
	rig_hear(s[39], &eof);
	assert_false(eof);
	/* The one with a request in work was let be. */
	rpc_reply(g.held[0], NULL);
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(busy, &eof), "{\"parameters\":{}}\n");
	for (size_t i = 0; i < ARRAY_SIZE(s); i++)
		close(s[i]);
	close(busy);
	rig_down(&g);
}

/* All have a request in work: the newcomer is turned away. */
static void all_busy(void **state)
{
	struct rpc_limits limits = { .max_connections = 4 };
	struct rig g;
	bool eof;
	int s[5];

	(void)state;
	rig_up(&g, &limits);
	for (size_t i = 0; i < 4; i++) {
		s[i] = rig_connect(&g);
		rig_ask(&g, s[i], "{\"method\":\"t.Hold\"}");
	}
	s[4] = rig_connect(&g);
	rig_turn(&g, 5);
	rig_hear(s[4], &eof);
	assert_true(eof);
	assert_int_equal(g.n_held, 4);
	for (size_t i = 0; i < 5; i++)
		close(s[i]);
	rig_turn(&g, 5);
	assert_int_equal(g.n_gone, 4);
	rig_down(&g);
}

/* Each stays within its own limits; together they may not fill the memory. */
static void many_that_are_big(void **state)
{
	enum { N = 100, SIZE = 600000 };
	auto_free char *big = mem_alloc(SIZE);
	size_t sent[N] = { 0 };
	struct rig g;
	int s[N], other, open = 0;

	(void)state;
	memset(big, ' ', SIZE);
	rig_up(&g, NULL);
	for (size_t i = 0; i < N; i++)
		s[i] = rig_connect(&g);
	for (int turn = 0; turn < 60; turn++) {
		for (size_t i = 0; i < N; i++) {
			ssize_t n = send(s[i], big, SIZE - sent[i], MSG_NOSIGNAL);

			sent[i] += n > 0 ? (size_t)n : 0;
		}
		rig_turn(&g, 1);
	}
	other = rig_connect(&g);
	rig_say(other, "{\"method\":\"t.Echo\"}");
	for (int tries = 0; !g.n_calls && tries < 400; tries++)
		rig_turn(&g, 5);
	assert_string_equal(rig_hear(other, NULL), "{\"parameters\":{}}\n");
	for (size_t i = 0; i < N; i++) {
		bool eof;

		rig_hear(s[i], &eof);
		open += !eof && sent[i] == SIZE;
		close(s[i]);
	}
	/* 24 MiB in buffers of 1 MiB, and those that were just about to grow. */
	assert_in_range(open, 1, 30);
	rig_turn(&g, 20);
	close(other);
	rig_down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_on_garbage),	  cmocka_unit_test(too_long),
		cmocka_unit_test(slow_senders),		  cmocka_unit_test(never_reads),
		cmocka_unit_test(floods_without_reading), cmocka_unit_test(pipelined_then_closed),
		cmocka_unit_test(too_many_connections),	  cmocka_unit_test(all_busy),
		cmocka_unit_test(many_that_are_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
