/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cmd/arnia/cli.h"
#include "cmd/arnia/run_opts.h"

typedef int (*parse_fn)(const char *text, json *arr, struct error *err);

static void good(parse_fn parse, const char *text, const char *expected)
{
	auto_json json *arr = json_new_arr();
	auto_free char *got = NULL;
	struct error err;

	if (parse(text, arr, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	got = json_text(arr, false);
	assert_string_equal(got, expected);
}

static void bad(parse_fn parse, const char *text)
{
	auto_json json *arr = json_new_arr();
	struct error err = { 0 };

	if (parse(text, arr, &err) == 0)
		fail_msg("taken: %s", text);
	assert_int_equal(json_len(arr), 0);
	assert_true(err.text[0]);
}

static void publish(void **state)
{
	static const char *const wrong[] = {
		"",	  ":",		 "80:",		"::80x",	 "0",	"65536",
		"-80",	  "80-",	 "80-79",	"1-2000:1-2000", "80/", "80/tcp/udp",
		"80/TCP", "1.2.3:80:80", "[::1]:80:80", "host:80:80",	 " 80", "80 ",
		"0x50",	  "1-2:3",	 "1:2-3"
	};

	(void)state;
	good(parse_publish, "80", "[{\"protocol\":\"tcp\",\"port\":80}]");
	good(parse_publish, "8080:80", "[{\"protocol\":\"tcp\",\"hostPort\":8080,\"port\":80}]");
	good(parse_publish, "53:53/udp", "[{\"protocol\":\"udp\",\"hostPort\":53,\"port\":53}]");
	good(parse_publish, "127.0.0.1:8080:80",
	     "[{\"protocol\":\"tcp\",\"hostAddress\":\"127.0.0.1\",\"hostPort\":8080,\"port\":80}]");
	good(parse_publish, "127.0.0.1::80",
	     "[{\"protocol\":\"tcp\",\"hostAddress\":\"127.0.0.1\",\"port\":80}]");
	good(parse_publish, ":80", "[{\"protocol\":\"tcp\",\"port\":80}]");
	good(parse_publish, "10-11:20-21",
	     "[{\"protocol\":\"tcp\",\"hostPort\":10,\"port\":20},"
	     "{\"protocol\":\"tcp\",\"hostPort\":11,\"port\":21}]");
	good(parse_publish, "65535", "[{\"protocol\":\"tcp\",\"port\":65535}]");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		bad(parse_publish, wrong[i]);
}

static void volume(void **state)
{
	static const char *const wrong[] = { "",
					     "/tmp",
					     "/tmp:",
					     ":/x",
					     "/tmp:x",
					     "/tmp:/x:",
					     "/tmp:/x:ro:rw",
					     "/tmp:/x:ro,",
					     "/tmp:/x:size=1",
					     "tmp:/x",
					     "/nonexistent/x:/x" };
	char dir[] = "/tmp/arnia-vol-XXXXXX", want[200], text[64];

	(void)state;
	good(parse_volume, "/proc/self/../:/x:ro",
	     "[{\"type\":\"bind\",\"source\":\"/proc\",\"target\":\"/x\",\"readOnly\":true}]");
	good(parse_volume, "/:/host:noidmap,rw",
	     "[{\"type\":\"bind\",\"source\":\"/\",\"target\":\"/"
	     "host\",\"idmap\":false,\"readOnly\":false}]");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		bad(parse_volume, wrong[i]);
	/* Relative to where we are, whatever it is called. */
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("sub", 0700), 0);
	snprintf(want, sizeof(want), "[{\"type\":\"bind\",\"source\":\"%s/sub\",\"target\":\"/x\"}]", dir);
	good(parse_volume, "./sub:/x", want);
	snprintf(text, sizeof(text), "sub/../sub:/x");
	good(parse_volume, text, want);
	snprintf(want, sizeof(want), "[{\"type\":\"bind\",\"source\":\"%s\",\"target\":\"/x\"}]", dir);
	good(parse_volume, ".:/x", want);
	assert_int_equal(rmdir("sub"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void tmpfs_and_ulimit(void **state)
{
	static const char *const wrong_tmpfs[] = { "",		"x",	    "/x:",	 "/x:size=",
						   "/x:size=x", "/x:mode=", "/x:mode=9", "/x:mode=0000777",
						   "/x:noidmap", "/x:size=0", "/x:size=0M" };
	static const char *const wrong_ulimit[] = { "",		 "nofile",	"nofile=",    "=1",
						    "nofile=x",	 "nofile=1:",	"nofile=2:1", "nofile=-1:5",
						    "nofile=-2", "nofile=1:2:3" };

	(void)state;
	good(parse_tmpfs, "/x", "[{\"type\":\"tmpfs\",\"target\":\"/x\"}]");
	good(parse_tmpfs, "/x:size=64M,mode=1777,ro",
	     "[{\"type\":\"tmpfs\",\"target\":\"/x\",\"size\":67108864,\"mode\":1023,\"readOnly\":true}]");
	good(parse_ulimit, "nofile=1024", "[{\"name\":\"nofile\",\"soft\":1024,\"hard\":1024}]");
	good(parse_ulimit, "core=0:unlimited", "[{\"name\":\"core\",\"soft\":0,\"hard\":-1}]");
	good(parse_ulimit, "core=-1", "[{\"name\":\"core\",\"soft\":-1,\"hard\":-1}]");
	for (size_t i = 0; i < ARRAY_SIZE(wrong_tmpfs); i++)
		bad(parse_tmpfs, wrong_tmpfs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(wrong_ulimit); i++)
		bad(parse_ulimit, wrong_ulimit[i]);
}

/* A whole command line; words are separated by '|'. */
static json *spec_of(const char *words, struct error *err)
{
	struct cli c = { .timeout_ms = -1 };
	struct opt_table tables[1] = { machine_options };
	const struct opt_syntax syntax = { tables, 1, true };
	char *argv[64], *copy = arena_str(&c.arena, words), *word;
	json *spec = NULL;
	size_t n = 0;

	while ((word = strsep(&copy, "|")))
		argv[n++] = word;
	if (opts_parse(&syntax, argv, n, &c.arena, &c.line, err) == 0)
		run_spec(&c, c.line.args.v[0], opt_text(&c.line, O_NAME), 1, &spec, err);
	arena_done(&c.arena);
	return spec;
}

static void specs(void **state)
{
	static const char *const lines[][2] = {
		{ "busybox", "{\"image\":\"busybox\"}" },
		{ "--name|web|img|sh|-c|a b",
		  "{\"image\":\"img\",\"name\":\"web\",\"command\":[\"sh\",\"-c\",\"a b\"]}" },
		{ "--cpus|0.1|i", "{\"image\":\"i\",\"cpus\":0.1}" },
		{ "-m|-1|--swap|0|--pids|-1|i", "{\"image\":\"i\",\"memory\":-1,\"swap\":0,\"pids\":-1}" },
		{ "-m|1K|--memory-swap|1K|i", "{\"image\":\"i\",\"memory\":1024,\"swap\":0}" },
		{ "-m|1K|--memory-swap=-1|i", "{\"image\":\"i\",\"memory\":1024,\"swap\":-1}" },
		{ "--init=no|i", "{\"image\":\"i\",\"noInit\":true}" },
		{ "--no-init|i", "{\"image\":\"i\",\"noInit\":true}" },
		{ "--init|i", "{\"image\":\"i\",\"noInit\":false}" },
		{ "-l|a=b=c|-l|x|i", "{\"image\":\"i\",\"labels\":{\"a\":\"b=c\",\"x\":\"\"}}" },
		{ "--security-opt|seccomp=unconfined|i", "{\"image\":\"i\",\"seccomp\":\"unconfined\"}" },
		{ "--security-opt|no-new-privileges|--security-opt|seccomp:strict|i",
		  "{\"image\":\"i\",\"noNewPrivs\":true,\"seccomp\":\"strict\"}" },
		{ "-e|A=|-e|B=x=y|i", "{\"image\":\"i\",\"env\":[\"A=\",\"B=x=y\"]}" },
		{ "--rm=false|--read-only|i", "{\"image\":\"i\",\"remove\":false,\"readOnly\":true}" },
		{ "--entrypoint|/bin/x|i|y", "{\"image\":\"i\",\"command\":[\"/bin/x\",\"y\"]}" },
		{ "--stop-timeout|1m|--log-max|0|i", "{\"image\":\"i\",\"stopTimeout\":60000,\"logMax\":0}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct error err = { 0 };
		auto_json json *spec = spec_of(lines[i][0], &err);
		auto_json json *want = json_parse(lines[i][1], strlen(lines[i][1]), NULL);
		auto_free char *got = NULL, *text = json_text(want, false);

		if (!spec)
			fail_msg("%s: %s", lines[i][0], err.text);
		got = json_text(spec, false);
		/* Same members, whatever their order. */
		assert_int_equal(strlen(got), strlen(text));
		for (struct json_iter it = json_iter(want); json_next(&it);) {
			const json *member = row_member(spec, it.key);
			auto_free char *a = json_text(it.value, false),
				       *b = member ? json_text(member, false) : NULL;

			if (!str_eq(a, b))
				fail_msg("%s: %s is %s", lines[i][0], it.key, b ?: "missing");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publish),
		cmocka_unit_test(volume),
		cmocka_unit_test(tmpfs_and_ulimit),
		cmocka_unit_test(specs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
