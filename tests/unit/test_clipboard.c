/* SPDX-License-Identifier: MIT */
#include "tui/clipboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

static void check(const char *text, const char *wanted)
{
	struct strbuf b;

	strbuf_init(&b, CLIPBOARD_SEQUENCE_MAX);
	clipboard_sequence(sv_of(text), &b);
	assert_string_equal(strbuf_str(&b), wanted);
	strbuf_clear(&b);
}

static void sequence__is_base64_in_osc_52(void **state)
{
	(void)state;
	check("", "\033]52;c;\a");
	check("a", "\033]52;c;YQ==\a");
	check("ab", "\033]52;c;YWI=\a");
	check("abc", "\033]52;c;YWJj\a");
	check("\303\244\nline two", "\033]52;c;w6QKbGluZSB0d28=\a");
}

/* 74,994 characters are what terminals take. */
static void sequence__longer_than_terminals_take__is_cut_at_a_character(void **state)
{
	size_t n = CLIPBOARD_MAX + 10;
	char *text = mem_alloc(n);
	struct strbuf b;

	(void)state;
	memset(text, 'x', n);
	/* a character of two bytes across the edge */
	text[CLIPBOARD_MAX - 1] = '\303';
	text[CLIPBOARD_MAX] = '\244';
	assert_int_equal(clipboard_part(sv_n(text, n)).n, CLIPBOARD_MAX - 1);
	strbuf_init(&b, CLIPBOARD_SEQUENCE_MAX);
	clipboard_sequence(sv_n(text, n), &b);
	assert_true(strbuf_ok(&b));
	assert_true(b.len <= 74994 + 8);
	assert_int_equal(b.data[b.len - 1], '\a');
	strbuf_clear(&b);
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence__is_base64_in_osc_52),
		cmocka_unit_test(sequence__longer_than_terminals_take__is_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
