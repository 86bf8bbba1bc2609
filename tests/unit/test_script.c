/* SPDX-License-Identifier: MIT */
/* script_prepare for the servers; for SQLite it is in test_apply.c, beside the guard of the driver. */
#include "core/migrate/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena a;
static struct script script;
static struct err e;

static int setup(void **state)
{
	(void)state;
	arena_init(&a);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&a);
	return 0;
}

/* The statements that are left, with a bar between them. */
static void left(const char *engine, const char *text, bool no_transaction, const char *want)
{
	const char *is = "";

	if (script_prepare(&a, engine, "009_x.sql", sv_of(text), no_transaction, &script, &e) != 0)
		fail_msg("%s: %s: %s", text, e.msg, e.detail);
	assert_int_equal(script.n_hoist, 0);
	for (size_t i = 0; i < script.body.n; i++)
		is = arena_printf(&a, "%s%s%.*s", is, i > 0 ? "|" : "",
				  (int)script.body.item[i].text.n, script.body.item[i].text.p);
	assert_string_equal(is, want);
}

/* Refused at a line, with a reason that says why and a hint that says hint. */
static void refused(const char *engine, const char *text, bool no_transaction, const char *line,
		    const char *why, const char *hint)
{
	script = (struct script){ .n_hoist = 7 };
	if (script_prepare(&a, engine, "009_x.sql", sv_of(text), no_transaction, &script, &e) == 0)
		fail_msg("not refused: %s", text);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(script.n_hoist, 7);
	if (strstr(e.msg, "009_x.sql") == NULL ||
	    (strstr(e.msg, line) == NULL && strstr(e.detail, line) == NULL) ||
	    (strstr(e.msg, why) == NULL && strstr(e.detail, why) == NULL) ||
	    strstr(e.hint, hint) == NULL)
		fail_msg("%s\nis refused by: %s\n%s\n%s", text, e.msg, e.detail, e.hint);
}

static void postgres__removes__one_outermost_pair(void **state)
{
	const char *pg = "postgresql";

	(void)state;
	left(pg, "SELECT 1; SELECT 2;", false, "SELECT 1|SELECT 2");
	assert_true(script.body.parsed);
	left(pg, "BEGIN; SELECT 1; COMMIT;", false, "SELECT 1");
	left(pg, "-- c\nstart transaction read write; SELECT 1; END TRANSACTION", false,
	     "SELECT 1");
	left(pg, "SET a.b = 1; SET c.d = 2; BEGIN; SELECT 1; COMMIT", false,
	     "SET a.b = 1|SET c.d = 2|SELECT 1");
	left(pg, "BEGIN; COMMIT", false, "");
	left(pg, "-- only this", false, "");
	left(pg, "SAVEPOINT s; SELECT 1; ROLLBACK TO s; RELEASE s", false,
	     "SAVEPOINT s|SELECT 1|ROLLBACK TO s|RELEASE s");
	left(pg, "DO $$ BEGIN PERFORM 1; END $$", false, "DO $$ BEGIN PERFORM 1; END $$");
}

static void postgres__keeps__facts_beside_statements(void **state)
{
	(void)state;
	left("postgresql", "BEGIN; SET ROLE a; SELECT 1; COMMIT", false, "SET ROLE a|SELECT 1");
	assert_int_equal(script.fact[0].flags, SQL_SESSION);
	assert_int_equal(script.fact[1].class, SQL_CLASS_DML);
	assert_int_equal(script.fact[1].flags, 0);
}

