/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles: the schema, and what the shipped ones really refuse. */
#define PROBE_NO_MAIN
#include "tests/fakes/syscall_probe.c"
#include "tests/unit/sandbox/filter.h"
#include "tests/unit/sandbox/fixture.h"
#include "lib/base/file.h"
#include "lib/sandbox/seccomp_internal.h"

struct filter {
	void *code;
	size_t size;
};

/* With ' for ", so that JSON can be read among C; a text that has " itself is left alone. */
static char *quoted(const char *text)
{
	char *out = str_dup(text);

	for (char *p = out; *p && !strchr(text, '"'); p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

static int try_text(const char *text, uint64_t caps, struct filter *ret, struct error *err)
{
	auto_free char *json = quoted(text);
	struct seccomp_input in = { .json = json, .json_len = strlen(json), .caps = caps };

	return seccomp_compile(&in, &ret->code, &ret->size, err);
}

static struct filter compile_text(const char *json, uint64_t caps)
{
	struct filter f = { 0 };
	struct error err = { 0 };

	if (try_text(json, caps, &f, &err) < 0)
		fail_msg("%s", err.text);
	return f;
}

/* The answer to a call by its x86-64 number, with up to three arguments. */
static uint32_t ask(const struct filter *f, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64, .args = { a0, a1 } };

	return filter_run(f->code, f->size / sizeof(struct sock_filter), &d);
}

#define ALLOW SECCOMP_RET_ALLOW
#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define PROFILE(def, rules) "{'defaultAction':'SCMP_ACT_" def "','syscalls':[" rules "]}"
#define RULE(names, action) "{'names':[" names "],'action':'SCMP_ACT_" action "'}"
#define RULE_MORE(names, action, more) "{'names':[" names "],'action':'SCMP_ACT_" action "'," more "}"
#define ARG(index, op, value) "{'index':" #index ",'op':'SCMP_CMP_" op "','value':" #value "}"

static void need_x86(void)
{
#ifndef __x86_64__
	print_message("the numbers are those of x86-64\n");
	skip();
#endif
}

static void test_schema_errors(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{ "", "seccomp profile" },
		{ "[]", "expected an object" },
		{ "{}", "defaultAction: missing" },
		{ "{'defaultAction':1}", "defaultAction: expected" },
		{ "{'defaultAction':'ALLOW'}", "defaultAction: unknown action 'ALLOW'" },
		{ "{'defaultAction':'SCMP_ACT_NOTIFY'}", "SCMP_ACT_NOTIFY is not supported" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','extra':1}", "extra" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','defaultErrnoRet':1}", "defaultErrnoRet" },
		{ "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':4096}", "defaultErrnoRet: over 4095" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['x86']}",
		  "architectures: unknown architecture 'x86'" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','archMap':[{}]}", "archMap[0]: architecture" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','archMap':[1]}", "archMap[0]: expected an object" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','flags':['X']}", "flags: unknown flag 'X'" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x'}", "listenerPath" },
		{ "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':{}}", "syscalls: expected" },
		{ PROFILE("ALLOW", "1"), "syscalls[0]: expected an object" },
		{ PROFILE("ALLOW", "{'action':'SCMP_ACT_LOG'}"), "syscalls[0]: names: missing" },
		{ PROFILE("ALLOW", "{'names':['read'],'x':1}"), "syscalls[0]: " },
		{ PROFILE("ALLOW", RULE("1", "LOG")), "syscalls[0]: names" },
		{ PROFILE("ALLOW", "{'names':['read'],'args':[]}"), "syscalls[0]: action: missing" },
		{ PROFILE("ALLOW", RULE_MORE("'read'", "KILL", "'errnoRet':1")), "syscalls[0]: errnoRet" },
		{ PROFILE("ALLOW", RULE_MORE("'read'", "LOG", "'args':[{'index':6,'op':'SCMP_CMP_EQ'}]")),
		  "syscalls[0]: args[0]: index" },
		{ PROFILE("ALLOW", RULE_MORE("'read'", "LOG", "'args':[{'index':0,'op':'=='}]")),
		  "syscalls[0]: args[0]: op: unknown operator '=='" },
		{ PROFILE("ALLOW",
			  RULE_MORE("'read'", "LOG", "'args':[{'index':0,'value':-1,'op':'SCMP_CMP_EQ'}]")),
		  "syscalls[0]: args[0]: value" },
		{ PROFILE("ALLOW",
			  RULE("'read'", "LOG") "," RULE_MORE("'read'", "LOG", "'includes':{'kernel':1}")),
		  "syscalls[1]: includes: " },
		{ PROFILE("ALLOW", RULE_MORE("'read'", "LOG", "'excludes':{'minKernel':'new'}")),
		  "syscalls[0]: excludes: minKernel: not a version 'new'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *text = quoted(rows[i].text);
		struct filter f = { .size = 99 };
		struct error err = { 0 };

		assert_true(try_text(rows[i].json, 0, &f, &err) < 0);
		if (!strstr(err.text, text) || !str_starts(err.text, "seccomp profile: "))
			fail_msg("row %zu: %s; without %s", i, err.text, text);
		assert_true(err.kind == ERR_USAGE || err.kind == ERR_UNSUPPORTED);
		assert_true(f.code == NULL && f.size == 99);
	}
}

