/* SPDX-License-Identifier: MIT */
/* Runs executed in this process on real databases: what is done, what is refused, what is undone, and
 * what the journal and the ledger say afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/backup/backup.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/ledger/ledger.h"
#include "core/ledger/lock.h"
#include "core/release/runner.h"
#include "tests/support/tmp.h"
#include "tests/support/workspace.h"

static int setup(void **state)
{
	struct workspace *w = mem_alloc(sizeof(*w));

	workspace_init(w, 3);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	workspace_clear(*state);
	mem_free(*state);
	return 0;
}

static struct env *env_of(struct workspace *w, const char *name)
{
	return (struct env *)env_find(w->project, name);
}

/* Runs id here; the exit status must be want. */
static void execute(struct workspace *w, const char *id, enum runner_mode mode, int want,
		    struct err *e)
{
	int got;

	err_clear(e);
	got = runner_main(&w->ctx, id, mode, 0, NULL, e);
	if (got != want)
		fail_msg("exit %d: %s | %s | %s", got, e->msg, e->detail, e->hint);
}

static int64_t history_count(struct workspace *w, const char *env, const char *event)
{
	struct db_value v = db_v_text(event);
	int64_t n = -1;
	struct db *db;
	struct err e;

	assert_ok(db_open(&env_of(w, env)->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(db_int(db, "SELECT count(*) FROM bascule_history WHERE event = ?1", &v, 1, 0, &n,
			 &e),
		  &e);
	db_close(db);
	return n;
}

static void assert_free(struct workspace *w, const char *env)
{
	struct lock_holder h;
	struct err e;

	assert_ok(lock_read(&env_of(w, env)->dsn, NULL, 0, &h, &e), &e);
	assert_false(h.held);
	assert_int_equal(workspace_int(w, env, "SELECT count(*) FROM bascule_lock WHERE run <> ''"),
			 0);
}

/* The ledger has every line of the journal, byte for byte. */
struct copy_check {
	struct workspace *w;
	const char *env, *id;
	struct strbuf journal;
	int64_t lines;
};

static int compare_line(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *e)
{
	struct copy_check *c = arg;
	char *text = mem_strndup(line.p, line.n);

	(void)epoch;
	(void)seq;
	(void)e;
	assert_non_null(strstr(strbuf_str(&c->journal), text));
	c->lines++;
	mem_free(text);
	return 0;
}

static void assert_copied(struct workspace *w, const char *env, const char *id)
{
	struct copy_check c = { .w = w, .env = env, .id = id };
	char *path = workspace_run_path(w, id, "journal.ndjson");
	struct run *r = workspace_load(w, id);
	struct db *db;
	struct err e;

	strbuf_init(&c.journal, JOURNAL_FILE_MAX);
	assert_ok(fs_read(path, JOURNAL_FILE_MAX, &c.journal, &e), &e);
	assert_ok(db_open(&env_of(w, env)->dsn, DB_READ_ONLY, NULL, NULL, &db, &e), &e);
	assert_ok(ledger_lines(db, id, compare_line, &c, &e), &e);
	assert_int_equal(c.lines, r->chain.lines);
	assert_int_equal(r->not_copied, 0);
	assert_false(r->chain.broken);
	db_close(db);
	run_free(r);
	strbuf_clear(&c.journal);
	mem_free(path);
}

static void runner__applies_everything__when_nothing_is_wrong(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;

	workspace_tables(w, 5);
	workspace_run(w, "dev", id);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_WAITING);
	run_free(r);
	execute(w, id, RUNNER_START, 0, &e);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_DONE);
	assert_int_equal(r->exit_code, 0);
	assert_int_equal(r->epoch, 1);
	for (size_t i = 0; i < r->plan->n_step; i++)
		assert_int_equal(r->step[i].state, STEP_DONE);
	run_free(r);
	assert_true(workspace_has_table(w, "dev", "t5"));
	assert_int_equal(history_count(w, "dev", "applied"), 5);
	assert_free(w, "dev");
	assert_copied(w, "dev", id);
}

static void runner__writes_two_lines_a_step__when_it_applies(void **state)
{
	struct workspace *w = *state;
	char few[RUN_ID_SIZE], many[RUN_ID_SIZE];
	int64_t lines;
	struct run *r;
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", few);
	execute(w, few, RUNNER_START, 0, &e);
	workspace_tables(w, 41);
	workspace_run(w, "dev", many);
	execute(w, many, RUNNER_START, 0, &e);
	r = workspace_load(w, few);
	lines = r->chain.lines;
	run_free(r);
	r = workspace_load(w, many);
	assert_int_equal(r->chain.lines - lines, 2 * 39);
	run_free(r);
}

