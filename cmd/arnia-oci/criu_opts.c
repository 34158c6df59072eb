/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the options of checkpoint and restore are to criu. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/criu.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"

#define CONFIG_OWN "/etc/criu/arnia.conf"
#define CONFIG_RUNC "/etc/criu/runc.conf"

static const struct {
	const char *name;
	unsigned field;
} flags[] = {
	{ "leave-running", 3 },	 { "ext-unix-sk", 4 },	       { "tcp-established", 5 }, { "shell-job", 7 },
	{ "file-locks", 8 },	 { "auto-dedup", 16 },	       { "link-remap", 18 },	 { "tcp-skip-in-flight", 46 },
	{ "lazy-pages", 48 },	 { "tcp-close", 52 },
}, texts[] = {
	{ "parent-path", CRIU_PARENT }, { "lsm-profile", 53 }, { "lsm-mount-context", 63 },
};
struct word {
	const char *name;
	unsigned value;
};
#define MODE_SOFT 3
#define NFTABLES 2
static const struct word cgroup_modes[] = { { "ignore", 0 }, { "soft", MODE_SOFT }, { "full", 4 }, { "strict", 5 } };
static const struct word network_locks[] = { { "iptables", 1 }, { "nftables", NFTABLES }, { "skip", 3 } };

#define FIELD_PS 11
#define FIELD_EXT_MNT 23
#define FIELD_INHERIT 27
#define FIELD_CGROUPS_MODE 34
#define FIELD_EMPTY_NS 38
#define FIELD_CONFIG 51
#define FIELD_NETWORK_LOCK 64

int criu_need_root(const struct call *c, struct error *err)
{
	if (geteuid() == 0)
		return 0;
	return err_set_kind(err, -EPERM, ERR_PERM, "%s: only root can do that", c->verb->name);
}

/* ---- folders ---- */

static bool is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	size_t n = 0;

	if (!d)
		return false;
	while (readdir(d))
		n++;
	closedir(d);
	return n == 2;
}

static int open_folder(const char *path, bool make, bool *ret_made, struct error *err)
{
	int fd;

	*ret_made = make && mkdir(path, 0700) == 0;
	if (make && !*ret_made && errno != EEXIST)
		return err_sys(err, -errno, "make %s", path);
	/* criu opens it anew through our /proc, where O_PATH would do; it is read here, too. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, -errno, "open %s", path) : fd;
}

int criu_open(struct criu *c, struct call *call, const char *log, bool make, struct error *err)
{
	const char *given = opt_get(call, "image-path"), *work = opt_get(call, "work-path");

	c->call = call;
	c->log = log;
	c->dir = c->log_dir = given && *given ? given : "checkpoint";
	c->images = open_folder(c->dir, make, &c->made_images, err);
	if (c->images < 0)
		return err_prefix(err, "--image-path");
	c->was_empty = is_empty(c->images);
	if (!work || !*work)
		return 0;
	c->log_dir = work;
	c->work = open_folder(work, true, &c->made_work, err);
	return c->work < 0 ? err_prefix(err, "--work-path") : 0;
}

/* Of subfolders criu makes none. */
void criu_sweep(struct criu *c)
{
	int copy = c->was_empty ? openat(c->images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (!str_eq(e->d_name, c->log))
			(void)unlinkat(c->images, e->d_name, 0);
	if (d)
		closedir(d);
	/* With the log in it, it stays. */
	if (c->made_images)
		(void)rmdir(c->dir);
	if (c->made_work)
		(void)rmdir(c->log_dir);
}

/* ---- options ---- */

void criu_external_mount(struct criu *c, const char *key, const char *value)
{
	struct strbuf m = { 0 };

	msg_str(&m, 1, key);
	msg_str(&m, 2, value);
	msg_sub(&c->opts, FIELD_EXT_MNT, &m);
	strbuf_done(&m);
}

void criu_inherit(struct criu *c, const char *key, int fd)
{
	struct strbuf m = { 0 };

	msg_str(&m, 1, key);
	msg_num(&m, 2, (uint64_t)fd);
	msg_sub(&c->opts, FIELD_INHERIT, &m);
	strbuf_done(&m);
}

static int take_word(struct criu *c, const char *option, const struct word *words, size_t n, unsigned *ret, struct error *err)
{
	const char *given = opt_get(c->call, option);

	if (!given || !*given)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i].name, given)) {
			*ret = words[i].value;
			return 1;
		}
	return err_set_kind(err, -EINVAL, ERR_USAGE, "--%s: \"%.64s\" is none of those it takes", option, given);
}

