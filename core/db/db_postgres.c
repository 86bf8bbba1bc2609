/* SPDX-License-Identifier: MIT */
/*
 * The PostgreSQL driver: our own statements, foreign ones, transactions.
 *
 * Connecting is in db_postgres_connect.c, waiting and stopping in db_postgres_wait.c, texts and values in
 * db_postgres_sql.c, units in db_postgres_unit.c, sessions, locks and poolers in db_postgres_server.c,
 * tables and the schema's digest in db_postgres_schema.c.
 *
 * Round trips. A connection costs no trip of its own for settings: the set-up is sent ahead of the
 * first statement, in one pipeline with it. It is not in the startup packet, because pgbouncer refuses
 * parameters there that it does not know.
 *
 * The session. A migration may change what the session is: role, user, search_path, timeouts. Where a
 * foreign text looks like that (pg_may_set), our statements from then on are sent behind one that
 * gives their transaction the role and path of the connect, for that transaction alone, so that what
 * the migration has set is there again for its next statement. The next db_migration_begin, or the
 * next unit, makes the session as it was.
 *
 * The write lock of db_begin is an advisory lock of the transaction. Statements are not prepared by
 * name: a pooler may stand in between, and planning ours costs less than the trip.
 */
#include "core/db/db_postgres.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"

/* --- One statement ----------------------------------------------------------------------------- */

static int copy_refused(struct db_postgres *s, struct err *e)
{
	/* It cannot be taken back from here: what follows on this connection would be data. */
	s->lost = true;
	err_set(e, ERR_INPUT, "COPY to or from the client does not work in a migration");
	return err_hint(e, "write INSERT statements, or load the data with psql");
}

/* The results of one statement, of which the last (or the error) is left in *out. Rows of a statement
 * in single row mode are dropped. */
static int take_statement(struct db_postgres *s, const struct pg_wait *w, PGresult **out,
			  struct err *e)
{
	PGresult *res = NULL, *kept = NULL;

	for (;;) {
		ExecStatusType status;

		if (pg_next(s, w, &res, e) != 0)
			goto fail;
		if (res == NULL)
			break;
		status = s->pq.PQresultStatus(res);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		    status == PGRES_COPY_BOTH) {
			s->pq.PQclear(res);
			copy_refused(s, e);
			goto fail;
		}
		if (kept != NULL && s->pq.PQresultStatus(kept) == PGRES_FATAL_ERROR) {
			s->pq.PQclear(res); /* the first error says why */
			continue;
		}
		s->pq.PQclear(kept);
		kept = res;
	}
	*out = kept;
	return 0;
fail:
	if (e->code == ERR_LOST && kept != NULL && s->pq.PQresultStatus(kept) == PGRES_FATAL_ERROR)
		pg_error(s, kept, PG_OURS, NULL, e); /* the server's last words */
	s->pq.PQclear(kept);
	return -1;
}

static int take_sync(struct db_postgres *s, const struct pg_wait *w, struct err *e)
{
	PGresult *res = NULL;
	bool good;

	if (pg_next(s, w, &res, e) != 0)
		return -1;
	good = res != NULL && s->pq.PQresultStatus(res) == PGRES_PIPELINE_SYNC;
	s->pq.PQclear(res);
	if (!good)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	s->syncs_due--;
	return 0;
}

