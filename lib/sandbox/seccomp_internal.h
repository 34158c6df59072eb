/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_SECCOMP_INTERNAL_H
#define ARNIA_SANDBOX_SECCOMP_INTERNAL_H
/*
 * From a profile's text to a program, in three steps that know nothing of one another:
 *   seccomp_profile.c  JSON -> struct sc_profile: rules by syscall name, what does not apply here left out
 *   seccomp.c          names and architectures -> numbers (libseccomp's tables)
 *   seccomp_bpf.c      struct sc_program: rules by number -> instructions
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/mem.h"

/* Raise when the same input would give another program: it is part of the cache's key. */
#define SC_COMPILER_VERSION 1

enum sc_op { SC_NE, SC_LT, SC_LE, SC_EQ, SC_GE, SC_GT, SC_MASKED_EQ };
struct sc_cond { /* on the 64 bits of one argument; SC_MASKED_EQ: (arg & value) == value_two */
	uint8_t arg, op;
	uint64_t value, value_two;
};
#define SC_CONDS_MAX 8
struct sc_rule {
	uint32_t action; /* SECCOMP_RET_* with its data */
	size_t n;
	struct sc_cond conds[SC_CONDS_MAX]; /* all must hold */
};
struct sc_entry { /* of a profile: what syscalls[index] says of these names */
	size_t index;
	struct strv names;
	struct sc_rule rule;
};
struct sc_profile {
	struct arena arena;
	uint32_t default_action;
	bool errno_given;  /* "defaultErrnoRet" is there */
	uint32_t flags;	   /* SECCOMP_FILTER_FLAG_* */
	struct strv archs; /* names of architectures besides the native one: SCMP_ARCH_* */
	ARRAY_OF(struct sc_entry) entries;
	struct strv others; /* named by entries that do not count here */
};
struct sc_host { /* what "includes" and "excludes" ask about */
	uint64_t caps;
	bool oci;	       /* see struct seccomp_input */
	const char *arch;      /* as Go spells it: "amd64" */
	const char *scmp_arch; /* "SCMP_ARCH_X86_64" */
	uint32_t kernel;       /* major << 16 | minor */
};
int sc_profile_parse(const char *json, size_t len, const struct sc_host *host, struct sc_profile *ret,
		     struct error *err);
void sc_profile_done(struct sc_profile *p);
/* "6.1", "6.1.0-13-amd64" -> major << 16 | minor. */
int sc_kernel_parse(const char *release, uint32_t *ret);

struct sc_match { /* the rule speaks of this number */
	uint32_t nr, rule;
};
struct sc_table { /* one AUDIT_ARCH_* */
	uint32_t audit_arch;
	bool x32_closed; /* numbers with bit 30 are another call table that is not open (x86-64) */
	ARRAY_OF(struct sc_match) matches;
	/* The highest number that the profile names, also where it does not count here; 0: none. The second
	 * is for numbers with bit 30. */
	uint32_t last, last_x32;
};
/*
 * What decides a call: among the rules for its number whose conditions hold, the strictest action (in the
 * kernel's order among filters, seccomp(2)), the earlier rule among equals; without one, the default. Numbers
 * above the table's last get `unknown_action`. Architectures without a table: the process is killed.
 */
struct sc_program {
	uint32_t default_action, unknown_action;
	const struct sc_rule *rules;
	size_t n_rules;
	struct sc_table tables[3];
	size_t n_tables;
};
/* Malloc'ed program; -E2BIG when it would be over BPF_MAXINSNS. */
int sc_bpf_compile(const struct sc_program *p, struct sock_filter **ret, size_t *ret_n);

/* seccomp.c */
const struct sc_host *sc_host_probe(struct sc_host *h, uint64_t caps, bool oci);
/* True for the name of an architecture that the OCI schema knows. */
bool sc_arch_is_known(const char *name);
/* Names of those that have a number here. */
void sc_arch_names(struct arena *a, struct strv *ret);
/* Numbers for a parsed profile. Everything lives in the profile's arena. */
void sc_program_make(struct sc_profile *p, struct sc_program *ret);
/* "2.5.4": part of the cache's key, as newer tables know more names. */
void sc_library_version(char *buf, size_t size);

#endif
