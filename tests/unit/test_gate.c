/* SPDX-License-Identifier: MIT */
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

static void assert_open(const char *name, const char *measured)
{
	const struct gate *g = world_gate(&w, name);

	if (!g)
		fail_msg("no gate %s", name);
	assert_string_equal(g->measured, measured);
	assert_true(g->open);
	assert_string_equal(g->satisfy, "");
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

static void edit_file(size_t i, const char *text)
{
	snprintf(w.facts.source->list[i].checksum, CHECKSUM_SIZE, "s1:%s", text);
}

static void override(const char *gate)
{
	static struct plan_override o;

	o = (struct plan_override){ gate, "it's urgent" };
	w.request.override = &o;
	w.request.n_override = 1;
}

/* --- Which gates there are ------------------------------------------------------------------------ */

static void assert_gates(const char *wanted)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	for (size_t i = 0; i < w.plan->n_gate; i++)
		strbuf_addf(&b, "%s%s", i ? " " : "", w.plan->gate[i].name);
	assert_string_equal(strbuf_str(&b), wanted);
	strbuf_clear(&b);
}

static void gates__are_those_of_the_operation__and_all_open_at_rest(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	assert_gates("source ledger staging-passed changed missing failed late same-history"
		     " unfinished-run");
	assert_null(plan_closed_gate(w.plan));
	plan(OP_BASELINE);
	assert_gates("source ledger staging-passed same-history unfinished-run");
	w.request.last = 1;
	plan(OP_ROLLBACK);
	assert_gates("ledger reversible same-history unfinished-run");
	w.request.down_from_file = true;
	plan(OP_ROLLBACK);
	assert_gates("source ledger reversible same-history unfinished-run");
	w.request.environment = "development";
	plan(OP_MIGRATE);
	assert_gates("source ledger changed missing failed late same-history unfinished-run");
}

static void gates__are_measured__when_there_is_nothing_to_do(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	edit_file(1, "edited");
	plan(OP_MIGRATE);
	assert_int_equal(w.plan->n_change, 0);
	assert_false(world_gate(&w, "changed")->open);
}

/* --- source, ledger, unfinished-run --------------------------------------------------------------- */

static void source__is_closed__by_an_error_in_the_files(void **state)
{
	struct source_problem problem[] = {
		{ false, "up/x.sql", "no version in the name", "" },
		{ true, "up/3_b.sql", "two migrations have the number 3", "" },
	};

	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	assert_open("source", "3 migrations, no error");
	w.facts.source->problem = problem;
	w.facts.source->n_problem = w.facts.source->n_problem_total = 2;
	plan(OP_MIGRATE);
	assert_open("source", "3 migrations, no error");
	w.facts.source->n_error = 1;
	plan(OP_MIGRATE);
	assert_closed("source", "1 error: two migrations have the number 3", "bascule check");
	override("source");
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void ledger__is_closed__by_a_newer_format(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.facts.history[PROD]->format = 9;
	w.facts.history[PROD]->read_only = true;
	plan(OP_MIGRATE);
	assert_closed("ledger", "format 9", "bascule check");
	w.request.last = 1;
	plan(OP_ROLLBACK);
	assert_closed("ledger", "format 9", "bascule check");
	w.facts.history[PROD]->format = 0;
	w.facts.history[PROD]->read_only = false;
	plan(OP_MIGRATE);
	assert_open("ledger", "no ledger yet, it will be made");
}

static void unfinished_run__is_closed__until_it_is_resumed_or_aborted(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.facts.unfinished_run = mem_strdup("118-9f3c2a");
	w.facts.unfinished_state = mem_strdup("interrupted");
	w.facts.unfinished_step = 4;
	plan(OP_MIGRATE);
	assert_closed("unfinished-run",
		      "run 118 is interrupted at step 4 (bascule abort 118 gives it up)",
		      "bascule resume 118");
	override("unfinished-run");
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.msg, "gate unfinished-run cannot be overridden");
}

