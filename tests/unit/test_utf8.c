/* SPDX-License-Identifier: MIT */
#include "core/base/utf8.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* clean_text of n bytes; caller frees. */
static char *cleaned(const char *p, size_t n, bool ascii)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	clean_text(&b, sv_n(p, n), ascii);
	return strbuf_detach(&b);
}

#define assert_clean(in, want) assert_cleaned(in, sizeof(in) - 1, false, want)
#define assert_clean_ascii(in, want) assert_cleaned(in, sizeof(in) - 1, true, want)

static void assert_cleaned(const char *p, size_t n, bool ascii, const char *want)
{
	char *got = cleaned(p, n, ascii);

	assert_string_equal(got, want);
	if (!ascii)
		assert_int_equal(utf8_cols(sv_n(p, n)), utf8_cols(sv_of(got)));
	mem_free(got);
}

static void utf8_decode__turns_back__every_code_point(void **state)
{
	char bytes[4];

	(void)state;
	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		uint32_t back = 0;
		size_t n;

		if (cp >= 0xd800 && cp <= 0xdfff)
			continue;
		n = utf8_encode(cp, bytes);
		if (utf8_decode(sv_n(bytes, n), &back) != n || back != cp)
			fail_msg("U+%04X", cp);
		/* Cut short it is nothing. */
		if (n > 1 && utf8_decode(sv_n(bytes, n - 1), &back) != 0)
			fail_msg("U+%04X cut", cp);
	}
}

static void utf8_valid__refuses__malformed_sequences(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xfe",
		"\xc3",
		"\xe2\x82",
		"\xf0\x9f\x98",
		"\xc3(",
		"\xe2\x28\xa1",
		"abcdefgh\xff",
		"\xf8\x88\x80\x80\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(sv_of(bad[i])));
	assert_true(utf8_valid(SV("")));
	assert_true(utf8_valid(SV("plain \x01\n äöü € 😀 \xf4\x8f\xbf\xbf \0 z")));
}

