/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include "netns/rtnl.h"

static void addr_message(struct nl_batch *b, uint16_t type, uint16_t flags, uint32_t ifindex,
			 struct in_addr addr, uint8_t scope)
{
	struct nlmsghdr *nlh =
		nl_message(b, type, flags, type == RTM_NEWADDR ? "add address" : "delete address");
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 32;
	ifa->ifa_scope = scope;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr.s_addr);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, addr.s_addr);
}

void addr_add(struct nl_batch *b, uint32_t ifindex, struct in_addr addr, uint8_t scope)
{
	addr_message(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, addr, scope);
}

void addr_del(struct nl_batch *b, uint32_t ifindex, struct in_addr addr)
{
	addr_message(b, RTM_DELADDR, 0, ifindex, addr, RT_SCOPE_UNIVERSE);
}
