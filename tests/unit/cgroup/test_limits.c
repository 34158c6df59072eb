/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/cgroup/fixture.h"

static const char *const full_texts[CG_KNOBS] = {
	[CG_CPU_MAX] = "150000 100000", [CG_CPU_WEIGHT] = "50",		[CG_MEMORY_MAX] = "536870912",
	[CG_MEMORY_HIGH] = "max",	[CG_MEMORY_LOW] = "0",		[CG_SWAP_MAX] = "0",
	[CG_PIDS_MAX] = "max",		[CG_IO_WEIGHT] = "default 200", [CG_OOM_GROUP] = "1",
};

static void test_texts(void **state)
{
	struct cg_limits l = CG_LIMITS_NONE;
	char text[64];

	(void)state;
	for (size_t i = 0; i < CG_KNOBS; i++)
		assert_false(cg_knob_text(&l, i, text, sizeof(text)));
	l = (struct cg_limits){ .cpu_quota_us = 150000,
				.cpu_period_us = CG_UNSET,
				.cpu_weight = 50,
				.memory_max = 536870912,
				.memory_high = CG_MAX,
				.memory_low = 0,
				.swap_max = 0,
				.pids_max = CG_MAX,
				.io_weight = 200,
				.oom_group = true };
	for (size_t i = 0; i < CG_KNOBS; i++) {
		assert_true(cg_knob_text(&l, i, text, sizeof(text)));
		assert_string_equal(text, full_texts[i]);
	}
	l.cpu_quota_us = CG_MAX;
	l.cpu_period_us = 20000;
	assert_true(cg_knob_text(&l, CG_CPU_MAX, text, sizeof(text)));
	assert_string_equal(text, "max 20000");
	/* Off is written only when it was asked for. */
	l.oom_group = false;
	assert_false(cg_knob_text(&l, CG_OOM_GROUP, text, sizeof(text)));
	l.asked = CG_ASKED(CG_OOM_GROUP);
	assert_true(cg_knob_text(&l, CG_OOM_GROUP, text, sizeof(text)));
	assert_string_equal(text, "0");
}

static void test_names(void **state)
{
	char names[64];

	(void)state;
	for (size_t i = 0; i < CG_KNOBS; i++) {
		const char *file = cg_knob_file(i), *controller = cg_knob_controller(i);

		/* "memory.max" belongs to "memory". */
		assert_non_null(str_after(file, controller));
		assert_int_equal(file[strlen(controller)], '.');
		assert_string_equal(
			cg_controller_names(cg_knobs_controllers(CG_ASKED(i)), names, sizeof(names)),
			controller);
	}
	assert_string_equal(cg_controller_names(CG_CTL_CPU | CG_CTL_PIDS, names, sizeof(names)), "cpu, pids");
	assert_string_equal(cg_controller_names(~0u, names, sizeof(names)), "cpu, memory, pids, io, cpuset, hugetlb, rdma, misc");
	assert_string_equal(cg_controller_names(0, names, sizeof(names)), "");
}

static void test_missing(void **state)
{
	struct cg_limits l = CG_LIMITS_NONE;

	(void)state;
	l.memory_max = 1 << 30;
	l.pids_max = 100;
	assert_int_equal(cg_limits_missing(&l, 0), 0);
	l.asked = CG_ASKED(CG_MEMORY_MAX) | CG_ASKED(CG_PIDS_MAX) | CG_ASKED(CG_SWAP_MAX);
	assert_int_equal(cg_limits_missing(&l, 0), l.asked);
	assert_int_equal(cg_limits_missing(&l, CG_CTL_MEMORY), CG_ASKED(CG_PIDS_MAX));
	assert_int_equal(cg_limits_missing(&l, CG_CTL_PIDS | CG_CTL_CPU),
			 CG_ASKED(CG_MEMORY_MAX) | CG_ASKED(CG_SWAP_MAX));
	assert_int_equal(cg_limits_missing(&l, ~0u), 0);
}

static uint32_t host_controllers(const struct fixture *f)
{
	uint32_t have = 0;

	assert_int_equal(cg_enable(f->root, "", CG_CTL_MEMORY | CG_CTL_PIDS, &have, NULL), 0);
	return have;
}

/* Default limits go where they can; one that was asked for is given or refused by name. */
static void test_live(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct strbuf printed = { 0 };
	struct error err = { 0 };
	uint32_t have = host_controllers(&f);
	auto_fd int cg = -1;

	(void)state;
	c.limits.pids_max = 77;
	c.limits.memory_max = 64 << 20;
	cg = cg_create(f.root, &c, &err);
	assert_true(cg >= 0);
	cg_print(cg, &printed);
	assert_int_equal(strstr(strbuf_cstr(&printed), "pids.max 77\n") != NULL, !!(have & CG_CTL_PIDS));
	assert_int_equal(strstr(strbuf_cstr(&printed), "memory.max 67108864\n") != NULL,
			 !!(have & CG_CTL_MEMORY));
	strbuf_done(&printed);

	c.limits.asked = CG_ASKED(CG_PIDS_MAX);
	err = (struct error){ 0 };
	if (have & CG_CTL_PIDS) {
		assert_int_equal(cg_write_limits(cg, &c.limits, &err), 0);
	} else {
		assert_int_equal(cg_write_limits(cg, &c.limits, &err), -EOPNOTSUPP);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.text, "\"pids\""));
		assert_non_null(strstr(err.hint, "arnia host doctor"));
	}
	fixture_done(&f);
}

