/* SPDX-License-Identifier: MIT */
/*
 * Secrets: bytes that are wiped when they are given back, and texts with secrets taken out.
 *
 * Nothing here prints one. What is stored or shown goes through secret_redact(), which takes out the
 * values that were made known, and what stands where SQL and settings have passwords.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "core/base/mem.h"

#define SECRET_MAX ((size_t)4096) /* bytes of one secret */
/* A shorter value is not looked for: it would be found in words that have nothing to do with it. */
#define SECRET_KNOWN_MIN 4
#define SECRET_SHOWN "***"

struct secret {
	char *text; /* NUL-terminated, NULL when there is none */
	size_t n;
};

/* Takes a copy; what was there is wiped. */
void secret_set(struct secret *s, struct sv value);
void secret_clear(struct secret *s);
/* strbuf_clear of one that held a secret. A buffer that grew has left parts in memory that was given
 * back: make room first (strbuf_room) where that matters. Arenas: arena_wipe. */
void secret_clear_buf(struct strbuf *b);

/* Makes value known to secret_redact in this process; the bytes are copied. NULL, short and known ones
 * are passed over. Any thread. */
void secret_know(const char *value);
/* Wipes what is known. */
void secret_forget(void);

/* Takes out of b every known value, and what follows IDENTIFIED BY, PASSWORD and the like in SQL, in
 * settings (password=…) and between user and host of a URL; SECRET_SHOWN stands there instead. True when
 * something was taken out. Any thread. */
bool secret_redact(struct strbuf *b);
/* The same for the three parts of an error. */
void secret_redact_err(struct err *e);

#endif
