/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_INITPROTO_H
#define ARNIA_BASE_INITPROTO_H
/* What "arnia-init -e FD" writes to FD when the program cannot be executed; FD ends without it when it runs. A frame
 * (frame.h) of what a container's first process tells its worker. No libc is needed for this header. */
#include <stdint.h>

#define GUEST_MAGIC 0x61726702u
#define GUEST_NO_EXEC 5u

struct init_report {
	uint32_t magic, type;
	uint64_t seq;
	int32_t error; /* negative errno of execve(2) */
	uint32_t spare;
};

#endif
