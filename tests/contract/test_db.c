/* SPDX-License-Identifier: MIT */
/*
 * What every database driver must do: the same cases against each row of drivers[]. A new driver
 * is a new row. What only one engine does is tested in tests/unit/test_db_<engine>.c.
 */
#include "core/db/db.h"

#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct driver {
	const char *name;
	/* The URL of a database called name that does not exist yet, in the test's own folder. */
	char *(*url)(const char *dir, const char *name);
	const char *endless; /* a statement that runs for minutes and changes nothing */
};

static char *sqlite_url(const char *dir, const char *name)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_addf(&b, "sqlite:%s/%s.db", dir, name);
	return strbuf_detach(&b);
}

static const struct driver drivers[] = {
	{ "sqlite", sqlite_url,
	  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM "
	  "n" },
};

/* --- The world of one case --------------------------------------------------------------------- */

static const struct driver *driver;
static char *dir;
static struct arena arena;
static struct dsn dsn; /* of a database that setup has made */
static struct db *db;
static struct cancel cancel;
static struct err e;

#define TIMEOUT_MS 60
static const struct db_options quick = { .lock_timeout_ms = TIMEOUT_MS };

static struct dsn dsn_of(const char *name)
{
	char *url = driver->url(dir, name);
	struct dsn d;

	assert_int_equal(dsn_parse(&arena, url, "/", &d, &e), 0);
	mem_free(url);
	return d;
}

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: %s", err_code_name(code), err_code_name(e.code),
			 e.msg, e.detail);
	assert_string_not_equal(e.msg, "");
}

static struct db *open_again(unsigned flags)
{
	struct db *other = NULL;

	must(db_open(&dsn, flags, &quick, &cancel, &other, &e));
	return other;
}

static int setup(void **state)
{
	driver = *state;
	dir = tmp_make();
	arena_init(&arena);
	err_clear(&e);
	must(cancel_init(&cancel, &e));
	dsn = dsn_of("shop");
	must(db_open(&dsn, DB_CREATE, &quick, &cancel, &db, &e));
	must(db_script(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	cancel_clear(&cancel);
	arena_clear(&arena);
	tmp_remove(dir);
	return 0;
}

static int64_t count(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &e));
	return n;
}

#define ROWS(on) count(on, "SELECT count(*) FROM t")

static void foreign(const char *sql)
{
	must(db_foreign(db, sv_of(sql), NULL, &e));
}

/* --- Opening ----------------------------------------------------------------------------------- */

static void open__refuses__a_missing_database(void **state)
{
	struct dsn missing = dsn_of("missing");
	struct db *other = NULL;

	(void)state;
	fails(db_open(&missing, 0, NULL, NULL, &other, &e), ERR_NOT_FOUND);
	fails(db_open(&missing, DB_READ_ONLY, NULL, NULL, &other, &e), ERR_NOT_FOUND);
	assert_string_not_equal(e.hint, "");
	assert_null(other);
	/* Asking has not made it. */
	fails(db_open(&missing, 0, NULL, NULL, &other, &e), ERR_NOT_FOUND);
}

static void open__creates_once__when_asked(void **state)
{
	struct dsn fresh = dsn_of("fresh");
	struct db *other = NULL;

	(void)state;
	must(db_open(&fresh, DB_CREATE, NULL, NULL, &other, &e));
	db_close(other);
	other = NULL;
	fails(db_open(&fresh, DB_CREATE, NULL, NULL, &other, &e), ERR_EXISTS);
	assert_null(other);
	must(db_open(&fresh, 0, NULL, NULL, &other, &e));
	db_close(other);
}

static void open__refuses__an_engine_without_a_driver(void **state)
{
	struct dsn other = { .engine = "oracle", .path = "x", .shown = "oracle:x" };
	struct db *none = NULL;

	(void)state;
	fails(db_open(&other, 0, NULL, NULL, &none, &e), ERR_UNSUPPORTED);
	assert_null(db_driver("oracle"));
	assert_non_null(db_driver(driver->name));
}

static void open__ends_at_once__under_a_fired_cancel(void **state)
{
	struct db *other = NULL;

	(void)state;
	cancel_fire(&cancel);
	fails(db_open(&dsn, 0, NULL, &cancel, &other, &e), ERR_CANCELLED);
	assert_null(other);
}

static void close__takes__null(void **state)
{
	(void)state;
	db_close(NULL);
}

