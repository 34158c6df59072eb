/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting and ending the keeper; arniad as its child. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/keeper/harness.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

/* Run the keeper's program to its end; its exit status. */
static int run_keeper(struct rig *r, const char *a, const char *b)
{
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, a, b, (char *)NULL);
		_exit(127);
	}
	return WEXITSTATUS(wait_status(pid));
}

static void test_usage(void **state)
{
	struct rig *r = *state;

	assert_int_equal(run_keeper(r, "--nonsense", NULL), 2);
	assert_int_equal(run_keeper(r, "--ready-fd", "x"), 2);
	assert_int_equal(run_keeper(r, "more", NULL), 2);
	assert_int_equal(run_keeper(r, "--help", NULL), 0);
}

/* A second one finds the first, and says that all is well. */
static void test_second_keeper(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
	int ready[2], status = 0;
	struct rig_sync y;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ready[1], 9);
		execl(path, path, "--ready-fd", "9", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	wait_readable(ready[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_disconnect(r);
	rig_connect(r, &y); /* checks that it is the first one */
}

/* Ten at the same moment: one becomes the keeper, all say ready, and then it is. */
static void test_race(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
	auto_free char *sock = str_fmt("%s/keeper.sock", r->in.run);
	pid_t pids[10];

	rig_lock(r);
	for (int i = 0; i < 10; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			execl(path, path, (char *)NULL);
			_exit(127);
		}
	}
	for (int i = 0; i < 10; i++) {
		int s;

		assert_int_equal(wait_status(pids[i]), 0);
		s = sock_connect(sock, SOCK_SEQPACKET, NULL);
		assert_true(s >= 0);
		close(s);
	}
	{
		struct kp_hello hello = { .version = 1, .pid = getpid() };
		struct frame f;

		r->s = sock_connect(sock, SOCK_SEQPACKET, NULL);
		rig_send(r, KP_HELLO, 1, &hello, sizeof(hello), NULL, 0);
		rig_expect(r, KP_HELLO, &f);
		r->keeper = ((struct kp_hello *)f.body)->pid;
	}
	assert_true(process_lives(r->keeper));
}

static void on_term(int sig)
{
	(void)sig;
}

/* Not in the foreground: ready when the caller's wait ends; its log is in run/log; KP_SHUTDOWN leaves
 * containers. */
static void test_daemon_and_shutdown(void **state)
{
	struct rig *r = *state;
	auto_free char *sock = str_fmt("%s/keeper.sock", r->in.run);
	auto_free char *log = str_fmt("%s/log/keeper.log", r->in.run);
	auto_free char *text = NULL;
	auto_free char *cgroup = NULL;
	auto_free char *branch = NULL;
	auto_free char *above = NULL;
	auto_free char *clients = NULL;
	struct kp_hello hello = { .version = 1, .pid = getpid() };
	struct instance_ids ids;
	struct frame f;
	struct stat st;
	sigset_t term;
	int listener;
	pid_t pid;

	/* Who is connected is taken for arniad, and told to end. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signal(SIGTERM, on_term);
	rig_lock(r);
	assert_int_equal(run_keeper(r, NULL, NULL), 0);
	r->s = sock_connect(sock, SOCK_SEQPACKET, NULL);
	rig_send(r, KP_HELLO, 1, &hello, sizeof(hello), NULL, 0);
	rig_expect(r, KP_HELLO, &f);
	r->keeper = ((struct kp_hello *)f.body)->pid;
	pid = rig_run(r, ID(1), "pipe 0\nexec sleep 600", -1, 0);
	/* An arniad that survived an earlier keeper still has the socket that one bound. */
	clients = str_fmt("%s/arnia.sock", r->in.run);
	listener = sock_listen(clients, SOCK_STREAM, 0600, NULL);
	assert_true(listener >= 0);
	/* A cgroup of its own, below the top and not where it was started from. */
	instance_ids(&r->in, &ids);
	branch = str_fmt("0::/%s/keeper\n", ids.cgroup);
	cgroup = proc_text(r->keeper, "cgroup");
	assert_non_null(strstr(cgroup, branch));
	assert_int_equal(getsid(r->keeper), r->keeper);
	assert_int_equal(stat(sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* The fake worker leaves its container in the keeper's cgroup. */
	free(branch);
	free(above);
	branch = str_fmt("%d", pid);
	above = rig_cgroup(r, "/../cgroup.procs");
	assert_int_equal(file_write_ctl_at(AT_FDCWD, above, CGROUP2_SUPER_MAGIC, branch, NULL), 0);
	rig_send(r, KP_SHUTDOWN, 0, NULL, 0, NULL, 0);
	assert_int_equal(sigwaitinfo(&term, NULL), SIGTERM);
	/* We do not end, so it gives up waiting for us after three seconds. */
	wait_gone(r->keeper);
	r->keeper = 0;
	assert_true(process_lives(pid));
	assert_int_equal(stat(sock, &st), -1);
	assert_int_equal(stat(clients, &st), -1);
	close(listener);
	free(branch);
	branch = rig_cgroup(r, "");
	assert_int_equal(access(branch, F_OK), -1);
	text = read_text(log);
	assert_null(strstr(text, "cannot"));
	kill(pid, SIGKILL);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void write_script(const struct rig *r, const char *text)
{
	auto_free char *path = str_fmt("%s/bin/arniad", r->root);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void wait_file(const char *path, const char *part)
{
	for (uint64_t end = time_mono_ms() + WAIT_MS; time_mono_ms() < end; usleep(20000)) {
		auto_free char *text = NULL;

		if (file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) >= 0 && strstr(text, part))
			return;
	}
	fail_msg("%s: no \"%s\" in time", path, part);
}

/* arniad gets the listening socket and a clean environment, and is started again when it ends. */
static void test_arniad_started(void **state)
{
	struct rig *r = *state;
	auto_free char *out = str_fmt("%s/out", r->root);
	auto_free char *sock = str_fmt("%s/arnia.sock", r->in.run);
	auto_free char *text = NULL;
	auto_free char *want = NULL;
	struct instance_ids ids;
	struct group *g = getgrnam("arnia");
	struct stat st;
	uint64_t begin = time_mono_ms();
	const char *script;
	int s;

	setenv("SECRET_OF_THE_CALLER", "yes", 1);
	write_script(r, "#!/bin/sh\n{ echo start; echo pid $$; env; ls -l /proc/$$/fd; cat /proc/$$/cgroup; "
			"echo end; } "
			">>$ARNIA_ROOT/out\n");
	rig_start(r);
	unsetenv("SECRET_OF_THE_CALLER");
	assert_int_equal(stat(sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, g ? 0660 : 0600);
	assert_int_equal(st.st_gid, g ? g->gr_gid : 0);
	/* 0, 100, 300, 700 ms: the fourth start. */
	for (int i = 0; i < 3; i++) {
		wait_file(out, "end\n");
		assert_int_equal(truncate(out, 0), 0);
	}
	wait_file(out, "end\n");
	assert_in_range(time_mono_ms() - begin, 400, 3000);
	text = read_text(out);
	want = str_fmt("ARNIA_ROOT=%s\n", r->root);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "LISTEN_FDS=1\n"));
	free(want);
	script = strstr(text, "pid ");
	assert_non_null(script);
	want = str_fmt("LISTEN_PID=%ld\n", strtol(script + 4, NULL, 10));
	assert_non_null(strstr(text, want));
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, " 3 -> socket:"));
	assert_null(strstr(text, " 4 -> "));
	instance_ids(&r->in, &ids);
	free(want);
	want = str_fmt("0::/%s/daemon\n", ids.cgroup);
	assert_non_null(strstr(text, want));
	/* Clients wait meanwhile: the socket stays. */
	s = sock_connect(sock, SOCK_STREAM, NULL);
	assert_true(s >= 0);
	close(s);
}

/* One that survived an earlier keeper is not doubled; when it goes, another is started. */
static void test_survivor(void **state)
{
	struct rig *r = *state;
	auto_free char *out = str_fmt("%s/out", r->root);
	auto_free char *sock = str_fmt("%s/arnia.sock", r->in.run);
	auto_free char *keeper = str_fmt("%s/keeper.sock", r->in.run);
	int pipe_fds[2];
	pid_t survivor;

	write_script(r, "#!/bin/sh\necho started >>$ARNIA_ROOT/out\nexec sleep 600\n");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	survivor = fork();
	if (survivor == 0) {
		int s = -1;

		rig_lock(r);
		close(pipe_fds[0]);
		close(pipe_fds[1]); /* locked */
		for (int i = 0; i < 500 && s < 0; i++) {
			usleep(10000);
			s = sock_connect(keeper, SOCK_SEQPACKET, NULL);
		}
		pause();
		_exit(0);
	}
	close(pipe_fds[1]);
	wait_readable(pipe_fds[0]);
	close(pipe_fds[0]);
	rig_start(r);
	usleep(1500000);
	assert_int_equal(access(out, F_OK), -1);
	assert_int_equal(access(sock, F_OK), -1);
	kill(survivor, SIGKILL);
	waitpid(survivor, NULL, 0);
	wait_file(out, "started\n");
	assert_int_equal(access(sock, F_OK), 0);
	/* The script is arniad now; nobody else may be. */
	{
		struct kp_hello hello = { .version = 1, .pid = getpid() };
		char byte;
		int s = sock_connect(keeper, SOCK_SEQPACKET, NULL);

		frame_send(s, KP_MAGIC, KP_HELLO, 1, &hello, sizeof(hello), NULL, 0);
		wait_readable(s);
		assert_true(recv(s, &byte, 1, 0) <= 0);
		close(s);
	}
	/* Ended with its keeper. */
	kill(r->keeper, SIGTERM);
	assert_int_equal(wait_status(r->keeper), 0);
	r->keeper = 0;
	assert_int_equal(access(sock, F_OK), -1);
}

/* As systemd starts it: told of readiness, and given the socket, which it does not remove. */
static void test_as_a_service(void **state)
{
	struct rig *r = *state;
	auto_free char *path = str_fmt("%s/bin/arnia-keeper", r->root);
	auto_free char *out = str_fmt("%s/out", r->root);
	auto_free char *sock = str_fmt("%s/client.sock", r->root);
	auto_free char *own = str_fmt("%s/arnia.sock", r->in.run);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), listener;
	char text[64];
	ssize_t n;

	write_script(r, "#!/bin/sh\nls -l /proc/$$/fd >$ARNIA_ROOT/tmp; mv $ARNIA_ROOT/tmp $ARNIA_ROOT/out; "
			"exec sleep 600\n");
	str_copy(a.sun_path, sizeof(a.sun_path), r->root);
	strcat(a.sun_path, "/notify");
	assert_int_equal(bind(notify, (struct sockaddr *)&a, sizeof(a)), 0);
	listener = sock_listen(sock, SOCK_STREAM, 0600, NULL);
	assert_true(listener >= 0);
	r->keeper = fork();
	if (r->keeper == 0) {
		auto_free char *pid = str_fmt("%d", getpid());

		dup2(listener, 3);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_PID", pid, 1);
		setenv("NOTIFY_SOCKET", a.sun_path, 1);
		execl(path, path, "--foreground", (char *)NULL);
		_exit(127);
	}
	wait_readable(notify);
	n = recv(notify, text, sizeof(text), 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "READY=1\n");
	wait_file(out, " 3 -> socket:");
	assert_int_equal(access(own, F_OK), -1);
	kill(r->keeper, SIGTERM);
	assert_int_equal(wait_status(r->keeper), 0);
	r->keeper = 0;
	assert_int_equal(access(sock, F_OK), 0);
	close(listener);
	close(notify);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BARE(f) cmocka_unit_test_setup_teardown(f, rig_setup_bare, rig_teardown)
#define KEPT(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
		BARE(test_usage),	   KEPT(test_second_keeper),
		BARE(test_race),	   BARE(test_daemon_and_shutdown),
		BARE(test_arniad_started), BARE(test_survivor),
		BARE(test_as_a_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
