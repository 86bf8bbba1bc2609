/* SPDX-License-Identifier: MIT */
/* What the files of the PostgreSQL driver share; nobody else includes it. */
#ifndef DB_DB_POSTGRES_H
#define DB_DB_POSTGRES_H

#include <libpq-fe.h>

#include "core/db/db.h"

/* Everything of libpq that is used; loaded, not linked. */
/* clang-format off */
#define PG_FUNCTIONS(X) \
	X(PQconnectStartParams) X(PQconnectPoll) X(PQfinish) X(PQstatus) X(PQsocket) \
	X(PQerrorMessage) X(PQsetErrorVerbosity) X(PQsetNoticeReceiver) X(PQsetnonblocking) \
	X(PQconnectionNeedsPassword) X(PQconninfo) X(PQconninfoFree) X(PQhost) X(PQport) \
	X(PQserverVersion) X(PQbackendPID) X(PQtransactionStatus) X(PQgetCancel) X(PQcancel) \
	X(PQfreeCancel) X(PQsendQuery) X(PQsendQueryParams) X(PQsendPrepare) X(PQsendQueryPrepared) X(PQsetSingleRowMode) X(PQflush) \
	X(PQconsumeInput) X(PQisBusy) X(PQgetResult) X(PQclear) X(PQresultStatus) \
	X(PQresultErrorField) X(PQresultErrorMessage) X(PQntuples) X(PQnfields) X(PQftype) \
	X(PQgetisnull) X(PQgetvalue) X(PQgetlength) X(PQcmdStatus) X(PQcmdTuples) \
	X(PQunescapeBytea) X(PQfreemem) X(PQputCopyEnd) X(PQenterPipelineMode) \
	X(PQexitPipelineMode) X(PQpipelineStatus) X(PQpipelineSync)
/* clang-format on */

struct pq {
#define X(f) __typeof__(&f) f;
	PG_FUNCTIONS(X)
#undef X
};

struct pg_unit;     /* db_postgres_unit.c */
struct pg_prepared; /* db_postgres_prepared.c */

#define PG_PREPARED_MAX 8

struct db_postgres {
	struct db base;
	struct pq pq;
	PGconn *conn;
	struct pg_key *key; /* what a cancel request needs; shared with the threads that send one */
	struct cancel *cancel;
	char *shown;
	int64_t lock_timeout_ms, statement_timeout_ms, connect_timeout_ms, answer_timeout_ms;
	bool read_only;
	bool lost;      /* the connection broke; it only fails from now on */
	bool stopping;  /* a cancel request was sent, answers may still come: pg_ready takes them */
	bool migrating; /* between db_migration_begin and its end */
	/* The session may not be as it was at connect: a foreign statement ran that could change it. */
	bool dirty;
	/* At connect, from the set-up's answer; NULL as long as the set-up was not sent. */
	char *user, *role, *search_path;
	int syncs_due;     /* pipeline: syncs sent and not answered */
	struct strbuf sql; /* scratch: one statement, with a NUL */
	/* Units, oldest first. */
	struct pg_unit *unit;
	size_t n_unit, cap_unit;
	bool unit_failed; /* nothing of what was sent behind it runs */
	bool slot_open;   /* the first unanswered statement's turn has come */
	bool stop_asked;  /* a cancel request was sent while units were waiting */
	/* What units of ours repeat, prepared; see db_postgres_prepared.c. */
	struct pg_prepared *prepared[PG_PREPARED_MAX];
	size_t n_prepared;
	unsigned prepared_names; /* given so far; none is used twice */
};

static inline struct db_postgres *pg_of(struct db *db)
{
	return (struct db_postgres *)db; /* base is the first member */
}

/* How a call waits. answer_ms: 0 for ever; begins anew with each piece of an answer, until_ms (0: none,
 * CLOCK_MONOTONIC) does not. */
struct pg_wait {
	struct cancel *cancel;
	int64_t answer_ms, until_ms;
};

