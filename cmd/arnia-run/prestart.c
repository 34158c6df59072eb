/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that can be done before the first job is known, so that it is off the path of a start. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-run/run.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/instance.h"
#include "lib/base/proc.h"
#include "lib/plan/build.h"
#include "rootfs/rootfs.h"

#define GUEST_STACK (256u << 10) /* steps have paths and frames on it, some of 4 KiB each */
#define ENTER_STACK (32u << 10)

/* What a template build may need, and what test builds look at; nothing else of the caller's environment
 * stays. */
static const char *const env_kept[] = { "ARNIA_FAIL_AT", "ARNIA_ROOT", "http_proxy", "https_proxy",
					"no_proxy" };

static void clean_environment(void)
{
	char *values[ARRAY_SIZE(env_kept)];

	for (size_t i = 0; i < ARRAY_SIZE(env_kept); i++)
		values[i] = str_dup(getenv(env_kept[i]));
	clearenv();
	for (size_t i = 0; i < ARRAY_SIZE(env_kept); i++) {
		if (values[i])
			setenv(env_kept[i], values[i], 1);
		free(values[i]);
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
}

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
static void reset_oom_score(void)
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

static int own_descriptors(struct worker *w, struct error *err)
{
	if (close_range(KW_FD_INIT + 1, ~0U, 0) < 0 ||
	    close_range(KW_FD_KEEPER, KW_FD_INIT, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, -errno, "close inherited descriptors");
	w->keeper = KW_FD_KEEPER;
	if (fcntl(KW_FD_HOSTNS, F_GETFD) < 0)
		return err_sys(err, -errno, "descriptor %d, the host's mount namespace", KW_FD_HOSTNS);
	w->hostns = KW_FD_HOSTNS;
	w->init = fd_is_sealed(KW_FD_INIT) ? KW_FD_INIT : -1;
	return 0;
}

static int open_kernel(struct worker *w, struct error *err)
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
	if (w->pidns < 0)
		return err_sys(err, -errno, "open own pid namespace");
	w->cgroup = cg_open_root(err);
	if (w->cgroup < 0)
		return w->cgroup;
	/* A kernel without it is told by the start that needs it. */
	(void)cg_program_open(plan_device_rules, plan_n_device_rules, &w->devices, NULL);
	return net_open(&w->net, err);
}

int worker_prestart(struct worker *w, struct error *err)
{
	struct instance in;
	int r;

	*w = (struct worker){ .keeper = -1,
			      .hostns = -1,
			      .init = -1,
			      .stage = -1,
			      .cgroup = -1,
			      .pidns = -1,
			      .devices.fd = -1,
			      .net = NET_SOCKETS_NONE,
			      .userns = -1,
			      .netns = -1 };
	/* Kept until the container's execve: nothing inside may look at a process of ours through /proc or
	 * ptrace. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return err_sys(err, -errno, "become undumpable");
	reset_signals();
	umask(022);
	r = instance_load(&in, err);
	if (r < 0)
		return r;
	memcpy(w->run, in.run, sizeof(w->run));
	clean_environment();
	reset_oom_score();
	r = own_descriptors(w, err);
	if (r == 0)
		r = own_mounts(err);
	if (r == 0)
		r = open_kernel(w, err);
	if (r == 0) {
		w->stage = rootfs_stage(w->run, err);
		r = w->stage < 0 ? w->stage : 0;
	}
	return r;
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

void worker_hide(const struct worker *w)
{
	const int own[] = { w->keeper, w->hostns, w->stage,	w->cgroup, w->pidns,
			    w->userns, w->netns,  w->devices.fd, w->net.route, w->net.nft };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i] >= 0)
			close(own[i]);
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
	net_close(&w->net);
	fd_close(&w->init);
	proc_stack_free(&w->guest_stack);
	proc_stack_free(&w->enter_stack);
	if (w->board)
		munmap((void *)w->board, sizeof(struct board));
	w->board = NULL;
}
