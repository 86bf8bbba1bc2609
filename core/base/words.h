/* SPDX-License-Identifier: MIT */
/* A command as an operator writes it on one line, split into its words; never given to a shell. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "core/base/mem.h"

#define WORDS_MAX 64

/* Blanks separate words; '…' and "…" keep what is between them, also inside a word. Nothing else means
 * anything: no backslash, no variable, no glob. *argv is NULL-terminated, in a, ready for exec. ERR_INPUT
 * for an open quote or no word at all, ERR_LIMIT for more than WORDS_MAX. */
int words_split(struct arena *a, const char *text, char ***argv, size_t *n,
		struct err *e) MUST_CHECK;

#endif
