/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker, as arnia-oci sees it: how it comes into being, what it is sent, how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cmd/arnia-oci/idmap.h"
#include "cmd/arnia-oci/work.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/frame.h"
#include "lib/base/kproto.h"
#include "lib/base/proc.h"
#include "lib/sandbox/sandbox.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int copy_self(int to)
{
	auto_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (self < 0 || fstat(self, &st) < 0)
		return -errno;
	for (off_t at = 0; at < st.st_size;) {
		ssize_t n = sendfile(to, self, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

/*
 * Our file through a mount of its own that is read-only, and is in no mount namespace: opened for writing through /proc/PID/exe
 * it is EROFS, and it can neither be remounted nor cloned by another (mount_setattr(2): "not mounted in the caller's namespace").
 */
static int locked_self(void)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	auto_fd int fd = -1;
	struct stat a, b;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	/* Replaced meanwhile, by an upgrade: what runs is another file. */
	if (fd < 0 || fstat(fd, &a) < 0 || stat("/proc/self/exe", &b) < 0)
		return -errno;
	if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return -ESTALE;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &ro, sizeof(ro)) < 0)
		return -errno;
	return fd_steal(&fd);
}

/* Else a copy. */
static int copied_self(struct error *err)
{
	auto_fd int fd = memfd_create("arnia-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : copy_self(fd);

	return r < 0 ? err_sys(err, r, "copy the program to memory") : fd_steal(&fd);
}

static int sealed_self(struct error *err)
{
	int fd = locked_self();

	return fd >= 0 ? fd : copied_self(err);
}

/* Root of that user namespace could write to our file: its owner is one of those inside, or others than the owner may. Maps that are
 * not known may have anybody. */
static bool is_within_reach(const struct sandbox_config *s)
{
	struct stat st;

	if (!s->uid_maps.n || stat("/proc/self/exe", &st) < 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return true;
	for (size_t i = 0; i < s->uid_maps.n; i++)
		if (st.st_uid >= s->uid_maps.v[i].outside && st.st_uid - s->uid_maps.v[i].outside < s->uid_maps.v[i].count)
			return true;
	return false;
}

/* In the child. */
static void become_sealed(int program, int sock, uint32_t preserve)
{
	const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", fail_at_setting(), NULL };
	char argument[32];
	char *const argv[] = { "arnia-oci", argument, NULL };

	snprintf(argument, sizeof(argument), WORK_ARGUMENT "%d", sock);
	for (int fd = 3; fd < 3 + (int)preserve; fd++)
		fd_cloexec(fd, false);
	if (fd_cloexec(sock, false) == 0)
		execveat(program, "", argv, (char *const *)env, AT_EMPTY_PATH);
	_exit(ERR_FAILED);
}

/* A plain user's own program is that of root inside, who is the same user. Where it is not, or is sealed already, nothing happens. */
int work_seal_self(char **argv, char **env, struct error *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	auto_fd int self = geteuid() != 0 ? open("/proc/self/exe", O_RDONLY | O_CLOEXEC) : -1, sealed = -1;
	struct stat st;

	if (self < 0 || n <= 0 || fstat(self, &st) < 0 || (st.st_uid != geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH))) ||
	    fcntl(self, F_GET_SEALS) == SEALS)
		return 0;
	sealed = copied_self(err);
	if (sealed < 0)
		return sealed;
	/* Where the programs beside it are (scope_program). */
	path[n] = '\0';
	argv[0] = path;
	execveat(sealed, "", argv, env, AT_EMPTY_PATH);
	return err_sys(err, -errno, "execute the copy of the program in memory");
}

static void become_worker(const struct work_start *how, int program, int sock)
{
	if (program >= 0)
		become_sealed(program, sock, how->preserve_fds);
	if (how->how == WORK_JOIN && setns(how->target, CLONE_NEWUSER) < 0)
		_exit(ERR_FAILED);
	_exit(work_main(sock, how->how == WORK_USERNS || how->how == WORK_JOIN));
}

/*
 * Of a plain user: the worker is undumpable, which makes this file of its own root's (proc(5)), and root it is not. So it inherits
 * the score from us. To what it was it can always be lowered again.
 */
static int clone_with_score(const struct work_start *how, const struct proc_clone *clone, pid_t *ret, struct error *err)
{
	bool lend = how->how == WORK_USERNS || how->how == WORK_JOIN;
	struct sandbox_config own = { .oom_score_adj = INT32_MIN };
	int r = 0;

	if (lend && oom_score_own(&own.oom_score_adj) == 0)
		r = oom_score_apply(how->sandbox, err);
	if (r < 0)
		return r;
	*ret = proc_clone3(clone);
	if (*ret == 0)
		return 0;
	if (*ret < 0)
		err_sys(err, *ret, "clone a process");
	if (lend)
		(void)oom_score_apply(&own, NULL);
	return *ret < 0 ? *ret : 0;
}

int work_begin(const struct work_start *how, struct work *ret, struct error *err)
{
	bool seal = how->how == WORK_SEALED || (how->how == WORK_FORK && is_within_reach(how->sandbox));
	auto_fd int program = seal ? sealed_self(err) : -1, sock = -1, far = -1, pidfd = -1;
	struct proc_clone clone = { .flags = how->how == WORK_USERNS ? CLONE_NEWUSER : 0,
				    .exit_signal = SIGCHLD,
				    .cgroup_fd = -1,
				    .ret_pidfd = &pidfd };
	int s[2], r;
	pid_t pid;

	if (seal && program < 0)
		return program;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) < 0)
		return err_sys(err, -errno, "make a socket pair");
	sock = s[0];
	far = s[1];
	r = clone_with_score(how, &clone, &pid, err);
	if (r < 0)
		return r;
	if (pid == 0) {
		close(sock);
		become_worker(how, program, far);
	}
	*ret = (struct work){ .pid = pid, .pidfd = fd_steal(&pidfd), .sock = fd_steal(&sock) };
	if (how->how == WORK_USERNS)
		r = idmap_write_for(pid, how->sandbox, err);
	if (r < 0)
		work_end(ret);
	return r;
}

int work_send(const struct work *w, struct plan *p, int target, int start, int cgroup, struct error *err)
{
	auto_fd int plan = plan_write(p, err);
	const struct {
		uint32_t bit;
		int fd;
	} given[] = { { KP_FD_PLAN, plan }, { KP_FD_TARGET, target }, { KP_FD_START, start }, { KP_FD_CGROUP, cgroup } };
	struct kp_job job = { .kind = p->kind };
	int fds[ARRAY_SIZE(given)], r;
	size_t n = 0;

	if (plan < 0)
		return plan;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i].fd >= 0) {
			job.fds |= given[i].bit;
			fds[n++] = given[i].fd;
		}
	r = frame_send(w->sock, KP_MAGIC, KW_JOB, 0, &job, sizeof(job), fds, n);
	return r < 0 ? err_sys(err, r, "give the plan to the worker") : 0;
}

void work_end(struct work *w)
{
	siginfo_t si;

	if (w->pid > 0) {
		/* One that has answered is on its way out; another one waits for our word and sees the end of the socket. */
		fd_close(&w->sock);
		while (waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED) < 0 && errno == EINTR)
			;
	}
	fd_close(&w->pidfd);
	fd_close(&w->sock);
	*w = WORK_NONE;
}
