/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels of security modules that the next execve(2) takes on. Written through a checked /proc, because a write that is led
 * elsewhere is a program without its label (CVE-2019-16884, CVE-2025-52881). */
#include <errno.h>
#include <string.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/sandbox/procfs.h"
#include "lib/sandbox/sandbox.h"

#define LABEL_MAX 4096

static int check_label(const char *what, const char *label, struct error *err)
{
	if (strlen(label) > LABEL_MAX || strpbrk(label, "\n\r"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s \"%.64s\": not a name", what, label);
	return 0;
}

/* Nothing is asked of the module: it need not be there. */
static bool is_nothing(const char *apparmor)
{
	return str_is_empty(apparmor) || str_eq(apparmor, "unconfined");
}

/* The file is there in every kernel that knows the module, but only a module that is on answers. */
static bool apparmor_is_on(int proc)
{
	char buf[256];

	return procfs_read(proc, "self/attr/apparmor/current", buf, sizeof(buf)) > 0;
}

static bool selinux_is_on(int proc)
{
	char buf[8192];

	return procfs_read(proc, "filesystems", buf, sizeof(buf)) > 0 && strstr(buf, "\tselinuxfs\n");
}

static int check(const struct sandbox_config *c, int proc, struct error *err)
{
	int r = is_nothing(c->apparmor) ? 0 : check_label("AppArmor profile", c->apparmor, err);

	if (r == 0 && !str_is_empty(c->selinux))
		r = check_label("SELinux label", c->selinux, err);
	if (r < 0)
		return r;
	if (!is_nothing(c->apparmor) && !apparmor_is_on(proc))
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "AppArmor is not enabled on this host (profile %.64s)", c->apparmor);
	if (!str_is_empty(c->selinux) && !selinux_is_on(proc))
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "SELinux is not enabled on this host (label %.64s)", c->selinux);
	return 0;
}

int lsm_check(const struct sandbox_config *c, struct error *err)
{
	auto_fd int proc = -1;

	if (is_nothing(c->apparmor) && str_is_empty(c->selinux))
		return 0;
	proc = procfs_open(err);
	return proc < 0 ? proc : check(c, proc, err);
}

static int apply_apparmor(const char *profile, int proc, struct error *err)
{
	auto_free char *text = str_fmt("exec %s", profile);
	int r = procfs_write(proc, "self/attr/apparmor/exec", text, err);

	if (r == -ENOENT)
		return err_set(err, r, "AppArmor profile %.64s is not loaded", profile);
	return r < 0 ? err_prefix(err, "AppArmor profile %.64s", profile) : 0;
}

int lsm_apply(const struct sandbox_config *c, struct error *err)
{
	auto_fd int proc = -1;
	int r;

	if (str_is_empty(c->apparmor) && str_is_empty(c->selinux))
		return 0;
	proc = procfs_open(err);
	if (proc < 0)
		return proc;
	r = check(c, proc, err);
	/* "unconfined" where the module is on leaves the profile of the runtime itself. */
	if (r == 0 && !str_is_empty(c->apparmor) && apparmor_is_on(proc))
		r = apply_apparmor(c->apparmor, proc, err);
	if (r == 0 && !str_is_empty(c->selinux)) {
		r = procfs_write(proc, "self/attr/exec", c->selinux, err);
		if (r < 0)
			err_prefix(err, "SELinux label %.64s", c->selinux);
	}
	return r;
}
