/* SPDX-License-Identifier: MIT */
#include "core/engine/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"

#define NOON 1763726400000

static struct env envs[2];
static struct project project;
static struct context ctx;
static struct model m;
static struct err e;

static int setup(void **state)
{
	(void)state;
	envs[0] = (struct env){ .name = "development", .has_db = true };
	envs[1] = (struct env){ .name = "production", .has_db = true, .is_protected = true };
	project = (struct project){ .name = "shop", .env = envs, .n_env = 2 };
	model_init(&m, &project, &ctx);
	model_tick(&m, NOON);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_clear(&m);
	return 0;
}

static struct run *run_make(const char *id, enum run_state state, const char *environment)
{
	struct run *r = mem_calloc(1, sizeof(*r));

	str_copy(r->id, sizeof(r->id), id);
	str_copy(r->number, sizeof(r->number), id);
	r->state = state;
	r->plan = mem_calloc(1, sizeof(*r->plan));
	arena_init(&r->plan->arena);
	r->plan->environment = environment;
	return r;
}

static void apply_snapshot(bool reachable, const char *holder)
{
	struct event *ev = event_new(EV_SNAPSHOT, 1);
	struct snapshot *s = mem_calloc(1, sizeof(*s));

	s->n_env = 2;
	s->env = mem_calloc(2, sizeof(*s->env));
	s->env[0].has_db = s->env[1].has_db = true;
	s->env[0].reachable = true;
	s->env[1].reachable = reachable;
	str_copy(s->env[1].err.msg, sizeof(s->env[1].err.msg), "cannot open it");
	if (holder) {
		s->env[0].holder.held = true;
		str_copy(s->env[0].holder.who, sizeof(s->env[0].holder.who), holder);
		str_copy(s->env[0].holder.host, sizeof(s->env[0].holder.host), "laptop");
	}
	ev->u.snapshot = s;
	model_apply(&m, ev);
}

static void apply_run(enum run_state state, uint64_t request)
{
	struct event *ev = event_new(EV_RUN, request);

	ev->u.run = run_make("7", state, "production");
	model_apply(&m, ev);
}

static void snapshot__first__is_no_news(void **state)
{
	(void)state;
	m.loading = true;
	apply_snapshot(true, NULL);
	assert_non_null(m.snap);
	assert_false(m.loading);
	assert_string_equal(m.news, "");
}

static void snapshot__what_changed__is_news(void **state)
{
	(void)state;
	apply_snapshot(true, NULL);
	apply_snapshot(false, NULL);
	assert_string_equal(m.news, "production cannot be read: cannot open it");
	assert_true(m.news_bad);
	assert_int_equal(m.news_utc_ms, NOON);
	apply_snapshot(true, NULL);
	assert_string_equal(m.news, "production can be read again");
	apply_snapshot(true, "alice");
	assert_string_equal(m.news, "development locked by alice from laptop");
	m.news[0] = '\0';
	apply_snapshot(true, "alice");
	assert_string_equal(m.news, "");
	apply_snapshot(true, NULL);
	assert_string_equal(m.news, "development is free again");
}

static void plan__answer_to_an_older_request__is_dropped(void **state)
{
	struct event *ev;

	(void)state;
	m.plan_request = 5;
	for (uint64_t request = 4; request <= 5; request++) {
		ev = event_new(EV_PLAN, request);
		ev->u.plan.plan = mem_calloc(1, sizeof(struct plan));
		ev->u.plan.plan->op = request == 4 ? OP_ROLLBACK : OP_MIGRATE;
		model_apply(&m, ev);
	}
	assert_int_equal(m.plan->op, OP_MIGRATE);
	ev = event_new(EV_PLAN, 4);
	err_set(&ev->err, ERR_GATE, "too late");
	model_apply(&m, ev);
	assert_non_null(m.plan);
	ev = event_new(EV_PLAN, 5);
	err_set(&ev->err, ERR_USAGE, "nothing there");
	model_apply(&m, ev);
	assert_null(m.plan);
	assert_string_equal(m.plan_err.msg, "nothing there");
}

static void script__answer_to_an_older_request__is_dropped(void **state)
{
	(void)state;
	m.script_request = 2;
	for (uint64_t request = 2; request >= 1; request--) {
		struct event *ev = event_new(EV_SCRIPT, request);

		ev->u.script = mem_calloc(1, sizeof(*ev->u.script));
		str_copy(ev->u.script->id, sizeof(ev->u.script->id), request == 2 ? "new" : "old");
		model_apply(&m, ev);
	}
	assert_string_equal(m.script->id, "new");
}

