/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <linux/magic.h>
#include <stdlib.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

struct place {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	p->dir = unit_tmp(p->path);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unsetenv("ARNIA_FAIL_AT");
	unit_tmp_done(p->dir, p->path);
	free(p);
	return 0;
}

static void test_read(void **state)
{
	struct place *p = *state;
	char *text = NULL;

	unit_put(p->dir, "f", "12345");
	assert_int_equal(file_read_at(p->dir, "f", 100, &text, NULL), 5);
	assert_string_equal(text, "12345");
	free(text);
	assert_int_equal(file_read_at(p->dir, "f", 5, &text, NULL), 5);
	free(text);
	text = NULL;
	assert_int_equal(file_read_at(p->dir, "f", 4, &text, NULL), -EFBIG);
	assert_int_equal(file_read_at(p->dir, "f", 0, &text, NULL), -EFBIG);
	assert_null(text);
	unit_put(p->dir, "empty", "");
	assert_int_equal(file_read_at(p->dir, "empty", 0, &text, NULL), 0);
	assert_string_equal(text, "");
	free(text);
}

static void test_read_large(void **state)
{
	struct place *p = *state;
	size_t n = 300000;
	auto_free char *big = mem_alloc(n + 1);
	auto_free char *text = NULL;

	memset(big, 'b', n);
	unit_put(p->dir, "big", big);
	assert_int_equal(file_read_at(p->dir, "big", n - 1, &text, NULL), -EFBIG);
	assert_int_equal(file_read_at(p->dir, "big", n, &text, NULL), (long)n);
	assert_string_equal(text, big);
}

/* Pseudo files say size 0, or 4096. */
static void test_read_pseudo(void **state)
{
	auto_free char *text = NULL;
	auto_fd int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(file_read_at(AT_FDCWD, "/proc/self/status", 65536, &text, NULL) > 500);
	assert_true(str_starts(text, "Name:"));
	mem_freep(&text);
	assert_int_equal(lseek(fd, 10, SEEK_SET), 10);
	assert_true(file_read_fd(fd, 65536, &text, NULL) > 500);
	assert_true(str_starts(text, "Name:"));
}

