/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/spec/unit.h"
#include <stdlib.h>
#include "lib/base/str.h"

static const char *const texts[] = {
	"{'image':'a'}",
	"{'image':'a','imageInit':true}",
	"{'image':'a','imageInit':false}",
	"{'image':'a','noNewPrivs':true}",
	"{'image':'a','noNewPrivs':false}",
	"{'image':'a','imageInit':true,'noNewPrivs':true}",
	"{'image':'a','cpus':0.01}",
	"{'image':'a','cpus':0.333}",
	"{'image':'a','cpus':1.1}",
	"{'image':'a','cpus':1024}",
	"{'image':'a','memory':-1,'swap':-1,'pids':-1}",
	"{'image':'a','memory':4194304,'swap':0,'pids':1}",
	"{'image':'a','memory':9223372036854775807}",
	"{'image':'a','network':'none'}",
	"{'image':'a','network':'host','dns':['9.9.9.9','2001:db8::1']}",
	"{'image':'a','ports':[{'protocol':'tcp','port':1},{'protocol':'udp','hostAddress':'10.0.0.1','"
	"hostPort':9,'port':65535}]}",
	"{'image':'a','mounts':[{'type':'bind','source':'/a','target':'/b'},{'type':'bind','source':'/"
	"a','target':'/c',"
	"'readOnly':true,'idmap':false},{'type':'tmpfs','target':'/t','size':4096,'mode':1023}]}",
	"{'image':'a','capAdd':['ALL'],'capDrop':['CAP_MKNOD','NET_RAW']}",
	"{'image':'a','capAdd':['CHECKPOINT_RESTORE','chown'],'capDrop':['ALL']}",
	"{'image':'a','seccomp':'{\\'defaultAction\\':\\'SCMP_ACT_ALLOW\\'}'}",
	"{'image':'a','rlimits':[{'name':'core','soft':0,'hard':-1},{'name':'nofile','soft':1,'hard':2}]}",
	"{'image':'a','sysctls':{'net.ipv4.ip_forward':'1','kernel.sem':'250 32000 32 "
	"128'},'labels':{'a':'','b':'\\u00e4'}}",
	"{'name':'n','image':'a','command':['a','','b "
	"c'],'env':['K=a=b'],'workdir':'/w','user':'1:2','hostname':'h',"
	"'tty':true,'openStdin':true,'noInit':true,'remove':true,'readOnly':true,'timeNamespace':true,"
	"'devices':['/dev/a:/dev/b:rw'],'oomScoreAdj':1000,'stopSignal':'9','stopTimeout':0,'logMax':0}",
};

/* ' in a JSON string inside these texts would end it: those are made with an escape. */
static json *parse_case(const char *text)
{
	struct strbuf b = { 0 };
	json *j;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] == '\'') {
			strbuf_add(&b, "\\\"");
			text++;
		} else {
			strbuf_addc(&b, *text);
		}
	}
	j = parse_text(strbuf_cstr(&b));
	strbuf_done(&b);
	return j;
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		auto_json json *j = parse_case(texts[i]), *again = NULL, *parsed = NULL;
		auto_free char *text = NULL;
		struct spec a, b;
		struct error err;

		if (spec_decode(j, &a, &err) < 0)
			fail_msg("%s: %s", texts[i], err.text);
		again = spec_encode(&a);
		text = json_text(again, false);
		parsed = json_parse(text, strlen(text), &err);
		if (!parsed || spec_decode(parsed, &b, &err) < 0)
			fail_msg("%s: %s", text, err.text);
		assert_spec_equal(&a, &b);
		spec_done(&a);
		spec_done(&b);
	}
}

/* Only what differs from a default is written. */
static void test_terse(void **state)
{
	struct spec s = decode_text("{'image':'a','tty':false,'network':'routed','command':[],'ports':[],'"
				    "labels':{},'logMax':8388608}");
	auto_json json *j = spec_encode(&s);
	auto_free char *text = json_text(j, false);

	(void)state;
	assert_string_equal(text, "{\"image\":\"a\"}");
	spec_done(&s);
}

/* A spec made without the decoder says what it means all the same. */
static void test_hand_made(void **state)
{
	struct spec s = SPEC_DEFAULTS, back;
	auto_json json *j = NULL;

	(void)state;
	s.image = "a";
	s.image_init = true;
	j = spec_encode(&s);
	assert_int_equal(spec_decode(j, &back, NULL), 0);
	assert_true(back.image_init && back.no_new_privs);
	spec_done(&back);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_terse),
		cmocka_unit_test(test_hand_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
