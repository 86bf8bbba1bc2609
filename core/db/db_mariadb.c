/* SPDX-License-Identifier: MIT */
/*
 * The MariaDB driver: opening, statements, transactions. Waiting, cancels and errors are in
 * db_mariadb_wire.c, units in db_mariadb_unit.c, sessions and locks in db_mariadb_server.c, what
 * reads the catalogue in db_mariadb_schema.c.
 *
 * Our statements travel as text (db_mariadb_text.c), one round trip each. A value that would be too long
 * that way goes before it by the binary protocol into a user variable (@bascule_N), so that the server's
 * max_allowed_packet is the limit of one value.
 *
 * The session is set up by one packet behind the handshake. Its time zone is left alone, since
 * migrations may depend on it: our own times are UTC texts, or come from UTC_TIMESTAMP().
 *
 * Two statements in one text: the server is told to refuse that for foreign statements, and to allow it
 * for units; it is told only when that changes.
 */
#include "core/db/db_mariadb.h"

#include <mysqld_error.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"

#define LOCK_TIMEOUT_DEFAULT_MS 5000
#define CONNECT_TIMEOUT_DEFAULT_MS 10000
#define ANSWER_TIMEOUT_DEFAULT_MS 30000
#define PACKET_MARGIN 1024 /* of max_allowed_packet: the command's own bytes, and then some */
#define PACKET_MIN 16384
#define IDLE_SECONDS 28800 /* a paused run holds its session that long, whatever wait_timeout is */
#define PARAMS_MAX 64
#define WRITE_LOCK "-write" /* the advisory lock of db_begin */

static void rollback(struct db *db);

struct db_mariadb *mariadb_of(struct db *db)
{
	return (struct db_mariadb *)db; /* base is the first member */
}

/* --- Values by the binary protocol --------------------------------------------------------------- */

int mariadb_too_big(const struct db_mariadb *m, size_t n, struct err *e)
{
	err_set(e, ERR_LIMIT, "%s does not take that much at once", m->shown);
	err_detail(e, "%zu bytes, at most %zu", n, m->max_packet);
	return err_hint(e, "raise max_allowed_packet of the server");
}

static int stmt_error(struct db_mariadb *m, MYSQL_STMT *stmt, struct err *e)
{
	return mariadb_error_of(m, m->api.mysql_stmt_errno(stmt), m->api.mysql_stmt_sqlstate(stmt),
				m->api.mysql_stmt_error(stmt), e);
}

static int stmt_run(struct db_mariadb *m, MYSQL_STMT *stmt, const char *sql, struct sv value,
		    struct err *e)
{
	unsigned long len = value.n;
	MYSQL_BIND bind = {
		.buffer_type = MYSQL_TYPE_LONG_BLOB,
		.buffer = (void *)value.p,
		.buffer_length = len,
		.length = &len,
	};
	int ret = 0, status;

	status = m->api.mysql_stmt_prepare_start(&ret, stmt, sql, strlen(sql));
	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0)
			return -1;
		status = m->api.mysql_stmt_prepare_cont(&ret, stmt, status);
	}
	if (ret != 0 || m->api.mysql_stmt_bind_param(stmt, &bind) != 0)
		return stmt_error(m, stmt, e);
	status = m->api.mysql_stmt_execute_start(&ret, stmt);
	while (status != 0) {
		if (mariadb_wait(m, &status, e) != 0)
			return -1;
		status = m->api.mysql_stmt_execute_cont(&ret, stmt, status);
	}
	return ret == 0 ? 0 : stmt_error(m, stmt, e);
}

/* Always as bytes: a text's character set is said where it is used. */
static int set_variable(struct db_mariadb *m, size_t k, struct sv value, struct err *e)
{
	MYSQL_STMT *stmt;
	char sql[48];
	int result;

	if (value.n > m->max_packet)
		return mariadb_too_big(m, value.n, e);
	stmt = m->api.mysql_stmt_init(m->conn);
	if (stmt == NULL)
		mem_oom();
	snprintf(sql, sizeof(sql), "SET @bascule_%zu = ?", k);
	result = stmt_run(m, stmt, sql, value, e);
	m->api.mysql_stmt_close(stmt);
	return result;
}

