/* SPDX-License-Identifier: MIT */
#include "core/base/json.h"

#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct err e;

static json_t *parse(const char *text)
{
	return json_parse(sv_of(text), "test", &e);
}

static void json_parse__names_place__when_text_is_bad(void **state)
{
	(void)state;
	assert_null(parse("{\"a\": 1,\n  oops}"));
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(e.msg, "cannot read test");
	assert_non_null(strstr(e.detail, "line 2, column "));
}

static void json_parse__refuses__what_is_not_one_document(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"[1,]",
		"{\"a\":1}x",
		"{\"a\":1}{\"a\":1}",
		"'a'",
		"{\"a\":1,\"a\":2}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\xff\"}",
		"{\"a\":99999999999999999999}",
		"[1] 2",
		"{\"a\":\"\\ud800\"}",
		"{\"a\":\"\n\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]))
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(e.code, ERR_INPUT);
	}
	/* The length counts, not a NUL. */
	assert_null(json_parse(sv_n("{}\0", 3), "test", &e));
}

static void json_parse__refuses__bottomless_nesting(void **state)
{
	static char deep[200001];

	(void)state;
	memset(deep, '[', sizeof(deep) - 1);
	assert_null(parse(deep));
	assert_int_equal(e.code, ERR_INPUT);
}

static void json_read_file__limits_and_names__the_file(void **state)
{
	char *dir = tmp_make(), *path = tmp_path(dir, "a.json");
	json_t *j;

	(void)state;
	tmp_write(dir, "a.json", "{\"n\": 5}");
	j = json_read_file(path, 8, &e);
	assert_non_null(j);
	assert_int_equal(json_int_opt(j, "n", 0), 5);
	json_decref(j);
	assert_null(json_read_file(path, 7, &e));
	assert_int_equal(e.code, ERR_LIMIT);
	assert_null(json_read_file("/nowhere/at/all", 7, &e));
	assert_int_equal(e.code, ERR_NOT_FOUND);
	tmp_write(dir, "a.json", "{");
	assert_null(json_read_file(path, 100, &e));
	assert_non_null(strstr(e.msg, path));
	free(path);
	tmp_remove(dir);
}

static void json_members__are_read__with_their_types(void **state)
{
	json_t *j = parse("{\"s\":\"x\",\"i\":-9223372036854775808,\"b\":true,\"f\":false}");
	const char *s = NULL;
	int64_t i = 0;
	bool b = false;

	(void)state;
	assert_non_null(j);
	assert_int_equal(json_str(j, "s", &s, &e), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_int(j, "i", &i, &e), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(json_bool(j, "b", &b, &e), 0);
	assert_true(b);
	assert_int_equal(json_bool(j, "f", &b, &e), 0);
	assert_false(b);
	json_decref(j);
}

static void json_members__fail_by_name_and_untouched__when_missing_or_wrong(void **state)
{
	json_t *j = parse("{\"s\":1,\"i\":1.5,\"b\":0,\"n\":null}");
	const char *s = "old";
	int64_t i = 7;
	bool b = true;

	(void)state;
	assert_non_null(j);
	assert_int_equal(json_str(j, "s", &s, &e), -1);
	assert_string_equal(e.msg, "member \"s\" is not a text");
	assert_int_equal(json_int(j, "i", &i, &e), -1);
	assert_string_equal(e.msg, "member \"i\" is not a whole number");
	assert_int_equal(json_bool(j, "b", &b, &e), -1);
	assert_string_equal(e.msg, "member \"b\" is not true or false");
	assert_int_equal(json_str(j, "n", &s, &e), -1);
	assert_int_equal(json_str(j, "x", &s, &e), -1);
	assert_string_equal(e.msg, "member \"x\" is missing");
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(s, "old");
	assert_int_equal(i, 7);
	assert_true(b);
	json_decref(j);
	/* Asking something that is no object is missing, not a crash. */
	j = parse("[1]");
	assert_int_equal(json_str(j, "x", &s, &e), -1);
	assert_int_equal(json_str(NULL, "x", &s, &e), -1);
	json_decref(j);
}

static void json_opt__gives_default__for_missing_and_null(void **state)
{
	json_t *j = parse("{\"n\":null,\"s\":\"x\",\"i\":3,\"b\":false}");

	(void)state;
	assert_string_equal(json_str_opt(j, "s", "d"), "x");
	assert_string_equal(json_str_opt(j, "n", "d"), "d");
	assert_null(json_str_opt(j, "x", NULL));
	assert_int_equal(json_int_opt(j, "i", 9), 3);
	assert_int_equal(json_int_opt(j, "n", 9), 9);
	assert_int_equal(json_int_opt(j, "s", 9), 9);
	assert_false(json_bool_opt(j, "b", true));
	assert_true(json_bool_opt(j, "x", true));
	json_decref(j);
}

static void json_write__keeps_order__compact_and_pretty(void **state)
{
	json_t *j = json_object();
	struct strbuf b;

	(void)state;
	json_put_str(j, "z", "a\"\n");
	json_put_int(j, "a", INT64_MAX);
	json_put_bool(j, "m", true);
	json_put_str(j, "n", NULL);
	json_put_str(j, "é", "漢");
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, ">");
	json_write(&b, j);
	assert_string_equal(b.data, ">{\"z\":\"a\\\"\\n\",\"a\":9223372036854775807,\"m\":true,"
				    "\"n\":null,\"é\":\"漢\"}");
	json_decref(j);
	j = json_object();
	json_put_int(j, "a", 1);
	strbuf_reset(&b);
	json_write_pretty(&b, j);
	assert_string_equal(b.data, "{\n  \"a\": 1\n}\n");
	strbuf_clear(&b);
	json_decref(j);
}

static void json_put_str__cleans__invalid_utf8(void **state)
{
	json_t *j = json_object();

	(void)state;
	json_put_str(j, "s", "a\xff\x1b");
	assert_string_equal(json_str_opt(j, "s", ""), "a\\xFF\\x1b");
	json_put_str(j, "s", "valid \x1b stays");
	assert_string_equal(json_str_opt(j, "s", ""), "valid \x1b stays");
	json_decref(j);
}

static void json_write__marks_overflow__when_the_buffer_is_small(void **state)
{
	json_t *j = parse("{\"a\":\"0123456789\"}");
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 8);
	json_write(&b, j);
	assert_false(strbuf_ok(&b));
	strbuf_clear(&b);
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_parse__names_place__when_text_is_bad),
		cmocka_unit_test(json_parse__refuses__what_is_not_one_document),
		cmocka_unit_test(json_parse__refuses__bottomless_nesting),
		cmocka_unit_test(json_read_file__limits_and_names__the_file),
		cmocka_unit_test(json_members__are_read__with_their_types),
		cmocka_unit_test(json_members__fail_by_name_and_untouched__when_missing_or_wrong),
		cmocka_unit_test(json_opt__gives_default__for_missing_and_null),
		cmocka_unit_test(json_write__keeps_order__compact_and_pretty),
		cmocka_unit_test(json_put_str__cleans__invalid_utf8),
		cmocka_unit_test(json_write__marks_overflow__when_the_buffer_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
