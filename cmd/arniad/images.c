/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptions of built images, parsed once for as long as their files stay the same. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "rootfs/template.h"

#define KEPT 16

struct image {
	struct image *next;
	char *name, *path;
	struct stat st;
	struct template_desc desc;
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void image_free(struct image *i)
{
	template_done(&i->desc);
	free(i->name);
	free(i->path);
	free(i);
}

/* Out of the list; NULL when there is none. */
static struct image *take(struct daemon *d, const char *name)
{
	struct image **pp = &d->images, *i;

	while ((i = *pp) && !str_eq(i->name, name))
		pp = &i->next;
	if (i)
		*pp = i->next;
	return i;
}

static void put_first(struct daemon *d, struct image *i)
{
	struct image **pp = &d->images, *old;
	int n = 0;

	i->next = d->images;
	d->images = i;
	while (*pp && n++ < KEPT)
		pp = &(*pp)->next;
	while ((old = *pp)) {
		*pp = old->next;
		image_free(old);
	}
}

static int read_image(struct daemon *d, const char *name, struct image *i, struct error *err)
{
	struct template_info info = { 0 };
	/* Looked at before it is read: what changes in between is read again. */
	bool there = stat(i->path, &i->st) == 0;
	int r = template_find(d->in.share, d->in.state, name, &i->desc, &info, err);

	if (r < 0 || (info.built && there))
		return r;
	err_set_kind(err, -ENOENT, ERR_NOT_FOUND, "image %s is not built", name);
	err_hint(err, "arnia image build %s", name);
	return -ENOENT;
}

int image_get(struct daemon *d, const char *name, const struct template_desc **ret, struct error *err)
{
	struct image *i = take(d, name);
	struct stat now;
	int r;

	if (i && stat(i->path, &now) == 0 && is_same_file(&now, &i->st)) {
		put_first(d, i);
		*ret = &i->desc;
		return 0;
	}
	if (i)
		image_free(i);
	i = mem_alloc(sizeof(*i));
	i->name = str_dup(name);
	i->path = str_fmt("%s/templates/%s/template.json", d->in.state, name);
	r = read_image(d, name, i, err);
	if (r < 0) {
		image_free(i);
		return r;
	}
	put_first(d, i);
	*ret = &i->desc;
	return 0;
}