static void runner__refuses__when_the_run_has_ended(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	for (int mode = RUNNER_START; mode <= RUNNER_TAKEOVER; mode++) {
		execute(w, id, (enum runner_mode)mode, 3, &e);
		assert_int_equal(e.code, ERR_GATE);
	}
	assert_int_equal(history_count(w, "dev", "applied"), 1);
}

static void add_bad(struct workspace *w, const char *id)
{
	workspace_migration(w, id, "bad",
			    "CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n",
			    "DROP TABLE half;\n");
}

static void runner__undoes_what_it_did__when_a_migration_fails(void **state)
{
	struct workspace *w = *state;
	char first[RUN_ID_SIZE], id[RUN_ID_SIZE];
	struct run *r;
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", first);
	execute(w, first, RUNNER_START, 0, &e);
	workspace_tables(w, 3);
	add_bad(w, "0004");
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 5, &e);
	assert_int_equal(e.code, ERR_ROLLED_BACK);
	assert_non_null(strstr(e.detail, "0002, 0003 taken back"));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_ROLLED_BACK);
	assert_int_equal(r->exit_code, 5);
	run_free(r);
	/* What an earlier run did stays. */
	assert_true(workspace_has_table(w, "dev", "t1"));
	assert_false(workspace_has_table(w, "dev", "t2"));
	assert_false(workspace_has_table(w, "dev", "t3"));
	assert_false(workspace_has_table(w, "dev", "half"));
	assert_int_equal(history_count(w, "dev", "failed"), 1);
	assert_int_equal(history_count(w, "dev", "rolled-back"), 2);
	assert_free(w, "dev");
	assert_copied(w, "dev", id);
}

static void runner__says_what_stays__when_undo_is_never(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;

	env_of(w, "dev")->undo_migrations = UNDO_NEVER;
	workspace_tables(w, 2);
	add_bad(w, "0003");
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 1, &e);
	assert_non_null(strstr(e.detail, "0001, 0002 applied"));
	assert_non_null(strstr(e.detail, "0003 failed, its transaction was rolled back"));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_FAILED);
	assert_non_null(strstr(r->step[r->current - 1].text, "line 2"));
	run_free(r);
	assert_true(workspace_has_table(w, "dev", "t2"));
	assert_false(workspace_has_table(w, "dev", "half"));
	assert_free(w, "dev");
}

static void runner__stops_undoing__when_a_migration_has_no_down(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	workspace_migration(w, "0002", "one_way", "CREATE TABLE one_way (x);", NULL);
	workspace_migration(w, "0003", "table", "CREATE TABLE t3 (x);", "DROP TABLE t3;");
	add_bad(w, "0004");
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 1, &e);
	assert_non_null(strstr(e.detail, "0002 stays applied"));
	assert_true(workspace_has_table(w, "dev", "t1"));
	assert_true(workspace_has_table(w, "dev", "one_way"));
	assert_false(workspace_has_table(w, "dev", "t3"));
	assert_free(w, "dev");
}

static void edit_file(const char *path)
{
	struct strbuf text;
	struct err e;

	strbuf_init(&text, 1 << 20);
	assert_ok(fs_read(path, 1 << 20, &text, &e), &e);
	strbuf_adds(&text, " ");
	assert_ok(fs_replace(path, text.data, text.len, 0600, &e), &e);
	strbuf_clear(&text);
}

static void runner__refuses__when_the_frozen_plan_was_edited(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;
	char *path;

	workspace_tables(w, 2);
	workspace_run(w, "dev", id);
	path = workspace_run_path(w, id, "plan.json");
	edit_file(path);
	mem_free(path);
	execute(w, id, RUNNER_START, 3, &e);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_false(workspace_has_table(w, "dev", "t1"));
	assert_false(workspace_has_table(w, "dev", "bascule_history"));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_FAILED);
	assert_int_equal(r->exit_code, 3);
	run_free(r);
}

static void runner__refuses__when_a_frozen_script_was_edited(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;
	char *text, *path;

	workspace_tables(w, 2);
	workspace_run(w, "dev", id);
	path = workspace_run_path(w, id, "");
	text = tmp_read(path, "scripts");
	/* One letter of one statement. */
	memcpy(strstr(text, "TABLE t2"), "TABLE x2", 8);
	tmp_write(path, "scripts", text);
	free(text);
	mem_free(path);
	execute(w, id, RUNNER_START, 3, &e);
	assert_int_equal(e.code, ERR_CORRUPT);
	assert_false(workspace_has_table(w, "dev", "t2"));
}

