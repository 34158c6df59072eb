/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/container/lifecycle.h"

/* The whole table, written down a second time: row = phase, column = event, '-' = refused, else the first letter of the next phase ('x' starting, 'g' stopping). */
static const char *const want[PHASES] = {
	/*                     start started failed pause resume stop kill exited cleaned cl.failed exec remove rename */
	[PHASE_STOPPED] = "x----------SS",
	[PHASE_STARTING] = "-rg----x-----",
	[PHASE_RUNNING] = "---p-grg--r-r",
	[PHASE_PAUSED] = "----rgpg----p",
	[PHASE_STOPPING] = "-----gggSf---",
	[PHASE_SUSPENDED] = "-----------uu",
	[PHASE_FAILED] = "-----ggf----f",
};

static enum phase letter(char c)
{
	switch (c) {
	case 'S':
		return PHASE_STOPPED;
	case 'x':
		return PHASE_STARTING;
	case 'r':
		return PHASE_RUNNING;
	case 'p':
		return PHASE_PAUSED;
	case 'g':
		return PHASE_STOPPING;
	case 'u':
		return PHASE_SUSPENDED;
	case 'f':
		return PHASE_FAILED;
	}
	fail_msg("letter %c", c);
	return PHASES;
}

static void every_pair(void **state)
{
	(void)state;
	for (unsigned p = 0; p < PHASES; p++) {
		assert_int_equal(strlen(want[p]), LIFECYCLE_EVENTS);
		for (unsigned e = 0; e < LIFECYCLE_EVENTS; e++) {
			struct error err = { 0 };
			enum phase to = PHASES;
			int r = lifecycle_next(p, e, &to, &err);

			if (want[p][e] == '-') {
				assert_true(r < 0);
				assert_int_equal(to, PHASES); /* untouched */
				assert_int_equal(err.kind, ERR_STATE);
				assert_non_null(strstr(err.text, phase_name(p)));
				assert_non_null(strstr(err.text, lifecycle_event_name(e)));
				assert_true(err.hint[0]);
			} else {
				assert_int_equal(r, 0);
				assert_int_equal(to, letter(want[p][e]));
			}
		}
	}
}

static void names(void **state)
{
	enum phase p;

	(void)state;
	for (unsigned i = 0; i < PHASES; i++) {
		assert_int_equal(phase_parse(phase_name(i), &p), 0);
		assert_int_equal(p, i);
	}
	assert_int_equal(phase_parse("Running", &p), -EINVAL);
	assert_int_equal(phase_parse(NULL, &p), -EINVAL);
	assert_string_equal(phase_name(PHASES), "unknown");
	assert_string_equal(phase_name(-1), "unknown");
}

static void out_of_range(void **state)
{
	enum phase p = PHASE_RUNNING;

	(void)state;
	assert_int_equal(lifecycle_next(PHASES, EVENT_START, &p, NULL), -EINVAL);
	assert_int_equal(lifecycle_next(PHASE_STOPPED, LIFECYCLE_EVENTS, &p, NULL), -EINVAL);
	assert_int_equal(p, PHASE_RUNNING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(names),
		cmocka_unit_test(out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
