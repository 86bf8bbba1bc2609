/* SPDX-License-Identifier: MIT */
/*
 * The command line as scripts use it: exit statuses, JSON shapes, refusals and the commands they
 * name. Every case runs the real program on a copy of the demo.
 *
 * time-limit: 240
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/shop.h"

/* --- Words and statuses ----------------------------------------------------------------------- */

struct usage_case {
	const char *line;
	int status;
	const char *err; /* what stderr must hold */
};

static void run_cases(const struct usage_case *list, size_t n)
{
	struct shop s;
	size_t i;

	shop_open(&s);
	for (i = 0; i < n; i++) {
		shop_expect(&s, list[i].status, list[i].line);
		if (list[i].err != NULL)
			shop_err_has(&s, list[i].err);
	}
	shop_close(&s);
}

static void usage__gets_2__with_the_nearest_name(void **state)
{
	static const struct usage_case cases[] = {
		{ "bascule frobnicate", 2, "cannot understand the command frobnicate" },
		{ "bascule migrat", 2, "did you mean `migrate`?" },
		{ "bascule deploy production", 2, "is not in this version" },
		{ "bascule approve 1", 2, "is not in this version" },
		{ "bascule migrate", 2, "usage: bascule migrate ENV" },
		{ "bascule migrate staging twice", 2, "fewer words" },
		{ "bascule migrate stagin", 2, "did you mean staging?" },
		{ "bascule migrate staging --too 1", 2, "did you mean --to?" },
		{ "bascule migrate staging --to", 2, "wants a value" },
		{ "bascule migrate staging --yes=1", 2, "takes no value" },
		{ "bascule migrate staging --wait=soon", 2, "not a length of time" },
		{ "bascule status --yes", 2, "does not take --yes" },
		{ "bascule rollback staging last none", 2, "write a number" },
		{ "bascule rollback staging release 1", 2, "how far" },
		{ "bascule rollback staging to-version 9.9.9", 2, "9.9.9" },
		{ "bascule rollback staging last 1 --down=stored", 2, "--down=file" },
		{ "bascule migrate staging --override changed", 2, "without a reason" },
		{ "bascule migrate staging --override nonsense --reason x", 2, "nonsense" },
		{ "bascule accept staging 0008", 2, "reason" },
		{ "bascule skip 1", 2, "without a reason" },
		{ "bascule plan fly staging", 2, "cannot plan fly" },
		{ "bascule plan accept staging", 2, "wants the migration's id" },
		{ "bascule run 1", 2, "cannot run by hand" },
		{ "bascule completion tcsh", 2, "no completion" },
		{ "bascule --print-docs poems", 2, "no part poems" },
		{ "cd / && bascule status", 2, "cannot find a configuration" },
		{ "bascule -c /no/such/file status", 2, "cannot read the configuration" },
		{ "bascule -c / status", 2, "it is a folder" },
	};

	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void refusals__get_their_status__without_touching_anything(void **state)
{
	static const struct usage_case cases[] = {
		{ "bascule migrate staging --yes", 3, "gate changed is closed" },
		{ "bascule migrate production --confirm production", 3,
		  "gate staging-passed is closed" },
		{ "bascule rollback development last 5", 3, "gate reversible is closed" },
		{ "bascule rollback production last 1", 3, "confirmed by its name" },
		{ "bascule rollback production last 1 --yes", 3, "confirmed by its name" },
		{ "bascule rollback production last 1 --confirm prod", 3,
		  "another environment: prod" },
		{ "bascule rollback staging last 1", 3, "--yes" },
		{ "bascule --read-only migrate development", 3, "--read-only refuses" },
		{ "bascule resume 1", 3, "it has ended: done" },
		{ "bascule abort 1", 3, "it has ended: done" },
		{ "bascule retry 1", 3, "it has ended: done" },
		{ "bascule takeover 1", 3, "it has ended: done" },
		{ "bascule watch 999", 1, "there is no run 999" },
		{ "bascule create staging", 1, "exists" },
		{ "bascule restore staging nothing", 1, "no backup" },
		{ "bascule demo migrations", 1, "is not empty" },
	};
	struct shop s;
	char *before, *after;

	(void)state;
	run_cases(cases, sizeof(cases) / sizeof(cases[0]));
	shop_open(&s);
	before = shop_sum(&s, "data/production.sqlite");
	shop_run(&s, "bascule migrate production --confirm production");
	shop_run(&s, "bascule baseline production --confirm production");
	shop_run(&s, "bascule accept production 0006 --reason x --confirm production");
	after = shop_sum(&s, "data/production.sqlite");
	assert_string_equal(before, after);
	free(before);
	free(after);
	shop_close(&s);
}

static void reading__gets_0__and_prints(void **state)
{
	static const char *const lines[] = {
		"bascule status",
		"bascule status staging --plain",
		"bascule matrix",
		"bascule matrix --differs",
		"bascule history staging",
		"bascule plan migrate development",
		"bascule runs",
		"bascule runs staging",
		"bascule watch 1",
		"bascule backups",
		"bascule backups production",
		"bascule check",
		"bascule keys",
		"bascule themes",
		"bascule version",
		"bascule --version",
		"bascule help",
		"bascule --help",
		"bascule help migrate",
		"bascule migrate --help",
		"bascule completion bash",
		"bascule",
		"bascule plan migrate development --sql",
		"bascule rollback development last 1 --sql",
		"bascule completion words env",
	};
	struct shop s;
	size_t i;

	(void)state;
	shop_open(&s);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		shop_expect(&s, 0, lines[i]);
		if (s.child.out[0] == '\0')
			fail_msg("`%s` prints nothing", lines[i]);
	}
	shop_expect(&s, 7, "bascule status --check");
	shop_expect(&s, 7, "bascule matrix --check");
	shop_close(&s);
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void check_paths(struct shop *s, const char *line, const char *const *path)
{
	json_t *j;

	shop_expect(s, 0, line);
	j = shop_json(s);
	for (; *path != NULL; path++)
		shop_at(j, *path);
	json_decref(j);
}

static void json__has_the_promised_members__in_every_document(void **state)
{
	static const char *const status[] = { "project",
					      "environments.2.name",
					      "environments.0.protected",
					      "environments.0.database.engine",
					      "environments.0.database.version",
					      "environments.0.database.reachable",
					      "environments.0.database.error",
					      "environments.0.migrations.applied",
					      "environments.0.migrations.pending",
					      "environments.0.migrations.failed",
					      "environments.0.migrations.changed",
					      "environments.0.migrations.missing",
					      "environments.0.migrations.late",
					      "environments.0.migrations.heads.0",
					      "environments.0.migrations.schema_version",
					      "environments.0.schema.fingerprint",
					      "environments.0.schema.drift",
					      "environments.0.services",
					      "environments.0.health",
					      "environments.2.backup.id",
					      "environments.2.backup.at",
					      "environments.2.backup.verified",
					      "environments.2.backup.proven",
					      "environments.0.lock",
					      "environments.0.run",
					      NULL };
	static const char *const matrix[] = { "environments.0",
					      "rows.11.id",
					      "rows.0.title",
					      "rows.0.reversible",
					      "rows.0.checksum",
					      "rows.0.cells.development.state",
					      "rows.0.cells.production.at",
					      "rows.0.cells.staging.by",
					      "rows.0.cells.staging.ms",
					      "rows.11.cells.production.checksum",
					      NULL };
	static const char *const plan[] = { "operation",        "environment",
					    "gates.0.name",     "gates.0.open",
					    "gates.0.rule",     "gates.0.measured",
					    "gates.0.satisfy",  "steps.0.n",
					    "steps.0.name",     "steps.0.what",
					    "steps.0.undo",     "steps.0.point_of_no_return",
					    "steps.0.commands", NULL };
	static const char *const runs[] = { "runs.4.id",          "runs.0.operation",
					    "runs.0.environment", "runs.0.state",
					    "runs.0.step",        "runs.0.of",
					    "runs.0.by",          "runs.0.from",
					    "runs.0.started",     NULL };
	static const char *const backups[] = { "backups.0.id",
					       "backups.0.environment",
					       "backups.0.at",
					       "backups.0.trigger",
					       "backups.0.bytes",
					       "backups.0.sha256",
					       "backups.0.verified",
					       "backups.0.proven",
					       "backups.0.schema_version",
					       "backups.0.path",
					       NULL };
	static const char *const history[] = { "environment",       "events.0.event",
					       "events.0.id",       "events.0.at",
					       "events.0.by",       "events.0.ms",
					       "events.0.checksum", NULL };
	static const char *const check[] = { "checks.0.state", "checks.0.what", "checks.0.found",
					     NULL };
	static const char *const keys[] = { "keys.0.action", "keys.0.keys", NULL };
	struct shop s;

	(void)state;
	shop_open(&s);
	check_paths(&s, "bascule status --json", status);
	check_paths(&s, "bascule matrix --json", matrix);
	check_paths(&s, "bascule plan migrate development --json", plan);
	check_paths(&s, "bascule migrate development --dry-run --json", plan);
	check_paths(&s, "bascule runs --json", runs);
	check_paths(&s, "bascule backups --json", backups);
	check_paths(&s, "bascule history development --json", history);
	check_paths(&s, "bascule check --json", check);
	check_paths(&s, "bascule keys --json", keys);
	shop_close(&s);
}

static void matrix__tells_the_demo__as_it_was_made(void **state)
{
	static const struct {
		const char *path, *value;
	} cells[] = {
		{ "rows.0.id", "0001" },
		{ "rows.7.cells.staging.state", "changed" },
		{ "rows.7.cells.development.state", "applied" },
		{ "rows.7.cells.production.state", "pending" },
		{ "rows.5.cells.production.state", "applied" },
		{ "rows.9.cells.development.state", "applied" },
		{ "rows.10.cells.development.state", "pending" },
		{ "rows.8.cells.staging.state", "pending" },
	};
	struct shop s;
	json_t *j;
	size_t i;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule matrix --json");
	j = shop_json(&s);
	assert_int_equal(json_array_size(shop_at(j, "rows")), 12);
	for (i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		assert_string_equal(json_string_value(shop_at(j, cells[i].path)), cells[i].value);
	assert_true(json_is_false(shop_at(j, "rows.8.reversible")));
	assert_true(json_is_true(shop_at(j, "rows.7.reversible")));
	json_decref(j);
	shop_close(&s);
}

static void progress__is_one_object_a_line__with_json(void **state)
{
	struct shop s;
	char *line, *save = NULL;
	json_t *j = NULL;
	int n = 0;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule migrate development --json");
	for (line = strtok_r(s.child.out, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		json_decref(j);
		j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(j);
		assert_true(json_is_string(json_object_get(j, "event")));
		n++;
	}
	assert_true(n > 4);
	assert_string_equal(json_string_value(shop_at(j, "event")), "end");
	assert_string_equal(json_string_value(shop_at(j, "state")), "done");
	assert_int_equal(json_integer_value(shop_at(j, "exit")), 0);
	json_decref(j);
	shop_expect(&s, 0, "bascule migrate development --json");
	shop_out_has(&s, "nothing-to-do");
	shop_close(&s);
}

/* --- Changes ----------------------------------------------------------------------------------- */

static void development__goes_up_and_down__without_a_question(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule migrate development --to 0011");
	shop_out_has(&s, "apply 0011 audit");
	shop_expect(&s, 0, "bascule migrate development");
	shop_expect(&s, 0, "bascule migrate development");
	shop_out_has(&s, "nothing to do");
	shop_expect(&s, 0, "bascule rollback development last 1");
	shop_out_has(&s, "roll back 0012");
	shop_expect(&s, 0, "bascule rollback development to-version 1.10.0");
	shop_expect(&s, 0, "bascule history development");
	shop_out_has(&s, "rolled-back   0012");
	shop_out_has(&s, "rolled-back   0011");
	shop_close(&s);
}

static void looking__changes_nothing__dry_run_sql_and_plan(void **state)
{
	static const char *const lines[] = {
		"bascule migrate development --dry-run",
		"bascule migrate development --sql",
		"bascule rollback development last 1 --dry-run",
		"bascule plan migrate development",
		"bascule baseline development --dry-run",
		"bascule plan accept staging 0008 --reason x",
	};
	char *before, *after;
	struct shop s;
	size_t i;

	(void)state;
	shop_open(&s);
	before = shop_sum(&s, "data/development.sqlite");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		shop_expect(&s, 0, lines[i]);
	shop_expect(&s, 3, "bascule migrate production --dry-run");
	after = shop_sum(&s, "data/development.sqlite");
	assert_string_equal(before, after);
	shop_expect(&s, 0, "bascule runs | wc -l");
	assert_int_equal(strtol(s.child.out, NULL, 10), 5);
	free(before);
	free(after);
	shop_close(&s);
}

static void sql__is_what_the_files_hold__byte_by_byte(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "bascule migrate development --to 0011 --sql | sed 1d > sql && "
		    "printf '\\n' | cat migrations/up/0011_audit.sql - | cmp - sql");
	shop_expect(&s, 0, "bascule rollback development last 1 --sql");
	shop_out_has(&s, "DROP TRIGGER order_items_take_stock");
	shop_close(&s);
}

static void diff__shows_was_and_now__of_a_changed_migration(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 3, "bascule migrate staging --yes");
	shop_err_has(&s, "was and now: bascule plan accept staging 0008 --reason why");
	shop_expect(&s, 0, "bascule plan accept staging 0008 --reason why");
	shop_out_has(&s, "-    percent_off INTEGER NOT NULL,\n");
	shop_out_has(&s,
		     "+    percent_off INTEGER NOT NULL CHECK (percent_off BETWEEN 1 AND 90),\n");
	shop_close(&s);
}

static void restore__brings_data_back__and_keeps_the_history(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule rollback production last 1 --confirm production");
	shop_expect(&s, 0, "bascule restore production latest --confirm production");
	shop_expect(&s, 0, "bascule history production");
	shop_out_has(&s, "restored");
	shop_out_has(&s, "applied       0001");
	shop_close(&s);
}

static void create__makes_a_missing_database__once(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "rm data/staging.sqlite data/production.sqlite");
	shop_expect(&s, 1, "bascule migrate staging --yes");
	shop_err_has(&s, "bascule create staging");
	shop_expect(&s, 0, "bascule create staging --dry-run && test ! -e data/staging.sqlite");
	shop_expect(&s, 0, "bascule create staging");
	shop_expect(&s, 1, "bascule create staging");
	shop_expect(&s, 0, "bascule migrate staging --yes");
	shop_expect(&s, 3, "bascule create production");
	shop_expect(&s, 0, "bascule create production --confirm production");
	shop_close(&s);
}

