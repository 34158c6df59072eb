/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "tests/unit/rpc/rpc_test.h"

struct served {
	struct rig g;
	pid_t pid;
};

/* The client blocks, so the server runs in a process of its own. */
static int up(void **state)
{
	struct served *v = mem_alloc(sizeof(*v));

	rig_up(&v->g, NULL);
	v->pid = fork();
	if (v->pid == 0)
		_exit(loop_run(v->g.loop));
	*state = v;
	return v->pid < 0;
}

static int down(void **state)
{
	struct served *v = *state;

	if (v->pid > 0) {
		kill(v->pid, SIGKILL);
		waitpid(v->pid, NULL, 0);
	}
	rig_down(&v->g);
	free(v);
	return 0;
}

static struct rpc_client *open_client(struct served *v)
{
	struct rpc_client *c = NULL;
	struct error err = { 0 };

	assert_int_equal(rpc_client_open(v->g.path, &c, &err), 0);
	return c;
}

static void calls(void **state)
{
	struct rpc_client *c = open_client(*state);
	struct error err = { 0 };
	json *p = json_new_obj(), *out = NULL;
	const char *s = NULL;

	json_add_str(p, "s", "one\ntwo \xc3\xa9");
	assert_int_equal(rpc_client_call(c, "t.Echo", p, &out, &err), 0);
	assert_int_equal(json_get_str(out, "s", &s, NULL), 1);
	assert_string_equal(s, "one\ntwo \xc3\xa9");
	json_unref(out);
	/* The connection serves again, also after an error. */
	assert_int_equal(rpc_client_call(c, "t.Fail", NULL, &out, &err), -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	assert_string_equal(err.text, "web: is there already");
	assert_string_equal(err.hint, "take another name");
	assert_int_equal(rpc_client_call(c, "x.y.Z", NULL, &out, &err), -EIO);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "org.varlink.service.InterfaceNotFound: x.y");
	assert_int_equal(rpc_client_call(c, "t.Echo", NULL, &out, &err), 0);
	json_unref(out);
	rpc_client_free(c);
}

static void big_both_ways(void **state)
{
	struct rpc_client *c = open_client(*state);
	auto_free char *big = mem_alloc(900001);
	struct error err = { 0 };
	json *p = json_new_obj(), *out = NULL;
	const char *s = NULL;

	memset(big, 'b', 900000);
	json_add_str(p, "s", big);
	assert_int_equal(rpc_client_call(c, "t.Echo", p, &out, &err), 0);
	assert_int_equal(json_get_str(out, "s", &s, NULL), 1);
	assert_string_equal(s, big);
	json_unref(out);
	rpc_client_free(c);
}

/* Said before it is sent, and the connection is good for the next. */
static void too_big(void **state)
{
	struct rpc_client *c = open_client(*state);
	char *text = mem_alloc(RPC_REQUEST_MAX + 1);
	struct error err = { 0 };
	json *p = json_new_obj(), *out = NULL;

	memset(text, 'x', RPC_REQUEST_MAX);
	json_add_str(p, "s", text);
	assert_int_equal(rpc_client_call(c, "t.Echo", p, &out, &err), -E2BIG);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_string_equal(err.text, "the request is 4097 KiB long, at most 4096 are taken");
	assert_int_equal(rpc_client_call(c, "t.Echo", json_new_obj(), &out, &err), 0);
	json_unref(out);
	rpc_client_free(c);
	free(text);
}

static void more(void **state)
{
	struct rpc_client *c = open_client(*state);
	struct error err = { 0 };
	bool again = true;
	json *out;

	assert_int_equal(rpc_client_send(c, "t.Many", NULL, true, NULL, 0, &err), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(again);
		assert_int_equal(rpc_client_next(c, &out, &again, 1000, &err), 1);
		json_unref(out);
	}
	assert_false(again);
	assert_false(rpc_client_pending(c));
	rpc_client_free(c);
}

