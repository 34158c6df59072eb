/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

#define STATE_MAX (1u << 20)
#define LOCK_WAIT_MS 30000
#define LOCK_STEP_MS 20

/* ---- folders ---- */

/* The root and what is missing above it. */
static int make_root(const char *root)
{
	auto_free char *path = str_dup(root);

	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was && was != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = was;
		if (!was)
			return 0;
	}
}

static int open_root(const char *root)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int no_such(struct error *err)
{
	return err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "container does not exist");
}

static int already_exists(struct error *err)
{
	return err_set_kind(err, -EEXIST, ERR_STATE, "container with given ID already exists");
}

/* The folder that has the name is the one that is open: not removed, nor made anew, meanwhile. */
static bool is_current(int root, const char *id, int dir)
{
	struct stat a, b;

	return fstatat(root, id, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dir, &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* ---- the lock: fcntl(2) F_SETLK belongs to the process, so a worker that is forked meanwhile does not keep
 * it ---- */

static int lock_take(int dir, const char *id, int *ret, struct error *err)
{
	auto_fd int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	uint64_t end = time_mono_ms() + LOCK_WAIT_MS;

	if (fd < 0 && errno == ENOENT)
		return no_such(err);
	if (fd < 0)
		return err_sys(err, -errno, "lock of container %.64s", id);
	while (fcntl(fd, F_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_sys(err, -errno, "lock container %.64s", id);
		if (time_mono_ms() >= end)
			return err_set(err, -ETIMEDOUT,
				       "container %.64s is being changed by another process for %d s", id,
				       LOCK_WAIT_MS / 1000);
		poll(NULL, 0, LOCK_STEP_MS);
	}
	*ret = fd_steal(&fd);
	return 0;
}

bool record_is_locked(const struct record *r)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	auto_fd int fd = -1;

	/* A second descriptor of ours, closed, would end the lock. */
	if (r->lock >= 0)
		return false;
	fd = openat(r->dir, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* ---- open ---- */

void record_done(struct record *r)
{
	fd_close(&r->lock);
	fd_close(&r->dir);
	arena_done(&r->arena);
	*r = RECORD_NONE;
}

static int open_folder(int root, const char *id, bool lock, struct record *r, struct error *err)
{
	int code;

	r->dir = openat(root, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->dir < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG))
		return no_such(err);
	if (r->dir < 0)
		return err_sys(err, -errno, "open the folder of container %.64s", id);
	r->id = arena_str(&r->arena, id);
	if (!lock)
		return 0;
	code = lock_take(r->dir, id, &r->lock, err);
	if (code < 0)
		return code;
	return is_current(root, id, r->dir) ? 0 : no_such(err);
}

static int open_record(const char *root, const char *id, bool lock, struct record *r, struct error *err)
{
	auto_fd int fd = open_root(root);

	if (fd == -ENOENT)
		return no_such(err);
	if (fd < 0)
		return err_sys(err, fd, "open %.300s", root);
	return open_folder(fd, id, lock, r, err);
}

int store_open(const char *root, const char *id, struct record *ret, struct error *err)
{
	struct record r = RECORD_NONE;
	int code = open_record(root, id, true, &r, err);

	if (code < 0)
		record_done(&r);
	else
		*ret = r;
	return code;
}

/* Between its making and its lock another process may have removed the folder, and a third one made it anew: then that one has
 * been in it. */
static int check_new(int dir, struct error *err)
{
	auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool is_new = true;
	struct dirent *e;

	if (!d)
		return err_sys(err, -errno, "open the folder of the container");
	(void)fd_steal(&fd);
	while ((e = readdir(d)))
		is_new = is_new && (e->d_name[0] == '.' || str_eq(e->d_name, "lock"));
	closedir(d);
	return is_new ? 0 : already_exists(err);
}

int store_create(const char *root, const char *id, struct record *ret, struct error *err)
{
	struct record r = RECORD_NONE;
	auto_fd int fd = open_root(root);
	mode_t mask;
	int code;

	if (fd == -ENOENT) {
		code = make_root(root);
		fd = code < 0 ? code : open_root(root);
	}
	if (fd < 0)
		return err_sys(err, fd, "--root %.300s", root);
	mask = umask(0);
	code = mkdirat(fd, id, 0711) < 0 ? -errno : 0;
	umask(mask);
	if (code == -EEXIST)
		return already_exists(err);
	if (code < 0)
		return err_sys(err, code, "make the folder of container %.64s", id);
	code = open_folder(fd, id, true, &r, err);
	if (code == 0)
		code = check_new(r.dir, err);
	if (code < 0) {
		if (r.dir < 0 || is_current(fd, id, r.dir))
			unlinkat(fd, id, AT_REMOVEDIR);
		record_done(&r);
	} else {
		*ret = r;
	}
	return code;
}

/* ---- what is kept ---- */

static json *state_of(const struct record *r)
{
	json *j = json_new_obj();

	json_add_u64(j, "version", 1);
	json_add_str(j, "id", r->id);
	json_add_str(j, "bundle", r->bundle);
	json_add_str(j, "rootfs", r->rootfs);
	json_add_i64(j, "pid", r->pid);
	json_add_u64(j, "start", r->start);
	json_add_str(j, "boot", r->boot);
	json_add_str(j, "created", r->created);
	json_add_str(j, "cgroup", r->cgroup);
	json_add_bool(j, "ownCgroup", r->own_cgroup);
	if (r->root_id)
		json_add_u64(j, "rootMount", r->root_id);
	json_add_bool(j, "rdtMade", r->rdt_made);
	json_add_str(j, "scope", r->scope);
	json_add_str(j, "owner", r->owner);
	json_add_u64(j, "uid", r->uid);
	json_add_bool(j, "rootless", r->rootless);
	if (r->streams.n)
		json_add_strv(j, "streams", &r->streams);
	return j;
}

int store_save(struct record *r, struct error *err)
{
	auto_json json *j = state_of(r);
	auto_free char *text = json_text(j, true);
	int code = 0;

	/* It would be another path when it is read again. */
	if (r->bundle && !utf8_valid(r->bundle, strlen(r->bundle)))
		return err_set_kind(err, -EILSEQ, ERR_USAGE, "bundle of container %.64s: its path is not UTF-8 text", r->id);
	if (r->config && !r->config_kept)
		code = file_write_atomic_at(r->dir, "config.json", r->config, strlen(r->config), 0600, false,
					    err);
	if (code < 0)
		return code;
	r->config_kept = r->config != NULL;
	return file_write_atomic_at(r->dir, "state.json", text, strlen(text), 0600, false, err);
}

static int take_str(const json *j, const char *key, bool needed, struct arena *a, const char **ret,
		    struct error *err)
{
	const char *s = NULL;
	int code = json_get_str(j, key, &s, err);

	if (code == 0 && needed)
		return err_set(err, -EINVAL, "%s: is missing", key);
	*ret = arena_str(a, s);
	return code < 0 ? code : 0;
}

static int decode(const json *j, struct record *r, struct error *err)
{
	const struct {
		const char *key, **ret;
		bool needed;
	} strings[] = {
		{ "bundle", &r->bundle, true },	 { "rootfs", &r->rootfs, false },
		{ "boot", &r->boot, true },	 { "created", &r->created, true },
		{ "cgroup", &r->cgroup, false }, { "scope", &r->scope, false },
		{ "owner", &r->owner, false },
	};
	const char *id = NULL;
	int64_t pid = -1;
	int code;

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		code = take_str(j, strings[i].key, strings[i].needed, &r->arena, strings[i].ret, err);
		if (code < 0)
			return code;
	}
	if (json_get_str(j, "id", &id, err) < 0 || json_get_i64(j, "pid", &pid, err) < 0 ||
	    json_get_u64(j, "start", &r->start, err) < 0 || json_get_u32(j, "uid", &r->uid, err) < 0 ||
	    json_get_bool(j, "rootless", &r->rootless, err) < 0 ||
	    json_get_bool(j, "ownCgroup", &r->own_cgroup, err) < 0 ||
	    json_get_strv(j, "streams", &r->arena, &r->streams, err) < 0 ||
	    json_get_u64(j, "rootMount", &r->root_id, err) < 0 ||
	    json_get_bool(j, "rdtMade", &r->rdt_made, err) < 0)
		return -EINVAL;
	if (!str_eq(id, r->id))
		return err_set(err, -EINVAL, "id: is not that of its folder");
	if (pid < 0 || pid > INT32_MAX)
		return err_set(err, -EINVAL, "pid: expected a process id");
	r->pid = (pid_t)pid;
	return 0;
}

/* A cgroup's path that leads out of the mount would be removed with all that is in it. */
static int check_cgroup(const struct record *r, struct error *err)
{
	char plain[4096];

	if (!r->cgroup)
		return 0;
	if (path_is_absolute(r->cgroup) || path_normalize(r->cgroup, plain) < 0 ||
	    !str_eq(plain + 1, r->cgroup) || !*r->cgroup)
		return err_set(err, -EINVAL, "cgroup: expected a path below the mount");
	return 0;
}

/* Without it the container can still be killed and removed. */
static void read_config(struct record *r)
{
	auto_free char *text = NULL;
	long n = file_read_at(r->dir, "config.json", OCI_CONFIG_MAX, &text, NULL);

	r->config = n < 0 ? NULL : arena_str_n(&r->arena, text, (size_t)n);
	r->config_kept = true;
}

static int read_state(struct record *r, struct error *err)
{
	auto_free char *text = NULL;
	auto_json json *j = NULL;
	long n = file_read_at(r->dir, "state.json", STATE_MAX, &text, err);

	if (n == -ENOENT)
		return no_such(err);
	if (n < 0)
		return (int)n;
	j = json_parse(text, (size_t)n, err);
	if (!j || decode(j, r, err) < 0 || check_cgroup(r, err) < 0) {
		err_prefix(err, "state of container %.64s is damaged", r->id);
		if (err)
			err->kind = ERR_FAILED;
		return -EBADMSG;
	}
	read_config(r);
	return 0;
}

int store_load(const char *root, const char *id, bool lock, struct record *ret, struct error *err)
{
	struct record r = RECORD_NONE;
	int code = open_record(root, id, lock, &r, err);

	if (code == 0)
		code = read_state(&r, err);
	if (code < 0)
		record_done(&r);
	else
		*ret = r;
	return code;
}

int store_remove(const char *root, struct record *r, struct error *err)
{
	auto_fd int fd = open_root(root);
	int code;

	if (fd < 0)
		return err_sys(err, fd, "open %.300s", root);
	if (!is_current(fd, r->id, r->dir))
		return 0;
	/* Without it, it is no container any more, whatever comes between. */
	if (unlinkat(r->dir, "state.json", 0) < 0 && errno != ENOENT && errno != EISDIR)
		return err_sys(err, -errno, "remove the state of container %.64s", r->id);
	code = path_rmtree_at(fd, r->id);
	return code < 0 && code != -ENOENT ? err_sys(err, code, "remove the folder of container %.64s", r->id)
					   : 0;
}

/* ---- all of them ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int store_list(const char *root, struct arena *a, struct strv *ret, struct error *err)
{
	auto_fd int fd = open_root(root);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct strv names = { 0 };
	struct dirent *e;
	struct stat st;

	if (fd == -ENOENT) {
		*ret = names;
		return 0;
	}
	if (!d)
		return err_sys(err, fd < 0 ? fd : -errno, "open %.300s", root);
	(void)fd_steal(&fd);
	while ((e = readdir(d)))
		if (oci_id_check(e->d_name, NULL) == 0 &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			strv_push(a, &names, e->d_name);
	closedir(d);
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	*ret = names;
	return 0;
}
