/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/base/unit.h"
#include <stdlib.h>
#include <sys/wait.h>
#include "lib/base/instance.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

struct place {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	char slots[128];

	p->dir = unit_tmp(p->path);
	snprintf(slots, sizeof(slots), "%s/slots", p->path);
	setenv("ARNIA_SLOTS_DIR", slots, 1);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	unsetenv("ARNIA_SLOTS_DIR");
	unsetenv("ARNIA_ROOT");
	unit_tmp_done(p->dir, p->path);
	free(p);
	return 0;
}

static void load(struct place *p, int number, struct instance *in)
{
	auto_free char *root = str_fmt("%s/root-%d", p->path, number);

	setenv("ARNIA_ROOT", root, 1);
	assert_int_equal(instance_load(in, NULL), 0);
}

static void test_main_instance(void **state)
{
	struct instance in;
	struct instance_ids ids;

	(void)state;
	unsetenv("ARNIA_ROOT");
	assert_int_equal(instance_load(&in, NULL), 0);
	assert_string_equal(in.root, "");
	assert_string_equal(in.run, "/run/arnia");
	assert_string_equal(in.state, "/var/lib/arnia");
	assert_int_equal(in.slot, 0);
	assert_int_equal(instance_find_slot(&in), 0);
	instance_release(&in);
	assert_int_equal(in.slot, 0);
	setenv("ARNIA_ROOT", "", 1);
	assert_int_equal(instance_load(&in, NULL), 0);
	assert_string_equal(in.root, "");
	instance_ids(&in, &ids);
	assert_string_equal(ids.cgroup, "arnia");
	assert_string_equal(ids.nft_table, "arnia");
	assert_string_equal(ids.ifprefix, "an0");
	assert_int_equal(ids.ifgroup, 0xa400);
	assert_int_equal(ids.pool, 0x0ad10000);
}

static void test_load_refuses(void **state)
{
	static const char *const bad[] = { "relative", "/", "/..", "/a/../..", "//" };
	struct instance in = { .slot = 77 };
	char longest[4200];
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setenv("ARNIA_ROOT", bad[i], 1);
		assert_int_equal(instance_load(&in, &err), -EINVAL);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("ARNIA_ROOT", longest, 1);
	assert_true(instance_load(&in, &err) < 0);
	longest[4000] = '\0';
	setenv("ARNIA_ROOT", longest, 1);
	assert_int_equal(instance_load(&in, &err), -ENAMETOOLONG);
	assert_int_equal(in.slot, 77);
}