static void forget_variables(struct db_mariadb *m, const bool *bound, size_t n)
{
	char sql[48];
	struct err ignored;

	for (size_t i = 0; i < n; i++) {
		if (!bound[i] || m->broken)
			continue;
		snprintf(sql, sizeof(sql), "SET @bascule_%zu = NULL", i + 1);
		(void)!mariadb_quietly(m, sv_of(sql), &ignored);
	}
}

/* Which values are too long to be written out, and sends those. */
static int send_long_values(struct db_mariadb *m, const struct db_value *param, size_t n,
			    bool *bound, bool *any, struct err *e)
{
	size_t fit = m->max_packet / 2 / (n > 0 ? n : 1) / 2;

	*any = false;
	for (size_t i = 0; i < n; i++) {
		bound[i] = (param[i].type == DB_TEXT || param[i].type == DB_BLOB) &&
			   param[i].s.n > fit;
		*any = *any || bound[i];
		if (bound[i] && set_variable(m, i + 1, param[i].s, e) != 0)
			return -1;
	}
	return 0;
}

/* --- Our own statements ------------------------------------------------------------------------ */

static int64_t our_limit(const struct db_mariadb *m)
{
	int64_t wait = m->lock_timeout_ms + 5000;

	return m->answer_timeout_ms > wait ? m->answer_timeout_ms : wait;
}

/* Sends one and keeps its rows. */
static int run_text(struct db_mariadb *m, struct strbuf *text, bool keep, MYSQL_RES **res,
		    struct err *e)
{
	if (text->len > m->max_packet)
		return mariadb_too_big(m, text->len, e);
	if (mariadb_query(m, strbuf_sv(text), e) != 0)
		return -1;
	if (keep && mariadb_keep_rows(m, res, e) != 0)
		return -1;
	if (keep && *res != NULL) {
		if (!m->api.mysql_more_results(m->conn))
			return 0;
		if (mariadb_next(m, e) != 0)
			return -1;
	}
	return mariadb_drop_all(m, NULL, e);
}

static int keep_int(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	if (col[0].type == DB_INT)
		*(int64_t *)arg = col[0].i;
	return 0;
}

void mariadb_judge_ours(struct err *e)
{
	if (e->code == ERR_DB && (strcmp(e->sys, "1062") == 0 || strcmp(e->sys, "1586") == 0))
		e->code = ERR_EXISTS;
}

static int exec(struct db *db, const char *sql, const struct db_value *param, size_t n_param,
		db_row_fn fn, void *arg, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	bool bound[PARAMS_MAX] = { false }, any;
	MYSQL_RES *res = NULL;
	struct strbuf text;
	int result;

	if (n_param > PARAMS_MAX)
		return err_set(e, ERR_LIMIT, "a statement has more than %d values", PARAMS_MAX);
	if (mariadb_begin(m, our_limit(m), e) != 0)
		return -1;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	result = send_long_values(m, param, n_param, bound, &any, e);
	if (result == 0) {
		mariadb_translate(m, sv_of(sql), param, n_param, bound, &text);
		result = run_text(m, &text, fn != NULL, &res, e);
	}
	mariadb_end(m);
	strbuf_clear(&text);
	if (result != 0) {
		mariadb_judge_ours(e);
		mariadb_refresh(m);
	}
	if (any)
		forget_variables(m, bound, n_param);
	/* The wire is free here: fn may use the connection. */
	if (result == 0 && res != NULL)
		result = mariadb_give_rows(m, res, fn, arg, e);
	if (res != NULL)
		m->api.mysql_free_result(res);
	return result;
}

static int script(struct db *db, const char *sql, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	MYSQL_RES *res = NULL;
	struct strbuf text;
	int result;

	if (mariadb_begin(m, our_limit(m), e) != 0)
		return -1;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	mariadb_translate(m, sv_of(sql), NULL, 0, NULL, &text);
	result = mariadb_set_multi(m, true, e);
	if (result == 0)
		result = run_text(m, &text, false, &res, e);
	mariadb_end(m);
	strbuf_clear(&text);
	if (result != 0)
		mariadb_refresh(m);
	return result;
}

/* --- Foreign statements ------------------------------------------------------------------------ */

