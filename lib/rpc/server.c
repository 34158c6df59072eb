/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/rpc/server.h"

#define DEFAULT_CONNECTIONS 256
#define DEFAULT_REQUEST RPC_REQUEST_MAX
#define DEFAULT_QUEUED (4u << 20)
#define DEFAULT_REQUEST_MS 10000
/* A connection may always hold this much; beyond it all of them together share the budget, so that many
 * clients that are each within their own limits cannot fill the memory either. */
#define FREE_BYTES (64u << 10)
#define BUDGET_BYTES (24u << 20)
#define PAUSE_MS 100 /* without accepting, when the process has no descriptor left */

static void conn_ready(void *arg, uint32_t events);

static void list_add(struct conn *c)
{
	struct rpc_server *s = c->server;

	c->prev = s->last;
	c->next = NULL;
	if (s->last)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
}

static void list_del(struct conn *c)
{
	struct rpc_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		s->last = c->prev;
}

/* Bring the totals up to date. False: over the budget, and this connection is one of those that make it
 * so. */
static bool conn_account(struct conn *c)
{
	struct rpc_server *s = c->server;

	s->total_in += c->in.cap - c->counted_in;
	s->total_out += c->out.queued - c->counted_out;
	c->counted_in = c->in.cap;
	c->counted_out = c->out.queued;
	return (s->total_in <= BUDGET_BYTES || c->in.cap <= FREE_BYTES) &&
	       (s->total_out <= BUDGET_BYTES || c->out.queued <= FREE_BYTES);
}

static void conn_stop_timer(struct conn *c)
{
	loop_del_timer(c->timer);
	c->timer = NULL;
}

void conn_close(struct conn *c)
{
	struct rpc_call *call = c->call;

	if (c->closed)
		return;
	c->closed = true;
	c->call = NULL;
	conn_stop_timer(c);
	loop_del_io(c->io);
	fd_close(&c->fd);
	wire_in_done(&c->in);
	wire_out_done(&c->out);
	conn_account(c);
	list_del(c);
	c->server->n_conns--;
	if (call)
		call_client_gone(call);
	if (!c->busy)
		free(c);
}

static void conn_timeout(void *arg)
{
	struct conn *c = arg;

	c->timer = NULL;
	conn_close(c);
}

void conn_doom(struct conn *c)
{
	if (c->closed || c->doomed)
		return;
	c->doomed = true;
	conn_stop_timer(c);
	c->timer = loop_add_timer(c->server->loop, 0, conn_timeout, c);
}

/* What to be woken for. EPOLLHUP comes unasked while the set is not empty, so EPOLLERR alone means: only
 * when the client is gone. */
static void conn_watch(struct conn *c)
{
	uint32_t events = EPOLLERR;

	if (c->out.head)
		events |= EPOLLOUT;
	else if (!c->call && !c->closing)
		events |= EPOLLIN;
	/* A request that waits in the buffer needs a turn, and the socket can be written to at once. */
	if (!c->call && !c->closing && c->in.len > c->in.scanned)
		events |= EPOLLOUT;
	if (loop_set_io(c->io, events) < 0)
		conn_doom(c);
}

void conn_send(struct conn *c, char *text, const int *fds, size_t nfds)
{
	bool waiting = c->out.head != NULL;

	if (c->closed || c->doomed) {
		free(text);
		return;
	}
	/* One answer alone may be of any size; a queue may not grow for ever. */
	if (wire_put(&c->out, c->fd, text, fds, nfds) < 0 || !conn_account(c) ||
	    (waiting && c->out.queued > c->server->limits.max_queued))
		conn_doom(c);
	else if (!c->busy)
		conn_watch(c);
}

void conn_call_done(struct conn *c)
{
	c->call = NULL;
	if (!c->busy && !c->closed && !c->doomed)
		conn_watch(c);
}

/* A message begun must be complete in time. */
static void conn_arm(struct conn *c)
{
	if (c->doomed)
		return;
	if (c->call || c->closing || !wire_has_partial(&c->in))
		conn_stop_timer(c);
	else if (!c->timer)
		c->timer = loop_add_timer(c->server->loop, c->server->limits.request_ms, conn_timeout, c);
}

static bool conn_can_dispatch(const struct conn *c)
{
	/* Who does not read his answers gets no new ones. */
	return !c->closed && !c->doomed && !c->closing && !c->call && !c->out.head;
}

static void conn_dispatch(struct conn *c)
{
	struct wire_msg m;

	while (conn_can_dispatch(c) && wire_next(&c->in, &m) > 0) {
		conn_stop_timer(c);
		list_del(c);
		list_add(c);
		call_dispatch(c, &m);
	}
	/* Anything left is a message that waits (scanned < len) or the beginning of one. */
	if (!c->closed)
		wire_trim(&c->in);
}

