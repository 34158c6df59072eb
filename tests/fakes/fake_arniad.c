/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon that has no machines and answers as if it had: fake_arniad DIR serves DIR/run/arnia.sock for the
 * tests of the command line. Each request is written to DIR/requests (method, space, parameters, newline).
 * Names choose the answer: see machine_of.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/session.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc.h"
#include "tests/fakes/fake_arniad.h"
#include "tests/fakes/fake_guest.h"

void fake_note(struct rpc_call *c, const char *method)
{
	const struct fake *f = rpc_arg(c);
	auto_free char *params = json_text(rpc_params(c), false);

	dprintf(f->requests, "%s %s\n", method, params);
}

void fake_fail(struct rpc_call *c, int code, enum err_kind kind, const char *text, const char *hint)
{
	struct error err;

	err_set_kind(&err, code, kind, "%s", text);
	if (hint)
		err_hint(&err, "%s", hint);
	rpc_fail(c, &err);
}

const char *fake_name_of(struct rpc_call *c)
{
	const char *name = "";

	json_get_str(rpc_params(c), "name", &name, NULL);
	return name;
}

static json *exit_record(int code, int sig)
{
	json *x = json_new_obj();

	if (code >= 0)
		json_add_i64(x, "code", code);
	else
		json_add_str(x, "signal", sigabbrev_np(sig));
	json_add_str(x, "cause", code >= 0 ? "exited" : "signal");
	json_add_str(x, "time", "2026-01-31T12:00:00Z");
	return x;
}

static void add_strings(json *o, const char *key, const char *a, const char *b)
{
	json *arr = json_new_arr();

	if (a)
		json_push(arr, json_new_str(a));
	if (b)
		json_push(arr, json_new_str(b));
	json_add(o, key, arr);
}

/* "web" runs, "idle" has stopped, "evil" has escape sequences for a terminal. NULL: there is none of that
 * name. */
