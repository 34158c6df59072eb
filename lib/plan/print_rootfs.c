/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/mount.h>
#include "lib/plan/print.h"

static const struct print_flag mount_flags[] = {
	{ MS_RDONLY, "ro" },
	{ MS_NOSUID, "nosuid" },
	{ MS_NODEV, "nodev" },
	{ MS_NOEXEC, "noexec" },
	{ MS_NOATIME, "noatime" },
	{ MS_RELATIME, "relatime" },
	{ MS_STRICTATIME, "strictatime" },
	{ MS_REC, "rec" },
};

/* "mount tmpfs /dev nosuid,strictatime mode=755", "mount bind /srv -> /data nosuid,nodev,rec idmap". */
static void print_mount(const struct mount_item *m, struct strbuf *out)
{
	strbuf_add(out, "mount ");
	if (m->kind == MOUNT_BIND) {
		strbuf_add(out, "bind ");
		print_text(out, m->source);
		strbuf_add(out, " -> ");
	} else {
		print_text(out, m->fstype);
		strbuf_addc(out, ' ');
	}
	print_text(out, m->target);
	strbuf_addc(out, ' ');
	print_flags(out, m->flags, mount_flags, ARRAY_SIZE(mount_flags));
	if (m->data) {
		strbuf_addc(out, ' ');
		print_text(out, m->data);
	}
	strbuf_addf(out, "%s%s%s%s\n", m->idmap ? " idmap" : "", m->create ? " create" : "",
		    m->optional ? " optional" : "", m->copy_up ? " copy-up" : "");
}

/* The text of a file, one "| " line for each of its own. */
static void print_file(const struct file_item *f, struct strbuf *out)
{
	const char *at = f->data, *end = at + f->size;

	strbuf_add(out, "file ");
	print_text(out, f->path);
	strbuf_addf(out, " %04o\n", f->mode);
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		const char *stop = nl ? nl : end;

		strbuf_add(out, "| ");
		strbuf_add_escaped(out, at, (size_t)(stop - at));
		strbuf_addc(out, '\n');
		at = nl ? nl + 1 : end;
	}
}

static void print_layers(const struct rootfs_config *r, struct strbuf *out)
{
	if (r->id_count)
		strbuf_addf(out, "ids %llu %u\n", (unsigned long long)r->id_base, r->id_count);
	print_list(out, "lower", &r->lower);
	print_fact(out, "upper", r->upper);
	print_fact(out, "work", r->work);
	if (r->upper && r->throwaway)
		print_fact(out, "layer", "thrown away");
	if (r->readonly)
		print_fact(out, "root", "read-only");
	if (r->console)
		print_fact(out, "console", "/dev/console");
}

void plan_print_rootfs(const struct plan *p, struct strbuf *out)
{
	const struct rootfs_config *r = &p->rootfs;

	print_layers(r, out);
	for (size_t i = 0; i < r->mounts.n; i++)
		print_mount(&r->mounts.v[i], out);
	for (size_t i = 0; i < r->devices.n; i++) {
		const struct dev_item *d = &r->devices.v[i];

		strbuf_add(out, "node ");
		print_text(out, d->path);
		strbuf_add(out, " -> ");
		print_text(out, d->target);
		strbuf_addf(out, " %c %u:%u\n", d->type, d->major, d->minor);
	}
	for (size_t i = 0; i < r->links.n; i++) {
		strbuf_add(out, "symlink ");
		print_text(out, r->links.v[i].path);
		strbuf_add(out, " -> ");
		print_text(out, r->links.v[i].target);
		strbuf_addc(out, '\n');
	}
	for (size_t i = 0; i < r->files.n; i++)
		print_file(&r->files.v[i], out);
	print_list(out, "mask", &r->masked);
	print_list(out, "read-only", &r->readonly_paths);
}
