/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_TESTS_FAKE_GUEST_H
#define ARNIA_TESTS_FAKE_GUEST_H
/* The keeper's and the guest's part of the stand-in for the daemon: what comes over sessions and stands in
 * logs. */
#include "lib/base/json.h"

void guest_say(int session, char type, const char *text);
void guest_say_exit(int session, int status); /* exit code, or minus a signal */
/* In a child, as a keeper would while the daemon answers on: play `command` (see play) and end the session
 * as it says. */
void guest_start(int session, const json *params, const json *command);
/* A console that shows what is typed, until "q". */
void guest_echo_keys(int session);
/* log.1, log, and a log with damage at its end. */
void guest_make_logs(int logs[3]);

#endif