static json *machine_of(const char *name)
{
	static const struct {
		const char *name, *id, *state, *image, *label;
	} list[] = {
		{ "web", "00c0ffee00c0ffee", "running", "debian-12", "front" },
		{ "idle", "1111111111111111", "stopped", "busybox", "a,\"b\"" },
		{ "evil", "2222222222222222", "failed", "\033[2Jimage\nline", "\xe2\x80\xae" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		json *m, *ports, *port, *labels;

		if (!str_eq(list[i].name, name))
			continue;
		m = json_new_obj();
		json_add_str(m, "id", list[i].id);
		json_add_str(m, "name", list[i].name);
		json_add_str(m, "image", list[i].image);
		json_add_str(m, "state", list[i].state);
		json_add_str(m, "created", "2026-01-31T12:00:00Z");
		ports = json_new_arr();
		if (i == 0) {
			json_add_i64(m, "pid", 4242);
			json_add_str(m, "started", "2026-01-31T12:00:00Z");
			port = json_new_obj();
			json_add_str(port, "protocol", "tcp");
			json_add_i64(port, "hostPort", 8080);
			json_add_i64(port, "port", 80);
			json_push(ports, port);
		} else {
			json_add(m, "exit", exit_record(i == 1 ? 3 : -1, 9));
		}
		add_strings(m, "addresses", i == 0 ? "10.209.0.2" : NULL, NULL);
		json_add(m, "ports", ports);
		add_strings(m, "command", "sleep", "1");
		labels = json_new_obj();
		json_add_str(labels, "tier", list[i].label);
		json_add(m, "labels", labels);
		json_add_bool(m, "remove", false);
		return m;
	}
	return NULL;
}

/* What a verb meets: "no*" is not there, "busy" in the wrong state, "denied" not allowed, ... True:
 * answered. */
bool fake_answered(struct rpc_call *c)
{
	static const struct {
		const char *name;
		int code;
		enum err_kind kind;
		const char *text, *hint;
	} errors[] = {
		{ "nowhere", -ENOENT, ERR_NOT_FOUND, "nowhere: no such machine", "arnia list" },
		{ "busy", -EBUSY, ERR_STATE, "busy: cannot do that: it is busy", NULL },
		{ "web2", -EBUSY, ERR_STATE, "web2: it is running already", NULL },
		{ "denied", -EPERM, ERR_PERM, "not permitted", NULL },
		{ "full", -EDQUOT, ERR_REFUSED, "no room", NULL },
		{ "old", -EOPNOTSUPP, ERR_UNSUPPORTED, "the kernel has no such thing", NULL },
		{ "broken", -EIO, ERR_FAILED, "rootfs: mount overlay: \033[31mInput/output error", NULL },
		{ "nocmd", -ENOENT, ERR_NO_COMMAND, "sh: no such command", NULL },
		{ "noexec", -EACCES, ERR_CANNOT_RUN, "sh: cannot be run", NULL },
	};
	const char *name = fake_name_of(c);

	if (str_eq(name, "never"))
		return true; /* the call is kept until the client goes */
	if (str_eq(name, "crash"))
		_exit(1);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (str_eq(errors[i].name, name)) {
			fake_fail(c, errors[i].code, errors[i].kind, errors[i].text, errors[i].hint);
			return true;
		}
	return false;
}

static void list(struct rpc_call *c, void *arg)
{
	static const char *const all[] = { "web", "idle", "evil" };
	const json *names = NULL;
	json *out = json_new_obj(), *rows = json_new_arr();

	(void)arg;
	fake_note(c, "List");
	json_get_arr(rpc_params(c), "names", &names, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		bool hit = !names;

		for (size_t k = 0; k < json_len(names); k++)
			hit = hit || str_glob(json_str(json_at(names, k)), all[i]);
		if (hit)
			json_push(rows, machine_of(all[i]));
	}
	/* A running machine that "start" finds running. */
	if (json_len(names) && str_eq(json_str(json_at(names, 0)), "web2")) {
		json *m = machine_of("web");

		json_add_str(m, "name", "web2");
		json_push(rows, m);
	}
	json_add(out, "machines", rows);
	if (json_len(names) && !json_len(rows) && !strpbrk(json_str(json_at(names, 0)), "*?[")) {
		json_unref(out);
		fake_fail(c, -ENOENT, ERR_NOT_FOUND, "no such machine", NULL);
		return;
	}
	rpc_reply(c, out);
}

static void inspect(struct rpc_call *c, void *arg)
{
	json *out, *m = machine_of(fake_name_of(c));

	(void)arg;
	fake_note(c, "Inspect");
	if (!m) {
		if (!fake_answered(c))
			fake_fail(c, -ENOENT, ERR_NOT_FOUND, "no such machine", NULL);
		return;
	}
	out = json_new_obj();
	json_add(out, "machine", m);
	rpc_reply(c, out);
}

static json *made(const json *spec, const char *state)
{
	const char *name = "calm-otter";
	json *out = json_new_obj();

	json_get_str(spec, "name", &name, NULL);
	json_add_str(out, "id", "00c0ffee00c0ffee");
	json_add_str(out, "name", name);
	add_strings(out, "warnings", str_eq(name, "warned") ? "no limit of memory here" : NULL, NULL);
	json_add_str(out, "state", state);
	return out;
}

/* True: answered with what is wrong with the image or the name. */
static bool spec_answered(struct rpc_call *c, const json *spec)
{
	const struct fake *f = rpc_arg(c);
	const char *image = "", *name = "";

	json_get_str(spec, "image", &image, NULL);
	json_get_str(spec, "name", &name, NULL);
	if (str_eq(image, "missing") || (str_eq(image, "unbuilt") && !f->built))
		fake_fail(c, -ENOENT, ERR_NOT_FOUND, "image: no such image", "arnia image build NAME");
	else if (str_eq(name, "web"))
		fake_fail(c, -EEXIST, ERR_STATE, "web: there is a machine of this name", NULL);
	else
		return false;
	return true;
}

static void run(struct rpc_call *c, void *arg)
{
	auto_fd int session = rpc_take_fd(c, 0);
	const json *spec = NULL, *command = NULL;
	const char *word, *more;
	json *out;
	int code;

	(void)arg;
	fake_note(c, "Run");
	json_get_obj(rpc_params(c), "spec", &spec, NULL);
	json_get_arr(spec, "command", &command, NULL);
	if (spec_answered(c, spec))
		return;
	word = json_str(json_at(command, 0));
	more = json_str(json_at(command, 1));
	out = made(spec, "running");
	json_add_i64(out, "pid", 4242);
	if (!rpc_wants_more(c)) {
		rpc_reply(c, out);
		return;
	}
	rpc_reply_more(c, out);
	guest_start(session, rpc_params(c), command);
	if (str_eq(word, "hang"))
		return;
	/* The daemon dies while its machine runs on. */
	if (str_eq(word, "crash"))
		_exit(0);
	code = str_eq(word, "fail") && more ? atoi(more) : str_eq(word, "gone") ? 6 : 0;
	out = made(spec, "stopped");
	json_add(out, "exit", exit_record(str_eq(word, "die") ? -1 : code, more ? atoi(more) : 9));
	rpc_reply(c, out);
}

static void create(struct rpc_call *c, void *arg)
{
	const json *spec = NULL;

	(void)arg;
	fake_note(c, "Create");
	json_get_obj(rpc_params(c), "spec", &spec, NULL);
	if (!spec_answered(c, spec))
		rpc_reply(c, made(spec, "stopped"));
}

static void wait_for(struct rpc_call *c, void *arg)
{
	json *out;

	(void)arg;
	fake_note(c, "Wait");
	if (fake_answered(c))
		return;
	out = json_new_obj();
	json_add_str(out, "state", "stopped");
	json_add(out, "exit", exit_record(str_eq(fake_name_of(c), "killed") ? -1 : 3, 15));
	rpc_reply(c, out);
}

/* Without a terminal: on the given descriptors. With one: a pipe stands for the pty's master. */
static void exec(struct rpc_call *c, void *arg)
{
	auto_fd int session = rpc_take_fd(c, 0), in = rpc_take_fd(c, 1), out_fd = rpc_take_fd(c, 2),
		    err = rpc_take_fd(c, 3);
	auto_free char *word = NULL;
	const json *command = NULL;
	bool tty = false;
	json *out;

	(void)arg;
	fake_note(c, "Exec");
	if (fake_answered(c))
		return;
	json_get_arr(rpc_params(c), "command", &command, NULL);
	json_get_bool(rpc_params(c), "tty", &tty, NULL);
	word = str_dup(json_str(json_at(command, 0)));
	out = json_new_obj();
	json_add_str(out, "id", "3333333333333333");
	json_add_i64(out, "pid", 4243);
	rpc_reply(c, out);
	if (session < 0 || fork() != 0)
		return;
	if (tty) {
		char type = SESSION_MASTER;
		int p[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0) {
			(void)sock_send_fds(session, &type, 1, &p[0], 1);
			dprintf(p[1], "on a terminal: %s\n", word);
			close(p[1]);
		}
	} else if (str_eq(word, "cat")) {
		char buf[4096];
		ssize_t n;

		while ((n = read(in, buf, sizeof(buf))) > 0)
			(void)!write(out_fd, buf, (size_t)n);
	} else {
		dprintf(out_fd, "out: %s tty %d\n", word, isatty(out_fd));
		dprintf(err, "err: %s\n", word);
	}
	guest_say_exit(session, str_eq(word, "die") ? -9 : str_eq(word, "fail") ? 9 : 0);
	_exit(0);
}

static void attach(struct rpc_call *c, void *arg)
{
	auto_fd int session = rpc_take_fd(c, 0);
	bool tty = str_eq(fake_name_of(c), "console");
	json *out;

	(void)arg;
	fake_note(c, "Attach");
	if (fake_answered(c))
		return;
	out = json_new_obj();
	json_add_bool(out, "tty", tty);
	json_add_str(out, "state", "running");
	rpc_reply(c, out);
	if (fork() != 0)
		return;
	if (tty)
		guest_echo_keys(session);
	guest_say(session, SESSION_OUT, "from the console\n");
	guest_say_exit(session, 4);
	_exit(0);
}

static void logs(struct rpc_call *c, void *arg)
{
	const struct fake *f = arg;
	int fds[2] = { f->logs[0], f->logs[str_eq(fake_name_of(c), "torn") ? 2 : 1] };
	json *out;

	fake_note(c, "Logs");
	if (fake_answered(c))
		return;
	out = json_new_obj();
	add_strings(out, "present", "log.1", "log");
	json_add_bool(out, "tty", false);
	json_add_str(out, "state", "running");
	rpc_reply_fds(c, out, fds, 2);
}

static void plain(struct rpc_call *c, const char *method)
{
	json *o;

	fake_note(c, method);
	if (fake_answered(c))
		return;
	o = json_new_obj();
	json_add_str(o, "id", "00c0ffee00c0ffee");
	json_add_i64(o, "pid", 4242);
	json_add_bool(o, "killed", str_eq(fake_name_of(c), "stubborn"));
	rpc_reply(c, o);
}

#define PLAIN(fn, name)                                                                                      \
	static void fn(struct rpc_call *c, void *arg)                                                        \
	{                                                                                                    \
		(void)arg;                                                                                   \
		plain(c, name);                                                                              \
	}
PLAIN(start, "Start")
PLAIN(stop, "Stop")
PLAIN(restart, "Restart")
PLAIN(kill_it, "Kill")
PLAIN(pause_it, "Pause")
PLAIN(resume, "Resume")
PLAIN(remove_it, "Remove")
PLAIN(rename_it, "Rename")
PLAIN(image_remove, "ImageRemove")
PLAIN(host_shutdown, "HostShutdown")

static const struct rpc_method methods[] = {
	{ "io.arnia.Version", fake_version, true },
	{ "io.arnia.List", list, false },
	{ "io.arnia.Inspect", inspect, false },
	{ "io.arnia.Explain", fake_explain, false },
	{ "io.arnia.Create", create, false },
	{ "io.arnia.Start", start, false },
	{ "io.arnia.Run", run, false },
	{ "io.arnia.Stop", stop, false },
	{ "io.arnia.Restart", restart, false },
	{ "io.arnia.Kill", kill_it, false },
	{ "io.arnia.Pause", pause_it, false },
	{ "io.arnia.Resume", resume, false },
	{ "io.arnia.Remove", remove_it, false },
	{ "io.arnia.Wait", wait_for, false },
	{ "io.arnia.Rename", rename_it, false },
	{ "io.arnia.Exec", exec, false },
	{ "io.arnia.Attach", attach, false },
	{ "io.arnia.Logs", logs, false },
	{ "io.arnia.Events", fake_events, false },
	{ "io.arnia.ImageList", fake_image_list, false },
	{ "io.arnia.ImageInfo", fake_image_info, false },
	{ "io.arnia.ImageBuild", fake_image_build, false },
	{ "io.arnia.ImageRemove", image_remove, false },
	{ "io.arnia.HostInfo", fake_host_info, false },
	{ "io.arnia.HostDoctor", fake_host_doctor, false },
	{ "io.arnia.HostShutdown", host_shutdown, false },
};

static void on_signal(void *arg, int sig)
{
	(void)sig;
	loop_stop(((struct fake *)arg)->loop, 0);
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	struct fake f = { .loop = loop_new() };
	auto_free char *run_dir = NULL, *sock = NULL, *log = NULL;
	struct rpc_server *server;
	struct error err = { 0 };
	int fd;

	if (argc < 2 || !f.loop)
		return 2;
	run_dir = str_fmt("%s/run", argv[1]);
	sock = str_fmt("%s/arnia.sock", run_dir);
	log = str_fmt("%s/requests", argv[1]);
	mkdir(run_dir, 0755);
	f.requests = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	/* The stand-in offers what is described, no more and no less. */
	if (rpc_interface_check(rpc_interface_text, methods, ARRAY_SIZE(methods), &err) < 0 ||
	    (fd = sock_listen(sock, SOCK_STREAM, 0600, &err)) < 0) {
		fprintf(stderr, "fake_arniad: %s\n", err.text);
		return 1;
	}
	/* "orphan": the process that made the socket is gone, as a killed keeper is. */
	if (argc == 3 && str_eq(argv[2], "orphan") && fork() > 0)
		_exit(0);
	guest_make_logs(f.logs);
	signal(SIGCHLD, SIG_IGN);
	server = rpc_server_new(f.loop, fd, methods, ARRAY_SIZE(methods), rpc_interface_text, NULL, &f);
	loop_add_signals(f.loop, signals, on_signal, &f);
	printf("ready\n");
	fflush(stdout);
	loop_run(f.loop);
	rpc_server_free(server);
	loop_free(f.loop);
	unlink(sock);
	return 0;
}
