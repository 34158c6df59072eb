/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What belongs to the description alone: no netlink here, so that it links into programs without libmnl. */
#include <errno.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "netns/net_config.h"

#define PORT_TEXT_MAX 64 /* "255.255.255.255:65535:65535/tcp" is 31 */

static int parse_proto(const char *s, uint8_t *ret)
{
	if (!s || str_eq(s, "tcp"))
		*ret = IPPROTO_TCP;
	else if (str_eq(s, "udp"))
		*ret = IPPROTO_UDP;
	else
		return -EINVAL;
	return 0;
}

/* parse_u16, and one spelling per number: no leading zero. */
static int parse_number(const char *s, uint16_t *ret)
{
	if (s[0] == '0' && s[1])
		return -EINVAL;
	return parse_u16(s, ret) < 0 ? -EINVAL : 0;
}

/* The fields between colons, 1 to 3; cuts `s`. */
static size_t split_fields(char *s, char *field[3])
{
	size_t n = 0;

	for (char *colon; n < 3; s = colon + 1) {
		field[n++] = s;
		colon = strchr(s, ':');
		if (!colon)
			return n;
		*colon = '\0';
	}
	return 0;
}

int net_port_parse(const char *s, struct net_port *ret)
{
	struct net_port p = {.host_addr = {INADDR_ANY}};
	char text[PORT_TEXT_MAX], *field[3], *slash;
	size_t n;

	if (!s || str_copy(text, sizeof(text), s) < 0)
		return -EINVAL;
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (parse_proto(slash, &p.proto) < 0)
		return -EINVAL;
	n = split_fields(text, field);
	if (n == 0 || parse_number(field[n - 1], &p.port) < 0 || p.port == 0)
		return -EINVAL;
	/* Of two fields the first is an address when it has dots: HOSTIP:PORT. */
	if (n == 3 || (n == 2 && strchr(field[0], '.')))
		if (parse_ipv4(field[0], &p.host_addr) < 0)
			return -EINVAL;
	if ((n == 3 || (n == 2 && !strchr(field[0], '.'))) && parse_number(field[n - 2], &p.host_port) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

void net_mac_derive(struct in_addr addr, bool host_side, uint8_t ret[6])
{
	/* Second-lowest bit: locally administered; lowest clear: one station (IEEE 802). */
	ret[0] = host_side ? 0x06 : 0x02;
	ret[1] = 0xa4;
	memcpy(ret + 2, &addr.s_addr, 4);
}