static void new__makes_the_next_pair__that_migrate_takes(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule new 'add loyalty points'");
	shop_out_has(&s, "up/0013_add_loyalty_points.sql");
	shop_out_has(&s, "down/0013_add_loyalty_points.sql");
	shop_expect(&s, 0,
		    "echo 'CREATE TABLE points(n);' > migrations/up/0013_add_loyalty_points.sql");
	shop_expect(&s, 0, "bascule migrate development");
	shop_out_has(&s, "apply 0013");
	shop_close(&s);
}

/* --- Refusals and their commands --------------------------------------------------------------- */

/* The command a refusal names, run as printed, must change that refusal. */
static void follow_hint(struct shop *s, const char *line, int status)
{
	char *first, *hint;

	shop_expect(s, status, line);
	first = strdup(s->child.err);
	hint = shop_hint(s);
	if (hint == NULL)
		fail_msg("`%s` names no command:\n%s", line, first);
	if (shop_run(s, hint) != 0)
		fail_msg("`%s` names `%s`, which ended with %d:\n%s%s", line, hint, s->child.status,
			 s->child.out, s->child.err);
	shop_run(s, line);
	if (strcmp(s->child.err, first) == 0)
		fail_msg("`%s` is refused as before `%s`:\n%s", line, hint, first);
	free(hint);
	free(first);
}

