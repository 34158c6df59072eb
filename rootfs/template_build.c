/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Build a template in ".NAME.tmp" and let it appear at once, finished, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "rootfs/template_internal.h"

#define BUILD_FORMAT                                                                                         \
	"arnia template 1\n" /* part of the id: to be changed when builds of the same description shall      \
				differ */

void build_say(const struct build *b, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!b->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	b->fn(b->arg, line);
}

/* One build from its start to its end. */
struct job {
	const char *share, *state, *name;
	struct template_store store;
	char *text; /* of the description, owned */
	size_t text_len;
	struct template_desc desc;
	char temp[96];			/* ".NAME.tmp" */
	int dir;			/* it */
	char *root_path, *scratch_path; /* owned */
	struct build build;
	struct template_record record;
};

static int load(struct job *j, struct error *err)
{
	long n = template_read(j->share, j->state, j->name, &j->text, err);
	int r;

	if (n < 0)
		return (int)n;
	j->text_len = (size_t)n;
	r = template_parse(j->text, j->text_len, &j->desc, err);
	if (r < 0)
		return err_prefix(err, "description of image %s", j->name);
	j->desc.name = arena_str(&j->desc.arena, j->name);
	return 0;
}

static int make_folder(struct job *j, struct error *err)
{
	int r = template_store_clear(&j->store, j->name, true, err);

	if (r < 0)
		return r;
	snprintf(j->temp, sizeof(j->temp), ".%.64s.tmp", j->name);
	if (mkdirat(j->store.dir, j->temp, 0700) < 0)
		return err_sys(err, -errno, "make the folder of image %s", j->name);
	j->dir = openat(j->store.dir, j->temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (j->dir < 0 || mkdirat(j->dir, "rootfs", 0755) < 0 || mkdirat(j->dir, "scratch", 0755) < 0)
		return err_sys(err, -errno, "make the folder of image %s", j->name);
	j->build.root = openat(j->dir, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* umask must not matter: it is the container's "/". */
	if (j->build.root < 0 || fchmod(j->build.root, 0755) < 0)
		return err_sys(err, -errno, "make the folder of image %s", j->name);
	return 0;
}

static int fill(struct job *j, struct error *err)
{
	static const struct {
		const char *source;
		int (*build)(struct build *b, struct error *err);
	} builders[] = {
		{ "busybox", template_build_busybox },
		{ "debootstrap", template_build_debootstrap },
	};
	int r = fail_at("template-fill");

	if (r < 0)
		return err_sys(err, r, "fill image %s", j->name);
	sha256_init(&j->build.inputs);
	sha256_add(&j->build.inputs, BUILD_FORMAT, strlen(BUILD_FORMAT));
	sha256_add(&j->build.inputs, j->text, j->text_len);
	for (size_t i = 0; i < ARRAY_SIZE(builders); i++)
		if (str_eq(builders[i].source, j->desc.source))
			return builders[i].build(&j->build, err);
	return err_set(err, -EINVAL, "no builder for %s", j->desc.source);
}

/* Bytes on disk; a file with several names counts once. */
static int measure(const char *path, uint64_t *ret)
{
	char *const paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	uint64_t size = 0;
	FTSENT *e;

	if (!fts)
		return -errno;
	while ((e = fts_read(fts)))
		if (e->fts_info != FTS_DP && e->fts_info != FTS_NS && e->fts_info != FTS_ERR)
			size += (uint64_t)e->fts_statp->st_blocks * 512 /
				(S_ISDIR(e->fts_statp->st_mode) ? 1
								: MAX(e->fts_statp->st_nlink, (nlink_t)1));
	fts_close(fts);
	*ret = size;
	return 0;
}

static int write_record(struct job *j, struct error *err)
{
	auto_free char *text = NULL;
	int r = path_rmtree_at(j->dir, "scratch");

	if (r == 0)
		r = measure(j->root_path, &j->record.size);
	if (r < 0)
		return err_sys(err, r, "measure image %s", j->name);
	j->record.time_ns = time_real_ns();
	sha256_hex(&j->build.inputs, j->record.id);
	text = template_text_built(j->text, j->text_len, &j->record, err);
	if (!text)
		return -EINVAL;
	r = file_write_atomic_at(j->dir, TEMPLATE_FILE, text, strlen(text), 0644, false, err);
	if (r < 0)
		return r;
	/* Thousands of files: once for the filesystem instead of once for each. */
	return syncfs(j->dir) < 0 ? err_sys(err, -errno, "write image %s to disk", j->name) : 0;
}

static int publish(struct job *j, struct error *err)
{
	int r = fail_at("template-publish");

	if (r == 0 && renameat2(j->store.dir, j->temp, j->store.dir, j->name, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r == 0 && fsync(j->store.dir) < 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "put image %s in place", j->name) : 0;
}

static int run_steps(struct job *j, struct error *err)
{
	static int (*const steps[])(struct job *, struct error *) = { load, make_folder, fill, write_record,
								      publish };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](j, err);

		if (r < 0)
			return r;
	}
	build_say(&j->build, "image %s is built: %llu MiB, id %.12s", j->name,
		  (unsigned long long)(j->record.size >> 20), j->record.id);
	return 0;
}

/* A full disk has many faces (dpkg, apt and we stumble over it in their own ways) and deserves one plain
 * line. */
static void explain_full_disk(const struct job *j, int r, struct error *err)
{
	struct statvfs sv;
	unsigned long long free_bytes;

	if (!err || fstatvfs(j->store.dir, &sv) < 0)
		return;
	free_bytes = (unsigned long long)sv.f_bavail * sv.f_frsize;
	if (r != -ENOSPC && r != -EDQUOT && !strstr(err->text, "No space left on device") &&
	    free_bytes >= 1 << 20)
		return;
	err_clear(err);
	err_set(err, -ENOSPC, "image %s: no space left in %s (%llu MiB free)", j->name, j->state,
		free_bytes >> 20);
	err_hint(err, "nothing of the image was kept");
}

static void job_done(struct job *j)
{
	fd_close(&j->dir);
	fd_close(&j->build.root);
	template_done(&j->desc);
	free(j->text);
	free(j->root_path);
	free(j->scratch_path);
	template_store_close(&j->store, j->name);
}

int template_build(const char *share, const char *state, const char *name, template_progress fn, void *arg,
		   struct error *err)
{
	cleanup(job_done) struct job j = {
		.share = share, .state = state, .name = name, .dir = -1, .store = { -1, -1 }
	};
	int r;

	j.build = (struct build){ .t = &j.desc, .share = share, .root = -1, .fn = fn, .arg = arg };
	r = template_check_name(name, err);
	if (r < 0)
		return r;
	r = template_store_open(state, name, true, &j.store, err);
	if (r < 0)
		return r;
	if (template_read_built(state, name, NULL, &j.record) == 0) {
		build_say(&j.build, "image %s is built already", name);
		return 0;
	}
	j.root_path = str_fmt("%s/templates/.%.64s.tmp/rootfs", state, name);
	j.scratch_path = str_fmt("%s/templates/.%.64s.tmp/scratch", state, name);
	j.build.root_path = j.root_path;
	j.build.scratch_path = j.scratch_path;
	r = run_steps(&j, err);
	if (r < 0) {
		explain_full_disk(&j, r, err);
		(void)template_store_clear(&j.store, name, false, NULL);
		return err ? err->code : r;
	}
	return 0;
}
