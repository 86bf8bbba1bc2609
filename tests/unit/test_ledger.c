/* SPDX-License-Identifier: MIT */
#include "core/ledger/ledger.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/ledger/lock.h"
#include "tests/support/tmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *dir;
static char *path;
static struct dsn dsn;
static struct db *db;
static struct err e;

static void must(int result)
{
	if (result != 0)
		fail_msg("%s: %s (%s) %s", err_code_name(e.code), e.msg, e.sys, e.detail);
}

static void fails(int result, enum err_code code)
{
	assert_int_equal(result, -1);
	if (e.code != code)
		fail_msg("expected %s, got %s: %s: %s", err_code_name(code), err_code_name(e.code),
			 e.msg, e.detail);
}

static int setup_bare(void **state)
{
	(void)state;
	err_clear(&e);
	dir = tmp_make();
	path = tmp_path(dir, "shop.db");
	dsn = (struct dsn){ .engine = "sqlite", .path = path, .shown = path };
	must(db_open(&dsn, DB_CREATE, NULL, NULL, &db, &e));
	return 0;
}

static int setup(void **state)
{
	setup_bare(state);
	must(ledger_ensure(db, &e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	db_close(db);
	db = NULL;
	mem_free(path);
	tmp_remove(dir);
	return 0;
}

static int64_t number(const char *sql)
{
	int64_t n;

	must(db_int(db, sql, NULL, 0, -1, &n, &e));
	return n;
}

static struct history_event applied(const char *id, int64_t generation)
{
	return (struct history_event){
		.ns = "shop",
		.id = id,
		.title = "orders",
		.sort_key = "k",
		.kind = EVENT_APPLIED,
		.generation = generation,
		.checksum = "s1:aa",
		.down_checksum = "s1:bb",
		.run = "r1",
		.epoch = 3,
		.who = "ann",
		.host = "near",
		.at_utc_ms = 1795258289133,
		.took_ms = 12,
	};
}

static int add(struct history_event ev)
{
	int result;

	must(db_begin(db, &e));
	result = ledger_add(db, &ev, SV("up"), SV("down"), NULL, &e);
	if (result != 0) {
		db_rollback(db);
		return -1;
	}
	must(db_commit(db, &e));
	return 0;
}

/* The events of a database, one word each. */
static int list_event(void *arg, const struct history_event *ev, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%s/%s/%s/%d ", ev->ns, ev->id, event_kind_name(ev->kind),
		    (int)ev->generation);
	return 0;
}

static void history_is(const char *expected)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(ledger_events(db, list_event, &b, &e));
	assert_string_equal(strbuf_str(&b), expected);
	strbuf_clear(&b);
}

/* --- The format -------------------------------------------------------------------------------- */

static void format__is_zero__before_the_first_write(void **state)
{
	int format = -1;
	int64_t epoch = -1, seq = -1;

	(void)state;
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 0);
	/* Reading a database without a ledger makes none. */
	history_is("");
	must(ledger_last_line(db, "r1", &epoch, &seq, &e));
	assert_int_equal(epoch + seq, 0);
	assert_int_equal(number("SELECT count(*) FROM sqlite_schema"), 0);
}

static void ensure__makes_the_ledger__once(void **state)
{
	int format = -1;

	(void)state;
	must(ledger_ensure(db, &e));
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, LEDGER_FORMAT);
	assert_int_equal(number("SELECT epoch FROM bascule_lock"), 0);
	assert_int_equal(add(applied("1", 1)), 0);
	must(ledger_ensure(db, &e));
	history_is("shop/1/applied/1 ");
	assert_int_equal(number("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'bascule%' "
				"AND name NOT LIKE 'sqlite_autoindex_bascule%'"),
			 0);
}

/* Every format ever released, made with its own statements, comes up to today's. */
static void ensure__upgrades__from_every_format(void **state)
{
	(void)state;
	assert_null(ledger_format_sql("sqlite", 0));
	assert_null(ledger_format_sql("sqlite", LEDGER_FORMAT + 1));
	for (int old = 1; old <= LEDGER_FORMAT; old++) {
		char sql[100];
		int format = 0;

		teardown(state);
		setup_bare(state);
		for (int f = 1; f <= old; f++)
			must(db_script(db, ledger_format_sql("sqlite", f), &e));
		snprintf(sql, sizeof(sql), "INSERT INTO bascule_meta VALUES ('format', '%d')", old);
		must(db_script(db, sql, &e));
		must(ledger_ensure(db, &e));
		must(ledger_format(db, &format, &e));
		assert_int_equal(format, LEDGER_FORMAT);
		assert_int_equal(add(applied("1", 1)), 0);
	}
}

