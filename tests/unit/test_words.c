/* SPDX-License-Identifier: MIT */
#include "core/base/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct err e;

/* The words with | between, or the error. */
static const char *split(const char *text)
{
	char **argv;
	struct strbuf out;
	const char *all;
	size_t n;

	if (words_split(&arena, text, &argv, &n, &e) != 0)
		return e.msg;
	assert_null(argv[n]);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&out, "%s%s", i == 0 ? "" : "|", argv[i]);
	all = arena_strdup(&arena, strbuf_str(&out));
	strbuf_clear(&out);
	return all;
}

static void words__are_refused__without_one_or_with_an_open_quote(void **state)
{
	(void)state;
	assert_string_equal(split(""), "a command has no words");
	assert_string_equal(split(" \t "), "a command has no words");
	assert_string_equal(split("a 'b"), "a quote in a command is not closed");
	assert_string_equal(split("a \"b'"), "a quote in a command is not closed");
}

static void words__are_cut_at_blanks__but_not_in_quotes(void **state)
{
	(void)state;
	assert_string_equal(split("python -m alembic"), "python|-m|alembic");
	assert_string_equal(split("  a\t b  "), "a|b");
	assert_string_equal(split("a 'b c' \"d e\"f''"), "a|b c|d ef");
	assert_string_equal(split("'' \"it's\""), "|it's");
}

static void words__mean_nothing_else__of_a_shell(void **state)
{
	(void)state;
	assert_string_equal(split("a $B `c` $(d) * ~ \\ ; | & > x #y"),
			    "a|$B|`c`|$(d)|*|~|\\|;|||&|>|x|#y");
}

static void words__have_a_limit(void **state)
{
	char text[2 * WORDS_MAX + 3];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'x' : ' ';
	text[2 * WORDS_MAX] = '\0';
	assert_int_equal(strlen(split(text)), 2 * WORDS_MAX - 1);
	text[2 * WORDS_MAX] = 'x';
	text[2 * WORDS_MAX + 1] = '\0';
	assert_string_equal(split(text), "a command has more than 64 words");
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words__are_refused__without_one_or_with_an_open_quote),
		cmocka_unit_test(words__are_cut_at_blanks__but_not_in_quotes),
		cmocka_unit_test(words__mean_nothing_else__of_a_shell),
		cmocka_unit_test(words__have_a_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
