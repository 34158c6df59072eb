/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each golden/NAME.json is a spec (and for a system's image {"init": true, ...}); the plan made of it is
 * compared with golden/NAME.txt. ARNIA_GOLDEN_UPDATE=1 writes the texts anew: look at the difference before
 * it is committed.
 */
#include "tests/unit/plan/unit.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include "lib/base/file.h"
#include "lib/base/str.h"

#define FOLDER "tests/unit/plan/golden"
#define FILE_MAX (1 << 20)

static char *read_file(const char *name, bool needed)
{
	auto_free char *path = str_fmt(FOLDER "/%s", name);
	struct error err = { 0 };
	char *text = NULL;

	if (file_read_at(AT_FDCWD, path, FILE_MAX, &text, &err) < 0 && needed)
		fail_msg("%s: %s", path, err.text);
	return text;
}

/* Where the texts part, so that the message shows more than "not equal". */
static void same_lines(const char *name, const char *have, const char *want)
{
	size_t line = 1, n = 0;

	for (; have[n] && have[n] == want[n]; n++)
		line += have[n] == '\n';
	if (!have[n] && !want[n])
		return;
	while (n && have[n - 1] != '\n')
		n--;
	fail_msg("%s:%zu: \"%.*s\", expected \"%.*s\"", name, line, (int)strcspn(have + n, "\n"), have + n,
		 (int)strcspn(want + n, "\n"), want + n);
}

static void compare(const char *json_name)
{
	static const char *app_cmd[] = { "/bin/sh" }, *init_cmd[] = { "/sbin/init" };
	static const struct spec_image app = { .cmd = { app_cmd, 1 } };
	static const struct spec_image system = { .cmd = { init_cmd, 1 }, .init = true };
	auto_free char *spec = read_file(json_name, true);
	auto_free char *txt = str_fmt("%.*s.txt", (int)(strlen(json_name) - strlen(".json")), json_name);
	auto_free char *want = read_file(txt, !getenv("ARNIA_GOLDEN_UPDATE"));
	auto_free char *have = NULL;
	struct unit_host h;
	struct plan *p;

	unit_host_merge(&h, spec, strstr(json_name, "system") ? &system : &app);
	h.in.rows = h.spec.tty ? 24 : 0;
	h.in.cols = h.spec.tty ? 80 : 0;
	p = unit_start(&h);
	have = unit_print(p);
	if (getenv("ARNIA_GOLDEN_UPDATE")) {
		auto_free char *path = str_fmt(FOLDER "/%s", txt);

		assert_int_equal(file_write_atomic_at(AT_FDCWD, path, have, strlen(have), 0644, false, NULL),
				 0);
	} else {
		same_lines(txt, have, want);
	}
	plan_free(p);
	unit_host_done(&h);
}

static void test_golden(void **state)
{
	struct dirent **names;
	int n = scandir(FOLDER, &names, NULL, alphasort), found = 0;

	(void)state;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (str_ends(names[i]->d_name, ".json")) {
			compare(names[i]->d_name);
			found++;
		}
		free(names[i]);
	}
	free(names);
	assert_true(found >= 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