static void runner__refuses__when_a_gate_is_closed(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct run *r;
	struct err e;

	workspace_tables(w, 2);
	env_of(w, "production")->requires = "staging";
	workspace_run(w, "production", id);
	execute(w, id, RUNNER_START, 3, &e);
	assert_int_equal(e.code, ERR_GATE);
	assert_non_null(strstr(e.detail, "0001"));
	assert_int_not_equal(e.hint[0], '\0');
	assert_false(workspace_has_table(w, "production", "t1"));
	assert_free(w, "production");
	assert_copied(w, "production", id);
	/* The same once staging has it. */
	workspace_run(w, "staging", id);
	execute(w, id, RUNNER_START, 0, &e);
	workspace_run(w, "production", id);
	execute(w, id, RUNNER_START, 0, &e);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_DONE);
	run_free(r);
}

static void runner__refuses__when_the_gate_closed_after_the_plan(void **state)
{
	struct workspace *w = *state;
	const struct plan_request back = { .op = OP_ROLLBACK, .environment = "staging", .last = 1 };
	char id[RUN_ID_SIZE], prod[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 2);
	env_of(w, "production")->requires = "staging";
	workspace_run(w, "staging", id);
	execute(w, id, RUNNER_START, 0, &e);
	workspace_run(w, "production", prod);
	workspace_freeze(w, workspace_plan(w, &back), id);
	execute(w, id, RUNNER_START, 0, &e);
	execute(w, prod, RUNNER_START, 3, &e);
	assert_non_null(strstr(e.detail, "0002"));
	assert_false(workspace_has_table(w, "production", "t1"));
}

static void runner__goes_on__when_the_gate_is_overridden(void **state)
{
	struct workspace *w = *state;
	const struct plan_override o = { "staging-passed", "a fix that cannot wait" };
	const struct plan_request r = {
		.op = OP_MIGRATE,
		.environment = "production",
		.override = &o,
		.n_override = 1,
	};
	char id[RUN_ID_SIZE];
	struct err e;
	char *path, *text;

	workspace_tables(w, 1);
	env_of(w, "production")->requires = "staging";
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 0, &e);
	path = workspace_run_path(w, id, "");
	text = tmp_read(path, "journal.ndjson");
	assert_non_null(strstr(text, "\"overridden\":true"));
	assert_non_null(strstr(text, "a fix that cannot wait"));
	free(text);
	mem_free(path);
}

static void runner__is_locked_out__when_somebody_holds_the_environment(void **state)
{
	struct workspace *w = *state;
	const struct lock_request req = { .who = "bob", .host = "desk", .run = "7-aaaaaa" };
	struct lock *lock;
	struct db *db;
	struct run *r;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	assert_ok(db_open(&env_of(w, "dev")->dsn, 0, NULL, NULL, &db, &e), &e);
	assert_ok(ledger_ensure(db, &e), &e);
	assert_ok(lock_take(&env_of(w, "dev")->dsn, db, &req, &lock, NULL, &e), &e);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 6, &e);
	assert_int_equal(e.code, ERR_LOCKED);
	assert_non_null(strstr(e.detail, "bob from desk since"));
	assert_false(workspace_has_table(w, "dev", "t1"));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_FAILED);
	assert_int_equal(r->exit_code, 6);
	run_free(r);
	lock_release(lock, db);
	db_close(db);
}

static void runner__changes_nothing__when_told_to_stop_before(void **state)
{
	struct workspace *w = *state;
	struct cancel stop;
	struct run *r;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", id);
	assert_ok(cancel_init(&stop, &e), &e);
	cancel_fire(&stop);
	assert_int_equal(runner_main(&w->ctx, id, RUNNER_START, 0, &stop, &e), 4);
	cancel_clear(&stop);
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_ABORTED);
	run_free(r);
	assert_false(workspace_has_table(w, "dev", "t1"));
}

static void runner__fails__when_the_database_is_gone(void **state)
{
	struct workspace *w = *state;
	struct run *r;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", id);
	assert_int_equal(unlink(env_of(w, "dev")->dsn.path), 0);
	execute(w, id, RUNNER_START, 1, &e);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	assert_false(fs_exists(env_of(w, "dev")->dsn.path));
	r = workspace_load(w, id);
	assert_int_equal(r->state, RUN_FAILED);
	assert_int_not_equal(r->error_msg[0], '\0');
	run_free(r);
}

