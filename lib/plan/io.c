/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/plan/internal.h"

#define KIND(kind) (1U << (kind))
#define KINDS_OF_CONTAINERS                                                                                  \
	(KIND(PLAN_START) | KIND(PLAN_EXEC) | KIND(PLAN_DESTROY) | KIND(PLAN_EXPLAIN) | KIND(PLAN_REMOVE) |            \
	 KIND(PLAN_PUBLISH))
#define KINDS_OF_HOST (KIND(PLAN_HOST_SETUP) | KIND(PLAN_HOST_TEARDOWN) | KIND(PLAN_HOST_CHECK))
#define KINDS_OF_TEMPLATES (KIND(PLAN_TEMPLATE_BUILD) | KIND(PLAN_TEMPLATE_REMOVE))

/* Strings without which the worker cannot do a plan of these kinds. */
static const struct {
	uint32_t kinds;
	size_t offset;
	const char *name;
} needs[] = {
#define NEED(kinds, member)                                                                                  \
	{                                                                                                    \
		kinds, offsetof(struct plan, member), #member                                                \
	}
	NEED(KINDS_OF_CONTAINERS, id),
	NEED(KIND(PLAN_START) | KIND(PLAN_EXEC) | KIND(PLAN_DESTROY), run),
	NEED(KINDS_OF_CONTAINERS | KINDS_OF_TEMPLATES, state),
	NEED(KIND(PLAN_START) | KIND(PLAN_EXEC) | KIND(PLAN_DESTROY), cgroup.path),
	NEED(KIND(PLAN_START) | KIND(PLAN_EXEC), process.cwd),
	NEED(KIND(PLAN_START) | KIND(PLAN_DESTROY) | KIND(PLAN_REMOVE), layers_dir),
	NEED(KIND(PLAN_EXEC), exec_id),
	NEED(KINDS_OF_HOST, cgroup_branch),
	NEED(KINDS_OF_HOST, net.table),
	NEED(KINDS_OF_TEMPLATES, template),
#undef NEED
};

static const char *missing_member(const struct plan *p)
{
	bool starts = p->kind == PLAN_START, runs = starts || p->kind == PLAN_EXEC;

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (needs[i].kinds & KIND(p->kind) &&
		    !*(const char *const *)((const char *)p + needs[i].offset))
			return needs[i].name;
	if (runs && !p->process.argv.n)
		return "process.argv";
	if (starts && !p->rootfs.lower.n)
		return "rootfs.lower";
	if (((starts && !p->halt) || p->kind == PLAN_PREPARE) && (!p->sandbox.uid_maps.n || !p->sandbox.gid_maps.n))
		return "sandbox.uid_maps";
	if ((starts || p->kind == PLAN_PREPARE) && p->net.mode == NET_ROUTED && (!p->net.ifname || !p->net.table))
		return "net.ifname";
	return NULL;
}

static int check_members(const struct plan *p, struct error *err)
{
	const char *missing = missing_member(p);

	if (missing)
		return err_set(err, -EPROTO, "plan: %s is missing", missing);
	if (p->id && *p->id && !id_is_valid(p->id))
		return err_set(err, -EPROTO, "plan: bad id");
	return 0;
}

int plan_encode(struct plan *p, void **ret, size_t *ret_size)
{
	uint32_t magic = PLAN_MAGIC, version = PLAN_VERSION;
	struct pack pk = { 0 };

	pack_u32(&pk, &magic);
	pack_u32(&pk, &version);
	plan_pack(&pk, p);
	if (pk.bad || pk.out.len > PLAN_SIZE_MAX) {
		strbuf_done(&pk.out);
		return pk.bad ? -EINVAL : -E2BIG;
	}
	*ret_size = pk.out.len;
	*ret = strbuf_steal(&pk.out);
	return 0;
}

int plan_write(struct plan *p, struct error *err)
{
	auto_free void *bytes = NULL;
	size_t size;
	int fd, r = plan_encode(p, &bytes, &size);

	if (r == -E2BIG)
		return err_set_kind(err, r, ERR_USAGE,
				    "the plan is larger than %u MiB: command, environment and files "
				    "of a container have room for less",
				    PLAN_SIZE_MAX >> 20);
	if (r < 0)
		return err_set(err, r, "a member of the plan is out of range");
	fd = fd_memfd_sealed("arnia-plan", bytes, size);
	return fd < 0 ? err_sys(err, fd, "memory file for the plan") : fd;
}

static int read_header(struct pack *pk, struct error *err)
{
	uint32_t magic = 0, version = 0;

	pack_u32(pk, &magic);
	pack_u32(pk, &version);
	if (pk->bad || magic != PLAN_MAGIC)
		return err_set(err, -EPROTO, "this is no plan");
	if (version != PLAN_VERSION)
		return err_set(err, -EPROTO, "the plan has version %u, this program reads version %u",
			       version, PLAN_VERSION);
	return 0;
}

/* `bytes` belong to the arena, which the new plan takes over; on failure it is freed. */
static int decode_owned(struct arena *arena, const void *bytes, size_t size, struct plan **ret,
			struct error *err)
{
	struct pack pk = {
		.reading = true,
		.in = bytes,
		.end = (const uint8_t *)bytes + size,
		.arena = arena,
	};
	struct plan *p = mem_alloc(sizeof(*p));
	int r = read_header(&pk, err);

	if (r == 0) {
		plan_pack(&pk, p);
		if (pk.bad || pk.in != pk.end)
			r = err_set(err, -EPROTO, "the plan is damaged");
		else
			r = check_members(p, err);
	}
	if (r < 0) {
		arena_done(arena);
		free(p);
		return r;
	}
	p->arena = *arena;
	*ret = p;
	return 0;
}

int plan_decode(const void *bytes, size_t size, struct plan **ret, struct error *err)
{
	struct arena arena = { 0 };

	if (size > PLAN_SIZE_MAX)
		return err_set(err, -EPROTO, "the plan is larger than %u MiB", PLAN_SIZE_MAX >> 20);
	return decode_owned(&arena, arena_dup(&arena, bytes, size), size, ret, err);
}

static int read_all(int fd, void *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		/* Its offset is shared with whoever had the descriptor before. */
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int plan_read(int fd, struct plan **ret, struct error *err)
{
	struct arena arena = { 0 };
	struct stat st;
	void *bytes;
	int r;

	if (!fd_is_sealed(fd))
		return err_set(err, -EPERM, "the plan's file is not sealed");
	if (fstat(fd, &st) < 0)
		return err_sys(err, -errno, "plan");
	if ((uint64_t)st.st_size > PLAN_SIZE_MAX)
		return err_set(err, -EPROTO, "the plan is larger than %u MiB", PLAN_SIZE_MAX >> 20);
	bytes = arena_alloc(&arena, (size_t)st.st_size);
	r = read_all(fd, bytes, (size_t)st.st_size);
	if (r < 0) {
		arena_done(&arena);
		return err_sys(err, r, "read the plan");
	}
	return decode_owned(&arena, bytes, (size_t)st.st_size, ret, err);
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	arena_done(&p->arena);
	free(p);
}
