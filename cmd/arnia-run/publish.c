/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PLAN_PUBLISH and PLAN_HOST_CHECK; and what the daemon is told of published ports. */
#include <errno.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/mem.h"

bool ports_are_open(const struct net_config *c)
{
	for (size_t i = 0; i < c->ports.n; i++)
		if (!c->ports.v[i].host_port)
			return true;
	return false;
}

void ports_tell(struct job *j)
{
	const struct net_config *c = &j->plan->net;

	for (size_t i = 0; i < c->ports.n; i++)
		strbuf_addf(&j->text, "%s%u", i ? "," : "host_ports=", c->ports.v[i].host_port);
	strbuf_addc(&j->text, '\n');
}

int publish_or_make_table(struct job *j, struct error *err)
{
	struct net_host_config host = net_config_of(j->plan);
	struct error why = { 0 };
	int r = net_publish(worker_net(j->w), &j->plan->net, err);

	/* Somebody flushed the ruleset. The others' elements are for the daemon to have put back. */
	if (r != -ENOENT || !host.pool_prefix || net_host_setup(worker_net(j->w), &host, &why) < 0)
		return r;
	err_clear(err);
	strbuf_add(&j->text, PLAN_TABLE_MADE "\n");
	return net_publish(worker_net(j->w), &j->plan->net, err);
}

int publish_run(struct job *j, struct error *err)
{
	bool open = ports_are_open(&j->plan->net);
	int r = net_republish(worker_net(j->w), &j->plan->net, err);

	if (open && !ports_are_open(&j->plan->net))
		ports_tell(j);
	return r;
}

static void add_element(const struct net_port *p, struct in_addr addr, void *data)
{
	char text[PLAN_ELEMENT_SIZE];

	plan_element_text(p, addr, text);
	strbuf_addf(data, "%s\n", text);
}

static void add_wall(const struct net_wall *w, void *data)
{
	static const char *const owners[] = { [NET_WALL_NFT] = "nft",
					      [NET_WALL_IPTABLES] = "iptables",
					      [NET_WALL_DOCKER] = "docker",
					      [NET_WALL_UFW] = "ufw" };

	strbuf_addf(data, "wall=%s %s %s %s\n", owners[w->owner], w->inet ? "inet" : "ip", w->table, w->chain);
}

int host_check_run(struct job *j, struct error *err)
{
	static const char *const names[] = { [NET_TABLE_OK] = "ok",
					     [NET_TABLE_MISSING] = "missing",
					     [NET_TABLE_DAMAGED] = "damaged",
					     [NET_TABLE_FOREIGN] = "foreign" };
	struct net_host_config host = net_config_of(j->plan);
	enum net_table_is table;
	int r = net_host_look(worker_net(j->w), &host, &table, err);

	if (r < 0)
		return r;
	strbuf_addf(&j->text, "table=%s\n", names[table]);
	r = net_each_wall(worker_net(j->w), &host, j->plan->net.ifname ?: "", add_wall, &j->text, err);
	if (r < 0 || table == NET_TABLE_FOREIGN)
		return r;
	return net_each_element(worker_net(j->w), host.table, add_element, &j->text, err);
}
