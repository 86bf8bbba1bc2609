/* SPDX-License-Identifier: MIT */
/* Golden screens of what there is: environments, migrations, audit, help. See model_world.h. */
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

/* Environments, the right-most selected. */
static void show_production(void)
{
	model_world_show(&m, -1);
	act(ACT_RIGHT, 2);
}

/* --- Environments ----------------------------------------------------------------------------- */

static void envs__before_anything_was_read(void **state)
{
	(void)state;
	big("envs-reading");
}

static void envs__at_every_size(void **state)
{
	(void)state;
	show_production();
	big("envs-120x36");
	small("envs-80x24");
	model_world_golden(&m, "envs-200x50", 200, 50, false);
	model_world_golden(&m, "envs-ascii", 120, 36, true);
	model_world_golden(&m, "envs-80x20", 80, 20, false);
	model_world_golden(&m, "small-79x24", 79, 24, false);
	model_world_golden(&m, "small-10x3", 10, 3, false);
}

static void envs__all_gates_open(void **state)
{
	(void)state;
	model_world_open_gate(&m);
	show_production();
	big("envs-ready");
}

static void envs__database_cannot_be_read(void **state)
{
	(void)state;
	model_world_show(&m, STAGING);
	act(ACT_RIGHT, 1);
	big("envs-unreachable");
	small("envs-unreachable-80x24");
	act(ACT_RIGHT, 1);
	big("envs-stage-before-unreachable");
}

static void envs__files_cannot_be_read(void **state)
{
	(void)state;
	model_world_show_no_source(&m);
	big("envs-no-source");
}

static void envs__locked_and_armed(void **state)
{
	struct lock_holder *h = m.w.facts.holder;

	(void)state;
	*h = (struct lock_holder){ .who = "alice",
				   .host = "laptop",
				   .run = "118-9f3c2a",
				   .since_utc_ms = MODEL_WORLD_NOW - 392000,
				   .held = true,
				   .alive = true };
	show_production();
	model_world_arm(&m);
	act(ACT_DOWN, 7);
	big("envs-locked-armed");
	small("envs-locked-armed-80x24");
}

static void envs__old_data(void **state)
{
	(void)state;
	show_production();
	(void)model_tick(&m.t.model, MODEL_WORLD_NOW + 185000);
	big("envs-old");
}

static void envs__every_mark_of_the_matrix(void **state)
{
	(void)state;
	world_failed(&m.w, DEV, "0011", "t11")->error = "UNIQUE constraint failed: audit.id";
	world_remove_file(&m.w, "0002");
	world_rolled_back(&m.w, PROD, "0004");
	show_production();
	big("envs-troubles");
}

/* --- Migrations ------------------------------------------------------------------------------- */

static const char script_0008[] = "CREATE TABLE coupons (\n"
				  "    id INTEGER PRIMARY KEY,\n"
				  "    code TEXT NOT NULL UNIQUE,\n"
				  "    percent INTEGER NOT NULL CHECK (percent BETWEEN 1 AND 90),\n"
				  "    valid_until TEXT\n"
				  ");\n"
				  "CREATE INDEX coupons_valid ON coupons (valid_until);\n";

static const char stored_0008[] = "CREATE TABLE coupons (\n"
				  "    id INTEGER PRIMARY KEY,\n"
				  "    code TEXT NOT NULL,\n"
				  "    percent INTEGER NOT NULL CHECK (percent BETWEEN 1 AND 90)\n"
				  ");\n";

static void matrix__at_every_size(void **state)
{
	(void)state;
	show_production();
	tui_show(&m.t, VIEW_MATRIX);
	act(ACT_DOWN, 4);
	model_world_script(&m, PROD, "0008", script_0008, NULL);
	big("matrix-120x36");
	small("matrix-80x24");
	model_world_golden(&m, "matrix-200x50", 200, 50, false);
	model_world_golden(&m, "matrix-ascii-80x24", 80, 24, true);
	act(ACT_OPEN, 1);
	big("matrix-opened");
}

