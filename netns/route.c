/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "netns/rtnl.h"

static struct nlmsghdr *route_message(struct nl_batch *b, uint8_t prefix, uint8_t scope, const char *what)
{
	struct nlmsghdr *nlh = nl_message(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, what);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(nlh, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = prefix;
	rt->rtm_table = RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_STATIC;
	rt->rtm_scope = scope;
	rt->rtm_type = RTN_UNICAST;
	return nlh;
}

void route_add_host(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, struct in_addr source)
{
	struct nlmsghdr *nlh = route_message(b, 32, RT_SCOPE_LINK, "add route to the container");

	mnl_attr_put_u32(nlh, RTA_DST, addr.s_addr);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	/* The veth has no address, and a host without a network has none the kernel would choose. */
	mnl_attr_put_u32(nlh, RTA_PREFSRC, source.s_addr);
}

void route_add_default(struct nl_batch *b, uint32_t ifindex, struct in_addr gateway)
{
	struct nlmsghdr *nlh = route_message(b, 0, RT_SCOPE_UNIVERSE, "add default route");
	struct rtmsg *rt = mnl_nlmsg_get_payload(nlh);

	rt->rtm_flags = RTNH_F_ONLINK;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway.s_addr);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
}

void neigh_add(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, const uint8_t mac[6])
{
	struct nlmsghdr *nlh = nl_message(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "add neighbour");
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(nlh, sizeof(*nd));

	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = (int)ifindex;
	nd->ndm_state = NUD_PERMANENT;
	mnl_attr_put_u32(nlh, NDA_DST, addr.s_addr);
	mnl_attr_put(nlh, NDA_LLADDR, 6, mac);
}
