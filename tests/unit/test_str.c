/* SPDX-License-Identifier: MIT */
#include "core/base/str.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sv_eq__compares_bytes__with_nul_and_empty(void **state)
{
	(void)state;
	assert_true(sv_eq(sv_of(NULL), sv_of("")));
	assert_true(sv_eq(sv_n(NULL, 0), SV("")));
	assert_true(sv_eq(sv_n("a\0b", 3), sv_n("a\0b", 3)));
	assert_false(sv_eq(sv_n("a\0b", 3), sv_n("a\0c", 3)));
	assert_true(sv_eq_str(sv_n("abcd", 2), "ab"));
	assert_false(sv_eq_str(SV("ab"), "abc"));
}

static void sv_starts_ends__answer__at_the_borders(void **state)
{
	(void)state;
	assert_true(sv_starts(SV("V1__a"), SV("V")));
	assert_true(sv_starts(SV("V"), SV("")));
	assert_false(sv_starts(SV("V"), SV("V1")));
	assert_true(sv_ends(SV("a.sql"), SV(".sql")));
	assert_true(sv_ends(sv_n(NULL, 0), SV("")));
	assert_false(sv_ends(SV("sql"), SV(".sql")));
	assert_false(sv_ends(SV("a.sqlx"), SV(".sql")));
}

static void sv_cmp__orders_bytes__shorter_first(void **state)
{
	(void)state;
	assert_int_equal(sv_cmp(SV("a"), SV("a")), 0);
	assert_true(sv_cmp(SV("a"), SV("ab")) < 0);
	assert_true(sv_cmp(SV("b"), SV("ab")) > 0);
	assert_true(sv_cmp(SV("\xff"), SV("a")) > 0);
	assert_true(sv_cmp(SV(""), SV("a")) < 0);
	assert_int_equal(sv_cmp(sv_n(NULL, 0), SV("")), 0);
}

static void sv_trim__takes_blanks__from_both_sides(void **state)
{
	(void)state;
	assert_true(sv_eq_str(sv_trim(SV(" \t\r\na b\v\f ")), "a b"));
	assert_true(sv_eq_str(sv_trim(SV(" \n ")), ""));
	assert_true(sv_eq_str(sv_trim(SV("")), ""));
	assert_true(sv_eq_str(sv_trim(SV("\xc2\xa0x")), "\xc2\xa0x"));
}

static void sv_cut__gives_pieces__ended_by_the_separator(void **state)
{
	struct sv rest = SV("a,,bc,"), piece;

	(void)state;
	assert_true(sv_cut(&rest, ',', &piece));
	assert_true(sv_eq_str(piece, "a"));
	assert_true(sv_cut(&rest, ',', &piece));
	assert_true(sv_eq_str(piece, ""));
	assert_true(sv_cut(&rest, ',', &piece));
	assert_true(sv_eq_str(piece, "bc"));
	assert_false(sv_cut(&rest, ',', &piece));
	rest = SV("last");
	assert_true(sv_cut(&rest, ',', &piece));
	assert_true(sv_eq_str(piece, "last"));
	assert_false(sv_cut(&rest, ',', &piece));
	rest = SV("");
	assert_false(sv_cut(&rest, ',', &piece));
}

static void sv_int__reads_whole_range__and_not_beyond(void **state)
{
	int64_t n = 7;

	(void)state;
	assert_true(sv_int(SV("0"), 0, 10, &n));
	assert_int_equal(n, 0);
	assert_true(sv_int(SV("007"), 0, 10, &n));
	assert_int_equal(n, 7);
	assert_true(sv_int(SV("9223372036854775807"), 0, INT64_MAX, &n));
	assert_true(n == INT64_MAX);
	assert_true(sv_int(SV("-9223372036854775808"), INT64_MIN, INT64_MAX, &n));
	assert_true(n == INT64_MIN);
	assert_false(sv_int(SV("9223372036854775808"), 0, INT64_MAX, &n));
	assert_false(sv_int(SV("-9223372036854775809"), INT64_MIN, 0, &n));
	assert_false(sv_int(SV("99999999999999999999999"), 0, INT64_MAX, &n));
	assert_false(sv_int(SV("11"), 0, 10, &n));
	assert_true(n == INT64_MIN);
}

