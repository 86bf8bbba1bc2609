/* SPDX-License-Identifier: MIT */
#include "config/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

/* Writes what was reported as "line event section key=value" lines. */
static void collect(void *arg, const struct ini_item *item)
{
	struct strbuf *out = arg;

	if (item->event == INI_SECTION)
		strbuf_addf(out, "%d [%s]\n", item->line, item->section);
	else if (item->event == INI_PAIR)
		strbuf_addf(out, "%d %s.%s=%s\n", item->line, item->section, item->key,
			    item->value);
	else
		strbuf_addf(out, "%d ! %s\n", item->line, item->value);
}

static void expect_text(struct sv text, const char *expected)
{
	struct strbuf out;

	strbuf_init(&out, STRBUF_NO_LIMIT);
	ini_scan(text, 8192, collect, &out);
	assert_string_equal(strbuf_str(&out), expected);
	strbuf_clear(&out);
}

static void expect(const char *text, const char *expected)
{
	expect_text(sv_of(text), expected);
}

static void ini__reports_sections_and_pairs__with_lines(void **state)
{
	(void)state;
	expect("a = 1\n\n[one]\nb=2\n; comment\n# comment\n[environment two]\nc : three words  \n",
	       "1 .a=1\n3 [one]\n4 one.b=2\n7 [environment two]\n8 environment two.c=three words\n");
}

static void ini__reports_a_section__when_it_is_empty(void **state)
{
	(void)state;
	expect("[one]\n[two]\n", "1 [one]\n2 [two]\n");
}

static void ini__cuts_a_comment__when_a_blank_stands_before_it(void **state)
{
	(void)state;
	expect("[s] ; why\nk = v ; why\nl = a;b\nm = ; nothing\nn = a # b\n",
	       "1 [s]\n2 s.k=v\n3 s.l=a;b\n4 s.m=\n5 s.n=a # b\n");
}

static void ini__keeps_a_value_whole__when_it_is_far_over_inihs_buffer(void **state)
{
	struct strbuf text, expected;
	int i;

	(void)state;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_init(&expected, STRBUF_NO_LIMIT);
	strbuf_adds(&text, "[s]\nk = ");
	strbuf_adds(&expected, "1 [s]\n2 s.k=");
	for (i = 0; i < 500; i++) {
		strbuf_addf(&text, "w%d  ;x[=: ", i);
		strbuf_addf(&expected, "w%d  ;x[=: ", i);
	}
	/* A blank before a semicolon is a comment: put something between. */
	for (i = 0; i < (int)text.len; i++)
		if (text.data[i] == ';')
			text.data[i] = '#';
	for (i = 0; i < (int)expected.len; i++)
		if (expected.data[i] == ';')
			expected.data[i] = '#';
	strbuf_adds(&text, "end\nafter = 1\n");
	strbuf_adds(&expected, "end\n3 s.after=1\n");
	expect_text(strbuf_sv(&text), strbuf_str(&expected));
	strbuf_clear(&text);
	strbuf_clear(&expected);
}

static void ini__keeps_every_length__around_the_piece_size(void **state)
{
	char text[600], expected[600];
	size_t n;

	(void)state;
	for (n = 1; n < 420; n++) {
		char value[512];

		memset(value, 'x', n);
		value[n] = '\0';
		snprintf(text, sizeof(text), "k = %s\n", value);
		snprintf(expected, sizeof(expected), "1 .k=%s\n", value);
		expect(text, expected);
	}
}

static void ini__refuses_the_line__when_it_is_too_long(void **state)
{
	struct strbuf text;

	(void)state;
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_adds(&text, "k = ");
	strbuf_pad(&text, 'x', 8189);
	strbuf_adds(&text, "\nl = 1\n");
	expect_text(strbuf_sv(&text), "1 ! a line of 8193 bytes\n2 .l=1\n");
	strbuf_clear(&text);
}

static void ini__refuses_the_line__when_it_is_indented(void **state)
{
	(void)state;
	expect("[s]\nk = 1\n  more\n\tl = 2\n   ; a comment may be\n",
	       "1 [s]\n2 s.k=1\n3 ! an indented line\n4 ! an indented line\n");
}

static void ini__refuses_the_line__when_it_is_neither(void **state)
{
	(void)state;
	expect("word\n= 1\n[open\n[]\n[s] tail\n",
	       "1 ! neither a section, nor key = value, nor a comment\n"
	       "2 ! neither a section, nor key = value, nor a comment\n"
	       "3 ! a section without its closing bracket\n"
	       "4 ! a section name that is empty, holds a semicolon or is longer than 100 bytes\n"
	       "5 ! text behind the closing bracket\n");
}

static void ini__keeps_a_section__that_inih_would_cut(void **state)
{
	(void)state;
	expect("[service aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa on bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]\nk = 1\n",
	       "1 [service aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa on bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]\n"
	       "2 service aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa on bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.k=1\n");
}

static void ini__refuses_names__when_inih_would_cut_them(void **state)
{
	(void)state;
	expect("[eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee]\n"
	       "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee = 1\n"
	       "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee = 1\n",
	       "1 [eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee]\n"
	       "2 eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee."
	       "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee=1\n"
	       "3 ! a key longer than 48 bytes\n");
}

static void ini__refuses_the_line__when_it_holds_control_or_foreign_bytes(void **state)
{
	(void)state;
	expect_text(SV("a = \0\nb = \033[2J\nc = \xff\nd = \xc3\xa4\n"),
		    "1 ! a control character\n2 ! a control character\n"
		    "3 ! bytes that are not UTF-8\n4 .d=\xc3\xa4\n");
}

static void ini__reads_the_same__with_bom_and_crlf(void **state)
{
	(void)state;
	expect("\xef\xbb\xbf[s]\r\nk = v\r\n", "1 [s]\n2 s.k=v\n");
	expect("k = v\n\xef\xbb\xbf= 1\n", "1 .k=v\n2 ! a byte order mark inside the file\n");
}

static void ini__reads_nothing__from_nothing(void **state)
{
	(void)state;
	expect("", "");
	expect("\n\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ini__reports_sections_and_pairs__with_lines),
		cmocka_unit_test(ini__reports_a_section__when_it_is_empty),
		cmocka_unit_test(ini__cuts_a_comment__when_a_blank_stands_before_it),
		cmocka_unit_test(ini__keeps_a_value_whole__when_it_is_far_over_inihs_buffer),
		cmocka_unit_test(ini__keeps_every_length__around_the_piece_size),
		cmocka_unit_test(ini__refuses_the_line__when_it_is_too_long),
		cmocka_unit_test(ini__refuses_the_line__when_it_is_indented),
		cmocka_unit_test(ini__refuses_the_line__when_it_is_neither),
		cmocka_unit_test(ini__keeps_a_section__that_inih_would_cut),
		cmocka_unit_test(ini__refuses_names__when_inih_would_cut_them),
		cmocka_unit_test(ini__refuses_the_line__when_it_holds_control_or_foreign_bytes),
		cmocka_unit_test(ini__reads_the_same__with_bom_and_crlf),
		cmocka_unit_test(ini__reads_nothing__from_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
