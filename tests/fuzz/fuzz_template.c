/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptions of templates. What is accepted must survive being written as a built copy and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "rootfs/template_internal.h"

static int same(const struct template_record *a, const struct template_record *b)
{
	return strcmp(a->id, b->id) == 0 && a->time_ns == b->time_ns && a->size == b->size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct template_record rec = {
		.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .time_ns = 1, .size = 2
	};
	struct template_record got = { 0 };
	struct template_desc t = { 0 };
	struct error err = { 0 };
	char *built;

	if (template_parse((const char *)data, size, &t, &err) < 0) {
		if (!err.code || !err.text[0])
			abort();
		return 0;
	}
	template_done(&t);
	built = template_text_built((const char *)data, size, &rec, NULL);
	if (!built)
		abort();
	if (strlen(built) <= TEMPLATE_MAX) {
		if (template_parse_built(built, strlen(built), &t, &got, NULL) < 0 || !same(&got, &rec))
			abort();
		template_done(&t);
	}
	free(built);
	return 0;
}
