/* SPDX-License-Identifier: MIT */
/*
 * Texts in, texts without secrets out. HIDDEN is what must be gone in every case, whatever stands in
 * its place; the texts of the second list must come out as they are.
 */
#include "core/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/log.h"
#include "tests/support/tmp.h"

static int teardown(void **state)
{
	(void)state;
	secret_forget();
	return 0;
}

static bool redacted(const char *text, const char *want)
{
	struct strbuf b;
	bool any;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, text);
	any = secret_redact(&b);
	assert_string_equal(strbuf_str(&b), want);
	assert_false(any && strstr(want, SECRET_SHOWN) == NULL);
	strbuf_clear(&b);
	return any;
}

static void redact__takes_out_known_values__wherever_they_stand(void **state)
{
	(void)state;
	secret_know("hunter2");
	secret_know("hunter2-long");
	secret_know("hunter2");
	assert_true(redacted("hunter2", "***"));
	assert_true(redacted("xhunter2y hunter2-longz", "x***y ***z"));
	assert_true(redacted("{\"a\":\"hunter2\"}", "{\"a\":\"***\"}"));
	assert_false(redacted("", ""));
	secret_forget();
	assert_false(redacted("hunter2", "hunter2"));
}

static void redact__passes_over_values__that_are_short(void **state)
{
	(void)state;
	secret_know(NULL);
	secret_know("");
	secret_know("abc");
	assert_false(redacted("abcabc", "abcabc"));
}

static void redact__takes_the_beginning_of_a_value__at_the_end_of_a_cut_text(void **state)
{
	(void)state;
	secret_know("correct horse");
	assert_true(redacted("says: correct\xe2\x80\xa6", "says: ***"));
	assert_false(redacted("says: cor\xe2\x80\xa6", "says: cor\xe2\x80\xa6"));
	assert_false(redacted("says: correct", "says: correct"));
	assert_false(redacted("correct answer", "correct answer"));
}

static void redact__takes_out_what_patterns_say__of_sql_and_settings(void **state)
{
	static const char *const cases[][2] = {
		{ "CREATE USER a IDENTIFIED BY 'HIDDEN'", "CREATE USER a IDENTIFIED BY '***'" },
		{ "identified  by \"HIDDEN\" x", "identified  by \"***\" x" },
		{ "IDENTIFIED BY PASSWORD 'HIDDEN', b IDENTIFIED BY 'HIDDEN'",
		  "IDENTIFIED BY PASSWORD '***', b IDENTIFIED BY '***'" },
		{ "IDENTIFIED VIA mysql_native_password USING PASSWORD('HIDDEN') OR unix_socket",
		  "IDENTIFIED VIA mysql_native_password USING PASSWORD('***') OR unix_socket" },
		{ "IDENTIFIED WITH 'plugin' AS 'HIDDEN'", "IDENTIFIED WITH '***' AS '***'" },
		{ "IDENTIFIED BY 'it''s HIDDEN'", "IDENTIFIED BY '***'" },
		{ "IDENTIFIED BY 'it\\'s HIDDEN' x", "IDENTIFIED BY '***' x" },
		{ "IDENTIFIED BY 'HIDDEN", "IDENTIFIED BY '***" },
		{ "ALTER ROLE a PASSWORD 'HIDDEN' VALID", "ALTER ROLE a PASSWORD '***' VALID" },
		{ "ENCRYPTED PASSWORD\nE'HIDDEN';", "ENCRYPTED PASSWORD\nE'***';" },
		{ "PASSWORD $x$HIDDEN$x$;", "PASSWORD $x$***$x$;" },
		{ "SET PASSWORD FOR a = PASSWORD('HIDDEN')",
		  "SET PASSWORD FOR a = PASSWORD('***')" },
		{ "SET PASSWORD = 'HIDDEN'", "SET PASSWORD = '***'" },
		{ "password=HIDDEN host=x", "password=*** host=x" },
		{ "DB_PASSWORD=HIDDEN\nA=b", "DB_PASSWORD=***\nA=b" },
		{ "passwd = HIDDEN;", "passwd = ***;" },
		{ "{\"password\": \"HIDDEN\"}", "{\"password\": \"***\"}" },
		{ "?password=HIDDEN&x=1", "?password=***&x=1" },
		{ "to postgresql://app:HIDDEN@db2/shop", "to postgresql://app:***@db2/shop" },
		{ "mariadb://app:HID@DEN@db2", "mariadb://app:***@db2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(redacted(cases[i][0], cases[i][1]));
		/* Once more changes nothing. */
		redacted(cases[i][1], cases[i][1]);
	}
}

static void redact__leaves_alone__what_is_no_secret(void **state)
{
	static const char *const cases[] = {
		"write password = env:NAME, file:PATH, cmd:WORDS or ask",
		"password = ${DB_PASSWORD}",
		"password = ask",
		"password=\xe2\x80\xa6",
		"Access denied for user 'app'@'localhost' (using password: YES)",
		"cannot read the password: Permission denied",
		"password_hash = 'x'",
		"\"password_from\":\"env:NAME\"",
		"a migration is identified by its number, not by 'name'",
		"http://host:80/a@b",
		"postgresql://app@db2:5432/shop",
		"PASSWORD ''",
		"password",
		"identified",
		"://",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_false(redacted(cases[i], cases[i]));
}

static void redact__cleans_every_part__of_an_error(void **state)
{
	struct err e;

	(void)state;
	secret_know("hunter2");
	err_set(&e, ERR_DB, "cannot say hunter2");
	err_detail(&e, "near IDENTIFIED BY 'x1'");
	err_hint(&e, "export X=hunter2");
	secret_redact_err(&e);
	assert_string_equal(e.msg, "cannot say ***");
	assert_string_equal(e.detail, "near IDENTIFIED BY '***'");
	assert_string_equal(e.hint, "export X=***");
	assert_int_equal(e.code, ERR_DB);
}

static void log__has_no_secret__of_those_known(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "log"), *text;
	struct err e;

	(void)state;
	secret_know("hunter2");
	assert_int_equal(log_open(path, &e), 0);
	log_line("the server said: %s, password=%s", "hunter2", "other");
	log_close();
	text = tmp_read(dir, "log");
	assert_non_null(strstr(text, "the server said: ***, password=***\n"));
	free(text);
	mem_free(path);
	tmp_remove(dir);
}

static void secret__holds_a_copy__until_it_is_cleared(void **state)
{
	char from[] = "hunter2";
	struct secret s = { NULL, 0 };

	(void)state;
	secret_set(&s, sv_of(from));
	memset(from, 'x', sizeof(from) - 1);
	assert_string_equal(s.text, "hunter2");
	assert_int_equal(s.n, 7);
	secret_set(&s, sv_n(NULL, 0));
	assert_string_equal(s.text, "");
	secret_clear(&s);
	assert_null(s.text);
	secret_clear(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(redact__takes_out_known_values__wherever_they_stand,
					  teardown),
		cmocka_unit_test_teardown(redact__passes_over_values__that_are_short, teardown),
		cmocka_unit_test_teardown(
			redact__takes_the_beginning_of_a_value__at_the_end_of_a_cut_text, teardown),
		cmocka_unit_test_teardown(redact__takes_out_what_patterns_say__of_sql_and_settings,
					  teardown),
		cmocka_unit_test_teardown(redact__leaves_alone__what_is_no_secret, teardown),
		cmocka_unit_test_teardown(redact__cleans_every_part__of_an_error, teardown),
		cmocka_unit_test_teardown(log__has_no_secret__of_those_known, teardown),
		cmocka_unit_test_teardown(secret__holds_a_copy__until_it_is_cleared, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
