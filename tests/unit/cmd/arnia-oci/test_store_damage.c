/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of a container after a write that was cut off or refused, a disk that lies, and files of others in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static char base[64], root[80];
static struct error err;

static int set_up(void **state)
{
	(void)state;
	unsetenv("ARNIA_FAIL_AT");
	err_clear(&err);
	snprintf(base, sizeof(base), "/tmp/arnia-damage.XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(root, sizeof(root), "%s/root", base);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unsetenv("ARNIA_FAIL_AT");
	return path_rmtree_at(AT_FDCWD, base) < 0 ? -1 : 0;
}

/* A record with something in each member; its texts are constants. */
static struct record make(void)
{
	struct record r = RECORD_NONE;

	assert_int_equal(store_create(root, "one", &r, &err), 0);
	r.bundle = "/bundle";
	r.rootfs = "/bundle/rootfs";
	r.config = "{\"ociVersion\":\"1.0.2\"}";
	r.boot = "00000000-0000-4000-8000-000000000000";
	r.created = "2026-11-30T00:00:00.5Z";
	r.owner = "root";
	r.cgroup = "user/one";
	r.scope = "one.scope";
	r.pid = 4711;
	r.start = 12345;
	strv_push(&r.arena, &r.streams, "pipe:[1]");
	return r;
}

static int load(struct record *ret)
{
	err_clear(&err);
	return store_load(root, "one", false, ret, &err);
}

static const char *file_of(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/one/%s", root, name);
	return path;
}

static void put(const char *name, const char *text, size_t n)
{
	int fd = open(file_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, text, n), 0);
	close(fd);
}

static char *saved(size_t *ret_n)
{
	struct record r = make();
	char *text = NULL;
	long n;

	assert_int_equal(store_save(&r, &err), 0);
	record_done(&r);
	n = file_read_at(AT_FDCWD, file_of("state.json"), 65536, &text, &err);
	assert_true(n > 200);
	*ret_n = (size_t)n;
	return text;
}

/* Of no other length it is the state of a container. The last byte is a newline. */
static void cut_at_each_length(void **state)
{
	struct record r = RECORD_NONE;
	auto_free char *text = NULL;
	size_t n;

	(void)state;
	text = saved(&n);
	for (size_t i = 0; i < n - 1; i++) {
		put("state.json", text, i);
		assert_int_equal(load(&r), -EBADMSG);
		assert_int_equal(err.kind, ERR_FAILED);
		assert_int_equal(r.dir, -1);
	}
	put("state.json", text, n - 1);
	assert_int_equal(load(&r), 0);
	record_done(&r);
}

/* One bit of each byte at a time: it is damaged, or a record that can do no harm: of this name, a pid, a cgroup below the mount. */
static void a_flipped_bit_anywhere(void **state)
{
	auto_free char *text = NULL;
	size_t n, bad = 0;

	(void)state;
	text = saved(&n);
	for (size_t i = 0; i < n * 8; i++) {
		struct record r = RECORD_NONE;
		int code;

		text[i / 8] ^= (char)(1 << i % 8);
		put("state.json", text, n);
		code = load(&r);
		text[i / 8] ^= (char)(1 << i % 8);
		if (code < 0) {
			assert_int_equal(code, -EBADMSG);
			bad++;
			continue;
		}
		assert_string_equal(r.id, "one");
		assert_true(r.pid >= 0);
		assert_non_null(r.bundle);
		assert_true(!r.cgroup || (r.cgroup[0] && r.cgroup[0] != '/' && !strstr(r.cgroup, "..")));
		record_done(&r);
	}
	assert_true(bad > n);
}

