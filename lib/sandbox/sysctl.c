/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel settings of the container's own namespaces, and no others. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/sandbox/procfs.h"
#include "lib/sandbox/sandbox.h"

#define NAME_MAX_ 255
#define VALUE_MAX 1024

/* What each namespace owns (sysctl/kernel.rst, namespaces(7)); a name ending in '.' stands for all below it.
 */
static const struct {
	const char *name;
	uint64_t namespace;
	const char *namespace_name;
} allowed[] = {
	{ "net.", CLONE_NEWNET, "network" },	      { "fs.mqueue.", CLONE_NEWIPC, "ipc" },
	{ "kernel.msgmax", CLONE_NEWIPC, "ipc" },     { "kernel.msgmnb", CLONE_NEWIPC, "ipc" },
	{ "kernel.msgmni", CLONE_NEWIPC, "ipc" },     { "kernel.sem", CLONE_NEWIPC, "ipc" },
	{ "kernel.shmall", CLONE_NEWIPC, "ipc" },     { "kernel.shmmax", CLONE_NEWIPC, "ipc" },
	{ "kernel.shmmni", CLONE_NEWIPC, "ipc" },     { "kernel.shm_rmid_forced", CLONE_NEWIPC, "ipc" },
	{ "kernel.domainname", CLONE_NEWUTS, "uts" },
};
#define DOMAINNAME "kernel.domainname"

/* Words of [A-Za-z0-9_-] separated by single dots. So no "..", no slash and no empty part can be in it. */
static bool is_well_formed(const char *name)
{
	bool in_word = false;

	if (strlen(name) > NAME_MAX_)
		return false;
	for (; *name; name++) {
		bool word = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			    (*name >= '0' && *name <= '9') || *name == '_' || *name == '-';

		if (!word && (*name != '.' || !in_word))
			return false;
		in_word = word;
	}
	return in_word;
}

int sysctl_check(const char *name, uint64_t namespaces, struct error *err)
{
	if (!is_well_formed(name))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "sysctl \"%.64s\": malformed name", name);
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (str_ends(allowed[i].name, ".") ? !str_starts(name, allowed[i].name)
						   : !str_eq(name, allowed[i].name))
			continue;
		if (namespaces & allowed[i].namespace)
			return 0;
		return err_set_kind(err, -EPERM, ERR_USAGE,
				    "sysctl %s: the container has no %s namespace of its own", name,
				    allowed[i].namespace_name);
	}
	return err_set_kind(err, -EPERM, ERR_USAGE, "sysctl %s: not one that belongs to a container", name);
}

static int apply_one(int proc, const struct sandbox_sysctl *s, struct error *err)
{
	auto_free char *path = NULL;

	if (strlen(s->value) > VALUE_MAX)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "sysctl %s: the value is too long", s->name);
	/* The file of this one asks for privileges on the host; the system call for ones in the namespace. */
	if (str_eq(s->name, DOMAINNAME))
		return setdomainname(s->value, strlen(s->value)) < 0
			       ? err_sys(err, -errno, "sysctl %s", s->name)
			       : 0;
	path = str_fmt("sys/%s", s->name);
	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	return procfs_write(proc, path, s->value, err);
}

/* Is the network namespace that shall be joined the one this process is in? Then its settings are the host's. */
static int joins_own_network(const struct sandbox_config *c, bool *ret, struct error *err)
{
	struct stat own, other;

	*ret = false;
	for (size_t i = 0; i < c->joins.n; i++) {
		if (!(c->joins.v[i].ns & CLONE_NEWNET))
			continue;
		if (stat("/proc/self/ns/net", &own) < 0 || stat(c->joins.v[i].path, &other) < 0)
			return err_sys(err, -errno, "network namespace %s", c->joins.v[i].path);
		*ret = own.st_dev == other.st_dev && own.st_ino == other.st_ino;
	}
	return 0;
}

int sysctl_check_all(const struct sandbox_config *c, struct error *err)
{
	uint64_t namespaces = sandbox_namespaces(c);
	bool host = false;
	int r = c->sysctls.n ? joins_own_network(c, &host, err) : 0;

	if (host)
		namespaces &= ~(uint64_t)CLONE_NEWNET;
	for (size_t i = 0; r == 0 && i < c->sysctls.n; i++)
		r = sysctl_check(c->sysctls.v[i].name, namespaces, err);
	return r;
}

void sysctl_name_plain(char *name)
{
	char *first = strpbrk(name, "./");

	if (!first || *first == '.')
		return;
	for (; *name; name++)
		if (*name == '.' || *name == '/')
			*name = *name == '.' ? '/' : '.';
}

int sysctl_apply(const struct sandbox_config *c, struct error *err)
{
	auto_fd int proc = c->sysctls.n ? procfs_open(err) : -1;

	if (c->sysctls.n && proc < 0)
		return proc;
	for (size_t i = 0; i < c->sysctls.n; i++) {
		int r = sysctl_check(c->sysctls.v[i].name, sandbox_namespaces(c), err);

		if (r == 0)
			r = apply_one(proc, &c->sysctls.v[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}
