/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bench/floor/floor.h"
#include "tests/bench/stat.h"

#define SETTLE_US 500000
#define SETTLE_TRIES 8
#define SETTLED_KIB 128

static void give_link(struct floor *f, const struct container *c, unsigned i)
{
	char path[64], name[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", c->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	snprintf(name, sizeof(name), "flv%u", i);
	veth_make(f, name, fd, 0);
	close(fd);
}

/* As phases.sh does it: without what is only cached, and when what ends in the background has ended. */
static double settled_kib(void)
{
	double before = 0, now = 0;

	for (int i = 0; i < SETTLE_TRIES; i++) {
		FILE *f = fopen("/proc/sys/vm/drop_caches", "we");

		if (f) {
			fputs("2\n", f);
			fclose(f);
		}
		usleep(SETTLE_US);
		now = kernel_kib();
		if (now - before >= -SETTLED_KIB && now - before <= SETTLED_KIB)
			break;
		before = now;
	}
	return now;
}

void memory_measure(struct floor *f, const char *text, unsigned count)
{
	struct kind k = kind_parse(text);
	struct container *all = calloc(count, sizeof(*all));
	double before, after, begin = now_us(), each;

	if (!all)
		die("memory");
	k.idle = true;
	before = settled_kib();
	for (unsigned i = 0; i < count; i++) {
		container_start(f, &k, &all[i]);
		while (!*(volatile double *)&f->shared[3])
			sched_yield();
		if (strstr(text, "veth"))
			give_link(f, &all[i], i);
	}
	each = (now_us() - begin) / count;
	after = settled_kib();
	printf("%.1f %.1f\n", (after - before) / count, each);
	for (unsigned i = 0; i < count; i++)
		kill(all[i].pid, SIGKILL);
	for (unsigned i = 0; i < count; i++) {
		waitpid(all[i].pid, NULL, 0);
		container_remove(f, &all[i]);
	}
	free(all);
}
