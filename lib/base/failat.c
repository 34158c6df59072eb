/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/failat.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#ifdef ARNIA_TEST_HOOKS

#define ERRNO_MAX 133
#define WORD_MAX 128
#define VARIABLE "ARNIA_FAIL_AT"
#define CARRIED "ARNIA_FAIL_AT_CARRIED" /* set when the variable is the file's word */

static int errno_by_name(const char *name)
{
	for (int e = 1; e <= ERRNO_MAX; e++)
		if (str_eq(strerrorname_np(e), name))
			return -e;
	return -EIO;
}

static bool file_path(char path[PATH_MAX])
{
	const char *root = getenv("ARNIA_ROOT");

	return root && snprintf(path, PATH_MAX, "%s/fail-at", root) < PATH_MAX;
}

/* The word in the file, or "". */
static void read_word(char word[WORD_MAX])
{
	char path[PATH_MAX];
	auto_fd int fd = file_path(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	long n = fd < 0 ? 0 : fd_read_full(fd, word, WORD_MAX - 1);

	word[n > 0 ? n : 0] = '\0';
	word[strcspn(word, "\n")] = '\0';
}

static void kill_self(void) __attribute__((noreturn));
static void kill_self(void)
{
	raise(SIGKILL);
	/* The first process of a pid namespace does not hear its own signals, but it dies of a fault (pid_namespaces(7)). */
	__builtin_trap();
}

int fail_at(const char *step)
{
	const char *what = getenv(VARIABLE), *name;
	char word[WORD_MAX], path[PATH_MAX];
	bool from_file = !what;

	if (from_file) {
		read_word(word);
		what = word;
	}
	what = str_after(what, step);
	if (!what || *what != ':')
		return 0;
	what++;
	if (str_eq(what, "kill")) {
		/* Whoever comes next finds it gone, so that it can do what this one did not. A child may not see it. */
		if ((from_file || getenv(CARRIED)) && file_path(path) && unlink(path) < 0 && from_file)
			return 0;
		kill_self();
	}
	while (str_eq(what, "hang"))
		pause();
	name = str_after(what, "errno:");
	return name ? errno_by_name(name) : 0;
}

void fail_at_carry(void)
{
	char word[WORD_MAX];

	if (getenv(VARIABLE) && !getenv(CARRIED))
		return;
	read_word(word);
	setenv(VARIABLE, word, 1);
	setenv(CARRIED, "1", 1);
}

const char *fail_at_setting(void)
{
	for (char **v = environ; v && *v; v++)
		if (str_starts(*v, VARIABLE "="))
			return *v;
	return NULL;
}

#else
typedef int failat_is_empty_in_release_builds;
#endif
