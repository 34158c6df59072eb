/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/base/str.h"
#include "lib/oci/oci.h"

#define DEFAULT_DEVICES 11

/* JSON with ' for ". */
static json *parse(const char *text)
{
	auto_free char *s = str_dup(text);
	struct error err = { 0 };
	json *j;

	for (char *at = s; *at; at++)
		if (*at == '\'')
			*at = '"';
	j = json_parse(s, strlen(s), &err);
	if (!j)
		fail_msg("%s: %s", s, err.text);
	return j;
}

/* "file=value" lines; "?" before an optional one, "|" before one instead of another. */
static char *text_of(const struct cg_config *c)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < c->writes.n; i++)
		strbuf_addf(&b, "%s%s%s=%s\n", c->writes.v[i].optional ? "?" : "", c->writes.v[i].instead ? "|" : "",
			    c->writes.v[i].file, c->writes.v[i].value);
	return strbuf_steal(&b);
}

static const struct {
	const char *in, *out;
} good[] = {
	{ "{}", "" },
	{ "{'memory':null,'new member':[1]}", "" },
	{ "{'memory':{'limit':1048576}}", "memory.max=1048576\n" },
	{ "{'memory':{'limit':0,'reservation':0,'swap':0}}", "" },
	{ "{'memory':{'limit':1048576,'swap':3145728,'reservation':4096}}",
	  "memory.swap.max=2097152\nmemory.max=1048576\nmemory.low=4096\n" },
	{ "{'memory':{'limit':1048576,'swap':1048576}}", "?memory.swap.max=0\nmemory.max=1048576\n" },
	{ "{'memory':{'limit':1048576,'swap':-1}}", "?memory.swap.max=max\nmemory.max=1048576\n" },
	{ "{'memory':{'limit':-1}}", "?memory.swap.max=max\nmemory.max=max\n" },
	{ "{'memory':{'limit':-1,'swap':4096}}", "memory.swap.max=4096\nmemory.max=max\n" },
	{ "{'memory':{'swap':-1}}", "?memory.swap.max=max\n" },
	{ "{'memory':{'reservation':-1}}", "memory.low=max\n" },
	{ "{'memory':{'kernel':1,'kernelTCP':-1,'swappiness':60,'disableOOMKiller':true,'useHierarchy':true,"
	  "'checkBeforeUpdate':true}}",
	  "" },
	{ "{'cpu':{'shares':0}}", "" },
	{ "{'cpu':{'shares':1}}", "cpu.weight=1\n" },
	{ "{'cpu':{'shares':2}}", "cpu.weight=1\n" },
	{ "{'cpu':{'shares':1024}}", "?cpu.weight=100\n" },
	{ "{'cpu':{'shares':2000}}", "cpu.weight=170\n" },
	{ "{'cpu':{'shares':22000}}", "cpu.weight=1204\n" },
	{ "{'cpu':{'shares':262144}}", "cpu.weight=10000\n" },
	{ "{'cpu':{'shares':18446744073709551615}}", "cpu.weight=10000\n" },
	{ "{'cpu':{'quota':50000}}", "cpu.max=50000 100000\n" },
	{ "{'cpu':{'period':20000}}", "cpu.max=max 20000\n" },
	{ "{'cpu':{'quota':-1}}", "cpu.max=max 100000\n" },
	{ "{'cpu':{'quota':0,'period':0}}", "" },
	{ "{'cpu':{'quota':50000,'period':20000,'burst':1000}}", "cpu.max.burst=0\ncpu.max=50000 20000\ncpu.max.burst=1000\n" },
	{ "{'cpu':{'burst':0}}", "cpu.max.burst=0\n" },
	{ "{'cpu':{'idle':1,'cpus':'0-1','mems':'0'}}", "cpu.idle=1\ncpuset.cpus=0-1\ncpuset.mems=0\n" },
	{ "{'cpu':{'cpus':'','realtimePeriod':1,'realtimeRuntime':-1}}", "" },
	{ "{'pids':{'limit':0}}", "" },
	{ "{'pids':{'limit':-1}}", "pids.max=max\n" },
	{ "{'pids':{'limit':77}}", "pids.max=77\n" },
	{ "{'blockIO':{'weight':0,'leafWeight':100}}", "" },
	{ "{'blockIO':{'weight':10}}", "?io.bfq.weight=10\n|io.weight=1\n" },
	{ "{'blockIO':{'weight':1000}}", "?io.bfq.weight=1000\n|io.weight=10000\n" },
	{ "{'blockIO':{'weightDevice':[{'major':8,'minor':0,'weight':500,'leafWeight':300},{'major':8,'minor':16}]}}",
	  "?io.bfq.weight=8:0 500\n" },
	{ "{'blockIO':{'throttleWriteIOPSDevice':[{'major':8,'minor':1,'rate':4}],"
	  "'throttleReadBpsDevice':[{'major':8,'minor':0,'rate':1},{'major':8,'minor':16,'rate':2}],"
	  "'throttleWriteBpsDevice':[{'major':8,'minor':0,'rate':18446744073709551615}],"
	  "'throttleReadIOPSDevice':[{'major':8,'minor':0,'rate':3}]}}",
	  "io.max=8:0 rbps=1\nio.max=8:16 rbps=2\nio.max=8:0 wbps=18446744073709551615\nio.max=8:0 riops=3\n"
	  "io.max=8:1 wiops=4\n" },
	{ "{'hugepageLimits':[{'pageSize':'2MB','limit':9223372036854771712}]}",
	  "hugetlb.2MB.max=9223372036854771712\n?hugetlb.2MB.rsvd.max=9223372036854771712\n" },
	{ "{'rdma':{'mlx5_1':{'hcaHandles':3,'hcaObjects':10000},'mlx4_0':{'hcaObjects':1000},'x':{}}}",
	  "rdma.max=mlx5_1 hca_handle=3 hca_object=10000\nrdma.max=mlx4_0 hca_object=1000\n" },
	{ "{'network':{'classID':1048577,'priorities':[{'name':'eth0','priority':500}]}}", "" },
	{ "{'unified':{'memory.high':'1','io.max':'8:0 rbps=1\\n8:16 rbps=2'},'memory':{'limit':5},'pids':{'limit':1}}",
	  "pids.max=1\nmemory.max=5\nmemory.high=1\nio.max=8:0 rbps=1\n8:16 rbps=2\n" },
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_json json *j = parse(good[i].in);
		struct cg_config c = { 0 };
		struct arena a = { 0 };
		struct error err = { 0 };
		auto_free char *text = NULL;

		if (oci_resources_decode(j, &a, &c, &err) < 0)
			fail_msg("%s: %s", good[i].in, err.text);
		text = text_of(&c);
		if (strcmp(text, good[i].out))
			fail_msg("%s: %s", good[i].in, text);
		assert_int_equal(c.devices.n, DEFAULT_DEVICES);
		arena_done(&a);
	}
}

