/* SPDX-License-Identifier: MIT */
/* One line of a store by its address, without its text: what a row is and whose. */
#include "core/logs/store_inside.h"

bool log_store_row(struct log_store *s, struct log_pos pos, struct log_line *out)
{
	struct plain *own = plain_new(1, 1), *held;
	const struct plain *t;
	struct part *p = NULL;
	bool found;

	pthread_mutex_lock(&s->lock);
	for (size_t i = s->first; i < s->n && p == NULL; i++) {
		struct part *at = s->part[i];
		uint32_t to = at->to == LINES_OPEN ? at->chunk->lines : at->to;

		if (at->id == pos.chunk && pos.line >= at->from && pos.line < to)
			p = part_hold(at);
	}
	pthread_mutex_unlock(&s->lock);
	found = p != NULL;
	if (found) {
		t = chunk_read(s, p->chunk, PLAIN_TABLE | PLAIN_TIMES, NULL, own, &held);
		*out = (struct log_line){ .utc_ns = t->utc_ns[pos.line],
					  .source = t->source[pos.line],
					  .level = (uint8_t)LINE_LEVEL(t->bits[pos.line]),
					  .kind = (uint8_t)LINE_KIND(t->bits[pos.line]) };
		store_plain_back(s, held);
		part_drop(p);
	}
	plain_free(own);
	return found;
}
