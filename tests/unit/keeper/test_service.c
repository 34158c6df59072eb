/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arnia-keeper --service: the keeper is another process, which it starts, finds, and does not take along. */
#include "tests/unit/keeper/harness.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

struct service {
	struct rig *r;
	int notify, listener; /* the listener is -1 without socket activation */
	pid_t pid, keeper;
};

/* As arniad: what it listens on goes to the file `out`, then it waits. */
static void write_daemon(const struct rig *r)
{
	static const char text[] = "#!/bin/sh\nls -lL /proc/$$/fd/3 >>$ARNIA_ROOT/out\necho $$ >$ARNIA_ROOT/tmp\n"
				   "stat -Lc %i /proc/$$/fd/3 >>$ARNIA_ROOT/tmp; mv $ARNIA_ROOT/tmp $ARNIA_ROOT/now\n"
				   "exec sleep 600\n";
	auto_free char *path = str_fmt("%s/bin/arniad", r->root);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* Until arniad has this socket. */
static void wait_served_by(const struct rig *r, int listener)
{
	auto_free char *now = str_fmt("%s/now", r->root);
	struct stat st;
	auto_free char *want = NULL;

	assert_int_equal(fstat(listener, &st), 0);
	want = str_fmt("\n%lu\n", (unsigned long)st.st_ino);
	for (uint64_t end = time_mono_ms() + WAIT_MS; time_mono_ms() < end; usleep(20000)) {
		auto_free char *text = NULL;

		if (file_read_at(AT_FDCWD, now, 4096, &text, NULL) > 0 && strstr(text, want))
			return;
	}
	fail_msg("arniad does not listen on socket %s", want);
}

static struct service service_new(struct rig *r, bool activated)
{
	struct service s = { .r = r, .listener = -1 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	write_daemon(r);
	(void)str_copy(a.sun_path, sizeof(a.sun_path), r->root);
	strcat(a.sun_path, "/notify");
	unlink(a.sun_path);
	s.notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s.notify, (struct sockaddr *)&a, sizeof(a)), 0);
	if (activated) {
		auto_free char *path = str_fmt("%s/activated", r->root);

		unlink(path);
		s.listener = sock_listen(path, SOCK_STREAM, 0600, NULL);
		assert_true(s.listener >= 0);
	}
	return s;
}

/* Start it, and wait for its word. */
static void service_start(struct service *s)
{
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", s->r->root);
	auto_free char *notify = str_fmt("%s/notify", s->r->root);
	const char *at;
	char text[128];
	ssize_t n;

	s->pid = fork();
	if (s->pid == 0) {
		auto_free char *pid = str_fmt("%d", getpid());

		if (s->listener >= 0) {
			dup2(s->listener, 3);
			setenv("LISTEN_FDS", "1", 1);
			setenv("LISTEN_PID", pid, 1);
		}
		setenv("NOTIFY_SOCKET", notify, 1);
		execl(path, path, "--service", (char *)NULL);
		_exit(127);
	}
	wait_readable(s->notify);
	n = recv(s->notify, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "READY=1\n"));
	at = strstr(text, "process ");
	assert_non_null(at);
	s->keeper = (pid_t)strtol(at + strlen("process "), NULL, 10);
	assert_true(process_lives(s->keeper));
	assert_int_not_equal(s->keeper, s->pid);
}

static void service_done(struct service *s)
{
	close(s->notify);
	fd_close(&s->listener);
}

/* With nothing to hold a stop ends all of it. */
static void test_start_and_stop(void **state)
{
	struct rig *r = *state;
	struct service s = service_new(r, true);
	auto_free char *sock = str_fmt("%s/service.sock", r->in.run);
	auto_free char *own = str_fmt("%s/arnia.sock", r->in.run);
	auto_free char *given = str_fmt("%s/activated", r->root);

	service_start(&s);
	wait_served_by(r, s.listener);
	assert_int_equal(access(own, F_OK), -1);
	assert_int_equal(access(sock, F_OK), 0);
	kill(s.pid, SIGTERM);
	assert_int_equal(wait_status(s.pid), 0);
	wait_gone(s.keeper);
	assert_int_equal(access(sock, F_OK), -1);
	assert_int_equal(access(given, F_OK), 0); /* is not ours */
	service_done(&s);
}

