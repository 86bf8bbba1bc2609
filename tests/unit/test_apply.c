/* SPDX-License-Identifier: MIT */
#include "core/migrate/apply.h"

#include "core/ledger/ledger.h"
#include "core/migrate/history.h"
#include "tests/support/sqlite.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static struct arena a;
static struct dsn dsn;
static struct db *db;
static struct lock *lock;
static struct err e;

static int setup(void **state)
{
	struct lock_request req = { .who = "alice", .host = "laptop", .run = "1" };

	(void)state;
	dir = tmp_make();
	arena_init(&a);
	dsn = sqlite_dsn(&a, dir, "a.sqlite");
	db = sqlite_make(dir, "a.sqlite", NULL);
	err_clear(&e);
	if (ledger_ensure(db, &e) != 0 || lock_take(&dsn, db, &req, &lock, NULL, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lock_release(lock, db);
	db_close(db);
	arena_clear(&a);
	tmp_remove(dir);
	return 0;
}

/* ---- script_prepare ---- */

static struct script script;

static int prepare(const char *text, bool no_transaction)
{
	return script_prepare(&a, "sqlite", "009_x.sql", sv_of(text), no_transaction, &script, &e);
}

static void prepare_is(const char *text, size_t n_hoist, size_t n_body)
{
	if (prepare(text, false) != 0)
		fail_msg("%s: %s: %s", text, e.msg, e.detail);
	assert_int_equal(script.n_hoist, n_hoist);
	assert_int_equal(script.body.n, n_body);
}

static void prepare__removes_one_outermost_pair__and_hoists_pragmas(void **state)
{
	(void)state;
	prepare_is("SELECT 1; SELECT 2;", 0, 2);
	prepare_is("BEGIN; SELECT 1; COMMIT;", 0, 1);
	prepare_is("-- c\nbegin immediate transaction;\nSELECT 1;\nEND TRANSACTION", 0, 1);
	prepare_is("PRAGMA foreign_keys=OFF; BEGIN; SELECT 1; COMMIT", 1, 1);
	assert_true(sv_eq_str(script.hoist[0], "PRAGMA foreign_keys=OFF"));
	prepare_is("PRAGMA a; PRAGMA b; SELECT 1", 2, 1);
	prepare_is("SAVEPOINT s; SELECT 1; ROLLBACK TO s; RELEASE s", 0, 4);
	prepare_is("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; SELECT 3", 0,
		   2);
	prepare_is("BEGIN; COMMIT", 0, 0);
	prepare_is("", 0, 0);
	prepare_is("-- only this\n", 0, 0);
}

static void refused(const char *text, bool no_transaction, const char *line)
{
	if (prepare(text, no_transaction) == 0)
		fail_msg("not refused: %s", text);
	assert_int_equal(e.code, ERR_INPUT);
	assert_non_null(strstr(e.msg, "009_x.sql"));
	if (strstr(e.msg, line) == NULL && strstr(e.detail, line) == NULL)
		fail_msg("'%s' is not in: %s: %s", line, e.msg, e.detail);
}

static void prepare__refuses__what_would_end_the_transaction(void **state)
{
	(void)state;
	refused("SELECT 1;\nCOMMIT;\nSELECT 2", false, "line 2");
	refused("SELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT", false, "line 2");
	refused("BEGIN;\nSELECT 2;", false, "line 1");
	refused("BEGIN;\nSELECT 2;\nROLLBACK", false, "line 1");
	refused("BEGIN;\nSELECT 1;\nCOMMIT;\nBEGIN;\nSELECT 2;\nCOMMIT;", false, "line 3");
	refused("SELECT 1;\n\nROLLBACK;", false, "line 3");
	refused("COMMIT", false, "line 1");
}

static void prepare__refuses__what_a_transaction_cannot_hold(void **state)
{
	(void)state;
	refused("ATTACH 'x' AS y", false, "line 1");
	refused("SELECT 1;\nDETACH y", false, "line 2");
	refused("SELECT 1;\nPRAGMA foreign_keys=on", false, "line 2");
	refused("VACUUM", false, "line 1");
	assert_non_null(strstr(e.hint, "-- transaction: no"));
	refused("VACUUM INTO 'copy.sqlite'", false, "line 1");
	assert_null(strstr(e.hint, "-- transaction: no"));
	refused("SELECT 'not closed", false, "line 1");
}

static void prepare__takes_no_transaction__for_what_needs_it_alone(void **state)
{
	(void)state;
	assert_int_equal(prepare("VACUUM; PRAGMA journal_mode=wal; reindex; ANALYZE t", true), 0);
	assert_int_equal(script.body.n, 4);
	assert_int_equal(script.n_hoist, 0);
	refused("VACUUM;\nSELECT 1", true, "line 2");
	refused("VACUUM INTO 'copy'", true, "line 1");
	refused("BEGIN;\nVACUUM;\nCOMMIT", true, "line 1");
	refused("CREATE TABLE analyze_me (a)", true, "line 1");
}

/* ---- apply_run ---- */

static struct apply_result result;

static struct apply_job job_of(enum event_kind kind, const char *id, int64_t generation,
			       const char *text)
{
	return (struct apply_job){
		.db = db,
		.lock = lock,
		.event = { .ns = "main",
			   .id = id,
			   .title = "x",
			   .sort_key = "0019",
			   .kind = kind,
			   .generation = generation,
			   .checksum = "s1:up",
			   .down_checksum = "s1:down",
			   .run = "1",
			   .epoch = lock_epoch(lock),
			   .who = "alice",
			   .host = "laptop" },
		.up = SV("the up text"),
		.down = SV("the down text"),
		.script = sv_of(text),
		.what = "009_x.sql",
	};
}

static void runs(enum event_kind kind, const char *id, int64_t generation, const char *text)
{
	struct apply_job job = job_of(kind, id, generation, text);

	if (apply_run(&job, &result, &e) != 0)
		fail_msg("%s: %s", e.msg, e.detail);
	assert_false(db_in_transaction(db));
}

static void fails(struct apply_job *job, enum err_code code)
{
	if (apply_run(job, &result, &e) == 0)
		fail_msg("did not fail");
	if (e.code != code)
		fail_msg("%s: %s: %s", err_code_name(e.code), e.msg, e.detail);
	assert_false(db_in_transaction(db));
}

static int64_t events(const char *kind)
{
	struct db_value v = db_v_text(kind);
	int64_t n;

	if (db_int(db, "SELECT count(*) FROM bascule_history WHERE event = ?1", &v, 1, 0, &n, &e) !=
	    0)
		fail_msg("%s: %s", e.msg, e.detail);
	return n;
}

static void run__applies_and_rolls_back__each_with_its_event(void **state)
{
	struct strbuf up, down;
	bool has_down;

	(void)state;
	runs(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a);\nINSERT INTO u VALUES (1), (2);");
	assert_int_equal(result.n_statement, 2);
	assert_int_equal(result.failed_statement, 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), 2);
	assert_int_equal(events("applied"), 1);
	strbuf_init(&up, 1000);
	strbuf_init(&down, 1000);
	assert_int_equal(ledger_scripts(db, 1, &up, &down, &has_down, &e), 0);
	assert_string_equal(strbuf_str(&up), "the up text");
	assert_string_equal(strbuf_str(&down), "the down text");
	strbuf_clear(&up);
	strbuf_clear(&down);
	runs(EVENT_ROLLED_BACK, "009", 1, "DROP TABLE u");
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
	assert_int_equal(events("rolled-back"), 1);
	runs(EVENT_APPLIED, "009", 2, "CREATE TABLE u (a)");
	assert_int_equal(events("failed"), 0);
}

static void run__changes_nothing__when_a_statement_fails(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1,
				      "CREATE TABLE u (a);\n\nINSERT INTO nowhere\nVALUES (1);");
	struct history *h = NULL;

	(void)state;
	fails(&job, ERR_DB);
	assert_int_equal(result.failed_statement, 2);
	assert_int_equal(result.failed_line, 3);
	assert_int_equal(result.n_statement, 1);
	assert_string_equal(result.failed_sql, "INSERT INTO nowhere\\nVALUES (1)");
	assert_non_null(strstr(e.msg, "statement 2 of 2, line 3"));
	assert_non_null(strstr(e.detail, "nowhere"));
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
	assert_int_equal(events("applied"), 0);
	assert_int_equal(events("failed"), 1);
	fails(&job, ERR_DB); /* the second attempt has a number of its own */
	assert_int_equal(events("failed"), 2);
	assert_int_equal(sqlite_int(db, "SELECT max(attempt) FROM bascule_history"), 2);
	assert_int_equal(sqlite_int(db, "SELECT max(statement) FROM bascule_history"), 2);
	assert_int_equal(history_read(db, false, &h, &e), 0);
	assert_true(h->list[0].failed);
	assert_false(h->list[0].failed_down);
	assert_non_null(strstr(h->list[0].error, "no such table"));
	history_free(h);
	runs(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)"); /* the mended file */
}