static void matrix__changed__shows_was_and_now(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	act(ACT_RIGHT, 1);
	act(ACT_DOWN, 4);
	model_world_script(&m, STAGING, "0008", script_0008, stored_0008);
	big("matrix-changed");
	small("matrix-changed-80x24");
	act(ACT_COMPARE, 1);
	big("matrix-changed-file");
}

static void matrix__failed_late_missing(void **state)
{
	(void)state;
	world_failed(&m.w, DEV, "0011", "t11")->error =
		"UNIQUE constraint failed: audit.id, statement 3";
	world_remove_file(&m.w, "0002");
	world_rolled_back(&m.w, PROD, "0004");
	world_accepted(&m.w, STAGING, "0005", "t5")->error = "only a comment";
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	act(ACT_DOWN, 1);
	model_world_script(&m, DEV, "0011", script_0008, NULL);
	big("matrix-troubles");
	act(ACT_LAST, 1);
	act(ACT_UP, 1);
	model_world_script(&m, DEV, "0002", NULL, stored_0008);
	big("matrix-missing");
}

static void matrix__environment_unreadable(void **state)
{
	(void)state;
	model_world_show(&m, STAGING);
	tui_show(&m.t, VIEW_MATRIX);
	big("matrix-unreachable");
}

static void matrix__files_cannot_be_read(void **state)
{
	(void)state;
	model_world_show_no_source(&m);
	tui_show(&m.t, VIEW_MATRIX);
	big("matrix-no-source");
}

static void matrix__no_migrations(void **state)
{
	char id[8];

	(void)state;
	for (int i = 1; i <= 12; i++) {
		snprintf(id, sizeof(id), "%04d", i);
		world_remove_file(&m.w, id);
		for (int env = 0; env < WORLD_ENVS; env++)
			m.w.facts.history[env]->n = m.w.facts.history[env]->n_applied = 0;
	}
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	big("matrix-empty");
}

static void matrix__many__old_equal_ones_are_folded(void **state)
{
	(void)state;
	for (int i = 13; i <= 60; i++) {
		const char *id = arena_printf(&m.w.arena, "%04d", i);

		world_file(&m.w, id, arena_printf(&m.w.arena, "change %d", i), id);
	}
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	act(ACT_LAST, 1);
	big("matrix-folded");
}

static void matrix__found_filtered_marked(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	act(ACT_MARK, 1);
	act(ACT_DOWN, 1);
	act(ACT_MARK, 1);
	tui_action(&m.t, ACT_FIND, "order");
	big("matrix-found-marked");
	tui_action(&m.t, ACT_FILTER, "differs");
	tui_action(&m.t, ACT_SORT, "name");
	big("matrix-filtered-sorted");
	tui_action(&m.t, ACT_FILTER, "no such thing");
	big("matrix-filtered-away");
}

static void matrix__foreign_text__is_harmless(void **state)
{
	struct migration *list = m.w.facts.source->list;

	(void)state;
	list[11].title = "evil \033[2J\033]0;pwned\007 \342\200\256reversed \r\n second line";
	list[10].title = "\346\225\260\346\215\256\345\272\223 \350\277\201\347\247\273 wide";
	list[9].title = "n\314\203o combining, \303\244\303\266\303\274, \360\237\230\200 and a "
			"title so long "
			"that it cannot be shown in its column";
	list[8].title = "\377\376 not UTF-8 \200";
	list[7].title = ">#PRODUCTION  ok  nothing to see here";
	world_failed(&m.w, DEV, "0012", "t12")->error =
		"near \"\033[31mDROP\033[0m\": syntax error\n#PRODUCTION ok\n";
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	model_world_script(
		&m, DEV, "0012",
		"SELECT '\033[H\033[2J';\r\n\tINSERT INTO t VALUES ('\303\244', '\346\225\260');\n"
		"-- \342\200\256 sdrawkcab\nSELECT 1;\n",
		NULL);
	big("matrix-foreign");
	small("matrix-foreign-80x24");
	model_world_golden(&m, "matrix-foreign-ascii", 120, 36, true);
}

/* --- Audit and help --------------------------------------------------------------------------- */