/* --- requires: every way around is refused -------------------------------------------------------- */

static void passed__is_open__for_what_ran_there_with_the_same_checksum(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	plan(OP_MIGRATE);
	assert_open("staging-passed", "3 of 3 passed in staging");
	assert_string_equal(world_gate(&w, "staging-passed")->rule,
			    "production takes only what staging has run with the same checksum");
}

static void passed__is_closed__for_what_did_not_run_there(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 2, 1);
	plan(OP_MIGRATE);
	assert_closed("staging-passed",
		      "0003: not applied in staging; 0004: not applied in staging",
		      "bascule migrate staging --to 0004");
	w.request.to = "0002";
	plan(OP_MIGRATE);
	assert_open("staging-passed", "1 of 1 passed in staging");
}

static void passed__refuses_a_baseline__in_the_gate_environment(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 1, 1);
	world_baselined(&w, STAGING, "0002", "t2");
	plan(OP_MIGRATE);
	assert_closed(
		"staging-passed", "0002: only recorded by baseline, never run, in staging",
		"bascule migrate production --to 0002 --override staging-passed --reason 'why'"
		" --confirm production");
}

static void passed__refuses_a_baseline__over_an_older_run(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	world_rolled_back(&w, STAGING, "0002");
	world_baselined(&w, STAGING, "0002", "t2");
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "staging-passed")->open);
}

static void passed__refuses_an_accept__of_a_text_that_never_ran(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	edit_file(1, "edited");
	world_accepted(&w, STAGING, "0002", "edited");
	plan(OP_MIGRATE);
	assert_string_equal(world_gate(&w, "staging-passed")->measured,
			    "0002: only accepted, this text never ran, in staging");
	assert_false(world_gate(&w, "staging-passed")->open);
}

static void passed__refuses_an_edited_file(void **state)
{
	(void)state;
	world_fill(&w, 2, 1, 2, 1);
	edit_file(1, "edited");
	plan(OP_MIGRATE);
	assert_closed("staging-passed", "0002: ran in staging with another checksum",
		      "bascule migrate development --to 0002 && bascule rollback staging last 1 &&"
		      " bascule migrate staging --to 0002");
}

static void passed__refuses_what_was_rolled_back_or_failed_there(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 2, 1);
	world_rolled_back(&w, STAGING, "0002");
	world_failed(&w, STAGING, "0003", "t3");
	plan(OP_MIGRATE);
	assert_closed(
		"staging-passed", "0002: rolled back in staging; 0003: failed in staging",
		"bascule accept staging 0003 --reason 'why' && bascule migrate staging --to 0003");
}

static void passed__refuses_a_migrate_by_way_of__baseline_here(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 1, 1);
	plan(OP_BASELINE);
	assert_closed("staging-passed", "0002: not applied in staging",
		      "bascule migrate staging --to 0002");
	world_baselined(&w, STAGING, "0002", "t2");
	plan(OP_BASELINE);
	assert_open("staging-passed", "1 of 1 passed in staging");
	assert_string_equal(
		world_gate(&w, "staging-passed")->rule,
		"production takes only what staging has in force with the same checksum");
	edit_file(1, "edited");
	plan(OP_BASELINE);
	assert_string_equal(world_gate(&w, "staging-passed")->measured,
			    "0002: in force with another checksum in staging");
}

static void passed__refuses_a_migrate_by_way_of__accept_here(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	edit_file(1, "edited");
	w.request.only = "0002";
	w.request.reason = "why";
	plan(OP_ACCEPT);
	assert_closed(
		"staging-passed", "0002: in force with another checksum in staging",
		"bascule accept development 0002 --reason 'why' && bascule accept staging 0002"
		" --reason 'why'");
	world_accepted(&w, STAGING, "0002", "edited");
	plan(OP_ACCEPT);
	assert_open("staging-passed", "1 of 1 passed in staging");
}

