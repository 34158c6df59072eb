/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that lies in the store's folders: configurations to load, ids, and what was put aside. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/container/store_internal.h"

#define CONFIG_MAX (4u << 20) /* bytes: a spec may carry a seccomp profile of 1 MiB */

static int config_decode(const json *j, const char *id, struct machine_config *ret, struct error *err)
{
	struct machine_config c = { 0 };
	const char *own = NULL;
	const json *spec = NULL;
	uint64_t schema = 0;
	int r;

	if (json_get_u64(j, "schema", &schema, err) < 0 || json_get_str(j, "id", &own, err) < 0 ||
	    json_get_u64(j, "created", &c.created_ns, err) < 0 || json_get_bool(j, "run", &c.by_run, err) < 0 ||
	    json_get_obj(j, "spec", &spec, err) < 0)
		return -EBADMSG;
	if (schema != 1)
		return err_set(err, -EPROTO, "schema %" PRIu64 " is of a newer arnia", schema);
	if (!str_eq(own, id) || !spec)
		return err_set(err, -EBADMSG, "not the configuration of %s", id);
	if ((r = spec_decode(spec, &c.spec, err)) < 0)
		return r;
	if (!name_is_valid(c.spec.name)) {
		spec_done(&c.spec);
		return err_set(err, -EBADMSG, "no valid name in it");
	}
	(void)str_copy(c.id, sizeof(c.id), id);
	*ret = c;
	return 0;
}

struct load {
	store_config_fn fn;
	store_bad_fn bad_fn;
	void *arg;
};

static void load_one(int dir, const char *name, void *arg)
{
	const struct load *l = arg;
	auto_json json *j = NULL;
	auto_free char *shown = NULL;
	struct machine_config c;
	struct error err = { 0 };
	char id[ID_LEN + 1];
	int r;

	if (strlen(name) != ID_LEN + 5 || !str_ends(name, ".json"))
		return;
	memcpy(id, name, ID_LEN);
	id[ID_LEN] = '\0';
	if (!id_is_valid(id))
		return;
	r = store_read_sealed(dir, name, CONFIG_MAX, &j, &err);
	if (r == 0)
		r = config_decode(j, id, &c, &err);
	if (r == 0) {
		l->fn(l->arg, &c);
		return;
	}
	if (r != -EPROTO && !store_is_passing(r)) /* of a newer arnia: left for it */
		store_isolate(dir, name);
	shown = str_fmt("config/%s", name);
	l->bad_fn(l->arg, shown, &err);
}

void store_load_configs(const struct store *s, store_config_fn fn, store_bad_fn bad_fn, void *arg)
{
	struct load l = { fn, bad_fn, arg };

	store_each_name(s->config, load_one, &l);
	store_each_name(s->run_config, load_one, &l);
}

struct bad_walk {
	store_bad_fn fn;
	void *arg;
	const char *folder;
};

static void tell_bad(int dir, const char *name, void *arg)
{
	const struct bad_walk *w = arg;
	struct error err = { 0 };
	auto_free char *shown = NULL;

	(void)dir;
	if (!str_starts(name, "bad-"))
		return;
	shown = str_fmt("%s/%s", w->folder, name);
	err_set(&err, -EBADMSG, "put aside earlier");
	w->fn(w->arg, shown, &err);
}

void store_each_bad(const struct store *s, store_bad_fn fn, void *arg)
{
	const struct {
		int fd;
		const char *name;
	} dirs[] = { { s->config, "config" },
		     { s->run_config, "config" },
		     { s->state, "state" },
		     { s->plan, "plan" },
		     { s->exits, "exit" } };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		struct bad_walk w = { fn, arg, dirs[i].name };

		store_each_name(dirs[i].fd, tell_bad, &w);
	}
}

struct id_walk {
	store_id_fn fn;
	void *arg;
	const char *suffix;
};

static void tell_id(int dir, const char *name, void *arg)
{
	const struct id_walk *w = arg;
	size_t n = strlen(name);
	char id[ID_LEN + 1];

	(void)dir;
	if (n != ID_LEN + strlen(w->suffix) || !str_ends(name, w->suffix))
		return;
	memcpy(id, name, ID_LEN);
	id[ID_LEN] = '\0';
	if (id_is_valid(id))
		w->fn(w->arg, id);
}

void store_each_plan(const struct store *s, store_id_fn fn, void *arg)
{
	store_each_name(s->plan, tell_id, &(struct id_walk){ fn, arg, "" });
}

void store_each_state(const struct store *s, store_id_fn fn, void *arg)
{
	store_each_name(s->state, tell_id, &(struct id_walk){ fn, arg, ".json" });
}

void store_each_folder(const struct store *s, store_id_fn fn, void *arg)
{
	store_each_name(s->containers, tell_id, &(struct id_walk){ fn, arg, "" });
}

bool store_has_unread(const struct store *s, const char *id)
{
	const int dirs[] = { s->config, s->run_config };

	for (size_t i = 0; i < 4; i++) {
		char name[ID_LEN + 16];

		snprintf(name, sizeof(name), i & 1 ? "%.16s.json" : "bad-%.16s.json", id);
		if (faccessat(dirs[i / 2], name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}