static const struct {
	const char *in, *error; /* below "linux.resources." */
} bad[] = {
	{ "{'memory':1}", "memory: " },
	{ "{'memory':{'limit':'1'}}", "memory.limit: expected" },
	{ "{'memory':{'limit':-2}}", "memory.limit: expected -1" },
	{ "{'memory':{'limit':1.5}}", "memory.limit: expected" },
	{ "{'memory':{'swap':5}}", "memory.swap: " },
	{ "{'memory':{'swap':5,'limit':6}}", "memory.swap: " },
	{ "{'memory':{'kernel':'x'}}", "memory.kernel: " },
	{ "{'memory':{'disableOOMKiller':1}}", "memory.disableOOMKiller: " },
	{ "{'cpu':{'shares':-1}}", "cpu.shares: " },
	{ "{'cpu':{'idle':2}}", "cpu.idle: expected 0 or 1" },
	{ "{'cpu':{'cpus':1}}", "cpu.cpus: " },
	{ "{'cpu':{'burst':-1}}", "cpu.burst: " },
	{ "{'cpu':{'realtimeRuntime':true}}", "cpu.realtimeRuntime: " },
	{ "{'pids':{'limit':-3}}", "pids.limit: " },
	{ "{'blockIO':{'weight':9}}", "blockIO.weight: expected 10 to 1000" },
	{ "{'blockIO':{'weightDevice':{}}}", "blockIO.weightDevice: " },
	{ "{'blockIO':{'weightDevice':[{'weight':1001}]}}", "blockIO.weightDevice[0].weight: " },
	{ "{'blockIO':{'throttleReadBpsDevice':[{},7]}}", "blockIO.throttleReadBpsDevice[1]: " },
	{ "{'blockIO':{'throttleReadBpsDevice':[{'rate':-1}]}}", "blockIO.throttleReadBpsDevice[0].rate: " },
	{ "{'hugepageLimits':[{'limit':1}]}", "hugepageLimits[0].pageSize: " },
	{ "{'hugepageLimits':[{'pageSize':'../MB','limit':1}]}", "hugepageLimits[0].pageSize: " },
	{ "{'hugepageLimits':[{'pageSize':'2MBx','limit':1}]}", "hugepageLimits[0].pageSize: " },
	{ "{'rdma':{'a b':{}}}", "rdma: \"a b\"" },
	{ "{'rdma':{'x':{'hcaHandles':-1}}}", "rdma.x.hcaHandles: " },
	{ "{'network':{'classID':'1'}}", "network.classID: " },
	{ "{'unified':{'../x':'1'}}", "unified: \"../x\"" },
	{ "{'unified':{'':'1'}}", "unified: \"\"" },
	{ "{'unified':{'..':'1'}}", "unified: \"..\"" },
	{ "{'unified':{'memory.max':1}}", "unified.memory.max: expected a string" },
	{ "{'devices':{}}", "devices: " },
	{ "{'devices':[1]}", "devices[0]: " },
	{ "{'devices':[{'allow':true}]}", "devices[0].access: " },
	{ "{'devices':[{'access':'rx'}]}", "devices[0].access: " },
	{ "{'devices':[{'access':'r','type':'p'}]}", "devices[0].type: " },
	{ "{'devices':[{'access':'r','type':'cb'}]}", "devices[0].type: " },
	{ "{'devices':[{'access':'r'},{'access':'r','major':-2}]}", "devices[1].major: " },
	{ "{'devices':[{'access':'r','allow':'yes'}]}", "devices[0].allow: " },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		auto_json json *j = parse(bad[i].in);
		struct cg_config c = { 0 };
		struct arena a = { 0 };
		struct error err = { 0 };
		const char *rest;

		if (oci_resources_decode(j, &a, &c, &err) != -EINVAL)
			fail_msg("%s: taken", bad[i].in);
		assert_int_equal(err.kind, ERR_USAGE);
		rest = str_after(err.text, "linux.resources.");
		if (!rest || !str_starts(rest, bad[i].error))
			fail_msg("%s: %s", bad[i].in, err.text);
		assert_int_equal(c.writes.n, 0);
		assert_int_equal(c.devices.n, 0);
		arena_done(&a);
	}
}

