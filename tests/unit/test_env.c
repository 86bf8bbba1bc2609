/* SPDX-License-Identifier: MIT */
#include "core/release/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/plan_world.h"

static void env_find__gives_null__for_an_unknown_name(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_ptr_equal(env_find(&w.project, "staging"), &w.project.env[STAGING]);
	assert_null(env_find(&w.project, "stagin"));
	assert_null(env_find(&w.project, ""));
	assert_null(env_find(&w.project, NULL));
	world_clear(&w);
}

static void env_previous__is_the_stage_before__in_pipeline_order(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	assert_ptr_equal(env_previous(&w.project, &w.project.env[PROD]), &w.project.env[STAGING]);
	assert_null(env_previous(&w.project, &w.project.env[DEV]));
	assert_int_equal(env_index(&w.project, &w.project.env[PROD]), PROD);
	world_clear(&w);
}

static void env_names__are_those_of_the_configuration(void **state)
{
	(void)state;
	assert_string_equal(env_confirm_name(CONFIRM_NONE), "none");
	assert_string_equal(env_confirm_name(CONFIRM_NAME), "name");
	assert_string_equal(env_backup_name(BACKUP_BEFORE_MIGRATE), "before-migrate");
	assert_string_equal(env_failure_name(FAILURE_PAUSE), "pause");
	assert_string_equal(env_undo_name(UNDO_NEVER), "never");
	assert_string_equal(env_undo_name((enum env_undo)9), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(env_find__gives_null__for_an_unknown_name),
		cmocka_unit_test(env_previous__is_the_stage_before__in_pipeline_order),
		cmocka_unit_test(env_names__are_those_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
