/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_INSTANCE_H
#define ARNIA_BASE_INSTANCE_H
/*
 * Where this instance of arnia keeps its things. Without ARNIA_ROOT: /var/lib/arnia (state), /run/arnia (run).
 * With ARNIA_ROOT=DIR: DIR/lib and DIR/run, and a slot number of its own, from which its cgroup branch, nft table,
 * interface names, address pool and id range follow, so that several instances run side by side.
 *
 * run/ (0755)                    state/ (0711)
 *   arnia.sock    clients          config/ID.json       one per container that survives a power cut
 *   keeper.sock   0600, root       containers/ID/       upper/ work/ log log.1 (0700)
 *   service.sock  0600, root       templates/NAME/      template.json (built), rootfs/
 *   keeper.lock arniad.lock cgroup
 *   config/ID.json  --rm ones      cache/seccomp/       compiled filters by content
 *   state/ID.json   running state
 *   plan/ID         the plan kept for teardown
 *   exit/ID         exit record (keeper)
 *   log/            arniad.log, keeper.log (size-capped)
 */
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/error.h"

#define INSTANCE_PATH 1024 /* every command has these on its stack: five of 4 KiB were a third of its page faults */

struct instance {
	char root[INSTANCE_PATH]; /* "" for the host's main instance, else the absolute ARNIA_ROOT */
	char run[INSTANCE_PATH];
	char state[INSTANCE_PATH];
	char lib[INSTANCE_PATH]; /* programs: arnia-run, arniad, ... */
	char share[INSTANCE_PATH]; /* templates/, seccomp-profiles/ */
	int slot; /* -1 until claimed; 0 main, 1..15 private */
};
/* Fill from the environment and /proc/self/exe. Makes nothing. The slot is set for the main instance (0).
 * Build tree: `lib` is this program's folder, `share` ../share/arnia. Installed: PREFIX/bin/arnia has its programs in
 * PREFIX/libexec/arnia, and `share` is PREFIX/share/arnia for both. ARNIA_ROOT not absolute: -EINVAL, kind USAGE. */
int instance_load(struct instance *in, struct error *err);
/* Only `root`, `run`, `state` and `slot`, for who needs no program and no data: nothing is looked up. */
int instance_locate(struct instance *in, struct error *err);
/* Make the folders and claim a slot (symlinks /run/arnia-slots/NN -> root; a slot whose root is gone is free). Root only.
 * Test builds take another registry folder from ARNIA_SLOTS_DIR. All 15 taken: kind REFUSED. */
int instance_prepare(struct instance *in, struct error *err);
/* Only read the slot claimed before into in->slot: 0 or -ENOENT. */
int instance_find_slot(struct instance *in);
/* Give the slot back. */
void instance_release(struct instance *in);

/* Derived from the slot. */
struct instance_ids {
	char cgroup[32]; /* branch below the delegated cgroup: "arnia" or "arnia-3" */
	char nft_table[32]; /* "arnia" or "arnia-3" (family inet) */
	char ifprefix[8]; /* host side of a veth: "an0" + 8 hex digits of the id; slot 3: "an3"... */
	uint32_t ifgroup; /* 0xa400 + slot */
	uint32_t pool; /* first IPv4 address, host order: 10.209.0.0 + slot * 65536; /16 */
	uint32_t ifindex_base; /* host ifindexes chosen by us: 0x10000000 + slot * 0x1000000 */
	uint64_t id_base, id_end; /* [base, end) of host uids and gids for container ranges of 65536 */
};
void instance_ids(const struct instance *in, struct instance_ids *ret);

#endif
