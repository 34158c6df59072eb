/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <time.h>
#include "tests/unit/cgroup/fixture.h"

static void test_path_check(void **state)
{
	static const char *const good[] = { "a", "arnia/c-0123456789abcdef", "a/b/c/d", "a.b", "...", "a..b",
					    "-x" };
	static const char *const bad[] = { "",	 "/",	 "/a",	 "a/",	   "a//b", ".",
					   "..", "a/..", "../a", "a/../b", "a/./b" };
	char deep[300];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(cg_check_path(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cg_check_path(bad[i], &err), -EINVAL);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	memset(deep, 'x', sizeof(deep));
	deep[256] = '\0';
	assert_int_equal(cg_check_path(deep, NULL), -EINVAL);
	deep[255] = '\0';
	assert_int_equal(cg_check_path(deep, NULL), 0);
	assert_int_equal(cg_check_path(NULL, NULL), -EINVAL);
}

static void test_create_once(void **state)
{
	struct fixture f = fixture_open();
	auto_free char *leaf = str_fmt("%s/one/two", f.branch);
	struct cg_config c = { .path = leaf, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err);
	struct cg_events ev;

	(void)state;
	assert_true(cg >= 0);
	assert_int_equal(cg_read_events(cg, &ev), 0);
	assert_false(ev.populated);
	assert_false(ev.frozen);
	assert_int_equal(cg_create(f.root, &c, &err), -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	/* The failed second try must not take the first one away. */
	assert_int_equal(cg_read_events(cg, &ev), 0);
	assert_int_equal(cg_remove(f.root, leaf, &err), 0);
	assert_int_equal(cg_open(f.root, leaf, &err), -ENOENT);
	assert_int_equal(cg_remove(f.root, leaf, &err), 0);
	assert_int_equal(cg_remove(f.root, "../x", &err), -EINVAL);
	fixture_done(&f);
}

static void test_delegate(void **state)
{
	static const char *const given[] = { ".", "cgroup.procs", "cgroup.threads",
					     "cgroup.subtree_control" };
	static const char *const kept[] = { "cgroup.kill", "cgroup.freeze", "cgroup.max.depth" };
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch,
			       .limits = CG_LIMITS_NONE,
			       .delegate = true,
			       .owner_uid = 70000,
			       .owner_gid = 70001 };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err);
	struct stat st;

	(void)state;
	assert_true(cg >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		assert_int_equal(fstatat(cg, given[i], &st, 0), 0);
		assert_int_equal(st.st_uid, 70000);
		assert_int_equal(st.st_gid, 70001);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		assert_int_equal(fstatat(cg, kept[i], &st, 0), 0);
		assert_int_equal(st.st_uid, 0);
	}
	fixture_done(&f);
}

/* 30 deep, and 40 wide with a child each. */
static void test_remove_tree(void **state)
{
	struct fixture f = fixture_open();
	char path[512];
	struct stat st;
	size_t n;

	(void)state;
	n = (size_t)snprintf(path, sizeof(path), "%s", f.branch);
	assert_int_equal(mkdirat(f.root, path, 0755), 0);
	for (int i = 0; i < 30; i++) {
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/d%d", i);
		assert_int_equal(mkdirat(f.root, path, 0755), 0);
	}
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "%s/w%d", f.branch, i);
		assert_int_equal(mkdirat(f.root, path, 0755), 0);
		snprintf(path, sizeof(path), "%s/w%d/x", f.branch, i);
		assert_int_equal(mkdirat(f.root, path, 0755), 0);
	}
	assert_int_equal(cg_remove(f.root, f.branch, NULL), 0);
	assert_int_equal(fstatat(f.root, f.branch, &st, 0), -1);
	fixture_done(&f);
}

/* Wait for a change reported by cg_watch until `want` holds. */
static void wait_events(int watch, int cg, bool populated, bool frozen)
{
	struct pollfd p = { .fd = watch, .events = POLLIN };
	struct cg_events ev;
	char buf[4096];

	for (;;) {
		assert_int_equal(cg_read_events(cg, &ev), 0);
		if (ev.populated == populated && ev.frozen == frozen)
			return;
		assert_int_equal(poll(&p, 1, 5000), 1);
		assert_true(read(watch, buf, sizeof(buf)) > 0);
	}
}

