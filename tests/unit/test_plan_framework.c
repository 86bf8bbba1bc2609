/* SPDX-License-Identifier: MIT */
/* Plans whose migrations Alembic or Django run themselves: their commands, gates and ways out; and the gate of
 * git. */
#include "core/release/plan.h"

#include "core/migrate/git_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/plan_world.h"

static struct world w;
static struct git_state git;

static int setup(void **state)
{
	(void)state;
	world_init(&w);
	git = (struct git_state){ .dir = "/srv/my app",
				  .known = true,
				  .branch = "main",
				  .commit = "7be1140c0d1e",
				  .has_upstream = true };
	w.project.migrate_command = "python3 -m alembic";
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	w.facts.git = NULL; /* ours */
	world_clear(&w);
	return 0;
}

/* The files are the tool's; what is applied is what its table says: no checksum, no generation. */
static void give_to(const char *tool)
{
	w.facts.source->framework = true;
	w.facts.source->layout = tool;
	for (int env = 0; env < WORLD_ENVS; env++) {
		struct history *h = w.facts.history[env];

		h->tool = tool;
		h->table = "its_table";
		for (size_t i = 0; i < h->n; i++) {
			h->list[i].generation = 0;
			h->list[i].seq = 0;
			h->list[i].checksum = h->list[i].ran_checksum = NULL;
			h->list[i].down_checksum = NULL;
		}
	}
}

/* File i (from 0) builds on file j. */
static void build_on(size_t i, size_t j)
{
	struct migration *f = &w.facts.source->list[i];
	const char **list = arena_alloc(&w.arena, (f->n_depends + 1) * sizeof(*list));

	for (size_t k = 0; k < f->n_depends; k++)
		list[k] = f->depends[k];
	list[f->n_depends++] = arena_printf(&w.arena, "%s/%s", w.facts.source->list[j].ns,
					    w.facts.source->list[j].id);
	f->depends = list;
}

static void chain(size_t n)
{
	for (size_t i = 1; i < n; i++)
		build_on(i, i - 1);
}

static void plan(enum operation op)
{
	if (world_plan(&w, op) < 0)
		fail_msg("%s (%s)", w.e.msg, w.e.detail);
}

static const struct step *step_of(const char *id)
{
	for (size_t i = 0; i < w.plan->n_step; i++)
		if (w.plan->step[i].id && strcmp(w.plan->step[i].id, id) == 0)
			return &w.plan->step[i];
	fail_msg("no step of %s", id);
	return NULL;
}

static void alembic__has_a_command__for_each_revision(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 1);
	chain(3);
	give_to("alembic");
	w.project.env[PROD].undo_migrations = UNDO_ALWAYS;
	plan(OP_MIGRATE);
	assert_null(plan_closed_gate(w.plan));
	assert_string_equal(step_of("0002")->command, "python3 -m alembic upgrade 0002");
	assert_string_equal(step_of("0002")->undo_command, "python3 -m alembic downgrade 0001");
	assert_string_equal(step_of("0003")->command, "python3 -m alembic upgrade 0003");
	assert_string_equal(step_of("0003")->undo, "taken back by alembic");
	assert_true(world_has_note(&w, "alembic runs them, one command each"));
	assert_non_null(strstr(world_gate(&w, "staging-passed")->measured, "the id is compared"));
	assert_null(world_gate(&w, "foreign-history"));
	assert_null(world_gate(&w, "late"));
}

static void alembic__goes_down__by_the_order_of_the_source(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 3);
	chain(3);
	give_to("alembic");
	w.request.last = 3;
	plan(OP_ROLLBACK);
	assert_true(step_of("0003")->n < step_of("0002")->n);
	assert_true(step_of("0002")->n < step_of("0001")->n);
	assert_string_equal(step_of("0003")->command, "python3 -m alembic downgrade 0002");
	assert_string_equal(step_of("0001")->command, "python3 -m alembic downgrade base");
	assert_string_equal(step_of("0001")->undo_command, "python3 -m alembic upgrade 0001");
	assert_true(world_gate(&w, "reversible")->open);
}

/* 0002 and 0003 both build on 0001, 0004 merges them. */
static void alembic__leaves_the_other_branch__where_one_goes_down(void **state)
{
	(void)state;
	world_fill(&w, 4, 4, 4, 4);
	build_on(1, 0);
	build_on(2, 0);
	build_on(3, 1);
	build_on(3, 2);
	give_to("alembic");
	w.request.last = 2;
	plan(OP_ROLLBACK);
	assert_string_equal(step_of("0004")->command, "python3 -m alembic downgrade 0002");
	assert_string_equal(step_of("0003")->command, "python3 -m alembic downgrade 0003@-1");
}

