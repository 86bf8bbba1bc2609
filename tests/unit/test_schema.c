/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/str.h"

static void option__is_found__by_section_and_key(void **state)
{
	(void)state;
	assert_non_null(option_find("project", "name"));
	assert_non_null(option_find("environment", "requires"));
	assert_null(option_find("project", "requires"));
	assert_null(option_find("environment", "freeze"));
	assert_null(option_find("", ""));
}

static void options__are_complete__each_row(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < options_n; i++) {
		const struct option *o = &options[i];

		assert_true(strlen(o->help) > 20);
		assert_true(o->example[0] != '\0');
		assert_non_null(o->dflt);
		assert_ptr_equal(option_find(o->section, o->key), o);
		assert_null(option_later(o->section, o->key));
		assert_int_equal(o->values != NULL, o->type == OPTION_ENUM);
		for (k = 0; k < i; k++)
			assert_false(strcmp(options[k].section, o->section) == 0 &&
				     strcmp(options[k].key, o->key) == 0);
	}
}

static void spans__have_defaults__inside_their_range(void **state)
{
	size_t i;
	int64_t ms;

	(void)state;
	for (i = 0; i < options_n; i++) {
		if (options[i].type != OPTION_SPAN)
			continue;
		assert_true(clock_parse_span(options[i].dflt, &ms));
		assert_true(ms >= options[i].min && ms <= options[i].max);
	}
}

static void counts__have_defaults__inside_their_range(void **state)
{
	int64_t n;

	(void)state;
	for (size_t i = 0; i < options_n; i++)
		if (options[i].type == OPTION_COUNT)
			assert_true(
				sv_int(sv_of(options[i].dflt), options[i].min, options[i].max, &n));
}

static void later__knows_what_is_promised__and_nothing_else(void **state)
{
	(void)state;
	assert_non_null(option_later("environment", "freeze"));
	assert_non_null(option_later("environment", "approvals"));
	assert_non_null(option_later("task", NULL));
	assert_non_null(option_later("service", "image"));
	assert_null(option_later("service", NULL));
	assert_null(option_later("environment", "frieze"));
	assert_null(option_later("environment", NULL));
	assert_null(option_later("projects", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(option__is_found__by_section_and_key),
		cmocka_unit_test(options__are_complete__each_row),
		cmocka_unit_test(spans__have_defaults__inside_their_range),
		cmocka_unit_test(counts__have_defaults__inside_their_range),
		cmocka_unit_test(later__knows_what_is_promised__and_nothing_else),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
