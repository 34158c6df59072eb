/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include "tests/unit/sandbox/fixture.h"

#if defined(__x86_64__)
#define OWN EM_X86_64
#else
#define OWN EM_AARCH64
#endif

static bool plain(const char *dir, const void *text, size_t n, mode_t mode)
{
	auto_free char *path = str_fmt("%s/program", dir);
	FILE *f = fopen(path, "we");
	bool is;

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	is = program_is_plain(path);
	assert_int_equal(unlink(path), 0);
	return is;
}

static void test_real(void **state)
{
	(void)state;
	assert_true(program_is_plain("/bin/sh"));
	assert_true(program_is_plain("/proc/self/exe"));
	assert_false(program_is_plain("/etc/passwd"));
	assert_false(program_is_plain("/etc"));
	assert_false(program_is_plain("/dev/null"));
	assert_false(program_is_plain("/nonexistent"));
}

static void test_scripts(void **state)
{
	static const char *const good[] = { "#!/bin/sh\n", "#! \t/bin/sh -e\necho", "#!/bin/sh\t-x\n" };
	static const char *const bad[] = { "",
					   "#",
					   "#!",
					   "#!/bin/sh", /* the kernel takes it; no verdict is fine */
					   "#!\n",
					   "#!  \n",
					   "#!/nonexistent\n",
					   "#!/etc/passwd\n",
					   "#!/bin\n",
					   "#/bin/sh\n",
					   " #!/bin/sh\n",
					   "echo\n" };
	char *dir = folder_make(), text[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!plain(dir, good[i], strlen(good[i]), 0755))
			fail_msg("\"%s\" is refused", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (plain(dir, bad[i], strlen(bad[i]), 0755))
			fail_msg("\"%s\" is taken", bad[i]);
	assert_false(plain(dir, good[0], strlen(good[0]), 0644));
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/bin/sh ", 10);
	text[255] = '\n';
	assert_true(plain(dir, text, sizeof(text), 0755));
	text[255] = 'x';
	text[256] = '\n';
	assert_false(plain(dir, text, sizeof(text), 0755));
	folder_remove(dir);
}

struct image {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	char loader[16];
};

static struct image image_make(const char *loader)
{
	struct image i = { .e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
				  .e_type = ET_DYN,
				  .e_machine = OWN,
				  .e_phoff = offsetof(struct image, p),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = 2 },
			   .p = { { .p_type = PT_LOAD },
				  { .p_type = PT_INTERP,
				    .p_offset = offsetof(struct image, loader),
				    .p_filesz = strlen(loader) + 1 } } };

	memcpy(i.loader, loader, strlen(loader));
	return i;
}

static void test_elf(void **state)
{
	struct image i = image_make("/bin/sh");
	char *dir = folder_make();

	(void)state;
#define PLAIN() plain(dir, &i, sizeof(i), 0755)
	assert_true(PLAIN());
	assert_false(plain(dir, &i, sizeof(i), 0644));
	for (size_t n = 1; n < offsetof(struct image, loader) + 8; n++)
		assert_false(plain(dir, &i, n, 0755));
	i.e.e_phnum = 1;
	assert_true(PLAIN()); /* static */
	i.e.e_phnum = 0;
	assert_false(PLAIN());
	i.e.e_phnum = 0xffff;
	assert_false(PLAIN());
	i = image_make("/nonexistent");
	assert_false(PLAIN());
	i = image_make("/bin/sh");
	i.e.e_machine = EM_S390;
	assert_false(PLAIN());
	i = image_make("/bin/sh");
	i.e.e_ident[EI_CLASS] = ELFCLASS32;
	assert_false(PLAIN());
	i = image_make("/bin/sh");
	i.e.e_type = ET_REL;
	assert_false(PLAIN());
	i = image_make("/bin/sh");
	i.p[1].p_offset = UINT64_MAX - 2;
	assert_false(PLAIN());
	i.p[1].p_offset = offsetof(struct image, loader);
	i.p[1].p_filesz = UINT64_MAX;
	assert_false(PLAIN());
	i.p[1].p_filesz = 7; /* no NUL */
	assert_false(PLAIN());
	i = image_make("/bin/sh");
	i.e.e_phoff = UINT64_MAX - 8;
	assert_false(PLAIN());
	folder_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_elf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
