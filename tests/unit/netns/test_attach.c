/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving a namespace its network, and every way that can go wrong. Root only. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "netns/rtnl.h"

#define OPER_UP 6 /* IF_OPER_UP of linux/if.h, which cannot be included beside net/if.h */

static ino_t own_netns(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	return st.st_ino;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int count_one(const struct nlmsghdr *nlh unused, size_t index unused, void *data)
{
	++*(unsigned *)data;
	return 0;
}

static unsigned count_links(int route)
{
	auto_batch b = NL_BATCH_NONE;
	unsigned n = 0;

	mnl_nlmsg_put_extra_header(nl_message(&b, RTM_GETLINK, NLM_F_DUMP, "list"), sizeof(struct ifinfomsg));
	b.dump = true;
	assert_int_equal(nl_run(route, &b, count_one, &n, NULL), 0);
	return n;
}

/* An attach that must fail leaves the caller at home, no link and no descriptor. */
static struct error expect_failure(struct world *w, const struct net_config *c, int netns, int code)
{
	unsigned links = count_links(w->s.route), fds = count_fds();
	struct error err = {0};
	ino_t home = own_netns();
	int r = net_attach(&w->s, c, netns, &err);

	if (r != code)
		fail_msg("%d instead of %d: %s", r, code, err.text);
	assert_int_equal(err.code, code);
	assert_int_equal(own_netns(), home);
	assert_int_equal(count_links(w->s.route), links);
	assert_int_equal(count_fds(), fds);
	return err;
}

static void expect_sysctl(const char *family, const char *ifname, const char *what, const char *value)
{
	auto_free char *now = NULL;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, what);
	assert_true(file_read_at(AT_FDCWD, path, 16, &now, NULL) > 0);
	assert_string_equal(now, value);
}

static void test_both_sides(void **state)
{
	struct world *w = world_of(state);
	struct link_info host, inside;
	auto_fd int there = -1;
	ino_t home = own_netns();
	struct box b;

	box_init(w, &b);
	b.c.mtu = 1400;
	box_start(w, &b);
	assert_int_equal(own_netns(), home);
	assert_int_equal(link_find(w->s.route, b.ifname, 0, &host, NULL), 0);
	assert_int_equal(host.ifindex, b.c.ifindex);
	assert_int_equal(host.group, TEST_GROUP);
	assert_true(host.up);
	assert_true(host.veth);
	expect_sysctl("ipv4", b.ifname, "route_localnet", "1\n");
	expect_sysctl("ipv4", b.ifname, "rp_filter", "1\n");
	expect_sysctl("ipv6", b.ifname, "accept_ra", "0\n");
	expect_sysctl("ipv6", b.ifname, "addr_gen_mode", "1\n");
	there = socket_in(b.netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	assert_int_equal(link_find(there, "eth0", 0, &inside, NULL), 0);
	assert_int_equal(inside.ifindex, 2);
	assert_true(inside.up);
	assert_int_equal(link_find(there, NULL, 1, &inside, NULL), 0);
	assert_string_equal(inside.name, "lo");
	assert_true(inside.up);
	assert_int_equal(count_links(there), 2);
	box_stop(w, &b);
}

static int see_down(const struct nlmsghdr *nlh, size_t index unused, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, sizeof(*ifi)) if (ifi->ifi_index > 1 &&
						    mnl_attr_get_type(a) == IFLA_OPERSTATE &&
						    mnl_attr_get_u8(a) != OPER_UP)++ *(unsigned *)data;
	return 0;
}

static unsigned links_down(int route)
{
	auto_batch b = NL_BATCH_NONE;
	unsigned down = 0;

	/* A dump, unlike a look at one link, shows the state as it is. */
	mnl_nlmsg_put_extra_header(nl_message(&b, RTM_GETLINK, NLM_F_DUMP, "list"), sizeof(struct ifinfomsg));
	b.dump = true;
	assert_int_equal(nl_run(route, &b, see_down, &down, NULL), 0);
	return down;
}

/* Until a kernel thread has seen the carrier the host side drops what it sends. Not even the first packet may
 * be lost. */
static void test_ready_at_once(void **state)
{
	struct world *w = world_of(state);
	unsigned down = 0;

	for (int i = 0; i < 100; i++) {
		struct box box;

		box_init(w, &box);
		box_start(w, &box);
		down += links_down(w->s.route);
		assert_int_equal(net_link_delete(&w->s, box.ifname, NULL), 0);
		box_stop(w, &box);
	}
	assert_int_equal(down, 0);
}

