/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Debian system by mmdebstrap(1), which apt and dpkg do; then everything away that belongs to this host,
 * this moment, or one machine only. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "rootfs/aptsources.h"
#include "rootfs/template_internal.h"

struct debootstrap {
	struct build *b;
	struct apt_sources sources;
	struct strv mirrors; /* MIRROR arguments */
};

/* ---- archive ---- */

/* ID=debian and VERSION_CODENAME of the host, os-release(5); NULL when it is no Debian. */
static const char *host_release(struct arena *a)
{
	auto_free char *text = NULL;
	const char *codename = NULL;
	bool debian = false;
	char *save = NULL;

	if (file_read_at(AT_FDCWD, "/usr/lib/os-release", 65536, &text, NULL) < 0)
		return NULL;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		const char *v = str_after(l, "VERSION_CODENAME=");

		debian |= str_eq(l, "ID=debian");
		if (v)
			codename = arena_str_n(a, v + (*v == '"'), strcspn(v + (*v == '"'), "\""));
	}
	return debian ? codename : NULL;
}

static int find_mirrors(struct debootstrap *d, struct error *err)
{
	const struct template_desc *t = d->b->t;
	int r;

	if (t->mirror) {
		strv_push(&d->sources.arena, &d->mirrors, t->mirror);
		return 0;
	}
	r = apt_read(&d->sources, "/etc/apt", err);
	if (r < 0)
		return r;
	r = apt_select(&d->sources, t->suite, host_release(&d->sources.arena), &d->mirrors);
	if (r == 0)
		return 0;
	err_set_kind(err, r, ERR_UNSUPPORTED, "this host's apt knows no archive with the release %s",
		     t->suite);
	err_hint(err, "name one as \"mirror\" in the description of the image");
	return r;
}

/* ---- mmdebstrap ---- */

static const char *find_program(const char *const *candidates)
{
	for (; *candidates; candidates++)
		if (access(*candidates, X_OK) == 0)
			return *candidates;
	return NULL;
}

static const char *join(struct arena *a, const char *prefix, const struct strv *sv)
{
	struct strbuf b = { 0 };
	const char *s;

	strbuf_add(&b, prefix);
	for (size_t i = 0; i < sv->n; i++)
		strbuf_addf(&b, "%s%s", i ? "," : "", sv->v[i]);
	s = arena_str(a, strbuf_cstr(&b));
	strbuf_done(&b);
	return s;
}