static void test_devices(void **state)
{
	auto_json json *j = parse("{'devices':[{'allow':false,'access':'rwm'},"
				  "{'allow':true,'type':'c','major':10,'minor':229,'access':'mr'},"
				  "{'allow':true,'type':'b','major':8,'access':'w'},{'allow':false,'type':'','access':'r'}]}");
	struct cg_config c = { 0 };
	struct arena a = { 0 };
	struct error err = { 0 };
	const struct cg_device *d;

	(void)state;
	assert_int_equal(oci_resources_decode(j, &a, &c, &err), 0);
	assert_int_equal(c.devices.n, 4 + DEFAULT_DEVICES);
	d = c.devices.v;
	assert_true(!d[0].allow && d[0].type == 'a' && d[0].major == -1 && d[0].minor == -1 && d[0].access == 7);
	assert_true(d[1].allow && d[1].type == 'c' && d[1].major == 10 && d[1].minor == 229 && d[1].access == 5);
	assert_true(d[2].allow && d[2].type == 'b' && d[2].major == 8 && d[2].minor == -1 && d[2].access == 2);
	assert_true(!d[3].allow && d[3].type == 'a' && d[3].access == 1);
	/* After all of them /dev/null still is what it is. */
	assert_true(d[6].allow && d[6].type == 'c' && d[6].major == 1 && d[6].minor == 3 && d[6].access == 7);
	arena_done(&a);
	c = (struct cg_config){ 0 };
	assert_int_equal(oci_resources_decode(NULL, &a, &c, &err), 0);
	assert_int_equal(c.devices.n, DEFAULT_DEVICES);
	assert_int_equal(c.writes.n, 0);
	arena_done(&a);
}

struct flag {
	const char *name, *text;
};

static const char *get(void *ctx, const char *name)
{
	for (const struct flag *f = ctx; f->name; f++)
		if (str_eq(f->name, name))
			return f->text;
	return NULL;
}

static void test_update(void **state)
{
	struct flag all[] = { { "blkio-weight", "500" },      { "cpu-period", "20000" },  { "cpu-quota", "-1" },
			      { "cpu-burst", "0" },	      { "cpu-share", "1024" },	  { "cpu-rt-period", "1" },
			      { "cpu-rt-runtime", "-5" },     { "cpu-idle", "1" },	  { "cpuset-cpus", "0-3" },
			      { "cpuset-mems", "" },	      { "memory", "512M" },	  { "memory-reservation", "1.5 gb" },
			      { "memory-swap", "-1" },	      { "kernel-memory", "junk" }, { "pids-limit", "-1" },
			      { "l3-cache-schema", "L3:0=f" }, { NULL, NULL } };
	struct flag none[] = { { NULL, NULL } };
	struct error err = { 0 };
	auto_json json *j = oci_update_resources(get, all, &err), *empty = oci_update_resources(get, none, &err);
	auto_free char *text = json_text(j, false), *nothing = json_text(empty, false);

	(void)state;
	assert_string_equal(text, "{\"blockIO\":{\"weight\":500},\"cpu\":{\"period\":20000,\"quota\":-1,\"burst\":0,"
				  "\"shares\":1024,\"realtimePeriod\":1,\"realtimeRuntime\":-5,\"idle\":1,\"cpus\":\"0-3\"},"
				  "\"memory\":{\"limit\":536870912,\"reservation\":1610612736,\"swap\":-1},"
				  "\"pids\":{\"limit\":-1}}");
	assert_string_equal(nothing, "{}");
}

