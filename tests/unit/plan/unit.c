/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/plan/unit.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include "lib/base/str.h"
#include "lib/spec/names.h"

static const unsigned char filter[5 * 8];
static const struct plan_node nodes[] = {
	{ "/dev/fuse", 'c', 10, 229 },
	{ "/dev/net/tun", 'c', 10, 200 },
	{ "/dev/loop0", 'b', 7, 0 },
};
static const char host_resolv[] = "# made by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n"
				  "options edns0 trust-ad\nsearch example.org\n";

static struct spec read_spec(const char *text)
{
	auto_free char *copy = str_dup(text);
	auto_json json *j = NULL;
	struct error err = { 0 };
	struct spec s = { 0 };

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	j = json_parse(copy, strlen(copy), &err);
	if (!j || spec_decode(j, &s, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return s;
}

void unit_host_merge(struct unit_host *h, const char *spec, const struct spec_image *image)
{
	struct error err = { 0 };

	*h = (struct unit_host){ .spec = read_spec(spec) };
	spec_merge(&h->spec, image);
	if (spec_check(&h->spec, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	h->facts = (struct plan_facts){
		.controllers = UNIT_CONTROLLERS,
		.time_ns = true,
		.caps = SPEC_CAPS_ALL,
		.cgroup_branch = "arnia",
	};
	h->lease = (struct plan_lease){
		.id_base = 1000000000,
		.addr.s_addr = htonl(0x0ad10005),
		.ifname = "an000000005",
		.ifindex = 0x10000005,
	};
	h->in = (struct plan_input){
		.id = UNIT_ID,
		.name = "web_1",
		.run = "/run/arnia",
		.state = "/var/lib/arnia",
		.share = "/usr/local/share/arnia",
		.rootfs = "/var/lib/arnia/templates/busybox/rootfs",
		.table = "arnia",
		.ifgroup = 0xa400,
		.gateway.s_addr = htonl(0xa9fe0101),
		.seccomp = filter,
		.seccomp_size = sizeof(filter),
		.host_resolv = host_resolv,
		.nodes = nodes,
		.n_nodes = ARRAY_SIZE(nodes),
		.now_boot_ns = 5000000000,
		.now_mono_ns = 4000000000,
		.spec = &h->spec,
		.facts = &h->facts,
		.lease = &h->lease,
	};
}

void unit_host(struct unit_host *h, const char *spec)
{
	static const char *cmd[] = { "sh" };
	static const struct spec_image image = { .cmd = { cmd, 1 } };

	unit_host_merge(h, spec, &image);
}

void unit_host_done(struct unit_host *h)
{
	spec_done(&h->spec);
}

struct plan *unit_start(struct unit_host *h)
{
	struct error err = { 0 };
	struct plan *p = NULL;

	if (plan_build_start(&h->in, &p, &err) < 0)
		fail_msg("plan_build_start: %s", err.text);
	return p;
}

char *unit_print(const struct plan *p)
{
	struct strbuf b = { 0 };

	plan_print(p, &b);
	return strbuf_steal(&b);
}

bool unit_has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, line, n) == 0 && at[n] == '\n')
			return true;
	}
	return false;
}

void unit_expect_line(const char *text, const char *line)
{
	if (!unit_has_line(text, line))
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

void unit_expect_no_line(const char *text, const char *line)
{
	if (unit_has_line(text, line))
		fail_msg("line \"%s\" in:\n%s", line, text);
}
