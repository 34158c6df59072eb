/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.cgroupsPath for both cgroup drivers. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define PART_MAX 255
#define SCOPE_PREFIX "arnia"
#define SLICE_SUFFIX ".slice"

static int refuse(const char *path, const char *why, struct error *err)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "linux.cgroupsPath: \"%.128s\": %s", path, why);
}

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

int oci_cgroup_path(const char *cgroups_path, const char *id, struct arena *a, const char **ret, struct error *err)
{
	const char *s = str_is_empty(cgroups_path) ? id : cgroups_path, *whole = s;
	struct strbuf out = { 0 };
	const char *why = is_plain(s) && strlen(s) < PATH_MAX ? NULL : "not plain text";

	while (*s && !why) {
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.')
			why = "\"..\" is not allowed";
		else if (n > PART_MAX)
			why = "a part of it is too long";
		if (n > 0 && !(n == 1 && s[0] == '.')) {
			if (out.len)
				strbuf_addc(&out, '/');
			strbuf_add_n(&out, s, n);
		}
		s += n + (s[n] == '/');
	}
	if (!why && !out.len)
		why = "names no cgroup";
	if (!why)
		*ret = arena_str(a, strbuf_cstr(&out));
	strbuf_done(&out);
	return why ? refuse(whole, why, err) : 0;
}

/* systemd.unit(5): ASCII letters, digits, ":-_.\" and, for instances, "@". */
static bool is_unit_text(const char *s)
{
	if (strlen(s) > PART_MAX)
		return false;
	for (; *s; s++)
		if (!isascii((unsigned char)*s) || (!isalnum((unsigned char)*s) && !strchr("-_.\\@", *s)))
			return false;
	return true;
}

/* "a-b.slice" is "a.slice/a-b.slice": no part may be empty. "-.slice" is the root. */
static bool is_slice(const char *s)
{
	size_t n = strlen(s);

	if (!is_unit_text(s) || !str_ends(s, SLICE_SUFFIX) || n == strlen(SLICE_SUFFIX))
		return false;
	n -= strlen(SLICE_SUFFIX);
	if (n == 1 && s[0] == '-')
		return true;
	return s[0] != '-' && s[n - 1] != '-' && !strstr(s, "--");
}

/* Cut "slice:prefix:name" into three; false when there are more or fewer. */
static bool cut(char *text, const char *parts[3])
{
	size_t n = 0;

	for (char *at = text; at; n++) {
		char *colon = strchr(at, ':');

		if (n == 3)
			return false;
		parts[n] = at;
		if (colon)
			*colon++ = '\0';
		at = colon;
	}
	return n == 3;
}

int oci_scope_parse(const char *cgroups_path, const char *id, bool rootless, struct arena *a, struct oci_scope *ret, struct error *err)
{
	const char *parts[3] = { "", SCOPE_PREFIX, id }, *unit;
	const char *whole = str_is_empty(cgroups_path) ? id : cgroups_path;

	if (!str_is_empty(cgroups_path) && !cut(arena_str(a, cgroups_path), parts))
		return refuse(whole, "expected \"slice:prefix:name\" with the systemd driver", err);
	if (!*parts[0])
		parts[0] = rootless ? "user.slice" : "system.slice";
	if (!is_slice(parts[0]))
		return refuse(whole, "not the name of a slice", err);
	if (!*parts[2])
		return refuse(whole, "no name", err);
	/* A name that is a slice's is taken whole. */
	if (str_ends(parts[2], SLICE_SUFFIX))
		unit = parts[2];
	else
		unit = arena_fmt(a, "%s%s%s.scope", parts[1], *parts[1] ? "-" : "", parts[2]);
	if (!is_unit_text(unit) || (str_ends(unit, SLICE_SUFFIX) && !is_slice(unit)))
		return refuse(whole, "not the name of a unit", err);
	*ret = (struct oci_scope){ .slice = arena_str(a, parts[0]), .unit = arena_str(a, unit) };
	return 0;
}
