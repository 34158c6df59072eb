/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/sandbox/list.h"

/* Decimal digits at *s, which is moved behind them. */
static int take_number(const char **s, size_t *ret)
{
	size_t v = 0;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		v = v * 10 + (size_t)(**s - '0');
		if (v >= LIST_BITS)
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

static int take_range(const char **s, struct list *l)
{
	size_t first, last;
	int r = take_number(s, &first);

	if (r < 0)
		return r;
	last = first;
	if (**s == '-') {
		(*s)++;
		r = take_number(s, &last);
	}
	if (r < 0 || last < first)
		return r < 0 ? r : -EINVAL;
	for (size_t i = first; i <= last; i++)
		l->bits[i / LIST_WORD] |= 1ul << i % LIST_WORD;
	return 0;
}

int list_parse(const char *s, struct list *ret)
{
	struct list l = { 0 };
	int r;

	for (;; s++) {
		r = take_range(&s, &l);
		if (r < 0)
			return r;
		if (!*s)
			break;
		if (*s != ',')
			return -EINVAL;
	}
	*ret = l;
	return 0;
}
