/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host ports as they really are: a number that is left open in the spec is chosen by the worker. */
#include <stdlib.h>
#include <string.h>
#include "cmd/arniad/daemon.h"
#include "lib/base/str.h"

#define KEY "host_ports="

void machine_note_ports(struct machine *m, const char *text)
{
	const char *at = strstr(text, KEY);

	if (!at)
		return;
	at += strlen(KEY);
	machine_state_done(&m->state);
	m->state.host_ports = str_fmt("%.*s", (int)strspn(at, "0123456789,"), at);
}

uint16_t machine_host_port(const struct machine *m, size_t i)
{
	const char *at = m->state.host_ports;

	if (!at)
		return m->config.spec.ports.v[i].host_port;
	for (; i && at; i--) {
		at = strchr(at, ',');
		at += at != NULL;
	}
	return at ? (uint16_t)strtoul(at, NULL, 10) : 0;
}
