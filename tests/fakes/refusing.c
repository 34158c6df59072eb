/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *	refusing NUMBER[,NUMBER...] PROGRAM [ARG...]
 *
 * Run a program, and all that it runs, on a kernel that has not these system calls: each is ENOSYS. For static programs, which no
 * LD_PRELOAD reaches.
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 16

int main(int argc, char **argv)
{
	struct sock_filter f[2 * CALLS_MAX + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog prog = {.filter = f};
	unsigned short n = 1;

	if (argc < 3)
		errx(2, "refusing NUMBER[,NUMBER...] PROGRAM [ARG...]");
	for (char *at = strtok(argv[1], ","); at && n < 2 * CALLS_MAX; at = strtok(NULL, ",")) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(at), 0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = n;
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err(2, "no_new_privs");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		err(2, "seccomp");
	execv(argv[2], argv + 2);
	err(127, "%s", argv[2]);
}