/* The server names what it does not understand: "… near 'DELETE FROM t' at line 1". Behind a semicolon,
 * that is a second statement. */
static bool is_second_statement(struct sv sql, const struct err *e)
{
	const char *near = strstr(e->detail, "near '");
	const char *end = near != NULL ? strrchr(near, '\'') : NULL;
	size_t n;

	if (strcmp(e->sys, "1064") != 0 || end == NULL || end <= near + 6)
		return false;
	near += 6;
	n = (size_t)(end - near);
	for (size_t at = sql.n; at-- > 1;) {
		struct sv before = sv_trim(sv_n(sql.p, at));

		if (at + n <= sql.n && memcmp(sql.p + at, near, n) == 0 && before.n > 0 &&
		    before.p[before.n - 1] == ';')
			return true;
	}
	return false;
}

static int foreign(struct db *db, struct sv sql, int64_t *changed, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	int64_t sum = 0;
	int result;

	if (sql.n > m->max_packet)
		return mariadb_too_big(m, sql.n, e);
	if (mariadb_begin(m, WAIT_FOREVER, e) != 0)
		return -1;
	result = mariadb_set_multi(m, false, e);
	if (result == 0)
		result = mariadb_query(m, sql, e);
	if (result == 0)
		result = mariadb_drop_all(m, &sum, e);
	mariadb_end(m);
	if (result != 0) {
		if (is_second_statement(sql, e))
			e->code = ERR_INPUT;
		mariadb_refresh(m);
		return -1;
	}
	if ((mariadb_status(m) & SERVER_STATUS_AUTOCOMMIT) == 0) {
		(void)!mariadb_quietly(m, SV("SET SESSION autocommit = 1"), e);
		err_set(e, ERR_INPUT, "a statement switched autocommit off");
		return err_hint(e, "write START TRANSACTION and COMMIT instead");
	}
	if (changed != NULL)
		*changed = sum;
	return 0;
}

/* --- Transactions ------------------------------------------------------------------------------ */

/* Two statements in one packet when the server takes that now; telling it would be a round trip more
 * than sending two. *first (may be NULL) gets the first's first number. */
static int pair(struct db_mariadb *m, const char *a, const char *b, int64_t *first, struct err *e)
{
	MYSQL_RES *res = NULL;
	struct strbuf text;
	int result;

	if (mariadb_begin(m, our_limit(m), e) != 0)
		return -1;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_addf(&text, "%s%s%s", a, m->multi ? "; " : "", m->multi ? b : "");
	result = run_text(m, &text, first != NULL, &res, e);
	if (result == 0 && !m->multi)
		result = mariadb_query(m, sv_of(b), e);
	if (result == 0 && !m->multi)
		result = mariadb_drop_all(m, NULL, e);
	mariadb_end(m);
	if (result == 0 && res != NULL)
		result = mariadb_give_rows(m, res, keep_int, first, e);
	if (res != NULL)
		m->api.mysql_free_result(res);
	strbuf_clear(&text);
	if (result != 0)
		mariadb_refresh(m);
	return result;
}

/* START TRANSACTION locks nothing. Writers of ours keep out of each other's way by an advisory lock,
 * which an implicit commit leaves in place: making the ledger is one piece here too. */
static int begin(struct db *db, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	char key[MARIADB_LOCK_NAME_SIZE];
	struct strbuf lock;
	struct db_value v;
	int64_t got = 0;
	int result;

	if (m->read_only)
		return err_sys(e, EROFS, "cannot write %s: opened for reading", m->shown);
	mariadb_lock_key(m, WRITE_LOCK, key);
	v = db_v_text(key);
	strbuf_init(&lock, STRBUF_NO_LIMIT);
	mariadb_translate(m, SV("SELECT GET_LOCK(?1, "), &v, 1, NULL, &lock);
	strbuf_addf(&lock, "%lld.%03lld)", (long long)m->lock_timeout_ms / 1000,
		    (long long)m->lock_timeout_ms % 1000);
	result = pair(m, strbuf_str(&lock), "START TRANSACTION", &got, e);
	strbuf_clear(&lock);
	m->write_locked = got == 1;
	if (result == 0 && got == 1)
		return 0;
	rollback(db);
	if (result != 0)
		return -1;
	/* GET_LOCK that is ended by KILL QUERY fails nothing: it gives null. */
	if (cancel_fired(m->cancel))
		return err_set(e, ERR_CANCELLED, "stopped waiting to write %s", m->shown);
	err_set(e, ERR_BUSY, "cannot write %s: another session is writing", m->shown);
	return err_detail(e, "no lock after %lld ms", (long long)m->lock_timeout_ms);
}

