/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEMPLATE_INTERNAL_H
#define ARNIA_TEMPLATE_INTERNAL_H
/* Shared by the template_*.c only. */
#include "lib/base/sha256.h"
#include "rootfs/template.h"

#define TEMPLATE_FILE "template.json"
#define TEMPLATE_MAX 65536 /* bytes of a description */

/* Member "build" of a built copy. */
struct template_record {
	char id[65];
	uint64_t time_ns, size;
};
/* template_parse, and the record: -ENODATA when there is none and ret_record was asked. */
int template_parse_built(const char *text, size_t n, struct template_desc *ret,
			 struct template_record *ret_record, struct error *err);
/* The description's text with the record put in; malloc'ed. */
char *template_text_built(const char *text, size_t n, const struct template_record *r, struct error *err);

/* Where the description of a template that is to be built lies: the administrator's first. text is malloc'ed;
 * its length or -errno. */
long template_read(const char *share, const char *state, const char *name, char **ret_text,
		   struct error *err);
/* What was built of it: 0, or -ENOENT when nothing valid is there. ret may be NULL. */
int template_read_built(const char *state, const char *name, struct template_desc *ret,
			struct template_record *ret_record);
int template_check_name(const char *name, struct error *err);

/* STATE/templates, made when missing, and the lock of one name in it. */
struct template_store {
	int dir, lock; /* -1 */
};
int template_store_open(const char *state, const char *name, bool make, struct template_store *ret,
			struct error *err);
void template_store_close(struct template_store *s, const char *name);
/* Take NAME and what unfinished work left of it away. `all` false: only the leftovers. */
int template_store_clear(const struct template_store *s, const char *name, bool all, struct error *err);

/* One build. */
struct build {
	const struct template_desc *t;
	const char *share;
	int root;	       /* the new rootfs, empty, 0755 */
	const char *root_path; /* the same as an absolute path */
	const char *scratch_path; /* for temporary files; goes when the build is done or given up */
	struct sha256 inputs;  /* what the result depends on, added by the builder */
	template_progress fn;  /* may be NULL */
	void *arg;
};
int template_build_busybox(struct build *b, struct error *err);
int template_build_debootstrap(struct build *b, struct error *err);
void build_say(const struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* root.c: edits of the new rootfs, never by its links. 0 or -errno. */
int root_write(int root, const char *path, const void *p, size_t n,
	       mode_t mode);				 /* replaces what is there; parents made */
int root_mkdir(int root, const char *path, mode_t mode); /* parents made; an existing one gets the mode */
int root_link(int root, const char *target, const char *path);
int root_remove(int root, const char *path); /* any tree; missing is fine */
/* Remove the entries of a folder whose names match (str_glob). */
int root_remove_matching(int root, const char *dir, const char *pattern);

/* run.c: run a program to its end in a session, pid and mount namespace of its own, so that all it started
 * ends with it and with this process. */
struct run {
	const char *const *argv; /* argv[0] is an absolute path */
	const char *const *env;
	void (*line)(void *arg,
		     const char *line); /* of stdout and stderr, control bytes escaped, at most 500 bytes */
	void *arg;
};
/* -ENOEXEC: it could not be started; -ECHILD: it failed; the text ends with its last lines. */
int run_program(const struct run *r, struct error *err);

#endif
