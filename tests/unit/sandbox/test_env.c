/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include "tests/unit/sandbox/fixture.h"

static void test_get(void **state)
{
	const char *v[] = { "PATHX=no", "PATH=/a:/b", "EMPTY=", "NOEQ", "PATH=later" };
	struct strv env = { v, ARRAY_SIZE(v) }, none = { 0 };

	(void)state;
	assert_string_equal(env_get(&env, "PATH"), "/a:/b");
	assert_string_equal(env_get(&env, "EMPTY"), "");
	assert_null(env_get(&env, "NOEQ"));
	assert_null(env_get(&env, "PAT"));
	assert_null(env_get(&none, "PATH"));
}

static int find(const char *name, const char *path, char *ret, struct error *err)
{
	const char *argv[] = { name }, *env[] = { path };
	struct process_config p = { .argv = { argv, name ? 1 : 0 }, .env = { env, path ? 1 : 0 } };

	return env_find_program(&p, ret, err);
}

static void make_program(const char *dir, const char *name, mode_t mode)
{
	auto_free char *path = str_fmt("%s/%s", dir, name);

	file_make(dir, name, "#!/bin/sh\n");
	assert_int_equal(chmod(path, mode), 0);
}

static void test_find(void **state)
{
	char *a = folder_make(), *b = folder_make(), found[PATH_MAX] = "old";
	auto_free char *path = str_fmt("PATH=/nonexistent:%s:%s", a, b), *sub = str_fmt("%s/sub", a);
	auto_free char *want_b = str_fmt("%s/prog", b), *want_both = str_fmt("%s/both", a),
		       *plain = str_fmt("%s/data", a);
	auto_free char *under = str_fmt("%s/data/x", a), *fifo = str_fmt("%s/fifo", a),
		       *gone = str_fmt("%s/gone", a);
	char long_name[PATH_MAX + 10];
	struct error err = { 0 };

	(void)state;
	make_program(b, "prog", 0755);
	make_program(a, "both", 0755);
	make_program(b, "both", 0755);
	make_program(a, "prog", 0644); /* not executable: the search goes on */
	make_program(a, "data", 0644);
	assert_int_equal(mkdir(sub, 0755), 0);
	assert_int_equal(mkfifo(fifo, 0755), 0);
	assert_int_equal(find("prog", path, found, &err), 0);
	assert_string_equal(found, want_b);
	assert_int_equal(find("both", path, found, &err), 0);
	assert_string_equal(found, want_both);
	assert_int_equal(find(want_b, NULL, found, &err), 0);
	assert_string_equal(found, want_b);

	static const struct {
		const char *name;
		int code;
		enum err_kind kind;
	} rows[] = {
		{ "data", -EACCES, ERR_CANNOT_RUN }, { "sub", -EISDIR, ERR_CANNOT_RUN },
		{ "fifo", -EACCES, ERR_CANNOT_RUN }, { "nosuch", -ENOENT, ERR_NO_COMMAND },
		{ "", -ENOENT, ERR_NO_COMMAND },     { NULL, -ENOENT, ERR_NO_COMMAND },
	};
	snprintf(found, sizeof(found), "old");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(find(rows[i].name, path, found, &err), rows[i].code);
		assert_int_equal(err.kind, rows[i].kind);
	}
	assert_int_equal(find(sub, NULL, found, &err), -EISDIR);
	assert_int_equal(err.kind, ERR_CANNOT_RUN);
	assert_int_equal(find(plain, NULL, found, &err), -EACCES);
	assert_int_equal(err.kind, ERR_CANNOT_RUN);
	assert_int_equal(find(gone, NULL, found, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NO_COMMAND);
	assert_int_equal(find(under, NULL, found, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NO_COMMAND);
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(find(long_name, path, found, &err), -ENOENT);
	long_name[0] = '/';
	assert_int_equal(find(long_name, path, found, &err), -ENAMETOOLONG);
	assert_int_equal(err.kind, ERR_CANNOT_RUN);
	assert_string_equal(found, "old");
	/* Without PATH the usual places. */
	assert_int_equal(find("sh", NULL, found, &err), 0);
	assert_true(str_ends(found, "/bin/sh"));
	folder_remove(a);
	folder_remove(b);
}

static int empty_element(void *dir)
{
	char found[PATH_MAX];

	CHECK(chdir(dir) == 0);
	CHECK(find("here", "PATH=/nonexistent:", found, NULL) == 0 && str_eq(found, "here"));
	CHECK(find("here", "PATH=:/nonexistent", found, NULL) == 0);
	CHECK(find("here", "PATH=/nonexistent", found, NULL) == -ENOENT);
	return 0;
}

static void test_empty_element(void **state)
{
	char *dir = folder_make();

	(void)state;
	make_program(dir, "here", 0755);
	in_child(empty_element, dir);
	folder_remove(dir);
}

static int cwd_plain(void *dir)
{
	auto_free char *deep = str_fmt("%s/x/y/z", (char *)dir), *file = str_fmt("%s/file", (char *)dir);
	char now[PATH_MAX];
	struct error err = { 0 };
	struct stat st;

	CHECK(cwd_apply(dir, false, &err) == 0);
	CHECK(getcwd(now, sizeof(now)) && str_eq(now, dir));
	CHECK(cwd_apply(deep, false, &err) == -ENOENT);
	CHECK(cwd_apply(deep, true, &err) == 0);
	CHECK(getcwd(now, sizeof(now)) && str_eq(now, deep));
	CHECK(stat(deep, &st) == 0 && (st.st_mode & 0777) == 0755);
	CHECK(cwd_apply(file, true, &err) == -ENOTDIR);
	CHECK(cwd_apply("relative", false, &err) == -EINVAL && err.kind == ERR_USAGE);
	CHECK(cwd_apply("", false, &err) == -EINVAL);
	CHECK(cwd_apply("/", false, &err) == 0);
	return 0;
}

/* CVE-2024-21626: a descriptor of the host's root that somebody forgot to close, after the root has changed.
 * `path` is its link; "/link" leads to it. */
static int enter_with_descriptor(const char *dir, char path[64])
{
	int outside = open("/", O_RDONLY | O_DIRECTORY); /* no CLOEXEC, on purpose */
	auto_free char *proc = str_fmt("%s/proc", dir), *link = str_fmt("%s/link", dir);
	char target[64];

	CHECK(mkdir(proc, 0755) == 0 || errno == EEXIST);
	snprintf(path, 64, "/proc/self/fd/%d", outside);
	CHECK(unlink(link) == 0 || errno == ENOENT);
	CHECK(symlink(path, link) == 0);
	CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("proc", proc, "proc", 0, NULL) == 0);
	CHECK(chroot(dir) == 0 && chdir("/") == 0);
	CHECK(readlink(path, target, sizeof(target)) > 0);
	return 0;
}

