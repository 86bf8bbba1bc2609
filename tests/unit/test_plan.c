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

static void assert_steps(const char *wanted)
{
	char *found = world_steps(&w);

	assert_string_equal(found, wanted);
	mem_free(found);
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

/* --- migrate -------------------------------------------------------------------------------------- */

static void migrate__takes_every_pending_one__in_numeric_order(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 migrate:0004 release");
	assert_int_equal(w.plan->n_change, 3);
	assert_string_equal(w.plan->from_head, "0001");
	assert_string_equal(w.plan->to_head, "0004");
	assert_string_equal(w.plan->command, "bascule migrate production --to 0004");
	assert_null(plan_closed_gate(w.plan));
}

static void migrate__numbers_steps__from_one(void **state)
{
	(void)state;
	world_fill(&w, 9, 9, 9, 0);
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	for (size_t i = 0; i < w.plan->n_step; i++)
		assert_int_equal(w.plan->step[i].n, i + 1);
}

static void migrate__stops_at_the_id__as_typed_or_written_otherwise(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.request.to = "0003";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
	w.request.to = "3";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
}

static void migrate__stops_at_a_version__by_pattern_and_by_header(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.project.schema_version = "1.{n}.0";
	w.request.to = "1.2.0";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 release");
	w.project.schema_version = NULL;
	w.facts.source->list[1].version = "2.0";
	w.facts.source->list[2].version = "2.0";
	w.request.to = "2.0";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
}

static void migrate__is_a_usage_error__for_an_unknown_id(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.request.to = "0044";
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_non_null(strstr(w.e.hint, "0004"));
	w.request.to = "zzz";
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	w.request.to = "";
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void migrate__is_a_usage_error__for_an_unknown_environment(void **state)
{
	(void)state;
	w.request.environment = "prodution";
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.hint, "did you mean production");
}

static void migrate__says_nothing_to_do__when_none_is_pending(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_int_equal(w.plan->n_change, 0);
	assert_int_equal(w.plan->n_step, 0);
	assert_true(world_has_note(&w, "nothing to do: no migration is pending in production"));
	w.request.to = "0001";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_true(world_has_note(&w, "production has every migration up to 0001"));
}

static void migrate__has_no_backup_step__when_the_policy_is_never(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	w.project.env[PROD].backup = BACKUP_NEVER;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates migrate:0002 release");
	assert_true(world_has_note(&w, "no backup will be taken: backup = never"));
}

static void migrate__writes_the_state_file__when_the_project_wants_it(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	w.project.state_files = true;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 state file release");
	assert_string_equal(w.plan->step[4].path, "/srv/shop/sql/applied/production.json");
}

static void migrate__expects_the_time_of_the_stage_before__for_the_same_text(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 1);
	world_applied(&w, STAGING, "0002", "t2")->took_ms = 2100;
	world_applied(&w, DEV, "0003", "t3")->took_ms = 70;
	world_applied(&w, STAGING, "0003", "other")->took_ms = 9999;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_int_equal(step_of("0002")->expect_ms, 2100);
	assert_int_equal(step_of("0003")->expect_ms, 70);
	assert_int_equal(w.plan->step[0].expect_ms, -1);
}

static void migrate__says_no_return__for_a_missing_or_empty_down(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.facts.source->list[1].down = DOWN_NONE;
	w.facts.source->list[2].down = DOWN_EMPTY;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_true(step_of("0002")->no_return);
	assert_null(step_of("0002")->down_checksum);
	assert_true(step_of("0003")->no_return);
	assert_null(step_of("0003")->down_checksum);
	assert_string_equal(step_of("0003")->undo, "stays applied: its down is empty");
	assert_false(step_of("0004")->no_return);
	assert_string_equal(step_of("0004")->down_checksum, "s1:down-t4");
	assert_true(world_has_note(&w, "2 migrations have no way back: 0002, 0003"));
}

