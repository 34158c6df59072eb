/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cmd/arnia/attach.h"
#include "cmd/arnia/tty.h"
#include "lib/base/fd.h"
#include "lib/base/sock.h"
#include "lib/base/time.h"

/* After the daemon said that all is over, the session's own word is due. */
#define LAST_WORD_MS 2000

enum { P_SESSION, P_INPUT, P_SIGNALS, P_MASTER, P_OUT, P_ERR, P_SINK, P_WATCH, P_COUNT };

struct attach_io {
	struct attach *a;
	int signals, master;
	bool input_ended, eof_due; /* no more to read; the other side is still to be told */
	bool exited;		   /* the exit came; what the terminal still holds is printed before we end */
	bool over;
	int sink; /* the terminal or pipe that takes what is typed; -1 = the session */
	/* Typed, and not taken by the other side yet. As a datagram: type byte first. */
	char out[1 + SESSION_DATA];
	size_t out_len, out_from;
	int (*on_signal)(struct attach *a, int sig);
	struct error *err;
	int code;
};

static void end(struct attach_io *io, enum attach_end how)
{
	if (!io->over)
		io->a->end = how;
	io->over = true;
}

static void gone(struct attach_io *io, const char *why, size_t n)
{
	memcpy(io->a->why, why, MIN(n, sizeof(io->a->why) - 1));
	end(io, ATTACH_GONE);
}

static void fail(struct attach_io *io, int code, const char *what)
{
	io->code = err_sys(io->err, code, "%s", what);
	io->over = true;
}

static void write_out(struct attach_io *io, int fd, const char *p, size_t n)
{
	int r = fd_write_wait(fd, p, n);

	if (r == -EPIPE) {
		/* Nobody wants its output: the guest is told as it would be in a pipeline. */
		(void)io->on_signal(io->a, SIGPIPE);
		io->a->signal = SIGPIPE;
		end(io, ATTACH_SIGNALLED);
	} else if (r < 0) {
		fail(io, r, "write to standard output");
	}
}

static void take_master(struct attach_io *io, int *fd)
{
	if (*fd < 0 || io->master >= 0)
		return;
	io->master = fd_steal(fd);
	fd_nonblock(io->master, true);
	io->sink = io->master;
}

static void take_exit(struct attach_io *io, const char *p, size_t n)
{
	if (n < sizeof(io->a->exit)) {
		gone(io, "malformed exit message", 22);
		return;
	}
	memcpy(&io->a->exit, p, sizeof(io->a->exit));
	io->a->end = ATTACH_EXITED;
	io->exited = true;
	io->over = io->master < 0 && io->a->local[1] < 0 && io->a->local[2] < 0;
}

static void session_ready(struct attach_io *io)
{
	char buf[1 + SESSION_DATA];
	int fd = -1;
	size_t nfds = 1;
	long n = sock_recv_fds(io->a->session, buf, sizeof(buf), &fd, &nfds, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		io->a->broken = !io->exited;
		if (!io->exited)
			gone(io, "the session was closed", 22);
		return;
	}
	switch (buf[0]) {
	case SESSION_OUT:
		write_out(io, STDOUT_FILENO, buf + 1, (size_t)n - 1);
		break;
	case SESSION_ERR:
		write_out(io, STDERR_FILENO, buf + 1, (size_t)n - 1);
		break;
	case SESSION_MASTER:
		take_master(io, &fd);
		break;
	case SESSION_EXIT:
		take_exit(io, buf + 1, (size_t)n - 1);
		break;
	case SESSION_GONE:
		gone(io, buf + 1, (size_t)n - 1);
		break;
	}
	fd_close(&fd);
}

/* The guest's terminal, or our end of a pipe in place of standard output or error. The end of a terminal
 * is EIO once nobody has its other side open (pty(7)). */
static void output_ready(struct attach_io *io, int *fd, int to)
{
	char buf[SESSION_DATA];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n > 0)
		write_out(io, to, buf, (size_t)n);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (*fd == io->sink)
		io->sink = -1;
	fd_close(fd);
}

/* n bytes wait in io->out, behind the type byte. */
static void put_in(struct attach_io *io, size_t n)
{
	io->out[0] = SESSION_IN;
	io->out_from = io->sink >= 0 ? 1 : 0;
	io->out_len = n ? n + 1 : 0;
}

static void input_ready(struct attach_io *io)
{
	char *p = io->out + 1;
	ssize_t n = read(STDIN_FILENO, p, SESSION_DATA);
	size_t pass = 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		io->input_ended = io->eof_due = true;
		return;
	}
	if (keys_typed(&io->a->keys, p, (size_t)n, time_mono_ms(), &pass))
		end(io, ATTACH_LEFT);
	put_in(io, pass);
}

