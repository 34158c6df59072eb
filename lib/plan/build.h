/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_PLAN_BUILD_H
#define ARNIA_PLAN_BUILD_H
/* spec + host facts + leases -> plan. Pure: no file or kernel access, so that golden tests need no root. */
#include "lib/plan/plan.h"
#include "lib/spec/spec.h"

struct plan_facts { /* of the host, probed once */
	uint32_t controllers; /* bits of enum cg_controller usable in our branch */
	bool time_ns, hybrid;
	uint64_t caps; /* every capability the kernel has */
	const char *cgroup_branch; /* "arnia" */
};
struct plan_lease { /* what this run of the container was lent */
	uint64_t id_base; /* 65536 ids */
	struct in_addr addr; /* NET_ROUTED */
	const char *ifname;
	uint32_t ifindex;
	bool cell; /* a prepared worker holds namespaces made for this lease */
	bool plain; /* it is one without a link, for NET_NONE */
};
struct plan_node { /* a device of the host, as stat(2) tells it */
	const char *path;
	char type; /* 'c' or 'b' */
	uint32_t major, minor;
};
struct plan_input {
	const char *id, *name;
	const char *run, *state, *share;
	const char *rootfs; /* the template's rootfs folder: lower layer */
	const char *table; /* nft */
	uint32_t ifgroup;
	struct in_addr gateway;
	struct in_addr pool; /* of the whole instance */
	uint8_t pool_prefix;
	const void *seccomp; /* compiled, or NULL = unconfined */
	size_t seccomp_size;
	const char *host_resolv; /* text of the host's resolv.conf; loopback resolvers in it are left out */
	uint16_t rows, cols; /* of the console; 0 = leave */
	const struct plan_node *nodes; /* of spec->devices, from plan_probe_nodes */
	size_t n_nodes;
	/* The host's CLOCK_BOOTTIME and CLOCK_MONOTONIC; used with spec->time_ns: the container's clocks start near 0. */
	int64_t now_boot_ns, now_mono_ns;
	const struct spec *spec; /* merged with its image's defaults; checked once more */
	const struct plan_facts *facts;
	const struct plan_lease *lease;
};
/* A limit or feature that the user asked for and the host lacks: kind UNSUPPORTED, naming the controller, with a
 * hint. Default limits are left out where their controller is missing. */
int plan_build_start(const struct plan_input *in, struct plan **ret, struct error *err);
/* The capabilities of the container's root (`kernel`: all the kernel has): the application set, or with image_init
 * the system set, and what the user added and dropped. Also the input of seccomp_compile. */
uint64_t plan_caps(const struct spec *s, uint64_t kernel);
/* The limits alone: -EOPNOTSUPP, kind UNSUPPORTED, for one that was asked for and that the host cannot give. */
int plan_check_limits(const struct spec *s, const struct plan_facts *f, struct error *err);
/* Look spec->devices up on the host (stat(2)): the only function here that is not pure. Arrays in `a`. A path that
 * is missing: kind NOT_FOUND; no device: USAGE. */
int plan_probe_nodes(const struct spec *s, struct arena *a, struct plan_node **ret, size_t *ret_n, struct error *err);
/* The device rules of every start; those of spec->devices come behind them. */
extern const struct cg_device plan_device_rules[];
extern const size_t plan_n_device_rules;
struct plan_exec { /* an exec of a running container */
	const char *exec_id;
	struct strv argv, env; /* env: added to the container's */
	const char *cwd, *user;
	bool tty;
	bool null_stdio; /* no tty, and no descriptors came along: /dev/null */
	uint16_t rows, cols;
	uint64_t cap_add; /* --privileged is not offered; within the container's bounding set */
};
/* `start` is the running container's plan. */
int plan_build_exec(const struct plan *start, const struct plan_exec *x, struct plan **ret, struct error *err);
int plan_build_prepare(const struct plan_input *in, struct plan **ret, struct error *err); /* uses lease, table, ifgroup, gateway */
/* A plan of another kind on the same data (DESTROY, EXPLAIN, REMOVE): shallow copy sharing `start`'s memory, so it
 * is never given to plan_free. */
void plan_rekind(const struct plan *start, enum plan_kind kind, struct plan *ret);

#endif
