/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hostile root inside a container tries. Each mode prints what came of it, one line per attempt.
 *
 *	attacker scan MARKER	 until standard input ends, look into every process that comes by: its
 *program, descriptors, folders, memory. MARKER is a file of the host attacker flip A B	 until standard input
 *ends, exchange the names A and B
 *	attacker keys		 push a key into the controlling terminal, and into standard input
 *	attacker overwrite PATH	 open a running program for writing, by its name and by a descriptor of it
 *	attacker loosen PATH	 take nodev, nosuid, noexec and ro off a mount, in its place and on a clone
 *	attacker spaces		 new namespaces, and a mount in them
 *	attacker rights		 until standard input ends, open the memory of every process that has capabilities which we have not
 *	attacker exec PROGRAM... run it with everything that exec keeps, as setuid programs would be
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS_MAX 65536
#define UP "../../../../../../../../../../../../.."

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static const char *result(long r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

static int input_ended(void)
{
	struct pollfd pf = {.fd = 0, .events = POLLIN};
	char c;

	return poll(&pf, 1, 0) > 0 && read(0, &c, 1) <= 0;
}

/* ---- scan ---- */

static struct {
	const char *marker;
	unsigned char seen[PIDS_MAX], entering[PIDS_MAX];
	unsigned n_seen, n_entering, looks;
} scan;

static void try_marker(const char *pid, const char *way)
{
	char path[4096], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s/" UP "%s", pid, way, scan.marker);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return;
	(void)!read(fd, text, sizeof(text) - 1);
	printf("LEAK marker of the host by %s of %s: %s\n", way, pid, text);
	close(fd);
}

static int is_harmless(const char *target)
{
	static const char *const begins[] = {"pipe:", "/dev/", "anon_inode:[eventpoll]", "/proc"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (!strncmp(target, begins[i], strlen(begins[i])))
			return 1;
	return 0;
}

static void look_at_fds(const char *pid)
{
	char path[512], target[512], way[300];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(way, sizeof(way), "fd/%s", e->d_name);
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, way);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!is_harmless(target))
			printf("LEAK descriptor %s of %s: %s\n", e->d_name, pid, target);
		try_marker(pid, way);
	}
	if (d)
		closedir(d);
}

/* Memory first: a process whose program still cannot be seen afterwards could not be seen before. */
static void look_at(const char *pid, unsigned number)
{
	static const char *const ways[] = {"cwd", "root", "task/self"};
	char path[64], exe[512], byte;
	struct iovec mine = {&byte, 1}, theirs = {(void *)0x1000, 1};
	long vm = process_vm_readv((pid_t)number, &mine, 1, &theirs, 1, 0);
	int vm_errno = errno, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0 && errno == EACCES) {
		scan.n_entering += !scan.entering[number];
		scan.entering[number] = 1;
		if (vm >= 0 || vm_errno == EFAULT)
			printf("LEAK memory of %s, which is on its way in\n", pid);
	}
	exe[n > 0 ? n : 0] = '\0';
	if (strstr(exe, "arnia") && strncmp(exe, "/memfd:arnia-init", 17))
		printf("LEAK program of %s: %s\n", pid, exe);
	fd = strstr(exe, "arnia") ? open(path, O_WRONLY) : -1;
	if (fd >= 0)
		printf("LEAK program of %s for writing: %s\n", pid, exe);
	close(fd);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		try_marker(pid, ways[i]);
	look_at_fds(pid);
}

static void scan_processes(const char *marker)
{
	scan.marker = marker;
	while (!input_ended()) {
		DIR *d = opendir("/proc");

		for (struct dirent *e; d && (e = readdir(d));) {
			unsigned number = (unsigned)atoi(e->d_name);

			if (!number || number >= PIDS_MAX || number == (unsigned)getpid())
				continue;
			scan.n_seen += !scan.seen[number];
			scan.seen[number] = 1;
			look_at(e->d_name, number);
		}
		if (d)
			closedir(d);
		scan.looks++;
	}
	printf("looks %u seen %u entering %u\n", scan.looks, scan.n_seen, scan.n_entering);
}

static unsigned long long capabilities(const char *pid)
{
	char path[64], text[4096], *at;
	unsigned long long caps = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "\nCapPrm:");
	if (at)
		sscanf(at, "\nCapPrm: %llx", &caps);
	return caps;
}

