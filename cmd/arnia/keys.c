/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "cmd/arnia/keys.h"
#include "lib/base/str.h"

/* One key at s; returns its length or -EINVAL. */
static int parse_key(const char *s, size_t n, unsigned char *ret)
{
	const char *control = n == 6 ? str_after(s, "ctrl-") : NULL;

	if (n == 1 && isprint((unsigned char)*s)) {
		*ret = (unsigned char)*s;
		return 0;
	}
	if (!control)
		return -EINVAL;
	/* ctrl-@ A..Z [ \ ] ^ _ : the codes below space, ascii(7). */
	if (!isalpha((unsigned char)*control) && !strchr("@[\\]^_", *control))
		return -EINVAL;
	*ret = (unsigned char)toupper((unsigned char)*control) & 0x1f;
	return 0;
}

int keys_parse(const char *text, struct keys *ret)
{
	struct keys k = { .n = 0 };

	while (*text) {
		/* A comma is a key when it is all there is between commas. */
		size_t n = 1 + strcspn(text + 1, ",");

		if (k.n == KEYS_MAX || parse_key(text, n, &k.sequence[k.n]) < 0)
			return -EINVAL;
		k.n++;
		text += n;
		if (*text && !*++text)
			return -EINVAL;
	}
	*ret = k;
	return 0;
}

/* After a mismatch the end of what was typed may still be a beginning of the sequence. */
static void fall_back(struct keys *k, unsigned char c, uint64_t now_ms)
{
	unsigned char typed[KEYS_MAX + 1];
	uint64_t came[KEYS_MAX + 1];
	size_t total = k->have + 1, from = 1;

	memcpy(typed, k->sequence, k->have);
	memcpy(came, k->came, k->have * sizeof(came[0]));
	typed[k->have] = c;
	came[k->have] = now_ms;
	while (from < total &&
	       (memcmp(typed + from, k->sequence, total - from) != 0 || now_ms - came[from] > KEYS_WINDOW_MS))
		from++;
	k->have = total - from;
	memcpy(k->came, came + from, k->have * sizeof(came[0]));
}

static bool key_typed(struct keys *k, unsigned char c, uint64_t now_ms)
{
	bool in_time = !k->have || now_ms - k->came[0] <= KEYS_WINDOW_MS;

	if (c != k->sequence[k->have] || !in_time) {
		fall_back(k, c, now_ms);
		return false;
	}
	k->came[k->have++] = now_ms;
	return k->have == k->n;
}

bool keys_typed(struct keys *k, const void *bytes, size_t n, uint64_t now_ms, size_t *ret_pass)
{
	const unsigned char *p = bytes;

	*ret_pass = n;
	for (size_t i = 0; k->n && i < n; i++)
		if (key_typed(k, p[i], now_ms)) {
			k->have = 0;
			*ret_pass = i;
			return true;
		}
	return false;
}
