/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <stdlib.h>
#include "lib/base/str.h"
#include "lib/spec/names.h"

#define BIT(cap) (UINT64_C(1) << (cap))

static void start_fails(struct unit_host *h, enum err_kind kind, const char *why)
{
	struct plan *p = (void *)h;
	struct error err = { 0 };

	if (plan_build_start(&h->in, &p, &err) == 0)
		fail_msg("built, not refused: %s", why);
	if (err.kind != kind || !strstr(err.text, why))
		fail_msg("\"%s\" (kind %u), expected \"%s\"", err.text, err.kind, why);
	assert_ptr_equal(p, h);
}

/* A limit that the user asked for is refused by the name of its controller; a default one is left out. */
static void test_missing_controllers(void **state)
{
	static const struct {
		const char *spec, *why; /* NULL: it starts */
		uint32_t without;
	} cases[] = {
		{ "{'image':'a'}", NULL, UINT32_MAX },
		{ "{'image':'a','cpus':2}", "cpu.max: this host has no \"cpu\" controller", CG_CTL_CPU },
		{ "{'image':'a','cpus':2}", NULL, CG_CTL_MEMORY },
		{ "{'image':'a','memory':8388608}", "memory.max: this host has no \"memory\"",
		  CG_CTL_MEMORY },
		{ "{'image':'a','swap':0}", "memory.swap.max: this host has no \"memory\"", CG_CTL_MEMORY },
		{ "{'image':'a','pids':5}", "pids.max: this host has no \"pids\"", CG_CTL_PIDS },
		{ "{'image':'a','memory':-1,'swap':-1,'pids':-1}", NULL, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit_host h;
		struct error err = { 0 };

		unit_host(&h, cases[i].spec);
		h.facts.controllers &= ~cases[i].without;
		assert_int_equal(plan_check_limits(h.in.spec, &h.facts, &err), cases[i].why ? -EOPNOTSUPP : 0);
		if (cases[i].why) {
			start_fails(&h, ERR_UNSUPPORTED, cases[i].why);
		} else {
			struct plan *p = unit_start(&h);

			if (!h.facts.controllers)
				assert_true(p->cgroup.limits.pids_max == CG_UNSET &&
					    !p->cgroup.limits.oom_group);
			plan_free(p);
		}
		unit_host_done(&h);
	}
}

static void test_hint_fits_the_host(void **state)
{
	struct unit_host h;
	struct error err = { 0 };
	struct plan *p;

	(void)state;
	unit_host(&h, "{'image':'a','cpus':1}");
	h.facts.controllers = 0;
	assert_int_equal(plan_build_start(&h.in, &p, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.hint, "host doctor"));
	h.facts.hybrid = true;
	assert_int_equal(plan_build_start(&h.in, &p, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.hint, "unified_cgroup_hierarchy"));
	unit_host_done(&h);
}

static void test_limit_values(void **state)
{
	struct unit_host h;
	struct plan *p;
	const struct cg_limits *l;

	(void)state;
	unit_host(&h, "{'image':'a','cpus':0.01,'memory':8388608}");
	p = unit_start(&h);
	l = &p->cgroup.limits;
	assert_true(l->cpu_quota_us == 1000 && l->cpu_period_us == 100000);
	assert_true(l->memory_max == 8388608 && l->swap_max == 8388608 && l->pids_max == 4096);
	assert_int_equal(l->asked, CG_ASKED(CG_CPU_MAX) | CG_ASKED(CG_MEMORY_MAX));
	assert_true(l->memory_high == CG_UNSET && l->cpu_weight == CG_UNSET && l->io_weight == CG_UNSET);
	plan_free(p);
	unit_host_done(&h);
	unit_host(&h, "{'image':'a','memory':-1}");
	p = unit_start(&h);
	assert_true(p->cgroup.limits.memory_max == CG_MAX && p->cgroup.limits.swap_max == CG_MAX);
	plan_free(p);
	unit_host_done(&h);
}

static void test_refused(void **state)
{
	struct unit_host h;

	(void)state;
	unit_host(&h, "{'image':'a','devices':['/dev/kvm']}");
	start_fails(&h, ERR_NOT_FOUND, "device /dev/kvm: not on this host");
	unit_host_done(&h);
	unit_host(&h, "{'image':'a','timeNamespace':true}");
	h.facts.time_ns = false;
	start_fails(&h, ERR_UNSUPPORTED, "time namespace");
	unit_host_done(&h);
	unit_host(&h, "{'image':'a','capAdd':['CHECKPOINT_RESTORE']}");
	h.facts.caps &= ~BIT(CAP_CHECKPOINT_RESTORE);
	start_fails(&h, ERR_UNSUPPORTED, "capability CHECKPOINT_RESTORE");
	unit_host_done(&h);
	unit_host_merge(&h, "{'image':'a'}", &(struct spec_image){ 0 });
	start_fails(&h, ERR_USAGE, "no command: image a has none");
	unit_host_done(&h);
	unit_host(&h, "{'image':'a','network':'none'}");
	h.lease.cell = true;
	start_fails(&h, ERR_FAILED, "the prepared worker has another network");
	unit_host_done(&h);
}

/* The image's part of a spec is held to the same rules as the user's. */
static void test_merged_spec_is_checked(void **state)
{
	static const char *cmd[] = { "sh" }, *env[] = { "no-value" };
	struct unit_host h;

	(void)state;
	unit_host(&h, "{'image':'a'}");
	h.spec.user = "4294967296";
	start_fails(&h, ERR_USAGE, "user: \"4294967296\"");
	h.spec.user = NULL;
	h.spec.env = (struct strv){ env, 1 };
	h.spec.command = (struct strv){ cmd, 1 };
	start_fails(&h, ERR_USAGE, "env[0]: \"no-value\" is not NAME=VALUE");
	unit_host_done(&h);
}

/* Leases that no sound daemon gives. */
static void test_bad_leases(void **state)
{
	static const uint64_t bases[] = { 0, UINT32_MAX - 65535ULL, 1ULL << 32, UINT64_MAX };
	struct unit_host h;

	(void)state;
	unit_host(&h, "{'image':'a'}");
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		h.lease.id_base = bases[i];
		start_fails(&h, ERR_FAILED, "id range");
	}
	h.lease.id_base = UINT32_MAX - 65536ULL;
	plan_free(unit_start(&h));
	h.lease.ifname = "a-name-of-16-byt";
	start_fails(&h, ERR_FAILED, "network lease");
	h.lease.ifname = NULL;
	start_fails(&h, ERR_FAILED, "network lease");
	h.lease.ifname = "an0";
	h.lease.addr.s_addr = 0;
	start_fails(&h, ERR_FAILED, "network lease");
	unit_host_done(&h);
}

