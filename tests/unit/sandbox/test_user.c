/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include "tests/unit/sandbox/fixture.h"
#include "lib/sandbox/user_db.h"

#define MAPPED 65536

static const char passwd_text[] = "# a comment\n"
				  "root:x:0:0:root:/root:/bin/bash\n"
				  "bob:x:1000:1001:Bob,,,:/home/bob:/bin/zsh\n"
				  "0:x:1000:1000::/evil:/evil\n" /* a name that looks like a number */
				  "neg:x:-1:0::/:/bin/sh\n"
				  "huge:x:4294967296:0::/:/bin/sh\n"
				  "last:x:4294967295:0::/:/bin/sh\n"
				  "hex:x:0x0:0::/:/bin/sh\n"
				  "blank:x: 0:0::/:/bin/sh\n"
				  "nouid:x::0::/:/bin/sh\n"
				  "short:x:5\n"
				  "far:x:70000:0::/far:/bin/sh\n"
				  "fargroup:x:7:70000::/:/bin/sh\n"
				  "rel:x:8:8::relative:rel\n"
				  "ctl:x:9:9::/a\x1b[31m:/bin/\x01sh\n"
				  "twice:x:10:10::/first:/bin/sh\n"
				  "twice:x:11:11::/second:/bin/sh\n"
				  "\n::::::\n"
				  "bin:x:2:2::/bin:";
static const char group_text[] =
	"root:x:0:\nbob:x:1001:\nwheel:x:10:root,bob\naudio:x:29:bob,alice\nnotbob:x:30:bobby,xbob\n"
	"far:x:70000:bob\nbad:x:-1:bob\nvideo:x:44:alice,bob\nvideo2:x:44:bob\nusers:x:100";
static const struct user_db db = { passwd_text, group_text, MAPPED };

static int find(const char *user, struct sandbox_user *u, struct error *err)
{
	struct user_spec s;
	struct strv none = { 0 };
	int r = user_spec_parse(user, &s, err);

	return r < 0 ? r : user_find(&db, &s, &none, u, err);
}

/* CVE-2026-30892 and its relatives: no spelling may come out as an id that it does not say. */
static void test_refused_spellings(void **state)
{
	static const char *const usage[] = {
		"-1",
		"4294967295",
		"4294967296",
		"18446744073709551616",
		"0x0",
		"+1",
		" 1",
		"1 ",
		"00",
		"01",
		"1.0",
		"1e3",
		"0b0",
		"1000:",
		":",
		":0",
		":root",
		"0:-1",
		"0:4294967295",
		"0:4294967296",
		"0: 0",
		"0:0:0",
		"root:root:root",
		"bob:",
		"\t0",
		"0\n",
		"1,2",
		"-",
		"+",
		" ",
		"root ",
		" root",
		"ro ot",
		"root/",
		"../x",
		"a\x1b",
		"\xff\xfe",
		"1000abc",
		"70000",
		"65536",
		"0:65536",
		"far",
		"fargroup",
	};
	static const char *const missing[] = {
		"alice", "neg", "huge",	 "last",    "hex",     "blank",	       "nouid", "short",
		"Root",	 "roo", "roott", "0:alice", "bob:bad", "root:nogroup", "x",
	};
	char long_name[400];
	struct sandbox_user u = { .uid = 77 };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(usage); i++) {
		if (find(usage[i], &u, &err) >= 0)
			fail_msg("\"%s\" became %u:%u", usage[i], u.uid, u.gid);
		assert_int_equal(err.kind, ERR_USAGE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++) {
		if (find(missing[i], &u, &err) != -ENOENT)
			fail_msg("\"%s\" became %u:%u", missing[i], u.uid, u.gid);
		assert_int_equal(err.kind, ERR_NOT_FOUND);
	}
	memset(long_name, 'a', sizeof(long_name));
	long_name[399] = '\0';
	assert_int_equal(find(long_name, &u, &err), -EINVAL);
	long_name[100] = '\0';
	assert_int_equal(find(long_name, &u, &err), -EINVAL);
	assert_int_equal(u.uid, 77);
}

