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
	struct sql_list list;
	struct strbuf b;
	char *joined;

	if (sqlsplit(&arena, "sqlite", sv_of(text), &list, &e) != 0)
		return e.msg;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < list.n; i++) {
		if (i > 0)
			strbuf_addc(&b, '|');
		strbuf_addsv(&b, list.item[i].text);
	}
	joined = arena_strdup(&arena, strbuf_str(&b));
	strbuf_clear(&b);
	return joined;
}

static enum sql_kind kind_of(const char *text)
{
	struct sql_list list;

	assert_int_equal(sqlsplit(&arena, "sqlite", sv_of(text), &list, &e), 0);
	assert_int_equal(list.n, 1);
	return list.item[0].kind;
}

static void split__cuts_at_semicolons__in_plain_text(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1; SELECT 2 ;\n\tSELECT 3"),
			    "SELECT 1|SELECT 2|SELECT 3");
	assert_string_equal(split(""), "");
	assert_string_equal(split(" ;; ; \n"), "");
}

static void split__keeps_semicolons__in_strings_and_names(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 'a;b'; SELECT 1"), "SELECT 'a;b'|SELECT 1");
	assert_string_equal(split("SELECT 'it''s;'; SELECT 1"), "SELECT 'it''s;'|SELECT 1");
	assert_string_equal(split("SELECT \"a\"\";b\"; SELECT 1"), "SELECT \"a\"\";b\"|SELECT 1");
	assert_string_equal(split("SELECT `a;``b`; SELECT 1"), "SELECT `a;``b`|SELECT 1");
	assert_string_equal(split("SELECT [a;b]; SELECT 1"), "SELECT [a;b]|SELECT 1");
	/* A backslash is nothing special in SQL. */
	assert_string_equal(split("SELECT '\\'; SELECT 1"), "SELECT '\\'|SELECT 1");
}

static void split__drops_comments__around_statements_only(void **state)
{
	(void)state;
	assert_string_equal(split("-- a;b\nSELECT 1 -- it's\n; /* ; */ SELECT /* x; */ 2 /* y */"),
			    "SELECT 1|SELECT /* x; */ 2");
	assert_string_equal(split("-- nothing but this"), "");
	assert_string_equal(split("/* nothing */"), "");
	assert_string_equal(split("SELECT '-- no comment'; SELECT '/*'"),
			    "SELECT '-- no comment'|SELECT '/*'");
	assert_string_equal(split("SELECT 1 - -1; SELECT 4 / 2"), "SELECT 1 - -1|SELECT 4 / 2");
}

static void split__keeps_trigger_bodies__with_nested_cases(void **state)
{
	const char *trigger =
		"CREATE TRIGGER a AFTER UPDATE ON t WHEN CASE new.x WHEN 1 THEN 1 END\n"
		"BEGIN\n"
		" UPDATE t SET x = CASE WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END ELSE 4 END;\n"
		" SELECT 'END;'; -- END;\n"
		"END";
	char text[600];

	(void)state;
	snprintf(text, sizeof(text), "%s; SELECT 1", trigger);
	assert_string_equal(split(text), arena_printf(&arena, "%s|SELECT 1", trigger));
	assert_string_equal(split(trigger), trigger);
}

static void split__knows_triggers__in_every_spelling(void **state)
{
	(void)state;
	assert_string_equal(
		split("create temp trigger a delete on t begin select 1; end; select 2"),
		"create temp trigger a delete on t begin select 1; end|select 2");
	assert_string_equal(split("CREATE TEMPORARY TRIGGER IF NOT EXISTS a DELETE ON t BEGIN\n"
				  "SELECT 1;/**/END/**/;SELECT 2"),
			    "CREATE TEMPORARY TRIGGER IF NOT EXISTS a DELETE ON t BEGIN\n"
			    "SELECT 1;/**/END|SELECT 2");
	assert_string_equal(
		split("EXPLAIN CREATE TRIGGER a DELETE ON t BEGIN SELECT 1; END; SELECT 2"),
		"EXPLAIN CREATE TRIGGER a DELETE ON t BEGIN SELECT 1; END|SELECT 2");
	/* A table may be called trigger, and a statement may begin with END. */
	assert_string_equal(split("CREATE TABLE trigger (begin); SELECT 1; END; SELECT 2"),
			    "CREATE TABLE trigger (begin)|SELECT 1|END|SELECT 2");
	/* Without its BEGIN it is only a mistake, not the rest of the file. */
	assert_string_equal(split("CREATE TRIGGER a; SELECT 1"), "CREATE TRIGGER a|SELECT 1");
}

