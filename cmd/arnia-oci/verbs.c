/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/str.h"

/* What runc 1.3 and crun 1.28 take, both of them; options that say nothing here are taken and have no effect,
 * as help tells. */
#define FLAG(name, letter, help)                                                                             \
	{                                                                                                    \
		name, letter, OPT_FLAG, NULL, help                                                           \
	}
#define VALUE(name, letter, arg, help)                                                                       \
	{                                                                                                    \
		name, letter, OPT_VALUE, arg, help                                                           \
	}
#define LIST(name, letter, arg, help)                                                                        \
	{                                                                                                    \
		name, letter, OPT_LIST, arg, help                                                            \
	}
#define HELP FLAG("help", 'h', "show this help"), FLAG("help", '?', NULL), FLAG("usage", 0, NULL)

const struct opt global_opts[] = {
	VALUE("root", 0, "DIR", "folder of the containers' state (/run/arnia-oci)"),
	VALUE("log", 0, "FILE", "append errors and warnings to FILE; or journald:IDENT, syslog:IDENT"),
	VALUE("log-format", 0, "text|json", "form of its lines"),
	VALUE("log-level", 0, "error|warning|debug", "debug: the same as --debug"),
	FLAG("debug", 0, "log what is done"),
	FLAG("systemd-cgroup", 0, "cgroups are systemd scopes; cgroupsPath is SLICE:PREFIX:NAME"),
	VALUE("cgroup-manager", 0, "cgroupfs|systemd|disabled", "who makes cgroups"),
	VALUE("rootless", 0, "true|false|auto", "go on without a cgroup that may not be made"),
	VALUE("criu", 0, "PATH", "program of checkpoint and restore"),
	FLAG("version", 'v', "show the version"),
	FLAG("version", 'V', NULL),
	HELP,
};
const size_t n_global_opts = ARRAY_SIZE(global_opts);

/* clang-format off */
#define START_OPTS                                                                                             \
	VALUE("bundle", 'b', "DIR", "folder of config.json (.)"),                                              \
	VALUE("config", 'f', "FILE", "another file than config.json"),                                         \
	VALUE("console-socket", 0, "SOCKET", "send the terminal's master end there"),                          \
	VALUE("pidfd-socket", 0, "SOCKET", "send the process's pidfd there"),                                  \
	VALUE("pid-file", 0, "FILE", "write the process's pid to FILE"),                                       \
	VALUE("preserve-fds", 0, "N", "pass N more descriptors, from 3 (after those of LISTEN_FDS)"),          \
	FLAG("no-pivot", 0, "the rootfs is in the initial ramdisk: no pivot_root"),                            \
	FLAG("no-new-keyring", 0, "keep the caller's session keyring"),                                        \
	FLAG("no-subreaper", 0, "has no effect")
#define CRIU_OPTS                                                                                              \
	VALUE("image-path", 0, "DIR", "folder of the images (./checkpoint)"),                                  \
	VALUE("work-path", 0, "DIR", "folder of criu's logs (that of the images)"),                            \
	FLAG("tcp-established", 0, "keep open TCP connections"),                                               \
	FLAG("tcp-close", 0, "close TCP connections"),                                                         \
	FLAG("ext-unix-sk", 0, "allow unix sockets to processes outside"),                                     \
	FLAG("shell-job", 0, "allow a terminal of outside"),                                                   \
	FLAG("file-locks", 0, "allow file locks"),                                                             \
	VALUE("manage-cgroups-mode", 0, "soft|full|strict|ignore", "what criu does with cgroups"),             \
	VALUE("network-lock", 0, "iptables|nftables|skip", "how criu stops the network meanwhile"),            \
	LIST("empty-ns", 0, "network", "make this namespace, and leave it empty"),                             \
	FLAG("auto-dedup", 0, "remove memory pages from images as they are read"),                             \
	FLAG("lazy-pages", 0, "memory comes later, by userfaultfd")
/* clang-format on */