static void close__rolls_back__an_open_transaction(void **state)
{
	struct db *other = open_again(0);

	(void)state;
	must(db_begin(other, &e));
	must(db_exec(other, "INSERT INTO t (v) VALUES ('lost')", NULL, 0, NULL, NULL, &e));
	db_close(other);
	assert_int_equal(ROWS(db), 0);
}

static void info__says__what_durability_depends_on(void **state)
{
	struct db_info info;

	(void)state;
	must(db_info(db, &info, &e));
	assert_string_equal(info.engine, driver->name);
	assert_string_equal(db_engine(db), driver->name);
	assert_string_not_equal(info.version, "");
	assert_string_not_equal(info.durability, "");
	assert_true(info.size_bytes > 0);
	if ((db_caps(db) & DB_LOCAL_FILE) != 0)
		assert_true(info.inode != 0);
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
	must(db_exec(db, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7", in, 7, keep, &r, &e));
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
	must(db_int(db, sql, &v, 1, 0, &n, &e));
	assert_int_equal(n, 5);
	must(db_int(db, sql, NULL, 0, 0, &n, &e));
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
	foreign("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')");
	fails(db_exec(db, sql, NULL, 0, refuse_second, &seen, &e), ERR_INPUT);
	assert_string_equal(e.msg, "enough");
	assert_int_equal(seen, 2);
	/* Nothing is left open by it: a write works, and so does the same statement. */
	must(db_begin(db, &e));
	must(db_commit(db, &e));
	seen = -100;
	must(db_exec(db, sql, NULL, 0, refuse_second, &seen, &e));
}

static const char *const nested_sql = "SELECT count(*) FROM t WHERE id > ?1";

static int nested(void *arg, const struct db_value *col, size_t n, struct err *err)
{
	int64_t *inner = arg;
	struct db_value v = DB_V_INT(1);

	(void)n;
	assert_int_equal(col[0].i, 3);
	return db_int(db, nested_sql, &v, 1, -1, inner, err);
}

static void exec__may_run_again__from_its_own_callback(void **state)
{
	struct db_value v = DB_V_INT(0);
	int64_t inner = 0;

	(void)state;
	foreign("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')");
	must(db_exec(db, nested_sql, &v, 1, nested, &inner, &e));
	assert_int_equal(inner, 2);
}

static void exec__tells_apart__a_violated_key_and_other_refusals(void **state)
{
	(void)state;
	must(db_exec(db, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL, NULL, &e));
	fails(db_exec(db, "INSERT INTO t (id) VALUES (1)", NULL, 0, NULL, NULL, &e), ERR_EXISTS);
	fails(db_exec(db, "SELECT x FROM nowhere", NULL, 0, NULL, NULL, &e), ERR_DB);
	assert_string_not_equal(e.sys, "");
	assert_non_null(strstr(e.detail, "nowhere"));
}

static void int__gives_the_default__for_no_row_and_null(void **state)
{
	int64_t n = 0;

	(void)state;
	must(db_int(db, "SELECT id FROM t", NULL, 0, 42, &n, &e));
	assert_int_equal(n, 42);
	must(db_int(db, "SELECT NULL", NULL, 0, 43, &n, &e));
	assert_int_equal(n, 43);
	must(db_int(db, "SELECT 1 UNION ALL SELECT 2 ORDER BY 1", NULL, 0, 44, &n, &e));
	assert_int_equal(n, 1);
	n = 99;
	fails(db_int(db, "SELECT * FROM nowhere", NULL, 0, 45, &n, &e), ERR_DB);
	assert_int_equal(n, 99);
}

static void script__runs_all__or_says_what_failed(void **state)
{
	bool there;

	(void)state;
	must(db_script(db, "CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);", &e));
	must(db_has_table(db, "b", &there, &e));
	assert_true(there);
	must(db_has_table(db, "c", &there, &e));
	assert_false(there);
	fails(db_script(db, "CREATE TABLE a (x INTEGER)", &e), ERR_DB);
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
			must(db_int(db, sql[i], NULL, 0, -1, &n, &e));
			assert_int_equal(n, i);
		}
}

/* --- Foreign statements ------------------------------------------------------------------------ */

static void foreign__counts__the_rows_it_changed(void **state)
{
	int64_t changed = -1;

	(void)state;
	must(db_foreign(db, SV("INSERT INTO t (v) VALUES ('a'), ('b'), ('c')"), &changed, &e));
	assert_int_equal(changed, 3);
	must(db_foreign(db, SV("CREATE TABLE u (x INTEGER)"), &changed, &e));
	assert_int_equal(changed, 0);
	must(db_foreign(db, SV("SELECT * FROM t"), &changed, &e));
	assert_int_equal(changed, 0);
	must(db_foreign(db, SV("DELETE FROM t WHERE id = 2"), &changed, &e));
	assert_int_equal(changed, 1);
}

static void foreign__reads_only__the_view_it_was_given(void **state)
{
	(void)state;
	must(db_foreign(db, sv_n("SELECT 1garbage", 8), NULL, &e));
}

static void foreign__refuses__two_statements(void **state)
{
	(void)state;
	fails(db_foreign(db, SV("INSERT INTO t (v) VALUES ('a'); DELETE FROM t"), NULL, &e),
	      ERR_INPUT);
	assert_int_equal(ROWS(db), 0);
	must(db_foreign(db, SV("INSERT INTO t (v) VALUES ('a'); -- and no more\n"), NULL, &e));
}

static void foreign__passes_on__the_engines_words(void **state)
{
	(void)state;
	fails(db_foreign(db, SV("SELEC 1"), NULL, &e), ERR_DB);
	assert_non_null(strstr(e.detail, "SELEC"));
	foreign("INSERT INTO t (id) VALUES (1)");
	fails(db_foreign(db, SV("INSERT INTO t (id) VALUES (1)"), NULL, &e), ERR_DB);
}

/* --- Transactions ------------------------------------------------------------------------------ */

static void begin__takes_the_write_lock__at_once(void **state)
{
	struct db *other = open_again(0);
	int64_t start = clock_mono_ms(), took;

	(void)state;
	must(db_begin(db, &e));
	assert_true(db_in_transaction(db));
	fails(db_begin(other, &e), ERR_BUSY);
	took = clock_mono_ms() - start;
	assert_true(took >= TIMEOUT_MS - 5);
	assert_true(took < TIMEOUT_MS + 2000);
	assert_false(db_in_transaction(other));
	must(db_commit(db, &e));
	assert_false(db_in_transaction(db));
	must(db_begin(other, &e));
	db_rollback(other);
	db_close(other);
}

static void rollback__undoes__everything(void **state)
{
	(void)state;
	db_rollback(db); /* none is open: nothing */
	must(db_begin(db, &e));
	foreign("INSERT INTO t (v) VALUES ('a')");
	assert_int_equal(ROWS(db), 1);
	db_rollback(db);
	assert_int_equal(ROWS(db), 0);
}

static void read_only__refuses__every_write(void **state)
{
	struct db *other = open_again(DB_READ_ONLY);

	(void)state;
	assert_int_equal(ROWS(other), 0);
	fails(db_begin(other, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "EROFS");
	fails(db_migration_begin(other, NULL, 0, &e), ERR_SYSTEM);
	fails(db_foreign(other, SV("INSERT INTO t (v) VALUES ('a')"), NULL, &e), ERR_SYSTEM);
	assert_string_equal(e.sys, "EROFS");
	assert_int_equal(ROWS(db), 0);
	db_close(other);
}

/* --- Cancel ------------------------------------------------------------------------------------ */

static void *fire_soon(void *arg)
{
	struct err ignored;

	(void)arg;
	(void)!wait_fds(NULL, 0, clock_mono_ms() + 100, NULL, &ignored);
	cancel_fire(&cancel);
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
	return db_foreign(db, sv_of(driver->endless), NULL, &e);
}

static int endless_exec(void)
{
	return db_exec(db, driver->endless, NULL, 0, NULL, NULL, &e);
}

static int endless_wait(void)
{
	static const struct db_options patient = { .lock_timeout_ms = 60000 };
	struct db *other = NULL;
	int result;

	must(db_open(&dsn, 0, &patient, &cancel, &other, &e));
	result = db_begin(other, &e);
	db_close(other);
	return result;
}

/* The promise is 100 ms; the bound here only keeps a loaded machine from failing the test. */
#define CANCEL_BOUND_MS 1000

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
	must(db_begin(db, &e));
	assert_true(cancelled_after(endless_wait) < CANCEL_BOUND_MS);
	db_rollback(db);
}

static void cancel__ends__every_call_once_fired(void **state)
{
	char hex[65];
	char *copy = tmp_path(dir, "copy");

	(void)state;
	must(db_begin(db, &e));
	foreign("INSERT INTO t (v) VALUES ('a')");
	cancel_fire(&cancel);
	fails(db_exec(db, "SELECT 1", NULL, 0, NULL, NULL, &e), ERR_CANCELLED);
	fails(db_script(db, "SELECT 1", &e), ERR_CANCELLED);
	fails(db_foreign(db, SV("SELECT 1"), NULL, &e), ERR_CANCELLED);
	fails(db_commit(db, &e), ERR_CANCELLED);
	/* Rolling back is what must always work. */
	db_rollback(db);
	assert_false(db_in_transaction(db));
	fails(db_begin(db, &e), ERR_CANCELLED);
	fails(db_migration_begin(db, NULL, 0, &e), ERR_CANCELLED);
	fails(db_copy_to(db, copy, &e), ERR_CANCELLED);
	fails(db_verify(db, &e), ERR_CANCELLED);
	fails(db_schema_digest(db, hex, &e), ERR_CANCELLED);
	assert_false(fs_exists(copy));
	/* With another cancel, or none, the connection goes on. */
	db_set_cancel(db, NULL);
	assert_int_equal(ROWS(db), 0);
	mem_free(copy);
}

/* --- A migration's transaction ----------------------------------------------------------------- */

static void migration__keeps_all__at_commit(void **state)
{
	struct db *other;

	(void)state;
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x INTEGER)");
	foreign("INSERT INTO u VALUES (1)");
	/* Our own statements go into the same transaction. */
	must(db_exec(db, "INSERT INTO t (v) VALUES ('event')", NULL, 0, NULL, NULL, &e));
	must(db_migration_commit(db, &e));
	assert_false(db_in_transaction(db));
	other = open_again(DB_READ_ONLY);
	assert_int_equal(count(other, "SELECT count(*) FROM u"), 1);
	assert_int_equal(ROWS(other), 1);
	db_close(other);
}