/* Every knob, where there are controllers for it; what the kernel says afterwards. */
static void test_all_knobs(void **state)
{
	struct fixture f = fixture_open();
	auto_free char *path = str_fmt("%s/deep/leaf", f.branch);
	struct cg_config c = { .path = path, .limits = CG_LIMITS_NONE };
	cleanup(strbuf_done) struct strbuf out = { 0 };
	struct error err = { 0 };
	uint32_t have = 0;
	auto_fd int cg = -1;

	(void)state;
	assert_int_equal(cg_enable(f.root, "", CG_CTL_MEMORY | CG_CTL_PIDS | CG_CTL_CPU, &have, NULL), 0);
	if (have != (CG_CTL_MEMORY | CG_CTL_PIDS | CG_CTL_CPU)) {
		print_message("no controllers for cgroup v2 on this host\n");
		fixture_done(&f);
		skip();
	}
	c.limits = (struct cg_limits){ .cpu_quota_us = 150000,
				       .cpu_period_us = CG_UNSET,
				       .cpu_weight = 50,
				       .memory_max = 64 << 20,
				       .memory_high = 48 << 20,
				       .memory_low = 4096,
				       .swap_max = CG_UNSET,
				       .pids_max = 33,
				       .io_weight = CG_UNSET,
				       .oom_group = true };
	c.limits.asked = CG_ASKED(CG_CPU_MAX) | CG_ASKED(CG_MEMORY_MAX) | CG_ASKED(CG_PIDS_MAX);
	cg = cg_create(f.root, &c, &err);
	if (cg < 0)
		fail_msg("%s", err.text);
	cg_print(cg, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "cpu.max 150000 100000\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "cpu.weight 50\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "memory.max 67108864\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "memory.high 50331648\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "memory.low 4096\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "pids.max 33\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "memory.oom.group 1\n"));
	/* Closed with the memory limit, where the kernel counts swap. */
	if (strstr(strbuf_cstr(&out), "memory.swap.max"))
		assert_non_null(strstr(strbuf_cstr(&out), "memory.swap.max 0\n"));
	/* A change leaves the other knobs alone. */
	c.limits = CG_LIMITS_NONE;
	c.limits.pids_max = CG_MAX;
	assert_int_equal(cg_write_limits(cg, &c.limits, &err), 0);
	strbuf_done(&out);
	out = (struct strbuf){ 0 };
	cg_print(cg, &out);
	assert_non_null(strstr(strbuf_cstr(&out), "pids.max max\n"));
	assert_non_null(strstr(strbuf_cstr(&out), "memory.max 67108864\n"));
	c.limits.cpu_weight = 10001;
	assert_int_equal(cg_write_limits(cg, &c.limits, &err), -ERANGE);
	assert_non_null(strstr(err.text, "cpu.weight"));
	fixture_done(&f);
}

/* A process in a folder on the way keeps its controllers from being enabled, and it is said where. */
static void test_process_in_the_way(void **state)
{
	struct fixture f = fixture_open();
	auto_free char *path = str_fmt("%s/leaf", f.branch);
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int inner = cg_create(f.root, &c, &err);
	uint32_t have = 0;
	char why[256];
	pid_t pid;
	int r;

	(void)state;
	assert_true(inner >= 0);
	assert_int_equal(cg_enable(f.root, "", CG_CTL_MEMORY, &have, NULL), 0);
	if (!have) {
		print_message("no controllers for cgroup v2 on this host\n");
		fixture_done(&f);
		skip();
	}
	pid = fixture_sleeper(inner);
	assert_int_equal(cg_enable(f.root, f.branch, CG_CTL_MEMORY, &have, why), 0);
	assert_int_equal(have, 0);
	c.path = path;
	c.limits.memory_max = 1 << 25;
	c.limits.asked = CG_ASKED(CG_MEMORY_MAX);
	r = cg_create(f.root, &c, &err);
	cg_kill(inner, NULL);
	waitpid(pid, NULL, 0);
	assert_non_null(strstr(why, f.branch));
	assert_non_null(strstr(why, "processes"));
	assert_int_equal(r, -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "processes"));
	fixture_done(&f);
}

static void test_refused_create_leaves_nothing(void **state)
{
	struct fixture f = fixture_open();
	auto_free char *path = str_fmt("%s/a/b", f.branch);
	struct cg_config c = { .path = path, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	struct stat st;
	int r;

	(void)state;
	/* Above what the kernel takes, so that it fails on every host: here by the missing controller, there
	 * by ERANGE. */
	c.limits.cpu_weight = 10001;
	c.limits.asked = CG_ASKED(CG_CPU_WEIGHT);
	r = cg_create(f.root, &c, &err);
	assert_true(r == -EOPNOTSUPP || r == -ERANGE);
	if (r == -EOPNOTSUPP) {
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.text, "\"cpu\""));
		assert_true(err.hint[0] != '\0');
	}
	assert_int_equal(fstatat(f.root, f.branch, &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	fixture_done(&f);
}

static void test_enable_explains(void **state)
{
	struct fixture f = fixture_open();
	char why[256] = "old";
	uint32_t have = 99;

	(void)state;
	assert_int_equal(cg_enable(f.root, "../x", CG_CTL_CPU, &have, why), -EINVAL);
	assert_int_equal(have, 99);
	assert_int_equal(cg_enable(f.root, "", CG_CTL_CPU | CG_CTL_MEMORY, &have, why), 0);
	assert_int_equal(have & ~(uint32_t)(CG_CTL_CPU | CG_CTL_MEMORY), 0);
	/* A reason is given exactly when something is missing. */
	assert_int_equal(why[0] == '\0', have == (CG_CTL_CPU | CG_CTL_MEMORY));
	if (!(have & CG_CTL_MEMORY))
		assert_non_null(strstr(why, "memory"));
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_refused_create_leaves_nothing),
		cmocka_unit_test(test_enable_explains),
		cmocka_unit_test(test_all_knobs),
		cmocka_unit_test(test_process_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
