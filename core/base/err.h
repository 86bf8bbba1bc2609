/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, in three parts, as plain data.
 *
 * msg:    what we were doing, to what: "cannot lock ledger of staging". Lower case, no full stop.
 * detail: the library's or the system's own words, or the measured value.
 * hint:   one action; where it is a command, the command can be run as printed.
 *
 * Fallible functions return 0 or -1 and take a struct err * last (never NULL). Outputs are
 * untouched on failure. Texts that do not fit are cut with an ellipsis, never overrun.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Codes callers branch on. Names for JSON and logs come from err_code_name(). */
enum err_code {
	ERR_OK = 0,
	ERR_SYSTEM, /* a system call failed; sys holds the errno name */
	ERR_USAGE,  /* wrong command line */
	ERR_CONFIG, /* wrong configuration */
	ERR_INPUT,  /* a file or a reply that we cannot accept */
	ERR_LIMIT,  /* larger than a named limit */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_GATE,   /* refused by a rule */
	ERR_LOCKED, /* another operator holds the lock */
	ERR_FENCED, /* our epoch is over: somebody took the lock */
	ERR_BUSY,   /* the database is busy and did not become free in time */
	ERR_TIMEOUT,
	ERR_LOST,    /* the connection broke: what was sent last may have been done or not */
	ERR_ASKS,    /* a person has to answer first: a host key, a passphrase */
	ERR_REFUSED, /* the other side does not let us in, or is not who it should be */
	ERR_CANCELLED,
	ERR_DB,          /* the database refused a statement; sys holds the engine's code */
	ERR_CORRUPT,     /* damaged file, database or chain */
	ERR_UNSUPPORTED, /* a format newer than this program, an engine without the capability */
	ERR_ROLLED_BACK, /* failed, and what had been done was undone */
	ERR_WAITING,     /* the run is paused or waits for somebody */
	ERR_DIFFERS,     /* differences were found (exit status 7) */
};

struct err {
	enum err_code code;
	char sys[24];
	char msg[256];
	char detail[640];
	char hint[512];
};

/* Empties e. */
void err_clear(struct err *e);

/* Sets code and msg, clears the other parts. Returns -1, so that a function can end in it. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set with ERR_SYSTEM (ENOENT gives ERR_NOT_FOUND, EEXIST ERR_EXISTS): detail is the
 * system's text for errnum and sys its name ("ENOSPC"). Returns -1. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Set or replace one part; they return -1 too. */
int err_detail(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts a new msg before the old one, which becomes the start of detail. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "gate", "locked": stable names for JSON. */
const char *err_code_name(enum err_code code);

/* Replaces the errno name: "ENOENT". Never NULL. */
const char *err_errno_name(int errnum);

#endif
