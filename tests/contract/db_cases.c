/* SPDX-License-Identifier: MIT */
/* What every database driver must do with statements, transactions and cancels: the cases, which
 * test_db.c runs against files and test_db_servers.c against servers. */
#include "tests/contract/driver.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* --- Opening ----------------------------------------------------------------------------------- */

static void open__refuses__a_missing_database(void **state)
{
	struct dsn missing = driver_dsn("missing");
	struct db *other = NULL;

	(void)state;
	fails(db_open(&missing, 0, NULL, NULL, &other, &w.e), ERR_NOT_FOUND);
	fails(db_open(&missing, DB_READ_ONLY, NULL, NULL, &other, &w.e), ERR_NOT_FOUND);
	/* Which; the command that makes it names the environment, which the driver does not know. */
	assert_non_null(strstr(w.e.msg, missing.shown));
	assert_null(other);
	/* Asking has not made it. */
	fails(db_open(&missing, 0, NULL, NULL, &other, &w.e), ERR_NOT_FOUND);
}

static void open__creates_once__when_asked(void **state)
{
	struct dsn fresh = driver_dsn("fresh");
	struct db *other = NULL;

	(void)state;
	if (!driver_has(DB_LOCAL_FILE)) {
		fails(db_open(&fresh, DB_CREATE, NULL, NULL, &other, &w.e), ERR_UNSUPPORTED);
		assert_string_not_equal(w.e.hint, "");
		return;
	}
	must(db_open(&fresh, DB_CREATE, NULL, NULL, &other, &w.e));
	db_close(other);
	other = NULL;
	fails(db_open(&fresh, DB_CREATE, NULL, NULL, &other, &w.e), ERR_EXISTS);
	assert_null(other);
	must(db_open(&fresh, 0, NULL, NULL, &other, &w.e));
	db_close(other);
}

static void open__refuses__an_engine_without_a_driver(void **state)
{
	struct dsn other = { .engine = "oracle", .path = "x", .shown = "oracle:x" };
	struct db *none = NULL;

	(void)state;
	fails(db_open(&other, 0, NULL, NULL, &none, &w.e), ERR_UNSUPPORTED);
	assert_null(db_driver("oracle"));
	assert_non_null(db_driver(w.driver->name));
}

static void open__ends_at_once__under_a_fired_cancel(void **state)
{
	struct db *other = NULL;

	(void)state;
	cancel_fire(&w.cancel);
	fails(db_open(&w.dsn, 0, NULL, &w.cancel, &other, &w.e), ERR_CANCELLED);
	assert_null(other);
}

static void close__takes__null(void **state)
{
	(void)state;
	db_close(NULL);
}

static void close__rolls_back__an_open_transaction(void **state)
{
	struct db *other = driver_open(0);

	(void)state;
	must(db_begin(other, &w.e));
	must(db_exec(other, "INSERT INTO t (v) VALUES ('lost')", NULL, 0, NULL, NULL, &w.e));
	db_close(other);
	assert_int_equal(ROWS(w.db), 0);
}

static void info__says__what_durability_depends_on(void **state)
{
	struct db_info info;
	int64_t bytes;

	(void)state;
	must(db_info(w.db, &info, &w.e));
	must(db_size(w.db, &bytes, &w.e));
	assert_true(bytes > 0);
	assert_string_equal(info.engine, w.driver->name);
	assert_string_equal(db_engine(w.db), w.driver->name);
	assert_string_not_equal(info.version, "");
	assert_string_not_equal(info.durability, "");
	if ((db_caps(w.db) & DB_LOCAL_FILE) != 0) {
		assert_true(info.inode != 0);
		assert_true(info.size_bytes == bytes);
	}
}

/* --- Our own statements ------------------------------------------------------------------------ */

struct row {
	struct db_value v[8];
	char text[8][64];
	size_t n, rows;
};

static int keep(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	struct row *r = arg;

	(void)err;
	r->rows++;
	r->n = n;
	for (size_t i = 0; i < n && i < 8; i++) {
		r->v[i] = col[i];
		if (col[i].type == DB_TEXT || col[i].type == DB_BLOB) {
			memcpy(r->text[i], col[i].s.p, col[i].s.n);
			r->v[i].s.p = r->text[i];
		}
	}
	return 0;
}

