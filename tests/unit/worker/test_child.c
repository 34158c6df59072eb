/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a worker makes of what its guest says, and of how it ends. */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"

static struct rig rig;

static int set_up(void **state)
{
	(void)state;
	rig_up(&rig);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static void take_go(int s)
{
	struct frame f;

	if (frame_recv(s, GUEST_MAGIC, &f, 0) != 1 || f.head.type != GUEST_GO)
		_exit(98);
}

/* Everything that the guest does after GO; what the worker says of it. */
static int wait_for(int (*act)(struct rig *r, int report))
{
	rig_guest(&rig, act);
	return child_go_and_wait(&rig.job, &rig.child, rig_steps, &rig.err);
}

static int runs(struct rig *r, int s)
{
	take_go(s);
	r->w.board->last_act = 1;
	return 0;
}

static void the_program_runs(void **state)
{
	(void)state;
	assert_int_equal(wait_for(runs), 0);
	assert_int_equal(rig.err.code, 0);
}

static int fails(struct rig *r, int s)
{
	struct error e = { 0 };

	(void)r;
	take_go(s);
	err_set_kind(&e, -ENOSPC, ERR_REFUSED, "mount /x: no room");
	err_hint(&e, "make some");
	rig_tell(s, GUEST_ERROR, &e, sizeof(e));
	return 1;
}

static void its_own_words(void **state)
{
	(void)state;
	assert_int_equal(wait_for(fails), -ENOSPC);
	assert_string_equal(rig.err.text, "mount /x: no room");
	assert_string_equal(rig.err.hint, "make some");
	assert_int_equal(rig.err.kind, ERR_REFUSED);
}

/* It sends them and ends before it has read GO: the socket is reset then, which comes before its words. */
static int fails_at_once(struct rig *r, int s)
{
	struct error e = { 0 };

	(void)r;
	err_set(&e, -EMFILE, "too early");
	rig_tell(s, GUEST_ERROR, &e, sizeof(e));
	return 1;
}

static void words_before_go_is_read(void **state)
{
	siginfo_t si;

	(void)state;
	rig_guest(&rig, fails_at_once);
	assert_int_equal(waitid(P_PIDFD, (id_t)rig.child.pidfd, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(child_go_and_wait(&rig.job, &rig.child, rig_steps, &rig.err), -EMFILE);
	assert_string_equal(rig.err.text, "too early");
}

static int ends(struct rig *r, int s)
{
	take_go(s);
	r->w.board->step = 1;
	return 3;
}

static int is_killed(struct rig *r, int s)
{
	take_go(s);
	r->w.board->step = 2;
	raise(SIGKILL);
	return 0;
}

static int ends_well(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	return 0;
}

/* A guest that writes where it should not: a number of no step. */
static int ends_nowhere(struct rig *r, int s)
{
	take_go(s);
	r->w.board->step = UINT32_MAX;
	return 3;
}

static int is_gone(struct rig *r, int s)
{
	(void)r;
	(void)s;
	raise(SIGTERM);
	return 0;
}

static void how_it_ended(void **state)
{
	static const struct {
		int (*act)(struct rig *r, int report);
		const char *says;
	} cases[] = {
		{ ends, "the new process ended with status 3 in step second" },
		{ is_killed, "the new process was killed by signal 9 (Killed) in step third" },
		{ ends_well, "the new process was killed in step first" },
		{ ends_nowhere, "the new process ended with status 3 in step ?" },
		{ is_gone, "the new process was killed by signal 15 (Terminated) in step first" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_down(&rig);
		rig_up(&rig);
		assert_int_equal(wait_for(cases[i].act), -ECHILD);
		assert_string_equal(rig.err.text, cases[i].says);
	}
}

/* ---- what is no word of a guest ---- */

static int says_other(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	rig_tell(s, 77, NULL, 0);
	pause();
	return 0;
}

static int says_short_error(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	rig_tell(s, GUEST_ERROR, "x", 1);
	pause();
	return 0;
}

static int says_no_error(struct rig *r, int s)
{
	struct error e = { .code = 0, .text = "fine" };

	(void)r;
	take_go(s);
	rig_tell(s, GUEST_ERROR, &e, sizeof(e));
	pause();
	return 0;
}

static int gives_no_master(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	rig_tell(s, GUEST_MASTER, NULL, 0);
	pause();
	return 0;
}

static int gives_no_listener(struct rig *r, int s)
{
	int32_t number = 1000000;

	(void)r;
	take_go(s);
	rig_tell(s, GUEST_LISTENER, &number, sizeof(number));
	pause();
	return 0;
}

/* Of arnia-init, which is not run yet. */
static int says_no_exec_early(struct rig *r, int s)
{
	int32_t error = -ENOENT;

	(void)r;
	take_go(s);
	rig_tell(s, GUEST_NO_EXEC, &error, sizeof(error));
	pause();
	return 0;
}

static int says_no_exec_badly(struct rig *r, int s)
{
	int32_t error = 5;

	take_go(s);
	r->w.board->last_act = 1;
	rig_tell(s, GUEST_NO_EXEC, &error, sizeof(error));
	pause();
	return 0;
}

/* Not a plan that halts. */
static int halts(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	rig_tell(s, GUEST_HALTED, NULL, 0);
	pause();
	return 0;
}

static int speaks_another_tongue(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	frame_send(s, KP_MAGIC, GUEST_ERROR, 0, NULL, 0, NULL, 0);
	pause();
	return 0;
}

static void what_is_no_word(void **state)
{
	static const struct {
		int (*act)(struct rig *r, int report);
		int code;
		const char *says;
	} cases[] = {
		{ says_other, -EPROTO, "a frame of type 77 from the new process" },
		{ says_short_error, -EPROTO, "an error without a text" },
		{ says_no_error, -EPROTO, "an error without a text" },
		{ gives_no_master, -EPROTO, "a console without its descriptor" },
		{ gives_no_listener, -EBADF, "take the listener of the seccomp filter: Bad file descriptor" },
		{ says_no_exec_early, -EPROTO, "a frame of type 5 from the new process" },
		{ says_no_exec_badly, -EPROTO, "a failed execution without its error" },
		{ halts, -EPROTO, "a frame of type 8 from the new process" },
		{ speaks_another_tongue, -EPROTO, "hear from the new process: Protocol error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig_down(&rig);
		rig_up(&rig);
		assert_int_equal(wait_for(cases[i].act), cases[i].code);
		assert_string_equal(rig.err.text, cases[i].says);
	}
}

/* Words of a process in which the container may have had a hand: they end, and drive no terminal. */
static int lies(struct rig *r, int s)
{
	struct error e = { .code = -EPERM, .kind = 4000 };

	(void)r;
	take_go(s);
	memset(e.text, 'x', sizeof(e.text));
	memset(e.hint, 'y', sizeof(e.hint));
	memcpy(e.text, "\033[31m\nred", 9);
	rig_tell(s, GUEST_ERROR, &e, sizeof(e));
	return 1;
}

static void words_are_made_safe(void **state)
{
	(void)state;
	assert_int_equal(wait_for(lies), -EPERM);
	assert_true(strlen(rig.err.text) == sizeof(rig.err.text) - 1 && strlen(rig.err.hint) == sizeof(rig.err.hint) - 1);
	assert_null(strpbrk(rig.err.text, "\033\n"));
	assert_true(rig.err.kind <= ERR_NO_COMMAND);
}

/* ---- what it asks for ---- */

static int waits_at_its_socket(struct rig *r, int s)
{
	(void)r;
	take_go(s);
	rig_tell(s, GUEST_HALTED, NULL, 0);
	pause();
	return 0;
}

static void one_that_halts(void **state)
{
	(void)state;
	rig.plan.halt = true;
	assert_int_equal(wait_for(waits_at_its_socket), 0);
	assert_int_equal(kill(rig.child.pid, 0), 0);
}

static int asks_for_hooks(struct rig *r, int s)
{
	take_go(s);
	rig_tell(s, GUEST_HOOKS, NULL, 0);
	take_go(s);
	r->w.board->last_act = 1;
	return 0;
}

static void hooks_are_asked_for(void **state)
{
	struct frame f;

	(void)state;
	rig_answer(&rig, KW_GO);
	assert_int_equal(wait_for(asks_for_hooks), 0);
	rig_told(&rig, KW_HOOKS, &f);
}

static void hooks_that_fail(void **state)
{
	(void)state;
	rig_answer(&rig, KW_JOB);
	assert_int_equal(wait_for(asks_for_hooks), -ECANCELED);
	assert_string_equal(rig.err.text, "called off");
}

static void a_keeper_that_is_gone(void **state)
{
	(void)state;
	shutdown(rig.keeper, SHUT_WR);
	assert_int_equal(wait_for(asks_for_hooks), -ECANCELED);
	assert_string_equal(rig.err.text, "the runtime is gone or gave up");
}

/* Any descriptor: the worker does not look at what it passes on. */
static int gives_master(struct rig *r, int s)
{
	int fds[2];

	take_go(s);
	if (pipe(fds) < 0 || frame_send(s, GUEST_MAGIC, GUEST_MASTER, 0, NULL, 0, fds, 1) < 0)
		return 97;
	take_go(s);
	r->w.board->last_act = 1;
	return 0;
}

static void a_console_is_passed_on(void **state)
{
	const struct kp_ref *ref;
	struct stat st;
	struct frame f;
	int fd;

	(void)state;
	assert_int_equal(wait_for(gives_master), 0);
	rig_told(&rig, KW_MASTER, &f);
	ref = frame_body(&f, sizeof(*ref));
	assert_non_null(ref);
	assert_string_equal(ref->id, "box");
	fd = frame_take_fd(&f, 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	close(fd);
}

/* ---- child_last_words: a step of the worker failed meanwhile ---- */

static void last_words(void)
{
	err_set(&rig.err, -EPERM, "write the id map");
	child_last_words(&rig.job, &rig.child, rig_steps, &rig.err);
}

static int lives_on(struct rig *r, int s)
{
	(void)r;
	(void)s;
	pause();
	return 0;
}

static void none_of_one_that_lives_or_never_was(void **state)
{
	(void)state;
	last_words();
	assert_string_equal(rig.err.text, "write the id map");
	rig_guest(&rig, lives_on);
	last_words();
	assert_string_equal(rig.err.text, "write the id map");
	assert_int_equal(rig.err.code, -EPERM);
}

static void await_end(void)
{
	siginfo_t si;

	assert_int_equal(waitid(P_PIDFD, (id_t)rig.child.pidfd, &si, WEXITED | WNOWAIT), 0);
}

static void those_of_one_that_failed(void **state)
{
	(void)state;
	rig_guest(&rig, fails_at_once);
	await_end();
	last_words();
	assert_string_equal(rig.err.text, "too early");
	assert_int_equal(rig.err.code, -EMFILE);
}

static int dies_at_second(struct rig *r, int s)
{
	(void)s;
	r->w.board->step = 1;
	raise(SIGKILL);
	return 0;
}

static void those_of_one_that_was_killed(void **state)
{
	(void)state;
	rig_guest(&rig, dies_at_second);
	await_end();
	last_words();
	assert_string_equal(rig.err.text, "the new process was killed by signal 9 (Killed) in step second");
	assert_int_equal(rig.err.code, -ECHILD);
}

/* Another frame than an error says nothing of the failure. */
static int says_halted(struct rig *r, int s)
{
	(void)r;
	rig_tell(s, GUEST_HALTED, NULL, 0);
	pause();
	return 0;
}

static void those_that_are_none(void **state)
{
	char byte;

	(void)state;
	rig_guest(&rig, says_halted);
	while (recv(rig.child.report, &byte, 1, MSG_PEEK) < 0)
		;
	last_words();
	assert_string_equal(rig.err.text, "write the id map");
}

/* ---- ends ---- */

static void child_end_kills(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	rig_guest(&rig, lives_on);
	pid = rig.child.pid;
	child_end(&rig.child, false);
	assert_int_equal(rig.child.pid, 0);
	assert_int_equal(waitpid(pid, &status, WNOHANG), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	child_end(&rig.child, true);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_program_runs),
		CASE(its_own_words),
		CASE(words_before_go_is_read),
		CASE(how_it_ended),
		CASE(what_is_no_word),
		CASE(words_are_made_safe),
		CASE(one_that_halts),
		CASE(hooks_are_asked_for),
		CASE(hooks_that_fail),
		CASE(a_keeper_that_is_gone),
		CASE(a_console_is_passed_on),
		CASE(none_of_one_that_lives_or_never_was),
		CASE(those_of_one_that_failed),
		CASE(those_of_one_that_was_killed),
		CASE(those_that_are_none),
		CASE(child_end_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
