/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole container around a static program: what Docker makes of one (7 mounts, devices, masked paths, 14
 * capabilities, seccomp). */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/stat.h"

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
#define FILTER_MAX 2048
#define DOCKER_CAPS 0xa80425fbu
#define CAP_LAST 40

static struct sock_filter insns[FILTER_MAX];
static struct sock_fprog filter = {.filter = insns};

enum { T_BEGUN, T_MAPPED, T_MOUNTED, T_READY };

struct child {
	struct floor *f;
	const struct kind *k;
	int sync[2];
	char overlay[1400];
};
static struct child child; /* one at a time: the process shares our memory */

struct kind kind_parse(const char *text)
{
	return (struct kind){
		.net = strstr(text, "net") != NULL,
		.user = strstr(text, "user") != NULL,
		.full = strstr(text, "full") != NULL,
		.overlay = strstr(text, "overlay") != NULL,
		.seccomp = strstr(text, "seccomp") != NULL,
		.fork = strstr(text, "fork") != NULL,
		.told = strstr(text, "told") != NULL,
	};
}

static struct sock_filter op(uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	return (struct sock_filter){code, yes, no, k};
}

/* Allow calls 0..n-1, ENOSYS for the rest: one test per number (libseccomp without optimisation), or one
 * range. */
void filter_make(int n, bool linear)
{
	unsigned short i = 0;

	insns[i++] = op(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	insns[i++] = op(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	insns[i++] = op(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	insns[i++] = op(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (int k = 0; linear && k < n; k++) {
		insns[i++] = op(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)k, 0, 1);
		insns[i++] = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	}
	if (!linear) {
		insns[i++] = op(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)n, 1, 0);
		insns[i++] = op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	}
	insns[i++] = op(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
	filter.len = i;
}

int filter_load(void)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static void do_mount(const char *source, const char *target, const char *type, unsigned long flags,
		     const void *data)
{
	if (mount(source, target, type, flags, data)) {
		fprintf(stderr, "floor: mount %s on %s: %s\n", source, target, strerror(errno));
		_exit(97);
	}
}

static void make_devices(bool user)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} devices[] = {{"null", 1, 3},	 {"zero", 1, 5},    {"full", 1, 7},
		       {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	static const char *const links[][2] = {
		{"/proc/self/fd", "dev/fd"},	   {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
		{"pts/ptmx", "dev/ptmx"},
	};
	char path[64], host[64];

	for (unsigned i = 0; i < sizeof(devices) / sizeof(*devices); i++) {
		snprintf(path, sizeof(path), "dev/%s", devices[i].name);
		snprintf(host, sizeof(host), "/dev/%s", devices[i].name);
		if (!user && mknod(path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)))
			die("mknod");
		if (user) {
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
			do_mount(host, path, NULL, MS_BIND, NULL);
		}
	}
	for (unsigned i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlink(links[i][0], links[i][1]))
			die(links[i][1]);
}

static void mount_all(const struct child *c)
{
	const unsigned long hard = MS_NOSUID | MS_NOEXEC | MS_NODEV;

	do_mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k");
	mkdir("dev/pts", 0755);
	mkdir("dev/shm", 01777);
	mkdir("dev/mqueue", 0755);
	do_mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620");
	do_mount("shm", "dev/shm", "tmpfs", hard, "mode=1777,size=64m");
	do_mount("mqueue", "dev/mqueue", "mqueue", hard, NULL);
	/* A new sysfs wants a network namespace of one's own. */
	if (c->k->net)
		do_mount("sysfs", "sys", "sysfs", MS_RDONLY | hard, NULL);
	else
		do_mount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL);
	if (c->k->net && c->f->cgroups[0])
		do_mount("cgroup2", "sys/fs/cgroup", "cgroup2", MS_RDONLY | hard, NULL);
	make_devices(c->k->user);
}

/* What this kernel does not have is not there to be masked. */
static void mask_paths(void)
{
	static const char *const files[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
					    "/proc/latency_stats", "/proc/sched_debug"};
	static const char *const folders[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware", "/proc/asound"};
	static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					       "/proc/sysrq-trigger"};

	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++)
		mount("/dev/null", files[i], NULL, MS_BIND, NULL);
	for (unsigned i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		mount("tmpfs", folders[i], "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1");
	for (unsigned i = 0; i < sizeof(readonly) / sizeof(*readonly); i++) {
		mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL);
		mount(NULL, readonly[i], NULL,
		      MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	}
}

static void drop_rights(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{DOCKER_CAPS, DOCKER_CAPS, 0}, {0, 0, 0}};
	struct rlimit limit = {1024, 1024};

	for (unsigned cap = 0; cap <= CAP_LAST; cap++)
		if (cap > 31 || !(DOCKER_CAPS >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	syscall(SYS_capset, &head, data);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int child_main(void *arg)
{
	static char *const env[] = {"PATH=/bin", NULL};
	struct child *c = arg;
	char *const idle[] = {"sleep", "1000000", NULL}, *const ends[] = {"true", NULL};
	double *t = c->f->shared;
	char byte;

	t[T_BEGUN] = now_us();
	if (c->k->user && (read(c->sync[0], &byte, 1) != 1 || setresgid(0, 0, 0) || setresuid(0, 0, 0)))
		die("ids");
	t[T_MAPPED] = now_us();
	do_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (c->k->overlay)
		do_mount("overlay", c->f->root, "overlay", 0, c->overlay);
	else
		do_mount(c->f->root, c->f->root, NULL, MS_BIND | MS_REC, NULL);
	if (chdir(c->f->root))
		die("chdir");
	do_mount("proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	if (c->k->full)
		mount_all(c);
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		die("pivot_root");
	if (c->k->full)
		mask_paths();
	sethostname("bench", 5);
	t[T_MOUNTED] = now_us();
	if (c->k->full)
		drop_rights();
	if (c->k->seccomp && filter_load())
		die("seccomp");
	t[T_READY] = now_us();
	execve(c->k->idle ? "/bin/sleep" : "/bin/true", c->k->idle ? idle : ends, env);
	return 98;
}

/* Upper and work folder belong to the container. */
static void make_layers(struct floor *f, struct container *c)
{
	char upper[700], work[700];

	c->layer = ++f->seq;
	snprintf(upper, sizeof(upper), "%s/u%u", f->scratch, c->layer);
	snprintf(work, sizeof(work), "%s/w%u", f->scratch, c->layer);
	if (mkdir(upper, 0755) || mkdir(work, 0755))
		die(work);
	snprintf(child.overlay, sizeof(child.overlay), "lowerdir=%s,upperdir=%s,workdir=%s%s", f->root, upper,
		 work, child.k->user ? ",userxattr" : "");
}

/* The other end closes as the program begins. */
static void wait_for_exec(int fds[2])
{
	char byte;

	close(fds[1]);
	if (read(fds[0], &byte, 1) != 0)
		die("read");
	close(fds[0]);
}

void container_start(struct floor *f, const struct kind *k, struct container *ret)
{
	uint64_t flags = NAMESPACES | (k->net ? CLONE_NEWNET : 0) | (k->user ? CLONE_NEWUSER : 0);
	int cgroup = -1, told[2];

	*ret = (struct container){0};
	child = (struct child){.f = f, .k = k, .sync = {-1, -1}};
	if (k->overlay)
		make_layers(f, ret);
	if (f->cgroups[0]) {
		snprintf(ret->cgroup, sizeof(ret->cgroup), "%s/f%u", f->cgroups, ++f->seq);
		if (mkdir(ret->cgroup, 0755))
			die(ret->cgroup);
		cgroup = open(ret->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if ((k->user && pipe2(child.sync, O_CLOEXEC)) || (k->told && pipe2(told, O_CLOEXEC)))
		die("pipe");
	/* With ids to map or a process that stays we cannot wait in the clone until it has called execve. */
	if (!k->fork)
		flags |= CLONE_VM | (k->user || k->idle ? 0 : CLONE_VFORK);
	f->shared[T_READY] = 0;
	ret->pid = spawn(f, flags, cgroup, child_main, &child);
	if (k->user) {
		map_ids(ret->pid);
		if (write(child.sync[1], "x", 1) != 1)
			die("write");
		close(child.sync[0]);
		close(child.sync[1]);
	}
	if (cgroup >= 0)
		close(cgroup);
	if (k->told) {
		wait_for_exec(told);
		f->shared[T_READY] = now_us();
	}
}

void container_remove(struct floor *f, const struct container *c)
{
	static const char *const forms[] = {"%s/w%u/work", "%s/w%u", "%s/u%u"};
	char path[700];

	if (c->cgroup[0] && rmdir(c->cgroup))
		die(c->cgroup);
	for (unsigned i = 0; c->layer && i < sizeof(forms) / sizeof(*forms); i++) {
		snprintf(path, sizeof(path), forms[i], f->scratch, c->layer);
		rmdir(path);
	}
}

double container_run(struct floor *f, const struct kind *k, double *ret_start)
{
	struct container c;
	double begin = now_us();

	container_start(f, k, &c);
	reap(c.pid, "container");
	container_remove(f, &c);
	if (ret_start)
		*ret_start = f->shared[T_READY] - begin;
	return now_us() - begin;
}
