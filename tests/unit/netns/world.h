/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H
/*
 * A host, its containers and the outside, as network namespaces of this one test process. Sockets keep the
 * namespace they were made in, so both ends of every exchange are in this process and nothing needs to be
 * awaited but packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdbool.h>
#include "netns/net.h"

#define GATEWAY "169.254.1.1"
#define POOL "10.209.0.0"
#define HOST_ADDR "192.0.2.1" /* of the host on the uplink */
#define OUTSIDE_ADDR "192.0.2.2"
#define TEST_GROUP 0xa400
#define TEST_TABLE "arnia-test"

struct world {
	struct net_sockets s;
	struct net_host_config host;
	int outside; /* network namespace, -1 until world_add_outside */
	unsigned n_boxes;
};
struct box {
	int netns;
	struct net_config c;
	char ifname[16];
	struct net_port ports[8];
};

struct in_addr ip(const char *s);
/* Setup of a test: a fresh network namespace as the host, lo up, net_host_setup done. Without root *state
 * stays NULL. */
int world_setup(void **state);
int world_teardown(void **state);
struct world *world_of(void **state); /* skips the test when not root */

/* A namespace owned by a user namespace of its own, as a container's is. */
int netns_of_container(void);
int netns_plain(void);
/* Config of the next container: address, names, numbers. */
void box_init(struct world *w, struct box *b);
void box_port(struct box *b, const char *spec);
void box_start(struct world *w, struct box *b); /* attach and publish, asserted */
void box_stop(struct world *w, struct box *b);	/* unpublish, drop the namespace */
/* Outside world joined by an uplink: HOST_ADDR on the host, OUTSIDE_ADDR there with its default route through
 * the host. */
void world_add_outside(struct world *w);

/* netns -1 is the host. */
int socket_in(int netns, int domain, int type, int protocol);
/* Bound (and, for TCP, listening) socket. */
int server_in(int netns, int type, const char *addr, uint16_t port);
uint16_t server_port(int fd);
/* A client sends to addr:port, the server answers, the client gets it. false when the request does not arrive
 * within 200 ms; an answer that gets lost is a test failure. ret_from: whom the server saw, may be NULL. */
bool udp_exchange(int client_netns, const char *addr, uint16_t port, int server,
		  struct sockaddr_in *ret_from);
bool tcp_exchange(int client_netns, const char *addr, uint16_t port, int server,
		  struct sockaddr_in *ret_from);
bool exchange(int type, int client_netns, const char *addr, uint16_t port, int server,
	      struct sockaddr_in *ret_from);
/* Hand-made UDP packet in a frame, sent on an interface: nothing of the sender's network stack is asked. */
void send_forged(int netns, const char *ifname, const uint8_t dst_mac[6], const char *from, const char *to,
		 uint16_t dport);
void send_frame(int netns, const char *ifname, const void *frame, size_t n); /* from its Ethernet header on */
uint16_t ip_checksum(const void *header, size_t n);
bool readable(int fd, int ms);

/* `nft -j list ruleset` of the host, without the values of counters. Freed by the caller. */
char *ruleset(void);
/* A named counter of the test table. */
uint64_t counter_packets(const char *name);
void run_program(const char *const argv[], char **ret_output); /* asserted success */

#endif
