/* SPDX-License-Identifier: MIT */
/*
 * Queries against a slow model of what they should say: rows, steps, seeks, counts, over random lines, filters,
 * searches, filled gaps and chunks that left. The model takes the lines as the store has them (tests/unit/
 * test_log_store.c is about those) and decides by loops over everything.
 */
#include "core/logs/query.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/logs/store_inside.h"

#define SOURCES 4

struct world {
	struct log_store *s;
	struct log_query *q;
	uint64_t random;
	struct log_pos gap[64];
	size_t n_gap;
	int64_t utc_ns;
	char *big;
	atomic_int grew;
};

static uint32_t dice(struct world *w, uint32_t n)
{
	w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(w->random >> 33) % n;
}

static void grew(void *arg)
{
	struct world *w = arg;

	atomic_fetch_add(&w->grew, 1);
}

static struct world *world_new(size_t max_bytes, uint64_t seed)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	struct log_source about = { .service = "web" };

	w->s = log_store_new(max_bytes);
	for (int i = 0; i < SOURCES; i++)
		assert_int_equal(log_store_source(w->s, &about), i);
	w->q = log_query_new(w->s, grew, w);
	w->random = seed;
	w->utc_ns = 1763733950000000000;
	w->big = mem_alloc(200000);
	memset(w->big, 'x', 200000);
	return w;
}

static void world_free(struct world *w)
{
	log_query_free(w->q);
	log_store_free(w->s);
	mem_free(w->big);
	mem_free(w);
}

/* A random line; its text in buf. Some are large, so that chunks fill up. */
static struct log_line line_make(struct world *w, char *buf, size_t size, bool large)
{
	static const char *const words[] = { "cart", "user", "order", "mail" };
	struct log_line l = { .source = (uint16_t)dice(w, SOURCES) };
	uint32_t word = dice(w, 4);
	int n;

	w->utc_ns += (int64_t)dice(w, 900) * 1000000;
	l.utc_ns = w->utc_ns;
	l.template = word + 1;
	l.level = (uint8_t)dice(w, LOG_LEVELS);
	if (dice(w, 3) == 0)
		l.level = LOG_LEVEL_INFO;
	l.continues = dice(w, 4) == 0;
	if (l.continues)
		l.level = LOG_LEVEL_NONE;
	l.late = dice(w, 9) == 0;
	n = snprintf(buf, size, "%s %s %u", l.continues ? "  at" : "took",
		     dice(w, 400) == 0 ? "refunds" : words[word], dice(w, 50));
	l.text = sv_n(buf, (size_t)n);
	if (dice(w, 60) == 0)
		l.kind = dice(w, 2) == 0 ? LOG_GAP : LOG_NOTE;
	if (large && dice(w, 12) == 0) {
		memcpy(w->big, buf, (size_t)n);
		memset(w->big + n, 'x', 200000 - (size_t)n);
		l.text = sv_n(w->big, 1000 + dice(w, 150000));
	}
	return l;
}

static void add_lines(struct world *w, uint32_t n, bool large)
{
	while (n-- > 0) {
		char buf[100];
		struct log_line l = line_make(w, buf, sizeof(buf), large);
		struct log_pos pos = log_store_add(w->s, &l, 1);

		assert_true(pos.chunk != 0);
		if (l.kind == LOG_GAP && w->n_gap < 64)
			w->gap[w->n_gap++] = pos;
	}
}

static void fill_gap(struct world *w)
{
	struct log_line line[8];
	char buf[8][100];
	uint32_t n = dice(w, 8), i;

	if (w->n_gap == 0)
		return;
	i = dice(w, (uint32_t)w->n_gap);
	for (uint32_t k = 0; k < n; k++)
		line[k] = line_make(w, buf[k], sizeof(buf[k]), false);
	log_store_fill(w->s, w->gap[i], line, n);
	assert_false(log_store_fill(w->s, w->gap[i], line, n));
	w->gap[i] = w->gap[--w->n_gap];
}

/* --- The model ----------------------------------------------------------------------------------- */

