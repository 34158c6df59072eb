/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/rpc/server.h"

#define NESTED_MAX 32768 /* arrays and objects in a request: 26 MB */

static void call_free(struct rpc_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else if (call->server)
		call->server->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	wire_msg_close_fds(&call->wire);
	json_unref(call->msg);
	free(call);
}

/* The call is over: its connection takes the next request. */
static void call_end(struct rpc_call *call)
{
	struct conn *c = call->conn;

	call_free(call);
	if (c)
		conn_call_done(c);
}

void call_client_gone(struct rpc_call *call)
{
	call->conn = NULL;
	/* A oneway request is done whoever listens, and without a handler someone may still hold the call. */
	if (call->oneway || !call->gone)
		return;
	call->gone(call, call->gone_arg);
	call_free(call);
}

static void send_object(struct rpc_call *call, json *msg, const int *fds, size_t nfds)
{
	auto_json json *m = msg;

	if (call->conn && !call->oneway)
		conn_send(call->conn, json_text(m, false), fds, nfds);
}

static json *reply_object(json *out)
{
	json *m = json_new_obj();

	json_add(m, "parameters", out ? out : json_new_obj());
	return m;
}

void rpc_reply(struct rpc_call *c, json *out)
{
	rpc_reply_fds(c, out, NULL, 0);
}

void rpc_reply_fds(struct rpc_call *c, json *out, const int *fds, size_t nfds)
{
	send_object(c, reply_object(out), fds, nfds);
	call_end(c);
}

void rpc_reply_more(struct rpc_call *c, json *out)
{
	json *m = reply_object(out);

	if (!rpc_wants_more(c)) {
		json_unref(m);
		return;
	}
	json_add_bool(m, "continues", true);
	send_object(c, m, NULL, 0);
}

static void fail_named(struct rpc_call *c, const char *name, json *params)
{
	json *m = json_new_obj();

	json_add_str(m, "error", name);
	json_add(m, "parameters", params);
	send_object(c, m, NULL, 0);
	call_end(c);
}

void rpc_fail(struct rpc_call *c, const struct error *err)
{
	struct error e = *err;
	json *p = json_new_obj();

	err_sanitize(&e);
	json_add_str(p, "text", e.text);
	if (e.hint[0])
		json_add_str(p, "hint", e.hint);
	if (e.code < 0)
		json_add_i64(p, "errno", -(int64_t)e.code);
	fail_named(c, rpc_error_name(e.kind), p);
}

void rpc_on_gone(struct rpc_call *c, void (*fn)(struct rpc_call *c, void *arg), void *arg)
{
	c->gone = fn;
	c->gone_arg = arg;
}

const json *rpc_params(const struct rpc_call *c)
{
	return c->params;
}

bool rpc_wants_more(const struct rpc_call *c)
{
	return c->more && !c->oneway;
}

bool rpc_is_oneway(const struct rpc_call *c)
{
	return c->oneway;
}

int rpc_take_fd(struct rpc_call *c, size_t i)
{
	return i < c->wire.nfds ? fd_steal(&c->wire.fds[i]) : -1;
}

const struct sock_peer *rpc_peer(const struct rpc_call *c)
{
	return &c->peer;
}

void *rpc_arg(const struct rpc_call *c)
{
	return c->server ? c->server->arg : NULL;
}

void call_fail_member(struct rpc_call *c, const char *name, const char *key, const char *value)
{
	json *p = json_new_obj();

	json_add_str(p, key, value);
	fail_named(c, name, p);
}

static const struct rpc_method *find_in(const struct rpc_method *m, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(m[i].name, name))
			return &m[i];
	return NULL;
}

static bool known_interface(const struct rpc_server *s, const char *interface)
{
	auto_free char *ours = introspect_interface_name(s->text);

	return str_eq(interface, ours) || str_eq(interface, "org.varlink.service");
}

static void fail_unknown(struct rpc_call *c, const char *method)
{
	const char *dot = strrchr(method, '.');
	auto_free char *interface = str_dup_n(method, dot ? (size_t)(dot - method) : 0);

	if (!dot)
		call_fail_member(c, "org.varlink.service.InvalidParameter", "parameter", "method");
	else if (known_interface(c->server, interface))
		call_fail_member(c, "org.varlink.service.MethodNotFound", "method", method);
	else
		call_fail_member(c, "org.varlink.service.InterfaceNotFound", "interface", interface);
}

static void fail_not_permitted(struct rpc_call *c)
{
	struct error err;

	err_set_kind(&err, -EPERM, ERR_PERM, "not permitted for uid %u", (unsigned)c->peer.uid);
	err_hint(&err, "be root, or a member of the group that this daemon serves");
	rpc_fail(c, &err);
}

static void call_run(struct rpc_call *call, const char *method, bool trusted)
{
	struct rpc_server *s = call->server;
	const struct rpc_method *m = find_in(s->methods, s->n_methods, method);

	if (m && !m->open && !trusted)
		fail_not_permitted(call);
	else if (m)
		m->fn(call, s->arg);
	else if ((m = find_in(introspect_methods, introspect_methods_n, method)))
		m->fn(call, s);
	else
		fail_unknown(call, method);
}

/* Take the request's members; the name of the wrong one, or NULL. */
static const char *call_decode(struct rpc_call *call, const char **ret_method)
{
	bool upgrade = false;

	if (json_kind_of(call->msg) != JSON_OBJECT)
		return "";
	if (json_get_bool(call->msg, "oneway", &call->oneway, NULL) < 0)
		return "oneway";
	if (json_get_bool(call->msg, "more", &call->more, NULL) < 0)
		return "more";
	if (json_get_bool(call->msg, "upgrade", &upgrade, NULL) < 0 || upgrade)
		return "upgrade";
	if (json_get_obj(call->msg, "parameters", &call->params, NULL) < 0)
		return "parameters";
	if (json_get_str(call->msg, "method", ret_method, NULL) <= 0)
		return "method";
	return NULL;
}

static struct rpc_call *call_new(struct conn *c, struct wire_msg *m)
{
	struct rpc_call *call = mem_alloc(sizeof(*call));

	call->server = c->server;
	call->conn = c;
	call->peer = c->peer;
	call->wire = *m;
	call->next = c->server->calls;
	if (call->next)
		call->next->prev = call;
	c->server->calls = call;
	c->call = call;
	return call;
}

/* What is answered later, perhaps much later, does not keep its request: that may be large in memory. */
static void call_drop_request(struct rpc_call *call)
{
	json_unref(call->msg);
	call->msg = json_new_obj();
	call->params = call->msg;
}

void call_dispatch(struct conn *c, struct wire_msg *m)
{
	struct rpc_call *call = call_new(c, m);
	const char *method = NULL, *wrong;

	call->msg = json_parse_bounded(m->text, m->len, NESTED_MAX, NULL);
	wrong = call_decode(call, &method);
	/* Parameters are always an object to the methods. */
	if (!wrong && !call->params) {
		json *empty = json_new_obj();

		json_add(call->msg, "parameters", empty);
		call->params = empty;
	}
	if (!wrong) {
		call_run(call, method, c->trusted);
		if (c->call == call) /* else it is gone */
			call_drop_request(call);
		return;
	}
	/* Who does not speak the protocol is told so once. */
	if (!*wrong)
		c->closing = true;
	call_fail_member(call, "org.varlink.service.InvalidParameter", "parameter", wrong);
}