static const struct opt none_opts[] = { HELP };
static const struct opt create_opts[] = { START_OPTS, HELP };
static const struct opt run_opts[] = {
	START_OPTS,
	FLAG("detach", 'd', "do not wait for its end"),
	FLAG("keep", 0, "do not delete it at its end"),
	HELP,
};
static const struct opt exec_opts[] = {
	VALUE("process", 'p', "FILE", "the process as JSON, instead of a command"),
	VALUE("cwd", 0, "DIR", "working folder inside"),
	LIST("env", 'e', "NAME=VALUE", "set a variable"),
	VALUE("user", 'u', "UID[:GID]", "whose process it is"),
	LIST("additional-gids", 'g', "GID", "one more group"),
	FLAG("tty", 't', "give it a terminal"),
	FLAG("detach", 'd', "do not wait for its end"),
	LIST("cap", 'c', "CAP", "one more capability"),
	FLAG("no-new-privs", 0, "setuid programs give nothing"),
	VALUE("apparmor", 0, "PROFILE", "AppArmor profile"),
	VALUE("process-label", 0, "LABEL", "SELinux label"),
	LIST("cgroup", 0, "PATH", "a cgroup below the container's"),
	FLAG("ignore-paused", 0, "also in a paused container: it runs once that is resumed"),
	VALUE("console-socket", 0, "SOCKET", "send the terminal's master end there"),
	VALUE("pidfd-socket", 0, "SOCKET", "send the process's pidfd there"),
	VALUE("pid-file", 0, "FILE", "write the process's pid to FILE"),
	VALUE("preserve-fds", 0, "N", "pass N more descriptors, from 3 (after those of LISTEN_FDS)"),
	FLAG("no-subreaper", 0, "has no effect"),
	HELP,
};
static const struct opt kill_opts[] = {
	FLAG("all", 'a', "to all its processes"),
	FLAG("regex", 'r', "ID is a regular expression: all that match"),
	HELP,
};
static const struct opt delete_opts[] = {
	FLAG("force", 'f', "kill it first; one that does not exist is no error"),
	FLAG("regex", 'r', "ID is a regular expression: all that match"),
	HELP,
};
static const struct opt list_opts[] = {
	VALUE("format", 'f', "table|json", "form of the output"),
	FLAG("quiet", 'q', "only the ids"),
	HELP,
};
static const struct opt ps_opts[] = {
	VALUE("format", 'f', "table|json", "table: of ps(1); json: the pids"),
	HELP,
};
static const struct opt spec_opts[] = {
	VALUE("bundle", 'b', "DIR", "where config.json is written (.)"),
	VALUE("file", 'f', "FILE", "write FILE instead"),
	FLAG("rootless", 0, "one that a plain user can run"),
	HELP,
};
static const struct opt events_opts[] = {
	FLAG("stats", 0, "show the statistics once"),
	VALUE("interval", 0, "DURATION", "between statistics (5s)"),
	HELP,
};
static const struct opt update_opts[] = {
	VALUE("resources", 'r', "FILE",
	      "linux.resources as JSON (-: standard input); other options are not read"),
	VALUE("blkio-weight", 0, "N", "weight of its input and output, 10 to 1000"),
	VALUE("cpu-period", 0, "USEC", "period of --cpu-quota"),
	VALUE("cpu-quota", 0, "USEC", "CPU time in a period; -1: no limit"),
	VALUE("cpu-burst", 0, "USEC", "unused CPU time that may be kept for later"),
	VALUE("cpu-share", 0, "N", "weight of its CPU time, 2 to 262144"),
	VALUE("cpu-rt-period", 0, "USEC", "of realtime tasks, which cgroup v2 does not limit"),
	VALUE("cpu-rt-runtime", 0, "USEC", "of realtime tasks, which cgroup v2 does not limit"),
	VALUE("cpu-idle", 0, "0|1", "1: only CPU time that nobody else wants"),
	VALUE("cpuset-cpus", 0, "LIST", "CPUs it may use"),
	VALUE("cpuset-mems", 0, "LIST", "memory nodes it may use"),
	VALUE("memory", 0, "BYTES", "limit of its memory; -1: no limit"),
	VALUE("memory-reservation", 0, "BYTES", "memory that is not taken from it first"),
	VALUE("memory-swap", 0, "BYTES", "limit of memory and swap; -1: no limit"),
	VALUE("kernel-memory", 0, "BYTES", "has no effect"),
	VALUE("kernel-memory-tcp", 0, "BYTES", "has no effect"),
	VALUE("pids-limit", 0, "N", "limit of its tasks; -1: no limit"),
	VALUE("l3-cache-schema", 0, "TEXT", "Intel RDT: cache"),
	VALUE("mem-bw-schema", 0, "TEXT", "Intel RDT: memory bandwidth"),
	HELP,
};
static const struct opt checkpoint_opts[] = {
	CRIU_OPTS,
	VALUE("parent-path", 0, "DIR", "images of a pre-dump, relative to those of this one"),
	FLAG("leave-running", 0, "it goes on running"),
	FLAG("pre-dump", 0, "only memory; it goes on running"),
	FLAG("link-remap", 0, "allow files that are open and have no name any more"),
	FLAG("tcp-skip-in-flight", 0, "leave out TCP connections that are not made yet"),
	VALUE("page-server", 0, "ADDRESS:PORT", "send memory there"),
	VALUE("status-fd", 0, "FD", "where criu says that --lazy-pages is ready"),
	HELP,
};
static const struct opt restore_opts[] = {
	CRIU_OPTS,
	START_OPTS,
	FLAG("detach", 'd', "do not wait for its end"),
	FLAG("keep", 0, "do not delete it at its end"),
	VALUE("lsm-profile", 0, "TYPE:NAME", "another label than it had"),
	VALUE("lsm-mount-context", 0, "CONTEXT", "another context for its mounts"),
	HELP,
};

