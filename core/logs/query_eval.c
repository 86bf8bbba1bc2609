/* SPDX-License-Identifier: MIT */
/*
 * Which lines of a part are shown, which of them are rows, and in which the search is found.
 *
 * A filter decides over records, not lines: a continuation line is shown with its head, and a record matches when one
 * of its lines does. Records do not reach over chunks here. The first continuation lines of a chunk, whose head
 * lies in the one before, make a record of their own (its level is that of the head, the store sees to that).
 * So parts are independent of each other, and can be evaluated in any order by any thread; the price is a fold
 * that begins anew at a chunk's border.
 *
 * Folding makes rows of records: repeats of one template, level and source that follow each other among what is shown are
 * one row. A record in which the search is found never folds into one in which it is not, or the match could not
 * be seen. Gaps and notes are rows always, fold into nothing, and end the record of their source.
 *
 * Only patterns look at text. For a part that grows their hits are kept, so that each byte is searched once; the rest is
 * some nanoseconds a line and done again over the whole part.
 */
#include <string.h>

#include "core/base/mem.h"
#include "core/logs/query_inside.h"

#define EXCERPT_ROWS 24
#define EXCERPT_BYTES 4096
#define NO_ROW UINT32_MAX

/* --- Bits ---------------------------------------------------------------------------------------- */

static size_t words_of(uint32_t lines)
{
	return (lines + 63) / 64;
}

static void bit_set(uint64_t *b, uint32_t i)
{
	b[i / 64] |= (uint64_t)1 << (i % 64);
}

uint32_t bits_next(const uint64_t *b, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint64_t w = b[from / 64] >> (from % 64);

		if (w != 0) {
			from += (uint32_t)__builtin_ctzll(w);
			return from < to ? from : to;
		}
		from = (from / 64 + 1) * 64;
	}
	return to;
}

uint32_t bits_last(const uint64_t *b, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint32_t i = to - 1, at = i / 64 * 64;
		uint64_t w = b[i / 64] << (63 - i % 64);

		if (w != 0) {
			i -= (uint32_t)__builtin_clzll(w);
			return i >= from ? i : NO_ROW;
		}
		if (at <= from)
			break;
		to = at;
	}
	return NO_ROW;
}

uint32_t bits_count(const uint64_t *b, uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to;) {
		uint32_t end = (i / 64 + 1) * 64;
		uint64_t w = b[i / 64] >> (i % 64);

		if (end > to)
			w &= ~(uint64_t)0 >> (64 - (to - i));
		n += (uint32_t)__builtin_popcountll(w);
		i = end;
	}
	return n;
}

uint32_t bits_select(const uint64_t *b, uint32_t from, uint32_t k)
{
	uint64_t w = b[from / 64] >> (from % 64) << (from % 64);
	uint32_t at = from / 64;

	for (; (uint32_t)__builtin_popcountll(w) <= k; w = b[++at])
		k -= (uint32_t)__builtin_popcountll(w);
	for (; k > 0; k--)
		w &= w - 1;
	return at * 64 + (uint32_t)__builtin_ctzll(w);
}

uint32_t bits_select_back(const uint64_t *b, uint32_t to, uint32_t k)
{
	uint32_t at = (to - 1) / 64;
	uint64_t w = b[at] << (63 - (to - 1) % 64) >> (63 - (to - 1) % 64);

	for (; (uint32_t)__builtin_popcountll(w) <= k; w = b[--at])
		k -= (uint32_t)__builtin_popcountll(w);
	for (; k > 0; k--)
		w &= ~((uint64_t)1 << (63 - __builtin_clzll(w)));
	return at * 64 + 63 - (uint32_t)__builtin_clzll(w);
}

/* --- Rooms --------------------------------------------------------------------------------------- */

void room_init(struct room *r)
{
	memset(r, 0, sizeof(*r));
	r->zip = zip_new();
	r->own = plain_new(1, 1);
}

void room_clear(struct room *r)
{
	zip_free(r->zip);
	plain_free(r->own);
	mem_free(r->head);
	mem_free(r->owner);
	mem_free(r->count);
	memset(r, 0, sizeof(*r));
}

static void room_fit(struct room *r, uint32_t lines)
{
	if (r->lines >= lines)
		return;
	r->lines = lines < CHUNK_LINES_MAX ? CHUNK_LINES_MAX : lines;
	r->head = mem_realloc(r->head, r->lines, sizeof(*r->head));
	r->owner = mem_realloc(r->owner, r->lines, sizeof(*r->owner));
	r->count = mem_realloc(r->count, 3 * r->lines, sizeof(*r->count));
}

