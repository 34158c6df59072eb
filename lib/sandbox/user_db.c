/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/sandbox/user_db.h"

#define FIELDS_MAX 7

/* One line, cut at its colons; fields point into the text and are not terminated. */
struct line {
	const char *field[FIELDS_MAX];
	size_t len[FIELDS_MAX];
	size_t n;
};

/* The line at *at, which moves on; false at the end. A longer line keeps its tail in the last field. */
static bool next_line(const char **at, struct line *l)
{
	const char *p = *at, *end;

	if (!p || !*p)
		return false;
	end = strchrnul(p, '\n');
	*at = *end ? end + 1 : end;
	for (l->n = 0; l->n < FIELDS_MAX;) {
		const char *stop = memchr(p, ':', (size_t)(end - p));

		if (!stop || l->n == FIELDS_MAX - 1)
			stop = end;
		l->field[l->n] = p;
		l->len[l->n++] = (size_t)(stop - p);
		if (stop == end)
			break;
		p = stop + 1;
	}
	return true;
}

static bool field_is(const struct line *l, size_t i, const char *s)
{
	return i < l->n && strlen(s) == l->len[i] && memcmp(l->field[i], s, l->len[i]) == 0;
}

/* Decimal as everybody writes it: no sign, no space, no leading zero, no "no id". */
static int parse_id(const char *s, size_t n, uint32_t *ret)
{
	char text[12];
	uint32_t id;

	if (n == 0 || n >= sizeof(text) || (s[0] == '0' && n > 1))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (parse_u32(text, &id) < 0 || id > USER_ID_MAX)
		return -EINVAL;
	*ret = id;
	return 0;
}

static int field_id(const struct line *l, size_t i, uint32_t *ret)
{
	return i < l->n ? parse_id(l->field[i], l->len[i], ret) : -EINVAL;
}

/* Bytes that could make something else of a name, a path or a message. */
static bool is_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return false;
	return utf8_valid(s, n);
}

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < sizeof(((struct sandbox_user *)0)->name) && is_plain(s, n) &&
	       !strpbrk(s, ":/,") && !strchr("-+", s[0]);
}

/* A word that starts like a number is one, or is refused: an image's passwd cannot give "0" or "0x0" another
 * meaning. */
static int parse_word(const char *s, const char *what, bool *ret_is_id, uint32_t *ret_id, struct error *err)
{
	if (s[0] >= '0' && s[0] <= '9') {
		if (parse_id(s, strlen(s), ret_id) < 0)
			return err_set_kind(err, -EINVAL, ERR_USAGE,
					    "%s \"%.64s\": not a number from 0 to %u", what, s, USER_ID_MAX);
		*ret_is_id = true;
		return 0;
	}
	if (!is_name(s))
		return err_set_kind(err, -EINVAL, ERR_USAGE, "%s \"%.64s\": neither a name nor a number",
				    what, s);
	*ret_is_id = false;
	return 0;
}

int user_spec_parse(const char *text, struct user_spec *ret, struct error *err)
{
	struct user_spec s = { .user_is_id = true };
	char *colon;
	int r = 0;

	if (str_is_empty(text)) {
		*ret = s;
		return 0;
	}
	if (str_copy(s.buf, sizeof(s.buf), text) < 0)
		return err_set_kind(err, -EINVAL, ERR_USAGE, "user \"%.32s...\": too long", text);
	colon = strchr(s.buf, ':');
	if (colon)
		*colon = '\0';
	r = parse_word(s.buf, "user", &s.user_is_id, &s.uid, err);
	if (r == 0 && colon)
		r = parse_word(colon + 1, "group", &s.group_is_id, &s.gid, err);
	if (r < 0)
		return r;
	*ret = s;
	ret->user = ret->buf;
	ret->group = colon ? ret->buf + (colon + 1 - s.buf) : NULL;
	return 0;
}

static int check_mapped(const char *what, uint32_t id, uint32_t id_count, struct error *err)
{
	if (id < id_count)
		return 0;
	return err_set_kind(err, -ERANGE, ERR_USAGE, "%s %u: the container has the ids 0 to %u only", what,
			    id, id_count - 1);
}

static void copy_field(const struct line *l, size_t i, bool path, char *dst, size_t size)
{
	const char *s = i < l->n ? l->field[i] : "";
	size_t n = i < l->n ? l->len[i] : 0;

	if (n == 0 || n >= size || !is_plain(s, n) || (path && s[0] != '/'))
		return;
	memcpy(dst, s, n);
	dst[n] = '\0';
}

