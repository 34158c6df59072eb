/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/netns/pair.h"
#include "lib/base/fd.h"

const int types[2] = {SOCK_STREAM, SOCK_DGRAM};

void expect_from(const struct sockaddr_in *sa, struct in_addr want)
{
	char got[INET_ADDRSTRLEN], wanted[INET_ADDRSTRLEN];

	assert_string_equal(inet_ntop(AF_INET, &sa->sin_addr, got, sizeof(got)),
			    inet_ntop(AF_INET, &want, wanted, sizeof(wanted)));
}

static const char *addr_of(const struct box *b, char buf[INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &b->c.addr, buf, INET_ADDRSTRLEN);
}

void pair_start(struct pair *p, void **state)
{
	p->w = world_of(state);
	box_init(p->w, &p->a);
	box_init(p->w, &p->b);
	box_port(&p->a, "8080:80/tcp");
	box_port(&p->a, "8080:80/udp");
	box_start(p->w, &p->a);
	box_start(p->w, &p->b);
	for (int i = 0; i < 2; i++)
		p->server[i] = server_in(p->a.netns, types[i], "0.0.0.0", 80);
	addr_of(&p->a, p->a_addr);
	addr_of(&p->b, p->b_addr);
}

void pair_stop(struct pair *p)
{
	fd_close(&p->server[0]);
	fd_close(&p->server[1]);
	box_stop(p->w, &p->a);
	box_stop(p->w, &p->b);
}

int pair_world_setup(void **state)
{
	world_setup(state);
	if (*state)
		world_add_outside(*state);
	return 0;
}
