/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/aptsources.h"

static int teardown(void **state)
{
	apt_done(*state);
	return 0;
}

static int setup(void **state)
{
	static struct apt_sources s;

	*state = &s;
	return 0;
}

static void list(struct apt_sources *s, const char *text)
{
	apt_parse_list(s, text, strlen(text));
}

static void deb822(struct apt_sources *s, const char *text)
{
	apt_parse_deb822(s, text, strlen(text));
}

static void test_one_line(void **state)
{
	struct apt_sources *s = *state;
	const struct apt_entry *e;

	list(s, "# deb http://no.example/debian bookworm main\n"
		"\n"
		"deb http://a.example/debian bookworm main contrib # the archive\n"
		"deb-src http://a.example/debian bookworm main\n"
		"  deb\t[ arch=amd64 signed-by=/usr/share/keyrings/k.gpg trusted=yes check-valid-until=no "
		"]\thttps://b.example/d "
		" sid\tmain\r\n"
		"deb [signed-by=/k.gpg] http://c.example/flat ./\n"
		"deb cdrom:[Debian]/ bookworm main\n"
		"deb [unclosed http://d.example/debian bookworm main\n"
		"deb http://d.example/debian bookworm\n"
		"debian http://d.example/debian bookworm main\n"
		"deb http://last.example/debian trixie main");
	assert_int_equal(s->entries.n, 3);
	e = &s->entries.v[0];
	assert_string_equal(e->uri, "http://a.example/debian");
	assert_string_equal(e->suite, "bookworm");
	assert_int_equal(e->components.n, 2);
	assert_string_equal(e->components.v[1], "contrib");
	assert_null(e->signed_by);
	assert_false(e->trusted || e->no_valid_until);
	e = &s->entries.v[1];
	assert_string_equal(e->uri, "https://b.example/d");
	assert_string_equal(e->signed_by, "/usr/share/keyrings/k.gpg");
	assert_true(e->trusted && e->no_valid_until);
	assert_int_equal(e->components.n, 1);
	assert_string_equal(s->entries.v[2].uri, "http://last.example/debian");
}

static const char deb822_text[] = "Types: deb deb-src\n"
				  "# a comment inside\n"
				  "URIs: http://a.example/debian http://b.example/debian\n"
				  "Suites: bookworm\n"
				  "  bookworm-updates\n"
				  "# and one between continuation lines\n"
				  "\tbookworm-backports\n"
				  "Components: main non-free-firmware\n"
				  "Signed-By: /usr/share/keyrings/k.gpg\n"
				  "\n"
				  "Types: deb\n"
				  "URIs: http://off.example/debian\n"
				  "Suites: bookworm\n"
				  "Components: main\n"
				  "Enabled: no\n"
				  "   \n"
				  "Types: deb-src\n"
				  "URIs: http://src.example/debian\n"
				  "Suites: bookworm\n"
				  "Components: main\n"
				  "\n\n"
				  "types: deb\n"
				  "uris: http://sec.example/debian-security\n"
				  "suites: bookworm-security\n"
				  "components: main\n"
				  "trusted: yes\n"
				  "signed-by:\n"
				  " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
				  " .\n"
				  " mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w\n"
				  " -----END PGP PUBLIC KEY BLOCK-----\n"
				  "\n"
				  "this line is no field\n"
				  "Types: deb\n"
				  "URIs: http://broken.example/debian\n"
				  "Suites: bookworm\n"
				  "Components: main";

static void test_deb822(void **state)
{
	struct apt_sources *s = *state;
	const struct apt_entry *e;

	deb822(s, deb822_text);
	assert_int_equal(s->entries.n, 7);
	e = &s->entries.v[4];
	assert_string_equal(e->uri, "http://b.example/debian");
	assert_string_equal(e->suite, "bookworm-updates");
	assert_int_equal(e->components.n, 2);
	assert_string_equal(e->signed_by, "/usr/share/keyrings/k.gpg");
	e = &s->entries.v[6];
	assert_string_equal(e->suite, "bookworm-security");
	assert_true(e->trusted);
	assert_null(e->signed_by);
}

