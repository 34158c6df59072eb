/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"

static void test_arena(void **state)
{
	struct arena a = { 0 };
	char *first, *big;

	(void)state;
	first = arena_alloc(&a, 0);
	assert_non_null(first);
	for (size_t size = 1; size < 3000; size += 7) {
		unsigned char *p = arena_alloc(&a, size);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xee, size);
	}
	big = arena_alloc(&a, 1 << 20);
	memset(big, 1, 1 << 20);
	assert_string_equal(arena_fmt(&a, "%s-%05d", "x", 42), "x-00042");
	assert_string_equal(arena_str_n(&a, "abcdef", 3), "abc");
	assert_string_equal(arena_str_n(&a, "ab", 30), "ab");
	assert_null(arena_str(&a, NULL));
	arena_done(&a);
	assert_null(a.head);
	arena_done(&a);
}

static void test_push(void **state)
{
	ARRAY_OF(uint64_t) list = { 0 };
	struct arena a = { 0 };
	struct strv sv = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t *e = arena_push(&a, &list);

		assert_int_equal(*e, 0);
		*e = i * i;
	}
	assert_int_equal(list.n, 1000);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(list.v[i], i * i);
	strv_push(&a, &sv, "one");
	strv_push(&a, &sv, "two");
	strv_push(&a, &sv, "three");
	assert_int_equal(sv.n, 3);
	assert_string_equal(sv.v[2], "three");
	arena_done(&a);
}

static void test_strings(void **state)
{
	auto_free char *dup = str_dup("abc"), *part = str_dup_n("abcdef", 2), *fmt = str_fmt("%d", 7);
	char *stolen = ptr_steal(&dup);

	(void)state;
	assert_null(dup);
	assert_string_equal(stolen, "abc");
	assert_string_equal(part, "ab");
	assert_string_equal(fmt, "7");
	assert_null(str_dup(NULL));
	assert_null(str_dup_n(NULL, 3));
	free(stolen);
}

static void test_overflow_aborts(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		signal(SIGABRT, SIG_DFL);
		dup2(null, 2);
		free(mem_alloc_n(huge, 3));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_fd_owner(void **state)
{
	int before = unit_count_fds(), kept;

	(void)state;
	{
		auto_fd int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = fd_dup(a);

		assert_true(a >= 3 && b >= 3);
		assert_true(fcntl(b, F_GETFD) & FD_CLOEXEC);
		kept = fd_steal(&b);
		assert_int_equal(b, -1);
	}
	assert_int_equal(unit_count_fds(), before + 1);
	assert_int_equal(fd_nonblock(kept, true), 0);
	assert_true(fcntl(kept, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_nonblock(kept, false), 0);
	assert_false(fcntl(kept, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_cloexec(kept, false), 0);
	assert_false(fcntl(kept, F_GETFD) & FD_CLOEXEC);
	errno = 77;
	fd_close(&kept);
	assert_int_equal(errno, 77);
	fd_close(&kept);
	assert_int_equal(fd_dup(9999), -EBADF);
	assert_int_equal(fd_cloexec(9999, true), -EBADF);
}

static void test_sealed(void **state)
{
	auto_fd int fd = fd_memfd_sealed("unit", "hello", 5);
	auto_fd int plain = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char buf[16];

	(void)state;
	assert_true(fd >= 0);
	assert_true(fd_is_sealed(fd));
	assert_false(fd_is_sealed(plain));
	assert_int_equal(fd_read_full(fd, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fd_write_all(fd, "x", 1), -EPERM);
	assert_int_equal(ftruncate(fd, 1), -1);
}

/* In a child: the descriptors 3.. are exactly those, swapped against each other. */
static void arrange_in_child(const int *fds, size_t n)
{
	char want[4] = "abc", got;

	if (fd_arrange(fds, n, 3) != 0)
		_exit(2);
	for (size_t i = 0; i < n; i++) {
		if (fcntl(3 + (int)i, F_GETFD) != 0 || pread(3 + (int)i, &got, 1, 0) != 1 || got != want[i])
			_exit(3);
	}
	for (int fd = 3 + (int)n; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			_exit(4);
	_exit(0);
}

static void test_arrange(void **state)
{
	pid_t pid = fork();
	int status, bad[2] = { 0, -1 };

	(void)state;
	if (pid == 0) {
		int fds[3];

		close_range(3, ~0U, 0);
		/* Descriptor 3 holds "c", 4 "b", 5 "a": reversed against where they shall be. */
		fds[2] = fd_memfd_sealed("c", "c", 1);
		fds[1] = fd_memfd_sealed("b", "b", 1);
		fds[0] = fd_memfd_sealed("a", "a", 1);
		arrange_in_child(fds, 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fd_arrange(bad, 2, 3), -EINVAL);
	bad[1] = 9999;
	assert_int_equal(fd_arrange(bad, 2, 3), -EBADF);
}

static void test_full_io(void **state)
{
	char out[100000], in[100000];
	int p[2];
	pid_t pid;

	(void)state;
	memset(out, 'x', sizeof(out));
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		_exit(fd_write_all(p[1], out, sizeof(out)) == 0 ? 0 : 1);
	close(p[1]);
	assert_int_equal(fd_read_full(p[0], in, sizeof(in)), (long)sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(fd_read_full(p[0], in, 1), 0);
	close(p[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fd_read_full(-1, in, 1), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),	 cmocka_unit_test(test_push),	cmocka_unit_test(test_strings),
		cmocka_unit_test(test_overflow_aborts), cmocka_unit_test(test_fd_owner), cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_arrange),	 cmocka_unit_test(test_full_io),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
