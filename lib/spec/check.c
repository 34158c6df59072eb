/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "lib/base/rlimits.h"
#include "lib/base/parse.h"
#include "lib/spec/internal.h"

#define TEXT_ROOM 470		  /* of struct error's 512; the rest is for the count of what was left out */
#define ARG_MAX_BYTES (128 << 10) /* one string of execve(2): MAX_ARG_STRLEN */
#define ARGS_MAX_BYTES (1 << 20)  /* command and env together */
#define SECCOMP_MAX_BYTES (1 << 20)
#define MEMORY_MIN (4 << 20)
#define CPUS_MIN 10 /* cpu.max takes no quota below 1 ms of 100 */
#define CPUS_MAX (1024 * 1000)
#define STOP_TIMEOUT_MAX (24 * 3600 * 1000)
#define LOG_MIN (128 << 10) /* two files, each with room for one record */
#define LOG_MAX (UINT64_C(1) << 40)
#define LABEL_KEY_MAX 128
#define LABEL_VALUE_MAX 4096
#define LABELS_MAX 256
#define USER_NAME_MAX 63
#define ID_NONE UINT32_MAX /* (uid_t)-1: "leave as it is" to setresuid(2) */

void spec_violation(struct spec_check *c, const char *fmt, ...)
{
	struct strbuf piece = { 0 };
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strbuf_add_escaped(&piece, text, strlen(text));
	c->n++;
	if (c->text.len && c->text.len + piece.len > TEXT_ROOM) {
		c->left_out++;
	} else {
		strbuf_add(&c->text, c->text.len ? "; " : "");
		strbuf_add_n(&c->text, piece.s, piece.len);
	}
	strbuf_done(&piece);
}

bool spec_text_is_clean(const char *s)
{
	struct strbuf b = { 0 };
	bool clean;

	strbuf_add_escaped(&b, s, strlen(s));
	clean = str_eq(strbuf_cstr(&b), s);
	strbuf_done(&b);
	return clean;
}

static void check_names(struct spec_check *c, const struct spec *s)
{
	if (s->name && !name_is_valid(s->name))
		spec_violation(
			c, "name: \"%.40s\" is no name for a machine (letters, digits, \"_.-\", at most 63)",
			s->name);
	else if (s->name && id_is_valid(s->name))
		spec_violation(c, "name: \"%s\" looks like an id", s->name);
	if (!s->image)
		spec_violation(c, "image: missing");
	else if (!name_is_valid(s->image))
		spec_violation(c, "image: \"%.40s\" is no image name", s->image);
}

static bool env_key_is_valid(const char *entry)
{
	size_t n = strcspn(entry, "=");

	if (!n || entry[n] != '=' || isdigit((unsigned char)entry[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)entry[i]) && !strchr("_.-", entry[i]))
			return false;
	return true;
}

static size_t add_sizes(struct spec_check *c, const char *key, const struct strv *sv)
{
	size_t total = 0;

	for (size_t i = 0; i < sv->n; i++) {
		size_t n = strlen(sv->v[i]) + 1;

		total += n;
		if (n > ARG_MAX_BYTES)
			spec_violation(c, "%s[%zu]: longer than %d bytes", key, i, ARG_MAX_BYTES);
	}
	return total;
}

static void check_command(struct spec_check *c, const struct spec *s)
{
	if (add_sizes(c, "command", &s->command) + add_sizes(c, "env", &s->env) > ARGS_MAX_BYTES)
		spec_violation(c, "command and env: longer than %d bytes together", ARGS_MAX_BYTES);
	if (s->command.n && !*s->command.v[0])
		spec_violation(c, "command[0]: empty");
	for (size_t i = 0; i < s->env.n; i++)
		if (!env_key_is_valid(s->env.v[i]))
			spec_violation(c, "env[%zu]: \"%.40s\" is not NAME=VALUE", i, s->env.v[i]);
	if (s->workdir &&
	    (s->workdir[0] != '/' || strlen(s->workdir) >= PATH_MAX || !spec_text_is_clean(s->workdir)))
		spec_violation(c, "workdir: \"%.40s\" is no absolute path", s->workdir);
	if (s->image_init && s->no_init)
		spec_violation(c, "noInit: the image's init is asked for, too (imageInit)");
}

/* One side of "user:group". Numbers are plain decimal: what C libraries read into "-1", "0x0", "+1" or
 * 4294967296 has given away user 0 in other runtimes (CVE-2026-30892). */
static bool id_text_is_valid(const char *s, size_t n)
{
	char text[USER_NAME_MAX + 1];
	uint32_t id;

	if (!n || n > USER_NAME_MAX)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (isdigit((unsigned char)text[0]))
		return parse_u32(text, &id) == 0 && id != ID_NONE && (text[0] != '0' || n == 1);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' &&
		    (i == 0 || !strchr(".-", text[i])) && (i == 0 || i != n - 1 || text[i] != '$'))
			return false;
	return true;
}

bool spec_user_is_valid(const char *s)
{
	const char *colon = strchr(s, ':');
	size_t n = colon ? (size_t)(colon - s) : strlen(s);

	return !*s || (id_text_is_valid(s, n) && (!colon || id_text_is_valid(colon + 1, strlen(colon + 1))));
}

static void check_user(struct spec_check *c, const struct spec *s)
{
	if (s->user && !spec_user_is_valid(s->user))
		spec_violation(c, "user: \"%.40s\" is not USER, UID, USER:GROUP or UID:GID (numbers 0..%u)",
			       s->user, ID_NONE - 1);
}