static void utf8_width__tells__the_classes_apart(void **state)
{
	static const struct {
		uint32_t cp;
		int width;
	} cases[] = {
		{ 'a', 1 },      { ' ', 1 },       { '~', 1 },       { 0, -1 },
		{ 0x1b, -1 },    { '\t', -1 },     { 0x7f, -1 },     { 0x80, -1 },
		{ 0x9b, -1 },    { 0x9f, -1 },     { 0xa0, 1 },      { 0xad, -1 },
		{ 0xe9, 1 },     { 0x2ff, 1 },     { 0x300, 0 },     { 0x34f, -1 },
		{ 0x36f, 0 },    { 0x370, 1 },     { 0x483, 0 },     { 0x600, 1 },
		{ 0x61c, -1 },   { 0x1100, 2 },    { 0x115f, -1 },   { 0x1161, 0 },
		{ 0x180e, -1 },  { 0x200b, -1 },   { 0x200d, -1 },   { 0x200e, -1 },
		{ 0x2010, 1 },   { 0x2028, -1 },   { 0x2029, -1 },   { 0x202a, -1 },
		{ 0x202e, -1 },  { 0x2060, -1 },   { 0x2066, -1 },   { 0x2069, -1 },
		{ 0x20ac, 1 },   { 0x20e3, 0 },    { 0x2500, 1 },    { 0x231a, 2 },
		{ 0x2714, 1 },   { 0x2705, 2 },    { 0x3000, 2 },    { 0x3042, 2 },
		{ 0x3099, 0 },   { 0x3164, -1 },   { 0x4e00, 2 },    { 0x9fff, 2 },
		{ 0xac00, 2 },   { 0xd7a3, 2 },    { 0xd800, -1 },   { 0xe000, 1 },
		{ 0xfdd0, -1 },  { 0xfe0f, -1 },   { 0xfeff, -1 },   { 0xff21, 2 },
		{ 0xff71, 1 },   { 0xffa0, -1 },   { 0xfff9, -1 },   { 0xfffd, 1 },
		{ 0xffff, -1 },  { 0x1d173, -1 },  { 0x1f1e6, 1 },   { 0x1f3fb, 2 },
		{ 0x1f600, 2 },  { 0x20000, 2 },   { 0x2fffd, 2 },   { 0x3fffd, 2 },
		{ 0xe0001, -1 }, { 0xe0041, -1 },  { 0xe0100, -1 },  { 0xf0000, 1 },
		{ 0x10fffd, 1 }, { 0x10ffff, -1 }, { 0x110000, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (utf8_width(cases[i].cp) != cases[i].width)
			fail_msg("U+%04X: %d, not %d", cases[i].cp, utf8_width(cases[i].cp),
				 cases[i].width);
	}
}

static void clean_text__leaves__printable_text(void **state)
{
	(void)state;
	assert_clean("", "");
	assert_clean("plain text, 100% [ok] ~\\", "plain text, 100% [ok] ~\\");
	assert_clean("äöü € 漢字 😀 é", "äöü € 漢字 😀 é");
	assert_clean("e\xcc\x81", "e\xcc\x81");
}

static void clean_text__escapes__what_drives_a_terminal(void **state)
{
	(void)state;
	assert_clean("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
	assert_clean("\x1b]0;title\x07", "\\x1b]0;title\\x07");
	assert_clean("a\rb\nc", "a\\rb\\nc");
	assert_clean("a\0b", "a\\x00b");
	assert_clean("a\x7f", "a\\x7f");
	assert_clean("a\b\b", "a\\x08\\x08");
	assert_clean("\xc2\x9b"
		     "31m",
		     "<U+009B>31m");
	assert_clean("\x9b"
		     "31m",
		     "\\x9B31m");
	assert_clean("\x0e\x0f", "\\x0e\\x0f");
}

static void clean_text__escapes__invisible_and_reordering_characters(void **state)
{
	(void)state;
	assert_clean("a\xe2\x80\xae"
		     "b",
		     "a<U+202E>b");
	assert_clean("\xe2\x81\xa6x\xe2\x81\xa9", "<U+2066>x<U+2069>");
	assert_clean("a\xe2\x80\x8b"
		     "b",
		     "a<U+200B>b");
	assert_clean("a\xe2\x80\x8d"
		     "b",
		     "a<U+200D>b");
	assert_clean("\xef\xbb\xbfx", "<U+FEFF>x");
	assert_clean("\xe2\x80\xa8\xe2\x80\xa9", "<U+2028><U+2029>");
	assert_clean("\xf3\xa0\x81\x81", "<U+E0041>");
	assert_clean("so\xc2\xad"
		     "ft",
		     "so<U+00AD>ft");
}

static void clean_text__shows_bytes__of_invalid_utf8(void **state)
{
	(void)state;
	assert_clean("\xff\xfe", "\\xFF\\xFE");
	assert_clean("a\xc3", "a\\xC3");
	assert_clean("\xc0\xaf", "\\xC0\\xAF");
	assert_clean("\xed\xa0\x80", "\\xED\\xA0\\x80");
	assert_clean("\xe2\x82x", "\\xE2\\x82x");
}

static void clean_text__turns_tabs_to_blanks__by_column(void **state)
{
	(void)state;
	assert_clean("\tx", "        x");
	assert_clean("abc\tx", "abc     x");
	assert_clean("12345678\tx", "12345678        x");
	assert_clean("漢\tx", "漢      x");
	assert_clean("\x01\tx", "\\x01    x");
}

static void clean_text__keeps_four_marks__on_one_character(void **state)
{
#define ACUTE "\xcc\x81"
	(void)state;
	assert_clean("e" ACUTE ACUTE ACUTE ACUTE, "e" ACUTE ACUTE ACUTE ACUTE);
	assert_clean("e" ACUTE ACUTE ACUTE ACUTE ACUTE ACUTE "a" ACUTE,
		     "e" ACUTE ACUTE ACUTE ACUTE "<U+0301><U+0301>a" ACUTE);
	/* Without a character of its own it would sit on somebody else's. */
	assert_clean(ACUTE "e", "<U+0301>e");
	assert_clean("a\t" ACUTE, "a       <U+0301>");
	assert_clean("\n" ACUTE, "\\n<U+0301>");
}

static void clean_text__drops__presentation_selectors(void **state)
{
	(void)state;
	assert_clean("\xe2\x9a\xa0\xef\xb8\x8f x", "\xe2\x9a\xa0 x");
	assert_clean("\xe2\x9c\x94\xef\xb8\x8e", "\xe2\x9c\x94");
	assert_clean("a\xef\xb8\x80", "a<U+FE00>");
}

static void clean_text__is_pure_ascii__when_asked(void **state)
{
	(void)state;
	assert_clean_ascii("caf\xc3\xa9 漢", "caf<U+00E9> <U+6F22>");
	assert_clean_ascii("e\xcc\x81", "e<U+0301>");
	assert_clean_ascii("plain\x1b\xff", "plain\\x1b\\xFF");
	assert_clean_ascii("😀", "<U+1F600>");
}

static void clean_text__ends_at_a_character__when_out_is_too_small(void **state)
{
	(void)state;
	for (size_t max = 0; max < 23; max++) {
		struct strbuf b;

		strbuf_init(&b, max);
		clean_text(&b, SV("aé漢😀e\xcc\x81 é漢😀"), false);
		assert_false(strbuf_ok(&b));
		assert_true(utf8_valid(strbuf_sv(&b)));
		assert_true(b.len <= max && b.len + 3 >= max);
		strbuf_clear(&b);
	}
}

static void clean_text__is_harmless__for_any_bytes(void **state)
{
	static const char pieces[] = "\xe2\x80\xae\xf0\x9f\xcc\x81\x1b[e\xef\xbb\x8b";
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char bytes[40];
		struct sv rest;
		char *text;
		size_t cols;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			/* Half of the bytes make sequences likely that are nearly valid. */
			bytes[i] = (char)(seed >> 24);
			if (seed & 0x10000)
				bytes[i] = pieces[(seed >> 20) % (sizeof(pieces) - 1)];
		}
		text = cleaned(bytes, sizeof(bytes), false);
		rest = sv_of(text);
		cols = 0;
		while (rest.n > 0) {
			uint32_t cp = 0;
			size_t n = utf8_decode(rest, &cp);

			if (n == 0 || utf8_width(cp) < 0)
				fail_msg("round %d: U+%04X survived", round, cp);
			cols += (size_t)utf8_width(cp);
			rest = sv_n(rest.p + n, rest.n - n);
		}
		assert_int_equal(cols, utf8_cols(sv_n(bytes, sizeof(bytes))));
		mem_free(text);
	}
}

