/* SPDX-License-Identifier: MIT */
/*
 * What of the ledger and the lock is not the same text on every engine: how the tables are made, what
 * to do about a row that is there already, and the engine's clock. One file per engine
 * (ledger_sqlite.c, ledger_postgres.c, ledger_mariadb.c). Everything else is one statement for all.
 *
 * Columns are named so that no engine wants them quoted. The one exception is older than the second
 * engine: on SQLite the first column of bascule_meta is `key`, which MariaDB reserves; there and on
 * PostgreSQL it is `name`.
 */
#ifndef LEDGER_DIALECT_H
#define LEDGER_DIALECT_H

#include "core/ledger/ledger.h"

/* In the order of enum column in ledger.c. Format 2 added the second line. */
#define LEDGER_COLUMNS_1 \
	"namespace, id, title, sort_key, event, down, generation, attempt, statement, checksum, " \
	"down_checksum, run, epoch, who, host, at, took_ms, error"
#define LEDGER_COLUMNS LEDGER_COLUMNS_1 ", statements, hash, objects, session, done"

/* Parameters: LEDGER_COLUMNS and the scripts. at: how the engine writes ?16, null being now. */
#define LEDGER_INSERT_EVENT(at) \
	"INSERT INTO bascule_history (" LEDGER_COLUMNS \
	", up_script, down_script) VALUES (?1, ?2, " \
	"?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, " at ", ?17, ?18, ?19, ?20, " \
	"?21, ?22, ?23, ?24, ?25)"
#define LEDGER_INSERT_RUN \
	"INSERT INTO bascule_run (run, operation, who, host, created_at, state, plan_digest) VALUES " \
	"(?1, ?2, ?3, ?4, ?5, ?6, ?7) "
#define LEDGER_INSERT_LINE \
	"INSERT INTO bascule_line (run, epoch, seq, line) VALUES (?1, ?2, ?3, ?4) "

/* What a lock statement gives, in this order: see lock_server.c. */
#define LEDGER_LOCK_COLUMNS \
	"l.epoch, l.who, l.host, l.pid, l.pid_start, l.boot, l.run, l.taken_at, l.session_id, " \
	"l.session_started, b.epoch, b.beaten_at"
#define LEDGER_LOCK_TABLES \
	" FROM bascule_lock l LEFT JOIN bascule_beat b ON b.one = l.one WHERE l.one = 1"
/* Parameters: epoch, who, host, pid, pid_start, boot, run, session_id, session_started. */
#define LEDGER_LOCK_WRITE(at) \
	"UPDATE bascule_lock SET epoch = ?1, who = ?2, host = ?3, pid = ?4, pid_start = ?5, boot = " \
	"?6, run = ?7, session_id = ?8, session_started = ?9, taken_at = " at \
	", request = '' WHERE one = 1"

struct ledger_dialect {
	const char *engine;
	int first;                             /* format that is made from nothing */
	const char *script[LEDGER_FORMAT + 1]; /* what takes a ledger to this format */
	const char *set_format;                /* ?1: the number, as text */
	const char *format;                    /* text, or no row */
	/* Codes (err.sys) by which the statement above says that there is no ledger. On engines without
	 * them it is asked for first. */
	const char *none[4];
	const char *denied[4]; /* … and those of a missing privilege */
	/* The events, oldest first: seq, LEDGER_COLUMNS, and on servers the format behind them. */
	const char *events;
	const char *events_1; /* of a ledger of format 1, where there are such */
	const char *insert_event;
	const char *put_run;
	const char *put_line;
	/* Servers only. */
	const char *took;   /* ?1 namespace, id, generation, event, statement, attempt, ?7 down */
	const char *whoami; /* database, role as GRANT wants it */
	const char *grants; /* what we need, with %1 for the database and %2 for the role */
	const char *lock_look; /* LEDGER_LOCK_COLUMNS, the clock (ms) */
	const char *lock_write;
	const char *beat_begin; /* ?1 epoch */
	const char *beat;       /* ?1 epoch; nothing when another has it */
	const char *doing;      /* ?1 session id: state, busy (0/1), statement, ms since */
};

extern const struct ledger_dialect ledger_sqlite, ledger_postgres, ledger_mariadb;

/* Of the engine that db is connected to. */
const struct ledger_dialect *ledger_dialect(const struct db *db);
/* Does e, of the statement `format` or `events`, say that there is no ledger? */
bool ledger_is_missing(const struct ledger_dialect *d, const struct err *e);
/* The number in bascule_meta; ERR_CORRUPT when it is none. */
int ledger_format_parse(struct sv text, int *format, struct err *e) MUST_CHECK;

#endif