/* False: the connection is to be closed. */
static bool conn_read(struct conn *c)
{
	long n = wire_read(&c->in, c->fd, c->server->limits.max_request);

	if (n == 0)
		c->eof = true;
	if (n < 0)
		return n == -EAGAIN;
	return conn_account(c);
}

static bool conn_turn(struct conn *c, uint32_t events)
{
	if (events & EPOLLERR || (events & EPOLLHUP && c->call))
		return false;
	if (wire_flush(&c->out, c->fd) < 0)
		return false;
	conn_account(c);
	conn_dispatch(c);
	if (conn_can_dispatch(c)) {
		if (!conn_read(c))
			return false;
		conn_dispatch(c);
	}
	/* At the end, what was asked is still answered; a beginning of a message is not. */
	return !(c->eof && conn_can_dispatch(c)) && !(c->closing && !c->out.head && !c->call);
}

static void conn_ready(void *arg, uint32_t events)
{
	struct conn *c = arg;
	bool stay;

	c->busy = true;
	stay = conn_turn(c, events);
	c->busy = false;
	if (c->closed) {
		free(c);
	} else if (!stay) {
		conn_close(c);
	} else {
		conn_account(c);
		conn_arm(c);
		conn_watch(c);
	}
}

static bool peer_is_trusted(const struct rpc_server *s, const struct conn *c)
{
	return c->peer.uid == 0 || c->peer.uid == geteuid() ||
	       (s->limits.group && sock_peer_in_group(c->fd, s->limits.group));
}

/* Close the connection that has been of no use for the longest time. */
static bool drop_oldest(struct rpc_server *s)
{
	for (struct conn *c = s->first; c; c = c->next)
		if (!c->call && !c->busy) {
			conn_close(c);
			return true;
		}
	return false;
}

static void accept_again(void *arg)
{
	struct rpc_server *s = arg;

	s->pause = NULL;
	if (loop_set_io(s->io, EPOLLIN) < 0)
		s->pause = loop_add_timer(s->loop, PAUSE_MS, accept_again, s);
}

/* Whoever waits in the queue keeps the socket readable, so turning away is not enough. */
static void accept_failed(struct rpc_server *s, int code)
{
	if (code != EMFILE && code != ENFILE && code != ENOMEM && code != ENOBUFS)
		return;
	if (drop_oldest(s))
		return;
	loop_set_io(s->io, 0);
	s->pause = loop_add_timer(s->loop, PAUSE_MS, accept_again, s);
}

bool server_adopt(struct rpc_server *s, int fd)
{
	auto_fd int mine = fd;
	struct conn *c;

	if (s->n_conns >= s->limits.max_connections && !drop_oldest(s))
		return false;
	c = mem_alloc(sizeof(*c));
	c->server = s;
	c->fd = fd;
	c->io = loop_add_io(s->loop, fd, EPOLLIN, conn_ready, c);
	if (!c->io || sock_peer(fd, &c->peer) < 0) {
		loop_del_io(c->io);
		free(c);
		return false;
	}
	fd_steal(&mine);
	c->trusted = peer_is_trusted(s, c);
	s->n_conns++;
	list_add(c);
	/* The request is often there already. */
	conn_ready(c, EPOLLIN);
	return true;
}

static void server_ready(void *arg, uint32_t events)
{
	struct rpc_server *s = arg;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		accept_failed(s, errno);
	else
		server_adopt(s, fd);
}

struct rpc_server *rpc_server_new(struct loop *l, int listen_fd, const struct rpc_method *methods, size_t n,
				  const char *interface_text, const struct rpc_limits *limits, void *arg)
{
	struct rpc_server *s = mem_alloc(sizeof(*s));

	*s = (struct rpc_server){ .loop = l,
				  .fd = listen_fd,
				  .methods = methods,
				  .n_methods = n,
				  .text = interface_text,
				  .arg = arg };
	if (limits)
		s->limits = *limits;
	s->limits.max_connections = s->limits.max_connections ?: DEFAULT_CONNECTIONS;
	s->limits.max_request = s->limits.max_request ?: DEFAULT_REQUEST;
	s->limits.max_queued = s->limits.max_queued ?: DEFAULT_QUEUED;
	s->limits.request_ms = s->limits.request_ms ?: DEFAULT_REQUEST_MS;
	s->io = loop_add_io(l, listen_fd, EPOLLIN, server_ready, s);
	if (!s->io) {
		fd_close(&s->fd);
		free(s);
		return NULL;
	}
	return s;
}

void rpc_server_free(struct rpc_server *s)
{
	if (!s)
		return;
	while (s->first)
		conn_close(s->first);
	/* Answers to come go nowhere. */
	for (struct rpc_call *c = s->calls; c; c = c->next)
		c->server = NULL;
	loop_del_timer(s->pause);
	loop_del_io(s->io);
	fd_close(&s->fd);
	free(s);
}

int rpc_server_fd(const struct rpc_server *s)
{
	return s->fd;
}
