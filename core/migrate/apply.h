/* SPDX-License-Identifier: MIT */
/*
 * One migration into one database: one transaction with its history event inside, under the fence.
 * Used by the runner only (steps_migrate.c).
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
	bool no_transaction;        /* of an up; a down is run as its own header says */
	/* Called inside the transaction before COMMIT, to copy journal lines; may be NULL. */
	int (*with)(void *arg, struct db *db, struct err *e);
	void *arg;
};

struct apply_result {
	int64_t took_ms;
	size_t n_statement;
	size_t failed_statement; /* from 1; 0 when it was not a statement that failed */
	int failed_line;         /* in the file */
	char failed_sql[160];    /* start of the statement, cleaned */
};

/* Runs it. Statement by statement under a cancel; on any failure the transaction is rolled back, and
 * (unless fenced or cancelled) a `failed` event is written in a transaction of its own, with the fence. out is always
 * filled. ERR_EXISTS: this generation is already in the history. */
int apply_run(struct apply_job *job, struct apply_result *out, struct err *e) MUST_CHECK;

/* Records an event without running anything (baseline, accept), under the fence, in one
 * transaction. */
int apply_record(struct apply_job *job, struct err *e) MUST_CHECK;

#endif
