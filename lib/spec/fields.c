/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/spec/internal.h"

#define AT(type, field) .offset = offsetof(struct type, field)

static const struct spec_member port_members[] = {
	{ "protocol", SPEC_PROTOCOL, AT(net_port, proto), .required = true },
	{ "hostAddress", SPEC_ADDRESS, AT(net_port, host_addr) },
	{ "hostPort", SPEC_U16, AT(net_port, host_port), .max = 65535 },
	{ "port", SPEC_U16, AT(net_port, port), .required = true, .min = 1, .max = 65535 },
};
static const struct spec_table port_table = {
	.members = port_members,
	.n = ARRAY_SIZE(port_members),
	.size = sizeof(struct net_port),
};

static const struct spec_member mount_members[] = {
	{ "type", SPEC_STR, AT(spec_mount, type), .required = true },
	{ "source", SPEC_STR, AT(spec_mount, source) },
	{ "target", SPEC_STR, AT(spec_mount, target), .required = true },
	{ "readOnly", SPEC_BOOL, AT(spec_mount, readonly) },
	{ "idmap", SPEC_BOOL, AT(spec_mount, idmap) },
	{ "size", SPEC_U64, AT(spec_mount, size), .max = INT64_MAX },
	{ "mode", SPEC_U32, AT(spec_mount, mode), .max = 07777 },
};
static const struct spec_mount mount_defaults = { .idmap = true };
static const struct spec_table mount_table = {
	.members = mount_members,
	.n = ARRAY_SIZE(mount_members),
	.size = sizeof(struct spec_mount),
	.defaults = &mount_defaults,
};

static const struct spec_member rlimit_members[] = {
	{ "name", SPEC_RLIMIT_NAME, AT(sandbox_rlimit, resource), .required = true },
	{ "soft", SPEC_RLIM, AT(sandbox_rlimit, soft), .required = true },
	{ "hard", SPEC_RLIM, AT(sandbox_rlimit, hard), .required = true },
};
static const struct spec_table rlimit_table = {
	.members = rlimit_members,
	.n = ARRAY_SIZE(rlimit_members),
	.size = sizeof(struct sandbox_rlimit),
};

/* A map's pairs are read and written as struct spec_pair. */
_Static_assert(sizeof(struct sandbox_sysctl) == sizeof(struct spec_pair) &&
		       offsetof(struct sandbox_sysctl, value) == offsetof(struct spec_pair, value),
	       "one layout");

/* type Spec of arnia.varlink, in its order. */
static const struct spec_member spec_members[] = {
	{ "name", SPEC_STR, AT(spec, name) },
	{ "image", SPEC_STR, AT(spec, image), .required = true },
	{ "command", SPEC_STRV, AT(spec, command) },
	{ "env", SPEC_STRV, AT(spec, env) },
	{ "workdir", SPEC_STR, AT(spec, workdir) },
	{ "user", SPEC_STR, AT(spec, user) },
	{ "hostname", SPEC_STR, AT(spec, hostname) },
	{ "tty", SPEC_BOOL, AT(spec, tty) },
	{ "openStdin", SPEC_BOOL, AT(spec, open_stdin) },
	{ "imageInit", SPEC_BOOL, AT(spec, image_init), .given = SPEC_GIVEN_IMAGE_INIT },
	{ "noInit", SPEC_BOOL, AT(spec, no_init) },
	{ "remove", SPEC_BOOL, AT(spec, remove) },
	{ "readOnly", SPEC_BOOL, AT(spec, readonly) },
	{ "noNewPrivs", SPEC_BOOL, AT(spec, no_new_privs), .given = SPEC_GIVEN_NO_NEW_PRIVS },
	{ "timeNamespace", SPEC_BOOL, AT(spec, time_ns) },
	{ "cpus", SPEC_CPUS, AT(spec, cpus_milli) },
	{ "memory", SPEC_LIMIT, AT(spec, memory) },
	{ "swap", SPEC_LIMIT, AT(spec, swap) },
	{ "pids", SPEC_LIMIT, AT(spec, pids) },
	{ "mounts", SPEC_ARRAY, AT(spec, mounts), .table = &mount_table },
	{ "ports", SPEC_ARRAY, AT(spec, ports), .table = &port_table },
	{ "network", SPEC_NET, AT(spec, net) },
	{ "dns", SPEC_STRV, AT(spec, dns) },
	{ "capAdd", SPEC_CAPS, AT(spec, cap_add) },
	{ "capDrop", SPEC_CAPS, AT(spec, cap_drop) },
	{ "seccomp", SPEC_STR, AT(spec, seccomp) },
	{ "rlimits", SPEC_ARRAY, AT(spec, rlimits), .table = &rlimit_table },
	{ "sysctls", SPEC_PAIRS, AT(spec, sysctls) },
	{ "labels", SPEC_PAIRS, AT(spec, labels) },
	{ "devices", SPEC_STRV, AT(spec, devices) },
	{ "oomScoreAdj", SPEC_I32, AT(spec, oom_score_adj), .min = -1000, .max = 1000 },
	{ "stopSignal", SPEC_STR, AT(spec, stop_signal) },
	{ "stopTimeout", SPEC_U64, AT(spec, stop_timeout_ms), .max = INT64_MAX },
	{ "logMax", SPEC_U64, AT(spec, log_max), .max = INT64_MAX },
	{ "restart", SPEC_RESTART, .offset = 0 },
};
static const struct spec spec_defaults = SPEC_DEFAULTS;
const struct spec_table spec_table = {
	.members = spec_members,
	.n = ARRAY_SIZE(spec_members),
	.size = sizeof(struct spec),
	.defaults = &spec_defaults,
};

const char *spec_net_name(enum net_mode mode)
{
	static const char *const names[] = {
		[NET_NONE] = "none",
		[NET_HOST] = "host",
		[NET_ROUTED] = "routed",
	};

	return names[mode];
}
