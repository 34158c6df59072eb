/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.seccomp is compiled elsewhere, from its text. Here is what a listener needs. */
#include <linux/seccomp.h>
#include "lib/oci/oci_internal.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define NOTIFY "SCMP_ACT_NOTIFY"

/* In alphabetical order. */
const struct oci_word oci_seccomp_flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
	{ NULL, 0 },
};

struct look {
	bool any, notify;
};

static bool has_name(const json *names, const char *name)
{
	for (size_t i = 0; i < json_len(names); i++)
		if (str_eq(json_str(json_at(names, i)), name))
			return true;
	return false;
}

static int look_at_call(const json *item, void *ctx, struct error *err)
{
	struct look *l = ctx;
	const char *action = NULL;
	const json *names = NULL;
	int r;

	if ((r = json_get_str(item, "action", &action, err)) < 0 ||
	    (r = json_get_arr(item, "names", &names, err)) < 0)
		return r;
	l->any = true;
	if (!str_eq(action, NOTIFY))
		return 0;
	/* The worker hands the listener over with it. */
	if (has_name(names, "write"))
		return oci_bad(err, "action: " NOTIFY " cannot be used for write");
	l->notify = true;
	return 0;
}

static int check_listener(const struct oci_config *c, const struct look *l, struct error *err)
{
	if (l->notify && !c->seccomp_listener)
		return oci_bad(err, "listenerPath: missing, " NOTIFY " is used");
	if (c->seccomp_metadata && !c->seccomp_listener)
		return oci_bad(err, "listenerMetadata: there is no listenerPath");
	return 0;
}

static int decode_members(const json *o, struct oci_config *c, struct look *l, struct error *err)
{
	const char *action = NULL;
	uint64_t flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW; /* when it says nothing of flags, as runc does */
	int r;

	if ((r = json_get_str(o, "defaultAction", &action, err)) < 0 ||
	    (r = oci_get_flags(o, "flags", oci_seccomp_flags, &flags, err)) < 0 ||
	    (r = oci_each(o, "syscalls", look_at_call, l, err)) < 0 ||
	    (r = oci_get_str(o, "listenerPath", &c->arena, &c->seccomp_listener, err)) < 0 ||
	    (r = oci_get_str(o, "listenerMetadata", &c->arena, &c->seccomp_metadata, err)) < 0)
		return r;
	l->any = l->any || !str_is_empty(action);
	if (str_eq(action, NOTIFY))
		return oci_bad(err, "defaultAction: " NOTIFY " is for single calls");
	c->sandbox.seccomp_flags = l->any ? (uint32_t)flags : 0;
	return check_listener(c, l, err);
}

int oci_seccomp_decode(const json *section, struct oci_decode *d, struct error *err)
{
	struct oci_config *c = d->c;
	auto_free char *text = NULL;
	struct look l = { 0 };
	const json *o = NULL;
	int r = json_get_obj(section, "seccomp", &o, err);

	if (r <= 0)
		return r;
	r = decode_members(o, c, &l, err);
	if (r < 0)
		return oci_within(err, "seccomp.");
	/* Neither a default action nor calls: no filter. */
	if (!l.any)
		return 0;
	text = json_text(o, false);
	c->seccomp = arena_str(&c->arena, text);
	if (l.notify) {
		c->sandbox.seccomp_listener = true;
		c->sandbox.seccomp_flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	} else {
		/* Of no meaning without a listener, and refused by the kernel. */
		c->sandbox.seccomp_flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	return 0;
}
