/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "lib/base/fd.h"

static void text_size(const json *row, struct strbuf *out)
{
	uint64_t size = 0;

	if (json_get_u64(row, "size", &size, NULL) > 0)
		human_size(out, size);
}

static void text_built(const json *row, struct strbuf *out)
{
	const char *at = NULL;
	bool built = false;

	json_get_bool(row, "built", &built, NULL);
	json_get_str(row, "builtAt", &at, NULL);
	if (!built) {
		strbuf_add(out, "no");
		return;
	}
	strbuf_add(out, "yes");
	if (!at)
		return;
	strbuf_add(out, ", ");
	human_duration(out, human_since(at));
	strbuf_add(out, " ago");
}

static const struct field fields[] = {
	{ "name", "name", NULL, false, false },	    { "built", "built", text_built, false, false },
	{ "size", "size", text_size, true, false }, { "description", "description", NULL, false, false },
	{ "builtAt", NULL, NULL, false, false },    { "id", NULL, NULL, false, false },
};
static const struct listing images = { "images", fields, ARRAY_SIZE(fields), "name", "no images here" };

/* Templates' names: what a folder may be called. */
static int image_check(const char *name, struct error *err)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = strnlen(name, 65);

	if (n && n <= 63 && name[0] != '.' && name[0] != '-' && strspn(name, plain) == n)
		return 0;
	return err_set_kind(err, -EINVAL, ERR_USAGE, "\"%.100s\" is not an image name", name);
}

int cmd_image_list(struct cli *c)
{
	auto_json json *reply = NULL;
	const json *rows = NULL;
	struct error err;

	if (cli_call(c, "io.arnia.ImageList", NULL, &reply, &err) < 0 ||
	    json_get_arr(reply, "images", &rows, &err) < 0)
		return cli_fail(c, NULL, &err);
	return out_rows(c, &images, rows);
}

static void show_line(const json *reply)
{
	struct strbuf b = { 0 };
	const char *line = NULL;

	if (json_get_str(reply, "line", &line, NULL) <= 0)
		return;
	out_lines(&b, line);
	(void)fd_write_wait(STDERR_FILENO, b.s, b.len);
	strbuf_done(&b);
}

int image_build(struct cli *c, const char *name, bool always, json **ret, struct error *err)
{
	bool show = always || (isatty(STDERR_FILENO) && !c->quiet), more = true;
	int r = image_check(name, err);

	if (r == 0)
		r = cli_client(c, err);
	if (r == 0)
		r = rpc_client_send(c->client, "io.arnia.ImageBuild", name_params(name), true, NULL, 0, err);
	while (r == 0 && more) {
		auto_json json *reply = NULL;
		const json *image = NULL;

		r = cli_next(c, &reply, &more, err);
		if (r == 0 && show)
			show_line(reply);
		if (r == 0 && ret && json_get_obj(reply, "image", &image, NULL) > 0) {
			json_unref(*ret);
			*ret = json_ref((json *)image);
		}
	}
	return r;
}

static const json *find_image(const json *list, const char *name)
{
	for (size_t i = 0; i < json_len(list); i++) {
		const char *s = NULL;

		if (json_get_str(json_at(list, i), "name", &s, NULL) > 0 && str_eq(s, name))
			return json_at(list, i);
	}
	return NULL;
}

static void suggest_image(const json *list, const char *name, struct error *err)
{
	struct suggestion s = { .typed = name };

	for (size_t i = 0; i < json_len(list); i++)
		suggest_words(&s, json_str(row_member(json_at(list, i), "name")));
	if (s.n)
		snprintf(err->hint, sizeof(err->hint), "did you mean %.*s? arnia image list shows what there is", (int)s.n,
			 s.word);
}

int image_build_missing(struct cli *c, const char *name, struct error *err)
{
	auto_json json *reply = NULL;
	const json *list = NULL, *image;
	struct error other;
	bool built = true;

	/* Whatever goes wrong here, the first error is the one to show. */
	if (cli_call(c, "io.arnia.ImageList", NULL, &reply, &other) < 0 ||
	    json_get_arr(reply, "images", &list, &other) < 0)
		return err->code;
	image = find_image(list, name);
	if (!image)
		suggest_image(list, name, err);
	if (!image || json_get_bool(image, "built", &built, NULL) < 0 || built)
		return err->code;
	if (isatty(STDERR_FILENO) && !c->quiet)
		cli_note(c, NULL, "building the image %s", name);
	if (image_build(c, name, false, NULL, err) < 0)
		return err_prefix(err, "build image %s", name);
	return 0;
}

int cmd_image_build(struct cli *c)
{
	int worst = 0;

	for (size_t i = 0; i < c->line.args.n; i++) {
		const char *name = c->line.args.v[i];
		auto_json json *image = NULL;
		struct error err;
		int code = 0;

		if (image_build(c, name, !c->quiet && !out_is_json(c), &image, &err) < 0)
			code = cli_fail(c, name, &err);
		else if (out_is_json(c))
			code = out_object(c, "image", image ? json_ref(image) : json_new_obj());
		worst = MAX(worst, code);
	}
	return worst;
}

int cmd_image_info(struct cli *c)
{
	const char *name = c->line.args.v[0];
	auto_json json *reply = NULL;
	const json *image = NULL;
	struct strbuf b = { 0 };
	struct error err;
	bool ok;

	if (image_check(name, &err) < 0 ||
	    cli_call(c, "io.arnia.ImageInfo", name_params(name), &reply, &err) < 0 ||
	    json_get_obj(reply, "image", &image, &err) < 0)
		return cli_fail(c, NULL, &err);
	if (out_is_json(c))
		return out_object(c, "image", json_ref((json *)image));
	out_tree(&b, image, 0);
	ok = cli_write(c, b.s, b.len);
	strbuf_done(&b);
	return ok ? 0 : ERR_FAILED;
}

int cmd_image_rm(struct cli *c)
{
	static const struct each rm = { .method = "io.arnia.ImageRemove", .wanted = "gone" };
	struct error err;

	for (size_t i = 0; i < c->line.args.n; i++)
		if (image_check(c->line.args.v[i], &err) < 0)
			return cli_fail(c, NULL, &err);
	if (!cli_confirm(c, "remove %s%s?", c->line.args.v[0], c->line.args.n > 1 ? " and others" : ""))
		return ERR_FAILED;
	return each_names(c, &rm, &c->line.args);
}
