/* SPDX-License-Identifier: MIT */
#include "core/db/sqlsplit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;
static struct sql_list list;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

/* The statements of text with a bar between them. */
static const char *split(const char *text)
{
	const char *joined = "";

	if (sqlsplit(&arena, "mariadb", sv_of(text), &list, &e) != 0)
		return e.msg;
	for (size_t i = 0; i < list.n; i++)
		joined = arena_printf(&arena, "%s%s%.*s", joined, i > 0 ? "|" : "",
				      (int)list.item[i].text.n, list.item[i].text.p);
	return joined;
}

/* One statement, also between others, without a DELIMITER line and with one. */
static void is_whole(const char *statement)
{
	assert_string_equal(split(statement), statement);
	assert_string_equal(split(arena_printf(&arena, "%s;", statement)), statement);
	assert_string_equal(split(arena_printf(&arena, "SELECT 1; %s; SELECT 2;", statement)),
			    arena_printf(&arena, "SELECT 1|%s|SELECT 2", statement));
	assert_string_equal(split(arena_printf(&arena,
					       "SELECT 1;\nDELIMITER //\n%s//\n%s;\n//\n"
					       "DELIMITER ;\nSELECT 2",
					       statement, statement)),
			    arena_printf(&arena, "SELECT 1|%s|%s|SELECT 2", statement, statement));
}

static void split__cuts_at_semicolons__in_plain_text(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1; SELECT 2 ;\n\tSELECT 3"),
			    "SELECT 1|SELECT 2|SELECT 3");
	assert_string_equal(split(""), "");
	assert_string_equal(split(" ;; ; \n# a;\n-- b;\n/* c; */\n--"), "");
	assert_false(list.parsed);
}

static void split__keeps_semicolons__in_strings_and_names(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 'a;''b'; SELECT 1"), "SELECT 'a;''b'|SELECT 1");
	assert_string_equal(split("SELECT '\\';'; SELECT '\\\\'; SELECT 1"),
			    "SELECT '\\';'|SELECT '\\\\'|SELECT 1");
	assert_string_equal(split("SELECT \"a\"\";\\\";b\"; SELECT 1"),
			    "SELECT \"a\"\";\\\";b\"|SELECT 1");
	assert_string_equal(split("SELECT `a;``b\\`; SELECT 1"), "SELECT `a;``b\\`|SELECT 1");
}

static void split__knows_comments__of_this_engine(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1 # it's; \n; SELECT 2 -- it's;\n; SELECT 3--\t;\n"),
			    "SELECT 1|SELECT 2|SELECT 3");
	/* Without a blank it is two minus signs. */
	assert_string_equal(split("SELECT 5--1; SELECT 1"), "SELECT 5--1|SELECT 1");
	/* Comments are not nested. */
	assert_string_equal(split("/* a /* b; */ SELECT 1; SELECT 2"), "SELECT 1|SELECT 2");
	assert_string_equal(split("SELECT '# no'; SELECT '-- no'; SELECT `/*`"),
			    "SELECT '# no'|SELECT '-- no'|SELECT `/*`");
}

static void split__takes_executable_comments__for_code(void **state)
{
	(void)state;
	assert_string_equal(
		split("/*!40101 SET NAMES utf8 */;\n/*M!100100 SET @a = 1 */; /* c */;"),
		"/*!40101 SET NAMES utf8 */|/*M!100100 SET @a = 1 */");
	assert_string_equal(split("CREATE TABLE t (a INT) /*!50100 COMMENT ';' */; SELECT 1"),
			    "CREATE TABLE t (a INT) /*!50100 COMMENT ';' */|SELECT 1");
	assert_string_equal(split("/*! SELECT 1; SELECT 2 */; SELECT /*! 3 /* ; */ + 4 */"),
			    "/*! SELECT 1; SELECT 2 */|SELECT /*! 3 /* ; */ + 4 */");
	assert_string_equal(split("/*!*/; /*!50000 */; SELECT 1"), "SELECT 1");
	assert_string_equal(split("SELECT 1;\n/*! SELECT 2;\n"), "line 2: comment does not end");
}

