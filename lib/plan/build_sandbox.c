/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/resource.h>
#include "lib/plan/internal.h"
#include "lib/spec/names.h"

#define NOFILE_SOFT 1024
#define NOFILE_HARD 524288
#define NSEC_PER_SEC INT64_C(1000000000)

#define BIT(cap) (UINT64_C(1) << (cap))

/* Docker's set: what programs that expect to be root need, and none that reaches past the container. */
#define APPLICATION_CAPS                                                                                     \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) | BIT(CAP_MKNOD) |       \
	 BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) |        \
	 BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE))
/* systemd-nspawn's set: what a distribution's init and its services need. They count only in the container's
 * user namespace. */
#define SYSTEM_CAPS                                                                                          \
	(APPLICATION_CAPS | BIT(CAP_AUDIT_CONTROL) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_IPC_OWNER) |         \
	 BIT(CAP_LEASE) | BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_BROADCAST) |           \
	 BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_NICE) | BIT(CAP_SYS_PTRACE) |                  \
	 BIT(CAP_SYS_RESOURCE) | BIT(CAP_SYS_TTY_CONFIG))

uint64_t plan_caps(const struct spec *s, uint64_t kernel)
{
	uint64_t base = s->image_init ? SYSTEM_CAPS : APPLICATION_CAPS;

	if (s->cap_add == SPEC_CAPS_ALL)
		return kernel & ~s->cap_drop;
	/* Dropping ALL and adding some means those alone. */
	return ((base & ~s->cap_drop) | s->cap_add) & kernel;
}

static int add_caps(const struct plan_input *in, struct sandbox_config *c, struct error *err)
{
	const struct spec *s = in->spec;
	uint64_t missing = s->cap_add == SPEC_CAPS_ALL ? 0 : s->cap_add & ~in->facts->caps;

	if (missing)
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "capability %s: this kernel has none of that name",
				    spec_cap_name((unsigned)__builtin_ctzll(missing)));
	c->cap_bounding = c->cap_effective = c->cap_permitted = plan_caps(s, in->facts->caps);
	return 0;
}

int plan_map_ids(const struct plan_lease *lease, struct plan *p, struct error *err)
{
	struct id_map map = { .inside = 0, .outside = (uint32_t)lease->id_base, .count = PLAN_ID_COUNT };

	/* (uid_t)-1 is no id. */
	if (!lease->id_base || lease->id_base > UINT32_MAX - PLAN_ID_COUNT)
		return err_set(err, -EINVAL, "id range at %llu: out of bounds",
			       (unsigned long long)lease->id_base);
	*arena_push(&p->arena, &p->sandbox.uid_maps) = map;
	*arena_push(&p->arena, &p->sandbox.gid_maps) = map;
	return 0;
}

/* Programs of an application listen and ping as whatever user they are; the ports are the container's own. */
static const struct sandbox_sysctl application_sysctls[] = {
	{ "net.ipv4.ip_unprivileged_port_start", "0" },
	{ "net.ipv4.ping_group_range", "0 65535" },
};

static bool has_sysctl(const struct spec *s, const char *name)
{
	for (size_t i = 0; i < s->sysctls.n; i++)
		if (str_eq(s->sysctls.v[i].name, name))
			return true;
	return false;
}

static void add_sysctls(const struct spec *s, struct sandbox_config *c, struct arena *a)
{
	bool wanted = !s->image_init && s->net != NET_HOST;

	for (size_t i = 0; wanted && i < ARRAY_SIZE(application_sysctls); i++)
		if (!has_sysctl(s, application_sysctls[i].name))
			*arena_push(a, &c->sysctls) = application_sysctls[i];
	for (size_t i = 0; i < s->sysctls.n; i++)
		*arena_push(a, &c->sysctls) = (struct sandbox_sysctl){ arena_str(a, s->sysctls.v[i].name),
								       arena_str(a, s->sysctls.v[i].value) };
}

static void add_rlimits(const struct spec *s, struct sandbox_config *c, struct arena *a)
{
	bool nofile = false;

	for (size_t i = 0; i < s->rlimits.n; i++) {
		nofile = nofile || s->rlimits.v[i].resource == RLIMIT_NOFILE;
		*arena_push(a, &c->rlimits) = s->rlimits.v[i];
	}
	if (!nofile)
		*arena_push(a, &c->rlimits) =
			(struct sandbox_rlimit){ RLIMIT_NOFILE, NOFILE_SOFT, NOFILE_HARD, true };
}

const char *plan_hostname(struct arena *a, const struct plan_input *in)
{
	char *name = arena_str(a, in->spec->hostname ?: in->name);

	for (char *p = name; *p; p++)
		if (*p == '_')
			*p = '-';
	return name;
}

static int add_time(const struct plan_input *in, struct sandbox_config *c, struct error *err)
{
	if (!in->spec->time_ns)
		return 0;
	if (!in->facts->time_ns)
		return err_set_kind(err, -EOPNOTSUPP, ERR_UNSUPPORTED,
				    "time namespace: this kernel has none");
	c->namespaces |= CLONE_NEWTIME;
	/* Whole seconds: the clocks never come out before their zero, which the kernel would refuse. */
	c->time_boot_ns = -(in->now_boot_ns / NSEC_PER_SEC) * NSEC_PER_SEC;
	c->time_mono_ns = -(in->now_mono_ns / NSEC_PER_SEC) * NSEC_PER_SEC;
	return 0;
}

int plan_add_sandbox(const struct plan_input *in, struct plan *p, struct error *err)
{
	const struct spec *s = in->spec;
	struct sandbox_config *c = &p->sandbox;
	int r = plan_map_ids(in->lease, p, err);

	if (r < 0)
		return r;
	c->namespaces =
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
	if (s->net != NET_HOST)
		c->namespaces |= CLONE_NEWNET;
	c->hostname = plan_hostname(&p->arena, in);
	c->no_new_privs = s->no_new_privs;
	if (in->seccomp_size) {
		c->seccomp = arena_dup(&p->arena, in->seccomp, in->seccomp_size);
		c->seccomp_size = in->seccomp_size;
	}
	c->oom_score_adj = s->oom_score_adj;
	c->new_keyring = true;
	add_sysctls(s, c, &p->arena);
	add_rlimits(s, c, &p->arena);
	r = add_time(in, c, err);
	return r < 0 ? r : add_caps(in, c, err);
}
