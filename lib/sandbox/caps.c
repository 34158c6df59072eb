/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Capabilities (capabilities(7)), by the system calls themselves: libcap asks the kernel half a dozen
 * questions when it is loaded, in every program, and has nothing that is needed here. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/mem.h"
#include "lib/sandbox/sandbox.h"

#define BIT(cap) (1ULL << (cap))
#define CAPS_MAX 64

static const char *const names[] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};

/* Docker's set: what package managers and network services need inside and what is harmless within a user
 * namespace. NET_RAW is in it (ping, dhcp clients): it reaches only the container's own network namespace,
 * whose host side drops forged source addresses. */
const uint64_t caps_application = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) | BIT(CAP_FOWNER) |
				  BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
				  BIT(CAP_SETFCAP) | BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
				  BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);

const char *caps_name(unsigned cap)
{
	return cap < ARRAY_SIZE(names) ? names[cap] : NULL;
}

uint64_t caps_kernel_all(void)
{
	unsigned n = ARRAY_SIZE(names);

	/* EINVAL above the last one. Most kernels have exactly those we know. */
	while (n > 0 && prctl(PR_CAPBSET_READ, n - 1, 0, 0, 0) < 0)
		n--;
	while (n < CAPS_MAX && prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0)
		n++;
	return n == CAPS_MAX ? UINT64_MAX : BIT(n) - 1;
}

int caps_parse(const char *name, uint64_t *ret_bits)
{
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	if (strcasecmp(name, "all") == 0) {
		*ret_bits = caps_kernel_all();
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(name, names[i]) == 0) {
			*ret_bits = BIT(i);
			return 0;
		}
	return -ENOENT;
}

void caps_print(uint64_t bits, struct strbuf *out)
{
	bool first = true;

	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (!(bits & BIT(i)))
			continue;
		if (!first)
			strbuf_addc(out, ',');
		first = false;
		if (caps_name(i))
			strbuf_add(out, caps_name(i));
		else
			strbuf_addf(out, "%u", i);
	}
}

int caps_bound(const struct sandbox_config *c, struct error *err)
{
	for (unsigned i = 0; i < CAPS_MAX; i++) {
		if (c->cap_bounding & BIT(i) || prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* above the kernel's last */
			break;
		return err_sys(err, -errno, "drop %s from the bounding set",
			       caps_name(i) ? caps_name(i) : "a capability");
	}
	return 0;
}

int caps_keep(struct error *err)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, -errno, "keep the capabilities over the change of ids");
	return 0;
}

static int caps_get(uint64_t *ret_permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

static int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> 32 * i);
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* The usual cause of a refusal: we do not hold what is to be given. */
static int explain_refusal(uint64_t wanted, int code, struct error *err)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	uint64_t held = 0;

	if (code != -EPERM || caps_get(&held) < 0 || !(wanted & ~held))
		return err_sys(err, code, "set the capabilities");
	caps_print(wanted & ~held, &text);
	return err_set(err, code, "set the capabilities: %s is not ours to give", strbuf_cstr(&text));
}

int caps_apply(const struct sandbox_config *c, bool is_root, struct error *err)
{
	bool none = !is_root && !c->cap_ambient;
	uint64_t permitted = none ? 0 : c->cap_permitted, effective = none ? 0 : c->cap_effective;
	int r = caps_set(effective, permitted, c->cap_inheritable);

	if (r < 0)
		return explain_refusal(permitted | c->cap_inheritable, r, err);
	/* capset(2) has already taken from the ambient set what is not both permitted and inheritable. */
	if (c->cap_inheritable && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_sys(err, -errno, "clear the ambient capabilities");
	for (unsigned i = 0; i < CAPS_MAX; i++)
		if (c->cap_ambient & BIT(i) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return err_sys(err, -errno, "raise %s in the ambient set",
				       caps_name(i) ? caps_name(i) : "a capability");
	return 0;
}
