/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#define CONFIG "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"a\":\"b\"}}"

static char base[64], root[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/arnia-store.XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(root, sizeof(root), "%s/deep/root", base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return path_rmtree_at(AT_FDCWD, base) < 0 ? -1 : 0;
}

static struct record make(const char *id)
{
	struct record r = RECORD_NONE;
	struct error err = { 0 };
	char boot[37];

	assert_int_equal(store_create(root, id, &r, &err), 0);
	assert_int_equal(proc_boot_id(boot), 0);
	r.bundle = "/bundle";
	r.rootfs = "/bundle/rootfs";
	r.config = CONFIG;
	r.boot = arena_str(&r.arena, boot);
	r.created = "2026-11-30T00:00:00.5Z";
	r.owner = "root";
	r.pid = getpid();
	assert_int_equal(proc_start_time(r.pid, &r.start), 0);
	return r;
}

static void put_file(const char *id, const char *name, const char *text)
{
	auto_free char *path = str_fmt("%s/%s/%s", root, id, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static mode_t mode_of(const char *name)
{
	auto_free char *path = str_fmt("%s/%s", root, name);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void what_is_saved_is_loaded(void **state)
{
	struct record r = make("one"), back = RECORD_NONE;
	struct error err = { 0 };

	(void)state;
	r.cgroup = "user/one";
	r.own_cgroup = true;
	r.scope = "one.scope";
	r.uid = 1000;
	assert_int_equal(store_save(&r, &err), 0);
	record_done(&r);
	assert_int_equal(mode_of(""), 0700);
	assert_int_equal(mode_of("one"), 0711);
	assert_int_equal(mode_of("one/state.json"), 0600);
	assert_int_equal(store_load(root, "one", true, &back, &err), 0);
	assert_string_equal(back.id, "one");
	assert_string_equal(back.bundle, "/bundle");
	assert_string_equal(back.config, CONFIG);
	assert_string_equal(back.cgroup, "user/one");
	assert_string_equal(back.scope, "one.scope");
	assert_int_equal(back.pid, getpid());
	assert_int_equal(back.uid, 1000);
	assert_true(back.own_cgroup);
	assert_false(back.rootless);
	assert_true(back.lock >= 0);
	assert_int_equal(store_remove(root, &back, &err), 0);
	record_done(&back);
	assert_int_equal(store_load(root, "one", false, &back, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "container does not exist");
}

static void a_bundle_that_json_cannot_have(void **state)
{
	struct record r = make("one");
	struct error err = { 0 };

	(void)state;
	r.bundle = "/b\xff";
	assert_int_equal(store_save(&r, &err), -EILSEQ);
	assert_int_equal(err.kind, ERR_USAGE);
	record_done(&r);
	assert_int_equal(store_load(root, "one", false, &r, &err), -ENOENT);
}

static void ids_are_taken_once(void **state)
{
	struct record r = make("one"), other = RECORD_NONE;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_create(root, "one", &other, &err), -EEXIST);
	assert_int_equal(err.kind, ERR_STATE);
	assert_string_equal(err.text, "container with given ID already exists");
	assert_int_equal(other.dir, -1);
	/* Not one yet. */
	assert_int_equal(store_load(root, "one", false, &other, &err), -ENOENT);
	record_done(&r);
	assert_int_equal(store_open(root, "one", &r, &err), 0);
	assert_int_equal(store_remove(root, &r, &err), 0);
	record_done(&r);
	r = make("one");
	record_done(&r);
}

static void damage_is_told_and_removable(void **state)
{
	static const char *const states[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"id\":\"one\"}",
		"null",
		"{\"id\":\"two\",\"bundle\":\"/b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":1}",
		"{\"id\":\"one\",\"bundle\":\"/b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":-1}",
		"{\"id\":\"one\",\"bundle\":\"/b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":4294967297}",
		"{\"id\":\"one\",\"bundle\":7,\"boot\":\"b\",\"created\":\"c\",\"pid\":1}",
		"{\"id\":\"one\",\"bundle\":\"/"
		"b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":1,\"cgroup\":\"../x\"}",
		"{\"id\":\"one\",\"bundle\":\"/b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":1,\"cgroup\":\"/"
		"x\"}",
		"{\"id\":\"one\",\"bundle\":\"/"
		"b\",\"boot\":\"b\",\"created\":\"c\",\"pid\":1,\"cgroup\":\"\"}",
	};
	struct record r = make("one");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	record_done(&r);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		put_file("one", "state.json", states[i]);
		assert_int_equal(store_load(root, "one", true, &r, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "state of container one is damaged"));
		assert_int_equal(r.dir, -1);
	}
	assert_int_equal(store_open(root, "one", &r, &err), 0);
	assert_int_equal(store_remove(root, &r, &err), 0);
	record_done(&r);
}