static uint64_t caps_of(const char *add, const char *drop, bool init, uint64_t kernel)
{
	struct unit_host h;
	auto_free char *text = str_fmt("{'image':'a','capAdd':[%s],'capDrop':[%s],'imageInit':%s}", add, drop,
				       init ? "true" : "false");
	uint64_t caps;

	unit_host(&h, text);
	caps = plan_caps(&h.spec, kernel);
	unit_host_done(&h);
	return caps;
}

static void test_caps(void **state)
{
	const uint64_t all = SPEC_CAPS_ALL;
	uint64_t app = caps_of("", "", false, all), system = caps_of("", "", true, all);

	(void)state;
	assert_int_equal(__builtin_popcountll(app), 14);
	assert_true(app & BIT(CAP_NET_RAW) && !(app & BIT(CAP_SYS_ADMIN)) && !(app & BIT(CAP_NET_ADMIN)));
	assert_true((system & app) == app && system & BIT(CAP_SYS_ADMIN) && system & BIT(CAP_NET_ADMIN));
	assert_false(system &
		     (BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_TIME) | BIT(CAP_MAC_ADMIN)));
	assert_true(caps_of("'NET_ADMIN'", "'CHOWN'", false, all) ==
		    ((app | BIT(CAP_NET_ADMIN)) & ~BIT(CAP_CHOWN)));
	assert_true(caps_of("'KILL'", "'ALL'", false, all) == BIT(CAP_KILL));
	assert_true(caps_of("", "'ALL'", false, all) == 0);
	assert_true(caps_of("'ALL'", "", false, all) == all);
	assert_true(caps_of("'ALL'", "'KILL'", false, all) == (all & ~BIT(CAP_KILL)));
	assert_true(caps_of("'ALL'", "", false, 0xff) == 0xff);
	assert_true(caps_of("", "", false, BIT(CAP_KILL)) == BIT(CAP_KILL));
}

/* Nothing is inherited (CVE-2022-24769), and the bounding set is exactly what was planned. */
static void test_cap_sets(void **state)
{
	struct unit_host h;
	struct plan *p;

	(void)state;
	unit_host(&h, "{'image':'a','capAdd':['NET_ADMIN']}");
	p = unit_start(&h);
	assert_true(p->sandbox.cap_bounding == plan_caps(&h.spec, h.facts.caps));
	assert_true(p->sandbox.cap_effective == p->sandbox.cap_bounding);
	assert_true(p->sandbox.cap_permitted == p->sandbox.cap_bounding);
	assert_true(p->sandbox.cap_inheritable == 0 && p->sandbox.cap_ambient == 0);
	plan_free(p);
	unit_host_done(&h);
}

static void test_clocks(void **state)
{
	struct unit_host h;
	struct plan *p;

	(void)state;
	unit_host(&h, "{'image':'a','timeNamespace':true}");
	h.in.now_boot_ns = 5999999999;
	h.in.now_mono_ns = 999999999;
	p = unit_start(&h);
	assert_true(p->sandbox.namespaces & CLONE_NEWTIME);
	assert_true(p->sandbox.time_boot_ns == -5000000000 && p->sandbox.time_mono_ns == 0);
	plan_free(p);
	unit_host_done(&h);
}

