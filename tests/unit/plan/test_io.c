/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"

#define FULL                                                                                                 \
	"{'image':'a','cpus':1,'memory':8388608,'tty':true,'openStdin':true,'remove':true,'readOnly':true,"  \
	"'user':'app','ports':[{'protocol':'tcp','hostPort':80,'port':80}],'devices':['/dev/fuse'],"         \
	"'mounts':[{'type':'bind','source':'/srv','target':'/data'}],'rlimits':[{'name':'core','soft':0,"    \
	"'hard':-1}],'sysctls':{'kernel.msgmax':'1'},'imageInit':true,'timeNamespace':true,'command':['x','" \
	"','"                                                                                                \
	"a\\nb']}"

/* A plan that has something in every member. */
static struct plan *full_plan(struct unit_host *h)
{
	static const char *groups[] = { "adm", "27" };
	struct plan *p;

	unit_host(h, FULL);
	h->lease.cell = true;
	p = unit_start(h);
	p->exec_id = "fedcba9876543210";
	p->process.groups = (struct strv){ groups, 2 };
	p->net.mtu = 1400;
	p->rootfs.mounts.v[0].copy_up = true;
	p->rootfs.place = ROOTFS_HERE;
	p->rootfs.root_id = 1ull << 40;
	p->rootfs.direct = true;
	p->sandbox.seccomp_flags = 4;
	p->sandbox.oom_score_adj = INT32_MIN;
	p->pool.s_addr = 0x0000d10a;
	p->pool_prefix = 16;
	p->cgroup_branch = "arnia";
	p->template = "debian-12";
	return p;
}

static void *encoded(struct plan *p, size_t *ret_size)
{
	void *bytes = NULL;

	assert_int_equal(plan_encode(p, &bytes, ret_size), 0);
	return bytes;
}

static void test_round_trip(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back = NULL;
	struct error err = { 0 };
	size_t size, size2;
	auto_free void *bytes = encoded(p, &size), *bytes2 = NULL;
	auto_free char *text = unit_print(p), *text2 = NULL;

	(void)state;
	if (plan_decode(bytes, size, &back, &err) < 0)
		fail_msg("%s", err.text);
	bytes2 = encoded(back, &size2);
	assert_int_equal(size, size2);
	assert_memory_equal(bytes, bytes2, size);
	text2 = unit_print(back);
	assert_string_equal(text, text2);
	/* What print does not show. */
	assert_int_equal(back->sandbox.seccomp_flags, 4);
	assert_int_equal(back->rootfs.place, ROOTFS_HERE);
	assert_true(back->rootfs.root_id == 1ull << 40 && back->rootfs.direct);
	assert_int_equal((uintptr_t)back->sandbox.seccomp % 4, 0);
	assert_true(back->sandbox.time_boot_ns == p->sandbox.time_boot_ns);
	plan_free(p);
	plan_free(back);
	unit_host_done(&h);
}

/* The decoded plan stands on its own: the bytes may go. */
static void test_owns_its_bytes(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back;
	size_t size;
	void *bytes = encoded(p, &size);
	auto_free char *text = unit_print(p), *text2 = NULL;

	(void)state;
	assert_int_equal(plan_decode(bytes, size, &back, NULL), 0);
	memset(bytes, 0xff, size);
	free(bytes);
	text2 = unit_print(back);
	assert_string_equal(text, text2);
	plan_free(p);
	plan_free(back);
	unit_host_done(&h);
}

/* Cut at every length (in memory of just that length, so that a sanitizer sees a step too far): never a plan,
 * never a crash. */
static void test_truncated(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back = (void *)&h;
	size_t size;
	auto_free char *bytes = encoded(p, &size);

	(void)state;
	for (size_t n = 0; n < size; n++) {
		char *cut = mem_dup(bytes, n);
		struct error err = { 0 };

		assert_int_equal(plan_decode(cut, n, &back, &err), -EPROTO);
		assert_ptr_equal(back, &h);
		assert_true(err.text[0]);
		free(cut);
	}
	bytes = mem_realloc_n(bytes, size + 1, 1);
	bytes[size] = 0;
	assert_int_equal(plan_decode(bytes, size + 1, &back, NULL), -EPROTO);
	plan_free(p);
	unit_host_done(&h);
}

