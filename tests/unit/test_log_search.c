/* SPDX-License-Identifier: MIT */
#include "core/logs/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/base/clock.h"
#include "core/base/library.h"
#include "core/base/mem.h"
#include "core/logs/literal.h"
#include "core/logs/search_inside.h"

static struct log_pattern *pattern(const char *text)
{
	struct log_pattern *p;
	struct err e;

	if (log_pattern_new(text, &p, &e) != 0)
		fail_msg("%s: %s", text, e.detail);
	return p;
}

static void matches(const char *text, const char *line, bool want)
{
	struct log_pattern *p = pattern(text);

	if (log_pattern_match(p, sv_of(line), NULL, NULL) != want)
		print_message("%s on %s\n", text, line);
	assert_int_equal(log_pattern_match(p, sv_of(line), NULL, NULL), want);
	log_pattern_free(p);
}

static void pattern__ignores_case__without_upper_case_letters(void **state)
{
	(void)state;
	matches("error", "An ERROR", true);
	matches("Error", "an error", false);
	matches("Error", "an Error", true);
	matches("e\\Srror", "ExRROR", true); /* \S is no letter of its own */
	matches("[E]rror", "error", false);
	matches("\xc3\xa4rger", "\xc3\x84RGER", true);
	matches("\xff\xfe", "x\xff\xfey", true); /* no UTF-8 */
	matches(".\xc3\xa4", "\xff\xc3\xa4", false);
	matches("a.\xc3\xa4", "x a1\xc3\xa4", true);
}

static void pattern__with_a_mistake__names_its_place(void **state)
{
	struct log_pattern *p;
	struct err e;
	char *text = mem_alloc(5001);

	(void)state;
	assert_int_equal(log_pattern_new("ab(cd", &p, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.detail, "character 6"));
	assert_true(e.hint[0] != '\0');
	assert_int_equal(log_pattern_new("a**b", &p, &e), -1);
	assert_int_equal(log_pattern_new("[z-a]", &p, &e), -1);
	memset(text, 'a', 5000);
	text[5000] = '\0';
	assert_int_equal(log_pattern_new(text, &p, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mem_free(text);
}

static void match__gives_whole_characters(void **state)
{
	struct log_pattern *p = pattern("b[^x]");
	size_t from = 9, to = 9;

	(void)state;
	assert_true(log_pattern_match(p, SV("ab\xc3\xa4z"), &from, &to));
	assert_int_equal(from, 1);
	assert_int_equal(to, 4);
	assert_false(log_pattern_match(p, SV(""), &from, &to));
	assert_false(log_pattern_match(p, sv_n(NULL, 0), &from, &to));
	log_pattern_free(p);
}

struct found {
	size_t at[4000];
	size_t n;
};

static void hit(void *arg, size_t line_at)
{
	struct found *f = arg;

	assert_true(f->n < 4000);
	f->at[f->n++] = line_at;
}

/* Over all lines at once has to be what each line says. */
static void same_by_line(const char *text, struct sv lines)
{
	struct log_pattern *p = pattern(text);
	struct found *f = mem_calloc(1, sizeof(*f));
	size_t at = 0, k = 0;

	log_pattern_lines(p, lines, hit, f);
	while (at < lines.n) {
		const char *nl = memchr(lines.p + at, '\n', lines.n - at);
		size_t n = (nl != NULL ? (size_t)(nl - lines.p) : lines.n) - at;
		bool want = log_pattern_match(p, sv_n(lines.p + at, n), NULL, NULL);
		bool got = k < f->n && f->at[k] == at;

		if (got != want)
			print_message("%s on %.*s: %d\n", text, (int)n, lines.p + at, got);
		assert_int_equal(got, want);
		k += got;
		at += n + 1;
	}
	assert_int_equal(k, f->n);
	log_pattern_free(p);
	mem_free(f);
}

static void lines__are_those__that_match_alone(void **state)
{
	static const char *const patterns[] = { "b",
						"^b",
						"b$",
						"^$",
						"^",
						"$",
						"",
						"a*",
						"x",
						"\\s",
						"\\s+$",
						"^\\s*$",
						"a\\sb",
						"b\\s*\\S",
						"[^a]",
						"[^a]$",
						"a[^b]*c",
						"[^]a]b",
						"[]a]",
						"\\D",
						"\\W+b",
						"\\w\\W*$",
						"(?s)a.*c",
						"a.c",
						"a(?!\\s*b)",
						"(?<!a)b",
						"(?<=a)c",
						"b(?=c)",
						"\\Aa",
						"c\\z",
						"c\\Z",
						"a\\Rb",
						"a\\nb",
						"a\nb",
						"\\Qa\\E",
						"[\\s]b",
						"[\\W]",
						"[[:space:]]",
						"[[:alpha:]]c",
						"[[:^alpha:]]",
						"[^[:space:]]b",
						"(a|b)\\1",
						"(?i)A",
						"(?:a|bc)+",
						"(?>a+)b",
						"a\\s++b",
						"(?x) a b",
						"\\x0a",
						"\\012",
						"a\\h*b",
						"a\\vb",
						"[\\t-a]",
						"\\N+",
						"a\\Kb",
						"(?-m)^b",
						"(?m)^b",
						"(*LIMIT_MATCH=5)a",
						"\\p{L}b",
						"\\P{L}",
						"[^\\n]",
						"\\bab",
						"b\\B",
						"(?<Name>a)b",
						"(?#c)a",
						"[a\\]b]c",
						"\\[",
						"a{2,}",
						"\\cJ",
						"[^\xc3\xa4]b",
						"\xc3\xa4|b$" };
	static const char text[] =
		"a\nb\n\nab\n a b \nabc\nc\n\n\naab\na  \n  b\nbc\xc3\xa4\n-b\na\tb\n"
		"[x]\nca\nac\n]b\n\xff\nabab\nA\n";
	struct strbuf b;
	uint32_t r = 1;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 3000; i++) {
		r = r * 1664525 + 1013904223;
		strbuf_addc(&b, "abc \n\nxab"[(r >> 20) % 9]);
	}
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		same_by_line(patterns[i], SV(text));
		same_by_line(patterns[i], sv_n(text, sizeof(text) - 2)); /* no newline at the end */
		same_by_line(patterns[i], strbuf_sv(&b));
		same_by_line(patterns[i], SV(""));
		same_by_line(patterns[i], SV("\n"));
		same_by_line(patterns[i], SV("\n\n"));
	}
	strbuf_clear(&b);
}

