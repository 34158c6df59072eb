/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_INTERNAL_H
#define ARNIA_OCI_INTERNAL_H
/* What the decoders of a configuration share. Errors are -EINVAL of kind USAGE whose text starts with the JSON path, relative to the
 * object that the function was given; who calls puts its own part before it (oci_within). */
#include <errno.h>
#include "lib/oci/oci.h"

struct oci_decode {
	const struct oci_input *in;
	struct oci_config *c; /* everything goes into its arena */
};

/* A number for a word. */
struct oci_word {
	const char *name;
	uint64_t value;
};

/* get.c */
#define oci_bad(err, ...) err_set_kind((err), -EINVAL, ERR_USAGE, __VA_ARGS__)
/* Put "fmt" right before the text of err, without ": ". Returns the error's code. */
int oci_within(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Member `key` copied into the arena: 1; missing, null or "": 0 and *ret as it was. */
int oci_get_str(const json *o, const char *key, struct arena *a, const char **ret, struct error *err);
/* The same for an absolute path of less than PATH_MAX. */
int oci_get_abs(const json *o, const char *key, struct arena *a, const char **ret, struct error *err);
/* A word of a table; "" and a missing member: 0. Unknown: "KEY: no WHAT is named ...". */
int oci_get_word(const json *o, const char *key, const struct oci_word *words, uint64_t *ret, struct error *err);
/* Words of a table in an array, or'ed. */
int oci_get_flags(const json *o, const char *key, const struct oci_word *words, uint64_t *ret, struct error *err);
int oci_get_range(const json *o, const char *key, int64_t min, int64_t max, int64_t *ret, struct error *err);
/* A user or group id: (uid_t)-1 is none. */
int oci_get_id(const json *o, const char *key, uint32_t *ret, struct error *err);
/* A list of CPUs or memory nodes, "0-3,7". */
int oci_get_list(const json *o, const char *key, struct arena *a, const char **ret, struct error *err);
/* Each object of the array `key`; errors of fn get "KEY[i]." before them. Returns the number of objects. */
typedef int oci_item_fn(const json *item, void *ctx, struct error *err);
int oci_each(const json *o, const char *key, oci_item_fn *fn, void *ctx, struct error *err);
/* Each member of the object `key`; errors of fn get "KEY." before them, so it names the member. */
typedef int oci_member_fn(const char *name, const json *value, void *ctx, struct error *err);
int oci_each_member(const json *o, const char *key, oci_member_fn *fn, void *ctx, struct error *err);
/* Bundle and a relative path as one plain path, an absolute one as it is. -EINVAL: it leaves / or is too long. */
int oci_below(const char *bundle, const char *path, struct arena *a, const char **ret);

/* idmaps.c */
struct oci_maps {
	struct id_map *v;
	size_t n;
};
/* uidMappings or gidMappings: sizes, overflow and overlap checked. */
int oci_maps_decode(const json *o, const char *key, struct arena *a, struct oci_maps *ret, struct error *err);
/* What id `inside` is outside; -ENOENT when it is not mapped. */
int oci_maps_find(const struct id_map *v, size_t n, uint32_t inside, uint32_t *ret);

/* mounts.c: the recognised options, in alphabetical order; NULL behind the last. */
const char *oci_mount_option(size_t i);
/* MS_* of "rslave"; the words of linux.rootfsPropagation. */
extern const struct oci_word oci_propagations[];

/* Parts of the configuration, each in a file of its own */
int oci_mounts_decode(const json *j, struct oci_decode *d, struct error *err);
int oci_hooks_decode(const json *j, struct oci_decode *d, struct error *err);
int oci_linux_decode(const json *section, struct oci_decode *d, struct error *err);
int oci_namespaces_decode(const json *section, struct oci_decode *d, struct error *err);
int oci_devices_decode(const json *section, struct oci_decode *d, struct error *err); /* after mounts and namespaces */
int oci_seccomp_decode(const json *section, struct oci_decode *d, struct error *err);
int oci_sched_decode(const json *process, struct arena *a, struct sandbox_config *s, struct error *err);
bool oci_has_ns(const struct sandbox_config *s, uint32_t ns); /* of its own or joined */

/* Names for features.c */
extern const char *const oci_hook_names[OCI_HOOKS];
extern const struct oci_word oci_namespaces[], oci_mempolicy_modes[], oci_mempolicy_flags[], oci_seccomp_flags[];

#endif