static void run__records__that_a_down_failed(void **state)
{
	struct apply_job job = job_of(EVENT_ROLLED_BACK, "009", 1, "DROP TABLE other");
	struct history *h = NULL;

	(void)state;
	runs(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");
	fails(&job, ERR_DB);
	assert_int_equal(history_read(db, false, &h, &e), 0);
	assert_true(h->list[0].failed_down);
	assert_true(h->list[0].applied);
	history_free(h);
}

static void run__refuses__the_same_generation_twice(void **state)
{
	struct apply_job again = job_of(EVENT_APPLIED, "009", 1, "INSERT INTO u VALUES (1)");
	struct apply_job misled = job_of(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");

	(void)state;
	runs(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");
	fails(&again, ERR_EXISTS); /* stopped by the unique key, and undone */
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), 0);
	fails(&misled, ERR_EXISTS); /* not "table u already exists" */
	assert_int_equal(events("failed"), 0);
	assert_int_equal(events("applied"), 1);
}

static void run__writes_nothing__when_the_script_is_refused(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1,
				      "CREATE TABLE u (a); COMMIT; SELECT 1");

	(void)state;
	fails(&job, ERR_INPUT);
	assert_int_equal(events("failed"), 0);
}

static void run__keeps_the_guard__against_the_ledger(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "DELETE FROM bascule_history");

	(void)state;
	runs(EVENT_APPLIED, "008", 1, "SELECT 1");
	fails(&job, ERR_INPUT);
	assert_int_equal(events("applied"), 1);
}

