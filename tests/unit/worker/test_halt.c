/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between a guest that waits to be started and who starts it. */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"

static struct rig rig;
static char path[64];
static int dir, listening;

static struct sockaddr_un address(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/start", path);
	return sa;
}

static int set_up(void **state)
{
	struct sockaddr_un sa;

	(void)state;
	rig_up(&rig);
	snprintf(path, sizeof(path), "/tmp/arnia-halt-XXXXXX");
	assert_non_null(mkdtemp(path));
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	sa = address();
	assert_int_equal(bind(listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return listen(listening, 8);
}

static int tear_down(void **state)
{
	(void)state;
	rig_down(&rig);
	fd_close(&listening);
	close(dir);
	return path_rmtree_at(AT_FDCWD, path);
}

static int release(void)
{
	return guest_release(dir, "start", &rig.err);
}

/* ---- who starts it ---- */

static void nobody_waits(void **state)
{
	(void)state;
	assert_int_equal(guest_release(dir, "other", &rig.err), -ENOENT);
	assert_string_equal(rig.err.text, "reach the process that waits to be started: No such file or directory");
	fd_close(&listening);
	assert_int_equal(release(), -ECONNREFUSED);
}

/* A peer by hand: takes the GO and answers as it is told. */
struct peer {
	pid_t pid;
};
static struct peer peer(void (*answer)(int conn))
{
	struct peer p = { fork() };

	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		struct frame f;
		int conn = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

		if (frame_recv(conn, GUEST_MAGIC, &f, 0) != 1 || f.head.type != GUEST_GO)
			_exit(1);
		answer(conn);
		_exit(0);
	}
	return p;
}

static void peer_done(struct peer *p)
{
	int status;

	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_int_equal(status, 0);
}

static void hangs_up(int conn)
{
	close(conn);
}

static void its_program_runs(void **state)
{
	struct peer p = peer(hangs_up);

	(void)state;
	assert_int_equal(release(), 0);
	assert_int_equal(rig.err.code, 0);
	peer_done(&p);
}

static void fails(int conn)
{
	struct error e = { 0 };

	err_set_kind(&e, -ENOENT, ERR_NO_COMMAND, "no such program");
	rig_tell(conn, GUEST_ERROR, &e, sizeof(e));
}

static void its_program_does_not_run(void **state)
{
	struct peer p = peer(fails);

	(void)state;
	assert_int_equal(release(), -ENOENT);
	assert_string_equal(rig.err.text, "no such program");
	assert_int_equal(rig.err.kind, ERR_NO_COMMAND);
	peer_done(&p);
}

static void babbles(int conn)
{
	rig_tell(conn, GUEST_GO, NULL, 0);
}
static void shouts(int conn)
{
	char noise[100] = "noise";

	if (send(conn, noise, sizeof(noise), 0) < 0)
		_exit(2);
}
static void says_nothing_is_wrong(int conn)
{
	struct error e = { 0 };

	rig_tell(conn, GUEST_ERROR, &e, sizeof(e));
}

/* Never taken for success. */
static void what_is_no_answer(void **state)
{
	static void (*const answers[])(int conn) = { babbles, shouts, says_nothing_is_wrong };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct peer p = peer(answers[i]);

		assert_int_equal(release(), -EPROTO);
		peer_done(&p);
	}
}

