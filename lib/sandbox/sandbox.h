/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_SANDBOX_H
#define ARNIA_SANDBOX_H
/* The last things done to a process before it becomes the container's program, each one job; used by the start's guest and by exec. */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "lib/base/error.h"
#include "lib/base/str.h"
#include "lib/sandbox/sandbox_config.h"

/* idmap.c: write uid_map and gid_map of `pid` by descriptors checked to be procfs (user_namespaces(7)). Caller: root in the parent namespace. */
int idmap_write(pid_t pid, const struct sandbox_config *c, struct error *err);
/* Checks: sizes > 0, no overflow, no overlap inside or outside. */
int idmap_check(const struct id_map *m, size_t n, struct error *err);

/* caps.c. Text <-> bit ("CAP_NET_RAW", "net_raw", case ignored); -ENOENT for an unknown name. "ALL" is every capability the kernel has. */
int caps_parse(const char *name, uint64_t *ret_bits);
const char *caps_name(unsigned cap);
uint64_t caps_kernel_all(void);
extern const uint64_t caps_application; /* Docker's 14; see caps.c for why */
/* Drop the bounding set to c->cap_bounding. Before the ids change. */
int caps_bound(const struct sandbox_config *c, struct error *err);
/* Set permitted, effective, inheritable, ambient. After the ids changed (with SECBIT_KEEP_CAPS held by caps_keep). A non-root user without ambient
 * capabilities ends with none effective and permitted. */
int caps_keep(struct error *err);
int caps_apply(const struct sandbox_config *c, bool is_root, struct error *err);
void caps_print(uint64_t bits, struct strbuf *out); /* "chown,kill" */

/* seccomp.c: JSON in the OCI schema (runtime-spec config-linux "Seccomp") -> program. */
struct seccomp_input {
	const char *json; /* text of the profile */
	size_t json_len;
	bool oci; /* linux.seccomp of an OCI configuration: unknown members are ignored, SCMP_ACT_NOTIFY and listenerPath are taken */
	uint64_t caps; /* rules with "includes"/"excludes" caps (Docker's extension) */
};
/* Compile to a malloc'ed array of sock_filter (docs/decisions/0001-seccomp-compiler.md). Among the rules that hold for a call the
 * strictest action wins. Names the profile's bad member. */
int seccomp_compile(const struct seccomp_input *in, void **ret, size_t *ret_size, struct error *err);
/* The same through a cache folder (file name = sha256-like digest of input and libseccomp version; content checked by length and digest; a bad file is rebuilt). dirfd -1 = no cache. */
int seccomp_compile_cached(const struct seccomp_input *in, int cache_dir, void **ret, size_t *ret_size, struct error *err);
/* The profile's "flags" as SECCOMP_FILTER_FLAG_*, for sandbox_config.seccomp_flags; NEW_LISTENER among them when a rule that
 * counts here has SCMP_ACT_NOTIFY. */
int seccomp_flags(const struct seccomp_input *in, uint32_t *ret, struct error *err);
/* What a profile may name: actions, architectures; and the library's version. Strings of the tables. */
#define SECCOMP_VERSION_SIZE 32
void seccomp_known(struct arena *a, struct strv *ret_actions, struct strv *ret_archs, char ret_version[SECCOMP_VERSION_SIZE]);
/* seccomp_look.c: whether c's filter, which there is, lets a call go with these first arguments and 0 for the others. */
bool filter_lets(const struct sandbox_config *c, int nr, uint64_t arg0, uint64_t arg1);
/* Needs no_new_privs or CAP_SYS_ADMIN in the own user namespace (seccomp(2)). */
int filter_load(const struct sandbox_config *c, struct error *err);
/* The same; with SECCOMP_FILTER_FLAG_NEW_LISTENER in the flags *ret_fd is the listener, else -1. From here on calls that have
 * SCMP_ACT_NOTIFY wait until somebody answers: write(2) never has it, so that the descriptor's number can be told. */
int filter_load_listener(const struct sandbox_config *c, int *ret_fd, struct error *err);

/* user.c: resolve process_config.user against /etc/passwd and /etc/group below `root` (O_PATH fd): regular files only, opened in-root, at most 1 MiB. Numbers are strict decimal <= 4294967294
 * and must be mapped (< id_count). "-1", "4294967295", "0x0", "+1", " 1", "1 " are refused (kind USAGE). */
