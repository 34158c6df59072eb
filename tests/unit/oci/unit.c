/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/oci/unit.h"
#include <errno.h>
#include <stdlib.h>

#define CONFIG "{'ociVersion':'1.2.0','root':{'path':'rootfs'}%s%s}"
#define PROCESS "'process':{'args':['sh'],'cwd':'/'%s%s}"
#define SECTION "'linux':{'namespaces':[{'type':'mount'}]%s%s}"

json *parse_text(const char *text)
{
	auto_free char *copy = str_dup(text);
	struct error err = { 0 };
	json *j;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_parse(copy, strlen(copy), &err);
	if (!j)
		fail_msg("%s: %s", text, err.text);
	return j;
}

static char *fill(const char *form, const char *members)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	const char *at = strstr(form, "%s%s");

	strbuf_add_n(&b, form, (size_t)(at - form));
	strbuf_add(&b, *members ? "," : "");
	strbuf_add(&b, members);
	strbuf_add(&b, at + 4);
	return strbuf_steal(&b);
}

static struct oci_config decode(const char *text, bool rootless)
{
	const struct oci_input in = { .bundle = "/bundle", .rootless = rootless };
	auto_json json *j = parse_text(text);
	struct error err = { 0 };
	struct oci_config c;

	if (oci_config_decode(j, &in, &c, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return c;
}

struct oci_config decode_members(const char *members)
{
	auto_free char *text = fill(CONFIG, members);

	return decode(text, false);
}

struct oci_config decode_rootless(const char *members)
{
	auto_free char *text = fill(CONFIG, members);

	return decode(text, true);
}

struct oci_config decode_section(const char *members)
{
	auto_free char *section = fill(SECTION, members);

	return decode_members(section);
}

/* What decoding says, "" when it is fine. On failure nothing is written. */
static void check_text(const char *text, char ret[512])
{
	const struct oci_input in = { .bundle = "/bundle" };
	auto_json json *j = parse_text(text);
	struct oci_config c, before;
	struct error err = { 0 };
	int r;

	memset(&c, 0x5a, sizeof(c));
	memcpy(&before, &c, sizeof(c));
	r = oci_config_decode(j, &in, &c, NULL);
	assert_int_equal(r < 0, memcmp(&c, &before, sizeof(c)) == 0);
	if (r == 0)
		oci_config_done(&c);
	r = oci_config_decode(j, &in, &c, &err);
	(void)str_copy(ret, 512, r < 0 ? err.text : "");
	if (r == 0) {
		oci_config_done(&c);
		return;
	}
	assert_int_equal(r, -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_true(err.text[0]);
}

static void check_cases(const char *form, const struct rule_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_free char *inner = form ? fill(form, cases[i].members) : str_dup(cases[i].members);
		auto_free char *text = fill(CONFIG, inner);
		char why[512];

		check_text(text, why);
		if (cases[i].why ? !str_starts(why, cases[i].why) : why[0])
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].members, why, cases[i].why ?: "");
	}
}

void check_configs(const struct rule_case *cases, size_t n)
{
	check_cases(NULL, cases, n);
}

void check_processes(const struct rule_case *cases, size_t n)
{
	check_cases(PROCESS, cases, n);
}

void check_sections(const struct rule_case *cases, size_t n)
{
	check_cases(SECTION, cases, n);
}
