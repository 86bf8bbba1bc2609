/* SPDX-License-Identifier: MIT */
#include "core/db/sqlsplit.h"

#include "core/db/sqlsplit_lex.h"

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

	if (sqlsplit(&arena, "postgresql", sv_of(text), &list, &e) != 0)
		return e.msg;
	for (size_t i = 0; i < list.n; i++)
		joined = arena_printf(&arena, "%s%s%.*s", joined, i > 0 ? "|" : "",
				      (int)list.item[i].text.n, list.item[i].text.p);
	return joined;
}

/* text splits so by the parser, and so by the scanner, which reads it because of a wrong statement
 * at its end. */
static void splits(const char *text, const char *want)
{
	const char *wrong = arena_printf(&arena, "%s\n;this is ] not SQL", text);

	assert_string_equal(split(text), want);
	if (!list.parsed)
		fail_msg("not parsed: %s", text);
	assert_string_equal(split(wrong), arena_printf(&arena, "%s%sthis is ] not SQL", want,
						       want[0] != '\0' ? "|" : ""));
	assert_false(list.parsed);
}

static void split__cuts_at_semicolons__in_plain_text(void **state)
{
	(void)state;
	splits("SELECT 1; SELECT 2 ;\n\tSELECT 3", "SELECT 1|SELECT 2|SELECT 3");
	splits("SELECT 1;", "SELECT 1");
	splits("", "");
	splits(" ;; ; \n-- a\n/* b */", "");
	splits("-- a;b\nSELECT 1 -- it's\n; /* ; */ SELECT /* x; */ 2 /* y */",
	       "SELECT 1|SELECT /* x; */ 2");
	splits("SELECT 1 -- last\n", "SELECT 1");
}

static void split__keeps_semicolons__in_strings_and_names(void **state)
{
	(void)state;
	splits("SELECT 'a;''b'; SELECT 1", "SELECT 'a;''b'|SELECT 1");
	splits("SELECT '\\'; SELECT 1", "SELECT '\\'|SELECT 1");
	splits("SELECT E'\\';'; SELECT e'\\\\'; SELECT 1",
	       "SELECT E'\\';'|SELECT e'\\\\'|SELECT 1");
	splits("SELECT E'a'\n 'b\\';'; SELECT 1", "SELECT E'a'\n 'b\\';'|SELECT 1");
	/* The server takes this, libpg_query does not. */
	assert_string_equal(split("SELECT E'a' -- c\n 'b\\';'; SELECT E'a' 'b\\'"),
			    "SELECT E'a' -- c\n 'b\\';'|SELECT E'a' 'b\\'");
	splits("SELECT U&'\\0061;', U&\"d;\" FROM t AS U&\"d;\"; SELECT B'1', N'x;'",
	       "SELECT U&'\\0061;', U&\"d;\" FROM t AS U&\"d;\"|SELECT B'1', N'x;'");
	splits("SELECT 1 AS \"a\"\";b\"; SELECT 2 AS e", "SELECT 1 AS \"a\"\";b\"|SELECT 2 AS e");
	splits("SELECT a['1;'::int] FROM t; SELECT 1", "SELECT a['1;'::int] FROM t|SELECT 1");
}

static void split__keeps_dollar_quotes__with_any_tag(void **state)
{
	(void)state;
	splits("DO $$ BEGIN PERFORM 1; END $$; SELECT 1", "DO $$ BEGIN PERFORM 1; END $$|SELECT 1");
	splits("DO $a$ BEGIN EXECUTE $$ SELECT ';'; $$; $b$ $ a$; $b$ END $a$; SELECT 1",
	       "DO $a$ BEGIN EXECUTE $$ SELECT ';'; $$; $b$ $ a$; $b$ END $a$|SELECT 1");
	splits("SELECT $\xC3\xA4$;$\xC3\xA4$; SELECT 1", "SELECT $\xC3\xA4$;$\xC3\xA4$|SELECT 1");
	splits("SELECT $a$ it's $A$ ; $a$; SELECT 1", "SELECT $a$ it's $A$ ; $a$|SELECT 1");
	/* In a name a dollar is a letter, and $1 is a parameter. */
	splits("SELECT a$b$ FROM t; SELECT c$b$ FROM t", "SELECT a$b$ FROM t|SELECT c$b$ FROM t");
	splits("PREPARE p AS SELECT $1; SELECT $2", "PREPARE p AS SELECT $1|SELECT $2");
}