static void split__obeys__delimiter_lines(void **state)
{
	(void)state;
	assert_string_equal(split("DELIMITER $$\nSELECT 1; SELECT 2$$\nSELECT END$$\n"
				  "delimiter ;;\nSELECT 3;\n;;\nDelimiter ;\nSELECT 4; SELECT 5"),
			    "SELECT 1; SELECT 2|SELECT END|SELECT 3|SELECT 4|SELECT 5");
	assert_string_equal(split("DELIMITER //\nSELECT '//' /* // */ -- //\n// SELECT `//`//\n"),
			    "SELECT '//'|SELECT `//`");
	assert_string_equal(split("DELIMITER //\n-- only this\n//\n;//\n//"), "");
	assert_string_equal(
		split("DELIMITER ';;' -- as mysqldump\nSELECT 1;;DELIMITER ;\nSELECT 2"),
		"SELECT 1|SELECT 2");
	/* What mysqlbinlog writes. */
	assert_string_equal(split("DELIMITER /*!*/;\nBEGIN\n/*!*/;\nSELECT 1; \n/*!*/;\n"),
			    "BEGIN|SELECT 1");
	assert_string_equal(split("DELIMITER go\nSELECT cargo, gopher\ngo\nSELECT 1 GO\ngo"),
			    "SELECT cargo, gopher|SELECT 1 GO");
	/* A column of that name is none. */
	assert_string_equal(split("CREATE TABLE t (\ndelimiter CHAR(1)); SELECT\ndelimiter FROM t"),
			    "CREATE TABLE t (\ndelimiter CHAR(1))|SELECT\ndelimiter FROM t");
}

static void split__refuses__delimiters_that_are_none(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1;\nDELIMITER\nSELECT 2"),
			    "line 2: DELIMITER without a delimiter");
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(split("DELIMITER"), "line 1: DELIMITER without a delimiter");
	assert_string_equal(split("DELIMITER ''\n"), "line 1: DELIMITER without a delimiter");
	assert_string_equal(split("DELIMITER \\\\\n"), "line 1: DELIMITER with a backslash");
	assert_string_equal(split("DELIMITER 01234567890123456\n"),
			    "line 1: DELIMITER is too long");
	assert_string_equal(split("DELIMITER // SELECT 1//"),
			    "line 1: text behind DELIMITER, which its line cannot hold");
	assert_string_equal(split("DELIMITER //\nCREATE PROCEDURE p() BEGIN END\nDELIMITER ;\n"),
			    "line 3: DELIMITER inside of a statement");
	assert_string_equal(e.hint, "end the statement of line 2 with //");
}

