/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "cgroup/cgroup.h"
#include "cmd/arnia-oci/cmd.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

static int read_signal(struct call *c, const char *text, int *ret, struct error *err)
{
	char *name = arena_str(&c->arena, text);

	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	if (str_eq(name, "0"))
		*ret = 0;
	else if (parse_signal(name, ret) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "unknown signal \"%.64s\"", text);
	return 0;
}

/* Frozen, none of them starts another one or ends by itself while they are counted. */
static int signal_group(const struct record *r, int cg, int sig, struct error *err)
{
	struct cg_events ev = { 0 };
	auto_free pid_t *pids = NULL;
	bool freeze = cg_read_events(cg, &ev) == 0 && !ev.frozen && cg_freeze(cg, true, NULL) == 0;
	long n = record_pids(r, &PIDREF_NONE, &pids, err);

	for (long i = 0; i < n; i++) {
		struct pidref p = PIDREF_NONE;

		if (pidref_open(pids[i], 0, &p) == 0)
			(void)pidref_kill(&p, sig);
		pidref_done(&p);
	}
	if (freeze)
		(void)cg_freeze(cg, false, NULL);
	return n < 0 ? (int)n : 0;
}

int record_signal_all(const struct record *r, int sig, struct error *err)
{
	auto_fd int cg = r->cgroup && r->own_cgroup ? record_cgroup(r, NULL) : -1;

	if (cg < 0)
		return 0;
	if (sig == SIGKILL && cg_kill(cg, NULL) == 0)
		return 0;
	return signal_group(r, cg, sig, err);
}

/* What waits at the start socket is a process of ours. As the first of its pid namespace it is spared every
 * signal that it has no handler for, so it gets the one that nobody is spared. */
static int signal_for(enum oci_status status, int sig)
{
	static const int harmless[] = { 0, SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (sig == harmless[i])
			return sig;
	return status == OCI_CREATED ? SIGKILL : sig;
}

static int kill_one(struct call *c, const char *id, int sig, struct error *err)
{
	struct record r = RECORD_NONE;
	struct pidref init = PIDREF_NONE;
	enum oci_status status = OCI_STOPPED;
	int code = store_load(c->g.root, id, false, &r, err);

	if (code == 0)
		code = record_status(&r, &status, &init, err);
	if (code == 0)
		sig = signal_for(status, sig);
	if (code == 0 && opt_has(c, "all"))
		code = record_signal_all(&r, sig, err);
	else if (code == 0 && init.fd < 0)
		code = err_set_kind(err, -ESRCH, ERR_STATE, "container not running");
	/* Also for --all, of a container in a cgroup that is not its own. */
	if (code == 0 && init.fd >= 0 && !(opt_has(c, "all") && r.own_cgroup && r.cgroup)) {
		code = pidref_kill(&init, sig);
		if (code == -ESRCH)
			err_set_kind(err, code, ERR_STATE, "container not running");
		else if (code < 0)
			err_sys(err, code, "signal container %.64s", id);
	}
	pidref_done(&init);
	record_done(&r);
	return code;
}

/* All containers that match: each, up to the end; the first error is what counts. */
int each_match(struct call *c, int (*act)(struct call *c, const char *id, void *arg, struct error *err),
	       void *arg, struct error *err)
{
	struct strv ids = { 0 };
	struct error one;
	regex_t re;
	int code = 0, r;

	if (regcomp(&re, c->id, REG_EXTENDED | REG_NOSUB) != 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "invalid regular expression \"%.100s\"", c->id);
	r = store_list(c->g.root, &c->arena, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		if (regexec(&re, ids.v[i], 0, NULL, 0) != 0 || act(c, ids.v[i], arg, &one) == 0)
			continue;
		err_prefix(&one, "%s", ids.v[i]);
		if (code == 0)
			*err = one;
		else
			report(&c->g, REPORT_WARN, "%s", one.text);
		code = one.code;
	}
	regfree(&re);
	return r < 0 ? r : code;
}

static int kill_match(struct call *c, const char *id, void *arg, struct error *err)
{
	return kill_one(c, id, *(const int *)arg, err);
}

int cmd_kill(struct call *c, struct error *err)
{
	int sig = SIGTERM, code;

	code = c->args.n ? read_signal(c, c->args.v[0], &sig, err) : 0;
	if (code < 0)
		return code;
	return opt_has(c, "regex") ? each_match(c, kill_match, &sig, err) : kill_one(c, c->id, sig, err);
}
