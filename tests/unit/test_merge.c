/* SPDX-License-Identifier: MIT */
/*
 * The merge, with a function as its end. Where the window is measured, a machine that stopped between two
 * calls for longer than the window is noticed and the case is done again.
 */
#include "core/logs/merge.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/cancel.h"
#include "core/base/clock.h"
#include "core/base/mem.h"

#define MS ((int64_t)1000000)
#define SEEN_MAX 400000
#define SOON_MS 20000 /* a limit for what should be there at once */

struct seen {
	pthread_mutex_t lock;
	size_t n;
	size_t bytes;
	int inside;       /* calls at the same time */
	int64_t pause_ms; /* of the one who takes the lines */
	struct {
		int64_t utc_ns;
		int source;
		bool late;
		char text[24];
	} line[SEEN_MAX];
};

static struct seen *seen;
static struct log_merge *m;

static void take(void *arg, const struct log_line *line, size_t n)
{
	struct seen *s = arg;
	struct err e;

	pthread_mutex_lock(&s->lock);
	assert_int_equal(s->inside++, 0);
	pthread_mutex_unlock(&s->lock);
	if (s->pause_ms > 0)
		assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + s->pause_ms, NULL, &e), 0);
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n && s->n < SEEN_MAX; i++, s->n++) {
		s->line[s->n].utc_ns = line[i].utc_ns;
		s->line[s->n].source = line[i].source;
		s->line[s->n].late = line[i].late;
		s->bytes += line[i].text.n;
		str_copy_sv(s->line[s->n].text, sizeof(s->line[s->n].text), line[i].text);
	}
	s->inside--;
	pthread_mutex_unlock(&s->lock);
}

static int setup(void **state)
{
	(void)state;
	seen = mem_calloc(1, sizeof(*seen));
	pthread_mutex_init(&seen->lock, NULL);
	m = log_merge_new_to(take, seen);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	log_merge_free(m);
	pthread_mutex_destroy(&seen->lock);
	mem_free(seen);
	return 0;
}

static size_t seen_n(void)
{
	size_t n;

	pthread_mutex_lock(&seen->lock);
	n = seen->n;
	pthread_mutex_unlock(&seen->lock);
	return n;
}

static void wait_for(size_t n)
{
	int64_t limit_ms = clock_mono_ms() + SOON_MS;
	struct err e;

	while (seen_n() < n && clock_mono_ms() < limit_ms)
		assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 2, NULL, &e), 0);
	assert_true(seen_n() >= n);
}

static void add(int source, int64_t utc_ns, const char *text)
{
	struct log_line l = { .utc_ns = utc_ns, .source = (uint16_t)source, .text = sv_of(text) };

	log_merge_add(m, source, &l, 1);
}

/* The texts that were given out, one after the other. */
static const char *order(void)
{
	static char text[512];
	struct strbuf b;

	strbuf_init(&b, sizeof(text));
	pthread_mutex_lock(&seen->lock);
	for (size_t i = 0; i < seen->n; i++)
		strbuf_addf(&b, "%s%s", seen->line[i].text, seen->line[i].late ? "!" : "");
	pthread_mutex_unlock(&seen->lock);
	str_copy(text, sizeof(text), strbuf_str(&b));
	strbuf_clear(&b);
	return text;
}

static void merge__gives_out_at_once__when_a_source_is_alone(void **state)
{
	(void)state;
	log_merge_catching_up(m, 3);
	add(3, 5, "a");
	add(3, 7, "b");
	assert_string_equal(order(), "ab");
	log_merge_live(m, 3);
	add(3, clock_utc_ms() * MS, "c");
	assert_string_equal(order(), "abc");
}

static void merge__keeps_the_order_of_a_source__when_its_stamps_go_back(void **state)
{
	(void)state;
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	add(0, 50, "a");
	add(0, 20, "b");
	add(0, 60, "c");
	add(1, 10, "x");
	add(1, 55, "y");
	log_merge_ended(m, 0);
	log_merge_ended(m, 1);
	wait_for(5);
	assert_string_equal(order(), "xabyc");
}

static void merge__merges_the_past__however_fast_each_side_is(void **state)
{
	(void)state;
	log_merge_patience(m, 3600 * 1000);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	log_merge_catching_up(m, 2);
	add(0, 10, "a");
	add(0, 40, "d");
	add(0, 70, "g");
	add(1, 20, "b");
	add(1, 50, "e");
	assert_int_equal(seen_n(), 0);
	add(2, 30, "c");
	wait_for(3);
	assert_string_equal(order(), "abc");
	add(2, 60, "f");
	log_merge_ended(m, 1);
	wait_for(6);
	assert_string_equal(order(), "abcdef");
	log_merge_live(m, 2);
	wait_for(7);
	assert_string_equal(order(), "abcdefg");
}

