/* SPDX-License-Identifier: MIT */
/* The store against a plain list of lines: contents and order, counts, seconds, gaps, eviction. */
#include "core/logs/store.h"

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

#define SOURCES 5
#define T0_S 1763733950LL
#define NS 1000000000LL

/* --- The model ----------------------------------------------------------------------------------- */

struct item {
	struct log_line l;
	struct log_pos pos;
};

struct world {
	struct log_store *s;
	uint64_t random;
	struct item *item;
	size_t n, cap;
	struct arena texts;
	int64_t evicted;
	uint8_t level_of[SOURCES];
};

static uint32_t dice(struct world *w, uint32_t n)
{
	w->random = w->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(w->random >> 33) % n;
}

static struct world *world_new(size_t max_bytes, uint64_t seed)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	struct log_source about = { .service = "web", .host = "h" };

	w->s = log_store_new(max_bytes);
	w->random = seed;
	for (int i = 0; i < SOURCES; i++)
		assert_int_equal(log_store_source(w->s, &about), i);
	return w;
}

static void world_free(struct world *w)
{
	log_store_free(w->s);
	mem_free(w->item);
	arena_clear(&w->texts);
	mem_free(w);
}

static struct log_line make(struct world *w)
{
	static const size_t sizes[] = { 0, 3, 80, 200, 1000, 70000 };
	struct log_line l = { .source = (uint16_t)dice(w, SOURCES), .template = dice(w, 600) };
	size_t n = sizes[dice(w, 40) == 0 ? 5 : dice(w, 5)];
	char *text = arena_alloc(&w->texts, n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)dice(w, 256);
	for (char *nl; (nl = memchr(text, '\n', n)) != NULL;)
		*nl = ' ';
	l.text = sv_n(text, n);
	l.utc_ns = T0_S * NS + (int64_t)dice(w, 4000) * (dice(w, 2) == 0 ? 1000000 : 77777777);
	if (dice(w, 30) == 0)
		l.utc_ns = dice(w, 2) == 0 ? 0 : -5 * NS;
	l.level = (uint8_t)dice(w, LOG_LEVELS);
	l.shape = (uint8_t)dice(w, 3);
	l.kind = dice(w, 20) == 0 ? (uint8_t)(1 + dice(w, 2)) : LOG_LINE;
	l.continues = dice(w, 4) == 0;
	l.late = dice(w, 5) == 0;
	l.is_err = dice(w, 3) == 0;
	return l;
}

/* What the store makes of a line: continuation lines have their record's level. */
static struct log_line as_held(struct log_line l, uint8_t level_of[SOURCES])
{
	if (l.kind != LOG_LINE)
		l.continues = false;
	else if (!l.continues)
		level_of[l.source] = l.level;
	else if (l.level == LOG_LEVEL_NONE)
		l.level = level_of[l.source];
	return l;
}

static void put(struct world *w, size_t at, struct log_line l)
{
	mem_grow(&w->item, &w->cap, w->n + 1, sizeof(*w->item));
	memmove(w->item + at + 1, w->item + at, (w->n - at) * sizeof(*w->item));
	w->item[at] = (struct item){ l, { 0, 0 } };
	w->n++;
}

static void add(struct world *w, uint32_t n)
{
	struct log_line line[50];

	for (uint32_t i = 0; i < n; i++)
		line[i] = make(w);
	log_store_add(w->s, line, n);
	for (uint32_t i = 0; i < n; i++)
		put(w, w->n, as_held(line[i], w->level_of));
}

/* Fills the k-th line of the model when it is a gap (else sees that it is refused). */
static void fill(struct world *w, size_t k)
{
	uint8_t level_of[SOURCES] = { 0 };
	struct log_line line[40];
	uint32_t n = dice(w, 40);

	for (uint32_t i = 0; i < n; i++)
		line[i] = make(w);
	if (w->item[k].l.kind != LOG_GAP ||
	    log_store_fill(w->s, w->item[k].pos, line, n) == false) {
		/* No gap, or it has just left. */
		assert_false(log_store_fill(w->s, w->item[k].pos, line, n));
		assert_true(w->item[k].l.kind != LOG_GAP || w->s->evicted > w->evicted);
		return;
	}
	memmove(w->item + k, w->item + k + 1, (w->n - k - 1) * sizeof(*w->item));
	w->n--;
	for (uint32_t i = 0; i < n; i++)
		put(w, k + i, as_held(line[i], level_of));
}