/* Looking at an environment does not upgrade it. */
static void events__are_read__from_the_first_format(void **state)
{
	int format = 0;

	(void)state;
	must(db_script(db, ledger_format_sql("sqlite", 1), &e));
	must(db_script(db,
		       "INSERT INTO bascule_meta VALUES ('format', '1');"
		       "INSERT INTO bascule_history (namespace, id, event, at, generation) VALUES "
		       "('shop', '1', 'applied', '2026-11-21T10:00:00.500Z', 1)",
		       &e));
	history_is("shop/1/applied/1 ");
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 1);
}

static void ensure__refuses__a_newer_format(void **state)
{
	int format = 0;

	(void)state;
	assert_int_equal(add(applied("1", 1)), 0);
	must(db_script(db,
		       "UPDATE bascule_meta SET value = '99' WHERE key = 'format';"
		       "ALTER TABLE bascule_history ADD COLUMN later TEXT;"
		       "INSERT INTO bascule_history (namespace, id, event, at, later) "
		       "VALUES ('shop', '2', 'teleported', '?', 'x')",
		       &e));
	fails(ledger_ensure(db, &e), ERR_UNSUPPORTED);
	assert_non_null(strstr(e.detail, "99"));
	must(ledger_format(db, &format, &e));
	assert_int_equal(format, 99);
	/* It can still be read; what this program does not know is left out. */
	history_is("shop/1/applied/1 ");
}

static void format__is_damage__when_it_is_no_number(void **state)
{
	int format = 7;

	(void)state;
	must(db_script(db, "UPDATE bascule_meta SET value = 'x'", &e));
	fails(ledger_format(db, &format, &e), ERR_CORRUPT);
	fails(ledger_ensure(db, &e), ERR_CORRUPT);
	must(db_script(db, "DELETE FROM bascule_meta", &e));
	fails(ledger_format(db, &format, &e), ERR_CORRUPT);
	assert_int_equal(format, 7);
}

/* What is in users' databases: a change of these words is a new format. */
static void format__keeps_its_columns__for_ever(void **state)
{
	(void)state;
	must(db_script(
		db,
		"INSERT INTO bascule_history (seq, namespace, id, title, sort_key, event, down, "
		"generation, attempt, statement, checksum, down_checksum, run, epoch, who, host, "
		"at, took_ms, error, up_script, down_script) VALUES (5, 'shop', '1', 't', 'k', "
		"'failed', 1, 2, 3, 4, 'c', 'd', 'r', 6, 'w', 'h', '2026-11-21T10:00:00.500Z', 7, "
		"'e', CAST('rup' AS BLOB), NULL);"
		"INSERT INTO bascule_run (run, operation, who, host, created_at, state, "
		"plan_digest) VALUES ('r', 'migrate', 'w', 'h', 'at', 'done', 'd');"
		"INSERT INTO bascule_line (run, epoch, seq, line) VALUES ('r', 1, 2, '{}');"
		"UPDATE bascule_lock SET one = 1, epoch = 1, who = 'w', host = 'h', pid = 1, "
		"pid_start = 2, boot = 'b', run = 'r', taken_at = 'at', request = ''",
		&e));
	history_is("shop/1/failed/2 ");
	fails(db_script(db, "INSERT INTO bascule_lock (one) VALUES (2)", &e), ERR_DB);
}

/* --- Events ------------------------------------------------------------------------------------ */

static int compare_event(void *arg, const struct history_event *ev, struct err *err)
{
	const struct history_event *want = arg;

	(void)err;
	assert_int_equal(ev->seq, 1);
	assert_string_equal(ev->ns, want->ns);
	assert_string_equal(ev->id, want->id);
	assert_string_equal(ev->title, want->title);
	assert_string_equal(ev->sort_key, want->sort_key);
	assert_int_equal(ev->kind, want->kind);
	assert_int_equal(ev->down, want->down);
	assert_int_equal(ev->generation, want->generation);
	assert_int_equal(ev->attempt, want->attempt);
	assert_int_equal(ev->statement, want->statement);
	assert_string_equal(ev->checksum, want->checksum);
	assert_string_equal(ev->down_checksum, want->down_checksum);
	assert_string_equal(ev->run, want->run);
	assert_int_equal(ev->epoch, want->epoch);
	assert_string_equal(ev->who, want->who);
	assert_string_equal(ev->host, want->host);
	assert_int_equal(ev->at_utc_ms, want->at_utc_ms);
	assert_int_equal(ev->took_ms, want->took_ms);
	assert_string_equal(ev->error, want->error);
	assert_int_equal(ev->statements, want->statements);
	assert_string_equal(ev->hash, want->hash);
	assert_string_equal(ev->objects, want->objects);
	assert_string_equal(ev->session, want->session);
	assert_int_equal(ev->done, want->done);
	return 0;
}

