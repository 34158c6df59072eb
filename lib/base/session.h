/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_SESSION_H
#define ARNIA_BASE_SESSION_H
/*
 * The session socket: a client's end and the keeper's end of one SEQPACKET pair, made by the client and handed over by SCM_RIGHTS with Run, Start, Attach or
 * Exec. Output, input and the exit status travel here and never through the daemon, so they go on while it restarts.
 * One datagram = one type byte and at most SESSION_DATA bytes.
 */
#define SESSION_DATA 32768
enum session_type {
	/* client -> keeper */
	SESSION_IN = 'i', /* bytes for stdin or the console */
	SESSION_IN_EOF = 'e', /* close the program's stdin (not on a tty) */
	SESSION_SIZE = 'w', /* struct session_size */
	/* keeper -> client */
	SESSION_OUT = '1', /* stdout, or the console */
	SESSION_ERR = '2', /* stderr */
	SESSION_EXIT = 'x', /* struct session_exit; the last message. All output came before it */
	SESSION_MASTER = 'm', /* exec with a tty: the pty's master comes along; the client pumps it itself */
	SESSION_GONE = 'g', /* detached by the keeper: text says why (too slow a reader, replaced keeper) */
};
struct session_size {
	unsigned short rows, cols;
};
struct session_exit {
	int code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED, 0 = unknown */
	int status;
};
/*
 * Log files (state/containers/ID/log, log.1): records of this header and `len` bytes, appended by the keeper with one write each. A file whose
 * size would pass half of log_max is renamed to log.1 (replacing it) and a new one begun.
 */
#include <stdint.h>
#define LOG_RECORD_MAGIC 0xa7u
struct log_record {
	uint8_t magic;
	uint8_t stream; /* 1 stdout or console, 2 stderr */
	uint16_t len; /* 1..SESSION_DATA */
	uint32_t dropped; /* bytes lost before this record (disk full), 0 otherwise */
	uint64_t time_ns; /* real time */
};
#endif