static void test_life(void **state)
{
	struct fixture f = fixture_open();
	auto_free char *below = str_fmt("%s/in", f.branch);
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err), sub = -1, watch = -1;
	pid_t pids[8], a, b;
	int status;

	(void)state;
	assert_true(cg >= 0);
	c.path = below;
	sub = cg_create(f.root, &c, &err);
	watch = cg_watch(cg, &err);
	assert_true(sub >= 0 && watch >= 0);
	a = fixture_sleeper(cg);
	b = fixture_sleeper(sub);
	wait_events(watch, cg, true, false);
	assert_int_equal(cg_read_pids(cg, pids, 8), 2);
	assert_true((pids[0] == a && pids[1] == b) || (pids[0] == b && pids[1] == a));
	assert_int_equal(cg_read_pids(cg, pids, 1), 1);
	assert_int_equal(cg_read_pids(sub, pids, 8), 1);
	assert_int_equal(pids[0], b);

	assert_int_equal(cg_remove(f.root, f.branch, &err), -EBUSY);
	assert_int_equal(err.kind, ERR_STATE);
	assert_int_equal(cg_freeze(cg, true, &err), 0);
	wait_events(watch, cg, true, true);
	/* A frozen cgroup dies like any other. */
	assert_int_equal(cg_kill(cg, &err), 0);
	assert_int_equal(waitpid(a, &status, 0), a);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(waitpid(b, &status, 0), b);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	wait_events(watch, cg, false, true);
	assert_int_equal(cg_freeze(cg, false, &err), 0);
	wait_events(watch, cg, false, false);
	fixture_done(&f);
}

static void test_add_process_errors(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err), tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(cg_add_process(cg, 0x7ffffff0, &err), -ESRCH);
	/* Not a cgroup: nothing may be written. */
	assert_true(cg_freeze(tmp, true, &err) < 0);
	fixture_done(&f);
}

static void test_stat(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = -1;
	struct cg_stat st = { .cpu_usec = 7 };
	struct timespec t0, t;
	uint32_t have = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(cg_enable(f.root, "", CG_CTL_MEMORY | CG_CTL_PIDS, &have, NULL), 0);
	cg = cg_create(f.root, &c, &err);
	assert_int_equal(cg_read_stat(cg, &st), 0);
	assert_true(st.cpu_usec != CG_UNSET);
	assert_int_equal(st.mem_bytes != CG_UNSET, !!(have & CG_CTL_MEMORY));
	assert_int_equal(st.oom_kill != CG_UNSET, !!(have & CG_CTL_MEMORY));
	assert_int_equal(st.pids != CG_UNSET, !!(have & CG_CTL_PIDS));
	pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
		_exit(cg_add_process(cg, getpid(), NULL) < 0 ? 1 : ({
			do
				clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
			while ((t.tv_sec - t0.tv_sec) * 1000000000L + t.tv_nsec - t0.tv_nsec < 20000000L);
			0;
		}));
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(cg_read_stat(cg, &st), 0);
	assert_true(st.cpu_usec >= 10000);
	assert_int_equal(cg_remove(f.root, f.branch, &err), 0);
	/* A removed one has no numbers, and the output stays as it was. */
	st.cpu_usec = 7;
	assert_int_equal(cg_read_stat(cg, &st), -ENODEV);
	assert_int_equal(st.cpu_usec, 7);
	fixture_done(&f);
}

static void test_stat_text(void **state)
{
	struct fixture f = fixture_open();
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct cg_stat_text st = { 0 };
	struct arena a = { 0 };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err), tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool found = false;

	(void)state;
	assert_int_equal(cg_read_stat_text(cg, &a, &st), 0);
	for (size_t i = 0; i < st.files.n; i++)
		if (str_eq(st.files.v[i].name, "cpu.stat"))
			found = str_starts(st.files.v[i].text, "usage_usec ");
	assert_true(found);
	assert_int_equal(cg_read_stat_text(tmp, &a, &st), -EXDEV);
	assert_int_equal(cg_remove(f.root, f.branch, &err), 0);
	assert_int_equal(cg_read_stat_text(cg, &a, &st), -ENODEV);
	arena_done(&a);
	fixture_done(&f);
}

static void test_find_key(void **state)
{
	static const char text[] = "low 1\nhigh 22\nmax 333\noom 4\noom_kill 18446744073709551615\nbad x\n";
	uint64_t v = 9;

	(void)state;
	assert_int_equal(cg_find_key(text, "low", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(cg_find_key(text, "oom_kill", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(cg_find_key(text, "oom", &v), 0);
	assert_int_equal(v, 4);
	assert_int_equal(cg_find_key(text, "hig", &v), -ENOENT);
	assert_int_equal(cg_find_key(text, "bad", &v), -EINVAL);
	assert_int_equal(cg_find_key("", "low", &v), -ENOENT);
	assert_int_equal(v, 4);
}

static void test_own_path(void **state)
{
	struct fixture f = fixture_open();
	char path[4096] = "?", tiny[1];
	struct error err;
	auto_fd int cg = -1;

	(void)state;
	assert_int_equal(cg_own_path(path, sizeof(path), &err), 0);
	assert_int_not_equal(path[0], '/');
	assert_int_not_equal(path[0], '?');
	cg = openat(f.root, path[0] ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(cg >= 0);
	if (path[0])
		assert_int_equal(cg_own_path(tiny, sizeof(tiny), &err), -ENAMETOOLONG);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path_check), cmocka_unit_test(test_create_once),
		cmocka_unit_test(test_delegate),   cmocka_unit_test(test_remove_tree),
		cmocka_unit_test(test_life),	   cmocka_unit_test(test_add_process_errors),
		cmocka_unit_test(test_stat),	   cmocka_unit_test(test_stat_text), cmocka_unit_test(test_find_key),
		cmocka_unit_test(test_own_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
