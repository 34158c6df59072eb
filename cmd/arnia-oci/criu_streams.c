/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard streams whose other end is outside: descriptors.json among the images has a name for each, by which restore gives those of
 * its caller. Pipes have the names that runc writes ("pipe:[123]"). Files of the host, which it cannot dump, have criu's for what is not
 * of the container: "file[MOUNT:INODE]", in hexadecimal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/criu.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/mountinfo.h"

#define NAME "descriptors.json"
#define SIZE_MAX_JSON 65536

static bool is_known(char *mounts, unsigned mount)
{
	auto_free char *text = str_dup(mounts);
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strtoul(line, NULL, 10) == mount)
			return true;
	return false;
}

/* criu's name of what descriptor `fd` is, when that lies on no mount of the container; else NULL. */
static const char *outside_name(struct criu *c, pid_t pid, int fd, char *mounts)
{
	auto_free char *path = str_fmt("/proc/%d/fdinfo/%d", pid, fd), *text = NULL;
	const char *at;
	unsigned mount;
	struct stat st;

	if (file_read_at(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return NULL;
	at = strstr(text, "mnt_id:");
	if (!at || sscanf(at, "mnt_id: %u", &mount) != 1 || is_known(mounts, mount))
		return NULL;
	mem_freep(&path);
	path = str_fmt("/proc/%d/fd/%d", pid, fd);
	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return NULL;
	return arena_fmt(&c->call->arena, "file[%x:%llx]", mount, (unsigned long long)st.st_ino);
}

static void tell_once(struct criu *c, const char *name, const struct strv *told)
{
	for (size_t i = 0; i < told->n; i++)
		if (str_eq(told->v[i], name))
			return;
	msg_str(&c->opts, CRIU_EXTERNAL, name);
}

int criu_dump_streams(struct criu *c, const struct record *r, pid_t pid, struct error *err)
{
	struct arena *m = &c->call->arena;
	struct strv names = { 0 }, told = { 0 };
	auto_free char *path = str_fmt("/proc/%d/mountinfo", pid), *mounts = NULL, *text = NULL;
	auto_json json *j = json_new_arr();
	long n = file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, &mounts, err);

	if (n < 0)
		return (int)n;
	record_streams(pid, m, &names);
	if (r->streams.n)
		names = r->streams;
	for (int i = 0; i < (int)names.n; i++) {
		const char *outside = str_starts(names.v[i], "/") ? outside_name(c, pid, i, mounts) : NULL;

		if (outside)
			tell_once(c, outside, &told);
		strv_push(m, &told, outside ? outside : names.v[i]);
		json_push(j, json_new_str(told.v[i]));
	}
	text = json_text(j, false);
	return file_write_atomic_at(c->images, NAME, text, strlen(text), 0600, false, err);
}

int criu_restore_streams(struct criu *c, struct error *err)
{
	auto_free char *text = NULL;
	auto_json json *j = NULL;
	long n = file_read_at(c->images, NAME, SIZE_MAX_JSON, &text, err);

	if (n < 0)
		return (int)n;
	j = json_parse(text, (size_t)n, err);
	if (!j)
		return err_prefix(err, NAME), -EINVAL;
	for (size_t i = 0; i < json_len(j) && i <= STDERR_FILENO; i++) {
		const char *name = json_str(json_at(j, i));

		if (name && (str_starts(name, "pipe:[") || str_starts(name, "file[")))
			criu_inherit(c, name, (int)i);
	}
	return 0;
}
