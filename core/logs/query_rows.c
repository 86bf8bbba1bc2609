/* SPDX-License-Identifier: MIT */
/*
 * Reading rows and moving through them: what the UI thread calls.
 *
 * A place is an entry and a line in it. A position that is no more (its chunk left, or it was a gap that was filled)
 * becomes the place where it was, in front of what is there now. Moving goes over counts of entries, then bits within
 * one. Where an entry is not evaluated yet the UI's own thread does it, for at most BUDGET_US a call beyond the
 * first; then the call ends early with what it has, and grew tells when to ask again.
 *
 * Texts come from chunks that were unpacked for an earlier call (VIEWS of them stay), from excerpts, or are unpacked
 * now. What read gave stays valid until the next one, so the views that it used are kept at least that long.
 */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/logs/query_inside.h"

#define BUDGET_US 800
#define RECORD_MAX ((size_t)1 << 20)
#define VIEWS_MAX (sizeof(((struct log_query *)NULL)->view) / sizeof(struct view))

/* --- Places -------------------------------------------------------------------------------------- */

/* Before line of entry i; exact: that line is there. i is q->n behind everything. */
struct place {
	size_t i;
	uint32_t line;
	bool exact;
};

/* A call of the UI: begins with lock taken and the entries as the store is now. */
struct call {
	struct log_query *q;
	int64_t until_us; /* no further entry is evaluated here behind that */
};

static struct call begin(struct log_query *q)
{
	pthread_mutex_lock(&q->lock);
	query_sync(q);
	return (struct call){ q, clock_mono_us() + BUDGET_US };
}

static void end(struct call *c)
{
	pthread_mutex_unlock(&c->q->lock);
}

static struct place place_of(const struct log_query *q, struct log_pos pos)
{
	struct place at = { q->first, 0, false };
	size_t last = q->n, guess;

	if (pos.chunk == 0 || q->n == q->first)
		return at;
	guess = query_guess(q, pos.chunk);
	if (guess < q->n && q->entry[guess].from <= pos.line && pos.line < q->entry[guess].to)
		return (struct place){ guess, pos.line, true };
	for (size_t i = q->first; i < q->n; i++) {
		const struct entry *e = &q->entry[i];

		if (e->part->id != pos.chunk)
			continue;
		if (pos.line >= e->from && pos.line < e->to)
			return (struct place){ i, pos.line, true };
		if (e->from > pos.line) { /* what was before it in its chunk is gone */
			if (last == q->n)
				return (struct place){ i, e->from, false };
			break;
		}
		last = i;
	}
	/* Behind the part of its chunk that is before it; where its chunk is no more, before everything. */
	if (last < q->n)
		at = (struct place){ last + 1, last + 1 < q->n ? q->entry[last + 1].from : 0,
				     false };
	return at;
}

static struct log_pos pos_of(const struct log_query *q, size_t i, uint32_t line)
{
	return (struct log_pos){ q->entry[i].part->id, line };
}

static int64_t rows_of(const struct entry *e)
{
	return e->eval->n.rows;
}

static bool up_to_date(const struct log_query *q, const struct entry *e)
{
	return entry_current(q, e) && e->eval->to == e->to;
}

/* Makes entry *i ready to be looked at, with all lines that it has. False: it is not, or it is no more. The entries may
 * have moved; *i follows. */
static bool ready(struct call *c, size_t *i)
{
	struct log_query *q = c->q;
	struct part *p;

	if (up_to_date(q, &q->entry[*i]))
		return true;
	if (clock_mono_us() >= c->until_us)
		return entry_current(q, &q->entry[*i]);
	p = part_hold(q->entry[*i].part);
	query_evaluate(q, *i, &q->room);
	*i = query_index(q, p);
	part_drop(p);
	return *i < q->n && entry_current(q, &q->entry[*i]);
}

/* --- Moving -------------------------------------------------------------------------------------- */

/* The bits to move over: rows, or rows of one kind. */
static const uint64_t *bits_of(const struct entry *e, int what)
{
	return what < 0 ? e->eval->row : e->eval->seek[what];
}

static int64_t count_of(const struct entry *e, int what)
{
	return what < 0 ? rows_of(e) : e->eval->seeks[what];
}

