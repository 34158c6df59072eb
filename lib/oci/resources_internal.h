/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_RESOURCES_INTERNAL_H
#define ARNIA_OCI_RESOURCES_INTERNAL_H
/* Shared by the files that read linux.resources. */
#include "lib/oci/oci.h"

/* One object of linux.resources while it is read. */
struct res {
	const json *o;
	const char *path; /* "linux.resources.memory", for errors */
	struct arena *a;
	struct cg_config *c; /* what is found so far */
};

/* Getters as those of json.h (0 = absent, 1 = *ret is set); errors name the whole path. */
int res_i64(const struct res *r, const char *key, int64_t *ret, struct error *err);
int res_u64(const struct res *r, const char *key, uint64_t *ret, struct error *err);
int res_str(const struct res *r, const char *key, const char **ret, struct error *err);
int res_bool(const struct res *r, const char *key, bool *ret, struct error *err);
int res_arr(const struct res *r, const char *key, const json **ret, struct error *err);
/* The object below `key`, as a reader of its own. */
int res_obj(const struct res *r, const char *key, struct res *ret, struct error *err);
/* Element i of an array that res_arr gave: an object. */
int res_at(const struct res *r, const char *key, const json *arr, size_t i, struct res *ret, struct error *err);
/* "PATH.KEY: expected WHAT", kind USAGE */
int res_refuse(const struct res *r, const char *key, const char *what, struct error *err);

/* Append a write; the text is copied. */
struct cg_write *res_write(const struct res *r, const char *file, const char *value);
struct cg_write *res_write_u64(const struct res *r, const char *file, uint64_t v);

/* Parts of linux.resources: r is the whole of it. */
int oci_res_block_io(const struct res *r, struct error *err);
int oci_res_devices(const struct res *r, struct error *err);
int oci_res_unified(const struct res *r, struct error *err);

#endif