void eval_free(struct eval *v)
{
	if (v == NULL)
		return;
	mem_free(v->excerpt);
	mem_free(v);
}

void hits_free(struct hits_so_far *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < LOG_FILTERS_MAX; i++)
		mem_free(h->in[i]);
	mem_free(h->out);
	mem_free(h->find);
	mem_free(h);
}

/* --- Tables --------------------------------------------------------------------------------------- */

/* The chunk that is evaluated: what is needed of it is unpacked when it is. */
struct work {
	struct log_store *store;
	struct chunk *chunk;
	struct room *r;
	struct plain *held;
};

static const struct plain *need(struct work *w, unsigned tables)
{
	if (w->held != NULL)
		return w->held;
	return chunk_read(w->store, w->chunk, tables, w->r->zip, w->r->own, &w->held);
}

/* --- Patterns ------------------------------------------------------------------------------------ */

struct marking {
	const struct plain *t;
	uint64_t *bits;
	uint32_t line; /* hits come in order */
	size_t base;
};

static void mark(void *arg, size_t at)
{
	struct marking *m = arg;

	at += m->base;
	while (m->t->at[m->line + 1] <= at)
		m->line++;
	bit_set(m->bits, m->line);
}

/* Sets the bits of the lines from..to that p hits. */
static bool run(struct work *w, const struct shared_pattern *p, uint32_t from, uint32_t to,
		const struct question *q, uint64_t *bits)
{
	const struct packed *packed = chunk_packed(w->store, w->chunk);
	const struct plain *t;
	struct marking m;

	if (from >= to ||
	    (packed != NULL && !log_pattern_may_hit(p->p, packed->gram, packed->gram_bits)))
		return true;
	t = need(w, PLAIN_TABLE | PLAIN_TEXT);
	m = (struct marking){ t, bits, from, t->at[from] };
	return log_pattern_lines_until(p->p, sv_n(t->text + m.base, t->at[to] - m.base), &q->stale,
				       mark, &m);
}

static void bits_room(uint64_t **b, uint32_t had, uint32_t lines)
{
	size_t old = *b != NULL ? words_of(had) : 0;

	*b = mem_realloc(*b, words_of(lines), sizeof(**b));
	memset(*b + old, 0, (words_of(lines) - old) * sizeof(**b));
}

/* h with room for lines, and without what another question left in it. */
static void hits_ready(struct hits_so_far *h, const struct question *q, uint32_t from,
		       uint32_t lines)
{
	uint32_t room = lines < CHUNK_LINES_MAX ? CHUNK_LINES_MAX : lines;

	if (h->filter_gen != q->filter_gen || h->filter_done < from) {
		for (size_t i = 0; i < LOG_FILTERS_MAX; i++) {
			mem_free(h->in[i]);
			h->in[i] = NULL;
		}
		mem_free(h->out);
		h->out = NULL;
		h->filter_done = from;
		h->filter_gen = q->filter_gen;
	}
	if (h->find_gen != q->find_gen || h->find_done < from) {
		mem_free(h->find);
		h->find = NULL;
		h->find_done = from;
		h->find_gen = q->find_gen;
	}
	for (size_t i = 0; i < q->n_in; i++)
		bits_room(&h->in[i], h->room, room);
	if (q->n_out > 0)
		bits_room(&h->out, h->room, room);
	if (q->find != NULL)
		bits_room(&h->find, h->room, room);
	h->room = room;
}

static bool run_filter(struct work *w, struct hits_so_far *h, const struct question *q, uint32_t to)
{
	for (size_t i = 0; i < q->n_in; i++)
		if (!run(w, q->in[i], h->filter_done, to, q, h->in[i]))
			return false;
	for (size_t i = 0; i < q->n_out; i++)
		if (!run(w, q->out[i], h->filter_done, to, q, h->out))
			return false;
	h->filter_done = to;
	return true;
}

static bool run_find(struct work *w, struct hits_so_far *h, const struct question *q, uint32_t to)
{
	if (q->find != NULL && !run(w, q->find, h->find_done, to, q, h->find))
		return false;
	h->find_done = to;
	return true;
}

/* --- Records ------------------------------------------------------------------------------------- */

