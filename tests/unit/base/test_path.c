/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every test of the path functions runs twice: with openat2, and with the walk that replaces it. */
#include "tests/unit/base/unit.h"
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

struct tree {
	char path[64];
	int dir; /* the folder of the test: root/ inside, secret beside it */
	int root;
};

static int make_tree(struct tree *t)
{
	t->dir = unit_tmp(t->path);
	unit_put(t->dir, "secret", "secret");
	assert_int_equal(mkdirat(t->dir, "root", 0755), 0);
	t->root = openat(t->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->root >= 0);
	assert_int_equal(mkdirat(t->root, "etc", 0755), 0);
	assert_int_equal(mkdirat(t->root, "etc/deep", 0755), 0);
	unit_put(t->root, "etc/file", "inside");
	unit_put(t->root, "secret", "decoy");
	assert_int_equal(symlinkat("../../secret", t->root, "etc/up"), 0);
	assert_int_equal(symlinkat("/secret", t->root, "etc/abs"), 0);
	assert_int_equal(symlinkat("file", t->root, "etc/near"), 0);
	assert_int_equal(symlinkat("etc", t->root, "dirlink"), 0);
	assert_int_equal(symlinkat("loop2", t->root, "loop1"), 0);
	assert_int_equal(symlinkat("loop1", t->root, "loop2"), 0);
	assert_int_equal(symlinkat("/run/made/there", t->root, "dangling"), 0);
	return 0;
}

static int setup_kernel(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	unsetenv("ARNIA_NO_OPENAT2");
	*state = t;
	return make_tree(t);
}

static int setup_walk(void **state)
{
	int r = setup_kernel(state);

	setenv("ARNIA_NO_OPENAT2", "1", 1);
	return r;
}

static int teardown(void **state)
{
	struct tree *t = *state;

	unsetenv("ARNIA_NO_OPENAT2");
	close(t->root);
	unit_tmp_done(t->dir, t->path);
	free(t);
	return 0;
}

static void expect_text(int fd, const char *text)
{
	char got[64];
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
	close(fd);
}

static void test_open(void **state)
{
	struct tree *t = *state;

	expect_text(path_open_in(t->root, "etc/file", O_RDONLY, 0), "inside");
	expect_text(path_open_in(t->root, "/etc/file", O_RDONLY, 0), "inside");
	expect_text(path_open_in(t->root, "//etc/.//deep/../file", O_RDONLY, 0), "inside");
	expect_text(path_open_in(t->root, "../../etc/file", O_RDONLY, 0), "inside");
	expect_text(path_open_in(t->root, "dirlink/near", O_RDONLY, 0), "inside");
	/* Links that point out of the root end inside it. */
	expect_text(path_open_in(t->root, "etc/up", O_RDONLY, 0), "decoy");
	expect_text(path_open_in(t->root, "etc/abs", O_RDONLY, 0), "decoy");
	expect_text(path_open_in(t->root, "../secret", O_RDONLY, 0), "decoy");
	expect_text(path_open_in(t->root, "etc/deep/../../../secret", O_RDONLY, 0), "decoy");
}

