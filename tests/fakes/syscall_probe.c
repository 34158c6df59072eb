/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which system calls answer here? Each number, and some calls whose arguments matter, in a child of its own,
 * with arguments that do nothing: one line "NAME NUMBER RESULT" each, RESULT being "ok", an errno's name,
 * "signal N" or "blocks". Numbers and names are those of x86-64; elsewhere nothing is probed. Tests include
 * this file with PROBE_NO_MAIN.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/fakes/syscall_names.h"

#define PROBE_NUMBERS (sizeof(syscall_names) / sizeof(syscall_names[0]))
#define PROBE_BLOCKED_MS 150

struct probe {
	const char *name; /* NULL: the call's own */
	unsigned nr;
	enum { BY_SYSCALL, BY_INT80 } by;
	long args[6];
};
struct probe_result {
	int done, value; /* value: 0 or an errno */
	int status;	 /* of the child when !done */
};

#define X32 0x40000000u
#define HIGH (1L << 32) /* outside the 32 bits that the kernel looks at */
static const struct probe special[] = {
	{ "socket:unix", 41, BY_SYSCALL, { 1, 1 } },
	{ "socket:inet", 41, BY_SYSCALL, { 2, 1 } },
	{ "socket:inet6", 41, BY_SYSCALL, { 10, 2 } },
	{ "socket:netlink", 41, BY_SYSCALL, { 16, 3 } },
	{ "socket:packet", 41, BY_SYSCALL, { 17, 2 } },
	{ "socket:alg", 41, BY_SYSCALL, { 38, 5 } },
	{ "socket:alg+high", 41, BY_SYSCALL, { HIGH | 38, 5 } },
	{ "socket:vsock", 41, BY_SYSCALL, { 40, 1 } },
	{ "socket:vsock+high", 41, BY_SYSCALL, { HIGH | 40, 1 } },
	{ "socket:key", 41, BY_SYSCALL, { 15, 3, 2 } },
	{ "socketpair:tipc", 53, BY_SYSCALL, { 30, 1 } },
	{ "ioctl:TIOCSTI", 16, BY_SYSCALL, { -1, 0x5412 } },
	{ "ioctl:TIOCSTI+high", 16, BY_SYSCALL, { -1, HIGH | 0x5412 } },
	{ "ioctl:TIOCLINUX", 16, BY_SYSCALL, { -1, 0x541c } },
	{ "ioctl:TIOCLINUX+high", 16, BY_SYSCALL, { -1, HIGH | 0x541c } },
	{ "ioctl:TIOCGWINSZ", 16, BY_SYSCALL, { -1, 0x5413 } },
	{ "personality:PER_LINUX", 135, BY_SYSCALL, { 0 } },
	{ "personality:PER_LINUX32", 135, BY_SYSCALL, { 8 } },
	{ "personality:ADDR_NO_RANDOMIZE", 135, BY_SYSCALL, { 0x40000 } },
	{ "personality:READ_IMPLIES_EXEC", 135, BY_SYSCALL, { 0x400000 } },
	{ "clone:newuser", 56, BY_SYSCALL, { CLONE_NEWUSER | SIGCHLD } },
	{ "clone:newns", 56, BY_SYSCALL, { CLONE_NEWNS | SIGCHLD } },
	{ "clone:newnet", 56, BY_SYSCALL, { CLONE_NEWNET | SIGCHLD } },
	{ "clone:newcgroup", 56, BY_SYSCALL, { CLONE_NEWCGROUP | SIGCHLD } },
	{ "unshare:files", 272, BY_SYSCALL, { CLONE_FILES } },
	{ "unshare:newuser", 272, BY_SYSCALL, { CLONE_NEWUSER } },
	{ "unshare:newtime", 272, BY_SYSCALL, { 0x80 } },
	{ "mknod:fifo", 133, BY_SYSCALL, { -1, 0010600 } },
	{ "mknod:char", 133, BY_SYSCALL, { -1, 0020600, 259 } },
	{ "mknodat:fifo", 259, BY_SYSCALL, { -1, -1, 0010600 } },
	{ "mknodat:block", 259, BY_SYSCALL, { -1, -1, 0060600, 2048 } },
	{ "int80:getpid", 20, BY_INT80, { 0 } },
	{ "int80:socketcall", 102, BY_INT80, { 1 } },
	{ "x32:getpid", X32 | 39, BY_SYSCALL, { 0 } },
	{ "x32:read", X32 | 0, BY_SYSCALL, { -1 } },
	{ "x32:execve", X32 | 520, BY_SYSCALL, { -1 } },
	{ "number:-1", (unsigned)-1, BY_SYSCALL, { 0 } },
	{ "number:600", 600, BY_SYSCALL, { 0 } },
};
#define PROBE_SPECIALS (sizeof(special) / sizeof(special[0]))
#define PROBE_COUNT (PROBE_NUMBERS + PROBE_SPECIALS)

