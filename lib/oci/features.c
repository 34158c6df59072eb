/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/oci/oci_internal.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define OLDEST "1.0.0"
/* Names as other programs that read the output look for them. */
#define VERSION_KEY "org.arnia.oci.version"
#define COMMIT_KEY "org.arnia.oci.commit"
#define SECCOMP_KEY "io.github.seccomp.libseccomp.version"
#define CHECKPOINT_KEY "org.opencontainers.runc.checkpoint.enabled"

static json *strings(const char *const *v, size_t n)
{
	json *arr = json_new_arr();

	for (size_t i = 0; i < n; i++)
		json_push(arr, json_new_str(v[i]));
	return arr;
}

static json *words(const struct oci_word *w)
{
	json *arr = json_new_arr();

	for (; w->name; w++)
		json_push(arr, json_new_str(w->name));
	return arr;
}

static json *enabled(bool yes)
{
	json *o = json_new_obj();

	json_add_bool(o, "enabled", yes);
	return o;
}

static json *mount_options(void)
{
	json *arr = json_new_arr();
	const char *name;

	for (size_t i = 0; (name = oci_mount_option(i)); i++)
		json_push(arr, json_new_str(name));
	return arr;
}

/* A flag that the kernel knows gets as far as the filter, which is not there. */
static bool kernel_knows(uint64_t flag)
{
	unsigned long flags = (unsigned long)flag;

	if (flags == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static json *supported_flags(void)
{
	json *arr = json_new_arr();

	for (const struct oci_word *w = oci_seccomp_flags; w->name; w++)
		if (kernel_knows(w->value))
			json_push(arr, json_new_str(w->name));
	return arr;
}

static json *seccomp(const struct oci_features_input *in)
{
	static const char *const operators[] = { "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
						 "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
						 "SCMP_CMP_NE" };
	json *o = enabled(true);

	json_add_strv(o, "actions", in->seccomp_actions);
	json_add(o, "operators", strings(operators, ARRAY_SIZE(operators)));
	json_add_strv(o, "archs", in->seccomp_archs);
	json_add(o, "knownFlags", words(oci_seccomp_flags));
	json_add(o, "supportedFlags", supported_flags());
	return o;
}

static json *cgroup(const struct oci_features_input *in)
{
	json *o = json_new_obj();

	json_add_bool(o, "v1", false);
	json_add_bool(o, "v2", true);
	json_add_bool(o, "systemd", in->systemd);
	json_add_bool(o, "systemdUser", in->systemd);
	json_add_bool(o, "rdma", true);
	return o;
}

static json *linux_section(const struct oci_features_input *in)
{
	json *o = json_new_obj(), *rdt = enabled(true), *extensions = json_new_obj(),
	     *policy = json_new_obj();

	json_add(o, "namespaces", words(oci_namespaces));
	json_add_strv(o, "capabilities", in->caps);
	json_add(o, "cgroup", cgroup(in));
	json_add(o, "seccomp", seccomp(in));
	json_add(o, "apparmor", enabled(true));
	json_add(o, "selinux", enabled(true));
	json_add_bool(rdt, "schemata", true);
	json_add_bool(rdt, "monitoring", true);
	json_add(o, "intelRdt", rdt);
	json_add(policy, "modes", words(oci_mempolicy_modes));
	json_add(policy, "flags", words(oci_mempolicy_flags));
	json_add(o, "memoryPolicy", policy);
	json_add(extensions, "idmap", enabled(true));
	json_add(o, "mountExtensions", extensions);
	json_add(o, "netDevices", enabled(true));
	return o;
}

static json *annotations(const struct oci_features_input *in)
{
	json *o = json_new_obj();

	json_add_str(o, SECCOMP_KEY, in->seccomp_version);
	json_add_str(o, VERSION_KEY, in->runtime_version);
	json_add_str(o, COMMIT_KEY, in->commit);
	json_add_str(o, CHECKPOINT_KEY, in->criu ? "true" : "false");
	return o;
}

json *oci_features(const struct oci_features_input *in)
{
	static const char *const unsafe[] = { "bundle", "org.systemd.property.", "org.criu.config" };
	json *o = json_new_obj();

	json_add_str(o, "ociVersionMin", OLDEST);
	json_add_str(o, "ociVersionMax", OCI_VERSION);
	json_add(o, "hooks", strings(oci_hook_names, ARRAY_SIZE(oci_hook_names)));
	json_add(o, "mountOptions", mount_options());
	json_add(o, "linux", linux_section(in));
	json_add(o, "annotations", annotations(in));
	json_add(o, "potentiallyUnsafeConfigAnnotations", strings(unsafe, ARRAY_SIZE(unsafe)));
	return o;
}
