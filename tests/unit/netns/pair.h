/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H
/* Two containers; the first publishes 8080 on every address for its port 80, both protocols. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <sys/socket.h>

extern const int types[2]; /* SOCK_STREAM, SOCK_DGRAM */

struct pair {
	struct world *w;
	struct box a, b;
	int server[2]; /* in a, port 80, by index of `types` */
	char a_addr[INET_ADDRSTRLEN], b_addr[INET_ADDRSTRLEN];
};
int pair_world_setup(void **state);	       /* world_setup and, as root, the outside */
void pair_start(struct pair *p, void **state); /* skips the test when not root */
void pair_stop(struct pair *p);
void expect_from(const struct sockaddr_in *sa, struct in_addr want);

#endif