static void run__state_that_changes__is_news(void **state)
{
	(void)state;
	m.watch_request = 9;
	apply_run(RUN_RUNNING, 9);
	assert_string_equal(m.news, "run 7 on production: running");
	apply_run(RUN_FAILED, 8); /* of a watch that was given up */
	assert_int_equal(m.watched->state, RUN_RUNNING);
	assert_true(model_ticking(&m));
	apply_run(RUN_FAILED, 9);
	assert_string_equal(m.news, "run 7 on production: failed");
	assert_true(m.news_bad);
	assert_false(model_ticking(&m));
}

static void runs__error__keeps_the_list(void **state)
{
	struct event *ev = event_new(EV_RUNS, 1);

	(void)state;
	ev->u.runs.list = mem_calloc(2, sizeof(struct run *));
	ev->u.runs.list[0] = run_make("8", RUN_DONE, "production");
	ev->u.runs.list[1] = run_make("7", RUN_PAUSED, "development");
	ev->u.runs.n = 2;
	model_apply(&m, ev);
	assert_true(m.runs_known);
	ev = event_new(EV_RUNS, 2);
	err_set(&ev->err, ERR_SYSTEM, "cannot read the runs");
	model_apply(&m, ev);
	assert_int_equal(m.n_runs, 2);
	assert_string_equal(m.news, "cannot read the runs");
	assert_string_equal(model_active_run(&m, "development")->id, "7");
	assert_null(model_active_run(&m, "production"));
	assert_false(model_ticking(&m)); /* paused: nothing moves */
}

static void events__of_another_environment__are_dropped(void **state)
{
	struct event *ev = event_new(EV_EVENTS, 1);

	(void)state;
	str_copy(m.events_env, sizeof(m.events_env), "production");
	str_copy(ev->u.events.env, sizeof(ev->u.events.env), "development");
	ev->u.events.history = mem_calloc(1, sizeof(struct history));
	model_apply(&m, ev);
	assert_null(m.events);
}

static void arm__five_minutes__then_read_only_again(void **state)
{
	(void)state;
	assert_int_equal(model_arm(&m, 1, &e), 0);
	assert_int_equal(model_armed_left_ms(&m, 1), MODEL_ARM_MS);
	assert_int_equal(model_armed_left_ms(&m, 0), 0);
	assert_int_equal(model_armed_left_ms(&m, -1), 0);
	assert_false(model_tick(&m, NOON + MODEL_ARM_MS - 1));
	assert_int_equal(model_armed_left_ms(&m, 1), 1);
	assert_true(model_tick(&m, NOON + MODEL_ARM_MS));
	assert_int_equal(m.armed_env, -1);
	assert_false(model_ticking(&m));
}

static void arm__another__disarms_the_first(void **state)
{
	(void)state;
	assert_int_equal(model_arm(&m, 1, &e), 0);
	assert_int_equal(model_arm(&m, 0, &e), 0);
	assert_int_equal(model_armed_left_ms(&m, 1), 0);
	assert_true(model_armed_left_ms(&m, 0) > 0);
	assert_int_equal(model_arm(&m, -1, &e), 0);
	assert_int_equal(model_armed_left_ms(&m, 0), 0);
}

static void arm__clock_set_back__is_over(void **state)
{
	(void)state;
	assert_int_equal(model_arm(&m, 1, &e), 0);
	assert_true(model_tick(&m, NOON - 3600000));
	assert_int_equal(m.armed_env, -1);
}

static void arm__read_only__is_refused(void **state)
{
	(void)state;
	m.read_only = true;
	assert_int_equal(model_arm(&m, 0, &e), -1);
	assert_int_equal(e.code, ERR_GATE);
	assert_true(e.detail[0] && e.hint[0]);
	assert_int_equal(m.armed_env, -1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(snapshot__first__is_no_news),
		CASE(snapshot__what_changed__is_news),
		CASE(plan__answer_to_an_older_request__is_dropped),
		CASE(script__answer_to_an_older_request__is_dropped),
		CASE(run__state_that_changes__is_news),
		CASE(runs__error__keeps_the_list),
		CASE(events__of_another_environment__are_dropped),
		CASE(arm__five_minutes__then_read_only_again),
		CASE(arm__another__disarms_the_first),
		CASE(arm__clock_set_back__is_over),
		CASE(arm__read_only__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