struct model_line {
	struct log_pos pos;
	struct log_line l;
	size_t part;
	bool shown, row, hit;
	size_t head, owner;
	uint32_t continued, similar;
	int64_t similar_utc_ns;
	bool row_match;
};

struct model {
	struct model_line *line;
	size_t n, cap;
	struct arena texts;
};

static void model_load(struct model *m, struct log_store *s)
{
	struct plain *own = plain_new(1, 1), *held;

	memset(m, 0, sizeof(*m));
	for (size_t i = s->first; i < s->n; i++) {
		struct part *p = s->part[i];
		const struct plain *t;
		uint32_t to = p->to == LINES_OPEN ? p->chunk->lines : p->to;

		own->has = 0;
		t = chunk_read(s, p->chunk, PLAIN_ALL, NULL, own, &held);
		for (uint32_t k = p->from; k < to; k++) {
			struct model_line *ml;

			mem_grow(&m->line, &m->cap, m->n + 1, sizeof(*m->line));
			ml = &m->line[m->n++];
			memset(ml, 0, sizeof(*ml));
			ml->pos = (struct log_pos){ p->id, k };
			ml->part = i;
			plain_line(t, k, &ml->l);
			ml->l.text = arena_sv(&m->texts, ml->l.text);
		}
		store_plain_back(s, held);
	}
	plain_free(own);
}

static void model_clear(struct model *m)
{
	mem_free(m->line);
	arena_clear(&m->texts);
}

/* Patterns of the tests are plain words, and ^word. */
static bool has(struct sv text, const char *word)
{
	if (word[0] == '^')
		return sv_starts(text, sv_of(word + 1));
	return memmem(text.p, text.n, word, strlen(word)) != NULL;
}

/* The head of line i: the nearest line before it in its part, of its source, that continues nothing. */
static size_t model_head(const struct model *m, size_t i)
{
	size_t head = i;

	if (!m->line[i].l.continues)
		return i;
	for (size_t k = i; k-- > 0 && m->line[k].part == m->line[i].part;) {
		if (m->line[k].l.source != m->line[i].l.source)
			continue;
		if (m->line[k].l.kind != LOG_LINE)
			break;
		head = k;
		if (!m->line[k].l.continues)
			break;
	}
	return head;
}

static bool record_has(const struct model *m, size_t head, const char *word)
{
	for (size_t i = head; i < m->n && m->line[i].part == m->line[head].part; i++)
		if (m->line[i].head == head && has(m->line[i].l.text, word))
			return true;
	return false;
}

static void model_shown(struct model *m, const struct log_filter *f)
{
	for (size_t i = 0; i < m->n; i++)
		m->line[i].head = model_head(m, i);
	for (size_t i = 0; i < m->n; i++) {
		struct model_line *ml = &m->line[i];
		uint8_t level = m->line[ml->head].l.level;

		ml->shown = (level == LOG_LEVEL_NONE ? LOG_LEVEL_INFO : level) >= f->level;
		for (size_t k = 0; k < f->n; k++)
			ml->shown &= record_has(m, ml->head, f->pattern[k].text) !=
				     f->pattern[k].out;
		if (ml->l.kind != LOG_LINE)
			ml->shown = true;
		if (f->hidden_sources >> ml->l.source & 1)
			ml->shown = false;
	}
}

/* The visible record head before line i that it may repeat; SIZE_MAX none. */
static size_t model_before(const struct model *m, size_t i)
{
	for (size_t k = i; k-- > 0 && m->line[k].part == m->line[i].part;) {
		if (!m->line[k].shown)
			continue;
		if (m->line[k].l.kind != LOG_LINE)
			return SIZE_MAX;
		if (m->line[k].head != k)
			continue;
		return m->line[k].l.continues ? SIZE_MAX : k;
	}
	return SIZE_MAX;
}

