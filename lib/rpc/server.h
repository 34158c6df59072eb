/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_RPC_SERVER_H
#define ARNIA_RPC_SERVER_H
/* Inside lib/rpc: what server.c (connections), call.c (requests and replies) and introspect.c share. */
#include <stdbool.h>
#include <stdint.h>
#include "lib/rpc/rpc.h"
#include "lib/rpc/wire.h"

struct conn {
	struct rpc_server *server;
	struct conn *prev, *next; /* in order of last use, the oldest first */
	int fd;
	struct loop_io *io;
	/* Waiting for the rest of a message; or, at 0 ms, for being dropped (`doomed`). */
	struct loop_timer *timer;
	struct wire_in in;
	struct wire_out out;
	size_t counted_in, counted_out; /* what of the buffers is in the server's totals */
	struct rpc_call *call;		/* the one being answered; the next waits for its final reply */
	struct sock_peer peer;
	bool trusted; /* may call methods that are not open */
	bool busy;    /* conn_ready is on the stack and will free it */
	bool eof, closed, doomed;
	bool closing; /* no more requests; close when all is sent */
};
struct rpc_call {
	struct rpc_server *server;    /* NULL: the server is gone */
	struct conn *conn;	      /* NULL: the client is gone, the reply goes nowhere */
	struct rpc_call *prev, *next; /* of server->calls */
	json *msg;
	const json *params;
	bool more, oneway;
	struct wire_msg wire; /* descriptors */
	struct sock_peer peer;
	void (*gone)(struct rpc_call *c, void *arg);
	void *gone_arg;
};
struct rpc_server {
	struct loop *loop;
	int fd;
	struct loop_io *io;
	struct loop_timer *pause; /* not accepting: no descriptors left */
	const struct rpc_method *methods;
	size_t n_methods;
	const char *text;
	struct rpc_limits limits;
	void *arg;
	struct conn *first, *last;
	size_t n_conns;
	struct rpc_call *calls;
	size_t total_in, total_out; /* bytes buffered for all connections */
};

/* call.c */
void call_dispatch(struct conn *c, struct wire_msg *m);
/* Final error reply {key: value} under a name of varlink's own. */
void call_fail_member(struct rpc_call *call, const char *name, const char *key, const char *value);
/* Of a closing connection: tell the owner, or let the call live on without a client. */
void call_client_gone(struct rpc_call *call);

/* server.c */
/* Serve a connected, non-blocking socket, which is taken. False: turned away. The server may be gone
 * afterwards. */
bool server_adopt(struct rpc_server *s, int fd);
/* Queue and send; a failure or a reader that is too slow dooms the connection. `text` is taken. */
void conn_send(struct conn *c, char *text, const int *fds, size_t nfds);
void conn_call_done(struct conn *c);
void conn_close(struct conn *c);
/* Close it, but not before the loop is back. */
void conn_doom(struct conn *c);

/* introspect.c: the methods of org.varlink.service; arg is the server. */
extern const struct rpc_method introspect_methods[];
extern const size_t introspect_methods_n;
/* "io.arnia" of "... interface io.arnia ..."; malloc'ed, NULL when there is none. */
char *introspect_interface_name(const char *text);

#endif