static void audit__of_every_kind(void **state)
{
	static const struct history_event more[] = {
		{ .id = "0008",
		  .title = "coupons",
		  .kind = EVENT_ROLLED_BACK,
		  .who = "bob",
		  .host = "laptop",
		  .run = "117-9f3c2a",
		  .at_utc_ms = MODEL_WORLD_NOW - 500000,
		  .took_ms = 80 },
		{ .id = "0008",
		  .title = "coupons",
		  .kind = EVENT_FAILED,
		  .attempt = 1,
		  .who = "bob",
		  .host = "laptop",
		  .run = "118-9f3c2a",
		  .at_utc_ms = MODEL_WORLD_NOW - 400000,
		  .error = "table coupons already exists" },
		{ .id = "0008",
		  .title = "coupons",
		  .kind = EVENT_FAILED,
		  .down = true,
		  .attempt = 2,
		  .who = "bob",
		  .host = "laptop",
		  .at_utc_ms = MODEL_WORLD_NOW - 350000,
		  .error = "near \"\033[2JDROP\": syntax error" },
		{ .id = "0005",
		  .title = "order indexes",
		  .kind = EVENT_ACCEPTED,
		  .who = "erin",
		  .host = "laptop",
		  .at_utc_ms = MODEL_WORLD_NOW - 300000,
		  .error = "only a comment" },
		{ .id = "0007",
		  .title = "inventory",
		  .kind = EVENT_BASELINED,
		  .who = "alice",
		  .host = "laptop",
		  .at_utc_ms = MODEL_WORLD_NOW - 200000 },
		{ .id = "20261121T130732Z-118-9f3c2a",
		  .title = "",
		  .kind = EVENT_RESTORED,
		  .who = "alice",
		  .host = "laptop",
		  .run = "119-9f3c2a",
		  .at_utc_ms = MODEL_WORLD_NOW - 100000,
		  .took_ms = 61000 },
	};

	(void)state;
	show_production();
	tui_show(&m.t, VIEW_AUDIT);
	big("audit-reading");
	model_world_events(&m, PROD, more, sizeof(more) / sizeof(more[0]));
	big("audit-120x36");
	small("audit-80x24");
}

static void audit__nothing_or_nothing_readable(void **state)
{
	struct event *ev = event_new(EV_EVENTS, 0);

	(void)state;
	m.w.facts.history[PROD]->n = 0;
	show_production();
	tui_show(&m.t, VIEW_AUDIT);
	model_world_events(&m, PROD, NULL, 0);
	big("audit-empty");
	snprintf(ev->u.events.env, sizeof(ev->u.events.env), "production");
	err_set(&ev->err, ERR_CORRUPT, "the database of production is damaged");
	err_detail(&ev->err, "/srv/shop/production.db: database disk image is malformed");
	err_hint(&ev->err, "bascule backups production lists what can be restored");
	tui_event(&m.t, ev);
	big("audit-error");
}

static void help__of_migrations(void **state)
{
	(void)state;
	model_world_show(&m, -1);
	tui_show(&m.t, VIEW_MATRIX);
	tui_show(&m.t, VIEW_HELP);
	big("help-120x36");
	small("help-80x24");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(envs__before_anything_was_read),
		CASE(envs__at_every_size),
		CASE(envs__all_gates_open),
		CASE(envs__database_cannot_be_read),
		CASE(envs__files_cannot_be_read),
		CASE(envs__locked_and_armed),
		CASE(envs__old_data),
		CASE(envs__every_mark_of_the_matrix),
		CASE(matrix__at_every_size),
		CASE(matrix__changed__shows_was_and_now),
		CASE(matrix__failed_late_missing),
		CASE(matrix__environment_unreadable),
		CASE(matrix__files_cannot_be_read),
		CASE(matrix__no_migrations),
		CASE(matrix__many__old_equal_ones_are_folded),
		CASE(matrix__found_filtered_marked),
		CASE(matrix__foreign_text__is_harmless),
		CASE(audit__of_every_kind),
		CASE(audit__nothing_or_nothing_readable),
		CASE(help__of_migrations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