static void split__counts__nested_comments(void **state)
{
	(void)state;
	splits("/* a /* b; */ c; */ SELECT 1; SELECT /*/**/;*/ 2", "SELECT 1|SELECT /*/**/;*/ 2");
}

static void split__is_quick__with_deep_comments(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 200000; i++)
		strbuf_adds(&b, "/*");
	/* The parser would take minutes for either. */
	assert_int_equal(sqlsplit(&arena, "postgresql", strbuf_sv(&b), &list, &e), -1);
	for (int i = 0; i < 200000; i++)
		strbuf_adds(&b, "*/");
	strbuf_adds(&b, "SELECT 1");
	assert_int_equal(sqlsplit(&arena, "postgresql", strbuf_sv(&b), &list, &e), 0);
	assert_int_equal(list.n, 1);
	assert_false(list.parsed);
	strbuf_clear(&b);
}

static void split__keeps_rules_and_atomic_bodies__whole(void **state)
{
	(void)state;
	splits("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b); SELECT 1",
	       "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)|SELECT 1");
	splits("CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
	       "SELECT CASE WHEN a = 1 THEN CASE a WHEN 2 THEN 3 END ELSE 4 END; SELECT 2; END;\n"
	       "SELECT 1",
	       "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
	       "SELECT CASE WHEN a = 1 THEN CASE a WHEN 2 THEN 3 END ELSE 4 END; SELECT 2; END|"
	       "SELECT 1");
	splits("CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END; COMMIT",
	       "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END|COMMIT");
	splits("BEGIN; CREATE FUNCTION f() RETURNS int AS 'SELECT 1;' LANGUAGE sql; END",
	       "BEGIN|CREATE FUNCTION f() RETURNS int AS 'SELECT 1;' LANGUAGE sql|END");
}

static void split__refuses__what_does_not_end(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1;\n\nSELECT 'a\nb"), "line 3: string does not end");
	assert_string_equal(split("SELECT E'a\\'"), "line 1: string does not end");
	assert_string_equal(split("SELECT \"a"), "line 1: quoted name does not end");
	assert_string_equal(split("SELECT 1;\n /* a /* b */"), "line 2: comment does not end");
	assert_string_equal(split("\nDO $a$ SELECT 1;\n$b$"), "line 2: dollar quote does not end");
	assert_int_equal(e.code, ERR_INPUT);
}

static void split__refuses__commands_of_psql(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1;\n\\connect other\nSELECT 2;"),
			    "line 2: command of psql in SQL text");
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.detail, "\\connect");
	assert_true(e.hint[0] != '\0');
	assert_string_equal(split("\\i a.sql"), "line 1: command of psql in SQL text");
	assert_string_equal(split("SELECT 1 \\gexec"), "line 1: command of psql in SQL text");
	assert_string_equal(split("\\"), "line 1: command of psql in SQL text");
	splits("SELECT '\\d'; DO $$ \\d $$", "SELECT '\\d'|DO $$ \\d $$");
}

static void split__refuses__copy_with_the_client(void **state)
{
	const char *want = "line 2: COPY between a table and the client";

	(void)state;
	/* What is behind it is no SQL and may be anything. */
	assert_string_equal(split("SELECT 1;\nCOPY t (a) FROM stdin;\n1\tit's\n\\.\nSELECT 2;"),
			    want);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(split("\nCOPY t FROM STDIN WITH (FORMAT csv);"), want);
	assert_string_equal(split("\nCOPY (SELECT 1) TO STDOUT"), want);
	splits("COPY t FROM '/srv/stdin.csv'; SELECT 1", "COPY t FROM '/srv/stdin.csv'|SELECT 1");
}

static void split__refuses__nul_bytes(void **state)
{
	(void)state;
	assert_int_equal(sqlsplit(&arena, "postgresql", SV("SELECT 1;\n\0SELECT 2"), &list, &e),
			 -1);
	assert_string_equal(e.msg, "line 2: NUL byte in SQL text");
}

