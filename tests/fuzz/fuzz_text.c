/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small parsers of text: first line the input, second line a pattern. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/notify.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_numbers(const char *s)
{
	uint64_t u, ns;
	uint32_t w;
	uint16_t h;
	int sig;
	struct in_addr a;
	bool b;

	if (parse_u32(s, &w) == 0 && (parse_u64(s, &u) != 0 || u != w))
		abort();
	if (parse_u64(s, &u) == 0 && (parse_size(s, &ns) != 0 || u != ns))
		abort();
	if (parse_signal(s, &sig) == 0 && (sig < 1 || sig > 64))
		abort();
	if (parse_cpus(s, &w) == 0 && !w)
		abort();
	parse_u16(s, &h);
	parse_duration(s, &u);
	parse_bool(s, &b);
	parse_ipv4(s, &a);
	time_parse(s, 1769860800000000000ULL, &ns);
}

static void check_path(const char *s)
{
	char out[4096], again[4096];

	if (path_normalize(s, out) < 0)
		return;
	/* Plain, and stays as it is. */
	if (out[0] != '/' || strstr(out, "//") || strstr(out, "/../") || path_normalize(out, again) < 0 ||
	    !str_eq(out, again))
		abort();
}

static void check_notify(const char *s)
{
	auto_free char *copy = str_dup(s);
	char *rest = copy, *line;
	bool ready = false;

	while ((line = strsep(&rest, "\n")))
		ready = ready || str_eq(line, "READY=1");
	if (notify_has(s, "READY=1") != ready)
		abort();
}

static void check_escape(const char *s, size_t n)
{
	struct strbuf b = { 0 };

	strbuf_add_escaped(&b, s, n);
	if (!utf8_valid(strbuf_cstr(&b), b.len))
		abort();
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.s[i] < 0x20 || b.s[i] == 0x7f)
			abort();
	strbuf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = mem_alloc(size + 1);
	char *line;

	memcpy(text, data, size);
	check_escape(text, size);
	check_notify(text);
	line = memchr(text, '\n', size);
	if (line)
		*line++ = '\0';
	check_numbers(text);
	check_path(text);
	if (name_is_valid(text) && (strchr(text, '/') || strlen(text) > 63))
		abort();
	if (line && strlen(line) < 300)
		str_glob(line, text);
	return 0;
}