static int add_words(struct criu *c, struct error *err)
{
	unsigned mode = MODE_SOFT, lock = 0;
	int r = take_word(c, "manage-cgroups-mode", cgroup_modes, ARRAY_SIZE(cgroup_modes), &mode, err);

	if (r >= 0)
		r = take_word(c, "network-lock", network_locks, ARRAY_SIZE(network_locks), &lock, err);
	if (r < 0)
		return r;
	msg_num(&c->opts, CRIU_MANAGE_CGROUPS, 1);
	msg_num(&c->opts, FIELD_CGROUPS_MODE, mode);
	/* criu's default is a program that it starts; without it, its other way is left. Images say which it was. */
	if (!lock && !program_find(&c->call->arena, "iptables-restore"))
		lock = NFTABLES;
	if (lock)
		msg_num(&c->opts, FIELD_NETWORK_LOCK, lock);
	return 0;
}

static int add_empty_ns(struct criu *c, struct error *err)
{
	struct strv v = opt_list(c->call, "empty-ns");

	for (size_t i = 0; i < v.n; i++)
		if (!str_eq(v.v[i], "network"))
			return err_set_kind(err, -EINVAL, ERR_USAGE, "--empty-ns: \"%.64s\": only network can be", v.v[i]);
	if (v.n)
		msg_num(&c->opts, FIELD_EMPTY_NS, CLONE_NEWNET);
	return 0;
}

static int add_page_server(struct criu *c, struct error *err)
{
	const char *given = opt_get(c->call, "page-server");
	const char *colon = given ? strrchr(given, ':') : NULL;
	auto_free char *address = colon ? str_dup_n(given, (size_t)(colon - given)) : NULL;
	struct strbuf m = { 0 };
	uint32_t port;

	if (!given || !*given)
		return 0;
	if (!colon || colon == given || parse_u32(colon + 1, &port) < 0 || !port || port > 65535)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "--page-server: \"%.64s\": expected ADDRESS:PORT", given);
	msg_str(&m, 1, address);
	msg_num(&m, 2, port);
	msg_sub(&c->opts, FIELD_PS, &m);
	strbuf_done(&m);
	return 0;
}

/* A file of options for criu: the container's, else ours, else runc's. One that is not there is none to criu. */
static const char *config_file(const struct oci_config *config)
{
	for (size_t i = 0; i < config->annotations.n; i++)
		if (str_eq(config->annotations.v[i].key, "org.criu.config"))
			return *config->annotations.v[i].value ? config->annotations.v[i].value : NULL;
	return access(CONFIG_OWN, F_OK) == 0 ? CONFIG_OWN : CONFIG_RUNC;
}

int criu_options(struct criu *c, const struct oci_config *config, struct error *err)
{
	int r;

	msg_num(&c->opts, CRIU_IMAGES_FD, (uint64_t)c->images);
	if (c->work >= 0)
		msg_num(&c->opts, CRIU_WORK_FD, (uint64_t)c->work);
	msg_num(&c->opts, CRIU_LOG_LEVEL, 4);
	msg_str(&c->opts, CRIU_LOG_FILE, c->log);
	msg_num(&c->opts, CRIU_NOTIFY_SCRIPTS, 1);
	msg_num(&c->opts, CRIU_ORPHAN_PTS_MASTER, 1);
	msg_str(&c->opts, FIELD_CONFIG, config_file(config));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (opt_has(c->call, flags[i].name))
			msg_num(&c->opts, flags[i].field, 1);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		msg_str(&c->opts, texts[i].field, opt_get(c->call, texts[i].name));
	r = add_words(c, err);
	if (r == 0)
		r = add_empty_ns(c, err);
	return r == 0 ? add_page_server(c, err) : r;
}
