/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"

static char stack[256 * 1024] __attribute__((aligned(64)));

pid_t spawn(const struct floor *f, uint64_t flags, int cgroup, int (*fn)(void *), void *arg)
{
	struct clone_args a = {
		.flags = flags,
		.exit_signal = 17, /* SIGCHLD */
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	register void *r8 __asm__("r8") = (void *)fn;
	register void *r9 __asm__("r9") = arg;
	long ret;

	(void)f;
	if (cgroup >= 0) {
		a.flags |= CLONE_INTO_CGROUP;
		a.cgroup = (uint64_t)cgroup;
	}
	__asm__ volatile("syscall\n\ttest %%rax,%%rax\n\tjnz 1f\n\txor %%ebp,%%ebp\n\t"
			 "mov %%r9,%%rdi\n\tcall *%%r8\n\tmov %%eax,%%edi\n\t"
			 "mov $60,%%eax\n\tsyscall\n1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(&a), "S"(sizeof(a)), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if (ret < 0) {
		errno = (int)-ret;
		die("clone3");
	}
	return (pid_t)ret;
}

void reap(pid_t pid, const char *what)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status) {
		fprintf(stderr, "floor: %s: child status %#x\n", what, (unsigned)status);
		exit(1);
	}
}

void map_ids(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_file(path, "0 100000 65536");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_file(path, "0 100000 65536");
}
