/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Properties: from the command line into a message. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "cmd/arnia-oci-scope/scope.h"

static bool is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)s[i]) || !isalpha((unsigned char)s[i]))
			return false;
	return n > 0;
}

static int push(struct arena *a, const struct prop *p, struct request *r)
{
	struct prop *last = r->props.n ? &r->props.v[r->props.n - 1] : NULL;
	bool list = str_eq(p->type, "as");

	if (!list || !last || !str_eq(last->name, p->name) || !str_eq(last->type, "as")) {
		last = arena_push(a, &r->props);
		*last = *p;
	}
	if (list && p->value)
		strv_push(a, &last->list, p->value);
	return 0;
}

int prop_parse(struct arena *a, const char *text, struct request *r, struct error *err)
{
	static const char *const types[] = { "b", "s", "t", "u", "x", "i", "ay", "as" };
	size_t n = strcspn(text, "=");
	const char *type = text[n] ? text + n + 1 : "";
	size_t type_len = strcspn(type, ":");

	for (size_t i = 0; i < ARRAY_SIZE(types) && is_name(text, n); i++) {
		struct prop p = { .type = types[i] };

		if (strlen(types[i]) != type_len || strncmp(type, types[i], type_len) != 0)
			continue;
		if (!type[type_len] && !str_eq(types[i], "as"))
			break;
		p.name = arena_str_n(a, text, n);
		p.value = type[type_len] ? arena_str(a, type + type_len + 1) : NULL;
		return push(a, &p, r);
	}
	return err_set_kind(err, -EINVAL, ERR_USAGE, "--property \"%.96s\": expected NAME=TYPE:VALUE", text);
}

bool prop_is_known(const struct prop *p, unsigned version, bool starting)
{
	static const struct {
		const char *name;
		unsigned since;
		bool at_start_only;
	} table[] = {
		{ "CPUQuotaPeriodUSec", 242, false },
		{ "AllowedCPUs", 244, false },
		{ "AllowedMemoryNodes", 244, false },
		{ "OOMPolicy", 253, true }, /* of scopes */
	};

	/* cpu.idle */
	if (str_eq(p->name, "CPUWeight") && str_eq(p->value, "0"))
		return version >= 252;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (str_eq(p->name, table[i].name))
			return version >= table[i].since && (starting || !table[i].at_start_only);
	return true;
}

static int append_number(sd_bus_message *m, const char *type, const char *s)
{
	bool negative = s[0] == '-';
	uint64_t v;

	if (parse_u64(s + negative, &v) < 0 || (negative && !strchr("xi", *type)))
		return -EINVAL;
	switch (*type) {
	case 't':
		return sd_bus_message_append(m, "v", "t", v);
	case 'u':
		return v > UINT32_MAX ? -EINVAL : sd_bus_message_append(m, "v", "u", (uint32_t)v);
	case 'x':
		if (v > (uint64_t)INT64_MAX + negative)
			return -EINVAL;
		return sd_bus_message_append(m, "v", "x", negative ? (int64_t)-v : (int64_t)v);
	default:
		if (v > (uint64_t)INT32_MAX + negative)
			return -EINVAL;
		return sd_bus_message_append(m, "v", "i", (int32_t)(negative ? -(int64_t)v : (int64_t)v));
	}
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int append_bytes(sd_bus_message *m, const char *hex)
{
	size_t n = strlen(hex) / 2;
	auto_free uint8_t *bytes = mem_alloc(n + 1);
	int r;

	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	if (hex[2 * n])
		return -EINVAL;
	r = sd_bus_message_open_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_append_array(m, 'y', bytes, n);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_list(sd_bus_message *m, const struct strv *list)
{
	int r = sd_bus_message_open_container(m, 'v', "as");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "s");
	for (size_t i = 0; r >= 0 && i < list->n; i++)
		r = sd_bus_message_append(m, "s", list->v[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const struct prop *p)
{
	bool on;

	if (str_eq(p->type, "as"))
		return append_list(m, &p->list);
	if (str_eq(p->type, "ay"))
		return append_bytes(m, p->value);
	if (str_eq(p->type, "s"))
		return sd_bus_message_append(m, "v", "s", p->value);
	if (str_eq(p->type, "b"))
		return parse_bool(p->value, &on) < 0 ? -EINVAL : sd_bus_message_append(m, "v", "b", (int)on);
	return append_number(m, p->type, p->value);
}

int prop_append(sd_bus_message *m, const struct prop *p)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", p->name);
	if (r >= 0)
		r = append_value(m, p);
	return r < 0 ? r : sd_bus_message_close_container(m);
}