static void passed__of_a_missing_file__wants_it_accepted_there_too(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	world_remove_file(&w, "0002");
	w.request.only = "0002";
	w.request.reason = "squashed";
	plan(OP_ACCEPT);
	assert_string_equal(world_gate(&w, "staging-passed")->measured,
			    "0002: not accepted as missing in staging");
	world_accepted(&w, STAGING, "0002", NULL);
	plan(OP_ACCEPT);
	assert_true(world_gate(&w, "staging-passed")->open);
	world_rolled_back(&w, STAGING, "0002");
	plan(OP_ACCEPT);
	assert_true(world_gate(&w, "staging-passed")->open);
}

static void passed__is_closed__when_the_gate_environment_cannot_be_read(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	history_free(w.facts.history[STAGING]);
	w.facts.history[STAGING] = NULL;
	err_set(&w.facts.history_err[STAGING], ERR_BUSY, "database of staging is busy");
	plan(OP_MIGRATE);
	assert_closed("staging-passed",
		      "the history of staging cannot be read: database of staging is busy",
		      "bascule check");
	w.facts.history_err[STAGING].code = ERR_NOT_FOUND;
	plan(OP_MIGRATE);
	assert_string_equal(world_gate(&w, "staging-passed")->satisfy, "bascule create staging");
}

static void passed__names_a_few__and_counts_the_rest(void **state)
{
	const char *m;

	(void)state;
	world_fill(&w, 9, 9, 1, 1);
	plan(OP_MIGRATE);
	m = world_gate(&w, "staging-passed")->measured;
	assert_non_null(strstr(m, "0006: not applied in staging; and 3 more"));
	assert_null(strstr(m, "0007"));
}

static void passed__offers_the_override__when_no_command_gets_there(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	edit_file(1, "edited");
	world_applied(&w, DEV, "0002", "edited");
	world_applied(&w, STAGING, "0002", "t2")->down_checksum = NULL;
	plan(OP_MIGRATE);
	assert_closed(
		"staging-passed", "0002: ran in staging with another checksum",
		"bascule migrate production --to 0002 --override staging-passed --reason 'why'"
		" --confirm production");
}

/* --- changed, missing, failed, late --------------------------------------------------------------- */

static void changed__is_closed__when_a_file_is_not_what_was_applied(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	assert_open("changed", "2 applied, each as its file is now");
	edit_file(0, "edited");
	world_accepted(&w, DEV, "0001", "edited");
	world_accepted(&w, STAGING, "0001", "edited");
	plan(OP_MIGRATE);
	assert_closed("changed", "0001: the file is not what was applied",
		      "bascule accept production 0001 --reason 'why' --confirm production");
	world_accepted(&w, PROD, "0001", "edited");
	plan(OP_MIGRATE);
	assert_open("changed", "2 applied, each as its file is now");
}

static void changed__is_not_said__of_a_file_that_could_not_be_read(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.facts.source->list[0].checksum[0] = '\0';
	w.facts.source->n_error = 1;
	plan(OP_MIGRATE);
	assert_true(world_gate(&w, "changed")->open);
	assert_false(world_gate(&w, "source")->open);
}

static void changed__opens_where_the_first_gate_is__in_staging(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	edit_file(0, "edited");
	world_accepted(&w, DEV, "0001", "edited");
	plan(OP_MIGRATE);
	assert_string_equal(
		world_gate(&w, "changed")->satisfy,
		"bascule accept staging 0001 --reason 'why' && bascule accept production 0001"
		" --reason 'why' --confirm production");
}

static void missing__is_closed__until_it_is_accepted(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	world_remove_file(&w, "0001");
	world_accepted(&w, DEV, "0001", NULL);
	world_accepted(&w, STAGING, "0001", NULL);
	plan(OP_MIGRATE);
	assert_closed("missing", "0001: applied, and there is no file any more",
		      "bascule accept production 0001 --reason 'why' --confirm production");
	world_accepted(&w, PROD, "0001", NULL);
	plan(OP_MIGRATE);
	assert_open("missing", "2 applied, none without its file");
	/* the file comes back: that is a change again */
	world_file(&w, "0001", "change 1", "t1");
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "changed")->open);
}