static void postgres__refuses__what_would_end_the_transaction(void **state)
{
	const char *pg = "postgresql", *why = "controls the transaction", *hint = "remove it";

	(void)state;
	refused(pg, "SELECT 1;\nCOMMIT;\nSELECT 2", false, "line 2", why, hint);
	refused(pg, "SELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT", false, "line 2", why, hint);
	refused(pg, "BEGIN;\nSELECT 2;", false, "line 1", why, hint);
	refused(pg, "BEGIN;\nSELECT 2;\nROLLBACK", false, "line 1", why, hint);
	refused(pg, "BEGIN;\nSELECT 2;\nCOMMIT AND CHAIN", false, "line 1", why, hint);
	refused(pg, "BEGIN;\nSELECT 1;\nCOMMIT;\nBEGIN;\nSELECT 2;\nCOMMIT;", false, "line 3", why,
		hint);
	refused(pg, "BEGIN ISOLATION LEVEL SERIALIZABLE;\nSELECT 1;\nCOMMIT", false, "line 1", why,
		hint);
	refused(pg, "START TRANSACTION READ ONLY;\nSELECT 1;\nCOMMIT", false, "line 1", why, hint);
	refused(pg, "SELECT 1;\nABORT", false, "line 2", why, hint);
	refused(pg, "SELECT 1;\nPREPARE TRANSACTION 'x'", false, "line 2", "prepared", hint);
	refused(pg, "COMMIT PREPARED 'x'", false, "line 1", "prepared", hint);
	refused(pg, "SELECT 'open", false, "line 1", "string does not end", "");
	refused(pg, "SELECT 1;\n\\i x.sql", false, "line 2", "psql", "");
}

static void postgres__refuses__what_a_transaction_cannot_hold(void **state)
{
	static const char *const text[] = {
		"SELECT 1;\nVACUUM a",
		"SELECT 1;\nCREATE INDEX CONCURRENTLY a ON b (c)",
		"SELECT 1;\nDROP INDEX CONCURRENTLY a",
		"SELECT 1;\nREINDEX TABLE CONCURRENTLY a",
		"SELECT 1;\nCREATE DATABASE a",
		"SELECT 1;\nALTER SYSTEM SET a = 1",
		"SELECT 1;\nALTER TABLE a DETACH PARTITION b CONCURRENTLY",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		refused("postgresql", text[i], false, "line 2", "cannot run inside a transaction",
			"'-- transaction: no'");
		left("postgresql", text[i] + strlen("SELECT 1;\n"), true,
		     text[i] + strlen("SELECT 1;\n"));
	}
}

static void postgres__refuses__control_without_a_transaction(void **state)
{
	const char *pg = "postgresql", *why = "controls a transaction";

	(void)state;
	left(pg, "VACUUM; SELECT 1; SET a.b = 1", true, "VACUUM|SELECT 1|SET a.b = 1");
	refused(pg, "BEGIN;\nSELECT 1;\nCOMMIT", true, "line 1", why, "remove");
	refused(pg, "VACUUM;\nROLLBACK", true, "line 2", why, "remove");
	refused(pg, "VACUUM;\nSAVEPOINT a", true, "line 2", why, "remove");
	refused(pg, "VACUUM;\nROLLBACK PREPARED 'a'", true, "line 2", "prepared", "remove");
}

static void postgres__refuses__what_is_ours(void **state)
{
	const char *pg = "postgresql";

	(void)state;
	for (int outside = 0; outside < 2; outside++) {
		refused(pg, "SELECT 1;\nDELETE FROM bascule.history", outside, "line 2",
			"bascule's own tables", "leave them");
		refused(pg, "DROP SCHEMA bascule CASCADE", outside, "line 1",
			"bascule's own tables", "leave them");
		refused(pg, "SELECT pg_advisory_unlock_all()", outside, "line 1", "frees locks",
			"pg_advisory_unlock(");
		refused(pg, "DISCARD ALL", outside, "line 1", "frees locks", "pg_advisory_unlock(");
	}
	left(pg, "SELECT * FROM bascule.history", false, "SELECT * FROM bascule.history");
}