/* Every byte changed in three ways: refused, or a plan that can be printed and written. */
static void test_damaged(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	struct unit_host h;
	struct plan *p = full_plan(&h);
	size_t size, taken = 0, refused = 0;
	auto_free unsigned char *bytes = encoded(p, &size);

	(void)state;
	for (size_t i = 0; i < size * ARRAY_SIZE(flips); i++) {
		size_t at = i / ARRAY_SIZE(flips), again;
		struct plan *back;

		bytes[at] ^= flips[i % ARRAY_SIZE(flips)];
		if (plan_decode(bytes, size, &back, NULL) == 0) {
			free(unit_print(back));
			free(encoded(back, &again));
			plan_free(back);
			taken++;
		} else {
			refused++;
		}
		bytes[at] ^= flips[i % ARRAY_SIZE(flips)];
	}
	assert_true(taken > 0 && refused > 24);
	plan_free(p);
	unit_host_done(&h);
}

static void test_other_version(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back;
	struct error err = { 0 };
	size_t size;
	auto_free unsigned char *bytes = encoded(p, &size);

	(void)state;
	bytes[4] = 77;
	assert_int_equal(plan_decode(bytes, size, &back, &err), -EPROTO);
	assert_string_equal(err.text, "the plan has version 77, this program reads version 4");
	bytes[0] ^= 1;
	assert_int_equal(plan_decode(bytes, size, &back, &err), -EPROTO);
	assert_string_equal(err.text, "this is no plan");
	plan_free(p);
	unit_host_done(&h);
}

/* What a worker needs for a kind is there, or the plan is refused by the name of the member. */
static void test_needs(void **state)
{
	static const struct {
		enum plan_kind kind;
		size_t offset;
		const char *why; /* NULL: not needed */
	} cases[] = {
#define CASE(kind, member, why) { kind, offsetof(struct plan, member), why }
		CASE(PLAN_START, id, "id"),
		CASE(PLAN_START, run, "run"),
		CASE(PLAN_START, cgroup.path, "cgroup.path"),
		CASE(PLAN_START, process.cwd, "process.cwd"),
		CASE(PLAN_START, process.argv.n, "process.argv"),
		CASE(PLAN_START, rootfs.lower.n, "rootfs.lower"),
		CASE(PLAN_START, sandbox.uid_maps.n, "sandbox.uid_maps"),
		CASE(PLAN_START, sandbox.gid_maps.n, "sandbox.uid_maps"),
		CASE(PLAN_START, net.ifname, "net.ifname"),
		CASE(PLAN_START, layers_dir, "layers_dir"),
		CASE(PLAN_START, exec_id, NULL),
		CASE(PLAN_START, template, NULL),
		CASE(PLAN_EXEC, exec_id, "exec_id"),
		CASE(PLAN_EXEC, process.argv.n, "process.argv"),
		CASE(PLAN_EXEC, layers_dir, NULL),
		CASE(PLAN_DESTROY, id, "id"),
		CASE(PLAN_DESTROY, cgroup.path, "cgroup.path"),
		CASE(PLAN_DESTROY, process.argv.n, NULL),
		CASE(PLAN_REMOVE, layers_dir, "layers_dir"),
		CASE(PLAN_REMOVE, run, NULL),
		CASE(PLAN_PREPARE, net.ifname, "net.ifname"),
		CASE(PLAN_PREPARE, sandbox.uid_maps.n, "sandbox.uid_maps"),
		CASE(PLAN_PREPARE, id, NULL),
		CASE(PLAN_PUBLISH, id, "id"),
		CASE(PLAN_PUBLISH, layers_dir, NULL),
		CASE(PLAN_HOST_CHECK, net.table, "net.table"),
		CASE(PLAN_HOST_SETUP, cgroup_branch, "cgroup_branch"),
		CASE(PLAN_HOST_TEARDOWN, net.table, "net.table"),
		CASE(PLAN_HOST_SETUP, id, NULL),
		CASE(PLAN_TEMPLATE_BUILD, template, "template"),
		CASE(PLAN_TEMPLATE_REMOVE, state, "state"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unit_host h;
		struct plan *p = full_plan(&h), *back = NULL;
		struct error err = { 0 };
		size_t size;
		auto_free char *want = str_fmt("plan: %s is missing", cases[i].why ?: "");
		auto_free void *bytes = NULL;
		int r;

		p->kind = cases[i].kind;
		/* A pointer or a count: all bits 0 is "none" for both. */
		memset((char *)p + cases[i].offset, 0, sizeof(void *));
		bytes = encoded(p, &size);
		r = plan_decode(bytes, size, &back, &err);
		if (cases[i].why ? r != -EPROTO || !str_eq(err.text, want) : r != 0)
			fail_msg("kind %d: \"%s\", expected \"%s\"", cases[i].kind, err.text, want);
		plan_free(back);
		plan_free(p);
		unit_host_done(&h);
	}
}

static int encode_result(struct plan *p)
{
	auto_free void *bytes = NULL;
	size_t size = 0;

	return plan_encode(p, &bytes, &size);
}

/* Values that no reader would take are not written. */
static void test_out_of_range(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h);

	(void)state;
	assert_int_equal(encode_result(p), 0);
	p->kind = 99;
	assert_int_equal(encode_result(p), -EINVAL);
	p->kind = 0;
	assert_int_equal(encode_result(p), -EINVAL);
	assert_int_equal(plan_write(p, NULL), -EINVAL);
	p->kind = PLAN_START;
	p->undo.v[0] = 9;
	assert_int_equal(encode_result(p), -EINVAL);
	p->undo.v[0] = PLAN_UNDO_CGROUP;
	p->stdio = 9;
	assert_int_equal(encode_result(p), -EINVAL);
	p->stdio = PLAN_STDIO_LOG;
	p->net.ifname = "sixteen-bytes-xx";
	assert_int_equal(encode_result(p), -EINVAL);
	p->net.ifname = "fifteen-bytes-x";
	assert_int_equal(encode_result(p), 0);
	p->sandbox.seccomp_size = 12;
	assert_int_equal(encode_result(p), -EINVAL);
	plan_free(p);
	unit_host_done(&h);
}

