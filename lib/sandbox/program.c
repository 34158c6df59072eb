/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A look at a program before it is executed. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/sandbox/sandbox.h"

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#endif

#define SCRIPT_LINE 256 /* the kernel's BINPRM_BUF_SIZE */

struct head {
	_Alignas(8) char b[4096];
	size_t n;
};

static bool is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static bool read_head(const char *path, struct head *h)
{
	auto_fd int fd = -1;
	ssize_t n;

	if (!is_executable(path))
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, h->b, sizeof(h->b));
	h->n = n < 0 ? 0 : (size_t)n;
	return n > 0;
}

/* Its loader is looked at no further. */
static bool has_loader(const struct head *h, const Elf64_Phdr *p)
{
	if (p->p_filesz < 2 || p->p_offset > h->n || p->p_filesz > h->n - p->p_offset ||
	    h->b[p->p_offset + p->p_filesz - 1])
		return false;
	return is_executable(h->b + p->p_offset);
}

static bool is_own_elf(const struct head *h)
{
	Elf64_Ehdr e;

	if (h->n < sizeof(e))
		return false;
	memcpy(&e, h->b, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_machine != OWN_MACHINE || (e.e_type != ET_EXEC && e.e_type != ET_DYN) ||
	    e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum == 0 || e.e_phoff > h->n ||
	    (h->n - e.e_phoff) / sizeof(Elf64_Phdr) < e.e_phnum)
		return false;
	for (size_t i = 0; i < e.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, h->b + e.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP)
			return has_loader(h, &p);
	}
	return true;
}

/* "#! /bin/sh -e", as fs/binfmt_script.c reads it. */
static bool script_interpreter(const struct head *h, char ret[SCRIPT_LINE])
{
	const char *end = memchr(h->b, '\n', MIN(h->n, SCRIPT_LINE)), *at = h->b + 2;
	size_t n = 0;

	if (!end || h->b[0] != '#' || h->b[1] != '!')
		return false;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (at + n < end && at[n] != ' ' && at[n] != '\t' && at[n])
		n++;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return n > 0;
}

bool program_is_plain(const char *path)
{
	char interpreter[SCRIPT_LINE];
	struct head h;

	if (!read_head(path, &h))
		return false;
	if (script_interpreter(&h, interpreter) && !read_head(interpreter, &h))
		return false;
	return is_own_elf(&h);
}
