/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and architectures of libseccomp. What its header declares meets the names of sandbox.h
 * (filter_load), so only this file includes it and nothing else of the public functions is here. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include "lib/base/str.h"
#include "lib/sandbox/seccomp_internal.h"

/* The OCI schema's architectures; audit 0: none that libseccomp of Debian 12 has. */
static const struct arch {
	const char *name;
	uint32_t token; /* SCMP_ARCH_*, which but for x32 is the AUDIT_ARCH_* */
	const char *go_name;
} archs[] = {
	{ "SCMP_ARCH_NATIVE", SCMP_ARCH_NATIVE, NULL },
	{ "SCMP_ARCH_X86", SCMP_ARCH_X86, "386" },
	{ "SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, "amd64" },
	{ "SCMP_ARCH_X32", SCMP_ARCH_X32, NULL },
	{ "SCMP_ARCH_ARM", SCMP_ARCH_ARM, "arm" },
	{ "SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, "arm64" },
	{ "SCMP_ARCH_MIPS", SCMP_ARCH_MIPS, "mips" },
	{ "SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64, "mips64" },
	{ "SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32, "mips64n32" },
	{ "SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL, "mipsel" },
	{ "SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64, "mipsel64" },
	{ "SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32, "mipsel64n32" },
	{ "SCMP_ARCH_PPC", SCMP_ARCH_PPC, "ppc" },
	{ "SCMP_ARCH_PPC64", SCMP_ARCH_PPC64, "ppc64" },
	{ "SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE, "ppc64le" },
	{ "SCMP_ARCH_S390", SCMP_ARCH_S390, "s390" },
	{ "SCMP_ARCH_S390X", SCMP_ARCH_S390X, "s390x" },
	{ "SCMP_ARCH_PARISC", SCMP_ARCH_PARISC, "parisc" },
	{ "SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64, "parisc64" },
	{ "SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64, "riscv64" },
	{ "SCMP_ARCH_LOONGARCH64", 0, "loong64" },
	{ "SCMP_ARCH_M68K", 0, "m68k" },
	{ "SCMP_ARCH_SH", 0, "sh" },
	{ "SCMP_ARCH_SHEB", 0, "sheb" },
};

/* Call tables that a kernel serves beside its native one. */
static const struct {
	uint32_t native, other;
} companions[] = {
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
	{ SCMP_ARCH_X86_64, SCMP_ARCH_X32 },
	{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
};

/* Calls newer than libseccomp 2.5.4. From 424 on a number is the same everywhere, x32's with its bit 30. */
static const struct {
	const char *name;
	int nr;
} newer[] = {
	{ "set_mempolicy_home_node", 450 },
	{ "cachestat", 451 },
	{ "fchmodat2", 452 },
	{ "map_shadow_stack", 453 },
	{ "futex_wake", 454 },
	{ "futex_wait", 455 },
	{ "futex_requeue", 456 },
	{ "statmount", 457 },
	{ "listmount", 458 },
	{ "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 },
	{ "lsm_list_modules", 461 },
	{ "mseal", 462 },
	{ "setxattrat", 463 },
	{ "getxattrat", 464 },
	{ "listxattrat", 465 },
	{ "removexattrat", 466 },
	{ "open_tree_attr", 467 },
	{ "file_getattr", 468 },
	{ "file_setattr", 469 },
	{ "listns", 470 },
};
#define X32_BIT 0x40000000u

static const struct arch *find_arch(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
		if (str_eq(archs[i].name, name))
			return &archs[i];
	return NULL;
}

bool sc_arch_is_known(const char *name)
{
	return find_arch(name) != NULL;
}

const struct sc_host *sc_host_probe(struct sc_host *h, uint64_t caps, bool oci)
{
	uint32_t native = seccomp_arch_native();
	struct utsname u;

	*h = (struct sc_host){ .caps = caps, .oci = oci, .arch = "", .scmp_arch = "" };
	for (size_t i = 1; i < ARRAY_SIZE(archs); i++)
		if (archs[i].token == native) {
			h->arch = archs[i].go_name;
			h->scmp_arch = archs[i].name;
		}
	if (uname(&u) == 0)
		sc_kernel_parse(u.release, &h->kernel);
	return h;
}

void sc_arch_names(struct arena *a, struct strv *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
		if (archs[i].token != SCMP_ARCH_NATIVE)
			*arena_push(a, ret) = archs[i].name;
}

void sc_library_version(char *buf, size_t size)
{
	const struct scmp_version *v = seccomp_version();

	snprintf(buf, size, "%u.%u.%u", v->major, v->minor, v->micro);
}

/* -1: this architecture does not have it, or nobody here knows it. */
static int64_t number_of(uint32_t token, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(token, name);

	if (nr >= 0)
		return nr;
	/* Below -1: known, and known to be missing there. */
	if (nr != __NR_SCMP_ERROR)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (str_eq(newer[i].name, name))
			return (int64_t)newer[i].nr | (token == SCMP_ARCH_X32 ? X32_BIT : 0);
	return -1;
}

static void note_last(struct sc_table *t, int64_t nr)
{
	uint32_t *last = nr & X32_BIT ? &t->last_x32 : &t->last;

	if (nr > *last)
		*last = (uint32_t)nr;
}

static void add_matches(struct sc_profile *p, uint32_t token, struct sc_table *t)
{
	for (size_t i = 0; i < p->entries.n; i++)
		for (size_t j = 0; j < p->entries.v[i].names.n; j++) {
			int64_t nr = number_of(token, p->entries.v[i].names.v[j]);

			if (nr < 0)
				continue;
			*arena_push(&p->arena, &t->matches) = (struct sc_match){ (uint32_t)nr, (uint32_t)i };
			note_last(t, nr);
		}
	for (size_t i = 0; i < p->others.n; i++)
		note_last(t, number_of(token, p->others.v[i]));
}

static bool is_open(const struct sc_profile *p, uint32_t token)
{
	for (size_t i = 0; i < p->archs.n; i++)
		if (find_arch(p->archs.v[i])->token == token)
			return true;
	return false;
}

void sc_program_make(struct sc_profile *p, struct sc_program *ret)
{
	uint32_t native = seccomp_arch_native();
	struct sc_rule *rules = arena_alloc_n(&p->arena, p->entries.n, sizeof(*rules));
	bool is_errno = (p->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

	for (size_t i = 0; i < p->entries.n; i++)
		rules[i] = p->entries.v[i].rule;
	*ret = (struct sc_program){
		.default_action = p->default_action,
		/* So that a libc newer than the profile falls back instead of giving up (runc does the same).
		 */
		.unknown_action =
			is_errno && !p->errno_given ? SECCOMP_RET_ERRNO | ENOSYS : p->default_action,
		.rules = rules,
		.n_rules = p->entries.n,
		.tables = { { .audit_arch = native, .x32_closed = native == SCMP_ARCH_X86_64 } },
		.n_tables = 1,
	};
	add_matches(p, native, &ret->tables[0]);
	for (size_t i = 0; i < ARRAY_SIZE(companions); i++) {
		if (companions[i].native != native || !is_open(p, companions[i].other))
			continue;
		/* x32 is the native architecture with other numbers. */
		if (companions[i].other == SCMP_ARCH_X32) {
			ret->tables[0].x32_closed = false;
			add_matches(p, SCMP_ARCH_X32, &ret->tables[0]);
			continue;
		}
		ret->tables[ret->n_tables].audit_arch = companions[i].other;
		add_matches(p, companions[i].other, &ret->tables[ret->n_tables++]);
	}
}
