/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/container/store.h"

#define ID "00deadbeef00cafe"
#define BOOT "11111111-2222-3333-4444-555555555555"

static struct {
	struct instance in;
	struct store s;
	char top[64];
	int loaded, bad;
	char last_bad[64], last_name[64];
} t;

static int setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	memset(&t, 0, sizeof(t));
	strcpy(t.top, "/tmp/arnia-store.XXXXXX");
	assert_non_null(mkdtemp(t.top));
	snprintf(t.in.run, sizeof(t.in.run), "%s/run", t.top);
	snprintf(t.in.state, sizeof(t.in.state), "%s/lib", t.top);
	assert_int_equal(mkdir(t.in.run, 0755), 0);
	assert_int_equal(mkdir(t.in.state, 0711), 0);
	assert_int_equal(store_open(&t.in, &t.s, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_close(&t.s);
	assert_int_equal(path_rmtree_at(AT_FDCWD, t.top), 0);
	return 0;
}

static struct machine_config config(const char *extra)
{
	struct machine_config c = { .id = ID, .created_ns = 123456789 };
	auto_free char *text = str_fmt("{\"image\":\"busybox\",\"name\":\"web\"%s}", extra);
	struct error err = { 0 };
	auto_json json *j = json_parse(text, strlen(text), &err);

	assert_non_null(j);
	assert_int_equal(spec_decode(j, &c.spec, &err), 0);
	return c;
}

static void on_config(void *arg, struct machine_config *c)
{
	(void)arg;
	t.loaded++;
	(void)str_copy(t.last_name, sizeof(t.last_name), c->spec.name);
	assert_string_equal(c->id, ID);
	assert_int_equal(c->created_ns, 123456789);
	machine_config_done(c);
}

static void on_bad(void *arg, const char *file, const struct error *why)
{
	(void)arg;
	t.bad++;
	assert_true(why->text[0]);
	(void)str_copy(t.last_bad, sizeof(t.last_bad), file);
}

static void load(void)
{
	t.loaded = t.bad = 0;
	store_load_configs(&t.s, on_config, on_bad, NULL);
}

static void round_trip(void **state)
{
	struct machine_config c = config("");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_save_config(&t.s, &c, &err), 0);
	load();
	assert_int_equal(t.loaded, 1);
	assert_int_equal(t.bad, 0);
	assert_string_equal(t.last_name, "web");
	assert_int_equal(store_remove(&t.s, ID, false, &err), 0);
	load();
	assert_int_equal(t.loaded + t.bad, 0);
	machine_config_done(&c);
}

static void ephemeral_ones_lie_in_run(void **state)
{
	struct machine_config c = config(",\"remove\":true");

	(void)state;
	assert_int_equal(store_save_config(&t.s, &c, NULL), 0);
	assert_int_equal(faccessat(t.s.run_config, ID ".json", F_OK, 0), 0);
	assert_int_equal(faccessat(t.s.config, ID ".json", F_OK, 0), -1);
	assert_int_equal(store_remove(&t.s, ID, true, NULL), 0);
	machine_config_done(&c);
}

/* Every length and every single flipped byte is found, put aside and named; nothing of it is believed. */
static void torn_and_garbled(void **state)
{
	struct machine_config c = config("");
	auto_free char *good = NULL;
	long n;

	(void)state;
	assert_int_equal(store_save_config(&t.s, &c, NULL), 0);
	n = file_read_at(t.s.config, ID ".json", 1 << 20, &good, NULL);
	assert_true(n > 50);
	for (long cut = 0; cut < n - 1; cut++) { /* without its last newline it is whole */
		assert_int_equal(file_write_atomic_at(t.s.config, ID ".json", good, (size_t)cut, 0600, false, NULL), 0);
		load();
		assert_int_equal(t.loaded, 0);
		assert_int_equal(t.bad, 1);
		assert_string_equal(t.last_bad, "config/" ID ".json");
		assert_true(store_has_unread(&t.s, ID));
		load(); /* put aside: not met again */
		assert_int_equal(t.loaded + t.bad, 0);
	}
	for (long i = 0; i < n - 1; i++) {
		auto_free char *garbled = str_dup(good);

		garbled[i] ^= 1;
		assert_int_equal(file_write_atomic_at(t.s.config, ID ".json", garbled, (size_t)n, 0600, false, NULL), 0);
		load();
		assert_int_equal(t.loaded, 0);
		assert_int_equal(t.bad, 1);
	}
	machine_config_done(&c);
}

