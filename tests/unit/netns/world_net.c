/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forged packets and what nft(8) says. */
#include "tests/unit/netns/world.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "netns/rtnl.h"

uint16_t ip_checksum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t sum = 0;

	for (; n > 1; n -= 2)
		sum += *w++;
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

void send_frame(int netns, const char *ifname, const void *frame, size_t n)
{
	auto_fd int fd = socket_in(netns, AF_PACKET, SOCK_RAW, 0);
	auto_fd int route = socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	const struct ether_header *eth = frame;
	struct sockaddr_ll sa = {.sll_family = AF_PACKET, .sll_protocol = eth->ether_type, .sll_halen = 6};
	struct link_info info;

	assert_int_equal(link_find(route, ifname, 0, &info, NULL), 0);
	sa.sll_ifindex = (int)info.ifindex;
	assert_int_equal(sendto(fd, frame, n, 0, (struct sockaddr *)&sa, sizeof(sa)), (ssize_t)n);
}

void send_forged(int netns, const char *ifname, const uint8_t dst_mac[6], const char *from, const char *to,
		 uint16_t dport)
{
	struct {
		struct ether_header eth;
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} __attribute__((packed)) f = {0};
	struct iphdr iph = {0};
	memcpy(f.eth.ether_dhost, dst_mac, 6);
	f.eth.ether_shost[0] = 2;
	f.eth.ether_type = htons(ETH_P_IP);
	iph.version = 4;
	iph.ihl = 5;
	iph.ttl = 64;
	iph.protocol = IPPROTO_UDP;
	iph.tot_len = htons(sizeof(f) - sizeof(f.eth));
	iph.saddr = ip(from).s_addr;
	iph.daddr = ip(to).s_addr;
	iph.check = ip_checksum(&iph, sizeof(iph));
	f.ip = iph;
	f.udp.source = htons(4242);
	f.udp.dest = htons(dport);
	f.udp.len = htons(sizeof(f.udp) + sizeof(f.data));
	memcpy(f.data, "fake", 4);
	send_frame(netns, ifname, &f, sizeof(f));
}

void run_program(const char *const argv[], char **ret_output)
{
	struct strbuf out = {0};
	int p[2], status;
	char buf[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(p[1], 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(p[1]);
	while ((n = read(p[0], buf, sizeof(buf))) > 0)
		strbuf_add_n(&out, buf, (size_t)n);
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	*ret_output = strbuf_steal(&out);
}

char *ruleset(void)
{
	static const char *const argv[] = {"nft", "-j", "-s", "list", "ruleset", NULL};
	char *out;

	run_program(argv, &out);
	return out;
}

uint64_t counter_packets(const char *name)
{
	const char *argv[] = {"nft", "list", "counter", "inet", TEST_TABLE, name, NULL};
	auto_free char *out = NULL;
	const char *at;

	run_program(argv, &out);
	at = strstr(out, "packets ");
	assert_non_null(at);
	return strtoull(at + strlen("packets "), NULL, 10);
}