static bool is_inside(void)
{
	char now[PATH_MAX];

	return syscall(SYS_getcwd, now, sizeof(now)) > 0 && now[0] == '/';
}

static int cwd_by_descriptor(void *dir)
{
	char path[64], above[128];
	struct error err = { 0 };
	int r = enter_with_descriptor(dir, path);

	if (r)
		return r;
	snprintf(above, sizeof(above), "%s/../tmp", path);
	CHECK(cwd_apply(path, false, &err) == -ELOOP);
	CHECK(cwd_apply(path, true, &err) == -ELOOP);
	CHECK(cwd_apply("/link", true, &err) == -ELOOP);
	CHECK(cwd_apply(above, true, &err) == -ELOOP);
	CHECK(cwd_apply("/proc/self/cwd", false, &err) == -ELOOP);
	CHECK(cwd_apply("/proc/self/fd", false, &err) == 0);
	CHECK(is_inside());
	return 0;
}

/* The second line of defence, where the first one is not to be had. */
static int cwd_by_descriptor_old(void *dir)
{
	char path[64];
	struct error err = { 0 };
	int r = enter_with_descriptor(dir, path);

	if (r)
		return r;
	CHECK(hide_openat2() == 0);
	CHECK(cwd_apply(path, false, &err) == -EXDEV);
	CHECK(strstr(err.text, "outside the container"));
	CHECK(is_inside());
	CHECK(cwd_apply("/link", true, &err) == -EXDEV);
	CHECK(is_inside());
	CHECK(cwd_apply("/made/by/us", true, &err) == 0);
	CHECK(is_inside());
	return 0;
}

static void test_cwd(void **state)
{
	char *dir = folder_make();

	(void)state;
	file_make(dir, "file", "");
	in_child(cwd_plain, dir);
	folder_remove(dir);
}

static void test_cwd_by_descriptor(void **state)
{
	char *dir;

	(void)state;
	need_root();
	dir = folder_make();
	in_child(cwd_by_descriptor, dir);
	in_child(cwd_by_descriptor_old, dir);
	folder_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_empty_element),
		cmocka_unit_test(test_cwd),
		cmocka_unit_test(test_cwd_by_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
