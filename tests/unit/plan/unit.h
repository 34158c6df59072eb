/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_PLAN_UNIT_H
#define ARNIA_TESTS_PLAN_UNIT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/plan/build.h"

#define UNIT_ID "0123456789abcdef"
#define UNIT_CONTROLLERS (CG_CTL_CPU | CG_CTL_MEMORY | CG_CTL_PIDS | CG_CTL_IO)

/* What a daemon gives to the builder, with fixed values, for a spec. */
struct unit_host {
	struct plan_input in;
	struct plan_facts facts;
	struct plan_lease lease;
	struct spec spec;
};
/* The spec from JSON (' stands for "), merged with an image that has the command `sh`. */
void unit_host(struct unit_host *h, const char *spec);
void unit_host_merge(struct unit_host *h, const char *spec, const struct spec_image *image);
void unit_host_done(struct unit_host *h);
/* The start plan; a failure ends the test. */
struct plan *unit_start(struct unit_host *h);
/* plan_print's text, malloc'ed. */
char *unit_print(const struct plan *p);
/* `text` contains the line. */
bool unit_has_line(const char *text, const char *line);
void unit_expect_line(const char *text, const char *line);
void unit_expect_no_line(const char *text, const char *line);

#endif
