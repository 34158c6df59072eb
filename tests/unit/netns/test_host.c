/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's half: table, gateway, forwarding. Root only. */
#include "tests/unit/netns/world.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "netns/nft.h"

static void nft(const char *a, const char *b, const char *c, const char *d, const char *e)
{
	const char *argv[] = {"nft", a, b, c, d, e, NULL};
	char *out;

	run_program(argv, &out);
	free(out);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		n++;
	return n;
}

static char *list_table(const char *name)
{
	const char *argv[] = {"nft", "-s", "list", "table", "inet", name, NULL};
	char *out;

	run_program(argv, &out);
	return out;
}

static int setup_again(struct world *w)
{
	struct error err = {0};
	int r = net_host_setup(&w->s, &w->host, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.code, 0);
	return r;
}

static bool has_gateway(void)
{
	static const char *const argv[] = {"ip", "-4", "-o", "address", "show", "dev", "lo", NULL};
	auto_free char *out = NULL;

	run_program(argv, &out);
	return strstr(out, "inet 169.254.1.1/32 scope link");
}

static void test_what_is_there(void **state)
{
	auto_free char *text = NULL, *json = NULL;
	static const char *const lines[] = {
		"type iface_index . ipv4_addr",
		"type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service",
		"type inet_proto . inet_service : ipv4_addr . inet_service",
		"type filter hook prerouting priority raw; policy accept;",
		"type filter hook forward priority filter; policy accept;",
		"type nat hook prerouting priority dstnat; policy accept;",
		"type nat hook output priority -100; policy accept;",
		"type nat hook postrouting priority srcnat; policy accept;",
		"iif != \"lo\" ip daddr 127.0.0.0/8 counter name \"foreign_loopback\" drop",
		"ip daddr 169.254.169.254 counter name \"metadata\" drop",
		"iif . ip saddr @addrs accept",
		"ct state established,related accept",
		"fib daddr type local dnat ip to meta l4proto . ip daddr . th dport map @ports ",
		"fib daddr type local meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports_any ",
		"ip saddr 127.0.0.0/8 snat ip to 169.254.1.1",
		"oif . ip saddr @addrs snat ip to 169.254.1.1",
		"ip saddr 10.209.0.0/16 masquerade",
		"comment \"made by arnia\"",
	};

	world_of(state);
	text = list_table(TEST_TABLE);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("\"%s\" is not in:\n%s", lines[i], text);
	json = ruleset();
	assert_int_equal(count(json, "\"rule\":"), nft_rule_count());
	assert_true(has_gateway());
}

static void test_twice(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL;
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_start(w, &b);
	before = ruleset();
	assert_int_equal(setup_again(w), 0);
	after = ruleset();
	assert_string_equal(before, after);
	assert_true(has_gateway());
	box_stop(w, &b);
}

static void test_forwarding(void **state)
{
	struct world *w = world_of(state);
	auto_free char *now = NULL;

	assert_int_equal(file_write_ctl_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 0x9fa0, "0", NULL), 0);
	assert_int_equal(setup_again(w), 1);
	assert_int_equal(setup_again(w), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 8, &now, NULL), 2);
	assert_string_equal(now, "1\n");
}

/* Whatever was done to the rules, setup brings them back and the elements stay. */
static void test_repair(void **state)
{
	struct world *w = world_of(state);
	auto_free char *good = NULL;
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_port(&b, "127.0.0.1:8081:80");
	box_start(w, &b);
	good = list_table(TEST_TABLE);
	for (int damage = 0; damage < 4; damage++) {
		auto_free char *bad = NULL, *repaired = NULL;

		if (damage == 0)
			nft("flush", "chain", "inet", TEST_TABLE, "forward");
		else if (damage == 1)
			nft("flush", "table", "inet", TEST_TABLE, NULL);
		else if (damage == 2)
			nft("add rule inet " TEST_TABLE " forward accept", NULL, NULL, NULL, NULL);
		else
			nft("delete chain inet " TEST_TABLE " prerouting; add chain inet " TEST_TABLE
			    " stranger",
			    NULL, NULL, NULL, NULL);
		bad = list_table(TEST_TABLE);
		assert_string_not_equal(bad, good);
		setup_again(w);
		repaired = list_table(TEST_TABLE);
		assert_string_equal(repaired, good);
	}
	box_stop(w, &b);
}

static void test_flushed_ruleset(void **state)
{
	struct world *w = world_of(state);
	auto_free char *good = NULL, *again = NULL;

	good = list_table(TEST_TABLE);
	nft("flush", "ruleset", NULL, NULL, NULL);
	setup_again(w);
	again = list_table(TEST_TABLE);
	assert_string_equal(again, good);
}