static void migration__leaves_nothing__at_rollback(void **state)
{
	bool there;

	(void)state;
	db_migration_rollback(db); /* none is open: nothing */
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x INTEGER)");
	foreign("ALTER TABLE t ADD COLUMN w TEXT");
	must(db_exec(db, "INSERT INTO t (v) VALUES ('event')", NULL, 0, NULL, NULL, &e));
	fails(db_foreign(db, SV("CREATE TABLE u (x INTEGER)"), NULL, &e), ERR_DB);
	db_migration_rollback(db);
	assert_false(db_in_transaction(db));
	assert_int_equal(ROWS(db), 0);
	must(db_has_table(db, "u", &there, &e));
	assert_false(there);
	fails(db_foreign(db, SV("SELECT w FROM t"), NULL, &e), ERR_DB);
}

static void migration__cannot_end__its_own_transaction(void **state)
{
	static const char *const refused[] = {
		"COMMIT", "END", "ROLLBACK", "BEGIN", "commit -- now", "/**/ROLLBACK TRANSACTION",
	};

	(void)state;
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO t (v) VALUES ('a')");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		fails(db_foreign(db, sv_of(refused[i]), NULL, &e), ERR_INPUT);
		assert_true(db_in_transaction(db));
	}
	foreign("SAVEPOINT a");
	foreign("INSERT INTO t (v) VALUES ('b')");
	foreign("ROLLBACK TO a");
	foreign("RELEASE a");
	assert_true(db_in_transaction(db));
	must(db_migration_commit(db, &e));
	assert_int_equal(ROWS(db), 1);
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
	must(db_script(db, "CREATE TABLE bascule_x (a INTEGER); INSERT INTO bascule_x VALUES (1)",
		       &e));
	for (int inside = 0; inside < 2; inside++) {
		if (inside)
			must(db_migration_begin(db, NULL, 0, &e));
		for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
			fails(db_foreign(db, sv_of(refused[i]), NULL, &e), ERR_INPUT);
			assert_non_null(strstr(e.detail, "bascule"));
		}
		foreign("SELECT a FROM bascule_x");
	}
	must(db_exec(db, "UPDATE bascule_x SET a = 5", NULL, 0, NULL, NULL, &e));
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT a FROM bascule_x"), 5);
}