static void test_taken_spellings(void **state)
{
	static const struct {
		const char *user;
		uint32_t uid, gid;
		const char *name, *home, *shell;
		size_t n_groups;
	} rows[] = {
		{ "", 0, 0, "root", "/root", "/bin/bash", 1 },
		{ "0", 0, 0, "root", "/root", "/bin/bash", 1 },
		{ "root", 0, 0, "root", "/root", "/bin/bash", 1 },
		{ "0:0", 0, 0, "root", "/root", "/bin/bash", 0 },
		{ "root:wheel", 0, 10, "root", "/root", "/bin/bash", 0 },
		{ "bob", 1000, 1001, "bob", "/home/bob", "/bin/zsh", 3 },
		{ "1000", 1000, 1001, "bob", "/home/bob", "/bin/zsh", 3 },
		{ "1000:0", 1000, 0, "bob", "/home/bob", "/bin/zsh", 0 },
		{ "bob:29", 1000, 29, "bob", "/home/bob", "/bin/zsh", 0 },
		{ "65535:65535", 65535, 65535, "", "/", "/bin/sh", 0 },
		{ "4242", 4242, 0, "", "/", "/bin/sh", 0 },
		{ "rel", 8, 8, "rel", "/", "/bin/sh", 0 },
		{ "ctl", 9, 9, "ctl", "/", "/bin/sh", 0 },
		{ "twice", 10, 10, "twice", "/first", "/bin/sh", 0 },
		{ "bin", 2, 2, "bin", "/bin", "/bin/sh", 0 },
		{ "0:users", 0, 100, "root", "/root", "/bin/bash", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sandbox_user u = { 0 };
		struct error err = { 0 };

		if (find(rows[i].user, &u, &err) < 0)
			fail_msg("\"%s\": %s", rows[i].user, err.text);
		assert_int_equal(u.uid, rows[i].uid);
		assert_int_equal(u.gid, rows[i].gid);
		assert_string_equal(u.name, rows[i].name);
		assert_string_equal(u.home, rows[i].home);
		assert_string_equal(u.shell, rows[i].shell);
		assert_int_equal(u.n_groups, rows[i].n_groups);
	}
}

static void test_groups(void **state)
{
	static const char *const asked[] = { "audio", "5", "wheel", "5" };
	struct strv groups = { (const char **)asked, ARRAY_SIZE(asked) };
	struct sandbox_user u = { 0 };
	struct user_spec s;
	struct error err = { 0 };
	const char *bad[] = { "-1", "nosuch", "70000", "" };

	(void)state;
	assert_int_equal(user_spec_parse("bob", &s, &err), 0);
	assert_int_equal(user_find(&db, &s, &groups, &u, &err), 0);
	/* wheel, audio, video of the file, then 5; no number twice. */
	assert_int_equal(u.n_groups, 4);
	assert_int_equal(u.groups[0], 10);
	assert_int_equal(u.groups[1], 29);
	assert_int_equal(u.groups[2], 44);
	assert_int_equal(u.groups[3], 5);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		groups = (struct strv){ &bad[i], 1 };
		assert_true(user_find(&db, &s, &groups, &u, &err) < 0);
		assert_int_equal(err.kind, i == 1 ? ERR_NOT_FOUND : ERR_USAGE);
	}
}

static void test_too_many_groups(void **state)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	struct strv none = { 0 };
	struct user_db many = { .passwd = passwd_text, .id_count = MAPPED };
	struct sandbox_user u;
	struct user_spec s;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(user_spec_parse("bob", &s, NULL), 0);
	for (int i = 0; i < 128; i++)
		strbuf_addf(&text, "g%d:x:%d:bob\n", i, 2000 + i);
	many.group = strbuf_cstr(&text);
	assert_int_equal(user_find(&many, &s, &none, &u, &err), 0);
	assert_int_equal(u.n_groups, 128);
	strbuf_add(&text, "g128:x:3000:bob\n");
	many.group = strbuf_cstr(&text);
	assert_int_equal(user_find(&many, &s, &none, &u, &err), -E2BIG);
}

static int resolve(const char *root, const char *user, struct sandbox_user *u, struct error *err)
{
	auto_fd int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct process_config p = { .user = user };

	*err = (struct error){ 0 };
	return user_resolve(fd, &p, MAPPED, u, err);
}

/* UINT32_MAX as the count leaves ids to the kernel; -1 is none even so. */
static void test_any_ids(void **state)
{
	auto_free char *dir = folder_make();
	auto_fd int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *groups[] = { "4294967293", "3000000000" };
	struct process_config p = { .user = "4294967294:4294967294", .groups = { groups, 2 } };
	struct sandbox_user u;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(user_resolve(fd, &p, UINT32_MAX, &u, &err), 0);
	assert_true(u.uid == 4294967294 && u.gid == 4294967294);
	assert_true(u.n_groups == 2 && u.groups[0] == 4294967293 && u.groups[1] == 3000000000);
	p.user = "4294967295:0";
	assert_true(user_resolve(fd, &p, UINT32_MAX, &u, &err) < 0);
	p.user = "0:0";
	groups[0] = "4294967295";
	assert_true(user_resolve(fd, &p, UINT32_MAX, &u, &err) < 0);
	assert_int_equal(path_rmtree_at(AT_FDCWD, dir), 0);
}

