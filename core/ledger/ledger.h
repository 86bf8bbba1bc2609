/* SPDX-License-Identifier: MIT */
/*
 * bascule's tables inside an environment's own database. What is written here outlives this
 * program: the format is numbered, events are only ever added, and older formats are upgraded in
 * one transaction.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/ledger/event.h"

#define LEDGER_FORMAT 1

/* A script kept in the ledger is at most this long (SOURCE_FILE_MAX is the same number). */
#define LEDGER_SCRIPT_MAX ((size_t)64 << 20)

/* The format found: 0 when there is no ledger yet. */
int ledger_format(struct db *db, int *format, struct err *e) MUST_CHECK;
/* The statements that take a ledger from format - 1 to format; NULL when there is no such format.
 * Never changed once released: the upgrade test makes every old ledger with them. */
const char *ledger_format_sql(int format);
/* Makes or upgrades the ledger in a transaction of its own. A newer format is refused
 * (ERR_UNSUPPORTED) and nothing is written. No transaction may be open. */
int ledger_ensure(struct db *db, struct err *e) MUST_CHECK;

/* Calls fn for every event, oldest first; no scripts. No ledger: no calls. Strings in the event are
 * valid during the call only. */
int ledger_events(struct db *db,
		  int (*fn)(void *arg, const struct history_event *ev, struct err *e), void *arg,
		  struct err *e) MUST_CHECK;
/* Adds an event with its scripts (empty views: none), inside the caller's transaction. at_utc_ms 0
 * is filled with now; seq is returned in *seq (may be NULL). A second application of the same
 * generation fails here by the unique key (ERR_EXISTS). */
int ledger_add(struct db *db, const struct history_event *ev, struct sv up, struct sv down,
	       int64_t *seq, struct err *e) MUST_CHECK;
/* The scripts stored with the event seq; appended to up and down (either may be NULL). */
int ledger_scripts(struct db *db, int64_t seq, struct strbuf *up, struct strbuf *down,
		   bool *has_down, struct err *e) MUST_CHECK;

/* Copy of runs and their journals. Inside the caller's transaction. line: one journal line without
 * newline; a line that is there already is left alone. */
int ledger_put_run(struct db *db, const char *run, const char *operation, const char *who,
		   const char *host, int64_t created_utc_ms, const char *state,
		   const char *plan_digest, struct err *e) MUST_CHECK;
int ledger_put_line(struct db *db, const char *run, int64_t epoch, int64_t seq, struct sv line,
		    struct err *e) MUST_CHECK;
/* Highest (epoch, seq) of run copied so far; 0,0 when none. */
int ledger_last_line(struct db *db, const char *run, int64_t *epoch, int64_t *seq,
		     struct err *e) MUST_CHECK;
/* Every stored line of a run, ordered by epoch and seq. */
int ledger_lines(struct db *db, const char *run,
		 int (*fn)(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *e),
		 void *arg, struct err *e) MUST_CHECK;

/* Merges the ledger of the file old_path into db (a restored database): events, runs and lines that db does
 * not have; the lock row of the old one wins. In a transaction of its own. */
int ledger_merge_from(struct db *db, const char *old_path, struct err *e) MUST_CHECK;

#endif