/* The head of each line's record. False when every line is its own. */
static bool heads(const struct plain *t, uint32_t from, uint32_t to, uint32_t *head)
{
	uint32_t last[LOG_SOURCES_MAX];
	unsigned any = 0;

	for (uint32_t i = from; i < to; i++)
		any |= t->bits[i];
	if ((any & LINE_CONTINUES) == 0)
		return false;
	memset(last, 0xFF, sizeof(last));
	for (uint32_t i = from; i < to; i++) {
		uint8_t s = t->source[i];

		if (LINE_KIND(t->bits[i]) != LOG_LINE) {
			head[i] = i;
			last[s] = NO_ROW;
			continue;
		}
		if ((t->bits[i] & LINE_CONTINUES) == 0 || last[s] == NO_ROW)
			last[s] = i;
		head[i] = last[s];
	}
	return true;
}

/* What holds for a line holds for the head of its record. */
static void to_heads(uint64_t *b, const uint32_t *head, uint32_t from, uint32_t to)
{
	for (uint32_t i = bits_next(b, from, to); i < to; i = bits_next(b, i + 1, to))
		bit_set(b, head[i]);
}

static uint64_t *copy_bits(const uint64_t *b, uint32_t lines)
{
	uint64_t *to = mem_alloc((words_of(lines) + 1) * sizeof(*to));

	memcpy(to, b, words_of(lines) * sizeof(*to));
	return to;
}

/* Lines that pass all in-patterns and no out-pattern, by record. */
static void pass_patterns(struct eval *v, const struct question *q, const struct hits_so_far *h,
			  const uint32_t *head)
{
	for (size_t i = 0; i < q->n_in + (q->n_out > 0); i++) {
		bool in = i < q->n_in;
		uint64_t *b = copy_bits(in ? h->in[i] : h->out, v->to);

		if (head != NULL)
			to_heads(b, head, v->from, v->to);
		for (size_t w = 0; w < words_of(v->to); w++)
			v->shown[w] &= in ? b[w] : ~b[w];
		mem_free(b);
	}
}

/* Fills v->shown. */
static void decide(struct eval *v, const struct question *q, const struct plain *t,
		   const struct hits_so_far *h, const uint32_t *head)
{
	bool by_line = head != NULL || q->level > LOG_LEVEL_TRACE || q->hidden_sources != 0;
	unsigned odd = 0;

	for (uint32_t i = v->from; i < v->to; i++)
		odd |= t->bits[i] & 0x60u; /* gaps and notes */
	memset(v->shown, 0xFF, words_of(v->to) * sizeof(*v->shown));
	if (q->n_in + q->n_out > 0)
		pass_patterns(v, q, h, head);
	for (uint32_t i = v->from; i < v->to && (by_line || odd != 0); i++) {
		uint32_t r = head != NULL ? head[i] : i;
		enum log_level level = LINE_LEVEL(t->bits[r]);
		bool show = bit(v->shown, r) &&
			    (level == LOG_LEVEL_NONE ? LOG_LEVEL_INFO : level) >= q->level;

		if (LINE_KIND(t->bits[i]) != LOG_LINE)
			show = true;
		if (show && (q->hidden_sources >> t->source[i] & 1) == 0)
			bit_set(v->shown, i);
		else
			v->shown[i / 64] &= ~((uint64_t)1 << (i % 64));
	}
	for (uint32_t i = v->to; i % 64 != 0; i++)
		v->shown[i / 64] &= ~((uint64_t)1 << (i % 64));
	for (uint32_t i = 0; i < v->from; i++)
		v->shown[i / 64] &= ~((uint64_t)1 << (i % 64));
}

/* --- Rows ---------------------------------------------------------------------------------------- */

/* What a record has in common with the one before it, to fold into it. */
struct repeat {
	uint32_t row; /* NO_ROW: nothing folds */
	uint32_t template;
	uint8_t source, level;
	bool match;
};

void eval_owners(const struct plain *t, const struct eval *v, bool fold, struct room *r,
		 uint32_t *owner)
{
	uint32_t of_source[LOG_SOURCES_MAX];
	struct repeat last = { .row = NO_ROW };
	uint64_t *found = NULL;

	room_fit(r, v->to);
	memset(of_source, 0xFF, sizeof(of_source));
	if (fold && v->match != NULL) {
		found = copy_bits(v->match, v->to);
		if (heads(t, v->from, v->to, r->head))
			to_heads(found, r->head, v->from, v->to);
	}
	for (uint32_t i = v->from; i < v->to; i++) {
		uint8_t s = t->source[i];
		uint16_t b = t->bits[i];
		struct repeat now;

		owner[i] = NO_ROW;
		if (!bit(v->shown, i)) {
			if ((b & LINE_CONTINUES) == 0)
				of_source[s] = NO_ROW;
			continue;
		}
		owner[i] = i;
		if (!fold)
			continue;
		if (LINE_KIND(b) != LOG_LINE) {
			of_source[s] = NO_ROW;
			last.row = NO_ROW;
			continue;
		}
		if ((b & LINE_CONTINUES) != 0) {
			if (of_source[s] != NO_ROW) {
				owner[i] = of_source[s];
			} else {
				of_source[s] = i;
				last.row = NO_ROW;
			}
			continue;
		}
		now = (struct repeat){ i, t->template[i], s, (uint8_t)LINE_LEVEL(b),
				       bit(found, i) };
		if (last.row != NO_ROW && last.template == now.template && last.source == s &&
		    last.level == now.level && last.match == now.match)
			owner[i] = last.row;
		else
			last = now;
		of_source[s] = owner[i];
	}
	mem_free(found);
}

