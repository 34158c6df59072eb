/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages as bytes, and how answers are taken. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include "lib/base/fd.h"
#include "netns/nft.h"
#include "netns/rtnl.h"

static const struct nlmsghdr *message(const struct nl_batch *b, size_t i)
{
	return (const struct nlmsghdr *)(b->buf + b->msg[i].at);
}

static const struct nlattr *attr(const struct nlmsghdr *nlh, size_t skip, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, skip) if (mnl_attr_get_type(a) == type) return a;
	fail_msg("no attribute %u", type);
	return NULL;
}

static const struct nlattr *nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest) if (mnl_attr_get_type(a) == type) return a;
	fail_msg("no nested attribute %u", type);
	return NULL;
}

/* More messages than the first buffer holds; each stays where its number says. */
static void test_batch_grows(void **state)
{
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		struct nlmsghdr *nlh = nl_message(&b, RTM_NEWLINK, NLM_F_CREATE, "x");

		mnl_attr_put_u32(nlh, 7, i);
		mnl_attr_put(nlh, 8, i % 5, "abcd");
	}
	assert_int_equal(b.n, 500);
	for (uint32_t i = 0; i < 500; i++) {
		const struct nlmsghdr *nlh = message(&b, i);

		assert_int_equal(b.msg[i].at % NLMSG_ALIGNTO, 0);
		assert_int_equal(nlh->nlmsg_seq, b.seq + i);
		assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
		assert_int_equal(mnl_attr_get_u32(attr(nlh, 0, 7)), i);
		assert_int_equal(mnl_attr_get_payload_len(attr(nlh, 0, 8)), i % 5);
	}
}

static void test_port_element_bytes(void **state)
{
	static const uint8_t key[] = {17, 0, 0, 0, 192, 0, 2, 1, 0x1f, 0x90, 0, 0};
	static const uint8_t data[] = {10, 209, 0, 2, 0, 80, 0, 0};
	static const uint8_t key_any[] = {6, 0, 0, 0, 0x1f, 0x90, 0, 0};
	struct net_port p = {
		.proto = IPPROTO_UDP, .host_addr = ip("192.0.2.1"), .host_port = 8080, .port = 80};
	struct nft_elem e = nft_elem_port(&p, ip("10.209.0.2"));

	(void)state;
	assert_string_equal(e.set, "ports");
	assert_int_equal(e.key_len, sizeof(key));
	assert_memory_equal(e.key, key, sizeof(key));
	assert_int_equal(e.data_len, sizeof(data));
	assert_memory_equal(e.data, data, sizeof(data));
	p.proto = IPPROTO_TCP;
	p.host_addr.s_addr = INADDR_ANY;
	e = nft_elem_port(&p, ip("10.209.0.2"));
	assert_string_equal(e.set, "ports_any");
	assert_int_equal(e.key_len, sizeof(key_any));
	assert_memory_equal(e.key, key_any, sizeof(key_any));
}

static void test_address_element_bytes(void **state)
{
	struct nft_elem e = nft_elem_addr(0x10000001, ip("10.209.0.2"));
	uint32_t index;

	(void)state;
	assert_string_equal(e.set, "addrs");
	assert_int_equal(e.key_len, 8);
	assert_int_equal(e.data_len, 0);
	memcpy(&index, e.key, 4);
	assert_int_equal(index, 0x10000001);
	assert_memory_equal(e.key + 4, ((uint8_t[]){10, 209, 0, 2}), 4);
}

