/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor [-n RUNS] [-t PREFIX] [-c CGROUP2_FOLDER] ROOTFS     the pieces, one line each
 * floor -s [-c FOLDER] ROOTFS                                a kind per line on stdin
 * ("net,user,full,seccomp"): one container, answered by "WALL CPU START" in microseconds floor -d COUNT -k
 * KIND [-c FOLDER] ROOTFS                  kernel memory of COUNT idle ones: "KIB_EACH US_EACH" Run as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/stat.h"

#define SYSCALLS 350

void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(99);
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void set_up(struct floor *f, const char *root, const char *cgroups)
{
	char path[600];

	if (!realpath(root, f->root))
		die(root);
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("unshare");
	f->shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->shared == MAP_FAILED)
		die("mmap");
	snprintf(path, sizeof(path), "%s/../floor.%d", f->root, getpid());
	if (mkdir(path, 0755) || !realpath(path, f->scratch))
		die(path);
	if (cgroups) {
		snprintf(f->cgroups, sizeof(f->cgroups), "%s/floor.%d", cgroups, getpid());
		if (mkdir(f->cgroups, 0755))
			die(f->cgroups);
	}
	f->route = netlink_open(NETLINK_ROUTE);
	f->nft = netlink_open(NETLINK_NETFILTER);
	f->bridge = bridge_make(f);
	if (chdir(f->root))
		die(f->root);
	filter_make(SYSCALLS, false);
}

static void serve(struct floor *f)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		struct kind k = kind_parse(line);
		double cpu = cpu_us(), start, wall = container_run(f, &k, &start);

		printf("%.1f %.1f %.1f\n", wall, cpu_us() - cpu, start);
		fflush(stdout);
	}
}

/* Layers hold only what overlay made in them. */
static void tear_down(const struct floor *f)
{
	static const char *const left[] = {"w/work", "w", "u", ""};
	char path[700];

	for (unsigned i = 0; i < sizeof(left) / sizeof(*left); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->scratch, left[i]);
		rmdir(path);
	}
	if (f->cgroups[0])
		rmdir(f->cgroups);
}

int main(int argc, char **argv)
{
	static struct floor f = {.runs = 300, .prefix = "", .userns = -1, .peerns = -1};
	const char *cgroups = NULL, *kind = "net,full";
	unsigned count = 0;
	bool serves = false;
	int c;

	while ((c = getopt(argc, argv, "n:t:c:d:k:s")) != -1) {
		if (c == 'n')
			f.runs = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			f.prefix = optarg;
		else if (c == 'c')
			cgroups = optarg;
		else if (c == 'd')
			count = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'k')
			kind = optarg;
		else if (c == 's')
			serves = true;
		else
			return 2;
	}
	if (optind + 1 != argc || f.runs < 1) {
		fputs("usage: floor [-n RUNS] [-t PREFIX] [-s | -d COUNT -k KIND] [-c CGROUP2_FOLDER] "
		      "ROOTFS\n",
		      stderr);
		return 2;
	}
	set_up(&f, argv[optind], cgroups);
	if (serves)
		serve(&f);
	else if (count)
		memory_measure(&f, kind, count);
	else
		pieces_measure(&f);
	tear_down(&f);
	return 0;
}
