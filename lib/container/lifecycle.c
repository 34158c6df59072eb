/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/container/lifecycle.h"

static const char *const phase_names[PHASES] = {
	[PHASE_STOPPED] = "stopped",	 [PHASE_STARTING] = "starting",	  [PHASE_RUNNING] = "running",
	[PHASE_PAUSED] = "paused",	 [PHASE_STOPPING] = "stopping",	  [PHASE_SUSPENDED] = "suspended",
	[PHASE_FAILED] = "failed",
};

static const struct {
	const char *name; /* as in "cannot NAME" */
} event_words[LIFECYCLE_EVENTS] = {
	[EVENT_START] = { "start" },	       [EVENT_STARTED] = { "be started" },
	[EVENT_START_FAILED] = { "fail to start" }, [EVENT_PAUSE] = { "pause" },
	[EVENT_RESUME] = { "resume" },	       [EVENT_STOP] = { "stop" },
	[EVENT_KILL] = { "kill" },	       [EVENT_EXITED] = { "exit" },
	[EVENT_CLEANED] = { "be cleaned up" }, [EVENT_CLEAN_FAILED] = { "fail to be cleaned up" },
	[EVENT_EXEC] = { "exec" },	       [EVENT_REMOVE] = { "remove" },
	[EVENT_RENAME] = { "rename" },
};

/* 0 = not allowed; else the next phase + 1, so that an unlisted pair needs no entry. */
#define TO(p) ((p) + 1)
static const unsigned char table[PHASES][LIFECYCLE_EVENTS] = {
	[PHASE_STOPPED] = {
		[EVENT_START] = TO(PHASE_STARTING),
		[EVENT_REMOVE] = TO(PHASE_STOPPED),
		[EVENT_RENAME] = TO(PHASE_STOPPED),
	},
	[PHASE_STARTING] = {
		[EVENT_STARTED] = TO(PHASE_RUNNING),
		[EVENT_START_FAILED] = TO(PHASE_STOPPING),
		[EVENT_EXITED] = TO(PHASE_STARTING), /* noted; the worker's result decides */
	},
	[PHASE_RUNNING] = {
		[EVENT_PAUSE] = TO(PHASE_PAUSED),
		[EVENT_STOP] = TO(PHASE_STOPPING),
		[EVENT_KILL] = TO(PHASE_RUNNING), /* until it has ended */
		[EVENT_EXITED] = TO(PHASE_STOPPING),
		[EVENT_EXEC] = TO(PHASE_RUNNING),
		[EVENT_RENAME] = TO(PHASE_RUNNING),
	},
	[PHASE_PAUSED] = {
		[EVENT_RESUME] = TO(PHASE_RUNNING),
		[EVENT_STOP] = TO(PHASE_STOPPING),
		[EVENT_KILL] = TO(PHASE_PAUSED),
		[EVENT_EXITED] = TO(PHASE_STOPPING),
		[EVENT_RENAME] = TO(PHASE_PAUSED),
	},
	[PHASE_STOPPING] = {
		[EVENT_STOP] = TO(PHASE_STOPPING), /* a second stop waits for the first */
		[EVENT_KILL] = TO(PHASE_STOPPING),
		[EVENT_EXITED] = TO(PHASE_STOPPING),
		[EVENT_CLEANED] = TO(PHASE_STOPPED),
		[EVENT_CLEAN_FAILED] = TO(PHASE_FAILED),
	},
	[PHASE_SUSPENDED] = {
		[EVENT_REMOVE] = TO(PHASE_SUSPENDED),
		[EVENT_RENAME] = TO(PHASE_SUSPENDED),
	},
	[PHASE_FAILED] = {
		[EVENT_STOP] = TO(PHASE_STOPPING), /* tries to clean up again */
		[EVENT_KILL] = TO(PHASE_STOPPING),
		[EVENT_EXITED] = TO(PHASE_FAILED),
		[EVENT_RENAME] = TO(PHASE_FAILED),
	},
};

/* What to do instead, by the phase that is in the way ... */
static const char *const hints[PHASES] = {
	[PHASE_STOPPED] = "start it first: arnia start NAME",
	[PHASE_STARTING] = "wait until it runs: arnia wait --condition running NAME",
	[PHASE_RUNNING] = "stop it first: arnia stop NAME",
	[PHASE_PAUSED] = "resume it first: arnia resume NAME",
	[PHASE_STOPPING] = "wait until it is down: arnia wait NAME",
	[PHASE_SUSPENDED] = "restore or remove it",
	[PHASE_FAILED] = "see arnia info NAME; arnia stop NAME tries the clean-up again",
};

#define SO_ALREADY "with --idempotent that is no error"
#define FORCE "stop it first: arnia stop NAME, or at once: arnia rm -f NAME"

/* ... and where something better can be said of one event. */
static const struct {
	enum phase from;
	enum lifecycle_event event;
	const char *hint;
} special_hints[] = {
	{ PHASE_STOPPED, EVENT_STOP, SO_ALREADY },  { PHASE_STOPPED, EVENT_KILL, SO_ALREADY },
	{ PHASE_RUNNING, EVENT_START, SO_ALREADY }, { PHASE_RUNNING, EVENT_RESUME, SO_ALREADY },
	{ PHASE_PAUSED, EVENT_PAUSE, SO_ALREADY },  { PHASE_RUNNING, EVENT_REMOVE, FORCE },
	{ PHASE_PAUSED, EVENT_REMOVE, FORCE },
};

static const char *hint_of(enum phase from, enum lifecycle_event e)
{
	for (size_t i = 0; i < ARRAY_SIZE(special_hints); i++)
		if (special_hints[i].from == from && special_hints[i].event == e)
			return special_hints[i].hint;
	return hints[from];
}

const char *phase_name(enum phase p)
{
	return (unsigned)p < PHASES ? phase_names[p] : "unknown";
}

int phase_parse(const char *s, enum phase *ret)
{
	for (unsigned i = 0; i < PHASES; i++) {
		if (str_eq(s, phase_names[i])) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *lifecycle_event_name(enum lifecycle_event e)
{
	return (unsigned)e < LIFECYCLE_EVENTS ? event_words[e].name : "unknown";
}

int lifecycle_next(enum phase from, enum lifecycle_event e, enum phase *ret, struct error *err)
{
	unsigned char to;

	if ((unsigned)from >= PHASES || (unsigned)e >= LIFECYCLE_EVENTS)
		return err_set(err, -EINVAL, "no such phase or event");
	to = table[from][e];
	if (!to) {
		err_set_kind(err, -EINVAL, ERR_STATE, "cannot %s: it is %s", event_words[e].name, phase_names[from]);
		err_hint(err, "%s", hint_of(from, e));
		return -EINVAL;
	}
	*ret = to - 1;
	return 0;
}
