/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include "cmd/arnia-oci/cmd.h"

#define COLUMN 36

static void show_options(const struct opt *o, size_t n)
{
	for (; n; n--, o++) {
		char left[128];

		if (!o->help)
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : " ", o->letter ?: ' ',
			 o->letter ? ", " : "  ", o->name, o->arg ? " " : "", o->arg ?: "");
		printf("  %-*s %s\n", COLUMN, left, o->help);
	}
}

static int written(void)
{
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}

int help_all(void)
{
	printf("usage: arnia-oci [OPTION...] VERB [OPTION...] [ID] [ARG...]\n\n"
	       "Runs OCI bundles: folders with a config.json and a root filesystem.\n\nverbs:\n");
	for (size_t i = 0; i < n_verbs; i++)
		printf("  %-12s %s\n", verbs[i].name, verbs[i].summary);
	printf("\noptions:\n");
	show_options(global_opts, n_global_opts);
	printf("\nOptions of a verb: arnia-oci VERB --help, and arnia-oci(8).\n");
	return written();
}

int help_verb(const struct verb *v)
{
	printf("usage: arnia-oci [OPTION...] %s [OPTION...]%s%s\n\n%s\n\noptions:\n", v->name,
	       *v->operands ? " " : "", v->operands, v->summary);
	show_options(v->opts, v->n_opts);
	return written();
}
