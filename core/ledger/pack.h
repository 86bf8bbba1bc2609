/* SPDX-License-Identifier: MIT */
/* Scripts as they are stored: zstd when that is shorter, else as they are. First byte tells. */
#ifndef LEDGER_PACK_H
#define LEDGER_PACK_H

#include "core/base/str.h"

/* 'r' + bytes, or 'z' + a zstd frame with its content size. Appends to out. */
int pack(struct strbuf *out, struct sv text, struct err *e) MUST_CHECK;
/* The reverse; refuses more than max bytes (ERR_LIMIT) and damage (ERR_CORRUPT). */
int unpack(struct strbuf *out, struct sv packed, size_t max, struct err *e) MUST_CHECK;

#endif
