/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/worker/rig.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/base/fd.h"

static const struct step steps[] = { { .name = "guest:first" }, { .name = "guest:second" }, { .name = "guest:third" } };
const struct steps rig_steps = { steps, ARRAY_SIZE(steps) };

void rig_up(struct rig *r)
{
	int s[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	*r = (struct rig){ .plan = { .kind = PLAN_START, .id = "box" }, .w = WORKER_NONE, .child = CHILD_NONE, .keeper = s[0] };
	r->w.keeper = s[1];
	r->w.board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(r->w.board, MAP_FAILED);
	r->job = (struct job){ .w = &r->w, .plan = &r->plan, .seq = 42, .id = "box", .stdio = { -1, -1, -1 }, .target = -1, .start = -1, .cgroup = -1 };
}

void rig_down(struct rig *r)
{
	if (r->child.pid > 0) {
		kill(r->child.pid, SIGKILL);
		waitpid(r->child.pid, NULL, 0);
	}
	child_done(&r->child);
	munmap((void *)r->w.board, sizeof(struct board));
	fd_close(&r->w.keeper);
	fd_close(&r->keeper);
}

void rig_guest(struct rig *r, int (*act)(struct rig *r, int report))
{
	struct proc_clone clone = { .exit_signal = SIGCHLD, .cgroup_fd = -1, .ret_pidfd = &r->child.pidfd };

	assert_int_equal(child_report_open(&r->child, &r->err), 0);
	r->child.pid = proc_clone3(&clone);
	assert_true(r->child.pid >= 0);
	if (r->child.pid == 0) {
		close(r->child.report);
		_exit(act(r, r->child.guest_report));
	}
	fd_close(&r->child.guest_report);
}

void rig_told(struct rig *r, enum kp_type type, struct frame *ret)
{
	assert_int_equal(frame_recv(r->keeper, KP_MAGIC, ret, MSG_DONTWAIT), 1);
	assert_int_equal(ret->head.type, type);
	assert_int_equal(ret->head.seq, 42);
}

void rig_answer(struct rig *r, enum kp_type type)
{
	assert_int_equal(frame_send(r->keeper, KP_MAGIC, type, 42, NULL, 0, NULL, 0), 0);
}

void rig_tell(int s, uint32_t type, const void *body, size_t n)
{
	if (frame_send(s, GUEST_MAGIC, type, 0, body, n, NULL, 0) < 0)
		_exit(99);
}
