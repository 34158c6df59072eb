/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/worker/worker.h"
#include "rootfs/rootfs.h"

#define GUEST_STACK (256u << 10) /* steps have paths and frames on it, some of 4 KiB each */
#define ENTER_STACK (32u << 10)

/* A container's first process inherits both: the parent may block signals for a signalfd, or its own parent
 * ignored some. By system call, since libc keeps the two signals of its threads to itself. */
static void reset_signals(void)
{
	static const unsigned long dfl[8]; /* the kernel's struct sigaction: SIG_DFL, no flags, empty mask */
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Written with CAP_SYS_RESOURCE this is also the least value that a container can set itself
 * (proc_pid_oom_score_adj(5)). Without the capability the write may be refused, when the score is above 0
 * already: nothing to protect then. */
void worker_reset_oom_score(void)
{
	file_write_ctl_at(AT_FDCWD, "/proc/self/oom_score_adj", PROC_SUPER_MAGIC, "0", NULL);
}

static int own_mounts(struct error *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, -errno, "make a mount namespace");
	/* Slave, not private: what the administrator unmounts goes away here too. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, -errno, "make the mounts slaves");
	return 0;
}

int worker_open_few(struct worker *w, struct error *err)
{
	void *page =
		mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (page == MAP_FAILED)
		return err_sys(err, -errno, "map a shared page");
	w->board = page;
	r = proc_stack_new(GUEST_STACK, &w->guest_stack);
	if (r == 0)
		r = proc_stack_new(ENTER_STACK, &w->enter_stack);
	if (r < 0)
		return err_sys(err, r, "map a stack");
	w->pidns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	return w->pidns < 0 ? err_sys(err, -errno, "open own pid namespace") : 0;
}

int worker_undumpable(struct error *err)
{
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? err_sys(err, -errno, "become undumpable") : 0;
}

int worker_harden(struct error *err)
{
	reset_signals();
	umask(022);
	return worker_undumpable(err);
}

int worker_open(struct worker *w, struct error *err)
{
	int r = own_mounts(err);

	if (r == 0)
		r = worker_open_few(w, err);
	if (r < 0)
		return r;
	w->stage = w->asks ? rootfs_stage_bare(w->run, err) : rootfs_stage(w->run, err);
	return w->stage < 0 ? w->stage : 0;
}

int worker_restage(struct worker *w, struct error *err)
{
	/* The working directory is a mount inside the stage, see rootfs_stage. */
	if (umount2("..", MNT_DETACH) < 0)
		return err_sys(err, -errno, "detach the stage");
	fd_close(&w->stage);
	if (chdir("/") < 0)
		return err_sys(err, -errno, "leave the stage");
	w->stage = rootfs_stage(w->run, err);
	w->staged = false;
	return w->stage < 0 ? w->stage : 0;
}

void worker_drop_cell(struct worker *w)
{
	fd_close(&w->userns);
	fd_close(&w->netns);
}

void worker_done(struct worker *w)
{
	fd_close(&w->keeper);
	fd_close(&w->hostns);
	fd_close(&w->stage);
	fd_close(&w->cgroup);
	fd_close(&w->pidns);
	cg_program_close(&w->devices);
	worker_drop_cell(w);
	fd_close(&w->init);
	proc_stack_free(&w->guest_stack);
	proc_stack_free(&w->enter_stack);
	if (w->board)
		munmap((void *)w->board, sizeof(struct board));
	w->board = NULL;
}