static void hints__change_the_refusal__run_as_printed(void **state)
{
	static const struct {
		const char *before, *line;
		int status;
	} cases[] = {
		{ "true", "bascule migrate staging --yes", 3 },
		{ "true", "bascule migrate production --confirm production", 3 },
		{ "true", "bascule rollback development last 2", 3 },
		{ "true", "bascule migrate production --to 0007", 3 },
		{ "true", "bascule baseline production --confirm production", 3 },
		{ "rm migrations/up/0004* migrations/down/0004*", "bascule migrate development",
		  3 },
		{ "echo 'CREATE TABLE late(n);' > migrations/up/0002.5_late.sql",
		  "bascule migrate development", 3 },
		{ "echo 'NONSENSE' > migrations/up/0011_audit.sql; bascule migrate development",
		  "bascule migrate development", 3 },
		{ "rm data/staging.sqlite", "bascule migrate staging --yes", 1 },
		{ "rm data/production.sqlite", "bascule create production", 3 },
	};
	struct shop s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shop_open(&s);
		shop_run(&s, cases[i].before);
		follow_hint(&s, cases[i].line, cases[i].status);
		shop_close(&s);
	}
}

static void hints__name_the_configuration__when_the_operator_did(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "mv bascule.ini other.ini");
	follow_hint(&s, "bascule -c other.ini migrate production --confirm production", 3);
	shop_close(&s);
}