static void build_arguments(struct debootstrap *d, const char *program, struct strv *argv)
{
	/* As the usual container images: documentation and translations are fetched with apt's --reinstall
	 * when wanted. */
	static const char *const options[] = {
		"--mode=root",
		"--format=directory",
		"--aptopt=APT::Install-Recommends \"false\"",
		"--aptopt=Acquire::Languages \"none\"",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/info/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/lintian/*",
	};
	struct arena *a = &d->sources.arena;
	const struct template_desc *t = d->b->t;

	strv_push(a, argv, program);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		strv_push(a, argv, options[i]);
	strv_push(a, argv, arena_fmt(a, "--variant=%s", t->variant ? t->variant : "minbase"));
	if (t->packages.n)
		strv_push(a, argv, join(a, "--include=", &t->packages));
	strv_push(a, argv, "--");
	strv_push(a, argv, t->suite);
	strv_push(a, argv, d->b->root_path);
	for (size_t i = 0; i < d->mirrors.n; i++)
		strv_push(a, argv, d->mirrors.v[i]);
}

/* The caller's proxies are all that is taken over. */
static void build_environment(const struct build *b, struct arena *a, struct strv *env)
{
	static const char *const fixed[] = {
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive",
	};
	static const char *const kept[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy" };

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		strv_push(a, env, fixed[i]);
	strv_push(a, env, arena_fmt(a, "TMPDIR=%s", b->scratch_path));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const char *v = getenv(kept[i]);

		if (v)
			strv_push(a, env, arena_fmt(a, "%s=%s", kept[i], v));
	}
}

static void say_line(void *arg, const char *line)
{
	build_say(arg, "%s", line);
}

static const char *const *null_terminated(struct arena *a, const struct strv *sv)
{
	const char **v = arena_alloc_n(a, sv->n + 1, sizeof(*v));

	memcpy(v, sv->v, sv->n * sizeof(*v));
	return v;
}

static int run_mmdebstrap(struct debootstrap *d, struct error *err)
{
	static const char *const programs[] = { "/usr/bin/mmdebstrap", "/usr/local/bin/mmdebstrap", NULL };
	const char *program = find_program(programs);
	struct arena *a = &d->sources.arena;
	struct strv argv = { 0 }, env = { 0 };

	if (!program) {
		err_set_kind(err, -ENOENT, ERR_UNSUPPORTED, "mmdebstrap is not installed");
		err_hint(err, "apt install mmdebstrap");
		return -ENOENT;
	}
	build_arguments(d, program, &argv);
	build_environment(d->b, a, &env);
	return run_program(
		&(struct run){ null_terminated(a, &argv), null_terminated(a, &env), say_line, d->b }, err);
}

/* ---- afterwards ---- */

static int clean_up(const struct build *b)
{
	static const struct {
		const char *dir, *pattern;
	} away[] = {
		/* Nodes: the container's own /dev lies over this one. */
		{ "/dev", "*" },
		{ "/etc/ssh", "ssh_host_*" },
		{ "/var/lib/dbus", "machine-id" },
		{ "/var/lib/apt/lists", "*" },
		{ "/var/cache/apt", "*.bin" },
		{ "/var/cache/apt/archives", "*.deb" },
		{ "/var/cache/debconf", "*-old" },
		{ "/var/cache/ldconfig", "aux-cache" },
		{ "/var/lib/dpkg", "*-old" },
		{ "/var/lib/systemd", "random-seed" },
		{ "/var/log", "*.log" },
		{ "/var/log/apt", "*" },
		{ "/root", ".bash_history" },
		{ "/tmp", "*" },
		{ "/var/tmp", "*" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(away); i++) {
		int r = root_remove_matching(b->root, away[i].dir, away[i].pattern);

		if (r < 0)
			return r;
	}
	return 0;
}

/* For login shells, after /etc/bash.bashrc: what desktop installations have in each user's own file. */
static const char colours[] =
	"# Colours, on terminals that have them.\n"
	"case \"${TERM:-dumb}\" in\n"
	"dumb) ;;\n"
	"*)\n"
	"  alias ls='ls --color=auto' grep='grep --color=auto'\n"
	"  [ -z \"$BASH_VERSION\" ] || PS1='\\[\\e[1;32m\\]\\u@\\h\\[\\e[0m\\]:\\[\\e[1;34m\\]\\w\\[\\e[0m\\]\\$ '\n"
	"  ;;\n"
	"esac\n";

/* Places for the files that a container gets of its own; of the host's only mmdebstrap's copies are here. */
static int write_own_files(const struct build *b)
{
	static const char hosts[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
	auto_free char *name = str_fmt("%s\n", b->t->name ? b->t->name : "debian");
	const struct {
		const char *path, *text;
	} files[] = {
		{ "/etc/resolv.conf", "" },
		{ "/etc/hostname", name },
		{ "/etc/hosts", hosts },
		/* Empty: made at the first boot, machine-id(5). */
		{ "/etc/machine-id", "" },
		{ "/etc/profile.d/colours.sh", colours },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = root_write(b->root, files[i].path, files[i].text, strlen(files[i].text), 0644);

		if (r < 0)
			return r;
	}
	return 0;
}

/* apt in the image shall trust the archive it came from: a key file that no package brought is copied. */
static int copy_keyrings(struct debootstrap *d)
{
	for (size_t i = 0; i < d->sources.entries.n; i++) {
		const char *path = d->sources.entries.v[i].signed_by;
		auto_free char *bytes = NULL;
		auto_fd int there = -1, key = -1;
		bool used = false;
		long n;
		int r;

		for (size_t k = 0; path && k < d->mirrors.n; k++)
			used |= strstr(d->mirrors.v[k], path) != NULL;
		if (!used || path[0] != '/' || strstr(path, ".."))
			continue;
		there = path_open_in(d->b->root, path, O_PATH, 0);
		if (there >= 0)
			continue;
		key = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		n = key < 0 ? -errno : file_read_fd(key, 1 << 20, &bytes, NULL);
		r = n < 0 ? (int)n : root_write(d->b->root, path, bytes, (size_t)n, 0644);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The same description can give other packages tomorrow: the list of them is part of the id. */
static int add_inputs(struct debootstrap *d)
{
	auto_fd int fd = path_open_in_nolink(d->b->root, "/var/lib/dpkg/status", O_RDONLY | O_NONBLOCK, 0);
	auto_free char *text = NULL;
	long n = fd < 0 ? fd : file_read_fd(fd, 64 << 20, &text, NULL);

	if (n < 0)
		return (int)n;
	for (size_t i = 0; i < d->mirrors.n; i++)
		sha256_add(&d->b->inputs, d->mirrors.v[i], strlen(d->mirrors.v[i]) + 1);
	sha256_add(&d->b->inputs, text, (size_t)n);
	sha256_add(&d->b->inputs, colours, sizeof(colours));
	return 0;
}

static int finish(struct debootstrap *d, struct error *err)
{
	int r = clean_up(d->b);

	if (r == 0)
		r = write_own_files(d->b);
	if (r == 0)
		r = copy_keyrings(d);
	if (r == 0)
		r = add_inputs(d);
	return r < 0 ? err_sys(err, r, "finish the new system") : 0;
}

int template_build_debootstrap(struct build *b, struct error *err)
{
	struct debootstrap d = { .b = b };
	int r = find_mirrors(&d, err);

	for (size_t i = 0; r == 0 && i < d.mirrors.n; i++)
		build_say(b, "archive: %s", d.mirrors.v[i]);
	if (r == 0)
		r = run_mmdebstrap(&d, err);
	if (r == 0)
		r = finish(&d, err);
	apt_done(&d.sources);
	return r;
}