static void alembic__baseline__stamps(void **state)
{
	(void)state;
	world_fill(&w, 2, 2, 2, 0);
	chain(2);
	give_to("alembic");
	plan(OP_BASELINE);
	assert_string_equal(step_of("0001")->command, "python3 -m alembic stamp 0001");
	assert_null(step_of("0001")->undo_command);
	assert_true(step_of("0001")->kind == STEP_RECORD);
}

static void django__names_the_app__and_zero_for_the_first(void **state)
{
	(void)state;
	w.project.migrate_command = "python3 manage.py";
	world_fill(&w, 2, 2, 2, 1);
	chain(2);
	give_to("django");
	plan(OP_MIGRATE);
	assert_string_equal(step_of("0002")->command,
			    "python3 manage.py migrate main 0002 --noinput");
	assert_string_equal(step_of("0002")->undo_command,
			    "python3 manage.py migrate main 0001 --noinput");
	plan(OP_BASELINE);
	assert_string_equal(step_of("0002")->command,
			    "python3 manage.py migrate main 0002 --fake --noinput");
	w.request.last = 1;
	plan(OP_ROLLBACK);
	assert_string_equal(step_of("0001")->command,
			    "python3 manage.py migrate main zero --noinput");
}

static void command__is_missing__and_the_gate_has_the_line(void **state)
{
	const struct gate *g;

	(void)state;
	w.project.migrate_command = NULL;
	world_fill(&w, 1, 1, 1, 0);
	give_to("alembic");
	plan(OP_MIGRATE);
	g = world_gate(&w, "migrate-command");
	assert_non_null(g);
	assert_false(g->open);
	assert_false(g->can_override);
	assert_non_null(strstr(g->satisfy, "a migrate_command = python3 -m alembic' "));
	assert_string_equal(step_of("0001")->command, "");
}

static void id__is_refused__that_the_tool_would_read_as_an_option(void **state)
{
	(void)state;
	world_fill(&w, 1, 1, 1, 0);
	give_to("alembic");
	w.facts.source->list[0].id = "--sql";
	assert_int_equal(world_plan(&w, OP_MIGRATE), -1);
	assert_non_null(strstr(w.e.msg, "--sql"));
}

static void passed__is_closed__by_the_id_with_the_way_there(void **state)
{
	const struct gate *g;

	(void)state;
	world_fill(&w, 3, 2, 1, 1);
	chain(3);
	give_to("alembic");
	w.request.to = "0002";
	plan(OP_MIGRATE);
	g = world_gate(&w, "staging-passed");
	assert_false(g->open);
	assert_non_null(strstr(g->measured, "0002: not applied in staging"));
	assert_string_equal(g->satisfy, "bascule migrate staging --to 0002");
}

static void same_history__sees__what_came_meanwhile(void **state)
{
	(void)state;
	world_fill(&w, 3, 3, 3, 1);
	chain(3);
	give_to("alembic");
	w.request.to = "0002";
	plan(OP_MIGRATE);
	assert_int_equal(
		gates_measure(w.plan, w.facts.history[PROD], w.facts.history[STAGING], &w.e), 0);
	assert_true(world_gate(&w, "same-history")->open);
	world_applied(&w, PROD, "0003", "t3");
	assert_int_equal(
		gates_measure(w.plan, w.facts.history[PROD], w.facts.history[STAGING], &w.e), 0);
	assert_false(world_gate(&w, "same-history")->open);
}

static void accept__is_refused__where_there_are_no_checksums(void **state)
{
	(void)state;
	world_fill(&w, 1, 1, 1, 1);
	give_to("alembic");
	w.request.only = "0001";
	w.request.reason = "why";
	assert_int_equal(world_plan(&w, OP_ACCEPT), -1);
	assert_non_null(strstr(w.e.detail, "kept by alembic"));
}

