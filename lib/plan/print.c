/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <linux/sched.h>
#include <string.h>
#include "lib/plan/print.h"
#include "lib/spec/names.h"

void print_text(struct strbuf *out, const char *s)
{
	bool quote = !*s || strpbrk(s, " \"\\");

	if (quote)
		strbuf_addc(out, '"');
	for (size_t n; *s; s += n) {
		n = strcspn(s, "\"\\");
		strbuf_add_escaped(out, s, n);
		if (s[n]) {
			strbuf_addc(out, '\\');
			strbuf_addc(out, s[n++]);
		}
	}
	if (quote)
		strbuf_addc(out, '"');
}

void print_fact(struct strbuf *out, const char *key, const char *value)
{
	if (!value)
		return;
	strbuf_addf(out, "%s ", key);
	print_text(out, value);
	strbuf_addc(out, '\n');
}

void print_list(struct strbuf *out, const char *key, const struct strv *values)
{
	for (size_t i = 0; i < values->n; i++)
		print_fact(out, key, values->v[i]);
}

void print_flags(struct strbuf *out, uint64_t bits, const struct print_flag *names, size_t n)
{
	bool first = true;

	for (size_t i = 0; i < n; i++) {
		if (!(bits & names[i].bit))
			continue;
		strbuf_addf(out, "%s%s", first ? "" : ",", names[i].name);
		bits &= ~names[i].bit;
		first = false;
	}
	if (bits || first)
		strbuf_addf(out, first && !bits ? "-" : "%s%#llx", first ? "" : ",",
			    (unsigned long long)bits);
}

static void print_head(const struct plan *p, struct strbuf *out)
{
	static const char *const kinds[] = {
		[PLAN_START] = "start",
		[PLAN_EXEC] = "exec",
		[PLAN_DESTROY] = "destroy",
		[PLAN_PREPARE] = "prepare",
		[PLAN_HOST_SETUP] = "host-setup",
		[PLAN_HOST_TEARDOWN] = "host-teardown",
		[PLAN_TEMPLATE_BUILD] = "template-build",
		[PLAN_TEMPLATE_REMOVE] = "template-remove",
		[PLAN_EXPLAIN] = "explain",
		[PLAN_PUBLISH] = "publish",
		[PLAN_HOST_CHECK] = "host-check",
		[PLAN_REMOVE] = "remove",
	};

	print_fact(out, "plan", p->kind < ARRAY_SIZE(kinds) && kinds[p->kind] ? kinds[p->kind] : "unknown");
	print_fact(out, "id", p->id);
	print_fact(out, "name", p->name);
	print_fact(out, "exec", p->exec_id);
	print_fact(out, "run", p->run);
	print_fact(out, "state", p->state);
	print_fact(out, "share", p->share);
	print_fact(out, "layers", p->layers_dir);
	print_fact(out, "template", p->template);
	print_fact(out, "branch", p->cgroup_branch);
	if (p->use_cell)
		print_fact(out, "cell", "yes");
	if (p->pool.s_addr) {
		strbuf_add(out, "pool ");
		print_addr(out, p->pool);
		strbuf_addf(out, "/%u\n", p->pool_prefix);
	}
}

void print_addr(struct strbuf *out, struct in_addr addr)
{
	char text[INET_ADDRSTRLEN];

	strbuf_add(out, inet_ntop(AF_INET, &addr, text, sizeof(text)));
}

static void print_limit(struct strbuf *out, const struct cg_limits *l, const struct plan_limit *row)
{
	uint64_t value = *(const uint64_t *)((const char *)l + row->offset);

	if (value == CG_UNSET)
		return;
	strbuf_addf(out, "limit %s ", row->file);
	if (value == CG_MAX)
		strbuf_add(out, "max");
	else
		strbuf_addf(out, "%llu", (unsigned long long)value);
	if (row->knob == CG_CPU_MAX)
		strbuf_addf(out, " %llu", (unsigned long long)l->cpu_period_us);
	strbuf_add(out, l->asked & CG_ASKED(row->knob) ? " asked\n" : "\n");
}

