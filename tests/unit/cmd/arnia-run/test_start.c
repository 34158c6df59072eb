/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a started container looks like from inside. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/cmd/arnia-run/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* Start, read all output, check the end, destroy. What it wrote. */
static char *run(struct plan *p, int want_status)
{
	struct fake_worker w;
	struct answer a, b;
	struct plan *d = plan_like(p, PLAN_DESTROY);
	char *out;

	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	assert_true(a.res.pid > 0 && a.res.again);
	assert_int_equal(a.c.role, KP_ROLE_CONTAINER);
	assert_int_equal(a.c.pid, a.res.pid);
	assert_true(a.c.start > 0);
	out = read_all(p->stdio == PLAN_STDIO_TTY ? a.master : a.out);
	assert_int_equal(adopted_wait(&a), want_status);
	job_do(&w, d, NULL, &b);
	assert_success(&b);
	assert_clean(p, &a);
	answer_done(&a);
	answer_done(&b);
	free(d);
	assert_int_equal(worker_end(&w), 0);
	return out;
}

static void test_inside(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container(
		"00000000000000a1",
		"echo pid=$$; hostname; cat /proc/self/uid_map /proc/self/gid_map; id; pwd; cat "
		"/proc/self/cgroup;"
		"echo fds=$(ls /proc/self/fd | grep -v 3); grep -E '^(Cap|NoNewPrivs|Seccomp)' "
		"/proc/self/status;"
		"stat -c '%F %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty;"
		"touch /x || echo readonly; ls -d /proc/1/root; cat /proc/self/mountinfo | cut -d' ' -f5,6;"
		"ls /sys/class/net; echo home=$HOME; exit 7");
	out = run(p, 7 << 8);
	assert_text(out, "pid=1\nbox\n");
	assert_text(out, "         0 1900000000      65536\n         0 1900000000      65536\n");
	assert_text(out, "uid=0(root) gid=0(root)\n/\n");
	assert_text(out, "0::/\n");
	assert_text(out, "fds=0 1 2\n");
	assert_text(out,
		    "CapInh:\t0000000000000000\nCapPrm:\t00000000000004a9\nCapEff:\t00000000000004a9\n"
		    "CapBnd:\t00000000000004a9\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
	assert_text(out,
		    "character special file 1:3\ncharacter special file 1:5\ncharacter special file 1:7\n"
		    "character special file 1:8\ncharacter special file 1:9\ncharacter special file 5:0\n");
	assert_text(out, "readonly\n");
	assert_text(out, "\n/ ro");
	assert_text(out, "\n/proc rw,nosuid,nodev,noexec");
	assert_text(out, "\n/sys ro,nosuid,nodev,noexec");
	assert_text(out, "\nlo\n");
	assert_text(out, "home=/root\n");
	assert_null(strstr(out, world.dir));
	free(out);
	plan_free(p);
}

/* Without no_new_privs, as an image's own init is run, the filter has to come before the capabilities go. */
static void test_new_privs(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000ae", "");
	plan_argv(p, (const char *const[]){ "grep", "-E", "^(NoNewPrivs|Seccomp:|CapEff|SigIgn|SigBlk)",
					    "/proc/self/status", NULL });
	p->sandbox.no_new_privs = false;
	out = run(p, 0);
	assert_string_equal(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
				 "CapEff:\t00000000000004a9\nNoNewPrivs:\t0\nSeccomp:\t2\n");
	free(out);
	plan_free(p);
}

static void test_layers(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000a2", "echo kept > /file && cat /file && stat -c %u:%g /file");
	plan_layers(p);
	out = run(p, 0);
	assert_string_equal(out, "kept\n0:0\n");
	free(out);
	plan_free(p);
}

/* Layers that were there before survive a start that fails, and its destroy when the plan does not list them.
 */
static void test_layers_kept(void **state)
{
	struct fake_worker w;
	struct answer a;
	struct plan *p;
	char *file, *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000a3", "echo data > /file");
	plan_layers(p);
	p->undo.n--;
	file = str_fmt("%s/file", p->rootfs.upper);
	worker_start(&w, NULL);
	for (int i = 0; i < 2; i++) {
		struct plan *d = plan_like(p, PLAN_DESTROY);
		struct answer b;

		job_do(&w, p, NULL, &a);
		if (i == 0) {
			assert_success(&a);
			out = read_all(a.out);
			assert_string_equal(out, "");
			free(out);
			assert_int_equal(adopted_wait(&a), 0);
		} else {
			assert_int_equal(a.res.error.kind, ERR_NO_COMMAND);
		}
		assert_int_equal(access(file, F_OK), 0);
		job_do(&w, d, NULL, &b);
		assert_success(&b);
		assert_int_equal(access(file, F_OK), 0);
		answer_done(&a);
		answer_done(&b);
		free(d);
		plan_argv(p, (const char *const[]){ "nothing-of-the-kind", NULL });
	}
	assert_int_equal(worker_end(&w), 0);
	/* Removing the container takes them, and its folder. */
	worker_start(&w, NULL);
	p->kind = PLAN_REMOVE;
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	assert_int_equal(access(p->layers_dir, F_OK), -1);
	answer_done(&a);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	answer_done(&a);
	assert_int_equal(worker_end(&w), 0);
	free(file);
	plan_free(p);
}

static void test_user(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000a4",
			   "id; pwd; echo $HOME; umask; echo again > /dev/stderr; grep -E 'Cap(Eff|Prm)' "
			   "/proc/self/status; stat -L -c %u /proc/self/fd/1");
	plan_layers(p);
	p->process.user = "user";
	p->process.cwd = "/srv/made/here";
	p->process.umask = 027;
	out = run(p, 0);
	assert_text(out, "uid=1000(user) gid=1000(user) groups=2000(extra)\n/srv/made/here\n/home\n0027\n");
	assert_text(out, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n1000\n");
	free(out);
	plan_free(p);
}

static void test_tty(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container(
		"00000000000000a5",
		"tty; stty size; ls -l /proc/self/fd/2; stat -c %t:%T /dev/console; echo x >/dev/tty");
	p->stdio = PLAN_STDIO_TTY;
	p->rootfs.console = true;
	p->process.tty = true;
	p->process.rows = 33;
	p->process.cols = 99;
	out = run(p, 0);
	assert_text(out, "/dev/pts/0\r\n33 99\r\n");
	assert_text(out, "-> /dev/pts/0\r\n88:0\r\nx\r\n");
	free(out);
	plan_free(p);
}

static void test_stdin(void **state)
{
	struct fake_worker w;
	struct answer a, b;
	struct plan *p, *d;
	char *out;

	(void)state;
	NEED_WORLD();
	p = plan_container("00000000000000a6", "cat; echo err >&2");
	p->open_stdin = true;
	d = plan_like(p, PLAN_DESTROY);
	worker_start(&w, NULL);
	job_do(&w, p, NULL, &a);
	assert_success(&a);
	assert_int_equal(a.c.fds, KP_FD_PIDFD | KP_FD_IN | KP_FD_OUT | KP_FD_ERR);
	assert_int_equal(write(a.in, "through\n", 8), 8);
	close(a.in);
	a.in = -1;
	out = read_all(a.out);
	assert_string_equal(out, "through\n");
	free(out);
	out = read_all(a.err);
	assert_string_equal(out, "err\n");
	free(out);
	assert_int_equal(adopted_wait(&a), 0);
	job_do(&w, d, NULL, &b);
	assert_success(&b);
	answer_done(&a);
	answer_done(&b);
	assert_int_equal(worker_end(&w), 0);
	free(d);
	plan_free(p);
}

static void test_init(void **state)
{
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	if (world.init < 0)
		skip();
	/* The filter of the plans refuses execveat, so this also goes the other way to the memfd. */
	p = plan_container("00000000000000a7", "echo $$; readlink /proc/1/exe; cat /proc/1/cmdline; exit 3");
	p->process.init = true;
	out = run(p, 3 << 8);
	assert_text(out, "2\n");
	assert_text(out, "memfd:");
	free(out);
	plan_free(p);
}

static void test_limits(void **state)
{
	struct plan *p;
	struct rlimit have;
	char *out, *want;

	(void)state;
	NEED_WORLD();
	getrlimit(RLIMIT_NOFILE, &have);
	p = plan_container("00000000000000a8",
			   "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; cat /proc/sys/net/ipv4/"
			   "ip_unprivileged_port_start");
	*arena_push(&p->arena, &p->sandbox.rlimits) =
		(struct sandbox_rlimit){ RLIMIT_NOFILE, 77, have.rlim_max, false };
	*arena_push(&p->arena, &p->sandbox.sysctls) =
		(struct sandbox_sysctl){ "net.ipv4.ip_unprivileged_port_start", "99" };
	p->sandbox.oom_score_adj = 321;
	out = run(p, 0);
	want = str_fmt("77\n%llu\n321\n99\n", (unsigned long long)have.rlim_max);
	assert_string_equal(out, want);
	free(want);
	free(out);
	plan_free(p);
}

static void test_clock(void **state)
{
	struct timespec now;
	struct plan *p;
	char *out;

	(void)state;
	NEED_WORLD();
	if (access("/proc/self/ns/time", F_OK) < 0)
		skip();
	clock_gettime(CLOCK_BOOTTIME, &now);
	p = plan_container("00000000000000a9", "cut -d. -f1 /proc/uptime");
	p->sandbox.namespaces |= CLONE_NEWTIME;
	p->sandbox.time_boot_ns = -((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) + 5000000000ll;
	p->sandbox.time_mono_ns = p->sandbox.time_boot_ns;
	out = run(p, 0);
	assert_in_range(atoi(out), 5, 60);
	free(out);
	plan_free(p);
	/* The next container of the same kind of worker has the host's clock again: see test_worker_stays. */
}

/* One worker, many jobs: nothing of one is found by the next, in it or on the host. */
static void test_worker_stays(void **state)
{
	struct fake_worker w;
	size_t mounts, fds;

	(void)state;
	NEED_WORLD();
	worker_start(&w, NULL);
	mounts = count_mounts(w.pid);
	fds = count_fds(w.pid);
	for (int i = 0; i < 8; i++) {
		struct plan *p = plan_container("00000000000000aa", "cut -d. -f1 /proc/uptime"), *d;
		struct answer a, b;
		struct timespec now;
		char *out;

		plan_layers(p);
		if (i % 2 == 0) {
			p->sandbox.namespaces |= CLONE_NEWTIME;
			p->sandbox.time_boot_ns = 86400ll * 1000000000ll * 1000;
		}
		d = plan_like(p, PLAN_DESTROY);
		job_do(&w, p, NULL, &a);
		assert_success(&a);
		out = read_all(a.out);
		clock_gettime(CLOCK_BOOTTIME, &now);
		assert_in_range(atoi(out) - (i % 2 == 0 ? 86400 * 1000 : 0), 0, now.tv_sec);
		free(out);
		assert_int_equal(adopted_wait(&a), 0);
		job_do(&w, d, NULL, &b);
		assert_success(&b);
		assert_clean(p, &a);
		assert_settles(count_mounts, w.pid, mounts);
		assert_settles(count_fds, w.pid, fds);
		answer_done(&a);
		answer_done(&b);
		free(d);
		plan_free(p);
	}
	assert_int_equal(worker_end(&w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),	     cmocka_unit_test(test_new_privs),
		cmocka_unit_test(test_layers),	     cmocka_unit_test(test_layers_kept),
		cmocka_unit_test(test_user),	     cmocka_unit_test(test_tty),
		cmocka_unit_test(test_stdin),	     cmocka_unit_test(test_init),
		cmocka_unit_test(test_limits),	     cmocka_unit_test(test_clock),
		cmocka_unit_test(test_worker_stays),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
