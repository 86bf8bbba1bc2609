/* SPDX-License-Identifier: MIT */
#include "tui/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct keymap *k;
static struct err e;

static int setup(void **state)
{
	(void)state;
	k = keymap_default();
	err_clear(&e);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keymap_free(k);
	return 0;
}

static enum action of(const char *name)
{
	return keymap_action(k, key_of(sv_of(name)));
}

static int load(const char *text)
{
	return keymap_load(k, sv_of(text), "keys.ini", &e);
}

static void defaults__every_key_of_the_table__has_a_name_and_one_action(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 100);
	for (int act = 0; act < ACTIONS; act++) {
		struct sv rest = sv_of(action_table[act].keys), word;

		while (sv_cut(&rest, ' ', &word)) {
			int32_t key = key_of(word);

			if (key < 0 || keymap_action(k, key) != (enum action)act)
				fail_msg("%.*s of %s", (int)word.n, word.p, action_table[act].name);
			strbuf_reset(&b);
			keys_name(key, &b);
			assert_true(sv_eq(strbuf_sv(&b), word));
		}
		assert_int_equal(action_of(action_table[act].name), act);
	}
	assert_int_equal(action_of("no-such-action"), ACT_NONE);
	strbuf_clear(&b);
}

static void defaults__nothing_that_changes_an_environment__is_one_letter(void **state)
{
	static const enum action typed[] = { ACT_STOP,     ACT_ABORT,  ACT_RETRY,   ACT_SKIP,
					     ACT_RUN_BACK, ACT_RESUME, ACT_TAKEOVER };

	(void)state;
	for (size_t i = 0; i < sizeof(typed) / sizeof(typed[0]); i++)
		assert_string_equal(keymap_key(k, typed[i]), "");
	assert_string_equal(keymap_key(k, ACT_START), "!");
}

static void key_of__names__are_read_in_any_case(void **state)
{
	(void)state;
	assert_int_equal(key_of(SV("pagedown")), KEYS_PAGE_DOWN);
	assert_int_equal(key_of(SV("ctrl-d")), 4);
	assert_int_equal(key_of(SV("F12")), KEYS_F12);
	assert_int_equal(key_of(SV("\xc3\xa9")), 0xe9);
	assert_int_equal(key_of(SV("j")), 'j');
	assert_int_equal(key_of(SV("J")), 'J');
	assert_int_equal(key_of(SV("Semicolon")), ';');
}

static void key_of__what_is_no_key__is_refused(void **state)
{
	static const char *const bad[] = { "",        "F0", "F13",  "Ctrl-", "Ctrl-1",
					   "Hyper-x", "jj", "\xff", "\033",  "\xe2\x80\x8b" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(key_of(sv_of(bad[i])), -1);
}

static void action__line_feed__is_enter(void **state)
{
	(void)state;
	assert_int_equal(keymap_action(k, '\n'), ACT_OPEN);
	assert_int_equal(keymap_action(k, '\r'), ACT_OPEN);
	assert_int_equal(keymap_action(k, KEYS_NONE), ACT_NONE);
}

static void load__new_keys__replace_all_old_ones(void **state)
{
	struct strbuf b;

	(void)state;
	assert_int_equal(load("[keys]\ndown = z F3\nhelp = none\n"), 0);
	assert_int_equal(of("z"), ACT_DOWN);
	assert_int_equal(of("j"), ACT_NONE);
	assert_int_equal(of("?"), ACT_NONE);
	assert_string_equal(keymap_key(k, ACT_HELP), "");
	strbuf_init(&b, 100);
	keymap_keys(k, ACT_DOWN, &b);
	assert_string_equal(strbuf_str(&b), "z F3");
	strbuf_clear(&b);
}

static void load__keys_exchanged__is_no_clash(void **state)
{
	(void)state;
	assert_int_equal(load("[keys]\ndown = k Down\nup = j Up\n"), 0);
	assert_int_equal(of("k"), ACT_DOWN);
	assert_int_equal(of("j"), ACT_UP);
}

static void load__one_key_for_two_actions__names_both_lines(void **state)
{
	(void)state;
	assert_int_equal(load("[keys]\ncompare = z\n# a comment\nmark = z\n"), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	assert_string_equal(e.msg, "1 mistake in keys.ini");
	assert_string_equal(e.detail,
			    "line 4: key `z` of `mark` is the key of `compare` in line 2");
	/* nothing of a refused file is in force */
	assert_int_equal(of("z"), ACT_NONE);
	assert_int_equal(of("x"), ACT_COMPARE);
}

static void load__a_default_key_of_another_action__says_whose(void **state)
{
	(void)state;
	assert_int_equal(load("[keys]\nmark = x\n"), -1);
	assert_string_equal(e.detail, "line 2: key `x` of `mark` is a default key of `compare`: "
				      "give that one other keys or `none`");
}

static void load__several_mistakes__are_all_said(void **state)
{
	(void)state;
	assert_int_equal(
		load("[keys]\ndwon = e\nup = Hyper-x\nup = e\nnonsense\n[colours]\na = b\n"), -1);
	assert_non_null(strstr(e.detail, "line 2: unknown action `dwon`, did you mean `down`?"));
	assert_non_null(strstr(e.detail, "line 3: unknown key `Hyper-x`"));
	assert_non_null(strstr(e.detail, "line 4: `up` was given its keys in line 3 already"));
	assert_non_null(strstr(e.detail, "line 5: "));
	assert_non_null(strstr(e.detail, "line 6: unknown section [colours]"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(defaults__every_key_of_the_table__has_a_name_and_one_action),
		CASE(defaults__nothing_that_changes_an_environment__is_one_letter),
		CASE(key_of__names__are_read_in_any_case),
		CASE(key_of__what_is_no_key__is_refused),
		CASE(action__line_feed__is_enter),
		CASE(load__new_keys__replace_all_old_ones),
		CASE(load__keys_exchanged__is_no_clash),
		CASE(load__one_key_for_two_actions__names_both_lines),
		CASE(load__a_default_key_of_another_action__says_whose),
		CASE(load__several_mistakes__are_all_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
