/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes that other users of the host can get to. Root of the machine makes files in one that belong to the host's root, setuid bits included:
 * on the machine's mount they do not count, on the host's they do (CVE-2025-64507).
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "cmd/arnia/cli.h"
#include "lib/base/str.h"

/* Its own mode says nothing: root of the machine may change that. Only what is above it can keep others out. */
static bool is_kept_away(const char *path)
{
	char above[PATH_MAX];
	struct statvfs fs;
	struct stat st;

	if (statvfs(path, &fs) < 0 || fs.f_flag & (ST_NOSUID | ST_NOEXEC) || str_copy(above, sizeof(above), path) < 0)
		return true;
	for (char *end = strrchr(above, '/'); end; end = strrchr(above, '/')) {
		*end = '\0';
		if (stat(*above ? above : "/", &st) < 0 || !(st.st_mode & S_IXOTH))
			return true;
	}
	return false;
}

void reach_warn(struct cli *c, const json *spec)
{
	const json *mounts = NULL;

	if (json_get_arr(spec, "mounts", &mounts, NULL) < 0)
		return;
	for (size_t i = 0; i < json_len(mounts); i++) {
		const json *m = json_at(mounts, i);
		const char *source = NULL;
		bool ro = false, idmap = true;

		if (json_get_str(m, "source", &source, NULL) <= 0 || json_get_bool(m, "readOnly", &ro, NULL) < 0 ||
		    json_get_bool(m, "idmap", &idmap, NULL) < 0)
			continue;
		if (!ro && idmap && !is_kept_away(source))
			cli_note(c, NULL, "warning: -v %.400s: what the machine's root makes setuid there is setuid for every user of this host; "
				 "close a folder above it (chmod 700), mount it nosuid, or use ro or noidmap", source);
	}
}