/* The image's files are whatever the image likes. */
static void test_files(void **state)
{
	char *root = folder_make();
	auto_free char *etc = str_fmt("%s/etc", root), *path = str_fmt("%s/etc/passwd", root),
		       *outside = NULL;
	auto_free char *big = mem_alloc((1 << 20) + 2);
	char *elsewhere = folder_make();
	struct sandbox_user u = { 0 };
	struct error err;

	(void)state;
	/* None at all. */
	assert_int_equal(resolve(root, "0", &u, &err), 0);
	assert_string_equal(u.home, "/");
	assert_int_equal(resolve(root, "root", &u, &err), -ENOENT);
	assert_int_equal(mkdir(etc, 0755), 0);
	file_make(etc, "passwd", passwd_text);
	file_make(etc, "group", group_text);
	assert_int_equal(resolve(root, "bob", &u, &err), 0);
	assert_int_equal(u.gid, 1001);
	assert_int_equal(u.n_groups, 3);
	/* A link stays inside: the absolute target is taken below the root. */
	file_make(elsewhere, "passwd", "bob:x:5:5::/host:/host\n");
	outside = str_fmt("%s/passwd", elsewhere);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(outside, path), 0);
	assert_int_equal(resolve(root, "bob", &u, &err), -ENOENT);
	assert_int_equal(resolve(root, "../../../../../../tmp", &u, &err), -EINVAL);
	/* A fifo nobody writes to must not be waited for. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(resolve(root, "bob", &u, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/etc/passwd of the container is not a regular file"));
	/* With numbers alone one still gets in. */
	assert_int_equal(resolve(root, "1000:1000", &u, &err), 0);
	assert_int_equal(resolve(root, "", &u, &err), 0);
	assert_int_equal(resolve(root, "1000", &u, &err), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(resolve(root, "bob", &u, &err), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	/* One byte over a mebibyte. */
	memset(big, '\n', (1 << 20) + 1);
	file_make(etc, "passwd", big);
	assert_int_equal(resolve(root, "bob", &u, &err), -EFBIG);
	big[1 << 20] = '\0';
	file_make(etc, "passwd", big);
	assert_int_equal(resolve(root, "bob", &u, &err), -ENOENT);
	folder_remove(root);
	folder_remove(elsewhere);
}

static int apply_bob(void *arg)
{
	struct sandbox_user u = { .uid = 1000, .gid = 1001, .groups = { 10, 29 }, .n_groups = 2 };
	uid_t r, e, s;
	gid_t rg, eg, sg, groups[8];

	(void)arg;
	CHECK(user_apply(&u, NULL) == 0);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 1000 && e == 1000 && s == 1000);
	CHECK(getresgid(&rg, &eg, &sg) == 0 && rg == 1001 && eg == 1001 && sg == 1001);
	CHECK(getgroups(8, groups) == 2 && groups[0] == 10 && groups[1] == 29);
	/* And there is no way back. */
	CHECK(setuid(0) < 0);
	u.uid = 0;
	CHECK(user_apply(&u, NULL) < 0);
	return 0;
}

static int apply_no_groups(void *arg)
{
	struct sandbox_user u = { .uid = 5, .gid = 6 };

	(void)arg;
	CHECK(user_apply(&u, NULL) == 0);
	CHECK(getgroups(0, NULL) == 0);
	return 0;
}

static void test_apply(void **state)
{
	(void)state;
	need_root();
	in_child(apply_bob, NULL);
	in_child(apply_no_groups, NULL);
}

static int write_own(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int apply_denied(void *arg)
{
	struct sandbox_user u = { .uid = 0, .gid = 0 };
	struct error err = { 0 };

	(void)arg;
	CHECK(setresgid(7, 7, 7) == 0 && setresuid(7, 7, 7) == 0);
	/* Becoming another user took the right to look at oneself by /proc. */
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	CHECK(unshare(CLONE_NEWUSER) == 0 && write_own("/proc/self/setgroups", "deny") == 0);
	CHECK(write_own("/proc/self/uid_map", "0 7 1") == 0 && write_own("/proc/self/gid_map", "0 7 1") == 0);
	CHECK(user_apply(&u, &err) == 0 && getuid() == 0 && getgid() == 0);
	u.n_groups = 1;
	CHECK(user_apply(&u, &err) == -EPERM && strstr(err.text, "set the groups"));
	return 0;
}

static void test_groups_are_denied(void **state)
{
	(void)state;
	need_root();
	in_child(apply_denied, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_spellings),
		cmocka_unit_test(test_taken_spellings),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_too_many_groups),
		cmocka_unit_test(test_any_ids),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_groups_are_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
