/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/stat.h"

#define WARM 10
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
#define SYSCALLS 350 /* as many as the kernel has */

static char overlay[2048];

typedef double (*piece_fn)(struct floor *f, const void *arg);

static void measure(struct floor *f, const char *name, piece_fn fn, const void *arg)
{
	double *v = calloc(f->runs, sizeof(*v)), c0 = 0;
	struct summary s;

	if (!v || strncmp(name, f->prefix, strlen(f->prefix)) != 0) {
		free(v);
		return;
	}
	for (unsigned i = 0; i < WARM; i++)
		fn(f, arg);
	c0 = cpu_us();
	for (unsigned i = 0; i < f->runs; i++)
		v[i] = fn(f, arg);
	c0 = (cpu_us() - c0) / f->runs;
	s = summarize(v, f->runs);
	printf("%s\t%u\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\n", name, f->runs, s.median, s.least, s.p10, s.p90,
	       s.mean, c0);
	fflush(stdout);
	free(v);
}

static int child_exit(void *arg)
{
	(void)arg;
	return 0;
}

static int child_exec(void *arg)
{
	static char *const argv[] = {"true", NULL}, *const env[] = {"PATH=/bin", NULL};

	(void)arg;
	execve("bin/true", argv, env);
	return 98;
}

static double one_namespace(struct floor *f, const void *flags)
{
	double t = now_us();

	reap(spawn(f, *(const uint64_t *)flags | CLONE_VM | CLONE_VFORK, -1, child_exit, NULL), "namespace");
	return now_us() - t;
}

static double one_exec(struct floor *f, const void *flags)
{
	double t = now_us();

	reap(spawn(f, *(const uint64_t *)flags, -1, child_exec, NULL), "exec");
	return now_us() - t;
}

static int child_seccomp(void *arg)
{
	double *t = arg;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	t[0] = now_us();
	if (filter_load())
		die("seccomp");
	t[1] = now_us();
	return 0;
}

static double one_seccomp(struct floor *f, const void *arg)
{
	(void)arg;
	reap(spawn(f, CLONE_VM | CLONE_VFORK, -1, child_seccomp, f->shared), "seccomp");
	return f->shared[1] - f->shared[0];
}

static double one_cgroup(struct floor *f, const void *arg)
{
	char path[700];
	double t = now_us();

	(void)arg;
	snprintf(path, sizeof(path), "%s/m", f->cgroups);
	if (mkdir(path, 0755) || rmdir(path))
		die(path);
	return now_us() - t;
}

static double one_mount(struct floor *f, const void *type)
{
	bool bind = strcmp(type, "bind") == 0, over = strcmp(type, "overlay") == 0;
	double t = now_us();

	if (mount(bind ? f->root : type, f->root, bind ? NULL : type, bind ? MS_BIND : 0,
		  over ? overlay : NULL))
		die(type);
	t = now_us() - t;
	umount2(f->root, MNT_DETACH);
	return t;
}

static double one_overlay_umount(struct floor *f, const void *arg)
{
	double t;

	(void)arg;
	if (mount("overlay", f->root, "overlay", 0, overlay))
		die("overlay");
	t = now_us();
	umount2(f->root, 0);
	return now_us() - t;
}

static double one_idmap(struct floor *f, const void *arg)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)f->userns};
	double t = now_us();
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, f->root, OPEN_TREE_CLONE | O_CLOEXEC);

	(void)arg;
	if (fd < 0 || syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)))
		die("idmap");
	close(fd);
	return now_us() - t;
}

static double one_veth(struct floor *f, const void *bridged)
{
	double t = now_us();

	veth_make(f, "flveth0", f->peerns, *(const int *)bridged ? f->bridge : 0);
	t = now_us() - t;
	veth_delete(f, "flveth0");
	return t;
}

