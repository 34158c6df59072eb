/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `arnia host doctor`: one function per check, each says what is so and what to do. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define INIT_PID_NS 4026531836u /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define LOW_SPACE (1ull << 30)

static void say(json *list, const char *name, const char *level, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
static void say(json *list, const char *name, const char *level, const char *hint, const char *fmt, ...)
{
	json *j = json_new_obj();
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_add_str(j, "name", name);
	json_add_str(j, "level", level);
	json_add_str(j, "text", text);
	json_add_str(j, "hint", hint);
	json_push(list, j);
}

static void check_controllers(struct daemon *d, json *l)
{
	static const struct {
		uint32_t bit;
		const char *name, *use;
	} want[] = { { CG_CTL_CPU, "cpu", "--cpus" },
		     { CG_CTL_MEMORY, "memory", "--memory, no --swap" },
		     { CG_CTL_PIDS, "pids", "--pids and no default limit of processes" } };
	const char *advice = d->facts.plan.hybrid ?
				     "boot with systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all" :
				     "let no process sit in that cgroup, or start arnia under systemd (Delegate=yes)";
	auto_free char *hint = d->facts.why[0] ? str_fmt("%s: %s", d->facts.why, advice) : str_dup(advice);

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		if (d->facts.plan.controllers & want[i].bit)
			say(l, "cgroup-controller", "ok", NULL, "%s: available", want[i].name);
		else
			say(l, "cgroup-controller", "warning", hint, "%s: not available: no %s", want[i].name, want[i].use);
	}
}

/* What arnia is written for and tested with begins here. */
static void check_kernel(json *l)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 1)))
		say(l, "kernel", "warning", "use Linux 6.1 or newer", "Linux %.60s is older than what arnia is tested with",
		    u.release);
	else
		say(l, "kernel", "ok", NULL, "Linux %.60s", u.release);
}

/* As a worker looks for it (rootfs/template_debootstrap.c). */
static void check_tools(json *l)
{
	if (access("/usr/bin/mmdebstrap", X_OK) == 0 || access("/usr/local/bin/mmdebstrap", X_OK) == 0)
		say(l, "image-tools", "ok", NULL, "mmdebstrap is here: images of Debian can be built");
	else
		say(l, "image-tools", "note", "install the package mmdebstrap", "mmdebstrap is missing: no images of Debian can "
		    "be built");
}

#define BY_DAEMON "the daemon puts it back when it starts: systemctl restart arnia, or kill the pid that arnia version shows"
#define BY_START "the next start of a machine puts it back, with what is in it; so does the daemon when it starts"

static void check_table(struct daemon *d, json *l, const char *net)
{
	if (!net)
		say(l, "network", "warning", "try again", "nobody could look at the nft table inet %s", d->ids.nft_table);
	else if (str_starts(net, "table=missing"))
		say(l, "network", "problem", BY_START, "the nft table inet %s is gone: somebody flushed the ruleset",
		    d->ids.nft_table);
	else if (str_starts(net, "table=foreign"))
		say(l, "network", "problem", "remove or rename it", "the nft table inet %s is not arnia's", d->ids.nft_table);
	else if (str_starts(net, "table=damaged"))
		say(l, "network", "problem", BY_DAEMON, "rules are missing in the nft table inet %s", d->ids.nft_table);
	else
		say(l, "network", "ok", NULL, "nft table inet %s is in place", d->ids.nft_table);
}

static void check_published(struct daemon *d, json *l, const char *net)
{
	for (struct machine *m = d->machines; net && m; m = m->next) {
		size_t n = publish_missing(m, net);

		if (n)
			say(l, "machine", "problem", BY_DAEMON, "%s: %zu of its elements in the nft table are missing: its address or "
			    "ports do not answer", MACHINE_NAME(m), n);
	}
}

/* What lets our packets through, by whose chain it is. */
static char *wall_hint(struct daemon *d, const char *owner, const char *family, const char *table, const char *chain)
{
	const char *p = d->ids.ifprefix;
	unsigned pool = d->ids.pool;

	if (str_eq(owner, "ufw"))
		return str_fmt("ufw route allow from %u.%u.0.0/%u; ufw route allow to %u.%u.0.0/%u", pool >> 24,
			       pool >> 16 & 255, POOL_PREFIX, pool >> 24, pool >> 16 & 255, POOL_PREFIX);
	if (str_eq(owner, "nft"))
		return str_fmt("nft insert rule %s %s %s iifgroup %u accept; nft insert rule %s %s %s oifgroup %u accept", family,
			       table, chain, d->ids.ifgroup, family, table, chain, d->ids.ifgroup);
	if (str_eq(owner, "docker"))
		chain = "DOCKER-USER";
	return str_fmt("iptables -I %s -i %s+ -j ACCEPT; iptables -I %s -o %s+ -j ACCEPT", chain, p, chain, p);
}

