/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Room for descriptors. Some are kept in reserve, and given free when there are no others: what takes machines away is
 * carried out with them, and nothing new is begun until they could be put aside again.
 */
#include <errno.h>
#include <sys/resource.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"

static unsigned long long most(void)
{
	struct rlimit l = { 0 };

	(void)getrlimit(RLIMIT_NOFILE, &l);
	return l.rlim_cur;
}

void room_free(struct keeper *k)
{
	while (k->nroom)
		fd_close(&k->room[--k->nroom]);
}

bool room_made(struct keeper *k, int code)
{
	if ((code != -EMFILE && code != -ENFILE) || !k->nroom)
		return false;
	log_warn("no more files can be opened (at most %llu): nothing new is begun", most());
	room_free(k);
	return true;
}

bool room_for_more(struct keeper *k)
{
	while (k->nroom < ROOM_FDS) {
		int fd = fd_dup(k->fd.lock);

		if (fd < 0) {
			room_free(k);
			return false;
		}
		k->room[k->nroom++] = fd;
	}
	return true;
}

void room_explain(struct error *err)
{
	err_set_kind(err, -EMFILE, ERR_REFUSED, "the keeper may have no more than %llu files open", most());
	err_hint(err, "remove machines, or raise its limit: prlimit --nofile");
}
