/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PID 1 of an application container: starts the program, hands every signal on to it, reaps what is orphaned,
 * ends with the program's status. See arnia-init(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-init/sys.h"
#include "lib/base/initproto.h"

#define EXIT_USAGE 2
#define EXIT_FAILED 125
#define EXIT_CANNOT_RUN 126
#define EXIT_NO_COMMAND 127

typedef uint64_t kmask; /* the kernel's signal set: one bit per signal */
#define ALL_SIGNALS (~(kmask)0)

struct request {
	char **argv, **envp;
	bool group; /* signals go to the program's whole process group */
	int report; /* told when the program cannot be executed; -1 */
};

void init_main(const long *stack) __attribute__((noreturn, used));

static void end(int status) __attribute__((noreturn));
static void end(int status)
{
	for (;;)
		sys(SYS_exit_group, status, 0, 0, 0);
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* Several writes: at this point nobody else writes to the container's stderr. */
static void say(const char *a, const char *b, const char *c)
{
	const char *parts[] = { "arnia-init: ", a, b, c, "\n" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		sys(SYS_write, STDERR_FILENO, (long)parts[i], (long)length(parts[i]), 0);
}

static kmask set_mask(kmask mask)
{
	kmask old = 0;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)&old, sizeof(mask));
	return old;
}

static const char *exec_error_text(long error)
{
	switch (-error) {
	case ENOENT:
		return "no such file (or its interpreter is missing)";
	case ENOTDIR:
		return "a part of the path is not a folder";
	case EACCES:
		return "permission denied (no execute bit, a folder, or a noexec mount)";
	case EPERM:
		return "operation not permitted";
	case ENOEXEC:
		return "not a program for this machine (a script needs a #! line)";
	case E2BIG:
		return "arguments and environment too long";
	case ELOOP:
		return "too many symbolic links";
	case ENOMEM:
		return "out of memory";
	default:
		return "cannot be executed";
	}
}

static void tell(int report, long error)
{
	const struct init_report r = { GUEST_MAGIC, GUEST_NO_EXEC, 0, (int32_t)error, 0 };

	sys(SYS_write, report, (long)&r, sizeof(r), 0);
}

/* The child: a process group of its own, in the foreground when there is a console, as a shell would start
 * it. */
static void run_program(const struct request *rq, kmask mask) __attribute__((noreturn, noinline));
static void run_program(const struct request *rq, kmask mask)
{
	int pid = (int)sys(SYS_getpid, 0, 0, 0, 0);
	long error;

	sys(SYS_setpgid, 0, 0, 0, 0);
	/* SIGTTOU is blocked, so a background group may ask; ENOTTY without a console. */
	sys(SYS_ioctl, STDIN_FILENO, TIOCSPGRP, (long)&pid, 0);
	set_mask(mask);
	if (rq->report >= 0)
		sys(SYS_fcntl, rq->report, F_SETFD, FD_CLOEXEC, 0);
	error = sys(SYS_execve, (long)rq->argv[0], (long)rq->argv, (long)rq->envp, 0);
	if (rq->report >= 0)
		tell(rq->report, error);
	else
		say(rq->argv[0], ": ", exec_error_text(error));
	end(error == -ENOENT || error == -ENOTDIR ? EXIT_NO_COMMAND : EXIT_CANNOT_RUN);
}

/* Reap all that has ended; does not return when the program is among them. */
static void reap(int program)
{
	int status = 0;
	long pid;

	while ((pid = sys(SYS_wait4, -1, (long)&status, WNOHANG, 0)) > 0)
		if (pid == program)
			end(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	if (pid == -ECHILD)
		end(EXIT_FAILED);
}

static bool is_option(const char *arg, char letter)
{
	return arg[0] == '-' && arg[1] == letter && !arg[2];
}

/* At most four digits; -1 for anything else. */
static int descriptor(const char *arg)
{
	int n = 0;

	for (int i = 0; arg[i]; i++) {
		if (arg[i] < '0' || arg[i] > '9' || i == 4)
			return -1;
		n = n * 10 + arg[i] - '0';
	}
	return arg[0] ? n : -1;
}

static bool parse(const long *stack, struct request *ret)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	long i = 1;

	*ret = (struct request){ .envp = argv + argc + 1, .report = -1 };
	if (i < argc && is_option(argv[i], 'g')) {
		ret->group = true;
		i++;
	}
	if (i + 1 < argc && is_option(argv[i], 'e')) {
		ret->report = descriptor(argv[i + 1]);
		if (ret->report < 0)
			return false;
		i += 2;
	}
	if (i + 1 >= argc || !is_option(argv[i], '-'))
		return false;
	ret->argv = argv + i + 1;
	return true;
}

/*
 * Every signal is blocked and waited for. PID 1 ignores signals it has no handler for, but not blocked ones
 * (pid_namespaces(7), kernel/signal.c sig_ignored), so no handler is needed.
 */
void init_main(const long *stack)
{
	const kmask all = ALL_SIGNALS;
	/* struct sigaction of the kernel, SIG_DFL: with SIGCHLD ignored children leave no status. */
	const uint64_t dfl[4] = { 0 };
	struct request rq;
	kmask mask;
	int program;

	if (!parse(stack, &rq)) {
		say("usage: arnia-init [-g] [-e FD] -- PROGRAM [ARGUMENT...]", "", "");
		end(EXIT_USAGE);
	}
	sys(SYS_prctl, PR_SET_NAME, (long)"arnia-init", 0, 0);
	sys(SYS_rt_sigaction, SIGCHLD, (long)&dfl, 0, sizeof(kmask));
	mask = set_mask(ALL_SIGNALS);
	/* As vfork(2): a copy of our memory, for the few calls before execve, would cost more than they do. The child
	 * uses our stack below this frame, and changes nothing in it. */
	program = (int)sys(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0);
	if (program == 0)
		run_program(&rq, mask);
	if (rq.report >= 0)
		sys(SYS_close, rq.report, 0, 0, 0);
	if (program < 0) {
		say("fork: ", exec_error_text(program), "");
		end(EXIT_FAILED);
	}
	for (;;) {
		long sig = sys(SYS_rt_sigtimedwait, (long)&all, 0, 0, sizeof(all));

		if (sig == SIGCHLD)
			reap(program);
		else if (sig > 0)
			sys(SYS_kill, rq.group ? -program : program, sig, 0, 0);
	}
}

INIT_ENTRY;
