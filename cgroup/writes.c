/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control files by name, for what the table of limits does not have. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define NAME_MAX_BYTES 255

/* No settings but acts: they would bring processes of others in, whom the container's end then kills, or stop those that are there. */
static bool is_act(const char *file)
{
	static const char *const acts[] = { "cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.freeze", "cgroup.type" };

	for (size_t i = 0; i < ARRAY_SIZE(acts); i++)
		if (str_eq(file, acts[i]))
			return true;
	return false;
}

static int check(const struct cg_write *w, struct error *err)
{
	bool ok = !str_is_empty(w->file) && strlen(w->file) <= NAME_MAX_BYTES && !strchr(w->file, '/') &&
		  !str_eq(w->file, ".") && !str_eq(w->file, "..");

	for (const char *s = w->file; ok && *s; s++)
		ok = (unsigned char)*s > ' ' && *s != 0x7f;
	if (!ok)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "cgroup file \"%.64s\": not the name of a file",
				    w->file ? w->file : "");
	if (is_act(w->file))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "cgroup file %s: not a setting", w->file);
	return w->value ? 0 : err_set_kind(err, -EINVAL, ERR_USAGE, "cgroup file %s: no value", w->file);
}

/* An empty value is written as it stands: cpuset.cpus takes it. */
static int write_lines(int cg, const struct cg_write *w, struct error *err)
{
	const char *line = w->value;
	int r;

	do {
		size_t n = strcspn(line, "\n");
		auto_free char *text = str_dup_n(line, n);

		r = cg_write(cg, w->file, text, err);
		line += n + (line[n] == '\n');
	} while (r == 0 && *line);
	return r;
}

static int refuse(int cg, const char *file, const char *why, struct error *err)
{
	uint32_t bit = cg_file_controller(file), present = 0;
	int n = (int)strcspn(file, ".");

	cg_read_controllers(cg, "cgroup.controllers", &present);
	if (bit & ~present)
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
			     "%s: this host does not give the cgroup v2 controller \"%.*s\"%s%s", file, n, file,
			     str_is_empty(why) ? "" : ": ", str_is_empty(why) ? "" : why);
	else
		err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED, "%s: there is no such file in cgroups of this kernel (\"%.*s\")",
			     file, n, file);
	err_hint(err, "%s", CG_HINT_DOCTOR);
	return -EOPNOTSUPP;
}

int cg_writes_missing(int cg, const struct cg_write *w, size_t n, uint32_t *ret)
{
	uint32_t want = 0, present = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		want |= w[i].file ? cg_file_controller(w[i].file) : 0;
	r = want ? cg_read_controllers(cg, "cgroup.controllers", &present) : 0;
	if (r == 0)
		*ret = want & ~present;
	return r;
}

int cg_writes_try(int cg, const struct cg_write *w, size_t n, const char *why, struct error *err)
{
	bool skipped = false;

	for (size_t i = 0; i < n; i++) {
		struct error e = { 0 };
		int r = check(&w[i], &e);

		if (r == 0 && w[i].instead && !skipped)
			continue;
		if (r == 0)
			r = write_lines(cg, &w[i], &e);
		skipped = w[i].optional && (r == -ENOENT || r == -EOPNOTSUPP);
		if (r == 0 || skipped)
			continue;
		if (r == -ENOENT)
			return refuse(cg, w[i].file, why, err);
		if (err)
			*err = e;
		return r;
	}
	return 0;
}

int cg_write_list(int cg, const struct cg_write *w, size_t n, struct error *err)
{
	uint32_t missing = 0;

	if (!path_fd_is_fs(cg, CGROUP2_SUPER_MAGIC))
		return err_set(err, -EXDEV, "not on a cgroup2 filesystem");
	if (cg_writes_missing(cg, w, n, &missing) == 0 && missing)
		cg_enable_above(cg, missing, CG_DEPTH_MAX);
	return cg_writes_try(cg, w, n, NULL, err);
}
