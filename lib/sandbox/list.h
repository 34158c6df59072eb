/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_LIST_H
#define ARNIA_SANDBOX_LIST_H
/* "0-3,7": CPUs or memory nodes as cpuset(7) writes them ("List format"). */
#include <stddef.h>

#define LIST_BITS 8192 /* more CPUs than any kernel is built for */
#define LIST_WORD (8 * sizeof(unsigned long))
struct list {
	unsigned long bits[LIST_BITS / LIST_WORD];
};
/* 0, -EINVAL (also for an empty one) or -ERANGE. */
int list_parse(const char *s, struct list *ret);

#endif
