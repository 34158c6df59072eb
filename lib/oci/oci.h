/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_OCI_H
#define ARNIA_OCI_H
/*
 * The OCI runtime specification (opencontainers/runtime-spec 1.2 and 1.3, Linux), translated: config.json and --process into the
 * config structs that plans are made of, and back into the JSON that a runtime prints. Nothing here touches the kernel but for a look
 * at files of the host that a configuration names (features.c, devices). Why config.json does not become a struct spec:
 * docs/decisions/0009-oci.md.
 */
#include <stdbool.h>
#include <stdint.h>
#include "cgroup/cgroup_config.h"
#include "lib/base/error.h"
#include "lib/base/json.h"
#include "lib/base/mem.h"
#include "lib/sandbox/sandbox_config.h"
#include "rootfs/rootfs_config.h"

#define OCI_VERSION "1.3.0" /* of the specification: what `features` and `spec` say; all of 1.x are read */
#define OCI_CONFIG_MAX (16u << 20) /* bytes of config.json */
#define OCI_NESTED_MAX 200000 /* arrays and objects in it */

enum oci_hook { /* runtime-spec config.md "POSIX-platform Hooks", in the order of a life */
	OCI_PRESTART, OCI_CREATE_RUNTIME, OCI_CREATE_CONTAINER, OCI_START_CONTAINER, OCI_POSTSTART, OCI_POSTSTOP, OCI_HOOKS };
struct oci_pair {
	const char *key, *value;
};
struct oci_netdev {
	const char *name, *rename; /* of the host; inside (NULL = the same) */
};
struct oci_rdt { /* linux.intelRdt */
	bool set, monitoring;
	const char *clos_id, *l3, *mem_bw; /* NULL = not given */
	struct strv schemata;
};
struct oci_config {
	struct arena arena;
	const char *version; /* "ociVersion" */
	const char *bundle; /* absolute */
	bool has_process; /* else only create and delete make sense (start fails) */
	bool terminal;
	struct process_config process;
	struct sandbox_config sandbox; /* without the compiled filter */
	struct rootfs_config rootfs; /* plain; lower[0] is root.path, absolute */
	struct cg_config cgroup; /* limits, writes and devices; path is the caller's to make of cgroups_path */
	const char *cgroups_path; /* "linux.cgroupsPath" as it stands, or NULL */
	char *seccomp; /* text of linux.seccomp (in the arena), or NULL */
	const char *seccomp_listener, *seccomp_metadata; /* listenerPath, listenerMetadata */
	ARRAY_OF(struct hook_item) hooks[OCI_HOOKS];
	ARRAY_OF(struct oci_pair) annotations;
	ARRAY_OF(struct oci_netdev) netdevs;
	struct oci_rdt rdt;
	struct strv warnings; /* things runc warns of and goes on: unknown capabilities */
};
struct oci_input {
	const char *bundle; /* absolute path of the bundle */
	bool rootless; /* the caller is not root, or root of a user namespace that is not the initial one: devices are bound, not made */
	bool cgroup_v2_only; /* /sys/fs/cgroup is cgroup2 itself (no hybrid) */
};

/* decode.c. The whole configuration, checked; unknown members are ignored, as the specification says. An error names the JSON path
 * ("process.rlimits[1].type: unknown limit RLIMIT_FOO"), kind USAGE. On failure *ret is untouched and nothing is left to free. */
int oci_config_decode(const json *j, const struct oci_input *in, struct oci_config *ret, struct error *err);
void oci_config_done(struct oci_config *c);
/* A process object alone (`exec --process`): its program, and what of the sandbox belongs to a process (capabilities, rlimits,
 * no_new_privs, oom score, labels, scheduler, ioPriority, affinity). Strings go into the arena. */
int oci_process_decode(const json *process, struct arena *a, struct process_config *ret, struct sandbox_config *ret_sandbox, bool *ret_terminal,
		       struct strv *ret_warnings, struct error *err);
/* env.c. Of variables that are there more than once the last one stays: it is what was said last, and getenv(3) finds the first. */
void oci_env_last(struct arena *a, struct strv *env);
/* Capabilities by name ("CAP_CHOWN"); unknown ones give a warning and never widen. */
int oci_caps_decode(const json *caps, struct arena *a, struct sandbox_config *ret, struct strv *ret_warnings, struct error *err);

