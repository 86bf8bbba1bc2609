/* SPDX-License-Identifier: MIT */
/* mark, and plans over a migration that stopped inside. accept and restore: test_plan.c. */
#include "core/release/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/plan_world.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_clear(&w);
	return 0;
}

static const struct step *step_of(const char *id)
{
	for (size_t i = 0; i < w.plan->n_step; i++) {
		if (w.plan->step[i].id && strcmp(w.plan->step[i].id, id) == 0)
			return &w.plan->step[i];
	}
	fail_msg("no step of %s", id);
	return NULL;
}

/* 0002 of production stopped behind two of its five statements. */
static struct applied *stopped_inside(void)
{
	struct applied *a;

	world_fill(&w, 2, 2, 2, 1);
	a = world_failed(&w, PROD, "0002", "t2");
	a->partial = true;
	a->statements_done = 2;
	a->statements_total = 5;
	w.request.only = "0002";
	w.request.reason = "looked";
	return a;
}

static void migrate__goes_on__from_the_statement_where_it_stopped(void **state)
{
	(void)state;
	stopped_inside()->failed = false;
	w.request.only = w.request.reason = NULL;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_int_equal(step_of("0002")->statement, 3);
	assert_int_equal(step_of("0002")->statements, 5);
	assert_non_null(strstr(step_of("0002")->what, "from statement 3 of 5"));
}

static void migrate__is_refused__over_a_half_rolled_back_one(void **state)
{
	struct applied *a;

	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	a = world_applied(&w, PROD, "0002", "t2");
	a->partial = a->partial_down = true;
	a->statements_done = 1;
	a->statements_total = 4;
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_GATE);
	assert_non_null(strstr(w.e.detail, "1 of 4 statements"));
	assert_string_equal(w.e.hint, "bascule rollback production last 1");
}

static void mark__records_every_statement__up_to_the_one_that_ran(void **state)
{
	int n = 0;

	(void)state;
	stopped_inside();
	w.request.statement = 4;
	w.request.statement_done = true;
	assert_int_equal(world_plan(&w, OP_MARK), 0);
	for (size_t i = 0; i < w.plan->n_step; i++) {
		const struct step *s = &w.plan->step[i];

		if (s->kind != STEP_RECORD)
			continue;
		n++;
		assert_int_equal(s->event, EVENT_MARKED);
		assert_int_equal(s->statement, 2 + n);
		assert_int_equal(s->statements, 5);
		assert_true(s->statement_done);
		assert_string_equal(s->reason, "looked");
		assert_int_equal(s->generation, 1);
	}
	assert_int_equal(n, 2);
	assert_string_equal(w.plan->target, "0002 statement 4 done");
	assert_true(world_has_note(&w, "no statement is run"));
}

static void mark__says_of_the_next_one_only__that_it_did_not_run(void **state)
{
	(void)state;
	stopped_inside();
	w.request.statement = 3;
	assert_int_equal(world_plan(&w, OP_MARK), 0);
	assert_non_null(strstr(step_of("0002")->what, "has not run"));
	w.request.statement = 4;
	assert_int_equal(world_plan(&w, OP_MARK), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_non_null(strstr(w.e.detail, "the next to tell about is 3"));
	assert_non_null(strstr(w.e.hint, "bascule mark production 0002 --statement 3 done"));
}

static void mark__names_the_down__of_a_half_rolled_back_one(void **state)
{
	struct applied *a;

	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	a = world_applied(&w, PROD, "0002", "t2");
	a->partial = a->partial_down = true;
	a->statements_total = 4;
	w.request.only = "0002";
	w.request.reason = "looked";
	w.request.statement = 1;
	w.request.statement_done = true;
	assert_int_equal(world_plan(&w, OP_MARK), 0);
	assert_true(step_of("0002")->statement_down);
	assert_int_equal(step_of("0002")->generation, a->generation);
	assert_non_null(strstr(step_of("0002")->what, "of its down"));
}

static void mark__is_a_usage_error__for_what_nobody_asked(void **state)
{
	static const int64_t wrong[] = { -1, 0, 1, 2, 6 }; /* known, or not there */

	(void)state;
	stopped_inside();
	w.request.statement_done = true;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		w.request.statement = wrong[i];
		assert_int_equal(world_plan(&w, OP_MARK), -1);
		assert_int_equal(w.e.code, ERR_USAGE);
	}
	w.request.statement = 3;
	w.request.reason = " ";
	assert_int_equal(world_plan(&w, OP_MARK), -1);
	assert_string_equal(w.e.msg, "mark wants a reason");
	w.request.reason = "looked";
	w.request.only = "0001";
	assert_int_equal(world_plan(&w, OP_MARK), -1);
	assert_non_null(strstr(w.e.detail, "is not partial"));
	w.request.only = NULL;
	assert_int_equal(world_plan(&w, OP_MARK), -1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(migrate__goes_on__from_the_statement_where_it_stopped),
		CASE(migrate__is_refused__over_a_half_rolled_back_one),
		CASE(mark__records_every_statement__up_to_the_one_that_ran),
		CASE(mark__says_of_the_next_one_only__that_it_did_not_run),
		CASE(mark__names_the_down__of_a_half_rolled_back_one),
		CASE(mark__is_a_usage_error__for_what_nobody_asked),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