/* --- Random patterns against PCRE2 alone ----------------------------------------------------------- */

/* clang-format off */
#define FUNCTIONS(X) \
	X(pcre2_compile_8) X(pcre2_code_free_8) X(pcre2_match_8) X(pcre2_match_data_create_8) X(pcre2_match_data_free_8)

struct pcre {
#define X(f) __typeof__(f) *f;
	FUNCTIONS(X)
#undef X
};

#define X(f) { #f, offsetof(struct pcre, f) },
static const struct library_symbol symbols[] = { FUNCTIONS(X) };
#undef X
/* clang-format on */

static const char *const files[] = { "libpcre2-8.so.0", NULL };
static const struct library library = { .name = "libpcre2-8",
					.file = files,
					.symbol = symbols,
					.n_symbol = sizeof(symbols) / sizeof(symbols[0]) };

static uint32_t random_state = 1;

static uint32_t dice(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 16) % n;
}

static void add_sequence(struct strbuf *b, int depth);

static void add_letter(struct strbuf *b)
{
	/* Upper case is rare, since it makes all of a pattern heed case. */
	strbuf_addc(b, dice(12) == 0 ? "AB"[dice(2)] : "aaabbb c1-"[dice(10)]);
}

static void add_group(struct strbuf *b, int depth)
{
	static const char *const begins[] = { "(",    "(?:",  "(?=", "(?!",
					      "(?<!", "(?i:", "(?>", "(?-i:" };
	size_t begin = dice(8);

	strbuf_adds(b, begins[begin]);
	if (begin == 4) {
		add_letter(b);
	} else {
		add_sequence(b, depth + 1);
		while (dice(3) == 0) {
			strbuf_addc(b, '|');
			add_sequence(b, depth + 1);
		}
	}
	strbuf_addc(b, ')');
}

