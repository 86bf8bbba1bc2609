/* SPDX-License-Identifier: MIT */
/* The engine on a real workspace: files, SQLite, state folder. Runs are not executed here: the
 * workspace's program is not one. */
#include "core/engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine/job.h"
#include "tests/support/workspace.h"

#define WAIT_MS 20000

static struct workspace w;
static struct engine *g;
static struct err e;

static int setup(void **state)
{
	(void)state;
	workspace_init(&w, 3);
	workspace_tables(&w, 5);
	return engine_new(w.project, &w.ctx, &g, &e);
}

static int teardown(void **state)
{
	(void)state;
	engine_free(g);
	workspace_clear(&w);
	return 0;
}

/* The next event; one of another type or request fails. */
static struct event *expect(enum event_type type, uint64_t request)
{
	struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };
	struct event *ev;

	if (poll(&fd, 1, WAIT_MS) != 1)
		fail_msg("no event");
	ev = engine_next(g);
	assert_non_null(ev);
	if (ev->type != type || ev->request != request)
		fail_msg("event %d of request %d: %s", (int)ev->type, (int)ev->request,
			 ev->err.msg);
	return ev;
}

static void refresh__workspace__is_one_picture(void **state)
{
	struct event *ev;
	const struct snapshot *s;

	(void)state;
	ev = expect(EV_SNAPSHOT, engine_refresh(g));
	s = ev->u.snapshot;
	assert_int_equal(s->source->n, 5);
	assert_int_equal(s->n_env, 3);
	assert_int_equal(s->matrix->n_row, 5);
	for (size_t i = 0; i < 3; i++) {
		assert_true(s->env[i].reachable);
		assert_false(s->env[i].holder.held);
		assert_int_equal(s->matrix->count[i].pending, 5);
	}
	event_free(ev);
}

static void refresh__missing_database__is_an_error_of_that_environment(void **state)
{
	struct event *ev;
	const struct snapshot *s;

	(void)state;
	assert_int_equal(unlink(w.project->env[1].dsn.path), 0);
	ev = expect(EV_SNAPSHOT, engine_refresh(g));
	s = ev->u.snapshot;
	assert_false(s->env[1].reachable);
	assert_int_equal(s->env[1].err.code, ERR_NOT_FOUND);
	assert_true(s->env[0].reachable && s->env[2].reachable);
	assert_int_equal(s->matrix->row[0].cell[1].state, CELL_UNKNOWN);
	event_free(ev);
}

static void refresh__missing_folder__is_an_error_of_the_source(void **state)
{
	struct event *ev;

	(void)state;
	w.project->migrations = "/nonexistent/migrations";
	ev = expect(EV_SNAPSHOT, engine_refresh(g));
	assert_null(ev->u.snapshot->source);
	assert_int_equal(ev->u.snapshot->source_err.code, ERR_NOT_FOUND);
	assert_non_null(ev->u.snapshot->matrix);
	event_free(ev);
}

static void refresh__asked_while_one_runs__runs_once_more(void **state)
{
	uint64_t first = engine_refresh(g), again = 0;
	struct event *ev;

	(void)state;
	for (int i = 0; i < 50; i++)
		again = engine_refresh(g);
	/* As many as were begun, in order, and the last number asked for is answered last. */
	for (uint64_t request = first; request != again;) {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };

		assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
		ev = engine_next(g);
		assert_int_equal(ev->type, EV_SNAPSHOT);
		assert_true(ev->request >= request);
		request = ev->request;
		event_free(ev);
	}
	while (engine_busy(g))
		assert_null(engine_next(g));
}

static const struct source *refreshed(struct event **held)
{
	event_free(*held);
	*held = expect(EV_SNAPSHOT, engine_refresh(g));
	return (*held)->u.snapshot->source;
}

/* Files younger than their scan are rightly never trusted, so it takes some refreshes until they are. */
static struct shared_source *settled(struct event **held)
{
	struct shared_source *kept = NULL;

	for (int i = 0; i < 10000; i++) {
		const struct source *source = refreshed(held);

		if (kept && source == kept->source)
			return kept;
		shared_source_drop(kept);
		kept = shared_source_keep((*held)->u.snapshot->shared);
	}
	fail_msg("the files are read again and again");
	return NULL;
}

static void refresh__files_as_they_were__are_not_read_again(void **state)
{
	struct event *ev = NULL;
	struct shared_source *kept = settled(&ev);

	(void)state;
	assert_ptr_equal(refreshed(&ev), kept->source);
	workspace_migration(&w, "0006", "more", "SELECT 1;\n", NULL);
	assert_int_equal(refreshed(&ev)->n, 6);
	assert_int_equal(kept->source->n, 5); /* who holds the old one can go on reading it */
	shared_source_drop(kept);
	event_free(ev);
}