static void watch_rights(void)
{
	unsigned long long own = capabilities("self"), more;
	unsigned looks = 0, seen = 0;

	while (!input_ended()) {
		DIR *d = opendir("/proc");

		for (struct dirent *e; d && (e = readdir(d));) {
			char path[64];
			int fd;

			if (!atoi(e->d_name))
				continue;
			seen++;
			more = capabilities(e->d_name) & ~own;
			snprintf(path, sizeof(path), "/proc/%.20s/mem", e->d_name);
			fd = more ? open(path, O_RDWR) : -1;
			if (fd >= 0)
				printf("LEAK rights of %s: %llx\n", e->d_name, more);
			if (fd >= 0)
				close(fd);
		}
		if (d)
			closedir(d);
		looks++;
	}
	printf("looks %u seen %u\n", looks, seen);
}

/* ---- the others ---- */

static void flip(const char *a, const char *b)
{
	unsigned long n = 0;

	do {
		if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
			err(1, "exchange");
	} while (++n % 16 || !input_ended());
	printf("flips %lu\n", n);
}

static void push_keys(void)
{
	char c = '#';
	char paste = 3; /* TIOCL_PASTESEL */
	int tty = open("/dev/tty", O_RDWR);

	printf("/dev/tty %s\n", result(tty));
	printf("TIOCSTI on it %s\n", result(ioctl(tty, TIOCSTI, &c)));
	printf("TIOCSTI %s\n", result(ioctl(0, TIOCSTI, &c)));
	printf("TIOCSTI with a high bit %s\n", result(syscall(SYS_ioctl, 0, 1L << 32 | TIOCSTI, &c)));
	printf("TIOCLINUX %s\n", result(ioctl(0, TIOCLINUX, &paste)));
	printf("TIOCSCTTY %s\n", result(ioctl(0, TIOCSCTTY, 1)));
}

static void overwrite(const char *path)
{
	int fd = open(path, O_WRONLY), r = open(path, O_RDONLY), p = open(path, O_PATH);
	char self[64];

	printf("open %s\n", result(fd));
	if (fd >= 0)
		printf("write %s\n", result(pwrite(fd, "#!", 2, 0)));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", r);
	printf("again %s\n", result(open(self, O_WRONLY)));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", p);
	printf("by path %s\n", result(open(self, O_RDWR)));
	printf("truncate %s\n", result(truncate(path, 0)));
	printf("mode %s\n", result(chmod(path, 0777)));
}

static long set_attr(int fd, const char *path, unsigned flags, unsigned long long bit)
{
	struct {
		unsigned long long set, clr, propagation, userns;
	} a = {.clr = bit};

	return syscall(SYS_mount_setattr, fd, path, flags, &a, sizeof(a));
}

static void loosen(const char *path)
{
	static const struct {
		const char *name;
		unsigned long long attr;
		unsigned long flag;
	} bits[] = {{"ro", 1, MS_RDONLY},
		    {"nosuid", 2, MS_NOSUID},
		    {"nodev", 4, MS_NODEV},
		    {"noexec", 8, MS_NOEXEC}};
	const unsigned long all = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		int clone = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);

		printf("%s in place %s\n", bits[i].name, result(set_attr(AT_FDCWD, path, 0, bits[i].attr)));
		printf("%s by remount %s\n", bits[i].name,
		       result(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | (all & ~bits[i].flag), NULL)));
		if (clone >= 0)
			printf("%s on a clone %s\n", bits[i].name,
			       result(set_attr(clone, "", AT_EMPTY_PATH, bits[i].attr)));
		close(clone);
	}
}

static void new_spaces(void)
{
	static const struct {
		const char *name;
		int flag;
	} all[] = {{"user", CLONE_NEWUSER},
		   {"mnt", CLONE_NEWNS},
		   {"cgroup", CLONE_NEWCGROUP},
		   {"net", CLONE_NEWNET},
		   {"pid", CLONE_NEWPID}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			printf("%s %s\n", all[i].name, result(unshare(all[i].flag)));
			fflush(stdout);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	printf("mount cgroup %s\n", result(mount("c", "/mnt", "cgroup", 0, "memory")));
	printf("mount cgroup2 %s\n", result(mount("c", "/mnt", "cgroup2", 0, NULL)));
	printf("mount proc %s\n", result(mount("c", "/mnt", "proc", 0, NULL)));
	printf("clone3 %s\n", result(syscall(SYS_clone3, NULL, 0)));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(mode, "scan"))
		scan_processes(arg);
	else if (!strcmp(mode, "flip") && argc > 3)
		flip(arg, argv[3]);
	else if (!strcmp(mode, "rights"))
		watch_rights();
	else if (!strcmp(mode, "keys"))
		push_keys();
	else if (!strcmp(mode, "overwrite"))
		overwrite(arg);
	else if (!strcmp(mode, "loosen"))
		loosen(arg);
	else if (!strcmp(mode, "spaces"))
		new_spaces();
	else if (!strcmp(mode, "exec") && argc > 2)
		execv(arg, argv + 2);
	else
		errx(2, "what?");
	return 0;
}