static void requires__holds__on_every_way_around(void **state)
{
	static const struct {
		const char *line;
		int status;
	} ways[] = {
		{ "bascule migrate production --confirm production", 3 },
		{ "bascule migrate production --to 0008 --confirm production", 3 },
		{ "bascule baseline production --confirm production", 3 },
		{ "bascule baseline production --to 0008 --confirm production", 3 },
		{ "bascule migrate production --confirm production --override staging-passed", 2 },
		{ "bascule migrate production --confirm production --override changed --reason x",
		  3 },
		/* believing staging's word does not make it have run there */
		{ "bascule accept staging 0008 --reason x --yes >/dev/null && bascule migrate "
		  "production "
		  "--to 0008 --confirm production",
		  3 },
		{ "bascule baseline staging --yes >/dev/null && bascule migrate production "
		  "--confirm production",
		  3 },
	};
	struct shop s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		shop_open(&s);
		shop_expect(&s, ways[i].status, ways[i].line);
		shop_expect(&s, 0, "bascule status production --json");
		shop_out_has(&s, "\"applied\": 6");
		shop_close(&s);
	}
}

static void override__passes_a_gate__and_is_recorded(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "bascule migrate production --to 0008 --override staging-passed "
		    "--reason 'ticket 7' --confirm production");
	shop_expect(&s, 0, "grep -rl 'ticket 7' .state/bascule/runs/*/journal.ndjson");
	shop_close(&s);
}

