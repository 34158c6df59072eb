/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include "tests/unit/cgroup/fixture.h"

#define READ 1
#define WRITE 2
#define MKNOD 4

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		struct cg_device d;
	} good[] = {
		{ "a", { true, 'a', -1, -1, 7 } },
		{ "a *:* rwm", { true, 'a', -1, -1, 7 } },
		{ "c 1:3 rwm", { true, 'c', 1, 3, 7 } },
		{ "b *:* m", { true, 'b', -1, -1, MKNOD } },
		{ "c 136:* rw", { true, 'c', 136, -1, READ | WRITE } },
		{ "c *:5 w", { true, 'c', -1, 5, WRITE } },
		{ "b 0:0 mr", { true, 'b', 0, 0, MKNOD | READ } },
		{ "c 4294967295:4294967295 r", { true, 'c', 4294967295, 4294967295, READ } },
	};
	static const char *const bad[] = {
		"",	     "b",	 "c",	      "x 1:3 rwm", "c1:3 rwm",
		"c 1:3",     "c 1:3 ",	 "c 1:3 rwx", "c 1:3 rr",  "c 1 rwm",
		"c :3 r",    "c 1: r",	 "c -1:3 r",  "c 1:-1 r",  "c 4294967296:0 r",
		"c 1:3  r",  "c 1:3 r ", " a",	      "a ",	   "a x",
		"c 1:3:4 r", "c **:* r", "c 0x1:3 r", "C 1:3 r",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct cg_device d = { 0 };

		assert_int_equal(cg_device_parse(good[i].text, &d), 0);
		assert_int_equal(d.allow, true);
		assert_int_equal(d.type, good[i].d.type);
		assert_int_equal(d.major, good[i].d.major);
		assert_int_equal(d.minor, good[i].d.minor);
		assert_int_equal(d.access, good[i].d.access);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cg_device d = { .access = 99 };

		if (cg_device_parse(bad[i], &d) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(d.access, 99);
	}
}

/* The few instructions that the compiler uses. */
static int run(const struct bpf_insn *p, long len, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint32_t r[11] = { 0 };

	for (long i = 0; i < len; i++) {
		uint32_t *dst = &r[p[i].dst_reg], k = (uint32_t)p[i].imm, x = r[p[i].src_reg];

		switch (p[i].code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			*dst = *(const uint32_t *)((const char *)ctx + p[i].off);
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			*dst = k;
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			*dst = x;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			*dst &= k;
			break;
		case BPF_ALU | BPF_OR | BPF_X:
			*dst |= x;
			break;
		case BPF_ALU | BPF_LSH | BPF_K:
			*dst <<= k;
			break;
		case BPF_JMP | BPF_JA:
			i += p[i].off;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			*dst >>= k;
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			i += *dst != k ? p[i].off : 0;
			break;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			i += *dst == k ? p[i].off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return (int)r[0];
		default:
			fail_msg("instruction %#x", p[i].code);
		}
	}
	fail_msg("ran off the end");
	return -1;
}

static bool matches(const struct cg_device *d, char type, uint32_t major, uint32_t minor)
{
	return (d->type == 'a' || d->type == type) && (d->major == -1 || d->major == major) &&
	       (d->minor == -1 || d->minor == minor);
}

/* The definition: each kind of access by the last rule that matches and speaks of it. */
static bool allowed(const struct cg_device *d, size_t n, char type, uint32_t major, uint32_t minor,
		    uint8_t access)
{
	for (uint8_t bit = 1; bit <= 4; bit <<= 1) {
		bool ok = false;

		for (size_t i = 0; i < n; i++)
			if (d[i].access & bit && matches(&d[i], type, major, minor))
				ok = d[i].allow;
		if (access & bit && !ok)
			return false;
	}
	return true;
}

static uint32_t kernel_bits(uint8_t a)
{
	return (a & READ ? 2u : 0) | (a & WRITE ? 4u : 0) | (a & MKNOD ? 1u : 0);
}