static void runner__keeps_a_verified_copy__when_the_policy_wants_one(void **state)
{
	struct workspace *w = *state;
	struct backup *list;
	size_t n;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_exec(w, "dev", "CREATE TABLE keep (x); INSERT INTO keep VALUES (42);");
	workspace_tables(w, 1);
	env_of(w, "dev")->backup = BACKUP_BEFORE_MIGRATE;
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_ok(backup_list(w->backups_dir, "dev", &list, &n, &e), &e);
	assert_int_equal(n, 1);
	assert_true(list[0].verified);
	assert_string_equal(list[0].run, id);
	assert_string_equal(list[0].trigger, "before-migrate");
	backup_list_free(list, n);
}

static void runner__puts_the_data_back__when_it_restores(void **state)
{
	struct workspace *w = *state;
	struct plan_request r = { .op = OP_RESTORE, .environment = "dev" };
	struct backup *list;
	size_t n;
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_exec(w, "dev", "CREATE TABLE keep (x); INSERT INTO keep VALUES (42);");
	workspace_tables(w, 2);
	env_of(w, "dev")->backup = BACKUP_BEFORE_MIGRATE;
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	workspace_exec(w, "dev", "UPDATE keep SET x = 0;");
	assert_ok(backup_list(w->backups_dir, "dev", &list, &n, &e), &e);
	r.backup = list[0].id;
	r.backup_path = list[0].path;
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_int_equal(workspace_int(w, "dev", "SELECT x FROM keep"), 42);
	assert_false(workspace_has_table(w, "dev", "t1"));
	/* The history is today's, and says that it was restored. */
	assert_int_equal(history_count(w, "dev", "applied"), 2);
	assert_int_equal(history_count(w, "dev", "restored"), 1);
	assert_free(w, "dev");
	assert_copied(w, "dev", id);
	backup_list_free(list, n);
	/* And both are pending again. */
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_true(workspace_has_table(w, "dev", "t2"));
}

static void runner__runs_the_stored_down__when_it_rolls_back(void **state)
{
	struct workspace *w = *state;
	const struct plan_request r = { .op = OP_ROLLBACK, .environment = "dev", .last = 2 };
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 3);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	/* Today's files are other ones. */
	workspace_migration(w, "0003", "table", "CREATE TABLE t3 (id INTEGER PRIMARY KEY);",
			    "SELECT 1;");
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_true(workspace_has_table(w, "dev", "t1"));
	assert_false(workspace_has_table(w, "dev", "t2"));
	assert_false(workspace_has_table(w, "dev", "t3"));
	assert_copied(w, "dev", id);
}

static void runner__applies_again__when_a_rollback_fails_half_way(void **state)
{
	struct workspace *w = *state;
	const struct plan_request r = { .op = OP_ROLLBACK, .environment = "dev", .last = 2 };
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_migration(w, "0001", "a", "CREATE TABLE a (x);", "DROP TABLE not_there;");
	workspace_migration(w, "0002", "b", "CREATE TABLE b (x);", "DROP TABLE b;");
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 5, &e);
	assert_non_null(strstr(e.detail, "0002 applied again"));
	assert_true(workspace_has_table(w, "dev", "a"));
	assert_true(workspace_has_table(w, "dev", "b"));
	assert_int_equal(workspace_int(w, "dev", "SELECT max(generation) FROM bascule_history"), 2);
}

static void runner__runs_nothing__when_it_records_a_baseline(void **state)
{
	struct workspace *w = *state;
	const struct plan_request r = { .op = OP_BASELINE, .environment = "dev" };
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 2);
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_false(workspace_has_table(w, "dev", "t1"));
	assert_int_equal(history_count(w, "dev", "baselined"), 2);
	assert_copied(w, "dev", id);
}

