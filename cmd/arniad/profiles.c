/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox.h"

#define PROFILE_MAX (1u << 20)
#define KEPT 16 /* compiled programs in memory */

static int cache_dir(const struct daemon *d)
{
	auto_free char *top = str_fmt("%s/cache", d->in.state), *dir = str_fmt("%s/cache/seccomp", d->in.state);

	(void)mkdir(top, 0700);
	(void)mkdir(dir, 0700);
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int profile_text(struct daemon *d, const char *name, char **ret, struct error *err)
{
	auto_free char *path = NULL;
	long n;

	if (name[0] == '{') {
		*ret = str_dup(name);
		return 0;
	}
	path = str_fmt("%s/seccomp-profiles/%s.json", d->in.share, name);
	n = file_read_at(AT_FDCWD, path, PROFILE_MAX, ret, err);
	return n < 0 ? err_prefix(err, "seccomp profile %s", name) : 0;
}

static void keep(struct daemon *d, struct profile *p)
{
	struct profile **pp = &d->profiles;
	int n = 1;

	p->next = d->profiles;
	d->profiles = p;
	while (*pp && n++ <= KEPT)
		pp = &(*pp)->next;
	while (*pp) {
		struct profile *old = *pp;

		*pp = old->next;
		free(old->name);
		free(old->program);
		free(old);
	}
}

int profile_get(struct daemon *d, const char *name_or_json, uint64_t caps, const void **ret, size_t *ret_size,
		struct error *err)
{
	const char *name = name_or_json ? name_or_json : "default";
	auto_free char *text = NULL;
	auto_fd int cache = -1;
	struct seccomp_input in = { .caps = caps };
	struct profile *p;
	int r;

	if (str_eq(name, "unconfined")) {
		*ret = NULL;
		*ret_size = 0;
		return 0;
	}
	for (p = d->profiles; p; p = p->next) {
		if (p->caps == caps && str_eq(p->name, name)) {
			*ret = p->program;
			*ret_size = p->size;
			return 0;
		}
	}
	if ((r = profile_text(d, name, &text, err)) < 0)
		return r;
	in.json = text;
	in.json_len = strlen(text);
	cache = cache_dir(d);
	p = mem_alloc(sizeof(*p));
	p->caps = caps;
	r = seccomp_compile_cached(&in, cache, &p->program, &p->size, err);
	if (r < 0) {
		free(p);
		return err_prefix(err, "seccomp");
	}
	p->name = str_dup(name);
	keep(d, p);
	*ret = p->program;
	*ret_size = p->size;
	return 0;
}

/* What arniad itself may do from here on: no exec, no fork, no mount, no module, no ptrace. */
int profile_confine_self(struct daemon *d, struct error *err)
{
	struct sandbox_config c = { .no_new_privs = true };
	int r = profile_get(d, "arniad", 0, &c.seccomp, &c.seccomp_size, err);

	if (r == 0)
		r = no_new_privs_apply(&c, err);
	return r == 0 ? filter_load(&c, err) : r;
}