static int send_sync(struct db_postgres *s, struct err *e)
{
	if (s->pq.PQpipelineSync(s->conn) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	s->syncs_due++;
	return 0;
}

static int pipeline_on(struct db_postgres *s, struct err *e)
{
	if (s->pq.PQenterPipelineMode(s->conn) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	return 0;
}

/* Judges a result: 0 when it is good or there is none. */
static int judge(struct db_postgres *s, const PGresult *res, enum pg_kind kind, const char *text,
		 struct err *e)
{
	ExecStatusType status = res != NULL ? s->pq.PQresultStatus(res) : PGRES_COMMAND_OK;

	if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)
		return pg_error(s, res, kind, text, e);
	return 0;
}

/* --- The session ------------------------------------------------------------------------------- */

static void set_up_sql(const struct db_postgres *s, struct strbuf *b)
{
	int version = s->pq.PQserverVersion(s->conn);

	strbuf_adds(b, "SELECT session_user, pg_catalog.current_setting('role'), "
		       "pg_catalog.current_setting('search_path')");
	strbuf_addf(b, ", pg_catalog.set_config('lock_timeout', '%lld', false)",
		    (long long)s->lock_timeout_ms);
	if (s->statement_timeout_ms > 0)
		strbuf_addf(b, ", pg_catalog.set_config('statement_timeout', '%lld', false)",
			    (long long)s->statement_timeout_ms);
	/* A run may pause between two statements, and the lock's session does nothing for long. */
	if (version >= 90600)
		strbuf_adds(b, ", pg_catalog.set_config('idle_in_transaction_session_timeout', "
			       "'0', false)");
	if (version >= 140000)
		strbuf_adds(b, ", pg_catalog.set_config('idle_session_timeout', '0', false)");
	if (s->read_only)
		strbuf_adds(b, ", pg_catalog.set_config('default_transaction_read_only', 'on', "
			       "false)");
}

static int send_text(struct db_postgres *s,
		     void (*make)(const struct db_postgres *, struct strbuf *), struct err *e)
{
	struct strbuf b;
	int result;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	make(s, &b);
	result = pg_send(s, strbuf_str(&b), NULL, 0, e);
	strbuf_clear(&b);
	return result;
}

static int send_set_up(struct db_postgres *s, bool *sent, struct err *e)
{
	*sent = s->user == NULL;
	if (!*sent)
		return 0;
	return send_text(s, set_up_sql, e) != 0 ? -1 : send_sync(s, e);
}

static int keep_session(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_postgres *s = arg;

	(void)n;
	(void)e;
	s->user = mem_strndup(col[0].s.p, col[0].s.n);
	s->role = mem_strndup(col[1].s.p, col[1].s.n);
	s->search_path = mem_strndup(col[2].s.p, col[2].s.n);
	return 0;
}

static int take_set_up(struct db_postgres *s, const struct pg_wait *w, struct err *e)
{
	PGresult *res = NULL;
	int result;

	if (take_statement(s, w, &res, e) != 0)
		return -1;
	result = judge(s, res, PG_OURS, NULL, e);
	if (result == 0 && s->user == NULL)
		result = pg_rows(s, res, keep_session, s, e);
	s->pq.PQclear(res);
	return take_sync(s, w, e) != 0 ? -1 : result;
}

int pg_send_own_role(struct db_postgres *s, const char *search_path, struct err *e)
{
	const struct db_value v[] = {
		db_v_text(search_path != NULL ? search_path : s->search_path),
		db_v_text(s->user),
		db_v_text(s->role),
		DB_V_INT(s->lock_timeout_ms),
	};

	if (!s->dirty)
		return pg_send(s, "SELECT pg_catalog.set_config('search_path', $1, true)", v, 1, e);
	return pg_send(s,
		       "SELECT pg_catalog.set_config('search_path', $1, true),"
		       " pg_catalog.set_config('session_authorization', $2, true),"
		       " pg_catalog.set_config('role', $3, true),"
		       " pg_catalog.set_config('lock_timeout', $4::pg_catalog.text, true)",
		       v, 4, e);
}

int pg_send_reset(struct db_postgres *s, struct err *e)
{
	if (pg_send(s, "RESET SESSION AUTHORIZATION", NULL, 0, e) != 0 ||
	    pg_send(s, "RESET ROLE", NULL, 0, e) != 0 || pg_send(s, "RESET ALL", NULL, 0, e) != 0 ||
	    send_text(s, set_up_sql, e) != 0)
		return -1;
	s->dirty = false;
	pg_prepared_forget(s);
	return 0;
}

/* Takes n statements and the sync behind them; the first error is the result. */
static int take_all(struct db_postgres *s, const struct pg_wait *w, int n, struct err *e)
{
	int result = 0;

	for (int i = 0; i < n; i++) {
		PGresult *res = NULL;

		if (take_statement(s, w, &res, e) != 0)
			return -1;
		if (result == 0)
			result = judge(s, res, PG_OURS, NULL, e);
		s->pq.PQclear(res);
	}
	return take_sync(s, w, e) != 0 ? -1 : result;
}

int pg_session_now(struct db_postgres *s, bool reset, struct err *e)
{
	const struct pg_wait w = { s->cancel, s->answer_timeout_ms, 0 };
	bool set_up = false;
	int result;

	reset = reset && s->dirty;
	if (s->user != NULL && !reset)
		return 0;
	if (pipeline_on(s, e) != 0 || send_set_up(s, &set_up, e) != 0)
		return -1;
	if (reset && (pg_send_reset(s, e) != 0 || send_sync(s, e) != 0))
		return -1;
	result = set_up ? take_set_up(s, &w, e) : 0;
	if (result == 0 && reset)
		result = take_all(s, &w, PG_RESETS, e);
	if (result != 0 && s->syncs_due > 0)
		return pg_give_up(s, e);
	return result != 0 ? -1 : pg_ready(s, NULL, e);
}

/* --- Our own statements ------------------------------------------------------------------------ */

struct call {
	const char *before; /* a statement as it is, in front; NULL: none */
	const char *sql;
	const char *search_path;
	const struct db_value *param;
	size_t n_param;
	db_row_fn fn;
	void *arg;
	bool must_end; /* once sent, its answer is awaited whatever happens */
};

/* In one pipeline: the set-up, the statement before, the role, the statement. *n: how many statements
 * stand in front of it in its sync. */
static int call_send(struct db_postgres *s, const struct call *c, bool *set_up, int *n,
		     struct err *e)
{
	struct db_value all[64];
	size_t n_all;

	*n = 0;
	*set_up = false;
	pg_rewrite(c->sql, &s->sql, &n_all);
	if (n_all > sizeof(all) / sizeof(all[0]) || c->n_param > sizeof(all) / sizeof(all[0]))
		return err_set(e, ERR_LIMIT, "statement has too many parameters");
	for (size_t i = 0; i < n_all; i++)
		all[i] = i < c->n_param ? c->param[i] : DB_V_NULL;
	if (s->user != NULL && !s->dirty && c->before == NULL && c->search_path == NULL)
		return pg_send(s, strbuf_str(&s->sql), all, n_all, e);
	if (pipeline_on(s, e) != 0 || send_set_up(s, set_up, e) != 0)
		return -1;
	if (c->before != NULL) {
		if (pg_send(s, c->before, NULL, 0, e) != 0)
			return -1;
		++*n;
	}
	if (s->dirty || c->search_path != NULL) {
		if (pg_send_own_role(s, c->search_path, e) != 0)
			return -1;
		++*n;
	}
	return pg_send(s, strbuf_str(&s->sql), all, n_all, e) != 0 ? -1 : send_sync(s, e);
}

static int call_take(struct db_postgres *s, const struct pg_wait *w, bool set_up, int n,
		     PGresult **out, struct err *e)
{
	bool piped = s->pq.PQpipelineStatus(s->conn) != PQ_PIPELINE_OFF;
	int result = set_up ? take_set_up(s, w, e) : 0;

	if (result != 0)
		return -1;
	for (int i = 0; i <= n; i++) {
		PGresult *res = NULL;

		if (take_statement(s, w, &res, e) != 0)
			return -1;
		if (result == 0)
			result = judge(s, res, PG_OURS, NULL, e);
		s->pq.PQclear(*out);
		*out = res;
	}
	if (piped && take_sync(s, w, e) != 0)
		return -1;
	return result;
}

static int call(struct db_postgres *s, const struct call *c, struct err *e)
{
	struct pg_wait w = { s->cancel, s->answer_timeout_ms, 0 };
	bool set_up;
	PGresult *res = NULL;
	int result, n;

	assert(s->n_unit == 0);
	if (pg_ready(s, s->cancel, e) != 0 || call_send(s, c, &set_up, &n, e) != 0)
		return -1;
	if (c->must_end)
		w.cancel = NULL;
	result = call_take(s, &w, set_up, n, &res, e);
	if (result != 0 && !s->lost &&
	    (s->syncs_due > 0 || s->pq.PQtransactionStatus(s->conn) == PQTRANS_ACTIVE))
		pg_give_up(s, e);
	/* Out of pipeline mode before the rows are given: a row may lead to the next statement. */
	if (result == 0)
		result = pg_ready(s, NULL, e);
	if (result == 0 && c->must_end && strcmp(s->pq.PQcmdStatus(res), "ROLLBACK") == 0) {
		result = err_set(e, ERR_DB, "transaction on %s could not be committed", s->shown);
		err_detail(e, "a statement in it had failed: it was rolled back");
	}
	if (result == 0)
		result = pg_rows(s, res, c->fn, c->arg, e);
	s->pq.PQclear(res);
	return result;
}

int pg_exec(struct db_postgres *s, const char *sql, const char *search_path,
	    const struct db_value *param, size_t n_param, db_row_fn fn, void *arg, struct err *e)
{
	const struct call c = { NULL, sql, search_path, param, n_param, fn, arg, false };

	return call(s, &c, e);
}

static int exec(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
		db_row_fn fn, void *arg, struct err *e)
{
	return pg_exec(pg_of(db), sql, NULL, param, n_param, fn, arg, e);
}

static int keep_int(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	*(int64_t *)arg = col[0].i;
	return 0;
}

int pg_count(struct db_postgres *s, const char *sql, int64_t *n, struct err *e)
{
	return pg_exec(s, sql, NULL, NULL, 0, keep_int, n, e);
}

/* Sends nothing itself: takes what was sent without parameters, to its end. */
static int finish(struct db_postgres *s, struct cancel *cancel, int64_t answer_ms,
		  enum pg_kind kind, PGresult **out, struct err *e)
{
	const struct pg_wait w = { cancel, answer_ms, 0 };

	if (take_statement(s, &w, out, e) != 0)
		return pg_give_up(s, e);
	return judge(s, *out, kind, strbuf_str(&s->sql), e);
}

int pg_plain(struct db_postgres *s, const char *sql, struct err *e)
{
	PGresult *res = NULL;
	int result;

	strbuf_reset(&s->sql);
	strbuf_adds(&s->sql, sql);
	if (pg_ready(s, NULL, e) != 0 || pg_send(s, strbuf_str(&s->sql), NULL, 0, e) != 0)
		return -1;
	result = finish(s, NULL, s->answer_timeout_ms, PG_OURS, &res, e);
	s->pq.PQclear(res);
	return result;
}

static int script(struct db *db, const char *sql, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	PGresult *res = NULL;
	size_t n;
	int result;

	assert(s->n_unit == 0);
	if (pg_ready(s, s->cancel, e) != 0 || pg_session_now(s, !db_in_transaction(db), e) != 0)
		return -1;
	pg_rewrite(sql, &s->sql, &n);
	if (s->pq.PQsendQuery(s->conn, strbuf_str(&s->sql)) != 1)
		return pg_lost(s, s->pq.PQerrorMessage(s->conn), e);
	result = finish(s, s->cancel, s->answer_timeout_ms, PG_OURS, &res, e);
	s->pq.PQclear(res);
	return result;
}

/* --- Foreign statements ------------------------------------------------------------------------ */

static int foreign_send(struct db_postgres *s, struct sv sql, struct err *e)
{
	if (sql.n > 0 && memchr(sql.p, '\0', sql.n) != NULL)
		return err_set(e, ERR_INPUT, "statement has a NUL byte in it");
	strbuf_reset(&s->sql);
	strbuf_addsv(&s->sql, sql);
	s->dirty = s->dirty || pg_may_set(sql);
	if (pg_send(s, strbuf_str(&s->sql), NULL, 0, e) != 0)
		return -1;
	s->pq.PQsetSingleRowMode(s->conn);
	return 0;
}

static int foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	PGTransactionStatusType now;
	PGresult *res = NULL;
	int result;

	assert(s->n_unit == 0);
	if (pg_guard(sql, s->migrating, e) != 0)
		return -1;
	if (pg_ready(s, s->cancel, e) != 0 || pg_session_now(s, false, e) != 0 ||
	    foreign_send(s, sql, e) != 0)
		return -1;
	result = finish(s, s->cancel, 0, PG_FOREIGN, &res, e);
	now = s->pq.PQtransactionStatus(s->conn);
	if (result == 0 && s->migrating && now != PQTRANS_INTRANS && now != PQTRANS_INERROR) {
		result = err_set(e, ERR_INPUT, "statement is not allowed in a migration");
		err_detail(e, "it ended the transaction, which is bascule's");
	}
	if (result == 0 && changed != NULL)
		*changed = pg_changed(s, res);
	s->pq.PQclear(res);
	return result;
}

