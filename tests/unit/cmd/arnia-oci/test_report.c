/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log and for standard error: one each, whatever is in them. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static char dir[64], log_path[80];
static struct globals g;
static struct error err;
static struct arena arena;
static int own_stderr, shown;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/arnia-report.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	g = (struct globals){ .log_fd = -1, .rootless = -1 };
	own_stderr = dup(STDERR_FILENO);
	shown = memfd_create("stderr", MFD_CLOEXEC);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (g.log_fd >= 0)
		close(g.log_fd);
	close(own_stderr);
	close(shown);
	arena_done(&arena);
	return path_rmtree_at(AT_FDCWD, dir);
}

/* What report says; standard error is put aside meanwhile. */
static void tell(enum report_level level, const char *text)
{
	assert_int_equal(ftruncate(shown, 0), 0);
	assert_true(lseek(shown, 0, SEEK_SET) == 0);
	dup2(shown, STDERR_FILENO);
	report(&g, level, "%s", text);
	dup2(own_stderr, STDERR_FILENO);
}

static const char *text_of(int fd)
{
	static char text[8192];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static char *logged(void)
{
	char *text = NULL;

	if (file_read_at(AT_FDCWD, log_path, 65536, &text, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* A time of RFC 3339 in whole seconds. */
static void assert_time(const char *at)
{
	const char *form = "2026-11-30T12:00:00Z";

	for (size_t i = 0; form[i]; i++)
		if (form[i] >= '0' && form[i] <= '9' ? at[i] < '0' || at[i] > '9' : at[i] != form[i])
			fail_msg("no time: %s", at);
}

static const char *const hostile[] = {
	"plain words",
	"a \"quoted\" one, a back\\slash",
	"line\n{\"level\":\"error\",\"msg\":\"forged\"}",
	"line\r\ntime=\"now\" level=error msg=forged",
	"\033[2J\a\b\t\f",
	"no UTF-8: \xff\xfe, a cut one: \xc3",
	"",
	"%s%n",
};

static void lines_of_json(void **state)
{
	(void)state;
	g.log_json = true;
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		auto_free char *text = NULL;
		const char *level = NULL, *msg = NULL, *time = NULL;
		auto_json json *j = NULL;

		assert_int_equal(report_open(&g, log_path, &arena, &err), 0);
		tell(REPORT_WARN, hostile[i]);
		text = logged();
		/* One line, of printable bytes alone. */
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		for (const char *p = text; *p != '\n'; p++)
			assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
		j = json_parse(text, strlen(text), &err);
		assert_non_null(j);
		assert_true(json_get_str(j, "level", &level, &err) > 0 && json_get_str(j, "msg", &msg, &err) > 0 &&
			    json_get_str(j, "time", &time, &err) > 0);
		assert_string_equal(level, "warning");
		assert_time(time);
		if (!strpbrk(hostile[i], "\n\r\t\033\\\xff"))
			assert_string_equal(msg, hostile[i]);
		/* A warning is not shown as well. */
		assert_string_equal(text_of(shown), "");
		close(g.log_fd);
		unlink(log_path);
	}
	g.log_fd = -1;
}

static void lines_of_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		auto_free char *text = NULL;

		assert_int_equal(report_open(&g, log_path, &arena, &err), 0);
		tell(REPORT_ERROR, hostile[i]);
		text = logged();
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_int_equal(strncmp(text, "time=\"", 6), 0);
		assert_time(text + 6);
		assert_non_null(strstr(text, "\" level=error msg=\""));
		/* An error is shown, too, and in one line. */
		assert_int_equal(strncmp(text_of(shown), "arnia-oci: ", 11), 0);
		assert_ptr_equal(strchr(text_of(shown), '\n'), text_of(shown) + strlen(text_of(shown)) - 1);
		assert_null(strpbrk(text_of(shown), "\033\r\a\b"));
		close(g.log_fd);
		unlink(log_path);
	}
	g.log_fd = -1;
}

/* More than fits is cut, and still one whole line. */
static void more_than_a_line(void **state)
{
	char much[5000];
	auto_free char *text = NULL;
	auto_json json *j = NULL;

	(void)state;
	memset(much, '"', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	g.log_json = true;
	assert_int_equal(report_open(&g, log_path, &arena, &err), 0);
	tell(REPORT_ERROR, much);
	text = logged();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	j = json_parse(text, strlen(text), &err);
	assert_non_null(j);
}

static void which_level_goes_where(void **state)
{
	static const struct {
		enum report_level level;
		bool debug, log, json;
		const char *shown, *logged; /* begin with; "" = nothing */
	} cases[] = {
		{ REPORT_ERROR, false, false, false, "arnia-oci: x\n", "" },
		{ REPORT_WARN, false, false, false, "arnia-oci: warning: x\n", "" },
		{ REPORT_INFO, false, false, false, "arnia-oci: x\n", "" },
		{ REPORT_DEBUG, false, false, false, "", "" },
		{ REPORT_DEBUG, true, false, false, "arnia-oci: debug: x\n", "" },
		{ REPORT_ERROR, false, false, true, "{\"level\":\"error\",\"msg\":\"x\",\"time\":\"2", "" },
		{ REPORT_ERROR, false, true, true, "arnia-oci: x\n", "{\"level\":\"error\",\"msg\":\"x\"," },
		{ REPORT_ERROR, false, true, false, "arnia-oci: x\n", "time=\"2" },
		{ REPORT_WARN, false, true, true, "", "{\"level\":\"warning\",\"msg\":\"x\"," },
		{ REPORT_INFO, false, true, true, "", "{\"level\":\"info\",\"msg\":\"x\"," },
		{ REPORT_DEBUG, false, true, true, "", "" },
		{ REPORT_DEBUG, true, true, true, "", "{\"level\":\"debug\",\"msg\":\"x\"," },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = NULL;

		unlink(log_path);
		g = (struct globals){ .log_fd = -1, .debug = cases[i].debug, .log_json = cases[i].json };
		if (cases[i].log)
			assert_int_equal(report_open(&g, log_path, &arena, &err), 0);
		tell(cases[i].level, "x");
		if (strncmp(text_of(shown), cases[i].shown, strlen(cases[i].shown)) || !*cases[i].shown != !*text_of(shown))
			fail_msg("case %zu shows %s", i, text_of(shown));
		if (!cases[i].log)
			continue;
		text = logged();
		if (strncmp(text, cases[i].logged, strlen(cases[i].logged)) || !*cases[i].logged != !*text)
			fail_msg("case %zu logs %s", i, text);
		close(g.log_fd);
		g.log_fd = -1;
	}
}

static void a_log_is_appended_to(void **state)
{
	auto_free char *text = NULL, *with = str_fmt("file:%s", log_path);
	struct stat st;

	(void)state;
	assert_int_equal(file_write_atomic_at(AT_FDCWD, log_path, "before\n", 7, 0600, false, &err), 0);
	assert_int_equal(report_open(&g, with, &arena, &err), 0);
	assert_int_equal(g.log, REPORT_TO_FILE);
	tell(REPORT_INFO, "x");
	text = logged();
	assert_int_equal(strncmp(text, "before\ntime=", 12), 0);
	assert_true(fcntl(g.log_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(g.log_fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void logs_that_cannot_be(void **state)
{
	auto_free char *link = str_fmt("%s/link", dir), *to = str_fmt("%s/elsewhere", dir), *none = str_fmt("%s/no/log", dir);
	const char *const bad[] = { link, none, dir };

	(void)state;
	assert_int_equal(symlink(to, link), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(report_open(&g, bad[i], &arena, &err) < 0);
		assert_int_equal(strncmp(err.text, "--log: ", 7), 0);
		assert_true(g.log_fd == -1 && g.log == REPORT_TO_STDERR);
	}
	assert_int_equal(access(to, F_OK), -1);
}

static void standard_error_as_log(void **state)
{
	static const char *const same[] = { "", "/dev/stderr", "file:", "file:/dev/stderr" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(report_open(&g, same[i], &arena, &err), 0);
		assert_true(g.log_fd == -1 && g.log == REPORT_TO_STDERR);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines_of_json),
		CASE(lines_of_text),
		CASE(more_than_a_line),
		CASE(which_level_goes_where),
		CASE(a_log_is_appended_to),
		CASE(logs_that_cannot_be),
		CASE(standard_error_as_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
