/* SPDX-License-Identifier: MIT */
/*
 * A migration inside SQLite: which PRAGMAs it may use and where, foreign keys that must be off while
 * it runs and hold when it ends, triggers that reach for our tables. What every driver must do is in
 * tests/contract/test_db.c.
 */
#include "core/db/db.h"

#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct db *db;
static struct err e;

static int setup(void **state)
{
	(void)state;
	dir = tmp_make();
	err_clear(&e);
	db = sqlite_make(dir, "shop.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	tmp_remove(dir);
	return 0;
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
}

static int64_t count(struct db *on, const char *sql)
{
	int64_t n;

	must(db_int(on, sql, NULL, 0, -1, &n, &e));
	return n;
}

static void foreign(const char *sql)
{
	must(db_foreign(db, sv_of(sql), NULL, &e));
}

static int fill(int rows)
{
	for (int i = 0; i < rows; i++)
		if (db_exec(db, "INSERT INTO t (v) VALUES ('0123456789012345678901234567890')",
			    NULL, 0, NULL, NULL, &e) != 0)
			return -1;
	return 0;
}

/* --- PRAGMAs ----------------------------------------------------------------------------------- */

static void pragma__is_refused_inside__unless_harmless(void **state)
{
	static const char *const refused_inside[] = {
		"PRAGMA journal_mode = WAL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA writable_schema = 1",
		"PRAGMA busy_timeout = 1",
		"PRAGMA synchronous = OFF",
		"pragma main.locking_mode = 1",
		"PRAGMA legacy_alter_table = 1",
		"PRAGMA wal_checkpoint",
		"PRAGMA no_such_thing",
		"PRAGMA query_only = 1",
		"PRAGMA optimize",
	};
	static const char *const allowed_inside[] = {
		"PRAGMA user_version = 7",  "PRAGMA table_info(t)",
		"PRAGMA foreign_key_check", "PRAGMA integrity_check",
		"PRAGMA main.user_version", "SELECT * FROM pragma_table_info('t')",
	};

	(void)state;
	must(db_migration_begin(db, NULL, 0, &e));
	for (size_t i = 0; i < sizeof(refused_inside) / sizeof(refused_inside[0]); i++) {
		fails(db_foreign(db, sv_of(refused_inside[i]), NULL, &e), ERR_INPUT);
		assert_non_null(strstr(e.detail, "PRAGMA"));
	}
	for (size_t i = 0; i < sizeof(allowed_inside) / sizeof(allowed_inside[0]); i++)
		foreign(allowed_inside[i]);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA user_version"), 7);
}

static void pragma__runs_before_the_transaction__when_hoisted(void **state)
{
	const struct sv hoist[] = {
		SV("PRAGMA legacy_alter_table = ON"),
		SV("PRAGMA foreign_keys = ON"),
		SV("PRAGMA cache_size = 77"),
		SV("PRAGMA cache_size = 78"),
	};
	int64_t cache = count(db, "PRAGMA cache_size");

	(void)state;
	must(db_migration_begin(db, hoist, 4, &e));
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 1);
	assert_int_equal(count(db, "PRAGMA cache_size"), 78);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 0);
	assert_int_equal(count(db, "PRAGMA cache_size"), cache);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	/* The same after a rollback. */
	must(db_migration_begin(db, hoist, 4, &e));
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA legacy_alter_table"), 0);
	assert_int_equal(count(db, "PRAGMA cache_size"), cache);
}

static void foreign_keys__are_as_before__when_they_were_on(void **state)
{
	(void)state;
	must(db_script(db, "PRAGMA foreign_keys = ON", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 0);
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA foreign_keys"), 1);
}

static void pragma__is_undone_with_the_transaction__when_it_writes(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA user_version = 9") };

	(void)state;
	must(db_migration_begin(db, hoist, 1, &e));
	assert_int_equal(count(db, "PRAGMA user_version"), 9);
	db_migration_rollback(db);
	assert_int_equal(count(db, "PRAGMA user_version"), 0);
}

static void pragma__is_refused_before__when_dangerous(void **state)
{
	static const char *const refused_before[] = {
		"PRAGMA locking_mode = EXCLUSIVE",
		"PRAGMA busy_timeout = 0",
		"PRAGMA synchronous = 0",
		"PRAGMA writable_schema = ON",
		"PRAGMA wal_checkpoint",
		"DELETE FROM t",
		"ATTACH 'x' AS y",
		"BEGIN",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused_before) / sizeof(refused_before[0]); i++) {
		struct sv hoist = sv_of(refused_before[i]);

		fails(db_migration_begin(db, &hoist, 1, &e), ERR_INPUT);
		assert_false(db_in_transaction(db));
	}
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
}