static void exec__gives_back__every_type(void **state)
{
	const struct db_value in[] = {
		DB_V_NULL,
		DB_V_INT(INT64_MIN),
		{ .type = DB_REAL, .r = 0.5 },
		db_v_text("aé'"),
		db_v_text(""),
		db_v_blob(sv_n("\0\xff", 2)),
		db_v_blob(sv_n(NULL, 0)),
	};
	struct row r = { .rows = 0 };

	(void)state;
	must(db_exec(w.db, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7", in, 7, keep, &r, &w.e));
	assert_int_equal(r.rows, 1);
	assert_int_equal(r.n, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(r.v[i].type, in[i].type);
	assert_true(r.v[1].i == INT64_MIN);
	assert_true(r.v[2].r > 0.49 && r.v[2].r < 0.51);
	assert_true(sv_eq(r.v[3].s, SV("aé'")));
	assert_int_equal(r.v[4].s.n, 0);
	assert_true(sv_eq(r.v[5].s, SV("\0\xff")));
	assert_int_equal(r.v[6].s.n, 0);
	assert_int_equal(db_v_text(NULL).type, DB_NULL);
}

/* Parameters of the call before must not shine through, cached or not. */
static void exec__forgets_parameters__between_calls(void **state)
{
	static const char *const sql = "SELECT coalesce(?1, -7)";
	struct db_value v = DB_V_INT(5);
	int64_t n;

	(void)state;
	must(db_int(w.db, sql, &v, 1, 0, &n, &w.e));
	assert_int_equal(n, 5);
	must(db_int(w.db, sql, NULL, 0, 0, &n, &w.e));
	assert_int_equal(n, -7);
}

static int refuse_second(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	int *seen = arg;

	(void)col;
	(void)n;
	return ++*seen < 2 ? 0 : err_set(err, ERR_INPUT, "enough");
}

static void exec__stops__when_the_callback_says_so(void **state)
{
	static const char *const sql = "SELECT id FROM t";
	int seen = 0;

	(void)state;
	driver_foreign("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')");
	fails(db_exec(w.db, sql, NULL, 0, refuse_second, &seen, &w.e), ERR_INPUT);
	assert_string_equal(w.e.msg, "enough");
	assert_int_equal(seen, 2);
	/* Nothing is left open by it: a write works, and so does the same statement. */
	must(db_begin(w.db, &w.e));
	must(db_commit(w.db, &w.e));
	seen = -100;
	must(db_exec(w.db, sql, NULL, 0, refuse_second, &seen, &w.e));
}

static const char *const nested_sql = "SELECT count(*) FROM t WHERE id > ?1";

static int nested(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	int64_t *inner = arg;
	struct db_value v = DB_V_INT(1);

	(void)n;
	assert_int_equal(col[0].i, 3);
	return db_int(w.db, nested_sql, &v, 1, -1, inner, err);
}

static void exec__may_run_again__from_its_own_callback(void **state)
{
	struct db_value v = DB_V_INT(0);
	int64_t inner = 0;

	(void)state;
	driver_foreign("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')");
	must(db_exec(w.db, nested_sql, &v, 1, nested, &inner, &w.e));
	assert_int_equal(inner, 2);
}

static void exec__tells_apart__a_violated_key_and_other_refusals(void **state)
{
	(void)state;
	must(db_exec(w.db, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL, NULL, &w.e));
	fails(db_exec(w.db, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL, NULL, &w.e),
	      ERR_EXISTS);
	fails(db_exec(w.db, "SELECT x FROM nowhere", NULL, 0, NULL, NULL, &w.e), ERR_DB);
	assert_string_not_equal(w.e.sys, "");
	assert_non_null(strstr(w.e.detail, "nowhere"));
}

static void int__gives_the_default__for_no_row_and_null(void **state)
{
	int64_t n = 0;

	(void)state;
	must(db_int(w.db, "SELECT id FROM t", NULL, 0, 42, &n, &w.e));
	assert_int_equal(n, 42);
	must(db_int(w.db, "SELECT NULL", NULL, 0, 43, &n, &w.e));
	assert_int_equal(n, 43);
	must(db_int(w.db, "SELECT 1 UNION ALL SELECT 2 ORDER BY 1", NULL, 0, 44, &n, &w.e));
	assert_int_equal(n, 1);
	n = 99;
	fails(db_int(w.db, "SELECT * FROM nowhere", NULL, 0, 45, &n, &w.e), ERR_DB);
	assert_int_equal(n, 99);
}

static void script__runs_all__or_says_what_failed(void **state)
{
	bool there;

	(void)state;
	must(db_script(w.db, "CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);", &w.e));
	must(db_has_table(w.db, "b", &there, &w.e));
	assert_true(there);
	must(db_has_table(w.db, "c", &there, &w.e));
	assert_false(there);
	fails(db_script(w.db, "CREATE TABLE a (x INTEGER)", &w.e), ERR_DB);
}

/* More texts than any cache holds; each must still give its own answer. */
static void exec__works__with_more_statements_than_are_cached(void **state)
{
	static char sql[400][32]; /* static: the address is the key */
	int64_t n;

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 400; i++) {
			snprintf(sql[i], sizeof(sql[i]), "SELECT %d", i);
			must(db_int(w.db, sql[i], NULL, 0, -1, &n, &w.e));
			assert_int_equal(n, i);
		}
}

/* --- Foreign statements ------------------------------------------------------------------------ */

static void foreign__counts__the_rows_it_changed(void **state)
{
	int64_t changed = -1;

	(void)state;
	must(db_foreign(w.db, SV("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')"), &changed, &w.e));
	assert_int_equal(changed, 3);
	must(db_foreign(w.db, SV("CREATE TABLE u (x INTEGER)"), &changed, &w.e));
	assert_int_equal(changed, 0);
	must(db_foreign(w.db, SV("SELECT * FROM t"), &changed, &w.e));
	assert_int_equal(changed, 0);
	must(db_foreign(w.db, SV("DELETE FROM t WHERE id = 2"), &changed, &w.e));
	assert_int_equal(changed, 1);
}

static void foreign__reads_only__the_view_it_was_given(void **state)
{
	(void)state;
	must(db_foreign(w.db, sv_n("SELECT 1garbage", 8), NULL, &w.e));
}

static void foreign__refuses__two_statements(void **state)
{
	(void)state;
	fails(db_foreign(w.db, SV("INSERT INTO t (v) VALUES ('a'); DELETE FROM t"), NULL, &w.e),
	      ERR_INPUT);
	assert_int_equal(ROWS(w.db), 0);
	must(db_foreign(w.db, SV("INSERT INTO t (v) VALUES ('a'); -- and no more\n"), NULL, &w.e));
}

static void foreign__passes_on__the_engines_words(void **state)
{
	(void)state;
	fails(db_foreign(w.db, SV("SELEC 1"), NULL, &w.e), ERR_DB);
	assert_non_null(strstr(w.e.detail, "SELEC"));
	driver_foreign("INSERT INTO t (id) VALUES (1)");
	fails(db_foreign(w.db, SV("INSERT INTO t (id) VALUES (1)"), NULL, &w.e), ERR_DB);
}

/* --- Transactions ------------------------------------------------------------------------------ */

static void begin__takes_the_write_lock__at_once(void **state)
{
	struct db *other = driver_open(0);
	int64_t start = clock_mono_ms(), took;

	(void)state;
	must(db_begin(w.db, &w.e));
	assert_true(db_in_transaction(w.db));
	fails(db_begin(other, &w.e), ERR_BUSY);
	took = clock_mono_ms() - start;
	assert_true(took >= DRIVER_TIMEOUT_MS - 5);
	assert_true(took < 5000); /* the default */
	assert_false(db_in_transaction(other));
	must(db_commit(w.db, &w.e));
	assert_false(db_in_transaction(w.db));
	must(db_begin(other, &w.e));
	db_rollback(other);
	db_close(other);
}

static void rollback__undoes__everything(void **state)
{
	(void)state;
	db_rollback(w.db); /* none is open: nothing */
	must(db_begin(w.db, &w.e));
	driver_foreign("INSERT INTO t (v) VALUES ('a')");
	assert_int_equal(ROWS(w.db), 1);
	db_rollback(w.db);
	assert_int_equal(ROWS(w.db), 0);
}

static void read_only__refuses__every_write(void **state)
{
	struct db *other = driver_open(DB_READ_ONLY);

	(void)state;
	assert_int_equal(ROWS(other), 0);
	fails(db_begin(other, &w.e), ERR_SYSTEM);
	assert_string_equal(w.e.sys, "EROFS");
	fails(db_migration_begin(other, NULL, 0, &w.e), ERR_SYSTEM);
	fails(db_foreign(other, SV("INSERT INTO t (v) VALUES ('a')"), NULL, &w.e), ERR_SYSTEM);
	assert_string_equal(w.e.sys, "EROFS");
	assert_int_equal(ROWS(w.db), 0);
	db_close(other);
}

/* --- Cancel ------------------------------------------------------------------------------------ */

static void *fire_soon(void *arg)
{
	struct err ignored;

	(void)arg;
	(void)!wait_fds(NULL, 0, clock_mono_ms() + 100, NULL, &ignored);
	cancel_fire(&w.cancel);
	return NULL;
}

/* Runs work, which never ends by itself, and fires the cancel after 100 ms. How long it went on
 * after that. */
static int64_t cancelled_after(int (*work)(void))
{
	pthread_t thread;
	int64_t start = clock_mono_ms();
	int result;

	assert_int_equal(pthread_create(&thread, NULL, fire_soon, NULL), 0);
	result = work();
	pthread_join(thread, NULL);
	fails(result, ERR_CANCELLED);
	return clock_mono_ms() - start - 100;
}

static int endless_foreign(void)
{
	return db_foreign(w.db, sv_of(w.driver->endless), NULL, &w.e);
}

static int endless_exec(void)
{
	return db_exec(w.db, w.driver->endless, NULL, 0, NULL, NULL, &w.e);
}

static int endless_wait(void)
{
	static const struct db_options patient = { .lock_timeout_ms = 60000 };
	struct db *other = NULL;
	int result;

	must(db_open(&w.dsn, 0, &patient, &w.cancel, &other, &w.e));
	result = db_begin(other, &w.e);
	db_close(other);
	return result;
}

/* The promise is 100 ms; without a cancel these take a minute or for ever. */
#define CANCEL_BOUND_MS 20000

static void cancel__ends__a_long_foreign_statement(void **state)
{
	(void)state;
	assert_true(cancelled_after(endless_foreign) < CANCEL_BOUND_MS);
}

static void cancel__ends__a_long_statement_of_ours(void **state)
{
	(void)state;
	assert_true(cancelled_after(endless_exec) < CANCEL_BOUND_MS);
}

static void cancel__ends__a_wait_for_the_write_lock(void **state)
{
	(void)state;
	must(db_begin(w.db, &w.e));
	assert_true(cancelled_after(endless_wait) < CANCEL_BOUND_MS);
	db_rollback(w.db);
}

static void cancel__ends__every_call_once_fired(void **state)
{
	char hex[65];
	char *copy = tmp_path(w.dir, "copy");

	(void)state;
	must(db_begin(w.db, &w.e));
	driver_foreign("INSERT INTO t (v) VALUES ('a')");
	cancel_fire(&w.cancel);
	fails(db_exec(w.db, "SELECT 1", NULL, 0, NULL, NULL, &w.e), ERR_CANCELLED);
	fails(db_script(w.db, "SELECT 1", &w.e), ERR_CANCELLED);
	fails(db_foreign(w.db, SV("SELECT 1"), NULL, &w.e), ERR_CANCELLED);
	fails(db_commit(w.db, &w.e), ERR_CANCELLED);
	/* Rolling back is what must always work. */
	db_rollback(w.db);
	assert_false(db_in_transaction(w.db));
	fails(db_begin(w.db, &w.e), ERR_CANCELLED);
	fails(db_migration_begin(w.db, NULL, 0, &w.e),
	      driver_has(DB_TX_DDL) ? ERR_CANCELLED : ERR_UNSUPPORTED);
	if (driver_has(DB_ONLINE_COPY)) {
		fails(db_copy_to(w.db, copy, &w.e), ERR_CANCELLED);
		fails(db_verify(w.db, &w.e), ERR_CANCELLED);
	}
	fails(db_schema_digest(w.db, hex, &w.e), ERR_CANCELLED);
	assert_false(fs_exists(copy));
	/* With another cancel, or none, the connection goes on. */
	db_set_cancel(w.db, NULL);
	assert_int_equal(ROWS(w.db), 0);
	mem_free(copy);
}

/* --- A migration's transaction ----------------------------------------------------------------- */

static void migration__keeps_all__at_commit(void **state)
{
	struct db *other;

	(void)state;
	if (!driver_has(DB_TX_DDL))
		return;
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	driver_foreign("CREATE TABLE u (x INTEGER)");
	driver_foreign("INSERT INTO u VALUES (1)");
	/* Our own statements go into the same transaction. */
	must(db_exec(w.db, "INSERT INTO t (v) VALUES ('event')", NULL, 0, NULL, NULL, &w.e));
	must(db_migration_commit(w.db, &w.e));
	assert_false(db_in_transaction(w.db));
	other = driver_open(DB_READ_ONLY);
	assert_int_equal(driver_count(other, "SELECT count(*) FROM u"), 1);
	assert_int_equal(ROWS(other), 1);
	db_close(other);
}

static void migration__leaves_nothing__at_rollback(void **state)
{
	bool there;

	(void)state;
	if (!driver_has(DB_TX_DDL))
		return;
	db_migration_rollback(w.db); /* none is open: nothing */
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	driver_foreign("CREATE TABLE u (x INTEGER)");
	driver_foreign("ALTER TABLE t ADD COLUMN w TEXT");
	must(db_exec(w.db, "INSERT INTO t (v) VALUES ('event')", NULL, 0, NULL, NULL, &w.e));
	fails(db_foreign(w.db, SV("CREATE TABLE u (x INTEGER)"), NULL, &w.e), ERR_DB);
	db_migration_rollback(w.db);
	assert_false(db_in_transaction(w.db));
	assert_int_equal(ROWS(w.db), 0);
	must(db_has_table(w.db, "u", &there, &w.e));
	assert_false(there);
	fails(db_foreign(w.db, SV("SELECT w FROM t"), NULL, &w.e), ERR_DB);
}

static void migration__cannot_end__its_own_transaction(void **state)
{
	static const char *const refused[] = {
		"COMMIT", "END", "ROLLBACK", "BEGIN", "commit -- now", "/**/ROLLBACK TRANSACTION",
	};

	(void)state;
	if (!driver_has(DB_TX_DDL))
		return;
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	driver_foreign("INSERT INTO t (v) VALUES ('a')");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		fails(db_foreign(w.db, sv_of(refused[i]), NULL, &w.e), ERR_INPUT);
		assert_true(db_in_transaction(w.db));
	}
	driver_foreign("SAVEPOINT a");
	driver_foreign("INSERT INTO t (v) VALUES ('b')");
	driver_foreign("ROLLBACK TO a");
	driver_foreign("RELEASE a");
	assert_true(db_in_transaction(w.db));
	must(db_migration_commit(w.db, &w.e));
	assert_int_equal(ROWS(w.db), 1);
}

static void migration__cannot_write__tables_of_bascule(void **state)
{
	static const char *const refused[] = {
		"INSERT INTO bascule_x VALUES (1)",
		"UPDATE bascule_x SET a = 2",
		"DELETE FROM Bascule_X",
		"DELETE FROM \"bascule_x\" WHERE a = 1",
		"DROP TABLE bascule_x",
		"ALTER TABLE bascule_x ADD COLUMN b INTEGER",
		"ALTER TABLE bascule_x RENAME TO y",
		"CREATE INDEX i ON bascule_x (a)",
		"CREATE TABLE bascule_y (a INTEGER)",
		"CREATE VIEW bascule_v AS SELECT 1",
	};

	(void)state;
	if (!driver_has(DB_LOCAL_FILE))
		return; /* other engines have words of their own: see their unit tests */
	must(db_script(w.db, "CREATE TABLE bascule_x (a INTEGER); INSERT INTO bascule_x VALUES (1)",
		       &w.e));
	for (int inside = 0; inside < 2; inside++) {
		if (inside)
			must(db_migration_begin(w.db, NULL, 0, &w.e));
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			fails(db_foreign(w.db, sv_of(refused[i]), NULL, &w.e), ERR_INPUT);
			assert_non_null(strstr(w.e.detail, "bascule"));
		}
		driver_foreign("SELECT a FROM bascule_x");
	}
	must(db_exec(w.db, "UPDATE bascule_x SET a = 5", NULL, 0, NULL, NULL, &w.e));
	must(db_migration_commit(w.db, &w.e));
	assert_int_equal(driver_count(w.db, "SELECT a FROM bascule_x"), 5);
}

