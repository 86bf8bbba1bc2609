/* SPDX-License-Identifier: MIT */
/*
 * Memory: allocation that cannot fail, and arenas.
 *
 * Running out of memory is the one error that is not returned: mem_oom() runs the hook that main
 * installed (the console restores the terminal there) and aborts. The journal makes that safe.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "core/base/str.h"

void *mem_alloc(size_t bytes) __attribute__((malloc, returns_nonnull));
void *mem_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void mem_free(void *p); /* NULL is fine */

/* Grows *list so that it can hold need elements of size bytes; *cap is updated. Doubles. */
void mem_grow(void *list_ptr, size_t *cap, size_t need, size_t size);

/* Called once before aborting. Set by main before threads start. */
void mem_set_oom_hook(void (*hook)(void));
_Noreturn void mem_oom(void);

/* An arena: many small pieces with one life. One thread at a time. Zero bytes until first use. */
struct arena {
	struct arena_block *first;
	size_t used_bytes; /* payload handed out, for limits and tests */
};

void arena_init(struct arena *a);
/* Zeroed, and aligned for every type. */
void *arena_alloc(struct arena *a, size_t bytes) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
struct sv arena_sv(struct arena *a, struct sv s); /* copy, with a NUL behind it */
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));
void arena_clear(struct arena *a);
void arena_wipe(struct arena *a); /* the same, for one that held secrets */

#endif