static void check_all(const struct cg_device *d, size_t n)
{
	static struct bpf_insn prog[CG_DEVICE_INSNS(64)];
	long len = cg_devices_compile(d, n, prog, ARRAY_SIZE(prog));

	assert_true(len > 0);
	for (unsigned i = 0; i < 2 * 4 * 4 * 7; i++) {
		char type = i & 1 ? 'b' : 'c';
		uint32_t major = i / 2 % 4, minor = i / 8 % 4;
		uint8_t access = (uint8_t)(i / 32 % 7 + 1);
		struct bpf_cgroup_dev_ctx ctx = {
			.access_type = kernel_bits(access) << 16 |
				       (type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
			.major = major,
			.minor = minor,
		};

		assert_int_equal(run(prog, len, &ctx), allowed(d, n, type, major, minor, access));
	}
}

static void test_program(void **state)
{
	static const struct cg_device later[] = { { true, 'a', -1, -1, 7 },
						  { false, 'b', -1, -1, WRITE },
						  { true, 'b', 1, -1, 7 },
						  { false, 'a', 1, 2, MKNOD } };
	unsigned seed = 1;

	(void)state;
	check_all(NULL, 0);
	check_all(later, ARRAY_SIZE(later));
	for (int round = 0; round < 300; round++) {
		struct cg_device d[64];
		size_t n = 1 + (size_t)rand_r(&seed) % 64;

		for (size_t i = 0; i < n; i++)
			d[i] = (struct cg_device){ rand_r(&seed) & 1, "abc"[rand_r(&seed) % 3],
						   rand_r(&seed) % 5 - 1, rand_r(&seed) % 5 - 1,
						   (uint8_t)(1 + rand_r(&seed) % 7) };
		check_all(d, n);
	}
}

static void test_malformed(void **state)
{
	static const struct cg_device bad[] = { { true, 'x', 1, 1, 7 },	 { true, 'c', -2, 1, 7 },
						{ true, 'c', 1, -2, 7 }, { true, 'c', 1L << 32, 1, 7 },
						{ true, 'c', 1, 1, 0 },	 { true, 'c', 1, 1, 8 } };
	struct bpf_insn prog[CG_DEVICE_INSNS(1)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cg_devices_compile(&bad[i], 1, prog, ARRAY_SIZE(prog)), -EINVAL);
	assert_int_equal(cg_devices_compile(bad, 2, prog, ARRAY_SIZE(prog)), -E2BIG);
}

static int query(int cg, uint32_t *ids, uint32_t max)
{
	union bpf_attr attr = { .query = { .target_fd = (uint32_t)cg,
					   .attach_type = BPF_CGROUP_DEVICE,
					   .prog_ids = (uintptr_t)ids,
					   .prog_cnt = max } };

	assert_int_equal(syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)), 0);
	return (int)attr.query.prog_cnt;
}

