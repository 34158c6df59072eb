/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Published ports as text. What is taken must be a port, and be taken again when written out. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "netns/net_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int truth)
{
	if (!truth)
		abort();
}

static void check(const char *text)
{
	struct net_port p, again, untouched;
	char addr[INET_ADDRSTRLEN], out[64];

	memset(&p, 0xa5, sizeof(p));
	untouched = p;
	if (net_port_parse(text, &p) < 0) {
		expect(memcmp(&p, &untouched, sizeof(p)) == 0);
		return;
	}
	expect(p.port != 0);
	expect(p.proto == IPPROTO_TCP || p.proto == IPPROTO_UDP);
	inet_ntop(AF_INET, &p.host_addr, addr, sizeof(addr));
	snprintf(out, sizeof(out), "%s:%u:%u/%s", addr, p.host_port, p.port,
		 p.proto == IPPROTO_UDP ? "udp" : "tcp");
	expect(net_port_parse(out, &again) == 0);
	expect(again.proto == p.proto && again.host_addr.s_addr == p.host_addr.s_addr);
	expect(again.host_port == p.host_port && again.port == p.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as large as the text: reading past its end is seen. */
	char *text = malloc(size + 1);

	expect(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	check(text);
	free(text);
	return 0;
}