static void links_are_not_followed(void **state)
{
	auto_free char *link = str_fmt("%s/link", root), *file = NULL, *mark = str_fmt("%s/mark", base);
	struct record r = make("one");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	record_done(&r);
	assert_int_equal(symlink("one", link), 0);
	assert_int_equal(store_load(root, "link", true, &r, &err), -ENOENT);
	assert_int_equal(store_open(root, "link", &r, &err), -ENOENT);
	assert_int_equal(store_create(root, "link", &r, &err), -EEXIST);
	file = str_fmt("%s/one/lock", root);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink(mark, file), 0);
	assert_int_equal(store_load(root, "one", true, &r, &err), -ELOOP);
	assert_int_equal(access(mark, F_OK), -1);
}

/* Two descriptors are left: for the folders, and not for the lock. */
static void one_without_a_lock_leaves_nothing(void **state)
{
	auto_free char *folder = str_fmt("%s/two", root);
	struct record one = make("one"), r = RECORD_NONE;
	struct error err = { 0 };
	struct rlimit was, few;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = (struct rlimit){ (rlim_t)fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) + 2, was.rlim_max };
	close((int)few.rlim_cur - 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(store_create(root, "two", &r, &err), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(access(folder, F_OK), -1);
	record_done(&one);
}

static void the_list(void **state)
{
	static const char *const ids[] = { "b", "c", "a" };
	auto_free char *link = str_fmt("%s/link", root), *file = str_fmt("%s/file", root);
	struct arena a = { 0 };
	struct strv names = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_list(root, &a, &names, &err), 0);
	assert_int_equal(names.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct record r = make(ids[i]);

		record_done(&r);
	}
	assert_int_equal(symlink("a", link), 0);
	assert_int_equal(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(store_list(root, &a, &names, &err), 0);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "a");
	assert_string_equal(names.v[2], "c");
	arena_done(&a);
}

/* The lock is the process's: a child that is forked meanwhile neither has it nor lets go of it. */
static void the_lock_is_one_process(void **state)
{
	struct record r = make("one"), seen = RECORD_NONE;
	struct error err = { 0 };
	int gate[2], ready[2], status;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	assert_false(record_is_locked(&r));
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		bool locked;

		fd_close(&r.lock);
		locked = record_is_locked(&r);
		close(gate[1]);
		close(ready[1]);
		(void)!read(gate[0], &c, 1);
		_exit(locked && store_load(root, "one", true, &seen, NULL) == 0 ? 0 : 1);
	}
	close(gate[0]);
	close(ready[1]);
	(void)!read(ready[0], &c, 1);
	close(ready[0]);
	record_done(&r);
	close(gate[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void the_status(void **state)
{
	struct record r = make("one");
	struct pidref init = PIDREF_NONE;
	struct error err = { 0 };
	enum oci_status status;

	(void)state;
	assert_int_equal(record_status(&r, &status, &init, &err), 0);
	assert_int_equal(status, OCI_RUNNING);
	assert_int_equal(init.pid, getpid());
	pidref_done(&init);
	put_file("one", "start", "");
	assert_int_equal(record_status(&r, &status, NULL, &err), 0);
	assert_int_equal(status, OCI_CREATED);
	/* The pid of somebody else now, or of before a reboot. */
	r.start++;
	assert_int_equal(record_status(&r, &status, &init, &err), 0);
	assert_int_equal(status, OCI_STOPPED);
	assert_int_equal(init.fd, -1);
	r.start--;
	r.boot = "00000000-0000-0000-0000-000000000000";
	assert_int_equal(record_status(&r, &status, &init, &err), 0);
	assert_int_equal(status, OCI_STOPPED);
	r.pid = 0;
	assert_int_equal(record_status(&r, &status, &init, &err), 0);
	assert_int_equal(status, OCI_STOPPED);
	record_done(&r);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_saved_is_loaded),
		CASE(a_bundle_that_json_cannot_have),
		CASE(ids_are_taken_once),
		CASE(damage_is_told_and_removable),
		CASE(links_are_not_followed),
		CASE(one_without_a_lock_leaves_nothing),
		CASE(the_list),
		CASE(the_lock_is_one_process),
		CASE(the_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
