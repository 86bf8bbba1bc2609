/* SPDX-License-Identifier: MIT */
/*
 * Decoding, and the one function that makes foreign bytes harmless.
 *
 * Log lines, names of files, texts of libraries and servers all pass clean_text() before they are
 * shown or logged. It is written as one loop that takes a piece of the input at a time and either
 * copies or replaces it; with no output buffer the same loop only counts columns, so utf8_cols()
 * cannot disagree with what is shown.
 *
 * Marks: a combining mark is drawn over the character before it. At the start of a text, and behind
 * a tab or an escape, that would be a character of somebody else, so there marks are escaped;
 * behind a character four are kept and the rest escaped, because terminals stack them over the
 * lines above.
 *
 * U+FE0E and U+FE0F, which choose between the text and the picture form of a character, are
 * dropped: they are common in honest logs, carry nothing else, and terminals disagree about the
 * width that follows.
 *
 * Most of what comes is plain ASCII, so runs of it are found eight bytes at a time and copied
 * whole.
 */
#include "core/base/utf8.h"

#include <assert.h>
#include <string.h>

#define MARKS_MAX 4
#define TAB_COLS 8
#define TEXT_STYLE 0xfe0e
#define EMOJI_STYLE 0xfe0f

size_t utf8_decode(struct sv s, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t value;
	size_t n;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n < n)
		return 0;
	value = p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*cp = value;
	return n;
}

size_t utf8_encode(uint32_t cp, char *out)
{
	assert(cp <= 0x10ffff);
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* Length of the run of printable ASCII at the start of s. */
static size_t ascii_run(struct sv s)
{
	const uint64_t ones = 0x0101010101010101U;
	size_t n = 0;

	for (; s.n - n >= 8; n += 8) {
		uint64_t word;

		/* The top bit of a byte gets set by a byte below 0x20 (borrow), by 0x7f (carry) and
		 * by one past ASCII. A borrow can blame a neighbour too; the loop below decides. */
		memcpy(&word, s.p + n, sizeof(word));
		if (((word - ones * 0x20) | (word + ones) | word) & ones * 0x80)
			break;
	}
	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f)
		n++;
	return n;
}

bool utf8_valid(struct sv s)
{
	while (s.n > 0) {
		uint32_t cp;
		size_t n = ascii_run(s);

		if (n == 0)
			n = utf8_decode(s, &cp);
		if (n == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}

/* One text being cleaned. */
struct cleaner {
	struct strbuf *out; /* NULL: only count */
	size_t cols;
	int marks; /* how many more marks the character before may carry */
	bool ascii;
};

static void cleaner_keep(struct cleaner *c, const char *p, size_t n, size_t cols)
{
	if (c->out)
		strbuf_add(c->out, p, n);
	c->cols += cols;
}

static void cleaner_tab(struct cleaner *c)
{
	size_t n = TAB_COLS - c->cols % TAB_COLS;

	if (c->out)
		strbuf_pad(c->out, ' ', n);
	c->cols += n;
	c->marks = 0;
}

/* A code point as <U+00E9>, or with two characters: \n, \x1b. */
static void cleaner_escape(struct cleaner *c, uint32_t cp)
{
	char text[16];
	int n;

	if (cp == '\n' || cp == '\r')
		n = snprintf(text, sizeof(text), "\\%c", cp == '\n' ? 'n' : 'r');
	else if (cp < 0x80)
		n = snprintf(text, sizeof(text), "\\x%02x", (unsigned)cp);
	else
		n = snprintf(text, sizeof(text), "<U+%04X>", (unsigned)cp);
	cleaner_keep(c, text, (size_t)n, (size_t)n);
	c->marks = 0;
}

static void cleaner_bad_byte(struct cleaner *c, unsigned char byte)
{
	char text[8];
	int n = snprintf(text, sizeof(text), "\\x%02X", byte);

	cleaner_keep(c, text, (size_t)n, (size_t)n);
	c->marks = 0;
}

static void cleaner_code_point(struct cleaner *c, const char *p, size_t n, uint32_t cp)
{
	int width = utf8_width(cp);

	if (cp == '\t') {
		cleaner_tab(c);
	} else if (cp == TEXT_STYLE || cp == EMOJI_STYLE) {
		return;
	} else if (width < 0 || (c->ascii && cp >= 0x80) || (width == 0 && c->marks == 0)) {
		cleaner_escape(c, cp);
	} else {
		cleaner_keep(c, p, n, (size_t)width);
		c->marks = width == 0 ? c->marks - 1 : MARKS_MAX;
	}
}

static void cleaner_run(struct cleaner *c, struct sv s)
{
	while (s.n > 0) {
		size_t n = ascii_run(s);
		uint32_t cp;

		if (n > 0) {
			cleaner_keep(c, s.p, n, n);
			c->marks = MARKS_MAX;
		} else if ((n = utf8_decode(s, &cp)) > 0) {
			cleaner_code_point(c, s.p, n, cp);
		} else {
			cleaner_bad_byte(c, (unsigned char)s.p[0]);
			n = 1;
		}
		s.p += n;
		s.n -= n;
	}
}

/* A full buffer may have cut the last character: takes its beginning off again. */
static void drop_cut_character(struct strbuf *out, size_t from)
{
	size_t start = out->len;
	uint32_t cp;

	if (!out->overflow || out->len == from)
		return;
	do
		start--;
	while (start > from && out->len - start < 4 && (out->data[start] & 0xc0) == 0x80);
	if (utf8_decode(sv_n(out->data + start, out->len - start), &cp) == 0) {
		out->len = start;
		out->data[start] = '\0';
	}
}

size_t utf8_cols(struct sv s)
{
	struct cleaner c = { 0 };

	cleaner_run(&c, s);
	return c.cols;
}

void clean_text(struct strbuf *out, struct sv s, bool ascii)
{
	struct cleaner c = { .out = out, .ascii = ascii };
	size_t from = out->len;

	cleaner_run(&c, s);
	drop_cut_character(out, from);
}

void clean_lines(struct strbuf *out, struct sv s, bool ascii)
{
	struct sv line;

	while (s.n > 0) {
		const char *start = s.p;

		sv_cut(&s, '\n', &line);
		clean_text(out, line, ascii);
		if (s.p > start + line.n)
			strbuf_addc(out, '\n');
	}
}
