/* SPDX-License-Identifier: MIT */
/* What the files of the MariaDB driver share. Nobody else includes this. */
#ifndef DB_DB_MARIADB_H
#define DB_DB_MARIADB_H

#include <stdatomic.h>

#include <mysql.h>

#include "core/base/mem.h"
#include "core/db/db.h"

/* The functions of the client library that we call; core/base/library.h fills it. Every blocking call is
 * there as its two halves, NAME_start and NAME_cont. */
/* clang-format off */
#define MARIADB_CALLS(X) \
	X(mysql_server_init) X(mysql_init) X(mysql_options) X(mysql_close) X(mysql_get_socket) \
	X(mysql_get_timeout_value_ms) X(mysql_real_connect_start) X(mysql_real_connect_cont) \
	X(mysql_errno) X(mysql_error) X(mysql_sqlstate) X(mysql_get_server_info) \
	X(mysql_real_query_start) X(mysql_real_query_cont) X(mysql_next_result_start) \
	X(mysql_next_result_cont) X(mysql_more_results) X(mysql_field_count) \
	X(mysql_affected_rows) X(mysql_store_result_start) X(mysql_store_result_cont) \
	X(mysql_use_result) X(mysql_fetch_row) X(mysql_fetch_row_start) X(mysql_fetch_row_cont) \
	X(mysql_fetch_lengths) X(mysql_fetch_fields) X(mysql_num_fields) X(mysql_free_result) \
	X(mysql_set_server_option_start) X(mysql_set_server_option_cont) X(mysql_stmt_init) \
	X(mysql_stmt_prepare_start) X(mysql_stmt_prepare_cont) X(mysql_stmt_bind_param) \
	X(mysql_stmt_execute_start) X(mysql_stmt_execute_cont) X(mysql_stmt_close) \
	X(mysql_stmt_errno) X(mysql_stmt_error) X(mysql_stmt_sqlstate) X(mariadb_get_infov) X(mysql_get_ssl_cipher)
/* clang-format on */

struct mariadb_api {
#define MARIADB_POINTER(name) __typeof__(name) *name;
	MARIADB_CALLS(MARIADB_POINTER)
#undef MARIADB_POINTER
};

/* Where and how to connect, also for the second connection that ends a statement of the first. Not
 * changed after db_open, so that any thread may read it. */
struct mariadb_target {
	struct arena arena;
	struct dsn dsn; /* without password */
	char *password; /* NULL: what the library finds; wiped when freed */
	int64_t connect_timeout_ms;
};

struct mariadb_item {
	db_row_fn fn;
	void *arg;
	bool ours; /* a statement of ours with parameters */
};

/* A unit that was sent or waits here to be. */
struct mariadb_unit {
	char *text; /* its statements, separated, the mark of its end behind them */
	size_t len;
	struct mariadb_item *item;
	size_t n;
	int64_t mark;
	bool alone;
};

struct db_mariadb {
	struct db base;
	struct mariadb_api api;
	struct mariadb_target target;
	char *shown;
	MYSQL *conn;
	int64_t id; /* CONNECTION_ID() */
	struct cancel *cancel;
	int64_t lock_timeout_ms, statement_timeout_ms, answer_timeout_ms;
	size_t max_packet; /* the server's max_allowed_packet, less a margin */
	bool read_only;
	bool broken;       /* the connection cannot be used any more */
	bool write_locked; /* db_begin has the write lock */
	bool multi;        /* the server takes several statements in one packet now */

	/* Of the call that runs. */
	int64_t deadline_ms;
	bool killed;      /* the cancel fired and we have ended the statement */
	atomic_bool busy; /* read by db_interrupt, in any thread */

	struct mariadb_unit *unit; /* oldest first */
	size_t n_unit, cap_unit;
	size_t flight;    /* of them, how many are in the packet that is being answered */
	bool fresh;       /* no result of that packet was read yet */
	bool unit_failed; /* until units_clear */
	int64_t next_mark;
};

struct db_mariadb *mariadb_of(struct db *db);

/* --- db_mariadb_wire.c: connections, waiting, errors -------------------------------------------- */

/* Fills m->api. */
int mariadb_load(struct db_mariadb *m, struct err *e) MUST_CHECK;
/* A new connection to the target. Safe in any thread. */
int mariadb_dial(const struct db_mariadb *m, int64_t deadline_ms, struct cancel *c, MYSQL **out,
		 struct err *e) MUST_CHECK;
/* Shuts the socket, so that closing waits for nobody. */
void mariadb_abandon(struct db_mariadb *m);
/* Ends what the server runs for the call that is being made; its answers are still to be read. */
void mariadb_kill_now(struct db_mariadb *m);
/* Begins a call: refuses on a broken connection or a fired cancel. limit_ms: for its answers;
 * WAIT_FOREVER. Behind it stands mariadb_end. */
