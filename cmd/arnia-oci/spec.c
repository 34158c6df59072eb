/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/str.h"

static int write_new(int dir, const char *name, const char *text, struct error *err)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	int code;

	if (fd < 0 && errno == EEXIST)
		return err_set_kind(err, -EEXIST, ERR_STATE, "File %.300s exists. Remove it first", name);
	if (fd < 0)
		return err_sys(err, -errno, "make %.300s", name);
	code = fd_write_all(fd, text, strlen(text));
	if (code < 0)
		(void)unlinkat(dir, name, 0);
	return code < 0 ? err_sys(err, code, "write %.300s", name) : 0;
}

int cmd_spec(struct call *c, struct error *err)
{
	const char *bundle = opt_get(c, "bundle") ?: ".";
	auto_json json *j = oci_spec_template(opt_has(c, "rootless"), geteuid(), getegid());
	auto_free char *text = json_text(j, true);
	auto_fd int dir = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, -errno, "bundle %.300s", bundle);
	return write_new(dir, opt_get(c, "file") ?: "config.json", text, err);
}