static void test_bad_id(void **state)
{
	static const char *const ids[] = { "../../etc", "0123456789ABCDEF", "0123456789abcde",
					   "0123456789abcdef0" };
	struct unit_host h;
	struct plan *p = full_plan(&h), *back;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		size_t size;
		auto_free void *bytes = NULL;
		struct error err = { 0 };

		p->id = ids[i];
		bytes = encoded(p, &size);
		assert_int_equal(plan_decode(bytes, size, &back, &err), -EPROTO);
		assert_string_equal(err.text, "plan: bad id");
	}
	plan_free(p);
	unit_host_done(&h);
}

static void test_through_a_memfd(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back = NULL;
	struct error err = { 0 };
	auto_fd int fd = plan_write(p, &err);
	auto_free char *text = unit_print(p), *text2 = NULL;

	(void)state;
	assert_true(fd >= 0);
	assert_true(fd_is_sealed(fd));
	/* The offset may be anywhere. */
	assert_int_equal(lseek(fd, 17, SEEK_SET), 17);
	if (plan_read(fd, &back, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 17);
	text2 = unit_print(back);
	assert_string_equal(text, text2);
	plan_free(p);
	plan_free(back);
	unit_host_done(&h);
}

static void test_read_refuses(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h), *back = NULL;
	struct error err = { 0 };
	size_t size;
	auto_free char *bytes = encoded(p, &size), *big = mem_alloc((4 << 20) + 1);
	auto_fd int open_fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING), big_fd = -1, cut = -1;
	int pipes[2];

	(void)state;
	assert_int_equal(fd_write_all(open_fd, bytes, size), 0);
	assert_int_equal(plan_read(open_fd, &back, &err), -EPERM);
	assert_string_equal(err.text, "the plan's file is not sealed");

	memcpy(big, bytes, size);
	big_fd = fd_memfd_sealed("plan", big, (4 << 20) + 1);
	assert_int_equal(plan_read(big_fd, &back, &err), -EPROTO);
	assert_string_equal(err.text, "the plan is larger than 4 MiB");
	assert_int_equal(plan_decode(big, (4 << 20) + 1, &back, &err), -EPROTO);

	cut = fd_memfd_sealed("plan", bytes, 0);
	assert_int_equal(plan_read(cut, &back, &err), -EPROTO);
	assert_string_equal(err.text, "this is no plan");

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(plan_read(pipes[0], &back, &err), -EPERM);
	assert_int_equal(plan_read(-1, &back, &err), -EPERM);
	close(pipes[0]);
	close(pipes[1]);
	assert_null(back);
	plan_free(p);
	unit_host_done(&h);
}

static void test_too_large(void **state)
{
	struct unit_host h;
	struct plan *p = full_plan(&h);
	auto_free char *big = mem_alloc((4 << 20) + 1);
	struct error err = { 0 };

	(void)state;
	memset(big, 'x', 4 << 20);
	p->process.cwd = big;
	assert_int_equal(encode_result(p), -E2BIG);
	assert_int_equal(plan_write(p, &err), -E2BIG);
	assert_int_equal(err.kind, ERR_USAGE);
	plan_free(p);
	plan_free(NULL);
	unit_host_done(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_owns_its_bytes),
		cmocka_unit_test(test_truncated),	cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_version),	cmocka_unit_test(test_needs),
		cmocka_unit_test(test_out_of_range),	cmocka_unit_test(test_bad_id),
		cmocka_unit_test(test_through_a_memfd), cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