static void model_rows(struct model *m, const struct log_filter *f, const char *find)
{
	for (size_t i = 0; i < m->n; i++) {
		struct model_line *ml = &m->line[i];
		size_t b;

		ml->hit = find != NULL && has(ml->l.text, find);
		ml->owner = i;
		if (f->fold && ml->shown && ml->head != i)
			ml->owner = m->line[ml->head].owner;
		if (!f->fold || !ml->shown || ml->head != i || ml->l.kind != LOG_LINE ||
		    ml->l.continues)
			continue;
		b = model_before(m, i);
		if (b != SIZE_MAX && m->line[b].l.source == ml->l.source &&
		    m->line[b].l.level == ml->l.level && m->line[b].l.template == ml->l.template &&
		    (find == NULL || record_has(m, b, find) == record_has(m, i, find)))
			ml->owner = m->line[b].owner;
	}
	for (size_t i = 0; i < m->n; i++) {
		struct model_line *ml = &m->line[i], *o = &m->line[ml->owner];

		if (!ml->shown)
			continue;
		ml->row = ml->owner == i;
		o->row_match |= ml->hit;
		if (!ml->row && ml->head == i) {
			o->similar++;
			o->similar_utc_ns = ml->l.utc_ns;
		} else if (!ml->row && ml->head == ml->owner) {
			o->continued++;
		}
	}
}

static bool model_is(const struct model_line *ml, int what)
{
	bool head = ml->l.kind == LOG_LINE && !ml->l.continues;

	if (!ml->row)
		return false;
	switch (what) {
	case LOG_SEEK_MATCH:
		return ml->row_match;
	case LOG_SEEK_ERROR:
		return head && ml->l.level >= LOG_LEVEL_ERROR;
	case LOG_SEEK_WARN:
		return head && ml->l.level == LOG_LEVEL_WARN;
	case LOG_SEEK_GAP:
		return ml->l.kind == LOG_GAP;
	default:
		return true;
	}
}

/* --- Comparing ----------------------------------------------------------------------------------- */

static void wait_complete(struct log_query *q, struct log_totals *t)
{
	int64_t until = clock_mono_ms() + 60000;

	/* A read does the work of the threads where they are behind. */
	do {
		struct log_row row[4];

		log_query_read(q, log_query_last(q), row, 4);
		log_query_totals(q, t);
		assert_true(clock_mono_ms() < until);
	} while (!t->complete);
}

static void same_pos(struct log_pos a, struct log_pos b)
{
	assert_int_equal(a.chunk, b.chunk);
	assert_int_equal(a.line, b.line);
}

static void check_totals(const struct model *m, const struct log_totals *t)
{
	struct log_totals want = { 0 };

	for (size_t i = 0; i < m->n; i++) {
		const struct model_line *ml = &m->line[i];

		want.rows += ml->row;
		want.lines += ml->shown;
		want.hidden += !ml->shown;
		want.matches += ml->shown && ml->hit;
		want.errors += ml->shown && ml->l.kind == LOG_LINE && !ml->l.continues &&
			       ml->l.level >= LOG_LEVEL_ERROR;
	}
	assert_int_equal(t->rows, want.rows);
	assert_int_equal(t->lines, want.lines);
	assert_int_equal(t->hidden, want.hidden);
	assert_int_equal(t->matches, want.matches);
	assert_int_equal(t->errors, want.errors);
}

static void check_read(struct world *w, const struct model *m, const char *find)
{
	struct log_pos pos = { 0, 0 };
	struct log_row row[7];
	size_t i = 0, n;

	do {
		n = log_query_read(w->q, pos, row, 7);
		for (size_t k = pos.chunk != 0; k < n; k++, i++) {
			const struct model_line *ml;

			while (i < m->n && !m->line[i].row)
				i++;
			assert_true(i < m->n);
			ml = &m->line[i];
			same_pos(row[k].pos, ml->pos);
			assert_true(sv_eq(row[k].line.text, ml->l.text));
			assert_int_equal(row[k].line.utc_ns, ml->l.utc_ns);
			assert_int_equal(row[k].line.level, ml->l.level);
			assert_int_equal(row[k].line.late, ml->l.late);
			assert_int_equal(row[k].continued, ml->continued);
			assert_int_equal(row[k].similar, ml->similar);
			assert_int_equal(row[k].similar_utc_ns, ml->similar_utc_ns);
			assert_int_equal(row[k].matches, ml->row_match);
			if (ml->hit)
				assert_true(row[k].match_to - row[k].match_from ==
					    strlen(find) - (find[0] == '^'));
		}
		if (n > 0)
			pos = row[n - 1].pos;
	} while (n == 7);
	while (i < m->n)
		assert_false(m->line[i++].row);
}

