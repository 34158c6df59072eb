/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of a systemd scope. systemd writes control files of its units again whenever it likes (daemon-reload, a change of a
 * neighbour), so it has to know what we want in them. What it has no property for is written to the files alone, as runc does it.
 *
 * Device rules are not told to it: with DevicePolicy=auto and no DeviceAllow it attaches no device program, and ours, attached with
 * BPF_F_ALLOW_MULTI beside whatever there is, is never touched by it. Were they told, two programs would have to say the same.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define ANNOTATION "org.systemd.property."
#define PERIOD_DEFAULT 100000
#define USEC_PER_SEC 1000000
#define PERCENT_USEC 10000 /* of CPUQuotaPerSecUSec: systemd keeps whole percents */
#define CPUS_MAX 8192

struct props {
	struct arena *a;
	struct strv out;
};

/* The last of a name counts. */
static void put(struct props *p, const char *name, const char *type, const char *value)
{
	const char *text = arena_fmt(p->a, "%s=%s:%s", name, type, value);
	size_t n = strlen(name);

	for (size_t i = 0; i < p->out.n; i++)
		if (strncmp(p->out.v[i], name, n) == 0 && p->out.v[i][n] == '=') {
			p->out.v[i] = text;
			return;
		}
	strv_push(p->a, &p->out, text);
}

static void put_u64(struct props *p, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put(p, name, "t", text);
}

/* "max" or a number, with blanks around. */
static int read_limit(const char *s, uint64_t *ret)
{
	char text[32];
	size_t n;

	s += strspn(s, " \t");
	n = strcspn(s, " \t\n");
	if (n >= sizeof(text) || s[n + strspn(s + n, " \t\n")])
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (!str_eq(text, "max"))
		return parse_u64(text, ret);
	*ret = UINT64_MAX;
	return 0;
}

static int prop_limit(struct props *p, const char *name, const char *value)
{
	uint64_t v;
	int r = read_limit(value, &v);

	if (r == 0)
		put_u64(p, name, v);
	return r;
}

/* "100" or "default 100"; weights of single devices are not told. */
static int prop_weight(struct props *p, const char *name, const char *value)
{
	const char *rest = str_after(value, "default ");

	return strchr(value, ':') ? 0 : prop_limit(p, name, rest ? rest : value);
}

/* "QUOTA [PERIOD]": time for each second, up to the next percent, so that what is below can have the quota asked for. */
static int prop_cpu_max(struct props *p, const char *name, const char *value)
{
	uint64_t quota, period = PERIOD_DEFAULT, per_sec = UINT64_MAX;
	size_t n = strcspn(value, " ");
	auto_free char *first = str_dup_n(value, n);
	int r = read_limit(first, &quota);

	if (r == 0 && value[n])
		r = read_limit(value + n, &period);
	if (r < 0 || period == 0 || period == UINT64_MAX)
		return -EINVAL;
	if (quota != UINT64_MAX) {
		if (quota > UINT64_MAX / USEC_PER_SEC - PERCENT_USEC)
			return -ERANGE;
		per_sec = quota * USEC_PER_SEC / period;
		per_sec = (per_sec + PERCENT_USEC - 1) / PERCENT_USEC * PERCENT_USEC;
	}
	put_u64(p, "CPUQuotaPeriodUSec", period);
	put_u64(p, name, per_sec);
	return 0;
}

/* A weight of 0 is cpu.idle to systemd (252); it has no way to say that it is not. */
static int prop_idle(struct props *p, const char *name, const char *value)
{
	uint64_t v;
	int r = read_limit(value, &v);

	if (r == 0 && v == 1)
		put_u64(p, name, 0);
	return r;
}

static int prop_oom_group(struct props *p, const char *name, const char *value)
{
	uint64_t v;
	int r = read_limit(value, &v);

	if (r == 0 && v <= 1)
		put(p, name, "s", v ? "kill" : "continue");
	return r;
}