/* --- Transactions ------------------------------------------------------------------------------ */

static bool in_transaction(const struct db *db)
{
	const struct db_postgres *s = (const struct db_postgres *)db;
	PGTransactionStatusType now = s->pq.PQtransactionStatus(s->conn);

	return !s->lost && (now == PQTRANS_INTRANS || now == PQTRANS_INERROR);
}

static void rollback(struct db *db)
{
	struct db_postgres *s = pg_of(db);
	struct err ignored;

	if (s->n_unit > 0)
		(void)!pg_units_clear(db, &ignored);
	if (pg_ready(s, NULL, &ignored) != 0 || !in_transaction(db))
		return;
	(void)!pg_plain(s, "ROLLBACK", &ignored);
}

static int begin(struct db *db, struct err *e)
{
	struct db_postgres *s = pg_of(db);
	const struct db_value key[] = { DB_V_INT(PG_LOCK_CLASS), DB_V_INT(pg_lock_key("write")) };
	const struct call c = {
		.before = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		.sql = "SELECT pg_catalog.pg_advisory_xact_lock(CAST(?1 AS integer), "
		       "CAST(?2 AS integer))",
		.param = key,
		.n_param = 2,
	};

	if (s->read_only)
		return err_sys(e, EROFS, "cannot write %s: opened for reading", s->shown);
	if (call(s, &c, e) == 0)
		return 0;
	rollback(db);
	return -1;
}

