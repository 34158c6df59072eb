/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where cgroup2 is mounted, and which part of it is ours. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define MOUNTINFO_MAX (16u << 20)

static int open_if_cgroup2(const char *path)
{
	auto_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return path_fd_is_fs(fd, CGROUP2_SUPER_MAGIC) ? fd_steal(&fd) : -ENOTDIR;
}

/* proc_pid_mountinfo(5) writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* "36 35 98:0 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw": the mount point, when the type is cgroup2.
 */
static const char *mount_point_of(char *line)
{
	char *type = strstr(line, " - "), *field = line, *end;

	if (!type || !str_starts(type + 3, "cgroup2 "))
		return NULL;
	for (int i = 0; i < 4; i++) {
		field = strchr(field, ' ');
		if (!field)
			return NULL;
		field++;
	}
	end = strchr(field, ' ');
	if (!end)
		return NULL;
	*end = '\0';
	unescape(field);
	return field;
}

static int open_from_mountinfo(void)
{
	auto_free char *text = NULL;
	char *save = NULL;
	long n = file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL);

	if (n < 0)
		return (int)n;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *point = mount_point_of(line);
		int fd = point ? open_if_cgroup2(point) : -1;

		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

int cg_open_root(struct error *err)
{
	int fd = open_if_cgroup2("/sys/fs/cgroup");

	if (fd < 0)
		fd = open_if_cgroup2("/sys/fs/cgroup/unified");
	if (fd < 0)
		fd = open_from_mountinfo();
	if (fd < 0) {
		err_set_kind(err, fd, ERR_UNSUPPORTED, "no cgroup2 filesystem is mounted");
		err_hint(err, "mount -t cgroup2 none /sys/fs/cgroup");
	}
	return fd;
}

/* Delegated to us: systemd marks the unit's cgroup (user.delegate since 251, trusted.delegate before), and a
 * unit that was delegated to somebody else (user@1000.service, seen from a root shell below it) belongs to
 * them. */
static bool is_delegated_to_us(int cg)
{
	char path[32], value[2];
	struct stat st;

	path_proc_fd(cg, path);
	if (getxattr(path, "user.delegate", value, 1) != 1 &&
	    getxattr(path, "trusted.delegate", value, 1) != 1)
		return false;
	return value[0] == '1' && fstat(cg, &st) == 0 && st.st_uid == geteuid();
}

/* The caller's cgroup below its cgroup namespace's root, without the leading slash; "" at the top, without a
 * cgroup2 line, and for one above our root ("/../x"), which is out of reach. Malloc'ed. */
static int read_current(char **ret, struct error *err)
{
	auto_free char *text = NULL;
	const char *line;
	long n = file_read_at(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text, err);

	if (n < 0)
		return (int)n;
	line = str_starts(text, "0::/") ? text : strstr(text, "\n0::/");
	line = line ? strchr(line, '/') + 1 : "";
	*ret = str_starts(line, "..") ? str_dup("") : str_dup_n(line, strcspn(line, "\n"));
	return 0;
}

int cg_own_path(char *buf, size_t size, struct error *err)
{
	auto_free char *path = NULL;
	auto_fd int root = cg_open_root(err);
	int r = root < 0 ? root : read_current(&path, err);

	if (r < 0)
		return r;
	while (*path) {
		auto_fd int cg = openat(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		char *end = strrchr(path, '/');

		if (cg >= 0 && is_delegated_to_us(cg))
			break;
		*(end ? end : path) = '\0';
	}
	if (strlen(path) >= size)
		return err_set(err, -ENAMETOOLONG, "own cgroup: the path is too long");
	return str_copy(buf, size, path);
}
