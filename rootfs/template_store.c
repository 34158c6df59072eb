/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptions and built templates on disk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

int template_check_name(const char *name, struct error *err)
{
	if (name && name_is_valid(name))
		return 0;
	return err_set_kind(err, -EINVAL, ERR_USAGE,
			    "image name: expected letters, digits, \"_\", \".\", \"-\"");
}

static long read_file(const char *base, const char *folder, const char *name, char **ret, struct error *err)
{
	auto_free char *path = str_fmt("%s/%s/%s/" TEMPLATE_FILE, base, folder, name);

	return file_read_at(AT_FDCWD, path, TEMPLATE_MAX, ret, err);
}

long template_read(const char *share, const char *state, const char *name, char **ret_text, struct error *err)
{
	long n = read_file(state, "templates.d", name, ret_text, NULL);

	if (n == -ENOENT || n == -ENOTDIR)
		n = read_file(share, "templates", name, ret_text, NULL);
	if (n != -ENOENT && n != -ENOTDIR)
		return n < 0 ? err_sys(err, (int)n, "description of image %s", name) : n;
	err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "no such image: %s", name);
	err_hint(err, "arnia image list shows what there is");
	return -ENOENT;
}

int template_read_built(const char *state, const char *name, struct template_desc *ret,
			struct template_record *ret_record)
{
	struct template_desc t = { 0 };
	auto_free char *text = NULL;
	long n = read_file(state, "templates", name, &text, NULL);

	if (n < 0 || template_parse_built(text, (size_t)n, &t, ret_record, NULL) < 0)
		return -ENOENT;
	if (ret)
		*ret = t;
	else
		template_done(&t);
	return 0;
}

static void fill_info(struct template_info *i, const char *name, const struct template_desc *t,
		      const struct template_record *built)
{
	*i = (struct template_info){ .built = built != NULL };
	(void)str_copy(i->name, sizeof(i->name), name);
	(void)str_copy(i->description, sizeof(i->description), t->description ? t->description : "");
	if (!built)
		return;
	i->size = built->size;
	i->built_ns = built->time_ns;
	memcpy(i->id, built->id, sizeof(i->id));
}

static int find(const char *share, const char *state, const char *name, struct template_desc *ret,
		struct template_info *ret_info, struct error *err)
{
	struct template_record record;
	struct template_desc t = { 0 };
	auto_free char *text = NULL;
	bool built = template_read_built(state, name, &t, &record) == 0;

	if (!built) {
		long n = template_read(share, state, name, &text, err);
		int r = n < 0 ? (int)n : template_parse(text, (size_t)n, &t, err);

		if (r < 0)
			return n < 0 ? r : err_prefix(err, "description of image %s", name);
	}
	t.name = arena_str(&t.arena, name);
	if (ret_info)
		fill_info(ret_info, name, &t, built ? &record : NULL);
	*ret = t;
	return 0;
}

int template_find(const char *share, const char *state, const char *name, struct template_desc *ret,
		  struct template_info *ret_info, struct error *err)
{
	int r = template_check_name(name, err);

	return r < 0 ? r : find(share, state, name, ret, ret_info, err);
}

/* ---- list ---- */

static void add_name(struct arena *a, struct strv *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (str_eq(names->v[i], name))
			return;
	strv_push(a, names, name);
}

static int add_names(struct arena *a, const char *base, const char *folder, struct strv *names,
		     struct error *err)
{
	auto_free char *path = str_fmt("%s/%s", base, folder);
	DIR *d = opendir(path);

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, -errno, "read %s", path);
	for (struct dirent *e; (e = readdir(d));) {
		auto_free char *file = str_fmt("%s/" TEMPLATE_FILE, e->d_name);

		/* What is being built or removed begins with a dot. */
		if (name_is_valid(e->d_name) && faccessat(dirfd(d), file, F_OK, 0) == 0)
			add_name(a, names, e->d_name);
	}
	closedir(d);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One damaged description must not hide the others. */