enum pg_kind { PG_OURS, PG_FOREIGN };

/* --- db_postgres_connect.c ---------------------------------------------------------------------- */

int pg_open(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
	    struct cancel *cancel, struct db **out, struct err *e);
void pg_close(struct db *db);
/* Another connection as this one was made. */
int pg_open_again(struct db_postgres *s, struct db **out, struct err *e) MUST_CHECK;

/* --- db_postgres_wait.c ------------------------------------------------------------------------- */

#define PG_STOP_NOW_MS 60 /* behind a cancel: for the request, and again for the answer */

/* Everything a statement needs first: the connection is good, no cancel (unless NULL) has fired, what
 * a stopped statement left is taken, pipeline mode is off. */
int pg_ready(struct db_postgres *s, struct cancel *cancel, struct err *e) MUST_CHECK;
/* The next result (*out NULL between statements). -1: ERR_CANCELLED, ERR_TIMEOUT, ERR_LOST. */
int pg_next(struct db_postgres *s, const struct pg_wait *w, PGresult **out,
	    struct err *e) MUST_CHECK;
/* Takes answers until none is due. */
int pg_drain(struct db_postgres *s, int64_t wait_ms, struct err *e) MUST_CHECK;
/* Asks the server to cancel what it is doing, and waits for a moment until it has heard. */
void pg_request_cancel(struct db_postgres *s, int64_t wait_ms);
/* Marks the connection as broken; e gets ERR_LOST with words, which may be NULL. Returns -1. */
int pg_lost(struct db_postgres *s, const char *words, struct err *e);
/* Behind a failed pg_next: a cancel stops the server too, a server that is mute is given up. -1. */
int pg_give_up(struct db_postgres *s, struct err *e);
void pg_interrupt(struct db *db);
void pg_key_make(struct db_postgres *s);
void pg_key_drop(struct pg_key *key);

/* --- db_postgres.c ------------------------------------------------------------------------------ */

/* One statement that is text as it is, without cancel or rows; for ROLLBACK. */
int pg_plain(struct db_postgres *s, const char *sql, struct err *e) MUST_CHECK;
/* exec with another search_path for this statement; NULL: the session's. */
int pg_exec(struct db_postgres *s, const char *sql, const char *search_path,
	    const struct db_value *param, size_t n_param, db_row_fn fn, void *arg,
	    struct err *e) MUST_CHECK;
/* The only number of a text that was made by the driver. */
int pg_count(struct db_postgres *s, const char *sql, int64_t *n, struct err *e) MUST_CHECK;
/* Makes the session what it should be: the set-up when it is due; reset: as it was at connect. */
int pg_session_now(struct db_postgres *s, bool reset, struct err *e) MUST_CHECK;
/* A statement that gives the rest of the transaction the session's user, role and timeouts. */
int pg_send_own_role(struct db_postgres *s, const char *search_path, struct err *e) MUST_CHECK;
/* Sends what makes the whole session as it was at connect: PG_RESETS statements. */
#define PG_RESETS 4
int pg_send_reset(struct db_postgres *s, struct err *e) MUST_CHECK;

/* --- db_postgres_sql.c -------------------------------------------------------------------------- */

/* Our SQL as the server has it, into out; *n is the highest parameter. */
void pg_rewrite(const char *sql, struct strbuf *out, size_t *n);
/* Sends one statement of ours (with parameters) or foreign text by the extended protocol. */
int pg_send(struct db_postgres *s, const char *sql, const struct db_value *param, size_t n_param,
	    struct err *e) MUST_CHECK;
/* Gives the rows of a result to fn. */
int pg_rows(struct db_postgres *s, const PGresult *res, db_row_fn fn, void *arg,
	    struct err *e) MUST_CHECK;
/* Rows that a command changed; 0 for what only reads. */
int64_t pg_changed(struct db_postgres *s, PGresult *res);
/* What an error result says. text (may be NULL) is the statement, for the line. Returns -1. */
int pg_error(struct db_postgres *s, const PGresult *res, enum pg_kind kind, const char *text,
	     struct err *e);
