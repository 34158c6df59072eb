/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules for the network: ports, host name, resolvers, and sysctls, most of which are its own. */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include "lib/spec/internal.h"

#define PORTS_MAX 1024
#define DNS_MAX 3	/* MAXNS of resolv.conf(5): more would be ignored in silence */
#define HOSTNAME_MAX 64 /* __NEW_UTS_LEN */
#define SYSCTLS_MAX 256
#define SYSCTL_NAME_MAX 128
#define SYSCTL_VALUE_MAX 4000 /* below the page that proc_sys_write takes */

/* Both want one port of one host address. Port 0 is chosen at start and never meets another. */
static bool ports_clash(const struct net_port *a, const struct net_port *b)
{
	return a->proto == b->proto && a->host_port && a->host_port == b->host_port &&
	       (a->host_addr.s_addr == b->host_addr.s_addr || a->host_addr.s_addr == htonl(INADDR_ANY) ||
		b->host_addr.s_addr == htonl(INADDR_ANY));
}

static void check_ports(struct spec_check *c, const struct spec *s)
{
	if (s->ports.n > PORTS_MAX) {
		spec_violation(c, "ports: more than %d", PORTS_MAX);
		return;
	}
	if (s->ports.n && s->net != NET_ROUTED)
		spec_violation(c, "ports: only network routed has published ports, not %s",
			       spec_net_name(s->net));
	for (size_t i = 0; i < s->ports.n; i++) {
		const struct net_port *p = &s->ports.v[i];

		if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_UDP)
			spec_violation(c, "ports[%zu].protocol: expected tcp or udp", i);
		if (!p->port)
			spec_violation(c, "ports[%zu].port: expected 1..65535", i);
		for (size_t k = 0; k < i; k++)
			if (ports_clash(p, &s->ports.v[k]))
				spec_violation(c, "ports[%zu].hostPort: %u is there twice", i, p->host_port);
	}
}

/* RFC 1123, 2.1: labels of letters, digits and '-', which is not at an end. */
static bool hostname_is_valid(const char *s)
{
	size_t n = strnlen(s, HOSTNAME_MAX + 1), label = 0;

	if (!n || n > HOSTNAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool edge = label == 0 || i + 1 == n || s[i + 1] == '.';

		if (s[i] == '.' ? label == 0 || i + 1 == n
				: !isalnum((unsigned char)s[i]) && (s[i] != '-' || edge))
			return false;
		label = s[i] == '.' ? 0 : label + 1;
	}
	return true;
}

void spec_check_network(struct spec_check *c, const struct spec *s)
{
	unsigned char addr[sizeof(struct in6_addr)];

	check_ports(c, s);
	if (s->hostname && !hostname_is_valid(s->hostname))
		spec_violation(c, "hostname: \"%.40s\" is no host name", s->hostname);
	if (s->dns.n > DNS_MAX)
		spec_violation(c, "dns: more than %d", DNS_MAX);
	for (size_t i = 0; i < s->dns.n; i++)
		if (inet_pton(AF_INET, s->dns.v[i], addr) != 1 && inet_pton(AF_INET6, s->dns.v[i], addr) != 1)
			spec_violation(c, "dns[%zu]: \"%.40s\" is no address", i, s->dns.v[i]);
}

/* Letters, digits, "_" and "-" in components divided by dots. With "/" a name could be read in two ways. */
static bool sysctl_name_is_normal(const char *s)
{
	size_t n = strnlen(s, SYSCTL_NAME_MAX + 1);

	if (!n || n > SYSCTL_NAME_MAX || s[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' ? i == 0 || s[i - 1] == '.'
				: !isalnum((unsigned char)s[i]) && !strchr("_-", s[i]))
			return false;
	return true;
}

/* The kernel's namespaced ones; every other would change the host (namespaces(7)). */
static bool sysctl_is_namespaced(const char *s)
{
	static const char *const names[] = {
		"kernel.domainname", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",		 "kernel.sem",
		"kernel.shmall",     "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(s, names[i]))
			return true;
	return str_starts(s, "fs.mqueue.") || str_starts(s, "net.");
}

void spec_check_sysctls(struct spec_check *c, const struct spec *s)
{
	if (s->sysctls.n > SYSCTLS_MAX)
		spec_violation(c, "sysctls: more than %d", SYSCTLS_MAX);
	for (size_t i = 0; i < s->sysctls.n; i++) {
		const struct sandbox_sysctl *ctl = &s->sysctls.v[i];

		if (!sysctl_name_is_normal(ctl->name))
			spec_violation(c, "sysctls: \"%.60s\" is no name (write net.ipv4.ip_forward)",
				       ctl->name);
		else if (!sysctl_is_namespaced(ctl->name))
			spec_violation(c, "sysctls.%s: belongs to the host, not to one container", ctl->name);
		else if (str_starts(ctl->name, "net.") && s->net == NET_HOST)
			spec_violation(c, "sysctls.%s: the network is the host's", ctl->name);
		else if (strlen(ctl->value) > SYSCTL_VALUE_MAX || !spec_text_is_clean(ctl->value))
			spec_violation(c, "sysctls.%s: control characters, or longer than %d bytes",
				       ctl->name, SYSCTL_VALUE_MAX);
	}
}
