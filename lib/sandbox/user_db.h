/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_USER_DB_H
#define ARNIA_SANDBOX_USER_DB_H
/* The text side of user.c: passwd(5) and group(5) of a stranger, and the spelling of a user. No file access.
 */
#include "lib/sandbox/sandbox.h"

#define USER_ID_MAX 4294967294u /* the next one means "unchanged" to setresuid(2) */

struct user_db {
	const char *passwd, *group; /* the files' texts; NULL: there is none */
	uint32_t id_count;	    /* ids from 0 that are mapped */
};
/* "USER[:GROUP]" taken apart and checked; names point into `buf`. Kind USAGE on a malformed one. */
struct user_spec {
	char buf[256];
	const char *user, *group; /* NULL: not given */
	bool user_is_id, group_is_id;
	uint32_t uid, gid;
};
int user_spec_parse(const char *text, struct user_spec *ret, struct error *err);
/* Everything but reading the files. `groups`: names or numbers to add. */
int user_find(const struct user_db *db, const struct user_spec *spec, const struct strv *groups,
	      struct sandbox_user *ret, struct error *err);

#endif
