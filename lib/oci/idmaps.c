/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uidMappings and gidMappings, of the container and of a mount. */
#include <stdlib.h>
#include "lib/oci/oci_internal.h"

#define MAPS_MAX 340		   /* user_namespaces(7) */
#define ID_END (UINT64_C(1) << 32) /* the last id, (uid_t)-1, is none */

struct decode_maps {
	struct arena *a;
	struct oci_maps maps;
};

static int decode_map(const json *item, void *ctx, struct error *err)
{
	static const char *const keys[] = { "containerID", "hostID", "size" };
	struct decode_maps *d = ctx;
	uint32_t v[3];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int r = json_get_u32(item, keys[i], &v[i], err);

		if (r < 0)
			return r;
		if (!r)
			return oci_bad(err, "%s: missing", keys[i]);
	}
	if (!v[2])
		return oci_bad(err, "size: must not be 0");
	for (size_t i = 0; i < 2; i++)
		if ((uint64_t)v[i] + v[2] >= ID_END)
			return oci_bad(err, "size: %u ids from %s %u are more than there are", v[2], keys[i],
				       v[i]);
	*arena_push(d->a, &d->maps) = (struct id_map){ .inside = v[0], .outside = v[1], .count = v[2] };
	return 0;
}

static bool do_overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b)
{
	return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

static int check_overlap(const struct oci_maps *m, const char *key, struct error *err)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < i; k++) {
			const struct id_map *a = &m->v[i], *b = &m->v[k];

			if (do_overlap(a->inside, a->count, b->inside, b->count))
				return oci_bad(err, "%s[%zu].containerID: overlaps with %s[%zu]", key, i, key,
					       k);
			if (do_overlap(a->outside, a->count, b->outside, b->count))
				return oci_bad(err, "%s[%zu].hostID: overlaps with %s[%zu]", key, i, key, k);
		}
	return 0;
}

int oci_maps_decode(const json *o, const char *key, struct arena *a, struct oci_maps *ret, struct error *err)
{
	struct decode_maps d = { .a = a };
	const json *arr = NULL;
	int r = json_get_arr(o, key, &arr, err);

	if (r < 0)
		return r;
	/* Before the comparison of each with each. */
	if (json_len(arr) > MAPS_MAX)
		return oci_bad(err, "%s: more than the %d that the kernel takes", key, MAPS_MAX);
	r = oci_each(o, key, decode_map, &d, err);
	if (r >= 0)
		r = check_overlap(&d.maps, key, err);
	if (r < 0)
		return r;
	*ret = d.maps;
	return 0;
}

int oci_maps_find(const struct id_map *v, size_t n, uint32_t inside, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= v[i].inside && inside - v[i].inside < v[i].count) {
			*ret = v[i].outside + (inside - v[i].inside);
			return 0;
		}
	return -ENOENT;
}
