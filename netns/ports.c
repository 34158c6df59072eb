/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include "lib/base/fd.h"
#include "netns/nft.h"
#include "netns/ports.h"

#define CHOOSE_FIRST 32768
#define CHOOSE_LAST 60999
#define CHOOSE_TRIES 256

void port_text(const struct net_port *p, char buf[PORT_TEXT_SIZE])
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &p->host_addr, addr, sizeof(addr));
	snprintf(buf, PORT_TEXT_SIZE, "%s:%u/%s", addr, p->host_port,
		 p->proto == IPPROTO_UDP ? "udp" : "tcp");
}

/* Bind and close: without SO_REUSEADDR any socket that holds the port refuses it. */
static int try_bind(const struct net_port *p)
{
	auto_fd int fd =
		socket(AF_INET, (p->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons(p->host_port),
		.sin_addr = p->host_addr,
	};

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return 0;
}

int port_check_host(const struct net_port *p, struct error *err)
{
	char text[PORT_TEXT_SIZE];
	int r = try_bind(p);

	if (r == 0)
		return 0;
	port_text(p, text);
	if (r == -EADDRINUSE) {
		err_set_kind(err, r, ERR_STATE, "port %s is already in use", text);
		err_hint(err, "a program on the host has it: ss -%slnp 'sport = :%u'",
			 p->proto == IPPROTO_UDP ? "u" : "t", p->host_port);
	} else if (r == -EADDRNOTAVAIL) {
		err_set(err, r, "port %s: the host has no such address", text);
		err_hint(err,
			 "ip -4 address lists the host's addresses; without one, every address is meant");
	} else {
		err_sys(err, r, "port %s", text);
	}
	return r;
}

int port_taken(const struct net_port *p, struct error *err)
{
	char text[PORT_TEXT_SIZE];

	port_text(p, text);
	err_set_kind(err, -EEXIST, ERR_STATE, "port %s is already in use", text);
	err_hint(err, "another container has published it");
	return -EEXIST;
}

static bool is_any(const struct net_port *p)
{
	return p->host_addr.s_addr == htonl(INADDR_ANY);
}

/* Against the keys of the map of single addresses. */
struct overlap {
	const struct net_port *p;
	size_t n;
	const struct net_port *hit;
};

static int compare_key(const struct nft_found *f, void *data)
{
	struct overlap *o = data;

	for (size_t i = 0; i < o->n; i++) {
		uint16_t port = htons(o->p[i].host_port);

		if (is_any(&o->p[i]) && f->key_len >= 10 && f->key[0] == o->p[i].proto &&
		    memcmp(f->key + 8, &port, sizeof(port)) == 0)
			o->hit = &o->p[i];
	}
	return 0;
}

/* Ports on every address against the published single addresses. That map is empty or small: it is for the
 * unusual case. */
static int check_any(int fd, const char *table, const struct net_port *p, size_t n, struct error *err)
{
	struct overlap o = {.p = p, .n = n};
	int r = -EAGAIN;

	for (size_t i = 0; i < n; i++)
		if (is_any(&p[i]))
			goto found;
	return 0;
found:
	for (int tries = 0; r == -EAGAIN && tries < 8; tries++)
		r = nft_dump_elems(fd, table, NFT_MAP_PORTS, compare_key, &o, err);
	if (r < 0)
		return r;
	return o.hit ? port_taken(o.hit, err) : 0;
}

/* Ports on single addresses against those published on every address. */
static int check_single(int fd, const char *table, const struct net_port *p, size_t n, struct error *err)
{
	auto_free struct nft_elem *e = mem_alloc_n(n, sizeof(*e));
	auto_free bool *present = mem_alloc_n(n, sizeof(*present));
	auto_free const struct net_port **of = mem_alloc_n(n, sizeof(*of));
	size_t asked = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		struct net_port any = p[i];

		if (is_any(&any))
			continue;
		any.host_addr.s_addr = htonl(INADDR_ANY);
		of[asked] = &p[i];
		e[asked++] = nft_elem_port(&any, (struct in_addr){0});
	}
	r = nft_get_elems(fd, table, e, asked, present, NULL, err);
	for (size_t i = 0; r == 0 && i < asked; i++)
		if (present[i])
			r = port_taken(of[i], err);
	return r;
}

int port_check_overlap(int fd, const char *table, const struct net_port *p, size_t n, struct error *err)
{
	int r = check_any(fd, table, p, n, err);

	return r < 0 ? r : check_single(fd, table, p, n, err);
}

static bool among(const struct net_port *p, const struct net_port *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (others[i].proto == p->proto && others[i].host_port == p->host_port)
			return true;
	return false;
}

/* Published already, on this address or an overlapping one: 1, 0, or an error. */
static int is_published(int fd, const char *table, const struct net_port *p, struct error *err)
{
	struct nft_elem e = nft_elem_port(p, (struct in_addr){0});
	bool present;
	int r = nft_get_elems(fd, table, &e, 1, &present, NULL, err);

	if (r == 0 && !present)
		r = port_check_overlap(fd, table, p, 1, err);
	if (r == -EEXIST) {
		err_clear(err);
		return 1;
	}
	return r < 0 ? r : present;
}

int port_choose(int fd, const char *table, struct net_port *p, const struct net_port *others, size_t n_others,
		struct error *err)
{
	struct net_port try = *p;

	for (int i = 0; i < CHOOSE_TRIES; i++) {
		uint16_t random;
		int r;

		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return err_sys(err, -errno, "choose a port");
		try.host_port = (uint16_t)(CHOOSE_FIRST + random % (CHOOSE_LAST - CHOOSE_FIRST + 1));
		if (among(&try, others, n_others) || try_bind(&try) == -EADDRINUSE)
			continue;
		r = is_published(fd, table, &try, err);
		if (r < 0)
			return r;
		if (r == 0) {
			p->host_port = try.host_port;
			return 0;
		}
	}
	return err_set_kind(err, -EADDRINUSE, ERR_STATE, "no free host port between %d and %d", CHOOSE_FIRST,
			    CHOOSE_LAST);
}