static void body__is_followed__through_all_blocks(void **state)
{
	(void)state;
	is_whole("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 1");
	is_whole("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET NEW.x = 1; END");
	is_whole("CREATE OR REPLACE DEFINER=`event`@`%` TRIGGER IF NOT EXISTS t AFTER UPDATE ON a "
		 "FOR EACH ROW FOLLOWS begin BEGIN IF NEW.x THEN SET @a = 1; END IF; END");
	is_whole("CREATE DEFINER=trigger@localhost PROCEDURE p() BEGIN SELECT 1; END");
	is_whole("CREATE PROCEDURE p(IN a INT) COMMENT 'BEGIN;' NOT DETERMINISTIC READS SQL DATA "
		 "SQL SECURITY INVOKER\nBEGIN\n"
		 " DECLARE done INT DEFAULT 0;\n"
		 " DECLARE c CURSOR FOR SELECT id FROM t FOR UPDATE;\n"
		 " DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;\n"
		 " DECLARE EXIT HANDLER FOR SQLEXCEPTION, SQLSTATE '23000' BEGIN ROLLBACK; END;\n"
		 " OPEN c;\n"
		 " l1: LOOP\n  FETCH c INTO a; IF done THEN LEAVE l1; END IF;\n END LOOP l1;\n"
		 " l2: WHILE a > 0 DO SET a = a - 1; END WHILE l2;\n"
		 " REPEAT SET a = a + 1; UNTIL a > 5 END REPEAT;\n"
		 " FOR i IN 1..3 DO SELECT i; END FOR;\n"
		 " CASE a WHEN 1 THEN SELECT 1; WHEN 2 THEN BEGIN END; ELSE SELECT 3; END CASE;\n"
		 " IF a THEN SELECT 1; ELSEIF b THEN SELECT 2; ELSE IF c THEN SELECT 3; END IF; "
		 "END IF;\n"
		 " CLOSE c;\nEND");
	is_whole("CREATE PROCEDURE p() l1: BEGIN l2: BEGIN LEAVE l1; END l2; END l1");
	is_whole("CREATE PROCEDURE p() IF TRUE THEN SELECT 1; END IF");
	is_whole("CREATE PROCEDURE p() `l 1`: REPEAT SELECT 1; UNTIL 1 END REPEAT `l 1`");
	is_whole("CREATE FUNCTION f(a INT) RETURNS VARCHAR(9) CHARACTER SET utf8 DETERMINISTIC "
		 "RETURN CASE a WHEN 1 THEN 'x;' ELSE 'y' END");
	is_whole("CREATE FUNCTION f() RETURNS INT BEGIN DECLARE a INT; SET a = 1; RETURN a; END");
	is_whole("CREATE FUNCTION f RETURNS STRING SONAME 'f.so'");
	is_whole("CREATE EVENT v ON SCHEDULE EVERY 1 DAY STARTS NOW() DO BEGIN DELETE FROM a; END");
	is_whole("ALTER EVENT v DO BEGIN DELETE FROM a; DELETE FROM b; END");
	is_whole("CREATE EVENT v ON SCHEDULE EVERY 1 DAY DO DELETE FROM a");
	is_whole("BEGIN NOT ATOMIC SELECT 1; IF 1 THEN SELECT 2; END IF; END");
	is_whole("IF @a THEN SELECT 1; ELSE SELECT 2; END IF");
	is_whole("l: LOOP LEAVE l; END LOOP");
	is_whole("WHILE @a DO SET @a = 0; END WHILE");
}

static void body__is_not_misled__by_functions_and_expressions(void **state)
{
	(void)state;
	is_whole("CREATE PROCEDURE p() BEGIN\n"
		 " SELECT IF(a, 1, 2), REPEAT('x', 3), CASE WHEN a THEN IF(b, 1, 2) ELSE\n"
		 "  CASE b WHEN 1 THEN REPEAT('y', 2) ELSE 3 END END AS begin FROM t;\n"
		 " DO IF(1, 2, 3);\n"
		 " SELECT a begin, t.end, @end, @begin FROM t;\n"
		 " SET a = CASE WHEN 1 THEN 2 END;\n"
		 " INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a);\n"
		 " DROP TABLE IF EXISTS x; CREATE TABLE IF NOT EXISTS x (`case` INT);\n"
		 " UPDATE t SET a = 'END;', b = \"END;\";\n"
		 " WHILE CASE WHEN 1 THEN 0 END DO SELECT 1; END WHILE;\n"
		 " REPEAT SELECT 1; UNTIL CASE a WHEN 1 THEN 1 ELSE 0 END END REPEAT;\n"
		 " IF CASE WHEN 1 THEN 2 END THEN SELECT 1; END IF;\n"
		 "END");
	is_whole("CREATE PROCEDURE p() SELECT 1 AS begin");
	is_whole("CREATE PROCEDURE begin(a INT, b ENUM('BEGIN')) SELECT a");
	is_whole("CREATE TABLE trigger_begin (begin INT, end INT)");
	is_whole("SELECT a AS begin FROM t");
	is_whole("CREATE VIEW v AS SELECT `procedure` FROM t");
	is_whole("CREATE TABLE IF NOT EXISTS t AS SELECT IF(a, 1, 2) FROM event");
	is_whole("CREATE USER 'procedure'@'begin' IDENTIFIED BY 'x;'");
}