static void failed__is_closed__until_the_file_is_mended_or_accepted(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	assert_open("failed", "no failed attempt");
	world_failed(&w, PROD, "0003", "t3");
	plan(OP_MIGRATE);
	assert_closed("failed",
		      "0003: failed, and its file is the same since: no such table: orders",
		      "bascule accept production 0003 --reason 'why' --confirm production");
	edit_file(2, "mended");
	plan(OP_MIGRATE);
	assert_open("failed", "0003 failed, and may be tried again");
	assert_false(world_gate(&w, "staging-passed")->open);
	edit_file(2, "t3");
	world_accepted(&w, PROD, "0003", "t3");
	plan(OP_MIGRATE);
	assert_open("failed", "no failed attempt");
}

static void failed__is_not_asked__for_what_the_plan_leaves_out(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 2);
	world_failed(&w, PROD, "0004", "t4");
	w.request.to = "0003";
	plan(OP_MIGRATE);
	assert_open("failed", "no failed attempt");
}

static void failed__is_closed__when_it_is_not_known_which_text_failed(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	world_failed(&w, PROD, "0003", "t3")->failed_checksum = NULL;
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "failed")->open);
}

static void late__is_closed__when_a_later_one_is_applied(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 3);
	plan(OP_MIGRATE);
	assert_open("late", "none is older than an applied one");
	world_rolled_back(&w, PROD, "0002");
	plan(OP_MIGRATE);
	assert_closed(
		"late", "0002: 0003, which is later, is applied",
		"bascule migrate production --to 0004 --override late --reason 'why' --confirm"
		" production");
	override("late");
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "late")->open);
	assert_true(world_gate(&w, "late")->overridden);
	assert_null(plan_closed_gate(w.plan));
	assert_string_equal(
		w.plan->command,
		"bascule migrate production --to 0004 --override late --reason 'it'\\''s urgent'");
}

/* --- reversible ----------------------------------------------------------------------------------- */

static void reversible__is_closed__without_a_down(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 4);
	w.request.last = 3;
	plan(OP_ROLLBACK);
	assert_open("reversible", "3 of 3 have a down");
	world_applied(&w, PROD, "0003", "t3")->down_checksum = NULL;
	plan(OP_ROLLBACK);
	assert_closed("reversible", "0003: its down is missing or empty",
		      "bascule rollback production last 3 --down=file --confirm production");
	w.facts.source->list[2].down = DOWN_NONE;
	plan(OP_ROLLBACK);
	assert_string_equal(world_gate(&w, "reversible")->satisfy,
			    "bascule restore production latest --confirm production");
	world_rolled_back(&w, PROD, "0004");
	world_applied(&w, PROD, "0004", "t4");
	plan(OP_ROLLBACK);
	assert_string_equal(world_gate(&w, "reversible")->satisfy,
			    "bascule rollback production last 1 --confirm production");
	override("reversible");
	assert_int_equal(world_plan(&w, OP_ROLLBACK), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void reversible__with_down_from_file__asks_the_file(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	w.request.last = 1;
	w.request.down_from_file = true;
	w.facts.source->list[1].down = DOWN_EMPTY;
	plan(OP_ROLLBACK);
	assert_false(world_gate(&w, "reversible")->open);
	w.request.down_from_file = false;
	plan(OP_ROLLBACK);
	/* the stored text is the empty file's */
	assert_false(world_gate(&w, "reversible")->open);
	snprintf(w.facts.source->list[1].down_checksum, CHECKSUM_SIZE, "s1:emptied");
	plan(OP_ROLLBACK);
	assert_true(world_gate(&w, "reversible")->open);
}

/* --- Overrides and refusal ------------------------------------------------------------------------ */

static void override__is_a_usage_error__for_a_gate_that_is_not_there(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	override("stagin-passed");
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.msg, "no gate stagin-passed here");
	assert_string_equal(w.e.detail,
			    "migrate of production can be overridden: staging-passed, changed,"
			    " missing, failed, late");
}

