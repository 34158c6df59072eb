/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device policy as a BPF program on the cgroup (cgroup-v2.rst, "Device controller").
 *
 * The program walks the rules from the last to the first and keeps in r3 the kinds of access not decided yet.
 * A deny rule that matches one of them ends it with 0; an allow rule takes its kinds away, and when none is
 * left the answer is 1. At the end what is left is denied. So each kind of access is decided by the last rule
 * that speaks of it.
 *
 * Its shape is chosen for the verifier, whose time is part of every start: the rules for block and for
 * character devices apart, and a rule for all kinds of access of one device is a single comparison of its
 * number.
 *
 * Attached with BPF_F_ALLOW_MULTI: programs of cgroups below can only forbid more (all of them must agree),
 * and those of a systemd above stay in force. Updates replace our program in place, so that there is exactly
 * one and never none.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "cgroup/internal.h"

#define NAME_PREFIX "arn_" /* of our programs' names; then 11 digits of a sum of the instructions */
#define LOADED_MAX 4096    /* programs of the host that are looked at */
#define RULES_MAX 2048		     /* offsets are 16 bits */
#define ATTACHED_MAX 64		     /* the kernel's own bound for one cgroup */

#define MAJOR_MAX 4095 /* of the kernel's dev_t; a rule for larger numbers matches nothing */
#define MINOR_BITS 20
#define ACCESS_ALL 7
#define TO_ALLOW INT16_MAX /* jump offsets to be set at the end */
#define TO_DENY (INT16_MAX - 1)

enum {
	R_RET = BPF_REG_0,
	R_CTX = BPF_REG_1,
	R_TYPE = BPF_REG_2,
	R_LEFT = BPF_REG_3,
	R_MAJOR = BPF_REG_4,
	R_MINOR = BPF_REG_5,
	R_DEV = BPF_REG_6,
	R_TMP = BPF_REG_0
};

#define LOAD(dst, field)                                                                                     \
	((struct bpf_insn){ .code = BPF_LDX | BPF_MEM | BPF_W,                                               \
			    .dst_reg = (dst),                                                                \
			    .src_reg = R_CTX,                                                                \
			    .off = offsetof(struct bpf_cgroup_dev_ctx, field) })
#define ALU_K(op, dst, k)                                                                                    \
	((struct bpf_insn){ .code = BPF_ALU | (op) | BPF_K, .dst_reg = (dst), .imm = (int32_t)(k) })
#define ALU_X(op, dst, src)                                                                                  \
	((struct bpf_insn){ .code = BPF_ALU | (op) | BPF_X, .dst_reg = (dst), .src_reg = (src) })
#define JUMP_K(op, dst, k, o)                                                                                \
	((struct bpf_insn){                                                                                  \
		.code = BPF_JMP32 | (op) | BPF_K, .dst_reg = (dst), .imm = (int32_t)(k), .off = (o) })
#define GOTO(o) ((struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = (o) })
#define EXIT() ((struct bpf_insn){ .code = BPF_JMP | BPF_EXIT })

static int bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static bool rule_is_valid(const struct cg_device *d)
{
	return (d->type == 'a' || d->type == 'b' || d->type == 'c') && d->access && !(d->access & ~7) &&
	       d->major >= -1 && d->major <= UINT32_MAX && d->minor >= -1 && d->minor <= UINT32_MAX;
}

/* Ours is 1 read, 2 write, 4 mknod; the kernel's 1 mknod, 2 read, 4 write. */
static uint32_t kernel_access(uint8_t a)
{
	return (a & 1 ? BPF_DEVCG_ACC_READ : 0) | (a & 2 ? BPF_DEVCG_ACC_WRITE : 0) |
	       (a & 4 ? BPF_DEVCG_ACC_MKNOD : 0);
}

static bool can_match(const struct cg_device *d, char type)
{
	return (d->type == 'a' || d->type == type) && d->major <= MAJOR_MAX && d->minor < 1 << MINOR_BITS;
}