static void merge__waits_no_longer__when_one_that_catches_up_is_silent(void **state)
{
	(void)state;
	log_merge_patience(m, 30);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	add(0, 40, "a");
	wait_for(1);
	add(1, 10, "b");
	add(1, 50, "c");
	wait_for(3);
	assert_string_equal(order(), "ab!c");
}

static void merge__puts_live_lines_in_order__within_the_window(void **state)
{
	int64_t before_ms, now;

	(void)state;
	log_merge_live(m, 0);
	log_merge_live(m, 1);
	do {
		pthread_mutex_lock(&seen->lock);
		seen->n = 0;
		pthread_mutex_unlock(&seen->lock);
		before_ms = clock_mono_ms();
		now = clock_utc_ms() * MS;
		add(0, now + 50 * MS, "b");
		add(1, now + 10 * MS, "a");
		add(0, now + 90 * MS, "d");
		add(1, now + 70 * MS, "c");
	} while (clock_mono_ms() - before_ms > LOG_MERGE_WINDOW_MS / 2);
	wait_for(4);
	assert_string_equal(order(), "abcd");
}

static void merge__does_not_hold_a_line_back__when_its_stamp_is_of_the_future(void **state)
{
	(void)state;
	log_merge_live(m, 0);
	log_merge_live(m, 1);
	add(0, (clock_utc_ms() + 365 * (int64_t)86400000) * MS, "a");
	wait_for(1);
	/* Nor is everything that comes behind it late. */
	add(1, clock_utc_ms() * MS, "b");
	wait_for(2);
	assert_string_equal(order(), "ab");
}

static void merge__marks_as_late__what_comes_behind_a_later_line_of_another(void **state)
{
	(void)state;
	log_merge_live(m, 0);
	log_merge_live(m, 1);
	add(0, 100 * MS, "a");
	log_merge_flush(m);
	add(1, 50 * MS, "b");
	add(1, 150 * MS, "c");
	log_merge_flush(m);
	/* Its own disorder is the order of its log, not lateness. */
	add(1, 120 * MS, "d");
	add(0, 130 * MS, "e");
	log_merge_flush(m);
	assert_string_equal(order(), "ab!cde!");
}

/* As the console does when the logs are read again since an earlier time. */
static void merge__merges_the_past__when_it_is_read_again(void **state)
{
	(void)state;
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	add(0, 100 * MS, "x");
	add(1, 101 * MS, "y");
	log_merge_ended(m, 0);
	log_merge_ended(m, 1);
	log_merge_restart(m);
	wait_for(2);
	log_merge_patience(m, WAIT_FOREVER);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	add(0, 10 * MS, "b");
	add(0, 30 * MS, "d");
	add(1, 1 * MS, "a");
	add(1, 20 * MS, "c");
	log_merge_ended(m, 0);
	log_merge_ended(m, 1);
	wait_for(6);
	assert_string_equal(order(), "xyabcd");
}

static void merge__gives_out_everything__when_flushed_or_freed(void **state)
{
	(void)state;
	log_merge_patience(m, WAIT_FOREVER);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	add(0, 1, "a");
	log_merge_flush(m);
	assert_string_equal(order(), "a");
	add(0, 2, "b");
	log_merge_free(m);
	assert_string_equal(order(), "ab");
	m = NULL;
}

/* --- Much of it ------------------------------------------------------------------------------- */

struct writer {
	pthread_t thread;
	int source;
	size_t lines, size;
	unsigned seed;
	atomic_bool ended;
};

static void *write_lines(void *arg)
{
	struct writer *w = arg;
	struct log_line batch[200];
	size_t at = 0, n, i;
	char *text = mem_alloc(w->size + 1);
	int64_t t = 0;

	memset(text, 'x', w->size);
	while (at < w->lines) {
		char name[200][24];

		n = 1 + (size_t)(rand_r(&w->seed) % 200);
		for (i = 0; i < n && at < w->lines; i++, at++) {
			t += rand_r(&w->seed) % 100;
			snprintf(name[i], sizeof(name[i]), "%zu", at);
			batch[i] = (struct log_line){ .utc_ns = t,
						      .source = (uint16_t)w->source,
						      .text = w->size > 0 ? sv_n(text, w->size)
									  : sv_of(name[i]) };
		}
		log_merge_add(m, w->source, batch, i);
	}
	mem_free(text);
	log_merge_ended(m, w->source);
	atomic_store(&w->ended, true);
	return NULL;
}