static void a_newer_schema_is_left_alone(void **state)
{
	json *j = json_new_obj();
	auto_free char *text = NULL;

	(void)state;
	json_add_u64(j, "schema", 2);
	json_add_str(j, "id", ID);
	text = store_seal(j);
	assert_int_equal(file_write_atomic_at(t.s.config, ID ".json", text, strlen(text), 0600, false, NULL), 0);
	load();
	assert_int_equal(t.bad, 1);
	assert_int_equal(faccessat(t.s.config, ID ".json", F_OK, 0), 0);
	assert_true(store_has_unread(&t.s, ID)); /* so what belongs to it stays too */
	assert_false(store_has_unread(&t.s, "0000000000000001"));
}

static void what_was_put_aside_is_told_again(void **state)
{
	(void)state;
	t.bad = 0;
	store_each_bad(&t.s, on_bad, NULL);
	assert_int_equal(t.bad, 0);
	assert_int_equal(file_write_atomic_at(t.s.state, "bad-" ID ".json", "{", 1, 0600, false, NULL), 0);
	store_each_bad(&t.s, on_bad, NULL);
	assert_int_equal(t.bad, 1);
	assert_string_equal(t.last_bad, "state/bad-" ID ".json");
	assert_int_equal(store_remove(&t.s, ID, false, NULL), 0);
	t.bad = 0;
	store_each_bad(&t.s, on_bad, NULL);
	assert_int_equal(t.bad, 0);
}

static void half_written_files_go(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(file_write_atomic_at(t.s.config, "." ID ".json.tmp", "{", 1, 0600, false, NULL), 0);
	assert_int_equal(file_write_atomic_at(t.s.plan, "." ID ".tmp", "{", 1, 0600, false, NULL), 0);
	store_close(&t.s);
	assert_int_equal(store_open(&t.in, &t.s, &err), 0);
	assert_int_equal(faccessat(t.s.config, "." ID ".json.tmp", F_OK, 0), -1);
	assert_int_equal(faccessat(t.s.plan, "." ID ".tmp", F_OK, 0), -1);
}