/* clang-format off */
static const char ioctl_rules[] = PROFILE("ERRNO",
	RULE("'ioctl','read'", "ALLOW") ","
	RULE_MORE("'ioctl'", "ERRNO", "'errnoRet':1,'args':[{'index':1,'value':4294967295,'valueTwo':21522,"
				      "'op':'SCMP_CMP_MASKED_EQ'}]"));
static const char personality_rules[] = PROFILE("ERRNO",
	RULE_MORE("'personality'", "ALLOW", "'args':[" ARG(0, "EQ", 8) "]") ","
	RULE("'personality'", "ERRNO"));
static const char socket_rules[] = PROFILE("KILL_PROCESS",
	RULE_MORE("'socket'", "ALLOW", "'args':[" ARG(0, "EQ", 1) "," ARG(0, "EQ", 2) "]") ","
	RULE_MORE("'bind'", "TRACE", "'errnoRet':7,'args':[" ARG(0, "GT", 1) "," ARG(1, "LE", 2) "]"));
static const char host_rules[] = PROFILE("ERRNO",
	RULE_MORE("'mount'", "ALLOW", "'includes':{'caps':['CAP_SYS_ADMIN']}") ","
	RULE_MORE("'chroot'", "ALLOW", "'includes':{'caps':['CAP_SYS_ADMIN','CAP_SYS_CHROOT']}") ","
	RULE_MORE("'clone3'", "ERRNO", "'errnoRet':38,'excludes':{'caps':['CAP_SYS_ADMIN','CAP_BPF']}") ","
	RULE_MORE("'ptrace'", "ALLOW", "'includes':{'minKernel':'4.8'}") ","
	RULE_MORE("'kcmp'", "ALLOW", "'includes':{'minKernel':'999.0'}") ","
	RULE_MORE("'acct'", "ALLOW", "'excludes':{'minKernel':'4.8'}") ","
	RULE_MORE("'sync'", "ALLOW", "'includes':{'arches':['s390x','amd64']}") ","
	RULE_MORE("'getpid'", "ALLOW", "'includes':{'arches':['arm64']}") ","
	RULE_MORE("'getuid'", "ALLOW", "'excludes':{'arches':['amd64']}") ","
	RULE_MORE("'getgid'", "ALLOW", "'includes':{'caps':['CAP_NONSENSE']},'excludes':{}") ","
	RULE_MORE("'uname'", "ALLOW", "'includes':{},'excludes':{'caps':[]},'comment':'x'"));
/* clang-format on */

