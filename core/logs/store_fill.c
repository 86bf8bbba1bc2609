/* SPDX-License-Identifier: MIT */
/*
 * What changes a store elsewhere than at its end: filling a gap, taking out the oldest, emptying.
 *
 * A gap is filled by cutting its chunk in two parts and putting new chunks between them. The parts share the chunk as
 * it is and keep the numbers of their lines, so every position that was known stays valid, and the gap's own
 * leads to the first line put in. Eviction goes by parts, and a chunk's memory is free when its last part left.
 *
 * A part that left has to be counted out of the seconds and of its sources' gaps. Its tables are read once more
 * for that, which costs some ten microseconds a chunk, instead of keeping numbers for each second of each chunk.
 */
#include <string.h>

#include "core/base/mem.h"
#include "core/logs/store_inside.h"

/* --- Taking out ---------------------------------------------------------------------------------- */

/* p has left the list. lock is held. */
static void forget(struct log_store *s, struct part *p)
{
	p->gone = true;
	stats_add(&s->sum, &p->stats, -1);
	if (--p->chunk->parts == 0)
		chunk_set_bytes(s, p->chunk, 0);
}

static void count_out_line(struct log_store *s, const struct plain *t, uint32_t i, int64_t *second,
			   int32_t n[LOG_LEVELS])
{
	int64_t ns = t->utc_ns[i], at;

	if (LINE_KIND(t->bits[i]) != LOG_LINE || (t->bits[i] & LINE_CONTINUES) != 0 || ns == 0)
		return;
	at = ns >= 0 ? ns / 1000000000 : -((999999999 - ns) / 1000000000);
	if (at != *second) {
		if (*second != 0)
			times_add(&s->times, *second, n);
		memset(n, 0, LOG_LEVELS * sizeof(*n));
		*second = at;
	}
	n[LINE_LEVEL(t->bits[i])]--;
}

/* Takes p's lines from the seconds and from its sources' gaps. out_lock is held, p left the list. */
static void count_out(struct log_store *s, struct part *p)
{
	struct plain *own = plain_new(1, 1), *held;
	const struct plain *t = chunk_read(s, p->chunk, PLAIN_TABLE | PLAIN_TIMES, NULL, own,
					   &held);
	int32_t n[LOG_LEVELS] = { 0 };
	int64_t second = 0, gaps[LOG_SOURCES_MAX] = { 0 };

	for (uint32_t i = p->from; i < p->to; i++) {
		count_out_line(s, t, i, &second, n);
		gaps[t->source[i]] += LINE_KIND(t->bits[i]) == LOG_GAP;
	}
	if (second != 0)
		times_add(&s->times, second, n);
	if (p->stats.gaps > 0) {
		pthread_mutex_lock(&s->lock);
		for (size_t i = 0; i < s->n_source; i++)
			s->source[i].about.gaps -= gaps[i];
		pthread_mutex_unlock(&s->lock);
	}
	store_plain_back(s, held);
	plain_free(own);
}

void store_evict(struct log_store *s)
{
	pthread_mutex_lock(&s->out_lock);
	for (;;) {
		struct part *p = NULL;

		pthread_mutex_lock(&s->lock);
		/* The open part stays, and the last one, whatever its size. */
		if (s->n - s->first > 1 && s->part[s->first]->to != LINES_OPEN &&
		    (uint64_t)s->chunk_bytes + times_bytes(&s->times) > s->max_bytes) {
			p = s->part[s->first++];
			s->left_front++;
			s->evicted += p->stats.lines;
			forget(s, p);
			store_wake(s);
		}
		pthread_mutex_unlock(&s->lock);
		if (p == NULL)
			break;
		count_out(s, p);
		part_drop(p);
	}
	pthread_mutex_unlock(&s->out_lock);
}

void log_store_empty(struct log_store *s)
{
	struct part **part;
	size_t first, n;

	pthread_mutex_lock(&s->add_lock);
	pthread_mutex_lock(&s->out_lock);
	/* The open chunk is finished like the others, so that the packer finds it as it expects. */
	store_seal(s);
	times_empty(&s->times);
	pthread_mutex_lock(&s->lock);
	part = s->part;
	first = s->first;
	n = s->n;
	for (size_t i = first; i < n; i++)
		forget(s, part[i]);
	s->part = NULL;
	s->first = s->n = s->cap = 0;
	s->left_front = 0;
	s->shuffled++;
	memset(&s->sum, 0, sizeof(s->sum));
	for (size_t i = 0; i < s->n_source; i++)
		s->source[i].about.gaps = 0;
	store_wake(s);
	pthread_mutex_unlock(&s->lock);
	memset(s->level_of_source, 0, sizeof(s->level_of_source));
	pthread_mutex_unlock(&s->out_lock);
	pthread_mutex_unlock(&s->add_lock);
	for (size_t i = first; i < n; i++)
		part_drop(part[i]);
	mem_free(part);
}

/* --- Filling ------------------------------------------------------------------------------------- */

/* What will stand where one part did. */
struct filling {
	struct part **part;
	size_t n, cap;
	struct tally tally;
};

static void filling_add(struct filling *f, struct part *p)
{
	mem_grow(&f->part, &f->cap, f->n + 1, sizeof(*f->part));
	f->part[f->n++] = p;
}

