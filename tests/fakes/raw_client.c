/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that does not keep to the protocol, for tests:
 *
 *	raw_client [-u UID] [-g GID] [-G GID] [-q] [-m MS] SOCKET MODE [ARG]
 *
 * -u, -g, -G: the user, group and other group to connect as; -q: a SEQPACKET socket; -m: give up after so
 *long without an answer (2000). talk	     standard input goes out as it is; each answer is printed on a
 *line; ends MS after the last one half	     the same, and the sending side is closed after the input slow N
 *N connections send one byte of a request each, and one more now and then, until input ends idle N N
 *connections that say nothing, until input ends; N lines "open" or "closed" then connects N   N connections,
 *one after another, closed at once endless N    N bytes without an end; "sent BYTES", and how the connection
 *ended deep N	     N opening brackets, then as talk
 *	deaf N	     N connections send standard input and never read, until "go on" is closed (descriptor 3)
 *	leave N	     N times: send standard input, read one byte of the answer, close
 *	reset N	     N times: send standard input, close without reading
 *	fds N M	     N times: standard input with M descriptors of /dev/null
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_MAX (8 << 20)
#define FDS_MAX 253 /* of one message: SCM_MAX_FD */
#define SLOW_MS 200

static struct {
	struct sockaddr_un to;
	int type, quiet_ms;
	char *input;
	size_t input_len;
} opt = {.type = SOCK_STREAM, .quiet_ms = 2000};

static int try_connect(void)
{
	int s = socket(AF_UNIX, opt.type | SOCK_CLOEXEC, 0);

	if (s < 0)
		err(3, "socket");
	if (connect(s, (struct sockaddr *)&opt.to, sizeof(opt.to)) < 0) {
		close(s);
		return -1;
	}
	return s;
}

static int must_connect(void)
{
	int s = try_connect();

	if (s < 0)
		err(4, "connect");
	return s;
}

static void read_input(void)
{
	ssize_t n;

	opt.input = malloc(INPUT_MAX);
	if (!opt.input)
		err(3, "memory");
	while ((n = read(0, opt.input + opt.input_len, INPUT_MAX - opt.input_len)) > 0)
		opt.input_len += (size_t)n;
}

static void print_answers(const char *p, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		putchar(p[i] ? p[i] : '\n');
}

/* Send all and print what comes meanwhile and after. */
static void talk(int s, const char *p, size_t n, int half)
{
	static char buf[65536];
	const char *how = "quiet";

	for (;;) {
		struct pollfd pf = {.fd = s, .events = POLLIN | (n ? POLLOUT : 0)};
		ssize_t got;

		if (poll(&pf, 1, opt.quiet_ms) <= 0)
			break;
		if (pf.revents & POLLIN) {
			got = recv(s, buf, sizeof(buf), MSG_DONTWAIT);
			if (got == 0 || (got < 0 && errno != EAGAIN)) {
				how = got ? "reset" : "closed";
				break;
			}
			print_answers(buf, got);
			continue;
		}
		if (pf.revents & (POLLHUP | POLLERR)) {
			how = "closed";
			break;
		}
		got = send(s, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (got < 0 && errno != EAGAIN) {
			how = "reset";
			break;
		}
		p += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
		if (!n && half)
			shutdown(s, SHUT_WR);
	}
	fflush(stdout);
	fprintf(stderr, "%s\n", how);
}

static int input_ended(int fd, int ms)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&pf, 1, ms) > 0 && read(fd, &c, 1) <= 0;
}

static int *connect_many(long n)
{
	int *s = calloc((size_t)n, sizeof(*s));

	if (!s)
		err(3, "memory");
	for (long i = 0; i < n; i++)
		s[i] = must_connect();
	return s;
}