static void test_read_refuses(void **state)
{
	struct place *p = *state;
	struct error err = { 0 };
	char *text = NULL;
	int fds[2];

	assert_int_equal(mkfifoat(p->dir, "fifo", 0600), 0);
	assert_int_equal(symlinkat("/etc/hostname", p->dir, "link"), 0);
	assert_int_equal(file_read_at(p->dir, "fifo", 10, &text, &err), -EINVAL);
	assert_string_equal(err.text, "read fifo: Invalid argument");
	assert_int_equal(file_read_at(p->dir, "link", 10, &text, NULL), -ELOOP);
	assert_int_equal(file_read_at(p->dir, ".", 10, &text, NULL), -EISDIR);
	assert_int_equal(file_read_at(p->dir, "none", 10, &text, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_FAILED);
	assert_int_equal(file_read_at(AT_FDCWD, "/dev/zero", 10, &text, NULL), -EINVAL);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(file_read_fd(fds[0], 10, &text, NULL), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	assert_null(text);
}

static void expect_no_temp(struct place *p)
{
	assert_int_equal(faccessat(p->dir, ".f.tmp", F_OK, 0), -1);
}

static void test_write(void **state)
{
	struct place *p = *state;
	struct stat st;
	mode_t mask = umask(077);
	int before = unit_count_fds();

	assert_int_equal(file_write_atomic_at(p->dir, "f", "one", 3, 0644, true, NULL), 0);
	unit_expect(p->dir, "f", "one");
	assert_int_equal(fstatat(p->dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_write_atomic_at(p->dir, "f", "two!", 4, 0600, false, NULL), 0);
	unit_expect(p->dir, "f", "two!");
	assert_int_equal(fstatat(p->dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	expect_no_temp(p);
	assert_int_equal(mkdirat(p->dir, "sub", 0755), 0);
	assert_int_equal(file_write_atomic_at(p->dir, "sub/g", "x", 1, 0600, true, NULL), 0);
	unit_expect(p->dir, "sub/g", "x");
	umask(mask);
	assert_int_equal(unit_count_fds(), before);
}

static void test_write_over_traps(void **state)
{
	struct place *p = *state;

	/* A temporary file left by a crash, and one planted as a link. */
	unit_put(p->dir, ".f.tmp", "old rubbish");
	assert_int_equal(file_write_atomic_at(p->dir, "f", "new", 3, 0600, false, NULL), 0);
	unit_expect(p->dir, "f", "new");
	unit_put(p->dir, "victim", "victim");
	assert_int_equal(symlinkat("victim", p->dir, ".f.tmp"), 0);
	assert_int_equal(file_write_atomic_at(p->dir, "f", "newer", 5, 0600, false, NULL), 0);
	unit_expect(p->dir, "victim", "victim");
	/* The target being a link: the link is replaced. */
	assert_int_equal(symlinkat("victim", p->dir, "l"), 0);
	assert_int_equal(file_write_atomic_at(p->dir, "l", "mine", 4, 0600, false, NULL), 0);
	unit_expect(p->dir, "victim", "victim");
	unit_expect(p->dir, "l", "mine");
}

static void test_write_fails(void **state)
{
	struct place *p = *state;
	struct error err;

	unit_put(p->dir, "f", "kept");
	setenv("ARNIA_FAIL_AT", "file-write:errno:ENOSPC", 1);
	assert_int_equal(file_write_atomic_at(p->dir, "f", "new", 3, 0600, true, &err), -ENOSPC);
	assert_string_equal(err.text, "write f: No space left on device");
	unit_expect(p->dir, "f", "kept");
	expect_no_temp(p);
	setenv("ARNIA_FAIL_AT", "file-rename:errno:EIO", 1);
	assert_int_equal(file_write_atomic_at(p->dir, "f", "new", 3, 0600, true, NULL), -EIO);
	unit_expect(p->dir, "f", "kept");
	expect_no_temp(p);
	unsetenv("ARNIA_FAIL_AT");
	assert_int_equal(file_write_atomic_at(p->dir, "none/f", "new", 3, 0600, true, NULL), -ENOENT);
	assert_int_equal(mkdirat(p->dir, "d", 0755), 0);
	assert_int_equal(file_write_atomic_at(p->dir, "d", "new", 3, 0600, true, NULL), -EISDIR);
}

static void test_write_ctl(void **state)
{
	struct place *p = *state;
	struct error err;
	auto_free char *text = NULL;

	assert_int_equal(file_write_ctl_at(AT_FDCWD, "/proc/self/comm", PROC_SUPER_MAGIC, "unit-ctl", &err), 0);
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/comm", 64, &text, NULL), 9);
	assert_string_equal(text, "unit-ctl\n");
	unit_put(p->dir, "fake", "kept");
	assert_int_equal(file_write_ctl_at(p->dir, "fake", PROC_SUPER_MAGIC, "x", &err), -EXDEV);
	unit_expect(p->dir, "fake", "kept");
	assert_int_equal(symlinkat("/proc/self/comm", p->dir, "link"), 0);
	assert_int_equal(file_write_ctl_at(p->dir, "link", PROC_SUPER_MAGIC, "x", &err), -ELOOP);
	assert_int_equal(file_write_ctl_at(p->dir, "none", PROC_SUPER_MAGIC, "x", &err), -ENOENT);
	assert_int_equal(file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, "bad\n", &err), -EINVAL);
	assert_string_equal(err.text, "write \"bad \" to /proc/self/oom_score_adj: Invalid argument");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_read),	      T(test_read_large),	T(test_read_pseudo), T(test_read_refuses), T(test_write),
		T(test_write_over_traps), T(test_write_fails), T(test_write_ctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