/* name:password:uid:gid:gecos:home:shell; lines without usable ids are as if they were not there. */
static bool find_passwd(const char *text, const struct user_spec *spec, struct sandbox_user *u)
{
	struct line l;

	while (next_line(&text, &l)) {
		uint32_t uid, gid;

		if (field_id(&l, 2, &uid) < 0 || field_id(&l, 3, &gid) < 0)
			continue;
		if (spec->user_is_id ? uid != spec->uid : !field_is(&l, 0, spec->user))
			continue;
		u->uid = uid;
		u->gid = gid;
		copy_field(&l, 0, false, u->name, sizeof(u->name));
		copy_field(&l, 5, true, u->home, sizeof(u->home));
		copy_field(&l, 6, true, u->shell, sizeof(u->shell));
		return true;
	}
	return false;
}

/* name:password:gid:member,member */
static bool find_group(const char *text, const char *name, uint32_t *ret)
{
	struct line l;

	while (next_line(&text, &l))
		if (field_is(&l, 0, name) && field_id(&l, 2, ret) == 0)
			return true;
	return false;
}

static bool has_member(const struct line *l, const char *name)
{
	size_t n = strlen(name);
	const char *p, *end;

	if (l->n < 4)
		return false;
	end = l->field[3] + l->len[3];
	for (p = l->field[3]; p <= end;) {
		const char *stop = memchr(p, ',', (size_t)(end - p));

		if (!stop)
			stop = end;
		if ((size_t)(stop - p) == n && memcmp(p, name, n) == 0)
			return true;
		p = stop + 1;
	}
	return false;
}

static int add_group(struct sandbox_user *u, uint32_t gid, struct error *err)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (u->groups[i] == gid)
			return 0;
	if (u->n_groups == ARRAY_SIZE(u->groups))
		return err_set_kind(err, -E2BIG, ERR_USAGE, "user: in more than %zu groups",
				    ARRAY_SIZE(u->groups));
	u->groups[u->n_groups++] = gid;
	return 0;
}

/* The groups that list the user. One that is not mapped cannot be given; that is the image's mistake, not the
 * caller's. */
static int add_memberships(const struct user_db *db, struct sandbox_user *u, struct error *err)
{
	const char *text = db->group;
	struct line l;

	while (next_line(&text, &l)) {
		uint32_t gid;
		int r;

		if (field_id(&l, 2, &gid) < 0 || gid >= db->id_count || !has_member(&l, u->name))
			continue;
		r = add_group(u, gid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_asked(const struct user_db *db, const struct strv *groups, struct sandbox_user *u,
		     struct error *err)
{
	for (size_t i = 0; i < groups->n; i++) {
		uint32_t gid = 0;
		bool is_id;
		int r = parse_word(groups->v[i], "group", &is_id, &gid, err);

		if (r == 0 && !is_id && !find_group(db->group, groups->v[i], &gid))
			r = err_set_kind(err, -ENOENT, ERR_NOT_FOUND,
					 "group %s: not in the container's /etc/group", groups->v[i]);
		if (r == 0)
			r = check_mapped("group", gid, db->id_count, err);
		if (r == 0)
			r = add_group(u, gid, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int user_find(const struct user_db *db, const struct user_spec *spec, const struct strv *groups,
	      struct sandbox_user *ret, struct error *err)
{
	struct sandbox_user u = { .uid = spec->uid, .home = "/", .shell = "/bin/sh" };
	bool found = find_passwd(db->passwd, spec, &u);
	int r = 0;

	if (!found && !spec->user_is_id)
		return err_set_kind(err, -ENOENT, ERR_NOT_FOUND,
				    "user %s: not in the container's /etc/passwd", spec->user);
	if (spec->group && spec->group_is_id)
		u.gid = spec->gid;
	else if (spec->group && !find_group(db->group, spec->group, &u.gid))
		return err_set_kind(err, -ENOENT, ERR_NOT_FOUND,
				    "group %s: not in the container's /etc/group", spec->group);
	r = check_mapped("user", u.uid, db->id_count, err);
	if (r == 0)
		r = check_mapped("group", u.gid, db->id_count, err);
	/* With a group given, exactly that one (as Docker and runc do). */
	if (r == 0 && !spec->group && u.name[0])
		r = add_memberships(db, &u, err);
	if (r == 0)
		r = add_asked(db, groups, &u, err);
	if (r < 0)
		return r;
	*ret = u;
	return 0;
}