static void test_open_errors(void **state)
{
	struct tree *t = *state;
	char longest[5000];
	int before = unit_count_fds();

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(path_open_in(t->root, "", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in(t->root, "none", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in(t->root, "none/x", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in(t->root, "etc/file/x", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(path_open_in(t->root, "etc/file/", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(path_open_in(t->root, "etc/file/..", O_RDONLY, 0), -ENOTDIR);
	assert_int_equal(path_open_in(t->root, "loop1", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in(t->root, "etc/near", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
	assert_int_equal(path_open_in(t->root, longest, O_RDONLY, 0), -ENAMETOOLONG);
	longest[300] = '\0';
	assert_int_equal(path_open_in(t->root, longest, O_RDONLY, 0), -ENAMETOOLONG);
	assert_int_equal(path_open_in(t->root, "etc", O_WRONLY | O_CREAT, 0600), -EISDIR);
	assert_int_equal(path_open_in(t->root, "etc", O_WRONLY, 0), -EISDIR);
	assert_int_equal(unit_count_fds(), before);
}

static void test_open_folder(void **state)
{
	static const char *const names[] = { "/", ".", "..", "etc/..", "/../", "dirlink/.." };
	struct tree *t = *state;
	struct stat root, st;

	assert_int_equal(fstat(t->root, &root), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = path_open_in(t->root, names[i], O_PATH | O_DIRECTORY, 0);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		if (st.st_ino != root.st_ino || st.st_dev != root.st_dev)
			fail_msg("\"%s\" is not the root", names[i]);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
}

static void test_create(void **state)
{
	struct tree *t = *state;
	int fd = path_open_in(t->root, "etc/new", O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(path_open_in(t->root, "etc/new", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
	assert_int_equal(path_open_in(t->root, "etc/near", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
	/* Through a link that points outside: made inside. */
	assert_int_equal(symlinkat("../../../fresh", t->root, "etc/make"), 0);
	fd = path_open_in(t->root, "etc/make", O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(faccessat(t->root, "fresh", F_OK, 0), 0);
	assert_int_equal(faccessat(t->dir, "fresh", F_OK, 0), -1);
}

static void test_nolink(void **state)
{
	struct tree *t = *state;
	struct stat st;
	int fd;

	expect_text(path_open_in_nolink(t->root, "etc/file", O_RDONLY, 0), "inside");
	assert_int_equal(path_open_in_nolink(t->root, "dirlink/file", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in_nolink(t->root, "etc/near", O_RDONLY, 0), -ELOOP);
	fd = path_open_in_nolink(t->root, "etc/near", O_PATH | O_NOFOLLOW, 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	close(fd);
}

/* Magic links of procfs jump to an object; a rootfs with /proc in it must not be a way out. */
static void test_magic_links(void **state)
{
	struct tree *t = *state;
	auto_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "self/fd/%d", t->dir);
	assert_int_equal(path_open_in(proc, name, O_RDONLY, 0), -ELOOP);
	snprintf(name, sizeof(name), "self/fd/%d/secret", t->dir);
	assert_int_equal(path_open_in(proc, name, O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in(proc, "self/root/etc", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in(proc, "self/exe", O_RDONLY, 0), -ELOOP);
	assert_int_equal(path_open_in(proc, "self/ns/net", O_RDONLY, 0), -ELOOP);
	/* Its plain links are fine. */
	fd = path_open_in(proc, "self/stat", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
	fd = path_open_in(proc, "thread-self/stat", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
	fd = path_open_in(proc, "mounts", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
}

static void expect_folder(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		fail_msg("%s is not a folder", name);
}

static void test_mkdirs(void **state)
{
	struct tree *t = *state;
	int fd, before = unit_count_fds();

	fd = path_mkdirs_in(t->root, "/a/b//c/./d", 0755);
	assert_true(fd >= 0);
	assert_true(path_fd_is_fs(fd, 0) == false);
	close(fd);
	expect_folder(t->root, "a/b/c/d");
	fd = path_mkdirs_in(t->root, "a/b", 0755);
	assert_true(fd >= 0);
	close(fd);
	fd = path_mkdirs_in(t->root, "dirlink/x/y", 0755);
	assert_true(fd >= 0);
	close(fd);
	expect_folder(t->root, "etc/x/y");
	/* A dangling absolute link: its target is made inside. */
	fd = path_mkdirs_in(t->root, "dangling/more", 0755);
	assert_true(fd >= 0);
	close(fd);
	expect_folder(t->root, "run/made/there/more");
	fd = path_mkdirs_in(t->root, "../../outside", 0755);
	assert_true(fd >= 0);
	close(fd);
	expect_folder(t->root, "outside");
	assert_int_equal(faccessat(t->dir, "outside", F_OK, 0), -1);
	assert_int_equal(path_mkdirs_in(t->root, "etc/file/x", 0755), -ENOTDIR);
	assert_int_equal(path_mkdirs_in(t->root, "loop1/x", 0755), -ELOOP);
	assert_int_equal(unit_count_fds(), before);
}

static void test_make_target(void **state)
{
	struct tree *t = *state;
	struct stat st;
	int fd;

	fd = path_make_target_in(t->root, "/dev/null", false);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	close(fd);
	fd = path_make_target_in(t->root, "/dev/null", false);
	assert_true(fd >= 0);
	close(fd);
	fd = path_make_target_in(t->root, "mnt/data", true);
	assert_true(fd >= 0);
	close(fd);
	expect_folder(t->root, "mnt/data");
	assert_int_equal(path_make_target_in(t->root, "etc/file", true), -ENOTDIR);
	assert_int_equal(path_make_target_in(t->root, "etc", false), -EISDIR);
	assert_int_equal(path_make_target_in(t->root, "/", false), -EISDIR);
	/* resolv.conf of a systemd image: a dangling link to a folder that is not there yet. */
	assert_int_equal(symlinkat("../run/resolve/stub.conf", t->root, "etc/resolv.conf"), 0);
	fd = path_make_target_in(t->root, "/etc/resolv.conf", false);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fstatat(t->root, "run/resolve/stub.conf", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	/* Out of the root and onto a host file: lands inside. */
	assert_int_equal(symlinkat("../../../new-secret", t->root, "etc/trap"), 0);
	fd = path_make_target_in(t->root, "etc/trap", false);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(faccessat(t->dir, "new-secret", F_OK, 0), -1);
	assert_int_equal(faccessat(t->root, "new-secret", F_OK, 0), 0);
}

static void test_normalize(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "/" },	     { "/", "/" },	     { "///", "/" },	 { "a", "/a" },	     { "/a/", "/a" },
		{ "/a//b", "/a/b" }, { "/a/./b/.", "/a/b" }, { "/a/../b", "/b" }, { "a/..", "/" },  { "/a/b/../../c", "/c" },
		{ "..", NULL },	     { "/..", NULL },	     { "/a/../..", NULL }, { "/...", "/..." }, { "/..a/.b", "/..a/.b" },
	};
	char out[4096], longest[8200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = path_normalize(cases[i].in, out);

		assert_int_equal(r, cases[i].out ? 0 : -EINVAL);
		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
	}
	for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
		memcpy(longest + i, "/a", 2);
	longest[4095] = '\0';
	assert_int_equal(path_normalize(longest, out), 0);
	assert_int_equal(strlen(out), 4094);
	longest[4095] = 'a';
	longest[4096] = '\0';
	assert_int_equal(path_normalize(longest, out), -ENAMETOOLONG);
	assert_true(path_is_absolute("/a"));
	assert_false(path_is_absolute("a"));
}

static void test_fs_magic(void **state)
{
	auto_fd int proc = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char buf[32];

	(void)state;
	assert_true(path_fd_is_fs(proc, PROC_SUPER_MAGIC));
	assert_false(path_fd_is_fs(proc, SYSFS_MAGIC));
	assert_false(path_fd_is_fs(-1, PROC_SUPER_MAGIC));
	assert_string_equal(path_proc_fd(7, buf), "/proc/self/fd/7");
}

static void test_rmtree(void **state)
{
	struct tree *t = *state;
	char name[64];

	assert_int_equal(mkfifoat(t->root, "etc/fifo", 0600), 0);
	assert_int_equal(symlinkat("../..", t->root, "etc/deep/out"), 0);
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "etc/deep/%0*d", 40, i);
		unit_put(t->root, name, "");
	}
	assert_int_equal(path_rmtree_at(t->root, "etc"), 0);
	assert_int_equal(faccessat(t->root, "etc", F_OK, 0), -1);
	/* A link itself, never what it points to. */
	assert_int_equal(symlinkat("../secret", t->root, "l"), 0);
	assert_int_equal(symlinkat("..", t->root, "d"), 0);
	assert_int_equal(path_rmtree_at(t->root, "l"), 0);
	assert_int_equal(path_rmtree_at(t->root, "d"), 0);
	unit_expect(t->dir, "secret", "secret");
	assert_int_equal(path_rmtree_at(t->root, "none"), -ENOENT);
}

/* Far deeper than descriptors or PATH_MAX allow. */
static void test_rmtree_deep(void **state)
{
	struct tree *t = *state;
	int at = openat(t->root, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), before = unit_count_fds();

	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(at, "sub", 0755), 0);
		if (i % 100 == 0)
			unit_put(at, "file", "x");
		next = openat(at, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(path_rmtree_at(t->root, "etc"), 0);
	assert_int_equal(faccessat(t->root, "etc", F_OK, 0), -1);
	assert_int_equal(unit_count_fds(), before - 1);
}

/* A mount below the tree, even of the same filesystem, is left alone. Needs root. */
static void test_rmtree_mount(void **state)
{
	struct tree *t = *state;
	char from[128], to[128];

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdirat(t->dir, "host", 0755), 0);
	unit_put(t->dir, "host/precious", "precious");
	snprintf(from, sizeof(from), "%s/host", t->path);
	snprintf(to, sizeof(to), "%s/root/etc/deep", t->path);
	if (mount(from, to, NULL, MS_BIND, NULL) < 0)
		skip();
	assert_int_equal(path_rmtree_at(t->root, "etc"), -EBUSY);
	unit_expect(t->dir, "host/precious", "precious");
	assert_int_equal(faccessat(t->root, "etc/file", F_OK, 0), -1);
	assert_int_equal(umount2(to, MNT_DETACH), 0);
	assert_int_equal(path_rmtree_at(t->root, "etc"), 0);
}

/* Somebody swaps a folder and a link that leads out while it is opened: never the file outside. */
static void test_swap_race(void **state)
{
	struct tree *t = *state;
	pid_t parent = getpid(), pid;
	int inside = 0;

	assert_int_equal(symlinkat("..", t->root, "swap2"), 0);
	assert_int_equal(mkdirat(t->root, "swap1", 0755), 0);
	unit_put(t->root, "swap1/secret", "decoy");
	pid = fork();
	if (pid == 0) {
		while (getppid() == parent)
			renameat2(t->root, "swap1", t->root, "swap2", RENAME_EXCHANGE);
		_exit(0);
	}
	for (int i = 0; i < 3000; i++) {
		int fd = path_open_in(t->root, "swap1/../swap1/secret", O_RDONLY, 0);

		if (fd < 0)
			continue;
		expect_text(fd, "decoy");
		inside++;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(inside > 0);
}

#define BOTH(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, setup_kernel, teardown),              \
		{ #f " (walk)", f, setup_walk, teardown, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_open),	BOTH(test_open_errors), BOTH(test_open_folder), BOTH(test_create),
		BOTH(test_nolink),	BOTH(test_magic_links), BOTH(test_mkdirs),	BOTH(test_make_target),
		BOTH(test_swap_race),
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_fs_magic),
		cmocka_unit_test_setup_teardown(test_rmtree, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_rmtree_deep, setup_kernel, teardown),
		cmocka_unit_test_setup_teardown(test_rmtree_mount, setup_kernel, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
