/* SPDX-License-Identifier: MIT */
#include "core/release/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/golden.h"
#include "tests/support/plan_world.h"

static struct world w;

static int setup(void **state)
{
	static const char *const title[] = { "create customers", "create orders",
					     "add order status", "backfill order status",
					     "index orders by status" };

	(void)state;
	world_init(&w);
	world_fill(&w, 5, 5, 5, 2);
	for (size_t i = 0; i < 5; i++)
		w.facts.source->list[i].title = title[i];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_clear(&w);
	return 0;
}

static void show(enum operation op, const char *name)
{
	struct strbuf b;

	if (world_plan(&w, op) < 0)
		fail_msg("%s (%s)", w.e.msg, w.e.detail);
	strbuf_init(&b, STRBUF_NO_LIMIT);
	plan_text(w.plan, &b);
	golden_compare(name, strbuf_str(&b));
	strbuf_clear(&b);
}

static void plan_text__of_a_migrate__with_all_gates_open(void **state)
{
	(void)state;
	w.facts.source->list[3].down = DOWN_NONE;
	world_applied(&w, STAGING, "0004", "t4")->took_ms = 38000;
	show(OP_MIGRATE, "plan/migrate.txt");
}

static void plan_text__of_a_migrate__refused_by_many(void **state)
{
	(void)state;
	world_rolled_back(&w, STAGING, "0005");
	world_rolled_back(&w, PROD, "0001");
	snprintf(w.facts.source->list[1].checksum, CHECKSUM_SIZE, "s1:edited");
	world_failed(&w, PROD, "0003", "t3");
	*w.facts.holder = (struct lock_holder){ .who = "alice",
						.host = "laptop",
						.run = "118-9f3c2a",
						.since_utc_ms = 1795269660000,
						.held = true };
	show(OP_MIGRATE, "plan/refused.txt");
}

static void plan_text__of_a_migrate__with_an_override(void **state)
{
	static const struct plan_override o = { "late", "0001 only adds a comment" };

	(void)state;
	world_rolled_back(&w, PROD, "0001");
	w.request.override = &o;
	w.request.n_override = 1;
	show(OP_MIGRATE, "plan/overridden.txt");
}

static void plan_text__of_a_migrate__with_nothing_to_do(void **state)
{
	(void)state;
	w.request.environment = "development";
	show(OP_MIGRATE, "plan/nothing.txt");
}

static void plan_text__of_a_rollback(void **state)
{
	(void)state;
	w.request.last = 2;
	show(OP_ROLLBACK, "plan/rollback.txt");
}

static void plan_text__of_a_baseline(void **state)
{
	(void)state;
	w.project.state_files = true;
	show(OP_BASELINE, "plan/baseline.txt");
}

static void plan_text__of_an_accept(void **state)
{
	(void)state;
	snprintf(w.facts.source->list[1].checksum, CHECKSUM_SIZE, "s1:edited");
	w.request.environment = "development";
	w.request.only = "0002";
	w.request.reason = "a comment was mended";
	show(OP_ACCEPT, "plan/accept.txt");
}

static void plan_text__of_a_restore(void **state)
{
	(void)state;
	w.request.backup = "20261121T140732Z-118";
	w.request.backup_path = "/b/20261121T140732Z-118";
	show(OP_RESTORE, "plan/restore.txt");
}

static void plan_text__of_foreign_names__shows_them_harmless(void **state)
{
	(void)state;
	w.facts.source->list[2].title = "evil \033[2J\342\200\256 \r\n title";
	w.facts.source->list[3].title = "\344\270\255\346\226\207 wide";
	w.facts.source->list[4].title =
		"a very long title that goes on and on and on until it is past the"
		" column of the others";
	show(OP_MIGRATE, "plan/foreign.txt");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(plan_text__of_a_migrate__with_all_gates_open),
		CASE(plan_text__of_a_migrate__refused_by_many),
		CASE(plan_text__of_a_migrate__with_an_override),
		CASE(plan_text__of_a_migrate__with_nothing_to_do),
		CASE(plan_text__of_a_rollback),
		CASE(plan_text__of_a_baseline),
		CASE(plan_text__of_an_accept),
		CASE(plan_text__of_a_restore),
		CASE(plan_text__of_foreign_names__shows_them_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
