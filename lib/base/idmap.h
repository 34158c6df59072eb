/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_IDMAP_H
#define ARNIA_BASE_IDMAP_H
#include <stdint.h>

struct id_map { /* one line of uid_map(5) */
	uint32_t inside, outside, count;
};

#endif
