/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "netns/netlink.h"
#include "netns/rtnl.h"

#define WAIT_MS 200

struct in_addr ip(const char *s)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, s, &a), 1);
	return a;
}

static void put_file(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void lo_up(int route)
{
	auto_batch b = NL_BATCH_NONE;

	link_up(&b, NET_LO_IFINDEX, "lo");
	assert_int_equal(nl_run(route, &b, NULL, NULL, NULL), 0);
}

int world_setup(void **state)
{
	struct world *w;
	struct error err = {0};

	*state = NULL;
	if (geteuid() != 0)
		return 0;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	w = mem_alloc(sizeof(*w));
	w->outside = -1;
	assert_int_equal(net_open(&w->s, &err), 0);
	lo_up(w->s.route);
	w->host = (struct net_host_config){
		.table = TEST_TABLE,
		.ifgroup = TEST_GROUP,
		.pool = ip(POOL),
		.pool_prefix = 16,
		.gateway = ip(GATEWAY),
	};
	if (net_host_setup(&w->s, &w->host, &err) < 0)
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	struct world *w = *state;

	if (!w)
		return 0;
	net_close(&w->s);
	fd_close(&w->outside);
	free(w);
	return 0;
}

struct world *world_of(void **state)
{
	if (!*state)
		skip();
	return *state;
}

/* The child only has to be there while its maps are written; the descriptor keeps the namespaces. */
static int make_netns(uint64_t flags)
{
	struct proc_clone clone = {.flags = flags, .exit_signal = SIGCHLD, .cgroup_fd = -1};
	int go[2], fd;
	char path[64], c;
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = proc_clone3(&clone);
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		_exit(read(go[0], &c, 1) != 0);
	}
	if (flags & CLONE_NEWUSER) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		put_file(path, "0 100000 65536");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		put_file(path, "0 100000 65536");
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return fd;
}

int netns_of_container(void)
{
	return make_netns(CLONE_NEWUSER | CLONE_NEWNET);
}

int netns_plain(void)
{
	return make_netns(CLONE_NEWNET);
}

void box_init(struct world *w, struct box *b)
{
	unsigned n = ++w->n_boxes;

	*b = (struct box){.netns = -1};
	snprintf(b->ifname, sizeof(b->ifname), "an0%08x", n);
	b->c = (struct net_config){
		.mode = NET_ROUTED,
		.table = TEST_TABLE,
		.ifgroup = TEST_GROUP,
		.ifname = b->ifname,
		.ifindex = 0x10000000 + n,
		.addr = {htonl(ntohl(ip(POOL).s_addr) + 1 + n)},
		.gateway = ip(GATEWAY),
		.ports = {.v = b->ports},
	};
	net_mac_derive(b->c.addr, true, b->c.host_mac);
	net_mac_derive(b->c.addr, false, b->c.mac);
}

void box_port(struct box *b, const char *spec)
{
	assert_true(b->c.ports.n < ARRAY_SIZE(b->ports));
	assert_int_equal(net_port_parse(spec, &b->ports[b->c.ports.n++]), 0);
}

void box_start(struct world *w, struct box *b)
{
	struct error err = {0};

	b->netns = netns_of_container();
	if (net_attach(&w->s, &b->c, b->netns, &err) < 0 || net_publish(&w->s, &b->c, &err) < 0)
		fail_msg("%s", err.text);
}

void box_stop(struct world *w, struct box *b)
{
	struct error err = {0};

	if (net_unpublish(&w->s, &b->c, &err) < 0)
		fail_msg("%s", err.text);
	fd_close(&b->netns);
}

