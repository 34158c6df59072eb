/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <stdlib.h>
#include "lib/base/str.h"

/* The planned text of a file, NULL when it is not planned. */
static char *planned(const char *spec, const char *host_resolv, const char *path)
{
	struct unit_host h;
	struct plan *p;
	char *text = NULL;

	unit_host(&h, spec);
	h.in.host_resolv = host_resolv;
	p = unit_start(&h);
	for (size_t i = 0; i < p->rootfs.files.n; i++) {
		const struct file_item *f = &p->rootfs.files.v[i];

		assert_int_equal(f->mode, 0644);
		if (str_eq(f->path, path))
			text = str_dup_n(f->data, f->size);
	}
	plan_free(p);
	unit_host_done(&h);
	return text;
}

static void test_resolv(void **state)
{
	static const char none[] = "# none: the host has only resolvers that cannot be reached from here\n";
	static const struct {
		const char *members, *host, *want;
	} cases[] = {
		{ "", NULL, none },
		{ "", "", none },
		{ "", "nameserver 127.0.0.53\n", none },
		{ "", "nameserver 127.8.9.10\nnameserver ::1\nnameserver fe80::1\nnameserver x\n", none },
		{ "", "nameserver 10.0.0.1", "nameserver 10.0.0.1\n" },
		{ "", "nameserver\t  10.0.0.1  # office\n", "nameserver 10.0.0.1\n" },
		{ "",
		  "nameserver 10.0.0.1\nnameserver 127.0.0.1\nnameserver 10.0.0.2\nnameserver "
		  "10.0.0.3\nnameserver "
		  "10.0.0.4\n",
		  "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n" },
		{ "", "search a b\ndomain c\noptions ndots:2\nsortlist 1.2.3.4\n;x\nnameserver 10.0.0.1\n",
		  "nameserver 10.0.0.1\nsearch a b\ndomain c\noptions ndots:2\n" },
		{ "", "search a\x1b[2J\nnameserver 10.0.0.1\r\nnameserver 10.0.0.2\nsearch \xff\n",
		  "nameserver 10.0.0.2\n" },
		{ ",'dns':['9.9.9.9']", "nameserver 10.0.0.1\nsearch a\n", "nameserver 9.9.9.9\nsearch a\n" },
		{ ",'network':'host'", "nameserver 127.0.0.53\nnameserver ::1\n",
		  "nameserver 127.0.0.53\nnameserver ::1\n" },
		{ ",'network':'none'", "nameserver 10.0.0.1\nsearch a\n", "# no network\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *spec = str_fmt("{'image':'a'%s}", cases[i].members);
		auto_free char *have = planned(spec, cases[i].host, "/etc/resolv.conf");

		if (!str_eq(have, cases[i].want))
			fail_msg("case %zu: \"%s\", expected \"%s\"", i, have ? have : "(none)",
				 cases[i].want);
	}
}

/* A line too long for a resolver is left out; the next is read as if nothing had been. */
static void test_long_line(void **state)
{
	struct strbuf b = { 0 };
	auto_free char *have = NULL;

	(void)state;
	strbuf_add(&b, "search ");
	for (int i = 0; i < 1000; i++)
		strbuf_add(&b, "xyz ");
	strbuf_add(&b, "\nnameserver 10.0.0.1\n");
	have = planned("{'image':'a'}", strbuf_cstr(&b), "/etc/resolv.conf");
	assert_string_equal(have, "nameserver 10.0.0.1\n");
	strbuf_done(&b);
}

static void test_hosts(void **state)
{
	static const struct {
		const char *members, *last;
	} cases[] = {
		{ "", "10.209.0.5 web-1\n" },
		{ ",'hostname':'a.b.example'", "10.209.0.5 a.b.example a\n" },
		{ ",'network':'none'", "127.0.1.1 web-1\n" },
		{ ",'network':'host'", "127.0.1.1 web-1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *spec = str_fmt("{'image':'a'%s}", cases[i].members);
		auto_free char *have = planned(spec, NULL, "/etc/hosts");

		assert_true(str_starts(have, "127.0.0.1 localhost\n::1 localhost"));
		if (!str_ends(have, cases[i].last))
			fail_msg("%s", have);
	}
}

/* What the user mounts in the place of a file is not covered; a mount of a folder above it is. */
static void test_covered(void **state)
{
	static const char *const paths[] = { "/etc/hosts", "/etc/hostname", "/etc/resolv.conf" };
	static const struct {
		const char *target;
		bool planned[3];
	} cases[] = {
		{ "/etc/hosts", { false, true, true } }, { "/etc/resolv.conf", { true, true, false } },
		{ "/etc", { true, true, true } },	 { "/etc/host", { true, true, true } },
		{ "/et", { true, true, true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *spec =
			str_fmt("{'image':'a','mounts':[{'type':'tmpfs','target':'%s'}]}", cases[i].target);

		for (size_t k = 0; k < ARRAY_SIZE(paths); k++) {
			auto_free char *have = planned(spec, NULL, paths[k]);

			if (cases[i].planned[k] != (have != NULL))
				fail_msg("%s under %s", paths[k], cases[i].target);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolv),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
