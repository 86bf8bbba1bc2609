/* SPDX-License-Identifier: MIT */
/*
 * Allocation that cannot fail, and arenas.
 *
 * The wrappers add two things to malloc: sizes whose product overflows end like any other size
 * that cannot be had, and zero bytes give a real pointer, so that NULL never means "empty".
 *
 * An arena is a list of blocks. The first block is the one that is handed out from; a new one is
 * twice as large as the last, up to BLOCK_MAX, so that a small arena costs one page and a large one
 * few calls. A piece that would waste most of a block gets one of its own, put second in the
 * list: the first keeps serving small pieces. Blocks come from calloc, which makes the promise
 * "zeroed" free for fresh pages. Nothing is given back before arena_clear().
 */
#include "core/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)4 << 10)
#define BLOCK_MAX ((size_t)256 << 10)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t used;
	_Alignas(max_align_t) char data[];
};

/* A static, because the place that runs out of memory knows nothing; set once before threads. */
static void (*_Atomic oom_hook)(void);

void mem_set_oom_hook(void (*hook)(void))
{
	atomic_store(&oom_hook, hook);
}

void mem_oom(void)
{
	/* Taken out first: a hook that runs out of memory itself must not come back for ever. */
	void (*hook)(void) = atomic_exchange(&oom_hook, NULL);

	if (hook)
		hook();
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);

	if (!p)
		mem_oom();
	return p;
}

void *mem_calloc(size_t n, size_t size)
{
	void *p = n && size ? calloc(n, size) : calloc(1, 1);

	if (!p)
		mem_oom();
	return p;
}

void *mem_realloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		mem_oom();
	p = realloc(p, bytes ? bytes : 1);
	if (!p)
		mem_oom();
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = mem_alloc(len + 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void mem_free(void *p)
{
	free(p);
}

void mem_grow(void *list_ptr, size_t *cap, size_t need, size_t size)
{
	void *list;
	size_t grown;

	if (need <= *cap)
		return;
	grown = *cap > SIZE_MAX / 2 ? need : *cap * 2;
	if (grown < need)
		grown = need;
	if (grown < 8)
		grown = 8;
	/* list_ptr is a T **; going through memcpy keeps that legal for every T. */
	memcpy(&list, list_ptr, sizeof(list));
	list = mem_realloc(list, grown, size);
	memcpy(list_ptr, &list, sizeof(list));
	*cap = grown;
}

void arena_init(struct arena *a)
{
	a->first = NULL;
	a->used_bytes = 0;
}

static struct arena_block *block_new(size_t size)
{
	struct arena_block *b;

	if (size > SIZE_MAX - sizeof(*b))
		mem_oom();
	b = mem_calloc(1, sizeof(*b) + size);
	b->size = size;
	return b;
}

/* A block with room for bytes, linked into the list. */
static struct arena_block *arena_block_for(struct arena *a, size_t bytes)
{
	size_t size = a->first ? a->first->size * 2 : BLOCK_MIN;
	struct arena_block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (a->first && bytes > size / 4) {
		b = block_new(bytes);
		b->next = a->first->next;
		a->first->next = b;
		return b;
	}
	b = block_new(bytes > size ? bytes : size);
	b->next = a->first;
	a->first = b;
	return b;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	struct arena_block *b = a->first;
	size_t rounded;
	void *p;

	if (bytes > SIZE_MAX - ALIGNMENT)
		mem_oom();
	rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (rounded == 0)
		rounded = ALIGNMENT;
	if (!b || b->size - b->used < rounded)
		b = arena_block_for(a, rounded);
	p = b->data + b->used;
	b->used += rounded;
	a->used_bytes += bytes;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = arena_alloc(a, len + 1);

	memcpy(copy, s, len);
	return copy;
}

struct sv arena_sv(struct arena *a, struct sv s)
{
	char *copy = arena_alloc(a, s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return sv_n(copy, s.n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return text;
}

void arena_wipe(struct arena *a)
{
	for (struct arena_block *b = a->first; b; b = b->next)
		explicit_bzero(b->data, b->used);
	arena_clear(a);
}

void arena_clear(struct arena *a)
{
	struct arena_block *b = a->first;

	while (b) {
		struct arena_block *next = b->next;

		mem_free(b);
		b = next;
	}
	arena_init(a);
}
