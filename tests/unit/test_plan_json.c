/* SPDX-License-Identifier: MIT */
#include "core/base/json.h"
#include "core/release/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/release/seeds.h"
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
	static struct seed seed = { .id = "dev/1.sql",
				    .path = "/s/dev/1.sql",
				    .checksum = "s1:ab" };
	static const struct seeds seeds = { .list = &seed, .n = 1 };
	static const struct plan_override o = { "late", "it's \"urgent\"\n" };

	world_fill(&w, 5, 5, 5, 3);
	w.facts.source->list[3].down = DOWN_NONE;
	w.facts.source->list[4].title = "caf\303\251 \342\202\254";
	w.facts.source->list[4].no_transaction = true;
	w.project.schema_version = "1.{n}.0";
	w.project.state_files = true;
	w.request.seeds = &seeds;
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

static void freeze__keeps_all_of_a_server__but_what_is_secret(void **state)
{
	struct env_var var[] = { { "API_TOKEN", "CANARY-var" } };
	struct env *env = &w.project.env[PROD];
	struct env_secret secret[] = {
		{ "production", "postgresql://app@h1:1,h2/shop", "CANARY-again", var, 1 },
	};
	struct env_secrets all = { secret, 1 };
	struct plan *back;
	struct err e;
	char *text;
	json_t *j;

	(void)state;
	assert_int_equal(dsn_parse(&w.arena,
				   "postgresql://app:CANARY-pw@h1:1,h2/shop?sslmode=require", "/",
				   &env->dsn, &e),
			 0);
	env->password_from = "env:PW";
	env->history = "dbmate";
	env->statement_timeout_ms = 900000;
	env->connect_timeout_ms = 3000;
	env->var = var;
	env->n_var = 1;
	w.project.seeds = "/srv/shop/seeds";
	w.project.migrate_command = "python3 -m alembic";
	plan_rich(OP_MIGRATE);
	/* In this process the plan has them. */
	assert_string_equal(w.plan->env.dsn.password, "CANARY-pw");
	assert_ptr_equal(w.plan->env.var, var);
	text = freeze_text(w.plan);
	assert_null(strstr(text, "CANARY"));
	assert_null(strstr(text, "API_TOKEN"));
	j = parse(text);
	assert_int_equal(plan_thaw(j, &back, &e), 0);
	json_decref(j);
	assert_string_equal(back->env.dsn.engine, "postgresql");
	assert_null(back->env.dsn.path);
	assert_string_equal(back->env.dsn.host, "h1,h2");
	assert_string_equal(back->env.dsn.port, "1,");
	assert_string_equal(back->env.dsn.user, "app");
	assert_string_equal(back->env.dsn.database, "shop");
	assert_int_equal(back->env.dsn.n_option, 1);
	assert_string_equal(back->env.dsn.option[0].name, "sslmode");
	assert_string_equal(back->env.dsn.option[0].value, "require");
	assert_string_equal(back->env.password_from, "env:PW");
	assert_string_equal(back->env.history, "dbmate");
	assert_int_equal(back->env.statement_timeout_ms, 900000);
	assert_int_equal(back->env.connect_timeout_ms, 3000);
	assert_string_equal(back->seeds_dir, "/srv/shop/seeds");
	assert_string_equal(back->migrate_command, "python3 -m alembic");
	assert_null(back->env.dsn.password);
	assert_null(back->env.var);
	/* Whoever opens the run has them again, if it is the same database. */
	env_take_secrets(&back->gate_env, &all);
	assert_null(back->gate_env.dsn.password);
	env_take_secrets(&back->env, &all);
	assert_string_equal(back->env.dsn.password, "CANARY-again");
	assert_int_equal(back->env.n_var, 1);
	plan_free(back);
	mem_free(text);
}

static void freeze__carries__how_the_database_is_reached(void **state)
{
	static const struct host_spec via = { .name = "deploy@app1:22",
					      .transport = HOST_OPENSSH,
					      .connect_timeout_ms = 3000,
					      .alive_ms = 2000 };
	static const char *const bad[] = { "", "-oProxyCommand=x" };
	char long_name[HOST_NAME_SIZE + 8];
	struct plan *back;
	struct err e;
	json_t *j, *frozen;

	(void)state;
	plan_rich(OP_MIGRATE);
	j = plan_freeze(w.plan);
	assert_null(json_object_get(json_object_get(j, "target_environment"), "database_via"));
	json_decref(j);
	w.plan->env.database_via = &via;
	j = plan_freeze(w.plan);
	assert_int_equal(plan_thaw(j, &back, &e), 0);
	assert_string_equal(back->env.database_via->name, via.name);
	assert_int_equal(back->env.database_via->transport, HOST_OPENSSH);
	assert_int_equal(back->env.database_via->connect_timeout_ms, 3000);
	assert_int_equal(back->env.database_via->alive_ms, 2000);
	assert_null(back->gate_env.database_via);
	plan_free(back);
	frozen = json_object_get(json_object_get(j, "target_environment"), "database_via");
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < 3; i++) {
		json_object_set_new(frozen, "name", json_string(i < 2 ? bad[i] : long_name));
		assert_int_equal(plan_thaw(j, &back, &e), -1);
		assert_int_equal(e.code, ERR_INPUT);
	}
	json_decref(j);
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

/* Members that plans of an earlier version do not have. */
static bool may_be_missing(const char *name)
{
	static const char *const names[] = {
		"seeds_dir",
		"migrate_command",
		"tool",
		"run",
		"run_undo",
		"gate_checksum",
		"statement",
		"statements",
		"statement_down",
		"statement_done",
		"host",
		"port",
		"user",
		"database",
		"socket",
		"password_from",
		"history",
		"statement_timeout_ms",
		"connect_timeout_ms",
		"options",
		"tool",
		"run",
		"run_undo",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
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
		if (plan_thaw(root, &back, &e) == 0) {
			if (!may_be_missing(name))
				fail_msg("accepted without %s", name);
			plan_free(back);
			back = NULL;
		} else if (may_be_missing(name)) {
			fail_msg("refused without %s: %s", name, e.msg);
		}
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
		CASE(freeze__keeps_all_of_a_server__but_what_is_secret),
		CASE(freeze__carries__how_the_database_is_reached),
		CASE(thaw__has_no_gate_environment__when_nothing_is_required),
		CASE(thaw__refuses__what_is_missing_or_of_another_type),
		CASE(thaw__refuses__unknown_words_numbers_and_formats),
		CASE(document__has_the_promised_members),
		CASE(document__cleans__what_is_not_utf_8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