static void migration__cannot_attach__other_files(void **state)
{
	(void)state;
	must(db_migration_begin(db, NULL, 0, &e));
	fails(db_foreign(db, SV("ATTACH 'x' AS y"), NULL, &e), ERR_INPUT);
	fails(db_foreign(db, SV("ATTACH 'x' || 'z' AS y"), NULL, &e), ERR_INPUT);
	fails(db_foreign(db, SV("ATTACH '' AS y"), NULL, &e), ERR_INPUT);
	fails(db_foreign(db, SV("DETACH y"), NULL, &e), ERR_INPUT);
	db_migration_rollback(db);
}

/* --- Whole databases --------------------------------------------------------------------------- */

static void fill(int rows)
{
	must(db_begin(db, &e));
	for (int i = 0; i < rows; i++)
		must(db_exec(db, "INSERT INTO t (v) VALUES ('some text to fill pages with')", NULL,
			     0, NULL, NULL, &e));
	must(db_commit(db, &e));
}

static int64_t rows_of_file(const char *path)
{
	struct dsn d = { .engine = driver->name, .path = path, .shown = path };
	struct db *other = NULL;
	int64_t n;

	must(db_open(&d, DB_READ_ONLY, NULL, NULL, &other, &e));
	must(db_verify(other, &e));
	n = ROWS(other);
	db_close(other);
	return n;
}

