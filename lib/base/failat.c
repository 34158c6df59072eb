/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/failat.h"
#include "lib/base/str.h"

#ifdef ARNIA_TEST_HOOKS

#define ERRNO_MAX 133

static int errno_by_name(const char *name)
{
	for (int e = 1; e <= ERRNO_MAX; e++)
		if (str_eq(strerrorname_np(e), name))
			return -e;
	return -EIO;
}

int fail_at(const char *step)
{
	const char *what = getenv("ARNIA_FAIL_AT");
	const char *name;

	what = what ? str_after(what, step) : NULL;
	if (!what || *what != ':')
		return 0;
	what++;
	if (str_eq(what, "kill")) {
		raise(SIGKILL);
		/* The first process of a pid namespace does not hear its own signals, but it dies of a fault (pid_namespaces(7)). */
		__builtin_trap();
	}
	while (str_eq(what, "hang"))
		pause();
	name = str_after(what, "errno:");
	return name ? errno_by_name(name) : 0;
}

#else
typedef int failat_is_empty_in_release_builds;
#endif