/* resources.c. A linux.resources object: cgroup v2 files and values, those of v1 members converted as runc does it (cpu.shares to
 * cpu.weight, swappiness has no equivalent ...), then "unified" as it stands. Both are appended to c->writes and c->devices; after the
 * device rules come those of the default devices, which nothing in the list takes away. NULL: nothing but the default devices. */
int oci_resources_decode(const json *resources, struct arena *a, struct cg_config *c, struct error *err);
/* The flags of `update` as a linux.resources object: the caller frees it. `get` gives a flag's text ("memory"), or NULL; an empty one is
 * as none. --kernel-memory and --kernel-memory-tcp are not asked for (nothing has them any more), nor are --l3-cache-schema and
 * --mem-bw-schema (linux.intelRdt). NULL with err set when one is wrong. */
json *oci_update_resources(const char *(*get)(void *ctx, const char *flag), void *ctx, struct error *err);
/* What `update` writes: values depend on others (memory.swap on memory.limit, cpu.quota on cpu.period), so those from before are
 * taken along, but not their "unified", "pids" and "devices". `old` may be NULL. The caller frees it. */
json *oci_resources_merge(const json *old, const json *new);
/* memory.checkBeforeUpdate: -EBUSY (kind REFUSED) when it is set and a limit is not above the `used` bytes. */
int oci_memory_check(const json *resources, uint64_t used, struct error *err);

/* cgroups_path.c. Text for the systemd driver "slice:prefix:name", or a path for the other one; both checked (no "..", no control bytes). */
struct oci_scope {
	const char *slice, *unit; /* "machine.slice", "libpod-ID.scope" */
};
int oci_scope_parse(const char *cgroups_path, const char *id, bool rootless, struct arena *a, struct oci_scope *ret, struct error *err);
/* cgroup.path for the cgroupfs driver: below the cgroup2 mount, no leading slash. Without a cgroups_path it is the id. A path that does not
 * begin with a slash may be put below the caller's own branch (cg_own_path): runc does so, the specification leaves it open. */
int oci_cgroup_path(const char *cgroups_path, const char *id, struct arena *a, const char **ret, struct error *err);

/* scope_props.c: --property arguments of arnia-oci-scope, "NAME=TYPE:VALUE" (D-Bus signature b, s, t, u, x, i; ay in hex; as: one for each string,
 * one after the other, "NAME=as" when there is none). Those of systemd for what c->writes say, as far as it has any. Both append to *ret. */
int oci_scope_props(const struct cg_config *c, struct arena *a, struct strv *ret, struct error *err);
/* "org.systemd.property.NAME" of the annotations, values in GVariant text as runc takes them: booleans, whole numbers, strings, arrays of
 * strings. NAME is letters only, and not what makes the scope ours (Delegate, PIDs, Slice, device rules ...). NAMESec in seconds
 * becomes NAMEUSec. */
int oci_scope_annotations(const struct oci_pair *v, size_t n, struct arena *a, struct strv *ret, struct error *err);

/* mounts.c: one entry of "mounts" */
int oci_mount_decode(const json *mount, const char *bundle, struct arena *a, struct mount_item *ret, struct error *err);

/* features.c: runtime-spec features.md. Only what this build and this kernel really do. */
struct oci_features_input {
	const char *runtime_version, *commit;
	const struct strv *caps, *seccomp_actions, *seccomp_archs; /* what the libraries know */
	const char *seccomp_version; /* "2.5.4" */
	bool systemd; /* the scope program is installed */
	const char *criu; /* path, or NULL */
};
json *oci_features(const struct oci_features_input *in);
/* What `spec` writes. */
json *oci_spec_template(bool rootless, uint32_t uid, uint32_t gid);

/* state.c: the state of a container as hooks and `state` get it (runtime-spec runtime.md "State"). Annotations may be NULL. */
enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED };
const char *oci_status_name(enum oci_status s);
json *oci_state(const char *id, enum oci_status status, int pid, const struct oci_config *c);

/* stats.c: what `events --stats` prints, out of the text of the control files (cg_read_stat_text); what is not there is 0 or left out, as
 * runc does. Interfaces and intelRdt are the caller's to add. */
json *oci_stats(const char *id, const struct cg_stat_text *st);

/* id.c: letters, digits and any of "_+,-.", at most 1024 of them, as runc takes them; not "." or "..". */
int oci_id_check(const char *id, struct error *err);

#endif