/* --- Comparing ----------------------------------------------------------------------------------- */

static void same_line(const struct log_line *a, const struct log_line *b)
{
	assert_true(sv_eq(a->text, b->text));
	assert_int_equal(a->utc_ns, b->utc_ns);
	assert_int_equal(a->source, b->source);
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->shape, b->shape);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->continues, b->continues);
	assert_int_equal(a->late, b->late);
	assert_int_equal(a->is_err, b->is_err);
	assert_int_equal(a->template, b->template);
}

/* Nothing leaves the store until loud(): the packing thread may still be at work. */
static void quiet(struct world *w)
{
	while (store_pack_one(w->s))
		;
	store_evict(w->s);
	pthread_mutex_lock(&w->s->out_lock);
}

static void loud(struct world *w)
{
	pthread_mutex_unlock(&w->s->out_lock);
}

/* Walks over the store; the model loses in front what the store lost. */
static void compare_lines(struct world *w)
{
	struct plain *own = plain_new(1, 1), *held;
	size_t held_lines = 0, k = 0;

	for (size_t i = w->s->first; i < w->s->n; i++) {
		const struct part *p = w->s->part[i];

		held_lines += (p->to == LINES_OPEN ? p->chunk->lines : p->to) - p->from;
	}
	assert_true(held_lines <= w->n);
	for (; w->n > held_lines; w->n--) {
		w->evicted += w->item[0].l.kind == LOG_LINE;
		memmove(w->item, w->item + 1, (w->n - 1) * sizeof(*w->item));
	}
	for (size_t i = w->s->first; i < w->s->n; i++) {
		const struct part *p = w->s->part[i];
		uint32_t to = p->to == LINES_OPEN ? p->chunk->lines : p->to;
		const struct plain *t;

		own->has = 0;
		t = chunk_read(w->s, p->chunk, PLAIN_ALL, NULL, own, &held);
		for (uint32_t j = p->from; j < to; j++, k++) {
			struct log_line l;

			plain_line(t, j, &l);
			same_line(&l, &w->item[k].l);
			/* A position once given stays. */
			if (w->item[k].pos.chunk != 0) {
				assert_int_equal(w->item[k].pos.chunk, p->id);
				assert_int_equal(w->item[k].pos.line, j);
			}
			w->item[k].pos = (struct log_pos){ p->id, j };
		}
		store_plain_back(w->s, held);
	}
	plain_free(own);
}

static void compare_counts(struct world *w)
{
	struct log_source src[SOURCES];
	struct log_counts c, want = { 0 };
	int64_t gaps[SOURCES] = { 0 };

	for (size_t i = 0; i < w->n; i++) {
		const struct log_line *l = &w->item[i].l;

		gaps[l->source] += l->kind == LOG_GAP;
		want.gaps += l->kind == LOG_GAP;
		if (l->kind != LOG_LINE)
			continue;
		want.lines++;
		want.text_bytes += (int64_t)l->text.n + 1;
		want.level[l->level] += !l->continues;
	}
	log_store_counts(w->s, &c);
	assert_int_equal(c.lines, want.lines);
	assert_int_equal(c.text_bytes, want.text_bytes);
	assert_int_equal(c.gaps, want.gaps);
	assert_int_equal(c.evicted, w->evicted);
	for (int i = 0; i < LOG_LEVELS; i++)
		assert_int_equal(c.level[i], want.level[i]);
	assert_int_equal(log_store_sources(w->s, src, SOURCES), SOURCES);
	for (int i = 0; i < SOURCES; i++)
		assert_int_equal(src[i].gaps, gaps[i]);
}

