/* SPDX-License-Identifier: MIT */
/*
 * Views and growing strings.
 *
 * A strbuf has a maximum because most of what we build comes from outside: a reply, a log line, a
 * file. Callers append without looking and ask strbuf_ok() once at the end; that is only sound
 * because an append after the first refused one is refused too, else a short piece could land
 * behind a long one that is missing. The memory doubles; one byte more than the text is always
 * there for the NUL. Appending a piece of the buffer to itself is not supported.
 *
 * sv_cut() treats a separator as the end of a piece, not as a border between two: "a,b," has two
 * pieces, as a file with a newline at its end has no empty last line.
 */
#include "core/base/str.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Longer words are not typing mistakes; it bounds the work and the tables on the stack. */
#define NEAREST_MAX 64

struct sv sv_of(const char *s)
{
	return s ? sv_n(s, strlen(s)) : sv_n("", 0);
}

struct sv sv_n(const char *p, size_t n)
{
	return (struct sv){ p, n };
}

bool sv_eq(struct sv a, struct sv b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool sv_eq_str(struct sv a, const char *s)
{
	return sv_eq(a, sv_of(s));
}

bool sv_starts(struct sv s, struct sv prefix)
{
	return s.n >= prefix.n && sv_eq(sv_n(s.p, prefix.n), prefix);
}

bool sv_ends(struct sv s, struct sv suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

int sv_cmp(struct sv a, struct sv b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct sv sv_trim(struct sv s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_blank(const char *s)
{
	return s == NULL || sv_trim(sv_of(s)).n == 0;
}

bool sv_cut(struct sv *rest, char sep, struct sv *piece)
{
	const char *at;

	if (rest->n == 0)
		return false;
	at = memchr(rest->p, sep, rest->n);
	if (!at) {
		*piece = *rest;
		rest->p += rest->n;
		rest->n = 0;
		return true;
	}
	*piece = sv_n(rest->p, (size_t)(at - rest->p));
	rest->n -= piece->n + 1;
	rest->p = at + 1;
	return true;
}

bool sv_int(struct sv s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = min < 0 && s.n > 0 && s.p[0] == '-';
	int64_t value = 0;
	size_t i = negative ? 1 : 0;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		int digit = s.p[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		/* Counting downwards for a negative number reaches INT64_MIN. */
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, negative ? -digit : digit, &value))
			return false;
	}
	if (value < min || value > max)
		return false;
	*out = value;
	return true;
}

void strbuf_init(struct strbuf *b, size_t max)
{
	*b = (struct strbuf){ .max = max };
}

void strbuf_clear(struct strbuf *b)
{
	mem_free(b->data);
	strbuf_init(b, b->max);
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data)
		b->data[0] = '\0';
}

/* Memory for n more bytes and the NUL; the caller has compared n with the maximum. */
static void strbuf_reserve(struct strbuf *b, size_t n)
{
	if (b->cap - b->len > n)
		return;
	if (n >= SIZE_MAX - b->len)
		mem_oom();
	mem_grow(&b->data, &b->cap, b->len + n + 1, 1);
	b->data[b->len] = '\0';
}

/* How many of n bytes may still be appended; fewer than n marks the buffer as overflown. */
static size_t strbuf_admit(struct strbuf *b, size_t n)
{
	size_t left = b->max > b->len ? b->max - b->len : 0;

	if (b->overflow)
		return 0;
	if (n <= left)
		return n;
	b->overflow = true;
	return left;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	n = strbuf_admit(b, n);
	if (n == 0)
		return;
	strbuf_reserve(b, n);
	memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_addsv(struct strbuf *b, struct sv s)
{
	strbuf_add(b, s.p, s.n);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_addv(b, fmt, ap);
	va_end(ap);
}

void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	char *large;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	assert(n >= 0);
	if ((size_t)n < sizeof(small)) {
		strbuf_add(b, small, (size_t)n);
	} else {
		large = mem_alloc((size_t)n + 1);
		vsnprintf(large, (size_t)n + 1, fmt, again);
		strbuf_add(b, large, (size_t)n);
		mem_free(large);
	}
	va_end(again);
}

void strbuf_pad(struct strbuf *b, char c, size_t n)
{
	n = strbuf_admit(b, n);
	if (n == 0)
		return;
	strbuf_reserve(b, n);
	memset(b->data + b->len, c, n);
	b->len += n;
	b->data[b->len] = '\0';
}

char *strbuf_room(struct strbuf *b, size_t n)
{
	if (strbuf_admit(b, n) < n || b->overflow)
		return NULL;
	strbuf_reserve(b, n);
	return b->data + b->len;
}

void strbuf_grew(struct strbuf *b, size_t n)
{
	assert(n < b->cap - b->len);
	b->len += n;
	b->data[b->len] = '\0';
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->data ? b->data : "";
}

struct sv strbuf_sv(const struct strbuf *b)
{
	return sv_n(strbuf_str(b), b->len);
}

char *strbuf_detach(struct strbuf *b)
{
	char *text = b->data ? b->data : mem_strdup("");

	strbuf_init(b, b->max);
	return text;
}

bool strbuf_ok(const struct strbuf *b)
{
	return !b->overflow;
}

void str_copy(char *dst, size_t size, const char *s)
{
	str_copy_sv(dst, size, sv_of(s));
}

void str_copy_sv(char *dst, size_t size, struct sv s)
{
	static const char ellipsis[] = "…";
	size_t dots = sizeof(ellipsis) - 1;
	size_t n = s.n;

	if (size == 0)
		return;
	if (n < size) {
		if (n > 0)
			memmove(dst, s.p, n);
		dst[n] = '\0';
		return;
	}
	if (size <= dots)
		dots = 0;
	n = size - 1 - dots;
	/* Back to the start of the character that would be cut; text that is not UTF-8 has no such
	 * start near, and losing three bytes of it does not matter. */
	for (int i = 0; i < 3 && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80; i++)
		n--;
	memmove(dst, s.p, n);
	memcpy(dst + n, ellipsis, dots);
	dst[n + dots] = '\0';
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b; both at most NEAREST_MAX. */
static size_t edit_distance(struct sv a, struct sv b)
{
	size_t rows[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *now = rows[i % 3];
		const size_t *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t change = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			now[j] = min3(last[j] + 1, now[j - 1] + 1, change);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return rows[a.n % 3][b.n];
}

const char *str_nearest(const char *word, const char *const *candidates, size_t n)
{
	struct sv w = sv_of(word);
	size_t limit = w.n / 3 > 1 ? w.n / 3 : 1;
	const char *nearest = NULL;

	if (w.n == 0 || w.n > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct sv c = sv_of(candidates[i]);
		size_t distance;

		if (c.n == 0 || c.n > NEAREST_MAX)
			continue;
		distance = edit_distance(w, c);
		if (distance > limit || distance >= w.n)
			continue;
		nearest = candidates[i];
		if (distance == 0)
			break;
		limit = distance - 1; /* of equals the first one stays */
	}
	return nearest;
}