static void add_atom(struct strbuf *b, int depth)
{
	static const char *const odd[] = { ".",       "[ab]",        "[^a]", "[]a]",  "[^]b]",
					   "[a\\]b]", "\\d",         "\\s",  "\\S",   "\\b",
					   "\\.",     "\\-",         "\\W",  "[a-c]", "^",
					   "$",       "[[:alpha:]]", "(?i)", "[(a]",  "[a|b]" };

	if (dice(100) < 70)
		for (uint32_t n = 1 + dice(4); n > 0; n--)
			add_letter(b);
	else if (dice(3) > 0 || depth > 2)
		strbuf_adds(b, odd[dice(sizeof(odd) / sizeof(odd[0]))]);
	else
		add_group(b, depth);
}

static void add_sequence(struct strbuf *b, int depth)
{
	static const char *const times[] = { "*",    "+",    "?",  "{0,2}", "{2}",
					     "{1,}", "{,2}", "{2", "{x}",   "+?" };

	for (uint32_t n = 1 + dice(3); n > 0; n--) {
		add_atom(b, depth);
		if (dice(4) == 0)
			strbuf_adds(b, times[dice(10)]);
	}
}

/* The lines that PCRE2 alone finds; false when it does not take the pattern. */
static bool lines_naive(const struct pcre *lib, const char *text, bool fold, struct sv lines,
			struct found *f)
{
	size_t place;
	int code;
	pcre2_code_8 *re = lib->pcre2_compile_8((PCRE2_SPTR8)text, PCRE2_ZERO_TERMINATED,
						fold ? PCRE2_CASELESS : 0, &code, &place, NULL);
	pcre2_match_data_8 *d = lib->pcre2_match_data_create_8(1, NULL);

	f->n = 0;
	for (size_t at = 0; re != NULL && at < lines.n;) {
		size_t n = (size_t)((char *)memchr(lines.p + at, '\n', lines.n - at) - lines.p) -
			   at;

		if (lib->pcre2_match_8(re, (PCRE2_SPTR8)lines.p + at, n, 0, 0, d, NULL) >= 0)
			f->at[f->n++] = at;
		at += n + 1;
	}
	lib->pcre2_match_data_free_8(d);
	lib->pcre2_code_free_8(re);
	return re != NULL;
}

/* Case is heeded when a letter that stands for itself is upper case: all but those behind a backslash. */
static bool ignores_case(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\\')
			i++;
		else if (text.p[i] >= 'A' && text.p[i] <= 'Z')
			return false;
	return true;
}

static void random_lines(struct strbuf *b)
{
	strbuf_reset(b);
	for (uint32_t n = 60 + dice(60); n > 0; n--) {
		for (uint32_t k = dice(3) == 0 ? 0 : dice(dice(9) == 0 ? 300 : 20); k > 0; k--)
			strbuf_addc(b, "aaabbbAB  c1-.]{"[dice(16)]);
		strbuf_addc(b, '\n');
	}
}

