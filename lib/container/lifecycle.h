/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CONTAINER_LIFECYCLE_H
#define ARNIA_CONTAINER_LIFECYCLE_H
/* Phases of a machine and what may happen in each: one const table, an unlisted pair is an error naming both. */
#include "lib/base/error.h"

enum phase {
	PHASE_STOPPED,
	PHASE_STARTING,
	PHASE_RUNNING,
	PHASE_PAUSED,
	PHASE_STOPPING, /* asked to stop, or ended and being cleaned up */
	PHASE_SUSPENDED, /* checkpointed to disk */
	PHASE_FAILED, /* cleaning up did not work: needs a forced rm */
	PHASES
};
enum lifecycle_event {
	EVENT_START, /* asked */
	EVENT_STARTED, /* the worker says: exec'd */
	EVENT_START_FAILED, /* the worker says: undone, or it died */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_STOP, /* asked, graceful */
	EVENT_KILL, /* asked, SIGKILL to all */
	EVENT_EXITED, /* the first process ended */
	EVENT_CLEANED, /* teardown done */
	EVENT_CLEAN_FAILED,
	EVENT_EXEC,
	EVENT_REMOVE,
	EVENT_RENAME,
	LIFECYCLE_EVENTS
};
const char *phase_name(enum phase p); /* "running"; never NULL */
int phase_parse(const char *s, enum phase *ret); /* -EINVAL */
const char *lifecycle_event_name(enum lifecycle_event e);
/* Next phase. An unlisted pair: -EINVAL, kind STATE, "cannot pause: stopped" and a hint; *ret untouched. */
int lifecycle_next(enum phase from, enum lifecycle_event e, enum phase *ret, struct error *err);

#endif
