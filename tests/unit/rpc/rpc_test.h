/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_RPC_TEST_H
#define ARNIA_TESTS_RPC_TEST_H
/* A server on a socket of its own and raw clients, all in one process: the loop is turned until nothing
 * moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include "lib/rpc/rpc.h"

struct rig {
	struct loop *loop;
	struct rpc_server *server;
	char dir[64], path[96];
	/* what the methods saw */
	struct rpc_call *held[64];
	size_t n_held, n_calls, n_gone;
	unsigned rounds;
};
/* Methods: t.Echo (replies its parameters), t.Hold (kept in held), t.Many (three replies with more), t.Fds
 * (gives back what came), t.Fail, t.Open. */
void rig_up(struct rig *g, const struct rpc_limits *limits);
void rig_down(struct rig *g);
void rig_turn(struct rig *g, unsigned ms); /* let the loop run for that long */
int rig_connect(struct rig *g);		   /* non-blocking raw socket */
void rig_say(int s, const char *text);	   /* with its NUL */
/* What came, NULs shown as newlines; "" when nothing; *eof when closed. Static buffer. */
const char *rig_hear(int s, bool *eof);
/* say, turn, hear */
const char *rig_ask(struct rig *g, int s, const char *text);
size_t count_fds(void);
extern const struct rpc_method rig_methods[];
extern const size_t rig_methods_n;

#endif
