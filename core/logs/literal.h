/* SPDX-License-Identifier: MIT */
/* Literals of a pattern: texts of which one is in every line that matches. See literal.c. */
#ifndef LOGS_LITERAL_H
#define LOGS_LITERAL_H

#include "core/base/str.h"

#define LITERALS_MAX 8
#define LITERAL_BYTES 64

struct literal {
	size_t n;
	uint8_t text[LITERAL_BYTES]; /* lower case when case is ignored */
	/* The two rarest bytes: where, what they are, and which bit of case is ignored in them. */
	size_t at[2];
	uint8_t want[2], fold[2];
};

/* n 0: none is known. */
struct literals {
	size_t n;
	bool fold;  /* the case of ASCII letters is ignored */
	bool exact; /* and every line that has one matches */
	struct literal one[LITERALS_MAX];
};
/* Those of a pattern of ASCII, which must compile, and in which nothing matches a newline. */
void literals_of(struct sv pattern, bool fold, struct literals *out);
/* Where in text one of them begins, first at or behind from; text.n when none does. next is what was found so far in
 * this text: n numbers, 0 at first; from never goes back. */
size_t literals_find(const struct literals *l, struct sv text, size_t from,
		     size_t next[LITERALS_MAX]);

/* --- What a chunk has: a filter ------------------------------------------------------------------ */

/* Bits for a text of that many bytes; a power of two, 64 at least. */
size_t grams_bits(size_t text_bytes);
/* Notes all of text in bit, which is zeroed. */
void grams_fill(uint64_t *bit, size_t bits, struct sv text);
/* False: none of them is in that text. */
bool grams_may_have(const uint64_t *bit, size_t bits, const struct literals *l);

#endif