static void check_step(struct world *w, const struct model *m)
{
	size_t i = dice(w, (uint32_t)m->n), at = i;
	int64_t delta = (int64_t)dice(w, 41) - 20, moved, want = 0;
	struct log_pos pos = log_query_step(w->q, m->line[i].pos, delta, &moved);

	if (delta == 0)
		for (at = i; at < m->n && !m->line[at].row;)
			at++;
	while (want != delta) {
		size_t k = at;

		do
			k += delta > 0 ? 1 : SIZE_MAX;
		while (k < m->n && !m->line[k].row);
		if (k >= m->n)
			break;
		at = k;
		want += delta > 0 ? 1 : -1;
	}
	assert_int_equal(moved, want);
	if (at < m->n && m->line[at].row)
		same_pos(pos, m->line[at].pos);
}

static void check_seek(struct world *w, const struct model *m)
{
	enum log_seek what = (enum log_seek)dice(w, 4);
	size_t i = dice(w, (uint32_t)m->n), k = i;
	int dir = dice(w, 2) == 0 ? 1 : -1;
	struct log_pos pos = log_query_seek(w->q, m->line[i].pos, dir, what);

	do
		k += dir > 0 ? 1 : SIZE_MAX;
	while (k < m->n && !model_is(&m->line[k], (int)what));
	same_pos(pos, k < m->n ? m->line[k].pos : (struct log_pos){ 0, 0 });
}

static void check_below(struct world *w, const struct model *m)
{
	size_t i = dice(w, (uint32_t)m->n);
	int64_t want = 0;

	for (size_t k = i + 1; k < m->n; k++)
		want += m->line[k].row;
	assert_int_equal(log_query_below(w->q, m->line[i].pos), want);
}

static void check_at(struct world *w, const struct model *m)
{
	int64_t utc_ns = m->line[dice(w, (uint32_t)m->n)].l.utc_ns - dice(w, 3);
	struct log_pos want = { 0, 0 };

	for (size_t k = m->n; k-- > 0;)
		if (m->line[k].row && (m->line[k].l.utc_ns >= utc_ns || want.chunk == 0))
			want = m->line[k].pos;
	for (size_t k = 0; k < m->n; k++)
		if (m->line[k].row && m->line[k].l.utc_ns >= utc_ns) {
			want = m->line[k].pos;
			break;
		} else if (m->line[k].row) {
			want = m->line[k].pos;
		}
	same_pos(log_query_at(w->q, utc_ns), want);
}

struct given {
	const struct model *m;
	size_t i;
};

static int take(void *arg, const struct log_line *l)
{
	struct given *g = arg;

	while (g->i < g->m->n && !g->m->line[g->i].shown)
		g->i++;
	assert_true(g->i < g->m->n);
	assert_true(sv_eq(l->text, g->m->line[g->i++].l.text));
	return 0;
}

static void compare(struct world *w, const struct log_filter *f, const char *find)
{
	struct log_totals t;
	struct model m;
	struct given g = { &m, 0 };
	struct err e;

	model_load(&m, w->s);
	model_shown(&m, f);
	model_rows(&m, f, find);
	wait_complete(w->q, &t);
	check_totals(&m, &t);
	check_read(w, &m, find);
	for (int i = 0; i < 60 && m.n > 0; i++) {
		check_step(w, &m);
		check_seek(w, &m);
		check_below(w, &m);
		check_at(w, &m);
	}
	assert_int_equal(log_query_each(w->q, take, &g, NULL, &e), 0);
	for (; g.i < m.n; g.i++)
		assert_false(m.line[g.i].shown);
	model_clear(&m);
}

