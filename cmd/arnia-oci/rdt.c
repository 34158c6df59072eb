/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.intelRdt (runtime-spec config-linux.md "IntelRdt"). */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "cmd/arnia-oci/rdt.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mountinfo.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#define MON "mon_groups"

/* ---- one group, below a root that is given ---- */

static bool is_root_class(const struct oci_rdt *c)
{
	return c->clos_id && str_eq(c->clos_id, "/");
}

static const char *class_of(const struct rdt *r)
{
	return is_root_class(r->config) ? "." : r->config->clos_id ?: r->id;
}

static bool has_schemata(const struct oci_rdt *c)
{
	return c->l3 || c->mem_bw || c->schemata.n;
}

/* What the kernel itself has to say of a refusal. */
static int with_status(const struct rdt *r, struct error *err)
{
	auto_free char *text = NULL;
	long n = file_read_at(r->root, "info/last_cmd_status", 4096, &text, NULL);

	if (n <= 0 || str_eq(text, "ok\n"))
		return err->code;
	text[strcspn(text, "\n")] = '\0';
	return err_prefix(err, "%s", text);
}

static int write_ctl(const struct rdt *r, int dir, const char *name, const char *text, struct error *err)
{
	int x = file_write_ctl_at(dir, name, r->magic, text, err);

	return x < 0 ? with_status(r, err) : 0;
}

static int make_folder(const struct rdt *r, int dir, const char *name, struct error *err)
{
	if (mkdirat(dir, name, 0755) == 0)
		return 1;
	if (errno == EEXIST)
		return 0;
	err_sys(err, -errno, "make the group %s", name);
	return with_status(r, err);
}

/* Without a word on what it shall be, a class of this name has to be there. 1: made. */
static int make_class(const struct rdt *r, struct error *err)
{
	struct stat st;

	if (is_root_class(r->config))
		return 0;
	if (!r->config->clos_id || has_schemata(r->config))
		return make_folder(r, r->root, class_of(r), err);
	if (fstatat(r->root, class_of(r), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, -errno, "closID: class %s has no schemata here and is not there",
			       r->config->clos_id);
	return 0;
}

static void add_lines(struct strbuf *b, const char *text, bool without_mb)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		if (n && !(without_mb && str_starts(text, "MB:")))
			strbuf_addf(b, "%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static int write_schemata(const struct rdt *r, int dir, struct error *err)
{
	const struct oci_rdt *c = r->config;
	struct strbuf b = {0};
	int x = 0;

	add_lines(&b, c->l3, c->mem_bw != NULL);
	add_lines(&b, c->mem_bw, false);
	for (size_t i = 0; i < c->schemata.n; i++)
		add_lines(&b, c->schemata.v[i], false);
	if (b.len)
		x = write_ctl(r, dir, "schemata", strbuf_cstr(&b), err);
	strbuf_done(&b);
	return x;
}

/* A group that counts for this container alone, in the class. */
static int monitor(const struct rdt *r, int dir, const char *pid, struct error *err)
{
	auto_free char *name = str_fmt(MON "/%s", r->id), *tasks = str_fmt("%s/tasks", name);
	int made, x;

	if (!r->config->monitoring)
		return 0;
	made = make_folder(r, dir, name, err);
	if (made < 0)
		return made;
	x = write_ctl(r, dir, tasks, pid, err);
	if (x < 0 && made)
		unlinkat(dir, name, AT_REMOVEDIR);
	return x;
}

static int enter_class(const struct rdt *r, pid_t pid, struct error *err)
{
	auto_fd int dir = openat(r->root, class_of(r), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char text[16];
	int x;

	if (dir < 0)
		return err_sys(err, -errno, "open the class %s", class_of(r));
	snprintf(text, sizeof(text), "%d", pid);
	x = write_schemata(r, dir, err);
	if (x == 0)
		x = write_ctl(r, dir, "tasks", text, err);
	return x == 0 ? monitor(r, dir, text, err) : x;
}

int rdt_enter(const struct rdt *r, pid_t pid, bool *ret_made, struct error *err)
{
	int made = make_class(r, err), x;

	if (made < 0)
		return made;
	x = enter_class(r, pid, err);
	if (x < 0) {
		if (made)
			rdt_leave(r, true);
		return x;
	}
	*ret_made = made;
	return 0;
}

void rdt_leave(const struct rdt *r, bool made)
{
	auto_free char *mon = str_fmt("%s/" MON "/%s", class_of(r), r->id);

	if (r->config->monitoring)
		unlinkat(r->root, mon, AT_REMOVEDIR);
	if (!is_root_class(r->config) && (made || !r->config->clos_id))
		unlinkat(r->root, class_of(r), AT_REMOVEDIR);
}

/* ---- that of the host ---- */

static int open_mounted(char *line)
{
	struct mountinfo m;
	bool is_it = strstr(line, " - resctrl ");
	int fd;

	if (!is_it || mountinfo_parse(line, &m) < 0)
		return -1;
	fd = open(m.point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !path_fd_is_fs(fd, RDTGROUP_SUPER_MAGIC))
		fd_close(&fd);
	return fd;
}

static int open_root(void)
{
	auto_free char *text = NULL;
	char *at, *line;
	int fd = -1;

	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		return -1;
	at = text;
	while (fd < 0 && (line = strsep(&at, "\n")))
		fd = open_mounted(line);
	return fd;
}

int rdt_place(struct act *a, struct error *err)
{
	auto_fd int root = -1;
	struct rdt r = {.magic = RDTGROUP_SUPER_MAGIC, .id = a->record.id, .config = &a->config.rdt};
	int x;

	if (!r.config->set)
		return 0;
	r.root = root = open_root();
	if (root < 0)
		return err_set_kind(
			err, -EOPNOTSUPP, ERR_UNSUPPORTED,
			"linux.intelRdt: intelRdt is not supported on this host: resctrl is not mounted");
	x = rdt_enter(&r, a->init.pid, &a->record.rdt_made, err);
	return x < 0 ? (err_prefix(err, "linux.intelRdt"), x) : 0;
}

void rdt_remove(const struct record *record, const struct oci_config *config)
{
	auto_fd int root = -1;

	if (!config->rdt.set)
		return;
	root = open_root();
	if (root >= 0)
		rdt_leave(&(struct rdt){.root = root, .id = record->id, .config = &config->rdt},
			  record->rdt_made);
}