/* The comparison that says whether the device is the rule's: false when it always is. */
static bool match_of(const struct cg_device *d, uint8_t *ret_reg, uint32_t *ret_value)
{
	if (d->major >= 0 && d->minor >= 0) {
		*ret_reg = R_DEV;
		*ret_value = (uint32_t)d->major << MINOR_BITS | (uint32_t)d->minor;
	} else {
		*ret_reg = d->major >= 0 ? R_MAJOR : R_MINOR;
		*ret_value = (uint32_t)(d->major >= 0 ? d->major : d->minor);
	}
	return d->major >= 0 || d->minor >= 0;
}

static size_t compile_rule(const struct cg_device *d, struct bpf_insn *out)
{
	uint32_t access = kernel_access(d->access), value;
	int16_t end = d->allow ? TO_ALLOW : TO_DENY;
	uint8_t reg;
	bool some = match_of(d, &reg, &value);
	size_t n = 0;

	if (d->access == ACCESS_ALL) {
		out[n++] = some ? JUMP_K(BPF_JEQ, reg, value, end) : GOTO(end);
		return n;
	}
	if (some)
		out[n++] = JUMP_K(BPF_JNE, reg, value, d->allow ? 2 : 3);
	if (d->allow) {
		out[n++] = ALU_K(BPF_AND, R_LEFT, ~access);
		out[n++] = JUMP_K(BPF_JEQ, R_LEFT, 0, end);
	} else {
		out[n++] = ALU_X(BPF_MOV, R_TMP, R_LEFT);
		out[n++] = ALU_K(BPF_AND, R_TMP, access);
		out[n++] = JUMP_K(BPF_JNE, R_TMP, 0, end);
	}
	return n;
}

/* The rules for one type of device, the last first. What stands behind a rule for everything is out of reach,
 * which the verifier would refuse; denials before the first allowance only say what holds anyway. */
static size_t compile_type(const struct cg_device *rules, size_t n, char type, struct bpf_insn *out)
{
	size_t len = 0, first = 0;

	while (first < n && !rules[first].allow)
		first++;
	for (size_t i = n; i-- > first;) {
		if (!can_match(&rules[i], type))
			continue;
		len += compile_rule(&rules[i], out + len);
		if (out[len - 1].code == (BPF_JMP | BPF_JA))
			return len;
	}
	out[len++] = GOTO(TO_DENY);
	return len;
}

/* Append `r0 = answer; exit` and lead the jumps with this mark to it. Without any it would be out of reach,
 * which the verifier refuses, so it is left out. */
static size_t add_exit(struct bpf_insn *p, size_t len, int16_t mark, int answer)
{
	bool used = false;

	for (size_t i = 0; i < len; i++) {
		if (p[i].off != mark)
			continue;
		p[i].off = (int16_t)(len - i - 1);
		used = true;
	}
	if (!used)
		return len;
	p[len] = ALU_K(BPF_MOV, R_RET, answer);
	p[len + 1] = EXIT();
	return len + 2;
}

long cg_devices_compile(const struct cg_device *rules, size_t n, struct bpf_insn *ret, size_t max)
{
	size_t len = 0, branch;

	if (n > RULES_MAX || max < CG_DEVICE_INSNS(n))
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (!rule_is_valid(&rules[i]))
			return -EINVAL;
	ret[len++] = LOAD(R_TYPE, access_type);
	ret[len++] = ALU_X(BPF_MOV, R_LEFT, R_TYPE);
	ret[len++] = ALU_K(BPF_RSH, R_LEFT, 16);
	ret[len++] = ALU_K(BPF_AND, R_TYPE, 0xffff);
	ret[len++] = LOAD(R_MAJOR, major);
	ret[len++] = LOAD(R_MINOR, minor);
	ret[len++] = ALU_X(BPF_MOV, R_DEV, R_MAJOR);
	ret[len++] = ALU_K(BPF_LSH, R_DEV, MINOR_BITS);
	ret[len++] = ALU_X(BPF_OR, R_DEV, R_MINOR);
	branch = len++;
	len += compile_type(rules, n, 'c', ret + len);
	ret[branch] = JUMP_K(BPF_JEQ, R_TYPE, BPF_DEVCG_DEV_BLOCK, (int16_t)(len - branch - 1));
	len += compile_type(rules, n, 'b', ret + len);
	len = add_exit(ret, len, TO_DENY, 0);
	return (long)add_exit(ret, len, TO_ALLOW, 1);
}

