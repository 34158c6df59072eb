/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_PLAN_H
#define ARNIA_PLAN_H
/*
 * What will be done, every choice already made: built by arniad (build.c), carried out by arnia-run, kept with the state for teardown.
 * Travels in a sealed memfd (io.c, by lib/base/pack.h), never as JSON.
 */
#include <stdbool.h>
#include <stdint.h>
#include "cgroup/cgroup_config.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox_config.h"
#include "netns/net_config.h"
#include "rootfs/rootfs_config.h"

#define PLAN_MAGIC 0x6e616c70u
#define PLAN_VERSION 4u

enum plan_kind {
	PLAN_START = 1, /* make and start a container */
	PLAN_EXEC, /* run a program in a running one */
	PLAN_DESTROY, /* undo what a start did: carries the start's plan; every step also when half done */
	PLAN_PREPARE, /* make a cell: user namespace, network namespace, veth; the worker keeps them for one PLAN_START */
	PLAN_HOST_SETUP, /* nft table, forwarding, cgroup branch and its controllers */
	PLAN_HOST_TEARDOWN,
	PLAN_TEMPLATE_BUILD,
	PLAN_TEMPLATE_REMOVE,
	PLAN_EXPLAIN, /* what the kernel really has for a running container: text in the result */
	PLAN_REMOVE, /* remove the container's folder below state (layers, logs) */
	PLAN_PUBLISH, /* the elements in the nft table of a container that runs: those that are missing, again */
	PLAN_HOST_CHECK, /* look at what all containers share: text in the result, nothing is changed */
};

enum plan_stdio {
	PLAN_STDIO_NULL, /* /dev/null */
	PLAN_STDIO_LOG, /* pipes held by the keeper; stdin is a pipe when open_stdin, else /dev/null */
	PLAN_STDIO_TTY, /* a pty of the container's own devpts */
	PLAN_STDIO_FDS, /* exec: the client's descriptors */
};

/* What a start made, in order; teardown goes through it backwards. */
/* What a job that removes a container's folder says (KP_PROGRESS) when the folder is out of the way and all else of the
 * job is done: only files that nobody sees any more are left to be deleted. The folder is in the trash then, below state. */
#define PLAN_DISCARDED "discarded"

/* In the answer to a start: the nft table was gone, and with it the elements of all others. */
#define PLAN_TABLE_MADE "table=made"

enum plan_undo { PLAN_UNDO_CGROUP = 1, PLAN_UNDO_LAYERS, PLAN_UNDO_PUBLISH, PLAN_UNDO_LINK };

struct plan {
	struct arena arena; /* owns everything below when built or read */
	uint32_t kind; /* enum plan_kind */
	const char *id, *name; /* container */
	const char *exec_id; /* PLAN_EXEC */
	const char *run, *state, *share; /* folders of the instance */
	struct cg_config cgroup;
	struct net_config net;
	struct rootfs_config rootfs;
	struct sandbox_config sandbox;
	struct process_config process;
	uint32_t stdio; /* enum plan_stdio */
	bool open_stdin;
	uint64_t log_max; /* bytes */
	bool use_cell; /* PLAN_START on the worker that holds the cell described by rootfs.id_base and net */
	const char *layers_dir; /* state/containers/ID: upper, work and the log live below; removed by PLAN_UNDO_LAYERS */
	ARRAY_OF(uint32_t) undo; /* enum plan_undo; LAYERS only for a container that goes when it stops */
	/* Of an OCI runtime: the start halts before its program until somebody connects to the start socket. */
	bool halt;
	ARRAY_OF(struct hook_item) hooks_create, hooks_start; /* createContainer and startContainer: run by the guest */
	/* Their standard input: the container's state (runtime-spec runtime.md), with HOOK_PID_MARK where the pid will be. */
	const char *hook_state, *start_state;
	/* PLAN_HOST_*; PLAN_START, should it find the table missing: */
	struct in_addr pool;
	uint8_t pool_prefix;
	const char *cgroup_branch;
	/* PLAN_TEMPLATE_*: */
	const char *template;
};

/* io.c */
/* Sealed memfd, or -errno (-E2BIG over 4 MiB, kind USAGE). */
int plan_write(struct plan *p, struct error *err);
/* Bytes, malloc'ed (for the copy kept on disk). */
int plan_encode(struct plan *p, void **ret, size_t *ret_size);
/* The fd must be sealed; bounded to 4 MiB; strings live in the arena. A plan of another version: -EPROTO naming both. Checked: kinds in range,
 * the members its kind needs are there, nothing behind the end. */
int plan_read(int fd, struct plan **ret, struct error *err);
int plan_decode(const void *bytes, size_t size, struct plan **ret, struct error *err);
void plan_free(struct plan *p);

/* element.c: how the answer to PLAN_HOST_CHECK names elements of the table that are there, one a line:
 * "address 10.209.0.2", and "port 0.0.0.0:8080/tcp 10.209.0.2:80". */
#define PLAN_ELEMENT_SIZE 80
void plan_element_text(const struct net_port *p /* NULL: an address */, struct in_addr addr, char buf[PLAN_ELEMENT_SIZE]);

/* print.c: stable text, one fact a line ("mount proc /proc nosuid,nodev,noexec"), no addresses or times; golden tests compare it. */
void plan_print(const struct plan *p, struct strbuf *out);

#endif