static void event__comes_back__as_it_was_added(void **state)
{
	struct history_event ev = applied("2017-09-23-182408", 2);

	(void)state;
	ev.kind = EVENT_FAILED;
	ev.down = true;
	ev.attempt = 4;
	ev.statement = 17;
	ev.title = "a 'quoted' \xC3\xA9 title";
	ev.error = "near \"x\"";
	ev.statements = 20;
	ev.hash = "s1:cc";
	ev.objects = "dd";
	ev.session = "7 2026-11-21";
	ev.done = true;
	assert_int_equal(add(ev), 0);
	must(ledger_events(db, compare_event, &ev, &e));
}

static int check_empty(void *arg, const struct history_event *ev, struct err *err)
{
	(void)arg;
	(void)err;
	assert_string_equal(ev->title, "");
	assert_string_equal(ev->run, "");
	assert_string_equal(ev->error, "");
	assert_true(clock_utc_ms() - ev->at_utc_ms < 60000);
	return 0;
}

static void event__has_the_time_of_writing__when_it_names_none(void **state)
{
	struct history_event ev = { .ns = "shop", .id = "1", .kind = EVENT_BASELINED };
	bool has_down = true;
	int64_t seq = 0;

	(void)state;
	must(db_begin(db, &e));
	must(ledger_add(db, &ev, SV(""), SV(""), &seq, &e));
	must(db_commit(db, &e));
	assert_int_equal(seq, 1);
	must(ledger_events(db, check_empty, NULL, &e));
	must(ledger_scripts(db, seq, NULL, NULL, &has_down, &e));
	assert_false(has_down);
}

static int stop_at_first(void *arg, const struct history_event *ev, struct err *err)
{
	(void)ev;
	++*(int *)arg;
	return err_set(err, ERR_LIMIT, "enough");
}

static void events__stop__when_the_reader_says_so(void **state)
{
	int seen = 0;

	(void)state;
	assert_int_equal(add(applied("1", 1)), 0);
	assert_int_equal(add(applied("2", 1)), 0);
	fails(ledger_events(db, stop_at_first, &seen, &e), ERR_LIMIT);
	assert_int_equal(seen, 1);
}

static void add__refuses__a_second_application_of_a_generation(void **state)
{
	struct history_event back = applied("1", 1);

	(void)state;
	back.kind = EVENT_ROLLED_BACK;
	assert_int_equal(add(applied("1", 1)), 0);
	fails(add(applied("1", 1)), ERR_EXISTS);
	assert_non_null(strstr(e.msg, "shop 1 is recorded as applied"));
	assert_int_equal(add(back), 0);
	fails(add(back), ERR_EXISTS);
	assert_int_equal(add(applied("1", 2)), 0);
	assert_int_equal(add(applied("2", 1)), 0);
	history_is("shop/1/applied/1 shop/1/rolled-back/1 shop/1/applied/2 shop/2/applied/1 ");
}

static void add__takes_two_failures__of_one_generation(void **state)
{
	struct history_event failed = applied("1", 1);

	(void)state;
	failed.kind = EVENT_FAILED;
	failed.attempt = 1;
	assert_int_equal(add(failed), 0);
	fails(add(failed), ERR_EXISTS);
	failed.attempt = 2;
	assert_int_equal(add(failed), 0);
	assert_int_equal(add(applied("1", 1)), 0);
	history_is("shop/1/failed/1 shop/1/failed/1 shop/1/applied/1 ");
}

static void add__goes_with__the_callers_transaction(void **state)
{
	struct history_event ev = applied("1", 1);

	(void)state;
	must(db_begin(db, &e));
	must(ledger_add(db, &ev, SV("up"), SV(""), NULL, &e));
	db_rollback(db);
	history_is("");
}

