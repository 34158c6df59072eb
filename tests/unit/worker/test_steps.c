/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/worker/worker.h"

/* What ran ("+a") and was undone ("-a"), in order. */
struct trace {
	char text[64];
	char fails; /* the step that does, or 0 */
};

static void note(struct trace *t, char sign, char step)
{
	size_t n = strlen(t->text);

	assert_true(n + 3 < sizeof(t->text));
	t->text[n] = sign;
	t->text[n + 1] = step;
	t->text[n + 2] = '\0';
}

static int go(struct trace *t, char step, struct error *err)
{
	note(t, '+', step);
	return t->fails == step ? err_set(err, -ENOTEMPTY, "%c is full", step) : 0;
}

#define STEP(c)                                                                                              \
	static int run_##c(void *ctx, struct error *err)                                                     \
	{                                                                                                    \
		return go(ctx, #c[0], err);                                                                  \
	}                                                                                                    \
	static void undo_##c(void *ctx)                                                                      \
	{                                                                                                    \
		note(ctx, '-', #c[0]);                                                                       \
	}
STEP(a)
STEP(b)
STEP(d)
static int run_c(void *ctx, struct error *err)
{
	return go(ctx, 'c', err);
}

static const struct step table[] = {
	{ "try:a", "the first", run_a, undo_a },
	{ "try:b", NULL, run_b, undo_b },
	{ "try:c", "the third", run_c, NULL },
	{ "try:d", "the last", run_d, undo_d },
};

static int set_up(void **state)
{
	(void)state;
	unsetenv("ARNIA_ROOT");
	return unsetenv("ARNIA_FAIL_AT");
}

static void all_in_order(void **state)
{
	struct trace t = { 0 };
	struct error err = { 0 };
	size_t at = 99;

	(void)state;
	assert_int_equal(steps_run(STEPS(table), &t, &at, &err), 0);
	assert_string_equal(t.text, "+a+b+c+d");
	assert_int_equal(at, 4);
	steps_undo(STEPS(table), &t, at);
	assert_string_equal(t.text, "+a+b+c+d-d-b-a");
	assert_int_equal(err.code, 0);
}

/* The one that failed may have come half-way: it is undone, too. What was not begun is not. */
static void a_failure_at_each_step(void **state)
{
	static const struct {
		char fails;
		const char *ran, *undone, *says;
	} cases[] = {
		{ 'a', "+a", "-a", "the first: a is full" },
		{ 'b', "+a+b", "-b-a", "b is full" },
		{ 'c', "+a+b+c", "-b-a", "the third: c is full" },
		{ 'd', "+a+b+c+d", "-d-b-a", "the last: d is full" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trace t = { .fails = cases[i].fails };
		struct error err = { 0 };
		size_t at = 99;

		assert_int_equal(steps_run(STEPS(table), &t, &at, &err), -ENOTEMPTY);
		assert_string_equal(t.text, cases[i].ran);
		assert_int_equal(at, i + 1);
		assert_string_equal(err.text, cases[i].says);
		t.text[0] = '\0';
		steps_undo(STEPS(table), &t, at);
		assert_string_equal(t.text, cases[i].undone);
	}
}

/* As if the step had failed at its very beginning. */
static void a_fail_point_at_each_step(void **state)
{
	static const char *const ran[] = { "", "+a", "+a+b", "+a+b+c" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct trace t = { 0 };
		struct error err = { 0 };
		char setting[32], says[64];
		size_t at = 99;

		snprintf(setting, sizeof(setting), "%s:errno:ENOSPC", table[i].name);
		setenv("ARNIA_FAIL_AT", setting, 1);
		assert_int_equal(steps_run(STEPS(table), &t, &at, &err), -ENOSPC);
		assert_string_equal(t.text, ran[i]);
		assert_int_equal(at, i + 1);
		snprintf(says, sizeof(says), "%s%sstep %c: No space left on device", table[i].what ?: "", table[i].what ? ": " : "",
			 table[i].name[4]);
		assert_string_equal(err.text, says);
	}
	unsetenv("ARNIA_FAIL_AT");
}

/* A name that only begins alike is another step. */
static void a_fail_point_of_another_step(void **state)
{
	static const char *const others[] = { "try:errno:EIO", "try:aa:errno:EIO", "a:errno:EIO", "try:a", "", "try:a:" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct trace t = { 0 };
		size_t at = 0;

		setenv("ARNIA_FAIL_AT", others[i], 1);
		assert_int_equal(steps_run(STEPS(table), &t, &at, NULL), 0);
		assert_int_equal(at, 4);
	}
	unsetenv("ARNIA_FAIL_AT");
}

static void a_fail_point_that_kills(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct trace t = { 0 };
		size_t at;

		setenv("ARNIA_FAIL_AT", "try:c:kill", 1);
		steps_run(STEPS(table), &t, &at, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void no_steps(void **state)
{
	const struct steps none = { NULL, 0 };
	size_t at = 0;

	(void)state;
	assert_int_equal(steps_run(none, NULL, &at, NULL), 0);
	assert_int_equal(at, 0);
	steps_undo(none, NULL, 0);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(step_plain_name(&(struct step){ .name = "start:cgroup" }), "cgroup");
	assert_string_equal(step_plain_name(&(struct step){ .name = "cgroup" }), "cgroup");
	assert_string_equal(step_plain_name(&(struct step){ .name = "a:b:c" }), "b:c");
}

/* Each of them can be chosen by ARNIA_FAIL_AT, and none is chosen by the name of another. */
static void the_tables_are_sound(void **state)
{
	const struct steps all[] = { guest_steps, exec_steps, exec_guest_steps };

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(all); t++)
		for (size_t i = 0; i < all[t].n; i++) {
			assert_non_null(all[t].v[i].run);
			assert_non_null(strchr(all[t].v[i].name, ':'));
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(all[t].v[i].name, all[t].v[k].name);
		}
	assert_string_equal(step_plain_name(&guest_steps.v[guest_steps.n - 1]), "exec");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_in_order),
		cmocka_unit_test(a_failure_at_each_step),
		cmocka_unit_test(a_fail_point_at_each_step),
		cmocka_unit_test(a_fail_point_of_another_step),
		cmocka_unit_test(a_fail_point_that_kills),
		cmocka_unit_test(no_steps),
		cmocka_unit_test(names),
		cmocka_unit_test(the_tables_are_sound),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
