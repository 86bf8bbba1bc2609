/* SPDX-License-Identifier: MIT */
/* How many lines a second a source writes: by the times of its lines, whenever they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/logs/rate.h"

#define NOW_S 1763733600
#define NOW_MS ((int64_t)NOW_S * 1000)
#define MONO_MS 5000000

/* Lines of second NOW_S + at, read ms after NOW. */
static void came(struct log_rate *r, int64_t at, int64_t lines, int64_t ms)
{
	log_rate_came(r, NOW_S + at, lines, NOW_MS + ms, MONO_MS + ms);
}

static double rate(const struct log_rate *r, int64_t ms)
{
	return log_rate_now(r, NOW_MS + ms, MONO_MS + ms);
}

static void assert_about(double is, double want)
{
	if (is < want * 0.75 || is > want * 1.25)
		fail_msg("the rate is %.2f, not about %.2f", is, want);
}

static void past__read_in_at_once__is_not_written_now(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	for (int64_t at = -900; at <= 0; at++) {
		came(&r, at, 1, 600 + (at + 900) / 50);
		if (rate(&r, 620) > 1.3)
			fail_msg("%.1f lines a second at %lld s", rate(&r, 620), (long long)at);
	}
	assert_about(rate(&r, 620), 1);
	came(&r, 1, 1, 1010);
	came(&r, 2, 1, 2010);
	assert_about(rate(&r, 2500), 1);
}

static void past__of_a_log_that_is_silent__is_known_to_be_none_after_a_while(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	for (int64_t at = -1500; at <= -600; at++)
		came(&r, at, 20, 500);
	assert_true(rate(&r, 600) < 0);
	assert_true(rate(&r, 4400) < 0);
	assert_true(rate(&r, 5600) == 0);
}

static void no_line__is_none__after_a_while(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	assert_true(rate(&r, 0) < 0);
	log_rate_begin(&r, MONO_MS);
	assert_true(rate(&r, 3900) < 0);
	assert_true(rate(&r, 4100) == 0);
}

static void rate__of_lines_that_stop__goes_to_none(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	for (int64_t at = 0; at < 20; at++)
		came(&r, at, 80, at * 1000 + 900);
	assert_about(rate(&r, 19950), 80);
	assert_about(rate(&r, 22000), 40);
	assert_true(rate(&r, 26000) == 0);
}

static void connection__that_was_lost__makes_no_peak(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	for (int64_t at = 0; at < 10; at++)
		came(&r, at, 50, at * 1000 + 900);
	/* 30 seconds later all of it comes. */
	for (int64_t at = 10; at <= 40; at++) {
		came(&r, at, 50, 40950);
		if (rate(&r, 40950) > 70)
			fail_msg("%.1f lines a second at %lld s", rate(&r, 40950), (long long)at);
	}
	assert_about(rate(&r, 40960), 50);
}

static void clock__that_is_off__is_taken_as_it_is(void **state)
{
	struct log_rate slow = { 0 }, fast = { 0 };

	(void)state;
	for (int64_t at = 0; at <= 10; at++) {
		came(&slow, at - 3600, 30, at * 1000 + 900);
		came(&fast, at + 30, 30, at * 1000 + 900);
		if (at == 1)
			assert_true(rate(&slow, 1950) < 0);
	}
	assert_about(rate(&slow, 10950), 30);
	assert_about(rate(&fast, 10950), 30);
	/* An hour back, and on from there. */
	for (int64_t at = 11; at <= 20; at++)
		came(&fast, at - 3600, 30, at * 1000 + 900);
	assert_about(rate(&fast, 20950), 30);
}

static void source__that_begins__is_not_counted_as_if_it_had_been_there(void **state)
{
	struct log_rate r = { 0 };

	(void)state;
	came(&r, 0, 10, 300);
	assert_true(rate(&r, 500) < 0);
	came(&r, 1, 10, 1900);
	assert_about(rate(&r, 2000), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(past__read_in_at_once__is_not_written_now),
		cmocka_unit_test(past__of_a_log_that_is_silent__is_known_to_be_none_after_a_while),
		cmocka_unit_test(no_line__is_none__after_a_while),
		cmocka_unit_test(rate__of_lines_that_stop__goes_to_none),
		cmocka_unit_test(connection__that_was_lost__makes_no_peak),
		cmocka_unit_test(clock__that_is_off__is_taken_as_it_is),
		cmocka_unit_test(source__that_begins__is_not_counted_as_if_it_had_been_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