static void scripts__come_back__as_they_were(void **state)
{
	struct history_event ev = applied("1", 1);
	struct strbuf up, down, long_text;
	int64_t seq = 0;
	bool has_down = false;

	(void)state;
	strbuf_init(&up, STRBUF_NO_LIMIT);
	strbuf_init(&down, STRBUF_NO_LIMIT);
	strbuf_init(&long_text, STRBUF_NO_LIMIT);
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&long_text, "INSERT INTO t VALUES (%d);\r\n", i);
	must(db_begin(db, &e));
	must(ledger_add(db, &ev, strbuf_sv(&long_text), SV("DROP TABLE t; -- \xff"), &seq, &e));
	must(db_commit(db, &e));
	must(ledger_scripts(db, seq, &up, &down, &has_down, &e));
	assert_true(sv_eq(strbuf_sv(&up), strbuf_sv(&long_text)));
	assert_string_equal(strbuf_str(&down), "DROP TABLE t; -- \xff");
	assert_true(has_down);
	assert_true(number("SELECT length(up_script) FROM bascule_history") < 40000);
	fails(ledger_scripts(db, 99, &up, &down, &has_down, &e), ERR_NOT_FOUND);
	must(db_script(db, "UPDATE bascule_history SET up_script = CAST('zzz' AS BLOB)", &e));
	fails(ledger_scripts(db, seq, &up, NULL, NULL, &e), ERR_CORRUPT);
	strbuf_clear(&up);
	strbuf_clear(&down);
	strbuf_clear(&long_text);
}

static void add__refuses__a_script_over_the_limit(void **state)
{
	struct history_event ev = applied("1", 1);
	char *big = mem_calloc(1, LEDGER_SCRIPT_MAX + 1);

	(void)state;
	must(db_begin(db, &e));
	fails(ledger_add(db, &ev, sv_n(big, LEDGER_SCRIPT_MAX + 1), SV(""), NULL, &e), ERR_LIMIT);
	must(ledger_add(db, &ev, sv_n(big, LEDGER_SCRIPT_MAX), SV(""), NULL, &e));
	db_rollback(db);
	mem_free(big);
}

/* --- Runs and lines ---------------------------------------------------------------------------- */

static void put_line(const char *run, int64_t epoch, int64_t seq, const char *line)
{
	must(db_begin(db, &e));
	must(ledger_put_line(db, run, epoch, seq, sv_of(line), &e));
	must(db_commit(db, &e));
}

static int list_line(void *arg, int64_t epoch, int64_t seq, struct sv line, struct err *err)
{
	(void)err;
	strbuf_addf(arg, "%d.%d=%.*s ", (int)epoch, (int)seq, (int)line.n, line.p);
	return 0;
}

static void lines_are(const char *run, const char *expected)
{
	struct strbuf b;

	strbuf_init(&b, STRBUF_NO_LIMIT);
	must(ledger_lines(db, run, list_line, &b, &e));
	assert_string_equal(strbuf_str(&b), expected);
	strbuf_clear(&b);
}

static void line__is_left_alone__when_it_is_there(void **state)
{
	int64_t epoch, seq;

	(void)state;
	put_line("r1", 2, 1, "d");
	put_line("r1", 1, 10, "c");
	put_line("r1", 1, 2, "b");
	put_line("r1", 1, 2, "another");
	put_line("r2", 9, 9, "x");
	lines_are("r1", "1.2=b 1.10=c 2.1=d ");
	lines_are("r3", "");
	must(ledger_last_line(db, "r1", &epoch, &seq, &e));
	assert_int_equal(epoch, 2);
	assert_int_equal(seq, 1);
	must(ledger_last_line(db, "r3", &epoch, &seq, &e));
	assert_int_equal(epoch + seq, 0);
}

static void put_run(const char *run, const char *run_state)
{
	must(db_begin(db, &e));
	must(ledger_put_run(db, run, "migrate", "ann", "near", 1795258289133, run_state, "d", &e));
	must(db_commit(db, &e));
}

static void run__keeps_its_row__and_changes_state(void **state)
{
	(void)state;
	put_run("r1", "running");
	put_run("r1", "done");
	assert_int_equal(number("SELECT count(*) FROM bascule_run"), 1);
	assert_int_equal(
		number("SELECT count(*) FROM bascule_run WHERE state = 'done' AND who = 'ann' "
		       "AND created_at = '2026-11-21T10:51:29.133Z'"),
		1);
}

/* --- Merging ----------------------------------------------------------------------------------- */