static void release_text(const struct db_mariadb *m, struct strbuf *out)
{
	char key[MARIADB_LOCK_NAME_SIZE];
	struct db_value v;

	mariadb_lock_key(m, WRITE_LOCK, key);
	v = db_v_text(key);
	mariadb_translate(m, SV("DO RELEASE_LOCK(?1)"), &v, 1, NULL, out);
}

static int commit(struct db *db, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);
	struct strbuf release;
	int result;

	strbuf_init(&release, STRBUF_NO_LIMIT);
	release_text(m, &release);
	result = pair(m, "COMMIT", strbuf_str(&release), NULL, e);
	strbuf_clear(&release);
	if (result == 0)
		m->write_locked = false;
	return result;
}

static bool in_transaction(const struct db *db)
{
	const struct db_mariadb *m = (const struct db_mariadb *)db;

	return !m->broken && (mariadb_status(m) & SERVER_STATUS_IN_TRANS) != 0;
}

/* Works behind a cancel too. When it fails the connection goes, and the server rolls back and unlocks
 * by itself. */
static void rollback(struct db *db)
{
	struct db_mariadb *m = mariadb_of(db);
	struct strbuf release;
	struct err ignored;

	if (in_transaction(db) && mariadb_quietly(m, SV("ROLLBACK"), &ignored) != 0)
		mariadb_abandon(m);
	if (m->write_locked && !m->broken) {
		strbuf_init(&release, STRBUF_NO_LIMIT);
		release_text(m, &release);
		if (mariadb_quietly(m, strbuf_sv(&release), &ignored) != 0)
			mariadb_abandon(m);
		strbuf_clear(&release);
	}
	m->write_locked = false;
}

/* --- Opening ----------------------------------------------------------------------------------- */

static int keep_setup(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	struct db_mariadb *m = arg;

	(void)n;
	(void)e;
	m->id = col[0].i;
	m->max_packet = col[1].i > PACKET_MIN ? (size_t)col[1].i - PACKET_MARGIN
					      : (size_t)PACKET_MIN - PACKET_MARGIN;
	return 0;
}

static void setup_text(const struct db_mariadb *m, struct strbuf *out)
{
	long long seconds = (m->lock_timeout_ms + 999) / 1000;

	strbuf_addf(out,
		    "SET NAMES utf8mb4, SESSION autocommit = 1, SESSION lock_wait_timeout = %lld, "
		    "SESSION innodb_lock_wait_timeout = %lld, "
		    "SESSION wait_timeout = GREATEST(@@wait_timeout, %d), "
		    "SESSION net_write_timeout = GREATEST(@@net_write_timeout, 600)",
		    seconds, seconds, IDLE_SECONDS);
	if (m->statement_timeout_ms > 0)
		strbuf_addf(out, ", SESSION max_statement_time = %lld.%03lld",
			    (long long)m->statement_timeout_ms / 1000,
			    (long long)m->statement_timeout_ms % 1000);
	strbuf_adds(out, "; ");
	if (m->read_only)
		strbuf_adds(out, "SET SESSION TRANSACTION READ ONLY; ");
	strbuf_adds(out, "SELECT CONNECTION_ID(), @@max_allowed_packet");
}

static int setup(struct db_mariadb *m, struct err *e)
{
	MYSQL_RES *res = NULL;
	struct strbuf text;
	int result;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	setup_text(m, &text);
	result = mariadb_begin(m, m->target.connect_timeout_ms, e);
	if (result == 0)
		result = mariadb_query(m, strbuf_sv(&text), e);
	while (result == 0 && m->api.mysql_field_count(m->conn) == 0)
		result = m->api.mysql_more_results(m->conn)
				 ? mariadb_next(m, e)
				 : err_set(e, ERR_DB, "cannot set up a session of %s", m->shown);
	if (result == 0)
		result = mariadb_keep_rows(m, &res, e);
	if (result == 0)
		result = mariadb_give_rows(m, res, keep_setup, m, e);
	if (res != NULL)
		m->api.mysql_free_result(res);
	mariadb_end(m);
	strbuf_clear(&text);
	return result;
}

