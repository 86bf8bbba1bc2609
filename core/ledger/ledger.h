/* SPDX-License-Identifier: MIT */
/*
 * bascule's tables inside an environment's own database. What is written here outlives this
 * program: the format is numbered, events are only ever added, and older formats are upgraded in
 * one transaction (where the engine has none for DDL: by statements that can be repeated, the format's
 * number last).
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "core/base/mem.h"
#include "core/db/db.h"
#include "core/ledger/event.h"

#define LEDGER_FORMAT 2

/* A script kept in the ledger is at most this long (SOURCE_FILE_MAX is the same number). */
#define LEDGER_SCRIPT_MAX ((size_t)64 << 20)

/* The format found: 0 when there is no ledger yet. */
int ledger_format(struct db *db, int *format, struct err *e) MUST_CHECK;
/* The statements that take a ledger of that engine from the format before to format; NULL when there is
 * no such format (on servers it begins with 2). Never changed once released: the upgrade test makes
 * every old ledger with them. */
const char *ledger_format_sql(const char *engine, int format);
/* Makes or upgrades the ledger in a transaction of its own. A newer format is refused
 * (ERR_UNSUPPORTED) and nothing is written. No transaction may be open. */
int ledger_ensure(struct db *db, struct err *e) MUST_CHECK;

/* Calls fn for every event, oldest first; no scripts. No ledger: no calls. Strings in the event are
 * valid during the call only. *format (may be NULL) is what ledger_format would say: on a server both
 * come with one question. */
int ledger_events_format(struct db *db, int *format,
			 int (*fn)(void *arg, const struct history_event *ev, struct err *e),
			 void *arg, struct err *e) MUST_CHECK;
int ledger_events(struct db *db,
		  int (*fn)(void *arg, const struct history_event *ev, struct err *e), void *arg,
		  struct err *e) MUST_CHECK;
/* Adds an event with its scripts (empty views: none), inside the caller's transaction. at_utc_ms 0
 * is filled with now (of the server, where there is one); seq is returned in *seq (may be NULL). A
 * second application of the same generation fails here by the unique key (ERR_EXISTS). */
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

/*
 * The same as items of a unit (DB_PIPELINE), for statements that travel with a migration's. What an item
 * borrows lives in a, except for run and line, which are borrowed from the caller until db_unit_send.
 * A violated key is the unit's ERR_EXISTS.
 */
/* ledger_add. Stands behind the fence and before the migration's statements, with took_ms 0: a second
 * application fails before it has done anything. */
int ledger_event_item(struct arena *a, struct db *db, const struct history_event *ev, struct sv up,
		      struct sv down, struct db_item *out, struct err *e) MUST_CHECK;
/* Fills took_ms (and at, which is the end) of that event by the server's clock, before anybody else sees
 * the row: stands last before COMMIT. The time since the transaction began; where statements are not
 * held together by one, since the event was written. */
void ledger_took_item(struct arena *a, struct db *db, const struct history_event *ev,
		      struct db_item *out);
/* ledger_put_run, ledger_put_line. */
void ledger_run_item(struct arena *a, struct db *db, const char *run, const char *operation,
		     const char *who, const char *host, int64_t created_utc_ms, const char *state,
		     const char *plan_digest, struct db_item *out);
void ledger_line_item(struct arena *a, struct db *db, const char *run, int64_t epoch, int64_t seq,
		      struct sv line, struct db_item *out);

/* Merges the ledger of the file old_path into db (a restored database): events, runs and lines that db does
 * not have; the lock row of the old one wins. In a transaction of its own. */
int ledger_merge_from(struct db *db, const char *old_path, struct err *e) MUST_CHECK;

#endif