static void test_private(void **state)
{
	struct place *p = *state;
	struct instance in;
	auto_free char *want = str_fmt("%s/some/root/run", p->path), *env = str_fmt("%s//some/./root/", p->path);
	struct stat st;

	setenv("ARNIA_ROOT", env, 1);
	assert_int_equal(instance_load(&in, NULL), 0);
	assert_string_equal(in.run, want);
	assert_int_equal(in.slot, -1);
	assert_int_equal(faccessat(p->dir, "some", F_OK, 0), -1);
	assert_int_equal(instance_find_slot(&in), -ENOENT);
	assert_int_equal(instance_prepare(&in, NULL), 0);
	assert_int_equal(in.slot, 1);
	assert_int_equal(fstatat(p->dir, "some/root/run/plan", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(p->dir, "some/root/run", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(p->dir, "some/root/lib", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(faccessat(p->dir, "some/root/lib/cache/seccomp", F_OK, 0), 0);
	/* Again: the same slot. */
	assert_int_equal(instance_prepare(&in, NULL), 0);
	assert_int_equal(in.slot, 1);
}

static void test_slots(void **state)
{
	struct place *p = *state;
	struct instance in[16];
	struct error err;

	for (int i = 0; i < 15; i++) {
		load(p, i, &in[i]);
		assert_int_equal(instance_prepare(&in[i], NULL), 0);
		assert_int_equal(in[i].slot, i + 1);
	}
	load(p, 15, &in[15]);
	assert_int_equal(instance_prepare(&in[15], &err), -EUSERS);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_int_equal(in[15].slot, -1);
	/* Given back. */
	instance_release(&in[4]);
	assert_int_equal(instance_find_slot(&in[4]), -ENOENT);
	assert_int_equal(instance_prepare(&in[15], &err), 0);
	assert_int_equal(in[15].slot, 5);
	/* Its folder is gone: free again. */
	assert_int_equal(path_rmtree_at(p->dir, "root-8"), 0);
	assert_int_equal(instance_prepare(&in[4], &err), 0);
	assert_int_equal(in[4].slot, 9);
	assert_int_equal(instance_find_slot(&in[0]), 0);
	assert_int_equal(in[0].slot, 1);
}

/* All slots claimed at the same time by as many processes: each gets its own. */
static void test_slots_race(void **state)
{
	struct place *p = *state;
	pid_t pids[15];
	unsigned seen = 0;

	for (int i = 0; i < 15; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct instance in;

			load(p, i, &in);
			_exit(instance_prepare(&in, NULL) == 0 ? in.slot : 99);
		}
	}
	for (int i = 0; i < 15; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) >= 1 && WEXITSTATUS(status) <= 15);
		seen |= 1U << WEXITSTATUS(status);
	}
	assert_int_equal(seen, 0xfffe);
}

static void expect_apart(const struct instance_ids *x, const struct instance_ids *y)
{
	assert_true(x->id_end <= y->id_base || y->id_end <= x->id_base);
	assert_true(x->ifindex_base + 0x1000000 <= y->ifindex_base || y->ifindex_base + 0x1000000 <= x->ifindex_base);
	assert_string_not_equal(x->cgroup, y->cgroup);
	assert_string_not_equal(x->nft_table, y->nft_table);
	assert_string_not_equal(x->ifprefix, y->ifprefix);
	assert_true(x->ifgroup != y->ifgroup && x->pool >> 16 != y->pool >> 16);
}

/* No two slots share anything, and every number stays in its kind's range. */
static void test_ids(void **state)
{
	struct instance_ids ids[16];

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct instance in = { .slot = i };

		instance_ids(&in, &ids[i]);
		assert_true(ids[i].id_base % 65536 == 0 && ids[i].id_end % 65536 == 0);
		assert_true(ids[i].id_base >= 100000 && ids[i].id_end <= 0x7ffe0000);
		assert_true((ids[i].id_end - ids[i].id_base) / 65536 >= 1000);
		assert_true(ids[i].pool >> 24 == 10 && (ids[i].pool & 0xffff) == 0);
		assert_true(ids[i].ifindex_base + 0x1000000 < 0x7fffffff);
		/* Prefix and 8 hex digits fit an interface name. */
		assert_int_equal(strlen(ids[i].ifprefix), 3);
		for (int k = 0; k < i; k++)
			expect_apart(&ids[i], &ids[k]);
	}
	assert_string_equal(ids[3].cgroup, "arnia-3");
	assert_string_equal(ids[11].ifprefix, "anb");
	assert_string_equal(ids[11].nft_table, "arnia-11");
}

static void copy_self(const char *to)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* This program as `file`: what it says about its folders (see main). */
static void expect_folders(struct place *p, const char *file, const char *lib, const char *share)
{
	auto_free char *exe = str_fmt("%s/%s", p->path, file);
	auto_free char *want = str_fmt("%s/%s\n%s/%s\n", p->path, lib, p->path, share);
	char got[1024] = "";
	FILE *out;
	int fds[2];
	size_t n;
	pid_t pid;

	copy_self(exe);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		execl(exe, exe, "--folders", NULL);
		_exit(1);
	}
	close(fds[1]);
	out = fdopen(fds[0], "r");
	n = fread(got, 1, sizeof(got) - 1, out);
	got[n] = '\0';
	fclose(out);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(got, want);
}

static void make_dirs(struct place *p, const char *path)
{
	int fd = path_mkdirs_in(p->dir, path, 0755);

	assert_true(fd >= 0);
	close(fd);
}

static void test_layouts(void **state)
{
	struct place *p = *state;

	/* Build tree. */
	make_dirs(p, "build/bin");
	make_dirs(p, "build/share/arnia");
	unit_put(p->dir, "build/bin/arnia-keeper", "");
	expect_folders(p, "build/bin/arnia", "build/bin", "build/share/arnia");
	/* Installed. */
	make_dirs(p, "usr/bin");
	make_dirs(p, "usr/libexec/arnia");
	make_dirs(p, "usr/share/arnia");
	unit_put(p->dir, "usr/libexec/arnia/arnia-keeper", "");
	expect_folders(p, "usr/bin/arnia", "usr/libexec/arnia", "usr/share/arnia");
	expect_folders(p, "usr/libexec/arnia/arniad", "usr/libexec/arnia", "usr/share/arnia");
}

static int print_folders(void)
{
	struct instance in;

	if (instance_load(&in, NULL) < 0)
		return 1;
	printf("%s\n%s\n", in.lib, in.share);
	return 0;
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_main_instance), T(test_load_refuses), T(test_private), T(test_slots),
		T(test_slots_race),    T(test_ids),	     T(test_layouts),
	};

	if (argc > 1 && str_eq(argv[1], "--folders"))
		return print_folders();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
