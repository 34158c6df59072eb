/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/mount.h>
#include "lib/plan/internal.h"

#define TMPFS_DEFAULT (UINT64_C(64) << 20)
#define TMPFS_MODE 01777

/* Half of the memory limit: filling it is then not by itself the end of the container. */
static uint64_t tmpfs_size(const struct spec *s, const struct spec_mount *m)
{
	if (m->size)
		return m->size;
	return s->memory < CG_MAX ? s->memory / 2 : TMPFS_DEFAULT;
}

static struct mount_item mount_of(const struct spec *s, const struct spec_mount *m, struct arena *a)
{
	struct mount_item item = { .target = arena_str(a, m->target), .create = true };

	item.flags = MS_NOSUID | MS_NODEV | (m->readonly ? MS_RDONLY : 0);
	if (str_eq(m->type, "tmpfs")) {
		item.kind = MOUNT_FS;
		item.fstype = item.source = "tmpfs";
		item.data = arena_fmt(a, "mode=%o,size=%llu", m->mode ? m->mode : TMPFS_MODE,
				      (unsigned long long)tmpfs_size(s, m));
		return item;
	}
	item.kind = MOUNT_BIND;
	item.source = arena_str(a, m->source);
	item.flags |= MS_REC;
	/* A view of a procfs file comes from FUSE, which cannot be idmapped, and has no owner that matters.
	 */
	item.idmap = m->idmap && !str_starts(m->target, "/proc/");
	return item;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* The user's mounts, a folder before what lies in it; of one depth in his order. */
static void add_user_mounts(const struct spec *s, struct rootfs_config *r, struct arena *a)
{
	size_t first = r->mounts.n;

	for (size_t i = 0; i < s->mounts.n; i++) {
		struct mount_item item = mount_of(s, &s->mounts.v[i], a);
		size_t at = r->mounts.n;

		arena_push(a, &r->mounts);
		for (; at > first && depth(r->mounts.v[at - 1].target) > depth(item.target); at--)
			r->mounts.v[at] = r->mounts.v[at - 1];
		r->mounts.v[at] = item;
	}
}

/* A standard mount that the user replaces by one of his own (/dev/shm, /run of a system). */
static void drop_replaced(const struct spec *s, struct rootfs_config *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->mounts.n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < s->mounts.n; k++)
			replaced = replaced || str_eq(s->mounts.v[k].target, r->mounts.v[i].target);
		if (!replaced)
			r->mounts.v[kept++] = r->mounts.v[i];
	}
	r->mounts.n = kept;
}

int plan_add_rootfs(const struct plan_input *in, struct plan *p, struct error *err unused)
{
	const struct spec *s = in->spec;
	struct rootfs_config *r = &p->rootfs;
	struct plan_tree tree = { .host_net = s->net == NET_HOST, .image_init = s->image_init };

	strv_push(&p->arena, &r->lower, in->rootfs);
	p->layers_dir = arena_fmt(&p->arena, "%s/containers/%s", in->state, in->id);
	/* A read-only root needs no layer of its own, unless a mount may lack its place in the image. */
	if (!s->readonly || s->mounts.n) {
		r->upper = arena_fmt(&p->arena, "%s/upper", p->layers_dir);
		r->work = arena_fmt(&p->arena, "%s/work", p->layers_dir);
	}
	r->readonly = s->readonly;
	r->throwaway = s->remove;
	r->id_base = in->lease->id_base;
	r->id_count = PLAN_ID_COUNT;
	r->console = s->tty;
	plan_rootfs_defaults(r, &tree, &p->arena);
	drop_replaced(s, r);
	add_user_mounts(s, r, &p->arena);
	return 0;
}