static void list_one(const char *share, const char *state, const char *name, struct template_info *ret)
{
	struct template_desc t = { 0 };
	struct error err = { 0 };

	if (find(share, state, name, &t, ret, &err) == 0) {
		template_done(&t);
		return;
	}
	*ret = (struct template_info){ 0 };
	(void)str_copy(ret->name, sizeof(ret->name), name);
	snprintf(ret->description, sizeof(ret->description), "(damaged: %.200s)", err.text);
}

int template_list(const char *share, const char *state, struct template_info **ret, size_t *ret_n,
		  struct error *err)
{
	struct arena a = { 0 };
	struct strv names = { 0 };
	struct template_info *list;
	int r = add_names(&a, share, "templates", &names, err);

	if (r == 0)
		r = add_names(&a, state, "templates.d", &names, err);
	if (r == 0)
		r = add_names(&a, state, "templates", &names, err);
	if (r == 0) {
		if (names.n)
			qsort(names.v, names.n, sizeof(*names.v), by_text);
		list = mem_alloc_n(names.n + 1, sizeof(*list));
		for (size_t i = 0; i < names.n; i++)
			list_one(share, state, names.v[i], &list[i]);
		*ret = list;
		*ret_n = names.n;
	}
	arena_done(&a);
	return r;
}

/* ---- built templates ---- */

static void entry_name(char out[96], const char *name, const char *suffix)
{
	snprintf(out, 96, ".%.64s.%s", name, suffix);
}

/* The lock file goes when its last user is done, so that after waiting it may be another file than the one of
 * that name. */
static int lock_name(int dir, const char *name)
{
	char file[96];

	entry_name(file, name, "lock");
	for (;;) {
		auto_fd int fd = openat(dir, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		struct stat mine, now;

		if (fd < 0 || fstat(fd, &mine) < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (fstatat(dir, file, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == mine.st_ino)
			return fd_steal(&fd);
	}
}

int template_store_open(const char *state, const char *name, bool make, struct template_store *ret,
			struct error *err)
{
	auto_free char *path = str_fmt("%s/templates", state);
	auto_fd int dir = -1;
	int lock;

	/* 0700: files lie here with the ids and setuid bits of the image, and are nobody's on the host to
	 * run. */
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, -errno, "make %s", path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return -ENOENT;
	if (dir < 0)
		return err_sys(err, -errno, "open %s", path);
	lock = lock_name(dir, name);
	if (lock < 0)
		return err_sys(err, lock, "lock image %s", name);
	*ret = (struct template_store){ fd_steal(&dir), lock };
	return 0;
}

void template_store_close(struct template_store *s, const char *name)
{
	char file[96];

	if (s->lock >= 0) {
		entry_name(file, name, "lock");
		unlinkat(s->dir, file, 0);
	}
	fd_close(&s->lock);
	fd_close(&s->dir);
}

int template_store_clear(const struct template_store *s, const char *name, bool all, struct error *err)
{
	static const char *const leftovers[] = { "tmp", "del" };
	char entry[96];

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
			int r;

			entry_name(entry, name, leftovers[i]);
			r = path_rmtree_at(s->dir, entry);
			if (r < 0 && r != -ENOENT)
				return err_sys(err, r, "remove what is left of image %s", name);
		}
		if (!all || pass)
			break;
		/* Out of sight at once, and gone in the second pass: never half there. */
		if (renameat(s->dir, name, s->dir, entry) < 0 && errno != ENOENT)
			return err_sys(err, -errno, "remove image %s", name);
		fsync(s->dir);
	}
	return 0;
}

int template_remove(const char *state, const char *name, struct error *err)
{
	struct template_store s = { -1, -1 };
	struct stat st;
	int r = template_check_name(name, err);

	if (r < 0)
		return r;
	r = template_store_open(state, name, false, &s, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT || fstatat(s.dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		template_store_close(&s, name);
		return err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "image %s is not built", name);
	}
	r = template_store_clear(&s, name, true, err);
	template_store_close(&s, name);
	return r;
}
