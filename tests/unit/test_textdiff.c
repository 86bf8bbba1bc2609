/* SPDX-License-Identifier: MIT */
#include "core/base/textdiff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The diff as text: ' ', '-', '+' before each line, "@n" for n skipped. */
static void shows(const char *was, const char *now, int context, const char *want)
{
	struct arena a;
	struct strbuf out;
	struct diff_line *line;
	size_t n;

	arena_init(&a);
	strbuf_init(&out, STRBUF_NO_LIMIT);
	line = textdiff(&a, sv_of(was), sv_of(now), context, &n);
	for (size_t i = 0; i < n; i++) {
		if (line[i].kind == DIFF_SKIP) {
			strbuf_addf(&out, "@%d|", line[i].old_line);
			continue;
		}
		strbuf_addc(&out, " -+"[line[i].kind]);
		strbuf_addsv(&out, line[i].text);
		strbuf_addc(&out, '|');
	}
	assert_string_equal(strbuf_str(&out), want);
	strbuf_clear(&out);
	arena_clear(&a);
}

static void diff__shows_changed_lines__in_their_context(void **state)
{
	(void)state;
	shows("", "", 3, "");
	shows("a\n", "a\n", 3, " a|");
	shows("a\nb\nc\n", "a\nx\nc\n", 3, " a|-b|+x| c|");
	shows("a\n", "", 3, "-a|");
	shows("", "a\nb\n", 3, "+a|+b|");
	shows("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n", 1,
	      "@3| 4|-5|+X| 6|@3|");
	shows("1\n2\n3\n4\n5\n6\n7\n", "X\n2\n3\n4\n5\n6\nY\n", 1, "-1|+X| 2|@3| 6|-7|+Y|");
	shows("1\n2\n3\n4\n", "X\n2\n3\nY\n", 1, "-1|+X| 2| 3|-4|+Y|");
	shows("1\n2\n3\n4\n5\n", "1\n2\n3\n4\n5\n", 3, "@5|");
}

static void diff__says_so__when_only_the_last_newline_changed(void **state)
{
	(void)state;
	shows("a\nb\n", "a\nb", 3, " a|-b|+b|");
}

static void diff__numbers_lines__from_one(void **state)
{
	struct arena a;
	struct diff_line *line;
	size_t n;

	(void)state;
	arena_init(&a);
	line = textdiff(&a, SV("a\nb\nc\n"), SV("a\nc\nd\n"), 3, &n);
	assert_int_equal(n, 4);
	assert_int_equal(line[0].kind, DIFF_SAME);
	assert_int_equal(line[0].old_line, 1);
	assert_int_equal(line[1].kind, DIFF_OLD);
	assert_int_equal(line[1].old_line, 2);
	assert_int_equal(line[1].new_line, 0);
	assert_int_equal(line[2].old_line, 3);
	assert_int_equal(line[2].new_line, 2);
	assert_int_equal(line[3].kind, DIFF_NEW);
	assert_int_equal(line[3].new_line, 3);
	arena_clear(&a);
}

/* Length of the longest common subsequence, by the quadratic table. */
static int lcs(const char *x, int n, const char *y, int m)
{
	static int t[64][64];

	for (int i = 0; i <= n; i++)
		for (int j = 0; j <= m; j++)
			t[i][j] = i == 0 || j == 0            ? 0
				  : x[i - 1] == y[j - 1]      ? t[i - 1][j - 1] + 1
				  : t[i - 1][j] > t[i][j - 1] ? t[i - 1][j]
							      : t[i][j - 1];
	return t[n][m];
}

static size_t spell(char *out, const char *letters, int n)
{
	for (int i = 0; i < n; i++) {
		out[2 * i] = letters[i];
		out[2 * i + 1] = '\n';
	}
	return (size_t)n * 2;
}

/* Pseudo-random texts of few letters: every diff rebuilds both sides, and none is longer than the
 * shortest one. */
static void diff__is_shortest_and_complete__for_random_texts(void **state)
{
	uint32_t r = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char x[64], y[64], tx[128], ty[128];
		int n, m, same = 0, ix = 0, iy = 0;
		struct arena a;
		struct diff_line *line;
		size_t n_line, nx, ny;

		r = r * 1664525u + 1013904223u;
		n = (int)(r >> 16) % 20;
		r = r * 1664525u + 1013904223u;
		m = (int)(r >> 16) % 20;
		for (int i = 0; i < n; i++)
			x[i] = (char)('a' + ((r = r * 1664525u + 1013904223u) >> 16) % 4);
		for (int i = 0; i < m; i++)
			y[i] = (char)('a' + ((r = r * 1664525u + 1013904223u) >> 16) % 4);
		nx = spell(tx, x, n);
		ny = spell(ty, y, m);
		arena_init(&a);
		line = textdiff(&a, sv_n(tx, nx), sv_n(ty, ny), 100, &n_line);
		for (size_t i = 0; i < n_line; i++) {
			if (line[i].kind == DIFF_SKIP) { /* only when nothing changed */
				same += line[i].old_line;
				ix += line[i].old_line;
				iy += line[i].old_line;
				continue;
			}
			if (line[i].kind != DIFF_NEW)
				assert_int_equal(line[i].text.p[0], x[ix++]);
			if (line[i].kind != DIFF_OLD)
				assert_int_equal(line[i].text.p[0], y[iy++]);
			same += line[i].kind == DIFF_SAME;
		}
		assert_int_equal(ix, n);
		assert_int_equal(iy, m);
		assert_int_equal(same, lcs(x, n, y, m));
		arena_clear(&a);
	}
}

static void big_text(struct strbuf *b, int n, const char *prefix)
{
	for (int i = 0; i < n; i++)
		strbuf_addf(b, "%s%d\n", prefix, i);
}

static void diff__ends__for_long_unrelated_texts(void **state)
{
	struct arena a;
	struct strbuf x, y;
	size_t n;

	(void)state;
	arena_init(&a);
	strbuf_init(&x, STRBUF_NO_LIMIT);
	strbuf_init(&y, STRBUF_NO_LIMIT);
	big_text(&x, TEXTDIFF_LINES_MAX, "a");
	big_text(&y, TEXTDIFF_LINES_MAX, "b");
	textdiff(&a, strbuf_sv(&x), strbuf_sv(&y), 3, &n);
	assert_int_equal(n, 2 * TEXTDIFF_LINES_MAX);
	/* Longer still: equal ends only. */
	big_text(&x, 10, "c");
	big_text(&y, 10, "c");
	textdiff(&a, strbuf_sv(&x), strbuf_sv(&y), 3, &n);
	assert_int_equal(n, 2 * TEXTDIFF_LINES_MAX + 4);
	strbuf_clear(&x);
	strbuf_clear(&y);
	arena_clear(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diff__shows_changed_lines__in_their_context),
		cmocka_unit_test(diff__says_so__when_only_the_last_newline_changed),
		cmocka_unit_test(diff__numbers_lines__from_one),
		cmocka_unit_test(diff__is_shortest_and_complete__for_random_texts),
		cmocka_unit_test(diff__ends__for_long_unrelated_texts),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("textdiff", tests, NULL, NULL);
}
