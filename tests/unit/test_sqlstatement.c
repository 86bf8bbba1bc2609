/* SPDX-License-Identifier: MIT */
#include "core/db/sqlstatement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static struct sql_facts facts_of(const char *engine, const char *text)
{
	struct sql_facts f;
	struct sql_list list;
	struct err e;

	if (sqlsplit(&arena, engine, sv_of(text), &list, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	if (list.n != 1)
		fail_msg("%zu statements: %s", list.n, text);
	sql_facts_read(&arena, engine, &list.item[0], &f);
	return f;
}

/* "ddl again traceless table:s.a index:b" */
static const char *words_of(const char *engine, const char *text)
{
	static const char *const class[] = { "other", "dml", "ddl", "session", "control" };
	static const char *const kind[] = { "table",     "view",     "index", "trigger",
					    "procedure", "function", "event", "sequence",
					    "database",  "package" };
	static const char *const flag[] = { "alone",     "create-index", "drop-index",
					    "ours",      "unlocks",      "session-set",
					    "traceless", "temporary",    "client-file" };
	struct sql_facts f = facts_of(engine, text);
	char *out = arena_printf(&arena, "%s%s", class[f.class], f.repeatable ? " again" : "");

	for (size_t i = 0; i < sizeof(flag) / sizeof(flag[0]); i++)
		if (f.flags & (1u << i))
			out = arena_printf(&arena, "%s %s", out, flag[i]);
	for (size_t i = 0; i < f.n_object; i++)
		out = arena_printf(&arena, "%s %s:%s%s%s", out, kind[f.object[i].kind],
				   f.object[i].schema ? f.object[i].schema : "",
				   f.object[i].schema ? "." : "", f.object[i].name);
	return out;
}

struct row {
	const char *text, *want;
};

static void rows_hold(const char *engine, const struct row *row)
{
	for (; row->text != NULL; row++) {
		const char *is = words_of(engine, row->text);

		if (strcmp(is, row->want) != 0)
			fail_msg("%s\n is   %s\n want %s", row->text, is, row->want);
	}
}

static void mariadb__reads__data_statements(void **state)
{
	static const struct row row[] = {
		{ "INSERT INTO a VALUES (1)", "dml table:a" },
		{ "insert low_priority ignore into s.`a b` (x) select 1 from c",
		  "dml table:s.a b" },
		{ "INSERT a SET x = 1", "dml table:a" },
		{ "REPLACE INTO `a``b` VALUES (1)", "dml table:a`b" },
		{ "UPDATE LOW_PRIORITY IGNORE a SET x = (SELECT 1 FROM c)", "dml table:a" },
		{ "UPDATE a AS x, s.b y SET x.c = 1", "dml table:a table:s.b" },
		{ "UPDATE a LEFT JOIN b ON a.i = b.i SET a.c = 1", "dml table:a table:b" },
		{ "UPDATE (a JOIN b USING (i)), (SELECT 1 FROM z) q SET a.c = 1",
		  "dml table:a table:b" },
		{ "DELETE FROM a WHERE x IN (SELECT y FROM b)", "dml table:a" },
		{ "DELETE a FROM t1 AS a JOIN t2 USING (i) WHERE 1", "dml table:t1 table:t2" },
		{ "DELETE FROM a USING t1 a, t2 WHERE 1", "dml table:t1 table:t2" },
		{ "DELETE QUICK FROM a ORDER BY x LIMIT 1", "dml table:a" },
		{ "WITH c AS (SELECT 1 FROM z) SELECT * FROM c", "dml" },
		{ "/*!40000 INSERT INTO a VALUES (1) */", "dml table:a" },
		{ "SELECT 1", "dml" },
		{ "(SELECT 1) UNION (SELECT 2)", "dml" },
		{ "SELECT x FROM t INTO OUTFILE '/tmp/x'", "other" },
		{ "SHOW TABLES", "dml" },
		{ "SET STATEMENT max_statement_time = 1 FOR DELETE FROM a", "dml table:a" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("mariadb", row);
}

static void mariadb__reads__definitions(void **state)
{
	static const struct row row[] = {
		{ "CREATE TABLE a (x INT)", "ddl table:a" },
		{ "CREATE TABLE IF NOT EXISTS s.a (x INT)", "ddl again table:s.a" },
		{ "CREATE TABLE IF NOT EXISTS a AS SELECT 1", "ddl table:a" },
		{ "CREATE OR REPLACE TABLE a (x INT)", "ddl table:a" },
		{ "CREATE TABLE \"a\" LIKE b", "ddl table:a" },
		{ "CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON s.a (x)",
		  "ddl again index:i table:s.a" },
		{ "DROP INDEX IF EXISTS i ON a", "ddl again index:i table:a" },
		{ "DROP INDEX i ON a", "ddl index:i table:a" },
		{ "CREATE OR REPLACE ALGORITHM = MERGE DEFINER = `view`@`table` SQL SECURITY INVOKER "
		  "VIEW v AS SELECT 1",
		  "ddl again view:v" },
		{ "CREATE DEFINER=event@trigger TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @x = 1",
		  "ddl trigger:t table:a" },
		{ "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER t AFTER INSERT ON a "
		  "FOR EACH ROW BEGIN END */",
		  "ddl trigger:t table:a" },
		{ "CREATE OR REPLACE PROCEDURE s.p() BEGIN INSERT INTO x VALUES (1); END",
		  "ddl again procedure:s.p" },
		{ "CREATE FUNCTION f() RETURNS INT RETURN 1", "ddl function:f" },
		{ "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", "other function:f" },
		{ "CREATE EVENT IF NOT EXISTS v ON SCHEDULE EVERY 1 DAY DO SELECT 1",
		  "ddl again event:v" },
		{ "ALTER EVENT v RENAME TO w", "ddl event:v event:w" },
		{ "CREATE SEQUENCE q", "ddl sequence:q" },
		{ "ALTER SEQUENCE q RESTART 1", "ddl sequence:q" },
		{ "CREATE DATABASE IF NOT EXISTS d", "ddl again database:d" },
		{ "ALTER DATABASE CHARACTER SET utf8mb4", "ddl again" },
		{ "DROP TABLE IF EXISTS a, s.b, `c` CASCADE",
		  "ddl again table:a table:s.b table:c" },
		{ "DROP TABLE a, b", "ddl table:a table:b" },
		{ "DROP VIEW IF EXISTS v", "ddl again view:v" },
		{ "DROP PACKAGE BODY k", "ddl package:k" },
		{ "RENAME TABLE a TO b, s.c TO d", "ddl table:a table:b table:s.c table:d" },
		{ "RENAME TABLE IF EXISTS a WAIT 5 TO b", "ddl again table:a table:b" },
		{ "RENAME TABLE IF EXISTS a TO t, b TO a", "ddl table:a table:t table:b table:a" },
		{ "RENAME USER a TO b", "other" },
		{ "TRUNCATE TABLE a", "ddl traceless table:a" },
		{ "TRUNCATE a", "ddl traceless table:a" },
		{ "SET STATEMENT lock_wait_timeout = 1 FOR DROP TABLE a", "ddl table:a" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("mariadb", row);
}

static void mariadb__reads__alter_table(void **state)
{
	static const struct row row[] = {
		{ "ALTER TABLE a ADD COLUMN x INT", "ddl table:a" },
		{ "ALTER TABLE a ADD COLUMN IF NOT EXISTS x INT", "ddl again table:a" },
		{ "ALTER TABLE a ADD IF NOT EXISTS (x INT, y INT), DROP KEY IF EXISTS k",
		  "ddl again table:a" },
		{ "ALTER TABLE a ADD COLUMN IF NOT EXISTS x INT, ADD y INT", "ddl table:a" },
		{ "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY IF NOT EXISTS k (x) REFERENCES b (y)",
		  "ddl again table:a" },
		{ "ALTER TABLE a MODIFY x BIGINT, ENGINE = InnoDB", "ddl again table:a" },
		{ "ALTER TABLE IF EXISTS a ADD x INT", "ddl table:a" },
		{ "ALTER ONLINE IGNORE TABLE a CHANGE x y INT", "ddl table:a" },
		{ "ALTER TABLE a WAIT 5 RENAME s.b", "ddl table:a table:s.b" },
		{ "ALTER TABLE a ADD x INT, RENAME TO b", "ddl table:a table:b" },
		{ "ALTER TABLE a RENAME COLUMN x TO y", "ddl table:a" },
		{ "ALTER TABLE a RENAME INDEX x TO y", "ddl table:a" },
		{ "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b", "ddl table:a table:b" },
		{ "ALTER TABLE a TRUNCATE PARTITION p", "ddl traceless table:a" },
		{ "/*!40000 ALTER TABLE `a` DISABLE KEYS */", "ddl again table:a" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("mariadb", row);
}

static void mariadb__reads__the_session_and_the_rest(void **state)
{
	static const struct row row[] = {
		{ "SET @a = 1, sql_mode = ''", "session again" },
		{ "SET @a := 1", "session again" },
		{ "/*!40101 SET @OLD = @@SQL_MODE, SQL_MODE = 'X' */", "session again" },
		{ "SET sql_mode = CONCAT(@@sql_mode, ',X')", "session again" },
		{ "SET NAMES utf8mb4", "session again" },
		{ "SET @a = (SELECT COUNT(*) FROM t)", "session" },
		{ "SET @a = LAST_INSERT_ID()", "session" },
		{ "SET GLOBAL x = 1", "other" },
		{ "SET @@global.x = 1", "other" },
		{ "SET PASSWORD = 'x'", "other" },
		{ "SET DEFAULT ROLE r", "other" },
		{ "SELECT x INTO @a FROM t", "session" },
		{ "SELECT @a := 1", "session" },
		{ "CREATE TEMPORARY TABLE IF NOT EXISTS a (x INT)", "session temporary table:a" },
		{ "DROP TEMPORARY TABLE IF EXISTS a", "session again temporary table:a" },
		{ "CALL p()", "other" },
		{ "LOAD DATA INFILE 'x' INTO TABLE a", "other" },
		{ "LOAD DATA LOCAL INFILE 'x' INTO TABLE a", "other client-file" },
		{ "GRANT SELECT ON a TO b", "other" },
		{ "CREATE USER a", "other" },
		{ "PREPARE p FROM 'SELECT 1'", "other" },
		{ "OPTIMIZE TABLE a", "other" },
		{ "DELETE", "other" },
		{ "CREATE", "other" },
		{ "BEGIN NOT ATOMIC SELECT 1; END", "other" },
		{ "START TRANSACTION", "control" },
		{ "SET autocommit = 0", "control" },
		{ "SAVEPOINT a", "control" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("mariadb", row);
}

static void mariadb__finds__what_is_ours(void **state)
{
	static const struct row row[] = {
		{ "DELETE FROM bascule_history", "dml ours table:bascule_history" },
		{ "UPDATE s.`Bascule_Lock` SET epoch = 9", "dml ours table:s.Bascule_Lock" },
		{ "CREATE TRIGGER t AFTER INSERT ON bascule_run FOR EACH ROW SET @x = 1",
		  "ddl ours trigger:t table:bascule_run" },
		{ "SELECT * FROM bascule_history", "dml" },
		{ "WITH a AS (SELECT 1) SELECT * FROM bascule_history", "dml" },
		{ "INSERT INTO a VALUES ('bascule_history') -- bascule_lock", "dml table:a" },
		{ "INSERT INTO a SELECT RELEASE_ALL_LOCKS()", "dml unlocks table:a" },
		{ "DO RELEASE_LOCK('bascule:x')", "dml unlocks" },
		{ "DO RELEASE_LOCK('mine')", "dml" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("mariadb", row);
}

static void postgres__knows__what_stands_alone(void **state)
{
	static const struct row row[] = {
		{ "VACUUM (FULL) a", "other alone" },
		{ "CREATE DATABASE a", "ddl alone" },
		{ "DROP TABLESPACE a", "ddl alone" },
		{ "ALTER SYSTEM SET a = 1", "ddl alone" },
		{ "ALTER DATABASE a SET TABLESPACE b", "ddl alone" },
		{ "ALTER DATABASE a SET b = 1", "ddl" },
		{ "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c", "ddl alone" },
		{ "REINDEX TABLE a", "other" },
		{ "REINDEX TABLE CONCURRENTLY a", "other alone" },
		{ "REINDEX (VERBOSE, CONCURRENTLY) INDEX a", "other alone" },
		{ "REINDEX (VERBOSE) INDEX a", "other" },
		{ "REINDEX (VERBOSE) DATABASE a", "other alone" },
		{ "REINDEX SCHEMA a", "other alone" },
		{ "ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "ddl alone" },
		{ "ALTER TABLE a DETACH PARTITION b", "ddl" },
		{ "CLUSTER", "other alone" },
		{ "CLUSTER VERBOSE", "other alone" },
		{ "CLUSTER a USING b", "other" },
		{ "REFRESH MATERIALIZED VIEW CONCURRENTLY a", "other" },
		{ "DISCARD ALL", "session again alone unlocks session-set" },
		{ "CREATE INDEX a ON b (c)", "ddl" },
		{ "CREATE INDEX CONCURRENTLY a ON b (c)",
		  "ddl alone create-index index:a table:b" },
		{ "create unique index concurrently if not exists \"A\"\"b\" on only S.\"B\" (c)",
		  "ddl again alone create-index index:s.A\"b table:s.B" },
		{ "CREATE INDEX CONCURRENTLY ON b (c)", "ddl alone create-index index: table:b" },
		{ "DROP INDEX CONCURRENTLY a", "ddl alone drop-index index:a" },
		{ "DROP INDEX CONCURRENTLY IF EXISTS s.A", "ddl again alone drop-index index:s.a" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("postgresql", row);
}

static void postgres__finds__what_is_ours(void **state)
{
	static const struct row row[] = {
		{ "DELETE FROM bascule.history", "dml ours" },
		{ "DELETE FROM \"bascule\" . history", "dml ours" },
		{ "DROP SCHEMA bascule CASCADE", "ddl ours" },
		{ "DROP SCHEMA IF EXISTS bascule", "ddl ours" },
		{ "CREATE SCHEMA IF NOT EXISTS bascule", "ddl ours" },
		{ "SELECT * FROM bascule.history", "dml" },
		{ "WITH a AS (DELETE FROM bascule.lock RETURNING 1) SELECT * FROM a", "dml ours" },
		{ "DO $a$ BEGIN DELETE FROM bascule.lock; END $a$", "other ours" },
		{ "DO $a$ BEGIN -- bascule.lock\nPERFORM 'bascule.lock'; END $a$", "other" },
		{ "UPDATE a SET b = 'bascule.lock'", "dml" },
		{ "SELECT x.bascule.y FROM x", "dml" },
		{ "SELECT pg_advisory_unlock_all()", "dml unlocks" },
		{ "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$", "other unlocks" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("postgresql", row);
}

static void postgres__finds__changes_of_the_session(void **state)
{
	static const struct row row[] = {
		{ "SET ROLE a", "session again session-set" },
		{ "SET LOCAL ROLE a", "session again session-set" },
		{ "RESET ROLE", "session again session-set" },
		{ "SET SESSION AUTHORIZATION a", "session again session-set" },
		{ "SET SESSION SESSION AUTHORIZATION a", "session again session-set" },
		{ "SET search_path = a, b", "session again session-set" },
		{ "SET \"search_path\" TO a", "session again session-set" },
		{ "SET LOCAL search_path TO a", "session again session-set" },
		{ "SET SCHEMA 'a'", "session again session-set" },
		{ "SELECT pg_catalog.set_config('search_path', '', false)", "dml session-set" },
		{ "SELECT set_config('a.b', '', false)", "dml" },
		{ "RESET ALL", "session again session-set" },
		{ "SET statement_timeout = 0", "session again" },
		{ "ALTER ROLE a SET search_path = b", "ddl" },
		{ "BEGIN", "control" },
		{ "PREPARE TRANSACTION 'a'", "control" },
		{ NULL, NULL },
	};

	(void)state;
	rows_hold("postgresql", row);
}

static void facts__stay_other__when_there_is_too_much(void **state)
{
	struct strbuf b;
	struct sql_facts f;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, "DROP TABLE IF EXISTS t0");
	for (int i = 1; i < 100; i++)
		strbuf_addf(&b, ", t%d", i);
	f = facts_of("mariadb", strbuf_str(&b));
	assert_int_equal(f.class, SQL_CLASS_OTHER);
	assert_int_equal(f.n_object, SQL_OBJECTS_MAX);
	strbuf_reset(&b);
	strbuf_adds(&b, "INSERT INTO a VALUES (1)");
	for (int i = 1; i < 10000; i++)
		strbuf_addf(&b, ", (%d)", i);
	assert_string_equal(words_of("mariadb", strbuf_str(&b)), "dml table:a");
	strbuf_adds(&b, "; ");
	assert_string_equal(words_of("sqlite", strbuf_str(&b)), "other");
	strbuf_clear(&b);
}

static void checksum__is__of_the_text(void **state)
{
	char sum[CHECKSUM_SIZE], other[CHECKSUM_SIZE];

	(void)state;
	sql_statement_checksum(SV("abc"), sum);
	assert_string_equal(sum,
			    "s1:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sql_statement_checksum(SV("abd"), other);
	assert_string_not_equal(sum, other);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(mariadb__reads__data_statements),
		CASE(mariadb__reads__definitions),
		CASE(mariadb__reads__alter_table),
		CASE(mariadb__reads__the_session_and_the_rest),
		CASE(mariadb__finds__what_is_ours),
		CASE(postgres__knows__what_stands_alone),
		CASE(postgres__finds__what_is_ours),
		CASE(postgres__finds__changes_of_the_session),
		CASE(facts__stay_other__when_there_is_too_much),
		CASE(checksum__is__of_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