/* --- Two operators ------------------------------------------------------------------------------ */

#define SLOW \
	"CREATE TABLE slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n " \
	"WHERE i < 15000000) SELECT count(*) AS c FROM n;"
#define RUNNING \
	"for i in $(seq 200); do bascule status development --json | grep -q '\"holder\"' && " \
	"break; " \
	"sleep 0.05; done; "

static void second_operator__is_told_who__and_may_wait(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "echo '" SLOW
		    "' > migrations/up/0013_slow.sql; bascule migrate development --to 0012");
	/* The interrupt ends the watching; the run goes on and holds the lock. */
	shop_expect(&s, 0,
		    "bascule migrate development > first 2>&1 & pid=$!; " RUNNING
		    "kill -INT $pid; wait $pid && cat first");
	shop_out_has(&s, "goes on: bascule watch");
	shop_expect(&s, 6, "bascule rollback development last 1");
	shop_err_has(&s, "held by ");
	shop_err_has(&s, " since 20");
	shop_err_has(&s, "bascule rollback development last 1 --wait");
	shop_expect(&s, 6, "bascule rollback development last 1 --wait=100ms");
	shop_expect(&s, 3, "bascule rollback development last 1 --wait");
	shop_err_has(&s, "0013"); /* waited, then planned anew: the slow one has no down */
	shop_expect(&s, 0, "bascule watch 7 | tail -n 1");
	shop_out_has(&s, "done");
	shop_close(&s);
}

