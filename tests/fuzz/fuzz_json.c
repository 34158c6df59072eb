/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client JSON: what is taken can be written, read again, and is the same text then. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_getters(const json *j)
{
	for (struct json_iter it = json_iter(j); json_next(&it);) {
		struct arena a = { 0 };
		struct strv sv = { 0 };
		struct error err;
		const char *s;
		const json *v;
		uint64_t u;
		int64_t i;
		uint32_t w;
		double d;
		bool b;

		/* Members of every kind, each asked for as every kind. */
		json_get_str(j, it.key, &s, &err);
		json_get_u64(j, it.key, &u, &err);
		json_get_i64(j, it.key, &i, &err);
		json_get_u32(j, it.key, &w, &err);
		json_get_num(j, it.key, &d, &err);
		json_get_bool(j, it.key, &b, &err);
		json_get_strv(j, it.key, &a, &sv, &err);
		if (json_get_obj(j, it.key, &v, &err) > 0)
			use_getters(v);
		arena_done(&a);
	}
	for (size_t i = 0; i < json_len(j); i++)
		use_getters(json_at(j, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { 0 };
	auto_json json *j = json_parse((const char *)data, size, &err), *again = NULL;
	auto_free char *text = NULL, *text2 = NULL;

	if (!j) {
		if (err.code >= 0 || err.kind != ERR_USAGE || !err.text[0])
			abort();
		return 0;
	}
	use_getters(j);
	text = json_text(j, false);
	again = json_parse(text, strlen(text), &err);
	if (!again)
		abort();
	text2 = json_text(again, false);
	if (!str_eq(text, text2))
		abort();
	return 0;
}
