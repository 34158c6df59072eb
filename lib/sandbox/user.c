/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the program runs as. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/sandbox/procfs.h"
#include "lib/sandbox/user_db.h"

#define FILE_MAX (1u << 20)

/* One of the image's files: *ret stays NULL when there is none. Opened without waiting for a fifo's other
 * end; a device cannot be opened, as the root is mounted without them. */
static int read_db(int root, const char *path, char **ret, struct error *err)
{
	auto_fd int fd = path_open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	long n;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return err_sys(err, fd, "%s of the container", path);
	n = file_read_fd(fd, FILE_MAX, ret, NULL);
	if (n == -EINVAL || n == -EISDIR)
		return err_set(err, (int)n, "%s of the container is not a regular file", path);
	return n < 0 ? err_sys(err, (int)n, "%s of the container", path) : 0;
}

/* With ids alone the files only tell the home folder: they may be broken, and the container still be entered.
 */
static bool needs_files(const struct user_spec *s, const struct strv *groups)
{
	for (size_t i = 0; i < groups->n; i++)
		if (groups->v[i][0] < '0' || groups->v[i][0] > '9')
			return true;
	return s->user && !(s->user_is_id && s->group && s->group_is_id);
}

int user_resolve(int root, const struct process_config *p, uint32_t id_count, struct sandbox_user *ret,
		 struct error *err)
{
	auto_free char *passwd = NULL, *group = NULL;
	struct user_db db;
	struct user_spec spec;
	bool needed;
	int r = user_spec_parse(p->user, &spec, err);

	if (r < 0)
		return r;
	needed = needs_files(&spec, &p->groups);
	r = read_db(root, "/etc/passwd", &passwd, needed ? err : NULL);
	if (r == 0 || !needed)
		r = read_db(root, "/etc/group", &group, needed ? err : NULL);
	if (r < 0 && needed)
		return r;
	db = (struct user_db){ .passwd = passwd, .group = group, .id_count = id_count };
	return user_find(&db, &spec, &p->groups, ret, err);
}

/* In a user namespace of somebody who is not root groups cannot be dropped (user_namespaces(7), "setgroups"); it is not refused
 * there to ask for none. */
static bool groups_are_denied(void)
{
	auto_fd int proc = procfs_open(NULL);
	char text[16];

	return proc >= 0 && procfs_read(proc, "self/setgroups", text, sizeof(text)) > 0 && str_eq(text, "deny\n");
}

int user_apply(const struct sandbox_user *u, struct error *err)
{
	gid_t groups[ARRAY_SIZE(u->groups)];

	for (size_t i = 0; i < u->n_groups; i++)
		groups[i] = u->groups[i];
	if (setgroups(u->n_groups, groups) < 0) {
		int r = -errno;

		if (r != -EPERM || u->n_groups || !groups_are_denied())
			return err_sys(err, r, "set the groups");
	}
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return err_sys(err, -errno, "become group %u", u->gid);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return err_sys(err, -errno, "become user %u", u->uid);
	return 0;
}
