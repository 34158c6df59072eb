/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "lib/rpc/rpc.h"
#include "lib/rpc/wire.h"

#define TAKEN_MS 10000 /* a daemon that lives reads what it is sent within this time */
#define REPLY_MAX (64u << 20) /* the daemon is trusted, yet not to fill our memory */

struct rpc_client {
	int fd;
	struct wire_in in;
	struct wire_msg msg; /* descriptors of the last reply */
	bool lost, heard;
};

int rpc_client_open(const char *path, struct rpc_client **ret, struct error *err)
{
	struct rpc_client *c;
	int fd = sock_connect(path, SOCK_STREAM, err);

	if (fd < 0) {
		if (err)
			err->kind = ERR_UNREACHABLE;
		return fd;
	}
	c = mem_alloc(sizeof(*c));
	c->fd = fd;
	*ret = c;
	return 0;
}

void rpc_client_free(struct rpc_client *c)
{
	if (!c)
		return;
	wire_msg_close_fds(&c->msg);
	wire_in_done(&c->in);
	fd_close(&c->fd);
	free(c);
}

int rpc_client_fd(const struct rpc_client *c)
{
	return c->fd;
}

static int lost(struct rpc_client *c, int code, struct error *err)
{
	c->lost = true;
	return err_set_kind(err, code, ERR_UNREACHABLE, "the daemon closed the connection");
}

int rpc_client_send(struct rpc_client *c, const char *method, json *params, bool more, const int *fds,
		    size_t nfds, struct error *err)
{
	struct wire_out out = { 0 };
	auto_json json *m = json_new_obj();
	auto_free char *text = NULL;
	int r;

	json_add_str(m, "method", method);
	json_add(m, "parameters", params ? params : json_new_obj());
	if (more)
		json_add_bool(m, "more", true);
	text = json_text(m, false);
	if (strlen(text) > RPC_REQUEST_MAX)
		return err_set_kind(err, -E2BIG, ERR_USAGE, "the request is %zu KiB long, at most %u are taken",
				    (strlen(text) + 1023) >> 10, RPC_REQUEST_MAX >> 10);
	/* The socket blocks, so nothing is ever left in the queue. */
	r = wire_put(&out, c->fd, ptr_steal(&text), fds, nfds);
	if (r == -EPIPE || r == -ECONNRESET)
		return lost(c, -ECONNRESET, err);
	return r < 0 ? err_sys(err, r, "send %s to the daemon", method) : 0;
}

static void set_error(const char *name, const json *params, struct error *err)
{
	const char *text = NULL, *hint = NULL, *what = NULL;
	uint64_t code = EIO;

	json_get_str(params, "text", &text, NULL);
	json_get_str(params, "hint", &hint, NULL);
	if (json_get_u64(params, "errno", &code, NULL) <= 0 || !code || code > 4095)
		code = EIO;
	/* What varlink's own errors say is in one member. */
	if (!text)
		for (struct json_iter it = json_iter(params); !what && json_next(&it);)
			what = json_str(it.value);
	if (text)
		err_set_kind(err, -(int)code, rpc_error_kind(name), "%s", text);
	else
		err_set_kind(err, -(int)code, rpc_error_kind(name), "%s%s%s", name, what ? ": " : "",
			     what ?: "");
	if (hint)
		err_hint(err, "%s", hint);
	if (err)
		err_sanitize(err);
}

static int decode_reply(const json *m, json **ret, bool *more, struct error *err)
{
	const json *params = NULL;
	const char *name = NULL;
	bool continues = false;
	struct error e;

	if (json_kind_of(m) != JSON_OBJECT || json_get_str(m, "error", &name, NULL) < 0 ||
	    json_get_obj(m, "parameters", &params, NULL) < 0 ||
	    json_get_bool(m, "continues", &continues, NULL) < 0)
		return err_set(err, -EPROTO, "the daemon's answer is not varlink");
	if (name) {
		set_error(name, params, &e);
		if (err)
			*err = e;
		return e.code;
	}
	*ret = params ? json_ref((json *)params) : json_new_obj();
	if (more)
		*more = continues;
	return 1;
}

/* Wait until something can be read: 1, or -ETIMEDOUT. */
static int wait_readable(struct rpc_client *c, uint64_t until)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	for (;;) {
		uint64_t now = until ? time_mono_ms() : 0;
		int r = poll(&p, 1, !until ? -1 : until > now ? (int)(until - now) : 0);

		if (r > 0)
			return 1;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Before the first answer ever: 1 when it is there, or the daemon at work on it. Whoever listens for a daemon that does
 * not come up lets us connect and send all the same (unix(7)); then what was sent lies unread. */
static int wait_taken(struct rpc_client *c, uint64_t until, struct error *err)
{
	uint64_t patience = time_mono_ms() + TAKEN_MS;
	int unread = 0;

	c->heard = (until && until <= patience) || wait_readable(c, patience) != -ETIMEDOUT ||
		   ioctl(c->fd, SIOCOUTQ, &unread) < 0 || !unread;
	if (c->heard)
		return 1;
	return err_set_kind(err, -ECONNREFUSED, ERR_UNREACHABLE, "the daemon does not answer");
}

/* The next whole message, reading as needed. */
static int next_message(struct rpc_client *c, int timeout_ms, struct error *err)
{
	uint64_t until = timeout_ms < 0 ? 0 : time_mono_ms() + (uint64_t)timeout_ms;

	while (wire_next(&c->in, &c->msg) == 0) {
		long n = 1;

		if (c->lost)
			return lost(c, -ECONNRESET, err);
		if (!c->heard && wait_taken(c, until, err) < 0)
			return -ECONNREFUSED;
		/* A blocking read needs no poll before it. */
		if (until)
			n = wait_readable(c, until);
		if (n == -ETIMEDOUT)
			return err_set_kind(err, -ETIMEDOUT, ERR_TIMEOUT, "no answer within %d ms",
					    timeout_ms);
		if (n > 0)
			n = wire_read(&c->in, c->fd, REPLY_MAX);
		if (n == 0 || n == -ECONNRESET || n == -EPIPE)
			return lost(c, -ECONNRESET, err);
		if (n < 0)
			return err_sys(err, (int)n, "read the daemon's answer");
	}
	return 1;
}

int rpc_client_next(struct rpc_client *c, json **ret, bool *more, int timeout_ms, struct error *err)
{
	auto_json json *m = NULL;
	int r;

	wire_msg_close_fds(&c->msg);
	r = next_message(c, timeout_ms, err);
	if (r < 0)
		return r;
	m = json_parse(c->msg.text, c->msg.len, err);
	if (!m) {
		err_prefix(err, "the daemon's answer");
		if (err)
			err->kind = ERR_FAILED;
		return -EPROTO;
	}
	return decode_reply(m, ret, more, err);
}

bool rpc_client_pending(const struct rpc_client *c)
{
	return c->in.len > c->in.start && memchr(c->in.buf + c->in.start, '\0', c->in.len - c->in.start);
}

int rpc_client_take_fd(struct rpc_client *c, size_t i)
{
	return i < c->msg.nfds ? fd_steal(&c->msg.fds[i]) : -1;
}

int rpc_client_call(struct rpc_client *c, const char *method, json *params, json **ret, struct error *err)
{
	int r = rpc_client_send(c, method, params, false, NULL, 0, err);

	if (r == 0)
		r = rpc_client_next(c, ret, NULL, -1, err);
	return r < 0 ? r : 0;
}