static void runner__records_a_new_checksum__when_it_accepts(void **state)
{
	struct workspace *w = *state;
	const struct plan_request r = {
		.op = OP_ACCEPT,
		.environment = "dev",
		.only = "0001",
		.reason = "a comment was mended",
	};
	char id[RUN_ID_SIZE];
	struct err e;

	workspace_tables(w, 1);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	workspace_migration(w, "0001", "table",
			    "-- mended\nCREATE TABLE t1 (id INTEGER PRIMARY KEY);", NULL);
	workspace_freeze(w, workspace_plan(w, &r), id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_int_equal(history_count(w, "dev", "accepted"), 1);
	assert_copied(w, "dev", id);
}

static void runner__writes_the_state_file__when_the_project_wants_it(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	json_t *j;
	struct err e;
	char *path;

	w->project->state_files = true;
	workspace_tables(w, 3);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	path = tmp_path(w->migrations, "applied/dev.json");
	j = json_read_file(path, 4096, &e);
	assert_non_null(j);
	assert_string_equal(json_str_opt(j, "environment", ""), "dev");
	assert_string_equal(json_str_opt(j, "schema_version", ""), "1.3.0");
	assert_int_equal(json_array_size(json_object_get(j, "applied_migrations")), 3);
	json_decref(j);
	mem_free(path);
}

static void runner__writes_the_state_file__when_it_fails_half_way(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	json_t *j;
	struct err e;
	char *path;

	w->project->state_files = true;
	env_of(w, "dev")->undo_migrations = UNDO_NEVER;
	workspace_tables(w, 2);
	add_bad(w, "0003");
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 1, &e);
	path = tmp_path(w->migrations, "applied/dev.json");
	j = json_read_file(path, 4096, &e);
	assert_non_null(j);
	assert_string_equal(json_str_opt(j, "schema_version", ""), "1.2.0");
	json_decref(j);
	mem_free(path);
}

/* The kept journal is gone with the run, and the database says what it said before. */
static void runner__leaves_no_journal_file__when_it_applied_many(void **state)
{
	struct workspace *w = *state;
	char id[RUN_ID_SIZE];
	struct err e;
	char *path;

	workspace_tables(w, 30);
	workspace_run(w, "dev", id);
	execute(w, id, RUNNER_START, 0, &e);
	assert_true(workspace_has_table(w, "dev", "t30"));
	path = tmp_path(w->dir, "dev.db-journal");
	assert_false(fs_exists(path));
	mem_free(path);
	assert_copied(w, "dev", id);
}

static void run_create__refuses__when_a_file_was_edited_after_the_plan(void **state)
{
	struct workspace *w = *state;
	const struct source_spec spec = { .dir = w->migrations, .engine = "sqlite" };
	struct plan *plan;
	struct source *source;
	char id[RUN_ID_SIZE] = "untouched";
	struct err e;

	workspace_tables(w, 1);
	plan = workspace_migrate_plan(w, "dev");
	workspace_migration(w, "0001", "table", "CREATE TABLE other (x);", NULL);
	assert_ok(source_scan(&spec, NULL, &source, &e), &e);
	assert_int_equal(run_create(&w->ctx, plan, source, NULL, id, &e), -1);
	assert_int_equal(e.code, ERR_INPUT);
	assert_string_equal(id, "untouched");
	assert_int_equal(run_resolve(&w->ctx, "1", id, &e), -1);
	assert_int_equal(e.code, ERR_NOT_FOUND);
	source_free(source);
	plan_free(plan);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(runner__applies_everything__when_nothing_is_wrong),
		CASE(runner__writes_two_lines_a_step__when_it_applies),
		CASE(runner__refuses__when_the_run_has_ended),
		CASE(runner__undoes_what_it_did__when_a_migration_fails),
		CASE(runner__says_what_stays__when_undo_is_never),
		CASE(runner__stops_undoing__when_a_migration_has_no_down),
		CASE(runner__refuses__when_the_frozen_plan_was_edited),
		CASE(runner__refuses__when_a_frozen_script_was_edited),
		CASE(runner__refuses__when_a_gate_is_closed),
		CASE(runner__refuses__when_the_gate_closed_after_the_plan),
		CASE(runner__goes_on__when_the_gate_is_overridden),
		CASE(runner__is_locked_out__when_somebody_holds_the_environment),
		CASE(runner__changes_nothing__when_told_to_stop_before),
		CASE(runner__fails__when_the_database_is_gone),
		CASE(runner__keeps_a_verified_copy__when_the_policy_wants_one),
		CASE(runner__puts_the_data_back__when_it_restores),
		CASE(runner__runs_the_stored_down__when_it_rolls_back),
		CASE(runner__applies_again__when_a_rollback_fails_half_way),
		CASE(runner__runs_nothing__when_it_records_a_baseline),
		CASE(runner__records_a_new_checksum__when_it_accepts),
		CASE(runner__writes_the_state_file__when_the_project_wants_it),
		CASE(runner__writes_the_state_file__when_it_fails_half_way),
		CASE(runner__leaves_no_journal_file__when_it_applied_many),
		CASE(run_create__refuses__when_a_file_was_edited_after_the_plan),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