/* Everything invalid, but where that would ask about something else than the bare call. */
static const struct probe overrides[] = {
	{ NULL, SYS_kill, BY_SYSCALL, { 0x7ffffff0, 0 } },
#ifdef __x86_64__
	{ NULL, SYS_msgget, BY_SYSCALL, { 0x7ffffff0, 0 } }, /* it would stay */
	{ NULL, SYS_clone, BY_SYSCALL, { SIGCHLD } },
	{ NULL, SYS_socket, BY_SYSCALL, { 1, -1, -1 } },
	{ NULL, SYS_socketpair, BY_SYSCALL, { 1, -1, -1, -1 } },
	{ NULL, SYS_unshare, BY_SYSCALL, { 0 } },
	{ NULL, SYS_mknod, BY_SYSCALL, { -1, 0010600, 0 } },
	{ NULL, SYS_mknodat, BY_SYSCALL, { -1, -1, 0010600, 0 } },
#endif
};

static struct probe probe_at(size_t i)
{
	struct probe p = { .nr = (unsigned)i, .args = { -1, -1, -1, -1, -1, -1 } };

	if (i >= PROBE_NUMBERS)
		return special[i - PROBE_NUMBERS];
	for (size_t j = 0; j < sizeof(overrides) / sizeof(overrides[0]); j++)
		if (overrides[j].nr == i)
			p = overrides[j];
	p.name = syscall_names[i];
	return p;
}

/* Inline, so that vfork's child does not return from a function that its parent is still in. */
static inline __attribute__((always_inline)) long probe_call(const struct probe *p)
{
#ifdef __x86_64__
	register long a1 asm("rdi") = p->args[0];
	register long a2 asm("rsi") = p->args[1];
	register long a3 asm("rdx") = p->args[2];
	register long a4 asm("r10") = p->args[3];
	register long a5 asm("r8") = p->args[4];
	register long a6 asm("r9") = p->args[5];
	long r;

	if (p->by == BY_INT80) {
		asm volatile("int $0x80"
			     : "=a"(r)
			     : "a"((long)p->nr), "b"(p->args[0]), "c"(p->args[1])
			     : "memory");
		return (int)r;
	}
	asm volatile("syscall"
		     : "=a"(r), "+r"(a3)
		     : "a"((long)p->nr), "r"(a1), "r"(a2), "r"(a4), "r"(a5), "r"(a6)
		     : "rcx", "r11", "memory");
	return r;
#else
	(void)p;
	return -ENOSYS;
#endif
}

static void probe_child(const struct probe *p, struct probe_result *ret)
{
	struct itimerval limit = { .it_value = { 0, PROBE_BLOCKED_MS * 1000 } };
	pid_t self = getpid();
	long r;

	setsid(); /* vhangup(2) finds no terminal */
	for (int i = 1; i < 32; i++)
		signal(i, SIG_DFL);
	setitimer(ITIMER_REAL, &limit, NULL);
	r = probe_call(p);
	/* Forks: the copy has nothing to say. vfork's copy shares our memory, so it must not even store. */
	if (r == 0 && getpid() != self)
		_exit(0);
	ret->value = r < 0 && r > -4096 ? (int)-r : 0;
	ret->done = 1;
	_exit(0);
}

/* All probes; results[PROBE_COUNT] is memory shared with children. */
static void probe_all(volatile struct probe_result *results)
{
	for (size_t i = 0; i < PROBE_COUNT; i++) {
		struct probe p = probe_at(i);
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			probe_child(&p, (struct probe_result *)&results[i]);
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			status = -1;
		results[i].status = status;
	}
}

static const char *probe_text(const struct probe_result *r, char *buf, size_t size)
{
	if (r->done)
		snprintf(buf, size, "%s", r->value ? strerrorname_np(r->value) : "ok");
	else if (r->status >= 0 && WIFSIGNALED(r->status) && WTERMSIG(r->status) == SIGALRM)
		snprintf(buf, size, "blocks");
	else if (r->status >= 0 && WIFSIGNALED(r->status))
		snprintf(buf, size, "signal %d", WTERMSIG(r->status));
	else
		snprintf(buf, size, "ok"); /* exit and its like */
	return buf;
}

static struct probe_result *probe_memory(void)
{
	void *p = mmap(NULL, PROBE_COUNT * sizeof(struct probe_result), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

#ifndef PROBE_NO_MAIN
int main(void)
{
	struct probe_result *results = probe_memory();
	char text[64];

	if (!results)
		return 1;
	probe_all(results);
	for (size_t i = 0; i < PROBE_COUNT; i++)
		printf("%s %u %s\n", probe_at(i).name, probe_at(i).nr,
		       probe_text(&results[i], text, sizeof(text)));
	return 0;
}
#endif
