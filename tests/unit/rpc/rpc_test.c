/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "tests/unit/rpc/rpc_test.h"

static void gone(struct rpc_call *c, void *arg)
{
	struct rig *g = arg;

	for (size_t i = 0; i < g->n_held; i++)
		if (g->held[i] == c)
			g->held[i] = NULL;
	g->n_gone++;
}

static void echo(struct rpc_call *c, void *arg)
{
	struct rig *g = arg;

	g->n_calls++;
	rpc_reply(c, json_ref((json *)rpc_params(c)));
}

static void hold(struct rpc_call *c, void *arg)
{
	struct rig *g = arg;
	bool watch = true;

	g->n_calls++;
	assert_true(g->n_held < 64);
	g->held[g->n_held++] = c;
	json_get_bool(rpc_params(c), "watch", &watch, NULL);
	if (watch)
		rpc_on_gone(c, gone, g);
}

static void many(struct rpc_call *c, void *arg)
{
	struct rig *g = arg;

	g->n_calls++;
	for (unsigned i = 0; rpc_wants_more(c) && i < 2; i++) {
		json *o = json_new_obj();

		json_add_u64(o, "n", i);
		rpc_reply_more(c, o);
	}
	rpc_reply(c, NULL);
}

static void fds(struct rpc_call *c, void *arg)
{
	int got[SOCK_MAX_FDS];
	size_t n = 0;
	json *o = json_new_obj();

	((struct rig *)arg)->n_calls++;
	while (n < SOCK_MAX_FDS && (got[n] = rpc_take_fd(c, n)) >= 0)
		n++;
	json_add_u64(o, "n", n);
	rpc_reply_fds(c, o, got, n);
	for (size_t i = 0; i < n; i++)
		fd_close(&got[i]);
}

static void failing(struct rpc_call *c, void *arg)
{
	struct error err;

	((struct rig *)arg)->n_calls++;
	err_set_kind(&err, -EEXIST, ERR_STATE, "web: is there already");
	err_hint(&err, "take another name");
	rpc_fail(c, &err);
}

const struct rpc_method rig_methods[] = {
	{ "t.Echo", echo, false }, { "t.Hold", hold, false },	 { "t.Many", many, false },
	{ "t.Fds", fds, false },   { "t.Fail", failing, false }, { "t.Open", echo, true },
};
const size_t rig_methods_n = ARRAY_SIZE(rig_methods);

void rig_up(struct rig *g, const struct rpc_limits *limits)
{
	struct error err = { 0 };
	int fd;

	*g = (struct rig){ .loop = loop_new() };
	snprintf(g->dir, sizeof(g->dir), "/tmp/arnia-rpc-XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	assert_int_equal(chmod(g->dir, 0755), 0);
	snprintf(g->path, sizeof(g->path), "%s/sock", g->dir);
	fd = sock_listen(g->path, SOCK_STREAM, 0666, &err);
	assert_true(fd >= 0);
	g->server = rpc_server_new(g->loop, fd, rig_methods, rig_methods_n,
				   "# words\ninterface t\nmethod Echo() -> ()\n", limits, g);
	assert_non_null(g->server);
}

void rig_down(struct rig *g)
{
	rpc_server_free(g->server);
	loop_free(g->loop);
	unlink(g->path);
	rmdir(g->dir);
}

/* On a busy machine the time may be over before anything was done: some rounds in any case. */
static void last_rounds(void *arg)
{
	struct rig *g = arg;

	if (g->rounds--)
		loop_defer(g->loop, last_rounds, g);
	else
		loop_stop(g->loop, 0);
}

void rig_turn(struct rig *g, unsigned ms)
{
	g->rounds = 16;
	loop_add_timer(g->loop, ms, last_rounds, g);
	assert_int_equal(loop_run(g->loop), 0);
}

int rig_connect(struct rig *g)
{
	struct error err = { 0 };
	int s = sock_connect(g->path, SOCK_STREAM, &err);

	assert_true(s >= 0);
	assert_int_equal(fd_nonblock(s, true), 0);
	return s;
}

void rig_say(int s, const char *text)
{
	assert_int_equal(send(s, text, strlen(text) + 1, MSG_NOSIGNAL), strlen(text) + 1);
}

const char *rig_hear(int s, bool *eof)
{
	static char buf[1 << 20];
	size_t len = 0;

	if (eof)
		*eof = false;
	for (;;) {
		ssize_t n = recv(s, buf + len, sizeof(buf) - 1 - len, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			if (eof)
				*eof = true;
			break;
		}
		if (n < 0)
			break;
		len += (size_t)n;
	}
	for (size_t i = 0; i < len; i++)
		buf[i] = buf[i] ? buf[i] : '\n';
	buf[len] = '\0';
	return buf;
}

const char *rig_ask(struct rig *g, int s, const char *text)
{
	rig_say(s, text);
	rig_turn(g, 5);
	return rig_hear(s, NULL);
}

size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
