/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ARNIA_RPC_H
#define ARNIA_RPC_H
/*
 * varlink (varlink.org: JSON objects ended by NUL over a unix stream socket; "more"/"continues"; descriptors by SCM_RIGHTS come with the
 * message's first byte). Server on lib/base/loop.h, blocking client.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/base/loop.h"
#include "lib/base/sock.h"

/* Bytes of one request: room for a command and environment of 1 MiB and a seccomp profile of 1 MiB, as JSON. */
#define RPC_REQUEST_MAX (4u << 20)

/* ---- server ---- */
struct rpc_server;
struct rpc_call; /* one request; lives until its final reply or until the client is gone */
typedef void (*rpc_fn)(struct rpc_call *call, void *arg);
struct rpc_method {
	const char *name; /* "io.arnia.List" */
	rpc_fn fn;
	bool open; /* allowed to any peer that may connect; else root and the instance's group only */
};
struct rpc_limits {
	size_t max_connections; /* over it: the oldest idle connection is closed; 0 = 256 */
	size_t max_request; /* bytes of one message; 0 = RPC_REQUEST_MAX */
	size_t max_queued; /* bytes waiting for a slow reader before it is dropped; 0 = 4 MiB */
	uint64_t request_ms; /* a message begun must be complete by then; 0 = 10 s */
	gid_t group; /* its members may call every method, as root and the daemon's own uid may; 0 = nobody else */
};
/* The text of arnia.varlink, as it was when this was built. */
extern const char rpc_interface_text[];
/* Hold a .varlink text against the language, and against the methods a server offers: each described, each described one offered.
 * -EINVAL with the line, or the name. */
int rpc_interface_check(const char *text, const struct rpc_method *methods, size_t n, struct error *err);
/* `listen_fd` is taken. `interface_text` is the .varlink file (org.varlink.service GetInfo and GetInterfaceDescription are answered from it). */
struct rpc_server *rpc_server_new(struct loop *l, int listen_fd, const struct rpc_method *methods, size_t n, const char *interface_text,
				  const struct rpc_limits *limits, void *arg);
void rpc_server_free(struct rpc_server *s);
int rpc_server_fd(const struct rpc_server *s);

const json *rpc_params(const struct rpc_call *c); /* object, never NULL; empty once the method has returned */
bool rpc_wants_more(const struct rpc_call *c);
bool rpc_is_oneway(const struct rpc_call *c);
int rpc_take_fd(struct rpc_call *c, size_t i); /* -1 when absent */
const struct sock_peer *rpc_peer(const struct rpc_call *c);
void *rpc_arg(const struct rpc_call *c);
/* Final reply; `out` is consumed (NULL = {}); the call is gone afterwards. */
void rpc_reply(struct rpc_call *c, json *out);
void rpc_reply_fds(struct rpc_call *c, json *out, const int *fds, size_t nfds); /* fds are duplicated */
/* "continues": true; only when rpc_wants_more. The call stays. */
void rpc_reply_more(struct rpc_call *c, json *out);
/* Final error reply: err->kind -> io.arnia.NotFound etc. with {text, hint, errno}. */
void rpc_fail(struct rpc_call *c, const struct error *err);
/* Called when the client goes away before the final reply; afterwards the call is gone. At most one; NULL clears. */
void rpc_on_gone(struct rpc_call *c, void (*fn)(struct rpc_call *c, void *arg), void *arg);

/* ---- client ---- */
struct rpc_client;
int rpc_client_open(const char *path, struct rpc_client **ret, struct error *err); /* kind UNREACHABLE */
void rpc_client_free(struct rpc_client *c);
int rpc_client_fd(const struct rpc_client *c); /* to poll beside others; readable = rpc_client_next will not block long */
bool rpc_client_pending(const struct rpc_client *c); /* a whole reply is already read: poll would not tell */
/* Send a request. */
int rpc_client_send(struct rpc_client *c, const char *method, json *params /* consumed */, bool more, const int *fds, size_t nfds, struct error *err);
/* Next reply: 1 and *ret (a "continues" reply sets *more), an error reply as negative code with err filled (kind from its name), -ECONNRESET (kind
 * UNREACHABLE) when the daemon went away, -ECONNREFUSED (the same kind) when it has left the first request unread for 10 s. Descriptors that
 * came: rpc_client_take_fd. timeout_ms < 0 = none; -ETIMEDOUT. */
int rpc_client_next(struct rpc_client *c, json **ret, bool *more, int timeout_ms, struct error *err);
int rpc_client_take_fd(struct rpc_client *c, size_t i);
/* send + next for one reply. */
int rpc_client_call(struct rpc_client *c, const char *method, json *params, json **ret, struct error *err);

/* Error kinds on the wire. */
const char *rpc_error_name(enum err_kind kind); /* "io.arnia.NotFound" */
enum err_kind rpc_error_kind(const char *name);

#endif