static void compare_seconds(struct world *w)
{
	enum { COLUMNS = 37 };
	uint32_t column[COLUMNS][LOG_LEVELS], want[COLUMNS][LOG_LEVELS] = { { 0 } };
	int64_t from_s = T0_S - dice(w, 100), to_s = from_s + 1 + dice(w, 500);
	int64_t width = (to_s - from_s + COLUMNS - 1) / COLUMNS;

	if (dice(w, 3) == 0) {
		from_s = -100;
		to_s = T0_S * 2;
		width = (to_s - from_s + COLUMNS - 1) / COLUMNS;
	}
	log_store_histogram(w->s, from_s * 1000, to_s * 1000, COLUMNS, column);
	for (size_t i = 0; i < w->n; i++) {
		const struct log_line *l = &w->item[i].l;
		int64_t s = l->utc_ns >= 0 ? l->utc_ns / NS : -5;

		if (l->kind != LOG_LINE || l->continues || l->utc_ns == 0 || s < from_s ||
		    (s - from_s) / width >= COLUMNS)
			continue;
		want[(s - from_s) / width][l->level < LOG_LEVEL_INFO ? LOG_LEVEL_INFO : l->level]++;
	}
	assert_memory_equal(column, want, sizeof(want));
}

static void store__holds_what_was_put_in__in_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world *w = world_new(seed % 2 == 0 ? (size_t)2 << 20 : (size_t)256 << 20,
					    seed);

		for (int round = 0; round < 24; round++) {
			for (uint32_t k = dice(w, 20); k > 0; k--)
				add(w, dice(w, 50));
			for (uint32_t k = dice(w, 12); k > 0 && w->n > 0; k--) {
				quiet(w);
				compare_lines(w);
				loud(w);
				fill(w, dice(w, (uint32_t)w->n));
			}
			if (dice(w, 20) == 0) {
				log_store_empty(w->s);
				w->n = 0;
				memset(w->level_of, 0, sizeof(w->level_of));
			}
			quiet(w);
			compare_lines(w);
			compare_counts(w);
			compare_seconds(w);
			loud(w);
		}
		world_free(w);
	}
}

/* --- Single promises ------------------------------------------------------------------------------ */