static void no_detach__aborts__at_an_interrupt(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "echo '" SLOW
		    "' > migrations/up/0013_slow.sql; bascule migrate development --to 0012");
	shop_expect(&s, 4,
		    "bascule migrate development --no-detach & pid=$!; " RUNNING
		    "kill -TERM $pid; wait $pid");
	shop_expect(&s, 0, "bascule runs development | head -n 1");
	shop_out_has(&s, "aborted");
	shop_expect(&s, 0, "bascule status development --json");
	shop_out_has(&s, "\"applied\": 12");
	shop_out_has(&s, "\"lock\": null");
	shop_close(&s);
}

/* --- Runs that stopped --------------------------------------------------------------------------- */

/* A project whose 0013 fails in development, which pauses then. */
static void open_paused(struct shop *s)
{
	shop_open(s);
	shop_expect(s, 0,
		    "sed -i '/development.sqlite/a on_failure = pause' bascule.ini; "
		    "echo 'INSERT INTO points VALUES (1);' > migrations/up/0013_points.sql");
	shop_expect(s, 8, "bascule migrate development");
	shop_err_has(s, "bascule retry 6");
	shop_expect(s, 0, "bascule runs --json | grep -m1 state");
	shop_out_has(s, "paused");
}

static void paused__waits_with_8__and_retries(void **state)
{
	struct shop s;

	(void)state;
	open_paused(&s);
	shop_expect(&s, 3, "bascule rollback development last 1");
	shop_expect(&s, 8, "bascule retry 6");
	shop_expect(&s, 8, "bascule resume 6"); /* of a live runner: the same as retry */
	shop_expect(&s, 2, "bascule skip 6");
	shop_expect(&s, 0, "bascule skip 6 --reason 'not needed'");
	shop_expect(&s, 0, "grep -l 'not needed' .state/bascule/runs/6-*/journal.ndjson");
	shop_expect(&s, 0, "bascule status development --json");
	shop_out_has(&s, "\"lock\": null");
	shop_close(&s);
}

static void paused__is_aborted__with_4(void **state)
{
	struct shop s;

	(void)state;
	open_paused(&s);
	shop_expect(&s, 4, "bascule abort 6 --reason 'wrong file'");
	shop_expect(&s, 3, "bascule abort 6");
	shop_expect(&s, 4, "bascule watch 6");
	shop_close(&s);
}

static void killed__is_interrupted__and_resumes_or_ends(void **state)
{
	static const char kill_runner[] = "bascule migrate development & " RUNNING
					  "kill -KILL $(bascule status development --json | sed -n "
					  "'s/.*\"pid\": \\([0-9]*\\).*/\\1/p'); wait $!";
	struct shop s;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		shop_open(&s);
		shop_expect(&s, 0,
			    "echo '" SLOW "' > migrations/up/0013_slow.sql; "
			    "bascule migrate development --to 0012");
		shop_expect(&s, 1, kill_runner);
		shop_err_has(&s, "bascule resume 7");
		shop_expect(&s, 0, "bascule runs development | head -n 1");
		shop_out_has(&s, "interrupted");
		shop_expect(&s, i == 0 ? 0 : 4, i == 0 ? "bascule resume 7" : "bascule abort 7");
		shop_expect(&s, 0, "bascule status development --json");
		shop_out_has(&s, i == 0 ? "\"applied\": 13" : "\"applied\": 12");
		shop_close(&s);
	}
}

/* --- The demo ----------------------------------------------------------------------------------- */