static int set_range(uint8_t *mask, const char *text, size_t *end)
{
	uint32_t from, to;
	const char *dash = strchr(text, '-');
	auto_free char *first = dash ? str_dup_n(text, (size_t)(dash - text)) : str_dup(text);

	if (parse_u32(first, &from) < 0 || parse_u32(dash ? dash + 1 : text, &to) < 0)
		return -EINVAL;
	if (from > to || to >= CPUS_MAX)
		return -ERANGE;
	for (uint32_t i = from; i <= to; i++)
		mask[i / 8] |= (uint8_t)(1u << (i % 8));
	*end = MAX(*end, to / 8 + 1);
	return 0;
}

/* "0-3,7" as bytes, the lowest first. */
static int prop_set(struct props *p, const char *name, const char *value)
{
	auto_free char *text = str_dup(value), *hex = NULL;
	uint8_t mask[CPUS_MAX / 8] = { 0 };
	char *save = NULL;
	size_t n = 0;
	int r = 0;

	for (char *part = strtok_r(text, ", \n", &save); part && r == 0; part = strtok_r(NULL, ", \n", &save))
		r = set_range(mask, part, &n);
	if (r < 0 || n == 0)
		return r;
	hex = mem_alloc(2 * n + 1);
	for (size_t i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", mask[i]);
	put(p, name, "ay", hex);
	return 0;
}

static const struct prop {
	const char *file, *name;
	int (*add)(struct props *p, const char *name, const char *value);
} known[] = {
	{ "cpu.weight", "CPUWeight", prop_limit },
	{ "cpu.max", "CPUQuotaPerSecUSec", prop_cpu_max },
	{ "cpuset.cpus", "AllowedCPUs", prop_set },
	{ "cpuset.mems", "AllowedMemoryNodes", prop_set },
	{ "io.weight", "IOWeight", prop_weight },
	{ "memory.high", "MemoryHigh", prop_limit },
	{ "memory.low", "MemoryLow", prop_limit },
	{ "memory.max", "MemoryMax", prop_limit },
	{ "memory.min", "MemoryMin", prop_limit },
	{ "memory.oom.group", "OOMPolicy", prop_oom_group },
	{ "memory.swap.max", "MemorySwapMax", prop_limit },
	{ "pids.max", "TasksMax", prop_limit },
};
/* After all of them: it stands above cpu.weight. */
static const struct prop idle = { "cpu.idle", "CPUWeight", prop_idle };

static int add_write(struct props *p, const struct prop *prop, const struct cg_write *w, struct error *err)
{
	if (!str_eq(w->file, prop->file) || prop->add(p, prop->name, w->value) == 0)
		return 0;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: \"%.64s\" is no value that systemd has (%s)", w->file, w->value, prop->name);
}

int oci_scope_props(const struct cg_config *c, struct arena *a, struct strv *ret, struct error *err)
{
	struct props p = { .a = a, .out = *ret };
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->writes.n; i++)
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(known); k++)
			r = add_write(&p, &known[k], &c->writes.v[i], err);
	for (size_t i = 0; r == 0 && i < c->writes.n; i++)
		r = add_write(&p, &idle, &c->writes.v[i], err);
	if (r == 0)
		*ret = p.out;
	return r;
}

/* ---- annotations: values are GVariant text, of the types that properties of scopes have --------- */

struct value {
	const char *type;
	const char *text; /* of a number, a string, a boolean */
	struct strv list; /* "as" */
};

/* A quoted string at *s, which is left behind it. */
static const char *read_quoted(struct arena *a, const char **s)
{
	struct strbuf b = { 0 };
	char quote = **s;
	const char *at = *s + 1, *text = NULL;

	if (quote != '\'' && quote != '"')
		return NULL;
	for (; *at && *at != quote; at++) {
		if (*at == '\\' && at[1])
			at++;
		strbuf_addc(&b, *at);
	}
	if (*at) {
		*s = at + 1;
		text = arena_str(a, strbuf_cstr(&b));
	}
	strbuf_done(&b);
	return text;
}

static const char *skip(const char *s)
{
	return s + strspn(s, " \t");
}

static bool read_list(struct arena *a, const char *s, struct value *v)
{
	v->type = "as";
	for (s = skip(s + 1); *s && *s != ']'; s = skip(s)) {
		const char *text = read_quoted(a, &s);

		if (!text)
			return false;
		strv_push(a, &v->list, text);
		s = skip(s);
		if (*s == ',')
			s++;
		else if (*s != ']')
			return false;
	}
	return *s == ']' && !*skip(s + 1);
}