static void check_walls(struct daemon *d, json *l, const char *net)
{
	auto_free char *text = str_dup(net ?: "");
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char owner[16], family[8], table[128], chain[128];

		if (sscanf(line, "wall=%15s %7s %127s %127s", owner, family, table, chain) != 4)
			continue;
		auto_free char *hint = wall_hint(d, owner, family, table, chain);

		say(l, "forward", "warning", hint, "chain %s of the nft table %s %s drops what is forwarded, and no rule in it "
		    "names arnia's links: machines reach nothing, published ports do not answer", chain, family, table);
	}
}

static void check_network(struct daemon *d, json *l, const char *net)
{
	auto_free char *text = NULL;

	if (d->facts.net_error[0])
		say(l, "network", "problem", "load the modules veth and nf_tables (modprobe), or use --net none", "%s",
		    d->facts.net_error);
	else
		check_table(d, l, net);
	check_published(d, l, net);
	check_walls(d, l, net);
	if (file_read_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 64, &text, NULL) > 0 && text[0] == '0')
		say(l, "ip-forward", "warning", "sysctl net.ipv4.ip_forward=1", "forwarding of IPv4 is off: machines cannot "
		    "reach beyond this host");
}

static void check_modules(json *l)
{
	static const struct {
		const char *fs, *what;
	} want[] = { { "\toverlay\n", "overlay" }, { "\tmqueue\n", "mqueue" }, { "\tcgroup2\n", "cgroup2" } };
	auto_free char *text = NULL;

	if (file_read_at(AT_FDCWD, "/proc/filesystems", 65536, &text, NULL) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		if (!strstr(text, want[i].fs))
			say(l, "filesystem", i == 1 ? "note" : "problem", "modprobe it, or use a kernel that has it",
			    "the kernel offers no %s filesystem", want[i].what);
	}
}

static void check_userns(json *l)
{
	static const char *const files[] = { "/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces",
					     "/proc/sys/user/max_pid_namespaces", "/proc/sys/user/max_mnt_namespaces" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *text = NULL;
		uint64_t v = 0;

		if (file_read_at(AT_FDCWD, files[i], 64, &text, NULL) <= 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (parse_u64(text, &v) == 0 && v < 64)
			say(l, "namespaces", v ? "warning" : "problem", "raise it with sysctl",
			    "%s is %" PRIu64, files[i] + strlen("/proc/sys/"), v);
	}
}

static void check_proc(json *l)
{
	auto_free char *text = NULL;
	char *save = NULL;
	int over = 0;

	if (file_read_at(AT_FDCWD, "/proc/1/mountinfo", 1 << 22, &text, NULL) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char where[256];

		if (sscanf(line, "%*s %*s %*s %*s %255s", where) == 1 && str_starts(where, "/proc/") &&
		    !str_starts(where, "/proc/sys/fs/binfmt_misc"))
			over++;
	}
	if (over)
		say(l, "proc", "warning", "give the outer container an unmasked /proc (podman: --security-opt unmask=ALL)",
		    "%d mounts cover parts of /proc: the kernel may refuse a fresh /proc in a user namespace", over);
	else
		say(l, "proc", "ok", NULL, "/proc is fully visible");
}

static void check_nested(json *l)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) == 0 && st.st_ino != INIT_PID_NS)
		say(l, "nested", "note", NULL, "arnia itself runs inside a container: limits end at what that one was given");
}

static void check_space(struct daemon *d, json *l)
{
	struct statfs fs;
	uint64_t left;

	if (statfs(d->in.state, &fs))
		return;
	left = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (left < LOW_SPACE)
		say(l, "space", "warning", "arnia image rm, arnia rm", "%" PRIu64 " MiB are left at %s", left >> 20, d->in.state);
	else
		say(l, "space", "ok", NULL, "%" PRIu64 " GiB are free at %s", left >> 30, d->in.state);
}

static void check_files(struct daemon *d, json *l)
{
	for (struct bad_file *b = d->bad; b; b = b->next)
		say(l, "state-file", "problem", "it was put aside as bad-NAME beside the others: repair or delete it", "%s: %s",
		    b->name, b->why);
	for (struct machine *m = d->machines; m; m = m->next) {
		if (m->state.phase == PHASE_FAILED) {
			auto_free char *hint = str_fmt("arnia stop %s tries again, arnia rm -f %s removes it", MACHINE_NAME(m),
						       MACHINE_NAME(m));

			say(l, "machine", "problem", hint, "%s: %s", MACHINE_NAME(m), m->state.error);
		}
	}
}

json *doctor_checks(struct daemon *d, const char *net)
{
	json *l = json_new_arr();

	check_kernel(l);
	check_controllers(d, l);
	check_network(d, l, net);
	check_modules(l);
	check_userns(l);
	check_proc(l);
	check_nested(l);
	check_space(d, l);
	check_tools(l);
	check_files(d, l);
	return l;
}
