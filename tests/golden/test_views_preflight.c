/* SPDX-License-Identifier: MIT */
/* Golden screens of what the database says now, beside and below a plan and its run. See model_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "tests/support/model_world.h"

static struct model_world m;

static int setup(void **state)
{
	(void)state;
	model_world_init(&m);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_world_clear(&m);
	return 0;
}

static const struct preflight_row calm[] = {
	{ "waiting for locks", PREFLIGHT_OK, "0 sessions" },
	{ "longest transaction", PREFLIGHT_OK,
	  "0.3s, session 4700 of web in shop, active: SELECT * FROM orders" },
	{ "idle in transaction", PREFLIGHT_OK, "0 sessions" },
	{ "replica", PREFLIGHT_OK, "replica-1 1.2 kB, 0.1s behind" },
	{ "lock timeout", PREFLIGHT_OK, "5.0s" },
};

static const struct preflight_row busy[] = {
	{ "our statement", PREFLIGHT_OK,
	  "31.4s, ALTER TABLE orders ALTER COLUMN status SET NOT NULL" },
	{ "waiting for", PREFLIGHT_WARN,
	  "4.0s for session 4711 of web, idle in transaction: UPDATE orders SET note = '…'" },
	{ "waiting behind us", PREFLIGHT_WARN, "12 sessions, the longest for 3.9s" },
	{ "longest transaction", PREFLIGHT_WARN,
	  "6m 10s, session 4711 of web in shop, idle in transaction: UPDATE orders SET note = '…'" },
	{ "idle in transaction", PREFLIGHT_WARN, "1 session, for 6m 02s" },
	{ "lock timeout", PREFLIGHT_OK, "5.0s" },
	{ "not seen", PREFLIGHT_NOTE,
	  "what 3 sessions of other roles do: our role is no member of pg_read_all_stats" },
};

/* What the engine answers of the shown plan's environment. rows NULL: it could not ask. */
static void answer(const struct preflight_row *rows, size_t n, int64_t age_ms)
{
	const struct model *x = &m.t.model;
	const struct plan *p = x->watched ? x->watched->plan : x->plan;
	struct event *ev = event_new(EV_PREFLIGHT, 0);
	struct preflight *f;

	model_preflight_of(&m.t.model, p->environment);
	str_copy(ev->u.preflight.env, sizeof(ev->u.preflight.env), p->environment);
	if (rows) {
		f = ev->u.preflight.preflight = mem_calloc(1, sizeof(*f));
		arena_init(&f->arena);
		f->at_utc_ms = MODEL_WORLD_NOW - age_ms;
		f->row = arena_alloc(&f->arena, n * sizeof(*f->row));
		memcpy(f->row, rows, n * sizeof(*f->row));
		f->n = n;
		for (size_t i = 0; i < n; i++)
			f->n_warn += rows[i].level == PREFLIGHT_WARN;
	} else {
		err_set(&ev->err, ERR_TIMEOUT, "cannot connect to postgresql://db1/shop");
		err_detail(&ev->err, "connection refused");
		err_hint(&ev->err, "bascule check");
	}
	tui_event(&m.t, ev);
}

#define ANSWER(rows, age_ms) answer(rows, sizeof(rows) / sizeof(rows[0]), age_ms)

/* The world is of files; what is shown depends on the plan alone. */
static void on_a_server(struct plan *p)
{
	p->env.dsn.engine = "postgresql";
	p->env.dsn.path = NULL;
	p->env.dsn.database = "shop";
}

static void ready_plan(bool server)
{
	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	if (server)
		on_a_server(m.t.model.plan);
	model_world_show(&m, -1);
}

static void running(enum run_state run_state)
{
	struct run *r;

	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	r = model_world_run(&m, OP_MIGRATE, 119, run_state, 4);
	on_a_server(r->plan);
	model_world_watch(&m, r);
	model_world_show(&m, -1);
}

static void sizes(const char *name)
{
	char small[80];

	model_world_golden(&m, name, 120, 36, false);
	snprintf(small, sizeof(small), "%s-80x24", name);
	model_world_golden(&m, small, 80, 24, false);
}

static void plan__calm(void **state)
{
	(void)state;
	ready_plan(true);
	ANSWER(calm, 2000);
	sizes("preflight-plan");
	model_world_golden(&m, "preflight-plan-ascii", 120, 36, true);
	model_world_golden(&m, "preflight-plan-100x30", 100, 30, false);
}

static void plan__of_a_file(void **state)
{
	static const struct preflight_row file[] = {
		{ "size", PREFLIGHT_OK, "6.2 GB" },
		{ "free disk", PREFLIGHT_WARN, "1.1 GB, less than the database has" },
	};

	(void)state;
	ready_plan(false);
	ANSWER(file, 2000);
	sizes("preflight-file");
}

static void run__somebody_is_in_the_way(void **state)
{
	(void)state;
	running(RUN_RUNNING);
	ANSWER(busy, 1000);
	sizes("preflight-warns");
	model_world_golden(&m, "preflight-warns-100x24", 100, 24, false);
}

static void run__server_cannot_be_asked(void **state)
{
	(void)state;
	running(RUN_RUNNING);
	answer(NULL, 0, 0);
	model_world_golden(&m, "preflight-never-asked", 120, 36, false);
	ANSWER(busy, 95000);
	answer(NULL, 0, 0);
	sizes("preflight-lost");
}

static void run__ended__has_no_panel(void **state)
{
	(void)state;
	running(RUN_DONE);
	ANSWER(calm, 1000);
	model_world_golden(&m, "preflight-ended", 120, 36, false);
}

static void of_another_environment__is_not_shown(void **state)
{
	struct event *ev = event_new(EV_PREFLIGHT, 0);

	(void)state;
	ready_plan(true);
	ANSWER(busy, 1000);
	/* A late answer about another one is dropped, and so is what was known once that is looked at. */
	str_copy(ev->u.preflight.env, sizeof(ev->u.preflight.env), "staging");
	err_set(&ev->err, ERR_TIMEOUT, "nobody answers");
	tui_event(&m.t, ev);
	assert_int_equal(m.t.model.preflight_err.code, ERR_OK);
	assert_non_null(m.t.model.preflight);
	model_preflight_of(&m.t.model, "staging");
	assert_null(m.t.model.preflight);
}

static void cancel__asks_once(void **state)
{
	(void)state;
	tui_action(&m.t, ACT_CANCEL, NULL);
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	assert_non_null(strstr(m.t.model.news, "nothing to cancel"));
	running(RUN_RUNNING);
	tui_action(&m.t, ACT_CANCEL, NULL);
	assert_int_equal(m.t.prompt.kind, PROMPT_YES);
	model_world_golden(&m, "preflight-cancel", 120, 36, false);
	prompt_key(&m.t, 'y');
	assert_int_equal(m.t.prompt.kind, PROMPT_NONE);
	assert_non_null(strstr(m.t.model.news, "asked run 119: cancel"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(plan__calm),
		CASE(plan__of_a_file),
		CASE(run__somebody_is_in_the_way),
		CASE(run__server_cannot_be_asked),
		CASE(run__ended__has_no_panel),
		CASE(of_another_environment__is_not_shown),
		CASE(cancel__asks_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