static int add_default(void *arg, const struct db_value *col, size_t n, struct err *e)
{
	(void)n;
	(void)e;
	strbuf_adds(arg, ", SESSION ");
	mariadb_quote_name(arg, col[0].s);
	strbuf_adds(arg, " = DEFAULT");
	return 0;
}

/* mysql_reset_connection would do it in one call, and give back every lock of GET_LOCK with it. */
static int mariadb_session_restore(struct db *db, struct err *e)
{
	struct strbuf text;
	int result;

	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, "SET SESSION timestamp = DEFAULT");
	result = db_exec(db,
			 "SELECT variable_name FROM information_schema.system_variables WHERE "
			 "variable_scope = 'SESSION' AND read_only = 'NO' AND global_value IS NOT "
			 "NULL AND session_value <> global_value",
			 NULL, 0, add_default, &text, e);
	if (result == 0)
		result = mariadb_quietly(mariadb_of(db), strbuf_sv(&text), e);
	strbuf_clear(&text);
	return result == 0 ? setup(mariadb_of(db), e) : -1;
}

static int64_t or_default(int64_t ms, int64_t dflt)
{
	return ms > 0 ? ms : dflt;
}

static struct db_mariadb *new_mariadb(const struct dsn *dsn, unsigned flags,
				      const struct db_options *opt, struct cancel *cancel)
{
	struct db_mariadb *m = mem_calloc(1, sizeof(*m));
	struct db_options o = opt != NULL ? *opt : (struct db_options){ 0 };

	m->base.ops = &db_mariadb_ops;
	m->shown = mem_strdup(dsn->shown);
	m->cancel = cancel;
	m->read_only = (flags & DB_READ_ONLY) != 0;
	m->lock_timeout_ms = or_default(o.lock_timeout_ms, LOCK_TIMEOUT_DEFAULT_MS);
	m->answer_timeout_ms = or_default(o.answer_timeout_ms, ANSWER_TIMEOUT_DEFAULT_MS);
	m->statement_timeout_ms = o.statement_timeout_ms;
	m->multi = true;
	m->max_packet = PACKET_MIN;
	atomic_init(&m->busy, false);
	arena_init(&m->target.arena);
	dsn_copy(&m->target.arena, dsn, &m->target.dsn);
	m->target.password = dsn->password != NULL ? mem_strdup(dsn->password) : NULL;
	m->target.connect_timeout_ms = or_default(o.connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS);
	return m;
}

static int refuse_charset(const struct dsn *dsn, struct err *e)
{
	for (size_t i = 0; i < dsn->n_option; i++) {
		if (strcmp(dsn->option[i].name, "charset") != 0 ||
		    strcmp(dsn->option[i].value, "utf8mb4") == 0)
			continue;
		err_set(e, ERR_CONFIG, "cannot use %s with the character set %s", dsn->shown,
			dsn->option[i].value);
		return err_hint(e, "leave charset out: files and answers are utf8mb4");
	}
	return 0;
}

static void close_mariadb(struct db *db);

static int open_mariadb(const struct dsn *dsn, unsigned flags, const struct db_options *opt,
			struct cancel *cancel, struct db **out, struct err *e)
{
	struct db_mariadb *m;
	const char *version;

	if ((flags & DB_CREATE) != 0) {
		err_set(e, ERR_UNSUPPORTED,
			"cannot create %s: bascule makes no database on a server", dsn->shown);
		return err_hint(e, "make it there: CREATE DATABASE `%s`", dsn->database);
	}
	if (refuse_charset(dsn, e) != 0)
		return -1;
	m = new_mariadb(dsn, flags, opt, cancel);
	if (mariadb_load(m, e) != 0 ||
	    mariadb_dial(m, clock_mono_ms() + m->target.connect_timeout_ms, cancel, &m->conn, e) !=
		    0)
		goto fail;
	version = m->api.mysql_get_server_info(m->conn);
	if (strstr(version, "MariaDB") == NULL) {
		err_set(e, ERR_UNSUPPORTED, "%s is not MariaDB", m->shown);
		err_detail(e, "it says that it is version %s", version);
		goto fail;
	}
	if (setup(m, e) != 0)
		goto fail;
	*out = &m->base;
	return 0;
fail:
	close_mariadb(&m->base);
	return -1;
}

