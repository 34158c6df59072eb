/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_MOUNTINFO_H
#define ARNIA_BASE_MOUNTINFO_H
/* Lines of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
#include <stdint.h>

#define MOUNTINFO_MAX (64 * 1024 * 1024) /* bytes of the whole file that are read */

struct mountinfo {
	uint64_t id;
	char *point; /* where it is mounted, in the line's memory */
};
/* Take the line apart, up to its end or a newline; its text is changed. 0 or -EINVAL. */
int mountinfo_parse(char *line, struct mountinfo *ret);

#endif
