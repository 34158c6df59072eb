/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates on disk: list, find, build (of busybox), remove. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/template.h"

struct fixture {
	char dir[64], share[96], state[96];
	int fd;
	struct strbuf lines;
};

static void put(struct fixture *f, const char *path, const char *text)
{
	auto_free char *dir = str_dup_n(path, (size_t)(strrchr(path, '/') - path));
	auto_fd int d = path_mkdirs_in(f->fd, dir, 0755), fd = -1;

	assert_true(d >= 0);
	fd = openat(d, strrchr(path, '/') + 1, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void put_busybox(struct fixture *f)
{
	static const char *const places[] = { "/bin/busybox", "/usr/bin/busybox" };
	auto_free char *bytes = NULL;
	auto_fd int fd = -1;
	long n = -1;

	for (size_t i = 0; n < 0 && i < ARRAY_SIZE(places); i++)
		n = file_read_at(AT_FDCWD, places[i], 16 << 20, &bytes, NULL);
	assert_true(n > 0);
	put(f, "share/templates/busybox/template.json",
	    "{\"source\":\"busybox\",\"cmd\":[\"/bin/sh\"],"
	    "\"description\":\"small\"}");
	fd = openat(f->fd, "share/templates/busybox/busybox", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, (size_t)n), 0);
}

static int setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	strcpy(f->dir, "/tmp/arnia-template.XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(f->share, sizeof(f->share), "%s/share", f->dir);
	snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	*state = f;
	return mkdir(f->share, 0755) || mkdir(f->state, 0711);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	int r;

	fd_close(&f->fd);
	r = path_rmtree_at(AT_FDCWD, f->dir);
	strbuf_done(&f->lines);
	free(f);
	return r;
}

static void say(void *arg, const char *line)
{
	struct fixture *f = arg;

	strbuf_addf(&f->lines, "%s\n", line);
}

static int build(struct fixture *f, const char *name, struct error *err)
{
	if (geteuid() != 0)
		skip();
	return template_build(f->share, f->state, name, say, f, err);
}

/* Names in STATE/templates, joined; what begins with a dot as well. */
static void expect_store(struct fixture *f, const char *names)
{
	struct dirent **list = NULL;
	struct strbuf b = { 0 };
	auto_free char *dir = str_fmt("%s/templates", f->state);
	int n = scandir(dir, &list, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (!str_eq(list[i]->d_name, ".") && !str_eq(list[i]->d_name, ".."))
			strbuf_addf(&b, "%s ", list[i]->d_name);
		free(list[i]);
	}
	free(list);
	assert_string_equal(strbuf_cstr(&b), names);
	strbuf_done(&b);
}

/* ---- list and find ---- */

static void test_list(void **state)
{
	struct fixture *f = *state;
	struct template_info *list = NULL;
	size_t n = 7;

	assert_int_equal(template_list(f->share, f->state, &list, &n, NULL), 0);
	assert_int_equal(n, 0);
	free(list);
	put(f, "share/templates/zebra/template.json", "{\"source\":\"busybox\",\"description\":\"shipped\"}");
	put(f, "share/templates/apple/template.json", "{\"source\":\"busybox\",\"description\":\"shipped\"}");
	put(f, "state/templates.d/apple/template.json", "{\"source\":\"busybox\",\"description\":\"mine\"}");
	put(f, "state/templates.d/broken/template.json", "{\"source\":");
	put(f, "state/templates.d/empty/other", "");
	put(f, "state/templates/.half.tmp/template.json", "{\"source\":\"busybox\"}");
	assert_int_equal(template_list(f->share, f->state, &list, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].name, "apple");
	assert_string_equal(list[0].description, "mine");
	assert_false(list[0].built);
	assert_string_equal(list[1].name, "broken");
	assert_true(str_starts(list[1].description, "(damaged: "));
	assert_string_equal(list[2].name, "zebra");
	free(list);
}

static void test_find(void **state)
{
	struct fixture *f = *state;
	struct template_info info;
	struct template_desc t;
	struct error err = { 0 };

	put(f, "share/templates/apple/template.json", "{\"source\":\"busybox\",\"cmd\":[\"/bin/ls\"]}");
	assert_int_equal(template_find(f->share, f->state, "apple", &t, &info, &err), 0);
	assert_string_equal(t.name, "apple");
	assert_string_equal(t.cmd.v[0], "/bin/ls");
	assert_string_equal(info.name, "apple");
	assert_false(info.built);
	template_done(&t);
	assert_int_equal(template_find(f->share, f->state, "pear", &t, &info, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "no such image: pear");
	assert_true(err.hint[0]);
	put(f, "share/templates/bad/template.json", "{\"source\":\"x\"}");
	err_clear(&err);
	assert_true(template_find(f->share, f->state, "bad", &t, &info, &err) < 0);
	assert_non_null(strstr(err.text, "image bad: source: expected"));
}

static void test_bad_names(void **state)
{
	static const char *const names[] = { "",     ".",	"..",	     "../evil", "a/b",
					     "/abs", ".hidden", "new\nline", "-x" };
	struct fixture *f = *state;

	put(f, "evil/template.json", "{\"source\":\"busybox\"}");
	put(f, "state/templates/keep/template.json", "{\"source\":\"busybox\"}");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct template_info info;
		struct template_desc t;
		struct error err = { 0 };

		assert_true(template_find(f->share, f->state, names[i], &t, &info, &err) < 0);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_true(build(f, names[i], NULL) < 0);
		assert_true(template_remove(f->state, names[i], NULL) < 0);
	}
	assert_true(template_remove(f->state, NULL, NULL) < 0);
	assert_int_equal(faccessat(f->fd, "evil/template.json", F_OK, 0), 0);
	expect_store(f, "keep ");
}

/* ---- build and remove ---- */

static void expect_link(struct fixture *f, const char *path, const char *target)
{
	auto_free char *full = str_fmt("state/templates/busybox/rootfs%s", path);
	char text[128] = "";

	assert_true(readlinkat(f->fd, full, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, target);
}

static void expect_mode(struct fixture *f, const char *path, mode_t mode)
{
	auto_free char *full = str_fmt("state/templates/%s", path);
	struct stat st;

	assert_int_equal(fstatat(f->fd, full, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, mode);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, 0);
}

static void test_build_busybox(void **state)
{
	struct fixture *f = *state;
	struct template_info info;
	struct template_desc t;
	struct error err = { 0 };
	mode_t mask = umask(077);

	put_busybox(f);
	if (build(f, "busybox", &err) < 0)
		fail_msg("%s", err.text);
	umask(mask);
	expect_store(f, "busybox ");
	expect_mode(f, ".", S_IFDIR | 0700);
	expect_mode(f, "busybox/rootfs", S_IFDIR | 0755);
	expect_mode(f, "busybox/rootfs/bin/busybox", S_IFREG | 0755);
	expect_mode(f, "busybox/rootfs/tmp", S_IFDIR | 01777);
	expect_mode(f, "busybox/rootfs/usr/bin", S_IFDIR | 0755);
	expect_mode(f, "busybox/rootfs/root", S_IFDIR | 0700);
	expect_mode(f, "busybox/rootfs/etc/passwd", S_IFREG | 0644);
	expect_mode(f, "busybox/rootfs/etc/shadow", S_IFREG | 0600);
	expect_link(f, "/bin/sh", "busybox");
	expect_link(f, "/sbin/ip", "../bin/busybox");
	expect_link(f, "/usr/bin/wc", "../../bin/busybox");
	assert_int_equal(template_find(f->share, f->state, "busybox", &t, &info, &err), 0);
	assert_true(info.built && info.size > 500000 && info.built_ns > 0);
	assert_int_equal(strlen(info.id), 64);
	assert_string_equal(info.description, "small");
	assert_string_equal(t.cmd.v[0], "/bin/sh");
	template_done(&t);
	assert_non_null(strstr(strbuf_cstr(&f->lines), " applets\n"));
}

/* The image works: its shell runs an applet through a link. */
static void test_busybox_runs(void **state)
{
	struct fixture *f = *state;
	struct error err = { 0 };
	int status;
	pid_t pid;

	put_busybox(f);
	if (build(f, "busybox", &err) < 0)
		fail_msg("%s", err.text);
	pid = fork();
	if (pid == 0) {
		auto_fd int root =
			openat(f->fd, "state/templates/busybox/rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fchdir(root) == 0 && chroot(".") == 0)
			execl("/bin/sh", "sh", "-lc",
			      "[ $(wc -l </etc/group) -ge 10 ] && grep -q ^root: /etc/passwd", NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void get_id(struct fixture *f, char id[65])
{
	struct template_info info;
	struct template_desc t;

	assert_int_equal(template_find(f->share, f->state, "busybox", &t, &info, NULL), 0);
	memcpy(id, info.id, 65);
	template_done(&t);
}

/* The id follows what goes in, and nothing else. */
static void test_id(void **state)
{
	struct fixture *f = *state;
	char first[65], second[65], third[65];

	put_busybox(f);
	assert_int_equal(build(f, "busybox", NULL), 0);
	get_id(f, first);
	assert_int_equal(template_remove(f->state, "busybox", NULL), 0);
	assert_int_equal(build(f, "busybox", NULL), 0);
	get_id(f, second);
	assert_string_equal(first, second);
	assert_int_equal(template_remove(f->state, "busybox", NULL), 0);
	put(f, "state/templates.d/busybox/template.json", "{\"source\":\"busybox\",\"cmd\":[\"/bin/ash\"]}");
	assert_int_equal(build(f, "busybox", NULL), 0);
	get_id(f, third);
	assert_string_not_equal(first, third);
}

static void test_build_again_and_remove(void **state)
{
	struct fixture *f = *state;
	struct error err = { 0 };

	put_busybox(f);
	assert_int_equal(template_remove(f->state, "busybox", &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(build(f, "busybox", NULL), 0);
	assert_int_equal(build(f, "busybox", NULL), 0);
	assert_non_null(strstr(strbuf_cstr(&f->lines), "is built already"));
	assert_int_equal(template_remove(f->state, "busybox", NULL), 0);
	expect_store(f, "");
	assert_int_equal(template_remove(f->state, "busybox", NULL), -ENOENT);
}

/* What a killed build or removal left, and a built copy without a record. */
static void test_leftovers(void **state)
{
	struct fixture *f = *state;

	put_busybox(f);
	put(f, "state/templates/.busybox.tmp/rootfs/x", "half");
	put(f, "state/templates/.busybox.del/rootfs/x", "half");
	put(f, "state/templates/busybox/template.json", "{\"source\":\"busybox\"}");
	put(f, "state/templates/busybox/rootfs/old", "old");
	put(f, "state/templates/.busybox.lock", "");
	assert_int_equal(build(f, "busybox", NULL), 0);
	expect_store(f, "busybox ");
	assert_int_equal(faccessat(f->fd, "state/templates/busybox/rootfs/old", F_OK, 0), -1);
}

static void test_failed_build_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct error err = { 0 };

	put(f, "share/templates/busybox/template.json", "{\"source\":\"busybox\"}");
	assert_true(build(f, "busybox", &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_true(err.hint[0]);
	expect_store(f, "");
	put(f, "share/templates/busybox/busybox", "#!/bin/sh\n");
	err_clear(&err);
	assert_true(build(f, "busybox", &err) < 0);
	assert_non_null(strstr(err.text, "not a static program"));
	expect_store(f, "");
	err_clear(&err);
	assert_int_equal(build(f, "pear", &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	expect_store(f, "");
}

/* A small filesystem of its own, seen by this process only. */
static void test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct error err = { 0 };

	if (geteuid() != 0)
		skip();
	put_busybox(f);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), 0);
	assert_int_equal(mount("tmpfs", f->state, "tmpfs", 0, "size=600k"), 0);
	assert_int_equal(build(f, "busybox", &err), -ENOSPC);
	assert_non_null(strstr(err.text, "image busybox: no space left in "));
	expect_store(f, "");
	assert_int_equal(mount(NULL, f->state, NULL, MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(build(f, "busybox", NULL), 0);
	expect_store(f, "busybox ");
	assert_int_equal(umount2(f->state, MNT_DETACH), 0);
}

/* Two at once: one builds, the other waits and finds it built. */
static void test_two_builds(void **state)
{
	struct fixture *f = *state;
	pid_t pids[4];
	int status, built = 0;

	if (geteuid() != 0)
		skip();
	put_busybox(f);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int r = build(f, "busybox", NULL);

			_exit(r < 0 ? 100 : strstr(strbuf_cstr(&f->lines), "already") ? 2 : 1);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 100);
		built += WEXITSTATUS(status) == 1;
	}
	assert_int_equal(built, 1);
	expect_store(f, "busybox ");
}

static void test_no_archive(void **state)
{
	struct fixture *f = *state;
	struct error err = { 0 };

	/* A release that no archive on earth has, so that this fails before anything is fetched, or by what
	 * apt says. */
	put(f, "share/templates/none/template.json",
	    "{\"source\":\"debootstrap\",\"suite\":\"none-such\",\"mirror\":\"file:///nonexistent\"}");
	assert_true(build(f, "none", &err) < 0);
	assert_true(strlen(err.text) > 0);
	expect_store(f, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_list),
		T(test_find),
		T(test_bad_names),
		T(test_build_busybox),
		T(test_busybox_runs),
		T(test_id),
		T(test_build_again_and_remove),
		T(test_leftovers),
		T(test_failed_build_leaves_nothing),
		T(test_disk_full),
		T(test_two_builds),
		T(test_no_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