static void body__is_followed__in_the_dialect_of_oracle(void **state)
{
	(void)state;
	is_whole("CREATE PROCEDURE p(a IN INT) AS b INT; c INT; BEGIN b := 1; "
		 "IF a THEN NULL; ELSIF b THEN NULL; END IF; "
		 "FOR i IN 1..3 LOOP NULL; END LOOP; WHILE a LOOP NULL; END LOOP; "
		 "EXCEPTION WHEN OTHERS THEN NULL; END");
	is_whole("CREATE FUNCTION f(a INT) RETURN INT IS b INT; BEGIN RETURN b; END");
	is_whole("CREATE PACKAGE k AS PROCEDURE p(); FUNCTION f() RETURN INT; END");
	is_whole("CREATE PACKAGE BODY k AS x INT; PROCEDURE p() AS y INT; BEGIN y := 1; END; "
		 "FUNCTION f() RETURN INT IS BEGIN RETURN 1; END; BEGIN x := 1; END");
}

static void body__is_read__as_mysqldump_writes_it(void **state)
{
	const char *trigger = "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ "
			      "/*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN\n"
			      "  IF NEW.x THEN SET NEW.x = 1; END IF;\nEND */";

	(void)state;
	is_whole(trigger);
	assert_string_equal(
		split(arena_printf(&arena,
				   "/*!50003 SET sql_mode = '' */ ;\nDELIMITER ;;\n%s;;\n"
				   "DELIMITER ;\n/*!50003 SET sql_mode = @a */ ;\n",
				   trigger)),
		arena_printf(&arena,
			     "/*!50003 SET sql_mode = '' */|%s|/*!50003 SET sql_mode = @a */",
			     trigger));
}

static void split__refuses__what_does_not_end(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1;\n\nSELECT 'a\nb\\'"), "line 3: string does not end");
	assert_string_equal(split("SELECT \"a"), "line 1: string does not end");
	assert_string_equal(split("SELECT `a"), "line 1: quoted name does not end");
	assert_string_equal(split("SELECT 1;\n /* a"), "line 2: comment does not end");
	assert_string_equal(split("\nCREATE PROCEDURE p() BEGIN\nIF a THEN SELECT 1; END;\n"),
			    "line 2: body does not end");
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(split("CREATE PROCEDURE p() IS a INT; b INT;"),
			    "line 1: body does not end");
	assert_int_equal(sqlsplit(&arena, "mariadb", SV("SELECT 1;\n\0"), &list, &e), -1);
	assert_string_equal(e.msg, "line 2: NUL byte in SQL text");
}

