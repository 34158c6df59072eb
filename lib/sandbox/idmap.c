/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Id maps of a new user namespace (user_namespaces(7)). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/sandbox/procfs.h"
#include "lib/sandbox/sandbox.h"

#define LINES_MAX 340	      /* UID_GID_MAP_MAX_EXTENTS */
#define TEXT_MAX 4095	      /* the kernel takes less than a page, in one write */
#define ID_LAST 0xfffffffeULL /* 4294967295 is "no id" */

static bool overlap(uint32_t a, uint32_t na, uint32_t b, uint32_t nb)
{
	return (uint64_t)a < (uint64_t)b + nb && (uint64_t)b < (uint64_t)a + na;
}

int idmap_check(const struct id_map *m, size_t n, struct error *err)
{
	if (n == 0 || n > LINES_MAX)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "id map: 1 to %d ranges are possible, not %zu",
				    LINES_MAX, n);
	for (size_t i = 0; i < n; i++) {
		if (m[i].count == 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "id map: range %zu is empty", i);
		if ((uint64_t)m[i].inside + m[i].count - 1 > ID_LAST ||
		    (uint64_t)m[i].outside + m[i].count - 1 > ID_LAST)
			return err_set_kind(err, -ERANGE, ERR_USAGE,
					    "id map: range %u %u %u goes over the last id", m[i].inside,
					    m[i].outside, m[i].count);
		for (size_t j = 0; j < i; j++)
			if (overlap(m[i].inside, m[i].count, m[j].inside, m[j].count) ||
			    overlap(m[i].outside, m[i].count, m[j].outside, m[j].count))
				return err_set_kind(err, -EINVAL, ERR_USAGE,
						    "id map: ranges %zu and %zu overlap", j, i);
	}
	return 0;
}

static int write_map(int proc, pid_t pid, const char *file, const struct id_map *m, size_t n,
		     struct error *err)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	char path[32];
	int r = idmap_check(m, n, err);

	if (r < 0)
		return err_prefix(err, "%s", file), r;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%u %u %u\n", m[i].inside, m[i].outside, m[i].count);
	if (text.len > TEXT_MAX)
		return err_set_kind(err, -E2BIG, ERR_USAGE, "%s: more text than the kernel takes", file);
	snprintf(path, sizeof(path), "%d/%s", pid, file);
	return procfs_write(proc, path, strbuf_cstr(&text), err);
}

int idmap_write(pid_t pid, const struct sandbox_config *c, struct error *err)
{
	auto_fd int proc = procfs_open(err);
	int r = proc < 0 ? proc : write_map(proc, pid, "uid_map", c->uid_maps.v, c->uid_maps.n, err);

	return r < 0 ? r : write_map(proc, pid, "gid_map", c->gid_maps.v, c->gid_maps.n, err);
}