static int commit(struct db *db, struct err *e)
{
	const struct call c = { .sql = "COMMIT", .must_end = true };
	struct db_postgres *s = pg_of(db);
	bool dirty = s->dirty;
	int result;

	s->dirty = false; /* needs no role, and the role it would get ends with it */
	result = call(s, &c, e);
	s->dirty = dirty;
	return result;
}

static int migration_begin(struct db *db, const struct sv *hoist, size_t n, struct err *e)
{
	struct db_postgres *s = pg_of(db);

	(void)hoist; /* nothing has to stand before BEGIN here */
	(void)n;
	assert(!s->migrating);
	if (s->read_only)
		return err_sys(e, EROFS, "cannot migrate %s: opened for reading", s->shown);
	if (pg_ready(s, s->cancel, e) != 0 || pg_session_now(s, true, e) != 0)
		return -1;
	if (pg_plain(s, "BEGIN READ WRITE", e) != 0)
		return -1;
	s->migrating = true;
	return 0;
}

static int migration_commit(struct db *db, struct err *e)
{
	struct db_postgres *s = pg_of(db);

	assert(s->migrating);
	if (pg_ready(s, s->cancel, e) != 0)
		return -1;
	if (!in_transaction(db))
		return err_set(e, ERR_DB, "migration's transaction on %s is gone", s->shown);
	if (commit(db, e) != 0)
		return -1;
	s->migrating = false;
	return 0;
}

