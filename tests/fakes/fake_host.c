/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/fakes/fake_arniad.h"

static json *image(const struct fake *f, const char *name)
{
	json *i = json_new_obj();

	json_add_str(i, "name", name);
	json_add_str(i, "description", "an image");
	json_add_bool(i, "built", !str_eq(name, "unbuilt") || f->built);
	json_add_u64(i, "size", 1536);
	return i;
}

void fake_image_list(struct rpc_call *c, void *arg)
{
	json *o = json_new_obj(), *rows = json_new_arr();

	fake_note(c, "ImageList");
	json_push(rows, image(arg, "busybox"));
	json_push(rows, image(arg, "unbuilt"));
	json_add(o, "images", rows);
	rpc_reply(c, o);
}

void fake_image_info(struct rpc_call *c, void *arg)
{
	json *o;

	fake_note(c, "ImageInfo");
	if (fake_answered(c))
		return;
	o = json_new_obj();
	json_add(o, "image", image(arg, fake_name_of(c)));
	rpc_reply(c, o);
}

void fake_image_build(struct rpc_call *c, void *arg)
{
	struct fake *f = arg;
	json *o;

	fake_note(c, "ImageBuild");
	if (fake_answered(c))
		return;
	o = json_new_obj();
	json_add_str(o, "line", "unpacking");
	rpc_reply_more(c, o);
	f->built = true;
	o = json_new_obj();
	json_add(o, "image", image(f, fake_name_of(c)));
	rpc_reply(c, o);
}

void fake_host_info(struct rpc_call *c, void *arg)
{
	json *o = json_new_obj(), *info = json_new_obj(), *list_of = json_new_arr();

	(void)arg;
	fake_note(c, "HostInfo");
	json_add_str(info, "kernel", "6.1");
	json_push(list_of, json_new_str("cpu"));
	json_push(list_of, json_new_str("memory"));
	json_add(info, "controllers", list_of);
	json_add(o, "info", info);
	rpc_reply(c, o);
}

/* A problem only once the image "unbuilt" is built: both outcomes for the tests. */
void fake_host_doctor(struct rpc_call *c, void *arg)
{
	const struct fake *f = arg;
	json *o = json_new_obj(), *rows = json_new_arr(), *row = json_new_obj();

	fake_note(c, "HostDoctor");
	json_add_str(row, "name", "cgroup");
	json_add_str(row, "level", f->built ? "problem" : "warning");
	json_add_str(row, "text", "no memory controller");
	json_add_str(row, "hint", "boot with cgroup v2");
	json_push(rows, row);
	json_add(o, "checks", rows);
	rpc_reply(c, o);
}

void fake_events(struct rpc_call *c, void *arg)
{
	static const char *const types[] = { "create", "start", "exit" };

	(void)arg;
	fake_note(c, "Events");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		json *o = json_new_obj(), *data = json_new_obj();

		json_add_u64(o, "sequence", i + 1);
		json_add_str(o, "time", "2026-01-31T12:00:00Z");
		json_add_str(o, "type", types[i]);
		json_add_str(o, "name", "web");
		json_add_str(data, "what", "x\ny");
		json_add(o, "data", data);
		if (i + 1 < ARRAY_SIZE(types))
			rpc_reply_more(c, o);
		else
			rpc_reply(c, o);
	}
}

static void one_text(struct rpc_call *c, const char *member, const char *text)
{
	json *o;

	if (fake_answered(c))
		return;
	o = json_new_obj();
	json_add_str(o, member, text);
	rpc_reply(c, o);
}

void fake_explain(struct rpc_call *c, void *arg)
{
	(void)arg;
	fake_note(c, "Explain");
	one_text(c, "text", "cgroup arnia/c-1\nmount /\033[2J proc\n");
}

void fake_version(struct rpc_call *c, void *arg)
{
	(void)arg;
	fake_note(c, "Version");
	one_text(c, "version", "9.9.9");
}
