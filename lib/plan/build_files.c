/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts, hostname and resolv.conf. Every string in them was checked (spec_check), or is a line of the host's
 * file that is checked here. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include "lib/plan/internal.h"

#define NAMESERVERS_MAX 3 /* MAXNS of resolv.conf(5) */
#define LINE_MAX_BYTES 512

/* A mount of the user's takes its place. (One of a folder above it gets it on top.) */
static bool is_replaced(const struct spec *s, const char *path)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (str_eq(path, s->mounts.v[i].target))
			return true;
	return false;
}

static void add_file(const struct plan_input *in, struct plan *p, const char *path, struct strbuf *text)
{
	if (!is_replaced(in->spec, path))
		*arena_push(&p->arena, &p->rootfs.files) = (struct file_item){
			.path = path,
			.data = arena_dup(&p->arena, strbuf_cstr(text), text->len),
			.size = text->len,
			.mode = 0644,
		};
	strbuf_done(text);
}

static void add_hosts(const struct plan_input *in, struct plan *p)
{
	const char *name = p->sandbox.hostname, *dot = strchr(name, '.');
	/* Debian's address for a host that has no other. */
	char addr[INET_ADDRSTRLEN] = "127.0.1.1";
	struct strbuf b = { 0 };

	if (p->net.mode == NET_ROUTED)
		inet_ntop(AF_INET, &p->net.addr, addr, sizeof(addr));
	strbuf_add(&b, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
	strbuf_addf(&b, "%s %s", addr, name);
	if (dot)
		strbuf_addf(&b, " %.*s", (int)(dot - name), name);
	strbuf_addc(&b, '\n');
	add_file(in, p, "/etc/hosts", &b);
}

/* Can a container with this network send to a resolver of the host's file? */
static bool is_reachable(enum net_mode mode, const char *resolver)
{
	struct in_addr a4;
	struct in6_addr a6;

	if (inet_pton(AF_INET, resolver, &a4) == 1)
		return mode == NET_HOST || ntohl(a4.s_addr) >> 24 != IN_LOOPBACKNET;
	return mode == NET_HOST && inet_pton(AF_INET6, resolver, &a6) == 1;
}

struct resolv {
	struct strbuf servers, others;
	size_t n_servers;
};

static void take_line(const struct plan_input *in, struct resolv *r, char *line)
{
	static const char *const kept[] = { "search ", "domain ", "options " };
	char *server;

	for (char *p = line; *p; p++)
		*p = *p == '\t' ? ' ' : *p;
	if (!utf8_valid(line, strlen(line)))
		return;
	for (const char *p = line; *p; p++)
		if (iscntrl((unsigned char)*p))
			return;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (str_starts(line, kept[i]))
			strbuf_addf(&r->others, "%s\n", line);
	if (!str_starts(line, "nameserver ") || in->spec->dns.n)
		return;
	server = line + strlen("nameserver ");
	server += strspn(server, " ");
	server[strcspn(server, " ")] = '\0';
	if (r->n_servers < NAMESERVERS_MAX && is_reachable(in->spec->net, server)) {
		strbuf_addf(&r->servers, "nameserver %s\n", server);
		r->n_servers++;
	}
}

static void read_host_resolv(const struct plan_input *in, struct resolv *r)
{
	const char *text = in->host_resolv ?: "";

	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[LINE_MAX_BYTES];

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			take_line(in, r, line);
		}
		text += n + (text[n] == '\n');
	}
}

static void add_resolv(const struct plan_input *in, struct plan *p)
{
	const struct strv *dns = &in->spec->dns;
	struct resolv r = { 0 };

	if (in->spec->net != NET_NONE)
		read_host_resolv(in, &r);
	for (size_t i = 0; i < dns->n; i++, r.n_servers++)
		strbuf_addf(&r.servers, "nameserver %s\n", dns->v[i]);
	if (!r.n_servers && in->spec->net == NET_NONE)
		strbuf_add(&r.servers, "# no network\n");
	else if (!r.n_servers)
		strbuf_add(&r.servers,
			   "# none: the host has only resolvers that cannot be reached from here\n");
	strbuf_add(&r.servers, strbuf_cstr(&r.others));
	strbuf_done(&r.others);
	add_file(in, p, "/etc/resolv.conf", &r.servers);
}

int plan_add_files(const struct plan_input *in, struct plan *p, struct error *err unused)
{
	struct strbuf name = { 0 };

	add_hosts(in, p);
	strbuf_addf(&name, "%s\n", p->sandbox.hostname);
	add_file(in, p, "/etc/hostname", &name);
	add_resolv(in, p);
	return 0;
}
