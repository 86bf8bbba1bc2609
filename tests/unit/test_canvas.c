/* SPDX-License-Identifier: MIT */
#include "tui/canvas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/utf8.h"

#define ROWS 4
#define COLS 20

static struct canvas c;

static int setup(void **state)
{
	(void)state;
	canvas_init(&c, ROWS, COLS, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	canvas_clear(&c);
	return 0;
}

static void assert_row(int row, const char *expected)
{
	struct strbuf b;
	struct sv rest, line;

	strbuf_init(&b, 65536);
	canvas_dump(&c, &b);
	rest = strbuf_sv(&b);
	for (int i = 0; i <= row; i++)
		assert_true(sv_cut(&rest, '\n', &line));
	if (!sv_eq_str(line, expected))
		fail_msg("row %d is \"%.*s\", not \"%s\"", row, (int)line.n, line.p, expected);
	strbuf_clear(&b);
}

static void put__text_that_fits__is_there_with_its_role(void **state)
{
	(void)state;
	assert_int_equal(canvas_puts(&c, 1, 2, 10, ROLE_WARN, "late"), 4);
	assert_row(1, "  late");
	assert_int_equal(canvas_at(&c, 1, 2)->role, ROLE_WARN);
	assert_int_equal(canvas_at(&c, 1, 6)->role, ROLE_TEXT);
	assert_int_equal(canvas_puts(&c, 0, 0, 10, ROLE_TEXT, ""), 0);
}

static void put__text_that_is_too_long__ends_in_an_ellipsis(void **state)
{
	(void)state;
	assert_int_equal(canvas_puts(&c, 0, 0, 5, ROLE_TEXT, "pending"), 5);
	assert_row(0, "pend\xe2\x80\xa6");
	c.ascii = true;
	assert_int_equal(canvas_puts(&c, 1, 0, 5, ROLE_TEXT, "pending"), 5);
	assert_row(1, "pend~");
	assert_int_equal(canvas_puts(&c, 2, 0, 7, ROLE_TEXT, "pending"), 7);
	assert_row(2, "pending");
}

static void put__at_the_borders__is_clipped(void **state)
{
	(void)state;
	canvas_puts(&c, 0, COLS - 3, 10, ROLE_TEXT, "abcdef");
	assert_row(0, "                 ab\xe2\x80\xa6");
	assert_int_equal(canvas_puts(&c, -1, 0, 10, ROLE_TEXT, "x"), 0);
	assert_int_equal(canvas_puts(&c, ROWS, 0, 10, ROLE_TEXT, "x"), 0);
	assert_int_equal(canvas_puts(&c, 0, COLS, 10, ROLE_TEXT, "x"), 0);
	assert_int_equal(canvas_puts(&c, 1, 0, -4, ROLE_TEXT, "x"), 0);
	canvas_puts(&c, 1, -2, 10, ROLE_TEXT, "abcdef");
	assert_row(1, "cdef");
	assert_null(canvas_at(&c, 0, COLS));
	assert_null(canvas_at(&c, -1, 0));
}

static void put__control_bytes__are_shown_and_do_nothing(void **state)
{
	(void)state;
	canvas_put(&c, 0, 0, COLS, ROLE_TEXT, sv_n("a\033[2Jb", 6));
	assert_row(0, "a\\x1b[2Jb");
	canvas_put(&c, 1, 0, COLS, ROLE_TEXT, sv_n("x\r\ny\0z", 6));
	assert_row(1, "x\\r\\ny\\x00z");
	canvas_put(&c, 2, 0, COLS, ROLE_TEXT, sv_n("\xff\xc2", 2));
	assert_row(2, "\\xFF\\xC2");
}

static void put__wide_characters__take_two_columns(void **state)
{
	(void)state;
	assert_int_equal(canvas_puts(&c, 0, 0, 10, ROLE_TEXT, "\xe6\x97\xa5\xe6\x9c\xac!"), 5);
	assert_string_equal(canvas_at(&c, 0, 0)->text, "\xe6\x97\xa5");
	assert_string_equal(canvas_at(&c, 0, 1)->text, "");
	assert_string_equal(canvas_at(&c, 0, 4)->text, "!");
}

static void put__wide_character_at_the_end_of_a_field__is_left_out(void **state)
{
	(void)state;
	canvas_fill(&c, 0, 0, COLS, ROLE_TEXT, '#');
	assert_int_equal(canvas_puts(&c, 0, 0, 4, ROLE_TEXT, "ab\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_row(0, "ab \xe2\x80\xa6################");
	canvas_puts(&c, 1, COLS - 1, 5, ROLE_TEXT, "\xe6\x97\xa5");
	assert_row(1, "                   \xe2\x80\xa6");
}

static void put__over_half_of_a_wide_character__blanks_the_other_half(void **state)
{
	(void)state;
	canvas_puts(&c, 0, 2, 4, ROLE_TEXT, "\xe6\x97\xa5");
	canvas_puts(&c, 0, 3, 1, ROLE_TEXT, "x");
	assert_row(0, "   x");
	canvas_puts(&c, 1, 2, 4, ROLE_TEXT, "\xe6\x97\xa5");
	canvas_puts(&c, 1, 2, 1, ROLE_TEXT, "x");
	assert_row(1, "  x");
	assert_string_equal(canvas_at(&c, 1, 3)->text, " ");
}

static void put__combining_marks__stay_with_their_character(void **state)
{
	(void)state;
	assert_int_equal(canvas_puts(&c, 0, 0, 3, ROLE_TEXT, "e\xcc\x81z"), 2);
	assert_string_equal(canvas_at(&c, 0, 0)->text, "e\xcc\x81");
	assert_string_equal(canvas_at(&c, 0, 1)->text, "z");
}

static void put__endless_text__costs_what_the_field_costs(void **state)
{
	size_t n = (size_t)8 << 20;
	char *text = malloc(n);

	(void)state;
	memset(text, 0x1b, n);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(canvas_put(&c, 0, 0, 9, ROLE_TEXT, sv_n(text, n)), 9);
	assert_row(0, "\\x1b\\x1b\xe2\x80\xa6");
	free(text);
}

/* Whatever bytes come, no cell outside the field changes. */
static void put__any_bytes__change_no_cell_outside_their_field(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char bytes[48];
		int row = (int)(seed >> 8) % ROWS, col = (int)(seed >> 12) % COLS;
		int cols = 1 + (int)(seed >> 17) % 8;
		size_t n;

		for (n = 0; n < sizeof(bytes); n++) {
			seed = seed * 1103515245U + 12345U;
			bytes[n] = (char)(seed >> 16);
		}
		canvas_erase(&c);
		for (int r = 0; r < ROWS; r++)
			canvas_fill(&c, r, 0, COLS, ROLE_OK, '.');
		canvas_put(&c, row, col, cols, ROLE_FAIL, sv_n(bytes, n));
		for (int r = 0; r < ROWS; r++)
			for (int k = 0; k < COLS; k++) {
				const struct canvas_cell *cell = canvas_at(&c, r, k);

				if (r == row && k >= col && k < col + cols)
					continue;
				assert_string_equal(cell->text, ".");
				assert_int_equal(cell->role, ROLE_OK);
			}
	}
}

static void put_right__short_text__ends_at_the_field(void **state)
{
	(void)state;
	canvas_put_right(&c, 0, 2, 6, ROLE_TEXT, SV("12"));
	assert_row(0, "      12");
	canvas_put_right(&c, 1, 2, 3, ROLE_TEXT, SV("12345"));
	assert_row(1, "  12\xe2\x80\xa6");
}

static void box__in_ascii__has_no_other_glyphs(void **state)
{
	(void)state;
	c.ascii = true;
	canvas_box(&c, 0, 0, 3, 5, ROLE_RULE);
	assert_row(0, "+---+");
	assert_row(1, "|   |");
	assert_row(2, "+---+");
	canvas_rule(&c, 3, 0, 3);
	canvas_puts(&c, 3, 4, 8, ROLE_TEXT, "\xc3\xa9");
	assert_row(3, "--- <U+00E9>");
}

static void paint__a_stretch__changes_roles_only(void **state)
{
	struct strbuf b;

	(void)state;
	canvas_puts(&c, 0, 0, 10, ROLE_TEXT, "abcdef");
	canvas_paint(&c, 0, 2, 3, ROLE_MATCH, true);
	assert_row(0, "abcdef");
	assert_true(canvas_at(&c, 0, 4)->reverse);
	assert_false(canvas_at(&c, 0, 5)->reverse);
	strbuf_init(&b, 1000);
	canvas_dump_roles(&c, &b);
	assert_true(sv_starts(strbuf_sv(&b), SV("..mmm\n")));
	strbuf_clear(&b);
}

static void roles__each__has_a_name_and_a_letter_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < ROLES; a++) {
		assert_int_equal(role_of(role_name((enum role)a)), a);
		for (int b = 0; b < a; b++)
			assert_int_not_equal(role_letter((enum role)a), role_letter((enum role)b));
	}
	assert_int_equal(role_of("colour"), -1);
}