static void merge__adds__what_the_restored_database_lacks(void **state)
{
	const struct lock_request req = { .who = "ann", .host = "near", .run = "r1" };
	char *backup = tmp_path(dir, "backup.db"), *old = tmp_path(dir, "old.db");
	struct lock *l = NULL;
	bool has_down = false;

	(void)state;
	assert_int_equal(add(applied("1", 1)), 0);
	put_run("r1", "running");
	put_line("r1", 1, 1, "a");
	must(db_copy_to(db, backup, &e));
	assert_int_equal(add(applied("2", 1)), 0);
	put_run("r1", "done");
	put_run("r2", "running");
	put_line("r1", 1, 2, "b");
	must(lock_take(&dsn, db, &req, &l, NULL, &e));
	must(db_copy_to(db, old, &e));
	must(db_copy_from(db, backup, NULL, NULL, &e));
	history_is("shop/1/applied/1 ");
	assert_int_equal(number("SELECT epoch FROM bascule_lock"), 0);
	must(ledger_merge_from(db, old, &e));
	history_is("shop/1/applied/1 shop/2/applied/1 ");
	must(ledger_scripts(db, 2, NULL, NULL, &has_down, &e));
	assert_true(has_down);
	lines_are("r1", "1.1=a 1.2=b ");
	assert_int_equal(number("SELECT count(*) FROM bascule_run WHERE state = 'done'"), 1);
	assert_int_equal(number("SELECT count(*) FROM bascule_run"), 2);
	assert_int_equal(number("SELECT epoch FROM bascule_lock WHERE run = 'r1'"), 1);
	/* The lock holds again; a second merge changes nothing. */
	must(ledger_merge_from(db, old, &e));
	must(db_begin(db, &e));
	must(lock_fence(l, db, &e));
	db_rollback(db);
	history_is("shop/1/applied/1 shop/2/applied/1 ");
	lock_release(l, db);
	mem_free(backup);
	mem_free(old);
}

static void merge__makes_the_ledger__where_there_was_none(void **state)
{
	char *backup = tmp_path(dir, "backup.db"), *old = tmp_path(dir, "old.db");

	(void)state;
	must(db_copy_to(db, backup, &e));
	must(ledger_merge_from(db, backup, &e)); /* neither has one: nothing */
	history_is("");
	must(ledger_ensure(db, &e));
	assert_int_equal(add(applied("1", 1)), 0);
	must(db_copy_to(db, old, &e));
	must(db_copy_from(db, backup, NULL, NULL, &e));
	must(ledger_merge_from(db, old, &e));
	history_is("shop/1/applied/1 ");
	mem_free(backup);
	mem_free(old);
}

static void merge__never_lowers__the_epoch(void **state)
{
	char *old = tmp_path(dir, "old.db");

	(void)state;
	must(db_script(db, "UPDATE bascule_lock SET epoch = 3", &e));
	must(db_copy_to(db, old, &e));
	must(db_script(db, "UPDATE bascule_lock SET epoch = 8", &e));
	must(ledger_merge_from(db, old, &e));
	assert_int_equal(number("SELECT epoch FROM bascule_lock"), 8);
	mem_free(old);
}

static void merge__refuses__a_missing_file_and_a_newer_format(void **state)
{
	char *old = tmp_path(dir, "old.db");

	(void)state;
	fails(ledger_merge_from(db, old, &e), ERR_NOT_FOUND);
	must(db_script(db, "UPDATE bascule_meta SET value = '99'", &e));
	must(db_copy_to(db, old, &e));
	must(db_script(db, "UPDATE bascule_meta SET value = '1'", &e));
	fails(ledger_merge_from(db, old, &e), ERR_UNSUPPORTED);
	assert_false(db_in_transaction(db));
	mem_free(old);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define CASE_BARE(f) cmocka_unit_test_setup_teardown(f, setup_bare, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE_BARE(format__is_zero__before_the_first_write),
		CASE_BARE(ensure__makes_the_ledger__once),
		CASE_BARE(ensure__upgrades__from_every_format),
		CASE_BARE(events__are_read__from_the_first_format),
		CASE(ensure__refuses__a_newer_format),
		CASE(format__is_damage__when_it_is_no_number),
		CASE(format__keeps_its_columns__for_ever),
		CASE(event__comes_back__as_it_was_added),
		CASE(event__has_the_time_of_writing__when_it_names_none),
		CASE(events__stop__when_the_reader_says_so),
		CASE(add__refuses__a_second_application_of_a_generation),
		CASE(add__takes_two_failures__of_one_generation),
		CASE(add__goes_with__the_callers_transaction),
		CASE(scripts__come_back__as_they_were),
		CASE(add__refuses__a_script_over_the_limit),
		CASE(line__is_left_alone__when_it_is_there),
		CASE(run__keeps_its_row__and_changes_state),
		CASE(merge__adds__what_the_restored_database_lacks),
		CASE_BARE(merge__makes_the_ledger__where_there_was_none),
		CASE(merge__never_lowers__the_epoch),
		CASE(merge__refuses__a_missing_file_and_a_newer_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
