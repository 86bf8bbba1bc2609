/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/print.h"
#include "core/base/str.h"

/* Parses words that are separated by blanks. */
static int parse(const char *line, struct args *a, struct err *e)
{
	static char text[1000];
	char *argv[128] = { (char *)"bascule" }, *save = NULL, *word;
	int n = 1;

	str_copy(text, sizeof(text), line);
	for (word = strtok_r(text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	return args_parse(n, argv, a, e);
}

static void args__takes_options_anywhere__and_words_in_order(void **state)
{
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse("-c x.ini migrate --to 0003 staging --wait --json", &a, &e), 0);
	assert_string_equal(a.value[OPT_CONFIG], "x.ini");
	assert_string_equal(a.value[OPT_TO], "0003");
	assert_true(args_has(&a, OPT_JSON));
	assert_true(args_has(&a, OPT_WAIT));
	assert_null(a.value[OPT_WAIT]);
	assert_false(args_has(&a, OPT_YES));
	assert_int_equal(a.n_word, 2);
	assert_string_equal(a.word[0], "migrate");
	assert_string_equal(a.word[1], "staging");
}

static void args__takes_values__behind_an_equals_sign(void **state)
{
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse("migrate --wait=5m --to=a=b --confirm=", &a, &e), 0);
	assert_string_equal(a.value[OPT_WAIT], "5m");
	assert_string_equal(a.value[OPT_TO], "a=b");
	assert_string_equal(a.value[OPT_CONFIRM], "");
}

static void args__does_not_take_the_next_word__for_an_optional_value(void **state)
{
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse("migrate --wait staging", &a, &e), 0);
	assert_int_equal(a.n_word, 2);
}

static void args__are_words_only__behind_two_dashes(void **state)
{
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse("new -- --json -", &a, &e), 0);
	assert_int_equal(a.n_word, 3);
	assert_string_equal(a.word[1], "--json");
	assert_false(args_has(&a, OPT_JSON));
}

static void args__collects_overrides__up_to_a_limit(void **state)
{
	struct strbuf line;
	struct args a;
	struct err e;
	int i;

	(void)state;
	assert_int_equal(parse("migrate --override a --override=b", &a, &e), 0);
	assert_int_equal(a.n_override, 2);
	assert_string_equal(a.override[1], "b");
	strbuf_init(&line, STRBUF_NO_LIMIT);
	for (i = 0; i <= ARGS_OVERRIDES_MAX; i++)
		strbuf_adds(&line, "--override=x ");
	assert_int_equal(parse(strbuf_str(&line), &a, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	strbuf_clear(&line);
}

static void args__are_refused__unknown_bare_or_too_many(void **state)
{
	static const char *const lines[] = { "--jsn",        "-z", "--json=yes",
					     "migrate --to", "-c", "--wiat" };
	struct strbuf line;
	struct args a;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(parse(lines[i], &a, &e), -1);
		assert_int_equal(e.code, ERR_USAGE);
		assert_true(e.hint[0] != '\0');
	}
	assert_string_equal(e.hint, "did you mean --wait?");
	strbuf_init(&line, STRBUF_NO_LIMIT);
	for (i = 0; i <= ARGS_WORDS_MAX; i++)
		strbuf_adds(&line, "w ");
	assert_int_equal(parse(strbuf_str(&line), &a, &e), -1);
	strbuf_clear(&line);
}

static void allow__refuses_what_the_command_lacks__but_never_global_ones(void **state)
{
	struct args a;
	struct err e;

	(void)state;
	assert_int_equal(parse("status --json --ascii -c x --theme dark", &a, &e), 0);
	assert_int_equal(args_allow(&a, OPT_BIT(OPT_JSON), "status", &e), 0);
	assert_int_equal(args_allow(&a, 0, "status", &e), -1);
	assert_string_equal(e.msg, "status does not take --json");
}

static void exit__has_a_status__for_every_error(void **state)
{
	static const struct {
		enum err_code code;
		int status;
	} map[] = {
		{ ERR_OK, 0 },     { ERR_DB, 1 },      { ERR_SYSTEM, 1 },      { ERR_CORRUPT, 1 },
		{ ERR_USAGE, 2 },  { ERR_CONFIG, 2 },  { ERR_GATE, 3 },        { ERR_CANCELLED, 4 },
		{ ERR_LOCKED, 6 }, { ERR_DIFFERS, 7 }, { ERR_ROLLED_BACK, 5 }, { ERR_WAITING, 8 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		assert_int_equal(exit_of(map[i].code), map[i].status);
}

static void cell__is_padded__by_columns_and_never_cut(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	add_cell(&out, "a", 3);
	add_cell(&out, "\xc3\xa4\xc3\xb6", 3);
	add_cell(&out, "longer", 3);
	add_cell(&out, NULL, 2);
	add_cell(&out, "\x1b[1m", 2);
	assert_string_equal(strbuf_str(&out), "a   \xc3\xa4\xc3\xb6  longer    \\x1b[1m ");
	strbuf_clear(&out);
}

static void json_string__is_escaped__also_on_the_fast_way(void **state)
{
	struct strbuf out;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	add_json_str(&out, "plain text");
	add_json_str(&out, "a\"b\\c\n");
	add_json_str(&out, NULL);
	add_json_str(&out, "");
	assert_string_equal(strbuf_str(&out), "\"plain text\"\"a\\\"b\\\\c\\n\"null\"\"");
	strbuf_clear(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(args__takes_options_anywhere__and_words_in_order),
		cmocka_unit_test(args__takes_values__behind_an_equals_sign),
		cmocka_unit_test(args__does_not_take_the_next_word__for_an_optional_value),
		cmocka_unit_test(args__are_words_only__behind_two_dashes),
		cmocka_unit_test(args__collects_overrides__up_to_a_limit),
		cmocka_unit_test(args__are_refused__unknown_bare_or_too_many),
		cmocka_unit_test(allow__refuses_what_the_command_lacks__but_never_global_ones),
		cmocka_unit_test(exit__has_a_status__for_every_error),
		cmocka_unit_test(cell__is_padded__by_columns_and_never_cut),
		cmocka_unit_test(json_string__is_escaped__also_on_the_fast_way),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