static void resize__to_nothing__can_still_be_drawn_on(void **state)
{
	(void)state;
	canvas_resize(&c, 0, 0);
	canvas_puts(&c, 0, 0, 10, ROLE_TEXT, "x");
	canvas_box(&c, 0, 0, 5, 5, ROLE_TEXT);
	canvas_resize(&c, 1, 1);
	canvas_puts(&c, 0, 0, 10, ROLE_TEXT, "xy");
	assert_row(0, "\xe2\x80\xa6");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(put__text_that_fits__is_there_with_its_role),
		CASE(put__text_that_is_too_long__ends_in_an_ellipsis),
		CASE(put__at_the_borders__is_clipped),
		CASE(put__control_bytes__are_shown_and_do_nothing),
		CASE(put__wide_characters__take_two_columns),
		CASE(put__wide_character_at_the_end_of_a_field__is_left_out),
		CASE(put__over_half_of_a_wide_character__blanks_the_other_half),
		CASE(put__combining_marks__stay_with_their_character),
		CASE(put__endless_text__costs_what_the_field_costs),
		CASE(put__any_bytes__change_no_cell_outside_their_field),
		CASE(put_right__short_text__ends_at_the_field),
		CASE(box__in_ascii__has_no_other_glyphs),
		CASE(paint__a_stretch__changes_roles_only),
		CASE(roles__each__has_a_name_and_a_letter_of_its_own),
		CASE(resize__to_nothing__can_still_be_drawn_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