static void test_precedence(void **state)
{
	struct filter f;

	(void)state;
	need_x86();
	/* The strictest wins, whatever the order, and a rule without conditions is no exception. */
	f = compile_text(ioctl_rules, 0);
	assert_int_equal(ask(&f, SYS_ioctl, 0, 0x5413), ALLOW);
	assert_int_equal(ask(&f, SYS_ioctl, 0, 0x5412), ERRNO(1));
	assert_int_equal(ask(&f, SYS_ioctl, 0, 0xdead00005412), ERRNO(1));
	assert_int_equal(ask(&f, SYS_read, 0, 0x5412), ALLOW);
	free(f.code);
	/* "Otherwise as by default" takes nothing back. */
	f = compile_text(personality_rules, 0);
	assert_int_equal(ask(&f, SYS_personality, 8, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_personality, 9, 0), ERRNO(1));
	free(f.code);
	/* Two conditions on one argument are alternatives, on two arguments both must hold. */
	f = compile_text(socket_rules, 0);
	assert_int_equal(ask(&f, SYS_socket, 1, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_socket, 2, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_socket, 3, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&f, SYS_bind, 2, 2), SECCOMP_RET_TRACE | 7);
	assert_int_equal(ask(&f, SYS_bind, 1, 2), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&f, SYS_bind, 2, 3), SECCOMP_RET_KILL_PROCESS);
	free(f.code);
}

static void test_unknown_numbers(void **state)
{
	struct filter f;

	(void)state;
	need_x86();
	f = compile_text(PROFILE("ERRNO", RULE("'read','execveat','no_such_call'", "ALLOW")), 0);
	assert_int_equal(ask(&f, SYS_read, 0, 0), ALLOW);
	assert_int_equal(ask(&f, SYS_mount, 0, 0), ERRNO(1));
	/* Newer than everything that is named. */
	assert_int_equal(ask(&f, SYS_execveat + 1, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&f, 5000, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&f, 0x40000000 | SYS_read, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(ask(&f, -1, 0, 0), ALLOW);
	free(f.code);
	/* Where the author says which, that one. */
	f = compile_text("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':13,'syscalls':[" RULE(
				 "'read'", "ALLOW") "]}",
			 0);
	assert_int_equal(ask(&f, SYS_mount, 0, 0), ERRNO(13));
	assert_int_equal(ask(&f, 5000, 0, 0), ERRNO(13));
	free(f.code);
	/* Younger than libseccomp's tables. */
	f = compile_text(PROFILE("ERRNO", RULE("'fchmodat2','mseal'", "ALLOW")), 0);
	assert_int_equal(ask(&f, 452, 0, 0), ALLOW);
	assert_int_equal(ask(&f, 462, 0, 0), ALLOW);
	assert_int_equal(ask(&f, 453, 0, 0), ERRNO(1));
	free(f.code);
}

#define BIT(cap) (1ULL << (cap))
static void test_conditions_on_host(void **state)
{
	const uint64_t admin = BIT(21), chroot_cap = BIT(18), bpf_cap = BIT(39);
	static const struct {
		int nr;
		uint32_t none, admin, both, bpf;
	} rows[] = {
		{ SYS_mount, ERRNO(1), ALLOW, ALLOW, ERRNO(1) },
		{ SYS_chroot, ERRNO(1), ERRNO(1), ALLOW, ERRNO(1) },
		{ SYS_clone3, ERRNO(38), ERRNO(1), ERRNO(1), ERRNO(1) },
		{ SYS_ptrace, ALLOW, ALLOW, ALLOW, ALLOW },
		{ SYS_kcmp, ERRNO(1), ERRNO(1), ERRNO(1), ERRNO(1) },
#ifdef __x86_64__
		{ SYS_acct, ERRNO(1), ERRNO(1), ERRNO(1), ERRNO(1) },
		{ SYS_sync, ALLOW, ALLOW, ALLOW, ALLOW },
		{ SYS_getpid, ERRNO(1), ERRNO(1), ERRNO(1), ERRNO(1) },
		{ SYS_getuid, ERRNO(1), ERRNO(1), ERRNO(1), ERRNO(1) },
		{ SYS_getgid, ERRNO(1), ERRNO(1), ERRNO(1), ERRNO(1) },
		{ SYS_uname, ALLOW, ALLOW, ALLOW, ALLOW },
#endif
	};
	struct filter none = compile_text(host_rules, 0), a = compile_text(host_rules, admin);
	struct filter both = compile_text(host_rules, admin | chroot_cap),
		      b = compile_text(host_rules, bpf_cap);

	(void)state;
	need_x86();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask(&none, rows[i].nr, 0, 0), rows[i].none);
		assert_int_equal(ask(&a, rows[i].nr, 0, 0), rows[i].admin);
		assert_int_equal(ask(&both, rows[i].nr, 0, 0), rows[i].both);
		assert_int_equal(ask(&b, rows[i].nr, 0, 0), rows[i].bpf);
	}
	free(none.code);
	free(a.code);
	free(both.code);
	free(b.code);
}

