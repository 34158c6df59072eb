/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <string.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/version.h"
#include "lib/rpc/server.h"

/* varlink.org/Service */
static const char service_text[] =
	"# The interface every varlink service offers\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who answers here, and the interfaces he speaks\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The text of an interface\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

char *introspect_interface_name(const char *text)
{
	static const char word[] = "interface";

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *name, *end;

		while (isspace((unsigned char)*line))
			line++;
		name = str_after(line, word);
		if (!name || !isblank((unsigned char)*name))
			continue;
		name += strspn(name, " \t");
		end = name + strcspn(name, " \t\r\n#");
		return str_dup_n(name, (size_t)(end - name));
	}
	return NULL;
}

static void get_info(struct rpc_call *c, void *arg)
{
	const struct rpc_server *s = arg;
	auto_free char *ours = introspect_interface_name(s->text);
	json *out = json_new_obj(), *interfaces = json_new_arr();

	json_add_str(out, "vendor", "arnia");
	json_add_str(out, "product", "arnia");
	json_add_str(out, "version", ARNIA_VERSION);
	json_add_str(out, "url", "");
	if (ours)
		json_push(interfaces, json_new_str(ours));
	json_push(interfaces, json_new_str("org.varlink.service"));
	json_add(out, "interfaces", interfaces);
	rpc_reply(c, out);
}

static void get_description(struct rpc_call *c, void *arg)
{
	const struct rpc_server *s = arg;
	auto_free char *ours = introspect_interface_name(s->text);
	const char *name = NULL;
	json *out;

	if (json_get_str(rpc_params(c), "interface", &name, NULL) <= 0) {
		call_fail_member(c, "org.varlink.service.InvalidParameter", "parameter", "interface");
		return;
	}
	if (!str_eq(name, ours) && !str_eq(name, "org.varlink.service")) {
		call_fail_member(c, "org.varlink.service.InterfaceNotFound", "interface", name);
		return;
	}
	out = json_new_obj();
	json_add_str(out, "description", str_eq(name, ours) ? s->text : service_text);
	rpc_reply(c, out);
}

const struct rpc_method introspect_methods[] = {
	{ "org.varlink.service.GetInfo", get_info, true },
	{ "org.varlink.service.GetInterfaceDescription", get_description, true },
};
const size_t introspect_methods_n = ARRAY_SIZE(introspect_methods);
