/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Becoming the keeper: one per instance, detached from whoever started it, hard to kill by accident. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/sock.h"
#include "lib/base/str.h"

#define LOG_MAX (1024 * 1024)
#define OOM_SCORE "-900"
#define INIT_MAX (4 * 1024 * 1024)
#define GROUP_FILE_MAX (1024 * 1024)

static int lock_start(int fd, short type)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLKW, &range) < 0 ? -errno : 0;
}

/*
 * Two locks on one file: flock(2) for life says who is the keeper; a byte range while starting, which
 * late-comers wait for, so that "another one serves" is true when it is said.
 */
int setup_lock(struct keeper *k, struct error *err)
{
	auto_free char *path = str_fmt("%s/keeper.lock", k->in.run);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : lock_start(fd, F_WRLCK);

	if (r < 0)
		return err_sys(err, r, "lock %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(err, -errno, "lock %s", path);
	k->fd.lock = fd_steal(&fd);
	return 1;
}

void setup_unlock_start(struct keeper *k)
{
	lock_start(k->fd.lock, F_UNLCK);
}

static int open_log(const struct keeper *k)
{
	auto_free char *path = str_fmt("%s/log/keeper.log", k->in.run);
	auto_fd int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 || dup2(fd, STDERR_FILENO) < 0 ? -errno : 0;
}

void setup_rotate_log(const struct keeper *k)
{
	auto_free char *path = str_fmt("%s/log/keeper.log", k->in.run);
	auto_free char *old = str_fmt("%s.1", path);
	struct stat st;

	if (k->foreground || fstat(STDERR_FILENO, &st) < 0 || st.st_size <= LOG_MAX)
		return;
	if (rename(path, old) == 0)
		open_log(k);
}

/* The parent's part: 0 when the child said it is ready. */
static void wait_ready(int fd) __attribute__((noreturn));
static void wait_ready(int fd)
{
	char byte;

	_exit(read(fd, &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

int setup_daemonise(struct keeper *k, int ready_fd, struct error *err)
{
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pipe_fds[2] = { -1, -1 };
	pid_t pid;
	int r;

	if (null < 0 || (ready_fd < 0 && pipe2(pipe_fds, O_CLOEXEC) < 0))
		return err_sys(err, -errno, "detach from the caller");
	pid = fork();
	if (pid < 0)
		return err_sys(err, -errno, "fork");
	if (pid > 0) {
		fd_close(&pipe_fds[1]);
		if (ready_fd >= 0)
			_exit(EXIT_SUCCESS);
		wait_ready(pipe_fds[0]);
	}
	fd_close(&pipe_fds[0]);
	setsid();
	r = open_log(k);
	if (r < 0)
		return err_sys(err, r, "open the keeper's log");
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || chdir("/") < 0)
		return err_sys(err, -errno, "detach from the caller");
	return ready_fd >= 0 ? ready_fd : pipe_fds[1];
}

static int open_cgroup_root(void)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_fd int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && path_fd_is_fs(fd, CGROUP2_SUPER_MAGIC))
			return fd_steal(&fd);
	}
	return -ENOENT;
}

/* Our own cgroup as a service, "" when we are none. */
static int service_cgroup(char **ret)
{
	auto_free char *text = NULL;
	char *line;
	long n;

	*ret = str_dup("");
	if (!getenv("NOTIFY_SOCKET") && !getenv("INVOCATION_ID"))
		return 0;
	n = file_read_at(AT_FDCWD, "/proc/self/cgroup", 65536, &text, NULL);
	if (n < 0)
		return (int)n;
	line = strstr(text, "0::/");
	if (!line || !line[4] || line[4] == '\n')
		return 0;
	line[strcspn(line, "\n")] = '\0';
	free(*ret);
	*ret = str_dup(line + 4);
	return 0;
}