static void plan__comes_back__from_its_frozen_form(void **state)
{
	struct plan *back = NULL;
	json_t *j;

	(void)state;
	world_fill(&w, 2, 2, 2, 1);
	chain(2);
	give_to("alembic");
	plan(OP_MIGRATE);
	j = plan_freeze(w.plan);
	assert_int_equal(plan_thaw(j, &back, &w.e), 0);
	assert_string_equal(back->tool, "alembic");
	assert_string_equal(back->env.history, "alembic");
	assert_string_equal(back->gate_env.history, "alembic");
	for (size_t i = 0; i < back->n_step; i++)
		if (back->step[i].id)
			assert_string_equal(back->step[i].command,
					    "python3 -m alembic upgrade 0002");
	plan_free(back);
	/* A command without its tool is nothing that we wrote. */
	json_object_del(j, "tool");
	assert_int_equal(plan_thaw(j, &back, &w.e), -1);
	json_decref(j);
}

/* --- git ------------------------------------------------------------------------------------ */

static void git__is_no_gate__where_nobody_asked(void **state)
{
	(void)state;
	world_fill(&w, 1, 1, 1, 0);
	w.project.env[PROD].is_protected = true;
	plan(OP_MIGRATE);
	assert_null(world_gate(&w, "git"));
}

static void git__closes__for_what_is_uncommitted_or_unpushed(void **state)
{
	static const char *const files[] = { "m/up/0001_a.sql" };

	(void)state;
	world_fill(&w, 1, 1, 1, 0);
	w.project.env[PROD].is_protected = true;
	w.facts.git = &git;
	plan(OP_MIGRATE);
	assert_true(world_gate(&w, "git")->open);
	git.n_uncommitted = git.n_listed = 1;
	git.uncommitted = files;
	plan(OP_MIGRATE);
	assert_false(world_gate(&w, "git")->open);
	assert_true(world_gate(&w, "git")->can_override);
	assert_non_null(strstr(world_gate(&w, "git")->measured, "m/up/0001_a.sql"));
	assert_string_equal(world_gate(&w, "git")->satisfy,
			    "git -C '/srv/my app' add -A . && git -C '/srv/my app' commit -m "
			    "'migrations' . && git -C '/srv/my app' push");
	git.n_uncommitted = git.n_listed = 0;
	git.n_unpushed = 2;
	plan(OP_MIGRATE);
	assert_string_equal(world_gate(&w, "git")->satisfy, "git -C '/srv/my app' push");
	/* Under the lock it is what it was: what runs is frozen. */
	assert_int_equal(
		gates_measure(w.plan, w.facts.history[PROD], w.facts.history[STAGING], &w.e), 0);
	assert_false(world_gate(&w, "git")->open);
}

static void git__is_a_note__where_it_is_no_gate(void **state)
{
	(void)state;
	world_fill(&w, 1, 1, 0, 0);
	w.project.env[STAGING].is_protected = false;
	w.request.environment = "staging";
	w.facts.git = &git;
	plan(OP_MIGRATE);
	assert_false(world_has_note(&w, "git main"));
	git.n_unpushed = 1;
	plan(OP_MIGRATE);
	assert_null(world_gate(&w, "git"));
	assert_true(world_has_note(&w, "git main at 7be1140c0d1e, 1 commit not pushed"));
}

static void git__is_open__outside_of_a_work_tree(void **state)
{
	(void)state;
	git = (struct git_state){ .dir = "/srv", .why = "not in a git work tree" };
	world_fill(&w, 1, 1, 1, 0);
	w.project.env[PROD].is_protected = true;
	w.facts.git = &git;
	plan(OP_MIGRATE);
	assert_true(world_gate(&w, "git")->open);
	assert_string_equal(world_gate(&w, "git")->measured, "git: not in a git work tree");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(alembic__has_a_command__for_each_revision),
		CASE(alembic__goes_down__by_the_order_of_the_source),
		CASE(alembic__leaves_the_other_branch__where_one_goes_down),
		CASE(alembic__baseline__stamps),
		CASE(django__names_the_app__and_zero_for_the_first),
		CASE(command__is_missing__and_the_gate_has_the_line),
		CASE(id__is_refused__that_the_tool_would_read_as_an_option),
		CASE(passed__is_closed__by_the_id_with_the_way_there),
		CASE(same_history__sees__what_came_meanwhile),
		CASE(accept__is_refused__where_there_are_no_checksums),
		CASE(plan__comes_back__from_its_frozen_form),
		CASE(git__is_no_gate__where_nobody_asked),
		CASE(git__closes__for_what_is_uncommitted_or_unpushed),
		CASE(git__is_a_note__where_it_is_no_gate),
		CASE(git__is_open__outside_of_a_work_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
