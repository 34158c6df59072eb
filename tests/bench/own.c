/* SPDX-License-Identifier: GPL-2.0-or-later */
/* own PROFILE.json: what two pieces of a start cost by themselves, "NAME MICROSECONDS" a line. Run as root.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/sandbox/sandbox.h"
#include "netns/net.h"
#include "tests/bench/stat.h"

#define RUNS 200
#define PROFILE_MAX (1u << 20)
#define DOCKER_CAPS 0xa80425fbu
#define FIRST_ADDRESS 0x0ad10000u /* 10.209.0.0 */
#define FIRST_PORT 20000
#define GATEWAY 0xa9fe0101u /* 169.254.1.1 */

static _Noreturn void fail(const char *what, const struct error *err)
{
	fprintf(stderr, "own: %s: %s\n", what, err ? err->text : "failed");
	exit(1);
}

struct load {
	const struct sandbox_config *c;
	double us;
};

static int load_in_child(void *arg)
{
	struct load *l = arg;
	double t;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	t = now_us();
	if (filter_load(l->c, NULL) < 0)
		return 1;
	l->us = now_us() - t;
	return 0;
}

/* In a child, as a filter cannot be taken off again; in our memory, as a container's first process is in the worker's:
 * a copy's page faults are no part of it. */
static double load_once(const struct sandbox_config *c, const struct proc_stack *stack)
{
	struct load l = {.c = c, .us = -1};
	struct proc_clone args = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD, .cgroup_fd = -1};
	pid_t pid = proc_spawn(&args, stack, load_in_child, &l);
	int status = 1;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status || l.us < 0)
		fail("load a filter", NULL);
	return l.us;
}

static void measure_seccomp(const char *path)
{
	struct seccomp_input in = {.caps = DOCKER_CAPS};
	struct sandbox_config c = {0};
	struct error err = {0};
	struct proc_stack stack;
	double v[RUNS], t;
	auto_free void *program = NULL;
	auto_free char *text = NULL;
	long n = file_read_at(AT_FDCWD, path, PROFILE_MAX, &text, &err);

	if (n < 0)
		fail(path, &err);
	in.json = text;
	in.json_len = (size_t)n;
	t = now_us();
	if (seccomp_compile(&in, &program, &c.seccomp_size, &err) < 0)
		fail("compile", &err);
	printf("own.seccomp.compile %.1f\n", now_us() - t);
	c.seccomp = program;
	if (proc_stack_new(64 << 10, &stack) < 0)
		fail("mmap", NULL);
	for (int i = 0; i < RUNS; i++)
		v[i] = load_once(&c, &stack);
	proc_stack_free(&stack);
	printf("own.seccomp.load %.1f\n", summarize(v, RUNS).median);
}

static void loopback_up(void)
{
	struct ifreq r = {.ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(r.ifr_name, "lo", 3);
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r) < 0)
		fail("bring lo up", NULL);
	close(s);
}

/* What one more machine adds to the rules: its address, and for each port the elements that publish it. */
static void measure_publish(const struct net_sockets *s, unsigned ports, const char *name)
{
	struct error err = {0};
	double v[RUNS];

	for (uint16_t i = 0; i < RUNS; i++) {
		struct net_port port = {
			.proto = IPPROTO_TCP, .host_port = (uint16_t)(FIRST_PORT + i), .port = 80};
		struct net_config c = {
			.mode = NET_ROUTED,
			.table = "arniabench",
			.ifgroup = 4711,
			.ifname = "lo",
			.ifindex = 1, /* known, as at a start; which one makes no difference */
			.addr.s_addr = htonl(FIRST_ADDRESS + 2u + i + ports * 1000u),
			.gateway.s_addr = htonl(GATEWAY),
		};
		double t;

		if (ports) {
			c.ports.v = &port;
			c.ports.n = 1;
		}
		t = now_us();
		if (net_publish(s, &c, &err) < 0)
			fail("publish", &err);
		v[i] = now_us() - t;
	}
	printf("%s %.1f\n", name, summarize(v, RUNS).median);
}

static void measure_nft(void)
{
	struct net_host_config host = {
		.table = "arniabench",
		.ifgroup = 4711,
		.pool.s_addr = htonl(FIRST_ADDRESS),
		.pool_prefix = 16,
		.gateway.s_addr = htonl(GATEWAY),
	};
	struct net_sockets s = NET_SOCKETS_NONE;
	struct error err = {0};

	if (unshare(CLONE_NEWNET) < 0)
		fail("a network namespace", NULL);
	loopback_up();
	if (net_open(&s, &err) < 0 || net_host_setup(&s, &host, &err) < 0)
		fail("set up the network", &err);
	measure_publish(&s, 0, "own.nft.machine");
	measure_publish(&s, 1, "own.nft.port");
	net_close(&s);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	measure_seccomp(argv[1]);
	measure_nft();
	return 0;
}
