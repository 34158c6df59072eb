/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest useful image: one static binary, a link for each of its applets, the files in /etc that
 * programs expect. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootfs/template_internal.h"

#define BINARY_MAX (16 << 20)
#define APPLETS_MAX 1000

static const struct {
	const char *path;
	mode_t mode;
} dirs[] = {
	{ "/bin", 0755 },	{ "/sbin", 0755 },    { "/usr/bin", 0755 },   { "/usr/sbin", 0755 },
	{ "/etc", 0755 },	{ "/dev", 0755 },     { "/proc", 0555 },      { "/sys", 0555 },
	{ "/run", 0755 },	{ "/root", 0700 },    { "/home", 0755 },      { "/mnt", 0755 },
	{ "/opt", 0755 },	{ "/srv", 0755 },     { "/tmp", 01777 },      { "/var/log", 0755 },
	{ "/var/cache", 0755 }, { "/var/lib", 0755 }, { "/var/spool", 0755 }, { "/var/tmp", 01777 },
};

static const struct {
	const char *target, *path;
} links[] = {
	{ "../run", "/var/run" },
	{ "../run/lock", "/var/lock" },
	{ "../proc/self/mounts", "/etc/mtab" },
};

static const struct {
	const char *path, *text;
} files[] = {
	{ "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			 "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
			 "bin:x:2:2:bin:/bin:/bin/false\n"
			 "www-data:x:33:33:www-data:/var/www:/bin/false\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n" },
	{ "/etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nwheel:x:10:\n"
			"www-data:x:33:\nutmp:x:43:\nstaff:x:50:\nusers:x:100:\nnogroup:x:65534:\n" },
	{ "/etc/shells", "/bin/sh\n/bin/ash\n" },
	{ "/etc/profile", "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
			  "export PAGER=less\n"
			  "umask 022\n"
			  "PS1='\\u@\\h:\\w\\$ '\n"
			  "for f in /etc/profile.d/*.sh; do\n\t[ -r \"$f\" ] && . \"$f\"\ndone\nunset f\n" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
				"networks: files\nprotocols: files\nservices: files\n" },
	{ "/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" },
	{ "/etc/hostname", "busybox\n" },
	{ "/etc/resolv.conf", "" },
	{ "/etc/os-release", "NAME=\"BusyBox\"\nID=busybox\nPRETTY_NAME=\"BusyBox\"\n" },
	{ "/etc/services",
	  "ftp\t21/tcp\nssh\t22/tcp\ntelnet\t23/tcp\nsmtp\t25/tcp\ndomain\t53/tcp\ndomain\t53/udp\n"
	  "tftp\t69/udp\nhttp\t80/tcp\npop3\t110/tcp\nntp\t123/udp\nhttps\t443/tcp\n" },
	{ "/etc/protocols",
	  "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6\t41\tIPv6\nipv6-icmp\t58\tIPv6-ICMP\n" },
};

/* An ELF program that asks for no interpreter: the image has no libraries. */
static bool is_static_program(const char *p, size_t n)
{
	const ElfW(Ehdr) *h = (const ElfW(Ehdr) *)(const void *)p;

	if (n < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_phentsize != sizeof(ElfW(Phdr)) || h->e_phoff > n ||
	    h->e_phnum > (n - h->e_phoff) / sizeof(ElfW(Phdr)))
		return false;
	for (size_t i = 0; i < h->e_phnum; i++) {
		ElfW(Phdr) ph;

		memcpy(&ph, p + h->e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int install_binary(struct build *b, const char *source, struct error *err)
{
	auto_free char *bytes = NULL;
	long n = file_read_at(AT_FDCWD, source, BINARY_MAX, &bytes, NULL);
	int r;

	if (n == -ENOENT) {
		err_set_kind(err, -ENOENT, ERR_UNSUPPORTED, "there is no %s", source);
		err_hint(err, "install busybox-static and build arnia again");
		return -ENOENT;
	}
	if (n < 0)
		return err_sys(err, (int)n, "read %s", source);
	if (!is_static_program(bytes, (size_t)n))
		return err_set(err, -ENOEXEC, "%s is not a static program", source);
	sha256_add(&b->inputs, bytes, (size_t)n);
	r = root_write(b->root, "/bin/busybox", bytes, (size_t)n, 0755);
	return r < 0 ? err_sys(err, r, "write /bin/busybox") : 0;
}

/* ---- applets ---- */

struct applets {
	struct build *b;
	unsigned n;
	int first; /* error */
};

/* "usr/bin/wc", two levels at most, nothing that leads elsewhere. */
static bool is_applet(const char *s)
{
	size_t slashes = 0;

	if (!*s || *s == '/' || strlen(s) > 100 || str_ends(s, "/") || strstr(s, "//") || strstr(s, ".."))
		return false;
	for (; *s; s++) {
		slashes += *s == '/';
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-.[/", *s))
			return false;
	}
	return slashes == 1 || slashes == 2;
}

static void add_applet(void *arg, const char *line)
{
	struct applets *a = arg;
	char path[128];
	int r;

	/* "linuxrc", at the top, is for initial RAM disks. */
	if (a->first < 0 || !is_applet(line) || str_eq(line, "bin/busybox"))
		return;
	snprintf(path, sizeof(path), "/%s", line);
	r = a->n >= APPLETS_MAX ? -E2BIG
				: root_link(a->b->root,
					    str_starts(line, "bin/")   ? "busybox"
					    : str_starts(line, "usr/") ? "../../bin/busybox"
								       : "../bin/busybox",
					    path);
	if (r < 0)
		a->first = r;
	else
		a->n++;
}

static int link_applets(struct build *b, const char *binary, struct error *err)
{
	const char *const argv[] = { binary, "--list-full", NULL }, *const env[] = { NULL };
	struct applets a = { .b = b };
	int r = run_program(&(struct run){ argv, env, add_applet, &a }, err);

	if (r < 0)
		return r;
	if (a.first < 0)
		return err_sys(err, a.first, "link applets");
	if (a.n == 0)
		return err_set(err, -ENOEXEC, "%s has no applets", binary);
	build_say(b, "busybox: %u applets", a.n);
	return 0;
}

/* ---- */

static int make_tree(struct build *b, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int r = root_mkdir(b->root, dirs[i].path, dirs[i].mode);

		if (r < 0)
			return err_sys(err, r, "make %s", dirs[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		int r = root_link(b->root, links[i].target, links[i].path);

		if (r < 0)
			return err_sys(err, r, "link %s", links[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = root_write(b->root, files[i].path, files[i].text, strlen(files[i].text), 0644);

		if (r < 0)
			return err_sys(err, r, "write %s", files[i].path);
	}
	return 0;
}

int template_build_busybox(struct build *b, struct error *err)
{
	auto_free char *source = str_fmt("%s/templates/busybox/busybox", b->share);
	int r = make_tree(b, err);

	if (r == 0)
		r = root_write(b->root, "/etc/shadow", "root:*::0:::::\n", 15, 0600);
	if (r == 0)
		r = install_binary(b, source, err);
	return r < 0 ? r : link_applets(b, source, err);
}
