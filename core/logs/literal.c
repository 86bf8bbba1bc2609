/* SPDX-License-Identifier: MIT */
/*
 * Literals: what can be said of a pattern without running it.
 *
 * Most patterns that are typed have a word in them that each match must have. Finding a word is several times as
 * cheap as running a pattern, and a chunk without it need not even be unpacked. So of each alternative of a pattern
 * the longest run of characters is taken that has to be there: not in a group, not in brackets, not followed by a
 * quantifier that allows none. Where the reader is not sure it takes less, or nothing. It takes too little by
 * rule, and never what need not be there: what it passes over costs time, what it takes wrongly would cost hits.
 * When an alternative has no such run nothing is known of the pattern. When each is nothing but that run, finding
 * it is the whole match.
 *
 * Finding goes by two bytes of the literal, the rarest by what is common in logs, both looked for in 64 places at
 * once. The loop over these has no branch, so a compiler makes it the vector instructions of the machine. Ignoring
 * case costs one more instruction: the bit of case is set before bytes are compared.
 *
 * The filter of a chunk has a bit for each hash of four bytes that begin at an even place in it, an eighth of a bit
 * for each byte of text. A literal begins at an even or an odd place: either the four bytes at its places 0, 2, 4 … or
 * those at 1, 3, 5 … are all there, or it is not. A log repeats itself, so half a megabyte of it sets a quarter of
 * the bits: a word of eight letters that is not there is taken for possible in one chunk of fifteen, one of twelve in
 * one of three hundred. (With each place, not each second one, noting costs twice as much of the intake.) Hashes are
 * made with the bit of case set in every byte, which is right for both kinds of pattern.
 */
#include "core/logs/literal.h"

#include <string.h>

#define SHORTEST 3 /* of what is only a hint */
#define PLACES ((size_t)64)
#define GRAM 4
#define STEP 2

static bool is_letter(uint8_t c)
{
	return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

/* --- Reading a pattern --------------------------------------------------------------------------- */

struct run {
	size_t n;
	uint8_t text[LITERAL_BYTES];
};

struct reader {
	struct sv in;
	size_t i;
	bool fold, exact, lost; /* lost: it has something that is not read here */
	struct run now, best;   /* of this alternative */
};

static char peek(const struct reader *r, size_t ahead)
{
	return r->i + ahead < r->in.n ? r->in.p[r->i + ahead] : '\0';
}

static void end_run(struct reader *r)
{
	if (r->now.n > r->best.n)
		r->best = r->now;
	r->now.n = 0;
}

/* Something that is not a character that stands for itself: r->i goes behind its n bytes. */
static void other(struct reader *r, size_t n)
{
	end_run(r);
	r->exact = false;
	r->i += n;
}

static void take(struct reader *r, char c, size_t n)
{
	if (r->now.n == LITERAL_BYTES)
		other(r, 0);
	r->now.text[r->now.n++] = r->fold ? lower((uint8_t)c) : (uint8_t)c;
	r->i += n;
}

/* The character before need not be there. */
static void optional(struct reader *r)
{
	bool braces = peek(r, 0) == '{';

	if (r->now.n > 0)
		r->now.n--;
	other(r, 1);
	/* {2,5}, or braces that stand for themselves: what else is in those is read like the rest. */
	while (braces && peek(r, 0) != '\0' && strchr("0123456789, ", peek(r, 0)) != NULL)
		r->i++;
	if (braces && peek(r, 0) == '}')
		r->i++;
}

/* Over [...]. */
static void skip_brackets(struct reader *r)
{
	r->i += peek(r, 1) == '^' ? 2 : 1;
	if (peek(r, 0) == ']')
		r->i++;
	while (r->i < r->in.n && peek(r, 0) != ']') {
		if (peek(r, 0) == '[' && peek(r, 1) != '\0' && strchr(":.=", peek(r, 1)) != NULL)
			r->lost = true;
		r->i += peek(r, 0) == '\\' ? 2 : 1;
	}
	r->i++;
}

/* Over (...) with all groups in it. */
static void skip_group(struct reader *r)
{
	int depth = 0;

	do {
		char c = peek(r, 0);

		if (c == '[') {
			skip_brackets(r);
			continue;
		}
		/* (?i) holds for what is behind it too. */
		if (c == '(' && peek(r, 1) == '?' && (peek(r, 2) == 'i' || peek(r, 2) == '-'))
			r->lost = true;
		depth += (c == '(') - (c == ')');
		r->i += c == '\\' ? 2 : 1;
	} while (depth > 0 && r->i < r->in.n);
}

static void read_one(struct reader *r)
{
	char c = peek(r, 0), next = peek(r, 1);

	switch (c) {
	case '(':
		other(r, 0);
		skip_group(r);
		return;
	case '[':
		other(r, 0);
		skip_brackets(r);
		return;
	case '*':
	case '?':
	case '{':
		optional(r);
		return;
	case '+':
	case '.':
	case '^':
	case '$':
	case ')':
		other(r, 1);
		return;
	case '\\':
		if (next == '\0' || is_letter((uint8_t)next) || (next >= '0' && next <= '9'))
			other(r, 2);
		else
			take(r, next, 2);
		return;
	default:
		take(r, c, 1);
	}
}

/* --- Finding one --------------------------------------------------------------------------------- */

/* How common a byte is in logs; 0: rare. */
static size_t commonness(uint8_t c)
{
	static const char common[] = "kwvb=,_\"/:-.fgphymcudlsrnioate9876543210 ";
	const char *found = strchr(common, lower(c));

	return found != NULL && *found != '\0' ? (size_t)(found - common) + 1 : 0;
}

static void literal_make(struct literal *l, const struct run *run, bool fold)
{
	size_t a = 0, b;

	l->n = run->n;
	memcpy(l->text, run->text, run->n);
	for (size_t i = 1; i < l->n; i++)
		if (commonness(l->text[i]) < commonness(l->text[a]))
			a = i;
	b = a == 0 ? l->n - 1 : 0;
	for (size_t i = 0; i < l->n; i++)
		if (i != a && commonness(l->text[i]) < commonness(l->text[b]))
			b = i;
	l->at[0] = a;
	l->at[1] = b;
	for (int k = 0; k < 2; k++) {
		l->want[k] = l->text[l->at[k]];
		l->fold[k] = fold && is_letter(l->want[k]) ? 32 : 0;
	}
}

static bool is_at(const struct literal *l, bool fold, const uint8_t *p)
{
	if (!fold)
		return memcmp(p, l->text, l->n) == 0;
	for (size_t i = 0; i < l->n; i++)
		if (lower(p[i]) != l->text[i])
			return false;
	return true;
}

/* In which of so many places both bytes are right; whether in any. */
static bool places(const struct literal *l, const uint8_t *p, size_t n, uint8_t right[PLACES])
{
	const uint8_t *a = p + l->at[0], *b = p + l->at[1];
	uint8_t want_a = l->want[0], fold_a = l->fold[0], want_b = l->want[1], fold_b = l->fold[1];
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++) {
		right[i] = ((a[i] | fold_a) == want_a) & ((b[i] | fold_b) == want_b);
		any |= right[i];
	}
	return any != 0;
}