struct walk {
	struct call *c;
	int what;           /* -1 all rows, else enum log_seek */
	int64_t n;          /* still to go: the n-th from here, from 1 */
	struct log_pos pos; /* the last one passed; chunk 0 none */
	int64_t passed;
	bool unknown; /* ended at an entry that is not evaluated */
};

/* The place of p's line again, after the entries may have moved. */
static bool here(const struct log_query *q, size_t i, uint32_t line)
{
	return i < q->n && line <= q->entry[i].eval->to;
}

static void walk_forward(struct walk *w, size_t i, uint32_t line)
{
	struct log_query *q = w->c->q;

	for (; i < q->n && w->n > 0; i++, line = i < q->n ? q->entry[i].from : 0) {
		const struct entry *e;
		uint32_t n;

		if (!ready(w->c, &i)) {
			w->unknown = true;
			return;
		}
		e = &q->entry[i];
		if (count_of(e, w->what) == 0 || !here(q, i, line))
			continue;
		n = line <= e->from ? (uint32_t)count_of(e, w->what)
				    : bits_count(bits_of(e, w->what), line, e->eval->to);
		if (n == 0)
			continue;
		if (n > w->n)
			n = (uint32_t)w->n;
		w->n -= n;
		w->passed += n;
		w->pos = pos_of(q, i, bits_select(bits_of(e, w->what), line, n - 1));
	}
}

/* Before line of entry i. */
static void walk_back(struct walk *w, size_t i, uint32_t line)
{
	struct log_query *q = w->c->q;

	for (;;) {
		const struct entry *e;
		uint32_t n;

		if (i < q->n) {
			if (!ready(w->c, &i)) {
				w->unknown = true;
				return;
			}
			e = &q->entry[i];
			if (line > e->eval->to)
				line = e->eval->to;
			n = count_of(e, w->what) == 0
				    ? 0
				    : bits_count(bits_of(e, w->what), e->from, line);
			if (n > w->n)
				n = (uint32_t)w->n;
			if (n > 0) {
				w->n -= n;
				w->passed += n;
				w->pos = pos_of(q, i,
						bits_select_back(bits_of(e, w->what), line, n - 1));
			}
		}
		if (i <= q->first || w->n == 0)
			return;
		i--;
		line = UINT32_MAX;
	}
}

static struct log_pos first_from(struct call *c, struct place at)
{
	struct walk w = { .c = c, .what = -1, .n = 1 };

	walk_forward(&w, at.i, at.line);
	return w.pos;
}

static struct log_pos last_before(struct call *c, size_t i, uint32_t line)
{
	struct walk w = { .c = c, .what = -1, .n = 1 };

	walk_back(&w, i, line);
	return w.pos;
}

/* Where pos stands, as a visible row: itself, the next one, or the one before when there is no next. */
static struct log_pos nearest(struct call *c, struct place at)
{
	struct log_pos pos = first_from(c, at);

	return pos.chunk != 0 ? pos : last_before(c, at.i, at.line);
}

struct log_pos log_query_step(struct log_query *q, struct log_pos pos, int64_t delta,
			      int64_t *moved)
{
	struct call c = begin(q);
	struct walk w = { .c = &c, .what = -1, .n = delta < 0 ? -delta : delta };
	struct place at = place_of(q, pos);

	if (delta > 0) {
		walk_forward(&w, at.i, at.line + at.exact);
	} else if (delta < 0) {
		if (pos.chunk == 0)
			walk_back(&w, q->n, 0);
		else
			walk_back(&w, at.i, at.line);
	}
	/* Moving may have evaluated entries, and lines come: the place is looked up anew. */
	if (w.pos.chunk == 0)
		w.pos = nearest(&c, place_of(q, pos));
	if (moved != NULL)
		*moved = delta < 0 ? -w.passed : w.passed;
	if (w.pos.chunk != 0)
		q->focus = w.pos;
	end(&c);
	return w.pos;
}

struct log_pos log_query_last(struct log_query *q)
{
	struct call c = begin(q);
	struct log_pos pos = last_before(&c, q->n, 0);

	q->focus = (struct log_pos){ 0, 0 };
	end(&c);
	return pos;
}

