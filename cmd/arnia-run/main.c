/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "cmd/arnia-run/run.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static const struct steps *const all_steps[] = {
	&start_steps,	   &start_cell_steps, &guest_steps,   &exec_steps,
	&exec_guest_steps, &prepare_steps,    &destroy_steps,
};

/* A step of two lists is told once. */
static bool told_before(size_t list, size_t step)
{
	const char *name = all_steps[list]->v[step].name;

	for (size_t l = 0; l < list; l++)
		for (size_t i = 0; i < all_steps[l]->n; i++)
			if (str_eq(all_steps[l]->v[i].name, name))
				return true;
	return false;
}

static int list_steps(void)
{
	for (size_t l = 0; l < ARRAY_SIZE(all_steps); l++)
		for (size_t i = 0; i < all_steps[l]->n; i++)
			if (!told_before(l, i))
				puts(all_steps[l]->v[i].name);
	return fflush(stdout) == 0 ? 0 : ERR_FAILED;
}

static int usage(void)
{
	fputs("usage: arnia-run [--list-steps]\n"
	      "Started by arnia-keeper, with a socket to it on descriptor 3; see arnia-run(8).\n",
	      stderr);
	return ERR_USAGE;
}

static bool is_seqpacket(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
	struct run_worker w;
	struct error err = { 0 };
	int status;

	log_init("arnia-run", LOG_INFO_);
	if (argc == 2 && str_eq(argv[1], "--list-steps"))
		return list_steps();
	if (argc != 1 || !is_seqpacket(KW_FD_KEEPER))
		return usage();
	if (run_worker_prestart(&w, &err) < 0) {
		log_error("%s", err.text);
		run_worker_done(&w);
		return ERR_FAILED;
	}
	status = worker_serve(&w.w);
	run_worker_done(&w);
	return status;
}