/* The wait itself: ended by the event, or given up. */
static void test_wait_for_carrier(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	auto_fd int there = socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	auto_batch b = NL_BATCH_NONE, up = NL_BATCH_NONE;
	struct error err = {0};
	struct box box;
	pid_t pid;

	box_init(w, &box);
	link_add_veth(&b, &box.c, netns, NET_PEER_IFINDEX);
	link_up_host(&b, box.c.ifindex);
	assert_int_equal(nl_run(w->s.route, &b, NULL, NULL, &err), 0);
	assert_int_equal(link_wait_ready(w->s.route, box.c.ifindex, &err), 0);
	assert_int_equal(links_down(w->s.route), 1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(50000);
		link_up_peer(&up, NET_PEER_IFINDEX);
		_exit(nl_run(there, &up, NULL, NULL, NULL) != 0);
	}
	assert_int_equal(link_wait_ready(w->s.route, box.c.ifindex, &err), 0);
	assert_int_equal(links_down(w->s.route), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_mtu(void **state)
{
	struct world *w = world_of(state);
	static const char *const show[] = {"ip", "-o", "link", "show", "an000000001", NULL};
	auto_free char *out = NULL;
	struct box b;

	box_init(w, &b);
	b.c.mtu = 1400;
	box_start(w, &b);
	run_program(show, &out);
	assert_non_null(strstr(out, "mtu 1400"));
	assert_non_null(strstr(out, "06:a4:0a:d1:00:02"));
	box_stop(w, &b);
}

/* The namespace of a container belongs to its user namespace, yet the host can hold its sockets. */
static void test_modes_without_address(void **state)
{
	struct world *w = world_of(state);
	struct net_config none = {.mode = NET_NONE}, host = {.mode = NET_HOST};
	auto_fd int netns = netns_of_container();
	auto_fd int there = socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	unsigned links = count_links(w->s.route);
	struct error err = {0};
	struct link_info lo;

	assert_int_equal(net_attach(&w->s, &host, netns, &err), 0);
	assert_int_equal(link_find(there, NULL, 1, &lo, NULL), 0);
	assert_false(lo.up);
	assert_int_equal(net_attach(&w->s, &none, netns, &err), 0);
	assert_int_equal(link_find(there, NULL, 1, &lo, NULL), 0);
	assert_true(lo.up);
	assert_int_equal(count_links(there), 1);
	assert_int_equal(count_links(w->s.route), links);
	assert_int_equal(net_publish(&w->s, &none, &err), 0);
	assert_int_equal(net_unpublish(&w->s, &none, &err), 0);
}

static void test_name_taken(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	struct error err;
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_start(w, &a);
	b.c.ifname = a.ifname;
	err = expect_failure(w, &b.c, netns, -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	assert_string_equal(err.text, "interface an000000001 already exists");
	box_stop(w, &a);
}

static void test_number_taken(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	struct error err;
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_start(w, &a);
	b.c.ifindex = a.c.ifindex;
	err = expect_failure(w, &b.c, netns, -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	assert_string_equal(err.text,
			    "interface number 268435457 of an000000002 is already taken by an000000001");
	box_stop(w, &a);
}

static void test_address_taken(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	struct error err;
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_start(w, &a);
	b.c.addr = a.c.addr;
	err = expect_failure(w, &b.c, netns, -EEXIST);
	assert_string_equal(err.text, "an000000002: add route to the container: File exists");
	/* The first one is not harmed. */
	assert_int_equal(net_unpublish(&w->s, &a.c, &err), 0);
	assert_int_equal(net_publish(&w->s, &a.c, &err), 0);
	box_stop(w, &a);
}

static void test_attached_twice(void **state)
{
	struct world *w = world_of(state);
	struct error err;
	struct box a, b;

	box_init(w, &a);
	box_init(w, &b);
	box_start(w, &a);
	err = expect_failure(w, &b.c, a.netns, -EEXIST);
	assert_string_equal(err.text, "the container already has an interface eth0");
	box_stop(w, &a);
}

/* Some host modules put a device into every new namespace: number 2 is taken there. */
static void test_peer_number_taken(void **state)
{
	struct world *w = world_of(state);
	struct net_config pair = {.ifname = "tun0", .ifindex = 2, .host_mac = {2}, .mac = {2, 1}};
	auto_batch add = NL_BATCH_NONE;
	auto_fd int there = -1, other = netns_plain();
	struct link_info inside;
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	b.netns = netns_of_container();
	there = socket_in(b.netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	link_add_veth(&add, &pair, other, 2);
	assert_int_equal(nl_run(there, &add, NULL, NULL, NULL), 0);
	assert_int_equal(net_attach(&w->s, &b.c, b.netns, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(net_publish(&w->s, &b.c, &err), 0);
	assert_int_equal(link_find(there, "eth0", 0, &inside, NULL), 0);
	assert_int_not_equal(inside.ifindex, 2);
	assert_true(inside.up);
	{
		auto_fd int server = server_in(-1, SOCK_STREAM, "0.0.0.0", 9000);

		assert_true(tcp_exchange(b.netns, GATEWAY, 9000, server, NULL));
	}
	box_stop(w, &b);
}

/* Number left to the kernel: all works, also when the interface is gone before its elements. */
static void test_unnumbered(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = ruleset(), *after = NULL;
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	b.c.ifindex = 0;
	box_port(&b, "8080:80");
	box_start(w, &b);
	{
		auto_fd int server = server_in(b.netns, SOCK_STREAM, "0.0.0.0", 80);

		assert_true(tcp_exchange(-1, "127.0.0.1", 8080, server, NULL));
	}
	assert_int_equal(net_link_delete(&w->s, b.ifname, &err), 0);
	box_stop(w, &b);
	after = ruleset();
	assert_string_equal(before, after);
}

static void test_bad_namespace(void **state)
{
	struct world *w = world_of(state);
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_fd int uts = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	struct error err;
	struct box b;

	box_init(w, &b);
	err = expect_failure(w, &b.c, null, -EINVAL);
	assert_string_equal(err.text, "enter the container's network namespace: Invalid argument");
	expect_failure(w, &b.c, uts, -EINVAL);
	expect_failure(w, &b.c, -1, -EBADF);
}

static void test_bad_name(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	struct box b;

	box_init(w, &b);
	b.c.ifname = "";
	expect_failure(w, &b.c, netns, -EINVAL);
	b.c.ifname = NULL;
	expect_failure(w, &b.c, netns, -EINVAL);
	b.c.ifname = "sixteen-letters-";
	expect_failure(w, &b.c, netns, -EINVAL);
	b.c.ifname = "a/b";
	expect_failure(w, &b.c, netns, -EINVAL);
}

/* Without the gateway on the host the route has no source. */
static void test_no_gateway(void **state)
{
	struct world *w = world_of(state);
	auto_fd int netns = netns_of_container();
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	assert_int_equal(net_host_teardown(&w->s, &w->host, &err), 0);
	err = expect_failure(w, &b.c, netns, -EINVAL);
	assert_non_null(strstr(err.text, "an000000001: add route to the container: Invalid argument"));
}

static void test_injected(void **state)
{
	struct world *w = world_of(state);
	static const char *const steps[] = {"net-link:errno:EIO", "net-inner:errno:EIO"};
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	b.netns = netns_of_container();
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		setenv("ARNIA_FAIL_AT", steps[i], 1);
		expect_failure(w, &b.c, b.netns, -EIO);
	}
	unsetenv("ARNIA_FAIL_AT");
	/* Nothing of the failed tries is in the way. */
	assert_int_equal(net_attach(&w->s, &b.c, b.netns, &err), 0);
	fd_close(&b.netns);
}

static void test_link_delete(void **state)
{
	struct world *w = world_of(state);
	struct error err = {0};
	struct box b;

	box_init(w, &b);
	box_start(w, &b);
	assert_int_equal(net_link_delete(&w->s, "an0nothing", &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(net_link_delete(&w->s, b.ifname, &err), 0);
	assert_int_equal(net_link_delete(&w->s, b.ifname, &err), 0);
	assert_int_equal(count_links(w->s.route), 1);
	/* By name alone nothing is deleted that cannot be ours. */
	assert_int_equal(net_link_delete(&w->s, "lo", &err), -EINVAL);
	assert_string_equal(err.text, "delete link lo: it is not a veth");
	box_stop(w, &b);
}

static void test_no_leak(void **state)
{
	struct world *w = world_of(state);
	unsigned fds = count_fds();

	for (int i = 0; i < 20; i++) {
		struct box b;

		box_init(w, &b);
		box_port(&b, "0:80");
		box_start(w, &b);
		box_stop(w, &b);
	}
	assert_int_equal(count_fds(), fds);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_both_sides),
		IN_WORLD(test_ready_at_once),
		IN_WORLD(test_wait_for_carrier),
		IN_WORLD(test_mtu),
		IN_WORLD(test_modes_without_address),
		IN_WORLD(test_name_taken),
		IN_WORLD(test_number_taken),
		IN_WORLD(test_address_taken),
		IN_WORLD(test_attached_twice),
		IN_WORLD(test_peer_number_taken),
		IN_WORLD(test_unnumbered),
		IN_WORLD(test_bad_namespace),
		IN_WORLD(test_bad_name),
		IN_WORLD(test_no_gateway),
		IN_WORLD(test_injected),
		IN_WORLD(test_link_delete),
		IN_WORLD(test_no_leak),
	};
	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
