/* SPDX-License-Identifier: MIT */
/*
 * A store and a query with all their threads at once: two that add at full speed, one that fills gaps, an export,
 * and a UI that reads, moves and asks other questions meanwhile. Mostly for the thread sanitizer; what can be said
 * of every answer is checked, and when all is quiet the numbers have to be exact.
 */
#include "core/logs/query.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"

#define ADDERS 2
#define LINES 40000 /* of each adder */

struct stress {
	struct log_store *s;
	struct log_query *q;
	atomic_int running, grew, filled;
	_Atomic uint64_t gap; /* chunk << 32 | line of one that was not filled yet */
};

struct adder {
	struct stress *st;
	uint16_t source;
};

static void grew(void *arg)
{
	atomic_fetch_add(&((struct stress *)arg)->grew, 1);
}

static void *add(void *arg)
{
	struct adder *a = arg;
	struct log_line line[16];
	char text[16][120];

	for (int i = 0; i < LINES; i += 16) {
		for (int k = 0; k < 16; k++) {
			int n = snprintf(text[k], sizeof(text[k]),
					 "request %d of source %d took %d ms and %s", i + k,
					 a->source, (i * 7919 + k) % 1000,
					 k % 5 == 0 ? "failed" : "was well");

			line[k] = (struct log_line){
				.text = sv_n(text[k], (size_t)n),
				.source = a->source,
				.level = k % 5 == 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
				.continues = k % 7 == 3,
				.template = (uint64_t)(k % 5 == 0),
				.utc_ns = 1763733950000000000 + (int64_t)i * 100000
			};
		}
		log_store_add(a->st->s, line, 16);
		if (i % 1024 == 0) {
			struct log_line gap = { .kind = LOG_GAP,
						.source = a->source,
						.text = SV("gap") };
			struct log_pos pos = log_store_add(a->st->s, &gap, 1);

			atomic_store(&a->st->gap, pos.chunk << 32 | pos.line);
		}
	}
	atomic_fetch_sub(&a->st->running, 1);
	return NULL;
}

static void *fill(void *arg)
{
	struct stress *st = arg;

	while (atomic_load(&st->running) > 0) {
		uint64_t gap = atomic_exchange(&st->gap, 0);
		struct log_line line[3] = { { .text = SV("was missing"), .source = 2 },
					    { .text = SV("was missing too"), .source = 2 },
					    { .text = SV("and this"), .source = 2 } };

		if (gap == 0)
			pthread_testcancel();
		else if (log_store_fill(st->s, (struct log_pos){ gap >> 32, (uint32_t)gap }, line,
					3))
			atomic_fetch_add(&st->filled, 1);
	}
	return NULL;
}

static int count(void *arg, const struct log_line *l)
{
	*(int64_t *)arg += l->text.n > 0;
	return 0;
}

static void *export(void *arg)
{
	struct stress *st = arg;
	int64_t n = 0;
	struct err e;

	while (atomic_load(&st->running) > 0)
		if (log_query_each(st->q, count, &n, NULL, &e) != 0)
			return (void *)"failed";
	return NULL;
}

static void ask(struct log_query *q, int round)
{
	struct log_filter f = { .fold = round % 2 == 0,
				.level = round % 3 == 0 ? LOG_LEVEL_WARN : LOG_LEVEL_NONE,
				.hidden_sources = round % 5 == 0,
				.n = round % 4 == 1,
				.pattern = { { "took \\d+5 ms", round % 8 == 1 } } };
	struct err e;

	if (round % 2 == 0)
		assert_int_equal(log_query_filter(q, &f, &e), 0);
	else
		assert_int_equal(
			log_query_find(q, round % 3 == 0 ? "failed" : "request 1\\d+7", &e), 0);
}

/* One look of the UI. */
static void look(struct stress *st, int round)
{
	struct log_pos pos = log_query_last(st->q);
	struct log_row row[50];
	struct log_totals t;
	struct log_counts c;
	uint32_t column[30][LOG_LEVELS];
	size_t n;

	pos = log_query_step(st->q, pos, -(int64_t)(round % 300), NULL);
	n = log_query_read(st->q, pos, row, 50);
	for (size_t i = 0; i < n; i++) {
		assert_true(row[i].line.text.n > 0 &&
			    row[i].line.text.p[row[i].line.text.n - 1] != '\n');
		assert_true(row[i].line.source < 3);
		assert_true(row[i].match_to <= row[i].line.text.n);
	}
	log_query_seek(st->q, pos, round % 2 == 0 ? 1 : -1, (enum log_seek)(round % 4));
	assert_true(log_query_below(st->q, pos) >= -1);
	log_query_at(st->q, 1763733950000000000 + round * 1000000LL);
	log_query_totals(st->q, &t);
	assert_true(t.rows <= t.lines && t.matches <= t.lines);
	log_store_counts(st->s, &c);
	assert_true(c.lines >= 0 && c.text_bytes >= c.lines);
	log_store_histogram(st->s, 1763733950000, 1763733990000, 30, column);
}

static void store_and_query__agree__after_everybody_used_them(void **state)
{
	struct log_source about = { .service = "web" };
	struct stress st = { .s = log_store_new((size_t)512 << 10), .running = ADDERS };
	struct adder adder[ADDERS] = { { &st, 0 }, { &st, 1 } };
	pthread_t thread[ADDERS + 2];
	struct log_filter all = { 0 };
	int64_t exported = 0, until;
	struct log_totals t;
	struct log_counts c;
	void *result;
	struct err e;
	int round = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		log_store_source(st.s, &about);
	st.q = log_query_new(st.s, grew, &st);
	for (int i = 0; i < ADDERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, add, &adder[i]), 0);
	assert_int_equal(pthread_create(&thread[ADDERS], NULL, fill, &st), 0);
	assert_int_equal(pthread_create(&thread[ADDERS + 1], NULL, export, &st), 0);
	for (; atomic_load(&st.running) > 0; round++) {
		if (round % 3 == 0)
			ask(st.q, round / 3);
		look(&st, round);
	}
	for (int i = 0; i < ADDERS + 2; i++) {
		assert_int_equal(pthread_join(thread[i], &result), 0);
		assert_null(result);
	}
	assert_int_equal(log_query_filter(st.q, &all, &e), 0);
	assert_int_equal(log_query_find(st.q, "failed", &e), 0);
	until = clock_mono_ms() + 120000;
	do {
		look(&st, 0);
		log_query_totals(st.q, &t);
		exported = 0;
		assert_int_equal(log_query_each(st.q, count, &exported, NULL, &e), 0);
		assert_true(clock_mono_ms() < until);
	} while (!t.complete || exported != t.lines);
	log_store_counts(st.s, &c);
	assert_int_equal(c.lines + c.evicted, ADDERS * LINES + 3 * atomic_load(&st.filled));
	assert_true(c.evicted > 0);
	assert_true(atomic_load(&st.grew) > 0);
	log_query_free(st.q);
	log_store_free(st.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_and_query__agree__after_everybody_used_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
