/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sched.h>
#include <sys/mount.h>
#include "tests/unit/sandbox/fixture.h"

static void test_check(void **state)
{
	static const struct {
		struct id_map m[3];
		size_t n;
		int code;
	} rows[] = {
		{ { { 0, 100000, 65536 } }, 1, 0 },
		{ { { 0, 100000, 1 }, { 1, 200000, 65535 } }, 2, 0 },
		{ { { 0, 0, 4294967295 } }, 1, 0 },
		{ { { 4294967294, 4294967294, 1 } }, 1, 0 },
		{ { { 0 } }, 0, -EINVAL },
		{ { { 0, 100000, 0 } }, 1, -EINVAL },
		{ { { 0, 4294967295, 1 } }, 1, -ERANGE },
		{ { { 4294967295, 0, 1 } }, 1, -ERANGE },
		{ { { 1, 0, 4294967295 } }, 1, -ERANGE },
		{ { { 0, 4294901761, 65536 } }, 1, -ERANGE },
		{ { { 0, 4294901759, 65536 } }, 1, 0 },
		/* Overlap inside, outside, by one, as a part. */
		{ { { 0, 100, 10 }, { 9, 200, 10 } }, 2, -EINVAL },
		{ { { 0, 100, 10 }, { 10, 109, 10 } }, 2, -EINVAL },
		{ { { 0, 100, 10 }, { 10, 110, 10 } }, 2, 0 },
		{ { { 0, 100, 1000 }, { 500, 5000, 1 } }, 2, -EINVAL },
		{ { { 500, 5000, 1 }, { 0, 100, 1000 } }, 2, -EINVAL },
		{ { { 0, 100, 5 }, { 5, 200, 5 }, { 10, 104, 5 } }, 3, -EINVAL },
	};
	struct id_map many[341];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = { 0 };

		if (idmap_check(rows[i].m, rows[i].n, &err) != rows[i].code)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(err.kind, rows[i].code ? ERR_USAGE : ERR_NONE);
	}
	for (uint32_t i = 0; i < 341; i++)
		many[i] = (struct id_map){ i * 2, i * 2, 1 };
	assert_int_equal(idmap_check(many, 340, NULL), 0);
	assert_int_equal(idmap_check(many, 341, NULL), -EINVAL);
}

/* A child in a new user namespace, which says when it is there and waits until it may go on. */
struct other {
	pid_t pid;
	int ready, go;
};

static struct other start_other(void)
{
	int ready[2], go[2];
	struct other o;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	o.pid = fork();
	if (o.pid == 0) {
		close(go[1]);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(setresgid(7, 7, 7) < 0 || setresuid(5, 5, 5) < 0 || getuid() != 5 || setuid(70000) == 0
			      ? 2
			      : 0);
	}
	assert_true(o.pid > 0);
	close(ready[1]);
	close(go[0]);
	o.ready = ready[0];
	o.go = go[1];
	assert_int_equal(read(o.ready, &c, 1), 1);
	return o;
}

static int finish_other(struct other *o)
{
	int status;

	assert_int_equal(write(o->go, "g", 1), 1);
	close(o->go);
	close(o->ready);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void check_map(pid_t pid, const char *file, const char *text)
{
	auto_free char *path = str_fmt("/proc/%d/%s", pid, file);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned want[3], got[3];
	char buf[128] = "";

	assert_true(read(fd, buf, sizeof(buf) - 1) > 0);
	assert_int_equal(sscanf(buf, "%u %u %u", &got[0], &got[1], &got[2]), 3);
	assert_int_equal(sscanf(text, "%u %u %u", &want[0], &want[1], &want[2]), 3);
	assert_memory_equal(got, want, sizeof(got));
}

static void test_write(void **state)
{
	struct id_map uids[] = { { 0, 1000000, 65536 } }, gids[] = { { 0, 2000000, 100 } };
	struct sandbox_config c = { .uid_maps = { uids, 1 }, .gid_maps = { gids, 1 } };
	struct error err = { 0 };
	struct other o;

	(void)state;
	need_root();
	o = start_other();
	assert_int_equal(idmap_write(o.pid, &c, &err), 0);
	check_map(o.pid, "uid_map", "0 1000000 65536");
	check_map(o.pid, "gid_map", "0 2000000 100");
	/* A map is written once. */
	assert_int_equal(idmap_write(o.pid, &c, &err), -EPERM);
	assert_int_equal(finish_other(&o), 0);
	assert_int_equal(idmap_write(o.pid, &c, &err), -ENOENT);
	uids[0].count = 0;
	assert_int_equal(idmap_write(o.pid, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "uid_map"));
}

/* CVE-2025-52881: something else where the file should be. */
static int over_mounted(void *arg)
{
	struct id_map ids[] = { { 0, 1000000, 65536 } };
	struct sandbox_config c = { .uid_maps = { ids, 1 }, .gid_maps = { ids, 1 }, .oom_score_adj = 100 };
	auto_free char *path = str_fmt("/proc/%d/uid_map", *(pid_t *)arg);
	struct error err = { 0 };

	CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("/proc/sys/kernel/domainname", path, NULL, MS_BIND, NULL) == 0);
	CHECK(idmap_write(*(pid_t *)arg, &c, &err) == -EXDEV);
	CHECK(strstr(err.text, "mounted over"));
	CHECK(umount(path) == 0);
	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHECK(idmap_write(*(pid_t *)arg, &c, &err) == -EXDEV);
	CHECK(oom_score_apply(&c, &err) == -EXDEV);
	CHECK(umount("/proc") == 0);
	/* A procfs, but not its top. */
	CHECK(mount("/proc/sys", "/proc", NULL, MS_BIND, NULL) == 0);
	CHECK(oom_score_apply(&c, &err) == -EXDEV);
	CHECK(umount("/proc") == 0);
	CHECK(oom_score_apply(&c, &err) == 0);
	return 0;
}

static int over_mounted_old(void *arg)
{
	CHECK(hide_openat2() == 0);
	return over_mounted(arg);
}

static void test_over_mounted(void **state)
{
	struct other o;

	(void)state;
	need_root();
	o = start_other();
	in_child(over_mounted, &o.pid);
	in_child(over_mounted_old, &o.pid);
	/* Nothing was written: it cannot become what it wants to. */
	assert_int_equal(finish_other(&o), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_over_mounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