static void clean_lines__keeps_line_breaks__and_cleans_each_line(void **state)
{
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	clean_lines(&b, SV("a\r\n\n\x1b[0m\tb\nlast"), false);
	assert_string_equal(strbuf_str(&b), "a\\r\n\n\\x1b[0m b\nlast");
	strbuf_reset(&b);
	clean_lines(&b, SV("one\n"), false);
	assert_string_equal(strbuf_str(&b), "one\n");
	strbuf_reset(&b);
	clean_lines(&b, SV("\n\xcc\x81"), false);
	assert_string_equal(strbuf_str(&b), "\n<U+0301>");
	strbuf_clear(&b);
}

static void utf8_cols__counts__what_is_shown(void **state)
{
	(void)state;
	assert_int_equal(utf8_cols(SV("")), 0);
	assert_int_equal(utf8_cols(SV("abc")), 3);
	assert_int_equal(utf8_cols(SV("漢字")), 4);
	assert_int_equal(utf8_cols(SV("e\xcc\x81")), 1);
	assert_int_equal(utf8_cols(SV("\x1b")), 4);
	assert_int_equal(utf8_cols(SV("a\tb")), 9);
	assert_int_equal(utf8_cols(SV("\xe2\x80\xae")), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_decode__turns_back__every_code_point),
		cmocka_unit_test(utf8_valid__refuses__malformed_sequences),
		cmocka_unit_test(utf8_width__tells__the_classes_apart),
		cmocka_unit_test(clean_text__leaves__printable_text),
		cmocka_unit_test(clean_text__escapes__what_drives_a_terminal),
		cmocka_unit_test(clean_text__escapes__invisible_and_reordering_characters),
		cmocka_unit_test(clean_text__shows_bytes__of_invalid_utf8),
		cmocka_unit_test(clean_text__turns_tabs_to_blanks__by_column),
		cmocka_unit_test(clean_text__keeps_four_marks__on_one_character),
		cmocka_unit_test(clean_text__drops__presentation_selectors),
		cmocka_unit_test(clean_text__is_pure_ascii__when_asked),
		cmocka_unit_test(clean_text__ends_at_a_character__when_out_is_too_small),
		cmocka_unit_test(clean_text__is_harmless__for_any_bytes),
		cmocka_unit_test(clean_lines__keeps_line_breaks__and_cleans_each_line),
		cmocka_unit_test(utf8_cols__counts__what_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
