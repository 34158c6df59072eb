/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"

#define WORD_MAX 32

/* Letters left out, put in, taken for others, or swapped with their neighbour. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *free_row = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned d = MIN(last[j], now[j - 1]) + 1;

			d = MIN(d, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN(d, before[j - 2] + 1);
			now[j] = d;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[m];
}

void suggest_try(struct suggestion *s, const char *word, size_t n)
{
	size_t typed = strlen(s->typed);
	unsigned d;

	if (!n || n > WORD_MAX || !typed || typed > WORD_MAX)
		return;
	d = distance(s->typed, typed, word, n);
	/* One mistake in a short word, more in a long one. */
	if (d > (typed < 6 ? 1 : typed / 3) || (s->n && d >= s->distance))
		return;
	s->distance = d;
	s->word = word;
	s->n = n;
}

void suggest_words(struct suggestion *s, const char *words)
{
	while (words && *words) {
		size_t n = strcspn(words, " ");

		suggest_try(s, words, n);
		words += n + (words[n] == ' ');
	}
}