#define OPTS(a) a, ARRAY_SIZE(a)
const struct verb verbs[] = {
	{ "create", "ID", "make a container; its program waits for start", OPTS(create_opts), cmd_create,
	  false, 1, 1 },
	{ "start", "ID", "run the program of a created container", OPTS(none_opts), cmd_start, false, 1, 1 },
	{ "run", "ID", "create, start, wait and delete", OPTS(run_opts), cmd_run, false, 1, 1 },
	{ "exec", "ID COMMAND [ARG...]", "run one more process in a container", OPTS(exec_opts), cmd_exec,
	  true, 1, -1u },
	{ "state", "ID", "what a container is doing, as JSON", OPTS(none_opts), cmd_state, false, 1, 1 },
	{ "kill", "ID [SIGNAL]", "send a signal (TERM)", OPTS(kill_opts), cmd_kill, false, 1, 2 },
	{ "delete", "ID", "remove a stopped container", OPTS(delete_opts), cmd_delete, false, 1, 1 },
	{ "list", "", "the containers below --root", OPTS(list_opts), cmd_list, false, 0, 0 },
	{ "ps", "ID [ARG...]", "processes of a container; ARGs are those of ps(1)", OPTS(ps_opts), cmd_ps,
	  true, 1, -1u },
	{ "pause", "ID", "stop all its processes where they are", OPTS(none_opts), cmd_pause, false, 1, 1 },
	{ "resume", "ID", "let them go on", OPTS(none_opts), cmd_resume, false, 1, 1 },
	{ "update", "ID", "change the limits of a container", OPTS(update_opts), cmd_update, false, 1, 1 },
	{ "events", "ID", "statistics and out-of-memory events, as JSON", OPTS(events_opts), cmd_events,
	  false, 1, 1 },
	{ "checkpoint", "ID", "keep the state of its processes in files", OPTS(checkpoint_opts),
	  cmd_checkpoint, false, 1, 1 },
	{ "restore", "ID", "make a container of such files", OPTS(restore_opts), cmd_restore, false, 1, 1 },
	{ "features", "", "what this runtime can do, as JSON", OPTS(none_opts), cmd_features, false, 0, 0 },
	{ "spec", "", "write a config.json to start from", OPTS(spec_opts), cmd_spec, false, 0, 0 },
	{ "completion", "SHELL", "script for bash, zsh or fish", OPTS(none_opts), cmd_completion, false, 1,
	  1 },
};
const size_t n_verbs = ARRAY_SIZE(verbs);

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (str_eq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}
