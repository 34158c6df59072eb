/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client can send, to a server in this process: 0xff bytes cut the input into separate sends; one that
 * begins with '@' has a descriptor with it. Input that begins with "interface" is read as a .varlink text
 * instead.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/rpc/idl.h"
#include "lib/rpc/server.h"

#define ROUNDS 12

struct world {
	struct loop *loop;
	struct rpc_call *held;
	unsigned rounds;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void gone(struct rpc_call *c, void *arg)
{
	(void)c;
	((struct world *)arg)->held = NULL;
}

static void echo(struct rpc_call *c, void *arg)
{
	auto_fd int fd = rpc_take_fd(c, 0);

	(void)arg;
	if (rpc_wants_more(c))
		rpc_reply_more(c, NULL);
	rpc_reply_fds(c, json_ref((json *)rpc_params(c)), &fd, fd >= 0);
}

static void hold(struct rpc_call *c, void *arg)
{
	struct world *w = arg;

	if (w->held) {
		rpc_reply(c, NULL);
		return;
	}
	w->held = c;
	/* Without a handler the call outlives its client. */
	if (!rpc_is_oneway(c))
		rpc_on_gone(c, gone, w);
}

static const struct rpc_method methods[] = { { "t.E", echo, false }, { "t.H", hold, false } };

/* A few rounds of the loop; half-way what is held is answered. */
static void round_done(void *arg)
{
	struct world *w = arg;

	if (++w->rounds == ROUNDS / 2 && w->held) {
		rpc_reply(w->held, NULL);
		w->held = NULL;
	}
	if (w->rounds < ROUNDS)
		loop_defer(w->loop, round_done, w);
	else
		loop_stop(w->loop, 0);
}

static void send_all(int s, const uint8_t *data, size_t size)
{
	while (size) {
		const uint8_t *cut = memchr(data, 0xff, size);
		size_t n = cut ? (size_t)(cut - data) : size;
		size_t nfds = n && data[0] == '@';

		if (n > nfds)
			(void)sock_send_fds(s, data + nfds, n - nfds, &s, nfds);
		n += cut != NULL;
		data += n;
		size -= n;
	}
}

static void serve(const uint8_t *data, size_t size)
{
	struct world w = { .loop = loop_new() };
	const struct rpc_limits limits = { .max_request = 4096, .max_queued = 8192 };
	struct rpc_server *server;
	char sink[4096];
	int s[2], l[2];

	if (!w.loop || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, l) < 0)
		abort();
	server = rpc_server_new(w.loop, l[0], methods, ARRAY_SIZE(methods), "interface t", &limits, &w);
	send_all(s[0], data, size);
	server_adopt(server, s[1]);
	if (size % 2)
		shutdown(s[0], SHUT_WR);
	loop_defer(w.loop, round_done, &w);
	loop_run(w.loop);
	while (read(s[0], sink, sizeof(sink)) > 0)
		;
	close(s[0]);
	rpc_server_free(server);
	if (w.held)
		rpc_reply(w.held, NULL);
	loop_free(w.loop);
	close(l[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 9 && memcmp(data, "interface", 9) == 0) {
		auto_free char *text = str_dup_n((const char *)data, size);
		struct error err;
		struct idl i = { 0 };

		if (idl_parse(text, &i, &err) == 0)
			idl_done(&i);
		return 0;
	}
	serve(data, size);
	return 0;
}
