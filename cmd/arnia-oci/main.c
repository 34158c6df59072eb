/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "cmd/arnia-oci/work.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/version.h"
#include "lib/sandbox/sandbox.h"

#define EXIT_NO_VERB 3 /* runc's */
#define EXIT_EXEC 255 /* as cmd_exec has it for all that cannot be run */

/* A descriptor of ours must not become 0, 1 or 2. */
static void open_stdio(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", O_RDWR) < 0) /* no CLOEXEC: they are the container's */
			_exit(ERR_FAILED);
}

/* Callers look at the lines by their place as well as by their words; releases are built of what has this tag. */
static int show_version(struct arena *a)
{
	struct strv actions, archs;
	char seccomp[SECCOMP_VERSION_SIZE];

	seccomp_known(a, &actions, &archs, seccomp);
	printf("arnia-oci version %s\ncommit: v%s\nspec: %s\nlibseccomp: %s\n", ARNIA_VERSION, ARNIA_VERSION,
	       OCI_VERSION, seccomp);
	return fflush(stdout) ? ERR_FAILED : 0;
}

static const char *default_root(struct arena *a)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (caller_is_root())
		return "/run/arnia-oci";
	if (run && path_is_absolute(run))
		return arena_fmt(a, "%s/arnia-oci", run);
	return arena_fmt(a, "/run/user/%u/arnia-oci", geteuid());
}

/* Made absolute by text; a link in it is followed, it is the caller's. */
static int take_root(struct call *c, const char *root, struct error *err)
{
	char cwd[PATH_MAX], plain[4096];
	const char *path = root;
	int r;

	if (!root) {
		c->g.root = default_root(&c->arena);
		return 0;
	}
	if (!*root)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "--root: it is empty");
	if (!path_is_absolute(root)) {
		if (!getcwd(cwd, sizeof(cwd)))
			return err_sys(err, -errno, "--root: working folder");
		path = arena_fmt(&c->arena, "%s/%s", cwd, root);
	}
	r = path_normalize(path, plain);
	if (r < 0)
		return err_set_kind(err, r, ERR_USAGE, "--root: %.300s is not a path", root);
	if (str_eq(plain, "/"))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "option --root argument should not be set to /");
	c->g.root = arena_str(&c->arena, plain);
	return 0;
}

static int one_of(const struct call *c, const char *name, const char *const *words, int otherwise,
		  struct error *err)
{
	const char *given = opt_get(c, name);

	if (!given)
		return otherwise;
	for (int i = 0; words[i]; i++)
		if (str_eq(words[i], given))
			return i;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "invalid %s: %.100s", name, given);
}

static int take_log(struct call *c, struct error *err)
{
	static const char *const formats[] = { "text", "json", NULL };
	static const char *const levels[] = { "error", "warning", "debug", "info", NULL };
	int format = one_of(c, "log-format", formats, 0, err);
	int level = one_of(c, "log-level", levels, 0, err);

	if (format < 0 || level < 0)
		return -EINVAL;
	c->g.log_json = format == 1;
	c->g.debug = opt_has(c, "debug") || level == 2;
	return opt_get(c, "log") ? report_open(&c->g, opt_get(c, "log"), &c->arena, err) : 0;
}

static int take_globals(struct call *c, struct error *err)
{
	static const char *const managers[] = { "cgroupfs", "systemd", "disabled", NULL };
	static const char *const rootless[] = { "false", "true", "auto", NULL };
	int manager, mode, r;

	r = take_log(c, err);
	if (r < 0)
		return r;
	manager = one_of(c, "cgroup-manager", managers,
			 opt_has(c, "systemd-cgroup") ? CGROUP_SYSTEMD : CGROUP_FS, err);
	mode = one_of(c, "rootless", rootless, 2, err);
	if (manager < 0 || mode < 0)
		return -EINVAL;
	c->g.manager = (enum cgroup_manager)manager;
	c->g.rootless = mode == 2 ? -1 : mode;
	c->g.criu = opt_get(c, "criu") ?: "criu";
	return take_root(c, opt_get(c, "root"), err);
}

