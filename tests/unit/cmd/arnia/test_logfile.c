/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cmd/arnia/logfile.h"
#include "lib/base/file.h"
#include "lib/base/session.h"

static void record(int fd, uint8_t stream, uint64_t second, const char *text)
{
	struct log_record r = { LOG_RECORD_MAGIC, stream, (uint16_t)strlen(text), 0, second * 1000000000ULL };

	assert_int_equal(write(fd, &r, sizeof(r)), sizeof(r));
	assert_int_equal(write(fd, text, r.len), r.len);
}

static int log_of_five(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	record(fd, 1, 10, "one\ntwo\nth");
	record(fd, 2, 20, "bad\n");
	record(fd, 1, 30, "ree\n");
	record(fd, 1, 40, "four");
	return fd;
}

/* Standard output of one log_print; standard error is left alone. */
static char *printed(struct log_printer *p, int fd, uint64_t *offset, int expected)
{
	static const struct cli c = { .timeout_ms = -1 };
	int keep = dup(STDOUT_FILENO), keep_err = dup(STDERR_FILENO);
	int out = memfd_create("out", MFD_CLOEXEC), sink = memfd_create("err", MFD_CLOEXEC);
	struct error err;
	char *text = NULL;

	p->c = &c;
	assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(sink, STDERR_FILENO) >= 0);
	assert_int_equal(log_print(p, fd, offset, &err), expected);
	assert_true(dup2(keep, STDOUT_FILENO) >= 0 && dup2(keep_err, STDERR_FILENO) >= 0);
	assert_true(file_read_fd(out, 1 << 20, &text, NULL) >= 0);
	close(keep);
	close(keep_err);
	close(out);
	close(sink);
	return text;
}

static void whole_and_tails(void **state)
{
	static const struct {
		struct log_filter f;
		const char *out;
		uint64_t lines;
	} cases[] = {
		{ { 0 }, "one\ntwo\nthree\nfour", 5 },
		{ { .skip_lines = 1 }, "two\nthree\nfour", 5 },
		{ { .skip_lines = 4 }, "four", 5 },
		{ { .skip_lines = 5 }, "", 5 },
		{ { .since_ns = 30000000000 }, "ree\nfour", 2 },
		{ { .until_ns = 20000000000 }, "one\ntwo\nth", 4 },
		{ { .since_ns = 11000000000, .until_ns = 39000000000 }, "ree\n", 2 },
		{ { .timestamps = true, .since_ns = 30000000000 },
		  "1970-01-01T00:00:30.000000000Z ree\n1970-01-01T00:00:40.000000000Z four",
		  2 },
	};
	int fd = log_of_five();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct log_printer p = { .filter = cases[i].f };
		uint64_t offset = 0;
		auto_free char *out = printed(&p, fd, &offset, 0);

		assert_string_equal(out, cases[i].out);
		assert_int_equal(log_count_lines(&cases[i].f, -1, fd), cases[i].lines);
		log_printer_done(&p);
	}
	assert_int_equal(log_count_lines(&(struct log_filter){ 0 }, -1, -1), 0);
	close(fd);
}

/* A line that begins in the older file and ends in the newer is one. */
static void spans_the_rotation(void **state)
{
	struct log_record r = { LOG_RECORD_MAGIC, 1, 4, 0, 1 };
	int older = memfd_create("log.1", MFD_CLOEXEC), newer = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(write(older, &r, sizeof(r)), sizeof(r));
	assert_int_equal(write(older, "a\nbe", 4), 4);
	assert_int_equal(write(newer, &r, sizeof(r)), sizeof(r));
	assert_int_equal(write(newer, "gun\n", 4), 4);
	assert_int_equal(log_count_lines(&(struct log_filter){ 0 }, older, newer), 2);
	assert_int_equal(log_count_lines(&(struct log_filter){ 0 }, older, -1), 2);
	close(older);
	close(newer);
}

/* A record that is being written is not there yet. */
static void grows(void **state)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct log_record r = { LOG_RECORD_MAGIC, 1, 4, 7, 1 };
	struct log_printer p = { .c = NULL };
	uint64_t offset = 0;
	char *out;

	(void)state;
	record(fd, 1, 1, "a\n");
	out = printed(&p, fd, &offset, 0);
	assert_string_equal(out, "a\n");
	free(out);
	assert_int_equal(write(fd, &r, 5), 5);
	out = printed(&p, fd, &offset, 0);
	assert_string_equal(out, "");
	free(out);
	assert_int_equal(write(fd, (char *)&r + 5, sizeof(r) - 5), sizeof(r) - 5);
	assert_int_equal(write(fd, "bcd", 3), 3);
	out = printed(&p, fd, &offset, 0);
	assert_string_equal(out, "");
	free(out);
	assert_int_equal(write(fd, "\n", 1), 1);
	out = printed(&p, fd, &offset, 0);
	assert_string_equal(out, "bcd\n");
	free(out);
	assert_int_equal(p.dropped, 7);
	log_printer_done(&p);
	close(fd);
}

static void damage(void **state)
{
	static const struct log_record bad[] = {
		{ 0, 1, 4, 0, 0 },
		{ LOG_RECORD_MAGIC, 0, 4, 0, 0 },
		{ LOG_RECORD_MAGIC, 3, 4, 0, 0 },
		{ LOG_RECORD_MAGIC, 1, 0, 0, 0 },
		{ LOG_RECORD_MAGIC, 1, SESSION_DATA + 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = memfd_create("log", MFD_CLOEXEC);
		struct log_printer p = { .c = NULL };
		uint64_t offset = 0;
		auto_free char *out = NULL;

		record(fd, 1, 1, "good\n");
		assert_int_equal(write(fd, &bad[i], sizeof(bad[i])), sizeof(bad[i]));
		record(fd, 1, 1, "lost\n");
		out = printed(&p, fd, &offset, -EBADMSG);
		assert_string_equal(out, "good\n");
		assert_int_equal(offset, sizeof(struct log_record) + 5);
		assert_int_equal(log_count_lines(&p.filter, -1, fd), 1);
		log_printer_done(&p);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_tails),
		cmocka_unit_test(spans_the_rotation),
		cmocka_unit_test(grows),
		cmocka_unit_test(damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