static void test_update_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} sizes[] = {
		{ "4096", 4096 }, { "1k", 1024 },	{ "1KB", 1024 }, { "1kib", 1024 }, { "1 KiB", 1024 },
		{ "2g", 2LL << 30 }, { "1t", 1LL << 40 }, { "5b", 5 },	 { "-1", -1 },	   { "0", 0 },
	};
	static const char *const refused[] = { "-2", "x", "1x", "1kbb", " 1", "1  k", "1kk", "99999999999999999999", "9223372036854775808",
					       "-1k", "k", "+1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct flag f[] = { { "memory", sizes[i].text }, { NULL, NULL } };
		struct error err = { 0 };
		auto_json json *j = oci_update_resources(get, f, &err);
		const json *memory = NULL;
		int64_t v = 7;

		if (!j)
			fail_msg("%s: %s", sizes[i].text, err.text);
		assert_int_equal(json_get_obj(j, "memory", &memory, NULL), 1);
		assert_int_equal(json_get_i64(memory, "limit", &v, NULL), 1);
		assert_int_equal(v, sizes[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct flag f[] = { { "memory-swap", refused[i] }, { NULL, NULL } };
		struct error err = { 0 };

		if (oci_update_resources(get, f, &err))
			fail_msg("%s: taken", refused[i]);
		assert_int_equal(err.kind, ERR_USAGE);
		assert_true(str_starts(err.text, "--memory-swap: "));
	}
}

static void test_update_numbers(void **state)
{
	static const struct flag refused[] = {
		{ "blkio-weight", "65536" }, { "blkio-weight", "-1" }, { "cpu-period", "-1" }, { "cpu-share", "1k" },
		{ "cpu-quota", "x" }, { "pids-limit", "9223372036854775808" }, { "cpu-idle", "--1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct flag f[] = { refused[i], { NULL, NULL } };
		struct error err = { 0 };

		if (oci_update_resources(get, f, &err))
			fail_msg("--%s %s: taken", refused[i].name, refused[i].text);
		assert_int_equal(err.kind, ERR_USAGE);
	}
}

static void test_merge(void **state)
{
	auto_json json *old = parse("{'memory':{'limit':1,'swap':2},'cpu':{'shares':5},'unified':{'a':'b'},'pids':{'limit':3},"
				    "'devices':[],'hugepageLimits':[]}");
	auto_json json *new = parse("{'memory':{'limit':9},'devices':[1],'blockIO':{'weight':10}}");
	auto_json json *both = oci_resources_merge(old, new), *alone = oci_resources_merge(NULL, new);
	auto_free char *text = json_text(both, false), *single = json_text(alone, false), *kept = json_text(old, false);

	(void)state;
	assert_string_equal(text, "{\"memory\":{\"swap\":2,\"limit\":9},\"devices\":[1],\"blockIO\":{\"weight\":10},\"cpu\":{\"shares\":5},"
				  "\"hugepageLimits\":[]}");
	assert_string_equal(single, "{\"memory\":{\"limit\":9},\"devices\":[1],\"blockIO\":{\"weight\":10}}");
	assert_non_null(strstr(kept, "\"limit\":1,\"swap\":2"));
}

static void test_memory_check(void **state)
{
	auto_json json *on = parse("{'memory':{'limit':100,'swap':200,'checkBeforeUpdate':true}}");
	auto_json json *off = parse("{'memory':{'limit':100}}"), *max = parse("{'memory':{'limit':-1,'checkBeforeUpdate':true}}");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(oci_memory_check(on, 99, &err), 0);
	assert_int_equal(oci_memory_check(on, 100, &err), -EBUSY);
	assert_non_null(strstr(err.text, "memory.limit"));
	assert_int_equal(oci_memory_check(on, 200, &err), -EBUSY);
	assert_non_null(strstr(err.text, "memory.swap"));
	assert_int_equal(oci_memory_check(off, 1000, &err), 0);
	assert_int_equal(oci_memory_check(max, 1000, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),	     cmocka_unit_test(test_errors),	    cmocka_unit_test(test_devices),
		cmocka_unit_test(test_update),	     cmocka_unit_test(test_update_sizes),
		cmocka_unit_test(test_update_numbers), cmocka_unit_test(test_merge),	    cmocka_unit_test(test_memory_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
