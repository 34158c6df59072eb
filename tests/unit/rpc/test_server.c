/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "tests/unit/rpc/rpc_test.h"

static void replies(void **state)
{
	struct rig g;
	int s;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\",\"parameters\":{\"a\":[1,\"x\"]}}"),
			    "{\"parameters\":{\"a\":[1,\"x\"]}}\n");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\"}"), "{\"parameters\":{}}\n");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\",\"parameters\":null}"),
			    "{\"parameters\":{}}\n");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Many\"}"), "{\"parameters\":{}}\n");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Many\",\"more\":true}"),
			    "{\"parameters\":{\"n\":0},\"continues\":true}\n"
			    "{\"parameters\":{\"n\":1},\"continues\":true}\n{\"parameters\":{}}\n");
	assert_string_equal(
		rig_ask(&g, s, "{\"method\":\"t.Fail\"}"),
		"{\"error\":\"io.arnia.WrongState\",\"parameters\":{\"text\":\"web: is there already\","
		"\"hint\":\"take another name\",\"errno\":17}}\n");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Echo\",\"oneway\":true}"), "");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Fail\",\"oneway\":true}"), "");
	assert_string_equal(rig_ask(&g, s, "{\"method\":\"t.Many\",\"oneway\":true,\"more\":true}"), "");
	assert_int_equal(g.n_calls, 9);
	close(s);
	rig_down(&g);
}

static void unknown_and_wrong(void **state)
{
	static const struct {
		const char *ask, *answer;
	} cases[] = {
		{ "{\"method\":\"t.Nope\"}", "{\"error\":\"org.varlink.service.MethodNotFound\","
					     "\"parameters\":{\"method\":\"t.Nope\"}}\n" },
		{ "{\"method\":\"org.varlink.service.X\"}",
		  "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"org."
		  "varlink.service.X\"}}\n" },
		{ "{\"method\":\"u.v.Echo\"}", "{\"error\":\"org.varlink.service.InterfaceNotFound\","
					       "\"parameters\":{\"interface\":\"u.v\"}}\n" },
		{ "{\"method\":\"Echo\"}", "{\"error\":\"org.varlink.service.InvalidParameter\","
					   "\"parameters\":{\"parameter\":\"method\"}}\n" },
		{ "{\"method\":7}", "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{"
				    "\"parameter\":\"method\"}}\n" },
		{ "{}", "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":"
			"\"method\"}}\n" },
		{ "{\"method\":\"t.Echo\",\"more\":1}", "{\"error\":\"org.varlink.service.InvalidParameter\","
							"\"parameters\":{\"parameter\":\"more\"}}\n" },
		{ "{\"method\":\"t.Echo\",\"parameters\":[]}",
		  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":"
		  "\"parameters\"}}\n" },
		{ "{\"method\":\"t.Echo\",\"upgrade\":true}",
		  "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":"
		  "\"upgrade\"}}\n" },
	};
	struct rig g;
	int s;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(rig_ask(&g, s, cases[i].ask), cases[i].answer);
	assert_int_equal(g.n_calls, 0);
	close(s);
	rig_down(&g);
}

static void introspection(void **state)
{
	struct rig g;
	int s;
	const char *text;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	text = rig_ask(&g, s, "{\"method\":\"org.varlink.service.GetInfo\"}");
	assert_non_null(strstr(text, "\"interfaces\":[\"t\",\"org.varlink.service\"]"));
	text = rig_ask(&g, s,
		       "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		       "\"interface\":\"t\"}}");
	assert_non_null(strstr(text, "# words\\ninterface t\\n"));
	text = rig_ask(&g, s,
		       "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		       "\"interface\":\"org.varlink.service\"}}");
	assert_non_null(strstr(text, "method GetInfo()"));
	text = rig_ask(&g, s,
		       "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{"
		       "\"interface\":\"x.y\"}}");
	assert_non_null(strstr(text, "InterfaceNotFound"));
	text = rig_ask(&g, s, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}");
	assert_non_null(strstr(text, "InvalidParameter"));
	close(s);
	rig_down(&g);
}

/* The second waits for the first's answer, however late that comes. */
static void pipelined_in_order(void **state)
{
	struct rig g;
	int s;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\"}");
	rig_say(s, "{\"method\":\"t.Echo\",\"parameters\":{\"n\":2}}");
	rig_say(s, "{\"method\":\"t.Hold\"}");
	rig_say(s, "{\"method\":\"t.Echo\",\"parameters\":{\"n\":4}}");
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(s, NULL), "");
	assert_int_equal(g.n_calls, 1);
	rpc_reply(g.held[0], NULL);
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(s, NULL), "{\"parameters\":{}}\n{\"parameters\":{\"n\":2}}\n");
	assert_int_equal(g.n_calls, 3);
	rpc_reply(g.held[1], NULL);
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(s, NULL), "{\"parameters\":{}}\n{\"parameters\":{\"n\":4}}\n");
	close(s);
	rig_down(&g);
}

