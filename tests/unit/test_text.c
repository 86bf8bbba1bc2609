/* SPDX-License-Identifier: MIT */
#include "tui/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/utf8.h"
#include "tui/glyphs.h"

#define NOON 1763726400000 /* 21 Nov 2025, 12:00 UTC */
#define DAY 86400000

static struct canvas c;

static int setup(void **state)
{
	(void)state;
	canvas_init(&c, 6, 16, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	canvas_clear(&c);
	return 0;
}

static void assert_screen(const char *expected)
{
	struct strbuf b;

	strbuf_init(&b, 4096);
	canvas_dump(&c, &b);
	while (b.len > 1 && b.data[b.len - 1] == '\n' && b.data[b.len - 2] == '\n')
		b.data[--b.len] = '\0';
	assert_string_equal(strbuf_str(&b), expected);
	strbuf_clear(&b);
}

static void cell__every_state__has_a_word(void **state)
{
	(void)state;
	for (int s = 0; s < CELL_STATES; s++)
		assert_true(text_cell((enum cell_state)s)[0]);
	assert_string_equal(text_cell(CELL_CHANGED), "CHANGED");
	assert_int_equal(text_cell_role(CELL_FAILED), ROLE_FAIL);
}

static void env__protected__carries_its_mark(void **state)
{
	struct env env = { .name = "prod-2", .is_protected = true };
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 100);
	text_env(&env, true, &b);
	env.is_protected = false;
	text_env(&env, false, &b);
	assert_string_equal(strbuf_str(&b), "#PROD-2prod-2");
	strbuf_clear(&b);
}

static void when__today_and_earlier__differ(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	assert_string_equal(text_when(NOON - 60000, NOON, out), "11:59");
	assert_string_equal(text_when(NOON - DAY, NOON, out), "20 Nov");
	assert_string_equal(text_when(0, NOON, out), "");
}

static void bytes__each_size__has_its_unit(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	assert_string_equal(text_bytes(0, out), "0 B");
	assert_string_equal(text_bytes(999, out), "999 B");
	assert_string_equal(text_bytes(1000, out), "1.0 kB");
	assert_string_equal(text_bytes(88000000, out), "88 MB");
	assert_string_equal(text_bytes(6200000000, out), "6.2 GB");
	text_bytes(INT64_MAX, out);
	assert_true(strlen(out) < CLOCK_TEXT_SIZE);
}

static void checksum__long__shows_both_ends(void **state)
{
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	assert_string_equal(text_checksum("s1:4f1c0000000000a7", out), "4f1c..a7");
	assert_string_equal(text_checksum("s1:4f", out), "4f");
	assert_string_equal(text_checksum("", out), "");
	assert_string_equal(text_checksum(NULL, out), "");
}

static void bar__odd_numbers__stay_inside(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 100);
	text_bar(&b, 12, 27, 100);
	assert_string_equal(strbuf_str(&b), "[##........]");
	strbuf_reset(&b);
	text_bar(&b, 6, 9, 3);
	text_bar(&b, 6, 1, 0);
	text_bar(&b, 2, 1, 2);
	assert_string_equal(strbuf_str(&b), "[####][....]");
	strbuf_clear(&b);
}

static void rect__cut_more_than_there_is__gives_all(void **state)
{
	struct rect r = { .row = 2, .col = 3, .rows = 5, .cols = 10 };
	struct rect top = rect_cut(&r, 2), bottom = rect_cut(&r, -1), rest;

	(void)state;
	assert_int_equal(top.row, 2);
	assert_int_equal(bottom.row, 6);
	assert_int_equal(r.row, 4);
	assert_int_equal(r.rows, 2);
	rest = rect_cut(&r, -9);
	assert_int_equal(rest.row, 4);
	assert_int_equal(rest.rows, 2);
	assert_int_equal(r.rows, 0);
	rest = rect_cut_cols(&r, -4);
	assert_int_equal(rest.col, 9);
	assert_int_equal(r.cols, 6);
}

static void line__pieces__stop_at_the_end(void **state)
{
	struct rect r = { .row = 1, .col = 2, .rows = 1, .cols = 9 };
	struct text_line l = text_line_at(&c, r, 0);

	(void)state;
	text_add(&l, ROLE_TEXT, "ab");
	text_skip_to(&l, 6);
	text_addf(&l, ROLE_TEXT, "%d", 42);
	text_add(&l, ROLE_TEXT, "too long");
	text_add(&l, ROLE_TEXT, "x");
	assert_screen("\n  ab  42to~\n");
	l = text_line_at(&c, r, 1); /* outside */
	text_add(&l, ROLE_TEXT, "no");
	assert_screen("\n  ab  42to~\n");
}

static void wrap__long_words_and_escapes__are_broken(void **state)
{
	struct rect r = { .row = 0, .col = 0, .rows = 6, .cols = 8 };

	(void)state;
	assert_int_equal(text_wrap(&c, r, ROLE_TEXT, SV("one two three\nabcdefghijk\n\nx\033y")),
			 6);
	assert_screen("one two\nthree\nabcdefgh\nijk\n\nx\\x1by\n");
}

static void wrap__no_room__uses_none(void **state)
{
	struct rect r = { .rows = 0, .cols = 8 };

	(void)state;
	assert_int_equal(text_wrap(&c, r, ROLE_TEXT, SV("x")), 0);
	r = (struct rect){ .rows = 3, .cols = 0 };
	assert_int_equal(text_wrap(&c, r, ROLE_TEXT, SV("x")), 0);
}

static void err__three_parts__stand_below_each_other(void **state)
{
	struct rect r = { .rows = 6, .cols = 16 };
	struct err e;

	(void)state;
	err_set(&e, ERR_DB, "cannot open it");
	err_detail(&e, "file is no database");
	err_hint(&e, "look");
	assert_int_equal(text_err(&c, r, &e), 4);
	assert_screen(" cannot open it\n file is no\n database\n look\n");
	assert_int_equal(canvas_at(&c, 0, 1)->role, ROLE_FAIL);
}

static void glyph__what_terminals_disagree_about__is_known(void **state)
{
	(void)state;
	for (uint32_t cp = ' '; cp < 0x300; cp++)
		assert_true(glyph_is_agreed(cp));
	assert_true(glyph_is_agreed(0x65e5));   /* ideograph */
	assert_true(glyph_is_agreed(0x2500));   /* line */
	assert_true(glyph_is_agreed(0x2026));   /* ellipsis */
	assert_true(glyph_is_agreed(0x1f600));  /* an old emoji */
	assert_false(glyph_is_agreed(0x1f1e9)); /* half a flag */
	assert_false(glyph_is_agreed(0x1f3fd)); /* skin tone */
	assert_false(glyph_is_agreed(0x1fae0)); /* a new emoji */
	assert_false(glyph_is_agreed(0x1161));  /* conjoining Hangul */
	assert_false(glyph_is_agreed(0xe0b0));  /* private use */
	assert_false(glyph_is_agreed(0x10ffff));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(cell__every_state__has_a_word),
		CASE(env__protected__carries_its_mark),
		CASE(when__today_and_earlier__differ),
		CASE(bytes__each_size__has_its_unit),
		CASE(checksum__long__shows_both_ends),
		CASE(bar__odd_numbers__stay_inside),
		CASE(rect__cut_more_than_there_is__gives_all),
		CASE(line__pieces__stop_at_the_end),
		CASE(wrap__long_words_and_escapes__are_broken),
		CASE(wrap__no_room__uses_none),
		CASE(err__three_parts__stand_below_each_other),
		CASE(glyph__what_terminals_disagree_about__is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