static void mariadb__removes__one_outermost_pair(void **state)
{
	const char *my = "mariadb";

	(void)state;
	for (int outside = 0; outside < 2; outside++) {
		left(my, "SELECT 1; SELECT 2;", outside, "SELECT 1|SELECT 2");
		left(my, "START TRANSACTION; SELECT 1; COMMIT;", outside, "SELECT 1");
		left(my, "SET NAMES utf8; BEGIN WORK; SELECT 1; COMMIT WORK", outside,
		     "SET NAMES utf8|SELECT 1");
		left(my, "BEGIN NOT ATOMIC SELECT 1; END; SELECT 2", outside,
		     "BEGIN NOT ATOMIC SELECT 1; END|SELECT 2");
		left(my,
		     "DELIMITER //\nBEGIN//\nCREATE PROCEDURE p() BEGIN COMMIT; END//\nCOMMIT//",
		     outside, "CREATE PROCEDURE p() BEGIN COMMIT; END");
	}
	left(my, "BEGIN; CREATE TABLE a (x INT); INSERT INTO a VALUES (1); COMMIT", false,
	     "CREATE TABLE a (x INT)|INSERT INTO a VALUES (1)");
	assert_int_equal(script.fact[0].class, SQL_CLASS_DDL);
	assert_int_equal(script.fact[1].class, SQL_CLASS_DML);
	assert_string_equal(script.fact[1].object[0].name, "a");
}

static void mariadb__refuses__what_steps_cannot_hold(void **state)
{
	static const struct {
		const char *text, *why, *hint;
	} row[] = {
		{ "COMMIT", "controls the transaction", "remove it" },
		{ "ROLLBACK", "controls the transaction", "remove it" },
		{ "BEGIN", "controls the transaction", "remove it" },
		{ "START TRANSACTION READ ONLY", "controls the transaction", "remove it" },
		{ "SAVEPOINT a", "controls the transaction", "remove it" },
		{ "SET SESSION autocommit = 0", "controls the transaction", "remove it" },
		{ "SET @@autocommit = 0", "controls the transaction", "remove it" },
		{ "/*!40000 SET @a = 1, AUTOCOMMIT = 0 */", "controls the transaction", "remove" },
		{ "XA START 'a'", "prepared", "remove it" },
		{ "LOCK TABLES a WRITE", "locks tables", "remove it" },
		{ "UNLOCK TABLES", "locks tables", "remove it" },
		{ "FLUSH TABLES WITH READ LOCK", "locks tables", "remove it" },
		{ "USE other", "changes the database", "name the database" },
		{ "DELETE FROM bascule_history", "bascule's own tables", "leave them" },
		{ "DROP TABLE IF EXISTS a, bascule_lock", "bascule's own tables", "leave them" },
		{ "SELECT RELEASE_ALL_LOCKS()", "frees locks", "RELEASE_LOCK(name)" },
		{ "LOAD DATA LOCAL INFILE 'x' INTO TABLE a", "file of the client", "INSERT" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *text = arena_printf(&a, "SELECT 1;\n%s;\nSELECT 2", row[i].text);

		refused("mariadb", text, false, "line 2", row[i].why, row[i].hint);
		refused("mariadb", text, true, "line 2", row[i].why, row[i].hint);
	}
	refused("mariadb", "CREATE PROCEDURE p() BEGIN SELECT 1;", false, "line 1",
		"body does not end", "DELIMITER");
}

static void prepare__refuses__an_engine_it_does_not_know(void **state)
{
	(void)state;
	assert_int_equal(script_prepare(&a, "oracle", "x", SV("SELECT 1"), false, &script, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(postgres__removes__one_outermost_pair),
		CASE(postgres__keeps__facts_beside_statements),
		CASE(postgres__refuses__what_would_end_the_transaction),
		CASE(postgres__refuses__what_a_transaction_cannot_hold),
		CASE(postgres__refuses__control_without_a_transaction),
		CASE(postgres__refuses__what_is_ours),
		CASE(mariadb__removes__one_outermost_pair),
		CASE(mariadb__refuses__what_steps_cannot_hold),
		CASE(prepare__refuses__an_engine_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
