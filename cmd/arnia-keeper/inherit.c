/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process has from whoever started it, and passes on to all it starts: the keeper is started by the first
 * command, so every container would have what that one's shell had. Here it is made what a service has.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cmd/arnia-keeper/keeper.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/rlimits.h"

#define NOFILE_MAX 1048576
#define MPOL_DEFAULT 0 /* linux/mempolicy.h */
#define CPUS_MAX 65536
#define SLACK_NS 50000

/* Init's, where it has some; what is counted for each user is bounded by the cgroups. */
static const struct {
	int resource;
	rlim_t soft, hard;
} limits[] = {
	{ RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_CORE, 0, RLIM_INFINITY },
	{ RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_LOCKS, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_MEMLOCK, 8 << 20, 8 << 20 },
	{ RLIMIT_MSGQUEUE, 819200, 819200 },
	{ RLIMIT_NICE, 0, 0 },
	{ RLIMIT_NPROC, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_RSS, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_RTPRIO, 0, 0 },
	{ RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_SIGPENDING, RLIM_INFINITY, RLIM_INFINITY },
	{ RLIMIT_STACK, 8 << 20, RLIM_INFINITY },
};

/* Over its hard limit goes only who has CAP_SYS_RESOURCE on the host: without, as far as that. */
static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit want = { soft, hard }, have;

	if (setrlimit(resource, &want) == 0)
		return;
	if (getrlimit(resource, &have) < 0)
		return;
	want.rlim_max = MIN(hard, have.rlim_max);
	want.rlim_cur = MIN(soft, want.rlim_max);
	if (setrlimit(resource, &want) < 0 || want.rlim_max < hard)
		log_info("the limit of %s stays at %llu", rlimit_name((uint32_t)resource),
			 (unsigned long long)want.rlim_max);
}

/* As many as the kernel gives a process; more than the unit's a program that closes all of them would feel. */
static rlim_t most_files(void)
{
	auto_free char *text = NULL;
	uint64_t max = NOFILE_MAX;

	if (file_read_at(AT_FDCWD, "/proc/sys/fs/nr_open", 64, &text, NULL) < 0)
		return NOFILE_MAX;
	text[strcspn(text, "\n")] = '\0';
	return parse_u64(text, &max) < 0 ? NOFILE_MAX : MIN(max, NOFILE_MAX);
}

void inherit_reset_limits(void)
{
	rlim_t files = most_files();

	/* "sudo -g", or a set-user-id wrapper: what we make shall be root's. */
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		log_info("user and groups stay: %s", strerror(errno));

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		set_limit(limits[i].resource, limits[i].soft, limits[i].hard);
	set_limit(RLIMIT_NOFILE, files, files);
}

static void complain(const char *what)
{
	log_info("%s stays as it was: %s", what, strerror(errno));
}

/* All that the cgroup has. The kernel takes a set that is larger than its own. */
static int every_processor(void)
{
	uint8_t all[CPUS_MAX / 8];

	memset(all, 0xff, sizeof(all));
	return syscall(SYS_sched_setaffinity, 0, sizeof(all), all) < 0 ? -1 : 0;
}

void inherit_reset_scheduling(void)
{
	static const struct sched_param none;

	if (sched_setscheduler(0, SCHED_OTHER, &none) < 0)
		complain("scheduling class");
	if (setpriority(PRIO_PROCESS, 0, 0) < 0)
		complain("nice value");
	if (every_processor() < 0)
		complain("processor affinity");
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 0)) < 0)
		complain("I/O priority");
	if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0) < 0 && errno != ENOSYS)
		complain("memory policy");
	if (prctl(PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0) < 0)
		complain("timer slack");
	if (prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) < 0)
		complain("use of huge pages");
	/* as of "setarch -R": no random addresses, for all that is executed from here */
	if (personality(PER_LINUX) < 0)
		complain("execution domain");
}