static void split__is_not_misled__by_columns_called_end(void **state)
{
	const char *trigger = "CREATE TRIGGER a DELETE ON t BEGIN UPDATE t SET end = 1, begin = 2; "
			      "SELECT end FROM t; END";

	(void)state;
	assert_string_equal(split(trigger), trigger);
}

static void split__refuses__what_does_not_end(void **state)
{
	(void)state;
	assert_string_equal(split("SELECT 1;\n\nSELECT 'a\nb"), "line 3: string does not end");
	assert_string_equal(split("SELECT \"a"), "line 1: quoted name does not end");
	assert_string_equal(split("SELECT [a"), "line 1: quoted name does not end");
	assert_string_equal(split("SELECT 1;\n /* a"), "line 2: comment does not end");
	assert_string_equal(split("\nCREATE TRIGGER a DELETE ON t BEGIN SELECT 1;\nSELECT 2;\n"),
			    "line 2: trigger does not end");
	assert_int_equal(e.code, ERR_INPUT);
}

static void split__refuses__nul_bytes(void **state)
{
	struct sql_list list = { .n = 7 };

	(void)state;
	assert_int_equal(sqlsplit(&arena, "sqlite", SV("SELECT 1;\n\0SELECT 2"), &list, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.msg, "line 2: NUL byte in SQL text");
	assert_int_equal(list.n, 7);
	assert_int_equal(sqlsplit(&arena, "sqlite", SV("SELECT '\0'"), &list, &e), -1);
	assert_string_equal(e.msg, "line 1: NUL byte in SQL text");
	assert_int_equal(sqlsplit(&arena, "sqlite", SV("SELECT 1;\n--\n/*\0*/"), &list, &e), -1);
	assert_string_equal(e.msg, "line 3: NUL byte in SQL text");
}

static void split__refuses__an_engine_it_does_not_know(void **state)
{
	struct sql_list list;

	(void)state;
	assert_int_equal(sqlsplit(&arena, "oracle", SV("SELECT 1"), &list, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
}

static void split__refuses__more_statements_than_the_limit(void **state)
{
	struct strbuf b;
	struct sql_list list;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < SQL_STATEMENTS_MAX; i++)
		strbuf_adds(&b, "a;");
	assert_int_equal(sqlsplit(&arena, "sqlite", strbuf_sv(&b), &list, &e), 0);
	assert_int_equal(list.n, SQL_STATEMENTS_MAX);
	strbuf_adds(&b, "\nb");
	assert_int_equal(sqlsplit(&arena, "sqlite", strbuf_sv(&b), &list, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&b);
}

static void split__counts_lines__to_the_first_word(void **state)
{
	struct sql_list list;

	(void)state;
	assert_int_equal(sqlsplit(&arena, "sqlite",
				  SV("\n-- c\nSELECT\n1;\r\n/*\n*/ SELECT 2; SELECT 3"), &list, &e),
			 0);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.item[0].line, 3);
	assert_int_equal(list.item[1].line, 6);
	assert_int_equal(list.item[2].line, 6);
}

static void split__takes__a_byte_order_mark_and_crlf(void **state)
{
	(void)state;
	assert_string_equal(split("\xEF\xBB\xBF"
				  "SELECT 1;\r\nSELECT 2\r\n"),
			    "SELECT 1|SELECT 2");
	assert_string_equal(split("\xEF\xBB\xBF"), "");
}

static void kind__is_known__from_the_first_words(void **state)
{
	(void)state;
	assert_int_equal(kind_of("begin"), SQL_BEGIN);
	assert_int_equal(kind_of("BEGIN IMMEDIATE TRANSACTION;"), SQL_BEGIN);
	assert_int_equal(kind_of("/* x */ Commit"), SQL_COMMIT);
	assert_int_equal(kind_of("END TRANSACTION"), SQL_COMMIT);
	assert_int_equal(kind_of("ROLLBACK"), SQL_ROLLBACK);
	assert_int_equal(kind_of("ROLLBACK TRANSACTION"), SQL_ROLLBACK);
	assert_int_equal(kind_of("ROLLBACK TO a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("ROLLBACK /**/ TRANSACTION TO SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("SAVEPOINT a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("RELEASE a"), SQL_SAVEPOINT);
	assert_int_equal(kind_of("PRAGMA foreign_keys=off"), SQL_PRAGMA);
	assert_int_equal(kind_of("ATTACH 'a' AS b"), SQL_ATTACH);
	assert_int_equal(kind_of("DETACH b"), SQL_ATTACH);
	assert_int_equal(kind_of("VACUUM"), SQL_VACUUM);
	assert_int_equal(kind_of("BEGINNER"), SQL_OTHER);
	assert_int_equal(kind_of("\"BEGIN\""), SQL_OTHER);
	assert_int_equal(kind_of("CREATE TABLE a (b)"), SQL_OTHER);
}

static void empty__is_true__for_blanks_and_comments_alone(void **state)
{
	(void)state;
	assert_true(sql_is_empty(SV("")));
	assert_true(sql_is_empty((struct sv){ NULL, 0 }));
	assert_true(sql_is_empty(SV(" \t\r\n;; -- a\n/* b */")));
	assert_false(sql_is_empty(SV("-- a\nx")));
	assert_false(sql_is_empty(SV("'")));
	assert_false(sql_is_empty(SV("/* open")));
}

static void same__ignores__blanks_and_comments_only(void **state)
{
	(void)state;
	assert_true(sql_same_but_comments(SV("SELECT 1;"), SV("SELECT\n\t1 -- one\n;")));
	assert_true(sql_same_but_comments(SV("a>=b"), SV("a >= b")));
	assert_false(sql_same_but_comments(SV("SELECT 1;"), SV("SELECT 2;")));
	assert_false(sql_same_but_comments(SV("SELECT 1"), SV("select 1")));
	assert_false(sql_same_but_comments(SV("SELECT 'a b'"), SV("SELECT 'a  b'")));
	assert_false(sql_same_but_comments(SV("a >= b"), SV("a > = b")));
	assert_false(sql_same_but_comments(SV("ab"), SV("a b")));
	assert_false(sql_same_but_comments(SV("SELECT 1"), SV("SELECT 1; SELECT 2")));
	assert_true(sql_same_but_comments(SV("x 'open"), SV("x 'open")));
	assert_false(sql_same_but_comments(SV("x 'open"), SV("x 'other")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(split__cuts_at_semicolons__in_plain_text, setup,
						teardown),
		cmocka_unit_test_setup_teardown(split__keeps_semicolons__in_strings_and_names,
						setup, teardown),
		cmocka_unit_test_setup_teardown(split__drops_comments__around_statements_only,
						setup, teardown),
		cmocka_unit_test_setup_teardown(split__keeps_trigger_bodies__with_nested_cases,
						setup, teardown),
		cmocka_unit_test_setup_teardown(split__knows_triggers__in_every_spelling, setup,
						teardown),
		cmocka_unit_test_setup_teardown(split__is_not_misled__by_columns_called_end, setup,
						teardown),
		cmocka_unit_test_setup_teardown(split__refuses__what_does_not_end, setup, teardown),
		cmocka_unit_test_setup_teardown(split__refuses__nul_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(split__refuses__an_engine_it_does_not_know, setup,
						teardown),
		cmocka_unit_test_setup_teardown(split__refuses__more_statements_than_the_limit,
						setup, teardown),
		cmocka_unit_test_setup_teardown(split__counts_lines__to_the_first_word, setup,
						teardown),
		cmocka_unit_test_setup_teardown(split__takes__a_byte_order_mark_and_crlf, setup,
						teardown),
		cmocka_unit_test_setup_teardown(kind__is_known__from_the_first_words, setup,
						teardown),
		cmocka_unit_test_setup_teardown(empty__is_true__for_blanks_and_comments_alone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(same__ignores__blanks_and_comments_only, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
