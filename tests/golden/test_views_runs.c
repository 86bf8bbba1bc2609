/* SPDX-License-Identifier: MIT */
/* Golden screens of what is done: plans, runs, and what is typed to start one. See model_world.h. */
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

static void big(const char *name)
{
	model_world_golden(&m, name, 120, 36, false);
}

static void small(const char *name)
{
	model_world_golden(&m, name, 80, 24, false);
}

static void act(enum action action, int times)
{
	while (times-- > 0)
		tui_action(&m.t, action, NULL);
}

static void type(const char *text)
{
	for (; *text; text++)
		prompt_key(&m.t, (unsigned char)*text);
}

/* --- Plans ------------------------------------------------------------------------------------ */

static void plan__none_yet(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_PLAN);
	big("plan-none");
}

static void plan__cannot_be_made(void **state)
{
	(void)state;
	model_world_plan_fails(&m);
	model_world_show(&m, STAGING);
	big("plan-error");
	small("plan-error-80x24");
}

static void plan__ready(void **state)
{
	(void)state;
	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	big("plan-ready");
	small("plan-ready-80x24");
	model_world_golden(&m, "plan-ready-ascii", 120, 36, true);
}

static void plan__refused(void **state)
{
	(void)state;
	world_rolled_back(&m.w, PROD, "0004");
	m.w.request = (struct plan_request){ .towards = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	big("plan-refused");
	small("plan-refused-80x24");
	act(ACT_START, 1);
	big("plan-refused-start");
}

static void plan__nothing_to_do(void **state)
{
	(void)state;
	m.w.request = (struct plan_request){ .environment = "staging", .to = "0008" };
	world_rolled_back(&m.w, STAGING, "0008");
	world_applied(&m.w, STAGING, "0008", "9be2d1c3774e");
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	big("plan-nothing");
}

static void plan__back_out(void **state)
{
	(void)state;
	m.w.request = (struct plan_request){ .environment = "production", .last = 2 };
	model_world_plan(&m, OP_ROLLBACK);
	model_world_show(&m, -1);
	big("plan-rollback");
}

static void plan__overridden(void **state)
{
	static const struct plan_override o = { "staging-passed", "hotfix, staging is down" };

	(void)state;
	m.w.request =
		(struct plan_request){ .towards = "staging", .override = &o, .n_override = 1 };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	big("plan-overridden");
}

/* --- Runs ------------------------------------------------------------------------------------- */

static struct run *migrate_run(enum run_state run_state, int current)
{
	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	return model_world_run(&m, OP_MIGRATE, 119, run_state, current);
}

static void watch(struct run *r, const char *name)
{
	model_world_watch(&m, r);
	model_world_show(&m, -1);
	big(name);
}

static void run__running(void **state)
{
	(void)state;
	watch(migrate_run(RUN_RUNNING, 4), "run-running");
	small("run-running-80x24");
	model_world_golden(&m, "run-running-200x50", 200, 50, false);
}

static void run__waiting(void **state)
{
	struct run *r = migrate_run(RUN_WAITING, 0);

	(void)state;
	r->started_utc_ms = 0;
	r->runner_alive = true;
	watch(r, "run-waiting");
}

static void run__done(void **state)
{
	struct run *r = migrate_run(RUN_DONE, 6);

	(void)state;
	r->step[5].state = STEP_DONE;
	r->step[5].took_ms = 30;
	watch(r, "run-done");
}

static void failed_at(struct run *r, int n)
{
	r->step[n - 1].state = STEP_FAILED;
	r->step[n - 1].took_ms = 2100;
	snprintf(r->step[n - 1].text, sizeof(r->step[n - 1].text),
		 "NOT NULL constraint failed: coupons.code");
	snprintf(r->error_msg, sizeof(r->error_msg), "0008 coupons failed");
	snprintf(r->error_detail, sizeof(r->error_detail),
		 "NOT NULL constraint failed: coupons.code, statement 2, line 7 of "
		 "0008_coupons.sql");
	snprintf(r->error_hint, sizeof(r->error_hint),
		 "mend the file, then bascule migrate production --to 0008");
}

static void run__failed(void **state)
{
	struct run *r = migrate_run(RUN_FAILED, 5);

	(void)state;
	failed_at(r, 5);
	watch(r, "run-failed");
	small("run-failed-80x24");
}

static void run__rolled_back(void **state)
{
	struct run *r = migrate_run(RUN_ROLLED_BACK, 5);

	(void)state;
	failed_at(r, 5);
	r->step[3].state = STEP_UNDONE;
	snprintf(r->step[3].text, sizeof(r->step[3].text), "rolled back with its down script");
	watch(r, "run-rolled-back");
}

static void run__paused(void **state)
{
	struct run *r = migrate_run(RUN_PAUSED, 5);

	(void)state;
	failed_at(r, 5);
	r->error_msg[0] = r->error_detail[0] = r->error_hint[0] = '\0';
	r->paused_until_utc_ms = MODEL_WORLD_NOW + 1700000;
	watch(r, "run-paused");
	small("run-paused-80x24");
}

static void run__interrupted(void **state)
{
	(void)state;
	watch(migrate_run(RUN_INTERRUPTED, 5), "run-interrupted");
}

static void run__aborted(void **state)
{
	(void)state;
	watch(migrate_run(RUN_ABORTED, 4), "run-aborted");
}

static void run__damaged_journal(void **state)
{
	struct run *r = migrate_run(RUN_DONE, 6);

	(void)state;
	r->chain.broken = true;
	r->chain.broken_line = 9;
	r->chain.broken_why = "the hash of the line before does not fit";
	watch(r, "run-damaged");
}

static void run__foreign_error__is_harmless(void **state)
{
	struct run *r = migrate_run(RUN_FAILED, 5);

	(void)state;
	failed_at(r, 5);
	snprintf(r->error_detail, sizeof(r->error_detail),
		 "near \"\033[2J\033]52;c;cm0gLXJm\007\": syntax error\r\nrun 119 "
		 "DONE\n\342\200\256evil");
	watch(r, "run-foreign");
}

/* --- Lists ------------------------------------------------------------------------------------ */

static void runs__of_every_state(void **state)
{
	static const enum run_state states[] = { RUN_RUNNING, RUN_PAUSED,      RUN_INTERRUPTED,
						 RUN_FAILED,  RUN_ROLLED_BACK, RUN_ABORTED,
						 RUN_WAITING, RUN_DONE };
	struct run *list[8];

	(void)state;
	model_world_open_gate(&m);
	for (int i = 0; i < 8; i++) {
		m.w.request = (struct plan_request){ .towards = "staging" };
		if (i % 3 == 1)
			m.w.request = (struct plan_request){ .environment = "development" };
		list[i] = model_world_run(&m, OP_MIGRATE, 126 - i, states[i], i == 6 ? 0 : 3);
		list[i]->created_utc_ms -= i * INT64_C(7200000);
		if (states[i] == RUN_WAITING)
			list[i]->started_utc_ms = 0;
	}
	failed_at(list[3], 3);
	model_world_show(&m, -1);
	model_world_runs(&m, list, 8);
	big("runs-120x36");
	small("runs-80x24");
}

static void runs__none(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_RUNS);
	big("runs-reading");
	model_world_runs(&m, NULL, 0);
	big("runs-empty");
}