void eval_folded(const struct plain *t, const struct eval *v, const uint32_t *owner,
		 uint32_t *continued, uint32_t *similar, uint32_t *last)
{
	memset(continued + v->from, 0, (v->to - v->from) * sizeof(*continued));
	memset(similar + v->from, 0, (v->to - v->from) * sizeof(*similar));
	for (uint32_t i = v->from; i < v->to; i++) {
		uint32_t o = owner[i];

		if (o == NO_ROW || o == i)
			continue;
		if ((t->bits[i] & LINE_CONTINUES) == 0) {
			similar[o]++;
			last[o] = i;
		} else if (similar[o] == 0) { /* not of one of its repeats */
			continued[o]++;
		}
	}
}

static void seek_bit(struct eval *v, enum log_seek what, uint32_t row)
{
	if (v->seek[what] == NULL)
		return;
	v->seeks[what] += !bit(v->seek[what], row);
	bit_set(v->seek[what], row);
}

static void count_line(struct eval *v, const struct plain *t, uint32_t i, uint32_t owner)
{
	uint16_t b = t->bits[i];
	bool head = LINE_KIND(b) == LOG_LINE && (b & LINE_CONTINUES) == 0;

	if (owner == i) {
		bit_set(v->row, i);
		v->n.rows++;
	}
	v->n.lines++;
	if (bit(v->match, i)) {
		v->n.matches++;
		seek_bit(v, LOG_SEEK_MATCH, owner);
	}
	if (head && LINE_LEVEL(b) >= LOG_LEVEL_ERROR) {
		v->n.errors++;
		seek_bit(v, LOG_SEEK_ERROR, owner);
	} else if (head && LINE_LEVEL(b) == LOG_LEVEL_WARN) {
		seek_bit(v, LOG_SEEK_WARN, owner);
	} else if (LINE_KIND(b) == LOG_GAP) {
		seek_bit(v, LOG_SEEK_GAP, owner);
	}
}

static void rows(struct eval *v, const struct plain *t, bool fold, struct room *r)
{
	eval_owners(t, v, fold, r, r->owner);
	for (size_t w = 0; w < words_of(v->to); w++)
		for (uint64_t left = v->shown[w]; left != 0; left &= left - 1) {
			uint32_t i = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(left);

			count_line(v, t, i, r->owner[i]);
		}
	v->n.hidden = (int64_t)(v->to - v->from) - v->n.lines;
	for (int k = 0; k < SEEKS; k++)
		if (v->seeks[k] == 0)
			v->seek[k] = NULL;
}

/* --- Excerpts ------------------------------------------------------------------------------------ */

static struct excerpt *excerpt_new(const struct eval *v, const struct plain *t, struct room *r)
{
	uint32_t *continued = r->count, *similar = r->count + r->lines;
	uint32_t *last = similar + r->lines;
	struct excerpt *x;
	size_t text = 0;

	for (uint32_t i = bits_next(v->row, v->from, v->to); i < v->to;
	     i = bits_next(v->row, i + 1, v->to))
		text += t->at[i + 1] - t->at[i];
	if (text > EXCERPT_BYTES)
		return NULL;
	eval_folded(t, v, r->owner, continued, similar, last);
	x = mem_alloc(sizeof(*x) + (size_t)v->n.rows * sizeof(x->row[0]) + text);
	x->n = 0;
	x->text_bytes = text;
	x->text = (char *)&x->row[v->n.rows];
	text = 0;
	for (uint32_t i = bits_next(v->row, v->from, v->to); i < v->to;
	     i = bits_next(v->row, i + 1, v->to)) {
		struct excerpt_row *row = &x->row[x->n++];

		row->number = i;
		row->continued = continued[i];
		row->similar = similar[i];
		row->similar_utc_ns = similar[i] ? t->utc_ns[last[i]] : 0;
		plain_line(t, i, &row->line);
		memcpy(x->text + text, row->line.text.p, row->line.text.n);
		row->line.text.p = x->text + text;
		text += row->line.text.n + 1;
	}
	return x;
}

