/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeper and daemon both hold the read ends of a machine's output, so that either may be killed. When both were, the
 * pipes are whole still, since the program has them open for reading too (cmd/arnia-run/stdio.c): they are found among
 * the descriptors of its first process by their inodes. Not so a console, which hangs up when its last master closes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

enum { HELD_OUT = 1, HELD_ERR = 2 }; /* in machine.held */

void output_note(struct machine *m)
{
	for (int i = 0; i < 2; i++) {
		struct stat st;
		int fd = m->held[HELD_OUT + i];

		m->state.pipes[i] = fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
	}
}

/* Held before it is looked at, and by its name, which asks no file system: the descriptors are the machine's own, may be
 * anything, and change. */
static int open_if(int dir, const char *name, uint64_t inode)
{
	auto_fd int fd = openat(dir, name, O_PATH | O_CLOEXEC);
	char path[32], want[40], is[40];
	ssize_t n = fd < 0 ? -1 : readlink(path_proc_fd(fd, path), is, sizeof(is) - 1);

	snprintf(want, sizeof(want), "pipe:[%" PRIu64 "]", inode);
	if (n < 0)
		return -1;
	is[n] = '\0';
	return str_eq(is, want) ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
}

static int find(pid_t pid, uint64_t inode)
{
	struct dirent *e;
	char path[32];
	int fd, found = -1;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		fd_close(&fd);
		return -1;
	}
	while (found < 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			found = open_if(dirfd(d), e->d_name, inode);
	closedir(d);
	return found;
}

void output_reopen(struct machine *m)
{
	static const uint32_t bits[] = { KP_FD_OUT, KP_FD_ERR };

	for (int i = 0; i < 2; i++) {
		int fd = m->state.pipes[i] && pidref_alive(&m->init) ? find(m->init.pid, m->state.pipes[i]) : -1;

		if (fd < 0)
			continue;
		m->held[HELD_OUT + i] = fd;
		m->held_bits |= bits[i];
	}
	if (m->held_bits)
		log_info("%s: its output was found again", MACHINE_NAME(m));
}