/* It ends before it has taken the connection (as the kernel has it, at its exit), or read what came by it. */
static void it_dies_before_it_hears(void **state)
{
	(void)state;
	for (int takes = 1; takes >= 0; takes--) {
		pid_t pid = fork();

		if (pid == 0) {
			struct pollfd p = { .fd = listening, .events = POLLIN };

			if (takes)
				p.fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
			_exit(poll(&p, 1, 30000) != 1);
		}
		if (!takes)
			fd_close(&listening);
		assert_int_equal(release(), -ECONNRESET);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
}

/* ---- the guest ---- */

/* Waits, and says over the connection that released it what it has left open. */
static int halts(struct rig *r, int report)
{
	struct guest g = GUEST_NONE;
	struct error err = { 0 };
	int code;

	g.w = &r->w;
	g.plan = &r->plan;
	g.report = report;
	g.start = listening;
	code = guest_halt(&g, &err);
	if (code == 0 && r->plan.halt && (g.start != -1 || fcntl(listening, F_GETFD) >= 0))
		return 2;
	if (code < 0)
		return 3;
	guest_report(&g, GUEST_LISTENER, NULL); /* a word that is known again */
	return 0;
}

static int connect_to_it(void)
{
	struct sockaddr_un sa = address();
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return s;
}

static void hear(int s, uint32_t type)
{
	struct frame f;

	assert_int_equal(frame_recv(s, GUEST_MAGIC, &f, 0), 1);
	assert_int_equal(f.head.type, type);
}

static void ends_with(int want)
{
	int status;

	assert_int_equal(waitpid(rig.child.pid, &status, 0), rig.child.pid);
	rig.child.pid = 0;
	assert_int_equal(status, want);
}

static void no_halt_without_being_told(void **state)
{
	(void)state;
	rig_guest(&rig, halts);
	hear(rig.child.report, GUEST_LISTENER);
	ends_with(0);
}

static void it_waits_and_is_released(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct frame f;
	int s;

	(void)state;
	rig.plan.halt = true;
	rig_guest(&rig, halts);
	hear(rig.child.report, GUEST_HALTED);
	/* The worker hears no more of it. */
	p.fd = rig.child.report;
	assert_int_equal(poll(&p, 1, 0), 0);
	s = connect_to_it();
	assert_int_equal(frame_send(s, GUEST_MAGIC, GUEST_GO, 0, NULL, 0, NULL, 0), 0);
	hear(s, GUEST_LISTENER);
	assert_int_equal(frame_recv(s, GUEST_MAGIC, &f, 0), 0);
	assert_int_equal(frame_recv(rig.child.report, GUEST_MAGIC, &f, 0), 0);
	close(s);
	ends_with(0);
}

static void rubbish(int s, size_t i)
{
	char noise[2000];
	int fds[2];

	memset(noise, 'y', sizeof(noise));
	switch (i) {
	case 0: /* hangs up without a word */
		break;
	case 1:
		assert_true(send(s, noise, sizeof(noise), 0) > 0);
		break;
	case 2:
		assert_true(send(s, noise, 1, 0) > 0);
		break;
	case 3: /* another protocol's */
		assert_int_equal(frame_send(s, KP_MAGIC, GUEST_GO, 0, NULL, 0, NULL, 0), 0);
		break;
	case 4: /* another word; with a descriptor */
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(frame_send(s, GUEST_MAGIC, GUEST_ERROR, 0, noise, 10, fds, 2), 0);
		close(fds[0]);
		close(fds[1]);
		break;
	}
}

static void rubbish_releases_nothing(void **state)
{
	int s;

	(void)state;
	rig.plan.halt = true;
	rig_guest(&rig, halts);
	hear(rig.child.report, GUEST_HALTED);
	for (size_t i = 0; i < 5; i++) {
		struct frame f;

		s = connect_to_it();
		rubbish(s, i);
		if (i)
			assert_true(frame_recv(s, GUEST_MAGIC, &f, 0) <= 0);
		close(s);
		assert_int_equal(waitpid(rig.child.pid, NULL, WNOHANG), 0);
	}
	s = connect_to_it();
	assert_int_equal(frame_send(s, GUEST_MAGIC, GUEST_GO, 0, NULL, 0, NULL, 0), 0);
	hear(s, GUEST_LISTENER);
	close(s);
	ends_with(0);
}

/* What it waits at is no socket that listens. */
static void nowhere_to_wait(void **state)
{
	(void)state;
	rig.plan.halt = true;
	fd_close(&listening);
	listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	rig_guest(&rig, halts);
	ends_with(3 << 8);
}

/* Both ends together. */
static void a_release_of_a_guest(void **state)
{
	(void)state;
	rig.plan.halt = true;
	rig_guest(&rig, halts);
	hear(rig.child.report, GUEST_HALTED);
	/* What it says then is no end and no error. */
	assert_int_equal(release(), -EPROTO);
	ends_with(0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nobody_waits),
		CASE(its_program_runs),
		CASE(its_program_does_not_run),
		CASE(what_is_no_answer),
		CASE(it_dies_before_it_hears),
		CASE(no_halt_without_being_told),
		CASE(it_waits_and_is_released),
		CASE(rubbish_releases_nothing),
		CASE(nowhere_to_wait),
		CASE(a_release_of_a_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