/* --- What is typed ---------------------------------------------------------------------------- */

static void nothing(struct tui *t, const char *text)
{
	(void)t;
	(void)text;
}

static void confirm__name_half_typed_and_paste_dropped(void **state)
{
	(void)state;
	model_world_open_gate(&m);
	m.w.request = (struct plan_request){ .towards = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	model_world_arm(&m);
	prompt_confirm(&m.t, "production", nothing);
	type("produc");
	big("confirm-120x36");
	small("confirm-80x24");
	model_world_golden(&m, "confirm-ascii", 120, 36, true);
	prompt_key(&m.t, KEYS_PASTE_BEGIN);
	type("tion\r");
	prompt_key(&m.t, KEYS_PASTE_END);
	big("confirm-paste-dropped");
	model_world_golden(&m, "confirm-80x20", 80, 20, false);
}

static void confirm__no_way_back(void **state)
{
	(void)state;
	m.w.request = (struct plan_request){ .environment = "staging" };
	model_world_plan(&m, OP_MIGRATE);
	model_world_show(&m, -1);
	prompt_confirm(&m.t, "staging", nothing);
	big("confirm-no-way-back");
	prompt_yes(&m.t, "migrate on staging, 4 changes?", nothing);
	big("yes");
}

static void palette__completions(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_action(&m.t, ACT_PALETTE, NULL);
	type("s");
	big("palette-many");
	type("ort");
	small("palette-two-80x24");
	type("-");
	big("palette-one");
}

static void filter__while_typed(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	tui_action(&m.t, ACT_FILTER, NULL);
	type("!order");
	big("filter-typing");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(plan__none_yet),
		CASE(plan__cannot_be_made),
		CASE(plan__ready),
		CASE(plan__refused),
		CASE(plan__nothing_to_do),
		CASE(plan__back_out),
		CASE(plan__overridden),
		CASE(run__running),
		CASE(run__waiting),
		CASE(run__done),
		CASE(run__failed),
		CASE(run__rolled_back),
		CASE(run__paused),
		CASE(run__interrupted),
		CASE(run__aborted),
		CASE(run__damaged_journal),
		CASE(run__foreign_error__is_harmless),
		CASE(runs__of_every_state),
		CASE(runs__none),
		CASE(confirm__name_half_typed_and_paste_dropped),
		CASE(confirm__no_way_back),
		CASE(palette__completions),
		CASE(filter__while_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
