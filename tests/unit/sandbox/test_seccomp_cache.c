/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include "tests/unit/sandbox/fixture.h"
#include "lib/base/file.h"
#include "lib/base/sha256.h"

static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"mount\"],"
			   "\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}]}";

/* The number of files, and the name of the last one. */
static int count_files(int dir, char *name)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2) {
			snprintf(name, 256, "%s", e->d_name);
			n++;
		}
	closedir(d);
	return n;
}

static void test_cache(void **state)
{
	char *path = folder_make(), name[256];
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct seccomp_input in = { .json = json, .json_len = sizeof(json) - 1 };
	void *plain, *a, *b, *c;
	size_t plain_size, a_size, b_size, c_size;
	struct stat st, again;

	(void)state;
	assert_int_equal(seccomp_compile(&in, &plain, &plain_size, NULL), 0);
	assert_int_equal(seccomp_compile_cached(&in, -1, &a, &a_size, NULL), 0);
	assert_int_equal(a_size, plain_size);
	assert_memory_equal(a, plain, a_size);
	free(a);
	assert_int_equal(count_files(dir, name), 0);
	assert_int_equal(seccomp_compile_cached(&in, dir, &a, &a_size, NULL), 0);
	assert_int_equal(count_files(dir, name), 1);
	assert_int_equal(strlen(name), 64);
	assert_int_equal(strspn(name, "0123456789abcdef"), 64);
	assert_int_equal(fstatat(dir, name, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(seccomp_compile_cached(&in, dir, &b, &b_size, NULL), 0);
	assert_int_equal(b_size, plain_size);
	assert_memory_equal(a, plain, a_size);
	assert_memory_equal(b, plain, b_size);
	/* It was read, not written again. */
	assert_int_equal(fstatat(dir, name, &again, 0), 0);
	assert_int_equal(again.st_ino, st.st_ino);
	/* Other capabilities, other program. */
	in.caps = 1ULL << 21;
	assert_int_equal(seccomp_compile_cached(&in, dir, &c, &c_size, NULL), 0);
	assert_int_equal(count_files(dir, name), 2);
	assert_true(c_size != b_size || memcmp(b, c, c_size) != 0);
	free(a);
	free(b);
	free(c);
	free(plain);
	folder_remove(path);
}

/* Each byte of the file changed, and each length: the right program all the same. */
static void test_damage(void **state)
{
	char *path = folder_make(), name[256];
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct seccomp_input in = { .json = json, .json_len = sizeof(json) - 1 };
	auto_free char *good = NULL;
	void *plain, *a;
	size_t size, a_size;
	long n;

	(void)state;
	assert_int_equal(seccomp_compile_cached(&in, dir, &plain, &size, NULL), 0);
	assert_int_equal(count_files(dir, name), 1);
	n = file_read_at(dir, name, 1 << 20, &good, NULL);
	assert_true(n > 0);
	for (long i = 0; i < 2 * n; i++) {
		auto_free char *bad = mem_dup(good, (size_t)n), *now = NULL;
		size_t len = (size_t)(i < n ? n : i - n);

		if (i < n)
			bad[i] ^= 1;
		assert_int_equal(file_write_atomic_at(dir, name, bad, len, 0600, false, NULL), 0);
		assert_int_equal(seccomp_compile_cached(&in, dir, &a, &a_size, NULL), 0);
		assert_int_equal(a_size, size);
		assert_memory_equal(a, plain, size);
		free(a);
		/* And it is whole again. */
		assert_int_equal(file_read_at(dir, name, 1 << 20, &now, NULL), n);
		assert_memory_equal(now, good, (size_t)n);
	}
	free(plain);
	folder_remove(path);
}

static void test_bad_profile_is_not_cached(void **state)
{
	char *path = folder_make(), name[256];
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct seccomp_input in = { .json = "{}", .json_len = 2 };
	struct error err;
	void *a;
	size_t n;

	(void)state;
	assert_int_equal(seccomp_compile_cached(&in, dir, &a, &n, &err), -EINVAL);
	assert_int_equal(count_files(dir, name), 0);
	/* A folder that cannot be written to costs nothing but time. */
	fd_close(&dir);
	dir = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	in = (struct seccomp_input){ .json = json, .json_len = sizeof(json) - 1 };
	assert_int_equal(seccomp_compile_cached(&in, dir, &a, &n, &err), 0);
	free(a);
	folder_remove(path);
}

/* FIPS 180-4's examples, and lengths around the block's end. */
static void test_sha256(void **state)
{
	static const struct {
		const char *text;
		size_t times;
		const char *digest;
	} rows[] = {
		{ "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
		{ "a", 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
		{ "a", 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t out[SHA256_SIZE];
		char hex[65];
		struct sha256 s;

		sha256_init(&s);
		for (size_t j = 0; j < rows[i].times; j++)
			sha256_add(&s, rows[i].text, strlen(rows[i].text));
		sha256_final(&s, out);
		for (size_t j = 0; j < SHA256_SIZE; j++)
			snprintf(hex + 2 * j, 3, "%02x", out[j]);
		assert_string_equal(hex, rows[i].digest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_bad_profile_is_not_cached),
		cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