/* The name tells ours from others', and those that do the same from each other. */
static void name_of(const struct bpf_insn *insns, size_t len, char ret[BPF_OBJ_NAME_LEN])
{
	const uint8_t *p = (const uint8_t *)insns;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len * sizeof(*insns); i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	snprintf(ret, BPF_OBJ_NAME_LEN, NAME_PREFIX "%011" PRIx64, h >> 20);
}

static bool get_info(int prog, struct bpf_prog_info *ret)
{
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)prog,
					  .info_len = sizeof(*ret),
					  .info = (uint64_t)(uintptr_t)ret } };

	*ret = (struct bpf_prog_info){ 0 };
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) >= 0;
}

/* A device program of that name that some cgroup has, or -ENOENT. */
static int find_loaded(const char *name)
{
	union bpf_attr next = { 0 };

	for (unsigned i = 0; i < LOADED_MAX && bpf(BPF_PROG_GET_NEXT_ID, &next) >= 0; i++) {
		union bpf_attr by_id = { .prog_id = next.next_id };
		struct bpf_prog_info info;
		int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);

		if (fd >= 0 && get_info(fd, &info) && info.type == BPF_PROG_TYPE_CGROUP_DEVICE &&
		    strncmp(info.name, name, sizeof(info.name)) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
		next = (union bpf_attr){ .start_id = next.next_id };
	}
	return -ENOENT;
}

static int load(const struct cg_device *rules, size_t n, bool shared, struct error *err)
{
	auto_free struct bpf_insn *insns =
		mem_alloc_n(CG_DEVICE_INSNS(MIN(n, (size_t)RULES_MAX)), sizeof(*insns));
	long len = cg_devices_compile(rules, n, insns, CG_DEVICE_INSNS(MIN(n, (size_t)RULES_MAX)));
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uint64_t)(uintptr_t)insns,
		.insn_cnt = (uint32_t)len,
		.license = (uint64_t)(uintptr_t) "GPL",
	};
	int fd;

	if (len < 0)
		return err_set_kind(err, (int)len, ERR_USAGE, "devices: %s",
				    len == -E2BIG ? "more than 2048 rules" : "malformed rule");
	name_of(insns, (size_t)len, attr.prog_name);
	fd = shared ? find_loaded(attr.prog_name) : -ENOENT;
	if (fd < 0)
		fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		return fd;
	if (fd == -EINVAL || fd == -ENOSYS) {
		err_set_kind(err, fd, ERR_UNSUPPORTED, "devices: the kernel has no BPF for cgroups");
		err_hint(err, "CONFIG_CGROUP_BPF is needed");
		return fd;
	}
	return err_sys(err, fd, "devices: load the BPF program");
}

static int attach(int cg, int prog, int replaced)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)cg,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI | (replaced >= 0 ? BPF_F_REPLACE : 0),
		.replace_bpf_fd = replaced >= 0 ? (uint32_t)replaced : 0,
	};

	return bpf(BPF_PROG_ATTACH, &attr);
}

static int detach(int cg, int prog)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)cg,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
	};

	return bpf(BPF_PROG_DETACH, &attr);
}

static bool is_ours(int prog)
{
	struct bpf_prog_info info;

	return get_info(prog, &info) && strncmp(info.name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0;
}

/* Descriptors of our programs attached to this cgroup itself; the count or -errno. */
static int find_ours(int cg, int *fds, size_t max)
{
	uint32_t ids[ATTACHED_MAX];
	union bpf_attr attr = { .query = { .target_fd = (uint32_t)cg,
					   .attach_type = BPF_CGROUP_DEVICE,
					   .prog_ids = (uint64_t)(uintptr_t)ids,
					   .prog_cnt = ATTACHED_MAX } };
	int r = bpf(BPF_PROG_QUERY, &attr), n = 0;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < attr.query.prog_cnt && (size_t)n < max; i++) {
		union bpf_attr by_id = { .prog_id = ids[i] };
		int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id);

		if (fd >= 0 && is_ours(fd))
			fds[n++] = fd;
		else if (fd >= 0)
			close(fd);
	}
	return n;
}