/* Killed and started again: the same keeper, and arniad is left alone. */
static void test_killed(void **state)
{
	struct rig *r = *state;
	struct service s = service_new(r, true);
	auto_free char *now = str_fmt("%s/now", r->root);
	auto_free char *before = NULL;
	auto_free char *after = NULL;
	pid_t keeper;

	service_start(&s);
	wait_served_by(r, s.listener);
	keeper = s.keeper;
	before = read_text(now);
	kill(s.pid, SIGKILL);
	wait_status(s.pid);
	service_start(&s);
	assert_int_equal(s.keeper, keeper);
	after = read_text(now);
	assert_string_equal(before, after);
	/* Its keeper's end is a failure when nobody asked for it. */
	kill(keeper, SIGKILL);
	assert_int_equal(WEXITSTATUS(wait_status(s.pid)), EXIT_FAILURE);
	service_start(&s);
	assert_int_not_equal(s.keeper, keeper);
	kill(s.keeper, SIGTERM);
	assert_int_equal(wait_status(s.pid), 0);
	service_done(&s);
}

/* One that serves by its own socket goes over to that of the service. */
static void test_takes_over(void **state)
{
	struct rig *r = *state;
	struct service s = service_new(r, true);
	auto_free char *now = str_fmt("%s/now", r->root);

	rig_start(r);
	service_start(&s);
	assert_int_equal(s.keeper, r->keeper);
	wait_served_by(r, s.listener);
	kill(s.pid, SIGTERM);
	assert_int_equal(wait_status(s.pid), 0);
	assert_int_equal(wait_status(r->keeper), 0);
	r->keeper = 0;
	service_done(&s);
}

/* What is no request, and what is no listening socket, changes nothing. */
static void test_nonsense(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/service.sock", r->in.run);
	int s, pair[2];
	struct frame f;

	write_daemon(r);
	rig_start(r);
	s = sock_connect(path, SOCK_SEQPACKET, NULL);
	assert_true(s >= 0);
	assert_int_equal(frame_send(s, KP_MAGIC, KP_SHUTDOWN, 0, NULL, 0, NULL, 0), 0);
	wait_readable(s);
	assert_true(frame_recv(s, KP_MAGIC, &f, 0) <= 0);
	close(s);
	s = sock_connect(path, SOCK_SEQPACKET, NULL);
	assert_int_equal(send(s, "x", 1, 0), 1);
	wait_readable(s);
	assert_true(frame_recv(s, KP_MAGIC, &f, 0) <= 0);
	close(s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	s = sock_connect(path, SOCK_SEQPACKET, NULL);
	assert_int_equal(frame_send(s, KP_MAGIC, KP_SERVE, 0, NULL, 0, pair, 1), 0);
	wait_readable(s);
	assert_int_equal(frame_recv(s, KP_MAGIC, &f, 0), 1);
	assert_int_equal(f.head.type, KP_SERVE);
	frame_done(&f);
	close(s);
	close(pair[0]);
	close(pair[1]);
	free(path);
	path = str_fmt("%s/arnia.sock", r->in.run);
	s = sock_connect(path, SOCK_STREAM, NULL);
	assert_true(s >= 0); /* the one there was */
	close(s);
	kill(r->keeper, SIGTERM);
	assert_int_equal(wait_status(r->keeper), 0);
	r->keeper = 0;
}

#define BARE(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BARE(test_start_and_stop),
		BARE(test_killed),
		BARE(test_takes_over),
		BARE(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