int64_t log_query_below(struct log_query *q, struct log_pos pos)
{
	struct call c = begin(q);
	struct place at = place_of(q, pos);
	int64_t n = 0;

	for (size_t i = at.i; i < q->n && n >= 0; i++) {
		uint32_t from = i == at.i ? at.line + at.exact : 0;
		const struct entry *e;

		/* Lines that came just now are below, too. */
		if (i + 1 == q->n)
			ready(&c, &i);
		e = i < q->n ? &q->entry[i] : NULL;
		if (e == NULL || !entry_current(q, e))
			n = -1;
		else if (from > e->from)
			n += from < e->eval->to ? bits_count(e->eval->row, from, e->eval->to) : 0;
		else
			n += rows_of(e);
	}
	end(&c);
	return n;
}

struct log_pos log_query_seek(struct log_query *q, struct log_pos pos, int dir, enum log_seek what)
{
	struct call c = begin(q);
	struct walk w = { .c = &c, .what = (int)what, .n = 1 };
	struct place at = place_of(q, pos);

	if (dir > 0)
		walk_forward(&w, at.i, at.line + at.exact);
	else if (pos.chunk == 0)
		walk_back(&w, q->n, 0);
	else
		walk_back(&w, at.i, at.line);
	q->wish = w.unknown ? dir : 0;
	if (w.pos.chunk == 0 && w.unknown)
		w.pos.line = LOG_POS_UNKNOWN;
	if (w.pos.chunk != 0 || w.unknown)
		q->focus = w.pos.chunk != 0 ? w.pos : pos;
	end(&c);
	return w.pos;
}

/* --- Chunks that are looked at ------------------------------------------------------------------- */

static void view_clear(struct log_query *q, struct view *v)
{
	if (v->part == NULL)
		return;
	store_plain_back(q->store, v->held);
	part_drop(v->part);
	v->part = NULL;
	v->held = NULL;
	v->plain = NULL;
}

void query_views_clear(struct log_query *q)
{
	for (size_t i = 0; i < VIEWS_MAX; i++) {
		struct view *v = &q->view[i];

		view_clear(q, v);
		plain_free(v->own);
		memset(v, 0, sizeof(*v));
	}
}

/* Unpacked chunks beyond VIEWS that this call does not use are given back. */
static void views_trim(struct log_query *q)
{
	for (size_t i = VIEWS; i < VIEWS_MAX; i++)
		if (q->view[i].own != NULL && q->view[i].used != q->calls) {
			view_clear(q, &q->view[i]);
			plain_free(q->view[i].own);
			q->view[i].own = NULL;
		}
}

static struct view *view_slot(struct log_query *q)
{
	struct view *best = NULL;

	for (size_t i = 0; i < VIEWS_MAX; i++) {
		struct view *v = &q->view[i];

		if (v->used == q->calls && v->part != NULL)
			continue; /* what this call gives out points into it */
		if (v->part == NULL && i < VIEWS)
			return v;
		if (best == NULL || v->used < best->used)
			best = v;
		if (i + 1 >= VIEWS && best != NULL)
			break;
	}
	return best;
}

/* The chunk of p, unpacked. Without lock. NULL when this call uses more chunks than there are views. */
static struct view *view_of(struct log_query *q, struct part *p)
{
	struct view *v;

	for (size_t i = 0; i < VIEWS_MAX; i++)
		if (q->view[i].part != NULL && q->view[i].part->chunk == p->chunk) {
			q->view[i].used = q->calls;
			return &q->view[i];
		}
	v = view_slot(q);
	if (v == NULL)
		return NULL;
	view_clear(q, v);
	if (v->own == NULL)
		v->own = plain_new(1, 1);
	v->own->has = 0;
	v->part = part_hold(p);
	v->plain = chunk_read(q->store, p->chunk, PLAIN_ALL, q->room.zip, v->own, &v->held);
	v->used = q->calls;
	return v;
}

/* --- Reading ------------------------------------------------------------------------------------- */

/* How many lines are folded under row line: its own continuation lines, and repeats of it. */
static void count_folds(const struct plain *t, const struct eval *v, uint32_t line,
			struct log_row *out)
{
	uint8_t source = t->source[line];
	bool own = true;

