/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"

#define STAT_FIELD_STATE 3
#define STAT_FIELD_START 22
#define STAT_FIELD_EXIT 52

void pidref_done(struct pidref *p)
{
	fd_close(&p->fd);
	*p = PIDREF_NONE;
}

int proc_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
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

pid_t proc_clone3(const struct proc_clone *c)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = c->flags,
		.exit_signal = (uint64_t)c->exit_signal,
	};
	long pid;

	if (c->ret_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	}
	if (c->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->cgroup_fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
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