static void refresh__file_edited_in_place__is_read_again(void **state)
{
	struct event *ev = NULL;
	struct shared_source *kept = settled(&ev);
	char was[CHECKSUM_SIZE];

	(void)state;
	str_copy(was, sizeof(was), kept->source->list[4].checksum);
	workspace_migration(&w, "0005", "table", "CREATE TABLE other (id);\n", NULL);
	assert_string_not_equal(refreshed(&ev)->list[4].checksum, was);
	shared_source_drop(kept);
	event_free(ev);
}

static void plan__towards_the_stage_before__is_answered(void **state)
{
	struct plan_request r = { .op = OP_MIGRATE, .environment = "dev" };
	struct event *ev = expect(EV_PLAN, engine_plan(g, &r));

	(void)state;
	assert_int_equal(ev->err.code, ERR_OK);
	assert_string_equal(ev->u.plan.plan->environment, "dev");
	assert_int_equal(ev->u.plan.plan->n_change, 5);
	event_free(ev);
}

static void plan__unknown_migration__is_an_error(void **state)
{
	struct plan_request r = { .op = OP_MIGRATE, .environment = "dev", .to = "9999" };
	struct event *ev = expect(EV_PLAN, engine_plan(g, &r));

	(void)state;
	assert_int_not_equal(ev->err.code, ERR_OK);
	assert_null(ev->u.plan.plan);
	assert_true(ev->err.msg[0]);
	event_free(ev);
}

static void script__file_and_nothing_stored__gives_the_file(void **state)
{
	struct event *ev = expect(EV_SCRIPT, engine_script(g, "dev", "main", "0002", false));

	(void)state;
	assert_non_null(strstr(ev->u.script->file_text, "CREATE TABLE"));
	assert_null(ev->u.script->stored_text);
	assert_false(ev->u.script->same);
	event_free(ev);
	ev = expect(EV_SCRIPT, engine_script(g, "dev", "main", "9999", true));
	assert_null(ev->u.script->file_text);
	assert_int_equal(ev->u.script->err.code, ERR_OK);
	event_free(ev);
}

static void script__many_asked_for__the_last_is_answered(void **state)
{
	uint64_t last = 0, got = 0;
	int answers = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		last = engine_script(g, "dev", "main", i % 2 ? "0001" : "0002", false);
	while (got != last) {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };
		struct event *ev;

		assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
		ev = engine_next(g);
		assert_true(ev->request > got);
		got = ev->request;
		assert_string_equal(ev->u.script->id, got % 2 == last % 2 ? "0001" : "0002");
		event_free(ev);
		answers++;
	}
	assert_true(answers < 250); /* most were never read */
}

static void events__empty_and_unknown__are_told_apart(void **state)
{
	struct event *ev = expect(EV_EVENTS, engine_events(g, "dev"));

	(void)state;
	assert_int_equal(ev->err.code, ERR_OK);
	assert_int_equal(ev->u.events.history->n_event, 0);
	event_free(ev);
	ev = expect(EV_EVENTS, engine_events(g, "nowhere"));
	assert_int_equal(ev->err.code, ERR_USAGE);
	event_free(ev);
}

static void preflight__of_a_file_and_unknown__are_told_apart(void **state)
{
	struct event *ev = expect(EV_PREFLIGHT, engine_preflight(g, "dev"));
	const struct preflight *p = ev->u.preflight.preflight;

	(void)state;
	assert_non_null(p);
	assert_string_equal(ev->u.preflight.env, "dev");
	assert_string_equal(p->row[0].name, "size");
	event_free(ev);
	ev = expect(EV_PREFLIGHT, engine_preflight(g, "nowhere"));
	assert_null(ev->u.preflight.preflight);
	assert_int_equal(ev->err.code, ERR_NOT_FOUND);
	event_free(ev);
	assert_int_equal(unlink(w.project->env[0].dsn.path), 0);
	ev = expect(EV_PREFLIGHT, engine_preflight(g, "dev"));
	assert_null(ev->u.preflight.preflight);
	assert_int_equal(ev->err.code, ERR_NOT_FOUND);
	event_free(ev);
}

static void preflight__while_one_is_under_way__is_not_asked_again(void **state)
{
	uint64_t first = engine_preflight(g, "dev"), more = 0;

	(void)state;
	assert_true(first > 0);
	for (int i = 0; i < 200; i++)
		more += engine_preflight(g, "dev") > 0;
	event_free(expect(EV_PREFLIGHT, first));
	/* One may have ended in between; they never pile up. */
	assert_true(more < 200);
	while (engine_busy(g) && more > 0) {
		struct pollfd fd = { .fd = engine_fd(g), .events = POLLIN };

		(void)!poll(&fd, 1, WAIT_MS);
		event_free(engine_next(g));
	}
}

