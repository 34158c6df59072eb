/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_PATH_INTERNAL_H
#define ARNIA_BASE_PATH_INTERNAL_H
/* Shared by path.c and path_walk.c only. */
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define PATH_SIZE 4096
#define PATH_LINK_RELATIVE 1
#define PATH_LINK_ABSOLUTE 2

/* Take the first part off the text: 1 = in part (".." included, "." and "" skipped), 0 = none left,
 * -ENAMETOOLONG. What remains starts with '/' exactly when the part was followed by one. */
int path_next_part(char *text, char part[NAME_MAX + 1]);
/* When fd (O_PATH) is a link, put its target before `rest`: PATH_LINK_*. Not a link: 0. Links of procfs that are
 * not plain text (fd/3, exe, ns/net): -ELOOP. */
int path_expand_link(int fd, char rest[PATH_SIZE]);
/* openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS by hand. */
int path_walk(int root, const char *path, int flags, mode_t mode, bool nolink);

#endif