	if (LINE_KIND(t->bits[line]) != LOG_LINE)
		return;
	for (uint32_t i = line + 1; i < v->to; i++) {
		bool goes_on = (t->bits[i] & LINE_CONTINUES) != 0;

		/* Between them may be rows of other sources; the next one of this source ends it. */
		if (t->source[i] != source)
			continue;
		if (bit(v->row, i) || LINE_KIND(t->bits[i]) != LOG_LINE)
			break;
		own &= goes_on;
		if (!bit(v->shown, i))
			continue;
		out->similar += !goes_on;
		if (!goes_on)
			out->similar_utc_ns = t->utc_ns[i];
		out->continued += own;
	}
}

static const struct excerpt_row *excerpt_row(const struct eval *v, uint32_t line)
{
	for (size_t i = 0; v->excerpt != NULL && i < v->excerpt->n; i++)
		if (v->excerpt->row[i].number == line)
			return &v->excerpt->row[i];
	return NULL;
}

/* Text from an excerpt is copied to q->text; until all are there out->line.text.p is NULL and match_from its offset. */
static void row_of_excerpt(struct log_query *q, const struct excerpt_row *x, size_t *used,
			   struct log_row *out)
{
	struct sv text = x->line.text;

	mem_grow(&q->text, &q->text_cap, *used + text.n + 1, 1);
	memcpy(q->text + *used, text.p, text.n);
	out->line = x->line;
	out->line.text.p = NULL;
	out->match_from = *used;
	out->continued = x->continued;
	out->similar = x->similar;
	out->similar_utc_ns = x->similar_utc_ns;
	*used += text.n;
}

static bool row_of(struct log_query *q, const struct entry *e, uint32_t line, size_t *used,
		   struct log_row *out)
{
	const struct excerpt_row *x = excerpt_row(e->eval, line);
	const struct view *view;

	memset(out, 0, sizeof(*out));
	out->pos = (struct log_pos){ e->part->id, line };
	out->matches = bit(e->eval->seek[LOG_SEEK_MATCH], line);
	if (x != NULL) {
		row_of_excerpt(q, x, used, out);
		return true;
	}
	view = view_of(q, e->part);
	if (view == NULL)
		return false;
	plain_line(view->plain, line, &out->line);
	if (q->question->fold)
		count_folds(view->plain, e->eval, line, out);
	return true;
}

size_t log_query_read(struct log_query *q, struct log_pos pos, struct log_row *out, size_t max)
{
	struct call c = begin(q);
	struct place at = place_of(q, pos);
	const struct shared_pattern *find = q->question->find;
	size_t n = 0, used = 0;
	bool room = true;

	q->calls++;
	views_trim(q);
	for (; at.i < q->n && n < max && room;
	     at.i++, at.line = at.i < q->n ? q->entry[at.i].from : 0) {
		const struct eval *v;

		if (!ready(&c, &at.i))
			break;
		v = q->entry[at.i].eval;
		for (uint32_t i = bits_next(v->row, at.line, v->to); i < v->to && n < max && room;
		     i = bits_next(v->row, i + 1, v->to)) {
			room = row_of(q, &q->entry[at.i], i, &used, &out[n]);
			n += room;
		}
	}
	if (n > 0)
		q->focus = out[0].pos;
	end(&c);
	for (size_t i = 0; i < n; i++) {
		if (out[i].line.text.p == NULL)
			out[i].line.text.p = q->text + out[i].match_from;
		out[i].match_from = 0;
		if (out[i].matches && find != NULL)
			log_pattern_match(find->p, out[i].line.text, &out[i].match_from,
					  &out[i].match_to);
	}
	return n;
}

struct log_pos log_query_at(struct log_query *q, int64_t utc_ns)
{
	struct log_pos pos = { 0, 0 };
	struct call c = begin(q);