static void descriptors(void **state)
{
	struct rpc_client *c = open_client(*state);
	struct error err = { 0 };
	int p[2], fd;
	json *out;
	char byte = 0;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(rpc_client_send(c, "t.Fds", NULL, false, p, 2, &err), 0);
	assert_int_equal(rpc_client_next(c, &out, NULL, 1000, &err), 1);
	json_unref(out);
	fd = rpc_client_take_fd(c, 1);
	assert_true(fd >= 0);
	assert_int_equal(rpc_client_take_fd(c, 1), -1);
	assert_int_equal(rpc_client_take_fd(c, 2), -1);
	assert_int_equal(write(fd, "z", 1), 1);
	assert_int_equal(read(p[0], &byte, 1), 1);
	assert_int_equal(byte, 'z');
	close(fd);
	close(p[0]);
	close(p[1]);
	rpc_client_free(c);
}

static void time_runs_out(void **state)
{
	struct rpc_client *c = open_client(*state);
	struct error err = { 0 };
	uint64_t start = time_mono_ms();
	json *out;

	assert_int_equal(rpc_client_send(c, "t.Hold", NULL, false, NULL, 0, &err), 0);
	assert_int_equal(rpc_client_next(c, &out, NULL, 50, &err), -ETIMEDOUT);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_in_range(time_mono_ms() - start, 49, 2000);
	assert_int_equal(rpc_client_next(c, &out, NULL, 0, &err), -ETIMEDOUT);
	rpc_client_free(c);
}

static void daemon_goes(void **state)
{
	struct served *v = *state;
	struct rpc_client *c = open_client(v);
	struct error err = { 0 };
	json *out;

	assert_int_equal(rpc_client_send(c, "t.Hold", NULL, false, NULL, 0, &err), 0);
	assert_int_equal(rpc_client_next(c, &out, NULL, 20, &err), -ETIMEDOUT);
	kill(v->pid, SIGKILL);
	waitpid(v->pid, NULL, 0);
	v->pid = 0;
	/* Our copy of the listening socket would keep the name alive. */
	rpc_server_free(v->g.server);
	v->g.server = NULL;
	assert_int_equal(rpc_client_next(c, &out, NULL, -1, &err), -ECONNRESET);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_int_equal(rpc_client_call(c, "t.Echo", NULL, &out, &err), -ECONNRESET);
	rpc_client_free(c);
	assert_int_equal(rpc_client_open(v->g.path, &c, &err), -ECONNREFUSED);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
	assert_int_equal(rpc_client_open("/nonexistent/sock", &c, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_UNREACHABLE);
}

/* What is no varlink from the other side is an error, not a crash. */
static void nonsense_answers(void **state)
{
	static const char *const answers[] = {
		"x",
		"[]",
		"{\"error\":1}",
		"{\"parameters\":[]}",
		"{\"continues\":\"\"}",
		"{\"error\":\"\\u001b[2J\",\"parameters\":{\"text\":\"a\\u001b[2Jb\"}}"
	};
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		char dir[] = "/tmp/arnia-rpc-XXXXXX", path[64];
		struct rpc_client *c = NULL;
		json *out = NULL;
		int l, s;

		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/s", dir);
		l = sock_listen(path, SOCK_STREAM, 0600, &err);
		assert_true(l >= 0);
		assert_int_equal(rpc_client_open(path, &c, &err), 0);
		s = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		assert_int_equal(write(s, answers[i], strlen(answers[i]) + 1), strlen(answers[i]) + 1);
		assert_true(rpc_client_next(c, &out, NULL, 1000, &err) < 0);
		assert_true(err.text[0]);
		assert_null(strchr(err.text, '\033'));
		rpc_client_free(c);
		close(s);
		close(l);
		unlink(path);
		rmdir(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls, up, down),
		cmocka_unit_test_setup_teardown(big_both_ways, up, down),
		cmocka_unit_test_setup_teardown(too_big, up, down),
		cmocka_unit_test_setup_teardown(more, up, down),
		cmocka_unit_test_setup_teardown(descriptors, up, down),
		cmocka_unit_test_setup_teardown(time_runs_out, up, down),
		cmocka_unit_test_setup_teardown(daemon_goes, up, down),
		cmocka_unit_test(nonsense_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
