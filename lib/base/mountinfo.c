/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/mountinfo.h"
#include "lib/base/parse.h"

/* Space, tab, newline and backslash are written as three octal digits. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*to++ = (char)((s[1] & 7) << 6 | (s[2] & 7) << 3 | (s[3] & 7));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

int mountinfo_parse(char *line, struct mountinfo *ret)
{
	/* id, parent, device, root, mount point */
	char *field[5], *save = NULL;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < 5; i++) {
		field[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!field[i])
			return -EINVAL;
	}
	if (parse_u64(field[0], &ret->id) < 0)
		return -EINVAL;
	unescape(field[4]);
	ret->point = field[4];
	return 0;
}