static void values_beyond_what_can_be(void **state)
{
	static const struct {
		const char *member, *value;
	} cases[] = {
		{ "id", "\"two\"" }, { "id", "null" }, { "id", "1" }, { "bundle", "null" }, { "bundle", "[]" }, { "boot", "1" },
		{ "created", "null" }, { "pid", "-1" }, { "pid", "2147483648" }, { "pid", "1e3" }, { "pid", "\"1\"" }, { "pid", "18446744073709551616" },
		{ "start", "-1" }, { "start", "{}" }, { "cgroup", "\"\"" }, { "cgroup", "\"/user\"" }, { "cgroup", "\"..\"" },
		{ "cgroup", "\"user/../..\"" }, { "cgroup", "\"user/./one\"" }, { "cgroup", "\"user//one\"" }, { "cgroup", "\"user/\"" },
		{ "cgroup", "7" }, { "ownCgroup", "1" }, { "uid", "-1" }, { "uid", "4294967296" }, { "rootless", "\"no\"" }, { "streams", "\"x\"" },
		{ "streams", "[1]" }, { "scope", "[]" },
	};
	auto_free char *text = NULL;
	struct record r = RECORD_NONE;
	size_t n;

	(void)state;
	text = saved(&n);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *key = str_fmt("\"%s\": ", cases[i].member), *changed = NULL;
		const char *at = strstr(text, key), *end;

		assert_non_null(at);
		at += strlen(key);
		end = *at == '[' ? strchr(at, ']') + 1 : at + strcspn(at, ",\n");
		changed = str_fmt("%.*s%s%s", (int)(at - text), text, cases[i].value, end);
		put("state.json", changed, strlen(changed));
		if (load(&r) != -EBADMSG)
			fail_msg("%s: %s is taken", cases[i].member, cases[i].value);
		assert_non_null(strstr(err.text, "state of container one is damaged: "));
	}
}

static void too_large_and_too_deep(void **state)
{
	auto_free char *much = mem_alloc_n((2u << 20) + 1, 1);
	struct record r = RECORD_NONE;
	size_t n;

	(void)state;
	free(saved(&n));
	memset(much, ' ', 2u << 20);
	put("state.json", much, 2u << 20);
	assert_true(load(&r) < 0);
	memset(much, '[', 1000000);
	put("state.json", much, 1000000);
	assert_int_equal(load(&r), -EBADMSG);
	assert_int_equal(r.dir, -1);
}

/* A write that is refused leaves what was there before, and no file beside it. */
static void a_write_that_fails(void **state)
{
	static const char *const points[] = { "file-write:errno:ENOSPC", "file-rename:errno:EDQUOT" };
	struct record r = make(), back = RECORD_NONE;

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		setenv("ARNIA_FAIL_AT", points[i], 1);
		r.pid = 815;
		assert_true(store_save(&r, &err) < 0);
		unsetenv("ARNIA_FAIL_AT");
		assert_int_equal(load(&back), 0);
		assert_int_equal(back.pid, 4711);
		record_done(&back);
		assert_int_equal(access(file_of(".state.json.tmp"), F_OK), -1);
	}
	assert_int_equal(store_save(&r, &err), 0);
	assert_int_equal(load(&back), 0);
	assert_int_equal(back.pid, 815);
	record_done(&back);
	record_done(&r);
}