/* 0 = all is taken, -EAGAIN = later. */
static int push(struct attach_io *io)
{
	while (io->out_len) {
		ssize_t n = io->sink >= 0
				    ? write(io->sink, io->out + io->out_from, io->out_len - io->out_from)
				    : send(io->a->session, io->out, io->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return -EAGAIN;
		/* The reading side tells why it is gone. */
		if (n < 0 || io->sink < 0)
			io->out_len = 0;
		else
			io->out_from += (size_t)n;
		if (io->out_from >= io->out_len)
			io->out_len = 0;
	}
	return 0;
}

/* A terminal's end of input is a character. */
static void push_eof(struct attach_io *io)
{
	io->eof_due = false;
	if (io->a->tty) {
		io->out[1] = 4;
		put_in(io, 1);
		push(io);
	} else if (io->sink >= 0) {
		io->sink = -1;
		fd_close(&io->a->local[0]);
	} else {
		(void)send(io->a->session, (char[]){ SESSION_IN_EOF }, 1, MSG_NOSIGNAL);
	}
}

static void new_size(struct attach_io *io)
{
	char message[1 + sizeof(struct session_size)] = { SESSION_SIZE };
	struct session_size size;
	struct winsize w;

	if (!io->a->tty || !tty_size(&size))
		return;
	if (io->master >= 0) {
		w = (struct winsize){ .ws_row = size.rows, .ws_col = size.cols };
		ioctl(io->master, TIOCSWINSZ, &w);
		return;
	}
	memcpy(message + 1, &size, sizeof(size));
	(void)send(io->a->session, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void signals_ready(struct attach_io *io)
{
	struct tty t = { .signals = io->signals };
	int sig = tty_signal(&t);

	if (sig == SIGWINCH)
		new_size(io);
	else if (sig && io->on_signal(io->a, sig))
		io->over = true;
}

static void watch_ready(struct attach_io *io)
{
	struct attach *a = io->a;
	bool more = false;

	if (rpc_client_next(a->watch, &a->answer, &more, -1, io->err) < 0)
		a->watch_lost = true;
}

static void prepare(struct attach_io *io, struct pollfd p[P_COUNT])
{
	const struct attach *a = io->a;
	/* An exec's terminal is not there from the first moment. */
	bool can_type = a->input && !io->input_ended && !io->out_len && !io->exited &&
			(!a->pass_master || io->master >= 0);
	bool watched = a->watch && !a->answer && !a->watch_lost;

	p[P_SESSION] = (struct pollfd){ io->exited ? -1 : a->session, POLLIN, 0 };
	p[P_INPUT] = (struct pollfd){ can_type ? STDIN_FILENO : -1, POLLIN, 0 };
	p[P_SIGNALS] = (struct pollfd){ io->signals, POLLIN, 0 };
	p[P_MASTER] = (struct pollfd){ io->master, POLLIN, 0 };
	p[P_OUT] = (struct pollfd){ a->local[1], POLLIN, 0 };
	p[P_ERR] = (struct pollfd){ a->local[2], POLLIN, 0 };
	p[P_SINK] = (struct pollfd){ io->out_len ? io->sink : -1, POLLOUT, 0 };
	p[P_WATCH] = (struct pollfd){ watched ? rpc_client_fd(a->watch) : -1, POLLIN, 0 };
	if (io->out_len && io->sink < 0)
		p[P_SESSION].events |= POLLOUT;
}

/* False: nothing came. */
static bool outputs_ready(struct attach_io *io, const struct pollfd p[P_COUNT])
{
	if (p[P_MASTER].revents)
		output_ready(io, &io->master, STDOUT_FILENO);
	if (p[P_OUT].revents)
		output_ready(io, &io->a->local[1], STDOUT_FILENO);
	if (p[P_ERR].revents)
		output_ready(io, &io->a->local[2], STDERR_FILENO);
	return p[P_MASTER].revents || p[P_OUT].revents || p[P_ERR].revents;
}

/* Everything that is ready, output before input. */
static void turn(struct attach_io *io)
{
	struct pollfd p[P_COUNT];
	/* After the exit, only what is there already: others may hold it open. */
	int r, timeout = io->exited ? 0 : io->a->answer ? LAST_WORD_MS : -1;

	prepare(io, p);
	r = poll(p, P_COUNT, timeout);
	if (r < 0 && errno != EINTR)
		fail(io, -errno, "wait for the session");
	if (r < 0)
		return;
	if (r == 0 && !io->exited)
		gone(io, "no exit status came", 19);
	if (!outputs_ready(io, p) && io->exited)
		io->over = true;
	if (p[P_SESSION].revents & (POLLIN | POLLHUP | POLLERR))
		session_ready(io);
	if (p[P_WATCH].revents)
		watch_ready(io);
	if (p[P_SIGNALS].revents)
		signals_ready(io);
	if (p[P_INPUT].revents && !io->over)
		input_ready(io);
	if (push(io) == 0 && io->eof_due)
		push_eof(io);
}

int attach_io_loop(struct attach *a, int signals, int (*on_signal)(struct attach *a, int sig),
		   struct error *err)
{
	struct attach_io *io = mem_alloc(sizeof(*io));
	int code;

	*io = (struct attach_io){ .a = a,
				  .signals = signals,
				  .master = -1,
				  .sink = a->local[0],
				  .on_signal = on_signal,
				  .err = err };
	while (!io->over)
		turn(io);
	code = io->code;
	fd_close(&io->master);
	free(io);
	return code;
}
