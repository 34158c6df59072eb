/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon is told of published ports. */
#include "cmd/arnia-run/run.h"

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
