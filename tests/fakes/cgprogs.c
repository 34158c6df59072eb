/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF device programs of cgroups:
 *
 *	cgprogs CGROUP...	those that are attached to each, its parents' not counted: one name a line
 *	cgprogs -a CGROUP	attach one that allows everything, in each of the ways there are; what came of it, a line each
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAMS_MAX 64

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int print_name(uint32_t id)
{
	union bpf_attr by_id = { .prog_id = id };
	struct bpf_prog_info info = { 0 };
	int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id), r;
	union bpf_attr get = { .info = { .bpf_fd = (uint32_t)fd,
					 .info_len = sizeof(info),
					 .info = (uint64_t)(uintptr_t)&info } };

	r = fd < 0 ? -1 : bpf(BPF_OBJ_GET_INFO_BY_FD, &get);
	if (r == 0)
		printf("%.*s\n", (int)sizeof(info.name), info.name);
	if (fd >= 0)
		close(fd);
	return r;
}

static int print_programs(const char *path)
{
	uint32_t ids[PROGRAMS_MAX];
	int cg = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	union bpf_attr query = { .query = { .target_fd = (uint32_t)cg,
					    .attach_type = BPF_CGROUP_DEVICE,
					    .prog_ids = (uint64_t)(uintptr_t)ids,
					    .prog_cnt = PROGRAMS_MAX } };

	if (cg < 0 || bpf(BPF_PROG_QUERY, &query) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		r = -1;
	}
	for (uint32_t i = 0; r == 0 && i < query.query.prog_cnt; i++)
		r = print_name(ids[i]);
	if (cg >= 0)
		close(cg);
	return r;
}

static int allow_all(const char *path)
{
	static const struct {
		uint32_t flags;
		const char *name;
	} ways[] = { { 0, "alone" }, { BPF_F_ALLOW_OVERRIDE, "override" }, { BPF_F_ALLOW_MULTI, "multi" } };
	const struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
					 { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr load = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
				.insn_cnt = 2,
				.insns = (uint64_t)(uintptr_t)code,
				.license = (uint64_t)(uintptr_t)"GPL" };
	int cg = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = bpf(BPF_PROG_LOAD, &load);

	printf("load %s\n", fd < 0 ? strerrorname_np(errno) : "ok");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		union bpf_attr attach = { .target_fd = (uint32_t)cg,
					  .attach_bpf_fd = (uint32_t)fd,
					  .attach_type = BPF_CGROUP_DEVICE,
					  .attach_flags = ways[i].flags };

		printf("%s %s\n", ways[i].name, bpf(BPF_PROG_ATTACH, &attach) < 0 ? strerrorname_np(errno) : "ok");
	}
	close(fd);
	close(cg);
	return cg < 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "-a") == 0)
		return allow_all(argv[2]);
	for (int i = 1; i < argc; i++)
		if (print_programs(argv[i]) < 0)
			return 1;
	return 0;
}