static void check_limits(struct spec_check *c, const struct spec *s)
{
	if (s->cpus_milli && (s->cpus_milli < CPUS_MIN || s->cpus_milli > CPUS_MAX))
		spec_violation(c, "cpus: expected 0.01..1024");
	if (s->memory < MEMORY_MIN)
		spec_violation(c, "memory: less than 4 MiB");
	if (s->pids < 1)
		spec_violation(c, "pids: expected 1 or more");
	for (size_t i = 0; i < s->rlimits.n; i++) {
		const struct sandbox_rlimit *r = &s->rlimits.v[i];
		const char *name = rlimit_name(r->resource);

		if (!name)
			spec_violation(c, "rlimits[%zu]: no resource limit has number %u", i, r->resource);
		else if (r->soft > r->hard)
			spec_violation(c, "rlimits[%zu]: soft limit of %s is over the hard one", i, name);
		for (size_t k = 0; name && k < i; k++)
			if (s->rlimits.v[k].resource == r->resource)
				spec_violation(c, "rlimits[%zu]: %s is there twice", i, name);
	}
	if (s->oom_score_adj < -1000 || s->oom_score_adj > 1000)
		spec_violation(c, "oomScoreAdj: expected -1000..1000");
}

static void check_caps(struct spec_check *c, const struct spec *s)
{
	uint64_t both = s->cap_add & s->cap_drop;

	if ((s->cap_add | s->cap_drop) & ~SPEC_CAPS_ALL)
		spec_violation(c, "capAdd, capDrop: unknown capability");
	if (s->cap_add == SPEC_CAPS_ALL && s->cap_drop == SPEC_CAPS_ALL)
		spec_violation(c, "capAdd and capDrop: both are ALL");
	else if (both && s->cap_add != SPEC_CAPS_ALL && s->cap_drop != SPEC_CAPS_ALL)
		spec_violation(c, "capAdd and capDrop: both have %s",
			       spec_cap_name((unsigned)__builtin_ctzll(both)));
}

/* The name becomes a file name below seccomp-profiles/. */
static void check_seccomp(struct spec_check *c, const struct spec *s)
{
	struct error why = { 0 };
	json *j;
	size_t n = s->seccomp ? strnlen(s->seccomp, SECCOMP_MAX_BYTES + 1) : 0;

	if (!s->seccomp)
		return;
	if (n > SECCOMP_MAX_BYTES) {
		spec_violation(c, "seccomp: profile is longer than 1 MiB");
	} else if (s->seccomp[0] != '{') {
		if (!n || n > 32 || strspn(s->seccomp, "abcdefghijklmnopqrstuvwxyz0123456789-") != n ||
		    s->seccomp[0] == '-')
			spec_violation(c, "seccomp: \"%.40s\" is neither a profile's name nor its JSON text",
				       s->seccomp);
	} else {
		j = json_parse(s->seccomp, n, &why);
		if (!j)
			spec_violation(c, "seccomp: %s", why.text);
		json_unref(j);
	}
}

static bool label_key_is_valid(const char *s)
{
	size_t n = strnlen(s, LABEL_KEY_MAX + 1);

	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)s[i]) || s[i] == '=')
			return false;
	return n && n <= LABEL_KEY_MAX;
}

static void check_labels(struct spec_check *c, const struct spec *s)
{
	if (s->labels.n > LABELS_MAX)
		spec_violation(c, "labels: more than %d", LABELS_MAX);
	for (size_t i = 0; i < s->labels.n; i++) {
		const struct spec_pair *l = &s->labels.v[i];

		if (!label_key_is_valid(l->key))
			spec_violation(c,
				       "labels: \"%.40s\" is no key (printable ASCII without blanks and "
				       "\"=\", at most %d)",
				       l->key, LABEL_KEY_MAX);
		else if (strlen(l->value) > LABEL_VALUE_MAX || !spec_text_is_clean(l->value))
			spec_violation(c, "labels.%.40s: control characters, or longer than %d bytes", l->key,
				       LABEL_VALUE_MAX);
	}
}

static void check_end(struct spec_check *c, const struct spec *s)
{
	int sig;

	if (s->stop_signal && parse_signal(s->stop_signal, &sig) < 0)
		spec_violation(c, "stopSignal: no signal is named \"%.40s\"", s->stop_signal);
	if (s->stop_timeout_ms > STOP_TIMEOUT_MAX)
		spec_violation(c, "stopTimeout: longer than a day");
	if (s->log_max && (s->log_max < LOG_MIN || s->log_max > LOG_MAX))
		spec_violation(c, "logMax: expected 0 or 128 KiB to 1 TiB");
}

int spec_check(const struct spec *s, struct error *err)
{
	static void (*const rules[])(struct spec_check *, const struct spec *) = {
		check_names,	    check_command,	check_user,	   check_limits,
		check_caps,	    check_seccomp,	spec_check_mounts, spec_check_devices,
		spec_check_network, spec_check_sysctls, check_labels,	   check_end,
	};
	struct spec_check c = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i](&c, s);
	if (!c.n)
		return 0;
	if (c.left_out)
		err_set_kind(err, -EINVAL, ERR_USAGE, "%s; and %zu more", strbuf_cstr(&c.text), c.left_out);
	else
		err_set_kind(err, -EINVAL, ERR_USAGE, "%s", strbuf_cstr(&c.text));
	strbuf_done(&c.text);
	return -EINVAL;
}
