/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_OCI_UNIT_H
#define ARNIA_TESTS_OCI_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

/* In texts of tests ' stands for ". */
json *parse_text(const char *text);
/* {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, MEMBERS} of the bundle /bundle; a failure ends the
 * test. */
struct oci_config decode_members(const char *members);
struct oci_config decode_rootless(const char *members);
/* The same for {"linux": {"namespaces": [{"type": "mount"}], MEMBERS}}. */
struct oci_config decode_section(const char *members);

struct rule_case {
	const char *members, *why; /* how the error starts; NULL: allowed */
};
/* Of the whole configuration, of its process (args and cwd are there) and of its linux section (the mount
 * namespace is there). */
void check_configs(const struct rule_case *cases, size_t n);
void check_processes(const struct rule_case *cases, size_t n);
void check_sections(const struct rule_case *cases, size_t n);
#define CHECK(what, cases) check_##what((cases), ARRAY_SIZE(cases))

#endif
