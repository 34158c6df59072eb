/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/cgroup/fixture.h"

struct fixture fixture_open(void)
{
	struct fixture f = { .root = -1 };
	struct error err;

	if (geteuid() != 0) {
		print_message("only root can make cgroups\n");
		skip();
	}
	f.root = cg_open_root(&err);
	if (f.root < 0) {
		print_message("%s\n", err.text);
		skip();
	}
	snprintf(f.branch, sizeof(f.branch), "arnia-unit-%d", getpid());
	return f;
}

void fixture_done(struct fixture *f)
{
	struct error err;

	if (cg_remove(f->root, f->branch, &err) < 0)
		fail_msg("%s", err.text);
	fd_close(&f->root);
}

pid_t fixture_sleeper(int cg)
{
	struct error err;
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	if (cg_add_process(cg, pid, &err) < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		fail_msg("%s", err.text);
	}
	return pid;
}
