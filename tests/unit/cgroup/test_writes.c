/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/cgroup/fixture.h"

static int write_one(int cg, struct cg_write w, struct error *err)
{
	return cg_write_list(cg, &w, 1, err);
}

static char *value_of(int cg, const char *file)
{
	char text[256];
	long n = cg_read(cg, file, text, sizeof(text));

	assert_true(n >= 0);
	text[strcspn(text, "\n")] = '\0';
	return str_dup(text);
}

static void assert_value(int cg, const char *file, const char *want)
{
	auto_free char *got = value_of(cg, file);

	assert_string_equal(got, want);
}

static void test_names(void **state)
{
	static const char *const bad[] = { NULL, "", ".", "..", "a/b", "../cgroup.procs", "/x", "a b", "a\nb", "a\x7f",
					   "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type" };
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err), tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(cg >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cg_write w = { .file = bad[i], .value = "1", .optional = true };

		assert_int_equal(write_one(cg, w, &err), -EINVAL);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	assert_int_equal(write_one(cg, (struct cg_write){ .file = "io.max" }, &err), -EINVAL);
	assert_int_equal(write_one(tmp, (struct cg_write){ .file = "x", .value = "1" }, &err), -EXDEV);
	assert_int_equal(cg_write_list(cg, NULL, 0, &err), 0);
	fixture_done(&f);
}

static void test_order(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct cg_write list[] = {
		{ "cgroup.max.depth", "5", false, true }, /* instead of nothing */
		{ "cgroup.absent", "1", true, false },
		{ "cgroup.max.depth", "6", false, true },
		{ "cgroup.max.descendants", "1\n2\n3\n", false, false },
		{ "cgroup.max.descendants", "9", false, true },
	};
	struct error err = { 0 };
	auto_fd int cg = -1;

	(void)state;
	c.writes.v = list;
	c.writes.n = ARRAY_SIZE(list);
	cg = cg_create(f.root, &c, &err);
	assert_true(cg >= 0);
	assert_value(cg, "cgroup.max.depth", "6");
	assert_value(cg, "cgroup.max.descendants", "3");
	/* A line that the kernel refuses ends it. */
	assert_true(write_one(cg, (struct cg_write){ .file = "cgroup.max.depth", .value = "4\nx\n7" }, &err) < 0);
	assert_non_null(strstr(err.text, "cgroup.max.depth"));
	assert_value(cg, "cgroup.max.depth", "4");
	fixture_done(&f);
}

static void test_missing_file(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct cg_write w = { .file = "rdma.absent", .value = "1" };
	struct error err = { 0 };
	uint32_t present = 0;
	struct stat st;

	(void)state;
	c.writes.v = &w;
	c.writes.n = 1;
	assert_int_equal(cg_create(f.root, &c, &err), -EOPNOTSUPP);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "\"rdma\""));
	assert_non_null(strstr(err.text, "rdma.absent"));
	assert_non_null(strstr(err.hint, "arnia host doctor"));
	assert_int_equal(cg_read_controllers(f.root, "cgroup.controllers", &present), 0);
	if (!(present & CG_CTL_RDMA))
		assert_non_null(strstr(err.text, "does not give the cgroup v2 controller"));
	assert_int_equal(fstatat(f.root, f.branch, &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	fixture_done(&f);
}

static bool on_in(int root, const char *path)
{
	auto_fd int cg = openat(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint32_t on = 0;

	cg_read_controllers(cg, "cgroup.subtree_control", &on);
	return on & CG_CTL_HUGETLB;
}

/* A controller that is not on below the top is switched on for the file. */
static void test_enables(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .limits = CG_LIMITS_NONE };
	struct cg_write w = { .file = "hugetlb.2MB.max", .value = "4194304" };
	struct error err = { 0 };
	uint32_t present = 0, on = 0;
	auto_fd int cg = -1;
	char path[80];

	(void)state;
	snprintf(path, sizeof(path), "%s/leaf", f.branch);
	cg_read_controllers(f.root, "cgroup.controllers", &present);
	cg_read_controllers(f.root, "cgroup.subtree_control", &on);
	if (!(present & CG_CTL_HUGETLB) || access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) < 0) {
		fixture_done(&f);
		skip();
	}
	c.path = path;
	c.writes.v = &w;
	c.writes.n = 1;
	cg = cg_create(f.root, &c, &err);
	if (cg < 0)
		fail_msg("%s", err.text);
	assert_value(cg, "hugetlb.2MB.max", "4194304");
	/* For one that lives, too, from the top down. */
	fd_close(&cg);
	assert_int_equal(cg_remove(f.root, f.branch, &err), 0);
	c.writes.n = 0;
	cg = cg_create(f.root, &c, &err);
	assert_true(cg >= 0);
	if (!on_in(f.root, f.branch))
		assert_int_equal(faccessat(cg, w.file, F_OK, 0), -1);
	assert_int_equal(cg_write_list(cg, &w, 1, &err), 0);
	assert_value(cg, "hugetlb.2MB.max", "4194304");
	fixture_done(&f);
	if (!(on & CG_CTL_HUGETLB))
		cg_write(f.root, "cgroup.subtree_control", "-hugetlb", NULL);
}

static void test_reuse(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE, .reuse = true };
	struct cg_write good = { .file = "cgroup.max.depth", .value = "3" };
	struct cg_write bad = { .file = "cgroup.absent", .value = "3" };
	struct error err = { 0 };
	auto_fd int first = -1, again = -1;
	struct stat st;

	(void)state;
	c.writes.v = &bad;
	c.writes.n = 1;
	assert_int_equal(cg_create(f.root, &c, &err), -EOPNOTSUPP);
	assert_int_equal(fstatat(f.root, f.branch, &st, 0), -1);
	c.writes.v = &good;
	first = cg_create(f.root, &c, &err);
	assert_true(first >= 0);
	good.value = "4";
	again = cg_create(f.root, &c, &err);
	assert_true(again >= 0);
	assert_value(first, "cgroup.max.depth", "4");
	/* What was there stays when it fails. */
	c.writes.v = &bad;
	assert_int_equal(cg_create(f.root, &c, &err), -EOPNOTSUPP);
	assert_int_equal(fstatat(f.root, f.branch, &st, 0), 0);
	c.reuse = false;
	assert_int_equal(cg_create(f.root, &c, &err), -EEXIST);
	fixture_done(&f);
}

/* What others use is not touched, let alone taken over. */
static void test_used(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct cg_write w = { .file = "cgroup.max.depth", .value = "4" };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err);
	pid_t pid;

	(void)state;
	assert_true(cg >= 0);
	pid = fixture_sleeper(cg);
	c.reuse = true;
	c.writes.v = &w;
	c.writes.n = 1;
	assert_int_equal(cg_create(f.root, &c, &err), -EBUSY);
	assert_int_equal(err.kind, ERR_STATE);
	assert_non_null(strstr(err.text, f.branch));
	assert_value(cg, "cgroup.max.depth", "max");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_order), cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_enables), cmocka_unit_test(test_reuse), cmocka_unit_test(test_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