static void journal_mode__may_be_changed__by_a_hoisted_pragma(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA journal_mode = WAL") };
	struct db_info info;

	(void)state;
	must(db_migration_begin(db, hoist, 1, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	must(db_info(db, &info, &e));
	assert_string_equal(info.durability, "journal_mode=wal synchronous=full");
}

static void vacuum__works_outside__and_not_inside(void **state)
{
	(void)state;
	must(db_script(db,
		       "CREATE TABLE bascule_x (a INTEGER); INSERT INTO bascule_x VALUES (1);"
		       "CREATE INDEX bascule_i ON bascule_x (a)",
		       &e));
	foreign("VACUUM");
	assert_int_equal(count(db, "SELECT a FROM bascule_x"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	fails(db_foreign(db, SV("VACUUM"), NULL, &e), ERR_DB);
	db_migration_rollback(db);
	fails(db_foreign(db, SV("ATTACH 'x' AS y"), NULL, &e), ERR_INPUT);
	fails(db_foreign(db, SV("VACUUM INTO 'elsewhere'"), NULL, &e), ERR_INPUT);
}

static void transaction__is_gone__when_a_statement_rolled_it_back(void **state)
{
	(void)state;
	foreign("INSERT INTO t (id) VALUES (1)");
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO t (id) VALUES (2)");
	fails(db_foreign(db, SV("INSERT OR ROLLBACK INTO t (id) VALUES (1)"), NULL, &e), ERR_DB);
	assert_false(db_in_transaction(db));
	fails(db_migration_commit(db, &e), ERR_DB);
	db_migration_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 1);
	must(db_migration_begin(db, NULL, 0, &e));
	db_migration_rollback(db);
}

/* --- Triggers and tables of ours --------------------------------------------------------------- */

static void trigger__cannot_reach__tables_of_bascule(void **state)
{
	(void)state;
	must(db_script(db, "CREATE TABLE bascule_x (a INTEGER)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	fails(db_foreign(db, SV("CREATE TRIGGER g AFTER INSERT ON bascule_x BEGIN SELECT 1; END"),
			 NULL, &e),
	      ERR_INPUT);
	foreign("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM bascule_x; END");
	fails(db_foreign(db, SV("INSERT INTO t (v) VALUES ('a')"), NULL, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "bascule_x"));
	db_migration_rollback(db);
}

/* --- Foreign keys ------------------------------------------------------------------------------ */

static void make_family(void)
{
	must(db_script(db,
		       "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);"
		       "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL "
		       "REFERENCES parent (id) ON DELETE CASCADE);"
		       "INSERT INTO parent VALUES (1, 'a'), (2, 'b');"
		       "INSERT INTO child VALUES (10, 1), (11, 1), (12, 2)",
		       &e));
}

static void rebuild__keeps__the_rows_of_children(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA foreign_keys = ON") };

	(void)state;
	make_family();
	must(db_migration_begin(db, hoist, 1, &e));
	foreign("CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
	foreign("INSERT INTO parent_new SELECT * FROM parent");
	foreign("DROP TABLE parent");
	foreign("ALTER TABLE parent_new RENAME TO parent");
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM child"), 3);
	fails(db_exec(db, "INSERT INTO parent VALUES (3, NULL)", NULL, 0, NULL, NULL, &e), ERR_DB);
}

static void violation__is_refused__when_it_is_new(void **state)
{
	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "table child row 12 has no parent in parent"));
	assert_true(db_in_transaction(db));
	db_migration_rollback(db);
	assert_int_equal(count(db, "SELECT count(*) FROM parent"), 2);
	/* Said again the second time, and mended in the same migration it is fine. */
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	db_migration_rollback(db);
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("DELETE FROM parent WHERE id = 2");
	foreign("DELETE FROM child WHERE parent = 2");
	must(db_migration_commit(db, &e));
}

static void violation__is_tolerated__when_it_was_there_before(void **state)
{
	(void)state;
	make_family();
	must(db_script(db, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	/* A new one beside the old one is still refused, the same one again is not. */
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO child VALUES (14, 99)");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "row 14"));
	assert_non_null(strstr(e.msg, "1 row "));
	db_migration_rollback(db);
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE child_new (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent "
		"(id))");
	foreign("INSERT INTO child_new SELECT * FROM child");
	foreign("DROP TABLE child");
	foreign("ALTER TABLE child_new RENAME TO child");
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM child"), 4);
}

static void violation__is_tolerated__when_somebody_else_made_it_meanwhile(void **state)
{
	struct db *other = sqlite_open(dir, "shop.db");

	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	must(db_migration_commit(db, &e));
	must(db_script(other, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
	db_close(other);
}

static void violation__is_counted__in_tables_without_rowid(void **state)
{
	(void)state;
	make_family();
	must(db_script(db,
		       "CREATE TABLE pet (name TEXT PRIMARY KEY, parent INTEGER REFERENCES parent)"
		       " WITHOUT ROWID; INSERT INTO pet VALUES ('rex', 99), ('tom', 98)",
		       &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("UPDATE pet SET name = 'max' WHERE name = 'rex'");
	must(db_migration_commit(db, &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("INSERT INTO pet VALUES ('leo', 97)");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "without rowid"));
	db_migration_rollback(db);
}

static void declaration__is_refused__when_it_cannot_work(void **state)
{
	(void)state;
	make_family();
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE odd (x TEXT REFERENCES parent (name))");
	foreign("INSERT INTO odd VALUES ('a')");
	fails(db_migration_commit(db, &e), ERR_INPUT);
	assert_non_null(strstr(e.detail, "mismatch"));
	db_migration_rollback(db);
	/* One from before blocks nothing. */
	must(db_script(db,
		       "CREATE TABLE odd (x TEXT REFERENCES parent (name));"
		       "INSERT INTO odd VALUES ('a')",
		       &e));
	must(db_migration_begin(db, NULL, 0, &e));
	foreign("CREATE TABLE u (x)");
	must(db_migration_commit(db, &e));
}

/* The migration outgrows the page cache, so that the file is locked against every other reader:
 * the comparison with before must work all the same. */
static void violation__is_compared__when_the_cache_has_spilled(void **state)
{
	const struct sv hoist[] = { SV("PRAGMA cache_size = 5") };

	(void)state;
	make_family();
	must(db_script(db, "INSERT INTO child VALUES (13, 99)", &e));
	must(db_migration_begin(db, hoist, 1, &e));
	must(fill(5000));
	must(db_migration_commit(db, &e));
	assert_int_equal(count(db, "SELECT count(*) FROM t"), 5000);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(pragma__is_refused_inside__unless_harmless),
		CASE(pragma__runs_before_the_transaction__when_hoisted),
		CASE(foreign_keys__are_as_before__when_they_were_on),
		CASE(pragma__is_undone_with_the_transaction__when_it_writes),
		CASE(pragma__is_refused_before__when_dangerous),
		CASE(journal_mode__may_be_changed__by_a_hoisted_pragma),
		CASE(vacuum__works_outside__and_not_inside),
		CASE(transaction__is_gone__when_a_statement_rolled_it_back),
		CASE(trigger__cannot_reach__tables_of_bascule),
		CASE(rebuild__keeps__the_rows_of_children),
		CASE(violation__is_refused__when_it_is_new),
		CASE(violation__is_tolerated__when_it_was_there_before),
		CASE(violation__is_tolerated__when_somebody_else_made_it_meanwhile),
		CASE(violation__is_counted__in_tables_without_rowid),
		CASE(declaration__is_refused__when_it_cannot_work),
		CASE(violation__is_compared__when_the_cache_has_spilled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
