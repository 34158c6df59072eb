/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_ROOTFS_APTSOURCES_H
#define ARNIA_ROOTFS_APTSOURCES_H
/* The host's package archives, sources.list(5): one-line and deb822 style. What does not parse is passed
 * over, as it is none of ours to judge. */
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"

struct apt_entry { /* one URI and suite of binary packages */
	const char *uri, *suite;
	struct strv components;
	const char *signed_by; /* absolute path or fingerprints; NULL: apt's own keyrings */
	bool trusted;	       /* [trusted=yes] */
	bool no_valid_until;   /* [check-valid-until=no] */
};
struct apt_sources {
	struct arena arena;
	ARRAY_OF(struct apt_entry) entries; /* at most 1000 */
};
void apt_parse_list(struct apt_sources *s, const char *text, size_t n);	  /* *.list */
void apt_parse_deb822(struct apt_sources *s, const char *text, size_t n); /* *.sources */
/* sources.list and sources.list.d below the folder (/etc/apt), in apt's order. Missing files are fine. */
int apt_read(struct apt_sources *s, const char *etc_apt, struct error *err);
/*
 * Lines "deb [options] URI SUITE COMPONENTS" for the release `suite`, its updates and its security archive:
 * the host's entries of that suite, or else its entries of its own release `host_suite` (NULL: none) with the
 * suite's name put in. In `out`, from s's arena. -ENOENT when there is none.
 */
int apt_select(struct apt_sources *s, const char *suite, const char *host_suite, struct strv *out);
void apt_done(struct apt_sources *s);

#endif
