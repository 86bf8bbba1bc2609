/* SPDX-License-Identifier: MIT */
#include "core/base/json.h"
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

/* What mark is about: a migration that stopped behind its first statement. */
static void partial(void)
{
	struct applied *a = world_failed(&w, 2, "0004", "text");

	a->partial = true;
	a->statements_done = 1;
	a->statements_total = 3;
	w.request.only = "0004";
	w.request.statement = 2;
	w.request.statement_done = true;
}

/* A plan with something in every field: overrides, notes, a missing down, labels, a state file. */
static void plan_rich(enum operation op)
{
	static const struct plan_override o = { "late", "it's \"urgent\"\n" };

	world_fill(&w, 5, 5, 5, 3);
	w.facts.source->list[3].down = DOWN_NONE;
	w.facts.source->list[4].title = "caf\303\251 \342\202\254";
	w.facts.source->list[4].no_transaction = true;
	w.project.schema_version = "1.{n}.0";
	w.project.state_files = true;
	w.request.last = 2;
	w.request.only = "0001";
	w.request.reason = "why";
	w.request.backup = "20261121T140732Z-118";
	w.request.backup_path = "/b/20261121T140732Z-118";
	if (op == OP_MIGRATE) {
		w.request.override = &o;
		w.request.n_override = 1;
	}
	if (op == OP_MARK)
		partial();
	if (op == OP_ACCEPT)
		snprintf(w.facts.source->list[0].checksum, CHECKSUM_SIZE, "s1:edited");
	if (world_plan(&w, op) < 0)
		fail_msg("%s (%s)", w.e.msg, w.e.detail);
}

static char *freeze_text(const struct plan *p)
{
	struct strbuf b;
	json_t *j = plan_freeze(p);

	strbuf_init(&b, STRBUF_NO_LIMIT);
	json_write(&b, j);
	json_decref(j);
	return strbuf_detach(&b);
}

static json_t *parse(const char *text)
{
	struct err e;
	json_t *j = json_parse(sv_of(text), "plan", &e);

	if (!j)
		fail_msg("%s", e.msg);
	return j;
}

static void freeze__comes_back_the_same__for_every_operation(void **state)
{
	(void)state;
	for (int op = 0; op < OP_KINDS; op++) {
		char *first, *second;
		struct plan *back;
		struct err e;
		json_t *j;

		world_clear(&w);
		world_init(&w);
		plan_rich((enum operation)op);
		first = freeze_text(w.plan);
		j = parse(first);
		assert_int_equal(plan_thaw(j, &back, &e), 0);
		json_decref(j);
		second = freeze_text(back);
		assert_string_equal(first, second);
		plan_free(back);
		mem_free(first);
		mem_free(second);
	}
}

static void thaw__keeps__what_the_runner_needs(void **state)
{
	struct plan *back;
	struct err e;
	json_t *j;

	(void)state;
	plan_rich(OP_MIGRATE);
	j = plan_freeze(w.plan);
	assert_int_equal(plan_thaw(j, &back, &e), 0);
	json_decref(j);
	assert_int_equal(back->op, OP_MIGRATE);
	assert_int_equal(back->n_step, w.plan->n_step);
	assert_int_equal(back->n_change, 2);
	assert_string_equal(back->env.dsn.path, "/srv/shop/production.db");
	assert_string_equal(back->gate_env.name, "staging");
	assert_int_equal(back->env.backup, BACKUP_BEFORE_MIGRATE);
	assert_int_equal(back->env.lock_stale_ms, 120000);
	assert_string_equal(back->override[0].reason, "it's \"urgent\"\n");
	assert_string_equal(back->step[4].title, "caf\303\251 \342\202\254");
	assert_string_equal(back->step[4].version, "1.5.0");
	assert_true(back->step[4].no_transaction);
	assert_null(back->step[3].down_checksum);
	assert_true(back->step[3].no_return);
	assert_null(back->step[0].id);
	assert_int_equal(back->base_count, 3);
	assert_null(back->run);
	plan_free(back);
}

static void thaw__has_no_gate_environment__when_nothing_is_required(void **state)
{
	struct plan *back;
	struct err e;
	json_t *j;

	(void)state;
	w.project.env[PROD].requires = NULL;
	plan_rich(OP_BASELINE);
	j = plan_freeze(w.plan);
	assert_int_equal(plan_thaw(j, &back, &e), 0);
	assert_null(back->gate_env.name);
	json_decref(j);
	plan_free(back);
}

/* Every member of an object, one at a time, missing and of another type: never accepted, never a
 * crash. */