static void migration__cannot_attach__other_files(void **state)
{
	(void)state;
	if (!driver_has(DB_LOCAL_FILE))
		return; /* other engines have words of their own: see their unit tests */
	must(db_migration_begin(w.db, NULL, 0, &w.e));
	fails(db_foreign(w.db, SV("ATTACH 'x' AS y"), NULL, &w.e), ERR_INPUT);
	fails(db_foreign(w.db, SV("ATTACH 'x' || 'z' AS y"), NULL, &w.e), ERR_INPUT);
	fails(db_foreign(w.db, SV("ATTACH '' AS y"), NULL, &w.e), ERR_INPUT);
	fails(db_foreign(w.db, SV("DETACH y"), NULL, &w.e), ERR_INPUT);
	db_migration_rollback(w.db);
}

#define CASE(f) \
	{ \
#f, f, driver_setup, driver_teardown, NULL \
	}

const struct CMUnitTest *db_cases(size_t *n)
{
	static const struct CMUnitTest cases[] = {
		CASE(open__refuses__a_missing_database),
		CASE(open__creates_once__when_asked),
		CASE(open__refuses__an_engine_without_a_driver),
		CASE(open__ends_at_once__under_a_fired_cancel),
		CASE(close__takes__null),
		CASE(close__rolls_back__an_open_transaction),
		CASE(info__says__what_durability_depends_on),
		CASE(exec__gives_back__every_type),
		CASE(exec__forgets_parameters__between_calls),
		CASE(exec__stops__when_the_callback_says_so),
		CASE(exec__may_run_again__from_its_own_callback),
		CASE(exec__tells_apart__a_violated_key_and_other_refusals),
		CASE(int__gives_the_default__for_no_row_and_null),
		CASE(script__runs_all__or_says_what_failed),
		CASE(exec__works__with_more_statements_than_are_cached),
		CASE(foreign__counts__the_rows_it_changed),
		CASE(foreign__reads_only__the_view_it_was_given),
		CASE(foreign__refuses__two_statements),
		CASE(foreign__passes_on__the_engines_words),
		CASE(begin__takes_the_write_lock__at_once),
		CASE(rollback__undoes__everything),
		CASE(read_only__refuses__every_write),
		CASE(cancel__ends__a_long_foreign_statement),
		CASE(cancel__ends__a_long_statement_of_ours),
		CASE(cancel__ends__a_wait_for_the_write_lock),
		CASE(cancel__ends__every_call_once_fired),
		CASE(migration__keeps_all__at_commit),
		CASE(migration__leaves_nothing__at_rollback),
		CASE(migration__cannot_end__its_own_transaction),
		CASE(migration__cannot_write__tables_of_bascule),
		CASE(migration__cannot_attach__other_files),
	};

	*n = sizeof(cases) / sizeof(cases[0]);
	return cases;
}
