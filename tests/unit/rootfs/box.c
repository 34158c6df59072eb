/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "tests/unit/rootfs/box.h"

/* ---- image ---- */

int box_setup(void **state)
{
	static const char *const dirs[] = { "image", "victim", "run" };
	struct box *b = mem_alloc(sizeof(*b));

	*state = b;
	b->fd = b->lower = b->root = b->master = b->slave = b->host = -1;
	if (geteuid() != 0)
		return 0;
	str_copy(b->dir, sizeof(b->dir), "/var/tmp/arnia-rootfs.XXXXXX");
	if (!mkdtemp(b->dir) || chmod(b->dir, 0755) < 0)
		return -1;
	b->fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		mkdirat(b->fd, dirs[i], 0755);
	b->lower = openat(b->fd, "image", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	strv_push(&b->arena, &b->c.lower, box_path(b, "image"));
	b->c.upper = box_path(b, "c1/upper");
	b->c.work = box_path(b, "c1/work");
	b->c.id_base = BOX_BASE;
	b->c.id_count = BOX_COUNT;
	return b->lower < 0 ? -1 : 0;
}

int box_teardown(void **state)
{
	struct box *b = *state;
	int r = 0;

	fd_close(&b->lower);
	fd_close(&b->fd);
	fd_close(&b->host);
	if (b->dir[0])
		r = path_rmtree_at(AT_FDCWD, b->dir);
	arena_done(&b->arena);
	free(b);
	return r;
}

struct box *box_plain(void **state)
{
	struct box *b = *state;

	if (b->fd < 0)
		skip();
	b->c.plain = true;
	b->c.upper = b->c.work = NULL;
	b->no_userns = true;
	return b;
}

void box_rootless(struct box *b)
{
	b->rootless = true;
	assert_int_equal(fchownat(b->fd, "image", BOX_BASE, BOX_BASE, 0), 0);
	assert_int_equal(fchownat(b->fd, "run", BOX_BASE, BOX_BASE, 0), 0);
}

static int place(struct box *b, const char *path)
{
	return path[0] == '/' ? AT_FDCWD : b->lower;
}

void box_mkdir(struct box *b, const char *path)
{
	assert_int_equal(mkdirat(place(b, path), path, 0755), 0);
}

void box_write(struct box *b, const char *path, const char *text, mode_t mode)
{
	auto_fd int fd = openat(place(b, path), path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

void box_link(struct box *b, const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, place(b, path), path), 0);
}

const char *box_path(struct box *b, const char *name)
{
	return arena_fmt(&b->arena, "%s/%s", b->dir, name);
}

void box_expect(struct box *b, const char *name, const char *text)
{
	auto_free char *got = NULL;

	assert_true(file_read_at(b->fd, name, 65536, &got, NULL) >= 0);
	assert_string_equal(got, text);
}

struct stat box_stat(struct box *b, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(b->fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

bool box_exists(struct box *b, const char *name)
{
	return faccessat(b->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void box_expect_empty(struct box *b, const char *name)
{
	int fd = openat(b->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			print_error("%s holds %s\n", name, e->d_name), n++;
	closedir(d);
	assert_int_equal(n, 0);
}

struct mount_item *box_bind(struct box *b, const char *source, const char *target, uint64_t flags)
{
	struct mount_item *m = arena_push(&b->arena, &b->c.mounts);

	*m = (struct mount_item){
		.kind = MOUNT_BIND, .source = source, .target = target, .flags = flags, .create = true
	};
	return m;
}

struct mount_item *box_fs(struct box *b, const char *fstype, const char *target, const char *data,
			  uint64_t flags)
{
	struct mount_item *m = arena_push(&b->arena, &b->c.mounts);

	*m = (struct mount_item){
		.fstype = fstype, .target = target, .data = data, .flags = flags, .create = true
	};
	return m;
}

/* ---- run ---- */

struct result {
	struct error err;
	char check[256];
	int code; /* 0 = all good */
};

static _Noreturn void finish(struct box *b, int report, int code)
{
	struct result res = { .err = b->err, .code = code };

	str_copy(res.check, sizeof(res.check), b->check);
	fd_write_all(report, &res, sizeof(res));
	_exit(code != 0);
}

static int guest_steps(struct box *b)
{
	struct rootfs_guest g = { .stage = -1, .root_mount = -1 };
	int r = rootfs_guest_private(&b->c, &b->err);

	if (r == 0)
		r = rootfs_guest_mount(&b->c, &g, &b->err);
	if (r < 0)
		return r;
	b->root = g.root_mount;
	if (b->console) {
		b->master = rootfs_guest_console(&b->c, b->root, 24, 80, &b->slave, &b->err);
		if (b->master < 0)
			return b->master;
	}
	r = b->no_pivot ? 0 : rootfs_guest_pivot(b->root, &b->err);
	if (r == 0 && !b->no_seal)
		r = rootfs_guest_seal(&b->c, &b->err);
	return r;
}

static _Noreturn void guest_main(struct box *b, int go, int report)
{
	char byte;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1)
		_exit(2);
	if ((!b->host_cgroups && unshare(CLONE_NEWCGROUP) < 0) || setresgid(0, 0, 0) < 0 ||
	    setresuid(0, 0, 0) < 0) {
		err_sys(&b->err, -errno, "become container root");
		finish(b, report, 1);
	}
	umask(022);
	r = guest_steps(b);
	if (r == 0 && b->inside)
		r = b->inside(b);
	finish(b, report, r);
}

static int write_map(pid_t pid, const char *name)
{
	char path[64], text[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	snprintf(text, sizeof(text), "0 %u %u\n", BOX_BASE, BOX_COUNT);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

static int open_userns(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A user namespace with the box's range, held by a descriptor. */
static int make_userns(void)
{
	int fd = -1, hold[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC) < 0)
		return -1;
	pid = proc_clone3(
		&(struct proc_clone){ .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD, .cgroup_fd = -1 });
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) < 0);
	}
	if (pid > 0 && write_map(pid, "uid_map") == 0 && write_map(pid, "gid_map") == 0)
		fd = open_userns(pid);
	close(hold[0]);
	close(hold[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return fd;
}

static int stage_all(struct box *b, int stage, int userns)
{
	auto_fd int cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat before, after;
	auto_fd int root = rootfs_mount_root(&b->c, stage, userns, &b->err);
	int r;

	if (root < 0)
		return root;
	r = rootfs_stage_sources(&b->c, stage, b->host, userns, &b->err);
	if (fstat(cwd, &before) < 0 || stat(".", &after) < 0 || before.st_ino != after.st_ino ||
	    before.st_dev != after.st_dev)
		return err_set(&b->err, -EIO, "the working directory was not kept");
	return r;
}

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

static pid_t clone_guest(struct box *b, uint64_t flags, int go[2], int report)
{
	pid_t pid = proc_clone3(
		&(struct proc_clone){ .flags = NAMESPACES | flags, .exit_signal = SIGCHLD, .cgroup_fd = -1 });

	if (pid == 0) {
		close(go[1]);
		guest_main(b, go[0], report);
	}
	return pid;
}

/* The usual order: the child exists, then its root is made and propagates. */
static pid_t start_late(struct box *b, int stage, int go[2], int report)
{
	pid_t pid = clone_guest(b, CLONE_NEWUSER, go, report);
	auto_fd int userns = -1;

	if (pid < 0 || write_map(pid, "uid_map") < 0 || write_map(pid, "gid_map") < 0)
		return -1;
	userns = open_userns(pid);
	if (userns < 0 || stage_all(b, stage, userns) < 0)
		return -1;
	return pid;
}

/* The order of prepared namespaces: all host steps, then setns, then clone3. */
static pid_t start_early(struct box *b, int stage, int go[2], int report)
{
	auto_fd int userns = make_userns();

	if (userns < 0 || stage_all(b, stage, userns) < 0 || setns(userns, CLONE_NEWUSER) < 0)
		return -1;
	return clone_guest(b, 0, go, report);
}

static pid_t start_plain(struct box *b, int stage, int go[2], int report)
{
	pid_t pid = clone_guest(b, 0, go, report);

	return pid < 0 || stage_all(b, stage, -1) < 0 ? -1 : pid;
}

static pid_t start(struct box *b, int stage, int go[2], int report)
{
	if (b->no_userns)
		return start_plain(b, stage, go, report);
	return b->early_root ? start_early(b, stage, go, report) : start_late(b, stage, go, report);
}

/* From here on for this process and its children. */
static int hide_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0
		       ? -errno
		       : 0;
}

/* Root of a user namespace of its own, and the mounts of the host are locked. */
static int become_rootless(void)
{
	auto_fd int userns = make_userns();

	if (userns < 0 || setns(userns, CLONE_NEWUSER) < 0)
		return -1;
	return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -1 : 0;
}

static int enter_namespaces(struct box *b)
{
	if (b->prepare && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0))
		return -1;
	if (b->prepare)
		b->prepare(b);
	if (b->rootless && become_rootless() < 0)
		return -1;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -1;
	return b->no_openat2 ? hide_openat2() : 0;
}

static _Noreturn void worker_main(struct box *b, int report)
{
	int stage, go[2], status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* As a worker is: nobody may look at it through /proc. */
	prctl(PR_SET_DUMPABLE, b->rootless);
	if (enter_namespaces(b) < 0 || pipe2(go, O_CLOEXEC) < 0) {
		err_sys(&b->err, -errno, "mount namespace");
		finish(b, report, 1);
	}
	if (b->only_host && umount2(b->only_host, MNT_DETACH) < 0) {
		err_sys(&b->err, -errno, "unmount");
		finish(b, report, 1);
	}
	stage = rootfs_stage(box_path(b, "run"), &b->err);
	if (stage < 0)
		finish(b, report, 1);
	pid = start(b, stage, go, report);
	if (pid < 0) {
		if (!b->err.code)
			err_sys(&b->err, -errno, "start the guest");
		finish(b, report, 1);
	}
	fd_write_all(go[1], "g", 1);
	_exit(waitpid(pid, &status, 0) < 0 || !WIFEXITED(status));
}

int box_run(struct box *b)
{
	struct result res = { .code = -1 };
	pid_t worker, beside = 0;
	int report[2];
	long n;

	if (b->fd < 0)
		skip();
	/* As it is for arnia-oci: with the host's rights the guest clones for itself. */
	b->c.direct = b->no_userns;
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	b->err = (struct error){ 0 };
	b->check[0] = '\0';
	if (b->beside && (beside = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		b->beside(b);
		_exit(0);
	}
	worker = fork();
	if (worker == 0) {
		close(report[0]);
		worker_main(b, report[1]);
	}
	close(report[1]);
	n = fd_read_full(report[0], &res, sizeof(res));
	close(report[0]);
	assert_int_equal(waitpid(worker, NULL, 0), worker);
	if (beside > 0) {
		kill(beside, SIGKILL);
		waitpid(beside, NULL, 0);
	}
	assert_int_equal(n, sizeof(res));
	b->err = res.err;
	str_copy(b->check, sizeof(b->check), res.check);
	return res.code == 0 ? 0 : -1;
}

void box_run_ok(struct box *b)
{
	if (box_run(b) != 0)
		fail_msg("%s%s", b->err.text, b->check);
}

void box_run_fails(struct box *b, const char *part)
{
	assert_int_equal(box_run(b), -1);
	assert_string_equal(b->check, "");
	assert_true(b->err.code < 0);
	if (!strstr(b->err.text, part))
		fail_msg("\"%s\" is not in: %s", part, b->err.text);
}

/* ---- inside ---- */

bool in_reads(const char *path, const char *text)
{
	char buf[4096];
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	long n = fd < 0 ? -1 : fd_read_full(fd, buf, sizeof(buf));

	return n == (long)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

bool in_writes(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

int in_mounts_at(const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], at[4096];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 && str_eq(at, path);
	if (f)
		fclose(f);
	return n;
}

bool in_has_flags(const char *path, unsigned long flags)
{
	struct statvfs sv;

	return statvfs(path, &sv) == 0 && (sv.f_flag & flags) == flags;
}

bool in_is_device(const char *path, unsigned major, unsigned minor)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
}
