/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netns/foreign.c: chains of others that drop what is forwarded. */
#include "tests/unit/netns/world.h"
#include <stdio.h>
#include <string.h>
#include "lib/base/str.h"

static void nft(const char *command)
{
	const char *const argv[] = {"nft", command, NULL};
	auto_free char *out = NULL;

	run_program(argv, &out);
}

static void add_text(const struct net_wall *w, void *data)
{
	strbuf_addf(data, "%d %s %s %s\n", w->owner, w->inet ? "inet" : "ip", w->table, w->chain);
}

static void expect(struct world *w, const char *want)
{
	cleanup(strbuf_done) struct strbuf out = {0};
	struct error err = {0};

	if (net_each_wall(&w->s, &w->host, "an0", add_text, &out, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_cstr(&out), want);
}

static void test_which(void **state)
{
	struct world *w = world_of(state);

	expect(w, "");
	nft("add table inet own; add chain inet own open { type filter hook forward priority 0; policy accept; };"
	    "add chain inet own entry { type filter hook input priority 0; policy drop; };"
	    "add chain inet own plain");
	nft("add table ip6 filter; add chain ip6 filter FORWARD { type filter hook forward priority 0; policy drop; }");
	expect(w, "");
	nft("add chain inet own shut { type filter hook forward priority 1; policy drop; }");
	expect(w, "0 inet own shut\n");
	nft("delete table inet own");
	nft("add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
	expect(w, "1 ip filter FORWARD\n");
	nft("add chain ip filter DOCKER-USER");
	expect(w, "2 ip filter FORWARD\n");
	nft("add chain ip filter ufw-user-forward");
	expect(w, "3 ip filter FORWARD\n");
}

static void test_let_through(void **state)
{
	static const char *const ours[] = {"iifgroup 41984", "iifname \"an0*\"", "oifname \"an*\"",
					   "ip saddr 10.209.0.0/16"},
				 *const others[] = {"iifgroup 41985", "iifname \"docker0\"", "iifname \"an1*\"",
						    "ip saddr 10.210.0.0/16", "ct state established"};
	struct world *w = world_of(state);
	char command[128];

	nft("add table inet own; add chain inet own shut { type filter hook forward priority 0; policy drop; };"
	    "add chain inet own users");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(command, sizeof(command), "add rule inet own users %s accept", others[i]);
		nft(command);
	}
	expect(w, "0 inet own shut\n");
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		snprintf(command, sizeof(command), "add rule inet own users %s accept", ours[i]);
		nft(command);
		expect(w, "");
		nft("flush chain inet own users");
		expect(w, "0 inet own shut\n");
	}
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_WORLD(test_which),
		IN_WORLD(test_let_through),
	};
	return cmocka_run_group_tests_name("foreign", tests, NULL, NULL);
}
