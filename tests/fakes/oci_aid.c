/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands at the other ends of an OCI runtime in tests, and looks at what a shell cannot see:
 *
 *	oci_aid fds SOCKET		takes one message: its text, then what each descriptor is, a line each
 *	oci_aid tty SOCKET [TEXT]	takes a terminal's master, types TEXT, and shows what comes until it is closed
 *	oci_aid pidfd SOCKET FILE	takes a process; kills it once FILE is there
 *	oci_aid say SOCKET TEXT		connects to a socket of packets, and sends TEXT if there is any
 *	oci_aid notify SOCKET ERRNO	takes a seccomp listener, shows its state, and answers each call with ERRNO
 *					(0: let it go on)
 *	oci_aid addfd SOCKET PATH FILE	the same; to an open(2) of PATH it answers with a descriptor of FILE, in one act, to others that
 *					they go on. Says whether the caller was still there when its memory had been read
 *	oci_aid drop SOCKET		takes a seccomp listener, and ends with the first call, which it does not answer
 *	oci_aid manager SOCKET N	takes N messages of sd_notify(3): who sent each (its name, if it is still there), the text, its descriptors
 *	oci_aid ready TEXT...		inside: says each to NOTIFY_SOCKET
 *	oci_aid look			inside: session keyring, scheduler, I/O priority, memory policy, parent death signal
 *	oci_aid open FILE FLAGS		inside: open(2) with FLAGS (r, w), and what it says
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 8

struct message {
	char text[65536];
	int fds[FDS_MAX];
	size_t n_fds;
};

static int wait_for_peer(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;

	/* Who sees the name can connect to it. */
	snprintf(at.sun_path, sizeof(at.sun_path), "%s-", path);
	if (s < 0 || bind(s, (void *)&at, sizeof(at)) < 0 || listen(s, 1) < 0 || rename(at.sun_path, path) < 0) {
		perror(path);
		exit(1);
	}
	peer = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	close(s);
	unlink(path);
	return peer;
}

static void take(int s, struct message *m)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	struct iovec v = {m->text, sizeof(m->text) - 1};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(s, &h, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	m->text[n > 0 ? n : 0] = '\0';
	m->n_fds = 0;
	if (c && c->cmsg_type == SCM_RIGHTS) {
		m->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
	}
}

static int show_fds(const char *path)
{
	static struct message m;

	take(wait_for_peer(path), &m);
	printf("text %s\n", m.text);
	for (size_t i = 0; i < m.n_fds; i++) {
		char link[64], what[256];
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", m.fds[i]);
		n = readlink(link, what, sizeof(what) - 1);
		what[n > 0 ? n : 0] = '\0';
		printf("fd %s\n", what);
	}
	return 0;
}

static int kill_by_pidfd(const char *path, const char *go)
{
	static struct message m;

	take(wait_for_peer(path), &m);
	printf("%s %zu\n", m.text, m.n_fds);
	fflush(stdout);
	if (m.n_fds != 1)
		return 1;
	while (access(go, F_OK) < 0)
		poll(NULL, 0, 50);
	return syscall(SYS_pidfd_send_signal, m.fds[0], SIGKILL, NULL, 0) < 0;
}

static int say(const char *path, const char *text)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s", path) >= (int)sizeof(at.sun_path) || s < 0 ||
	    connect(s, (void *)&at, sizeof(at)) < 0 || (*text && send(s, text, strlen(text), MSG_NOSIGNAL) < 0)) {
		perror(path);
		return 1;
	}
	return 0;
}

/* The message's control data, beside descriptors: who has sent it. */
static int manage(const char *path, int n)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0 || bind(s, (void *)&at, sizeof(at)) < 0) {
		perror(path);
		return 1;
	}
	while (n--) {
		char text[4096], room[256], who[64] = "gone", name[48];
		struct iovec v = {text, sizeof(text) - 1};
		struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
		ssize_t got = recvmsg(s, &h, MSG_CMSG_CLOEXEC);
		size_t fds = 0;

		text[got > 0 ? got : 0] = '\0';
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
			struct ucred cred;
			FILE *f;

			if (c->cmsg_type == SCM_CREDENTIALS) {
				memcpy(&cred, CMSG_DATA(c), sizeof(cred));
				snprintf(name, sizeof(name), "/proc/%d/comm", cred.pid);
				f = fopen(name, "re");
				if (f && fgets(who, sizeof(who), f))
					who[strcspn(who, "\n")] = '\0';
				if (f)
					fclose(f);
			} else {
				fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
				for (size_t i = 0; i < fds; i++)
					close(((int *)CMSG_DATA(c))[i]);
			}
		}
		for (char *p = text; *p; p++)
			*p = *p == '\n' ? '|' : *p;
		printf("%s: %s%s\n", who, text, fds ? " +fd" : "");
		fflush(stdout);
	}
	unlink(path);
	return 0;
}

static int say_ready(char **texts)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", getenv("NOTIFY_SOCKET") ? getenv("NOTIFY_SOCKET") : "");
	for (; *texts; texts++)
		if (sendto(s, *texts, strlen(*texts), MSG_NOSIGNAL, (void *)&at, sizeof(at)) < 0) {
			perror(at.sun_path);
			r = 1;
		}
	return r;
}

