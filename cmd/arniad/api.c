/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/mem.h"

/* A follower keeps its list, and each is tried on every machine. */
#define NAMES_MAX 256
#define NAME_BYTES_MAX 4400 /* a label with its value */

const struct rpc_method api_methods[] = {
	{ "io.arnia.Version", api_version, true },
	{ "io.arnia.List", api_list, false },
	{ "io.arnia.Inspect", api_inspect, false },
	{ "io.arnia.Explain", api_explain, false },
	{ "io.arnia.Create", api_create, false },
	{ "io.arnia.Start", api_start, false },
	{ "io.arnia.Run", api_run, false },
	{ "io.arnia.Stop", api_stop, false },
	{ "io.arnia.Restart", api_restart, false },
	{ "io.arnia.Kill", api_kill, false },
	{ "io.arnia.Pause", api_pause, false },
	{ "io.arnia.Resume", api_resume, false },
	{ "io.arnia.Remove", api_remove, false },
	{ "io.arnia.Wait", api_wait, false },
	{ "io.arnia.Rename", api_rename, false },
	{ "io.arnia.Exec", api_exec, false },
	{ "io.arnia.Attach", api_attach, false },
	{ "io.arnia.Logs", api_logs, false },
	{ "io.arnia.Events", api_events, false },
	{ "io.arnia.ImageList", api_image_list, false },
	{ "io.arnia.ImageInfo", api_image_info, false },
	{ "io.arnia.ImageBuild", api_image_build, false },
	{ "io.arnia.ImageRemove", api_image_remove, false },
	{ "io.arnia.HostInfo", api_host_info, false },
	{ "io.arnia.HostDoctor", api_host_doctor, false },
	{ "io.arnia.HostShutdown", api_host_shutdown, false },
};
const size_t api_methods_n = ARRAY_SIZE(api_methods);

int api_names(const json *p, const char *key, struct arena *a, struct strv *ret, struct error *err)
{
	const json *list = NULL;
	int r = json_get_arr(p, key, &list, err);

	if (r >= 0 && json_len(list) > NAMES_MAX)
		r = err_set_kind(err, -E2BIG, ERR_USAGE, "%s: more than %d", key, NAMES_MAX);
	for (size_t i = 0; r >= 0 && i < json_len(list); i++) {
		const char *s = json_str(json_at(list, i));

		if (s && strlen(s) > NAME_BYTES_MAX)
			r = err_set_kind(err, -E2BIG, ERR_USAGE, "%s[%zu]: longer than %d bytes", key, i, NAME_BYTES_MAX);
	}
	return r < 0 ? r : json_get_strv(p, key, a, ret, err);
}

struct machine *api_machine(struct rpc_call *c, struct daemon *d)
{
	struct error err = { 0 };
	const char *name = NULL;
	struct machine *m = NULL;

	if (json_get_str(rpc_params(c), "name", &name, &err) >= 0)
		m = machine_find(d, name, &err);
	if (!m)
		rpc_fail(c, &err);
	return m;
}