static void test_env(void **state)
{
	static const char *env[] = { "A=image", "TERM=image", "B=image" }, *cmd[] = { "sh" };
	static const struct spec_image image = { .cmd = { cmd, 1 }, .env = { env, 3 } };
	struct unit_host h;
	struct plan *p;
	auto_free char *text = NULL;

	(void)state;
	unit_host_merge(&h, "{'image':'a','tty':true,'env':['A=user','HOSTNAME=other','AB=1','container=x']}",
			&image);
	p = unit_start(&h);
	assert_int_equal(p->process.env.n, 7);
	text = unit_print(p);
	unit_expect_line(text, "env A=user");
	unit_expect_line(text, "env B=image");
	unit_expect_line(text, "env TERM=image");
	unit_expect_line(text, "env HOSTNAME=other");
	unit_expect_line(text, "env AB=1");
	unit_expect_line(text, "env container=x");
	unit_expect_line(text, "hostname web-1");
	plan_free(p);
	unit_host_done(&h);
}

static void test_prepare(void **state)
{
	struct unit_host h;
	struct plan *p;
	struct error err = { 0 };
	auto_free char *text = NULL;

	(void)state;
	unit_host(&h, "{'image':'a'}");
	h.in.id = h.in.name = "";
	h.in.spec = NULL;
	assert_int_equal(plan_build_prepare(&h.in, &p, &err), 0);
	text = unit_print(p);
	assert_string_equal(text, "plan prepare\nid \"\"\nname \"\"\nrun /run/arnia\nstate /var/lib/arnia\n"
				  "share /usr/local/share/arnia\nnet routed\ntable arnia\nlink an000000005\n"
				  "link-index 268435461\nlink-group 41984\nhost-mac 06:a4:0a:d1:00:05\n"
				  "mac 02:a4:0a:d1:00:05\naddress 10.209.0.5\ngateway 169.254.1.1\n"
				  "ids 1000000000 65536\nnamespaces user,net\nuid-map 0 1000000000 65536\n"
				  "gid-map 0 1000000000 65536\nundo link\n");
	plan_free(p);
	h.lease.ifname = "";
	assert_int_equal(plan_build_prepare(&h.in, &p, &err), -EINVAL);
	h.in.spec = &h.spec;
	unit_host_done(&h);
}

/* The cell's link, ranges and addresses are the start's that uses it. */
static void test_cell_matches_start(void **state)
{
	struct unit_host h;
	struct plan *cell, *start;
	struct error err;

	(void)state;
	unit_host(&h, "{'image':'a'}");
	h.lease.cell = true;
	start = unit_start(&h);
	assert_int_equal(plan_build_prepare(&h.in, &cell, &err), 0);
	assert_true(start->use_cell);
	assert_true(start->rootfs.id_base == cell->rootfs.id_base && start->net.ifindex == cell->net.ifindex);
	assert_memory_equal(start->net.mac, cell->net.mac, 6);
	assert_memory_equal(start->net.host_mac, cell->net.host_mac, 6);
	assert_string_equal(start->net.ifname, cell->net.ifname);
	plan_free(start);
	plan_free(cell);
	unit_host_done(&h);
}

static void test_plain_cell(void **state)
{
	struct unit_host h;
	struct plan *cell, *start;
	struct error err;
	auto_free char *text = NULL;
	auto_free void *bytes = NULL;
	size_t size;

	(void)state;
	unit_host(&h, "{'image':'a','network':'none'}");
	h.lease.cell = h.lease.plain = true;
	h.lease.addr.s_addr = 0;
	start = unit_start(&h);
	assert_true(start->use_cell && start->net.mode == NET_NONE);
	assert_int_equal(plan_build_prepare(&h.in, &cell, &err), 0);
	text = unit_print(cell);
	assert_true(cell->net.mode == NET_NONE && cell->undo.n == 0);
	unit_expect_line(text, "namespaces user,net");
	plan_free(start);
	assert_int_equal(plan_encode(cell, &bytes, &size), 0);
	assert_int_equal(plan_decode(bytes, size, &start, &err), 0);
	plan_free(cell);
	unit_host_done(&h);
}

static void test_rekind(void **state)
{
	struct unit_host h;
	struct plan *start, undo;

	(void)state;
	unit_host(&h, "{'image':'a'}");
	start = unit_start(&h);
	plan_rekind(start, PLAN_DESTROY, &undo);
	assert_int_equal(undo.kind, PLAN_DESTROY);
	assert_int_equal(start->kind, PLAN_START);
	assert_null(undo.arena.head);
	assert_ptr_equal(undo.undo.v, start->undo.v);
	assert_int_equal(undo.undo.n, 3);
	plan_free(start);
	unit_host_done(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_controllers),
		cmocka_unit_test(test_hint_fits_the_host),
		cmocka_unit_test(test_limit_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_merged_spec_is_checked),
		cmocka_unit_test(test_bad_leases),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_cap_sets),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_cell_matches_start),
		cmocka_unit_test(test_plain_cell), cmocka_unit_test(test_rekind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