/* The lines from..to of p's chunk as a part of its own; nothing when there are none. */
static void cut(struct filling *f, const struct part *p, const struct plain *t, uint32_t from,
		uint32_t to)
{
	struct part *half;

	if (from >= to)
		return;
	half = mem_calloc(1, sizeof(*half));
	atomic_init(&half->refs, 1);
	half->chunk = chunk_hold(p->chunk);
	half->id = p->id;
	half->from = from;
	half->to = to;
	for (uint32_t i = from; i < to; i++) {
		struct log_line l = {
			.utc_ns = t->utc_ns[i],
			.level = (uint8_t)LINE_LEVEL(t->bits[i]),
			.kind = (uint8_t)LINE_KIND(t->bits[i]),
			.continues = (t->bits[i] & LINE_CONTINUES) != 0,
			.text = sv_n(NULL, t->at[i + 1] - t->at[i] - 1),
		};

		stats_line(&half->stats, &l);
	}
	filling_add(f, half);
}

/* New chunks of the lines, complete but not yet in the list. */
static void put_new(struct log_store *s, struct filling *f, const struct log_line *line, size_t n)
{
	uint8_t level_of_source[LOG_SOURCES_MAX] = { 0 };
	struct part_stats all = { 0 };
	struct part *p = NULL;
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (p == NULL || !store_put(s, p, &at, &line[i], level_of_source, &f->tally)) {
			stats_add(&all, &f->tally.stats, 1);
			memset(&f->tally.stats, 0, sizeof(f->tally.stats));
			p = part_begin(s, line[i].text.n);
			at = 0;
			filling_add(f, p);
			store_put(s, p, &at, &line[i], level_of_source, &f->tally);
		}
		p->to = p->chunk->lines = at;
		p->stats = f->tally.stats;
	}
	stats_add(&f->tally.stats, &all, 1);
	tally_seconds(s, &f->tally);
}

/* Instead of the part at index. lock is held. */
static void put_in_place(struct log_store *s, size_t index, struct filling *f, uint16_t source)
{
	struct part *old = s->part[index];

	mem_grow(&s->part, &s->cap, s->n + f->n, sizeof(*s->part));
	memmove(s->part + index + f->n, s->part + index + 1, (s->n - index - 1) * sizeof(*s->part));
	s->n = s->n - 1 + f->n;
	for (size_t i = 0; i < f->n; i++) {
		struct part *p = f->part[i];

		s->part[index + i] = p;
		if (p->chunk == old->chunk) {
			p->chunk->parts++;
			stats_add(&s->sum, &p->stats, 1);
		} else {
			chunk_set_bytes(s, p->chunk, plain_bytes(p->chunk->plain, p->to));
			store_queue(s, p->chunk);
		}
	}
	forget(s, old);
	if (source < s->n_source)
		s->source[source].about.gaps--;
	tally_give(s, &f->tally);
	s->shuffled++;
	store_wake(s);
}

/* The index of the part with that line, s->n when there is none. lock is held. */
static size_t part_of(const struct log_store *s, struct log_pos pos)
{
	size_t i = s->first;

	for (; i < s->n; i++) {
		const struct part *p = s->part[i];
		uint32_t to = p->to == LINES_OPEN ? p->chunk->lines : p->to;

		if (p->id == pos.chunk && pos.line >= p->from && pos.line < to)
			break;
	}
	return i;
}

/* add_lock and out_lock are held: the list keeps its order, and p its place. */
static bool fill(struct log_store *s, struct log_pos gap, const struct log_line *line, size_t n)
{
	struct plain *own = plain_new(1, 1), *held;
	struct filling f = { 0 };
	const struct plain *t;
	struct part *p = NULL;
	size_t index;
	bool is_gap;

	pthread_mutex_lock(&s->lock);
	index = part_of(s, gap);
	if (index < s->n)
		p = part_hold(s->part[index]);
	pthread_mutex_unlock(&s->lock);
	if (p == NULL) {
		plain_free(own);
		return false;
	}
	t = chunk_read(s, p->chunk, PLAIN_TABLE | PLAIN_TIMES, NULL, own, &held);
	is_gap = LINE_KIND(t->bits[gap.line]) == LOG_GAP;
	if (is_gap) {
		if (p == s->open)
			store_seal(s);
		cut(&f, p, t, p->from, gap.line);
		put_new(s, &f, line, n);
		cut(&f, p, t, gap.line + 1, p->to);
		pthread_mutex_lock(&s->lock);
		put_in_place(s, part_of(s, gap), &f, t->source[gap.line]);
		pthread_mutex_unlock(&s->lock);
		part_drop(p); /* the list's */
	}
	mem_free(f.part);
	store_plain_back(s, held);
	plain_free(own);
	part_drop(p);
	return is_gap;
}

bool log_store_fill(struct log_store *s, struct log_pos gap, const struct log_line *line, size_t n)
{
	bool filled;

	pthread_mutex_lock(&s->add_lock);
	pthread_mutex_lock(&s->out_lock);
	filled = fill(s, gap, line, n);
	pthread_mutex_unlock(&s->out_lock);
	pthread_mutex_unlock(&s->add_lock);
	if (filled) {
		store_help(s);
		store_evict(s);
	}
	return filled;
}
