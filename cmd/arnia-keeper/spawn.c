/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
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
#define STACK (64u << 10)

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

/* What the child needs, made before it is there: it runs in our memory (proc_spawn), and we wait. */
struct task {
	const struct keeper *k;
	const struct spawn *s;
	char *path, **env;
	char listen_pid[32];
};

static char **clean_environment(struct task *t)
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
	if (t->s->listen) {
		env[n++] = "LISTEN_FDS=1";
		env[n++] = t->listen_pid;
	}
	return env;
}

static int run_child(void *arg)
{
	struct task *t = arg;
	const struct spawn *s = t->s;
	char *argv[] = { (char *)s->program, NULL };
	sigset_t none;

	setsid();
	if (s->follow)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!s->protect)
		file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, "0", NULL);
	for (size_t i = 0; i < t->k->nroom; i++) /* this needs some, too */
		close(t->k->room[i]);
	snprintf(t->listen_pid, sizeof(t->listen_pid), "LISTEN_PID=%d", (int)getpid());
	if (fd_arrange(s->fds, s->nfds, FIRST_FD) == 0)
		execve(t->path, argv, t->env);
	return CANNOT_RUN;
}

pid_t spawn(const struct keeper *k, const struct spawn *s, int *ret_pidfd)
{
	struct proc_clone c = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD, .cgroup_fd = s->cgroup,
				.ret_pidfd = ret_pidfd };
	struct task t = { .k = k, .s = s };
	struct proc_stack stack;
	pid_t pid = fail_at("keeper-spawn");

	if (pid == 0)
		pid = proc_stack_new(STACK, &stack);
	if (pid < 0)
		return pid;
	t.path = str_fmt("%s/%s", k->in.lib, s->program);
	t.env = clean_environment(&t);
	pid = proc_spawn(&c, &stack, run_child, &t);
	/* Its cgroup may have been removed, or the kernel refuses: better in ours than not at all. */
	if (pid < 0 && c.cgroup_fd >= 0) {
		c.cgroup_fd = -1;
		pid = proc_spawn(&c, &stack, run_child, &t);
	}
	proc_stack_free(&stack);
	free(t.env);
	free(t.path);
	return pid;
}
