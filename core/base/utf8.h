/* SPDX-License-Identifier: MIT */
/*
 * UTF-8, display width, and the one function that makes foreign bytes harmless.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

/* Decodes one code point of s (s.n > 0). Returns its length in bytes, or 0 when the bytes are not
 * valid UTF-8 (overlong forms, surrogates and values past U+10FFFF are invalid). */
size_t utf8_decode(struct sv s, uint32_t *cp);
/* Encodes cp into out (at least 4 bytes); returns the length. */
size_t utf8_encode(uint32_t cp, char *out);
/* Columns a code point takes: 0 (combining), 1 or 2; -1 for a control or invisible format
 * character that must not reach a terminal (C0, C1, DEL, bidi controls, zero-width spaces and
 * joiners, tag characters, U+2028, U+2029, U+FEFF). Own table, independent of the locale. */
int utf8_width(uint32_t cp);
/* Columns of a text as clean_text() would show it. */
size_t utf8_cols(struct sv s);
bool utf8_valid(struct sv s);

/*
 * Appends s as it may be shown on one line: valid printable text as it is; TAB as blanks to the
 * next multiple of 8; anything else visibly escaped: \x1b, \r, \n, \xFF for a byte of invalid
 * UTF-8, <U+202E> for a format character; at most 4 combining marks on one character, the rest and
 * those without a character escaped. The presentation selectors U+FE0E and U+FE0F are dropped. No
 * escape sequence, control character or invisible character survives. The result is valid UTF-8
 * (pure ASCII when ascii is set: other code points become <U+00E9>), also when out was too small.
 */
void clean_text(struct strbuf *out, struct sv s, bool ascii);
/* As clean_text but keeps '\n' as a line break; every line is cleaned by itself. */
void clean_lines(struct strbuf *out, struct sv s, bool ascii);

#endif
