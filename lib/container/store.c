/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/container/store_internal.h"

#define STATE_MAX 65536u
#define PLAN_MAX (4u << 20)
#define SEAL_MAGIC 0x6c6165736e616c70u /* "planseal" */

/* Ends a plan's file. */
struct seal {
	uint64_t magic, sum;
};

/* After FNV-1a, eight bytes at a time: finds torn and garbled files; it is no defence against whoever can write here (root). */
static uint64_t sum_of(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t h = 0xcbf29ce484222325u, w = n;

	for (; n >= sizeof(w); n -= sizeof(w), b += sizeof(w)) {
		h = (h ^ w) * 0x100000001b3u;
		h ^= h >> 32;
		memcpy(&w, b, sizeof(w));
	}
	h = (h ^ w) * 0x100000001b3u;
	for (; n; n--, b++)
		h = (h ^ *b) * 0x100000001b3u;
	return h ^ h >> 32;
}

char *store_seal(json *record)
{
	auto_free char *text = json_text(record, false);
	char *sealed = str_fmt("{\"sum\":\"%016" PRIx64 "\",\"record\":%s}\n", sum_of(text, strlen(text)), text);

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

		snprintf(want, sizeof(want), "%016" PRIx64, sum_of(again, strlen(again)));
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

void store_each_name(int fd, store_name_fn fn, void *arg)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *e;

	if (!d) {
		fd_close(&own);
		return;
	}
	while ((e = readdir(d)))
		fn(fd, e->d_name, arg);
	closedir(d);
}

/* Of file_write_atomic_at. */
static void drop_half_written(int dir, const char *name, void *arg)
{
	(void)arg;
	if (name[0] == '.' && str_ends(name, ".tmp"))
		(void)unlinkat(dir, name, 0);
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
	store_each_name(s.config, drop_half_written, NULL);
	store_each_name(s.run_config, drop_half_written, NULL);
	store_each_name(s.state, drop_half_written, NULL);
	store_each_name(s.plan, drop_half_written, NULL);
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

void machine_state_done(struct machine_state *st)
{
	free(st->host_ports);
	st->host_ports = NULL;
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
	json_add_bool(j, "run", c->by_run);
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
	json_add_bool(j, "removing", st->removing);
	json_add_str(j, "boot", st->boot_id);
	json_add_i64(j, "pid", st->pid);
	json_add_u64(j, "pidStart", st->pid_start);
	json_add_u64(j, "stdout", st->pipes[0]);
	json_add_u64(j, "stderr", st->pipes[1]);
	json_add_u64(j, "started", st->started_ns);
	json_add_u64(j, "idBase", st->id_base);
	json_add_u64(j, "address", ntohl(st->addr.s_addr));
	if (st->host_ports)
		json_add_str(j, "hostPorts", st->host_ports);
	json_add_u64(j, "ooms", st->ooms);
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
	const char *phase = NULL, *boot = "", *why = "", *own = NULL, *ports = NULL;
	const json *x = NULL;
	uint32_t addr = 0;
	int64_t pid = 0;

	if (json_get_bool(j, "removing", &st.removing, err) < 0 ||
	    json_get_u64(j, "stdout", &st.pipes[0], err) < 0 || json_get_u64(j, "stderr", &st.pipes[1], err) < 0)
		return -EBADMSG;
	if (json_get_str(j, "phase", &phase, err) < 0 || json_get_str(j, "boot", &boot, err) < 0 ||
	    json_get_str(j, "id", &own, err) < 0 || json_get_i64(j, "pid", &pid, err) < 0 ||
	    json_get_u64(j, "pidStart", &st.pid_start, err) < 0 ||
	    json_get_u64(j, "started", &st.started_ns, err) < 0 || json_get_str(j, "error", &why, err) < 0 ||
	    json_get_u64(j, "idBase", &st.id_base, err) < 0 || json_get_u32(j, "address", &addr, err) < 0 ||
	    json_get_u64(j, "ooms", &st.ooms, err) < 0 || json_get_str(j, "hostPorts", &ports, err) < 0 ||
	    json_get_obj(j, "exit", &x, err) < 0)
		return -EBADMSG;
	if (!str_eq(own, id) || phase_parse(phase, &st.phase) < 0 || pid < 0 || pid > INT32_MAX)
		return err_set(err, -EBADMSG, "not the state of %s", id);
	if (x && exit_decode(x, &st.exit, err) < 0)
		return -EBADMSG;
	st.pid = (pid_t)pid;
	st.addr.s_addr = htonl(addr);
	(void)str_copy(st.boot_id, sizeof(st.boot_id), boot);
	(void)str_copy(st.error, sizeof(st.error), why);
	st.host_ports = ports ? str_dup(ports) : NULL;
	*ret = st;
	return 0;
}

bool store_is_passing(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -EIO;
}

void store_isolate(int dir, const char *name)
{
	auto_free char *aside = str_fmt("bad-%s", name);

	(void)renameat(dir, name, dir, aside);
}

static void drop_bad(int dir, const char *name)
{
	auto_free char *aside = str_fmt("bad-%s", name);

	(void)unlinkat(dir, aside, 0);
}

int store_read_sealed(int dir, const char *name, size_t max, json **ret, struct error *err)
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
	r = store_read_sealed(s->state, name, STATE_MAX, &j, err);
	if (r == -ENOENT) {
		err_clear(err);
		*ret = st;
		return 0;
	}
	if (r == 0)
		r = state_decode(j, id, &st, err);
	if (r < 0) {
		if (!store_is_passing(r))
			store_isolate(s->state, name);
		err_prefix(err, "state of %s", id);
		return -EBADMSG;
	}
	if (!str_eq(st.boot_id, boot_id)) { /* what ran then is gone */
		st.phase = PHASE_STOPPED;
		st.pid = 0;
		st.id_base = st.addr.s_addr = 0;
		machine_state_done(&st);
	}
	*ret = st;
	return 0;
}