static const char *random_filter(struct world *w, struct log_filter *f)
{
	static const char *const words[] = { "cart",  "user", "1",       "^took",
					     "^  at", "9",    "nothing", "refunds" };
	const char *find = dice(w, 3) == 0 ? NULL : words[dice(w, 8)];
	struct err e;

	memset(f, 0, sizeof(*f));
	f->level = dice(w, 2) == 0 ? LOG_LEVEL_NONE : (enum log_level)dice(w, LOG_LEVELS);
	f->hidden_sources = dice(w, 3) == 0 ? dice(w, 1 << SOURCES) : 0;
	f->fold = dice(w, 3) != 0;
	for (f->n = dice(w, 2) * dice(w, 4); f->n > 0;) {
		for (size_t i = 0; i < f->n; i++) {
			f->pattern[i].text = words[dice(w, 8)];
			f->pattern[i].out = dice(w, 2) == 0;
		}
		break;
	}
	assert_int_equal(log_query_filter(w->q, f, &e), 0);
	if (dice(w, 4) == 0)
		log_store_empty(w->s);
	assert_int_equal(log_query_find(w->q, find, &e), 0);
	return find;
}

static void query__says_what_a_model_says__over_random_operations(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		/* Every second one loses chunks all the time. */
		struct world *w = world_new(seed % 2 == 0 ? (size_t)1 << 20 : (size_t)64 << 20,
					    seed);
		struct log_filter f = { 0 };
		const char *find = NULL;

		for (int round = 0; round < 12; round++) {
			bool large = dice(w, 2) == 0;

			add_lines(w, dice(w, 400), large);
			for (uint32_t k = dice(w, 4); k > 0; k--)
				fill_gap(w);
			if (dice(w, 2) == 0)
				find = random_filter(w, &f);
			while (store_pack_one(w->s))
				;
			store_evict(w->s);
			/* The packing thread may still be at work: only what stands still can be compared. */
			pthread_mutex_lock(&w->s->out_lock);
			compare(w, &f, find);
			pthread_mutex_unlock(&w->s->out_lock);
		}
		assert_true(atomic_load(&w->grew) > 0);
		world_free(w);
	}
}

static void add_text(struct world *w, const char *text)
{
	struct log_line l = { .text = sv_of(text), .utc_ns = w->utc_ns++, .template = 7 };

	assert_true(log_store_add(w->s, &l, 1).chunk != 0);
}

static void sources__that_changed__are_told_without_a_line(void **state)
{
	static const enum log_source_state states[] = { LOG_SOURCE_LIVE, LOG_SOURCE_DOWN,
							LOG_SOURCE_CONNECTING, LOG_SOURCE_LIVE };
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_totals totals;

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		int64_t limit_ms = clock_mono_ms() + 20000;
		int before = atomic_load(&w->grew);

		log_store_source_state(w->s, 0, states[i], NULL);
		/* Somebody who draws just now must not keep it from those who draw later. */
		log_query_totals(w->q, &totals);
		while (atomic_load(&w->grew) == before && clock_mono_ms() < limit_ms)
			sched_yield();
		assert_true(atomic_load(&w->grew) > before);
	}
	world_free(w);
}

static void positions__stay_valid__when_a_gap_is_filled(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_line gap = { .kind = LOG_GAP, .text = SV("3 lines are missing") },
			line[3] = { 0 };
	struct log_pos before, at, after;
	struct log_row row[9];

	(void)state;
	add_text(w, "a");
	before = log_query_last(w->q);
	at = log_store_add(w->s, &gap, 1);
	add_text(w, "b");
	after = log_query_last(w->q);
	for (int i = 0; i < 3; i++)
		line[i].text = SV("filled");
	assert_true(log_store_fill(w->s, at, line, 3));
	assert_int_equal(log_query_read(w->q, before, row, 9), 5);
	assert_true(sv_eq(row[0].line.text, SV("a")));
	assert_true(sv_eq(row[1].line.text, SV("filled")));
	assert_true(sv_eq(row[4].line.text, SV("b")));
	same_pos(row[4].pos, after);
	assert_int_equal(log_query_read(w->q, at, row, 9), 4);
	assert_true(sv_eq(row[0].line.text, SV("filled")));
	assert_int_equal(log_query_read(w->q, after, row, 9), 1);
	assert_int_equal(log_query_below(w->q, before), 4);
	add_text(w, "c");
	assert_int_equal(log_query_below(w->q, after), 1);
	world_free(w);
}