static void client_goes(void **state)
{
	struct rig g;
	int s;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\"}");
	rig_turn(&g, 5);
	close(s);
	rig_turn(&g, 5);
	assert_int_equal(g.n_gone, 1);
	/* Nobody watches: the call is there until it is answered. */
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\",\"parameters\":{\"watch\":false}}");
	rig_turn(&g, 5);
	close(s);
	rig_turn(&g, 5);
	assert_int_equal(rpc_take_fd(g.held[1], 0), -1);
	rpc_reply(g.held[1], NULL);
	/* A oneway request is carried out whoever listens. */
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\",\"oneway\":true}");
	close(s);
	rig_turn(&g, 5);
	assert_int_equal(g.n_gone, 1);
	rpc_reply(g.held[2], NULL);
	/* And the server may go first. */
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\"}");
	rig_turn(&g, 5);
	rpc_server_free(g.server);
	g.server = NULL;
	assert_int_equal(g.n_gone, 2);
	close(s);
	rig_down(&g);
}

/* Closing one's writing side is not going away. */
static void half_close(void **state)
{
	struct rig g;
	bool eof;
	int s;

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	rig_say(s, "{\"method\":\"t.Hold\"}");
	rig_say(s, "{\"method\":\"t.Echo\"}");
	assert_int_equal(shutdown(s, SHUT_WR), 0);
	rig_turn(&g, 20);
	assert_int_equal(g.n_gone, 0);
	rpc_reply(g.held[0], NULL);
	rig_turn(&g, 20);
	assert_string_equal(rig_hear(s, &eof), "{\"parameters\":{}}\n{\"parameters\":{}}\n");
	assert_true(eof);
	close(s);
	rig_down(&g);
}

static void descriptors(void **state)
{
	struct rig g;
	char buf[100];
	int s, fd = open("/dev/null", O_RDONLY | O_CLOEXEC), got[SOCK_MAX_FDS];
	int three[3] = { fd, fd, fd };
	size_t n = SOCK_MAX_FDS, before;
	static const char ask[] = "{\"method\":\"t.Fds\"}", other[] = "{\"method\":\"t.Echo\"}";

	(void)state;
	rig_up(&g, NULL);
	s = rig_connect(&g);
	rig_ask(&g, s, other);
	before = count_fds();
	assert_int_equal(sock_send_fds(s, ask, sizeof(ask), three, 3), sizeof(ask));
	rig_turn(&g, 5);
	assert_int_equal(sock_recv_fds(s, buf, sizeof(buf), got, &n, 0), 23);
	assert_string_equal(buf, "{\"parameters\":{\"n\":3}}");
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		fd_close(&got[i]);
	/* Those nobody takes are closed. */
	assert_int_equal(sock_send_fds(s, other, sizeof(other), three, 3), sizeof(other));
	rig_turn(&g, 5);
	assert_string_equal(rig_hear(s, NULL), "{\"parameters\":{}}\n");
	assert_int_equal(count_fds(), before);
	close(s);
	close(fd);
	rig_down(&g);
}

/* In a process of another uid: ask, and write the answer to `out`. */
static void stranger(const char *path, const char *text, int out)
{
	char answer[1000];
	struct error err;
	ssize_t n = 0;
	int s = -1;

	if (setgid(65534) == 0 && setuid(65534) == 0)
		s = sock_connect(path, SOCK_STREAM, &err);
	if (s >= 0 && write(s, text, strlen(text) + 1) > 0)
		n = read(s, answer, sizeof(answer));
	_exit(n > 0 && write(out, answer, (size_t)n) == n ? 0 : 1);
}

static void strangers_may_little(void **state)
{
	static const char *const asks[] = { "{\"method\":\"t.Echo\"}", "{\"method\":\"t.Open\"}",
					    "{\"method\":\"t.None\"}" };
	static const char *const has[] = { "io.arnia.NotPermitted", "\"parameters\":{}", "MethodNotFound" };

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		struct rig g;
		pid_t pid;
		int out[2], status;
		char text[1000] = "";

		rig_up(&g, NULL);
		assert_int_equal(pipe(out), 0);
		pid = fork();
		if (pid == 0)
			stranger(g.path, asks[i], out[1]);
		rig_turn(&g, 100);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_true(read(out[0], text, sizeof(text) - 1) > 0);
		assert_non_null(strstr(text, has[i]));
		close(out[0]);
		close(out[1]);
		rig_down(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),	 cmocka_unit_test(unknown_and_wrong),
		cmocka_unit_test(introspection), cmocka_unit_test(pipelined_in_order),
		cmocka_unit_test(client_goes),	 cmocka_unit_test(half_close),
		cmocka_unit_test(descriptors),	 cmocka_unit_test(strangers_may_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
