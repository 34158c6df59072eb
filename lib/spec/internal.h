/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SPEC_INTERNAL_H
#define ARNIA_SPEC_INTERNAL_H
/* The member tables shared by decode.c and encode.c, and what the files of rules share. */
#include "lib/base/str.h"
#include "lib/spec/names.h"
#include "lib/spec/spec.h"

/* How a member is written in JSON and kept in its struct. */
enum spec_kind {
	SPEC_STR, /* const char * */
	SPEC_BOOL,
	SPEC_STRV, /* array of strings: struct strv */
	SPEC_U16, /* min..max */
	SPEC_U32,
	SPEC_I32,
	SPEC_U64,
	SPEC_LIMIT, /* uint64_t; -1 is CG_MAX */
	SPEC_RLIM, /* uint64_t; -1 is RLIM_INFINITY */
	SPEC_CPUS, /* number of CPUs: uint32_t, thousandths */
	SPEC_NET, /* enum net_mode */
	SPEC_PROTOCOL, /* "tcp", "udp": uint8_t */
	SPEC_ADDRESS, /* dotted IPv4: struct in_addr */
	SPEC_CAPS, /* array of capability names: uint64_t of bits */
	SPEC_RLIMIT_NAME, /* uint32_t */
	SPEC_PAIRS, /* object of strings: array of struct spec_pair, or of struct sandbox_sysctl */
	SPEC_ARRAY, /* array of objects, each by `table` */
	SPEC_RESTART, /* only "no", kept nowhere */
	SPEC_KINDS,
};

struct spec_table;
struct spec_member {
	const char *key;
	enum spec_kind kind;
	size_t offset;
	bool required;
	int64_t min, max;
	uint32_t given; /* bit of spec.given that remembers it, or 0 */
	const struct spec_table *table;
};
struct spec_table {
	const struct spec_member *members;
	size_t n;
	size_t size; /* of the struct */
	const void *defaults; /* one such struct, or NULL: all zero */
};
extern const struct spec_table spec_table;

/* Any ARRAY_OF. */
struct spec_vec {
	void *v;
	size_t n;
};

/* Violations gathered by the rules. */
struct spec_check {
	struct strbuf text;
	size_t n, left_out; /* all, and those for which the text had no room */
};
void spec_violation(struct spec_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Nothing in it could steer a terminal, end a line of a file or fake one: no control bytes, no direction
 * marks, valid UTF-8. */
bool spec_text_is_clean(const char *s);
/* Absolute, no "." or ".." or empty component, no slash at the end, clean, shorter than PATH_MAX. "/" is
 * normal. */
bool spec_path_is_normal(const char *s);
/* The path is `root` or lies below it. */
bool spec_path_is_in(const char *path, const char *root);

void spec_check_mounts(struct spec_check *c, const struct spec *s); /* check_paths.c */
void spec_check_devices(struct spec_check *c, const struct spec *s);
void spec_check_network(struct spec_check *c, const struct spec *s); /* check_net.c */
void spec_check_sysctls(struct spec_check *c, const struct spec *s);

#endif
