/* SPDX-License-Identifier: MIT */
#include "config/dotenv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

/* "NAME=value|…", or the error. */
static const char *read_all(const char *text)
{
	struct env_var *var;
	struct strbuf out;
	const char *all;
	size_t n;

	if (dotenv_parse(&arena, sv_of(text), &var, &n, &e) != 0)
		return e.msg;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&out, "%s%s=%s", i == 0 ? "" : "|", var[i].name, var[i].value);
	all = arena_strdup(&arena, strbuf_str(&out));
	strbuf_clear(&out);
	return all;
}

static void dotenv__names_the_line__and_not_what_is_in_it(void **state)
{
	static const char *const cases[][2] = {
		{ "A=1\nCANARY here", "line 2: neither NAME=VALUE nor a comment" },
		{ "=CANARY", "line 1: neither NAME=VALUE nor a comment" },
		{ "1A=CANARY", "line 1: neither NAME=VALUE nor a comment" },
		{ "A: CANARY", "line 1: neither NAME=VALUE nor a comment" },
		{ "A-B=CANARY", "line 1: neither NAME=VALUE nor a comment" },
		{ "\n\nA=\"CANARY\nB=1\n", "line 3: a quote that is not closed" },
		{ "A='CANARY", "line 1: a quote that is not closed" },
		{ "A=\"CANARY\\\"", "line 1: a quote that is not closed" },
		{ "A='x' CANARY", "line 1: text behind the closing quote" },
		{ "A=\xff"
		  "CANARY",
		  "line 1: a value that is not text in UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(read_all(cases[i][0]), cases[i][1]);
		assert_int_equal(e.code, ERR_INPUT);
		assert_null(strstr(e.detail, "CANARY"));
		assert_null(strstr(e.hint, "CANARY"));
	}
}

static void dotenv__refuses__a_nul_byte(void **state)
{
	struct env_var *var;
	size_t n;

	(void)state;
	assert_int_equal(dotenv_parse(&arena, SV("A=x\0y\n"), &var, &n, &e), -1);
	assert_int_equal(dotenv_parse(&arena, SV("A=\"x\\\0y\"\n"), &var, &n, &e), -1);
}

static void dotenv__has_limits__of_bytes_and_variables(void **state)
{
	struct env_var *var;
	struct strbuf text;
	size_t n;

	(void)state;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	for (int i = 0; i < DOTENV_VARS_MAX; i++)
		strbuf_adds(&text, "A=1\n");
	assert_int_equal(dotenv_parse(&arena, strbuf_sv(&text), &var, &n, &e), 0);
	assert_int_equal(n, DOTENV_VARS_MAX);
	strbuf_adds(&text, "A=1\n");
	assert_int_equal(dotenv_parse(&arena, strbuf_sv(&text), &var, &n, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_pad(&text, '#', DOTENV_FILE_MAX);
	assert_int_equal(dotenv_parse(&arena, strbuf_sv(&text), &var, &n, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&text);
}

static void dotenv__takes__what_applications_write(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "# only\n\n  # comments\n", "" },
		{ "A=1\nB=2", "A=1|B=2" },
		{ "\xef\xbb\xbf"
		  "A=1\r\nB=2\r\n",
		  "A=1|B=2" },
		{ "export A=1\nexport\tB = 2 \n", "A=1|B=2" },
		{ "export=1\n", "export=1" },
		{ "A=\nB=''\nC=\"\"\n", "A=|B=|C=" },
		{ "A=b c # d\nB=b#c\nC=#x\n", "A=b c|B=b#c|C=" },
		{ "A='b # \"c\" \\n $D' # x\n", "A=b # \"c\" \\n $D" },
		{ "A=\"b\\tc\\\"d\\\\e\\$f\\q\"\n", "A=b\tc\"d\\e$f\\q" },
		{ "A=\"one\ntwo\"\nB=3\n", "A=one\ntwo|B=3" },
		{ "A=$B ${C} `d` $(e)\n", "A=$B ${C} `d` $(e)" },
		{ "A=x=y\n", "A=x=y" },
		{ "PATH\nexport HOME\nA=1\n", "A=1" },
		{ "A=1\nA=2\n", "A=1|A=2" },
		{ "a.b_C9=1\n", "a.b_C9=1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(read_all(cases[i][0]), cases[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dotenv__names_the_line__and_not_what_is_in_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(dotenv__refuses__a_nul_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(dotenv__has_limits__of_bytes_and_variables, setup,
						teardown),
		cmocka_unit_test_setup_teardown(dotenv__takes__what_applications_write, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
