/* SPDX-License-Identifier: MIT */
#include "core/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T INT64_C(1795270052123) /* 2026-11-21T14:07:32.123Z, a Saturday */

static char out[CLOCK_TEXT_SIZE];

static void clock_iso__formats_utc__with_and_without_ms(void **state)
{
	(void)state;
	assert_string_equal(clock_iso_ms(T, out), "2026-11-21T14:07:32.123Z");
	assert_string_equal(clock_iso(T, out), "2026-11-21T14:07:32Z");
	assert_string_equal(clock_iso_ms(0, out), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_iso_ms(-1, out), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_iso(951782400000, out), "2000-02-29T00:00:00Z");
}

static void clock_iso__stays_a_date__for_damaged_times(void **state)
{
	(void)state;
	assert_string_equal(clock_iso_ms(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
	assert_string_equal(clock_iso_ms(INT64_MIN, out), "0001-01-01T00:00:00.000Z");
}

static void clock_parse_iso__turns_back__both_forms(void **state)
{
	int64_t ms = 0;

	(void)state;
	assert_true(clock_parse_iso("2026-11-21T14:07:32.123Z", &ms));
	assert_true(ms == T);
	assert_true(clock_parse_iso("2026-11-21T14:07:32Z", &ms));
	assert_true(ms == T - 123);
	assert_true(clock_parse_iso("1969-12-31T23:59:59.999Z", &ms));
	assert_true(ms == -1);
	assert_true(clock_parse_iso("2024-02-29T00:00:00Z", &ms));
	assert_true(clock_parse_iso("9999-12-31T23:59:59.999Z", &ms));
	assert_string_equal(clock_iso_ms(ms, out), "9999-12-31T23:59:59.999Z");
}

static void clock_parse_iso__refuses__anything_else(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2026-11-21",
		"2026-11-21T14:07:32",
		"2026-11-21 14:07:32Z",
		"2026-11-21T14:07:32.12Z",
		"2026-11-21T14:07:32.1234Z",
		"2026-11-21T14:07:32+01:00",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"0000-01-01T00:00:00Z",
		"2026-11-21T14:07:32.123Zx",
		" 2026-11-21T14:07:32Z",
		"2026-11-2xT14:07:32Z",
		"-026-11-21T14:07:32Z",
	};
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (clock_parse_iso(bad[i], &ms))
			fail_msg("accepted %s", bad[i]);
	}
	assert_int_equal(ms, 7);
}

static void clock_title__uses_english_names__in_all_forms(void **state)
{
	(void)state;
	assert_string_equal(clock_title(T, false, out), "Sat 21 Nov 14:07");
	assert_string_equal(clock_title(T, true, out), "Sat 21 Nov 14:07:32");
	assert_string_equal(clock_short(T, out), "21 Nov 14:07");
	assert_string_equal(clock_hms(T, out), "14:07:32");
	assert_string_equal(clock_title(0, false, out), "Thu 1 Jan 00:00");
}

