/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tui/logs_view.h"

#define NOW INT64_C(1795270052000) /* Sat 21 Nov 2026 14:07:32 UTC */
#define MINUTE INT64_C(60000)

static void is(const char *text, int64_t ms_ago)
{
	int64_t at = 0;

	if (!logs_parse_since(text, NOW, &at))
		fail_msg("`%s` was not read", text);
	assert_int_equal(NOW - at, ms_ago);
}

static void is_not(const char *text)
{
	int64_t at = 42;

	if (logs_parse_since(text, NOW, &at))
		fail_msg("`%s` was read as %lld", text, (long long)at);
	assert_int_equal(at, 42);
}

static void since__spans(void **state)
{
	(void)state;
	is("15m", 15 * MINUTE);
	is("2h", 120 * MINUTE);
	is("90", 90000);
	is("7d", 7 * 1440 * MINUTE);
}

static void since__times_of_the_last_day(void **state)
{
	(void)state;
	is("14:05", 2 * MINUTE + 32000);
	is("14:07:32", 0);
	is("0:00", 14 * 60 * MINUTE + 7 * MINUTE + 32000);
	/* later than now: yesterday's */
	is("14:08", 1440 * MINUTE - 28000);
	is("23:59:59", 1440 * MINUTE - (INT64_C(23) * 60 + 59 - 14 * 60 - 7) * MINUTE - 27000);
}

static void since__whole_times(void **state)
{
	(void)state;
	is("2026-11-21T14:05:00Z", 2 * MINUTE + 32000);
	is("2026-11-21T14:05:00.500Z", 2 * MINUTE + 31500);
}

static void since__nonsense_and_the_future__are_refused(void **state)
{
	static const char *const texts[] = {
		"",      "x",        "-5m",        "24:00",
		"14:60", "14:05:61", "14:05:10:3", "2027-01-01T00:00:00Z",
		"14:",   ":05",      "99999d"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_not(texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(since__spans),
		cmocka_unit_test(since__times_of_the_last_day),
		cmocka_unit_test(since__whole_times),
		cmocka_unit_test(since__nonsense_and_the_future__are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