static double one_veth_delete(struct floor *f, const void *arg)
{
	double t;

	(void)arg;
	veth_make(f, "flveth0", f->peerns, 0);
	t = now_us();
	veth_delete(f, "flveth0");
	return now_us() - t;
}

static double one_nft_rules(struct floor *f, const void *pairs)
{
	return nft_rules(f, *(const unsigned *)pairs);
}

static double one_nft_element(struct floor *f, const void *arg)
{
	(void)arg;
	return nft_add_element(f);
}

static double one_nft_rule(struct floor *f, const void *arg)
{
	(void)arg;
	return nft_add_rule(f);
}

static void measure_processes(struct floor *f)
{
	static const struct {
		const char *name;
		uint64_t flags;
	} namespaces[] = {
		{"piece.vfork", 0},
		{"piece.ns.pid", CLONE_NEWPID},
		{"piece.ns.mount", CLONE_NEWNS},
		{"piece.ns.user", CLONE_NEWUSER},
		{"piece.ns.net", CLONE_NEWNET},
		{"piece.ns.five", NAMESPACES},
		{"piece.ns.five+net+user", NAMESPACES | CLONE_NEWNET | CLONE_NEWUSER},
	};
	static const uint64_t vfork = CLONE_VM | CLONE_VFORK, fork;

	for (unsigned i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		measure(f, namespaces[i].name, one_namespace, &namespaces[i].flags);
	measure(f, "piece.exec", one_exec, &vfork);
	measure(f, "piece.fork+exec", one_exec, &fork);
	filter_make(SYSCALLS, true);
	measure(f, "piece.seccomp.linear", one_seccomp, NULL);
	filter_make(SYSCALLS, false);
	measure(f, "piece.seccomp.range", one_seccomp, NULL);
}

static void measure_mounts(struct floor *f)
{
	static const char *const types[] = {"bind", "tmpfs", "proc", "sysfs", "mqueue", "devpts"};
	char name[64], upper[700], work[700];

	if (f->cgroups[0])
		measure(f, "piece.cgroup", one_cgroup, NULL);
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
		snprintf(name, sizeof(name), "piece.mount.%s", types[i]);
		measure(f, name, one_mount, types[i]);
	}
	snprintf(upper, sizeof(upper), "%s/u", f->scratch);
	snprintf(work, sizeof(work), "%s/w", f->scratch);
	if (mkdir(upper, 0755) || mkdir(work, 0755))
		die(work);
	snprintf(overlay, sizeof(overlay), "lowerdir=%s,upperdir=%s,workdir=%s", f->root, upper, work);
	measure(f, "piece.mount.overlay", one_mount, "overlay");
	measure(f, "piece.umount.overlay", one_overlay_umount, NULL);
	measure(f, "piece.mount.idmapped", one_idmap, NULL);
}

static void measure_network(struct floor *f)
{
	static const int no = 0, yes = 1;
	static const unsigned one = 1, fifty = 50;

	measure(f, "piece.veth", one_veth, &no);
	measure(f, "piece.veth.bridge", one_veth, &yes);
	measure(f, "piece.veth.delete", one_veth_delete, NULL);
	measure(f, "piece.nft.table", one_nft_rules, &one);
	measure(f, "piece.nft.100rules", one_nft_rules, &fifty);
	nft_base(f);
	measure(f, "piece.nft.element", one_nft_element, NULL);
	measure(f, "piece.nft.rule", one_nft_rule, NULL);
	nft_remove(f);
}

/* Namespaces that outlive their process. */
static void prepare(struct floor *f)
{
	struct clone_args a = {.flags = CLONE_NEWUSER | CLONE_NEWNET, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	char path[64];

	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (pid < 0)
		die("clone3");
	map_ids(pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	f->userns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	f->peerns = open(path, O_RDONLY | O_CLOEXEC);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void pieces_measure(struct floor *f)
{
	prepare(f);
	measure_processes(f);
	measure_mounts(f);
	measure_network(f);
}
