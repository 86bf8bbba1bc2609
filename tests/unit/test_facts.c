/* SPDX-License-Identifier: MIT */
/* plan_facts_read: what is read from real databases and run folders, and what may be unreadable. */
#include "core/release/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ledger/lock.h"
#include "tests/support/workspace.h"

static struct workspace w;

static int setup(void **state)
{
	(void)state;
	workspace_init(&w, 3);
	workspace_tables(&w, 2);
	w.project->env[1].requires = w.project->env[0].name;
	w.project->env[2].requires = w.project->env[1].name;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	workspace_clear(&w);
	return 0;
}

static int read_facts(const char *env, bool all, struct plan_facts *f, struct err *e)
{
	return plan_facts_read(w.project, &w.ctx, env, all, NULL, f, e);
}

static void facts__hold_the_target_and_its_gates__and_no_more(void **state)
{
	struct plan_facts f;
	struct err e;

	(void)state;
	assert_ok(read_facts("staging", false, &f, &e), &e);
	assert_int_equal(f.source->n, 2);
	assert_non_null(f.history[0]);
	assert_non_null(f.history[1]);
	assert_null(f.history[2]);
	assert_non_null(f.holder);
	assert_false(f.holder->held);
	assert_null(f.unfinished_run);
	plan_facts_clear(&f);
	assert_ok(read_facts("production", false, &f, &e), &e);
	assert_non_null(f.history[0]);
	plan_facts_clear(&f);
	assert_ok(read_facts("dev", true, &f, &e), &e);
	assert_non_null(f.history[2]);
	plan_facts_clear(&f);
}

static void facts__are_an_error__when_the_target_cannot_be_read(void **state)
{
	struct plan_facts f;
	struct err e;

	(void)state;
	assert_int_equal(unlink(w.project->env[2].dsn.path), 0);
	assert_int_equal(read_facts("production", false, &f, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_string_equal(e.msg, "cannot read the history of production");
	assert_string_equal(e.hint, "bascule create production");
	assert_int_equal(read_facts("nowhere", false, &f, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
	w.project->env[0].has_db = false;
	assert_int_equal(read_facts("dev", false, &f, &e), -1);
	assert_int_equal(e.code, ERR_USAGE);
}

static void facts__keep_the_reason__when_the_gate_environment_cannot_be_read(void **state)
{
	struct plan_request r = { .op = OP_MIGRATE, .environment = "production" };
	struct plan_facts f;
	struct plan *p;
	struct err e;

	(void)state;
	assert_int_equal(unlink(w.project->env[1].dsn.path), 0);
	assert_ok(read_facts("production", false, &f, &e), &e);
	assert_null(f.history[1]);
	assert_int_equal(f.history_err[1].code, ERR_NOT_FOUND);
	assert_ok(plan_build(w.project, &f, &r, &p, &e), &e);
	assert_string_equal(plan_closed_gate(p)->name, "staging-passed");
	assert_string_equal(plan_closed_gate(p)->satisfy, "bascule create staging");
	plan_free(p);
	plan_facts_clear(&f);
}

static void facts__survive__a_circle_of_requires(void **state)
{
	struct plan_facts f;
	struct err e;

	(void)state;
	w.project->env[0].requires = w.project->env[2].name;
	assert_ok(read_facts("staging", false, &f, &e), &e);
	assert_non_null(f.history[2]);
	plan_facts_clear(&f);
}

static void facts__change_nothing__in_a_database_without_a_ledger(void **state)
{
	struct plan_facts f;
	struct err e;

	(void)state;
	assert_ok(read_facts("dev", true, &f, &e), &e);
	assert_int_equal(f.history[0]->format, 0);
	plan_facts_clear(&f);
	assert_int_equal(workspace_int(&w, "dev", "SELECT count(*) FROM sqlite_master"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(facts__hold_the_target_and_its_gates__and_no_more),
		CASE(facts__are_an_error__when_the_target_cannot_be_read),
		CASE(facts__keep_the_reason__when_the_gate_environment_cannot_be_read),
		CASE(facts__survive__a_circle_of_requires),
		CASE(facts__change_nothing__in_a_database_without_a_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
