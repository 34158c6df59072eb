/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/instance.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define MAIN_RUN "/run/arnia"
#define MAIN_STATE "/var/lib/arnia"
#define SLOTS_DIR "/run/arnia-slots"
#define SLOTS 16 /* 0 is the main instance */
/* Longest ARNIA_ROOT: leaves room for the names below it. */
#define ROOT_MAX (INSTANCE_PATH - 128)

/* Host uids: 0x70000000 up to systemd's foreign range is unused by convention (systemd UIDS-GIDS): the main
 * instance's, 4094 containers. Private instances share what systemd-nspawn takes single ranges from, 1536 each. */
#define MAIN_ID_BASE 0x70000000ULL
#define MAIN_ID_END 0x7ffe0000ULL
#define PRIVATE_ID_BASE 0x10000000ULL
#define PRIVATE_ID_SIZE 0x06000000ULL

static const char *slots_dir(void)
{
#ifdef ARNIA_TEST_HOOKS
	const char *dir = getenv("ARNIA_SLOTS_DIR");

	if (dir)
		return dir;
#endif
	return SLOTS_DIR;
}

static bool exists(const char *dir, const char *name)
{
	auto_free char *path = str_fmt("%s/%s", dir, name);

	return access(path, F_OK) == 0;
}

static int set_normalized(char out[INSTANCE_PATH], const char *path)
{
	char text[PATH_MAX];
	int r = path_normalize(path, text);

	return r < 0 ? r : str_copy(out, INSTANCE_PATH, text);
}

static int load_root(struct instance *in, struct error *err)
{
	const char *root = getenv("ARNIA_ROOT");
	int r;

	if (str_is_empty(root)) {
		str_copy(in->run, sizeof(in->run), MAIN_RUN);
		str_copy(in->state, sizeof(in->state), MAIN_STATE);
		return 0;
	}
	r = path_is_absolute(root) ? set_normalized(in->root, root) : -EINVAL;
	if (r == -ENAMETOOLONG || strlen(in->root) > ROOT_MAX)
		return err_set_kind(err, -ENAMETOOLONG, ERR_USAGE, "ARNIA_ROOT: path too long");
	if (r < 0 || str_eq(in->root, "/"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "ARNIA_ROOT: expected an absolute path below /");
	snprintf(in->run, sizeof(in->run), "%.*s/run", ROOT_MAX, in->root);
	snprintf(in->state, sizeof(in->state), "%.*s/lib", ROOT_MAX, in->root);
	return 0;
}

/*
 * Build tree: all programs in bin/, data in bin/../share/arnia. Installed: PREFIX/bin/arnia, the others in
 * PREFIX/libexec/arnia, data in PREFIX/share/arnia; so from there it is two levels up.
 */
static int load_program_folders(struct instance *in, struct error *err)
{
	char self[PATH_MAX], text[PATH_MAX + 32];
	int r = proc_self_dir(self, sizeof(self));

	if (r < 0)
		return err_sys(err, r, "find the folder of this program");
	snprintf(text, sizeof(text), "%s/../libexec/arnia", self);
	if (exists(self, "arnia-keeper") || !exists(text, "arnia-keeper"))
		str_copy(text, sizeof(text), self);
	if (set_normalized(in->lib, text) < 0)
		return err_set(err, -ENAMETOOLONG, "path of the programs too long");
	snprintf(text, sizeof(text), "%s/../share/arnia", self);
	if (access(text, F_OK) < 0 && str_ends(self, "/libexec/arnia"))
		snprintf(text, sizeof(text), "%s/../../share/arnia", self);
	if (set_normalized(in->share, text) < 0)
		return err_set(err, -ENAMETOOLONG, "path of the data too long");
	return 0;
}

static int load(struct instance *in, bool folders, struct error *err)
{
	struct instance new = { .slot = -1 };
	int r = load_root(&new, err);

	if (r == 0 && folders)
		r = load_program_folders(&new, err);
	if (r < 0)
		return r;
	if (!new.root[0])
		new.slot = 0;
	*in = new;
	return 0;
}

int instance_load(struct instance *in, struct error *err)
{
	return load(in, true, err);
}

int instance_locate(struct instance *in, struct error *err)
{
	return load(in, false, err);
}

static int make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		/* Whatever the umask is. */
		return chmod(path, mode) < 0 ? -errno : 0;
	return errno == EEXIST ? 0 : -errno;
}