static void test_element_message(void **state)
{
	struct net_port p = {.proto = IPPROTO_TCP, .host_port = 8080, .port = 80};
	struct nft_elem e = nft_elem_port(&p, ip("10.209.0.2"));
	const struct nlattr *elem, *key, *data;
	const struct nlmsghdr *nlh;
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	nl_nft_begin(&b, 77);
	nft_put_elem(&b, "t", NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, &e, "x");
	nl_nft_end(&b);
	assert_int_equal(b.n, 3);
	nlh = message(&b, 0);
	assert_int_equal(nlh->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
	assert_int_equal(ntohs(((struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->res_id),
			 NFNL_SUBSYS_NFTABLES);
	assert_int_equal(ntohl(mnl_attr_get_u32(attr(nlh, sizeof(struct nfgenmsg), NFNL_BATCH_GENID))), 77);
	assert_int_equal(message(&b, 2)->nlmsg_type, NFNL_MSG_BATCH_END);
	nlh = message(&b, 1);
	assert_int_equal(nlh->nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	assert_string_equal(mnl_attr_get_str(attr(nlh, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_TABLE)),
			    "t");
	assert_string_equal(mnl_attr_get_str(attr(nlh, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_SET)),
			    "ports_any");
	elem = nested(attr(nlh, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
	key = nested(nested(elem, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	data = nested(nested(elem, NFTA_SET_ELEM_DATA), NFTA_DATA_VALUE);
	assert_int_equal(mnl_attr_get_payload_len(key), 8);
	assert_memory_equal(mnl_attr_get_payload(key), e.key, 8);
	assert_int_equal(mnl_attr_get_payload_len(data), 8);
	assert_memory_equal(mnl_attr_get_payload(data), e.data, 8);
}

static void test_veth_message(void **state)
{
	struct net_config c = {
		.ifname = "an0test",
		.ifindex = 77,
		.ifgroup = 5,
		.mtu = 1400,
		.host_mac = {6, 1, 2, 3, 4, 5},
		.mac = {2, 1, 2, 3, 4, 5},
	};
	const struct nlattr *info, *peer, *inside;
	const struct ifinfomsg *ifi;
	const struct nlmsghdr *nlh;
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	link_add_veth(&b, &c, 42, 2);
	nlh = message(&b, 0);
	ifi = mnl_nlmsg_get_payload(nlh);
	assert_int_equal(nlh->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	assert_int_equal(ifi->ifi_index, 77);
	assert_int_equal(ifi->ifi_flags, 0);
	assert_string_equal(mnl_attr_get_str(attr(nlh, sizeof(*ifi), IFLA_IFNAME)), "an0test");
	assert_int_equal(mnl_attr_get_u32(attr(nlh, sizeof(*ifi), IFLA_GROUP)), 5);
	assert_int_equal(mnl_attr_get_u32(attr(nlh, sizeof(*ifi), IFLA_MTU)), 1400);
	assert_memory_equal(mnl_attr_get_payload(attr(nlh, sizeof(*ifi), IFLA_ADDRESS)), c.host_mac, 6);
	info = attr(nlh, sizeof(*ifi), IFLA_LINKINFO);
	assert_string_equal(mnl_attr_get_str(nested(info, IFLA_INFO_KIND)), "veth");
	peer = nested(nested(info, IFLA_INFO_DATA), VETH_INFO_PEER);
	ifi = mnl_attr_get_payload(peer);
	assert_int_equal(ifi->ifi_index, 2);
	/* The kernel refuses a peer that is up before its other end is. */
	assert_int_equal(ifi->ifi_flags, 0);
	inside = (const struct nlattr *)((const char *)ifi + MNL_ALIGN(sizeof(*ifi)));
	assert_int_equal(mnl_attr_get_type(inside), IFLA_IFNAME);
	assert_string_equal(mnl_attr_get_str(inside), "eth0");
}

static void get_link(struct nl_batch *b, int index)
{
	struct nlmsghdr *nlh = nl_message(b, RTM_GETLINK, 0, index == 1 ? "look at lo" : "look at nothing");
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = index;
}

static int mark_index(const struct nlmsghdr *nlh, size_t index, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWLINK)
		((unsigned *)data)[index]++;
	return 0;
}

/* Every message of a batch has its own result, whatever the others' is. */
static void test_answers_by_message(void **state)
{
	auto_fd int fd = nl_socket(NETLINK_ROUTE, NULL);
	unsigned seen[4] = {0};
	struct error err = {0};
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	assert_true(fd >= 0);
	get_link(&b, 1);
	get_link(&b, 0x7ffffff0);
	get_link(&b, 1);
	get_link(&b, 0x7ffffff1);
	assert_int_equal(nl_run(fd, &b, mark_index, seen, &err), -ENODEV);
	assert_int_equal(b.failed, 1);
	assert_memory_equal(seen, ((unsigned[]){1, 0, 1, 0}), sizeof(seen));
	assert_int_equal(strncmp(err.text, "look at nothing: No such device", 31), 0);
}

static void test_ignored_error(void **state)
{
	auto_fd int fd = nl_socket(NETLINK_ROUTE, NULL);
	struct error err = {0};
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	b.ignore = -ENODEV;
	get_link(&b, 0x7ffffff0);
	get_link(&b, 1);
	get_link(&b, 0x7ffffff0);
	assert_int_equal(nl_run(fd, &b, NULL, NULL, &err), 0);
	assert_int_equal(b.failed, -1);
	assert_int_equal(err.code, 0);
}

/* Answers nobody read do not reach the next batch. */
static void test_stale_answers(void **state)
{
	auto_fd int fd = nl_socket(NETLINK_ROUTE, NULL);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	auto_batch old = NL_BATCH_NONE, b = NL_BATCH_NONE;
	unsigned seen[2] = {0};

	(void)state;
	get_link(&old, 0x7ffffff0);
	get_link(&old, 1);
	nl_message(&old, NLMSG_NOOP, 0, "end");
	assert_true(sendto(fd, old.buf, old.len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) > 0);
	get_link(&b, 1);
	get_link(&b, 1);
	assert_int_equal(nl_run(fd, &b, mark_index, seen, NULL), 0);
	assert_memory_equal(seen, ((unsigned[]){1, 1}), sizeof(seen));
}

static int count_lo(const struct nlmsghdr *nlh, size_t index, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	assert_int_equal(index, 0);
	*(int *)data += ifi->ifi_index == 1;
	return 0;
}

static void test_dump(void **state)
{
	auto_fd int fd = nl_socket(NETLINK_ROUTE, NULL);
	auto_batch b = NL_BATCH_NONE;
	int n = 0;

	(void)state;
	mnl_nlmsg_put_extra_header(nl_message(&b, RTM_GETLINK, NLM_F_DUMP, "list"), sizeof(struct ifinfomsg));
	b.dump = true;
	assert_int_equal(nl_run(fd, &b, count_lo, &n, NULL), 0);
	assert_int_equal(n, 1);
}

static int refuse(const struct nlmsghdr *nlh unused, size_t index unused, void *data unused)
{
	return -E2BIG;
}

static void test_callback_error(void **state)
{
	auto_fd int fd = nl_socket(NETLINK_ROUTE, NULL);
	auto_batch b = NL_BATCH_NONE;

	(void)state;
	get_link(&b, 1);
	assert_int_equal(nl_run(fd, &b, refuse, NULL, NULL), -E2BIG);
}

static void test_kernel_words(void **state)
{
	struct world *w = world_of(state);
	auto_batch b = NL_BATCH_NONE;
	struct error err = {0};
	struct nlmsghdr *nlh = nl_message(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "add nonsense");
	struct nlattr *info;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "arnia-nonsense");
	mnl_attr_nest_end(nlh, info);
	assert_int_equal(nl_run(w->s.route, &b, NULL, NULL, &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "add nonsense: Operation not supported (Unknown device type)");
}

/* One transaction: the good elements before the bad one are not there afterwards. */
static void test_transaction_is_whole(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *after = NULL;
	struct nft_elem good = nft_elem_addr(5, ip("10.209.0.9")), bad = good;
	struct error err = {0};
	auto_batch b = NL_BATCH_NONE;

	bad.set = "no-such-set";
	nl_nft_begin(&b, 0);
	nft_put_elem(&b, TEST_TABLE, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &good, "good");
	nft_put_elem(&b, TEST_TABLE, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &bad, "bad");
	nft_put_elem(&b, TEST_TABLE, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &good, "good");
	nl_nft_end(&b);
	assert_int_equal(nl_run(w->s.nft, &b, NULL, NULL, &err), -ENOENT);
	assert_int_equal(b.failed, 2);
	assert_int_equal(strncmp(err.text, "bad: ", 5), 0);
	after = ruleset();
	assert_string_equal(before, after);
}

static void test_old_generation(void **state)
{
	struct world *w = world_of(state);
	struct nft_elem e = nft_elem_addr(5, ip("10.209.0.9"));
	auto_free char *before = ruleset(), *after = NULL;
	auto_batch b = NL_BATCH_NONE;

	nl_nft_begin(&b, 0x7fffffff);
	nft_put_elem(&b, TEST_TABLE, NFT_MSG_NEWSETELEM, NLM_F_CREATE, &e, "element");
	nl_nft_end(&b);
	assert_int_equal(nl_run(w->s.nft, &b, NULL, NULL, NULL), -ERESTART);
	after = ruleset();
	assert_string_equal(before, after);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batch_grows),
		cmocka_unit_test(test_port_element_bytes),
		cmocka_unit_test(test_address_element_bytes),
		cmocka_unit_test(test_element_message),
		cmocka_unit_test(test_veth_message),
		cmocka_unit_test(test_answers_by_message),
		cmocka_unit_test(test_ignored_error),
		cmocka_unit_test(test_stale_answers),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_callback_error),
		IN_WORLD(test_kernel_words),
		IN_WORLD(test_transaction_is_whole),
		IN_WORLD(test_old_generation),
	};
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