static int is_open(int s)
{
	char c;
	ssize_t n = recv(s, &c, 1, MSG_DONTWAIT | MSG_PEEK);

	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void report_open(const int *s, long n)
{
	long open = 0;

	for (long i = 0; i < n; i++)
		open += is_open(s[i]);
	printf("%ld open, %ld closed\n", open, n - open);
}

static void hold(long n, int slow)
{
	static const char text[] = "{\"method\":\"io.arnia.Version\",\"parameters\":{}}";
	int *s = connect_many(n);
	size_t at = 0;

	puts("connected");
	fflush(stdout);
	do {
		for (long i = 0; slow && i < n; i++)
			(void)!send(s[i], &text[at % (sizeof(text) - 1)], 1, MSG_NOSIGNAL);
		at++;
	} while (!input_ended(0, slow ? SLOW_MS : -1));
	report_open(s, n);
}

static void connects(long n)
{
	long ok = 0;

	for (long i = 0; i < n; i++) {
		int s = try_connect();

		ok += s >= 0;
		close(s);
	}
	printf("%ld connected\n", ok);
}

static void endless(long n)
{
	static char block[1 << 20];
	int s = must_connect();
	long sent = 0;

	memset(block, 'x', sizeof(block));
	while (sent < n) {
		ssize_t w = send(s, block, sizeof(block), MSG_NOSIGNAL);

		if (w < 0)
			break;
		sent += w;
	}
	printf("sent %ld, %s\n", sent, sent < n ? strerror(errno) : "all");
}

static void deep(long n)
{
	char *p = malloc((size_t)n + 1);

	if (!p)
		err(3, "memory");
	memset(p, '[', (size_t)n);
	p[n] = '\0';
	talk(must_connect(), p, (size_t)n + 1, 0);
}

static void deaf(long n)
{
	int *s = connect_many(n);

	for (long i = 0; i < n; i++)
		(void)!send(s[i], opt.input, opt.input_len, MSG_DONTWAIT | MSG_NOSIGNAL);
	puts("connected");
	fflush(stdout);
	while (!input_ended(3, -1))
		;
	report_open(s, n);
}

static void leave(long n, int read_some)
{
	char c;

	for (long i = 0; i < n; i++) {
		int s = must_connect();

		(void)!send(s, opt.input, opt.input_len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (read_some)
			(void)!read(s, &c, 1);
		close(s);
	}
	printf("%ld left\n", n);
}

static void send_fds(long n, long m)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control;
	int fds[FDS_MAX], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	long refused = 0;

	if (m > FDS_MAX || null < 0)
		errx(3, "at most %d descriptors", FDS_MAX);
	for (long i = 0; i < m; i++)
		fds[i] = null;
	for (long i = 0; i < n; i++) {
		struct iovec iov = {opt.input, opt.input_len};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
		int s = must_connect();
		char c;

		memset(&control, 0, sizeof(control));
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)m);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)m);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * (size_t)m);
		if (sendmsg(s, &msg, MSG_NOSIGNAL) < 0)
			err(3, "sendmsg");
		refused += read(s, &c, 1) <= 0;
		close(s);
	}
	printf("%ld of %ld refused\n", refused, n);
}

/* From its folder: the ids that it will be used with may not get there. */
static void set_address(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash) {
		*slash = '\0';
		if (chdir(*path ? path : "/") < 0)
			err(3, "%s", path);
		path = slash + 1;
	}
	if (strlen(path) >= sizeof(opt.to.sun_path))
		errx(2, "%s: too long", path);
	opt.to.sun_family = AF_UNIX;
	strcpy(opt.to.sun_path, path);
}

static void become(long uid, long gid, long other)
{
	gid_t g = (gid_t)gid, groups[] = {(gid_t)other};

	if (gid >= 0 && (setgroups(other >= 0, groups) < 0 || setresgid(g, g, g) < 0))
		err(3, "setgid");
	if (uid >= 0 && setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
		err(3, "setuid");
}

static void run(const char *mode, long n, long m)
{
	if (!strcmp(mode, "slow") || !strcmp(mode, "idle"))
		hold(n, mode[0] == 's');
	else if (!strcmp(mode, "connects"))
		connects(n);
	else if (!strcmp(mode, "endless"))
		endless(n);
	else if (!strcmp(mode, "deep"))
		deep(n);
	else if (read_input(), !strcmp(mode, "talk") || !strcmp(mode, "half"))
		talk(must_connect(), opt.input, opt.input_len, mode[0] == 'h');
	else if (!strcmp(mode, "deaf"))
		deaf(n);
	else if (!strcmp(mode, "leave") || !strcmp(mode, "reset"))
		leave(n, mode[0] == 'l');
	else if (!strcmp(mode, "fds"))
		send_fds(n, m);
	else
		errx(2, "unknown mode %s", mode);
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	long uid = -1, gid = -1, other = -1;
	int c;

	while ((c = getopt(argc, argv, "u:g:G:qm:")) >= 0) {
		if (c == 'u')
			uid = atol(optarg);
		else if (c == 'g')
			gid = atol(optarg);
		else if (c == 'G')
			other = atol(optarg);
		else if (c == 'q')
			opt.type = SOCK_SEQPACKET;
		else if (c == 'm')
			opt.quiet_ms = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 2)
		errx(2, "usage: raw_client [-u UID] [-g GID] [-G GID] [-q] [-m MS] SOCKET MODE [ARG]");
	set_address(argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	become(uid, gid, other);
	run(argv[optind + 1], argc - optind > 2 ? atol(argv[optind + 2]) : 0,
	    argc - optind > 3 ? atol(argv[optind + 3]) : 0);
	return 0;
}