static void copy_to__writes__a_whole_database(void **state)
{
	char *path = tmp_path(dir, "copy");

	(void)state;
	fill(3000);
	must(db_copy_to(db, path, &e));
	assert_int_equal(rows_of_file(path), 3000);
	fails(db_copy_to(db, path, &e), ERR_EXISTS);
	fill(1);
	assert_int_equal(rows_of_file(path), 3000);
	mem_free(path);
}

static void copy_to__leaves_no_file__when_it_fails(void **state)
{
	char *nowhere = tmp_path(dir, "missing/copy");
	char *path = tmp_path(dir, "copy");

	(void)state;
	fails(db_copy_to(db, nowhere, &e), ERR_NOT_FOUND);
	must(db_begin(db, &e));
	fails(db_copy_to(db, path, &e), ERR_DB);
	assert_false(fs_exists(path));
	db_rollback(db);
	mem_free(nowhere);
	mem_free(path);
}

struct fence {
	int called;
	int answer;
	bool busy; /* another writer was kept out meanwhile */
};

static int fence(void *arg, struct err *err)
{
	struct fence *f = arg;
	struct db *other = NULL;
	struct err busy;

	f->called++;
	/* An engine may keep readers out as well, so that not even opening works. */
	f->busy = (db_open(&dsn, 0, &quick, NULL, &other, &busy) != 0 ||
		   db_begin(other, &busy) != 0) &&
		  busy.code == ERR_BUSY;
	db_close(other);
	return f->answer == 0 ? 0 : err_set(err, ERR_FENCED, "not ours");
}

static void copy_from__replaces__everything(void **state)
{
	struct fence f = { .answer = 0 };
	char *path = tmp_path(dir, "copy");
	bool there;

	(void)state;
	fill(3000);
	must(db_copy_to(db, path, &e));
	foreign("DELETE FROM t WHERE id > 10");
	foreign("CREATE TABLE later (x INTEGER)");
	assert_int_equal(ROWS(db), 10);
	must(db_copy_from(db, path, fence, &f, &e));
	assert_int_equal(f.called, 1);
	assert_true(f.busy);
	assert_int_equal(ROWS(db), 3000);
	must(db_has_table(db, "later", &there, &e));
	assert_false(there);
	must(db_verify(db, &e));
	must(db_copy_from(db, path, NULL, NULL, &e));
	mem_free(path);
}

static void copy_from__changes_nothing__when_the_fence_refuses(void **state)
{
	struct fence f = { .answer = -1 };
	char *path = tmp_path(dir, "copy");

	(void)state;
	must(db_copy_to(db, path, &e));
	fill(5);
	fails(db_copy_from(db, path, fence, &f, &e), ERR_FENCED);
	assert_int_equal(f.called, 1);
	assert_int_equal(ROWS(db), 5);
	must(db_verify(db, &e));
	fill(1); /* the lock is free again */
	mem_free(path);
}