static void demo__is_opened_again__and_leaves_others_alone(void **state)
{
	struct shop s;

	(void)state;
	shop_open_empty(&s);
	shop_expect(&s, 1, "bascule demo . --plain"); /* .keep is in it */
	shop_expect(&s, 0, "bascule demo d --plain");
	shop_out_has(&s, "12 migrations");
	shop_out_has(&s, "XDG_STATE_HOME=$PWD/.state bascule");
	shop_expect(&s, 0, "test ! -e .state"); /* the user's own state stays clean */
	shop_expect(&s, 0, "cd d && XDG_STATE_HOME=$PWD/.state bascule migrate development");
	shop_expect(&s, 0, "bascule demo d --plain");
	shop_out_has(&s, "12 applied  0 pending");
	shop_expect(&s, 0, "echo broken > d/.bascule-demo");
	shop_expect(&s, 1, "bascule demo d --plain");
	shop_err_has(&s, "not finished");
	shop_close(&s);
}

static void completion__is_shell__that_shells_accept(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0, "bascule completion bash | bash -n");
	shop_expect(
		&s, 0,
		"bascule completion bash > c && bash -c '. ./c; COMP_WORDS=(bascule migrate st); "
		"COMP_CWORD=2; _bascule; echo ${COMPREPLY[0]}'");
	assert_string_equal(s.child.out, "staging\n");
	shop_expect(
		&s, 0,
		"bash -c '. ./c; COMP_WORDS=(bascule rollback staging l); COMP_CWORD=3; _bascule; "
		"echo ${COMPREPLY[0]}'");
	assert_string_equal(s.child.out, "last\n");
	shop_expect(&s, 0,
		    "bash -c '. ./c; COMP_WORDS=(bascule history staging --js); COMP_CWORD=3; "
		    "_bascule; "
		    "echo ${COMPREPLY[0]}'");
	assert_string_equal(s.child.out, "--json\n");
	shop_expect(&s, 0, "bascule completion zsh && bascule completion fish");
	shop_close(&s);
}

static void docs__are_printed__for_every_part(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	shop_expect(&s, 0,
		    "for p in keys options commands config exit; do bascule --print-docs $p | grep "
		    "-q '^.It' "
		    "|| exit 1; done");
	shop_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage__gets_2__with_the_nearest_name),
		cmocka_unit_test(refusals__get_their_status__without_touching_anything),
		cmocka_unit_test(reading__gets_0__and_prints),
		cmocka_unit_test(json__has_the_promised_members__in_every_document),
		cmocka_unit_test(matrix__tells_the_demo__as_it_was_made),
		cmocka_unit_test(progress__is_one_object_a_line__with_json),
		cmocka_unit_test(development__goes_up_and_down__without_a_question),
		cmocka_unit_test(looking__changes_nothing__dry_run_sql_and_plan),
		cmocka_unit_test(sql__is_what_the_files_hold__byte_by_byte),
		cmocka_unit_test(diff__shows_was_and_now__of_a_changed_migration),
		cmocka_unit_test(restore__brings_data_back__and_keeps_the_history),
		cmocka_unit_test(create__makes_a_missing_database__once),
		cmocka_unit_test(new__makes_the_next_pair__that_migrate_takes),
		cmocka_unit_test(hints__change_the_refusal__run_as_printed),
		cmocka_unit_test(hints__name_the_configuration__when_the_operator_did),
		cmocka_unit_test(requires__holds__on_every_way_around),
		cmocka_unit_test(override__passes_a_gate__and_is_recorded),
		cmocka_unit_test(second_operator__is_told_who__and_may_wait),
		cmocka_unit_test(no_detach__aborts__at_an_interrupt),
		cmocka_unit_test(paused__waits_with_8__and_retries),
		cmocka_unit_test(paused__is_aborted__with_4),
		cmocka_unit_test(killed__is_interrupted__and_resumes_or_ends),
		cmocka_unit_test(demo__is_opened_again__and_leaves_others_alone),
		cmocka_unit_test(completion__is_shell__that_shells_accept),
		cmocka_unit_test(docs__are_printed__for_every_part),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, shop_group_setup, shop_group_teardown);
}