static void test_select(void **state)
{
	struct apt_sources *s = *state;
	struct strv out = { 0 };

	list(s, "deb https://other.example/apt bookworm stable\n"
		"deb https://tools.example/apt tools-bookworm main\n");
	assert_int_equal(apt_select(s, "bookworm", NULL, &out), -ENOENT);
	assert_int_equal(out.n, 0);
	deb822(s, deb822_text);
	assert_int_equal(apt_select(s, "bookworm", "trixie", &out), 0);
	assert_int_equal(out.n, 3);
	assert_string_equal(out.v[0],
			    "deb [signed-by=/usr/share/keyrings/k.gpg] http://a.example/debian bookworm main "
			    "non-free-firmware");
	assert_string_equal(out.v[1], "deb [signed-by=/usr/share/keyrings/k.gpg] http://a.example/debian "
				      "bookworm-updates main non-free-firmware");
	assert_string_equal(out.v[2],
			    "deb [trusted=yes] http://sec.example/debian-security bookworm-security main");
}

/* Another release than the host's: from the same archives. */
static void test_select_other_release(void **state)
{
	struct apt_sources *s = *state;
	struct strv out = { 0 };

	list(s, "deb http://a.example/debian bookworm main\n"
		"deb http://sec.example/debian-security bookworm-security main\n");
	assert_int_equal(apt_select(s, "trixie", NULL, &out), -ENOENT);
	assert_int_equal(apt_select(s, "trixie", "jammy", &out), -ENOENT);
	assert_int_equal(apt_select(s, "trixie", "bookworm", &out), 0);
	assert_int_equal(out.n, 2);
	assert_string_equal(out.v[0], "deb http://a.example/debian trixie main");
	assert_string_equal(out.v[1], "deb http://sec.example/debian-security trixie-security main");
}

static void test_hostile_words(void **state)
{
	struct apt_sources *s = *state;
	struct strv out = { 0 };

	list(s, "deb http://a.example/\"quote bookworm main\n"
		"deb http://a.example/\x1b[2J bookworm main\n"
		"deb [signed-by=/k\x01] http://a.example/ bookworm main\n"
		"deb -o bookworm main\n");
	deb822(s, "Types: deb\nURIs: http://a.example/]\nSuites: bookworm\nComponents: main\n");
	assert_int_equal(s->entries.n, 0);
	assert_int_equal(apt_select(s, "bookworm", "bookworm", &out), -ENOENT);
}

static void test_many_entries_are_bounded(void **state)
{
	struct apt_sources *s = *state;
	struct strbuf b = { 0 };

	for (int i = 0; i < 1500; i++)
		strbuf_addf(&b, "deb http://a.example/%d bookworm main\n", i);
	list(s, strbuf_cstr(&b));
	strbuf_done(&b);
	assert_int_equal(s->entries.n, 1000);
}

static void put(const char *dir, const char *name, const char *text)
{
	auto_free char *path = str_fmt("%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void test_files(void **state)
{
	struct apt_sources *s = *state;
	char dir[] = "/tmp/arnia-apt.XXXXXX";
	struct error err = { 0 };

	assert_non_null(mkdtemp(dir));
	assert_int_equal(apt_read(s, dir, &err), 0);
	assert_int_equal(s->entries.n, 0);
	assert_int_equal(apt_read(s, "/nonexistent/apt", &err), 0);
	put(dir, "sources.list", "deb http://1.example/ bookworm main\n");
	assert_int_equal(mkdirat(AT_FDCWD, strcat(strcpy((char[64]){ 0 }, dir), "/sources.list.d"), 0755), 0);
	put(dir, "sources.list.d/b.list", "deb http://3.example/ bookworm main\n");
	put(dir, "sources.list.d/a.sources",
	    "Types: deb\nURIs: http://2.example/\nSuites: bookworm\nComponents: main\n");
	put(dir, "sources.list.d/c.list.save", "deb http://no.example/ bookworm main\n");
	put(dir, "sources.list.d/d e.list", "deb http://no.example/ bookworm main\n");
	assert_int_equal(apt_read(s, dir, &err), 0);
	assert_int_equal(s->entries.n, 3);
	assert_string_equal(s->entries.v[0].uri, "http://1.example/");
	assert_string_equal(s->entries.v[1].uri, "http://2.example/");
	assert_string_equal(s->entries.v[2].uri, "http://3.example/");
	assert_int_equal(path_rmtree_at(AT_FDCWD, dir), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_line),      T(test_deb822),
		T(test_select),	       T(test_select_other_release),
		T(test_hostile_words), T(test_many_entries_are_bounded),
		T(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