struct sandbox_user {
	uint32_t uid, gid;
	uint32_t groups[128];
	size_t n_groups;
	char home[256]; /* "/" when unknown */
	char name[64]; /* "" when unknown */
	char shell[256]; /* "/bin/sh" when unknown */
};
int user_resolve(int root, const struct process_config *p, uint32_t id_count, struct sandbox_user *ret, struct error *err);
/* setgroups, setresgid, setresuid. */
int user_apply(const struct sandbox_user *u, struct error *err);

int rlimit_apply(const struct sandbox_config *c, struct error *err);
/* What to say when setrlimit(2) gave `error`: the limit by name, and how much it can be. Returns `error`. */
int rlimit_refused(const struct sandbox_rlimit *l, int error, struct error *err);
int rlimit_parse(const char *s, struct sandbox_rlimit *ret); /* "nofile=1024:2048"; -EINVAL */
int sysctl_check(const char *name, uint64_t namespaces, struct error *err); /* only namespaced ones (reliability: allow-list) */
/* All of c->sysctls. On the host: a network namespace that is joined, but is the caller's own, does not count. */
int sysctl_check_all(const struct sandbox_config *c, struct error *err);
void sysctl_name_plain(char *name); /* "net/ipv4/ip_forward" -> "net.ipv4.ip_forward", as sysctl(8) */
int sysctl_apply(const struct sandbox_config *c, struct error *err); /* inside, on checked procfs descriptors; before /proc/sys is made read-only */
int hostname_apply(const struct sandbox_config *c, struct error *err);
int loopback_apply(const struct sandbox_config *c, struct error *err); /* in a network namespace of its own: lo up */
int domainname_apply(const struct sandbox_config *c, struct error *err);
uint64_t sandbox_namespaces(const struct sandbox_config *c); /* made or joined: all that are not the host's */
int oom_score_own(int32_t *ret);
int oom_score_apply(const struct sandbox_config *c, struct error *err); /* writes nothing when it is so already */
int keyring_apply(const struct sandbox_config *c, struct error *err); /* join a fresh session keyring; ENOSYS is fine */
int no_new_privs_apply(const struct sandbox_config *c, struct error *err);

/* sched.c: each does nothing when nothing is asked. sched_apply and ioprio_apply need CAP_SYS_NICE for what is better than the
 * default, so before the capabilities go. */
int sched_apply(const struct sandbox_config *c, struct error *err);
int ioprio_apply(const struct sandbox_config *c, struct error *err);
int personality_apply(const struct sandbox_config *c, struct error *err);
/* "0-3,7", or NULL. */
int affinity_check(const char *cpus, struct error *err);
int affinity_apply(const char *cpus, struct error *err);
/* numa.c: set_mempolicy(2); in the container's cpuset. */
int mempolicy_apply(const struct sandbox_config *c, struct error *err);
/* lsm.c: AppArmor profile and SELinux label for the next execve(2), by a /proc that is checked. kind UNSUPPORTED when the host has not
 * the module. lsm_check does not apply anything. */
int lsm_check(const struct sandbox_config *c, struct error *err);
int lsm_apply(const struct sandbox_config *c, struct error *err);

/* pty.c */
int pty_set_size(int master, uint16_t rows, uint16_t cols);
int pty_make_raw(int fd, void *saved_termios); /* saved: struct termios* or NULL */
/* Make `slave` the controlling terminal and descriptors 0, 1, 2 of a new session. */
int pty_take(int slave, struct error *err);

/* env.c: look argv[0] up by PATH inside; 0, or -ENOENT (kind NO_COMMAND) / -EACCES (kind CANNOT_RUN) / -EISDIR. ret has PATH_MAX room. */
int env_find_program(const struct process_config *p, char *ret, struct error *err);
/* program.c: true when execve(2) will take this file: an executable of this machine whose loader is there, or a script for one. False is no verdict:
 * it may be missing a part, unreadable, or of a format that only the kernel knows. */
bool program_is_plain(const char *path);
const char *env_get(const struct strv *env, const char *name);
/* Directory change that cannot be tricked: chdir, then getcwd must start with '/' (CVE-2024-21626). Made when missing if `create`. */
int cwd_apply(const char *cwd, bool create, struct error *err);
/* Make it when it is missing, while the root can still be written to. What fails is for cwd_apply to say. */
void cwd_make(const char *cwd);

#endif
