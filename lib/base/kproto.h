/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_KPROTO_H
#define ARNIA_BASE_KPROTO_H
/*
 * Frames between arniad and arnia-keeper (run/keeper.sock, SEQPACKET, root only) and between arnia-keeper and its workers
 * (a socketpair on the worker's descriptor 3). Host byte order: both ends are on one machine and, but for an upgrade, of one build.
 * Bodies only grow at their end.
 */
#include <stdint.h>
#include "lib/base/error.h"
#include "lib/base/parse.h"

#define KP_MAGIC 0x61726e01u /* "arn", version 1 */

enum kp_type {
	/* arniad -> keeper */
	KP_HELLO = 1, /* kp_hello. The keeper answers KP_HELLO, a KP_CONTAINER (with descriptors) per process it holds,
		       * KP_EXIT per exit not yet forgotten, a KP_JOB (no descriptors) per job still running for an earlier
		       * arniad, then KP_SYNCED. Such a job has a new seq with its highest bit set, for KP_CANCEL and in its
		       * KP_RESULT. Prepared workers of an earlier arniad are ended, its queued jobs dropped, the exits of
		       * its execs forgotten. */
	KP_JOB, /* kp_job + descriptors in the order of enum kp_job_fd bits that are set */
	KP_CANCEL, /* seq = the job's: SIGKILL its worker; KP_RESULT follows with -ECANCELED */
	KP_ATTACH, /* kp_attach + the session socket (lib/base/session.h); SESSION_GONE on it when there is no such process */
	KP_FORGET, /* kp_ref: the exit is on record elsewhere; drop exit/ID */
	KP_GIVE, /* kp_container + descriptors: arniad returns what a dead keeper held. Ignored when the id is known */
	KP_SPARES, /* kp_spares: how many plain workers to keep pre-started */
	KP_SHUTDOWN, /* end: workers are killed, descriptors closed; containers are left as they are */
	KP_REEXEC, /* replace the keeper's program in place (execve), keeping pid, children and descriptors. The new one says
		    * KP_HELLO unasked; one that cannot take over is not run, and nothing is said */

	/* a service manager's process, or a keeper that came too late -> keeper (run/service.sock, root only); answered by
	 * the same type with kp_hello */
	KP_SERVE = 16, /* [listening socket]: serve clients, by this socket when there is one */
	KP_REST, /* end arniad, serve nobody until the next KP_SERVE, end with the last process held; at once when there is
		  * none, then without an answer */

	/* keeper -> arniad */
	KP_SYNCED = 32,
	KP_CONTAINER, /* kp_container + descriptors by enum kp_fd bits: on adoption and at HELLO. Duplicates: arniad closes its own.
		       * Never KP_FD_IN: a second writer would keep the program from seeing the end of its input. Sent again,
		       * with the master, when a console came after the adoption */
	KP_EXIT, /* kp_exit; never before the KP_RESULT of the job that made the process. After a failed job nothing is
		  * recorded, and nothing is there to forget */
	KP_RESULT, /* kp_result: a job ended (or a prepare job is ready: worker != 0; a second one, with an error, says that
		    * the prepared worker is gone) */
	KP_PROGRESS, /* text of a long job, NUL-terminated */

	/* worker -> keeper, seq = the job's */
	KW_READY = 64, /* can take a job */
	KW_ADOPT, /* kp_container + descriptors: a child was cloned (CLONE_PARENT), before it is let go */
	KW_MASTER, /* kp_ref + console pty master of a container adopted before */
	KW_RESULT, /* kp_result */
	KW_PROGRESS, /* text */
	/* of a worker of arnia-oci, to it */
	KW_HOOKS, /* all is mounted, the root not yet entered: the hooks of the runtime's namespace are due. Answered by KW_GO */
	KW_LISTENER, /* [descriptor]: of the program's seccomp filter. Answered by KW_GO */
	/* keeper -> worker */
	KW_JOB = 96, /* kp_job + the same descriptors, the session excepted */
	/* arnia-oci -> its worker: go on. Also the answer to its KW_ADOPT */
	KW_GO,
};

