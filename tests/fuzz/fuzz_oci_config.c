/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A config.json: decoding never crashes; a refusal is one line of kind USAGE and leaves the output alone;
 * what is accepted has what those who carry it out rely on.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/path.h"
#include "lib/oci/oci.h"

#define NESTED_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check_mount(const struct mount_item *m)
{
	char plain[4096];

	require(m->target && path_is_absolute(m->target) && path_normalize(m->target, plain) == 0 &&
		plain[1]);
	require(m->kind == MOUNT_BIND ? m->source && path_is_absolute(m->source) && !m->fstype && m->shallow
				      : m->fstype && m->source && !m->idmap && !m->clear);
	require(!m->uid_maps.n == !m->gid_maps.n);
}

static void check_maps(const struct id_map *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		require(v[i].count && v[i].count <= UINT32_MAX - v[i].inside &&
			v[i].count <= UINT32_MAX - v[i].outside);
}

static void check_rootfs(const struct rootfs_config *r)
{
	require(r->lower.n == 1 && path_is_absolute(r->lower.v[0]) && r->id_count);
	for (size_t i = 0; i < r->mounts.n; i++)
		check_mount(&r->mounts.v[i]);
	for (size_t i = 0; i < r->devices.n; i++)
		require(path_is_absolute(r->devices.v[i].target) && strchr("bcp", r->devices.v[i].type) &&
			r->devices.v[i].mode <= 07777);
	for (size_t i = 0; i < r->masked.n; i++)
		require(path_is_absolute(r->masked.v[i]));
}

static void check_sandbox(const struct sandbox_config *s)
{
	check_maps(s->uid_maps.v, s->uid_maps.n);
	check_maps(s->gid_maps.v, s->gid_maps.n);
	require(!(s->namespaces & CLONE_NEWUSER) || (s->uid_maps.n && s->gid_maps.n));
	for (size_t i = 0; i < s->joins.n; i++)
		require(!(s->namespaces & s->joins.v[i].ns) && path_is_absolute(s->joins.v[i].path));
	for (size_t i = 0; i < s->rlimits.n; i++)
		require(s->rlimits.v[i].soft <= s->rlimits.v[i].hard);
	for (size_t i = 0; i < s->sysctls.n; i++)
		require(!strstr(s->sysctls.v[i].name, "..") && s->sysctls.v[i].value);
}

static void check_config(const struct oci_config *c)
{
	check_rootfs(&c->rootfs);
	check_sandbox(&c->sandbox);
	require(!c->has_process || (c->process.argv.n && path_is_absolute(c->process.cwd)));
	for (size_t k = 0; k < OCI_HOOKS; k++)
		for (size_t i = 0; i < c->hooks[k].n; i++)
			require(path_is_absolute(c->hooks[k].v[i].path));
}

static void check_error(const struct error *err)
{
	require(err->code == -EINVAL && err->kind == ERR_USAGE && err->text[0]);
	for (const char *p = err->text; *p; p++)
		require((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct oci_input in = { .bundle = "/bundle", .rootless = size & 1 };
	struct oci_config c, before;
	struct error err = { 0 };
	auto_json json *j = json_parse_bounded((const char *)data, size, NESTED_MAX, &err);

	if (!j)
		return 0;
	memset(&c, 0x5a, sizeof(c));
	memcpy(&before, &c, sizeof(c));
	if (oci_config_decode(j, &in, &c, &err) < 0) {
		check_error(&err);
		require(memcmp(&c, &before, sizeof(c)) == 0);
		return 0;
	}
	check_config(&c);
	json_unref(oci_state("id", OCI_CREATED, 1, &c));
	oci_config_done(&c);
	return 0;
}
