/* SPDX-License-Identifier: MIT */
/* The sequence that asks a terminal to put text on its clipboard: OSC 52. Pure. */
#ifndef TUI_CLIPBOARD_H
#define TUI_CLIPBOARD_H

#include "core/base/str.h"

/* Terminals cut or drop what is longer: 74,994 characters of base64 are what the most careful take. */
#define CLIPBOARD_MAX ((size_t)56244)
#define CLIPBOARD_SEQUENCE_MAX ((CLIPBOARD_MAX + 2) / 3 * 4 + 16)

/* The beginning of text that is copied: whole characters, at most CLIPBOARD_MAX bytes. */
struct sv clipboard_part(struct sv text);
/* Appends the sequence for clipboard_part(text). */
void clipboard_sequence(struct sv text, struct strbuf *out);

#endif