static void migrate__says_what_undo_does__by_policy(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	w.project.env[PROD].undo_migrations = UNDO_NEVER;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_string_equal(step_of("0002")->undo, "stays applied: undo_migrations = never");
	assert_true(world_has_note(&w, "migrations before it stay applied"));
	w.project.env[PROD].on_failure = FAILURE_PAUSE;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_true(world_has_note(&w, "the run pauses"));
}

static void migrate__counts_the_generation__after_a_roll_back(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	world_rolled_back(&w, PROD, "0002");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_int_equal(step_of("0002")->generation, 2);
}

static void migrate__takes_marks__only_without_a_gap(void **state)
{
	static const char *const first[] = { "0003", "0002" }, *const gap[] = { "0003" };

	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.request.marked = first;
	w.request.n_marked = 2;
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
	assert_string_equal(w.plan->command, "bascule migrate production --to 0003");
	w.request.marked = gap;
	w.request.n_marked = 1;
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.msg, "cannot apply 0003 to production without 0002");
}

static void migrate__goes_towards_an_environment__as_far_as_it_has_no_gap(void **state)
{
	(void)state;
	world_fill(&w, 5, 5, 3, 1);
	w.request.towards = "staging";
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
	world_applied(&w, STAGING, "0005", "t5");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_steps("lock gates backup migrate:0002 migrate:0003 release");
	assert_true(world_has_note(&w, "1 more that staging has is left out: 0004 before it"));
	world_rolled_back(&w, STAGING, "0002");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_int_equal(w.plan->n_change, 0);
}

static void migrate__notes_who_holds_the_lock(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	*w.facts.holder = (struct lock_holder){ .who = "alice",
						.host = "laptop",
						.run = "118-9f3c2a",
						.since_utc_ms = 1795269660000,
						.held = true };
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	assert_true(world_has_note(&w, "the lock of production is held by alice@laptop since"));
	assert_true(world_has_note(&w, "run 118-9f3c2a"));
}

/* --- rollback ------------------------------------------------------------------------------------- */

static void rollback__goes_back__in_the_reverse_of_the_applied_order(void **state)
{
	(void)state;
	world_fill(&w, 3, 0, 0, 0);
	world_applied(&w, PROD, "0001", "t1");
	world_applied(&w, PROD, "0003", "t3");
	world_applied(&w, PROD, "0002", "t2");
	w.request.last = 2;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_steps("lock gates backup roll back:0002 roll back:0003 release");
	assert_string_equal(w.plan->from_head, "0003");
	assert_string_equal(w.plan->to_head, "0001");
	assert_string_equal(w.plan->command, "bascule rollback production last 2");
	assert_string_equal(w.plan->step[2].backup, "before-rollback");
	assert_true(step_of("0002")->no_return);
	assert_string_equal(step_of("0002")->undo,
			    "apply it again (data the down removed stays lost)");
}

static void rollback__uses_the_stored_down__and_says_when_the_file_differs(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	snprintf(w.facts.source->list[1].down_checksum, CHECKSUM_SIZE, "s1:edited");
	w.request.last = 1;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_string_equal(step_of("0002")->down_checksum, "s1:down-t2");
	assert_true(world_has_note(&w, "0002: the stored down runs; today's file is different"));
	w.request.down_from_file = true;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_string_equal(step_of("0002")->down_checksum, "s1:edited");
	assert_true(w.plan->down_from_file);
	assert_true(world_has_note(&w, "today's down file runs"));
	assert_string_equal(w.plan->command, "bascule rollback production last 1 --down=file");
}

static void rollback__notes_changed_and_missing_files__and_goes_on(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 3);
	snprintf(w.facts.source->list[1].checksum, CHECKSUM_SIZE, "s1:edited");
	world_remove_file(&w, "0003");
	w.request.last = 2;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_null(plan_closed_gate(w.plan));
	assert_true(world_has_note(&w, "0003 has no file any more"));
	assert_true(world_has_note(&w, "the file of 0002 has changed"));
}

