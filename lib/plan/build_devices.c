/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/plan/internal.h"

#define ANY (-1)
#define READ 1
#define WRITE 2
#define MKNOD 4
#define ALL (READ | WRITE | MKNOD)

/* The base is "deny all". Making any node is allowed, as runc does: opening it is what counts. */
const struct cg_device plan_device_rules[] = {
	{ true, 'c', ANY, ANY, MKNOD }, { true, 'b', ANY, ANY, MKNOD }, { true, 'c', 1, 3, ALL }, /* null */
	{ true, 'c', 1, 5, ALL },								  /* zero */
	{ true, 'c', 1, 7, ALL },								  /* full */
	{ true, 'c', 1, 8, ALL },								  /* random */
	{ true, 'c', 1, 9, ALL },     /* urandom */
	{ true, 'c', 5, 0, ALL },     /* tty */
	{ true, 'c', 5, 1, ALL },     /* console */
	{ true, 'c', 5, 2, ALL },     /* ptmx */
	{ true, 'c', 136, ANY, ALL }, /* pts */
};

const size_t plan_n_device_rules = ARRAY_SIZE(plan_device_rules);

static const struct plan_node *find_node(const struct plan_input *in, const char *path)
{
	for (size_t i = 0; i < in->n_nodes; i++)
		if (str_eq(in->nodes[i].path, path))
			return &in->nodes[i];
	return NULL;
}

int plan_add_devices(const struct plan_input *in, struct plan *p, struct error *err)
{
	const struct strv *asked = &in->spec->devices;
	struct arena *a = &p->arena;

	for (size_t i = 0; i < plan_n_device_rules; i++)
		*arena_push(a, &p->cgroup.devices) = plan_device_rules[i];
	for (size_t i = 0; i < asked->n; i++) {
		const struct plan_node *node;
		struct spec_device d;

		if (spec_device_parse(a, asked->v[i], &d) < 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE, "device \"%.80s\": not understood",
					    asked->v[i]);
		node = find_node(in, d.path);
		if (!node)
			return err_set_kind(err, -ENODEV, ERR_NOT_FOUND, "device %s: not on this host",
					    d.path);
		*arena_push(a, &p->cgroup.devices) =
			(struct cg_device){ true, node->type, node->major, node->minor, d.access };
		*arena_push(a, &p->rootfs.devices) =
			(struct dev_item){ .path = d.path,
					   .target = d.target,
					   .type = node->type,
					   .major = node->major,
					   .minor = node->minor };
	}
	return 0;
}
