/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources, cgroupsPath and annotations of a config.json: what is decoded names files and never paths, stays below the cgroup2
 * mount, and is a text that the scope program takes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/json.h"
#include "lib/base/str.h"
#include "lib/oci/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void check_resources(const json *j, struct arena *a)
{
	struct cg_config c = { 0 };
	struct strv props = { 0 };
	struct error err = { 0 };

	if (oci_resources_decode(j, a, &c, &err) < 0) {
		need(err.code < 0 && err.text[0] && !c.writes.n && !c.devices.n);
		return;
	}
	for (size_t i = 0; i < c.writes.n; i++) {
		const char *file = c.writes.v[i].file;

		need(file && *file && !strpbrk(file, "/ \n") && !str_eq(file, ".") && !str_eq(file, "..") && c.writes.v[i].value);
	}
	for (size_t i = 0; i < c.devices.n; i++)
		need(strchr("abc", c.devices.v[i].type) && c.devices.v[i].access >= 1 && c.devices.v[i].access <= 7);
	if (oci_scope_props(&c, a, &props, &err) == 0)
		for (size_t i = 0; i < props.n; i++)
			need(strchr(props.v[i], '=') && strchr(props.v[i], ':'));
}

static void check_paths(const char *path, struct arena *a)
{
	struct oci_scope scope = { 0 };
	const char *out = NULL;

	if (oci_cgroup_path(path, "c1", a, &out, NULL) == 0)
		need(*out && out[0] != '/' && !str_starts(out, "../") && !str_eq(out, "..") && !strstr(out, "/../") &&
		     !str_ends(out, "/..") && !strpbrk(out, "\n"));
	if (oci_scope_parse(path, "c1", true, a, &scope, NULL) == 0)
		need(!strpbrk(scope.slice, "/: \n") && !strpbrk(scope.unit, "/: \n"));
}

static void check_annotation(const char *key, const char *value, struct arena *a)
{
	struct oci_pair pair = { key, value };
	struct strv out = { 0 };

	if (oci_scope_annotations(&pair, 1, a, &out, NULL) == 0)
		for (size_t i = 0; i < out.n; i++)
			need(strchr(out.v[i], '='));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json *j = json_parse((const char *)data, size, NULL), *merged = NULL;
	struct arena a = { 0 };

	check_resources(j, &a);
	if (json_kind_of(j) == JSON_OBJECT) {
		struct json_iter it = json_iter(j);

		merged = oci_resources_merge(j, j);
		oci_memory_check(j, 4096, NULL);
		while (json_next(&it)) {
			check_paths(it.key, &a);
			if (json_str(it.value))
				check_annotation(it.key, json_str(it.value), &a);
		}
	}
	arena_done(&a);
	return 0;
}