static void run__refuses__orphans(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "DELETE FROM parent");

	(void)state;
	runs(EVENT_APPLIED, "008", 1,
	     "CREATE TABLE parent (id INTEGER PRIMARY KEY);\n"
	     "CREATE TABLE child (p REFERENCES parent);\n"
	     "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);");
	fails(&job, ERR_INPUT);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM parent"), 1);
	assert_int_equal(events("failed"), 1);
}

static void run__writes_nothing__when_fenced(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");
	struct apply_job bad = job_of(EVENT_APPLIED, "009", 1, "SELECT * FROM nowhere");

	(void)state;
	assert_int_equal(db_script(db, "UPDATE bascule_lock SET epoch = epoch + 1", &e), 0);
	fails(&job, ERR_FENCED);
	fails(&bad, ERR_FENCED);
	assert_int_equal(events("failed"), 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
	job.event.kind = EVENT_BASELINED;
	assert_int_equal(apply_record(&job, &e), -1);
	assert_int_equal(e.code, ERR_FENCED);
	assert_int_equal(events("baselined"), 0);
}

static int break_off(void *arg, struct db *in, struct err *err)
{
	(void)arg;
	assert_true(db_in_transaction(in));
	return err_set(err, ERR_LIMIT, "cannot copy the journal");
}

static void run__undoes_everything__when_the_callback_fails(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");

	(void)state;
	job.with = break_off;
	fails(&job, ERR_LIMIT);
	assert_int_equal(result.failed_statement, 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
	assert_int_equal(events("applied"), 0);
}

static void run__without_a_transaction__vacuums(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "VACUUM;\nANALYZE;");

	(void)state;
	job.no_transaction = true;
	assert_int_equal(apply_run(&job, &result, &e), 0);
	assert_int_equal(result.n_statement, 2);
	assert_int_equal(events("applied"), 1);
	/* Vacuumed tables of ours included: the lock still fences. */
	runs(EVENT_APPLIED, "010", 1, "SELECT 1");
}

static void run__asks_the_down_itself__whether_it_wants_a_transaction(void **state)
{
	struct apply_job up = job_of(EVENT_APPLIED, "009", 1, "VACUUM");
	struct apply_job down = job_of(EVENT_ROLLED_BACK, "009", 1, "CREATE TABLE u (a)");
	struct apply_job vacuum = job_of(EVENT_ROLLED_BACK, "010", 1, "-- transaction: no\nVACUUM");

	(void)state;
	up.no_transaction = down.no_transaction = true;
	assert_int_equal(apply_run(&up, &result, &e), 0);
	assert_int_equal(apply_run(&down, &result, &e), 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), 0);
	runs(EVENT_APPLIED, "010", 1, "SELECT 1");
	assert_int_equal(apply_run(&vacuum, &result, &e), 0);
}

