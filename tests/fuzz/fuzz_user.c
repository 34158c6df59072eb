/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user's spelling (first line), a group to add (second line), and passwd and group of an image, separated
 * by a line
 * "--". Whatever they say: no id outside the map, and a number is what it says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sandbox/user_db.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAPPED 65536

static char *take_line(char **at)
{
	char *line = *at, *end = strchrnul(line, '\n');

	*at = *end ? end + 1 : end;
	*end = '\0';
	return line;
}

static void check(const char *spelling, const struct sandbox_user *u)
{
	char *end;

	if (u->uid >= MAPPED || u->gid >= MAPPED || u->n_groups > ARRAY_SIZE(u->groups))
		abort();
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] >= MAPPED)
			abort();
	if (!memchr(u->home, '\0', sizeof(u->home)) || !memchr(u->shell, '\0', sizeof(u->shell)) ||
	    !memchr(u->name, '\0', sizeof(u->name)) || u->home[0] != '/' || u->shell[0] != '/')
		abort();
	if (spelling[0] == '\0' && u->uid != 0)
		abort();
	if (spelling[0] >= '0' && spelling[0] <= '9' &&
	    (strtoull(spelling, &end, 10) != u->uid || (*end && *end != ':')))
		abort();
	if (strchr("+- ", spelling[0]) && spelling[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = str_dup_n((const char *)data, size);
	char *at = text, *spelling = take_line(&at), *added = take_line(&at), *cut = strstr(at, "\n--\n");
	const char *groups[] = { added };
	struct strv extra = { groups, added[0] ? 1 : 0 };
	struct user_db db = { .passwd = at, .id_count = MAPPED };
	struct sandbox_user u;
	struct user_spec spec;
	struct error err = { 0 };

	if (cut) {
		cut[1] = '\0';
		db.group = cut + 4;
	}
	if (user_spec_parse(spelling, &spec, &err) == 0) {
		memset(&u, 0x5a, sizeof(u));
		if (user_find(&db, &spec, &extra, &u, &err) == 0)
			check(spelling, &u);
		else if (u.uid != 0x5a5a5a5a || !err.text[0])
			abort();
	} else if (!err.text[0]) {
		abort();
	}
	return 0;
}