static char *read_profile(const char *name)
{
	auto_free char *path = str_fmt("seccomp-profiles/%s.json", name);
	char *text;

	if (file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL) < 0)
		fail_msg("%s: run this from the top of the tree", path);
	return text;
}

/* What capabilities open in the default profile. */
static void test_default_with_caps(void **state)
{
	auto_free char *json = read_profile("default");
	struct filter app = compile_text(json, caps_application), all = compile_text(json, UINT64_MAX);
	static const int opened[] = { SYS_mount,     SYS_clone3,	  SYS_setns,
				      SYS_bpf,	     SYS_perf_event_open, SYS_open_by_handle_at,
				      SYS_reboot,    SYS_finit_module,	  SYS_syslog,
				      SYS_move_mount };
	static const int closed[] = { SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
				      SYS_keyctl,	  SYS_add_key,	      SYS_request_key,
				      SYS_userfaultfd,	  SYS_kexec_load,     SYS_kexec_file_load,
				      SYS_swapon };

	(void)state;
	need_x86();
	for (size_t i = 0; i < ARRAY_SIZE(opened); i++) {
		assert_int_not_equal(ask(&app, opened[i], 0, 0), ALLOW);
		assert_int_equal(ask(&all, opened[i], 0, 0), ALLOW);
	}
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++) {
		assert_int_equal(ask(&app, closed[i], 0, 0), ERRNO(1));
		assert_int_equal(ask(&all, closed[i], 0, 0), ERRNO(1));
	}
	assert_int_equal(ask(&all, SYS_clone, 0x10000000, 0), ALLOW);
	assert_int_equal(ask(&all, SYS_socket, 38, 0), ERRNO(1));
	assert_int_equal(ask(&all, SYS_socket, 15, 0), ALLOW);
	/* It shall stay small: the kernel's time to install it is a part of every start. */
	assert_true(app.size / sizeof(struct sock_filter) <= 128);
	free(app.code);
	free(all.code);
}

struct run {
	struct filter filter;
	struct probe_result *results;
};

static int run_probes(void *arg)
{
	struct run *r = arg;
	struct sandbox_config c = { .no_new_privs = true,
				    .seccomp = r->filter.code,
				    .seccomp_size = r->filter.size };

	CHECK(no_new_privs_apply(&c, NULL) == 0);
	CHECK(!r->filter.code || filter_load(&c, NULL) == 0);
	probe_all(r->results);
	return 0;
}

/* The answer that the table has for a probe, or NULL. */
static const char *find_line(const char *table, const struct probe *p, char *buf, size_t size)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\n%s %u ", p->name, p->nr);
	at = strstr(table, key);
	if (!at)
		return NULL;
	at += strlen(key);
	snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
	return buf;
}

/* How long a sync(2) takes is not our business, and since 6.14 the kernel leads its own probes past all
 * filters. */
static bool depends_on_kernel(const char *name)
{
	return str_eq(name, "sync") || str_eq(name, "uretprobe") || str_eq(name, "uprobe");
}

/* Where int $0x80 raises a fault by itself (some hypervisors, ia32_emulation=off), the filter is not asked. */
static bool has_no_entry(const char *name, const char *without)
{
	return strncmp(name, "int80:", 6) == 0 && str_eq(without, "signal 11");
}

