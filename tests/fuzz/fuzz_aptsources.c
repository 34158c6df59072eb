/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sources.list(5) in both styles. Whatever the text, a chosen line is one argument of one line that begins with "deb ". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/str.h"
#include "rootfs/aptsources.h"

static void check(struct apt_sources *s, const char *suite)
{
	struct strv out = { 0 };

	if (apt_select(s, suite, "sid", &out) < 0 && out.n)
		abort();
	for (size_t i = 0; i < out.n; i++) {
		const char *line = out.v[i];

		if (!str_starts(line, "deb ") || strpbrk(line, "\n\r\t\"'\\"))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apt_sources list = { 0 }, deb822 = { 0 };

	apt_parse_list(&list, (const char *)data, size);
	apt_parse_deb822(&deb822, (const char *)data, size);
	check(&list, "bookworm");
	check(&deb822, "bookworm");
	apt_done(&list);
	apt_done(&deb822);
	return 0;
}
