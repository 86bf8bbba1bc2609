/* SPDX-License-Identifier: MIT */
/* Golden screens of the view "Database". See model_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/mem.h"
#include "core/engine/details.h"
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

/* The view of production, not read yet. */
static void show(void)
{
	model_world_show(&m, -1);
	tui_action(&m.t, ACT_RIGHT, NULL);
	tui_action(&m.t, ACT_RIGHT, NULL);
	tui_action(&m.t, ACT_VIEW_DATABASE, NULL);
}

static struct event *answer(void)
{
	struct event *ev = event_new(EV_DETAILS, 0);

	snprintf(ev->u.details.env, sizeof(ev->u.details.env), "production");
	return ev;
}

/* Of a server; the caller adds tables and privileges. */
static struct details *server(void)
{
	struct details *d = mem_calloc(1, sizeof(*d));

	arena_init(&d->arena);
	d->at_utc_ms = MODEL_WORLD_NOW;
	d->info = (struct db_info){ .engine = "postgresql",
				    .version = "15.20",
				    .durability = "fsync=on synchronous_commit=on",
				    .size_bytes = (int64_t)6200 << 20,
				    .role = "shop",
				    .zone = "Etc/UTC",
				    .server = "db1:5432" };
	d->history = mem_calloc(1, sizeof(*d->history));
	arena_init(&d->history->arena);
	d->history->format = 2;
	return d;
}

static void add_table(struct details *d, const char *name, int64_t rows, bool exact, int64_t bytes)
{
	mem_grow(&d->table, &d->cap_table, d->n_table + 1, sizeof(*d->table));
	d->table[d->n_table++] =
		(struct db_table){ .name = name, .rows = rows, .exact = exact, .bytes = bytes };
}

static void add_privilege(struct details *d, enum db_privilege_state state, const char *name)
{
	mem_grow(&d->privilege, &d->cap_privilege, d->n_privilege + 1, sizeof(*d->privilege));
	d->privilege[d->n_privilege++] = (struct db_privilege){
		.state = state, .name = name, .words = "what for", .mend = "GRANT it"
	};
}

static void add_fact(struct details *d, const char *name, const char *value)
{
	mem_grow(&d->fact, &d->cap_fact, d->n_fact + 1, sizeof(*d->fact));
	d->fact[d->n_fact++] = (struct details_fact){ name, value };
}

static void add_defect(struct details *d, const char *migration, const char *words)
{
	struct findings *f = &d->defects;

	mem_grow(&f->list, &f->cap, f->n + 1, sizeof(*f->list));
	f->list[f->n++] = (struct finding){ .object = "index public.i",
					    .name = "i",
					    .words = words,
					    .mend = "",
					    .migration = migration };
}

static void tell(struct details *d)
{
	struct event *ev = answer();

	ev->u.details.details = d;
	tui_event(&m.t, ev);
}

static struct details *full(void)
{
	struct details *d = server();

	add_fact(d, "started", "2026-11-18 09:12 UTC");
	add_fact(d, "encoding", "UTF8");
	add_fact(d, "connections", "17 of 100");
	add_privilege(d, DB_PRIVILEGE_HELD, "CREATE on database shop");
	add_privilege(d, DB_PRIVILEGE_BEYOND, "SUPERUSER");
	add_privilege(d, DB_PRIVILEGE_BEYOND, "CREATEDB");
	add_defect(d, "0009", "index orders_mail is invalid: no query uses it");
	add_table(d, "order_items", 48210394, false, (int64_t)3900 << 20);
	add_table(d, "orders", 18400112, false, (int64_t)2100 << 20);
	add_table(d, "customers", 90210, true, (int64_t)40 << 20);
	add_table(d, "archive.events", -1, false, 812345);
	add_table(d, "coupons", 0, true, 8192);
	add_table(d, "legacy", 7, true, -1);
	return d;
}

static void database__at_every_size(void **state)
{
	(void)state;
	show();
	big("details-reading");
	tell(full());
	big("details-120x36");
	small("details-80x24");
	model_world_golden(&m, "details-200x50", 200, 50, false);
	model_world_golden(&m, "details-80x20", 80, 20, false);
	model_world_golden(&m, "details-ascii-80x24", 80, 24, true);
}

static void database__sorted_and_found(void **state)
{
	(void)state;
	show();
	tell(full());
	tui_action(&m.t, ACT_SORT, "rows");
	tui_action(&m.t, ACT_FIND, "order");
	tui_action(&m.t, ACT_FIND_NEXT, NULL);
	big("details-sorted");
}

static void database__empty_file(void **state)
{
	struct details *d = server();

	(void)state;
	show();
	d->info = (struct db_info){ .engine = "sqlite",
				    .version = "3.40.1",
				    .durability = "journal_mode=delete synchronous=full",
				    .size_bytes = 4096 };
	d->history->format = 0;
	tell(d);
	big("details-empty");
	small("details-empty-80x24");
}

static void database__troubles(void **state)
{
	static const char *const heads[] = { "4f1c09", "9be2d1" };
	struct details *d = server();

	(void)state;
	show();
	d->info.read_only = true;
	d->history->tool = "alembic";
	d->history->table = "alembic_version";
	d->history->head = heads;
	d->history->n_head = 2;
	d->holder = (struct lock_holder){ .who = "alice",
					  .host = "laptop",
					  .run = "118-9f3c2a",
					  .since_utc_ms = MODEL_WORLD_NOW - 392000,
					  .held = true };
	add_privilege(d, DB_PRIVILEGE_MISSING, "CREATE on schema public");
	add_privilege(d, DB_PRIVILEGE_MISSING, "owner of 3 tables of admin");
	add_defect(d, NULL,
		   "constraint paid of orders is not validated: old rows were never checked");
	add_table(d, "orders", 12, true, 16384);
	tell(d);
	big("details-troubles");
	small("details-troubles-80x24");
}

static void database__foreign_bytes(void **state)
{
	struct details *d = server();

	(void)state;
	show();
	str_copy(d->info.role, sizeof(d->info.role), "r\xc3\xb6le\x1b[31m");
	add_table(d, "\xe6\xb3\xa8\xe6\x96\x87", 3, true, 16384);
	add_table(d, "a\nb\x1b[2J\xff", 3, true, 8192);
	add_table(d,
		  "a name of a table that is longer than any room that a screen of eighty columns "
		  "has for it",
		  3, true, 4096);
	tell(d);
	big("details-foreign");
	small("details-foreign-80x24");
}

static void database__cannot_be_read(void **state)
{
	struct event *ev = answer();

	(void)state;
	show();
	err_set(&ev->err, ERR_TIMEOUT, "cannot connect to postgresql://db1/shop");
	err_detail(&ev->err, "no answer for 10 s");
	err_hint(&ev->err, "bascule check");
	tui_event(&m.t, ev);
	big("details-error");
	small("details-error-80x24");
}

static void database__answer_for_another__is_dropped(void **state)
{
	struct event *ev = event_new(EV_DETAILS, 0);

	(void)state;
	show();
	snprintf(ev->u.details.env, sizeof(ev->u.details.env), "staging");
	ev->u.details.details = full();
	tui_event(&m.t, ev);
	assert_null(m.t.model.details);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(database__at_every_size),
		CASE(database__sorted_and_found),
		CASE(database__empty_file),
		CASE(database__troubles),
		CASE(database__foreign_bytes),
		CASE(database__cannot_be_read),
		CASE(database__answer_for_another__is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
