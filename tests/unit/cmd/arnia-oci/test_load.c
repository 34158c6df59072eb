/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.json as it is found: in the bundle, under another name, and kept in a container's record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia-oci/engine.h"
#include "lib/base/fd.h"
#include "lib/base/json.h"
#include "lib/base/path.h"
#include "lib/base/str.h"

static char bundle[64], path[80];
static struct call call;
static struct error err;
static char *good; /* what `spec` writes */

static int set_up(void **state)
{
	auto_json json *j = oci_spec_template(false, 0, 0);

	(void)state;
	snprintf(bundle, sizeof(bundle), "/tmp/arnia-load.XXXXXX");
	assert_non_null(mkdtemp(bundle));
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	call = (struct call){ .g = { .rootless = 0, .log_fd = -1 } };
	good = json_text(j, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(good);
	arena_done(&call.arena);
	return path_rmtree_at(AT_FDCWD, bundle);
}

static void put(const char *at, const char *text, size_t n)
{
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_all(fd, text, n), 0);
	close(fd);
}

/* On failure nothing is given back. */
static int load(char **ret_text)
{
	struct oci_config config = { .version = "untouched" };
	char *text = NULL;
	int r;

	err_clear(&err);
	r = config_load(&call, bundle, &config, &text, &err);
	if (r < 0) {
		assert_null(text);
		assert_string_equal(config.version, "untouched");
		return r;
	}
	assert_string_equal(config.bundle, bundle);
	oci_config_done(&config);
	if (ret_text)
		*ret_text = text;
	else
		free(text);
	return r;
}

static void of_the_bundle(void **state)
{
	auto_free char *text = NULL;

	(void)state;
	put(path, good, strlen(good));
	assert_int_equal(load(&text), 0);
	/* Kept as it stands. */
	assert_string_equal(text, good);
}

static void of_another_name(void **state)
{
	static const struct opt config = { "config", 'f', OPT_VALUE, "FILE", "" };
	auto_free char *other = str_fmt("%s/other", bundle);

	(void)state;
	put(path, "{", 1);
	put(other, good, strlen(good));
	*arena_push(&call.arena, &call.values) = (struct opt_value){ &config, other };
	assert_int_equal(load(NULL), 0);
	assert_int_equal(unlink(other), 0);
	assert_int_equal(load(NULL), -ENOENT);
	assert_non_null(strstr(err.text, other));
}

static void what_is_no_file(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(load(NULL), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	/* Nobody writes to it, and it is not waited for. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(load(NULL) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_true(load(NULL) < 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("config.json", path), 0);
	assert_int_equal(load(NULL), -ELOOP);
}

static void too_large(void **state)
{
	(void)state;
	put(path, good, strlen(good));
	assert_int_equal(truncate(path, OCI_CONFIG_MAX + 1), 0);
	assert_int_equal(load(NULL), -EFBIG);
}

/* Cut anywhere it is none, and the error says of which file. */
static void cut_at_each_length(void **state)
{
	size_t n = strlen(good);

	(void)state;
	for (size_t i = 0; i < n - 1; i++) {
		put(path, good, i);
		assert_true(load(NULL) < 0);
		if (strncmp(err.text, "config.json: ", 13) != 0)
			fail_msg("cut at %zu: %s", i, err.text);
	}
}

static void bytes_that_are_no_text(void **state)
{
	static const char *const rubbish[] = { "\0{}", "{}\0", "{\"a\0b\":1}", "\xef\xbb\xbf", "{} {}", "[]", "null", "7", "\"{}\"" };
	static const size_t lengths[] = { 3, 3, 10, 3, 5, 2, 4, 1, 4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rubbish); i++) {
		put(path, rubbish[i], lengths[i]);
		assert_true(load(NULL) < 0);
	}
}

static void very_deep(void **state)
{
	auto_free char *deep = mem_alloc_n(400001, 1);

	(void)state;
	memset(deep, '[', 200000);
	memset(deep + 200000, ']', 200000);
	put(path, deep, 400000);
	assert_true(load(NULL) < 0);
	memset(deep, '[', 400000);
	put(path, deep, 400000);
	assert_true(load(NULL) < 0);
}

static void of_a_record(void **state)
{
	struct record r = RECORD_NONE;
	struct oci_config config = { 0 };

	(void)state;
	r.id = "one";
	r.bundle = "/elsewhere";
	assert_int_equal(config_of_record(&call, &r, &config, &err), -EBADMSG);
	assert_string_equal(err.text, "the container's configuration is lost");
	r.config = "{";
	assert_true(config_of_record(&call, &r, &config, &err) < 0);
	r.config = good;
	assert_int_equal(config_of_record(&call, &r, &config, &err), 0);
	assert_string_equal(config.bundle, "/elsewhere");
	oci_config_done(&config);
}

/* Who calls decides, unless it was said. */
static void who_calls(void **state)
{
	(void)state;
	call.g.rootless = 1;
	assert_true(caller_is_plain(&call));
	call.g.rootless = 0;
	assert_int_equal(caller_is_plain(&call), geteuid() != 0);
	call.g.rootless = -1;
	assert_int_equal(caller_is_plain(&call), !caller_is_root());
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(of_the_bundle),
		CASE(of_another_name),
		CASE(what_is_no_file),
		CASE(too_large),
		CASE(cut_at_each_length),
		CASE(bytes_that_are_no_text),
		CASE(very_deep),
		CASE(of_a_record),
		CASE(who_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
