/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's spec: decoding never crashes; what is decoded can be written and read again as the same; what
 * passes the rules becomes a plan whose generated files have exactly the lines that we wrote.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "lib/base/str.h"
#include "lib/plan/build.h"
#include "lib/spec/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct spec *s)
{
	auto_json json *first = spec_encode(s), *second = NULL;
	auto_free char *text = json_text(first, false), *again = NULL;
	struct error err;
	struct spec back;

	if (spec_decode(first, &back, &err) < 0)
		abort();
	second = spec_encode(&back);
	again = json_text(second, false);
	if (!str_eq(text, again))
		abort();
	spec_done(&back);
}

static size_t count_lines(const struct file_item *f)
{
	const char *text = f->data;
	size_t n = 0;

	for (size_t i = 0; i < f->size; i++) {
		n += text[i] == '\n';
		if (text[i] != '\n' && ((unsigned char)text[i] < 0x20 || text[i] == 0x7f))
			abort();
	}
	return n;
}

static void check_files(const struct plan *p, const struct spec *s)
{
	for (size_t i = 0; i < p->rootfs.files.n; i++) {
		const struct file_item *f = &p->rootfs.files.v[i];
		size_t n = count_lines(f);

		if (str_eq(f->path, "/etc/hosts") ? n != 3 : str_eq(f->path, "/etc/hostname") && n != 1)
			abort();
		if (str_eq(f->path, "/etc/resolv.conf") && s->dns.n && n != s->dns.n + (s->net != NET_NONE))
			abort();
	}
}

/* The mounts of the user are where he may have them, after the standard ones that carry them. */
static void check_mounts(const struct plan *p, const struct spec *s)
{
	size_t found = 0;

	for (size_t i = 0; i < p->rootfs.mounts.n; i++)
		for (size_t k = 0; k < s->mounts.n; k++)
			found += str_eq(p->rootfs.mounts.v[i].target, s->mounts.v[k].target);
	if (found != s->mounts.n)
		abort();
}

static void check_plan(const struct spec *s)
{
	static const unsigned char filter[16];
	struct plan_facts facts = {
		.controllers = 31, .time_ns = true, .caps = SPEC_CAPS_ALL, .cgroup_branch = "a"
	};
	struct plan_lease lease = { .id_base = 65536, .addr.s_addr = htonl(0x0a000001), .ifname = "an0" };
	struct plan_input in = {
		.id = "0123456789abcdef",
		.name = s->name ?: "n",
		.run = "/run",
		.state = "/state",
		.share = "/share",
		.rootfs = "/rootfs",
		.table = "arnia",
		.seccomp = filter,
		.seccomp_size = sizeof(filter),
		.host_resolv = "search x\nnameserver 1.2.3.4\n",
		.spec = s,
		.facts = &facts,
		.lease = &lease,
	};
	struct strbuf out = { 0 };
	struct plan *p, *back;
	struct error err;
	auto_free void *bytes = NULL;
	size_t size;

	if (plan_build_start(&in, &p, &err) < 0)
		return;
	check_files(p, s);
	check_mounts(p, s);
	plan_print(p, &out);
	strbuf_done(&out);
	if (plan_encode(p, &bytes, &size) < 0 || plan_decode(bytes, size, &back, &err) < 0)
		abort();
	plan_free(back);
	plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *cmd[] = { "sh" };
	static const struct spec_image images[] = {
		{ .cmd = { cmd, 1 } },
		{ .cmd = { cmd, 1 }, .init = true },
	};
	auto_json json *j = json_parse((const char *)data, size, NULL);
	struct error err = { 0 };
	struct spec s;

	if (!j)
		return 0;
	if (spec_decode(j, &s, &err) < 0) {
		if (err.kind != ERR_USAGE || !err.text[0])
			abort();
		return 0;
	}
	check_round_trip(&s);
	if (spec_check(&s, &err) == 0) {
		spec_merge(&s, &images[size % 2]);
		if (spec_check(&s, &err) < 0)
			abort();
		check_round_trip(&s);
		check_plan(&s);
	}
	spec_done(&s);
	return 0;
}
