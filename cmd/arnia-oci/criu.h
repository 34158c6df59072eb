/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_CRIU_H
#define ARNIA_OCI_CRIU_H
/*
 * criu(8), for checkpoint and restore. It is started as `criu swrk 3`: a child that takes one request over a socket and tells on the way
 * what it has come to (criu's images/rpc.proto). Its command line has no way to hand over the terminal that it makes on restore, nor to
 * ask for hooks. Versions from 3.15 on; options that one does not know it does not see.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/str.h"

/* ---- criu_msg.c: the wire format of protocol buffers, as much of it as these messages have ---- */
void msg_num(struct strbuf *b, unsigned field, uint64_t v);
void msg_str(struct strbuf *b, unsigned field, const char *s); /* NULL adds nothing */
void msg_sub(struct strbuf *b, unsigned field, const struct strbuf *sub);
/* A field of a message: numbers in num, strings and messages in p and n (not terminated). False at its end, and of what is damaged. */
struct msg_field {
	unsigned field;
	uint64_t num;
	const uint8_t *p;
	size_t n;
};
struct msg_reader {
	const uint8_t *at, *end;
};
bool msg_next(struct msg_reader *r, struct msg_field *ret);

/* ---- criu.c ---- */
enum criu_type { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4, CRIU_NOTIFY = 6 };
/* Fields of criu_opts that are set one by one; the others are those of the options, in criu_opts.c. */
enum criu_field {
	CRIU_IMAGES_FD = 1,
	CRIU_PID = 2,
	CRIU_EVASIVE_DEVICES = 6,
	CRIU_LOG_LEVEL = 9,
	CRIU_LOG_FILE = 10,
	CRIU_NOTIFY_SCRIPTS = 12,
	CRIU_ROOT = 13,
	CRIU_PARENT = 14,
	CRIU_TRACK_MEM = 15,
	CRIU_WORK_FD = 17,
	CRIU_MANAGE_CGROUPS = 24,
	CRIU_RST_SIBLING = 26,
	CRIU_EXTERNAL = 37,
	CRIU_FREEZE_CGROUP = 44,
	CRIU_ORPHAN_PTS_MASTER = 50,
};
#define CRIU_MAX_FDS 8
#define CRIU_FIRST_FD 4 /* of those it inherits; 3 is the socket */
#define CRIU_NETNS "extRootNetNS" /* names that runc and crun give them, too */
#define CRIU_PIDNS "extRootPidNS"

struct criu_event {
	char script[32]; /* "setup-namespaces", "post-restore", "orphan-pts-master", "status-ready" ... */
	pid_t pid; /* 0 = none */
	int *fd; /* a descriptor that came with it, to be taken; -1 = none */
};
struct criu {
	struct call *call;
	const char *dir, *log_dir, *log; /* folders as errors show them; name of the log in log_dir */
	int images, work; /* the folders; work is -1 without --work-path */
	bool made_images, made_work, was_empty; /* of images */
	struct strbuf opts; /* criu_opts so far */
	int fds[CRIU_MAX_FDS]; /* borrowed: become descriptors 4, 5 ... of criu */
	size_t n_fds;
	int cgroup; /* borrowed: where it starts; -1 = where we are */
	int (*enter)(void *ctx, struct error *err); /* in the child, before criu: into a mount namespace of its own; or NULL */
	int (*event)(void *ctx, const struct criu_event *ev, struct error *err);
	void *ctx;
	pid_t pid;
	pid_t root; /* the first process of what is restored, once it is told; 0 */
	int pidfd, sock;
	int signals; /* that would end us, while criu is spoken with */
};
#define CRIU_NONE ((struct criu){ .images = -1, .work = -1, .cgroup = -1, .pidfd = -1, .sock = -1, .signals = -1 })

/* Start criu; what fails before it runs is said here. */
int criu_begin(struct criu *c, struct error *err);
/* The request, events, up to the answer. A failure tells the last error of criu's log that says something, and where that is. HUP, INT, QUIT
 * and TERM end criu and fail with -EINTR; after a failure they are held back, for what has to be undone. */
int criu_talk(struct criu *c, enum criu_type type, struct error *err);
void criu_end(struct criu *c); /* reap it */
void criu_done(struct criu *c); /* and everything else */

/* ---- criu_opts.c ---- */
/* Folders of --image-path and --work-path: opened, made when `make` says so. Then the options that are the same for both verbs. */
int criu_open(struct criu *c, struct call *call, const char *log, bool make, struct error *err);
int criu_options(struct criu *c, const struct oci_config *config, struct error *err);
void criu_external_mount(struct criu *c, const char *key, const char *value);
void criu_inherit(struct criu *c, const char *key, int fd);
/* After a failed dump: files that it left in a folder that was empty before, and folders that we made. The log stays. */
void criu_sweep(struct criu *c);
int criu_need_root(const struct call *c, struct error *err);

/* ---- criu_streams.c: descriptors.json ---- */
int criu_dump_streams(struct criu *c, const struct record *r, pid_t init, struct error *err);
int criu_restore_streams(struct criu *c, struct error *err);

/* ---- criu_mounts.c ---- */
/* Mounts of the container whose source lies outside of it. */
int criu_dump_mounts(struct criu *c, const struct oci_config *config, const struct pidref *init, struct error *err);
void criu_restore_mounts(struct criu *c, const struct oci_config *config);
/* Make the places of mounts below `root`, as create would have: criu makes none. In a mount namespace of our own. */
int criu_make_places(const struct oci_config *config, int root, struct error *err);

#endif