static void compare_with_table(const char *name, const struct probe_result *plain,
			       const struct probe_result *filtered)
{
	auto_free char *path = str_fmt("tests/bats/data/syscalls-%s.txt", name), *table = NULL;
	size_t lines = 0, found = 0;

	assert_true(file_read_at(AT_FDCWD, path, 1 << 20, &table, NULL) > 0);
	for (const char *p = table; (p = strchr(p, '\n')) != NULL; p++)
		lines += p[1] && p[1] != '#';
	for (size_t i = 0; i < PROBE_COUNT; i++) {
		struct probe p = probe_at(i);
		char want[64], got[64], without[64];
		const char *line = find_line(table, &p, want, sizeof(want));

		probe_text(&filtered[i], got, sizeof(got));
		probe_text(&plain[i], without, sizeof(without));
		found += line != NULL;
		if (!line && depends_on_kernel(p.name))
			continue;
		if (has_no_entry(p.name, without))
			line = NULL;
		if (!str_eq(got, line ? line : without))
			fail_msg("%s: %s %u: %s instead of %s", name, p.name, p.nr, got,
				 line ? line : without);
	}
	assert_int_equal(found, lines);
}

static void test_shipped(void **state)
{
	struct run plain = { .results = probe_memory() };

	(void)state;
	need_x86();
	in_child(run_probes, &plain);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "strict" : "default";
		auto_free char *json = read_profile(name);
		struct run r = { compile_text(json, caps_application), probe_memory() };

		in_child(run_probes, &r);
		compare_with_table(name, plain.results, r.results);
		free(r.filter.code);
	}
}

/* An architecture that is opened obeys the rules by its own numbers. */
static void test_opened_architectures(void **state)
{
	static const char json[] =
		"{'defaultAction':'SCMP_ACT_ERRNO','archMap':["
		"{'architecture':'SCMP_ARCH_X86_64','subArchitectures':['SCMP_ARCH_X86','SCMP_ARCH_X32']},"
		"{'architecture':'SCMP_ARCH_S390X','subArchitectures':['SCMP_ARCH_S390']}],'syscalls':[" RULE(
			"'getpid'", "ALLOW") "]}";
	struct filter f = compile_text(json, 0);
	struct seccomp_data d = { .arch = AUDIT_ARCH_I386, .nr = 20 };
	size_t n = f.size / sizeof(struct sock_filter);

	(void)state;
	need_x86();
	assert_int_equal(filter_run(f.code, n, &d), ALLOW);
	d.nr = 39;
	assert_int_equal(filter_run(f.code, n, &d), ERRNO(ENOSYS));
	d.nr = 3;
	assert_int_equal(filter_run(f.code, n, &d), ERRNO(1));
	d.arch = AUDIT_ARCH_S390;
	assert_int_equal(filter_run(f.code, n, &d), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&f, SYS_getpid, 0, 0), ALLOW);
	assert_int_equal(ask(&f, 0x40000000 | SYS_getpid, 0, 0), ALLOW);
	assert_int_equal(ask(&f, 0x40000000, 0, 0), ERRNO(1));
	assert_int_equal(ask(&f, 20, 0, 0), ERRNO(1));
	free(f.code);
}

static void test_flags(void **state)
{
	auto_free char *json = quoted("{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_LOG',"
				      "'SECCOMP_FILTER_FLAG_SPEC_ALLOW']}");
	struct seccomp_input in = { .json = json, .json_len = strlen(json) };
	uint32_t flags = 0;

	(void)state;
	assert_int_equal(seccomp_flags(&in, &flags, NULL), 0);
	assert_int_equal(flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	in.json = "{}";
	in.json_len = 2;
	assert_int_equal(seccomp_flags(&in, &flags, NULL), -EINVAL);
}

static void test_load_refuses_nonsense(void **state)
{
	static const char junk[16];
	struct sandbox_config c = { .seccomp = junk, .seccomp_size = 7 };
	struct error err;

	(void)state;
	assert_int_equal(filter_load(&c, &err), -EINVAL);
	c.seccomp_size = 0;
	assert_int_equal(filter_load(&c, &err), -EINVAL);
	c.seccomp_size = 8 * 5000;
	assert_int_equal(filter_load(&c, &err), -EINVAL);
	c = (struct sandbox_config){ 0 };
	assert_int_equal(filter_load(&c, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_errors),	      cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_unknown_numbers),	      cmocka_unit_test(test_conditions_on_host),
		cmocka_unit_test(test_default_with_caps),     cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_opened_architectures),  cmocka_unit_test(test_flags),
		cmocka_unit_test(test_load_refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