static void migration_rollback(struct db *db)
{
	rollback(db);
	pg_of(db)->migrating = false;
}

/* --- What it does not do ----------------------------------------------------------------------- */

static int no_backup(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "bascule does not back up PostgreSQL yet");
	return err_hint(e, "use pg_dump");
}

static int copy_to(struct db *db, const char *path, struct err *e)
{
	(void)db;
	(void)path;
	return no_backup(e);
}

static int copy_from(struct db *db, const char *path, int (*fence)(void *arg, struct err *e),
		     void *arg, struct err *e)
{
	(void)db;
	(void)path;
	(void)fence;
	(void)arg;
	return no_backup(e);
}

static int verify(struct db *db, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "bascule does not verify PostgreSQL");
	return err_hint(e, "pg_amcheck %s", pg_of(db)->shown);
}

static void set_cancel(struct db *db, struct cancel *cancel)
{
	pg_of(db)->cancel = cancel;
}

const struct db_ops db_postgres_ops = {
	.scheme = "postgresql",
	.caps = DB_TX_DDL | DB_SESSION_LOCK | DB_SERVER_CANCEL | DB_SERVER | DB_PIPELINE,
	.open = pg_open,
	.close = pg_close,
	.set_cancel = set_cancel,
	.has_table = pg_has_table,
	.info = pg_info,
	.size = pg_size,
	.exec = exec,
	.script = script,
	.foreign = foreign,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.in_transaction = in_transaction,
	.migration_begin = migration_begin,
	.migration_commit = migration_commit,
	.migration_rollback = migration_rollback,
	.copy_to = copy_to,
	.copy_from = copy_from,
	.verify = verify,
	.tables = pg_tables,
	.facts = pg_facts,
	.privileges = pg_privileges,
	.schema_digest = pg_schema_digest,
	.defects = pg_defects,
	.interrupt = pg_interrupt,
	.session = pg_session,
	.session_alive = pg_session_alive,
	.session_end = pg_session_end,
	.session_restore = pg_session_restore,
	.advisory_lock = pg_advisory_lock,
	.advisory_unlock = pg_advisory_unlock,
	.advisory_holder = pg_advisory_holder,
	.fence_sql = pg_fence_sql,
	.is_fence_error = pg_is_fence_error,
	.now = pg_now,
	.check_pooler = pg_check_pooler,
	.unit_send = pg_unit_send,
	.unit_result = pg_unit_result,
	.units_waiting = pg_units_waiting,
	.units_clear = pg_units_clear,
	.unit_max_bytes = pg_unit_max_bytes,
};
