/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/arnia/cli.h"
#include "lib/base/time.h"

void human_duration(struct strbuf *b, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		char letter;
	} units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };

	/* Two of a unit before it is used: "90m" says more than "1h". */
	for (size_t i = 0; i < ARRAY_SIZE(units) - 1; i++)
		if (ms >= 2 * units[i].ms) {
			strbuf_addf(b, "%llu%c", (unsigned long long)(ms / units[i].ms), units[i].letter);
			return;
		}
	strbuf_addf(b, "%llus", (unsigned long long)(ms / 1000));
}

void human_size(struct strbuf *b, uint64_t bytes)
{
	static const char letters[] = "BKMGTPE";
	unsigned unit = 0;
	uint64_t whole = bytes, rest = 0;

	for (; whole >= 1024 && unit < 6; unit++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	if (unit && whole < 100)
		strbuf_addf(b, "%llu.%llu%c", (unsigned long long)whole,
			    (unsigned long long)(rest * 10 / 1024), letters[unit]);
	else
		strbuf_addf(b, "%llu%c", (unsigned long long)whole, letters[unit]);
}

uint64_t human_since(const char *time)
{
	uint64_t now = time_real_ns(), then = 0;

	if (!time || time_parse(time, now, &then) < 0 || then > now)
		return 0;
	return (now - then) / 1000000;
}
