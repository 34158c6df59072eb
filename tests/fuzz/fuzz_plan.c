/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan's bytes: what is taken can be printed, is written as the same bytes, and print never ends a line
 * early. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct plan *p)
{
	struct strbuf out = { 0 };

	plan_print(p, &out);
	for (size_t i = 0; i < out.len; i++)
		if (((unsigned char)out.s[i] < 0x20 && out.s[i] != '\n') || out.s[i] == 0x7f)
			abort();
	if (!utf8_valid(out.s, out.len))
		abort();
	strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { 0 };
	struct plan *p;
	auto_free void *bytes = NULL;
	size_t again;

	if (plan_decode(data, size, &p, &err) < 0) {
		if (err.code >= 0 || !err.text[0])
			abort();
		return 0;
	}
	check_text(p);
	if (plan_encode(p, &bytes, &again) < 0 || again != size || memcmp(bytes, data, size) != 0)
		abort();
	plan_free(p);
	return 0;
}
