/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/floor/netlink.h"

static char buffer[65536];
static char *at = buffer;
static struct nlmsghdr *head;

void nl_begin(void)
{
	at = buffer;
}

struct nlmsghdr *nl_head(void)
{
	return head;
}

void nl_message(uint16_t type, uint16_t flags, const void *body, size_t n)
{
	static uint32_t seq;

	head = (void *)at;
	*head = (struct nlmsghdr){
		.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = ++seq};
	at += sizeof(*head);
	memcpy(at, body, n);
	at += NLMSG_ALIGN(n);
}

void nl_end(void)
{
	head->nlmsg_len = (uint32_t)(at - (char *)head);
}

struct nlattr *nl_put(uint16_t type, const void *data, size_t n)
{
	struct nlattr *a = (void *)at;

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	if (n)
		memcpy(a + 1, data, n);
	at += NLA_ALIGN(a->nla_len);
	return a;
}

void nl_nest_end(struct nlattr *a)
{
	a->nla_len = (uint16_t)(at - (char *)a);
}

void nl_put_text(uint16_t type, const char *s)
{
	nl_put(type, s, strlen(s) + 1);
}

void nl_put_u32(uint16_t type, uint32_t v)
{
	nl_put(type, &v, sizeof(v));
}

void nl_put_be32(uint16_t type, uint32_t v)
{
	nl_put_u32(type, htonl(v));
}

void nl_raw(const void *p, size_t n)
{
	memcpy(at, p, n);
	at += NLMSG_ALIGN(n);
}

void nl_send(int fd, const char *what)
{
	char reply[8192];
	struct nlmsghdr *h = (void *)reply;
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (send(fd, buffer, (size_t)(at - buffer), 0) < 0 || recv(fd, reply, sizeof(reply), 0) < 0)
		die(what);
	if (h->nlmsg_type == NLMSG_ERROR && e->error) {
		errno = -e->error;
		die(what);
	}
}

int netlink_open(int protocol)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd < 0 || bind(fd, (void *)&sa, sizeof(sa)))
		die("netlink");
	return fd;
}

int bridge_make(struct floor *f)
{
	struct ifinfomsg link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nlattr *info;

	nl_begin();
	nl_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof(link));
	nl_put_text(IFLA_IFNAME, "flbr0");
	info = nl_put(IFLA_LINKINFO, NULL, 0);
	nl_put_text(IFLA_INFO_KIND, "bridge");
	nl_nest_end(info);
	nl_end();
	nl_send(f->route, "bridge");
	return (int)if_nametoindex("flbr0");
}

void veth_make(struct floor *f, const char *name, int netns, int master)
{
	struct ifinfomsg link = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, other = {0};
	struct nlattr *info, *data, *peer;

	nl_begin();
	nl_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &link, sizeof(link));
	nl_put_text(IFLA_IFNAME, name);
	if (master)
		nl_put_u32(IFLA_MASTER, (uint32_t)master);
	info = nl_put(IFLA_LINKINFO, NULL, 0);
	nl_put_text(IFLA_INFO_KIND, "veth");
	data = nl_put(IFLA_INFO_DATA, NULL, 0);
	peer = nl_put(VETH_INFO_PEER, NULL, 0);
	nl_raw(&other, sizeof(other));
	nl_put_text(IFLA_IFNAME, "eth0");
	nl_put_u32(IFLA_NET_NS_FD, (uint32_t)netns);
	nl_nest_end(peer);
	nl_nest_end(data);
	nl_nest_end(info);
	nl_end();
	nl_send(f->route, "veth");
}

void veth_delete(struct floor *f, const char *name)
{
	struct ifinfomsg link = {0};

	nl_begin();
	nl_message(RTM_DELLINK, NLM_F_ACK, &link, sizeof(link));
	nl_put_text(IFLA_IFNAME, name);
	nl_end();
	nl_send(f->route, "delete veth");
}