int cg_program_open(const struct cg_device *rules, size_t n, struct cg_program *ret, struct error *err)
{
	int fd = load(rules, n, true, err);

	if (fd < 0)
		return fd;
	*ret = (struct cg_program){ rules, n, fd };
	return 0;
}

void cg_program_close(struct cg_program *p)
{
	fd_close(&p->fd);
}

static bool is_for(const struct cg_program *p, const struct cg_device *rules, size_t n)
{
	if (!p || p->fd < 0 || p->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct cg_device *a = &p->rules[i], *b = &rules[i];

		if (a->allow != b->allow || a->type != b->type || a->major != b->major || a->minor != b->minor ||
		    a->access != b->access)
			return false;
	}
	return true;
}

int cg_devices_attach(int cg, const struct cg_device *rules, size_t n, const struct cg_program *p, struct error *err)
{
	bool ready = is_for(p, rules, n);
	auto_fd int own = ready ? -1 : load(rules, n, false, err);
	int r = !ready && own < 0 ? own : attach(cg, ready ? p->fd : own, -1);

	return (ready || own >= 0) && r < 0 ? err_sys(err, r, "devices: attach the BPF program") : r;
}

int cg_set_devices(int cg, const struct cg_device *rules, size_t n, struct error *err)
{
	auto_fd int prog = n ? load(rules, n, false, err) : -1;
	int old[ATTACHED_MAX], found, r = 0;

	if (n && prog < 0)
		return prog;
	found = find_ours(cg, old, ATTACHED_MAX);
	if (found < 0)
		return err_sys(err, found, "devices: list the attached programs");
	if (n)
		r = attach(cg, prog, found > 0 ? old[0] : -1);
	for (int i = 0; i < found; i++) {
		if (r == 0 && (n == 0 || i > 0))
			r = detach(cg, old[i]);
		close(old[i]);
	}
	return r < 0 ? err_sys(err, r, "devices: change the BPF program") : 0;
}

/* "MAJOR:MINOR" or "*" parts. */
static int parse_number_or_any(const char *s, size_t n, int64_t *ret)
{
	char text[16];
	uint32_t v;

	if (n == 1 && s[0] == '*') {
		*ret = -1;
		return 0;
	}
	if (n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (parse_u32(text, &v) < 0)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int parse_access(const char *s, uint8_t *ret)
{
	uint8_t access = 0;

	for (; *s; s++) {
		const char *at = strchr("rwm", *s);
		uint8_t bit = at ? (uint8_t)(1 << (at - "rwm")) : 0;

		if (!bit || access & bit)
			return -EINVAL;
		access |= bit;
	}
	*ret = access;
	return access ? 0 : -EINVAL;
}

int cg_device_parse(const char *s, struct cg_device *ret)
{
	struct cg_device d = { .allow = true, .type = s[0], .major = -1, .minor = -1, .access = 7 };
	const char *colon = strchr(s, ':'), *space;

	if (!s[0] || !strchr("abc", s[0]) || (s[1] && s[1] != ' '))
		return -EINVAL;
	if (s[1]) {
		space = colon ? strchr(colon, ' ') : NULL;
		if (!space || parse_number_or_any(s + 2, (size_t)(colon - s - 2), &d.major) < 0 ||
		    parse_number_or_any(colon + 1, (size_t)(space - colon - 1), &d.minor) < 0 ||
		    parse_access(space + 1, &d.access) < 0)
			return -EINVAL;
	} else if (d.type != 'a') {
		return -EINVAL;
	}
	*ret = d;
	return 0;
}