static void clock_span__uses_at_most_two_units__by_size(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0.0s" },          { 449, "0.4s" },
		{ 38000, "38.0s" },     { 59999, "59.9s" },
		{ 60000, "1m 00s" },    { 125000, "2m 05s" },
		{ 3599999, "59m 59s" }, { 3600000, "1h 00m" },
		{ 11400000, "3h 10m" }, { 172799999, "47h 59m" },
		{ 172800000, "2 d" },   { 4 * 86400000LL, "4 d" },
		{ -5, "0.0s" },         { INT64_MAX, "106751991167 d" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(clock_span(cases[i].ms, out), cases[i].text);
}

static void clock_ago__says_how_long__in_one_unit(void **state)
{
	(void)state;
	assert_string_equal(clock_ago(-4000, out), "just now");
	assert_string_equal(clock_ago(1999, out), "just now");
	assert_string_equal(clock_ago(42000, out), "42s ago");
	assert_string_equal(clock_ago(5 * 60000 + 59000, out), "5m ago");
	assert_string_equal(clock_ago(3 * 3600000, out), "3h ago");
	assert_string_equal(clock_ago(4 * 86400000LL, out), "4 d ago");
	assert_string_equal(clock_ago(INT64_MAX, out), "106751991167 d ago");
}

static void clock_parse_span__reads__every_unit(void **state)
{
	int64_t ms = 0;

	(void)state;
	assert_true(clock_parse_span("30m", &ms) && ms == 1800000);
	assert_true(clock_parse_span("24h", &ms) && ms == 86400000);
	assert_true(clock_parse_span("7d", &ms) && ms == 604800000);
	assert_true(clock_parse_span("5s", &ms) && ms == 5000);
	assert_true(clock_parse_span("500ms", &ms) && ms == 500);
	assert_true(clock_parse_span("90", &ms) && ms == 90000);
	assert_true(clock_parse_span("0", &ms) && ms == 0);
}

static void clock_parse_span__refuses__anything_else(void **state)
{
	static const char *const bad[] = { "",
					   "m",
					   "-5s",
					   "5 s",
					   "5S",
					   "1.5h",
					   "5mm",
					   "5min",
					   "s5",
					   "99999999999999999999",
					   "9223372036854775807d",
					   "9223372036854775807" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (clock_parse_span(bad[i], &ms))
			fail_msg("accepted %s", bad[i]);
	}
}

#define NOW_MS INT64_C(1795270052000) /* Sat 21 Nov 2026 14:07:32 UTC */
#define MINUTE INT64_C(60000)

static void is_ago(const char *text, int64_t ms_ago)
{
	int64_t at = 0;

	if (!clock_parse_past(text, NOW_MS, &at))
		fail_msg("`%s` was not read", text);
	assert_int_equal(NOW_MS - at, ms_ago);
}

static void is_no_past(const char *text)
{
	int64_t at = 42;

	if (clock_parse_past(text, NOW_MS, &at))
		fail_msg("`%s` was read as %lld", text, (long long)at);
	assert_int_equal(at, 42);
}

static void clock_parse_past__spans(void **state)
{
	(void)state;
	is_ago("15m", 15 * MINUTE);
	is_ago("2h", 120 * MINUTE);
	is_ago("90", 90000);
	is_ago("7d", 7 * 1440 * MINUTE);
}

static void clock_parse_past__times_of_the_last_day(void **state)
{
	(void)state;
	is_ago("14:05", 2 * MINUTE + 32000);
	is_ago("14:07:32", 0);
	is_ago("0:00", 14 * 60 * MINUTE + 7 * MINUTE + 32000);
	/* later than now: yesterday's */
	is_ago("14:08", 1440 * MINUTE - 28000);
	is_ago("23:59:59", 1440 * MINUTE - (INT64_C(23) * 60 + 59 - 14 * 60 - 7) * MINUTE - 27000);
}

static void clock_parse_past__whole_times(void **state)
{
	(void)state;
	is_ago("2026-11-21T14:05:00Z", 2 * MINUTE + 32000);
	is_ago("2026-11-21T14:05:00.500Z", 2 * MINUTE + 31500);
}

static void clock_parse_past__nonsense_and_the_future__are_refused(void **state)
{
	static const char *const texts[] = {
		"",      "x",        "-5m",        "24:00",
		"14:60", "14:05:61", "14:05:10:3", "2027-01-01T00:00:00Z",
		"14:",   ":05",      "99999d"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_no_past(texts[i]);
}

static void clocks__run_forwards__in_their_units(void **state)
{
	int64_t mono = clock_mono_ms(), boot = clock_boot_ms(), us = clock_mono_us();

	(void)state;
	assert_true(clock_mono_ms() >= mono);
	assert_true(clock_boot_ms() >= boot);
	assert_true(boot >= mono);
	assert_true(us / 1000 >= mono && us / 1000 < mono + 5000);
	assert_true(clock_utc_ms() > 1700000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_iso__formats_utc__with_and_without_ms),
		cmocka_unit_test(clock_iso__stays_a_date__for_damaged_times),
		cmocka_unit_test(clock_parse_iso__turns_back__both_forms),
		cmocka_unit_test(clock_parse_iso__refuses__anything_else),
		cmocka_unit_test(clock_title__uses_english_names__in_all_forms),
		cmocka_unit_test(clock_span__uses_at_most_two_units__by_size),
		cmocka_unit_test(clock_ago__says_how_long__in_one_unit),
		cmocka_unit_test(clock_parse_span__reads__every_unit),
		cmocka_unit_test(clock_parse_span__refuses__anything_else),
		cmocka_unit_test(clock_parse_past__spans),
		cmocka_unit_test(clock_parse_past__times_of_the_last_day),
		cmocka_unit_test(clock_parse_past__whole_times),
		cmocka_unit_test(clock_parse_past__nonsense_and_the_future__are_refused),
		cmocka_unit_test(clocks__run_forwards__in_their_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