static void print_device_number(struct strbuf *out, int64_t n, char end)
{
	if (n < 0)
		strbuf_addf(out, "*%c", end);
	else
		strbuf_addf(out, "%lld%c", (long long)n, end);
}

static void print_cgroup(const struct plan *p, struct strbuf *out)
{
	const struct cg_config *c = &p->cgroup;

	if (!c->path)
		return;
	print_fact(out, "cgroup", c->path);
	for (size_t i = 0; i < plan_n_limits; i++)
		print_limit(out, &c->limits, &plan_limits[i]);
	if (c->limits.oom_group)
		print_fact(out, "limit", "memory.oom.group");
	for (size_t i = 0; i < c->devices.n; i++) {
		const struct cg_device *d = &c->devices.v[i];

		strbuf_addf(out, "device %s %c ", d->allow ? "allow" : "deny", d->type);
		print_device_number(out, d->major, ':');
		print_device_number(out, d->minor, ' ');
		strbuf_addf(out, "%s%s%s\n", d->access & 1 ? "r" : "", d->access & 2 ? "w" : "",
			    d->access & 4 ? "m" : "");
	}
	if (c->delegate)
		strbuf_addf(out, "delegate %u:%u\n", c->owner_uid, c->owner_gid);
}

static void print_mac(struct strbuf *out, const char *key, const uint8_t mac[6])
{
	static const uint8_t derived[6];

	if (memcmp(mac, derived, sizeof(derived)) != 0)
		strbuf_addf(out, "%s %02x:%02x:%02x:%02x:%02x:%02x\n", key, mac[0], mac[1], mac[2], mac[3],
			    mac[4], mac[5]);
}

static void print_link(const struct net_config *n, struct strbuf *out)
{
	print_fact(out, "link", n->ifname);
	strbuf_addf(out, "link-index %u\nlink-group %u\n", n->ifindex, n->ifgroup);
	print_mac(out, "host-mac", n->host_mac);
	print_mac(out, "mac", n->mac);
	if (n->mtu)
		strbuf_addf(out, "mtu %u\n", n->mtu);
	strbuf_add(out, "address ");
	print_addr(out, n->addr);
	strbuf_add(out, "\ngateway ");
	print_addr(out, n->gateway);
	strbuf_addc(out, '\n');
}

static void print_net(const struct plan *p, struct strbuf *out)
{
	const struct net_config *n = &p->net;

	if (p->kind == PLAN_START || p->kind == PLAN_EXEC || n->mode != NET_NONE)
		print_fact(out, "net", spec_net_name(n->mode));
	print_fact(out, "table", n->table);
	if (n->ifname)
		print_link(n, out);
	for (size_t i = 0; i < n->ports.n; i++) {
		const struct net_port *port = &n->ports.v[i];

		strbuf_addf(out, "port %s ", port->proto == IPPROTO_UDP ? "udp" : "tcp");
		print_addr(out, port->host_addr);
		strbuf_addf(out, ":%u -> %u\n", port->host_port, port->port);
	}
}

static void print_undo(const struct plan *p, struct strbuf *out)
{
	static const char *const names[] = {
		[PLAN_UNDO_CGROUP] = "cgroup",
		[PLAN_UNDO_LAYERS] = "layers",
		[PLAN_UNDO_PUBLISH] = "publish",
		[PLAN_UNDO_LINK] = "link",
	};

	for (size_t i = 0; i < p->undo.n; i++)
		print_fact(out, "undo", p->undo.v[i] < ARRAY_SIZE(names) ? names[p->undo.v[i]] : NULL);
}

void plan_print(const struct plan *p, struct strbuf *out)
{
	static void (*const parts[])(const struct plan *, struct strbuf *) = {
		print_head,	    print_cgroup,	print_net,  plan_print_rootfs,
		plan_print_sandbox, plan_print_process, print_undo,
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		parts[i](p, out);
}