static void run__survives__hostile_text_in_an_error(void **state)
{
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1,
				      "SELECT '\x1b[2J\xff' FROM \"\x1b]0;x\x07\"");

	(void)state;
	fails(&job, ERR_DB);
	assert_null(strchr(result.failed_sql, '\x1b'));
	assert_int_equal(sqlite_int(db, "SELECT instr(error, char(27)) FROM bascule_history "
					"WHERE event = 'failed'"),
			 0);
}

static void run__ends__when_cancelled(void **state)
{
	struct cancel c;
	struct db *mine = NULL;
	struct apply_job job = job_of(EVENT_APPLIED, "009", 1, "CREATE TABLE u (a)");

	(void)state;
	assert_int_equal(cancel_init(&c, &e), 0);
	assert_int_equal(db_open(&dsn, 0, NULL, &c, &mine, &e), 0);
	job.db = mine;
	cancel_fire(&c);
	assert_int_equal(apply_run(&job, &result, &e), -1);
	assert_int_equal(e.code, ERR_CANCELLED);
	db_close(mine);
	cancel_clear(&c);
	assert_int_equal(events("failed"), 0);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
}

static void record__writes_an_event__and_runs_nothing(void **state)
{
	struct apply_job job = job_of(EVENT_BASELINED, "009", 1, "CREATE TABLE u (a)");

	(void)state;
	assert_int_equal(apply_record(&job, &e), 0);
	assert_int_equal(events("baselined"), 1);
	assert_int_equal(sqlite_int(db, "SELECT count(*) FROM u"), -1);
	assert_int_equal(apply_record(&job, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_false(db_in_transaction(db));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(prepare__removes_one_outermost_pair__and_hoists_pragmas),
		T(prepare__refuses__what_would_end_the_transaction),
		T(prepare__refuses__what_a_transaction_cannot_hold),
		T(prepare__takes_no_transaction__for_what_needs_it_alone),
		T(run__applies_and_rolls_back__each_with_its_event),
		T(run__changes_nothing__when_a_statement_fails),
		T(run__records__that_a_down_failed),
		T(run__refuses__the_same_generation_twice),
		T(run__writes_nothing__when_the_script_is_refused),
		T(run__keeps_the_guard__against_the_ledger),
		T(run__refuses__orphans),
		T(run__writes_nothing__when_fenced),
		T(run__undoes_everything__when_the_callback_fails),
		T(run__without_a_transaction__vacuums),
		T(run__asks_the_down_itself__whether_it_wants_a_transaction),
		T(run__survives__hostile_text_in_an_error),
		T(run__ends__when_cancelled),
		T(record__writes_an_event__and_runs_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
