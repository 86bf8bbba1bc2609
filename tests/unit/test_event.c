/* SPDX-License-Identifier: MIT */
#include "core/ledger/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* The names are stored in databases of users: this list may grow, never change. */
static const char *const stored[] = {
	"applied", "rolled-back", "baselined", "accepted", "failed", "restored",
	"intent",  "statement",   "marked",    "warning",  "seeded",
};

static void kind__has_its_stored_name__for_ever(void **state)
{
	(void)state;
	assert_int_equal(EVENT_KINDS, sizeof(stored) / sizeof(stored[0]));
	for (int i = 0; i < EVENT_KINDS; i++) {
		assert_string_equal(event_kind_name((enum event_kind)i), stored[i]);
		assert_int_equal(event_kind_of(stored[i]), i);
	}
}

static void kind__is_minus_one__for_other_names(void **state)
{
	(void)state;
	assert_int_equal(event_kind_of(NULL), -1);
	assert_int_equal(event_kind_of(""), -1);
	assert_int_equal(event_kind_of("Applied"), -1);
	assert_int_equal(event_kind_of("applied "), -1);
}

static void name__is_a_word__for_a_number_out_of_range(void **state)
{
	(void)state;
	assert_string_equal(event_kind_name(EVENT_KINDS), "unknown");
	assert_string_equal(event_kind_name((enum event_kind) - 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kind__has_its_stored_name__for_ever),
		cmocka_unit_test(kind__is_minus_one__for_other_names),
		cmocka_unit_test(name__is_a_word__for_a_number_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