int store_save_plan(const struct store *s, const char *id, const void *bytes, size_t n, struct error *err)
{
	struct seal seal = { SEAL_MAGIC, sum_of(bytes, n) };
	auto_free char *sealed = mem_alloc(n + sizeof(seal));

	memcpy(sealed, bytes, n);
	memcpy(sealed + n, &seal, sizeof(seal));
	return file_write_atomic_at(s->plan, id, sealed, n + sizeof(seal), 0600, false, err);
}

static int plan_unseal(const char *bytes, size_t n, const char *id, struct plan **ret, struct error *err)
{
	struct plan *p = NULL;
	struct seal seal;

	if (n < sizeof(seal))
		return err_set(err, -EBADMSG, "it is too short");
	n -= sizeof(seal);
	memcpy(&seal, bytes + n, sizeof(seal));
	if (seal.magic != SEAL_MAGIC || seal.sum != sum_of(bytes, n))
		return err_set(err, -EBADMSG, "the checksum does not match");
	if (plan_decode(bytes, n, &p, err) < 0)
		return -EBADMSG;
	if (!str_eq(p->id, id)) {
		plan_free(p);
		return err_set(err, -EBADMSG, "not the plan of %s", id);
	}
	*ret = p;
	return 0;
}

int store_load_plan(const struct store *s, const char *id, struct plan **ret, struct error *err)
{
	auto_free char *bytes = NULL;
	long n = file_read_at(s->plan, id, PLAN_MAX, &bytes, err);

	if (n == -ENOENT)
		err_clear(err);
	return n < 0 ? (int)n : plan_unseal(bytes, (size_t)n, id, ret, err);
}

void store_isolate_plan(const struct store *s, const char *id)
{
	store_isolate(s->plan, id);
}

void store_drop_plan(const struct store *s, const char *id)
{
	(void)unlinkat(s->plan, id, 0);
}

void store_drop_exit(const struct store *s, const char *id)
{
	(void)unlinkat(s->exits, id, 0);
}

void store_drop_state(const struct store *s, const char *id)
{
	char name[ID_LEN + 16];

	file_name(name, id);
	(void)unlinkat(s->state, name, 0);
}

int store_remove(const struct store *s, const char *id, bool ephemeral, struct error *err)
{
	int dir = ephemeral ? s->run_config : s->config;
	char name[ID_LEN + 16];

	file_name(name, id);
	store_drop_plan(s, id);
	store_drop_exit(s, id);
	drop_bad(s->plan, id);
	drop_bad(s->exits, id);
	drop_bad(s->state, name);
	(void)unlinkat(s->state, name, 0);
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return err_sys(err, -errno, "remove the configuration of %s", id);
	if (!ephemeral && fsync(dir))
		return err_sys(err, -errno, "sync the configuration folder");
	return 0;
}
