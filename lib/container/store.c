/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/container/store.h"

#define CONFIG_MAX (4u << 20) /* bytes: a spec may carry a seccomp profile of 1 MiB */
#define STATE_MAX 65536u
#define PLAN_MAX (4u << 20)

/* FNV-1a, 64 bits: finds torn and garbled files; it is no defence against whoever can write here (root). */
static uint64_t sum_of(const char *s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

char *store_seal(json *record)
{
	auto_free char *text = json_text(record, false);
	char *sealed = str_fmt("{\"sum\":\"%016" PRIx64 "\",\"record\":%s}\n", sum_of(text), text);

	json_unref(record);
	return sealed;
}

int store_unseal(const char *text, size_t n, json **ret, struct error *err)
{
	auto_json json *j = json_parse(text, n, err);
	const json *record = NULL;
	const char *sum = NULL;
	char want[20];
	int r;

	if (!j)
		return -EBADMSG;
	if ((r = json_get_str(j, "sum", &sum, err)) < 0 || (r = json_get_obj(j, "record", &record, err)) < 0)
		return -EBADMSG;
	if (!sum || !record)
		return err_set(err, -EBADMSG, "no checksum or no record in it");
	{
		auto_free char *again = json_text(record, false);

		snprintf(want, sizeof(want), "%016" PRIx64, sum_of(again));
	}
	if (!str_eq(sum, want))
		return err_set(err, -EBADMSG, "the checksum does not match");
	*ret = json_ref((json *)record);
	return 0;
}

static int open_dir(const char *base, const char *name, mode_t mode, int *ret, struct error *err)
{
	auto_free char *path = str_fmt("%s/%s", base, name);

	if (mkdir(path, mode) && errno != EEXIST)
		return err_sys(err, -errno, "make %s", path);
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_sys(err, -errno, "open %s", path) : 0;
}

int store_open(const struct instance *in, struct store *ret, struct error *err)
{
	struct store s = { -1, -1, -1, -1, -1, -1 };
	int r;

	if ((r = open_dir(in->state, "config", 0700, &s.config, err)) < 0 ||
	    (r = open_dir(in->run, "config", 0700, &s.run_config, err)) < 0 ||
	    (r = open_dir(in->run, "state", 0700, &s.state, err)) < 0 ||
	    (r = open_dir(in->run, "plan", 0700, &s.plan, err)) < 0 ||
	    (r = open_dir(in->run, "exit", 0700, &s.exits, err)) < 0 ||
	    (r = open_dir(in->state, "containers", 0711, &s.containers, err)) < 0) {
		store_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	fd_close(&s->config);
	fd_close(&s->run_config);
	fd_close(&s->state);
	fd_close(&s->plan);
	fd_close(&s->exits);
	fd_close(&s->containers);
}

void machine_config_done(struct machine_config *c)
{
	spec_done(&c->spec);
}

static void file_name(char buf[ID_LEN + 16], const char *id)
{
	snprintf(buf, ID_LEN + 16, "%.16s.json", id);
}

int store_save_config(const struct store *s, const struct machine_config *c, struct error *err)
{
	json *j = json_new_obj();
	auto_free char *text = NULL;
	char name[ID_LEN + 16];

	json_add_u64(j, "schema", 1);
	json_add_str(j, "id", c->id);
	json_add_u64(j, "created", c->created_ns);
	json_add(j, "spec", spec_encode(&c->spec));
	text = store_seal(j);
	file_name(name, c->id);
	return file_write_atomic_at(c->spec.remove ? s->run_config : s->config, name, text, strlen(text), 0600,
				    !c->spec.remove, err);
}

static json *exit_encode(const struct exit_record *x)
{
	json *j = json_new_obj();

	json_add_i64(j, "code", x->code);
	json_add_i64(j, "status", x->status);
	json_add_u64(j, "time", x->time_ns);
	json_add_str(j, "cause", x->cause);
	return j;
}

int store_save_state(const struct store *s, const char *id, const struct machine_state *st, struct error *err)
{
	json *j = json_new_obj();
	auto_free char *text = NULL;
	char name[ID_LEN + 16];

	json_add_str(j, "id", id);
	json_add_str(j, "phase", phase_name(st->phase));
	json_add_str(j, "boot", st->boot_id);
	json_add_i64(j, "pid", st->pid);
	json_add_u64(j, "pidStart", st->pid_start);
	json_add_u64(j, "started", st->started_ns);
	if (st->exit.known)
		json_add(j, "exit", exit_encode(&st->exit));
	if (st->error[0])
		json_add_str(j, "error", st->error);
	text = store_seal(j);
	file_name(name, id);
	return file_write_atomic_at(s->state, name, text, strlen(text), 0600, false, err);
}

static int exit_decode(const json *j, struct exit_record *ret, struct error *err)
{
	struct exit_record x = { .known = true };
	const char *cause = "unknown";
	int64_t code = 0, status = 0;

	if (json_get_i64(j, "code", &code, err) < 0 || json_get_i64(j, "status", &status, err) < 0 ||
	    json_get_u64(j, "time", &x.time_ns, err) < 0 || json_get_str(j, "cause", &cause, err) < 0)
		return -EBADMSG;
	x.code = (int)code;
	x.status = (int)status;
	(void)str_copy(x.cause, sizeof(x.cause), cause);
	*ret = x;
	return 0;
}

static int state_decode(const json *j, const char *id, struct machine_state *ret, struct error *err)
{
	struct machine_state st = { 0 };
	const char *phase = NULL, *boot = "", *why = "", *own = NULL;
	const json *x = NULL;
	int64_t pid = 0;

	if (json_get_str(j, "phase", &phase, err) < 0 || json_get_str(j, "boot", &boot, err) < 0 ||
	    json_get_str(j, "id", &own, err) < 0 || json_get_i64(j, "pid", &pid, err) < 0 ||
	    json_get_u64(j, "pidStart", &st.pid_start, err) < 0 ||
	    json_get_u64(j, "started", &st.started_ns, err) < 0 || json_get_str(j, "error", &why, err) < 0 ||
	    json_get_obj(j, "exit", &x, err) < 0)
		return -EBADMSG;
	if (!str_eq(own, id) || phase_parse(phase, &st.phase) < 0 || pid < 0 || pid > INT32_MAX)
		return err_set(err, -EBADMSG, "not the state of %s", id);
	if (x && exit_decode(x, &st.exit, err) < 0)
		return -EBADMSG;
	st.pid = (pid_t)pid;
	(void)str_copy(st.boot_id, sizeof(st.boot_id), boot);
	(void)str_copy(st.error, sizeof(st.error), why);
	*ret = st;
	return 0;
}

/* Put a bad file aside under a name that is not read again. */
static void isolate(int dir, const char *name)
{
	auto_free char *aside = str_fmt("bad-%s", name);

	(void)renameat(dir, name, dir, aside);
}

static int read_sealed(int dir, const char *name, size_t max, json **ret, struct error *err)
{
	auto_free char *text = NULL;
	long n = file_read_at(dir, name, max, &text, err);

	return n < 0 ? (int)n : store_unseal(text, (size_t)n, ret, err);
}

int store_load_state(const struct store *s, const char *id, const char *boot_id, struct machine_state *ret,
		     struct error *err)
{
	auto_json json *j = NULL;
	struct machine_state st = { .phase = PHASE_STOPPED };
	char name[ID_LEN + 16];
	int r;

	file_name(name, id);
	r = read_sealed(s->state, name, STATE_MAX, &j, err);
	if (r == -ENOENT) {
		err_clear(err);
		*ret = st;
		return 0;
	}
	if (r == 0)
		r = state_decode(j, id, &st, err);
	if (r < 0) {
		isolate(s->state, name);
		err_prefix(err, "state of %s", id);
		return -EBADMSG;
	}
	if (!str_eq(st.boot_id, boot_id)) { /* what ran then is gone */
		st.phase = PHASE_STOPPED;
		st.pid = 0;
	}
	*ret = st;
	return 0;
}

int store_save_plan(const struct store *s, const char *id, const void *bytes, size_t n, struct error *err)
{
	return file_write_atomic_at(s->plan, id, bytes, n, 0600, false, err);
}

int store_load_plan(const struct store *s, const char *id, struct plan **ret, struct error *err)
{
	auto_free char *bytes = NULL;
	long n = file_read_at(s->plan, id, PLAN_MAX, &bytes, err);

	return n < 0 ? (int)n : plan_decode(bytes, (size_t)n, ret, err);
}

void store_drop_plan(const struct store *s, const char *id)
{
	(void)unlinkat(s->plan, id, 0);
}

void store_drop_exit(const struct store *s, const char *id)
{
	(void)unlinkat(s->exits, id, 0);
}

int store_remove(const struct store *s, const char *id, bool ephemeral, struct error *err)
{
	int dir = ephemeral ? s->run_config : s->config;
	char name[ID_LEN + 16];

	file_name(name, id);
	store_drop_plan(s, id);
	store_drop_exit(s, id);
	(void)unlinkat(s->state, name, 0);
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return err_sys(err, -errno, "remove the configuration of %s", id);
	if (!ephemeral && fsync(dir))
		return err_sys(err, -errno, "sync the configuration folder");
	return 0;
}

static int config_decode(const json *j, const char *id, struct machine_config *ret, struct error *err)
{
	struct machine_config c = { 0 };
	const char *own = NULL;
	const json *spec = NULL;
	uint64_t schema = 0;
	int r;

	if (json_get_u64(j, "schema", &schema, err) < 0 || json_get_str(j, "id", &own, err) < 0 ||
	    json_get_u64(j, "created", &c.created_ns, err) < 0 || json_get_obj(j, "spec", &spec, err) < 0)
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

static void load_one(int dir, const char *name, store_config_fn fn, store_bad_fn bad_fn, void *arg)
{
	auto_json json *j = NULL;
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
	r = read_sealed(dir, name, CONFIG_MAX, &j, &err);
	if (r == 0)
		r = config_decode(j, id, &c, &err);
	if (r == 0) {
		fn(arg, &c);
		return;
	}
	if (r != -EPROTO) /* of a newer arnia: left for it */
		isolate(dir, name);
	bad_fn(arg, name, &err);
}

static void load_dir(int fd, store_config_fn fn, store_bad_fn bad_fn, void *arg)
{
	DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		load_one(fd, e->d_name, fn, bad_fn, arg);
	closedir(d);
}

void store_load_configs(const struct store *s, store_config_fn fn, store_bad_fn bad_fn, void *arg)
{
	load_dir(s->config, fn, bad_fn, arg);
	load_dir(s->run_config, fn, bad_fn, arg);
}

static void each_id(int fd, store_id_fn fn, void *arg)
{
	DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		if (id_is_valid(e->d_name))
			fn(arg, e->d_name);
	}
	closedir(d);
}

void store_each_plan(const struct store *s, store_id_fn fn, void *arg)
{
	each_id(s->plan, fn, arg);
}

void store_each_folder(const struct store *s, store_id_fn fn, void *arg)
{
	each_id(s->containers, fn, arg);
}

bool store_has_bad(const struct store *s, const char *id)
{
	auto_free char *name = str_fmt("bad-%s.json", id);

	return !faccessat(s->config, name, F_OK, AT_SYMLINK_NOFOLLOW) ||
	       !faccessat(s->run_config, name, F_OK, AT_SYMLINK_NOFOLLOW);
}
