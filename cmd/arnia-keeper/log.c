/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log files, arnia-log(5). Opened for each record: a descriptor kept per container that ever printed
 * something would cost more than the two microseconds, and nothing is left to go stale when the folder is
 * removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/time.h"

#define NAME_SIZE 64

static int open_log(const struct held *h, const char *name, off_t *ret_size)
{
	/* NONBLOCK: should the name be a fifo, opening it would wait for a reader. */
	auto_fd int fd = path_open_in_nolink(h->k->fd.containers, name,
					     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_size = st.st_size;
	return fd_steal(&fd);
}

/* Open the file that n more bytes fit in: when the current one would pass its half, it becomes log.1. */
static int open_rotated(struct held *h, size_t n, off_t *ret_size)
{
	char name[NAME_SIZE], old[NAME_SIZE];
	off_t size = 0;
	int fd;

	snprintf(name, sizeof(name), "%s/log", h->c.id);
	fd = open_log(h, name, &size);
	if (fd >= 0 && size > 0 && (h->new_log || (uint64_t)size + n > h->c.log_max / 2)) {
		fd_close(&fd);
		snprintf(old, sizeof(old), "%s/log.1", h->c.id);
		if (renameat(h->k->fd.containers, name, h->k->fd.containers, old) < 0)
			return -errno;
		fd = open_log(h, name, &size);
	}
	if (fd >= 0) {
		h->new_log = false;
		*ret_size = size;
	}
	return fd;
}

void log_append(struct held *h, uint8_t stream, const void *p, size_t n)
{
	struct log_record rec = {
		.magic = LOG_RECORD_MAGIC,
		.stream = stream,
		.len = (uint16_t)n,
		.dropped = h->dropped,
		.time_ns = time_real_ns(),
	};
	struct iovec iov[] = { { &rec, sizeof(rec) }, { (void *)p, n } };
	auto_fd int fd = -1;
	off_t size = 0;
	ssize_t w = -1;

	if (!h->c.log_max || h->c.role != KP_ROLE_CONTAINER)
		return;
	if (fail_at("keeper-log") == 0)
		fd = open_rotated(h, sizeof(rec) + n, &size);
	if (fd < 0 && room_made(h->k, fd))
		fd = open_rotated(h, sizeof(rec) + n, &size);
	if (fd >= 0)
		w = writev(fd, iov, 2);
	if (w == (ssize_t)(sizeof(rec) + n)) {
		h->dropped = 0;
		return;
	}
	/* Half a record (disk full) would spoil all that follow. */
	if (w > 0 && ftruncate(fd, size) < 0)
		h->new_log = true;
	if (__builtin_add_overflow(h->dropped, (uint32_t)n, &h->dropped))
		h->dropped = UINT32_MAX;
}
