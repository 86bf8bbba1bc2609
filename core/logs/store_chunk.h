/* SPDX-License-Identifier: MIT */
/* The lines of one chunk: as tables while they are added or read, and packed. See store_chunk.c. */
#ifndef LOGS_STORE_CHUNK_H
#define LOGS_STORE_CHUNK_H

#include <stdatomic.h>

#include "core/base/zip.h"
#include "core/logs/store.h"

#define CHUNK_LINES_MAX 16384u

/* What of a line is in its 16 bits. */
#define LINE_LEVEL(b) ((enum log_level)((b)&7))
#define LINE_SHAPE(b) (((b) >> 3) & 3)
#define LINE_KIND(b) ((enum log_kind)(((b) >> 5) & 3))
#define LINE_CONTINUES 0x80u
#define LINE_LATE 0x100u
#define LINE_IS_ERR 0x200u
uint16_t line_bits(const struct log_line *l);

/* Which tables of a plain chunk are filled. PLAIN_TABLE: at, source, bits. */
enum { PLAIN_TABLE = 1, PLAIN_TEXT = 2, PLAIN_TEMPLATES = 4, PLAIN_TIMES = 8, PLAIN_ALL = 15 };

/* Lines as tables. While it is being added to, lines below the published number never change, and nothing moves:
 * they can be read without a lock. */
struct plain {
	atomic_int refs;
	unsigned has;
	size_t text_room, lines_room;
	char *text;   /* each line ended by a newline */
	uint32_t *at; /* where line i begins; one more than lines */
	uint8_t *source;
	uint16_t *bits;
	uint32_t *template;
	int64_t *utc_ns;
};
struct plain *plain_new(size_t text_room, size_t lines_room);
struct plain *plain_hold(struct plain *p);
/* True when that was the last one: the caller may use it again (it is its own) or plain_free it. */
bool plain_drop(struct plain *p);
void plain_free(struct plain *p);
/* Gives p that much room; what was in it is gone when it had not. Only one who alone holds it. */
void plain_fit(struct plain *p, size_t text_room, size_t lines_room);
/* Line i as others see it. Needs the tables. */
void plain_line(const struct plain *p, uint32_t i, struct log_line *out);
static inline struct sv plain_text(const struct plain *p, uint32_t i)
{
	return sv_n(p->text + p->at[i], p->at[i + 1] - p->at[i] - 1);
}
/* Whether line i, and a text, still fit. */
bool plain_has_room(const struct plain *p, uint32_t i, size_t text_bytes);
/* Sets line i, the next one. A newline in its text becomes a blank. */
void plain_put(struct plain *p, uint32_t i, const struct log_line *l);
/* Bytes of memory that n lines of it take. */
size_t plain_bytes(const struct plain *p, uint32_t n);

/* A packed chunk: the filter of its text (literal.h), and frames behind each other. Never changes. */
struct packed {
	uint32_t lines, text_bytes;
	struct {
		uint32_t raw, packed;
	} frame[4];
	size_t bytes; /* of the whole */
	size_t gram_bits;
	const char *data;
	uint64_t gram[];
};
struct packed *packed_new(const struct plain *p, uint32_t lines, struct zip *z);
/* Fills the tables want of into, those that it has already excepted. Its room is made to fit. */
void packed_read(const struct packed *k, unsigned want, struct zip *z, struct plain *into);

#endif