static void sv_int__refuses__what_is_no_number(void **state)
{
	static const char *const bad[] = { "",    "-",   "+1",  " 1",  "1 ",
					   "1.0", "0x1", "1e3", "--1", "١" };
	int64_t n = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sv_int(sv_of(bad[i]), -100, 100, &n));
	assert_false(sv_int(SV("-1"), 0, 100, &n));
	assert_false(sv_int(SV("-0"), 0, 100, &n));
	assert_false(sv_int(sv_n("1\0", 2), 0, 100, &n));
	assert_int_equal(n, 7);
}

static void strbuf__is_empty_text__before_first_use(void **state)
{
	struct strbuf b;
	char *text;

	(void)state;
	strbuf_init(&b, 10);
	assert_string_equal(strbuf_str(&b), "");
	assert_int_equal(strbuf_sv(&b).n, 0);
	strbuf_add(&b, NULL, 0);
	assert_null(b.data);
	text = strbuf_detach(&b);
	assert_string_equal(text, "");
	mem_free(text);
}

static void strbuf__appends_all_forms__in_order(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, "ab");
	strbuf_addc(&b, 'c');
	strbuf_addsv(&b, sv_n("defgh", 2));
	strbuf_addf(&b, "%d-%s", 12, "x");
	strbuf_pad(&b, '.', 3);
	strbuf_pad(&b, '.', 0);
	assert_string_equal(strbuf_str(&b), "abcde12-x...");
	strbuf_addf(&b, "%1000d", 5);
	assert_int_equal(b.len, 1012);
	assert_int_equal(strlen(b.data), 1012);
	assert_int_equal(b.data[1011], '5');
	strbuf_reset(&b);
	assert_string_equal(strbuf_str(&b), "");
	strbuf_clear(&b);
	assert_null(b.data);
}

static void strbuf__keeps_what_fits_and_refuses_later__past_the_maximum(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 5);
	strbuf_adds(&b, "abc");
	assert_true(strbuf_ok(&b));
	strbuf_adds(&b, "defg");
	assert_false(strbuf_ok(&b));
	assert_string_equal(b.data, "abcde");
	strbuf_adds(&b, "");
	strbuf_addc(&b, 'x');
	assert_string_equal(b.data, "abcde");
	strbuf_reset(&b);
	assert_true(strbuf_ok(&b));
	strbuf_adds(&b, "12345");
	assert_true(strbuf_ok(&b));
	assert_int_equal(b.len, 5);
	strbuf_clear(&b);
	assert_int_equal(b.max, 5);
}

static void strbuf__refuses_short_piece__behind_a_lost_one(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, 4);
	strbuf_pad(&b, 'x', 9);
	assert_int_equal(b.len, 4);
	b.max = 100;
	strbuf_addf(&b, "%s", "y");
	assert_string_equal(b.data, "xxxx");
	strbuf_clear(&b);
}

static void strbuf_room__gives_memory__up_to_the_maximum(void **state)
{
	struct strbuf b;
	char *room;

	(void)state;
	strbuf_init(&b, 8);
	strbuf_adds(&b, "ab");
	room = strbuf_room(&b, 6);
	assert_non_null(room);
	memcpy(room, "cdefgh", 6);
	strbuf_grew(&b, 3);
	assert_string_equal(b.data, "abcde");
	assert_null(strbuf_room(&b, 4));
	assert_false(strbuf_ok(&b));
	assert_string_equal(b.data, "abcde");
	strbuf_clear(&b);
}

static void strbuf_detach__hands_over__and_starts_again(void **state)
{
	struct strbuf b;
	char *text;

	(void)state;
	strbuf_init(&b, 100);
	strbuf_adds(&b, "one");
	text = strbuf_detach(&b);
	strbuf_adds(&b, "two");
	assert_string_equal(text, "one");
	assert_string_equal(b.data, "two");
	mem_free(text);
	strbuf_clear(&b);
}

