/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SPEC_H
#define ARNIA_SPEC_H
/*
 * What the user asked: decoded from the JSON of Create and Run (type Spec in lib/rpc/arnia.varlink), checked once, then immutable. The same JSON
 * form is kept in config/ID.json.
 */
#include <stdbool.h>
#include <stdint.h>
#include "cgroup/cgroup_config.h"
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/sandbox/sandbox_config.h"
#include "netns/net_config.h"

struct spec_mount {
	const char *type; /* "bind" or "tmpfs" */
	const char *source, *target;
	bool readonly;
	bool idmap; /* bind: host ids appear as they are (host 0 = container 0). Default true */
	uint64_t size; /* tmpfs, bytes; 0 = default (half of the memory limit, else 64 MiB) */
	uint32_t mode; /* tmpfs; 0 = 01777 */
};
struct spec_pair {
	const char *key, *value;
};
/* Members whose default depends on what the image says: set when the user (or spec_merge) decided. */
#define SPEC_GIVEN_IMAGE_INIT 1u
#define SPEC_GIVEN_NO_NEW_PRIVS 2u
struct spec {
	struct arena arena;
	uint32_t given; /* SPEC_GIVEN_* */
	const char *name; /* NULL: one is made up ("calm-otter") by the daemon */
	const char *image;
	struct strv command; /* empty: the image's */
	struct strv env; /* "K=V"; added to the image's */
	const char *workdir, *user, *hostname; /* NULL: the image's, root, the name */
	bool tty, open_stdin;
	bool image_init; /* the image's own init is PID 1 (system container); else arnia-init + command */
	bool no_init; /* the command itself is PID 1 */
	bool remove; /* --rm */
	bool readonly;
	bool no_new_privs; /* default true in application mode */
	bool time_ns;
	uint32_t cpus_milli; /* 0 = no limit */
	uint64_t memory, swap, pids; /* CG_UNSET = default; CG_MAX (in JSON: -1) = no limit */
	ARRAY_OF(struct spec_mount) mounts;
	ARRAY_OF(struct net_port) ports;
	enum net_mode net;
	struct strv dns;
	uint64_t cap_add, cap_drop; /* bits */
	const char *seccomp; /* "default" (NULL is that, too), "strict", "unconfined", or a profile's JSON text */
	ARRAY_OF(struct sandbox_rlimit) rlimits;
	ARRAY_OF(struct sandbox_sysctl) sysctls;
	ARRAY_OF(struct spec_pair) labels;
	struct strv devices; /* "/dev/fuse[:/dev/x][:rwm]" */
	int32_t oom_score_adj;
	const char *stop_signal; /* NULL: the image's, else TERM (image_init: RTMIN+3) */
	uint64_t stop_timeout_ms; /* default 10000 */
	uint64_t log_max; /* default 8 MiB; 0 = no log */
};

/* Defaults of the image (from template.json), merged below what the user said. */
struct spec_image {
	struct strv cmd, env;
	const char *workdir, *user, *stop_signal;
	bool init;
};

/* What decoding {"image": ...} starts from; who builds a spec by hand starts from it as well. */
#define SPEC_DEFAULTS                                                                                           \
	((struct spec){ .no_new_privs = true, .memory = CG_UNSET, .swap = CG_UNSET, .pids = CG_UNSET,           \
			.net = NET_ROUTED, .stop_timeout_ms = 10000, .log_max = 8 << 20 })

/* Unknown members and wrong types are errors naming the JSON path ("ports[1].port: expected 1..65535"), kind USAGE. */
int spec_decode(const json *j, struct spec *ret, struct error *err);
/* Every rule over the whole spec; all violations in one text, separated by "; " (kind USAGE). Good for a spec before
 * and after spec_merge. */
int spec_check(const struct spec *s, struct error *err);
/* The image's defaults below what the user said: command, env, workdir, user, stop signal. The image's own init
 * becomes PID 1 when the user gave neither a command nor imageInit or noInit; then there is always a tty (the console)
 * and no_new_privs is off unless given. A second merge changes nothing. */
void spec_merge(struct spec *s, const struct spec_image *image);
/* Members that differ from their default; decoding the result gives an equal spec. */
json *spec_encode(const struct spec *s);
void spec_done(struct spec *s);

/* "", USER, UID, USER:GROUP, UID:GID. Numbers are plain decimal, 0..4294967294; "-1", "+1", "0x0", "01", " 1" are
 * refused, not read hopefully. */
bool spec_user_is_valid(const char *s);

/* One entry of spec.devices, "/dev/fuse[:/dev/x][:rwm]". */
struct spec_device {
	const char *path, *target; /* on the host, inside */
	uint8_t access; /* 1 read, 2 write, 4 mknod; all when not said */
};
int spec_device_parse(struct arena *a, const char *s, struct spec_device *ret); /* -EINVAL */

#endif
