/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CLI_RUN_OPTS_H
#define ARNIA_CLI_RUN_OPTS_H
/* run_values.c: texts of options of `run` into the objects of arnia.varlink, pushed to an array. -EINVAL
 * (USAGE). */
#include "lib/base/error.h"
#include "lib/base/json.h"

/* "[[HOSTIP:]HOSTPORT:]PORT[/tcp|/udp]"; ports may be ranges "8000-8005" of one length. */
int parse_publish(const char *text, json *ports, struct error *err);
/* "SOURCE:TARGET[:OPTIONS]", options ro, rw, noidmap; a relative source is made absolute, and must exist. */
int parse_volume(const char *text, json *mounts, struct error *err);
/* "TARGET[:OPTIONS]", options size=SIZE, mode=OCTAL, ro, rw. */
int parse_tmpfs(const char *text, json *mounts, struct error *err);
/* "NAME=SOFT[:HARD]"; -1 or unlimited. */
int parse_ulimit(const char *text, json *rlimits, struct error *err);

#endif
