/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process object as `exec --process` gets it: a refusal leaves everything as it was, an unknown capability
 * never adds one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/path.h"
#include "lib/oci/oci.h"
#include "lib/spec/names.h"

#define NESTED_MAX 2000
#define NAMESPACES 0x12340000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static bool has_text(const uint8_t *data, size_t size, const char *text)
{
	return memmem(data, size, text, strlen(text)) != NULL;
}

static void check_sandbox(const struct sandbox_config *s, const uint8_t *data, size_t size)
{
	uint64_t all =
		s->cap_bounding | s->cap_effective | s->cap_permitted | s->cap_inheritable | s->cap_ambient;

	require(s->namespaces == NAMESPACES && !(all & ~SPEC_CAPS_ALL));
	/* A backslash could spell it in another way. */
	if (!has_text(data, size, "CAP_") && !has_text(data, size, "\\"))
		require(!all);
	for (size_t i = 0; i < s->rlimits.n; i++)
		for (size_t k = 0; k < i; k++)
			require(s->rlimits.v[i].resource != s->rlimits.v[k].resource);
	require(s->oom_score_adj == INT32_MIN || (s->oom_score_adj >= -1000 && s->oom_score_adj <= 1000));
}

static void check_process(const struct process_config *p)
{
	require(p->argv.n && path_is_absolute(p->cwd) && p->umask <= 0777 && strchr(p->user, ':'));
	require(p->user[strspn(p->user, "0123456789:")] == '\0');
	require(p->tty || (!p->rows && !p->cols));
	for (size_t i = 0; i < p->env.n; i++)
		require(strchr(p->env.v[i], '=') && p->env.v[i][0] != '=');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sandbox_config s = { .namespaces = NAMESPACES }, s_before = s;
	struct process_config p = { .umask = 1 }, p_before = p;
	struct strv warnings = { 0 };
	struct error err = { 0 };
	struct arena a = { 0 };
	bool terminal = false;
	auto_json json *j = json_parse_bounded((const char *)data, size, NESTED_MAX, &err);
	int r;

	if (!j)
		return 0;
	r = oci_process_decode(j, &a, &p, &s, &terminal, &warnings, &err);
	if (r == 0) {
		check_process(&p);
		check_sandbox(&s, data, size);
		require(terminal == p.tty);
	} else {
		require(err.code == -EINVAL && err.kind == ERR_USAGE && !strncmp(err.text, "process", 7));
		require(!memcmp(&s, &s_before, sizeof(s)) && !memcmp(&p, &p_before, sizeof(p)) &&
			!warnings.n);
	}
	arena_done(&a);
	return 0;
}