static size_t find_one(const struct literal *l, bool fold, struct sv text, size_t from)
{
	const uint8_t *p = (const uint8_t *)text.p;
	uint8_t right[PLACES];

	for (; from + l->n <= text.n; from += PLACES) {
		size_t left = text.n - l->n - from + 1, n = left < PLACES ? left : PLACES;
		const uint8_t *at = right;

		/* The number that a compiler knows is the fast one. */
		if (n == PLACES ? !places(l, p + from, PLACES, right)
				: !places(l, p + from, n, right))
			continue;
		while ((at = memchr(at, 1, n - (size_t)(at - right))) != NULL) {
			if (is_at(l, fold, p + from + (at - right)))
				return from + (size_t)(at - right);
			at++;
		}
	}
	return text.n;
}

/* --- For patterns -------------------------------------------------------------------------------- */

void literals_of(struct sv pattern, bool fold, struct literals *out)
{
	struct reader r = { .in = pattern, .fold = fold, .exact = true };
	bool more = true;

	*out = (struct literals){ .fold = fold };
	while (more && !r.lost) {
		while (r.i < pattern.n && peek(&r, 0) != '|')
			read_one(&r);
		more = r.i < pattern.n;
		end_run(&r);
		r.lost |= r.best.n == 0 || out->n == LITERALS_MAX;
		if (!r.lost)
			literal_make(&out->one[out->n++], &r.best, fold);
		r.best.n = 0;
		r.i++;
	}
	out->exact = r.exact;
	for (size_t i = 0; i < out->n; i++)
		r.lost |= !r.exact && out->one[i].n < SHORTEST;
	if (r.lost)
		out->n = 0;
}

size_t literals_find(const struct literals *l, struct sv text, size_t from,
		     size_t next[LITERALS_MAX])
{
	size_t first = text.n;

	for (size_t i = 0; i < l->n; i++) {
		if (next[i] <= from)
			next[i] = find_one(&l->one[i], l->fold, text, from);
		if (next[i] < first)
			first = next[i];
	}
	return first;
}

/* --- Filters ------------------------------------------------------------------------------------- */

size_t grams_bits(size_t text_bytes)
{
	size_t bits = 64;

	while (bits < text_bytes / 8)
		bits *= 2;
	return bits;
}

/* The place of the four bytes at p among a power of two of bits. */
static uint32_t gram(const void *p, unsigned shift)
{
	uint32_t four;

	memcpy(&four, p, GRAM);
	return (uint32_t)((four | 0x20202020u) * 2654435761u) >> shift;
}

static unsigned shift_of(size_t bits)
{
	return 32 - (unsigned)__builtin_ctzll(bits);
}

void grams_fill(uint64_t *bit, size_t bits, struct sv text)
{
	unsigned shift = shift_of(bits);

	for (size_t i = 0; i + GRAM <= text.n; i += STEP) {
		uint32_t h = gram(text.p + i, shift);

		bit[h / 64] |= (uint64_t)1 << (h % 64);
	}
}

/* The literal may begin at a place of which first is the next one that was noted. */
static bool may_begin(const uint64_t *bit, unsigned shift, const struct literal *l, size_t first)
{
	for (size_t i = first; i + GRAM <= l->n; i += STEP) {
		uint32_t h = gram(l->text + i, shift);

		if ((bit[h / 64] >> (h % 64) & 1) == 0)
			return false;
	}
	return true;
}

bool grams_may_have(const uint64_t *bit, size_t bits, const struct literals *l)
{
	unsigned shift = shift_of(bits);

	for (size_t i = 0; i < l->n; i++)
		for (size_t first = 0; first < STEP; first++)
			if (may_begin(bit, shift, &l->one[i], first))
				return true;
	return l->n == 0;
}