/* What nft(8) lists it can also load: nothing in the table is beyond it. */
static void test_saved_ruleset_loads(void **state)
{
	struct world *w = world_of(state);
	static const char *const list[] = {"nft", "list", "ruleset", NULL};
	auto_free char *text = NULL, *again = NULL;
	char path[] = "/tmp/arnia-test-XXXXXX";
	auto_fd int fd = -1;
	struct box b;

	box_init(w, &b);
	box_port(&b, "8080:80");
	box_port(&b, "127.0.0.1:8081:80/udp");
	box_start(w, &b);
	run_program(list, &text);
	fd = mkostemp(path, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	nft("flush", "ruleset", NULL, NULL, NULL);
	nft("-f", path, NULL, NULL, NULL);
	unlink(path);
	run_program(list, &again);
	assert_string_equal(again, text);
	/* It is even known as ours and of this version. */
	setup_again(w);
	box_stop(w, &b);
}

/* Another configuration: new rules, the same elements, counters keep counting. */
static void test_other_config(void **state)
{
	struct world *w = world_of(state);
	auto_free char *before = NULL, *after = NULL, *back = NULL;
	struct box b;

	box_init(w, &b);
	box_start(w, &b);
	before = list_table(TEST_TABLE);
	w->host.pool = ip("10.210.0.0");
	w->host.pool_prefix = 15;
	setup_again(w);
	after = list_table(TEST_TABLE);
	assert_null(strstr(after, "10.209.0.0/16"));
	assert_non_null(strstr(after, "ip saddr 10.210.0.0/15 masquerade"));
	assert_non_null(strstr(after, ". 10.209.0.2"));
	w->host.pool = ip("10.209.0.0");
	w->host.pool_prefix = 16;
	setup_again(w);
	back = list_table(TEST_TABLE);
	assert_string_equal(back, before);
	box_stop(w, &b);
}

static void test_stranger_table(void **state)
{
	struct world *w = world_of(state);
	struct net_host_config c = w->host;
	auto_free char *before = NULL, *after = NULL;
	struct error err = {0};

	c.table = "stranger";
	nft("add", "table", "inet", "stranger", NULL);
	before = ruleset();
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	assert_string_equal(err.text, "the nft table inet stranger exists and is not arnia's");
	assert_int_equal(net_host_teardown(&w->s, &c, &err), 0);
	after = ruleset();
	assert_string_equal(before, after);
	assert_true(has_gateway());
}

static void test_bad_config(void **state)
{
	struct world *w = world_of(state);
	struct net_host_config c = w->host;
	char long_name[300];
	struct error err = {0};

	c.table = "";
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EINVAL);
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	c.table = long_name;
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EINVAL);
	c = w->host;
	c.pool_prefix = 0;
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EINVAL);
	c.pool_prefix = 33;
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EINVAL);
	/* Group 0 is every interface's that was never given one. */
	c = w->host;
	c.ifgroup = 0;
	assert_int_equal(net_host_setup(&w->s, &c, &err), -EINVAL);
}

/* The gateway belongs to all instances: it goes with the last table. */
static void test_teardown(void **state)
{
	struct world *w = world_of(state);
	struct net_host_config second = w->host;
	auto_free char *left = NULL;
	struct error err = {0};

	second.table = "arnia-second";
	second.ifgroup = TEST_GROUP + 1;
	assert_int_equal(net_host_setup(&w->s, &second, &err), 0);
	assert_int_equal(net_host_teardown(&w->s, &w->host, &err), 0);
	assert_true(has_gateway());
	left = ruleset();
	assert_null(strstr(left, TEST_TABLE));
	assert_non_null(strstr(left, "arnia-second"));
	assert_int_equal(net_host_teardown(&w->s, &second, &err), 0);
	assert_false(has_gateway());
	assert_int_equal(net_host_teardown(&w->s, &second, &err), 0);
}

/* Many at once make one table, and no rule twice. */
static void test_race(void **state)
{
	struct world *w = world_of(state);
	auto_free char *good = NULL, *now = NULL;
	pid_t pids[8];

	good = list_table(TEST_TABLE);
	for (int round = 0; round < 5; round++) {
		nft("flush", round & 1 ? "ruleset" : "table", round & 1 ? NULL : "inet", TEST_TABLE, NULL);
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (pids[i] == 0) {
				struct net_sockets s;

				_exit(net_open(&s, NULL) < 0 || net_host_setup(&s, &w->host, NULL) < 0);
			}
		}
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			int status;

			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		free(now);
		now = list_table(TEST_TABLE);
		assert_string_equal(now, good);
	}
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_what_is_there),
		IN_WORLD(test_twice),
		IN_WORLD(test_forwarding),
		IN_WORLD(test_repair),
		IN_WORLD(test_flushed_ruleset),
		IN_WORLD(test_other_config),
		IN_WORLD(test_stranger_table),
		IN_WORLD(test_bad_config),
		IN_WORLD(test_teardown),
		IN_WORLD(test_race),
		IN_WORLD(test_saved_ruleset_loads),
	};
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