/* --- All together -------------------------------------------------------------------------------- */

static struct eval *eval_new(const struct question *q, uint32_t from, uint32_t to)
{
	size_t words = words_of(to) + 1, n = 2 + (q->find != NULL ? 2 : 0) + 3;
	struct eval *v = mem_calloc(1, sizeof(*v) + n * words * sizeof(uint64_t));
	uint64_t *b = (uint64_t *)(v + 1);

	v->from = from;
	v->to = to;
	v->filter_gen = q->filter_gen;
	v->find_gen = q->find_gen;
	v->shown = b;
	v->row = b += words;
	for (int k = 0; k < SEEKS; k++)
		if (k != LOG_SEEK_MATCH || q->find != NULL)
			v->seek[k] = b += words;
	if (q->find != NULL)
		v->match = b + words;
	return v;
}

/* The same in less memory: most parts have no match, no warning, no gap. */
static struct eval *eval_shrink(struct eval *v)
{
	size_t words = words_of(v->to), n = 2;
	struct eval *w;
	uint64_t *b;

	for (int k = 0; k < SEEKS; k++)
		n += v->seek[k] != NULL;
	if (v->match != NULL && bits_next(v->match, v->from, v->to) == v->to)
		v->match = NULL;
	n += v->match != NULL;
	w = mem_alloc(sizeof(*w) + n * words * sizeof(uint64_t));
	*w = *v;
	b = (uint64_t *)(w + 1);
	w->shown = memcpy(b, v->shown, words * sizeof(*b));
	w->row = memcpy(b += words, v->row, words * sizeof(*b));
	for (int k = 0; k < SEEKS; k++)
		if (v->seek[k] != NULL)
			w->seek[k] = memcpy(b += words, v->seek[k], words * sizeof(*b));
	if (v->match != NULL)
		w->match = memcpy(b + words, v->match, words * sizeof(*b));
	mem_free(v);
	return w;
}

static bool fill_shown(struct work *w, const struct question *q, const struct eval *before,
		       struct hits_so_far *h, struct eval *v)
{
	const struct plain *t;
	bool records;

	if (before != NULL && before->filter_gen == q->filter_gen && before->to == v->to) {
		memcpy(v->shown, before->shown, words_of(v->to) * sizeof(*v->shown));
		return true;
	}
	if (!run_filter(w, h, q, v->to))
		return false;
	t = need(w, PLAIN_TABLE);
	records = heads(t, v->from, v->to, w->r->head);
	decide(v, q, t, h, records ? w->r->head : NULL);
	return true;
}

static bool fill_match(struct work *w, const struct question *q, const struct eval *before,
		       struct hits_so_far *h, struct eval *v)
{
	if (q->find == NULL)
		return true;
	if (before != NULL && before->find_gen == q->find_gen && before->to == v->to) {
		if (before->match != NULL)
			memcpy(v->match, before->match, words_of(v->to) * sizeof(*v->match));
		return true;
	}
	if (!run_find(w, h, q, v->to))
		return false;
	memcpy(v->match, h->find, words_of(v->to) * sizeof(*v->match));
	return true;
}

struct eval *eval_part(struct log_store *s, struct part *p, uint32_t from, uint32_t to,
		       const struct question *q, const struct eval *before,
		       struct hits_so_far **hits, bool open, struct room *r)
{
	struct work w = { s, p->chunk, r, NULL };
	struct eval *v = eval_new(q, from, to);
	struct hits_so_far *h = *hits;

	r->own->has = 0;
	room_fit(r, to);
	if (h == NULL)
		h = mem_calloc(1, sizeof(*h));
	hits_ready(h, q, from, to);
	if (!fill_shown(&w, q, before, h, v) || !fill_match(&w, q, before, h, v)) {
		eval_free(v);
		v = NULL;
	} else {
		rows(v, need(&w, PLAIN_TABLE | (q->fold ? PLAIN_TEMPLATES : 0)), q->fold, r);
		if (!open) {
			if (v->n.rows > 0 && v->n.rows <= EXCERPT_ROWS)
				v->excerpt = excerpt_new(v, need(&w, PLAIN_ALL), r);
			v = eval_shrink(v);
		}
	}
	store_plain_back(s, w.held);
	if (!open || v == NULL) {
		hits_free(h);
		h = NULL;
	}
	*hits = h;
	return v;
}
