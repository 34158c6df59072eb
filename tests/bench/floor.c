/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor -s -c CGROUP2_DIR ROOTFS: what the kernel itself charges for a whole container around a static
 * /bin/true: raw clone3, mount, pivot_root, capset, seccomp, execve, wait, and the removal of what was made.
 * No allocation, no library on the measured path. Reads a variant's name per line from standard input
 * ("full,net,user,overlay,seccomp" in any choice), runs it once and prints "WALL CPU" in microseconds. Root,
 * best in a mount namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/stat.h"

#define NSALL (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)
#define CAPS 0xa80425fbu /* Docker's 14 */

struct variant {
	bool net, user, overlay, seccomp;
	int sync[2]; /* the child waits for its id maps */
	char overlay_data[2000];
};
static struct {
	char root[512], scratch[512], cgroup[600];
	unsigned runs;
	struct sock_fprog filter;
} f;

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(97);
}

static void xmount(const char *s, const char *t, const char *type, unsigned long flags, const void *data)
{
	if (mount(s, t, type, flags, data))
		die(t);
}

/* Allow calls 0..349 by one comparison, ENOSYS for the rest. */
static void filter_make(void)
{
	static struct sock_filter p[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 350, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	f.filter = (struct sock_fprog){.len = sizeof(p) / sizeof(p[0]), .filter = p};
}

static void nodes(const struct variant *v)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} dev[] = {{"null", 1, 3},   {"zero", 1, 5},	{"full", 1, 7},
		   {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
	char to[64], from[64];

	for (size_t i = 0; i < sizeof(dev) / sizeof(dev[0]); i++) {
		snprintf(to, sizeof(to), "dev/%s", dev[i].name);
		snprintf(from, sizeof(from), "/dev/%s", dev[i].name);
		if (!v->user && mknod(to, S_IFCHR | 0666, makedev(dev[i].major, dev[i].minor)))
			die(to);
		if (v->user) {
			close(open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
			xmount(from, to, NULL, MS_BIND, NULL);
		}
	}
	if (symlink("/proc/self/fd", "dev/fd") || symlink("/proc/self/fd/0", "dev/stdin") ||
	    symlink("/proc/self/fd/1", "dev/stdout") || symlink("/proc/self/fd/2", "dev/stderr") ||
	    symlink("pts/ptmx", "dev/ptmx"))
		die("dev links");
}

static void mounts(const struct variant *v)
{
	const unsigned long plain = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	xmount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (v->overlay)
		xmount("overlay", f.root, "overlay", 0, v->overlay_data);
	else
		xmount(f.root, f.root, NULL, MS_BIND | MS_REC, NULL);
	if (chdir(f.root))
		die("chdir");
	xmount("proc", "proc", "proc", plain, NULL);
	xmount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=64k");
	if (mkdir("dev/pts", 0755) || mkdir("dev/shm", 01777) || mkdir("dev/mqueue", 0755))
		die("dev folders");
	xmount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620");
	xmount("shm", "dev/shm", "tmpfs", plain, "mode=1777,size=64m");
	xmount("mqueue", "dev/mqueue", "mqueue", plain, NULL);
	if (v->net) {
		xmount("sysfs", "sys", "sysfs", plain | MS_RDONLY, NULL);
		xmount("cgroup2", "sys/fs/cgroup", "cgroup2", plain | MS_RDONLY, NULL);
	} else {
		xmount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL);
	}
	nodes(v);
}

static void masks(void)
{
	static const char *const files[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
					    "/proc/latency_stats", "/proc/sched_debug"};
	static const char *const dirs[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware", "/proc/asound"};
	static const char *const ro[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					 "/proc/sysrq-trigger"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		mount("/dev/null", files[i], NULL, MS_BIND, NULL);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mount("tmpfs", dirs[i], "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1");
	for (size_t i = 0; i < sizeof(ro) / sizeof(ro[0]); i++) {
		mount(ro[i], ro[i], NULL, MS_BIND | MS_REC, NULL);
		mount(NULL, ro[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV,
		      NULL);
	}
}

static void confine(const struct variant *v)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{CAPS, CAPS, 0}, {0, 0, 0}};
	struct rlimit files = {1024, 1024};

	for (unsigned long c = 0; c <= 40; c++)
		if (c > 31 || !(CAPS >> c & 1))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	setrlimit(RLIMIT_NOFILE, &files);
	if (syscall(SYS_capset, &h, d) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("capset");
	if (v->seccomp && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f.filter))
		die("seccomp");
}

static int child(void *arg)
{
	static char *const argv[] = {"true", NULL}, *const env[] = {"PATH=/bin", NULL};
	const struct variant *v = arg;
	char go;

	if (v->user && (read(v->sync[0], &go, 1) != 1 || setresgid(0, 0, 0) || setresuid(0, 0, 0)))
		die("ids");
	mounts(v);
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		die("pivot_root");
	masks();
	if (sethostname("bench", 5))
		die("hostname");
	confine(v);
	execve("/bin/true", argv, env);
	return 98;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* fork-style: a borrowed address space (vfork) would save another 50 to 80 microseconds. */
static pid_t start(struct variant *v, const char *cg)
{
	int cgfd = open(cg, O_PATH | O_DIRECTORY | O_CLOEXEC), status = 0;
	uint64_t flags =
		NSALL | CLONE_INTO_CGROUP | (v->net ? CLONE_NEWNET : 0) | (v->user ? CLONE_NEWUSER : 0);
	struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgfd};
	char path[64];
	pid_t p;

	if (v->user && pipe2(v->sync, O_CLOEXEC))
		die("pipe");
	p = (pid_t)syscall(SYS_clone3, &a, sizeof(a));
	if (p == 0)
		_exit(child(v));
	if (p < 0)
		die("clone3");
	if (v->user) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", p);
		write_file(path, "0 100000 65536");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", p);
		write_file(path, "0 100000 65536");
		if (write(v->sync[1], "x", 1) != 1)
			die("go");
		close(v->sync[0]);
		close(v->sync[1]);
	}
	close(cgfd);
	if (waitpid(p, &status, 0) != p || status)
		die("the container failed");
	return p;
}

static double run(struct variant *v)
{
	char cg[700], up[600], work[600], inner[640];
	double t = now_us();

	f.runs++;
	snprintf(cg, sizeof(cg), "%s/f%u", f.cgroup, f.runs);
	snprintf(up, sizeof(up), "%s/u%u", f.scratch, f.runs);
	snprintf(work, sizeof(work), "%s/w%u", f.scratch, f.runs);
	snprintf(inner, sizeof(inner), "%s/work", work);
	if (mkdir(cg, 0755) || (v->overlay && (mkdir(up, 0755) || mkdir(work, 0755))))
		die(cg);
	snprintf(v->overlay_data, sizeof(v->overlay_data), "lowerdir=%s,upperdir=%s,workdir=%s%s", f.root, up,
		 work, v->user ? ",userxattr" : "");
	start(v, cg);
	if (v->overlay)
		rmdir(inner); /* made by the kernel, if it was */
	if (rmdir(cg) || (v->overlay && (rmdir(work) || rmdir(up))))
		die("remove");
	return now_us() - t;
}

static double cpu_us(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_utime.tv_sec +
			children.ru_stime.tv_sec) *
		       1e6 +
	       (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + children.ru_utime.tv_usec +
			children.ru_stime.tv_usec);
}

static void serve(void)
{
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		struct variant v = {.net = strstr(line, "net"),
				    .user = strstr(line, "user"),
				    .overlay = strstr(line, "overlay"),
				    .seccomp = strstr(line, "seccomp")};
		double c = cpu_us(), t = run(&v);

		printf("%f %f\n", t, cpu_us() - c);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc != 5 || strcmp(argv[1], "-s") || strcmp(argv[2], "-c") || !realpath(argv[4], f.root)) {
		fprintf(stderr, "usage: floor -s -c CGROUP2_DIR ROOTFS\n");
		return 2;
	}
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("unshare");
	snprintf(f.scratch, sizeof(f.scratch), "%.400s/../floor.%d", f.root, getpid());
	snprintf(f.cgroup, sizeof(f.cgroup), "%.500s/floor.%d", argv[3], getpid());
	if (mkdir(f.scratch, 0755) || mkdir(f.cgroup, 0755))
		die("folders");
	filter_make();
	serve();
	return rmdir(f.cgroup) || rmdir(f.scratch);
}