	q->calls++;
	for (size_t i = q->first; i < q->n && pos.chunk == 0; i++) {
		const struct view *view;
		const struct eval *v;

		if (q->entry[i].last_utc_ns < utc_ns)
			continue;
		if (!ready(&c, &i) || (view = view_of(q, q->entry[i].part)) == NULL)
			break;
		v = q->entry[i].eval;
		for (uint32_t k = bits_next(v->row, v->from, v->to); k < v->to && pos.chunk == 0;
		     k = bits_next(v->row, k + 1, v->to))
			if (view->plain->utc_ns[k] >= utc_ns)
				pos = pos_of(q, i, k);
	}
	if (pos.chunk == 0)
		pos = last_before(&c, q->n, 0);
	if (pos.chunk != 0)
		q->focus = pos;
	end(&c);
	return pos;
}

void log_query_record(struct log_query *q, struct log_pos pos, struct strbuf *out)
{
	struct call c = begin(q);
	struct place at = place_of(q, pos);
	int source = -1;
	bool ended = !at.exact;

	q->calls++;
	/* To the end of the record, also in the next chunks; one that never ends is cut. */
	for (int chunks = 0; !ended && at.i < q->n && chunks < 3; chunks++, at.i++) {
		const struct entry *e = &q->entry[at.i];
		const struct view *view = view_of(q, e->part);
		uint32_t i = chunks == 0 ? at.line : e->from;

		for (; view != NULL && i < e->to && !ended; i++) {
			const struct plain *t = view->plain;

			if (source >= 0 && t->source[i] != source)
				continue;
			ended = (source >= 0 && (t->bits[i] & LINE_CONTINUES) == 0) ||
				out->len > RECORD_MAX;
			if (ended)
				break;
			ended = LINE_KIND(t->bits[i]) != LOG_LINE;
			source = t->source[i];
			strbuf_addsv(out, plain_text(t, i));
			strbuf_addc(out, '\n');
		}
	}
	end(&c);
}

/* --- All of it ----------------------------------------------------------------------------------- */

/* The parts as they are now, held, and what is asked of them. */
struct snapshot {
	struct question *question;
	struct entry *entry;
	size_t n;
};

static int give_part(struct log_query *q, const struct snapshot *s, size_t i, struct room *r,
		     struct plain *own, int (*give)(void *arg, const struct log_line *line),
		     void *arg)
{
	const struct entry *e = &s->entry[i];
	struct hits_so_far *hits = NULL;
	struct plain *held;
	const struct plain *t;
	struct eval *v = eval_part(q->store, e->part, e->from, e->to, s->question, NULL, &hits,
				   false, r);
	int result = 0;

	own->has = 0;
	t = chunk_read(q->store, e->part->chunk, PLAIN_ALL, r->zip, own, &held);
	for (uint32_t k = bits_next(v->shown, v->from, v->to); k < v->to && result == 0;
	     k = bits_next(v->shown, k + 1, v->to)) {
		struct log_line l;

		plain_line(t, k, &l);
		result = give(arg, &l);
	}
	store_plain_back(q->store, held);
	eval_free(v);
	return result;
}

int log_query_each(struct log_query *q, int (*give)(void *arg, const struct log_line *line),
		   void *arg, struct cancel *c, struct err *e)
{
	struct snapshot s = { 0 };
	struct plain *own = plain_new(1, 1);
	struct room r;
	int result = 0;

	pthread_mutex_lock(&q->lock);
	query_sync(q);
	s.question = question_copy(q->question);
	s.n = q->n - q->first;
	s.entry = mem_calloc(s.n + 1, sizeof(*s.entry));
	for (size_t i = 0; i < s.n; i++) {
		s.entry[i] = q->entry[q->first + i];
		part_hold(s.entry[i].part);
	}
	pthread_mutex_unlock(&q->lock);
	room_init(&r);
	for (size_t i = 0; i < s.n; i++) {
		/* Each part is let go at once: lines that left the store meanwhile need not stay in memory. */
		if (result == 0 && cancel_fired(c))
			result = err_set(e, ERR_CANCELLED, "the export was stopped");
		else if (result == 0 && give_part(q, &s, i, &r, own, give, arg) != 0)
			result = err_set(e, ERR_CANCELLED,
					 "the export was stopped by who takes it");
		part_drop(s.entry[i].part);
	}
	room_clear(&r);
	plain_free(own);
	mem_free(s.entry);
	question_drop(s.question);
	return result;
}
