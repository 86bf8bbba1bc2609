/* SPDX-License-Identifier: MIT */
/* What every database driver must do with whole databases. */
#include "tests/contract/driver.h"

#include "core/base/fs.h"
#include "core/base/mem.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* --- Whole databases --------------------------------------------------------------------------- */

static int64_t rows_of_file(const char *path)
{
	struct dsn d = { .engine = w.driver->name, .path = path, .shown = path };
	struct db *other = NULL;
	int64_t n;

	must(db_open(&d, DB_READ_ONLY, NULL, NULL, &other, &w.e));
	must(db_verify(other, &w.e));
	n = ROWS(other);
	db_close(other);
	return n;
}

static void copy_to__writes__a_whole_database(void **state)
{
	char *path = tmp_path(w.dir, "copy");

	(void)state;
	driver_fill(3000);
	must(db_copy_to(w.db, path, &w.e));
	assert_int_equal(rows_of_file(path), 3000);
	fails(db_copy_to(w.db, path, &w.e), ERR_EXISTS);
	driver_fill(1);
	assert_int_equal(rows_of_file(path), 3000);
	mem_free(path);
}

static void copy_to__leaves_no_file__when_it_fails(void **state)
{
	char *nowhere = tmp_path(w.dir, "missing/copy");
	char *path = tmp_path(w.dir, "copy");

	(void)state;
	fails(db_copy_to(w.db, nowhere, &w.e), ERR_NOT_FOUND);
	must(db_begin(w.db, &w.e));
	fails(db_copy_to(w.db, path, &w.e), ERR_DB);
	assert_false(fs_exists(path));
	db_rollback(w.db);
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
	f->busy = (db_open(&w.dsn, 0, &driver_quick, NULL, &other, &busy) != 0 ||
		   db_begin(other, &busy) != 0) &&
		  busy.code == ERR_BUSY;
	db_close(other);
	return f->answer == 0 ? 0 : err_set(err, ERR_FENCED, "not ours");
}

static void copy_from__replaces__everything(void **state)
{
	struct fence f = { .answer = 0 };
	char *path = tmp_path(w.dir, "copy");
	bool there;

	(void)state;
	driver_fill(3000);
	must(db_copy_to(w.db, path, &w.e));
	driver_foreign("DELETE FROM t WHERE id > 10");
	driver_foreign("CREATE TABLE later (x INTEGER)");
	assert_int_equal(ROWS(w.db), 10);
	must(db_copy_from(w.db, path, fence, &f, &w.e));
	assert_int_equal(f.called, 1);
	assert_true(f.busy);
	assert_int_equal(ROWS(w.db), 3000);
	must(db_has_table(w.db, "later", &there, &w.e));
	assert_false(there);
	must(db_verify(w.db, &w.e));
	must(db_copy_from(w.db, path, NULL, NULL, &w.e));
	mem_free(path);
}

static void copy_from__changes_nothing__when_the_fence_refuses(void **state)
{
	struct fence f = { .answer = -1 };
	char *path = tmp_path(w.dir, "copy");

	(void)state;
	must(db_copy_to(w.db, path, &w.e));
	driver_fill(5);
	fails(db_copy_from(w.db, path, fence, &f, &w.e), ERR_FENCED);
	assert_int_equal(f.called, 1);
	assert_int_equal(ROWS(w.db), 5);
	must(db_verify(w.db, &w.e));
	driver_fill(1); /* the lock is free again */
	mem_free(path);
}

static void copy_from__refuses__what_is_no_copy(void **state)
{
	char *missing = tmp_path(w.dir, "missing");
	char *text = tmp_path(w.dir, "text");

	(void)state;
	driver_fill(5);
	tmp_write(w.dir, "text",
		  "this is no database, but it is long enough to have a header of one, "
		  "which needs a hundred bytes to be there at all");
	fails(db_copy_from(w.db, missing, NULL, NULL, &w.e), ERR_NOT_FOUND);
	assert_false(fs_exists(missing));
	fails(db_copy_from(w.db, text, NULL, NULL, &w.e), ERR_CORRUPT);
	assert_int_equal(ROWS(w.db), 5);
	must(db_begin(w.db, &w.e));
	fails(db_copy_from(w.db, text, NULL, NULL, &w.e), ERR_DB);
	db_rollback(w.db);
	mem_free(missing);
	mem_free(text);
}

static int list_table(void *arg, const struct db_table *t, struct err *err)
{
	struct strbuf *b = arg;

	(void)err;
	strbuf_addf(b, "%s=%lld ", t->name, (long long)t->rows);
	return 0;
}

static int refuse_table(void *arg, const struct db_table *t, struct err *err)
{
	(void)arg;
	(void)t;
	return err_set(err, ERR_LIMIT, "enough tables");
}

static void tables__are_the_users__sorted_with_counts(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(db_script(w.db,
		       "CREATE TABLE \"a \"\"b\" (x INTEGER); CREATE TABLE bascule_x (a INTEGER);"
		       "CREATE VIEW w AS SELECT 1; INSERT INTO \"a \"\"b\" VALUES (1)",
		       &w.e));
	driver_fill(2);
	must(db_tables(w.db, false, list_table, &b, &w.e));
	assert_string_equal(strbuf_str(&b), "a \"b=1 t=2 ");
	strbuf_clear(&b);
	fails(db_tables(w.db, false, refuse_table, NULL, &w.e), ERR_LIMIT);
}

static void digest__follows__the_users_schema_alone(void **state)
{
	struct dsn second = driver_dsn("second");
	struct db *other = NULL;
	char a[65], b[65];

	(void)state;
	must(db_script(w.db, "CREATE TABLE u (x INTEGER); CREATE INDEX i ON u (x)", &w.e));
	must(db_schema_digest(w.db, a, &w.e));
	assert_int_equal(strlen(a), 64);
	/* Rows and bascule's own tables do not count. */
	driver_fill(10);
	must(db_script(w.db, "CREATE TABLE bascule_x (a INTEGER); CREATE INDEX j ON bascule_x (a)",
		       &w.e));
	must(db_schema_digest(w.db, b, &w.e));
	assert_string_equal(a, b);
	/* Nor does the order in which it was made. */
	must(db_open(&second, DB_CREATE, NULL, NULL, &other, &w.e));
	must(db_script(other,
		       "CREATE TABLE u (x INTEGER); CREATE INDEX i ON u (x);"
		       "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
		       &w.e));
	must(db_schema_digest(other, b, &w.e));
	assert_string_equal(a, b);
	must(db_script(other, "DROP INDEX i", &w.e));
	must(db_schema_digest(other, b, &w.e));
	assert_string_not_equal(a, b);
	db_close(other);
}

#define CASE(f) \
	{ \
#f, f, driver_setup, driver_teardown, NULL \
	}

int main(void)
{
	static const struct CMUnitTest cases[] = {
		CASE(copy_to__writes__a_whole_database),
		CASE(copy_to__leaves_no_file__when_it_fails),
		CASE(copy_from__replaces__everything),
		CASE(copy_from__changes_nothing__when_the_fence_refuses),
		CASE(copy_from__refuses__what_is_no_copy),
		CASE(tables__are_the_users__sorted_with_counts),
		CASE(digest__follows__the_users_schema_alone),
	};

	return driver_run(cases, sizeof(cases) / sizeof(cases[0]), DRIVER_FILES);
}