static bool is_cgroup(int root, const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Where our branch is made. A service NAME.service is given the unit NAME-machines.service, with nothing in it: below
 * its own cgroup no controller could be enabled without keeping systemd from starting it again (no process may be where
 * controllers are handed on). Without such a unit: its own (Delegate=yes). Without a service: the top, for the caller's
 * cgroup belongs to a login and is killed with it.
 */
static int choose_branch(const struct keeper *k, int root, const char *name, char **ret)
{
	auto_free char *own = NULL;
	auto_free char *beside = NULL;
	int r = k->foreground ? service_cgroup(&own) : 0;

	if (r < 0)
		return r;
	if (!own)
		own = str_dup("");
	if (str_ends(own, ".service")) {
		beside = str_fmt("%.*s-machines.service", (int)(strlen(own) - strlen(".service")), own);
		if (!is_cgroup(root, beside)) {
			free(beside);
			beside = NULL;
		}
	}
	*ret = str_fmt("%s%s%s", beside ? beside : own, own[0] ? "/" : "", name);
	return 0;
}

static bool ends_in(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return str_eq(slash ? slash + 1 : path, name);
}

/* What runs does not move: where an earlier keeper of ours had it, it stays. A link remembers the path: made at once or
 * not at all. */
static int find_branch(const struct keeper *k, int root, char **ret)
{
	auto_free char *link = str_fmt("%s/cgroup", k->in.run);
	auto_free char *path = NULL;
	struct instance_ids ids;
	char kept[PATH_MAX];
	ssize_t n = readlink(link, kept, sizeof(kept) - 1);
	int r;

	instance_ids(&k->in, &ids);
	kept[MAX(n, 0)] = '\0';
	if (n > 0 && ends_in(kept, ids.cgroup) && is_cgroup(root, kept)) {
		*ret = str_dup(kept);
		return 0;
	}
	r = choose_branch(k, root, ids.cgroup, &path);
	if (r < 0)
		return r;
	if (mkdirat(root, path, 0755) < 0 && errno != EEXIST)
		return -errno;
	unlink(link);
	if (symlink(path, link) < 0)
		return -errno;
	*ret = ptr_steal(&path);
	return 0;
}

/* The branch with the leaves keeper/ (we move there) and daemon/ (for arniad). */
static int join_cgroup(const struct keeper *k)
{
	auto_free char *path = NULL;
	auto_fd int root = open_cgroup_root(), branch = -1;
	int r = root < 0 ? root : find_branch(k, root, &path);

	if (r < 0)
		return r;
	branch = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (branch < 0 || (mkdirat(branch, "keeper", 0755) < 0 && errno != EEXIST) ||
	    (mkdirat(branch, "daemon", 0755) < 0 && errno != EEXIST))
		return -errno;
	/* "0" is the writer itself (cgroup-v2.rst, cgroup.procs). */
	r = file_write_ctl_at(branch, "keeper/cgroup.procs", CGROUP2_SUPER_MAGIC, "0", NULL);
	return r < 0 ? r : fd_steal(&branch);
}

int setup_hold_cgroup(void)
{
	auto_free char *own = NULL;
	auto_fd int root = open_cgroup_root(), fd = -1;
	int r = root < 0 ? root : service_cgroup(&own);

	if (r < 0)
		return r;
	fd = own[0] ? openat(root, own, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return own[0] ? -errno : -ENOENT;
	if (mkdirat(fd, "hold", 0755) < 0 && errno != EEXIST)
		return -errno;
	return file_write_ctl_at(fd, "hold/cgroup.procs", CGROUP2_SUPER_MAGIC, "0", NULL);
}

/* One level up; where that hands controllers on, only the top takes processes. */
static bool go_up(const struct keeper *k)
{
	auto_fd int root = open_cgroup_root();

	return file_write_ctl_at(k->fd.cgroup, "../cgroup.procs", CGROUP2_SUPER_MAGIC, "0", NULL) == 0 ||
	       (root >= 0 && file_write_ctl_at(root, "cgroup.procs", CGROUP2_SUPER_MAGIC, "0", NULL) == 0);
}

void setup_leave_cgroup(struct keeper *k)
{
	struct instance_ids ids;

	if (k->fd.cgroup < 0)
		return;
	instance_ids(&k->in, &ids);
	if (!go_up(k))
		return;
	if (unlinkat(k->fd.cgroup, "daemon", AT_REMOVEDIR) == 0 &&
	    unlinkat(k->fd.cgroup, "keeper", AT_REMOVEDIR) == 0) {
		/* rmdir does not take "." */
		auto_free char *name = str_fmt("../%s", ids.cgroup);
		auto_free char *link = str_fmt("%s/cgroup", k->in.run);

		/* nothing runs in it any more: the slot is free for another instance */
		if (unlinkat(k->fd.cgroup, name, AT_REMOVEDIR) == 0) {
			unlink(link);
			instance_release(&k->in);
		}
	}
}

void setup_process(struct keeper *k)
{
	int r;

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		log_warn("become a subreaper: %s", strerror(errno));
	r = file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, OOM_SCORE, NULL);
	if (r < 0)
		log_info("oom_score_adj stays: %s", strerror(-r));
	k->fd.cgroup = join_cgroup(k);
	if (k->fd.cgroup < 0)
		log_warn("no cgroup of our own: %s", strerror(-k->fd.cgroup));
	inherit_reset_scheduling(); /* with the processors of that cgroup */
}

static int open_init(const struct keeper *k, struct error *err)
{
	auto_free char *path = str_fmt("%s/arnia-init", k->in.lib);
	auto_free char *bytes = NULL;
	long n = file_read_at(AT_FDCWD, path, INIT_MAX, &bytes, err);
	int fd = n < 0 ? (int)n : fd_memfd_sealed("arnia-init", bytes, (size_t)n);

	return n >= 0 && fd < 0 ? err_sys(err, fd, "copy %s", path) : fd;
}

static int open_dir(const char *base, const char *name, struct error *err)
{
	auto_free char *path = str_fmt("%s/%s", base, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, -errno, "open %s", path) : fd;
}

int setup_descriptors(struct keeper *k, struct error *err)
{
	k->fd.containers = open_dir(k->in.state, "containers", err);
	if (k->fd.containers < 0)
		return k->fd.containers;
	k->fd.exits = open_dir(k->in.run, "exit", err);
	if (k->fd.exits < 0)
		return k->fd.exits;
	k->fd.init = open_init(k, err);
	return MIN(k->fd.init, 0);
}

int setup_listen_keeper(struct keeper *k, struct error *err)
{
	auto_free char *path = str_fmt("%s/keeper.sock", k->in.run);

	k->fd.keeper_sock = sock_listen(path, SOCK_SEQPACKET, 0600, err);
	return MIN(k->fd.keeper_sock, 0);
}

/* group(5) line "arnia:x:GID:". A static program has no NSS, so only the file is asked. */
static int find_group(gid_t *ret)
{
	auto_free char *text = NULL;
	uint32_t gid;
	char *line;
	long n = file_read_at(AT_FDCWD, "/etc/group", GROUP_FILE_MAX, &text, NULL);

	if (n < 0)
		return (int)n;
	for (line = text; line && !str_starts(line, "arnia:");
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		;
	line = line ? strchr(line + strlen("arnia:"), ':') : NULL;
	if (!line)
		return -ENOENT;
	line[1 + strcspn(line + 1, ":\n")] = '\0';
	if (parse_u32(line + 1, &gid) < 0)
		return -ENOENT;
	*ret = gid;
	return 0;
}

int setup_listen_clients(struct keeper *k, struct error *err)
{
	auto_free char *path = str_fmt("%s/arnia.sock", k->in.run);
	auto_fd int fd = sock_listen(path, SOCK_STREAM, 0600, err);
	gid_t gid = 0;

	if (fd < 0)
		return fd;
	/* Opened to the group only once it is the group's. */
	if (find_group(&gid) == 0 && (lchown(path, 0, gid) < 0 || chmod(path, 0660) < 0))
		return err_sys(err, -errno, "give %s to the group arnia", path);
	k->fd.client_sock = fd_steal(&fd);
	return 0;
}