/* Killed in the midst: what was there before counts, the next write goes well, and all of it can be removed. */
static void a_write_that_is_killed(void **state)
{
	static const char *const points[] = { "file-write:kill", "file-rename:kill" };
	struct record r = make(), back = RECORD_NONE;
	int status;

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		pid_t child = fork();

		if (child == 0) {
			setenv("ARNIA_FAIL_AT", points[i], 1);
			r.pid = 815;
			_exit(store_save(&r, NULL) != 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(access(file_of(".state.json.tmp"), F_OK), 0);
		assert_int_equal(load(&back), 0);
		assert_int_equal(back.pid, 4711);
		record_done(&back);
	}
	r.pid = 816;
	assert_int_equal(store_save(&r, &err), 0);
	assert_int_equal(load(&back), 0);
	assert_int_equal(back.pid, 816);
	record_done(&back);
	assert_int_equal(store_remove(root, &r, &err), 0);
	record_done(&r);
	assert_int_equal(access(file_of(""), F_OK), -1);
}

/* The configuration is there, the state not yet: no container, and its id can be had again once that is removed. */
static void killed_between_two_files(void **state)
{
	struct record r = make(), back = RECORD_NONE;

	(void)state;
	assert_int_equal(store_save(&r, &err), 0);
	record_done(&r);
	assert_int_equal(unlink(file_of("state.json")), 0);
	assert_int_equal(load(&back), -ENOENT);
	assert_string_equal(err.text, "container does not exist");
	assert_int_equal(store_create(root, "one", &back, &err), -EEXIST);
	assert_int_equal(store_open(root, "one", &r, &err), 0);
	assert_int_equal(store_remove(root, &r, &err), 0);
	record_done(&r);
	r = make();
	record_done(&r);
}

/* What cannot be the record's files: nothing is waited for, nothing written through them. */
static void files_of_others(void **state)
{
	static const char *const names[] = { "state.json", "config.json" };
	struct record r = RECORD_NONE;
	size_t n;

	(void)state;
	free(saved(&n));
	assert_int_equal(unlink(file_of("state.json")), 0);
	assert_int_equal(mkfifo(file_of("state.json"), 0600), 0);
	assert_true(load(&r) < 0);
	assert_int_equal(unlink(file_of("state.json")), 0);
	assert_int_equal(mkdir(file_of("state.json"), 0700), 0);
	assert_true(load(&r) < 0);
	assert_int_equal(rmdir(file_of("state.json")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		unlink(file_of(names[i]));
		assert_int_equal(symlink("/proc/self/mem", file_of(names[i])), 0);
	}
	assert_true(load(&r) < 0);
	assert_int_equal(r.dir, -1);
}

static void without_its_configuration(void **state)
{
	struct record r = RECORD_NONE;
	json *j;
	size_t n;

	(void)state;
	free(saved(&n));
	put("config.json", "{\"annotations\":", 15);
	assert_int_equal(load(&r), 0);
	assert_null(record_config(&r));
	record_done(&r);
	put("config.json", "{\"annotations\":{}}", 18);
	assert_int_equal(load(&r), 0);
	j = record_config(&r);
	assert_non_null(j);
	json_unref(j);
	record_done(&r);
	assert_int_equal(unlink(file_of("config.json")), 0);
	assert_int_equal(load(&r), 0);
	assert_null(r.config);
	assert_null(record_config(&r));
	assert_int_equal(r.pid, 4711);
	record_done(&r);
}

static void no_root_and_no_folder(void **state)
{
	auto_free char *file = str_fmt("%s/file", base);
	struct record r = RECORD_NONE;
	struct arena a = { 0 };
	struct strv names = { 0 };

	(void)state;
	assert_int_equal(load(&r), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(store_open(root, "one", &r, &err), -ENOENT);
	assert_int_equal(access(root, F_OK), -1);
	assert_int_equal(close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(store_load(file, "one", false, &r, &err), -ENOTDIR);
	assert_int_equal(store_create(file, "one", &r, &err), -ENOTDIR);
	assert_int_equal(store_list(file, &a, &names, &err), -ENOTDIR);
	assert_int_equal(r.dir, -1);
	arena_done(&a);
}

/* Removed and made anew by another: its folder is not the one that we have. */
static void a_folder_of_the_same_name(void **state)
{
	struct record old = make(), new = RECORD_NONE, back = RECORD_NONE;
	auto_free char *aside = str_fmt("%s/aside", base), *one = str_fmt("%s/one", root);

	(void)state;
	assert_int_equal(store_save(&old, &err), 0);
	assert_int_equal(rename(one, aside), 0);
	new = make();
	assert_int_equal(store_save(&new, &err), 0);
	record_done(&new);
	assert_int_equal(store_remove(root, &old, &err), 0);
	record_done(&old);
	assert_int_equal(load(&back), 0);
	record_done(&back);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(cut_at_each_length),
		CASE(a_flipped_bit_anywhere),
		CASE(values_beyond_what_can_be),
		CASE(too_large_and_too_deep),
		CASE(a_write_that_fails),
		CASE(a_write_that_is_killed),
		CASE(killed_between_two_files),
		CASE(files_of_others),
		CASE(without_its_configuration),
		CASE(no_root_and_no_folder),
		CASE(a_folder_of_the_same_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