static void spoil_members(json_t *root, json_t *object)
{
	json_t *keys = json_copy(object),
	       *value; /* a member set again goes to the end of its object */
	const char *name;

	json_object_foreach(keys, name, value)
	{
		struct plan *back = NULL;
		struct err e;

		json_object_del(object, name);
		if (plan_thaw(root, &back, &e) == 0)
			fail_msg("accepted without %s", name);
		json_object_set_new(object, name, json_real(1.5));
		if (plan_thaw(root, &back, &e) == 0)
			fail_msg("accepted a number with a point as %s", name);
		assert_true(e.code == ERR_INPUT);
		json_object_set(object, name, value);
	}
	json_decref(keys);
}

static void thaw__refuses__what_is_missing_or_of_another_type(void **state)
{
	struct plan *back;
	struct err e;
	json_t *j;

	(void)state;
	plan_rich(OP_MIGRATE);
	j = plan_freeze(w.plan);
	spoil_members(j, j);
	spoil_members(j, json_array_get(json_object_get(j, "steps"), 3));
	spoil_members(j, json_array_get(json_object_get(j, "gates"), 0));
	spoil_members(j, json_array_get(json_object_get(j, "overrides"), 0));
	spoil_members(j, json_object_get(j, "target_environment"));
	spoil_members(j, json_object_get(j, "gate_environment"));
	assert_int_equal(plan_thaw(j, &back, &e), 0);
	plan_free(back);
	json_decref(j);
}

static void assert_refused(json_t *j, enum err_code code)
{
	struct plan *back = NULL;
	struct err e;

	assert_int_equal(plan_thaw(j, &back, &e), -1);
	assert_int_equal(e.code, code);
	assert_null(back);
}

static void thaw__refuses__unknown_words_numbers_and_formats(void **state)
{
	json_t *j, *step;

	(void)state;
	plan_rich(OP_MIGRATE);
	j = plan_freeze(w.plan);
	step = json_array_get(json_object_get(j, "steps"), 3);
	json_put_str(step, "kind", "teleport");
	assert_refused(j, ERR_INPUT);
	json_put_str(step, "kind", "migrate");
	json_put_int(step, "n", 9);
	assert_refused(j, ERR_INPUT);
	json_put_int(step, "n", 4);
	json_put_str(step, "id", NULL);
	assert_refused(j, ERR_INPUT);
	json_put_str(step, "id", "0004");
	json_put_int(j, "changes", -1);
	assert_refused(j, ERR_INPUT);
	json_put_int(j, "changes", 2);
	json_put_int(j, "format", 2);
	assert_refused(j, ERR_UNSUPPORTED);
	json_decref(j);
	j = json_array();
	assert_refused(j, ERR_INPUT);
	json_decref(j);
}

static void document__has_the_promised_members(void **state)
{
	json_t *j, *gate, *step;

	(void)state;
	plan_rich(OP_MIGRATE);
	j = plan_json(w.plan);
	assert_string_equal(json_string_value(json_object_get(j, "operation")), "migrate");
	assert_string_equal(json_string_value(json_object_get(j, "environment")), "production");
	assert_true(json_is_null(json_object_get(j, "release")));
	gate = json_array_get(json_object_get(j, "gates"), 2);
	assert_string_equal(json_string_value(json_object_get(gate, "name")), "staging-passed");
	assert_true(json_is_true(json_object_get(gate, "open")));
	assert_non_null(json_object_get(gate, "rule"));
	assert_non_null(json_object_get(gate, "measured"));
	assert_non_null(json_object_get(gate, "satisfy"));
	step = json_array_get(json_object_get(j, "steps"), 3);
	assert_int_equal(json_integer_value(json_object_get(step, "n")), 4);
	assert_string_equal(json_string_value(json_object_get(step, "name")), "migrate");
	assert_string_equal(json_string_value(json_object_get(step, "what")),
			    "apply 0004 change 4");
	assert_string_equal(json_string_value(json_object_get(step, "undo")),
			    "stays applied: it has no down");
	assert_true(json_is_true(json_object_get(step, "point_of_no_return")));
	assert_true(json_is_array(json_object_get(step, "commands")));
	json_decref(j);
}

static void document__cleans__what_is_not_utf_8(void **state)
{
	json_t *j;
	char *text;

	(void)state;
	world_file(&w, "0001", "bad \377 name", "t1");
	assert_int_equal(world_plan(&w, OP_MIGRATE), 0);
	j = plan_json(w.plan);
	text = json_dumps(j, 0);
	assert_non_null(text);
	assert_non_null(strstr(text, "bad \\\\xFF name"));
	free(text);
	json_decref(j);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(freeze__comes_back_the_same__for_every_operation),
		CASE(thaw__keeps__what_the_runner_needs),
		CASE(thaw__has_no_gate_environment__when_nothing_is_required),
		CASE(thaw__refuses__what_is_missing_or_of_another_type),
		CASE(thaw__refuses__unknown_words_numbers_and_formats),
		CASE(document__has_the_promised_members),
		CASE(document__cleans__what_is_not_utf_8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
