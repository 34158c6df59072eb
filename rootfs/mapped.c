/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootfs/internal.h"

/* Lives as long as the writing end of its pipe is open. */
static _Noreturn void hold(int go[2])
{
	char byte;

	close(go[1]);
	_exit(read(go[0], &byte, 1) < 0);
}

static int write_map(int proc, const char *name, const struct id_map *v, size_t n, struct error *err)
{
	struct strbuf text = { 0 };
	int r;

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%u %u %u\n", v[i].inside, v[i].outside, v[i].count);
	r = file_write_ctl_at(proc, name, PROC_SUPER_MAGIC, strbuf_cstr(&text), err);
	strbuf_done(&text);
	return r;
}

static int fill_userns(int pidfd, const struct mount_item *m, struct error *err)
{
	/* We may be in a pid namespace that /proc is not of. */
	pid_t pid = proc_pid_of(pidfd);
	auto_fd int proc = -1, fd = -1;
	char path[32];
	int r;

	if (pid < 0)
		return err_sys(err, pid, "find the process that holds the id maps of %s", m->source);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || !path_fd_is_fs(proc, PROC_SUPER_MAGIC))
		return err_sys(err, proc < 0 ? -errno : -EXDEV, "open %s", path);
	r = write_map(proc, "uid_map", m->uid_maps.v, m->uid_maps.n, err);
	if (r == 0)
		r = write_map(proc, "gid_map", m->gid_maps.v, m->gid_maps.n, err);
	if (r < 0)
		return err_prefix(err, "id maps of %s", m->source), r;
	fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, -errno, "open the id maps of %s", m->source) : fd_steal(&fd);
}

int mapped_userns(const struct mount_item *m, struct error *err)
{
	auto_fd int pidfd = -1;
	const struct proc_clone c = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &pidfd };
	int go[2], r;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(err, -errno, "pipe");
	pid = proc_clone3(&c);
	if (pid == 0)
		hold(go);
	r = pid < 0 ? err_sys(err, (int)pid, "make a user namespace for %s", m->source)
		    : fill_userns(pidfd, m, err);
	close(go[0]);
	close(go[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
