/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/mem.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/time.h"
#include "rootfs/template.h"

static json *view_image(const struct template_info *t)
{
	json *j = json_new_obj();
	char when[40];

	json_add_str(j, "name", t->name);
	json_add_str(j, "description", t->description);
	json_add_bool(j, "built", t->built);
	if (t->built) {
		json_add_u64(j, "size", t->size);
		json_add_str(j, "builtAt", time_rfc3339(t->built_ns, when));
		json_add_str(j, "id", t->id);
	}
	return j;
}

void api_image_list(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct template_info *list = NULL;
	struct error err = { 0 };
	json *out, *images;
	size_t n = 0;

	if (template_list(d->in.share, d->in.state, &list, &n, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	out = json_new_obj();
	images = json_new_arr();
	for (size_t i = 0; i < n; i++)
		json_push(images, view_image(&list[i]));
	free(list);
	json_add(out, "images", images);
	rpc_reply(c, out);
}

static int find(struct daemon *d, const char *name, struct template_desc *desc, struct template_info *info,
		struct error *err)
{
	if (!name_is_valid(name))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "name: expected an image name");
	return template_find(d->in.share, d->in.state, name, desc, info, err);
}

static const char *image_name(struct rpc_call *c, struct error *err)
{
	const char *name = NULL;

	return json_get_str(rpc_params(c), "name", &name, err) < 0 ? NULL : name;
}

static json *users_of(struct daemon *d, const char *image)
{
	json *a = json_new_arr();

	for (struct machine *m = d->machines; m; m = m->next) {
		if (str_eq(m->config.spec.image, image))
			json_push(a, json_new_str(MACHINE_NAME(m)));
	}
	return a;
}

void api_image_info(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct template_desc t = { 0 };
	struct template_info info = { 0 };
	struct error err = { 0 };
	json *out, *j;

	if (find(d, image_name(c, &err), &t, &info, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	j = view_image(&info);
	json_add_str(j, "source", t.source);
	json_add_str(j, "suite", t.suite);
	json_add_str(j, "mirror", t.mirror);
	json_add_str(j, "variant", t.variant);
	json_add_strv(j, "packages", &t.packages);
	json_add_strv(j, "command", &t.cmd);
	json_add_strv(j, "env", &t.env);
	json_add_str(j, "workdir", t.workdir);
	json_add_str(j, "user", t.user);
	json_add_str(j, "stopSignal", t.stop_signal);
	json_add_bool(j, "init", t.init);
	json_add(j, "machines", users_of(d, info.name));
	template_done(&t);
	out = json_new_obj();
	json_add(out, "image", j);
	rpc_reply(c, out);
}

struct image_op {
	struct rpc_call *call;
	uint64_t seq;
	struct daemon *d;
	char name[64];
	bool build;
};

/* Nobody waits for a build any more: its worker is ended, and what it made goes with the next build. */
static void image_gone(struct rpc_call *c, void *arg)
{
	struct image_op *op = arg;

	(void)c;
	op->call = NULL;
	if (op->build)
		job_cancel(op->d, op->seq);
}

static void on_line(struct daemon *d, const char *text, void *arg)
{
	struct image_op *op = arg;
	json *out;

	(void)d;
	if (!op->call || !rpc_wants_more(op->call))
		return;
	out = json_new_obj();
	json_add_str(out, "line", text);
	rpc_reply_more(op->call, out);
}

static void on_done(struct daemon *d, const struct kp_result *r, const char *data, void *arg)
{
	struct image_op *op = arg;
	struct template_desc t = { 0 };
	struct template_info info = { 0 };
	struct error err = r->error;
	json *out = json_new_obj(), *ev;

	(void)data;
	if (!err.code && op->build && find(d, op->name, &t, &info, &err) == 0) {
		json_add(out, "image", view_image(&info));
		template_done(&t);
	}
	if (!err.code) {
		ev = json_new_obj();
		json_add_str(ev, "image", op->name);
		event_emit(d, op->build ? "image-build" : "image-remove", NULL, op->call, ev);
	}
	if (op->call && err.code)
		rpc_fail(op->call, &err);
	else if (op->call)
		rpc_reply(op->call, json_ref(out));
	json_unref(out);
	free(op);
}

static void image_job(struct rpc_call *c, struct daemon *d, const char *name, bool build)
{
	enum plan_kind kind = build ? PLAN_TEMPLATE_BUILD : PLAN_TEMPLATE_REMOVE;
	struct plan p = { .kind = kind, .template = name, .id = "", .name = "", .run = d->in.run, .state = d->in.state,
			  .share = d->in.share };
	struct job_request j = JOB_NONE;
	struct image_op *op = mem_alloc(sizeof(*op));
	struct error err = { 0 };

	op->call = c;
	op->d = d;
	op->build = build;
	(void)str_copy(op->name, sizeof(op->name), name);
	j.kind = kind;
	j.plan = &p;
	j.done = on_done;
	j.line = on_line;
	j.arg = op;
	if (jobs_have_room(d, &err) < 0 || job_submit(d, &j, &op->seq, &err) < 0) {
		rpc_fail(c, &err);
		free(op);
		return;
	}
	rpc_on_gone(c, image_gone, op);
}

void api_image_build(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct template_desc t = { 0 };
	struct template_info info = { 0 };
	struct error err = { 0 };

	if (find(d, image_name(c, &err), &t, &info, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	template_done(&t);
	image_job(c, d, info.name, true);
}

void api_image_remove(struct rpc_call *c, void *arg)
{
	struct daemon *d = arg;
	struct template_desc t = { 0 };
	struct template_info info = { 0 };
	struct error err = { 0 };
	auto_json json *users = NULL;

	if (find(d, image_name(c, &err), &t, &info, &err) < 0) {
		rpc_fail(c, &err);
		return;
	}
	template_done(&t);
	users = users_of(d, info.name);
	if (json_len(users)) {
		err_set_kind(&err, -EBUSY, ERR_STATE, "image %s: machine %s is made from it", info.name,
			     json_str(json_at(users, 0)));
		err_hint(&err, "remove its machines first");
		rpc_fail(c, &err);
		return;
	}
	if (!info.built) {
		err_set_kind(&err, -ENOENT, ERR_STATE, "image %s is not built", info.name);
		rpc_fail(c, &err);
		return;
	}
	image_job(c, d, info.name, false);
}
