/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/spec/internal.h"

#define ACCESS_ALL 7

static int parse_access(const char *s, uint8_t *ret)
{
	static const char letters[] = "rwm";
	uint8_t bits = 0;

	for (const char *p = s; *p; p++) {
		const char *letter = strchr(letters, *p);
		uint8_t bit = letter ? (uint8_t)(1 << (letter - letters)) : 0;

		if (!bit || bits & bit)
			return -EINVAL;
		bits |= bit;
	}
	if (!bits)
		return -EINVAL;
	*ret = bits;
	return 0;
}

static bool is_device_path(const char *s)
{
	return spec_path_is_normal(s) && spec_path_is_in(s, "/dev") && !str_eq(s, "/dev");
}

int spec_device_parse(struct arena *a, const char *s, struct spec_device *ret)
{
	const char *colon = strchr(s, ':');
	struct spec_device d = { .access = ACCESS_ALL };

	d.path = d.target = arena_str_n(a, s, colon ? (size_t)(colon - s) : strlen(s));
	if (colon && colon[1] == '/') {
		s = colon + 1;
		colon = strchr(s, ':');
		d.target = arena_str_n(a, s, colon ? (size_t)(colon - s) : strlen(s));
	}
	if (colon && parse_access(colon + 1, &d.access) < 0)
		return -EINVAL;
	if (!is_device_path(d.path) || !is_device_path(d.target))
		return -EINVAL;
	*ret = d;
	return 0;
}
