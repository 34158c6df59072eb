/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which program, and where it starts. Called inside the container's root. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/sandbox/sandbox.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const char *env_get(const struct strv *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

/* 0 for something that execve can try, else -ENOENT, -EISDIR, -EACCES, ... */
static int test_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* As execvp(3): the first that can be run; one that cannot be is remembered, and the search goes on. */
static int search(const char *name, const char *dirs, char *ret)
{
	int worst = -ENOENT;

	for (const char *d = dirs;; d++) {
		size_t n = strcspn(d, ":");
		char path[PATH_MAX];
		int r;

		/* An empty element is the current folder. */
		if ((size_t)snprintf(path, sizeof(path), "%.*s%s%s", (int)n, d, n ? "/" : "", name) <
		    sizeof(path)) {
			r = test_program(path);
			if (r == 0) {
				memcpy(ret, path, strlen(path) + 1);
				return 0;
			}
			if (r != -ENOENT && worst == -ENOENT)
				worst = r;
		}
		d += n;
		if (!*d)
			return worst;
	}
}

int env_find_program(const struct process_config *p, char *ret, struct error *err)
{
	const char *name = p->argv.n ? p->argv.v[0] : "", *path = env_get(&p->env, "PATH");
	int r;

	if (!*name)
		return err_set_kind(err, -ENOENT, ERR_NO_COMMAND, "no command is given");
	if (!strchr(name, '/')) {
		r = search(name, path ? path : PATH_DEFAULT, ret);
	} else {
		r = strlen(name) >= PATH_MAX ? -ENAMETOOLONG : test_program(name);
		if (r == 0)
			memcpy(ret, name, strlen(name) + 1);
	}
	if (r == -ENOENT)
		return err_set_kind(err, r, ERR_NO_COMMAND, "%s: command not found", name);
	return r < 0 ? err_set_kind(err, r, ERR_CANNOT_RUN, "%s: cannot be run: %s", name, strerror(-r)) : 0;
}

/* No magic link on the way: "/proc/self/fd/7" names a folder that only a descriptor leads to. */
static int open_dir(const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	if (fd >= 0)
		return (int)fd;
	if (errno != ENOSYS)
		return -errno;
	/* Hidden by a filter: the check after fchdir still holds. */
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

static int make_dir(const char *path)
{
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -errno : path_mkdirs_in(root, path, 0755);
}

void cwd_make(const char *cwd)
{
	auto_fd int dir = open_dir(cwd);

	if (dir == -ENOENT)
		dir = make_dir(cwd);
}

int cwd_apply(const char *cwd, bool create, struct error *err)
{
	char now[PATH_MAX];
	auto_fd int dir = -1;

	if (!path_is_absolute(cwd))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "working folder \"%s\": not an absolute path",
				    cwd);
	dir = open_dir(cwd);
	if (dir == -ENOENT && create)
		dir = make_dir(cwd);
	if (dir == -ELOOP)
		return err_set(err, dir, "working folder %s: leads over a link of /proc, or in a circle",
			       cwd);
	if (dir < 0)
		return err_sys(err, dir, "working folder %s", cwd);
	if (fchdir(dir) < 0)
		return err_sys(err, -errno, "working folder %s", cwd);
	/* The system call: "(unreachable)/..." outside the root, which libc's getcwd turns into ENOENT. */
	if (syscall(SYS_getcwd, now, sizeof(now)) < 0)
		return err_sys(err, -errno, "working folder %s", cwd);
	if (now[0] != '/') {
		if (chdir("/") < 0)
			return err_sys(err, -errno, "leave the working folder");
		return err_set(err, -EXDEV, "working folder %s: outside the container", cwd);
	}
	return 0;
}