static void random_patterns__find_what_pcre_alone_finds(void **state)
{
	struct found *want = mem_calloc(1, sizeof(*want)), *have = mem_calloc(1, sizeof(*have));
	struct strbuf text, lines;
	struct pcre lib;
	size_t taken = 0, skipped = 0;
	struct err e;

	(void)state;
	assert_int_equal(library_load(&library, &lib, &e), 0);
	strbuf_init(&text, STRBUF_NO_LIMIT);
	strbuf_init(&lines, STRBUF_NO_LIMIT);
	for (int i = 0; i < 8000; i++) {
		uint64_t bit[4096] = { 0 };
		size_t bits;
		struct log_pattern *p;

		if (i % 20 == 0)
			random_lines(&lines);
		strbuf_reset(&text);
		do
			add_sequence(&text, 0);
		while (dice(4) == 0 && (strbuf_addc(&text, '|'), true));
		if (!lines_naive(&lib, strbuf_str(&text), ignores_case(strbuf_sv(&text)),
				 strbuf_sv(&lines), want))
			continue;
		taken++;
		p = pattern(strbuf_str(&text));
		have->n = 0;
		log_pattern_lines(p, strbuf_sv(&lines), hit, have);
		if (have->n != want->n ||
		    memcmp(have->at, want->at, want->n * sizeof(want->at[0])) != 0)
			fail_msg("%s finds %zu lines, PCRE2 %zu", strbuf_str(&text), have->n,
				 want->n);
		/* A filter that has each byte only once: little is possible by chance. */
		bits = (size_t)8 * grams_bits(lines.len);
		assert_true(bits / 64 <= 4096);
		grams_fill(bit, bits, strbuf_sv(&lines));
		if (!log_pattern_may_hit(p, bit, bits)) {
			assert_int_equal(want->n, 0);
			skipped++;
		}
		log_pattern_free(p);
	}
	assert_true(taken > 4000);
	assert_true(skipped > 100);
	strbuf_clear(&text);
	strbuf_clear(&lines);
	mem_free(want);
	mem_free(have);
}

static void lines__over_many_slices__are_all_found(void **state)
{
	struct log_pattern *p = pattern("needle$");
	struct found *f = mem_calloc(1, sizeof(*f));
	struct strbuf b;
	size_t want = 0;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (int i = 0; i < 9000; i++) {
		bool is = i % 9 == 0;

		want += is;
		strbuf_addf(&b, "line %d of a text that is longer than a slice %s\n", i,
			    is ? "needle" : "hay");
	}
	log_pattern_lines(p, strbuf_sv(&b), hit, f);
	assert_int_equal(f->n, want);
	for (size_t i = 1; i < f->n; i++)
		assert_true(f->at[i] > f->at[i - 1]);
	strbuf_clear(&b);
	log_pattern_free(p);
	mem_free(f);
}

static void lines__that_backtrack_for_ever__do_not_match(void **state)
{
	struct log_pattern *p = pattern("(a+)+$");
	struct found *f = mem_calloc(1, sizeof(*f));
	struct strbuf b;

	(void)state;
	strbuf_init(&b, STRBUF_NO_LIMIT);
	strbuf_adds(&b, "aa\n");
	for (int i = 0; i < 40; i++)
		strbuf_adds(&b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n");
	strbuf_adds(&b, "aaa\n");
	log_pattern_lines(p, strbuf_sv(&b), hit, f);
	assert_int_equal(f->n, 2);
	assert_int_equal(f->at[0], 0);
	assert_int_equal(f->at[1], b.len - 4);
	strbuf_clear(&b);
	log_pattern_free(p);
	mem_free(f);
}

static void stop_now(void *arg, size_t line_at)
{
	(void)line_at;
	atomic_store((atomic_bool *)arg, true);
}

static void lines__end_early__when_they_are_stopped(void **state)
{
	struct log_pattern *p = pattern("a");
	atomic_bool stop = false;

	(void)state;
	assert_true(log_pattern_lines_until(p, SV("b\n"), &stop, stop_now, &stop));
	assert_false(log_pattern_lines_until(p, SV("a\n"), &stop, stop_now, &stop));
	assert_false(log_pattern_lines_until(p, SV("b\n"), &stop, stop_now, &stop));
	assert_string_equal(log_pattern_text(p), "a");
	log_pattern_free(p);
	log_pattern_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pattern__ignores_case__without_upper_case_letters),
		cmocka_unit_test(pattern__with_a_mistake__names_its_place),
		cmocka_unit_test(match__gives_whole_characters),
		cmocka_unit_test(lines__are_those__that_match_alone),
		cmocka_unit_test(random_patterns__find_what_pcre_alone_finds),
		cmocka_unit_test(lines__over_many_slices__are_all_found),
		cmocka_unit_test(lines__that_backtrack_for_ever__do_not_match),
		cmocka_unit_test(lines__end_early__when_they_are_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
