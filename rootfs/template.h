/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TEMPLATE_H
#define ARNIA_TEMPLATE_H
/*
 * Templates: a folder templates/NAME/template.json describes one (data shipped with arnia, or the administrator's in STATE/templates.d); building makes
 * STATE/templates/NAME/{template.json,rootfs/} whole or not at all (built in ".NAME.tmp", fsync, rename). Files are stored with host ids 0.. as in the image
 * and never chowned. template(5) describes the file.
 */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"

struct template_desc {
	struct arena arena;
	const char *name, *description;
	const char *source; /* "busybox" or "debootstrap" */
	const char *suite, *mirror, *variant; /* debootstrap; mirror NULL = the host's configured archive */
	struct strv packages;
	/* defaults for machines made from it */
	struct strv cmd, env;
	const char *workdir, *user;
	const char *stop_signal;
	bool init; /* the image's own init runs as PID 1 */
};
int template_parse(const char *text, size_t n, struct template_desc *ret, struct error *err);
void template_done(struct template_desc *t);

struct template_info {
	char name[64];
	bool built;
	uint64_t size; /* bytes on disk, 0 when not built */
	uint64_t built_ns; /* real time, ns */
	char id[65]; /* sha256 of the description and build, hex; names the build */
	char description[256];
};
/* share: shipped descriptions; state: STATE folder. Arrays are malloc'ed. */
int template_list(const char *share, const char *state, struct template_info **ret, size_t *ret_n, struct error *err);
/* Description of one; built copy first. -ENOENT with kind NOT_FOUND and a hint. */
int template_find(const char *share, const char *state, const char *name, struct template_desc *ret,
		  struct template_info *ret_info, struct error *err);
typedef void (*template_progress)(void *arg, const char *line);
/* Build (worker job, in the host's mount namespace). busybox: the shipped static binary with its applet links, /etc files, no network. debootstrap: mmdebstrap run by execve
 * with an argument vector into the temporary folder; its last lines are in the error. Concurrent builds of one name: flock, the second finds it built. */
int template_build(const char *share, const char *state, const char *name, template_progress fn, void *arg, struct error *err);
int template_remove(const char *state, const char *name, struct error *err);

#endif