static int relay_tty(const char *path, const char *typed)
{
	static struct message m;
	char buf[4096];
	ssize_t n;

	take(wait_for_peer(path), &m);
	if (m.n_fds != 1)
		return 1;
	printf("text %s\n", m.text);
	fflush(stdout);
	if (typed && write(m.fds[0], typed, strlen(typed)) < 0)
		return 1;
	while ((n = read(m.fds[0], buf, sizeof(buf))) > 0)
		if (write(1, buf, (size_t)n) < 0)
			return 1;
	return 0;
}

/* The listener, after its state is shown; -1 without one. */
static int take_listener(const char *path)
{
	static struct message m;

	take(wait_for_peer(path), &m);
	printf("%s\n", m.text);
	fflush(stdout);
	return m.n_fds ? m.fds[0] : -1;
}

/* Whether there is one, until nobody is left to call. */
static int next_call(int listener, struct seccomp_notif *call)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	do {
		if (poll(&p, 1, -1) < 0 || !(p.revents & POLLIN))
			return 0;
		memset(call, 0, sizeof(*call));
	} while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call) < 0);
	return 1;
}

static void answer_call(int listener, const struct seccomp_notif *call, int error)
{
	struct seccomp_notif_resp answer = {
		.id = call->id, .error = -error, .flags = error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static int serve_filter(const char *path, int error)
{
	struct seccomp_notif call;
	int listener = take_listener(path);

	if (listener < 0)
		return 1;
	while (next_call(listener, &call)) {
		printf("call %d\n", call.data.nr);
		fflush(stdout);
		answer_call(listener, &call, error);
	}
	return 0;
}

/* seccomp_unotify(2): what was read is the caller's only if it is there still, afterwards. */
static int read_path(int listener, const struct seccomp_notif *call, char *buf, size_t size)
{
	char mem[48];
	int fd;
	ssize_t n;

	snprintf(mem, sizeof(mem), "/proc/%u/mem", call->pid);
	fd = open(mem, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, buf, size - 1, (off_t)call->data.args[1]);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id);
}

static int serve_opens(const char *path, const char *name, const char *file)
{
	struct seccomp_notif call;
	int listener = take_listener(path), given = open(file, O_RDONLY | O_CLOEXEC);

	if (listener < 0 || given < 0)
		return 1;
	while (next_call(listener, &call)) {
		struct seccomp_notif_addfd add = {.id = call.id,
						  .flags = SECCOMP_ADDFD_FLAG_SEND,
						  .srcfd = (uint32_t)given,
						  .newfd_flags = O_CLOEXEC};
		char asked[256];
		int r = read_path(listener, &call, asked, sizeof(asked));

		if (r < 0 || strcmp(asked, name) != 0) {
			answer_call(listener, &call, 0);
			continue;
		}
		r = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
		printf("valid, descriptor %d\n", r);
		printf("afterwards %s\n",
		       ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) < 0 ? strerrorname_np(errno) : "valid");
		fflush(stdout);
	}
	return 0;
}

static int drop_listener(const char *path)
{
	struct seccomp_notif call;
	int listener = take_listener(path);

	return listener < 0 || !next_call(listener, &call);
}

static int look(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} sched = {.size = sizeof(sched)};
	unsigned long nodes = 0;
	int mode = 0, death = 0;
	long io = syscall(SYS_ioprio_get, 1, 0);

	printf("keyring %ld\n", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
	syscall(SYS_sched_getattr, 0, &sched, sizeof(sched), 0);
	printf("sched policy %u nice %d priority %u flags %llu\n", sched.policy, sched.nice, sched.priority,
	       (unsigned long long)sched.flags);
	printf("ioprio class %ld priority %ld\n", io >> 13, io & 7);
	if (syscall(SYS_get_mempolicy, &mode, &nodes, sizeof(nodes) * 8, NULL, 0) < 0)
		printf("mempolicy %s\n", strerror(errno));
	else
		printf("mempolicy mode %d nodes %lx\n", mode, nodes);
	prctl(PR_GET_PDEATHSIG, &death);
	printf("pdeathsig %d\n", death);
	return 0;
}

static int try_open(const char *path, const char *how)
{
	int fd = open(path, (*how == 'w' ? O_WRONLY : O_RDONLY) | O_NONBLOCK);

	puts(fd < 0 ? strerrorname_np(errno) : "ok");
	return fd < 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (argc > 2 && strcmp(verb, "fds") == 0)
		return show_fds(argv[2]);
	if (argc > 2 && strcmp(verb, "tty") == 0)
		return relay_tty(argv[2], argv[3]);
	if (argc > 3 && strcmp(verb, "pidfd") == 0)
		return kill_by_pidfd(argv[2], argv[3]);
	if (argc > 3 && strcmp(verb, "say") == 0)
		return say(argv[2], argv[3]);
	if (argc > 3 && strcmp(verb, "notify") == 0)
		return serve_filter(argv[2], atoi(argv[3]));
	if (argc > 4 && strcmp(verb, "addfd") == 0)
		return serve_opens(argv[2], argv[3], argv[4]);
	if (argc > 2 && strcmp(verb, "drop") == 0)
		return drop_listener(argv[2]);
	if (argc > 3 && strcmp(verb, "open") == 0)
		return try_open(argv[2], argv[3]);
	if (argc > 3 && strcmp(verb, "manager") == 0)
		return manage(argv[2], atoi(argv[3]));
	if (argc > 2 && strcmp(verb, "ready") == 0)
		return say_ready(argv + 2);
	if (strcmp(verb, "look") == 0)
		return look();
	fprintf(stderr, "usage: oci_aid fds|tty|pidfd|say|notify|addfd|drop|look|open ...\n");
	return 2;
}