static void copy_from__refuses__what_is_no_copy(void **state)
{
	char *missing = tmp_path(dir, "missing");
	char *text = tmp_path(dir, "text");

	(void)state;
	fill(5);
	tmp_write(dir, "text",
		  "this is no database, but it is long enough to have a header of one, "
		  "which needs a hundred bytes to be there at all");
	fails(db_copy_from(db, missing, NULL, NULL, &e), ERR_NOT_FOUND);
	assert_false(fs_exists(missing));
	fails(db_copy_from(db, text, NULL, NULL, &e), ERR_CORRUPT);
	assert_int_equal(ROWS(db), 5);
	must(db_begin(db, &e));
	fails(db_copy_from(db, text, NULL, NULL, &e), ERR_DB);
	db_rollback(db);
	mem_free(missing);
	mem_free(text);
}

static int list_table(void *arg, const char *table, int64_t rows, struct err *err)
{
	struct strbuf *b = arg;

	(void)err;
	strbuf_addf(b, "%s=%lld ", table, (long long)rows);
	return 0;
}

static int refuse_table(void *arg, const char *table, int64_t rows, struct err *err)
{
	(void)arg;
	(void)table;
	(void)rows;
	return err_set(err, ERR_LIMIT, "enough tables");
}

static void tables__are_the_users__sorted_with_counts(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(db_script(db,
		       "CREATE TABLE \"a \"\"b\" (x INTEGER); CREATE TABLE bascule_x (a INTEGER);"
		       "CREATE VIEW w AS SELECT 1; INSERT INTO \"a \"\"b\" VALUES (1)",
		       &e));
	fill(2);
	must(db_tables(db, list_table, &b, &e));
	assert_string_equal(strbuf_str(&b), "a \"b=1 t=2 ");
	strbuf_clear(&b);
	fails(db_tables(db, refuse_table, NULL, &e), ERR_LIMIT);
}

static void digest__follows__the_users_schema_alone(void **state)
{
	struct dsn second = dsn_of("second");
	struct db *other = NULL;
	char a[65], b[65];

	(void)state;
	must(db_script(db, "CREATE TABLE u (x INTEGER); CREATE INDEX i ON u (x)", &e));
	must(db_schema_digest(db, a, &e));
	assert_int_equal(strlen(a), 64);
	/* Rows and bascule's own tables do not count. */
	fill(10);
	must(db_script(db, "CREATE TABLE bascule_x (a INTEGER); CREATE INDEX j ON bascule_x (a)",
		       &e));
	must(db_schema_digest(db, b, &e));
	assert_string_equal(a, b);
	/* Nor does the order in which it was made. */
	must(db_open(&second, DB_CREATE, NULL, NULL, &other, &e));
	must(db_script(other,
		       "CREATE TABLE u (x INTEGER); CREATE INDEX i ON u (x);"
		       "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
		       &e));
	must(db_schema_digest(other, b, &e));
	assert_string_equal(a, b);
	must(db_script(other, "DROP INDEX i", &e));
	must(db_schema_digest(other, b, &e));
	assert_string_not_equal(a, b);
	db_close(other);
}

/* --- All of it for every driver ---------------------------------------------------------------- */

#define CASE(f) \
	{ \
#f, f, setup, teardown, NULL \
	}

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
	CASE(exec__works__with_more_statements_than_are_cached),
	CASE(int__gives_the_default__for_no_row_and_null),
	CASE(script__runs_all__or_says_what_failed),
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
	CASE(copy_to__writes__a_whole_database),
	CASE(copy_to__leaves_no_file__when_it_fails),
	CASE(copy_from__replaces__everything),
	CASE(copy_from__changes_nothing__when_the_fence_refuses),
	CASE(copy_from__refuses__what_is_no_copy),
	CASE(tables__are_the_users__sorted_with_counts),
	CASE(digest__follows__the_users_schema_alone),
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))
#define N_DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

int main(void)
{
	static struct CMUnitTest tests[N_CASES * N_DRIVERS];
	static char name[N_CASES * N_DRIVERS][160];

	for (size_t d = 0; d < N_DRIVERS; d++)
		for (size_t i = 0; i < N_CASES; i++) {
			size_t at = d * N_CASES + i;

			snprintf(name[at], sizeof(name[at]), "%s: %s", drivers[d].name,
				 cases[i].name);
			tests[at] = cases[i];
			tests[at].name = name[at];
			tests[at].initial_state = (void *)(uintptr_t)&drivers[d];
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