/* A plan says what is to be killed and removed, so every cut and every flipped bit of it is to be found. */
static void plans(void **state)
{
	struct plan p = { .kind = PLAN_REMOVE, .id = ID, .name = "web", .run = "/r", .state = "/s", .share = "/h",
			  .layers_dir = "/s/containers/" ID }, *got = NULL;
	auto_free void *bytes = NULL;
	auto_free char *good = NULL;
	struct error err = { 0 };
	size_t size = 0;
	long n;

	(void)state;
	assert_int_equal(store_load_plan(&t.s, ID, &got, &err), -ENOENT);
	assert_int_equal(err.code, 0);
	assert_int_equal(plan_encode(&p, &bytes, &size), 0);
	assert_int_equal(store_save_plan(&t.s, ID, bytes, size, &err), 0);
	assert_int_equal(store_load_plan(&t.s, ID, &got, &err), 0);
	assert_string_equal(got->layers_dir, p.layers_dir);
	plan_free(got);
	n = file_read_at(t.s.plan, ID, 1 << 20, &good, NULL);
	assert_true(n > (long)size);
	for (long cut = 0; cut < n; cut++) {
		assert_int_equal(file_write_atomic_at(t.s.plan, ID, good, (size_t)cut, 0600, false, NULL), 0);
		assert_int_equal(store_load_plan(&t.s, ID, &got, &err), -EBADMSG);
	}
	for (long bit = 0; bit < n * 8; bit++) {
		good[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(file_write_atomic_at(t.s.plan, ID, good, (size_t)n, 0600, false, NULL), 0);
		assert_int_equal(store_load_plan(&t.s, ID, &got, &err), -EBADMSG);
		good[bit / 8] ^= 1 << bit % 8;
	}
	/* another one's */
	assert_int_equal(file_write_atomic_at(t.s.plan, "0000000000000001", good, (size_t)n, 0600, false, NULL), 0);
	assert_int_equal(store_load_plan(&t.s, "0000000000000001", &got, &err), -EBADMSG);
	store_isolate_plan(&t.s, ID);
	assert_int_equal(store_load_plan(&t.s, ID, &got, &err), -ENOENT);
}

static void a_strangers_file_in_its_place(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", t.s.config, ID ".json"), 0);
	load();
	assert_int_equal(t.loaded, 0);
	assert_int_equal(t.bad, 1);
	assert_int_equal(mknodat(t.s.config, ID ".json", S_IFIFO | 0600, 0), 0);
	load();
	assert_int_equal(t.bad, 1); /* and it did not hang */
}

static void states(void **state)
{
	struct machine_state st = { .phase = PHASE_RUNNING, .pid = 42, .pid_start = 99, .started_ns = 7, .boot_id = BOOT },
			     got;
	struct error err = { 0 };

	(void)state;
	st.id_base = 0x70010000;
	st.pipes[1] = 0xfedcba9876543210;
	st.removing = true;
	st.addr.s_addr = htonl(0x0ad10203);
	st.exit = (struct exit_record){ .known = true, .code = CLD_KILLED, .status = 9, .time_ns = 5, .cause = "oom" };
	assert_int_equal(store_load_state(&t.s, ID, BOOT, &got, &err), 0); /* none */
	assert_int_equal(got.phase, PHASE_STOPPED);
	assert_int_equal(store_save_state(&t.s, ID, &st, &err), 0);
	assert_int_equal(store_load_state(&t.s, ID, BOOT, &got, &err), 0);
	assert_int_equal(got.phase, PHASE_RUNNING);
	assert_int_equal(got.pid, 42);
	assert_int_equal(got.pid_start, 99);
	assert_int_equal(got.exit.code, CLD_KILLED);
	assert_string_equal(got.exit.cause, "oom");
	assert_int_equal(got.id_base, 0x70010000);
	assert_true(got.removing && got.pipes[1] == st.pipes[1]);
	assert_int_equal(ntohl(got.addr.s_addr), 0x0ad10203);
	assert_null(got.host_ports);
	st.host_ports = (char[]){ "49153,0,8080" };
	assert_int_equal(store_save_state(&t.s, ID, &st, &err), 0);
	assert_int_equal(store_load_state(&t.s, ID, BOOT, &got, &err), 0);
	assert_string_equal(got.host_ports, "49153,0,8080");
	machine_state_done(&got);
	/* after a reboot nothing runs, and the pid is a stranger's */
	assert_int_equal(store_load_state(&t.s, ID, "99999999-2222-3333-4444-555555555555", &got, &err), 0);
	assert_int_equal(got.phase, PHASE_STOPPED);
	assert_int_equal(got.pid, 0);
	assert_int_equal(got.id_base, 0);
	assert_null(got.host_ports);
	assert_int_equal(file_write_atomic_at(t.s.state, ID ".json", "{", 1, 0600, false, NULL), 0);
	got.pid = 77;
	assert_int_equal(store_load_state(&t.s, ID, BOOT, &got, &err), -EBADMSG);
	assert_int_equal(got.pid, 77); /* untouched */
	assert_non_null(strstr(err.text, ID));
}

static void seals(void **state)
{
	struct error err = { 0 };
	json *j = json_new_obj();
	auto_json json *back = NULL;
	auto_free char *text = NULL;
	const char *s = NULL;

	(void)state;
	json_add_str(j, "a", "x\n\"\\\x01\xc3\xa4");
	json_add(j, "b", json_new_num(1.5));
	text = store_seal(j);
	assert_int_equal(store_unseal(text, strlen(text), &back, &err), 0);
	assert_int_equal(json_get_str(back, "a", &s, &err), 1);
	assert_string_equal(s, "x\n\"\\\x01\xc3\xa4");
	assert_int_equal(store_unseal("{}", 2, &back, &err), -EBADMSG);
	assert_int_equal(store_unseal("{\"sum\":1,\"record\":{}}", 21, &back, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(ephemeral_ones_lie_in_run, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_and_garbled, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_schema_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_strangers_file_in_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(states, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_put_aside_is_told_again, setup, teardown),
		cmocka_unit_test_setup_teardown(half_written_files_go, setup, teardown),
		cmocka_unit_test_setup_teardown(plans, setup, teardown),
		cmocka_unit_test(seals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