static void split__refuses__more_than_the_limits(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < SQL_STATEMENTS_MAX; i++)
		strbuf_adds(&b, "a;");
	assert_int_equal(sqlsplit(&arena, "mariadb", strbuf_sv(&b), &list, &e), 0);
	assert_int_equal(list.n, SQL_STATEMENTS_MAX);
	strbuf_adds(&b, "\nb");
	assert_int_equal(sqlsplit(&arena, "mariadb", strbuf_sv(&b), &list, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_reset(&b);
	strbuf_adds(&b, "CREATE PROCEDURE p() ");
	for (int i = 0; i < 200; i++)
		strbuf_adds(&b, "BEGIN ");
	for (int i = 0; i < 200; i++)
		strbuf_adds(&b, "END; ");
	assert_int_equal(sqlsplit(&arena, "mariadb", strbuf_sv(&b), &list, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&b);
}

static void split__counts_lines__to_the_first_word(void **state)
{
	const char *text = "\xEF\xBB\xBF\n# c\nSELECT\n'\n';\nDELIMITER //\n\nCREATE TRIGGER t "
			   "BEFORE INSERT ON a FOR EACH ROW BEGIN\nEND//\nDELIMITER ;\n/*!\n"
			   "SELECT 1 */; SELECT 2";

	(void)state;
	split(text);
	assert_int_equal(list.n, 4);
	assert_int_equal(list.item[0].line, 3);
	assert_int_equal(list.item[1].line, 8);
	assert_int_equal(list.item[2].line, 11);
	assert_int_equal(list.item[3].line, 12);
	assert_ptr_equal(list.item[0].text.p, text + 8);
}

static enum sql_kind kind_of(const char *text)
{
	assert_int_equal(sqlsplit(&arena, "mariadb", sv_of(text), &list, &e), 0);
	assert_int_equal(list.n, 1);
	return list.item[0].kind;
}

static void kind__is_known__from_the_words(void **state)
{
	(void)state;
	assert_int_equal(kind_of("begin"), SQL_BEGIN);
	assert_int_equal(kind_of("BEGIN WORK"), SQL_BEGIN);
	assert_int_equal(kind_of("/*!40000 START TRANSACTION */"), SQL_BEGIN);
	assert_int_equal(kind_of("BEGIN NOT ATOMIC SELECT 1; END"), SQL_OTHER);
	assert_int_equal(kind_of("COMMIT WORK"), SQL_COMMIT);
	assert_int_equal(kind_of("COMMIT AND NO CHAIN NO RELEASE"), SQL_COMMIT);
	assert_int_equal(kind_of("COMMIT AND CHAIN"), SQL_CHAIN);
	assert_int_equal(kind_of("ROLLBACK RELEASE"), SQL_CHAIN);
	assert_int_equal(kind_of("ROLLBACK"), SQL_ROLLBACK);
	assert_int_equal(kind_of("ROLLBACK TO a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("RELEASE SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("XA START 'a'"), SQL_TWO_PHASE);
	assert_int_equal(kind_of("LOCK TABLES a WRITE"), SQL_LOCK);
	assert_int_equal(kind_of("UNLOCK TABLES"), SQL_LOCK);
	assert_int_equal(kind_of("FLUSH TABLES a WITH READ LOCK"), SQL_LOCK);
	assert_int_equal(kind_of("FLUSH STATUS"), SQL_OTHER);
	assert_int_equal(kind_of("USE other"), SQL_USE);
	assert_int_equal(kind_of("SET @a = 1, @@session.autocommit = 0"), SQL_AUTOCOMMIT);
	assert_int_equal(kind_of("SET NAMES utf8"), SQL_OTHER);
}

static void empty__is_false__for_executable_comments(void **state)
{
	(void)state;
	assert_true(sql_is_empty_for("mariadb", SV(" ;; -- a\n# b\n/* c */")));
	assert_false(sql_is_empty_for("mariadb", SV("/*!40101 SET NAMES utf8 */;")));
	assert_true(sql_is_empty_for("postgresql", SV("/* a /* b */ c */")));
	assert_true(sql_is_empty_for("sqlite", SV("/*!40101 SET NAMES utf8 */")));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(split__cuts_at_semicolons__in_plain_text),
		CASE(split__keeps_semicolons__in_strings_and_names),
		CASE(split__knows_comments__of_this_engine),
		CASE(split__takes_executable_comments__for_code),
		CASE(split__obeys__delimiter_lines),
		CASE(split__refuses__delimiters_that_are_none),
		CASE(body__is_followed__through_all_blocks),
		CASE(body__is_not_misled__by_functions_and_expressions),
		CASE(body__is_followed__in_the_dialect_of_oracle),
		CASE(body__is_read__as_mysqldump_writes_it),
		CASE(split__refuses__what_does_not_end),
		CASE(split__refuses__more_than_the_limits),
		CASE(split__counts_lines__to_the_first_word),
		CASE(kind__is_known__from_the_words),
		CASE(empty__is_false__for_executable_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
