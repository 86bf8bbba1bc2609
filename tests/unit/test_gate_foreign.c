/* SPDX-License-Identifier: MIT */
/* The gate of environments whose history another tool keeps, and the way out of it. */
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

static void plan(enum operation op)
{
	if (world_plan(&w, op) < 0)
		fail_msg("%s (%s)", w.e.msg, w.e.detail);
}

static void assert_closed(const char *name, const char *measured, const char *satisfy)
{
	const struct gate *g = world_gate(&w, name);

	if (!g)
		fail_msg("no gate %s", name);
	assert_string_equal(g->measured, measured);
	assert_false(g->open);
	assert_string_equal(g->satisfy, satisfy);
	assert_non_null(plan_closed_gate(w.plan));
}

/* staging's history becomes flyway's, as history_resolve leaves it: no generations, no checksums. */
static void give_to_tool(const char *tool)
{
	struct history *h = w.facts.history[STAGING];

	h->tool = tool;
	h->table = "its_table";
	for (size_t i = 0; i < h->n; i++) {
		h->list[i].generation = 0;
		h->list[i].checksum = h->list[i].ran_checksum = NULL;
	}
	w.request.environment = "staging";
}

static void foreign__is_closed__and_a_baseline_opens_it(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 2, 0);
	give_to_tool("flyway");
	plan(OP_MIGRATE);
	assert_closed("foreign-history", "kept by flyway in its_table",
		      "bascule baseline staging --to 0002");
	assert_false(world_gate(&w, "foreign-history")->can_override);
	plan(OP_BASELINE);
	assert_null(world_gate(&w, "foreign-history"));
}

static void foreign__is_open__for_a_tool_that_migrates_itself(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 2, 0);
	give_to_tool("alembic");
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "foreign-history")->open);
	w.plan->tool = "alembic";
	assert_int_equal(
		gates_measure(w.plan, w.facts.history[STAGING], w.facts.history[DEV], &w.e), 0);
	assert_null(world_gate(&w, "foreign-history"));
}

static void foreign__baseline__adopts_what_the_tool_applied(void **state)
{
	struct history empty = { .tool = "flyway", .table = "its_table" };
	char *steps;

	(void)state;
	world_fill(&w, 3, 3, 2, 0);
	give_to_tool("flyway");
	plan(OP_BASELINE);
	steps = world_steps(&w);
	assert_non_null(strstr(steps, ":0001"));
	assert_non_null(strstr(steps, ":0002"));
	assert_null(strstr(steps, ":0003"));
	free(steps);
	/* Under the lock the rows are there, without files to join them with. */
	assert_int_equal(gates_measure(w.plan, &empty, w.facts.history[DEV], &w.e), 0);
	assert_true(world_gate(&w, "same-history")->open);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(foreign__is_closed__and_a_baseline_opens_it),
		CASE(foreign__is_open__for_a_tool_that_migrates_itself),
		CASE(foreign__baseline__adopts_what_the_tool_applied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