static void memory__is_bounded__and_counts_what_left(void **state)
{
	const size_t max = (size_t)4 << 20;
	struct world *w = world_new(max, 1);
	struct log_counts c;
	int64_t added = 0;
	char text[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(32 + dice(w, 90));
	for (int i = 0; i < 20000; i++) {
		struct log_line l = { .text = sv_n(text, 1000 + dice(w, 1000)),
				      .utc_ns = T0_S * NS + i };

		for (int k = 0; k < 100; k++)
			text[dice(w, sizeof(text))] = (char)(32 + dice(w, 90));
		log_store_add(w->s, &l, 1);
		added++;
		log_store_counts(w->s, &c);
		/* What waits to be packed is beyond it, and that is bounded too. */
		assert_true(c.held_bytes < (int64_t)max + 12 * (int64_t)LOG_CHUNK_BYTES);
	}
	while (store_pack_one(w->s))
		;
	store_evict(w->s);
	log_store_counts(w->s, &c);
	assert_true(c.evicted > 0);
	assert_int_equal(c.evicted + c.lines, added);
	assert_true(c.first_utc_ns > T0_S * NS);
	assert_int_equal(c.last_utc_ns, T0_S * NS + 19999);
	world_free(w);
}

static void lines__compress__to_less_than_a_quarter(void **state)
{
	struct world *w = world_new((size_t)256 << 20, 1);
	struct log_counts c;
	char text[200];

	(void)state;
	for (int i = 0; i < 60000; i++) {
		int n = snprintf(
			text, sizeof(text),
			"10.0.%u.%u - - \"GET /api/cart/%u HTTP/1.1\" 200 %u \"-\" \"Mozilla/5.0 "
			"(X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\"",
			dice(w, 256), dice(w, 256), dice(w, 100000), dice(w, 50000));
		struct log_line l = { .text = sv_n(text, (size_t)n),
				      .template = 1 + dice(w, 20),
				      .utc_ns = T0_S * NS + (int64_t)i * 90000 + dice(w, 90000) };

		log_store_add(w->s, &l, 1);
	}
	while (store_pack_one(w->s))
		;
	log_store_counts(w->s, &c);
	assert_true(c.held_bytes * 4 < c.text_bytes);
	world_free(w);
}

/* Random letters: nothing of them is saved by packing much, so it takes long. */
static void add_noise(struct world *w, size_t bytes)
{
	char text[1000];

	for (size_t n = 0; n < bytes; n += sizeof(text)) {
		struct log_line l = { .text = sv_n(text, sizeof(text)), .utc_ns = T0_S * NS };

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (char)('a' + dice(w, 26));
		log_store_add(w->s, &l, 1);
	}
}

static size_t bytes_waiting(struct log_store *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->waiting_bytes;
	pthread_mutex_unlock(&s->lock);
	return n;
}

static void chunks__that_wait_to_be_packed__are_bounded__and_go_when_it_is_quiet(void **state)
{
	struct world *w = world_new((size_t)32 << 20, 1);
	const size_t lag = (size_t)2 << 20, help = 6 * LOG_CHUNK_BYTES;
	char *big = mem_calloc(3, 1 << 20);
	int64_t until = clock_mono_ms() + 60000;
	struct log_counts c;

	(void)state;
	for (int i = 0; i < 40; i++) {
		add_noise(w, LOG_CHUNK_BYTES / 2);
		assert_true(bytes_waiting(w->s) <= lag + help);
	}
	log_store_counts(w->s, &c);
	assert_int_equal(c.evicted, 0);
	/* A line of its own chunk is counted as what it takes. */
	for (int i = 0; i < 4; i++) {
		struct log_line l = { .text = sv_n(big, (size_t)3 << 20), .utc_ns = T0_S * NS };

		log_store_add(w->s, &l, 1);
		assert_true(bytes_waiting(w->s) <= lag + help);
	}
	while (bytes_waiting(w->s) > 0)
		assert_true(clock_mono_ms() < until);
	mem_free(big);
	world_free(w);
}

static void newline__in_a_text__becomes_a_blank(void **state)
{
	struct world *w = world_new((size_t)1 << 20, 1);
	struct log_line l = { .text = SV("\na\n\nb\n") }, got;

	(void)state;
	log_store_add(w->s, &l, 1);
	plain_line(w->s->part[w->s->first]->chunk->plain, 0, &got);
	assert_true(sv_eq(got.text, SV(" a  b ")));
	world_free(w);
}

static void line__larger_than_a_chunk__has_one_of_its_own(void **state)
{
	struct world *w = world_new((size_t)64 << 20, 1);
	struct log_line l = { .source = 1 };
	char *text = mem_alloc(1 << 20);

	(void)state;
	memset(text, 'x', 1 << 20);
	for (int i = 0; i < 3; i++) {
		l.text = sv_n(text, i == 1 ? 1 << 20 : 10);
		log_store_add(w->s, &l, 1);
		put(w, w->n, l);
	}
	quiet(w);
	compare_lines(w);
	compare_counts(w);
	loud(w);
	mem_free(text);
	world_free(w);
}

static void sources__have_their_state__and_their_counts(void **state)
{
	struct world *w = world_new((size_t)1 << 20, 1);
	struct log_source src[SOURCES], about = { .service = "more" };
	struct log_line l = { .source = 2, .text = SV("abc"), .utc_ns = 77 };
	struct log_counts c;
	struct err e;

	(void)state;
	log_store_add(w->s, &l, 1);
	log_store_add(w->s, &l, 1);
	err_set(&e, ERR_LOST, "the host is gone");
	log_store_source_state(w->s, 2, LOG_SOURCE_DOWN, &e);
	log_store_source_skew(w->s, 2, -40);
	log_store_source_lost(w->s, 2, 7);
	log_store_source_lost(w->s, 1, -1);
	log_store_source_lost(w->s, 99, 1);
	log_store_source_state(w->s, -1, LOG_SOURCE_LIVE, NULL);
	assert_int_equal(log_store_sources(w->s, src, SOURCES), SOURCES);
	assert_string_equal(src[2].service, "web");
	assert_int_equal(src[2].state, LOG_SOURCE_DOWN);
	assert_string_equal(src[2].err.msg, "the host is gone");
	assert_true(src[2].skew_known);
	assert_int_equal(src[2].skew_ms, -40);
	assert_int_equal(src[2].lost, 7);
	assert_int_equal(src[2].lines, 2);
	assert_int_equal(src[2].bytes, 8);
	assert_int_equal(src[2].last_utc_ns, 77);
	assert_true(src[1].lost_some && !src[2].lost_some);
	log_store_counts(w->s, &c);
	assert_int_equal(c.lost, 8);
	assert_true(c.lost_some);
	log_store_source_state(w->s, 2, LOG_SOURCE_LIVE, NULL);
	log_store_sources(w->s, src, SOURCES);
	assert_int_equal(src[2].err.code, ERR_OK);
	for (int i = SOURCES; i < LOG_SOURCES_MAX; i++)
		assert_int_equal(log_store_source(w->s, &about), i);
	assert_int_equal(log_store_source(w->s, &about), -1);
	world_free(w);
}

/* Of sources 0 and 1, the latter with lines fetched for a gap too. */
static void rates__are_those_of_the_times_of_lines(void **state)
{
	struct world *w = world_new((size_t)1 << 20, 1);
	int64_t now_ns = clock_utc_ms() * 1000000;
	struct log_line past[100], gap = { .source = 1, .kind = LOG_GAP, .text = SV("gap") };
	struct log_source src[SOURCES];
	struct log_pos pos;

	(void)state;
	assert_int_equal(log_store_sources(w->s, src, SOURCES), SOURCES);
	assert_true(src[0].per_second < 0);
	for (int i = 0; i < 100; i++)
		past[i] = (struct log_line){ .source = (uint16_t)(i % 2),
					     .text = SV("line"),
					     .utc_ns = now_ns - (int64_t)(99 - i) * 500000000 };
	gap.utc_ns = past[0].utc_ns;
	pos = log_store_add(w->s, &gap, 1);
	log_store_add(w->s, past, 100);
	log_store_sources(w->s, src, SOURCES);
	assert_true(src[0].per_second > 0.5 && src[0].per_second < 1.6);
	assert_true(src[1].per_second > 0.5 && src[1].per_second < 1.6);
	for (int i = 0; i < 100; i++)
		past[i].source = 1;
	assert_true(log_store_fill(w->s, pos, past, 100));
	log_store_sources(w->s, src, SOURCES);
	assert_true(src[1].per_second > 0.5 && src[1].per_second < 1.6);
	world_free(w);
}

static void forgotten__sources__leave_no_losses_behind(void **state)
{
	struct world *w = world_new(LOG_STORE_DEFAULT_BYTES, 1);
	struct log_counts k;

	(void)state;
	log_store_source_lost(w->s, 0, 12);
	log_store_source_lost(w->s, 1, -1);
	log_store_counts(w->s, &k);
	assert_int_equal(k.lost, 12);
	assert_true(k.lost_some);
	log_store_forget(w->s);
	log_store_counts(w->s, &k);
	assert_int_equal(k.lost, 0);
	assert_false(k.lost_some);
	world_free(w);
}

static void version__changes__with_every_change(void **state)
{
	struct world *w = world_new((size_t)1 << 20, 1);
	struct log_line l = { .text = SV("abc") };
	struct log_counts a, b;

	(void)state;
	log_store_counts(w->s, &a);
	log_store_add(w->s, &l, 1);
	log_store_counts(w->s, &b);
	assert_true(a.version != b.version);
	log_store_source_lost(w->s, 0, 1);
	log_store_counts(w->s, &a);
	assert_true(a.version != b.version);
	log_store_empty(w->s);
	log_store_counts(w->s, &b);
	assert_true(a.version != b.version);
	assert_int_equal(b.lines, 0);
	assert_int_equal(log_store_add(w->s, &l, 0).chunk, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store__holds_what_was_put_in__in_order),
		cmocka_unit_test(memory__is_bounded__and_counts_what_left),
		cmocka_unit_test(lines__compress__to_less_than_a_quarter),
		cmocka_unit_test(
			chunks__that_wait_to_be_packed__are_bounded__and_go_when_it_is_quiet),
		cmocka_unit_test(newline__in_a_text__becomes_a_blank),
		cmocka_unit_test(line__larger_than_a_chunk__has_one_of_its_own),
		cmocka_unit_test(sources__have_their_state__and_their_counts),
		cmocka_unit_test(rates__are_those_of_the_times_of_lines),
		cmocka_unit_test(forgotten__sources__leave_no_losses_behind),
		cmocka_unit_test(version__changes__with_every_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