/* In a child inside the cgroup: errno of mknod, or of opening /dev/null read-write. */
static int in_cgroup(int cg, mode_t type, unsigned major, unsigned minor)
{
	char path[64];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(path, sizeof(path), "/dev/shm/arnia-unit-node-%d", getpid());
		if (cg_add_process(cg, getpid(), NULL) < 0)
			_exit(255);
		if (!type)
			_exit(open("/dev/null", O_RDWR | O_CLOEXEC) < 0 ? errno : 0);
		if (mknod(path, type | 0600, makedev(major, minor)) < 0)
			_exit(errno);
		unlink(path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static void test_attached(void **state)
{
	static const struct cg_device none[] = { { false, 'a', -1, -1, 7 } };
	static const struct cg_device some[] = { { false, 'a', -1, -1, 7 },
						 { true, 'c', 1, 3, 7 },
						 { true, 'c', -1, -1, MKNOD } };
	struct fixture f = fixture_open();
	auto_free char *below = str_fmt("%s/below", f.branch);
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = -1, sub = -1;
	uint32_t ids[8], first;

	(void)state;
	c.devices.v = (struct cg_device *)some;
	c.devices.n = ARRAY_SIZE(some);
	cg = cg_create(f.root, &c, &err);
	if (cg < 0)
		fail_msg("%s", err.text);
	assert_int_equal(query(cg, ids, 8), 1);
	first = ids[0];
	assert_int_equal(in_cgroup(cg, 0, 0, 0), 0);
	assert_int_equal(in_cgroup(cg, S_IFCHR, 5, 1), 0);
	assert_int_equal(in_cgroup(cg, S_IFBLK, 8, 0), EPERM);
	assert_int_equal(in_cgroup(cg, S_IFBLK, 7, 0), EPERM);

	/* A cgroup below cannot widen it, with or without a program of its own. */
	c.path = below;
	c.devices.n = 0;
	sub = cg_create(f.root, &c, &err);
	assert_int_equal(in_cgroup(sub, S_IFBLK, 8, 0), EPERM);
	assert_int_equal(cg_set_devices(sub, &(struct cg_device){ true, 'a', -1, -1, 7 }, 1, &err), 0);
	assert_int_equal(in_cgroup(sub, S_IFBLK, 8, 0), EPERM);
	assert_int_equal(in_cgroup(sub, 0, 0, 0), 0);

	for (int i = 0; i < 3; i++)
		assert_int_equal(cg_set_devices(cg, none, 1, &err), 0);
	assert_int_equal(query(cg, ids, 8), 1);
	assert_int_not_equal(ids[0], first);
	assert_int_equal(in_cgroup(cg, 0, 0, 0), EPERM);
	assert_int_equal(in_cgroup(sub, 0, 0, 0), EPERM);
	/* A refused update keeps the policy. */
	assert_int_equal(cg_set_devices(cg, &(struct cg_device){ true, 'x', 0, 0, 7 }, 1, &err), -EINVAL);
	assert_int_equal(in_cgroup(cg, 0, 0, 0), EPERM);
	assert_int_equal(cg_set_devices(cg, NULL, 0, &err), 0);
	assert_int_equal(query(cg, ids, 8), 0);
	assert_int_equal(in_cgroup(cg, 0, 0, 0), 0);
	fixture_done(&f);
}

/* One program for all cgroups with these rules, found again through a cgroup that has it; others get their own. */
static void test_shared(void **state)
{
	static const struct cg_device rules[] = { { true, 'c', 1, 3, 7 }, { true, 'c', 77, 77, 7 } };
	struct fixture f = fixture_open();
	auto_free char *other = str_fmt("%s-b", f.branch), *third = str_fmt("%s-c", f.branch);
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct cg_program p = { .fd = -1 }, again = { .fd = -1 };
	struct error err = { 0 };
	uint32_t a[8], b[8];

	(void)state;
	assert_int_equal(cg_program_open(rules, ARRAY_SIZE(rules), &p, &err), 0);
	c.devices.v = (struct cg_device *)rules;
	c.devices.n = ARRAY_SIZE(rules);
	auto_fd int one = cg_create_with(f.root, &c, &p, &err);
	if (one < 0)
		fail_msg("%s", err.text);
	cg_program_close(&p);
	assert_int_equal(cg_program_open(rules, ARRAY_SIZE(rules), &again, &err), 0);
	c.path = other;
	auto_fd int two = cg_create_with(f.root, &c, &again, &err);
	assert_int_equal(query(one, a, 8), 1);
	assert_int_equal(query(two, b, 8), 1);
	assert_int_equal(a[0], b[0]);
	c.path = third;
	c.devices.n = 1;
	auto_fd int three = cg_create_with(f.root, &c, &again, &err);
	assert_int_equal(query(three, b, 8), 1);
	assert_int_not_equal(a[0], b[0]);
	assert_int_equal(in_cgroup(three, S_IFBLK, 8, 0), EPERM);
	cg_program_close(&again);
	assert_int_equal(cg_remove(f.root, other, &err), 0);
	assert_int_equal(cg_remove(f.root, third, &err), 0);
	fixture_done(&f);
}

/* The verifier must not be led into exponential work. */
static void test_many_rules(void **state)
{
	struct fixture f = fixture_open();
	auto_free struct cg_device *d = mem_alloc_n(2049, sizeof(*d));
	struct cg_config c = { .path = f.branch, .limits = CG_LIMITS_NONE };
	struct error err = { 0 };
	auto_fd int cg = cg_create(f.root, &c, &err);

	(void)state;
	for (int i = 0; i < 2049; i++)
		d[i] = (struct cg_device){ i % 3 != 0, "cba"[i % 5 % 3], i % 300, i / 7 - 1,
					   (uint8_t)(1 + i % 7) };
	for (size_t n = 60; n <= 2048; n = n * 4 + 100)
		if (cg_set_devices(cg, d, n, &err) < 0)
			fail_msg("%zu rules: %s", n, err.text);
	assert_int_equal(cg_set_devices(cg, d, 2049, &err), -E2BIG);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	   cmocka_unit_test(test_program),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_attached),
		cmocka_unit_test(test_shared),	   cmocka_unit_test(test_many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
