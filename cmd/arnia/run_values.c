/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arnia/options.h"
#include "cmd/arnia/run_opts.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

#define RANGE_MAX 1024

static int bad(struct error *err, const char *option, const char *value, const char *what)
{
	return err_set_kind(err, -EINVAL, ERR_USAGE, "%s: \"%.100s\": %s", option, value, what);
}

struct range {
	uint16_t first, last;
};

static int parse_range(const char *text, struct range *ret)
{
	const char *dash = strchr(text, '-');
	auto_free char *first = dash ? str_dup_n(text, (size_t)(dash - text)) : str_dup(text);
	struct range g;

	if (parse_u16(first, &g.first) < 0 || parse_u16(dash ? dash + 1 : first, &g.last) < 0)
		return -EINVAL;
	if (!g.first || g.last < g.first || g.last - g.first >= RANGE_MAX)
		return -EINVAL;
	*ret = g;
	return 0;
}

static void push_port(json *ports, const char *protocol, const char *address, unsigned host, unsigned port)
{
	json *o = json_new_obj();

	json_add_str(o, "protocol", protocol);
	json_add_str(o, "hostAddress", address);
	if (host)
		json_add_u64(o, "hostPort", host);
	json_add_u64(o, "port", port);
	json_push(ports, o);
}

/* The parts of "A:B:C" from the right; missing ones are NULL. */
static void split_publish(char *text, char **address, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	*address = *host = NULL;
	*port = colon ? colon + 1 : text;
	if (!colon)
		return;
	*colon = '\0';
	colon = strrchr(text, ':');
	*host = colon ? colon + 1 : text;
	if (!colon)
		return;
	*colon = '\0';
	*address = text;
}

int parse_publish(const char *text, json *ports, struct error *err)
{
	auto_free char *copy = str_dup(text);
	char *slash = strchr(copy, '/'), *address, *host, *port;
	struct range inside, outside = { 0, 0 };
	struct in_addr ip;

	if (slash)
		*slash++ = '\0';
	if (slash && !str_eq(slash, "tcp") && !str_eq(slash, "udp"))
		return bad(err, "-p", text, "expected /tcp or /udp");
	split_publish(copy, &address, &host, &port);
	if (parse_range(port, &inside) < 0 || (host && *host && parse_range(host, &outside) < 0))
		return bad(err, "-p", text, "expected a port from 1 to 65535, or a range");
	if (outside.first && outside.last - outside.first != inside.last - inside.first)
		return bad(err, "-p", text, "the ranges are not of one length");
	if (!str_is_empty(address) && parse_ipv4(address, &ip) < 0)
		return bad(err, "-p", text, "expected an IPv4 address of the host");
	for (unsigned i = 0; i <= (unsigned)(inside.last - inside.first); i++)
		push_port(ports, slash ?: "tcp", str_is_empty(address) ? NULL : address,
			  outside.first ? outside.first + i : 0, inside.first + i);
	return 0;
}

static int mount_option(json *m, const char *word, bool tmpfs)
{
	const char *size = str_after(word, "size="), *mode = str_after(word, "mode=");
	uint64_t n = 0;
	char *end;

	if (str_eq(word, "ro") || str_eq(word, "rw")) {
		json_add_bool(m, "readOnly", str_eq(word, "ro"));
		return 0;
	}
	if (!tmpfs && str_eq(word, "noidmap")) {
		json_add_bool(m, "idmap", false);
		return 0;
	}
	/* To the kernel 0 is no limit but all memory, to others a default. */
	if (tmpfs && size && parse_size(size, &n) == 0 && n > 0) {
		json_add_u64(m, "size", n);
		return 0;
	}
	if (!tmpfs || !mode || !*mode || strspn(mode, "01234567") != strlen(mode) || strlen(mode) > 5)
		return -EINVAL;
	json_add_u64(m, "mode", strtoul(mode, &end, 8));
	return 0;
}

static int mount_options(json *m, char *words, bool tmpfs)
{
	char *word;

	while ((word = strsep(&words, ",")))
		if (mount_option(m, word, tmpfs) < 0)
			return -EINVAL;
	return 0;
}

/* Links are followed here, where they mean what the user sees. */
static int absolute_source(const char *source, char out[PATH_MAX], struct error *err)
{
	if (!strchr(source, '/') && source[0] != '.') {
		bad(err, "-v", source, "named volumes are unknown");
		err_hint(err, "for a folder write ./%.100s", source);
		return -EINVAL;
	}
	if (!realpath(source, out))
		return err_sys(err, -errno, "-v: %.200s", source);
	return utf8_valid(out, strlen(out)) ? 0 : bad(err, "-v", source, "its path is not UTF-8 text");
}

int parse_volume(const char *text, json *mounts, struct error *err)
{
	auto_free char *copy = str_dup(text);
	auto_json json *m = json_new_obj();
	char *rest = copy, path[PATH_MAX], *source = strsep(&rest, ":"),
	     *target = rest ? strsep(&rest, ":") : NULL;
	int r;

	if (str_is_empty(source) || str_is_empty(target) || (rest && strchr(rest, ':')))
		return bad(err, "-v", text, "expected SOURCE:TARGET[:OPTIONS]");
	if (!path_is_absolute(target))
		return bad(err, "-v", text, "the target is not an absolute path");
	r = absolute_source(source, path, err);
	if (r < 0)
		return r;
	json_add_str(m, "type", "bind");
	json_add_str(m, "source", path);
	json_add_str(m, "target", target);
	if (rest && mount_options(m, rest, false) < 0)
		return bad(err, "-v", text, "options are ro, rw, noidmap");
	json_push(mounts, ptr_steal(&m));
	return 0;
}

int parse_tmpfs(const char *text, json *mounts, struct error *err)
{
	auto_free char *copy = str_dup(text);
	auto_json json *m = json_new_obj();
	char *rest = copy, *target = strsep(&rest, ":");

	if (!path_is_absolute(target))
		return bad(err, "--tmpfs", text, "the target is not an absolute path");
	json_add_str(m, "type", "tmpfs");
	json_add_str(m, "target", target);
	if (rest && mount_options(m, rest, true) < 0)
		return bad(err, "--tmpfs", text, "options are size=SIZE (not 0), mode=OCTAL, ro, rw");
	json_push(mounts, ptr_steal(&m));
	return 0;
}

static int parse_rlim(const char *s, int64_t *ret)
{
	uint64_t v;

	if (str_eq(s, "-1") || str_eq(s, "unlimited")) {
		*ret = -1;
		return 0;
	}
	if (parse_u64(s, &v) < 0 || v > INT64_MAX)
		return -EINVAL;
	*ret = (int64_t)v;
	return 0;
}

int parse_ulimit(const char *text, json *rlimits, struct error *err)
{
	auto_free char *copy = str_dup(text);
	char *hard = copy, *name = strsep(&hard, "="), *soft = hard ? strsep(&hard, ":") : NULL;
	int64_t low, high;
	json *o;

	if (!soft || !*name || parse_rlim(soft, &low) < 0 || parse_rlim(hard ?: soft, &high) < 0)
		return bad(err, "--ulimit", text, "expected NAME=SOFT[:HARD]");
	if (high != -1 && (low == -1 || low > high))
		return bad(err, "--ulimit", text, "the soft limit is above the hard one");
	o = json_new_obj();
	json_add_str(o, "name", name);
	json_add_i64(o, "soft", low);
	json_add_i64(o, "hard", high);
	json_push(rlimits, o);
	return 0;
}
