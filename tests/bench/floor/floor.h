/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BENCH_FLOOR_H
#define ARNIA_BENCH_FLOOR_H
/*
 * floor: what the kernel itself charges for a container and its pieces. Raw system calls and raw netlink, no
 * allocation and no libraries on the measured paths: whoever does the same work cannot be faster. x86-64 only
 * (clone3 with a stack).
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct floor {
	char root[512];	   /* rootfs: static /bin/true and /bin/sleep, and the usual empty folders */
	char scratch[600]; /* beside it, for the layers of overlay */
	char cgroups[600]; /* our own cgroup2 folder, or "" */
	unsigned runs;
	const char *prefix; /* only tests whose name begins so */
	double *shared;	    /* times written by children */
	int route, nft;	    /* netlink sockets of a network namespace of our own */
	int bridge;	    /* index */
	int userns, peerns; /* of a process that is gone; -1 before pieces_prepare */
	unsigned seq;	    /* makes names unique */
};

/* A container, as the names of tests say it: "net,user,full,overlay,seccomp". */
struct kind {
	bool net, user, full, overlay, seccomp;
	bool idle; /* sleeps instead of ending at once */
	bool fork; /* a copy of us, else on our memory as vfork(2) does */
	bool told; /* we wait until it runs its program */
};
struct kind kind_parse(const char *text);

_Noreturn void die(const char *what);
void write_file(const char *path, const char *text);

/* spawn.c: a process on its own stack; with CLONE_VM in flags it shares our memory. */
pid_t spawn(const struct floor *f, uint64_t flags, int cgroup, int (*fn)(void *), void *arg);
void reap(pid_t pid, const char *what);
void map_ids(pid_t pid);

/* container.c */
struct container {
	pid_t pid;
	char cgroup[640]; /* "" */
	unsigned layer;	  /* of overlay, 0 = none */
};
void filter_make(int calls, bool linear);
int filter_load(void);
void container_start(struct floor *f, const struct kind *k, struct container *ret);
void container_remove(struct floor *f, const struct container *c); /* once reaped */
/* From the first call to the removal; *ret_start (may be NULL): until just before execve(2), or with
 * `told` until it is heard that it was called. Microseconds. */
double container_run(struct floor *f, const struct kind *k, double *ret_start);

/* net.c, nft.c */
int netlink_open(int protocol);
int bridge_make(struct floor *f);
void veth_make(struct floor *f, const char *name, int netns, int master);
void veth_delete(struct floor *f, const char *name);
double nft_rules(struct floor *f, unsigned pairs); /* a whole table, made and removed */
void nft_base(struct floor *f);
double nft_add_rule(struct floor *f);
double nft_add_element(struct floor *f);
void nft_remove(struct floor *f);

/* pieces.c: one line per piece on stdout */
void pieces_measure(struct floor *f);

/* memory.c: `count` idle containers at once, KiB each */
void memory_measure(struct floor *f, const char *kind, unsigned count);

#endif