static void rollback__to_version__takes_everything_newer(void **state)
{
	(void)state;
	world_fill(&w, 9, 9, 9, 9);
	w.project.schema_version = "1.{n}.0";
	w.request.to_version = "1.7.0";
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_steps("lock gates backup roll back:0009 roll back:0008 release");
	assert_string_equal(w.plan->command, "bascule rollback production to-version 1.7.0");
	w.request.to_version = "0008";
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_steps("lock gates backup roll back:0009 release");
	w.request.to_version = "1.9.0";
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_int_equal(w.plan->n_change, 0);
	w.request.to_version = "1.77.0";
	assert_int_equal(world_plan(&w, OP_ROLLBACK), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void rollback__is_a_usage_error__for_more_than_are_applied(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.request.last = 3;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.hint, "bascule rollback production last 2");
	w.request.last = 0;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	w.request.last = -1;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), -1);
}

static void rollback__says_nothing_to_do__when_nothing_is_applied(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 0);
	w.request.last = 1;
	assert_int_equal(world_plan(&w, OP_ROLLBACK), 0);
	assert_int_equal(w.plan->n_step, 0);
	assert_true(world_has_note(&w, "nothing is applied in production"));
}

/* --- baseline, accept, restore -------------------------------------------------------------------- */

static void baseline__records_the_pending__and_runs_nothing(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 1);
	w.request.to = "0003";
	assert_int_equal(world_plan(&w, OP_BASELINE), 0);
	assert_steps("lock gates record:0002 record:0003 release");
	assert_int_equal(step_of("0002")->event, EVENT_BASELINED);
	assert_string_equal(w.plan->to_head, "0003");
	assert_string_equal(w.plan->command, "bascule baseline production --to 0003");
}

static void accept__records_todays_file__with_its_reason(void **state)
{
	const struct step *s;

	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	snprintf(w.facts.source->list[1].checksum, CHECKSUM_SIZE, "s1:edited");
	w.request.only = "2";
	w.request.reason = "comment fixed";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_steps("lock gates record:0002 release");
	s = step_of("0002");
	assert_int_equal(s->event, EVENT_ACCEPTED);
	assert_string_equal(s->checksum, "s1:edited");
	assert_string_equal(s->reason, "comment fixed");
	assert_int_equal(s->generation, 1);
}

static void accept__wants_a_reason__and_something_to_accept(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 2);
	w.request.only = "0002";
	assert_int_equal(world_plan(&w, OP_ACCEPT), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
	assert_string_equal(w.e.hint,
			    "bascule accept production 0002 --reason 'why' --confirm production");
	w.request.reason = "why";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_int_equal(w.plan->n_change, 0);
	assert_true(world_has_note(&w, "applied as its file is now"));
	w.request.only = "0003";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_int_equal(w.plan->n_change, 0);
	w.request.only = "0099";
	assert_int_equal(world_plan(&w, OP_ACCEPT), -1);
}

static void accept__of_a_missing_file__records_no_checksum(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	world_remove_file(&w, "0002");
	w.request.only = "0002";
	w.request.reason = "squashed";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_null(step_of("0002")->checksum);
	assert_true(step_of("0002")->kind == STEP_RECORD);
}

static void accept__takes_a_copy_first__only_where_backup_is_always(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	world_failed(&w, PROD, "0002", "t2");
	w.request.only = "0002";
	w.request.reason = "the disk was full";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_steps("lock gates record:0002 release");
	w.project.env[PROD].backup = BACKUP_ALWAYS;
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_steps("lock gates backup record:0002 release");
	assert_string_equal(w.plan->step[2].backup, "before-accept");
}

static void accept__of_a_failure__belongs_to_the_generation_that_failed(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	world_failed(&w, PROD, "0002", "t2");
	w.request.only = "0002";
	w.request.reason = "the disk was full";
	assert_int_equal(world_plan(&w, OP_ACCEPT), 0);
	assert_int_equal(w.plan->n_change, 1);
	assert_int_equal(step_of("0002")->generation, 1);
	assert_string_equal(step_of("0002")->what, "allow another try of 0002 change 2");
}