static void filter__keeps_positions__and_the_one_before_after_an_error(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_filter f = { .n = 1, .pattern = { { "even", false } } };
	struct log_pos pos;
	struct log_row row[3];
	struct err e;

	(void)state;
	for (int i = 0; i < 100; i++)
		add_text(w, i % 2 == 0 ? "even" : "odd");
	pos = log_query_step(w->q, (struct log_pos){ 0, 0 }, 42, NULL);
	assert_int_equal(log_query_read(w->q, pos, row, 1), 1);
	assert_true(sv_eq(row[0].line.text, SV("odd")));
	assert_int_equal(log_query_filter(w->q, &f, &e), 0);
	assert_int_equal(log_query_read(w->q, pos, row, 1), 1);
	assert_true(sv_eq(row[0].line.text, SV("even")));
	f.pattern[0].text = "(";
	assert_int_equal(log_query_filter(w->q, &f, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_int_equal(log_query_find(w->q, "[", &e), -1);
	assert_int_equal(log_query_read(w->q, pos, row, 3), 3);
	assert_true(sv_eq(row[1].line.text, SV("even")));
	world_free(w);
}

static void record__is_given_whole__with_its_continuation_lines(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_filter f = { .fold = true };
	struct log_line l[4] = { { .text = SV("head"), .source = 1 },
				 { .text = SV("other"), .source = 2 },
				 { .text = SV("  at x"), .source = 1, .continues = true },
				 { .text = SV("next"), .source = 1, .template = 9 } };
	struct log_row row[9];
	struct strbuf out;
	struct err e;

	(void)state;
	strbuf_init(&out, STRBUF_NO_LIMIT);
	assert_int_equal(log_query_filter(w->q, &f, &e), 0);
	log_store_add(w->s, l, 4);
	assert_int_equal(log_query_read(w->q, (struct log_pos){ 0, 0 }, row, 9), 3);
	assert_int_equal(row[0].continued, 1);
	log_query_record(w->q, row[0].pos, &out);
	assert_string_equal(strbuf_str(&out), "head\n  at x\n");
	strbuf_clear(&out);
	world_free(w);
}

static int stop_at_once(void *arg, const struct log_line *l)
{
	(void)l;
	++*(int *)arg;
	return -1;
}

static void export__ends__when_it_is_cancelled_or_full(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct cancel c;
	struct err e;
	int n = 0;

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	add_text(w, "a");
	add_text(w, "b");
	assert_int_equal(log_query_each(w->q, stop_at_once, &n, &c, &e), -1);
	assert_int_equal(n, 1);
	cancel_fire(&c);
	assert_int_equal(log_query_each(w->q, stop_at_once, &n, &c, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	assert_int_equal(n, 1);
	cancel_clear(&c);
	world_free(w);
}

static void nothing__is_answered__by_nothing(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_pos none = { 0, 0 };
	struct log_totals t;
	struct log_row row;
	int64_t moved = 7;

	(void)state;
	assert_int_equal(log_query_read(w->q, none, &row, 1), 0);
	assert_int_equal(log_query_step(w->q, none, -3, &moved).chunk, 0);
	assert_int_equal(moved, 0);
	assert_int_equal(log_query_last(w->q).chunk, 0);
	assert_int_equal(log_query_at(w->q, 5).chunk, 0);
	assert_int_equal(log_query_below(w->q, none), 0);
	assert_int_equal(log_query_seek(w->q, none, 1, LOG_SEEK_ERROR).line, 0);
	log_query_totals(w->q, &t);
	assert_true(t.complete);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query__says_what_a_model_says__over_random_operations),
		cmocka_unit_test(sources__that_changed__are_told_without_a_line),
		cmocka_unit_test(positions__stay_valid__when_a_gap_is_filled),
		cmocka_unit_test(filter__keeps_positions__and_the_one_before_after_an_error),
		cmocka_unit_test(record__is_given_whole__with_its_continuation_lines),
		cmocka_unit_test(export__ends__when_it_is_cancelled_or_full),
		cmocka_unit_test(nothing__is_answered__by_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
