/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"

#define STAT_FIELD_STATE 3
#define STAT_FIELD_FLAGS 9
#define STAT_FIELD_START 22
#define STAT_FIELD_EXIT 52
#define PF_EXITING 0x4 /* include/linux/sched.h: shown, but in no header for programs */

void pidref_done(struct pidref *p)
{
	fd_close(&p->fd);
	*p = PIDREF_NONE;
}

int proc_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	/* A number that only a process group or a session has any more: older kernels say EINVAL (Linux 6.1). */
	if (fd < 0 && errno == EINVAL && pid > 0)
		return -ESRCH;
	return fd < 0 ? -errno : (int)fd;
}

pid_t proc_pid_of(int pidfd)
{
	auto_free char *info = NULL;
	char path[48];
	const char *at;
	int pid, r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = (int)file_read_at(AT_FDCWD, path, 4096, &info, NULL);
	if (r < 0)
		return r;
	at = strstr(info, "\nPid:");
	return at && sscanf(at, "\nPid: %d", &pid) == 1 && pid > 0 ? pid : -ESRCH;
}

static int send_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int pidref_open(pid_t pid, uint64_t start, struct pidref *ret)
{
	auto_fd int fd = proc_pidfd_open(pid);
	uint64_t found;
	int r;

	if (fd < 0)
		return fd;
	r = proc_start_time(pid, &found);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	if (start && found != start)
		return -ESRCH;
	/* Still not reaped: so what was read belonged to this process and not to the pid's next owner. */
	r = send_signal(fd, 0);
	if (r < 0 && r != -EPERM)
		return r;
	*ret = (struct pidref){ .pid = pid, .fd = fd_steal(&fd), .start = found };
	return 0;
}

int pidref_kill(const struct pidref *p, int sig)
{
	return p->fd < 0 ? -ESRCH : send_signal(p->fd, sig);
}

bool pidref_alive(const struct pidref *p)
{
	struct pollfd pf = { .fd = p->fd, .events = POLLIN };

	return p->fd >= 0 && poll(&pf, 1, 0) == 0;
}

/* /proc/PID/stat from field 3, the state, on: the second is the command in parentheses and may hold anything, even ") ". */
static int read_stat(pid_t pid, char text[1024], char **ret)
{
	char path[32], *end;
	auto_fd int fd = -1;
	long n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, text, 1023);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return -EIO;
	*ret = end + 2;
	return 0;
}