static void writer_start(struct writer *w, int source, size_t lines, size_t size)
{
	*w = (struct writer){
		.source = source, .lines = lines, .size = size, .seed = (unsigned)source + 17
	};
	assert_int_equal(pthread_create(&w->thread, NULL, write_lines, w), 0);
}

static void merge__loses_nothing_and_sorts_all__with_four_threads(void **state)
{
	enum { SOURCES = 4, LINES = 50000 };
	struct writer w[SOURCES];
	size_t next[SOURCES] = { 0 };

	(void)state;
	log_merge_patience(m, WAIT_FOREVER);
	for (int i = 0; i < SOURCES; i++)
		log_merge_catching_up(m, i);
	for (int i = 0; i < SOURCES; i++)
		writer_start(&w[i], i, LINES, 0);
	for (int i = 0; i < SOURCES; i++)
		pthread_join(w[i].thread, NULL);
	log_merge_flush(m);
	assert_int_equal(seen->n, SOURCES * LINES);
	for (size_t i = 0; i < seen->n; i++) {
		char want[24];

		snprintf(want, sizeof(want), "%zu", next[seen->line[i].source]++);
		assert_string_equal(seen->line[i].text, want);
		assert_false(seen->line[i].late);
		if (i > 0)
			assert_true(seen->line[i].utc_ns >= seen->line[i - 1].utc_ns);
	}
}

static void merge__lets_the_oldest_go__when_too_much_waits(void **state)
{
	struct writer w;
	size_t lines = LOG_MERGE_MAX_BYTES / 4096 * 2;

	(void)state;
	log_merge_patience(m, 3600 * 1000);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	writer_start(&w, 0, lines, 4096);
	pthread_join(w.thread, NULL); /* nobody stopped it */
	wait_for(lines / 4);
	assert_true(seen_n() < lines);
	log_merge_flush(m);
	assert_int_equal(seen->n, lines);
	assert_int_equal(seen->bytes, lines * 4096);
}

static void merge__makes_the_adder_wait__when_order_is_wanted_at_any_price(void **state)
{
	struct writer w;
	size_t lines = LOG_MERGE_MAX_BYTES / 4096 * 2;
	struct err e;

	(void)state;
	log_merge_patience(m, WAIT_FOREVER);
	log_merge_catching_up(m, 0);
	log_merge_catching_up(m, 1);
	writer_start(&w, 0, lines, 4096);
	assert_int_equal(wait_fds(NULL, 0, clock_mono_ms() + 50, NULL, &e), 0);
	assert_int_equal(seen_n(), 0);
	assert_false(atomic_load(&w.ended)); /* it cannot have: half of it has no room */
	add(1, 0, "first");
	log_merge_ended(m, 1);
	pthread_join(w.thread, NULL);
	log_merge_flush(m);
	assert_int_equal(seen->n, lines + 1);
	assert_string_equal(seen->line[0].text, "first");
}

static void merge__slows_the_adder_down__when_lines_are_taken_slowly(void **state)
{
	struct writer w[2];
	size_t lines = LOG_MERGE_MAX_BYTES / 65536 * 2;

	(void)state;
	seen->pause_ms = 10;
	for (int i = 0; i < 2; i++)
		log_merge_catching_up(m, i);
	for (int i = 0; i < 2; i++)
		writer_start(&w[i], i, lines, 65536);
	for (int i = 0; i < 2; i++)
		pthread_join(w[i].thread, NULL);
	log_merge_flush(m);
	assert_int_equal(seen->n, 2 * lines);
	assert_int_equal(seen->bytes, 2 * lines * 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(merge__gives_out_at_once__when_a_source_is_alone,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			merge__keeps_the_order_of_a_source__when_its_stamps_go_back, setup,
			teardown),
		cmocka_unit_test_setup_teardown(merge__merges_the_past__however_fast_each_side_is,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			merge__waits_no_longer__when_one_that_catches_up_is_silent, setup,
			teardown),
		cmocka_unit_test_setup_teardown(merge__puts_live_lines_in_order__within_the_window,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			merge__does_not_hold_a_line_back__when_its_stamp_is_of_the_future, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			merge__marks_as_late__what_comes_behind_a_later_line_of_another, setup,
			teardown),
		cmocka_unit_test_setup_teardown(merge__merges_the_past__when_it_is_read_again,
						setup, teardown),
		cmocka_unit_test_setup_teardown(merge__gives_out_everything__when_flushed_or_freed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			merge__loses_nothing_and_sorts_all__with_four_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(merge__lets_the_oldest_go__when_too_much_waits,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			merge__makes_the_adder_wait__when_order_is_wanted_at_any_price, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			merge__slows_the_adder_down__when_lines_are_taken_slowly, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
