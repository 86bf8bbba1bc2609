/* SPDX-License-Identifier: MIT */
/* Base64 of RFC 4648, as SSH's files have it. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "core/base/str.h"

/* Appends n bytes as base64; padded: with = at the end. */
void base64_encode(struct strbuf *out, const void *p, size_t n, bool padded);
/* Appends the bytes that text stands for. Padding may be missing; blanks and line ends are not skipped. False, with
 * part of it appended, when text is not base64. */
bool base64_decode(struct strbuf *out, struct sv text);

#endif
