/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define FIRST_FD 3
#define SEARCH_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define CANNOT_RUN 127

extern char **environ;

/* What chooses the instance and the log's form, and the way to packages; nothing else of the caller's reaches
 * our children. */
static bool is_passed_on(const char *entry)
{
	static const char *const names[] = { "ARNIA_",
					     "JOURNAL_STREAM=", "http_proxy=", "https_proxy=", "no_proxy=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_starts(entry, names[i]))
			return true;
	return false;
}

static char **clean_environment(bool listen)
{
	char **env;
	size_t n = 0;

	while (environ[n])
		n++;
	env = mem_alloc_n(n + 5, sizeof(*env));
	n = 0;
	for (char **e = environ; *e; e++)
		if (is_passed_on(*e))
			env[n++] = *e;
	env[n++] = SEARCH_PATH;
	env[n++] = "HOME=/root";
	if (listen) {
		env[n++] = "LISTEN_FDS=1";
		env[n++] = str_fmt("LISTEN_PID=%d", (int)getpid());
	}
	return env;
}

static void run_child(const struct keeper *k, const struct spawn *s) __attribute__((noreturn));
static void run_child(const struct keeper *k, const struct spawn *s)
{
	char *argv[] = { (char *)s->program, NULL };
	auto_free char *path = str_fmt("%s/%s", k->in.lib, s->program);
	sigset_t none;

	setsid();
	if (s->follow)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!s->protect)
		file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, "0", NULL);
	for (size_t i = 0; i < k->nroom; i++) /* this needs some, too */
		close(k->room[i]);
	if (fd_arrange(s->fds, s->nfds, FIRST_FD) == 0)
		execve(path, argv, clean_environment(s->listen));
	_exit(CANNOT_RUN);
}

pid_t spawn(const struct keeper *k, const struct spawn *s, int *ret_pidfd)
{
	struct proc_clone c = { .exit_signal = SIGCHLD, .cgroup_fd = s->cgroup, .ret_pidfd = ret_pidfd };
	pid_t pid = fail_at("keeper-spawn");

	if (pid < 0)
		return pid;
	pid = proc_clone3(&c);
	/* Its cgroup may have been removed, or the kernel refuses: better in ours than not at all. */
	if (pid < 0 && c.cgroup_fd >= 0) {
		c.cgroup_fd = -1;
		pid = proc_clone3(&c);
	}
	if (pid == 0)
		run_child(k, s);
	return pid;
}
