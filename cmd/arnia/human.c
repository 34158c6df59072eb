/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "cmd/arnia/cli.h"
#include "lib/base/time.h"

void human_duration(struct strbuf *b, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		char letter;
	} units[] = { { 86400000, 'd' }, { 3600000, 'h' }, { 60000, 'm' }, { 1000, 's' } };

	/* Two of a unit before it is used: "90m" says more than "1h". */
	for (size_t i = 0; i < ARRAY_SIZE(units) - 1; i++)
		if (ms >= 2 * units[i].ms) {
			strbuf_addf(b, "%llu%c", (unsigned long long)(ms / units[i].ms), units[i].letter);
			return;
		}
	strbuf_addf(b, "%llus", (unsigned long long)(ms / 1000));
}

void human_size(struct strbuf *b, uint64_t bytes)
{
	static const char letters[] = "BKMGTPE";
	unsigned unit = 0;
	uint64_t whole = bytes, rest = 0;

	for (; whole >= 1024 && unit < 6; unit++) {
		rest = whole % 1024;
		whole /= 1024;
	}
	if (unit && whole < 100)
		strbuf_addf(b, "%llu.%llu%c", (unsigned long long)whole,
			    (unsigned long long)(rest * 10 / 1024), letters[unit]);
	else
		strbuf_addf(b, "%llu%c", (unsigned long long)whole, letters[unit]);
}

uint64_t human_since(const char *time)
{
	uint64_t now = time_real_ns(), then = 0;

	if (!time || time_parse(time, now, &then) < 0 || then > now)
		return 0;
	return (now - then) / 1000000;
}

static void add_str(struct strbuf *out, const char *s)
{
	if (s)
		strbuf_add_escaped(out, s, strlen(s));
}

/* As it would be typed. */
void human_command(const json *words, struct strbuf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	for (size_t i = 0; i < json_len(words); i++) {
		const char *s = json_str(json_at(words, i)) ?: "";

		strbuf_add(out, i ? " " : "");
		if (*s && !s[strspn(s, plain)]) {
			strbuf_add(out, s);
			continue;
		}
		strbuf_addc(out, '\'');
		for (; *s; s += strcspn(s, "'") + (s[strcspn(s, "'")] == '\'')) {
			size_t n = strcspn(s, "'");

			strbuf_add_escaped(out, s, n);
			strbuf_add(out, s[n] ? "'\\''" : "");
		}
		strbuf_addc(out, '\'');
	}
}

/* "127.0.0.1:8080->80/tcp" */
void human_ports(const json *ports, struct strbuf *out)
{
	for (size_t i = 0; i < json_len(ports); i++) {
		const json *p = json_at(ports, i);
		const char *address = NULL, *protocol = "tcp";
		uint64_t host = 0, port = 0;

		json_get_str(p, "hostAddress", &address, NULL);
		json_get_str(p, "protocol", &protocol, NULL);
		json_get_u64(p, "hostPort", &host, NULL);
		json_get_u64(p, "port", &port, NULL);
		strbuf_add(out, i ? "," : "");
		if (address && !str_eq(address, "0.0.0.0")) {
			add_str(out, address);
			strbuf_addc(out, ':');
		}
		if (host)
			strbuf_addf(out, "%llu->", (unsigned long long)host);
		strbuf_addf(out, "%llu/", (unsigned long long)port);
		add_str(out, protocol);
	}
}

/* "exit 0, 5m ago", "stopped, 1m ago" (by arnia), "signal KILL, 2h ago", "out of memory, ..." */
void human_exit(const json *exit, struct strbuf *out)
{
	const char *cause = NULL, *sig = NULL, *time = NULL;
	uint64_t code = 0;

	json_get_str(exit, "cause", &cause, NULL);
	json_get_str(exit, "signal", &sig, NULL);
	json_get_str(exit, "time", &time, NULL);
	if (str_eq(cause, "oom"))
		strbuf_add(out, "out of memory");
	else if (str_eq(cause, "stopped"))
		strbuf_add(out, "stopped");
	else if (sig)
		strbuf_addf(out, "signal %.20s", sig);
	else if (json_get_u64(exit, "code", &code, NULL) > 0)
		strbuf_addf(out, "exit %llu", (unsigned long long)code);
	else
		add_str(out, cause);
	if (!time)
		return;
	strbuf_add(out, ", ");
	human_duration(out, human_since(time));
	strbuf_add(out, " ago");
}