static int stat_number(const char *at, int field, uint64_t *ret)
{
	char *end;
	uint64_t v;

	for (int i = STAT_FIELD_STATE; at && i < field; i++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	v = at ? strtoull(at, &end, 10) : 0;
	if (!at || end == at)
		return -EIO;
	*ret = v;
	return 0;
}

int proc_start_time(pid_t pid, uint64_t *ret)
{
	char text[1024], *at;
	int r = read_stat(pid, text, &at);

	return r < 0 ? r : stat_number(at, STAT_FIELD_START, ret);
}

bool proc_is_ending(pid_t pid)
{
	uint64_t flags;
	char text[1024], *at;

	if (read_stat(pid, text, &at) < 0)
		return true;
	return stat_number(at, STAT_FIELD_FLAGS, &flags) == 0 && flags & PF_EXITING;
}

/* The kernel writes 0 for the status to who may not trace the process: whether we may is what the link to its namespace tells. */
static bool may_trace(pid_t pid)
{
	char path[40], to[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return readlink(path, to, sizeof(to)) > 0;
}

static bool zombie_status(const struct pidref *p, int *ret)
{
	uint64_t start, status;
	char text[1024], *at;

	if (!may_trace(p->pid) || read_stat(p->pid, text, &at) < 0 || *at != 'Z' ||
	    stat_number(at, STAT_FIELD_START, &start) < 0 || (p->start && start != p->start) ||
	    stat_number(at, STAT_FIELD_EXIT, &status) < 0)
		return false;
	*ret = (int)status;
	return true;
}

int pidref_wait_status(const struct pidref *p, int *ret)
{
	struct pidfd_info info = { .mask = PIDFD_INFO_EXIT };

	if (zombie_status(p, ret))
		return 0;
	if (p->fd < 0 || ioctl(p->fd, PIDFD_GET_INFO, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT))
		return -ENODATA;
	*ret = info.exit_code;
	return 0;
}

static void fill_args(const struct proc_clone *c, struct clone_args *a, int *pidfd)
{
	a->flags = c->flags;
	a->exit_signal = (uint64_t)c->exit_signal;
	if (c->ret_pidfd) {
		a->flags |= CLONE_PIDFD;
		a->pidfd = (uint64_t)(uintptr_t)pidfd;
	}
	if (c->cgroup_fd >= 0) {
		a->flags |= CLONE_INTO_CGROUP;
		a->cgroup = (uint64_t)c->cgroup_fd;
	}
}

static long call_clone3(struct clone_args *a)
{
	long pid = syscall(SYS_clone3, a, sizeof(*a));

	return pid < 0 ? -errno : pid;
}

pid_t proc_clone3(const struct proc_clone *c)
{
	struct clone_args args = { 0 };
	int pidfd = -1;
	long pid;

	fill_args(c, &args, &pidfd);
	pid = call_clone3(&args);
	if (pid > 0 && c->ret_pidfd)
		*c->ret_pidfd = pidfd;
	return (pid_t)pid;
}

int proc_stack_new(size_t size, struct proc_stack *ret)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *low = mmap(NULL, size + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (low == MAP_FAILED)
		return -errno;
	if (mprotect(low + page, size, PROT_READ | PROT_WRITE) < 0) {
		int r = -errno;

		munmap(low, size + page);
		return r;
	}
	*ret = (struct proc_stack){ .low = low + page, .size = size };
	return 0;
}

void proc_stack_free(struct proc_stack *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (s->low)
		munmap((char *)s->low - page, s->size + page);
	*s = (struct proc_stack){ 0 };
}

/* The child comes back on an empty stack, where no C function could return: it calls fn and exits. It may still read the
 * caller's registers, never the caller's frame. */
#if !defined(__SANITIZE_ADDRESS__) && defined(__x86_64__)
static long call_on_stack(struct clone_args *a, int (*fn)(void *), void *arg)
{
	register long r8 __asm__("r8") = (long)fn;
	register long r9 __asm__("r9") = (long)arg;
	long ret;

	__asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%ebp, %%ebp\n\tmov %%r9, %%rdi\n\t"
			 "call *%%r8\n\tmov %%eax, %%edi\n\tmov %[exit], %%eax\n\tsyscall\n1:"
			 : "=a"(ret)
			 : "a"(SYS_clone3), "D"(a), "S"(sizeof(*a)), "r"(r8), "r"(r9), [exit] "i"(SYS_exit_group)
			 : "rcx", "r11", "memory", "cc");
	return ret;
}
#elif !defined(__SANITIZE_ADDRESS__) && defined(__aarch64__)
static long call_on_stack(struct clone_args *a, int (*fn)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone3;
	register long x0 __asm__("x0") = (long)a;
	register long x1 __asm__("x1") = sizeof(*a);
	register long x3 __asm__("x3") = (long)fn;
	register long x4 __asm__("x4") = (long)arg;

	__asm__ volatile("svc #0\n\tcbnz x0, 1f\n\tmov x29, xzr\n\tmov x0, x4\n\tblr x3\n\t"
			 "mov x8, %[exit]\n\tsvc #0\n1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x3), "r"(x4), [exit] "i"(SYS_exit_group)
			 : "memory", "cc");
	return x0;
}
#else
static long call_on_stack(struct clone_args *a, int (*fn)(void *), void *arg)
{
	long pid;

	a->flags &= ~(uint64_t)CLONE_VM;
	a->stack = a->stack_size = 0;
	pid = call_clone3(a);
	if (pid == 0)
		_exit(fn(arg));
	return pid;
}
#endif

pid_t proc_spawn(const struct proc_clone *c, const struct proc_stack *s, int (*fn)(void *), void *arg)
{
	struct clone_args args = { .stack = (uint64_t)(uintptr_t)s->low, .stack_size = s->size };
	int pidfd = -1;
	long pid;

	fill_args(c, &args, &pidfd);
	pid = call_on_stack(&args, fn, arg);
	if (pid > 0 && c->ret_pidfd)
		*c->ret_pidfd = pidfd;
	return (pid_t)pid;
}

int proc_boot_id(char out[37])
{
	auto_fd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[37];
	long n;

	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, text, 36);
	if (n != 36)
		return n < 0 ? (int)n : -EIO;
	text[36] = '\0';
	memcpy(out, text, sizeof(text));
	return 0;
}

int proc_self_dir(char *buf, size_t size)
{
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(path))
		return -ENAMETOOLONG;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	/* A program in "/" itself. */
	slash[slash == path] = '\0';
	if (strlen(path) >= size)
		return -ENAMETOOLONG;
	memcpy(buf, path, strlen(path) + 1);
	return 0;
}

int proc_raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	lim.rlim_cur = lim.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &lim) < 0 ? -errno : 0;
}