static void restore__takes_a_copy_first__unless_the_policy_is_never(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	w.request.backup = "20261121T140732Z-118";
	w.request.backup_path = "/var/b/20261121T140732Z-118";
	assert_int_equal(world_plan(&w, OP_RESTORE), 0);
	assert_steps("lock gates backup restore release");
	assert_string_equal(w.plan->step[2].backup, "before-restore");
	assert_string_equal(w.plan->step[3].undo, "restore the copy of step 3");
	assert_false(w.plan->step[3].no_return);
	w.project.env[PROD].backup = BACKUP_NEVER;
	assert_int_equal(world_plan(&w, OP_RESTORE), 0);
	assert_steps("lock gates restore release");
	assert_true(w.plan->step[2].no_return);
	w.request.backup_path = NULL;
	assert_int_equal(world_plan(&w, OP_RESTORE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

/* --- The facts ------------------------------------------------------------------------------------ */

static void plan_build__fails__with_the_reason_the_target_cannot_be_read(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 2);
	history_free(w.facts.history[PROD]);
	w.facts.history[PROD] = NULL;
	err_set(&w.facts.history_err[PROD], ERR_NOT_FOUND, "no database file");
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_NOT_FOUND);
	w.project.env[PROD].has_db = false;
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_int_equal(w.e.code, ERR_USAGE);
}

static void plan__keeps_its_own_strings__after_the_facts_are_gone(void **state)
{
	struct strbuf b;
	struct plan *p;

	(void)state;
	world_fill(&w, 3, 3, 3, 1);
	w.facts.source->list[1].version = arena_strdup(&w.facts.source->arena, "7.7");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	p = w.plan;
	w.plan = NULL;
	world_clear(&w);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	plan_text(p, &b);
	assert_non_null(strstr(strbuf_str(&b), "apply 0002 change 2"));
	assert_string_equal(p->step[3].version, "7.7");
	strbuf_clear(&b);
	plan_free(p);
	world_init(&w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(migrate__takes_every_pending_one__in_numeric_order),
		CASE(migrate__numbers_steps__from_one),
		CASE(migrate__stops_at_the_id__as_typed_or_written_otherwise),
		CASE(migrate__stops_at_a_version__by_pattern_and_by_header),
		CASE(migrate__is_a_usage_error__for_an_unknown_id),
		CASE(migrate__is_a_usage_error__for_an_unknown_environment),
		CASE(migrate__says_nothing_to_do__when_none_is_pending),
		CASE(migrate__has_no_backup_step__when_the_policy_is_never),
		CASE(migrate__writes_the_state_file__when_the_project_wants_it),
		CASE(migrate__expects_the_time_of_the_stage_before__for_the_same_text),
		CASE(migrate__says_no_return__for_a_missing_or_empty_down),
		CASE(migrate__says_what_undo_does__by_policy),
		CASE(migrate__counts_the_generation__after_a_roll_back),
		CASE(migrate__takes_marks__only_without_a_gap),
		CASE(migrate__goes_towards_an_environment__as_far_as_it_has_no_gap),
		CASE(migrate__notes_who_holds_the_lock),
		CASE(rollback__goes_back__in_the_reverse_of_the_applied_order),
		CASE(rollback__uses_the_stored_down__and_says_when_the_file_differs),
		CASE(rollback__notes_changed_and_missing_files__and_goes_on),
		CASE(rollback__to_version__takes_everything_newer),
		CASE(rollback__is_a_usage_error__for_more_than_are_applied),
		CASE(rollback__says_nothing_to_do__when_nothing_is_applied),
		CASE(baseline__records_the_pending__and_runs_nothing),
		CASE(accept__records_todays_file__with_its_reason),
		CASE(accept__wants_a_reason__and_something_to_accept),
		CASE(accept__of_a_missing_file__records_no_checksum),
		CASE(accept__takes_a_copy_first__only_where_backup_is_always),
		CASE(accept__of_a_failure__belongs_to_the_generation_that_failed),
		CASE(restore__takes_a_copy_first__unless_the_policy_is_never),
		CASE(plan_build__fails__with_the_reason_the_target_cannot_be_read),
		CASE(plan__keeps_its_own_strings__after_the_facts_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
