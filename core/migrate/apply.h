/* SPDX-License-Identifier: MIT */
/*
 * Migrations into one database, each with its history event, under the fence. Used by the runner only
 * (steps_migrate.c).
 *
 * How one is held together depends on the engine: one transaction (apply.c on SQLite, apply_units.c
 * where units can be sent ahead), or statement by statement with a record of each
 * (apply_statements.c), where DDL commits by itself or the file says `-- transaction: no`.
 */
#ifndef MIGRATE_APPLY_H
#define MIGRATE_APPLY_H

#include "core/db/db.h"
#include "core/db/sqlsplit.h"
#include "core/db/sqlstatement.h"
#include "core/ledger/event.h"
#include "core/ledger/lock.h"

/* A script made ready: statements split, the outermost BEGIN/COMMIT pair removed, leading PRAGMAs
 * of sqlite hoisted. What cannot run as the engine's migrations do is refused with its line. */
struct script {
	struct sql_list body;
	struct sql_facts *fact; /* of each statement of body, in the arena; NULL on sqlite */
	struct sv *hoist;
	size_t n_hoist;
};

/*
 * Pure. no_transaction is the header `-- transaction: no`:
 * sqlite: refused unless every statement is one that needs it (VACUUM, PRAGMA, REINDEX, ANALYZE).
 * postgresql: each statement runs alone; transaction control is refused. Without it, what cannot be
 * in a transaction is refused.
 * mariadb: says nothing new, since each statement is a step of its own there.
 * Refused on both servers: what writes bascule's tables, frees locks of ours, or prepares a
 * transaction; on mariadb also what changes the database, locks tables or switches autocommit.
 * text and a must outlive out. what names the file in errors.
 */
int script_prepare(struct arena *a, const char *engine, const char *what, struct sv text,
		   bool no_transaction, struct script *out, struct err *e) MUST_CHECK;

struct apply_job {
	struct db *db;
	const struct lock *lock;    /* NULL only in tests of the pure part */
	struct history_event event; /* EVENT_APPLIED or EVENT_ROLLED_BACK, complete but took, at */
	struct sv up, down;         /* stored with the event */
	struct sv script;           /* what runs: up for applied, down for rolled-back */
	const char *what;           /* file name, for errors */
	const char *environment;    /* for the commands of hints; may be NULL */
	bool no_transaction;        /* of an up; a down is run as its own header says */
	/* What the history knows of it (NULL: nothing): where one that stopped inside goes on. Borrowed. */
	const struct applied *before;
	/* Called inside the transaction before COMMIT, to copy journal lines; may be NULL. Not called on
	 * engines with DB_PIPELINE. */
	int (*with)(void *arg, struct db *db, struct err *e);
	void *arg;
};

struct apply_result {
	int64_t took_ms;
	size_t n_statement;          /* that ran now */
	size_t n_script;             /* that the script has; 0 before it was read */
	size_t failed_statement;     /* from 1; 0 when it was not a statement that failed */
	bool statement_by_statement; /* what ran before the failed one stays */
	int attempts;                /* tries, more than 1 after a lock that was not to be had */
	int failed_line;             /* in the file */
	char failed_sql[160];        /* start of the statement, cleaned */
};

/* Tries for a lock of the engine that others hold; waits in between double from the first. */
#define APPLY_ATTEMPTS 5
#define APPLY_FIRST_WAIT_MS 500

/* Migrations one behind the other, sent ahead where the engine can (DB_PIPELINE). */
struct apply_feed {
	struct db *db;
	const struct lock *lock;
	struct cancel *cancel; /* ends the waits between tries */
	int give_up_fd;        /* once readable there is no further try; 0: none */
	/* The next migration: 1, 0 when there is none now, -1. It and its texts live until done. */
	int (*next)(void *arg, struct apply_job **job, struct err *e);
	/* The last word on a migration, in the order of next. why NULL: it is in the history. -1 ends the
	 * feed; what was sent ahead may have run all the same. */
	int (*done)(void *arg, struct apply_job *job, const struct apply_result *r,
		    const struct err *why, struct err *e);
	/* A lock was not to be had in time: another try in wait_ms. */
	void (*again)(void *arg, const struct apply_job *job, int attempt, int64_t wait_ms,
		      const struct err *why);
	void *arg;
};

/* Applies until next gives no more. -1: the migration that failed was told to done with the same words;
 * those given behind it were not run. */
int apply_feed(struct apply_feed *f, struct err *e) MUST_CHECK;

/* Runs it. Statement by statement under a cancel; on any failure the transaction is rolled back, and
 * (unless fenced or cancelled) a `failed` event is written in a transaction of its own, with the fence. out is always
 * filled. ERR_EXISTS: this generation is already in the history. */
int apply_run(struct apply_job *job, struct apply_result *out, struct err *e) MUST_CHECK;

/* Records an event without running anything (baseline, accept), under the fence, in one
 * transaction. */
int apply_record(struct apply_job *job, struct err *e) MUST_CHECK;

#endif