static int make_parents(const char *path)
{
	auto_free char *copy = str_dup(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = make_dir(copy, 0755);
		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_folders(const struct instance *in, struct error *err)
{
	static const struct {
		bool run; /* below run, else below state */
		mode_t mode;
		const char *name;
	} folders[] = {
		{ true, 0755, "" },	   { true, 0700, "config" },	   { true, 0700, "state" },
		{ true, 0700, "plan" },	   { true, 0700, "exit" },	   { true, 0700, "log" },
		{ false, 0711, "" },	   { false, 0700, "config" },	   { false, 0711, "containers" },
		/* files with the ids and setuid bits of images: for nobody of the host to run */
		{ false, 0700, "templates" }, { false, 0700, "cache" },	   { false, 0700, "cache/seccomp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		const char *base = folders[i].run ? in->run : in->state;
		auto_free char *path = str_fmt("%s/%s", base, folders[i].name);
		int r = folders[i].name[0] ? 0 : make_parents(base);

		if (r == 0)
			r = make_dir(path, folders[i].mode);
		if (r < 0)
			return err_sys(err, r, "make %s", path);
	}
	return 0;
}

static void slot_name(int slot, char out[8])
{
	snprintf(out, 8, "%02u", (unsigned)slot % 100);
}

/* The root that a slot belongs to: 0, or -ENOENT when it is free. */
static int slot_owner(int dir, int slot, char out[PATH_MAX])
{
	char name[8];
	ssize_t n;

	slot_name(slot, name);
	n = readlinkat(dir, name, out, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	out[n] = '\0';
	return 0;
}

static int find_slot(int dir, const struct instance *in)
{
	char owner[PATH_MAX];

	for (int slot = 1; slot < SLOTS; slot++)
		if (slot_owner(dir, slot, owner) == 0 && str_eq(owner, in->root))
			return slot;
	return -ENOENT;
}

/* Its folder was removed under what still runs: another would take that for its own. */
static bool slot_is_alive(int slot)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct instance in = { .slot = slot };
	struct instance_ids ids;

	if (!str_eq(slots_dir(), SLOTS_DIR)) /* a test's own slots have no cgroups */
		return false;
	instance_ids(&in, &ids);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *path = str_fmt("%s/%s/cgroup.events", places[i], ids.cgroup);
		auto_free char *text = NULL;

		if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) > 0 && strstr(text, "populated 1"))
			return true;
	}
	return false;
}

/* The first slot without an owner, or whose owner's folder is gone. */
static int take_slot(int dir, const struct instance *in)
{
	char owner[PATH_MAX], name[8];

	for (int slot = 1; slot < SLOTS; slot++) {
		int r = slot_owner(dir, slot, owner);

		if (r < 0 && r != -ENOENT)
			return r;
		if ((r == 0 && access(owner, F_OK) == 0) || slot_is_alive(slot))
			continue;
		slot_name(slot, name);
		if (r == 0 && unlinkat(dir, name, 0) < 0)
			return -errno;
		return symlinkat(in->root, dir, name) < 0 ? -errno : slot;
	}
	return -EUSERS;
}

/* The registry, locked against others who claim or give back. */
static int open_slots(bool lock)
{
	auto_fd int dir = open(slots_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || (lock && flock(dir, LOCK_EX) < 0))
		return -errno;
	return fd_steal(&dir);
}

static int claim_slot(struct instance *in, struct error *err)
{
	auto_fd int dir = -1;
	int r = make_dir(slots_dir(), 0755);

	if (r == 0)
		r = dir = open_slots(true);
	if (r >= 0)
		r = find_slot(dir, in);
	if (r == -ENOENT)
		r = take_slot(dir, in);
	if (r == -EUSERS)
		return err_set_kind(err, r, ERR_REFUSED, "all %d private instances of this host are taken", SLOTS - 1);
	if (r < 0)
		return err_sys(err, r, "claim a slot in %s", slots_dir());
	in->slot = r;
	return 0;
}

int instance_prepare(struct instance *in, struct error *err)
{
	int r = make_folders(in, err);

	if (r < 0)
		return r;
	if (in->root[0])
		return claim_slot(in, err);
	in->slot = 0;
	return 0;
}

int instance_find_slot(struct instance *in)
{
	auto_fd int dir = -1;
	int r;

	if (!in->root[0]) {
		in->slot = 0;
		return 0;
	}
	dir = open_slots(false);
	r = dir < 0 ? dir : find_slot(dir, in);
	if (r < 0)
		return r;
	in->slot = r;
	return 0;
}

void instance_release(struct instance *in)
{
	auto_fd int dir = -1;
	char name[8];
	int slot;

	if (!in->root[0])
		return;
	dir = open_slots(true);
	slot = dir < 0 ? dir : find_slot(dir, in);
	if (slot > 0) {
		slot_name(slot, name);
		unlinkat(dir, name, 0);
	}
	in->slot = -1;
}

void instance_ids(const struct instance *in, struct instance_ids *ret)
{
	unsigned slot = in->slot < 0 ? 0 : (unsigned)in->slot;

	*ret = (struct instance_ids){
		.ifgroup = 0xa400 + slot,
		.pool = (10U << 24 | 209U << 16) + (slot << 16),
		.ifindex_base = 0x10000000 + slot * 0x1000000,
		.id_base = MAIN_ID_BASE,
		.id_end = MAIN_ID_END,
	};
	if (slot) {
		ret->id_base = PRIVATE_ID_BASE + (slot - 1) * PRIVATE_ID_SIZE;
		ret->id_end = ret->id_base + PRIVATE_ID_SIZE;
	}
	snprintf(ret->ifprefix, sizeof(ret->ifprefix), "an%x", slot & 15);
	snprintf(ret->cgroup, sizeof(ret->cgroup), slot ? "arnia-%u" : "arnia", slot);
	snprintf(ret->nft_table, sizeof(ret->nft_table), slot ? "arnia-%u" : "arnia", slot);
}