static void close_mariadb(struct db *db)
{
	struct db_mariadb *m = mariadb_of(db);

	/* What is still being answered must not be waited for: the server rolls it back. */
	if (m->conn != NULL && (m->broken || m->flight > 0))
		mariadb_abandon(m);
	if (m->conn != NULL)
		m->api.mysql_close(m->conn);
	mariadb_units_free(m);
	if (m->target.password != NULL)
		explicit_bzero(m->target.password, strlen(m->target.password));
	mem_free(m->target.password);
	arena_clear(&m->target.arena);
	mem_free(m->shown);
	mem_free(m);
}

static void set_cancel(struct db *db, struct cancel *cancel)
{
	mariadb_of(db)->cancel = cancel;
}

static void interrupt(struct db *db)
{
	const struct db_mariadb *m = mariadb_of(db);
	struct err ignored;

	if (atomic_load(&m->busy))
		(void)!mariadb_kill_query(m, &ignored);
}

/* --- What this engine does not have ------------------------------------------------------------- */

static int no_migration(struct db_mariadb *m, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "%s has no transactions for changes of the schema", m->shown);
	return err_detail(e, "MariaDB commits before and after each such statement");
}

static int migration_begin(struct db *db, const struct sv *hoist, size_t n, struct err *e)
{
	struct db_mariadb *m = mariadb_of(db);

	(void)hoist;
	(void)n;
	if (m->read_only)
		return err_sys(e, EROFS, "cannot write %s: opened for reading", m->shown);
	return no_migration(m, e);
}

static int migration_commit(struct db *db, struct err *e)
{
	return no_migration(mariadb_of(db), e);
}

static int no_backup(struct db *db, struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "bascule does not back up MariaDB yet");
	return err_detail(e, "%s", mariadb_of(db)->shown);
}

static int copy_to(struct db *db, const char *path, struct err *e)
{
	(void)path;
	return no_backup(db, e);
}

static int copy_from(struct db *db, const char *path, int (*fence)(void *, struct err *), void *arg,
		     struct err *e)
{
	(void)path;
	(void)fence;
	(void)arg;
	return no_backup(db, e);
}

const struct db_ops db_mariadb_ops = {
	.scheme = "mariadb",
	.caps = DB_SESSION_LOCK | DB_SERVER_CANCEL | DB_SERVER | DB_PIPELINE,
	.open = open_mariadb,
	.close = close_mariadb,
	.set_cancel = set_cancel,
	.has_table = mariadb_has_table,
	.info = mariadb_info,
	.size = mariadb_size,
	.exec = exec,
	.script = script,
	.foreign = foreign,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.in_transaction = in_transaction,
	.migration_begin = migration_begin,
	.migration_commit = migration_commit,
	.migration_rollback = rollback,
	.copy_to = copy_to,
	.copy_from = copy_from,
	.verify = no_backup,
	.tables = mariadb_tables,
	.facts = mariadb_facts,
	.privileges = mariadb_privileges,
	.schema_digest = mariadb_schema_digest,
	.references_check = mariadb_references_check,
	.interrupt = interrupt,
	.session = mariadb_session,
	.session_alive = mariadb_session_alive,
	.session_restore = mariadb_session_restore,
	.session_end = mariadb_session_end,
	.advisory_lock = mariadb_advisory_lock,
	.advisory_unlock = mariadb_advisory_unlock,
	.advisory_holder = mariadb_advisory_holder,
	.fence_sql = mariadb_fence_sql,
	.is_fence_error = mariadb_is_fence_error,
	.now = mariadb_now,
	.unit_send = mariadb_unit_send,
	.unit_result = mariadb_unit_result,
	.units_waiting = mariadb_units_waiting,
	.units_clear = mariadb_units_clear,
	.unit_max_bytes = mariadb_unit_max_bytes,
};