static void split__counts_lines__to_the_first_word(void **state)
{
	static const char *const text[] = {
		"\xEF\xBB\xBF\n-- c\nSELECT\n1;\n/*\n*/ DO $$\n\n$$; SELECT 3;\n\nSELECT 4",
		"\xEF\xBB\xBF\n-- c\nSELECT\n1;\n/*\n*/ DO $$\n\n$$; SELECT 3;\n\nSELECT 4; ]",
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		split(text[i]);
		assert_int_equal(list.n, 4 + i);
		assert_int_equal(list.parsed, i == 0);
		assert_int_equal(list.item[0].line, 3);
		assert_int_equal(list.item[1].line, 6);
		assert_int_equal(list.item[2].line, 8);
		assert_int_equal(list.item[3].line, 10);
		assert_ptr_equal(list.item[0].text.p, text[i] + 9);
	}
}

static void split__takes__more_than_the_parser_does(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	while (b.len <= SQL_PARSER_BYTES_MAX)
		strbuf_adds(&b,
			    "SELECT 'it is a rather long line of text for a statement; 123';\n");
	assert_int_equal(sqlsplit(&arena, "postgresql", strbuf_sv(&b), &list, &e), 0);
	assert_false(list.parsed);
	assert_int_equal(list.n, b.len / 64);
	strbuf_clear(&b);
}

static void split__refuses__more_statements_than_the_limit(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < SQL_STATEMENTS_MAX; i++)
		strbuf_adds(&b, "TABLE a;");
	assert_int_equal(sqlsplit(&arena, "postgresql", strbuf_sv(&b), &list, &e), 0);
	assert_int_equal(list.n, SQL_STATEMENTS_MAX);
	assert_true(list.parsed);
	strbuf_adds(&b, "\nTABLE a");
	assert_int_equal(sqlsplit(&arena, "postgresql", strbuf_sv(&b), &list, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&b);
}

static enum sql_kind kind_of(const char *text)
{
	assert_int_equal(sqlsplit(&arena, "postgresql", sv_of(text), &list, &e), 0);
	assert_int_equal(list.n, 1);
	return list.item[0].kind;
}

static void kind__is_known__from_the_first_words(void **state)
{
	(void)state;
	assert_int_equal(kind_of("begin"), SQL_BEGIN);
	assert_int_equal(kind_of("START TRANSACTION READ WRITE"), SQL_BEGIN);
	assert_int_equal(kind_of("/* x */ Commit work"), SQL_COMMIT);
	assert_int_equal(kind_of("END TRANSACTION"), SQL_COMMIT);
	assert_int_equal(kind_of("COMMIT AND NO CHAIN"), SQL_COMMIT);
	assert_int_equal(kind_of("COMMIT AND CHAIN"), SQL_CHAIN);
	assert_int_equal(kind_of("ROLLBACK TRANSACTION AND CHAIN"), SQL_CHAIN);
	assert_int_equal(kind_of("ROLLBACK"), SQL_ROLLBACK);
	assert_int_equal(kind_of("ABORT"), SQL_ROLLBACK);
	assert_int_equal(kind_of("ROLLBACK WORK TO SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("RELEASE a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("PREPARE TRANSACTION 'a'"), SQL_TWO_PHASE);
	assert_int_equal(kind_of("COMMIT PREPARED 'a'"), SQL_TWO_PHASE);
	assert_int_equal(kind_of("ROLLBACK PREPARED 'a'"), SQL_TWO_PHASE);
	assert_int_equal(kind_of("PREPARE a AS SELECT 1"), SQL_OTHER);
	assert_int_equal(kind_of("VACUUM FULL t"), SQL_VACUUM);
	assert_int_equal(kind_of("CREATE TABLE begin (a int)"), SQL_OTHER);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(split__cuts_at_semicolons__in_plain_text),
		CASE(split__keeps_semicolons__in_strings_and_names),
		CASE(split__keeps_dollar_quotes__with_any_tag),
		CASE(split__counts__nested_comments),
		CASE(split__is_quick__with_deep_comments),
		CASE(split__keeps_rules_and_atomic_bodies__whole),
		CASE(split__refuses__what_does_not_end),
		CASE(split__refuses__commands_of_psql),
		CASE(split__refuses__copy_with_the_client),
		CASE(split__refuses__nul_bytes),
		CASE(split__counts_lines__to_the_first_word),
		CASE(split__takes__more_than_the_parser_does),
		CASE(split__refuses__more_statements_than_the_limit),
		CASE(kind__is_known__from_the_first_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