int socket_in(int netns, int domain, int type, int protocol)
{
	auto_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	assert_true(home >= 0);
	assert_true(netns < 0 || setns(netns, CLONE_NEWNET) == 0);
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

/* One end of the uplink: a /32 and a route to the other end. */
static void uplink_end(int route, const char *name, const char *addr, const char *other)
{
	auto_batch b = NL_BATCH_NONE;
	struct link_info info;

	assert_int_equal(link_find(route, name, 0, &info, NULL), 0);
	link_up(&b, info.ifindex, "uplink");
	addr_add(&b, info.ifindex, ip(addr), RT_SCOPE_UNIVERSE);
	route_add_host(&b, info.ifindex, ip(other), ip(addr));
	assert_int_equal(nl_run(route, &b, NULL, NULL, NULL), 0);
}

void world_add_outside(struct world *w)
{
	struct net_config up = {.ifname = "up0", .host_mac = {2, 0, 0, 0, 0, 1}, .mac = {2, 0, 0, 0, 0, 2}};
	auto_batch b = NL_BATCH_NONE, there = NL_BATCH_NONE;
	auto_fd int route = -1;

	w->outside = netns_plain();
	route = socket_in(w->outside, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	link_add_veth(&b, &up, w->outside, NET_PEER_IFINDEX);
	assert_int_equal(nl_run(w->s.route, &b, NULL, NULL, NULL), 0);
	uplink_end(w->s.route, "up0", HOST_ADDR, OUTSIDE_ADDR);
	lo_up(route);
	uplink_end(route, NET_PEER_NAME, OUTSIDE_ADDR, HOST_ADDR);
	route_add_default(&there, NET_PEER_IFINDEX, ip(HOST_ADDR));
	assert_int_equal(nl_run(route, &there, NULL, NULL, NULL), 0);
}

static struct sockaddr_in address(const char *addr, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = ip(addr), .sin_port = htons(port)};
}

int server_in(int netns, int type, const char *addr, uint16_t port)
{
	int fd = socket_in(netns, AF_INET, type, 0), one = 1;
	struct sockaddr_in sa = address(addr, port);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(type != SOCK_STREAM || listen(fd, 8) == 0);
	return fd;
}

uint16_t server_port(int fd)
{
	struct sockaddr_in sa;
	socklen_t n = sizeof(sa);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	return ntohs(sa.sin_port);
}

bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void expect_text(int fd, const char *text)
{
	char buf[16] = "";

	assert_true(readable(fd, 2000));
	assert_int_equal(recv(fd, buf, sizeof(buf) - 1, 0), (ssize_t)strlen(text));
	assert_string_equal(buf, text);
}

bool udp_exchange(int client_netns, const char *addr, uint16_t port, int server, struct sockaddr_in *ret_from)
{
	auto_fd int client = socket_in(client_netns, AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in sa = address(addr, port), from;
	socklen_t n = sizeof(from);
	char buf[16];

	assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof(sa)), 0);
	/* A refusal by ICMP would be reported by send already. */
	if (send(client, "ping", 4, 0) != 4 || !readable(server, WAIT_MS))
		return false;
	assert_int_equal(recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n), 4);
	assert_int_equal(sendto(server, "pong", 4, 0, (struct sockaddr *)&from, n), 4);
	expect_text(client, "pong");
	if (ret_from)
		*ret_from = from;
	return true;
}

bool tcp_exchange(int client_netns, const char *addr, uint16_t port, int server, struct sockaddr_in *ret_from)
{
	auto_fd int client = socket_in(client_netns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	auto_fd int accepted = -1;
	struct sockaddr_in sa = address(addr, port), from;
	socklen_t n = sizeof(from);

	if (connect(client, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		return false;
	if (!readable(server, WAIT_MS))
		return false;
	accepted = accept4(server, (struct sockaddr *)&from, &n, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	assert_int_equal(send(client, "ping", 4, 0), 4);
	expect_text(accepted, "ping");
	assert_int_equal(send(accepted, "pong", 4, 0), 4);
	expect_text(client, "pong");
	if (ret_from)
		*ret_from = from;
	return true;
}

bool exchange(int type, int client_netns, const char *addr, uint16_t port, int server,
	      struct sockaddr_in *ret_from)
{
	if (type == SOCK_DGRAM)
		return udp_exchange(client_netns, addr, port, server, ret_from);
	return tcp_exchange(client_netns, addr, port, server, ret_from);
}