static void override__wants_a_reason(void **state)
{
	static const struct plan_override bare = { "late", "" };

	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.request.override = &bare;
	w.request.n_override = 1;
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void override__passes_one_gate__and_leaves_the_others_closed(void **state)
{
	const char *const each[] = { "staging-passed", "changed", "missing", "failed" };

	(void)state;
	world_fill(&w, 4, 4, 2, 2);
	edit_file(0, "edited");
	world_failed(&w, PROD, "0003", "t3");
	world_applied(&w, PROD, "0000", "t0");
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		override(each[i]);
		plan(OP_MIGRATE);
		assert_true(world_gate(&w, each[i])->overridden);
		assert_false(world_gate(&w, each[i])->open);
		assert_non_null(plan_closed_gate(w.plan));
		assert_string_not_equal(plan_closed_gate(w.plan)->name, each[i]);
	}
}

static void refusal__has_rule_value_and_command(void **state)
{
	struct err e;

	(void)state;
	world_fill(&w, 3, 3, 2, 2);
	edit_file(0, "edited");
	plan(OP_MIGRATE);
	assert_int_equal(plan_refuse(w.plan, &e), -1);
	assert_int_equal(e.code, ERR_GATE);
	assert_string_equal(e.msg, "cannot migrate production: gate staging-passed is closed");
	assert_string_equal(e.detail,
			    "0003: not applied in staging (rule: production takes only what staging"
			    " has run with the same checksum); 1 more closed");
	assert_string_equal(e.hint, world_gate(&w, "staging-passed")->satisfy);
}

/* --- On live data --------------------------------------------------------------------------------- */

static void measure(void)
{
	struct err e;

	assert_int_equal(gates_measure(w.plan, w.facts.history[PROD], w.facts.history[STAGING], &e),
			 0);
}

static void measure__finds_the_same__when_nothing_moved(void **state)
{
	size_t n;

	(void)state;
	world_fill(&w, 4, 4, 4, 2);
	plan(OP_MIGRATE);
	n = w.plan->n_gate;
	measure();
	assert_int_equal(w.plan->n_gate, n);
	assert_null(plan_closed_gate(w.plan));
	assert_open("changed", "2 applied, each as its file is now");
}

static void measure__lets_a_resume_go_on__past_its_own_steps(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 2);
	plan(OP_MIGRATE);
	world_applied(&w, PROD, "0003", "t3");
	/* staging lost it meanwhile: what is done is done */
	world_rolled_back(&w, STAGING, "0003");
	measure();
	assert_null(plan_closed_gate(w.plan));
	world_rolled_back(&w, STAGING, "0004");
	measure();
	assert_string_equal(plan_closed_gate(w.plan)->name, "staging-passed");
}

static void measure__finds__what_others_did_meanwhile(void **state)
{
	(void)state;
	world_fill(&w, 5, 5, 5, 2);
	w.request.to = "0003";
	plan(OP_MIGRATE);
	world_applied(&w, PROD, "0005", "t5");
	measure();
	assert_closed("same-history", "0005: applied meanwhile by bob",
		      "bascule migrate production --to 0003 --confirm production");
	world_rolled_back(&w, PROD, "0005");
	measure();
	assert_null(plan_closed_gate(w.plan));
	world_rolled_back(&w, PROD, "0002");
	measure();
	assert_closed("same-history", "others: 1 applied, there were 2",
		      "bascule migrate production --to 0003 --confirm production");
}

static void measure__finds__the_planned_one_applied_otherwise(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	world_applied(&w, PROD, "0003", "another text");
	measure();
	assert_string_equal(world_gate(&w, "same-history")->measured,
			    "0003: applied meanwhile by bob");
	world_rolled_back(&w, PROD, "0003");
	measure();
	assert_string_equal(world_gate(&w, "same-history")->measured,
			    "0003: rolled back meanwhile by bob");
}