int mariadb_begin(struct db_mariadb *m, int64_t limit_ms, struct err *e) MUST_CHECK;
void mariadb_end(struct db_mariadb *m);
/* Sends and waits for the first result. */
int mariadb_query(struct db_mariadb *m, struct sv sql, struct err *e) MUST_CHECK;
/* Takes the next result; only when mysql_more_results says that there is one. */
int mariadb_next(struct db_mariadb *m, struct err *e) MUST_CHECK;
/* Reads the rows of this result and forgets them; nothing when it has none. */
int mariadb_drop_rows(struct db_mariadb *m, struct err *e) MUST_CHECK;
/* Reads the rows of this result into memory; NULL in *out when it has none. */
int mariadb_keep_rows(struct db_mariadb *m, MYSQL_RES **out, struct err *e) MUST_CHECK;
/* Drops this result and those behind it. *changed (may be NULL) gets the sum of changed rows. */
int mariadb_drop_all(struct db_mariadb *m, int64_t *changed, struct err *e) MUST_CHECK;
/* Calls fn for each kept row. */
int mariadb_give_rows(struct db_mariadb *m, MYSQL_RES *res, db_row_fn fn, void *arg,
		      struct err *e) MUST_CHECK;
/* Waits as *status, which a NAME_start or NAME_cont gave, says; *status is what NAME_cont wants. */
int mariadb_wait(struct db_mariadb *m, int *status, struct err *e) MUST_CHECK;
/* Several statements in one packet: taken from now on, or refused. */
int mariadb_set_multi(struct db_mariadb *m, bool on, struct err *e) MUST_CHECK;
/* e from what the library says of conn. Returns -1. */
int mariadb_error(struct db_mariadb *m, struct err *e);
int mariadb_error_of(struct db_mariadb *m, unsigned number, const char *state, const char *words,
		     struct err *e);
/* A statement of ours failed: a violated key is ERR_EXISTS. */
void mariadb_judge_ours(struct err *e);
/* One statement whose rows nobody wants, under no cancel: ROLLBACK, RELEASE_LOCK. */
int mariadb_quietly(struct db_mariadb *m, struct sv sql, struct err *e) MUST_CHECK;
/* After an error the status in the library is that of the statement before: asks for it. */
void mariadb_refresh(struct db_mariadb *m);
/* SERVER_STATUS_ bits of the last answer. */
unsigned mariadb_status(const struct db_mariadb *m);
/* KILL QUERY by a second connection. False when the server did not take it. Any thread. */
bool mariadb_kill_query(const struct db_mariadb *m, struct err *e);

/* --- db_mariadb_text.c --------------------------------------------------------------------------- */

/* Appends sql with its parameters and table names as the server has them. bound: where values that are
 * to go by the binary protocol are user variables; NULL: all are written into the text. */
void mariadb_translate(const struct db_mariadb *m, struct sv sql, const struct db_value *param,
		       size_t n_param, const bool *bound, struct strbuf *out);
void mariadb_quote_name(struct strbuf *out, struct sv name); /* `name` */

/* --- db_mariadb.c ------------------------------------------------------------------------------ */

/* ERR_LIMIT: n bytes are more than the server takes. */
int mariadb_too_big(const struct db_mariadb *m, size_t n, struct err *e);

/* --- db_mariadb_unit.c -------------------------------------------------------------------------- */

int mariadb_unit_send(struct db *db, const struct db_item *item, size_t n, struct err *e);
int mariadb_unit_result(struct db *db, size_t *failed, struct err *e);
size_t mariadb_units_waiting(const struct db *db);
int mariadb_units_clear(struct db *db, struct err *e);
size_t mariadb_unit_max_bytes(const struct db *db);
void mariadb_units_free(struct db_mariadb *m);

/* --- db_mariadb_server.c ------------------------------------------------------------------------ */

int mariadb_info(struct db *db, struct db_info *out, struct err *e);
int mariadb_size(struct db *db, int64_t *bytes, struct err *e);
int mariadb_session(struct db *db, struct db_session *out, struct err *e);
int mariadb_session_alive(struct db *db, const struct db_session *s, bool *alive, struct err *e);
int mariadb_session_end(struct db *db, const struct db_session *s, struct err *e);
int mariadb_advisory_lock(struct db *db, const char *name, bool *got, struct err *e);
void mariadb_advisory_unlock(struct db *db, const char *name);
int mariadb_advisory_holder(struct db *db, const char *name, bool *held, struct db_session *out,
			    struct err *e);
void mariadb_fence_sql(struct db *db, const char *lock_name, int64_t epoch, struct strbuf *out);
bool mariadb_is_fence_error(const struct db *db, const struct err *e);
int mariadb_now(struct db *db, int64_t *utc_ms, struct err *e);
#define MARIADB_LOCK_NAME_SIZE 65 /* of GET_LOCK, and a NUL */
/* What GET_LOCK knows the advisory lock of this name by. */
void mariadb_lock_key(const struct db_mariadb *m, const char *name,
		      char key[MARIADB_LOCK_NAME_SIZE]);

/* --- db_mariadb_schema.c ------------------------------------------------------------------------ */

int mariadb_has_table(struct db *db, const char *name, bool *out, struct err *e);
int mariadb_tables(struct db *db, bool quick, db_table_fn fn, void *arg, struct err *e);
int mariadb_schema_digest(struct db *db, char hex[65], struct err *e);

/* --- db_mariadb_about.c ------------------------------------------------------------------------- */

int mariadb_facts(struct db *db, db_fact_fn fn, void *arg, struct err *e);
int mariadb_privileges(struct db *db, db_privilege_fn fn, void *arg, struct err *e);

/* --- db_mariadb_reference.c --------------------------------------------------------------------- */

int mariadb_references_check(struct db *db, const char *table, const char *name, int64_t limit_ms,
			     int (*fn)(void *, const struct db_reference *, struct err *),
			     void *arg, struct err *e);

#endif