/* "uint64 5", "5": within its type. */
static bool read_number(struct arena *a, const char *s, struct value *v)
{
	static const struct {
		const char *name, *type;
		uint64_t max, below; /* how far below 0 */
	} types[] = {
		{ "uint64", "t", UINT64_MAX, 0 },
		{ "int64", "x", INT64_MAX, (uint64_t)INT64_MAX + 1 },
		{ "uint32", "u", UINT32_MAX, 0 },
		{ "int32", "i", INT32_MAX, (uint64_t)INT32_MAX + 1 },
		{ "", "i", INT32_MAX, (uint64_t)INT32_MAX + 1 },
	};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		const char *rest = str_after(s, types[i].name);
		bool negative;

		if (!rest || (*types[i].name && *rest != ' '))
			continue;
		rest = skip(rest);
		negative = *rest == '-';
		if (parse_u64(rest + negative, &n) < 0 || n > (negative ? types[i].below : types[i].max))
			return false;
		v->type = types[i].type;
		v->text = arena_str(a, rest);
		return true;
	}
	return false;
}

static bool read_value(struct arena *a, const char *s, struct value *v)
{
	s = skip(s);
	if (str_eq(s, "true") || str_eq(s, "false")) {
		*v = (struct value){ .type = "b", .text = s };
		return true;
	}
	if (*s == '[')
		return read_list(a, s, v);
	if (*s == '\'' || *s == '"') {
		v->type = "s";
		v->text = read_quoted(a, &s);
		return v->text && !*skip(s);
	}
	return read_number(a, s, v);
}

/* Letters, three or more; not what makes the scope the container's. */
static bool is_allowed(const char *name)
{
	static const char *const ours[] = { "Delegate", "PIDs", "PIDFDs", "Slice", "ControlGroup", "DevicePolicy", "DeviceAllow",
					    "BPFProgram" };
	size_t n = 0;

	for (; name[n]; n++)
		if (!isascii((unsigned char)name[n]) || !isalpha((unsigned char)name[n]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (str_eq(name, ours[i]))
			return false;
	return n >= 3 && n <= 64;
}

/* "TimeoutStopSec" of the manual is "TimeoutStopUSec" on the bus. */
static bool to_usec(struct arena *a, const char **name, struct value *v)
{
	size_t n = strlen(*name);
	uint64_t sec;

	if (n < 4 || !str_ends(*name, "Sec") || !islower((unsigned char)(*name)[n - 4]))
		return true;
	if (!strchr("tuxi", v->type[0]) || parse_u64(v->text, &sec) < 0 || sec > UINT64_MAX / USEC_PER_SEC)
		return false;
	*name = arena_fmt(a, "%.*sUSec", (int)n - 3, *name);
	*v = (struct value){ .type = "t", .text = arena_fmt(a, "%" PRIu64, sec * USEC_PER_SEC) };
	return true;
}

static void push_value(struct arena *a, struct strv *out, const char *name, const struct value *v)
{
	if (!str_eq(v->type, "as"))
		strv_push(a, out, arena_fmt(a, "%s=%s:%s", name, v->type, v->text));
	else if (!v->list.n)
		strv_push(a, out, arena_fmt(a, "%s=as", name));
	for (size_t i = 0; i < v->list.n; i++)
		strv_push(a, out, arena_fmt(a, "%s=as:%s", name, v->list.v[i]));
}

int oci_scope_annotations(const struct oci_pair *v, size_t n, struct arena *a, struct strv *ret, struct error *err)
{
	struct strv out = *ret;

	for (size_t i = 0; i < n; i++) {
		const char *name = str_after(v[i].key, ANNOTATION);
		struct value value = { 0 };

		if (!name)
			continue;
		if (!is_allowed(name))
			return err_set_kind(err, -EINVAL, ERR_USAGE, "annotations[\"%.96s\"]: not a property that can be set", v[i].key);
		if (!read_value(a, v[i].value, &value) || !to_usec(a, &name, &value))
			return err_set_kind(err, -EINVAL, ERR_USAGE, "annotations[\"%.96s\"]: \"%.64s\" is not a value of a property",
					    v[i].key, v[i].value);
		push_value(a, &out, name, &value);
	}
	*ret = out;
	return 0;
}