static void measure__of_a_rollback__follows_the_generation(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 3);
	w.request.last = 2;
	plan(OP_ROLLBACK);
	world_rolled_back(&w, PROD, "0003");
	measure();
	assert_null(plan_closed_gate(w.plan));
	world_applied(&w, PROD, "0003", "t3");
	measure();
	assert_string_equal(plan_closed_gate(w.plan)->name, "same-history");
}

static void measure__lets_a_run_try_again__what_failed_in_it(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	plan(OP_MIGRATE);
	world_failed(&w, PROD, "0003", "t3");
	measure();
	assert_string_equal(plan_closed_gate(w.plan)->name, "failed");
	w.plan->run = "41-aaaaaa";
	measure();
	assert_null(plan_closed_gate(w.plan));
}

static void measure__keeps_overrides__and_closes_without_the_gate_environment(void **state)
{
	struct err e;

	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	world_rolled_back(&w, PROD, "0001");
	override("late");
	plan(OP_MIGRATE);
	measure();
	assert_true(world_gate(&w, "late")->overridden);
	assert_null(plan_closed_gate(w.plan));
	assert_int_equal(gates_measure(w.plan, w.facts.history[PROD], NULL, &e), 0);
	assert_string_equal(plan_closed_gate(w.plan)->name, "staging-passed");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(gates__are_those_of_the_operation__and_all_open_at_rest),
		CASE(gates__are_measured__when_there_is_nothing_to_do),
		CASE(source__is_closed__by_an_error_in_the_files),
		CASE(ledger__is_closed__by_a_newer_format),
		CASE(unfinished_run__is_closed__until_it_is_resumed_or_aborted),
		CASE(passed__is_open__for_what_ran_there_with_the_same_checksum),
		CASE(passed__is_closed__for_what_did_not_run_there),
		CASE(passed__refuses_a_baseline__in_the_gate_environment),
		CASE(passed__refuses_a_baseline__over_an_older_run),
		CASE(passed__refuses_an_accept__of_a_text_that_never_ran),
		CASE(passed__refuses_an_edited_file),
		CASE(passed__refuses_what_was_rolled_back_or_failed_there),
		CASE(passed__refuses_a_migrate_by_way_of__baseline_here),
		CASE(passed__refuses_a_migrate_by_way_of__accept_here),
		CASE(passed__of_a_missing_file__wants_it_accepted_there_too),
		CASE(passed__is_closed__when_the_gate_environment_cannot_be_read),
		CASE(passed__names_a_few__and_counts_the_rest),
		CASE(passed__offers_the_override__when_no_command_gets_there),
		CASE(changed__is_closed__when_a_file_is_not_what_was_applied),
		CASE(changed__is_not_said__of_a_file_that_could_not_be_read),
		CASE(changed__opens_where_the_first_gate_is__in_staging),
		CASE(missing__is_closed__until_it_is_accepted),
		CASE(failed__is_closed__until_the_file_is_mended_or_accepted),
		CASE(failed__is_not_asked__for_what_the_plan_leaves_out),
		CASE(failed__is_closed__when_it_is_not_known_which_text_failed),
		CASE(late__is_closed__when_a_later_one_is_applied),
		CASE(reversible__is_closed__without_a_down),
		CASE(reversible__with_down_from_file__asks_the_file),
		CASE(override__is_a_usage_error__for_a_gate_that_is_not_there),
		CASE(override__wants_a_reason),
		CASE(override__passes_one_gate__and_leaves_the_others_closed),
		CASE(refusal__has_rule_value_and_command),
		CASE(measure__finds_the_same__when_nothing_moved),
		CASE(measure__lets_a_resume_go_on__past_its_own_steps),
		CASE(measure__finds__what_others_did_meanwhile),
		CASE(measure__finds__the_planned_one_applied_otherwise),
		CASE(measure__of_a_rollback__follows_the_generation),
		CASE(measure__lets_a_run_try_again__what_failed_in_it),
		CASE(measure__keeps_overrides__and_closes_without_the_gate_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
