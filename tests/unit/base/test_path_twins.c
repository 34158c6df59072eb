/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openat2 and the walk that replaces it, on thousands of paths through a random tree: the same file or the same error. */
#include "tests/unit/base/unit.h"
#include <stdlib.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static const char *const names[] = { "a", "b", "c", "d" };
static const char *const parts[] = { "a", "b", "c", "d", "a", "b", "c", "..", "..", ".", "" };

static unsigned pick(unsigned *seed, size_t n)
{
	return (unsigned)rand_r(seed) % (unsigned)n;
}

static void random_path(unsigned *seed, char *out, size_t size)
{
	struct strbuf b = { 0 };

	if (pick(seed, 3) == 0)
		strbuf_addc(&b, '/');
	for (unsigned n = pick(seed, 7) + 1; n; n--) {
		strbuf_add(&b, parts[pick(seed, ARRAY_SIZE(parts))]);
		if (n > 1 || pick(seed, 8) == 0)
			strbuf_addc(&b, '/');
	}
	str_copy(out, size, strbuf_cstr(&b));
	strbuf_done(&b);
}

/* Folders, files and links (many of them dangling, looping or pointing outside) three levels deep. */
static void grow(int dir, int depth, unsigned *seed)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char target[256];
		unsigned kind = pick(seed, 10);

		if (kind < 4 && depth < 4) {
			auto_fd int sub = -1;

			assert_int_equal(mkdirat(dir, names[i], 0755), 0);
			sub = openat(dir, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			assert_true(sub >= 0);
			grow(sub, depth + 1, seed);
		} else if (kind < 6) {
			unit_put(dir, names[i], "");
		} else if (kind < 9) {
			random_path(seed, target, sizeof(target));
			if (*target)
				assert_int_equal(symlinkat(target, dir, names[i]), 0);
		}
	}
}

/* The inode, or the error. */
static long long outcome(int root, const char *path, int flags, bool nolink)
{
	auto_fd int fd = nolink ? path_open_in_nolink(root, path, flags, 0) : path_open_in(root, path, flags, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	assert_int_equal(fstat(fd, &st), 0);
	return (long long)st.st_ino;
}

static void compare(int root, const char *path, int flags, bool nolink)
{
	long long kernel, walk;

	unsetenv("ARNIA_NO_OPENAT2");
	kernel = outcome(root, path, flags, nolink);
	setenv("ARNIA_NO_OPENAT2", "1", 1);
	walk = outcome(root, path, flags, nolink);
	unsetenv("ARNIA_NO_OPENAT2");
	if (kernel != walk)
		fail_msg("\"%s\" flags %o%s: openat2 %lld, walk %lld", path, flags, nolink ? " nolink" : "", kernel, walk);
}

static void run_tree(unsigned seed)
{
	static const int flags[] = { O_RDONLY, O_WRONLY, O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY | O_NOFOLLOW,
				     O_PATH | O_DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW };
	char tmp[64], path[256];
	int top = unit_tmp(tmp), before, root;

	assert_int_equal(mkdirat(top, "root", 0755), 0);
	root = openat(top, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	grow(openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, &seed);
	before = unit_count_fds();
	for (int i = 0; i < 1500; i++) {
		random_path(&seed, path, sizeof(path));
		compare(root, path, flags[pick(&seed, ARRAY_SIZE(flags))], pick(&seed, 4) == 0);
	}
	assert_int_equal(unit_count_fds(), before);
	close(root);
	unit_tmp_done(top, tmp);
}

static void test_twins(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++)
		run_tree(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_twins) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
