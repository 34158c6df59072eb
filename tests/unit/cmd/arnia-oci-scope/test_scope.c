/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program's parts against a stand-in for systemd, which listens where that of a user does. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "cmd/arnia-oci-scope/scope.h"

#define JOB "/org/freedesktop/systemd1/job/7"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/x"

struct fake {
	char dir[64];
	pid_t pid;
};

static int answer_job(sd_bus_message *msg, void *userdata, sd_bus_error *e)
{
	sd_bus *bus = sd_bus_message_get_bus(msg);
	const char *unit, *mode;

	(void)userdata;
	if (sd_bus_message_read(msg, "ss", &unit, &mode) < 0)
		return -EINVAL;
	if (str_eq(unit, "there.scope"))
		return sd_bus_error_set(e, "org.freedesktop.systemd1.UnitExists", "Unit there.scope already exists.");
	if (str_eq(unit, "missing.scope"))
		return sd_bus_error_set(e, "org.freedesktop.systemd1.NoSuchUnit", "Unit missing.scope not loaded.");
	/* Of another job, then of this one, before its answer: both orders happen. */
	sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 6,
			   "/org/freedesktop/systemd1/job/6", unit, "failed");
	sd_bus_emit_signal(bus, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", 7, JOB, unit,
			   str_eq(unit, "bad.scope") ? "timeout" : "done");
	return sd_bus_reply_method_return(msg, "o", JOB);
}

static int answer_subscribe(sd_bus_message *msg, void *userdata, sd_bus_error *e)
{
	bool *subscribed = userdata;

	if (*subscribed)
		return sd_bus_error_set(e, "org.freedesktop.systemd1.AlreadySubscribed", "Client is already subscribed.");
	*subscribed = true;
	return sd_bus_reply_method_return(msg, "");
}

static int answer_unit(sd_bus_message *msg, void *userdata, sd_bus_error *e)
{
	(void)userdata;
	(void)e;
	return sd_bus_reply_method_return(msg, "o", UNIT_PATH);
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply, void *userdata,
		    sd_bus_error *e)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)userdata;
	(void)e;
	return sd_bus_message_append(reply, "s", str_eq(property, "Version") ? "252.39-1~deb12u1" : "/a.slice/x.scope");
}

static const sd_bus_vtable manager_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", answer_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o", answer_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", answer_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("GetUnit", "s", "o", answer_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
	SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable scope_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ControlGroup", "s", get_text, 0, 0),
	SD_BUS_VTABLE_END,
};

static void serve(int listener)
{
	auto_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	sd_bus *bus = NULL;
	sd_id128_t id = { .bytes = { 1 } };
	bool subscribed = false;

	if (sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 || sd_bus_set_server(bus, 1, id) < 0 ||
	    sd_bus_set_anonymous(bus, 1) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", manager_table, &subscribed) < 0 ||
	    sd_bus_add_object_vtable(bus, NULL, UNIT_PATH, "org.freedesktop.systemd1.Scope", scope_table, NULL) < 0 ||
	    sd_bus_start(bus) < 0)
		_exit(1);
	fd_steal(&fd);
	for (;;) {
		int r = sd_bus_process(bus, NULL);

		if (r < 0 || (r == 0 && sd_bus_wait(bus, UINT64_MAX) < 0))
			_exit(0);
	}
}

static void fake_start(struct fake *f)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[96];

	snprintf(f->dir, sizeof(f->dir), "/tmp/arnia-scope-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof(path), "%s/systemd", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/systemd/private", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	setenv("XDG_RUNTIME_DIR", f->dir, 1);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		serve(fd);
}