/* What a failed connection attempt says; host names it. Returns -1. */
int pg_connect_error(struct db_postgres *s, PGconn *conn, struct err *e);
/* Whether a foreign text may change the session (SET, DISCARD, functions): a guess, never false for
 * a plain SET. */
bool pg_may_set(struct sv text);
/* ERR_INPUT when a migration must not say this: it ends the transaction, or writes our tables. */
int pg_guard(struct sv text, bool migrating, struct err *e) MUST_CHECK;

/* Types, values, lengths and formats of parameters. */
#define PG_PARAMS_MAX 64
struct pg_bound {
	Oid type[PG_PARAMS_MAX];
	const char *value[PG_PARAMS_MAX];
	int length[PG_PARAMS_MAX];
	int format[PG_PARAMS_MAX];
	uint64_t number[PG_PARAMS_MAX]; /* of integers and reals, as they travel */
};
/* ERR_LIMIT when there are too many, or one is too long. */
int pg_bind(const struct db_postgres *s, const struct db_value *param, size_t n,
	    struct pg_bound *out, struct err *e) MUST_CHECK;

/* --- db_postgres_prepared.c --------------------------------------------------------------------- */

/* Sends a statement of a unit that the next units will have again: key is the address of a literal with
 * param, or NULL and text as it is. *prepared: a statement that prepares it was sent in front. 1: sent,
 * 0: it is not one for this, nothing was sent. */
int pg_prepared_send(struct db_postgres *s, const char *key, const char *text,
		     const struct db_value *param, size_t n, bool *prepared,
		     struct err *e) MUST_CHECK;
/* Nothing is believed to be prepared any more. */
void pg_prepared_forget(struct db_postgres *s);

/* --- db_postgres_unit.c ------------------------------------------------------------------------- */

int pg_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e);
int pg_unit_result(struct db *db, size_t *failed, struct err *e);
size_t pg_units_waiting(const struct db *db);
int pg_units_clear(struct db *db, struct err *e);
size_t pg_unit_max_bytes(const struct db *db);
void pg_units_free(struct db_postgres *s);

/* --- db_postgres_server.c ----------------------------------------------------------------------- */

#define PG_LOCK_CLASS 0x62617363 /* "basc": the first number of our advisory locks */
int32_t pg_lock_key(const char *name);
int pg_info(struct db *db, struct db_info *out, struct err *e);
int pg_size(struct db *db, int64_t *bytes, struct err *e);
int pg_session(struct db *db, struct db_session *out, struct err *e);
int pg_session_alive(struct db *db, const struct db_session *x, bool *alive, struct err *e);
int pg_session_end(struct db *db, const struct db_session *x, struct err *e);
int pg_session_restore(struct db *db, struct err *e);
int pg_advisory_lock(struct db *db, const char *name, bool *got, struct err *e);
void pg_advisory_unlock(struct db *db, const char *name);
int pg_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
		       struct err *e);
#define PG_FENCE_START "SELECT (CASE WHEN (SELECT epoch FROM bascule.lock WHERE one = 1 FOR SHARE)"
void pg_fence_sql(struct db *db, const char *name, int64_t epoch, struct strbuf *out);
bool pg_is_fence_error(const struct db *db, const struct err *e);
int pg_now(struct db *db, int64_t *utc_ms, struct err *e);
int pg_check_pooler(struct db *db, struct err *e);

/* --- db_postgres_schema.c ----------------------------------------------------------------------- */

int pg_has_table(struct db *db, const char *name, bool *out, struct err *e);
int pg_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e);
int pg_schema_digest(struct db *db, char hex[65], struct err *e);
int pg_defects(struct db *db, db_defect_fn fn, void *arg, struct err *e);

/* --- db_postgres_about.c ------------------------------------------------------------------------ */

int pg_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e);
int pg_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e);

#endif
