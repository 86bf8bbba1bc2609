/* SPDX-License-Identifier: MIT */
/*
 * Strings: a view that owns nothing, and a buffer that grows up to a named maximum.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

/* A piece of somebody else's bytes. Not NUL-terminated unless said. */
struct sv {
	const char *p;
	size_t n;
};

#define SV(lit) ((struct sv){ (lit), sizeof(lit) - 1 })

struct sv sv_of(const char *s); /* NULL gives the empty view */
struct sv sv_n(const char *p, size_t n);
bool sv_eq(struct sv a, struct sv b);
bool sv_eq_str(struct sv a, const char *s);
bool sv_starts(struct sv s, struct sv prefix);
bool sv_ends(struct sv s, struct sv suffix);
int sv_cmp(struct sv a, struct sv b); /* bytes, shorter first */
struct sv sv_trim(struct sv s);       /* ASCII blanks on both sides */
bool str_blank(const char *s);        /* NULL, empty, or blanks only: nothing was said */
/* Cuts the text before the first sep off *rest (without sep); false when *rest is used up. */
bool sv_cut(struct sv *rest, char sep, struct sv *piece);
/* Decimal, whole text, no sign unless negative is allowed by min < 0. False when it is not one
 * or lies outside min..max. */
bool sv_int(struct sv s, int64_t min, int64_t max, int64_t *out);

/* A growing string. Always NUL-terminated when data is not NULL. max is the most bytes it will
 * ever hold; an append past it sets overflow, keeps what fitted, and every later append is
 * refused: check once at the end with strbuf_ok(). */
struct strbuf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool overflow;
};

#define STRBUF_NO_LIMIT ((size_t)1 << 40)

void strbuf_init(struct strbuf *b, size_t max);
void strbuf_clear(struct strbuf *b); /* frees; the buffer can be used again with the same max */
void strbuf_reset(struct strbuf *b); /* length 0, keeps the memory */
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addsv(struct strbuf *b, struct sv s);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_pad(struct strbuf *b, char c, size_t n);
/* Room for n more bytes, to be written by the caller at data + len, then strbuf_grew(). NULL
 * when the maximum forbids it. */
char *strbuf_room(struct strbuf *b, size_t n);
void strbuf_grew(struct strbuf *b, size_t n);
const char *strbuf_str(const struct strbuf *b); /* "" when empty; never NULL */
struct sv strbuf_sv(const struct strbuf *b);
char *strbuf_detach(struct strbuf *b); /* caller frees; never NULL */
bool strbuf_ok(const struct strbuf *b);
/* Copies s into dst of size bytes, cutting with an ellipsis at a UTF-8 boundary. */
void str_copy(char *dst, size_t size, const char *s);
void str_copy_sv(char *dst, size_t size, struct sv s);
/* The candidate nearest to word by edit distance, or NULL when none is near (distance at most
 * a third of its length, at least 1). For "did you mean". */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

#endif