static void runs__frozen_one__is_in_the_list(void **state)
{
	char id[RUN_ID_SIZE];
	struct event *ev;

	(void)state;
	workspace_run(&w, "dev", id);
	ev = expect(EV_RUNS, engine_runs(g));
	assert_int_equal(ev->u.runs.n, 1);
	assert_string_equal(ev->u.runs.list[0]->id, id);
	event_free(ev);
}

static void runs__ended_and_unchanged__are_not_read_again(void **state)
{
	struct event *ev = NULL;
	bool same = false;
	char id[RUN_ID_SIZE];

	(void)state;
	for (int i = 0; i < 10000 && !same; i++) {
		ev = expect(EV_RUNS, engine_runs(g));
		same = ev->u.runs.same;
		event_free(ev);
	}
	assert_true(same);
	workspace_run(&w, "dev", id);
	for (int i = 0; i < 3; i++) { /* one that waits is looked at each time */
		ev = expect(EV_RUNS, engine_runs(g));
		assert_false(ev->u.runs.same);
		assert_int_equal(ev->u.runs.n, 1);
		event_free(ev);
	}
}

static void watch__frozen_run__is_followed_until_another_is_watched(void **state)
{
	char id[RUN_ID_SIZE];
	struct event *ev;

	(void)state;
	workspace_run(&w, "dev", id);
	ev = expect(EV_RUN, engine_watch(g, id));
	assert_string_equal(ev->u.run->id, id);
	event_free(ev);
	assert_true(engine_busy(g));
	engine_watch(g, NULL);
	for (int i = 0; engine_busy(g) && i < WAIT_MS; i++)
		usleep(1000);
	assert_false(engine_busy(g));
}

static void watch__no_such_run__is_an_error(void **state)
{
	struct event *ev = expect(EV_RUN, engine_watch(g, "404-abcdef"));

	(void)state;
	assert_int_not_equal(ev->err.code, ERR_OK);
	event_free(ev);
}

static void request__nobody_listens__is_an_error(void **state)
{
	char id[RUN_ID_SIZE];
	struct event *ev;

	(void)state;
	workspace_run(&w, "dev", id);
	ev = expect(EV_REQUESTED, engine_request(g, id, "retry", NULL));
	assert_int_not_equal(ev->err.code, ERR_OK);
	event_free(ev);
}

static void start__program_that_is_none__is_an_error(void **state)
{
	struct event *ev;

	(void)state;
	w.ctx.exe = "/nonexistent/bascule";
	ev = expect(EV_RUN_STARTED, engine_start_run(g, workspace_migrate_plan(&w, "dev")));
	assert_int_not_equal(ev->err.code, ERR_OK);
	event_free(ev);
}

/* Everything at once, and the engine goes away in the middle. The sanitizers watch. */
static void free__while_jobs_run__stops_them(void **state)
{
	char id[RUN_ID_SIZE];

	(void)state;
	workspace_run(&w, "dev", id);
	for (int i = 0; i < 40; i++) {
		struct plan_request r = { .op = OP_MIGRATE,
					  .environment = "staging",
					  .towards = "dev" };

		engine_refresh(g);
		engine_runs(g);
		engine_plan(g, &r);
		engine_script(g, "dev", "main", "0001", false);
		engine_events(g, "production");
		engine_watch(g, id);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(refresh__workspace__is_one_picture),
		CASE(refresh__missing_database__is_an_error_of_that_environment),
		CASE(refresh__missing_folder__is_an_error_of_the_source),
		CASE(refresh__asked_while_one_runs__runs_once_more),
		CASE(refresh__files_as_they_were__are_not_read_again),
		CASE(refresh__file_edited_in_place__is_read_again),
		CASE(plan__towards_the_stage_before__is_answered),
		CASE(plan__unknown_migration__is_an_error),
		CASE(script__file_and_nothing_stored__gives_the_file),
		CASE(script__many_asked_for__the_last_is_answered),
		CASE(events__empty_and_unknown__are_told_apart),
		CASE(preflight__of_a_file_and_unknown__are_told_apart),
		CASE(preflight__while_one_is_under_way__is_not_asked_again),
		CASE(runs__frozen_one__is_in_the_list),
		CASE(runs__ended_and_unchanged__are_not_read_again),
		CASE(watch__frozen_run__is_followed_until_another_is_watched),
		CASE(watch__no_such_run__is_an_error),
		CASE(request__nobody_listens__is_an_error),
		CASE(start__program_that_is_none__is_an_error),
		CASE(free__while_jobs_run__stops_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
