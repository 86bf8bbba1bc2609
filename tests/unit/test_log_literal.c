/* SPDX-License-Identifier: MIT */
#include "core/logs/literal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

static uint32_t dice_state = 1;

static uint32_t dice(uint32_t n)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 16) % n;
}

/* What is known of a pattern, as words: those that are hints after a "~". */
static void known(const char *pattern, bool fold, const char *want)
{
	struct literals l;
	char have[600] = "";
	size_t n = 0;

	literals_of(sv_of(pattern), fold, &l);
	if (l.n > 0 && !l.exact)
		n += (size_t)snprintf(have, sizeof(have), "~");
	for (size_t i = 0; i < l.n; i++)
		n += (size_t)snprintf(have + n, sizeof(have) - n, "%s%.*s", i > 0 ? "/" : "",
				      (int)l.one[i].n, (const char *)l.one[i].text);
	if (strcmp(have, want) != 0)
		print_message("of %s\n", pattern);
	assert_string_equal(have, want);
}

static void literals__are_what_each_match_must_have(void **state)
{
	(void)state;
	known("payment updated", false, "payment updated");
	known("Payment", true, "payment");
	known("a", false, "a");
	known("", false, "");
	known("cart|Stock|x", false, "cart/Stock/x");
	known("cart|", false, "");
	known("|cart", false, "");
	known("cart|[ab]", false, "");
	known("cart|x.", false, "");
	known("took [0-9]{4} ms$", false, "~took ");
	known("^[^ ]+ ERROR .*id=99[0-9]*", false, "~ ERROR ");
	known("(GET|POST) /api/v1/[a-z]+", false, "~ /api/v1/");
	known("a\\.b\\|c", false, "a.b|c");
	known("abcd*ef", false, "~abc");
	known("abcd?ef", false, "~abc");
	known("abcd+efg", false, "~abcd");
	known("abcd{2}", false, "~abc");
	known("abcd{0,2}efgh", false, "~efgh");
	known("abcd{,2}e", false, "~abc");
	known("abcd{, 2 }e", false, "~abc");
	known("abcd{x", false, "~abc");
	known("abcd{2|efg", false, "~abc/efg");
	known("{\"level\"", false, "~\"level\"");
	known("ab\\dcde", false, "~cde");
	known("abc\\*\\**", false, "~abc*");
	known("abc(de|(f[)]|g)*)hi", false, "~abc");
	known("abc(?:def)ghij", false, "~ghij");
	known("abc(?i)def", false, "");
	known("abc(x(?-i:d))", false, "");
	known("abc(\\(|d)ef", false, "~abc");
	known("[]abc]def", false, "~def");
	known("[^]abc]def", false, "~def");
	known("[a\\]bcd]efg", false, "~efg");
	known("[[:alpha:]]abc", false, "");
	known("^abc$", false, "~abc");
	known("ab", false, "ab");
	known("ab.", false, "");
	known("a|b|c|d|e|f|g|h", false, "a/b/c/d/e/f/g/h");
	known("a|b|c|d|e|f|g|h|i", false, "");
	/* 70 characters: the first 64 are enough. */
	known("0123456789012345678901234567890123456789012345678901234567890123456789", false,
	      "~0123456789012345678901234567890123456789012345678901234567890123");
}

/* Found in every place, whatever its length and alignment, and however close the end is. */
static void literals__are_found__as_a_loop_over_places_finds_them(void **state)
{
	char text[301], pattern[40];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		bool fold = dice(2) == 0;
		size_t n = dice(301), len = 1 + dice(dice(4) == 0 ? 12 : 3), at = 0, found;
		size_t next[LITERALS_MAX] = { 0 };
		struct literals l;

		for (size_t i = 0; i < n; i++)
			text[i] = "aab@`A \n"[dice(8)];
		for (size_t i = 0; i < len; i++)
			pattern[i] = "aab@`A "[dice(7)];
		if (n >= len && dice(2) == 0)
			memcpy(text + dice((uint32_t)(n - len + 1)), pattern, len);
		literals_of(sv_n(pattern, len), fold, &l);
		assert_int_equal(l.n, 1);
		for (size_t from = 0; from <= n; from = found + 1) {
			for (at = from; at + len <= n; at++)
				if (fold ? strncasecmp(text + at, pattern, len) == 0
					 : memcmp(text + at, pattern, len) == 0)
					break;
			found = literals_find(&l, sv_n(text, n), from, next);
			assert_int_equal(found, at + len <= n ? at : n);
		}
	}
}

static void several_literals__are_found_in_order(void **state)
{
	struct literals l;
	size_t next[LITERALS_MAX] = { 0 };

	(void)state;
	literals_of(SV("Bc|ab|zz"), false, &l);
	assert_int_equal(literals_find(&l, SV("xabBcab"), 0, next), 1);
	assert_int_equal(literals_find(&l, SV("xabBcab"), 2, next), 3);
	assert_int_equal(literals_find(&l, SV("xabBcab"), 4, next), 5);
	assert_int_equal(literals_find(&l, SV("xabBcab"), 6, next), 7);
}

static bool may_have(const uint64_t *bit, size_t bits, const char *word, size_t n, bool fold)
{
	struct literals l;

	literals_of(sv_n(word, n), fold, &l);
	return grams_may_have(bit, bits, &l);
}

static void filter__knows_all_that_is_there__and_little_else(void **state)
{
	static const size_t sizes[] = { 0, 1, 3, 4, 5, 100, 5000, 200000 };

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		size_t n = sizes[s], bits = grams_bits(n), wrong = 0;
		uint64_t *bit = mem_calloc(bits / 64, sizeof(*bit));
		char *text = mem_alloc(n + 1);

		/* A log repeats itself: words of a hundred. */
		for (size_t i = 0; i < n; i++)
			text[i] = i % 8 == 7 ? ' ' : (char)('a' + (dice(100) * 7 + i % 8 * 5) % 16);
		for (size_t i = 8000; i < n; i++)
			text[i] = text[i - 8000];
		grams_fill(bit, bits, sv_n(text, n));
		for (int k = 0; k < 2000; k++) {
			size_t len = 1 + dice(20);
			char word[24];

			if (len > n)
				break;
			memcpy(word, text + dice((uint32_t)(n - len + 1)), len);
			assert_true(may_have(bit, bits, word, len, false));
			for (size_t i = 0; i < len; i++)
				word[i] = dice(2) == 0 && word[i] != ' ' ? (char)(word[i] - 32)
									 : word[i];
			assert_true(may_have(bit, bits, word, len, true));
		}
		for (int k = 0; k < 1000; k++) {
			char word[16];

			for (size_t i = 0; i < sizeof(word); i++)
				word[i] = (char)('q' + dice(9));
			wrong += may_have(bit, bits, word, sizeof(word), false);
		}
		/* A short text does not repeat itself; it is as soon searched. */
		assert_true(n < 200000 || wrong < 100);
		mem_free(text);
		mem_free(bit);
	}
	assert_true(grams_may_have(NULL, 64, &(struct literals){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals__are_what_each_match_must_have),
		cmocka_unit_test(literals__are_found__as_a_loop_over_places_finds_them),
		cmocka_unit_test(several_literals__are_found_in_order),
		cmocka_unit_test(filter__knows_all_that_is_there__and_little_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
