/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include "lib/plan/plan.h"

void plan_element_text(const struct net_port *p, struct in_addr addr, char buf[PLAN_ELEMENT_SIZE])
{
	char own[INET_ADDRSTRLEN], host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &addr, own, sizeof(own));
	if (!p) {
		snprintf(buf, PLAN_ELEMENT_SIZE, "address %s", own);
		return;
	}
	inet_ntop(AF_INET, &p->host_addr, host, sizeof(host));
	snprintf(buf, PLAN_ELEMENT_SIZE, "port %s:%u/%s %s:%u", host, p->host_port,
		 p->proto == IPPROTO_UDP ? "udp" : "tcp", own, p->port);
}