static void fake_done(struct fake *f)
{
	char path[96];

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	snprintf(path, sizeof(path), "%s/systemd/private", f->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/systemd", f->dir);
	rmdir(path);
	rmdir(f->dir);
}

static int run_job(struct manager *m, const char *method, const char *unit, struct error *err)
{
	sd_bus_message *msg = NULL;
	int r;

	assert_true(manager_method(m, method, &msg) >= 0);
	assert_true(sd_bus_message_append(msg, "ss", unit, "replace") >= 0);
	if (str_eq(method, "StartTransientUnit"))
		assert_true(sd_bus_message_append(msg, "a(sv)a(sa(sv))", 1, "PIDs", "au", 1, 5, 0) >= 0);
	r = manager_run_job(m, msg, err);
	sd_bus_message_unref(msg);
	return r;
}

static void test_jobs(void **state)
{
	struct fake f;
	struct manager m = { 0 };
	struct error err = { 0 };
	char *text = NULL;

	(void)state;
	fake_start(&f);
	if (manager_open(true, &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(m.version, 252);
	assert_int_equal(run_job(&m, "StartTransientUnit", "x.scope", &err), 0);
	assert_int_equal(manager_unit_string(&m, "x.scope", "org.freedesktop.systemd1.Scope", "ControlGroup", &text, &err), 0);
	assert_string_equal(text, "/a.slice/x.scope");
	free(text);
	assert_int_equal(run_job(&m, "StartTransientUnit", "there.scope", &err), -EEXIST);
	assert_string_equal(err.text, "Unit there.scope already exists.");
	assert_int_equal(run_job(&m, "StartTransientUnit", "bad.scope", &err), -EIO);
	assert_non_null(strstr(err.text, "\"timeout\""));
	assert_int_equal(run_job(&m, "StopUnit", "missing.scope", &err), -ENOENT);
	assert_int_equal(run_job(&m, "StopUnit", "x.scope", &err), 0);
	manager_done(&m);
	fake_done(&f);
}

static void test_no_systemd(void **state)
{
	struct manager m = { .version = 7 };
	struct error err = { 0 };

	(void)state;
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	assert_true(manager_open(true, &m, &err) < 0);
	assert_non_null(strstr(err.text, "connect to systemd of the user"));
	assert_int_equal(m.version, 7);
	unsetenv("XDG_RUNTIME_DIR");
	assert_true(manager_open(true, &m, &err) < 0);
}

static void test_parse(void **state)
{
	static const char *const good[] = { "MemoryMax=t:5", "After=as:a", "After=as:b", "Description=s:a=b:c", "After=as", "AllowedCPUs=ay:0f" };
	static const char *const bad[] = { "", "x", "=t:5", "A1=t:5", "A=t", "A=q:5", "A=tt:5", "A=:5", "A:t=5", "A b=t:1" };
	struct request r = { 0 };
	struct arena a = { 0 };
	struct error err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(prop_parse(&a, good[i], &r, &err), 0);
	assert_int_equal(r.props.n, 5);
	assert_string_equal(r.props.v[0].value, "5");
	assert_int_equal(r.props.v[1].list.n, 2);
	assert_string_equal(r.props.v[2].value, "a=b:c");
	assert_int_equal(r.props.v[3].list.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (prop_parse(&a, bad[i], &r, &err) != -EINVAL)
			fail_msg("%s: taken", bad[i]);
	assert_int_equal(r.props.n, 5);
	arena_done(&a);
}

static void test_append(void **state)
{
	static const struct {
		const char *type, *value;
		bool ok;
	} values[] = {
		{ "t", "18446744073709551615", true }, { "t", "-1", false }, { "t", "x", false }, { "u", "4294967295", true },
		{ "u", "4294967296", false }, { "x", "-9223372036854775808", true }, { "x", "9223372036854775808", false },
		{ "i", "-2147483648", true }, { "i", "2147483648", false }, { "b", "true", true }, { "b", "maybe", false },
		{ "ay", "", true }, { "ay", "0fA0", true }, { "ay", "0", false }, { "ay", "zz", false }, { "s", "x", true },
	};
	struct fake f;
	struct manager m = { 0 };
	struct error err = { 0 };

	(void)state;
	fake_start(&f);
	assert_int_equal(manager_open(true, &m, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct prop p = { .name = "Name", .type = values[i].type, .value = values[i].value };
		sd_bus_message *msg = NULL;
		int r;

		assert_true(manager_method(&m, "SetUnitProperties", &msg) >= 0);
		r = prop_append(msg, &p);
		if ((r >= 0) != values[i].ok)
			fail_msg("%s:%s: %d", values[i].type, values[i].value, r);
		sd_bus_message_unref(msg);
	}
	manager_done(&m);
	fake_done(&f);
}

static void test_known(void **state)
{
	struct prop cpus = { .name = "AllowedCPUs", .type = "ay", .value = "01" }, idle = { .name = "CPUWeight", .type = "t", .value = "0" };
	struct prop weight = { .name = "CPUWeight", .type = "t", .value = "5" }, oom = { .name = "OOMPolicy", .type = "s", .value = "kill" };

	(void)state;
	assert_false(prop_is_known(&cpus, 243, true));
	assert_true(prop_is_known(&cpus, 244, false));
	assert_false(prop_is_known(&idle, 251, true));
	assert_true(prop_is_known(&idle, 252, true));
	assert_true(prop_is_known(&weight, 0, true));
	assert_true(prop_is_known(&oom, 253, true));
	assert_false(prop_is_known(&oom, 253, false));
	assert_false(prop_is_known(&oom, 252, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jobs),   cmocka_unit_test(test_no_systemd), cmocka_unit_test(test_parse),
		cmocka_unit_test(test_append), cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