static int check_operands(struct call *c, struct error *err)
{
	const struct verb *v = c->verb;

	if (c->args.n < v->min || c->args.n > v->max)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "\"%s\" requires %s %u argument%s", v->name,
				    v->min == v->max	 ? "exactly"
				    : c->args.n < v->min ? "a minimum of"
							 : "a maximum of",
				    c->args.n < v->min ? v->min : v->max,
				    (c->args.n < v->min ? v->min : v->max) == 1 ? "" : "s");
	if (!str_starts(v->operands, "ID"))
		return 0;
	c->id = c->args.v[0];
	c->args.v++;
	c->args.n--;
	if (v->passes && c->args.n && str_eq(c->args.v[0], "--")) {
		c->args.v++;
		c->args.n--;
	}
	if (opt_has(c, "regex") || oci_id_check(c->id, err) == 0)
		return 0;
	c->exit_code = v->run == cmd_exec ? EXIT_EXEC : 0;
	return -EINVAL;
}

/* crun's parser has both. */
static bool wants_help(const struct call *c)
{
	return opt_has(c, "help") || opt_has(c, "usage");
}

static int run_verb(struct call *c, char *const *argv, size_t n, struct error *err)
{
	struct opt_syntax syntax = { c->verb->opts, c->verb->n_opts, c->verb->passes };
	int r;

	c->values.n = 0;
	c->args = (struct strv){ 0 };
	r = opts_parse(&syntax, argv, n, c, err);
	if (r < 0)
		return r;
	if (wants_help(c))
		return help_verb(c->verb);
	r = check_operands(c, err);
	if (r < 0)
		return r;
	report(&c->g, REPORT_DEBUG, "%s %s below %s", c->verb->name, c->id ?: "", c->g.root);
	r = c->verb->run(c, err);
	if (r == 0)
		report(&c->g, REPORT_DEBUG, "%s %s: done, exit code %d", c->verb->name, c->id ?: "", c->exit_code);
	return r;
}

static int oci_main(struct call *c, char *const *argv, size_t n, struct error *err)
{
	struct opt_syntax syntax = { global_opts, n_global_opts, true };
	int r;

	r = opts_parse(&syntax, argv, n, c, err);
	/* The log is known before what is wrong with the rest. */
	if (take_globals(c, r < 0 ? NULL : err) < 0 && r == 0)
		r = err->code;
	if (r < 0)
		return r;
	if (opt_has(c, "version")) {
		c->exit_code = show_version(&c->arena);
		return 0;
	}
	if (!c->args.n || wants_help(c))
		return help_all();
	if (str_eq(c->args.v[0], "help")) {
		c->verb = c->args.n > 1 ? verb_find(c->args.v[1]) : NULL;
		return c->verb ? help_verb(c->verb) : help_all();
	}
	c->verb = verb_find(c->args.v[0]);
	if (c->verb)
		return run_verb(c, argv + n - c->args.n + 1, c->args.n - 1, err);
	c->exit_code = EXIT_NO_VERB;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "unknown command \"%.100s\"", c->args.v[0]);
}

/* The copy of ourselves in memory (spawn.c). */
static int be_worker(const char *number)
{
	uint32_t fd;

	if (parse_u32(number, &fd) < 0 || fd < 3 || fd > INT_MAX || fd_cloexec((int)fd, true) < 0)
		return ERR_USAGE;
	return work_main((int)fd, false);
}

static uint32_t count_inherited(void)
{
	int fd = 3;

	while (fcntl(fd, F_GETFD) >= 0)
		fd++;
	return (uint32_t)fd - 3;
}

int main(int argc, char **argv)
{
	struct call c = { .g = { .rootless = -1, .log_fd = -1 } };
	struct error err = { 0 };
	int code;

	open_stdio();
	if (argc == 2 && str_starts(argv[1], WORK_ARGUMENT))
		return be_worker(argv[1] + strlen(WORK_ARGUMENT));
	if (argc == 2 && str_eq(argv[1], "--list-steps"))
		return list_steps();
	if (argc > 1 && work_seal_self(argv, environ, &err) < 0)
		report(&c.g, REPORT_WARN, "%s", err.text);
	c.inherited = count_inherited();
	/* What the caller left open is nobody's business inside; those to be preserved are given back at the end. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (oci_main(&c, argv + 1, argc ? (size_t)argc - 1 : 0, &err) < 0) {
		report(&c.g, REPORT_ERROR, "%s%s%s", err.text[0] ? err.text : "cannot write the output",
		       err.hint[0] ? "; " : "", err.hint);
		c.exit_code = c.exit_code ?: ERR_FAILED;
	}
	code = c.exit_code;
	fd_close(&c.g.log_fd);
	arena_done(&c.arena);
	return code;
}