static void str_copy__cuts_with_ellipsis__at_a_character(void **state)
{
	char out[8];

	(void)state;
	str_copy(out, sizeof(out), "1234567");
	assert_string_equal(out, "1234567");
	str_copy(out, sizeof(out), "12345678");
	assert_string_equal(out, "1234…");
	str_copy(out, sizeof(out), "123éabcdef");
	assert_string_equal(out, "123…");
	str_copy(out, sizeof(out), "😀😀😀");
	assert_string_equal(out, "😀…");
	str_copy(out, 3, "abcdef");
	assert_string_equal(out, "ab");
	str_copy(out, 1, "abcdef");
	assert_string_equal(out, "");
	out[0] = 'k';
	str_copy(out, 0, "abc");
	assert_int_equal(out[0], 'k');
	str_copy_sv(out, sizeof(out), sv_n("abcdefgh", 3));
	assert_string_equal(out, "abc");
	str_copy_sv(out, sizeof(out), sv_n(NULL, 0));
	assert_string_equal(out, "");
}

static void str_copy__stays_inside__for_bytes_that_are_no_text(void **state)
{
	char out[8];

	(void)state;
	str_copy(out, sizeof(out), "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80");
	assert_in_range(strlen(out), 3, 7);
	str_copy(out, 5, "\x80\x80\x80\x80\x80\x80");
	assert_string_equal(out, "…");
}

static void str_nearest__finds__typing_mistakes(void **state)
{
	static const char *const words[] = { "deploy", "migrate", "status", "rollback", "ls" };
	size_t n = sizeof(words) / sizeof(words[0]);

	(void)state;
	assert_string_equal(str_nearest("staus", words, n), "status");
	assert_string_equal(str_nearest("satus", words, n), "status");
	assert_string_equal(str_nearest("tsatus", words, n), "status");
	assert_string_equal(str_nearest("rolback", words, n), "rollback");
	assert_string_equal(str_nearest("migrate", words, n), "migrate");
	assert_string_equal(str_nearest("sl", words, n), "ls");
	assert_null(str_nearest("zebra", words, n));
	assert_null(str_nearest("", words, n));
	assert_null(str_nearest("x", words, n));
	assert_null(str_nearest("status", words, 0));
}

static void str_nearest__prefers_nearer__and_skips_long_words(void **state)
{
	static const char *const words[] = {
		"staging2", "staging",
		"staging-staging-staging-staging-staging-staging-staging-staging-staging"
	};

	(void)state;
	assert_string_equal(str_nearest("stagin", words, 3), "staging");
	assert_null(str_nearest(words[2], words, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sv_eq__compares_bytes__with_nul_and_empty),
		cmocka_unit_test(sv_starts_ends__answer__at_the_borders),
		cmocka_unit_test(sv_cmp__orders_bytes__shorter_first),
		cmocka_unit_test(sv_trim__takes_blanks__from_both_sides),
		cmocka_unit_test(sv_cut__gives_pieces__ended_by_the_separator),
		cmocka_unit_test(sv_int__reads_whole_range__and_not_beyond),
		cmocka_unit_test(sv_int__refuses__what_is_no_number),
		cmocka_unit_test(strbuf__is_empty_text__before_first_use),
		cmocka_unit_test(strbuf__appends_all_forms__in_order),
		cmocka_unit_test(strbuf__keeps_what_fits_and_refuses_later__past_the_maximum),
		cmocka_unit_test(strbuf__refuses_short_piece__behind_a_lost_one),
		cmocka_unit_test(strbuf_room__gives_memory__up_to_the_maximum),
		cmocka_unit_test(strbuf_detach__hands_over__and_starts_again),
		cmocka_unit_test(str_copy__cuts_with_ellipsis__at_a_character),
		cmocka_unit_test(str_copy__stays_inside__for_bytes_that_are_no_text),
		cmocka_unit_test(str_nearest__finds__typing_mistakes),
		cmocka_unit_test(str_nearest__prefers_nearer__and_skips_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