enum kp_job_fd { /* bit set in kp_job.fds; descriptors travel in this order */
	KP_FD_PLAN = 1, /* sealed memfd, always */
	KP_FD_SESSION = 2, /* client's session socket; stays in the keeper */
	KP_FD_STDIN = 4, /* the client's own stdio for an exec without tty */
	KP_FD_STDOUT = 8,
	KP_FD_STDERR = 16,
	KP_FD_TARGET = 32, /* pidfd of the container's init (exec) */
	KP_FD_START = 64, /* a start that halts: its listening socket */
	KP_FD_CGROUP = 128, /* of arnia-oci: where the new process is to be born */
};
enum kp_fd { /* bit set in kp_container.fds */
	KP_FD_PIDFD = 1, /* always */
	KP_FD_IN = 2, /* write end of the program's stdin pipe */
	KP_FD_OUT = 4, /* read ends of its stdout and stderr pipes */
	KP_FD_ERR = 8,
	KP_FD_MASTER = 16, /* console pty master */
};
enum kp_role { KP_ROLE_CONTAINER = 1, KP_ROLE_EXEC = 2 };

struct kp_hello {
	uint32_t version; /* of the program, major << 16 | minor << 8 | patch */
	int32_t pid;
};
struct kp_job {
	uint32_t kind; /* enum plan_kind; the keeper only passes it on */
	uint32_t fds; /* enum kp_job_fd */
	uint32_t worker; /* a prepared worker's number, or 0 = any */
	uint32_t flags; /* KP_JOB_* */
	char id[ID_LEN + 1 + 7]; /* container, or exec */
};
#define KP_JOB_KEEP 1u /* prepare: the worker stays for a later KP_JOB naming it */
#define KP_JOB_LESS 4u /* it takes something away: done also when the keeper is short of descriptors */
#define KP_JOB_STDIN 2u /* the session's input goes to the program's stdin (else it is closed at once) */
struct kp_spares {
	uint32_t n;
};
struct kp_ref {
	char id[ID_LEN + 1 + 7];
};
struct kp_attach {
	char id[ID_LEN + 1 + 7];
	uint32_t want_stdin;
	uint16_t rows, cols; /* 0 = leave */
};
struct kp_container {
	char id[ID_LEN + 1 + 7];
	uint32_t role; /* enum kp_role */
	uint32_t fds; /* enum kp_fd */
	int32_t pid;
	uint32_t tty;
	uint64_t start; /* proc_pid_stat(5) field 22 */
	uint64_t log_max; /* bytes of log and log.1 together; 0 = no log */
	char container[ID_LEN + 1 + 7]; /* role EXEC: where it runs */
};
struct kp_exit {
	char id[ID_LEN + 1 + 7];
	uint32_t role;
	int32_t pid;
	int32_t code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED; 0 = unknown (the keeper that was its parent died) */
	int32_t status; /* exit status or signal */
	uint64_t time_ns; /* real time */
	char container[ID_LEN + 1 + 7];
};
struct kp_result {
	uint32_t worker; /* prepared worker's number, else 0 */
	int32_t pid; /* of the started process, or 0 */
	uint32_t again; /* worker -> keeper: 1 = it can take another job (then no KW_READY follows) */
	uint32_t data_len; /* bytes of text behind this struct, NUL-terminated: a job's answer. One too long for a frame comes before, as
			    * KW_PROGRESS pieces to be put together; then this is 0 */
	struct error error; /* code 0 = success */
	char id[ID_LEN + 1 + 7];
	uint32_t left; /* 1 = a start failed and could not be undone (its worker had entered the cell): PLAN_DESTROY of the same plan is due */
};

/* Descriptors a worker is started with. */
#define KW_FD_KEEPER 3 /* socketpair to the keeper */
#define KW_FD_HOSTNS 4 /* the host's mount namespace */
#define KW_FD_INIT 5 /* sealed memfd holding arnia-init: a container cannot overwrite it (CVE-2019-5736) */

#endif
